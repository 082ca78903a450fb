"""Put every value that is sealed under an older secret key under the current one; and count what stands under which.

Beside running nodes and beside another rotation: a value is only replaced by itself, as it was read. Broken off at any
moment, the next rotation goes on with what is left.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal
from uuid import UUID

from django.apps import apps
from django.db import connection, transaction
from django.db.models import F
from django.db.utils import OperationalError

from tidings.accounts.models import Tenant
from tidings.accounts.tenants import command_line
from tidings.audit.record import record_change
from tidings.kernel.keys import new_first_key, secret_keys, write_keys
from tidings.kernel.secrets import SecretUnreadable, is_current, sealed_anew, unseal
from tidings.kernel.settings import settings

SLICE = 500
PASSES = 5
"""What a node seals meanwhile under the key that it was started with is found by the next pass."""
Standing = Literal["current", "older", "unreadable"]
_LOCK = 7_301_004


@dataclass(frozen=True, slots=True)
class Place:
    """A column of sealed values. `names`: the value is JSON, and what is sealed stands under these."""

    table: str
    key: str
    key_type: str
    column: str
    names: tuple[str, ...] = ()
    of_tenants: bool = True

    def sealed_in(self, value: bytes | str) -> list[bytes]:
        if not self.names:
            return [bytes(value)]  # type: ignore[arg-type]
        return [text.encode() for text in _texts(json.loads(value), self.names)]

    def anew(self, value: bytes | str) -> bytes | str:
        """Raises `SecretUnreadable`."""
        if not self.names:
            return sealed_anew(bytes(value))  # type: ignore[arg-type]
        content = json.loads(value)
        for name in self.names:
            if isinstance(content.get(name), str):
                content[name] = sealed_anew(content[name].encode()).decode()
            elif isinstance(content.get(name), list):
                content[name] = [sealed_anew(each.encode()).decode() for each in content[name]]
        return json.dumps(content)


# https://github.com/pennersr/django-allauth/tree/main/allauth/mfa: totp, recovery_codes
SECOND_FACTORS = Place("mfa_authenticator", "id", "bigint", "data", ("secret", "seed", "migrated_codes"), False)


def places() -> list[Place]:
    """Every column called `sealed`, whichever model has it; and the second factors of sign-ins."""
    found = []
    for model in apps.get_models():
        if any(each.name == "sealed" for each in model._meta.get_fields()):
            found.append(Place(model._meta.db_table, str(model._meta.pk.column), "uuid", "sealed"))
    return [*sorted(found, key=lambda each: each.table), SECOND_FACTORS]


@dataclass(slots=True)
class Rotated:
    """`rewritten` and `unreadable` by table; `made_key`: a new key was put in front; `left`: values that are still
    under an older key, which somebody writes faster than we do."""

    made_key: bool = False
    rewritten: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)
    left: int = 0


@dataclass(slots=True)
class Stand:
    """How many values stand how: by (tenant, standing); None for what belongs to a sign-in. `more`: not all of them
    were looked at."""

    counts: Counter[tuple[UUID | None, Standing]] = field(default_factory=Counter)
    more: bool = False

    def total(self, standing: Standing) -> int:
        return sum(count for (_, each), count in self.counts.items() if each == standing)


class OneKey(Exception):
    """There is no other key to go to."""


def rotate() -> Rotated:
    """Raises `OneKey` where the operator keeps the keys and has not put a new one in front."""
    rotated = Rotated()
    if _keys_are_ours():
        rotated.made_key = _next_key()
    elif len(secret_keys()) < 2:
        raise OneKey
    of_tenant: Counter[UUID] = Counter()
    for number in range(PASSES):
        before = rotated.rewritten.total()
        rotated.unreadable.clear()
        for place in places():
            _pass(place, rotated, of_tenant)
        if number and rotated.rewritten.total() == before:
            break
    _tell(of_tenant)
    rotated.left = stand().total("older")
    return rotated


class StillNeeded(Exception):
    """So many values stand under a key that is to go."""

    def __init__(self, values: int) -> None:
        super().__init__(values)
        self.values = values


@dataclass(frozen=True, slots=True)
class Retired:
    """How many older keys are listed. `gone`: they were taken away; else the operator does that."""

    older: int
    gone: bool


def retire() -> Retired:
    """Take the older keys away where they are ours to keep. Raises `StillNeeded` with nothing changed."""
    with _the_keys():
        keys = secret_keys()
        if needed := stand().total("older"):
            raise StillNeeded(needed)
        ours = len(keys) > 1 and _keys_are_ours()
        if ours:
            # Whatever a node still holds of before a rotation that was broken off.
            Tenant.objects.update(rules_version=F("rules_version") + 1, directory_version=F("directory_version") + 1)
            path = settings().keys_file
            assert path is not None
            write_keys(path, keys[:1])
    return Retired(len(keys) - 1, ours)


def stand(*, at_most: int | None = None) -> Stand:
    """`at_most` so many values of a table are opened."""
    seen = Stand()
    for place in places():
        rows = islice(_rows(place), at_most)
        looked_at = 0
        for _, tenant_id, value in rows:
            looked_at += 1
            seen.counts[tenant_id, _standing(place, value)] += 1
        seen.more |= looked_at == at_most
    return seen


def _keys_are_ours() -> bool:
    """Made by Tidings and kept in the data folder, and not by the operator."""
    own = settings()
    return own.keys_file is not None and own.keys_file.parent == own.data_dir and own.database_url is None


@contextmanager
def _the_keys() -> Iterator[None]:
    """Whoever changes which keys there are does it alone: one that is put in front while another looks whether those
    behind the first may go would leave nothing that opens what is sealed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _next_key() -> bool:
    """No while something stands under an older one: a rotation that was broken off is finished first. Two that begin
    at once make one key."""
    known = secret_keys()
    with _the_keys():
        if secret_keys() != known or (len(known) > 1 and stand().total("older")):
            return False
        path = settings().keys_file
        assert path is not None
        new_first_key(path)
    return True


