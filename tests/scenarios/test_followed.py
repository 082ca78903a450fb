"""An event is followed by its id from its acceptance to its vendor's answer; a call by its own."""

import json
import logging
from collections.abc import Iterator

import pytest
from tests.delivery.given import event
from tests.scenarios.stage import SERVE, WEB, WORKER, Stage

from tidings.channels.testing.webhook_receiver import Reply
from tidings.kernel.logs import OneObject


class Kept(logging.Handler):
    """Entries as they would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(OneObject())
        self.entries: list[dict[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.entries.append(json.loads(self.format(record)))


@pytest.fixture
def log() -> Iterator[Kept]:
    kept, ours = Kept(), logging.getLogger("tidings")
    before = ours.level
    ours.addHandler(kept)
    ours.setLevel(logging.DEBUG)
    yield kept
    ours.removeHandler(kept)
    ours.setLevel(before)


def of(log: Kept, identity: str) -> list[tuple[object, ...]]:
    """What a search for this id finds, in order."""
    return [
        (one["message"], one.get("outcome", ""), one.get("reason", ""))
        for one in log.entries
        if identity in json.dumps(one)
    ]


async def test_an_event_is_followed_by_its_id_to_its_vendor_s_answer(empty_stage: Stage, log: Kept) -> None:
    stage = empty_stage
    await stage.reachable("ann")
    await stage.start(SERVE)
    stage.answers("ann", Reply(503), Reply())
    content = event(to="ann")
    [identity] = await stage.post(content)
    await stage.over()
    assert of(log, identity) == [
        ("accepted: data_change.successful, 1 to be sent", "", ""),
        ("tried: pending", "try_later", "receiver_unavailable"),
        ("claimed, after 1 tries", "", ""),
        ("tried: sent", "sent", ""),
    ]
    [accepted] = [one for one in log.entries if str(one["message"]).startswith("accepted")]
    assert (accepted["source"], accepted["source_id"]) == ("dms", content["id"])
    assert accepted["tenant"] == str(stage.organisation.id)
    # By the delivery's id too, which the receiver has in its webhook-id.
    [delivery] = {str(one["delivery"]) for one in log.entries if "delivery" in one}
    assert stage.arrived("ann")[-1].identity == f"msg_{delivery.replace('-', '')}"


async def test_an_event_is_followed_over_nodes(empty_stage: Stage, log: Kept) -> None:
    stage = empty_stage
    await stage.reachable("ann")
    web = await stage.start(WEB)
    await stage.start(WORKER)
    [identity] = await stage.post(event(to="ann"), at=web)
    await stage.over()
    assert [each[0] for each in of(log, identity)] == [
        "accepted: data_change.successful, 1 to be sent",
        "claimed, after 0 tries",
        "tried: sent",
    ]


async def test_at_the_usual_level_nothing_is_logged_of_an_event_that_goes_well(empty_stage: Stage, log: Kept) -> None:
    logging.getLogger("tidings").setLevel(logging.INFO)
    stage = empty_stage
    await stage.reachable("ann")
    node = await stage.start(SERVE)
    assert node.node.follower is None
    await stage.post(event(to="ann"), event(to="ann"))
    await stage.over()
    assert log.entries == []


async def test_a_caller_is_told_the_id_that_the_log_has_of_the_call(empty_stage: Stage, log: Kept) -> None:
    stage = empty_stage
    await stage.start(SERVE)
    refused = await stage.send("POST", "/api/v1/events", {"id": "1\nforged"})
    assert refused.status == 422
    [entry] = [one for one in log.entries if one.get("request") == refused.headers["x-request-id"]]
    assert entry["message"] == "refused: invalid_event" and "missing required field" in str(entry["reason"])
    # What a proxy named keeps its name, unless it would be more than a name.
    for given, same in (("proxy-1.a_B", True), ("a b", False), ("x" * 65, False)):
        answer = await stage.send("GET", "/api/v1/rules/no.such", **{"x-request-id": given})
        assert answer.status in (403, 404)
        assert (answer.headers["x-request-id"] == given) is same


async def test_an_unforeseen_error_has_the_id_of_its_call(
    empty_stage: Stage, log: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = empty_stage
    await stage.start(SERVE)
    # A constraint that no act knows of.
    await stage.database.execute("ALTER TABLE rules_rule RENAME TO rules_elsewhere")
    try:
        from tests.delivery.given import in_django

        token = await in_django(lambda: stage.organisation.token("root"))
        answer = await stage.send("GET", "/api/v1/rules", token=token)
    finally:
        await stage.database.execute("ALTER TABLE rules_elsewhere RENAME TO rules_rule")
    assert (answer.status, answer.body["code"]) == (500, "internal_error")
    entry, told = [one for one in log.entries if one.get("request") == answer.headers["x-request-id"]]
    assert (told["level"], told["message"]) == ("debug", "refused: internal_error")
    assert (entry["level"], entry["message"]) == ("error", "a request failed unexpectedly")
    assert "rules_rule" in str(entry["exception"])
