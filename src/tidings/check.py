"""What an operator should know before people notice: each finding has a stable id, words, and a hint."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import DatabaseError

from tidings.accounts.models import SYSTEM_ROLES, Person, Tenant
from tidings.channels.models import ChannelSetting
from tidings.channels.registry import CHANNELS
from tidings.directory.models import ContactPoint
from tidings.events.models import Event
from tidings.kernel.secrets import SecretUnreadable, unseal
from tidings.kernel.settings import BASE_URL, settings
from tidings.rules.models import Rule


@dataclass(frozen=True, slots=True)
class Finding:
    id: str
    level: Literal["error", "warning", "info"]
    text: str
    hint: str


# Stable ids: others alert on them.
KINDS: Mapping[str, tuple[Literal["error", "warning", "info"], str]] = {
    "database.unreachable": ("error", "Check TIDINGS_DATABASE_URL."),
    "database.not_migrated": ("error", "Run: tidings migrate"),
    "secrets.unreadable": (
        "error",
        "Add the key they were written with to TIDINGS_SECRET_KEYS, after the first.",
    ),
    "events.unplanned": ("error", "A node's log has the cause; they are planned again every 30 seconds."),
    "nodes.none_deliver": ("warning", "Start one: tidings serve, or tidings worker"),
    "channels.none_on": ("warning", f"PUT /api/v1/channels/<channel> switches one on: {', '.join(CHANNELS)}."),
    "base_url.local": ("warning", "Set TIDINGS_BASE_URL to the address at which people reach Tidings."),
    "rules.role_empty": ("warning", "Give somebody the role, or remove it from the rule."),
    "rules.user_gone": ("warning", "Remove them from the rule."),
    "people.unreachable": ("warning", "They choose a method in their notification settings, or an administrator does."),
}


def _found(kind: str, text: str) -> Finding:
    level, hint = KINDS[kind]
    return Finding(kind, level, text, hint)


def findings() -> Iterator[Finding]:
    """Stops after the database when that cannot be reached or is not migrated."""
    try:
        missing = _missing_migrations()
    except DatabaseError as error:
        yield _found("database.unreachable", f"The database cannot be reached: {str(error).splitlines()[0]}.")
        return
    if missing:
        yield _found("database.not_migrated", f"{missing} schema changes are missing.")
        return
    yield from _nodes()
    yield from _links()
    if unplanned := Event.objects.across_tenants().filter(fault__isnull=False).count():
        yield _found("events.unplanned", f"{unplanned} events are kept unplanned.")
    for tenant in Tenant.objects.order_by("name"):
        yield from _channels(tenant.id, tenant.name)
        yield from _rules(tenant.id, tenant.name)
        yield from _people(tenant.id, tenant.name)


def _missing_migrations() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _nodes() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM delivery_node WHERE renewed_at > now() - interval '20 seconds'")
        row = cursor.fetchone()
    if not row or not row[0]:
        yield _found("nodes.none_deliver", "No node delivers at the moment.")


def _links() -> Iterator[Finding]:
    """A webhook may be on this machine; people read everything else on their own."""
    elsewhere = ChannelSetting.objects.across_tenants().filter(enabled=True).exclude(channel="webhook")
    if settings().base_url == BASE_URL and elsewhere.exists():
        yield _found("base_url.local", f"Links in messages lead to {BASE_URL}, where only this machine finds them.")


def _channels(tenant_id: UUID, tenant: str) -> Iterator[Finding]:
    kept = ChannelSetting.objects.for_tenant(tenant_id)
    if not kept.filter(enabled=True).exists():
        yield _found("channels.none_on", f"{tenant}: no channel is on; people only have their inbox.")
    points = ContactPoint.objects.for_tenant(tenant_id).values_list("sealed", flat=True)[:1_000]
    sealed = [*kept.values_list("sealed", flat=True), *points]
    if unreadable := sum(1 for each in sealed if not _readable(bytes(each))):
        yield _found("secrets.unreadable", f"{tenant}: {unreadable} stored secrets cannot be decrypted.")


def _readable(sealed: bytes) -> bool:
    try:
        unseal(sealed)
    except SecretUnreadable:
        return False
    return True


def _rules(tenant_id: UUID, tenant: str) -> Iterator[Finding]:
    """Only what can be known without an event: roles held by nobody, and added users who cannot be told."""
    people = Person.objects.for_tenant(tenant_id).filter(active=True, departed_at=None)
    held = {role for roles in people.values_list("roles", flat=True) for role in roles}
    there = set(people.values_list("id", flat=True))
    for rule in Rule.objects.for_tenant(tenant_id).filter(enabled=True).order_by("event_type"):
        if empty := [role for role in rule.optional_roles if role in SYSTEM_ROLES and role not in held]:
            yield _found("rules.role_empty", f"{tenant}: {rule.event_type} tells {', '.join(empty)}; nobody holds it.")
        if gone := [each for each in rule.additional_users if each not in there]:
            yield _found("rules.user_gone", f"{tenant}: {rule.event_type} adds {_people_gone(len(gone))}.")


def _people_gone(count: int) -> str:
    return "one person who is gone" if count == 1 else f"{count:,} people who are gone"


def _people(tenant_id: UUID, tenant: str) -> Iterator[Finding]:
    on = set(ChannelSetting.objects.for_tenant(tenant_id).filter(enabled=True).values_list("channel", flat=True))
    usable: dict[UUID, set[str]] = {}
    points = ContactPoint.objects.for_tenant(tenant_id).exclude(verified_at=None).filter(disabled_at=None)
    for person_id, channel in points.values_list("person_id", "channel"):
        usable.setdefault(person_id, set()).add(channel)
    people = Person.objects.for_tenant(tenant_id).filter(active=True, departed_at=None).order_by("login")
    unreachable = [
        login
        for person_id, login, methods in people.values_list("id", "login", "methods")
        if not set(methods) & on & usable.get(person_id, set())
    ]
    if unreachable:
        shown = ", ".join(unreachable[:5]) + (f" and {len(unreachable) - 5} more" if len(unreachable) > 5 else "")
        yield _found("people.unreachable", f"{tenant}: nothing but the inbox reaches {shown}.")
