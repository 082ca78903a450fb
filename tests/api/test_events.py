"""Events as they are kept: found, paged, and each with the record of who was told and why not."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.api.given import end, event, happen, lose_content, queries
from tests.delivery.given import incoming, reach

from tidings.kernel.ids import last_of, made_at

PENDING, APPROVED = "data_change.pending_approval", "data_change.approved"


def approval(**changes: Any) -> dict[str, Any]:
    """ann asks bo and dan; somebody nobody knows is named too."""
    people = {"submitter": "ann", "approvers": ["bo", "dan", "zed"]}
    return event(type=PENDING, people=people, details={"risk": "LOW", "sql": "DROP TABLE orders"}, **changes)


# one event


def test_the_record_says_who_was_told_how_and_why_not(api: Any, organisation: Any, database: str) -> None:
    reach(organisation, "bo")
    content = approval(subject=88, actor="ann", resources=[{"instance": "rm-orders"}])
    [key] = happen(organisation, database, content)
    end(organisation, "failed", "gone")
    answer = api("carol").get(f"/events/{key}")
    assert answer.status == 200
    told = answer.body["event"]
    assert (told["id"], told["source"], told["source_id"], told["type"]) == (str(key), "dms", content["id"], PENDING)
    assert told["subject"] == {"kind": "ticket", "id": "88", "title": content["subject"]["title"], "url": ""}
    assert (told["feature"], told["number"], told["planned"], told["content_kept"]) == ("data_change", 1, True, True)
    assert (told["people"], told["actor"], told["details"]) == (content["people"], "ann", content["details"])
    assert told["resources"] == [{"instance": "rm-orders"}]
    bo, dan = answer.body["recipients"]
    [send] = bo.pop("sends")
    assert bo == {"login": "bo", "name": "Bo", "because": [{"role": "approver"}], "skips": []}
    assert (send["channel"], send["state"], send["reason"]) == ("webhook", "failed", "gone")
    assert [(each["outcome"], each["reason"], each["ms"]) for each in send["attempts"]] == [("refused", "gone", 3.0)]
    assert UUID(send["delivery_id"]).int - key.int == 3
    assert datetime.fromisoformat(send["due_at"]).tzinfo is not None
    assert (dan["login"], dan["sends"], dan["skips"]) == ("dan", [], [{"reason": "no_method"}])
    assert answer.body["skips"] == [{"role": "approver", "person": "zed", "reason": "unknown_person"}]


def test_the_record_has_the_shape_that_a_preview_has(api: Any, organisation: Any, database: str) -> None:
    from tidings.pipeline import preview

    reach(organisation, "bo")
    content = approval(resources=[{"instance": "rm-orders", "database": "orders"}])
    planned = preview(incoming(content), _view(organisation, database))
    [key] = happen(organisation, database, content)
    kept = api("root").get(f"/events/{key}").body
    assert kept["skips"] == planned["skips"]
    for stored, expected in zip(kept["recipients"], planned["recipients"], strict=True):
        assert {name: stored[name] for name in ("login", "because", "skips")} == {
            name: expected[name] for name in ("login", "because", "skips")
        }
        assert [send["channel"] for send in stored["sends"]] == [send["channel"] for send in expected["sends"]]
        assert all(set(one) <= set(other) for one, other in zip(expected["sends"], stored["sends"], strict=True))
    same = ("people", "resources", "details", "type", "source")
    assert {name: kept["event"].get(name) for name in same} == {name: planned["event"].get(name) for name in same}


def test_a_rule_that_is_off_is_the_whole_record(api: Any, organisation: Any, database: str) -> None:
    root = api("root")
    root.patch(f"/rules/{PENDING}", {"enabled": False, "version": 1})
    [key] = happen(organisation, database, approval())
    body = root.get(f"/events/{key}").body
    assert (body["recipients"], body["skips"]) == ([], [{"reason": "rule_off"}])


def test_content_that_is_no_longer_kept_leaves_the_record(api: Any, organisation: Any, database: str) -> None:
    [key] = happen(organisation, database, approval())
    lose_content()
    body = api("root").get(f"/events/{key}").body
    assert (body["event"]["content_kept"], "details" in body["event"], "people" in body["event"]) == (
        False,
        False,
        False,
    )
    assert [one["login"] for one in body["recipients"]] == ["bo", "dan"]


def test_others_see_their_own_row_and_no_content(api: Any, organisation: Any, database: str) -> None:
    reach(organisation, "bo", "dan")
    [key] = happen(organisation, database, approval())
    body = api("bo").get(f"/events/{key}").body
    assert [one["login"] for one in body["recipients"]] == ["bo"]
    assert [send["channel"] for send in body["recipients"][0]["sends"]] == ["webhook"]
    assert body["skips"] == []
    assert {"details", "people", "resources", "actor", "fault", "content_kept"} & set(body["event"]) == set()
    # Who submitted it sees that it is there, though nobody told her.
    assert api("ann").get(f"/events/{key}").body["recipients"] == []
    assert len(api("eve").get(f"/events/{key}").body["recipients"]) == 2


def test_what_may_not_be_seen_is_not_there(api: Any, organisation: Any, database: str) -> None:
    organisation.add("frank")
    [key] = happen(organisation, database, approval())
    for login in ("frank", "mallory"):
        client = api(login)
        assert client.get(f"/events/{key}").status == 404
        assert client.get("/events").body["items"] == []
        assert client.get("/events", source="dms").body["items"] == []
    assert api("root").get("/events/018f0000-0000-7000-8000-000000000000").status == 404
    assert api("root").get("/events/88").status == 422
    assert api(source="dms").get("/events").status == 403
    assert api(source="dms").get(f"/events/{key}").status == 403
    assert api(token="").get("/events").status == 401


def test_a_record_costs_the_same_however_many_were_told(api: Any, organisation: Any, database: str) -> None:
    few, many = happen(
        organisation, database, event(), event(type=PENDING, people={"approvers": ["ann", "bo", "dan", "carol", "eve"]})
    )
    root = api("root")
    with queries() as for_few:
        root.get(f"/events/{few}")
    with queries() as for_many:
        assert len(root.get(f"/events/{many}").body["recipients"]) == 5
    # Token, event, subject, body, deliveries, recipients.
    assert len(for_few) == len(for_many) == 6


# lists


def test_the_newest_come_first_a_page_at_a_time(api: Any, organisation: Any, database: str) -> None:
    keys = happen(organisation, database, *[event() for _ in range(5)])
    root = api("root")
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for expected in (2, 2, 1):
        page = root.get("/events", limit=2, **cursor).body
        assert len(page["items"]) == expected
        seen += [one["id"] for one in page["items"]]
        happen(organisation, database, event())  # what comes meanwhile disturbs no page
        cursor = {"cursor": page["next_cursor"]}
    assert page["next_cursor"] is None
    assert seen == [str(key) for key in reversed(keys)]


def test_the_sender_finds_its_event_by_its_own_key(api: Any, organisation: Any, database: str) -> None:
    key, *_ = happen(organisation, database, event(id="88123-7"), event(), event(id="88123-7", source="other"))
    body = api("root").get("/events", source="dms", source_id="88123-7").body
    assert [one["id"] for one in body["items"]] == [str(key)]


def test_filters_narrow_the_list_down(api: Any, organisation: Any, database: str) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    flow = event(type="task_orchestration.tasks_failed") | {"subject": {"kind": "task_flow", "id": "f/1"}}
    first, second = happen(organisation, database, event(subject="7"), flow)
    root = api("root")

    def found(**filters: Any) -> list[UUID]:
        return [UUID(one["id"]) for one in root.get("/events", **filters).body["items"]]

    assert found(type="data_change.successful") == [first]
    assert found(feature="task_orchestration") == [second]
    assert found(feature="task_orch") == []
    assert found(subject_kind="ticket", subject_id="7") == [first]
    assert found(subject_id="f/1") == [second]
    assert found(subject_id="none") == []
    assert found(since=before.isoformat()) == [second, first]
    assert found(until=before.isoformat()) == []
    assert found(source="nobody") == []
    for first_moment, last_moment in (("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"), ("1", "9999999999")):
        assert found(since=first_moment, until=last_moment) == [second, first]


@pytest.mark.parametrize(
    "filters",
    [
        {"cursor": "not ours"},
        {"cursor": "Zm9v"},
        {"cursor": "é"},
        {"cursor": "AAAA\0"},
        {"limit": 0},
        {"limit": 201},
        {"limit": "many"},
        {"since": "yesterday"},
        {"since": "2026-11-24T10:00:00"},
        {"type": "a\0b"},
        {"source": "x" * 501},
    ],
)
def test_what_cannot_be_asked_for_is_refused(api: Any, filters: dict[str, Any]) -> None:
    answer = api("root").get("/events", **filters)
    assert (answer.status, answer.code) == (422, "invalid")


def test_others_find_what_concerns_them(api: Any, organisation: Any, database: str) -> None:
    [asked, told, _] = happen(
        organisation, database, approval(), event(to="bo"), event(type=PENDING, people={"approvers": ["eve"]})
    )

    def found(login: str) -> list[str]:
        return [one["id"] for one in api(login).get("/events").body["items"]]

    assert found("bo") == [str(told), str(asked)]
    assert found("ann") == [str(asked)]
    assert len(found("carol")) == 3


def test_a_list_shows_what_each_event_shows_by_itself(api: Any, organisation: Any, database: str) -> None:
    chance = random.Random(7)
    logins = ["ann", "bo", "dan", "nobody-knows-me"]
    ids = happen(
        organisation,
        database,
        *[
            event(
                type=chance.choice([PENDING, APPROVED]),
                subject=f"t{number % 9}",
                people={
                    "submitter": chance.choice(logins),
                    "approvers": chance.sample(logins, 2),
                    "related": chance.sample(logins, chance.choice([0, 0, 1])),
                },
            )
            for number in range(60)
        ],
    )
    half = made_at(ids[30])
    for login in ("ann", "bo", "dan", "eve"):
        client = api(login)
        alone = [client.get(f"/events/{key}").body["event"] for key in reversed(ids) if _is_there(client, key)]
        assert login == "eve" or 10 < len(alone) < 60
        wanted: list[tuple[dict[str, Any], Callable[[dict[str, Any]], bool]]] = [
            ({}, lambda one: True),
            ({"type": APPROVED}, lambda one: one["type"] == APPROVED),
            ({"feature": "data_change", "subject_kind": "ticket"}, lambda one: True),
            ({"subject_id": "t3"}, lambda one: one["subject"]["id"] == "t3"),
            ({"source": "dms", "until": half.isoformat()}, lambda one: _accepted(one) < half),
            (
                {"since": half.isoformat(), "type": PENDING},
                lambda one: _accepted(one) >= half and one["type"] == PENDING,
            ),
        ]
        for filters, fits in wanted:
            assert _by_pages(client, "/events", **filters) == [one["id"] for one in alone if fits(one)]
        assert sorted(_by_pages(client, "/subjects")) == sorted({one["subject"]["id"] for one in alone})


def _accepted(one: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(one["accepted_at"])


def _is_there(client: Any, key: UUID) -> bool:
    return bool(client.get(f"/events/{key}").status == 200)


def _by_pages(client: Any, path: str, **filters: Any) -> list[str]:
    """The ids of all items, seven at a time."""
    found: list[str] = []
    cursor = None
    while True:
        page = client.get(path, limit=7, **filters, **({"cursor": cursor} if cursor else {})).body
        found += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_a_list_costs_the_same_however_long(api: Any, organisation: Any, database: str) -> None:
    happen(organisation, database, event())
    for login, at_most in (("root", 4), ("ann", 4)):
        client = api(login)
        with queries() as few:
            client.get("/events")
        happen(organisation, database, *[event() for _ in range(20)])
        with queries() as many:
            client.get("/events", limit=200)
        assert len(few) == len(many) == at_most


def _view(organisation: Any, database: str) -> Any:
    import asyncio

    from tidings.kernel.database import connect
    from tidings.planning.views import Views

    async def view() -> Any:
        connection = await connect(database, name="test")
        try:
            return (await Views().current(connection, (organisation.id,)))[organisation.id]
        finally:
            await connection.close()

    return asyncio.run(view())


def test_each_says_how_many_were_told_and_what_became_of_it(api: Any, organisation: Any, database: str) -> None:
    reach(organisation, "ann", "bo")
    happen(
        organisation,
        database,
        event(to="ann"),
        event(type=PENDING, people={"submitter": "ann", "approvers": ["bo", "dan"]}),
    )
    end(organisation, "failed", "gone", person_id=organisation.people["bo"].id)
    first, second = api("root").get("/events").body["items"]
    assert (first["told"], first["deliveries"]) == (2, {"failed": 1})
    assert (second["told"], second["deliveries"]) == (1, {"pending": 1})
    # bo is told of himself alone
    [own] = api("bo").get("/events").body["items"]
    assert (own["told"], own["deliveries"]) == (1, {"failed": 1})
    [seen] = [one for one in api("ann").get("/events").body["items"] if one["type"] == PENDING]
    assert (seen["told"], seen["deliveries"]) == (0, {})


@pytest.mark.parametrize(
    ("filters", "subjects"),
    [
        ({"person": "bo"}, ["c"]),
        ({"person": "ann"}, ["c", "b", "a"]),
        ({"person": "nobody"}, []),
        ({"state": "failed"}, ["b"]),
        ({"state": "pending"}, ["c", "a"]),
        ({"state": "unplanned"}, ["a"]),
        ({"person": "ann", "state": "failed"}, ["b"]),
    ],
    ids=str,
)
def test_events_are_found_by_person_and_by_what_became_of_them(
    api: Any, organisation: Any, database: str, filters: dict[str, str], subjects: list[str]
) -> None:
    from tidings.events.models import Event

    reach(organisation, "ann", "bo")
    [a] = happen(organisation, database, event(to="ann", subject="a"))
    [b] = happen(organisation, database, event(to="ann", subject="b"))
    happen(organisation, database, event(type=PENDING, subject="c", people={"submitter": "ann", "approvers": ["bo"]}))
    end(organisation, "failed", "gone", id__gt=b, id__lt=last_of(b))
    Event.objects.for_tenant(organisation.id).filter(id=a).update(fault="KeyError")
    found = api("root").get("/events", **filters).body["items"]
    assert [one["subject"]["id"] for one in found] == subjects
    mine = api("ann").get("/events", **filters).body["items"]
    assert [one["subject"]["id"] for one in mine] == ([] if filters.get("person") in ("bo", "nobody") else subjects)
    assert api("mallory").get("/events", **filters).body["items"] == []


def test_what_is_rare_is_looked_for_a_stretch_at_a_time(
    api: Any, organisation: Any, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tidings.delivery import find as of_deliveries
    from tidings.events import find as of_events

    monkeypatch.setattr(of_events, "LOOKED_AT", 4)
    monkeypatch.setattr(of_deliveries, "LOOKED_AT", 4)
    reach(organisation, "ann")
    kinds = ["data_change.failed"] * 2 + ["data_change.successful"] * 11 + ["data_change.failed"]
    keys = happen(organisation, database, *[event(type=kind, to="ann", subject=n) for n, kind in enumerate(kinds)])
    end(organisation, "sent")
    for path, filters in (
        ("/events", {"type": "data_change.failed"}),
        ("/deliveries", {"event_type": "data_change.failed"}),
    ):
        found, pages, cursor = [], 0, {}
        while True:
            page = api("root").get(path, **filters, **cursor).body
            found += [one["subject"]["id"] for one in page["items"]]
            pages += 1
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert (found, pages) == (["13", "1", "0"], 4)
    assert len(keys) == 14
