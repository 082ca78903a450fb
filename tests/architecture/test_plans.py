"""Every statement of the hot path finds its rows by the index its comment names, however large the tables have grown.

Each is explained twice: for parameters like those of a busy node, and without any, as PostgreSQL plans a statement that
was prepared long ago.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from tidings.delivery import (
    backlog,
    claim,
    enqueue,
    fallback,
    lease,
    ledger,
    limits,
    news,
    orphans,
    record,
    retention,
    stuck,
    told,
    waits,
)
from tidings.directory import load
from tidings.events import inbox, known, recent
from tidings.events.sources import look, park
from tidings.kernel.database import Connection, connect, plain_array, text_array
from tidings.planning import views

if TYPE_CHECKING:
    from tidings.accounts.permissions import Caller

ROWS = 50_000
TENANTS = 5
TENANT = UUID("01900000-0000-7000-8000-000000a00000")
LARGE = (
    "events_event",
    "events_subject",
    "events_recipient",
    "events_involved",
    "events_body",
    "events_parked",
    "delivery_delivery",
    "audit_change",
)
# Event n of 50,000; its recipient is number 1 of its children, its delivery number 2. Each has a subject and a person of
# its own, but every hundredth, which share one; it involves the person of event n + 5,000 too, or the shared one. One in
# a hundred is pending, one in a hundred in a node's hands.
FILL = (
    """
    CREATE FUNCTION key(n int, child int DEFAULT 0) RETURNS uuid IMMUTABLE LANGUAGE sql AS
    $$ SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(n), 7, '0') || lpad(to_hex(child), 5, '0'))::uuid $$
    """,
    f"""
    INSERT INTO accounts_tenant
        (id, name, rules_version, directory_version, access_version, language, timezone, sms_countries, fallback,
         version)
    SELECT key(10, n), 'tenant ' || n, 1, 1, 1, 'en', 'UTC', '{{86}}', false, 1 FROM generate_series(0, {TENANTS - 1}) n
    """,
    f"""
    INSERT INTO accounts_person (id, tenant_id, login, name, email, mobile, external_id, roles, methods, language, timezone,
                                 active, version)
    SELECT key(n, 8), key(10, n % {TENANTS}), 'p' || n, '', '', '', '', '{{}}', '{{}}', 'en', 'UTC', true, 1
    FROM generate_series(1, {ROWS}) n
    """,
    f"""
    INSERT INTO directory_contactpoint
        (id, tenant_id, person_id, channel, sealed, shown, destination, disabled_reason, version, assumed)
    SELECT key(n, 9), key(10, n % {TENANTS}), key(n, 8), 'webhook', '', '', 'host' || n % 1000 || ':443', '', 1, false
    FROM generate_series(1, {ROWS}) n
    """,
    f"""
    INSERT INTO events_event (id, tenant_id, source, source_id, type, time, subject_id, number, hash, fault)
    SELECT key(n), key(10, n % {TENANTS}), 'dms', 'e' || n, 'data_change.successful', now(),
           key(CASE WHEN n % 100 = 0 THEN 100 ELSE n END, 7), n, '', CASE WHEN n % 10000 = 0 THEN 'KeyError' END
    FROM generate_series(1, {ROWS}) n
    """,
    f"""
    INSERT INTO events_subject
        (id, tenant_id, kind, key, title, url, status, status_time, status_number, last_number)
    SELECT key(n, 7), key(10, n % {TENANTS}), 'ticket', n::text, '', '', '', now(), 1, 1
    FROM generate_series(1, {ROWS}) n
    """,
    f"""
    INSERT INTO events_body (id, day, body) SELECT key(n), current_date - n % 3, '{{}}' FROM generate_series(1, {ROWS}) n
    """,
    f"""
    INSERT INTO events_recipient (id, tenant_id, person_id, because)
    SELECT key(n, 1), key(10, n % {TENANTS}), key(CASE WHEN n % 100 = 0 THEN 100 ELSE n END, 8), '[]'
    FROM generate_series(1, {ROWS}) n
    """,
    f"""
    INSERT INTO events_involved (id, tenant_id, person_id)
    SELECT key(n), key(10, n % {TENANTS}), key(CASE WHEN n % 100 = 50 THEN 100 ELSE (n + 4999) % {ROWS} + 1 END, 8)
    FROM generate_series(1, {ROWS}) n
    """,
    f"""
    INSERT INTO delivery_delivery
        (id, tenant_id, person_id, subject_id, number, contact_point_id, channel, state, due_at, lease)
    SELECT key(n, 2), key(10, n % {TENANTS}), key(n, 8), key(n, 7), 1, key(n, 9), 'webhook',
           CASE n % 100 WHEN 1 THEN 'pending' WHEN 2 THEN 'sending' ELSE 'sent' END, now(),
           CASE n % 100 WHEN 2 THEN 7 END
    FROM generate_series(1, {ROWS}) n
    """,
    f"""
    INSERT INTO events_parked
        (id, tenant_id, source, adapter, reason, detail, words, headers, body, hash, times, last_at, resolved_at)
    SELECT key(n), key(10, n % {TENANTS}), 'source ' || n % 100, 'dms', 'unmapped', '', '{{}}', '{{}}', '{{}}',
           decode(md5(n::text), 'hex'), 1, now(), CASE WHEN n % 2 = 0 THEN now() END
    FROM generate_series(1, {ROWS}) n
    """,
    f"""
    INSERT INTO audit_change (id, tenant_id, actor, action, kind, key)
    SELECT key(n), key(10, n % {TENANTS}), 'p' || n % 500, 'act ' || n % 500, 'kind ' || n % 500, 'key ' || n % 500
    FROM generate_series(1, {ROWS}) n
    """,
    "VACUUM ANALYZE",
)


@pytest.fixture(scope="module")
def filled(database: str) -> str:
    async def fill() -> None:
        connection = await connect(database, name="fill")
        # Three days' partitions and the one for the others, as after a few days' work.
        await retention.make_partitions(connection, await _value(connection, "SELECT current_date - 2"))
        for statement in FILL:
            await connection.execute(statement, prepare=False)
        await connection.close()

    asyncio.run(fill())
    return database


@pytest.fixture
async def connection(filled: str) -> AsyncIterator[Connection]:
    """As a node has it."""
    connection = await connect(filled, name="plans")
    yield connection
    await connection.close()


async def _value(connection: Connection, query: str) -> Any:
    row = await (await connection.execute(query, prepare=False)).fetchone()
    assert row is not None
    return row[0]


def events(count: int) -> list[str]:
    return [f"01900000-0000-7000-8000-{number * 37:07x}00000" for number in range(1, count + 1)]


def children(count: int, child: int) -> list[str]:
    return [f"{each[:-5]}{child:05x}" for each in events(count)]


HUNDRED = events(100)
SENDS = plain_array(children(100, 2))
TENANT_KEYS = plain_array([str(TENANT)] * 100)
TEXTS = text_array(["x"] * 100)
# statement, its parameters, what it reaches and by which index
STATEMENTS: Mapping[str, tuple[str, Any, set[str]]] = {
    "claim": (
        claim._CLAIM,
        {"limit": 100, "lease": 1, "look": 50, "passed_over": "{}", "full_for": "{}", "full": "{}"},
        {"delivery_due", "delivery_open", "delivery_delivery_pkey"},
    ),
    "claim beside a full destination": (
        claim._CLAIM,
        {
            "limit": 100,
            "lease": 1,
            "look": 0,
            "passed_over": plain_array([str(TENANT)]),
            "full_for": plain_array([str(TENANT)]),
            "full": "{slow:443}",
        },
        {"delivery_due", "delivery_open", "directory_contactpoint_pkey"},
    ),
    "backlog": (backlog._BACKLOG, {"at_most": 100, "dead_after": lease.DEAD_AFTER}, {"delivery_due"}),
    "stories": (claim._STORIES, (plain_array(HUNDRED),), {"events_event_pkey", "events_subject_pkey"}),
    "because": (
        claim._BECAUSE,
        (plain_array(HUNDRED), plain_array([f"{each[:-5]}fffff" for each in HUNDRED]), plain_array(children(100, 8))),
        {"recipient_inbox"},
    ),
    "cancel": (claim._CANCEL, (SENDS, TEXTS, TEXTS, 7), {"delivery_delivery_pkey"}),
    "give back": (claim._GIVE_BACK, (SENDS, 7), {"delivery_delivery_pkey"}),
    "known": (known._KNOWN, (TENANT_KEYS, TEXTS, TEXTS), {"event_key"}),
    "record": (
        record._RECORD,
        (SENDS, plain_array(["7"] * 100), plain_array(["sent"] * 100), TEXTS, TEXTS, plain_array(["0"] * 100),
         text_array(["[]"] * 100)),
        {"delivery_delivery_pkey"},
    ),
    "ways that failed": (
        fallback._MISSED,
        (UUID("01900000-0000-7000-8000-000010000000"), datetime(2026, 11, 26, tzinfo=UTC)),
        {"delivery_failed", "events_event_pkey"},
    ),
    "what changed of a directory": (
        load._LOOK,
        {"tenant": TENANT, "seen": "100:100:", "at_most": 100},
        {"touched_since"},
    ),
    "people who changed": (load._SOME_PEOPLE, (TENANT, plain_array(children(100, 8))), {"accounts_person_pkey"}),
    "points that changed": (load._SOME_POINTS, (TENANT, plain_array(children(100, 8))), {"directory_contactpoint_person_id_57d4fe42"}),
    "resources that changed": (load._SOME_RESOURCES, (TENANT, TEXTS, TEXTS, TEXTS), {"resource_path"}),
    "versions": (views._VERSIONS, ([TENANT],), {"accounts_tenant_pkey"}),
    "unplanned": (enqueue._UNPLANNED, (UUID(int=0),), {"event_unplanned"}),
    "free": (lease._FREE, (), {"delivery_open"}),
    "give back all": (lease._GIVE_BACK, (7,), {"delivery_open"}),
    "due too late": (
        stuck._BRING_FORWARD,
        {"longest": timedelta(hours=13), "slice": 100},
        {"delivery_due", "delivery_delivery_pkey"},
    ),
    "overdue": (stuck.OLDEST_OVERDUE, {"overdue": stuck.OVERDUE}, {"delivery_due"}),
    "renew": (lease._RENEW, ("{}", 7), {"delivery_node_pkey"}),
    "orphans": (orphans._MINE, (7,), {"delivery_open"}),
    "free orphans": (orphans._FREE, (SENDS, 7), {"delivery_delivery_pkey"}),
    "parked payloads that wait": (
        park._WAITING,
        {"tenant": TENANT, "source": "source 5", "after": UUID(int=0), "only": None, "limit": 50},
        {"parked_waiting"},
    ),
    "a payload to park": (
        park._PARK,
        {"id": UUID(int=1), "tenant": TENANT, "source": "source 5", "adapter": "dms", "reason": "unmapped", "detail": "",
         "words": "{}", "headers": "{}", "body": "{}", "hash": b"", "at_most": 10_000},
        {"parked_waiting"},
    ),
    "parked payloads that were read": (park._RESOLVE, (plain_array(HUNDRED), TEXTS, TENANT), {"events_parked_pkey"}),
    "old parked payloads": (park._DROP, (UUID("01900000-0000-7000-8000-000010000000"), 100), {"events_parked_pkey"}),
    "who might see what is gone": (
        retention._INVOLVED,
        {"before": UUID("01900000-0000-7000-8000-000010000000"), "slice": 100},
        {"events_involved_pkey", "events_event_pkey"},
    ),
    "news of those who watch": (
        news._NEWS,
        {"people": plain_array(children(100, 8)), "people_since": plain_array(HUNDRED), "tenants": plain_array([str(TENANT)]),
         "tenants_since": plain_array(HUNDRED[:1]), "channels": "{webhook,email}"},
        {"recipient_inbox", "event_latest", "tally_of"},
    ),
    "old records": (
        retention._OLD_EVENTS,
        {"after": UUID(int=0), "before": UUID("01900000-0000-7000-8000-000010000000"), "slice": 100},
        {"events_event_pkey", "delivery_delivery_pkey"},
    ),
}  # fmt: skip


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def judge(plan: dict[str, Any], indexes: set[str]) -> None:
    used = {node["Index Name"] for node in nodes(plan) if "Index Name" in node}
    whole = [
        node["Relation Name"]
        for node in nodes(plan)
        if node["Node Type"] == "Seq Scan" and node["Relation Name"].startswith(LARGE)
    ]
    assert whole == []
    assert indexes <= used, f"used {used}"


async def explain(connection: Connection, statement: str, values: Any, how: str = "") -> dict[str, Any]:
    cursor = await connection.execute(f"EXPLAIN (FORMAT JSON{how}) {statement}", values, prepare=False)
    row = await cursor.fetchone()
    assert row is not None
    plan: dict[str, Any] = row[0][0]["Plan"]
    return plan


@pytest.mark.parametrize("name", STATEMENTS)
async def test_a_statement_finds_its_rows_by_its_index(connection: Connection, name: str) -> None:
    statement, values, indexes = STATEMENTS[name]
    judge(await explain(connection, statement, values), indexes)


@pytest.mark.parametrize("name", STATEMENTS)
async def test_it_does_so_too_once_it_is_planned_for_good(connection: Connection, name: str) -> None:
    statement, _, indexes = STATEMENTS[name]
    places: list[str] = []

    def numbered(found: re.Match[str]) -> str:
        # Names that occur twice are one parameter; positions never are.
        key = found[1] or f"position {len(places)}"
        if key not in places:
            places.append(key)
        return f"${places.index(key) + 1}"

    generic = re.sub(r"%(?:\((\w+)\))?s", numbered, statement)
    judge(await explain(connection, generic, None, ", GENERIC_PLAN"), indexes)


@pytest.mark.parametrize(
    ("name", "blocks"),
    [
        ("claim", 4_000),
        ("backlog", 800),
        ("known", 800),
        ("record", 3_000),
        ("stories", 3_000),
        ("because", 800),
        ("news of those who watch", 800),
    ],
)
async def test_what_it_reads_depends_on_what_it_is_asked_for_and_not_on_the_table(
    connection: Connection, name: str, blocks: int
) -> None:
    statement, values, _ = STATEMENTS[name]
    async with connection.transaction(force_rollback=True):
        plan = await explain(connection, statement, values, ", ANALYZE, BUFFERS")
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < blocks


# what people look at, by Django


def caller_of(login: str) -> "Caller":
    from tidings.accounts.models import Person
    from tidings.accounts.permissions import Caller

    person = Person.objects.for_tenant(TENANT).get(login=login)
    return Caller(TENANT, login, frozenset({"read"}), person)


def analysed(statement: str, values: Any) -> dict[str, Any]:
    import json

    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON, ANALYZE, BUFFERS) {statement}", values)
        [found] = cursor.fetchone()
    plan: dict[str, Any] = (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
    return plan


def blocks(plan: dict[str, Any]) -> int:
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


# One who was told of one event and is involved in another; and one with 500 of each, a page of which is read.
WHO = [("p5", 2, 60), ("p100", 50, 700)]


@pytest.mark.parametrize(("login", "found", "at_most"), WHO)
@pytest.mark.parametrize("filters", [{}, {"type": "data_change.successful"}], ids=["all", "of a type"])
def test_what_one_person_may_see_is_found_without_the_rest(
    filled: str, login: str, found: int, at_most: int, filters: dict[str, str]
) -> None:
    from tidings.events.find import Which, events_of

    page = events_of(caller_of(login), Which(**filters)).order_by("-place")[:50]
    assert len(page) == found
    plan = analysed(*page.query.sql_with_params())
    judge(plan, {"recipient_inbox", "events_involved_pkey", "events_event_pkey"})
    assert blocks(plan) < at_most


@pytest.mark.parametrize(("login", "found", "at_most"), [("p5", 2, 60), ("p100", 50, 6_000)])
def test_so_are_the_subjects(filled: str, login: str, found: int, at_most: int) -> None:
    from tidings.events.find import subjects_of

    page = subjects_of(caller_of(login)).order_by("-id")[:50]
    assert len(page) == found
    plan = analysed(*page.query.sql_with_params())
    judge(plan, {"recipient_inbox", "events_involved_pkey", "events_event_pkey", "events_subject_pkey"})
    assert blocks(plan) < at_most


@pytest.mark.parametrize("which", [{}, {"channel": "webhook"}, {"state": "sent"}], ids=["all", "channel", "state"])
@pytest.mark.parametrize(
    ("recipient", "start", "at_most"),
    [("p5", "recipient_inbox", 60), ("p100", "recipient_inbox", 2_500), (None, "delivery_delivery_pkey", 1_000)],
)
def test_so_are_deliveries(filled: str, recipient: str | None, start: str, at_most: int, which: dict[str, str]) -> None:
    from tidings.delivery import find, waits

    chosen = find.choose(TENANT, find.Which(**which), recipient=recipient)
    plan = analysed(find.shown(chosen.sql), {**chosen.parameters, **waits.WAITS_WITH, "limit": 50})
    judge(plan, {start, "delivery_delivery_pkey"})
    assert blocks(plan) < at_most


QUERIES: Mapping[str, tuple[str, dict[str, Any], set[str]]] = {
    "told": (
        told._TOLD,
        {"first": HUNDRED, "last": [f"{each[:-5]}fffff" for each in HUNDRED], "tenant": TENANT, "only": None},
        {"events_recipient_pkey"},
    ),
    "sent": (
        told.sent(),
        {
            **waits.WAITS_WITH,
            "first": HUNDRED,
            "last": [f"{each[:-5]}fffff" for each in HUNDRED],
            "tenant": TENANT,
            "only": None,
        },
        {"delivery_delivery_pkey"},
    ),
}


@pytest.mark.parametrize("kind", ["data_change.successful", "data_change.failed"], ids=["frequent", "never seen"])
def test_the_last_events_of_a_type_are_sought_no_further_than_is_said(filled: str, kind: str) -> None:
    values = {"tenant": TENANT, "since": UUID(int=0), "type": kind, "look": 1_000, "last": 5}
    plan = analysed(recent._OF_TYPE, values)
    judge(plan, {"event_latest"})
    assert blocks(plan) < 1_100


@pytest.mark.parametrize("name", QUERIES)
def test_a_decision_record_is_read_by_the_primary_keys(filled: str, name: str) -> None:
    statement, values, indexes = QUERIES[name]
    plan = analysed(statement, values)
    judge(plan, indexes)
    assert blocks(plan) < 900


def plan_of(query: Any) -> dict[str, Any]:
    import json

    explained = query.explain(format="json")
    plan: dict[str, Any] = (json.loads(explained) if isinstance(explained, str) else explained)[0]["Plan"]
    return plan


def test_a_subjects_timeline_is_read_by_its_index(filled: str) -> None:
    from tidings.events.models import Event

    # The subject that 500 events share.
    subject = UUID("01900000-0000-7000-8000-000006400007")
    timeline = Event.objects.for_tenant(TENANT).filter(subject_id=subject).order_by("-number")[:50]
    assert len(timeline) == 50
    judge(plan_of(timeline), {"event_timeline"})


WHICH = {
    "all": ({}, {"recipient_inbox"}, 500),
    "unread": ({"unread": True}, {"recipient_inbox"}, 700),
    "of a feature": ({"feature": "data_change"}, {"recipient_inbox", "events_event_pkey"}, 3_000),
    "waiting": (
        {"waiting": {"data_change.pending_approval": "approver"}},
        {"recipient_inbox", "events_event_pkey", "events_subject_pkey"},
        5_000,
    ),
}


@pytest.mark.parametrize("name", WHICH)
def test_an_inbox_is_read_by_its_index(filled: str, name: str) -> None:
    which, indexes, at_most = WHICH[name]
    joined, asked, parameters = inbox._asked(inbox.Which(**which))
    statement = inbox._PAGE.format(joined=joined, asked=" AND ".join(asked) or "true")
    # The person of 500 items.
    about = {"person": "01900000-0000-7000-8000-000006400008", "tenant": TENANT, "after": None, "limit": 51}
    look_at = inbox.LATEST if asked else 51
    plan = analysed(statement, {**about, **parameters, "look_at": look_at})
    judge(plan, indexes)
    assert blocks(plan) < at_most


@pytest.mark.parametrize(("statement", "at_most"), [(inbox._UNREAD, 700), (inbox._READ_ALL, 8_000)])
def test_what_is_unread_is_counted_and_read_by_its_index(filled: str, statement: str, at_most: int) -> None:
    from django.db import transaction

    about = {"person": "01900000-0000-7000-8000-000006400008", "tenant": TENANT, "until": None}
    with transaction.atomic():
        plan = analysed(statement, {**about, "look_at": inbox.LATEST, "most": inbox.COUNTED_AT_MOST})
        transaction.set_rollback(True)
    judge(plan, {"recipient_inbox"})
    assert blocks(plan) < at_most


def test_the_latest_events_of_a_tenant_are_read_by_their_index(filled: str) -> None:
    from tidings.events.models import Event

    page = Event.objects.for_tenant(TENANT).order_by("-id")[:50]
    assert len(page) == 50
    judge(plan_of(page), {"event_latest"})


@pytest.mark.parametrize(
    ("which", "index"),
    [
        ({}, "change_latest"),
        ({"key": "key 5"}, "change_of"),
        ({"kind": "kind 5"}, "change_kind"),
        ({"action": "act 5"}, "change_action"),
        ({"actor": "p5"}, "change_by"),
    ],
)
def test_changes_are_read_by_the_index_of_each_way_to_look(filled: str, which: dict[str, str], index: str) -> None:
    from dataclasses import replace

    from tidings.accounts.models import Person
    from tidings.audit.find import Which, changes

    administrator = Person(tenant_id=TENANT, login="root", roles=["administrator"])
    page = changes(replace(caller_of("p5"), person=administrator), Which(**which)).order_by("-id")[:50]
    assert len(page) == 50
    plan = analysed(*page.query.sql_with_params())
    judge(plan, {index})
    assert blocks(plan) < 200


@pytest.mark.parametrize(("typed", "blocks_at_most"), [("p499", 200), ("p4", 8_000)])
def test_people_are_found_by_an_index_while_somebody_types(filled: str, typed: str, blocks_at_most: int) -> None:
    """Of 10,000 of the tenant among 50,000."""
    from tidings.accounts.models import Person
    from tidings.accounts.words import found_by

    page = Person.objects.for_tenant(TENANT).filter(found_by(TENANT, typed)).order_by("login")[:20]
    assert [person.login.startswith(typed) for person in page] == [True] * 20
    plan = analysed(*page.query.sql_with_params())
    assert "person_words" in {node.get("Index Name") for node in nodes(plan)}
    assert blocks(plan) < blocks_at_most


def test_the_addresses_of_the_latest_messages_are_found_without_the_rest(filled: str) -> None:
    values = {"tenant": TENANT, "channel": "webhook", "latest": limits.LATEST, "addresses": limits.ADDRESSES}
    plan = analysed(limits._ADDRESSES, values)
    judge(plan, {"event_latest", "delivery_delivery_pkey", "delivery_due", "directory_contactpoint_pkey"})
    assert blocks(plan) < 9_000


@pytest.mark.parametrize(
    ("statement", "values", "index"),
    [
        (look._LATEST, (TENANT, 5_000, "dms", 10), "event_latest"),
        (look._LATEST, (TENANT, 5_000, "one that never sent", 10), "event_latest"),
        (look._LAST, (TENANT, 5_000, ["dms", "other"]), "event_latest"),
        (look._WAITING, (TENANT, ["source 5"], 1_000), "parked_waiting"),
    ],
    ids=["latest", "never", "last", "waiting"],
)
def test_how_a_source_is_doing_is_found_among_the_newest(
    filled: str, statement: str, values: tuple[Any, ...], index: str
) -> None:
    plan = analysed(statement, list(values))
    judge(plan, {index})
    assert blocks(plan) < 6_000


def test_old_records_are_found_as_fast_when_very_many_deliveries_are_open(filled: str) -> None:
    """A vendor in trouble for a day leaves thousands; each event was compared with each of them."""
    from django.db import connection, transaction

    values = {"after": UUID(int=0), "before": UUID("01900000-0000-7000-8000-000138800000"), "slice": 100}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE delivery_delivery SET state = 'pending' WHERE id > '01900000-0000-7000-8000-000138800000'"
        )
        for generic in ("auto", "force_generic_plan"):
            cursor.execute(f"SET LOCAL plan_cache_mode = {generic}; SET LOCAL enable_seqscan = off")
            plan = analysed(retention._OLD_EVENTS, values)
            judge(plan, {"events_event_pkey", "delivery_delivery_pkey"})
            assert blocks(plan) < 1_500
            assert "delivery_open" not in {node.get("Index Name") for node in nodes(plan)}
        transaction.set_rollback(True)
    with connection.cursor() as cursor:
        # What was rolled back still stands in the indexes that others are measured by.
        cursor.execute("VACUUM delivery_delivery")


# Key n of 50,000 is that of event n: a tenth of them is a slice.
SLICE = {"first": UUID(HUNDRED[0]), "end": UUID("01900000-0000-7000-8000-000138800000"), "examples": 5}


@pytest.mark.parametrize(
    ("statement", "indexes", "at_most"),
    [
        (ledger._SLICE, {"events_event_pkey", "events_recipient_pkey", "delivery_delivery_pkey"}, 2_000),
        (ledger._SUBJECTS, {"event_timeline", "events_subject_pkey"}, 2_000),
        (ledger._TIMES, {"delivery_delivery_pkey"}, 1_000),
    ],
    ids=["what belongs to events", "subjects", "times"],
)
def test_the_ledger_reads_a_slice_and_not_a_table(filled: str, statement: str, indexes: set[str], at_most: int) -> None:
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(ledger._FOR_SLICES)
        plan = analysed(statement, SLICE)
    judge(plan, indexes)
    assert blocks(plan) < at_most
    loops = [node for node in nodes(plan) if node["Node Type"] == "Nested Loop"]
    assert all(child["Node Type"] in LISTS for loop in loops for child in loop["Plans"][1:])


LISTS = {"Function Scan"}
"""What may be looped over: a delivery's few tries."""


@pytest.mark.parametrize(
    ("statement", "index", "at_most"),
    [(ledger._UNHELD, "delivery_open", 1_500), (ledger._UNPLANNABLE, "event_unplanned", 100)],
    ids=["held by nobody", "never to be planned"],
)
def test_what_is_stuck_is_found_among_what_is_open(filled: str, statement: str, index: str, at_most: int) -> None:
    plan = analysed(statement, {})
    assert index in {node.get("Index Name") for node in nodes(plan)}
    assert blocks(plan) < at_most
