"""What came in and went out, hour by hour."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.delivery.given import Desk, event, in_django

from tidings.delivery.hourly import UNTIMED, Hours, forget, longest, step_of, sums, write

NOW = datetime(2026, 11, 23, 10, 20, tzinfo=UTC)


HOURS = [NOW.replace(minute=0) - timedelta(hours=back) for back in range(2, -1, -1)]


async def found(desk: Desk, times: list[datetime] = HOURS) -> Any:
    """(at, what, count) of each span, and (what, channel, reason, count) of each cause."""
    every = await in_django(lambda: sums(desk.tenant_id, times))
    points = sorted((each.at, each.what, each.count) for each in every if each.at)
    causes = sorted((each.what, each.channel, each.reason, each.count) for each in every if not each.at)
    return points, causes


async def test_events_are_counted_as_they_are_accepted_and_silences_by_their_reason(desk: Desk) -> None:
    hours = Hours()
    # ann has no method at all, and "nobody" is not in the directory.
    accepted = await desk.keep(event(to="ann"), event(to="nobody"))
    hours.kept(accepted.kept)
    await write(desk.connection, hours.take(), NOW)
    points, causes = await found(desk)
    hour = NOW.replace(minute=0)
    assert (hour, "accepted", 2) in points
    assert {(what, reason): count for what, _, reason, count in causes if what == "skipped"}.keys() >= {
        ("skipped", "unknown_person")
    }


async def test_what_is_known_already_is_not_counted_again(desk: Desk) -> None:
    hours, one = Hours(), event(to="ann")
    hours.kept((await desk.keep(one)).kept)
    hours.kept((await desk.keep(one)).kept)
    await write(desk.connection, hours.take(), NOW)
    assert [count for _, what, count in (await found(desk))[0] if what == "accepted"] == [1]


async def test_ends_are_counted_by_channel_reason_and_how_long_they_took(desk: Desk) -> None:
    hours = Hours()
    for seconds in (0.001, 0.02, 0.02, None):
        hours.sent(desk.tenant_id, "webhook", seconds)
    hours.ended(desk.tenant_id, "failed", "webhook", "gone")
    hours.ended(desk.tenant_id, "cancelled", "email", "channel_off")
    counts = hours.take()
    assert {key[4]: count for key, count in counts.items() if key[1] == "sent"} == {0: 1, 3: 2, UNTIMED: 1}
    await write(desk.connection, counts, NOW)
    await write(desk.connection, counts, NOW)  # another node
    _, causes = await found(desk)
    assert causes == [
        ("cancelled", "email", "channel_off", 2),
        ("failed", "webhook", "gone", 2),
        ("sent", "webhook", "", 8),
    ]
    assert hours.take() == {}


def test_a_step_holds_what_is_longer_than_the_one_before() -> None:
    for seconds in (0.0, 0.004, 0.005, 0.0051, 0.1, 1.0, 59.9, 3_600, 86_400):
        step = step_of(seconds)
        assert seconds <= longest(step) * 1.000001
        assert step == 0 or seconds > longest(step - 1) * 0.999999
    assert step_of(86_400) < 40 and step_of(-5.0) == 0


async def test_an_hour_counts_to_the_span_in_which_it_begins(desk: Desk) -> None:
    hours = Hours()
    # Days of a zone that is five hours and a half ahead.
    days = [datetime(2026, 11, day, 18, 30, tzinfo=UTC) for day in (20, 21, 22)]
    for at in (days[0], days[1] + timedelta(minutes=40), days[2] + timedelta(minutes=20)):
        hours.ended(desk.tenant_id, "failed", "email", "gone")
        await write(desk.connection, hours.take(), at)
    # 18:30 on the first is in the hour from 18:00 on, which is before all of these.
    points, causes = await found(desk, days)
    assert points == [(days[1], "failed", 2)]
    assert causes == [("failed", "email", "gone", 2)]


async def test_what_could_not_be_written_is_written_with_the_next(desk: Desk) -> None:
    hours = Hours()
    hours.sent(desk.tenant_id, "webhook", 0.1)
    counts = hours.take()
    hours.sent(desk.tenant_id, "webhook", 0.1)
    hours.give_back(counts)
    assert list(hours.take().values()) == [2]


async def test_a_month_is_kept_and_no_more(desk: Desk) -> None:
    hours = Hours()
    for days in (0, 30, 33):
        hours.sent(desk.tenant_id, "webhook", 0.1)
        await write(desk.connection, hours.take(), datetime.now(UTC) - timedelta(days=days))
    await forget(desk.connection)
    assert await desk.value("SELECT count(*) FROM delivery_hour WHERE tenant_id = %s", desk.tenant_id) == 2


@pytest.mark.parametrize("statuses", [["approved"], ["approved", "pending_approval"], ["pending_approval"]])
async def test_what_asks_for_approval_is_known_by_how_long_until_it_is_decided(desk: Desk, statuses: list[str]) -> None:
    from tidings.events.awaiting import awaiting_of, sweep

    def pending(subject: str, at: int, status: str = "pending_approval") -> dict[str, Any]:
        return event(type=f"data_change.{status}", subject=subject, at=at, people={"submitter": "ann"})

    await desk.keep(pending("old", -300), pending("young", -10), pending("old", -290))
    await desk.keep(*(pending("young", -9 + place, status) for place, status in enumerate(statuses)))
    still = statuses[-1] == "pending_approval"
    for _ in range(2):
        waiting = await in_django(lambda: awaiting_of(desk.organisation.caller()))
        assert [each.id for each in waiting.longest] == ["old", "young"][: 1 + still]
        assert waiting.count == 1 + still
        # and the same once what was decided is swept away
        await sweep(desk.connection)
        rows = await desk.value("SELECT count(*) FROM events_awaiting WHERE tenant_id = %s", desk.tenant_id)
        assert rows == 1 + still
    age = datetime.now(UTC) - waiting.longest[0].since
    assert timedelta(minutes=289) < age < timedelta(minutes=291)
