"""The overview: what a person on duty wants first."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.api.given import event, happen, queries
from tests.delivery.given import reach
from tests.delivery.month import fill_month
from tests.delivery.test_overview import counted

from tidings.console import plots
from tidings.delivery import hourly, tally

OVERVIEW = "/console/overview"
Console = Callable[..., Any]


def text(answer: Any) -> str:
    """As people read it."""
    assert answer.status_code == 200, answer.content
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


@pytest.fixture
def reachable(organisation: Any) -> Any:
    from tidings.delivery.models import Node

    reach(organisation, "ann", "bo")
    Node.objects.all().delete()
    Node.objects.create(name="test")
    return organisation


def test_all_is_well_in_one_line(console: Console, reachable: Any, database: str) -> None:
    hours = hourly.Hours()
    for _ in range(10):
        hours.sent(reachable.id, "webhook", 0.02)
    counted(database, hours)
    for login in ("root", "carol", "eve"):
        page = text(console(login).get(OVERVIEW))
        assert "Everything is being delivered." in page and "Half of it within 20 ms" in page
        assert "Messages over time: 10 sent, 0 failed" in page
    assert console("ann").get(OVERVIEW).status_code == 403
    assert console("root").get("/console/")["Location"] == OVERVIEW


def test_what_is_not_well_says_what_to_do_and_leads_there(console: Console, reachable: Any, database: str) -> None:
    from tidings.delivery.models import Delivery, Node

    happen(
        reachable, database,
        event(to="ann"), event(to="bo"), event(type="data_change.pending_approval", subject="T9", at=-90),
    )  # fmt: skip
    Delivery.objects.for_tenant(reachable.id).update(due_at=datetime.now(UTC) - timedelta(minutes=9))
    failed = Delivery.objects.for_tenant(reachable.id).order_by("id")[0].id
    Delivery.objects.for_tenant(reachable.id).filter(id=failed).update(state="failed", reason="gone")
    hours, tries = hourly.Hours(), tally.Tallies()
    hours.ended(reachable.id, "failed", "webhook", "gone")
    hours.ended(reachable.id, "failed", "webhook", "gone")
    hours.ended(reachable.id, "failed", "of_another_package", "its_own_reason")
    for _ in range(3):
        tries.count(reachable.id, "webhook", "try_later", "connect", 0.2)
    counted(database, hours, tries)
    content = console("root").get(OVERVIEW).content.decode()
    page = " ".join(re.sub(r"<[^>]+>", " ", content).split())
    for part in (
        "1 message should have gone and is still here", "Nothing goes through by Webhook. No connection to the receiver",
        "1 message of the last 24 hours failed for good, and nobody has retried it.",
        "Failures, retried ones included 3", "The receiver says that this address is gone for good",
        "Its own reason", "T9", "nothing goes through",
    ):  # fmt: skip
        assert part in page, part
    assert "Everything is being delivered" not in page
    for link in ("/console/deliveries?state=pending", "/console/deliveries?state=failed&amp;since=",
                 "/console/channels/webhook", "/console/subjects/ticket/T9"):  # fmt: skip
        assert link in content, link
    assert (
        "/console/channels/webhook"
        not in console("eve").get(OVERVIEW).content.decode().partition("<main")[2].partition("Channels in")[2]
    )
    [shown] = re.findall(r'href="(/console/deliveries[^"]*since=[^"]*)"', content)
    assert console("root").get(shown.replace("&amp;", "&")).content.decode().count("The receiver says that") == 1
    Node.objects.all().delete()
    assert "No node delivers, so what comes in only waits." in text(console("root").get(OVERVIEW))


def test_thirty_days_and_the_numbers_stand_there_too(console: Console, reachable: Any, database: str) -> None:
    hours = hourly.Hours()
    hours.sent(reachable.id, "webhook", 0.02)
    hours.ended(reachable.id, "failed", "webhook", "gone")
    counted(database, hours, at=datetime.now(UTC) - timedelta(days=3))
    content = console("root").get(f"{OVERVIEW}?span=30d").content.decode()
    assert content.count('<th scope="row"') == 30 and 'class="bad"' in content
    assert 'class="bad"' not in console("root").get(f"{OVERVIEW}?span=nonsense").content.decode()
    part = console("root", part=True).get(OVERVIEW).content.decode()
    assert part.lstrip().startswith('<div id="overview"') and "<html" not in part
    assert "style=" not in part and "<script" not in part


def test_it_is_quick_and_takes_few_queries_in_a_busy_month(console: Console, reachable: Any) -> None:
    fill_month(reachable)
    client = console("root")
    for path, at_most in (
        (f"{OVERVIEW}?span=30d", 18), (OVERVIEW, 18), ("/console/activity", 14), ("/console/activity?type=data_change.failed", 14),
        ("/console/activity?state=failed", 14), ("/console/activity?person=ann", 14), ("/console/deliveries", 12),
        ("/console/deliveries?state=failed", 12), ("/console/deliveries?state=pending", 12), ("/console/deliveries?state=cancelled", 12),
        ("/console/deliveries/retry-all?state=failed", 12),
    ):  # fmt: skip
        client.get(path)
        with queries() as sent:
            began = time.perf_counter()
            assert client.get(path).status_code == 200
            took = time.perf_counter() - began
        print(f"{path:<50} {took * 1000:6.0f} ms {len(sent)} queries")
        assert len(sent) <= at_most, path
        assert took < 1.0, path  # a tenth of it where nothing else runs


# plots


def test_bars_stand_on_one_another_and_one_that_failed_is_seen() -> None:
    moments = [datetime(2026, 11, 23, hour, tzinfo=UTC) for hour in range(3)]
    drawn = plots.bars(moments, [1000, 0, 500], [1, 0, 500])
    first, nothing, last = drawn.bars
    assert first.bad_height == 2.0 and first.bad_y + first.bad_height == pytest.approx(first.good_y, abs=0.2)
    assert nothing.good_height == nothing.bad_height == 0
    assert last.good_y + last.good_height == pytest.approx(plots.HEIGHT - plots.BOTTOM)
    assert [each.text for each in drawn.lines] == ["0", "1k", "2k"]
    assert plots.bars(moments, [0, 0, 0], [0, 0, 0]).lines[-1].text == "1"


def test_lines_break_where_nothing_was_sent() -> None:
    moments = [datetime(2026, 11, 23, hour, tzinfo=UTC) for hour in range(5)]
    drawn = plots.times(moments, [0.02, 0.02, None, 0.05, 0.05], [1.0, 5_000.0, None, None, 2.0])
    assert len(drawn.low) == 2 and len(drawn.high) == 1
    assert next(each.text for each in drawn.lines) == "10 ms" and drawn.lines[-1].text == "10,000 s"
    assert all(plots.TOP <= y <= plots.HEIGHT - plots.BOTTOM for _, y in [*drawn.low_dots, *drawn.high_dots])
    assert plots.times(moments, [None] * 5, [None] * 5).high == []


@pytest.mark.parametrize(
    ("most", "rounded"), [(0, 1), (1, 1), (2, 2), (3, 4), (5, 10), (11, 20), (99, 100), (101, 200)]
)
def test_scales_end_with_a_round_number(most: int, rounded: int) -> None:
    assert plots.round_up(most) == rounded
