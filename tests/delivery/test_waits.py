"""Why an open delivery waits is known from its row, and what waits and fails is counted without reading the rest."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.api.given import end, event, happen, queries
from tests.delivery.given import reach

from tidings.delivery import find
from tidings.delivery.waits import standing_of
from tidings.kernel.problems import Problem

NOW = datetime.now(UTC)


@pytest.fixture
def reachable(organisation: Any) -> Any:
    reach(organisation, "ann", "bo")
    return organisation


@pytest.fixture
def change(reachable: Any) -> Callable[..., None]:
    """Change the tenant's deliveries; `due` in seconds from now."""

    def changed(due: float = 0.0, **values: Any) -> None:
        from tidings.delivery.models import Delivery

        at = datetime.now(UTC) + timedelta(seconds=due)
        Delivery.objects.for_tenant(reachable.id).update(due_at=at, **values)

    return changed


@pytest.fixture
def a_node(database: str) -> Any:
    from tidings.delivery.models import Node

    Node.objects.all().delete()
    return Node.objects.create(name="test")


def tried(reason: str) -> list[dict[str, Any]]:
    return [{"at": NOW.isoformat(), "outcome": "try_later", "reason": reason, "ms": 3.0}]


def held(reason: str) -> list[dict[str, Any]]:
    return [{"at": NOW.isoformat(), "outcome": "held", "reason": reason}]


def waits_for(organisation: Any) -> list[str]:
    """Newest first."""
    return [each.waits_for for each in find.deliveries_of(organisation.caller(), find.Which(), limit=10)]


@pytest.mark.parametrize(
    ("due", "values", "expected"),
    [
        (-1, {}, "turn"),
        (300, {"reason": "timeout", "attempts": tried("timeout")}, "schedule"),
        (30, {"reason": "dingtalk_robot_rate", "attempts": held("dingtalk_robot_rate")}, "limit"),
        (30, {"reason": "dingtalk_rate", "attempts": tried("timeout") + held("throttled")}, "limit"),
        (9, {"reason": "vendor_unavailable", "attempts": held("vendor_unavailable")}, "vendor"),
        (9, {"reason": "timeout", "attempts": tried("throttled") + held("timeout")}, "vendor"),
        (30, {"reason": "throttled", "attempts": held("dingtalk_rate") + tried("throttled")}, "schedule"),
        (0, {"state": "sending", "lease": 7}, "sending"),
        (0, {"state": "sent"}, ""),
        (0, {"state": "failed", "reason": "gone"}, ""),
    ],
)
def test_its_row_says_why(
    reachable: Any, database: str, a_node: Any, change: Any, due: float, values: dict[str, Any], expected: str
) -> None:
    happen(reachable, database, event(to="ann"))
    change(due, **values)
    assert waits_for(reachable) == [expected]


def test_a_newer_one_waits_for_the_older_one_half_a_minute(
    reachable: Any, database: str, a_node: Any, change: Any
) -> None:
    happen(reachable, database, event(to="ann", subject="T1"))
    happen(reachable, database, event(to="ann", subject="T1"), event(to="bo", subject="T1"))
    change(-1)
    assert waits_for(reachable) == ["turn", "older", "turn"]
    change(-31)
    assert waits_for(reachable) == ["turn", "turn", "turn"]


def test_what_is_due_waits_for_a_node_while_none_delivers(
    reachable: Any, database: str, a_node: Any, change: Any
) -> None:
    happen(reachable, database, event(to="ann"))
    a_node.renewed_at = datetime.now(UTC) - timedelta(minutes=2)
    a_node.save()
    assert waits_for(reachable) == ["node"]


def test_what_waits_and_fails_is_counted_by_why(reachable: Any, database: str, a_node: Any, change: Any) -> None:
    happen(reachable, database, *(event(to="ann") for _ in range(3)))
    end(reachable, reason="no_such_address")
    happen(reachable, database, *(event(to="ann") for _ in range(2)), event(to="bo"))
    end(reachable, reason="gone", person_id=reachable.people["bo"].id)
    standing = standing_of(reachable.caller(), hours=1, now=datetime.now(UTC))
    assert [(each.waits_for, each.channel, each.count) for each in standing.waiting] == [("turn", "webhook", 2)]
    assert [(each.channel, each.reason, each.count) for each in standing.failed] == [
        ("webhook", "no_such_address", 3),
        ("webhook", "gone", 1),
    ]
    assert (standing.waiting_count, standing.failed_count, standing.nodes_delivering) == (2, 4, 1)
    assert standing.oldest_due_at is not None
    # Later, nothing is overdue.
    from tidings.delivery.models import Delivery

    later = datetime.now(UTC) + timedelta(minutes=5)
    Delivery.objects.for_tenant(reachable.id).filter(state="pending").update(
        due_at=later, reason="dingtalk_rate", attempts=held("dingtalk_rate")
    )
    standing = standing_of(reachable.caller(), hours=1, now=datetime.now(UTC))
    assert standing.oldest_due_at is None
    assert [(each.waits_for, each.reason) for each in standing.waiting] == [("limit", "dingtalk_rate")]


def test_another_organisation_has_its_own(reachable: Any, other_organisation: Any, database: str) -> None:
    happen(reachable, database, event(to="ann"))
    standing = standing_of(other_organisation.caller("mallory"), hours=1, now=NOW)
    assert (standing.waiting, standing.failed) == ([], [])


def test_only_who_sees_all_is_told(reachable: Any, api: Any) -> None:
    with pytest.raises(Problem, match="Only"):
        standing_of(reachable.caller("ann"), hours=1, now=NOW)
    assert api("ann").get("/deliveries/summary").status == 403
    for login in ("root", "carol", "eve"):
        assert api(login).get("/deliveries/summary", hours=24).body["waiting"] == []
    assert api("root").get("/deliveries/summary", hours=0).status == 422


def test_it_takes_three_queries(reachable: Any, database: str) -> None:
    caller = reachable.caller()
    happen(reachable, database, event(to="ann"), event(to="bo"))
    with queries() as sent:
        standing_of(caller, hours=1, now=NOW)
    assert len(sent) == 3


def test_so_many_and_no_more_are_counted(reachable: Any, database: str) -> None:
    happen(reachable, database, *(event(to="ann") for _ in range(5)))
    end(reachable)
    which = find.Which(state="failed")
    assert find.count_deliveries(reachable.caller(), which) == 5
    assert find.count_deliveries(reachable.caller(), which, at_most=3) == 3
    assert find.count_deliveries(reachable.caller(), find.Which(state="failed", recipient="bo")) == 0


def test_a_page_of_what_is_pending_is_the_same_however_much_there_is(
    reachable: Any, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    happen(reachable, database, *(event(to="ann") for _ in range(5)))
    which = find.Which(state="pending")
    few = find.deliveries_of(reachable.caller(), which, limit=3)
    monkeypatch.setattr(find, "COUNTED_AT_MOST", 2)
    many = find.deliveries_of(reachable.caller(), which, limit=3)
    assert [each.id for each in few] == [each.id for each in many] and len(few) == 3
    after = find.deliveries_of(reachable.caller(), which, limit=3, after=many[-1].id)
    assert len(after) == 2
