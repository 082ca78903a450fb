"""What an operator should know before people notice: each finding has a stable id, words, and a hint."""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count
from django.db.utils import DatabaseError

from tidings.accounts.models import SYSTEM_ROLES, Person, Source, Tenant
from tidings.accounts.tenants import FIRST
from tidings.channels.models import ChannelSetting
from tidings.channels.registry import CHANNELS
from tidings.delivery import stuck
from tidings.delivery.lease import COUNT_DELIVERING, DEAD_AFTER
from tidings.delivery.models import Delivery
from tidings.delivery.retention import RECORDS
from tidings.directory.models import ContactPoint
from tidings.events.buses.file import read_buses
from tidings.events.models import Event, Parked
from tidings.events.sources.registry import in_order
from tidings.kernel.clock import apart, now
from tidings.kernel.ids import first_at, made_at
from tidings.kernel.keys import secret_keys
from tidings.kernel.settings import BASE_URL, SettingsError, settings
from tidings.rotate import stand
from tidings.rules.models import Rule

WAITING_COUNTED = 10_000
GRACE = timedelta(days=2)
OPENED_OF_A_TABLE = 20_000
"""To open one takes 50 us."""


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
    "secrets.older_key": ("warning", "Run: tidings secrets rotate. Until then the keys after the first are needed."),
    "secrets.keys_to_retire": (
        "info",
        "They still recognise links in mails that were sent before; when those may end: tidings secrets retire",
    ),
    "events.unplanned": ("error", "A node's log has the cause; they are planned again every 30 seconds."),
    "events.parked": (
        "warning",
        "GET /api/v1/sources/<name>/parked shows them, PUT .../mapping says what they mean, POST .../parked/replay has "
        "them read again. They are kept for 30 days.",
    ),
    "buses.file": ("error", "docs/sources/buses.md shows what may stand there. No node that accepts starts with it."),
    "buses.no_tenant": ("error", "Name one of them as `tenant` in the file of TIDINGS_BUSES."),
    "buses.no_source": (
        "error",
        "Make it: tidings token create --source NAME (its token may be thrown away). Until then nothing is taken from"
        " that bus; what is published waits there.",
    ),
    "nodes.none_deliver": ("warning", "Start one: tidings serve, or tidings worker"),
    "deliveries.nobody_delivers": ("error", "Start a node that delivers: tidings serve, or tidings worker"),
    "deliveries.overdue": (
        "warning",
        "More nodes help against many (tidings worker); against one, a node's log says what it met with that delivery.",
    ),
    "content.no_partition": (
        "warning",
        "Each node makes the next days' partitions every 10 minutes; its log says what is in the way. Until then"
        " content lies in events_body_other and ends there as it should.",
    ),
    "records.behind": (
        "warning",
        "Each node deletes them every 10 minutes, one node at a time; its log says what is in the way.",
    ),
    "clock.apart": ("warning", "Have both kept by NTP: what is signed with a wrong clock is refused by its receivers."),
    "channels.none_on": ("warning", f"PUT /api/v1/channels/<channel> switches one on: {', '.join(CHANNELS)}."),
    "base_url.local": ("warning", "Set TIDINGS_BASE_URL to the address at which people reach Tidings."),
    "rules.role_empty": ("warning", "Give somebody the role, or remove it from the rule."),
    "rules.user_gone": ("warning", "Remove them from the rule."),
    "people.unreachable": ("warning", "They choose a method in their notification settings, or an administrator does."),
    "people.unverified": (
        "warning",
        "They prove that the address is theirs (POST /api/v1/me/contact-points/<channel>/code, for a robot or webhook "
        "/test), or an administrator confirms it: PUT /api/v1/users/<login>/notification-settings.",
    ),
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
    yield from _late()
    yield from _housework()
    yield from _clock()
    yield from _links()
    if unplanned := Event.objects.across_tenants().filter(fault__isnull=False).count():
        yield _found("events.unplanned", f"{unplanned} events are kept unplanned.")
    yield from _secrets()
    yield from _buses()
    for tenant in Tenant.objects.order_by("name"):
        yield from _channels(tenant.id, tenant.name)
        yield from _rules(tenant.id, tenant.name)
        yield from _people(tenant.id, tenant.name)
        yield from _parked(tenant.id, tenant.name)


def _missing_migrations() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _nodes() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(COUNT_DELIVERING, {"dead_after": str(DEAD_AFTER)})
        row = cursor.fetchone()
    if row and row[0]:
        return
    open_ones = Delivery.objects.across_tenants().filter(state__in=["pending", "sending"])
    if waiting := open_ones[:WAITING_COUNTED].count():
        many = f"{waiting:,}" if waiting < WAITING_COUNTED else f"{WAITING_COUNTED:,} or more"
        yield _found("deliveries.nobody_delivers", f"{many} deliveries wait, and no node delivers.")
    else:
        yield _found("nodes.none_deliver", "No node delivers at the moment.")


def _late() -> Iterator[Finding]:
    with connection.cursor() as cursor:
        cursor.execute(stuck.OLDEST_OVERDUE, {"overdue": str(stuck.OVERDUE)})
        for delivery, due_at in cursor.fetchall():
            minutes = (now() - due_at).total_seconds() // 60
            yield _found("deliveries.overdue", f"A delivery has been due for {minutes:,.0f} minutes: {delivery}.")


