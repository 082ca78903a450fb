"""What a person on duty looks at reads little, however busy the month was: the statements, and the acts made of them."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.api.given import queries
from tests.architecture.test_plans import analysed, blocks, judge
from tests.conftest import PEOPLE, _organisation
from tests.delivery.month import fill_month

from tidings.delivery import find, hourly, overview, waits
from tidings.events import awaiting


@pytest.fixture(scope="module")
def busy(database: str) -> Iterator[Any]:
    organisation = _organisation("busy", PEOPLE)
    fill_month(organisation)
    yield organisation


def asked(busy: Any) -> Mapping[str, tuple[str, Any, set[str], int]]:
    """(statement, values), its indexes, and how many pages it may read."""
    duty = {**waits.WAITS_WITH, "tenant": busy.id, "at_most": 10_000, "since": UUID(int=0)}
    now = datetime.now(UTC)
    month = [now - timedelta(days=back) for back in range(30, 0, -1)]
    day = [now - timedelta(hours=back) for back in range(24, 0, -1)]
    return {
        "waiting": (waits._WAITING.format(waits_for=waits.WAITS_FOR), duty, {"delivery_due"}, 60_000),
        "failed": (waits._FAILED, duty, {"delivery_failed"}, 6_000),
        "many pending": (find._MANY_PENDING, [busy.id, 10_000], {"delivery_due"}, 12_000),
        "month": (
            hourly._SUMS,
            {"tenant": busy.id, "since": month[0], "times": month},
            set(),
            1_500,
        ),
        "day": (
            hourly._SUMS,
            {"tenant": busy.id, "since": day[0], "times": day},
            {"hour_of"},
            1_500,
        ),
        "approvals": (awaiting._LONGEST, [busy.id, 10], {"awaiting_longest", "events_subject_pkey"}, 200),
        "count of approvals": (awaiting._COUNT, [busy.id, 1_000], {"events_subject_pkey"}, 5_000),
        "unplanned": (awaiting._UNPLANNED, [busy.id, 1_000], {"event_unplanned"}, 60),
        "parked": (awaiting._PARKED, [busy.id, 1_000], set(), 60),
    }


@pytest.mark.parametrize(
    "name",
    ["waiting", "failed", "many pending", "month", "day", "approvals", "count of approvals", "unplanned", "parked"],
)
def test_a_statement_reads_little(busy: Any, name: str) -> None:
    statement, values, indexes, at_most = asked(busy)[name]
    plan = analysed(statement, values)
    print(name, blocks(plan), plan["Actual Total Time"])
    if indexes:
        judge(plan, indexes)
    assert blocks(plan) < at_most


@pytest.mark.parametrize(("unit", "count"), [("hour", 24), ("day", 30)])
def test_an_overview_is_a_few_quick_queries(busy: Any, unit: Any, count: int) -> None:
    caller, now = busy.caller(), datetime.now(UTC)
    overview.overview_of(caller, unit=unit, count=count, now=now)
    with queries() as sent:
        began = time.perf_counter()
        overview.overview_of(caller, unit=unit, count=count, now=now)
        took = time.perf_counter() - began
    print("overview", took)
    assert len(sent) <= 11
    assert took < 0.5  # a tenth of it where nothing else runs


@pytest.mark.parametrize(
    "which",
    [{}, {"state": "failed"}, {"state": "pending"}, {"state": "sent"}, {"channel": "email"},
     {"state": "failed", "channel": "dingtalk"}, {"recipient": "ann"}, {"event_type": "data_change.failed"}],
    ids=str,
)  # fmt: skip
def test_a_page_of_deliveries_is_quick(busy: Any, which: dict[str, str]) -> None:
    caller, after = busy.caller(), None
    for _ in range(2):
        began = time.perf_counter()
        page = find.deliveries_of(caller, find.Which(**which), limit=51, after=after)
        took = time.perf_counter() - began
        print(which, took)
        assert len(page) == 51 and took < 0.5
        after = page[-1].id
