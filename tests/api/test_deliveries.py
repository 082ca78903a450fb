"""What became of each message, and trying again by hand."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from tests.api.given import end, event, happen, lose_content, queries
from tests.delivery.given import reach

PENDING = "data_change.pending_approval"


@pytest.fixture
def reachable(organisation: Any) -> Any:
    """ann, bo and dan have a webhook each."""
    reach(organisation, "ann", "bo", "dan")
    return organisation


def asked(**changes: Any) -> dict[str, Any]:
    return event(type=PENDING, people={"submitter": "ann", "approvers": ["bo", "dan"]}, **changes)


# found


def test_a_delivery_says_whose_it_is_and_what_became_of_it(api: Any, reachable: Any, database: str) -> None:
    [key] = happen(reachable, database, event(subject=5))
    end(reachable, "failed", "gone", tries=2)
    [one] = api("root").get("/deliveries").body["items"]
    assert UUID(one["id"]).int - key.int == 2
    assert (one["event_id"], one["event_type"]) == (str(key), "data_change.successful")
    assert (one["subject"]["kind"], one["subject"]["id"]) == ("ticket", "5")
    assert (one["recipient"], one["name"], one["channel"]) == ("ann", "Ann", "webhook")
    assert (one["state"], one["reason"], len(one["attempts"])) == ("failed", "gone", 2)


@pytest.mark.parametrize("filters", [{}, {"state": "failed"}, {"state": "sent"}, {"recipient": "bo"}])
def test_the_newest_come_first_a_page_at_a_time(
    api: Any, reachable: Any, database: str, filters: dict[str, Any]
) -> None:
    happen(reachable, database, *[asked() for _ in range(4)])
    end(reachable, filters.get("state", "failed"))
    root, seen, cursor = api("root"), [], {}
    while True:
        page = root.get("/deliveries", limit=3, **filters, **cursor).body
        seen += [one["id"] for one in page["items"]]
        happen(reachable, database, asked())
        end(reachable, filters.get("state", "failed"))
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen)) == (4 if "recipient" in filters else 8)


def test_filters_narrow_the_list_down(api: Any, reachable: Any, database: str) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    happen(reachable, database, asked(), event())
    people = {each.login: each.id for each in reachable.people.values()}
    end(reachable, "failed", person_id=people["bo"])
    end(reachable, "sent", person_id=people["dan"])
    root = api("root")

    def found(**filters: Any) -> list[str]:
        return [one["recipient"] for one in root.get("/deliveries", **filters).body["items"]]

    assert found() == ["ann", "dan", "bo"]
    assert found(state="failed") == ["bo"]
    assert found(state="sent") == ["dan"]
    assert found(state="pending") == ["ann"]
    assert found(recipient="dan") == ["dan"]
    assert found(recipient="dan", state="failed") == []
    assert found(recipient="nobody") == []
    assert found(event_type=PENDING) == ["dan", "bo"]
    assert found(channel="webhook", event_type=PENDING, state="failed") == ["bo"]
    assert found(channel="email") == []
    for more in ({}, {"state": "failed"}, {"recipient": "bo"}):
        assert "bo" in found(since=before.isoformat(), **more)
        assert found(until=before.isoformat(), **more) == []


def test_others_see_their_own_deliveries_only(api: Any, reachable: Any, database: str) -> None:
    happen(reachable, database, asked())
    assert [one["recipient"] for one in api("bo").get("/deliveries").body["items"]] == ["bo"]
    assert api("bo").get("/deliveries", recipient="dan").body["items"] == []
    assert api("ann").get("/deliveries").body["items"] == []
    assert len(api("eve").get("/deliveries").body["items"]) == 2
    assert api("mallory").get("/deliveries").body["items"] == []
    assert api("mallory").get("/deliveries", recipient="bo").body["items"] == []
    assert api(source="dms").get("/deliveries").status == 403
    assert api(token="").get("/deliveries").status == 401


@pytest.mark.parametrize("filters", [{"state": "lost"}, {"cursor": "Zm9v"}, {"recipient": "a\0"}, {"limit": 0}])
def test_what_cannot_be_asked_for_is_refused(api: Any, filters: dict[str, Any]) -> None:
    assert api("root").get("/deliveries", **filters).status == 422


def test_a_list_costs_the_same_however_long(api: Any, reachable: Any, database: str) -> None:
    root = api("root")
    # Of what is pending it is asked first whether there is much.
    for filters, sent in (({}, 2), ({"state": "pending"}, 3), ({"recipient": "bo"}, 2)):
        happen(reachable, database, asked())
        with queries() as few:
            root.get("/deliveries", **filters)
        happen(reachable, database, *[asked() for _ in range(10)])
        with queries() as many:
            root.get("/deliveries", limit=200, **filters)
        assert len(few) == len(many) == sent


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({}, "event_latest"),
        ({"state": "sent"}, "event_latest"),
        ({"state": "failed"}, "delivery_failed"),
        ({"recipient": "bo"}, "recipient_inbox"),
    ],
)
def test_each_way_to_find_them_has_its_index(
    api: Any, reachable: Any, database: str, filters: dict[str, Any], index: str
) -> None:
    happen(reachable, database, asked())
    root = api("root")
    with queries() as sent:
        root.get("/deliveries", **filters)
    [statement] = [each for each in sent if "delivery_delivery" in each]
    with psycopg.connect(database) as connection:
        connection.execute("SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off")
        plan = "\n".join(row[0] for row in connection.execute("EXPLAIN " + statement).fetchall())
    assert index in plan
    # There is a row for each node, and no more.
    assert re.findall(r"Seq Scan on (?!delivery_node)", plan) == []


# tried again


def test_a_failed_delivery_is_tried_again_and_says_who_asked(api: Any, reachable: Any, database: str) -> None:
    from tidings.audit.models import Change

    happen(reachable, database, event())
    end(reachable, "failed", "gone", tries=2)
    root = api("root")
    [before] = root.get("/deliveries").body["items"]
    answer = api("carol").post(f"/deliveries/{before['id']}/retry")
    assert answer.status == 200
    after = answer.body
    assert (after["id"], after["state"], after["reason"]) == (before["id"], "pending", "")
    assert after["attempts"][:2] == before["attempts"]
    marker = after["attempts"][2]
    assert (marker["outcome"], marker["by"]) == ("retried_by", "carol")
    assert datetime.fromisoformat(after["due_at"]) <= datetime.now(UTC)
    assert root.get("/deliveries").body["items"] == [after]
    change = Change.objects.for_tenant(reachable.id).get(kind="delivery")
    assert (change.actor, change.key, change.before["state"]) == ("carol", before["id"], "failed")


def test_the_schedule_starts_over(api: Any, reachable: Any, database: str) -> None:
    happen(reachable, database, event())
    end(reachable, "failed", tries=9)
    root = api("root")
    [one] = root.get("/deliveries").body["items"]
    root.post(f"/deliveries/{one['id']}/retry")
    assert asyncio.run(_claimed(database))[UUID(one["id"])] == 0
    end_claimed(reachable, tries=2)
    root.post(f"/deliveries/{one['id']}/retry")
    end_claimed(reachable, tries=3, state="pending")
    assert asyncio.run(_claimed(database))[UUID(one["id"])] == 3


def test_a_cancelled_delivery_can_be_tried_again(api: Any, reachable: Any, database: str) -> None:
    happen(reachable, database, event())
    end(reachable, "cancelled", "channel_off")
    root = api("root")
    [one] = root.get("/deliveries").body["items"]
    assert root.post(f"/deliveries/{one['id']}/retry").body["state"] == "pending"


@pytest.mark.parametrize("state", ["pending", "sending", "sent", "delivered"])
def test_what_has_not_failed_is_not_tried_again(api: Any, reachable: Any, database: str, state: str) -> None:
    happen(reachable, database, event())
    end(reachable, state)
    root = api("root")
    [one] = root.get("/deliveries").body["items"]
    answer = root.post(f"/deliveries/{one['id']}/retry")
    assert (answer.status, answer.code, state in answer.body["detail"]) == (409, "not_retriable", True)
    assert root.get("/deliveries").body["items"] == [one]


def test_content_that_is_gone_cannot_be_sent_again(api: Any, reachable: Any, database: str) -> None:
    happen(reachable, database, event())
    end(reachable)
    lose_content()
    root = api("root")
    [one] = root.get("/deliveries").body["items"]
    answer = root.post(f"/deliveries/{one['id']}/retry")
    assert (answer.status, answer.code) == (410, "content_expired")
    assert root.get("/deliveries").body["items"] == [one]


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("contact_disabled", "UPDATE directory_contactpoint SET disabled_at = now()"),
        ("contact_unverified", "UPDATE directory_contactpoint SET verified_at = NULL"),
        ("contact_missing", "DELETE FROM directory_contactpoint"),
        ("contact_missing", "UPDATE accounts_person SET methods = '{}'"),
        ("channel_off", "UPDATE channels_channelsetting SET enabled = false"),
        ("channel_off", "DELETE FROM channels_channelsetting"),
        ("person_disabled", "UPDATE accounts_person SET active = false WHERE login = 'ann'"),
        ("person_departed", "UPDATE accounts_person SET departed_at = now() WHERE login = 'ann'"),
    ],
)
def test_what_could_not_arrive_is_refused_with_what_to_do(
    api: Any, reachable: Any, database: str, reason: str, change: str
) -> None:
    from tidings.delivery.retry import WHAT_TO_DO

    root = api("root")
    happen(reachable, database, event())
    end(reachable)
    where = " AND" if "WHERE" in change else " WHERE"
    with psycopg.connect(database) as connection:
        connection.execute(f"{change}{where} tenant_id = %s", (reachable.id,))
    [one] = root.get("/deliveries").body["items"]
    answer = root.post(f"/deliveries/{one['id']}/retry")
    what_to_do = WHAT_TO_DO[reason].format(channel="webhook")
    assert (answer.status, answer.code, answer.body["detail"]) == (409, reason, what_to_do)
    many = root.post("/deliveries/retry", {})
    assert many.body == {"retried": 0, "refused": {reason: 1}, "next_cursor": None}
    assert root.get("/deliveries").body["items"] == [one]


def test_many_are_tried_again_by_filter(api: Any, reachable: Any, database: str) -> None:
    happen(reachable, database, asked(), asked(), event())
    end(reachable)
    root = api("root")
    assert root.post("/deliveries/retry", {"recipient": "bo", "event_type": PENDING}).body["retried"] == 2
    states = [(one["recipient"], one["state"]) for one in root.get("/deliveries").body["items"]]
    assert states == [("ann", "failed"), ("dan", "failed"), ("bo", "pending"), ("dan", "failed"), ("bo", "pending")]
    assert root.post("/deliveries/retry", {"channel": "email"}).body["retried"] == 0
    assert root.post("/deliveries/retry", {"state": "cancelled"}).body["retried"] == 0
    assert root.post("/deliveries/retry", {}).body == {"retried": 3, "refused": {}, "next_cursor": None}


def test_many_are_tried_again_a_slice_at_a_time(api: Any, reachable: Any, database: str) -> None:
    happen(reachable, database, *[asked() for _ in range(3)])
    end(reachable)
    reachable.people["dan"].active = False
    reachable.people["dan"].save()
    root = api("root")
    totals, calls, body = {"retried": 0, "refused": 0}, 0, {"limit": 2}
    while True:
        done = root.post("/deliveries/retry", body).body
        calls += 1
        totals["retried"] += done["retried"]
        totals["refused"] += done["refused"].get("person_disabled", 0)
        if done["next_cursor"] is None:
            break
        body = {"limit": 2, "cursor": done["next_cursor"]}
    # What cannot arrive does not stand in the way of what is behind it.
    assert (totals, calls) == ({"retried": 3, "refused": 3}, 4)


@pytest.mark.parametrize(
    "body",
    [{"state": "sent"}, {"recipent": "bo"}, {"limit": 10_001}, {"cursor": "Zm9v"}, {"recipient": "a\0"}, [], "all"],
)
def test_a_retry_of_many_that_does_not_fit_retries_nothing(api: Any, reachable: Any, database: str, body: Any) -> None:
    happen(reachable, database, event())
    end(reachable)
    assert api("root").post("/deliveries/retry", body).status == 422
    assert api("root").get("/deliveries").body["items"][0]["state"] == "failed"


def test_many_are_one_statement(api: Any, reachable: Any, database: str) -> None:
    happen(reachable, database, *[asked() for _ in range(20)])
    end(reachable)
    root = api("root")
    with queries() as sent:
        assert root.post("/deliveries/retry", {}).body["retried"] == 40
    # Token, retry, tally, record, wake-up; and the transaction's own.
    assert len([each for each in sent if each.split()[0] in ("SELECT", "WITH", "INSERT", "UPDATE", "NOTIFY")]) == 5


def test_workers_are_woken_after_the_commit(api: Any, reachable: Any, database: str) -> None:
    happen(reachable, database, event())
    end(reachable)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("LISTEN tidings_due")
        assert api("root").post("/deliveries/retry", {}).body["retried"] == 1
        heard = [notice.channel for notice in connection.notifies(timeout=5, stop_after=1)]
        assert api("root").post("/deliveries/retry", {}).body["retried"] == 0
        heard += [notice.channel for notice in connection.notifies(timeout=0.2)]
    assert heard == ["tidings_due"]


def test_administrators_and_dbas_retry_in_their_own_tenant(api: Any, reachable: Any, database: str) -> None:
    happen(reachable, database, event())
    end(reachable)
    [one] = api("root").get("/deliveries").body["items"]
    for login in ("ann", "eve"):
        assert api(login).post(f"/deliveries/{one['id']}/retry").status == 403
        assert api(login).post("/deliveries/retry", {}).status == 403
    assert api("mallory").post(f"/deliveries/{one['id']}/retry").status == 404
    assert api("mallory").post("/deliveries/retry", {}).body["retried"] == 0
    assert api("mallory").post("/deliveries/retry", {"recipient": "ann"}).body["retried"] == 0
    assert api("root").get("/deliveries").body["items"] == [one]
    assert api("root").post("/deliveries/018f0000-0000-7000-8000-000000000002/retry").status == 404


async def _claimed(database: str) -> dict[UUID, int]:
    """What a node takes now, and how many tries it counts of each."""
    from tidings.delivery import claim, lease
    from tidings.kernel.database import connect

    connection = await connect(database, name="test")
    try:
        mine = await lease.register(connection, "test")
        return {one.id: one.attempts for one in await claim.claim(connection, lease=mine, limit=500)}
    finally:
        await connection.close()


def end_claimed(organisation: Any, *, tries: int, state: str = "failed") -> None:
    """So many more tries were made of what is on its way."""
    from tidings.delivery.models import Delivery

    for one in Delivery.objects.for_tenant(organisation.id).filter(state__in=("pending", "sending")):
        one.attempts = [*(one.attempts or []), *[{"at": "2026-11-24T00:00:00Z", "outcome": "try_later"}] * tries]
        one.state, one.lease = state, None
        one.save()


def test_those_that_are_named_are_tried_again_and_no_others(api: Any, reachable: Any, database: str) -> None:
    happen(reachable, database, *[event(to="bo") for _ in range(4)])
    end(reachable)
    root = api("root")
    ids = [one["id"] for one in root.get("/deliveries").body["items"]]
    done = root.post("/deliveries/retry", {"ids": ids[1:3]}).body
    assert (done["retried"], done["refused"], done["next_cursor"]) == (2, {}, None)
    assert [one["state"] for one in root.get("/deliveries").body["items"]] == ["failed", "pending", "pending", "failed"]
    assert api("mallory").post("/deliveries/retry", {"ids": ids}).body["retried"] == 0
    assert root.post("/deliveries/retry", {"ids": []}).body["retried"] == 0
    assert root.post("/deliveries/retry", {"ids": [ids[0]] * 1_001}).status == 422


def test_that_somebody_had_them_tried_again_is_news_to_who_watches(api: Any, reachable: Any, database: str) -> None:
    from tidings.delivery.models import Tally

    happen(reachable, database, event(to="bo"), event(to="bo"))
    end(reachable)
    api("root").post("/deliveries/retry", {})
    [tally] = Tally.objects.for_tenant(reachable.id)
    assert (tally.what, tally.channel, tally.count) == ("retried", "", 2)
