"""An event comes in; the right people get a message, once."""

from urllib.parse import quote

import pytest
from tests.delivery.given import event
from tests.scenarios.stage import WEB, WORKER, Stage, in_django

APPROVAL, APPROVED, REJECTED, SUCCESS = (
    f"data_change.{status}" for status in ("pending_approval", "approved", "rejected", "successful")
)


async def test_an_event_becomes_a_message(stage: Stage) -> None:
    # when
    [event_id] = await stage.post(
        event(subject="88123", to="ann", resources=[{"instance": "rm", "database": "orders"}])
    )
    # then
    [message] = await stage.messages("ann")
    data = message.payload["data"]
    assert (data["event_id"], data["recipient"], data["subject"]["id"]) == (event_id, "ann", "88123")
    assert message.headers["webhook-id"] == message.identity
    await stage.settled("sent")
    record = await stage.record(event_id)
    [recipient] = record["recipients"]
    assert recipient["because"] == [{"role": "submitter"}]
    [send] = recipient["sends"]
    assert (send["channel"], send["state"], [each["outcome"] for each in send["attempts"]]) == (
        "webhook",
        "sent",
        ["sent"],
    )
    await stage.ledger()


async def test_an_approval_that_waits_tells_its_approvers_and_nobody_else(stage: Stage) -> None:
    await stage.post(event(type=APPROVAL, people={"submitter": "ann", "approvers": ["bo", "dan"], "related": ["root"]}))
    await stage.messages("bo")
    await stage.messages("dan")
    await stage.settled("sent", "sent")
    assert len(stage.receiver.arrivals) == 2


async def test_a_rejection_tells_the_submitter_once_however_often_it_is_sent(stage: Stage) -> None:
    rejection = event(type=REJECTED, people={"submitter": "ann", "approvers": ["bo"]})
    ids = await stage.post(rejection, rejection, rejection)
    ids += await stage.post(rejection)
    assert len(set(ids)) == 1
    await stage.messages("ann")
    await stage.settled("sent")
    assert len(stage.receiver.arrivals) == 1


async def test_one_person_in_several_roles_gets_one_message_with_every_reason(stage: Stage) -> None:
    await stage.rule(APPROVAL, roles=["related_person"], users=["bo"])
    await stage.post(event(type=APPROVAL, people={"approvers": ["bo"], "related": ["bo"]}))
    [message] = await stage.messages("bo")
    assert sorted(each["role"] for each in message.payload["data"]["because"]) == [
        "additional_user",
        "approver",
        "related_person",
    ]
    await stage.settled("sent")


async def test_a_batch_tells_each_its_own_and_names_what_is_wrong(stage: Stage) -> None:
    good, other = event(to="ann"), event(to="bo")
    answer = await stage.post_batch(good, event(type="data_change.sucessful"), {"id": "x"}, good, other)
    assert answer.status == 202
    assert (answer.body["accepted"], answer.body["duplicates"]) == (2, 1)
    assert [(each["index"], each["code"]) for each in answer.body["rejected"]] == [
        (1, "unknown_event_type"),
        (2, "invalid_event"),
    ]
    await stage.messages("ann")
    await stage.messages("bo")
    await stage.settled("sent", "sent")


ODD_IDS = (
    "a/b", "/a", "a/", "a//b", "//", "a/../b", "./a", "...", "%2F", "%", "a%20b", "a b", " a ", "?x=1", "#", "a+b", "a;b",
    "工单/7", "😀", "\u3000", "é", "&=", "\\", '"', "'", "<b>", "{kind}", ":", "@", "~", "-", "x" * 200,
)  # fmt: skip


async def test_every_subject_can_be_read_back_by_its_id(stage: Stage) -> None:
    secret = await in_django(lambda: stage.organisation.token("root"))
    await stage.post(*(event(subject=each) for each in ODD_IDS))
    for each in ODD_IDS:
        answer = await stage.send("GET", f"/api/v1/subjects/ticket/{quote(each, safe='')}", token=secret)
        assert (answer.status, answer.body["id"]) == (200, each)
    for wrong in ("a\nb", "a\u200bb", ".."):
        assert (await stage.send("POST", "/api/v1/events", event(subject=wrong))).status == 422


async def test_a_batch_of_five_hundred_arrives_whole(stage: Stage) -> None:
    answer = await stage.post_batch(*(event(to="ann") for _ in range(500)))
    assert answer.body["accepted"] == 500
    arrivals = await stage.messages("ann", 500, within=20)
    await stage.over()
    assert len({one.identity for one in arrivals}) == len(stage.receiver.arrivals) == 500
    await stage.ledger()


async def test_who_cannot_be_reached_is_a_skip_and_the_event_is_in_their_inbox(stage: Stage) -> None:
    [event_id] = await stage.post(event(to="eve"))
    record = await stage.record(event_id)
    [recipient] = record["recipients"]
    assert (recipient["login"], recipient["sends"], recipient["skips"]) == ("eve", [], [{"reason": "no_method"}])
    assert stage.receiver.arrivals == []


# two processes, one database


async def test_what_one_node_accepts_another_delivers_at_once(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.reachable("ann")
    await stage.start(WEB)
    await stage.start(WORKER)
    for count in range(1, 4):
        await stage.post(event(to="ann"))
        # A worker looks every second besides: what comes sooner was woken.
        await stage.messages("ann", count)
    await stage.settled("sent", "sent", "sent")


async def test_several_nodes_of_each_kind_tell_everybody_once(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.reachable("ann", "bo")
    webs = [await stage.start(WEB) for _ in range(2)]
    for _ in range(2):
        await stage.start(WORKER)
    events = [event(to=login) for login in ("ann", "bo") for _ in range(50)]
    # Each event goes to both: a sender that got no answer tries the next node.
    for web in webs:
        await stage.post(*events, at=web)
    await stage.messages("ann", 50)
    await stage.messages("bo", 50)
    await stage.over()
    assert len(stage.receiver.arrivals) == len({one.identity for one in stage.receiver.arrivals}) == 100
    await stage.ledger()


async def test_a_node_that_only_accepts_sends_nothing(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.reachable("ann")
    await stage.start(WEB)
    await stage.post(event(to="ann"))
    await stage.settled("pending")
    await stage.start(WORKER)
    await stage.messages("ann")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_a_node_says_how_it_is(stage: Stage, path: str) -> None:
    await stage.post(event(to="ann"))
    answer = await stage.send("GET", path, token="")
    assert answer.status == 200
    if path == "/metrics":
        assert b'tidings_events_total{result="accepted"}' in answer.body