def _pass(place: Place, rotated: Rotated, of_tenant: Counter[UUID]) -> None:
    rows = _rows(place)
    while some := list(islice(rows, SLICE)):
        changed: list[tuple[Any, Any, Any]] = []
        for key, _, value in some:
            match _standing(place, value):
                case "older":
                    changed.append((key, value, place.anew(value)))
                case "unreadable":
                    rotated.unreadable[place.table] += 1
        if changed:
            done = _replace(place, changed)
            rotated.rewritten[place.table] += len(done)
            of_tenant.update(each for each in done if each is not None)


def _standing(place: Place, value: bytes | str) -> Standing:
    older = False
    for sealed in place.sealed_in(value):
        if not is_current(sealed):
            try:
                unseal(sealed)
            except SecretUnreadable:
                return "unreadable"
            older = True
    return "older" if older else "current"


def _rows(place: Place) -> Iterator[tuple[Any, UUID | None, Any]]:
    """(key, tenant, value), by key, a slice at a time. Index: the primary key."""
    tenant = "tenant_id" if place.of_tenants else "NULL::uuid"
    shown = f"{place.column}::text" if place.names else place.column
    start = "0" if place.key_type == "bigint" else "00000000-0000-0000-0000-000000000000"
    statement = (
        f"SELECT {place.key}, {tenant}, {shown} FROM {place.table} "  # noqa: S608 - ours
        f"WHERE {place.key} > %s AND {place.column} IS NOT NULL ORDER BY {place.key} LIMIT {SLICE}"
    )
    while True:
        with connection.cursor() as cursor:
            cursor.execute(statement, [start])
            rows: Sequence[tuple[Any, UUID | None, Any]] = cursor.fetchall()
        yield from rows
        if len(rows) < SLICE:
            return
        start = rows[-1][0]


def _replace(place: Place, changed: Sequence[tuple[Any, Any, Any]]) -> list[UUID | None]:
    """The tenants of those that were still as they were read."""
    kind = "jsonb" if place.names else "bytea"
    tenant = "t.tenant_id" if place.of_tenants else "NULL::uuid"
    statement = (
        f"UPDATE {place.table} t SET {place.column} = n.after "  # noqa: S608 - ours
        f"FROM unnest(%s::{place.key_type}[], %s::{kind}[], %s::{kind}[]) AS n(key, before, after) "
        f"WHERE t.{place.key} = n.key AND t.{place.column} = n.before RETURNING {tenant}"
    )
    columns = [list(column) for column in zip(*changed, strict=True)]
    for _ in range(3):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement, columns)
                return [tenant_id for (tenant_id,) in cursor.fetchall()]
        except OperationalError as error:
            # Two that lock the same rows in another order; the next pass finds what is left.
            if "deadlock" not in str(error):
                raise
    return []


def _tell(of_tenant: Mapping[UUID, int]) -> None:
    """The record of changes, and the nodes, which hold sealed values in memory."""
    for tenant in Tenant.objects.filter(id__in=list(of_tenant)).order_by("id"):
        record_change(
            tenant.id,
            command_line(tenant.id).name,
            "rotate",
            "secrets",
            "",
            before=None,
            after={"rewritten": of_tenant[tenant.id]},
            stale=("rules", "directory"),
        )


def _texts(content: Mapping[str, Any], names: Sequence[str]) -> Iterator[str]:
    for name in names:
        found = content.get(name)
        yield from [found] if isinstance(found, str) else found or []
