"""Messages about one ticket arrive in order; when one cannot, it says that it is no longer the latest."""

import asyncio
from datetime import timedelta

from tests.delivery.given import event
from tests.scenarios.stage import WEB, WORKER, Stage

from tidings.channels.testing.webhook_receiver import Reply

APPROVED, SUCCESS = "data_change.approved", "data_change.successful"


def kinds(stage: Stage, login: str = "ann") -> list[str]:
    return [one.payload["type"] for one in stage.arrived(login)]


async def test_two_events_of_one_ticket_arrive_in_order_although_the_first_is_slow(stage: Stage) -> None:
    stage.answers("ann", Reply(after=0.6), Reply())
    await stage.post(event(subject=77, type=APPROVED, at=-2))
    await stage.post(event(subject=77, type=SUCCESS, at=-1))
    # The second is ready at once; it waits all the same.
    await asyncio.sleep(0.3)
    assert kinds(stage) == [APPROVED]
    await stage.messages("ann", 2)
    assert kinds(stage) == [APPROVED, SUCCESS]
    await stage.settled("sent", "sent")
    assert stage.arrived("ann")[1].at - stage.arrived("ann")[0].at > timedelta(seconds=0.5)


async def test_a_message_waits_while_the_earlier_one_is_tried_again(stage: Stage) -> None:
    stage.answers("ann", Reply(503), Reply(503), Reply())
    await stage.post(event(subject=77, type=APPROVED, at=-2))
    await stage.messages("ann", 1)
    await stage.post(event(subject=77, type=SUCCESS, at=-1))
    await stage.messages("ann", 4)
    assert kinds(stage) == [APPROVED] * 3 + [SUCCESS]


async def test_another_ticket_and_another_person_do_not_wait(stage: Stage) -> None:
    stage.answers("ann", Reply(503), Reply(after=1.0), Reply())
    await stage.post(event(subject=77, at=-2))
    await stage.messages("ann", 1)
    await stage.post(event(subject=77, to="bo"), event(subject=78, to="dan"))
    await stage.messages("bo")
    await stage.messages("dan")
    assert "sent" not in await stage.states("ann")


async def test_after_half_a_minute_the_newer_goes_and_the_older_says_that_it_is_earlier(stage: Stage) -> None:
    # given: the first is refused for longer than half a minute
    stage.answers("ann", Reply(429, headers={"retry-after": "600"}), Reply())
    await stage.post(event(subject=77, type=APPROVED, at=-2))
    await stage.messages("ann", 1)
    await stage.settled("pending")
    await stage.post(event(subject=77, type=SUCCESS, at=-1))
    # advance: the second has waited for half a minute, the first is still asked to wait
    await stage.advance(31)
    await stage.messages("ann", 2)
    assert kinds(stage) == [APPROVED, SUCCESS]
    await stage.settled("pending", "sent")
    # advance: now the first may try again
    await stage.advance(600)
    *_, last = await stage.messages("ann", 3)
    assert last.payload["type"] == APPROVED
    earlier = last.payload["data"]["earlier"]
    assert earlier.startswith("Earlier status")
    assert "Data change successful" in earlier
    assert not stage.arrived("ann")[1].payload["data"].get("earlier")
    await stage.settled("sent", "sent")


async def test_an_event_that_comes_late_says_that_it_is_earlier(stage: Stage) -> None:
    await stage.post(event(subject=77, type=SUCCESS, at=-1))
    await stage.settled("sent")
    await stage.post(event(subject=77, type=APPROVED, at=-5))
    _, late = await stage.messages("ann", 2)
    assert late.payload["type"] == APPROVED
    assert "Data change successful" in late.payload["data"]["earlier"]
    assert await stage.value("SELECT status FROM events_subject WHERE key = '77'") == SUCCESS


async def test_order_holds_over_many_tickets_and_several_workers(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.reachable("ann", "bo")
    webs = [await stage.start(WEB) for _ in range(2)]
    for _ in range(2):
        await stage.start(WORKER)
    tickets = range(12)
    for step in range(6):
        people = {"submitter": "ann", "approvers": ["bo"]}
        codes = ("data_change.pending_approval", SUCCESS)
        events = [event(subject=ticket, type=codes[step % 2], people=people) for ticket in tickets]
        await stage.post(*events, at=webs[step % 2])
    await stage.messages("ann", 36, within=20)
    await stage.messages("bo", 36, within=20)
    await stage.over()
    numbers: dict[tuple[str, str], list[str]] = {}
    for one in stage.receiver.arrivals:
        numbers.setdefault((one.path, one.payload["data"]["subject"]["id"]), []).append(one.payload["data"]["event_id"])
    assert len(numbers) == 24
    # An event's id is made when it is accepted; each ticket's events were accepted one after another.
    assert all(ids == sorted(ids) for ids in numbers.values())
    await stage.ledger()