def _housework() -> Iterator[Finding]:
    """What would grow unseen if nobody kept house."""
    today = now().date()
    with connection.cursor() as cursor:
        for day in (today + timedelta(days=1), today + timedelta(days=2)):
            cursor.execute("SELECT to_regclass(%s)", (f"events_body_{day:%Y%m%d}",))
            if cursor.fetchone() == (None,):
                yield _found("content.no_partition", f"The content of {day} has no partition yet.")
    old = Event.objects.across_tenants().filter(id__lt=first_at(now() - RECORDS - GRACE), fault=None)
    if oldest := old.order_by("id").values_list("id", flat=True).first():
        text = f"Events of {made_at(oldest):%Y-%m-%d} are still there; they are kept for {RECORDS.days} days."
        yield _found("records.behind", text)


def _clock() -> Iterator[Finding]:
    before = time.time()
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        [there] = cursor.fetchone()
    if words := apart((before + time.time()) / 2 - there, "This machine's"):
        yield _found("clock.apart", f"{words}.")


def _links() -> Iterator[Finding]:
    """A webhook may be on this machine; people read everything else on their own."""
    elsewhere = ChannelSetting.objects.across_tenants().filter(enabled=True).exclude(channel="webhook")
    if settings().base_url == BASE_URL and elsewhere.exists():
        yield _found("base_url.local", f"Links in messages lead to {BASE_URL}, where only this machine finds them.")


def _channels(tenant_id: UUID, tenant: str) -> Iterator[Finding]:
    kept = ChannelSetting.objects.for_tenant(tenant_id)
    if not kept.filter(enabled=True).exists():
        yield _found("channels.none_on", f"{tenant}: no channel is on; people only have their inbox.")


def _secrets() -> Iterator[Finding]:
    """What no key opens, by tenant; and what an older key is still needed for."""
    seen = stand(at_most=OPENED_OF_A_TABLE)
    names = dict(Tenant.objects.values_list("id", "name"))
    for (tenant_id, standing), count in sorted(seen.counts.items(), key=str):
        if standing == "unreadable":
            whose = names[tenant_id] if tenant_id else "second factors"
            yield _found("secrets.unreadable", f"{whose}: {count} stored secrets cannot be decrypted.")
    if older := seen.total("older"):
        text = f"{older:,}{' or more' if seen.more else ''} stored secrets are still under an older key."
        yield _found("secrets.older_key", text)
    elif len(secret_keys()) > 1 and not seen.more:
        yield _found("secrets.keys_to_retire", "Nothing is sealed under the keys after the first any more.")


def _buses() -> Iterator[Finding]:
    """Of the file that this process would read: whose word each bus would be."""
    try:
        entries = read_buses(settings().buses, os.environ)
    except SettingsError as error:
        yield _found("buses.file", str(error))
        return
    names = dict(Tenant.objects.values_list("name", "id"))
    for entry in entries:
        tenant = entry.tenant or (next(iter(names)) if len(names) == 1 else FIRST)
        if tenant not in names:
            yield _found("buses.no_tenant", f"The bus {entry.name} is of the tenant {tenant!r}, which is not there.")
        elif not Source.objects.for_tenant(names[tenant]).filter(name=entry.source).exists():
            text = f"The bus {entry.name} speaks for the source {entry.source!r} of {tenant}, which is not there."
            yield _found("buses.no_source", text)


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
    """Each of them is told of once: who would be reached if they proved an address is not asked to choose a method."""
    on = set(ChannelSetting.objects.for_tenant(tenant_id).filter(enabled=True).values_list("channel", flat=True))
    usable: dict[UUID, set[str]] = {}
    unproven: dict[UUID, set[str]] = {}
    points = ContactPoint.objects.for_tenant(tenant_id).filter(disabled_at=None)
    for person_id, channel, verified_at in points.values_list("person_id", "channel", "verified_at"):
        (usable if verified_at else unproven).setdefault(person_id, set()).add(channel)
    people = Person.objects.for_tenant(tenant_id).filter(active=True, departed_at=None).order_by("login")
    unreachable: list[str] = []
    unverified: list[str] = []
    for person_id, login, methods in people.values_list("id", "login", "methods"):
        selected = set(methods) & on
        if not selected & usable.get(person_id, set()):
            (unverified if selected & unproven.get(person_id, set()) else unreachable).append(login)
    if unreachable:
        yield _found("people.unreachable", f"{tenant}: nothing but the inbox reaches {_some(unreachable)}.")
    if unverified:
        text = f"{tenant}: no address that they chose is verified, so only the inbox reaches {_some(unverified)}."
        yield _found("people.unverified", text)


def _some(logins: list[str]) -> str:
    return ", ".join(logins[:5]) + (f" and {len(logins) - 5} more" if len(logins) > 5 else "")


def _parked(tenant_id: UUID, tenant: str) -> Iterator[Finding]:
    """By source and reason, with a few of the words that nobody knows. A test is nothing to worry about."""
    waiting = Parked.objects.for_tenant(tenant_id).filter(resolved_at=None).exclude(reason="test_message")
    for source, reason, count in (
        waiting.values_list("source", "reason").annotate(count=Count("id")).order_by("source", "reason")
    ):
        words = waiting.filter(source=source, reason=reason).values_list("adapter", "words")[:100]
        said = list(dict.fromkeys("/".join(in_order(*each).values()) for each in words if each[1]))[:3]
        shown = f": {', '.join(said)}" if said else ""
        yield _found("events.parked", f"{tenant}: {count} payloads of {source} are parked ({reason}){shown}.")
