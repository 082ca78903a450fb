"""A channel of another package, from an administrator's settings to the vendor: nothing tells it from a built-in one."""

from typing import Any

import pytest
from tests.delivery.given import event
from tests.scenarios.stage import Stage, in_django

from tidings.channels.contract import TryLater
from tidings.channels.registry import CHANNELS
from tidings.channels.testing.http_server import Reply
from tidings_slack.testing import IncomingWebhooks

PATH = "/services/T0ACME/B0ORDERS/a1b2c3d4e5f6a7b8"
SETTINGS = {"methods": ["slack"], "slack": {"url": f"https://hooks.slack.com{PATH}"}}


async def _as_(stage: Stage, login: str, method: str, path: str, body: Any = None) -> Any:
    token: str = await in_django(lambda: stage.organisation.token(login))
    answer = await stage.send(method, f"/api/v1{path}", body, token=token)
    assert answer.status in (200, 201), answer
    return answer.body


async def _on(stage: Stage, slack: IncomingWebhooks) -> None:
    await _as_(stage, "root", "PUT", "/channels/slack", {"enabled": True, "settings": {"endpoint": slack.url("/")}})


async def test_a_node_tells_people_through_a_channel_of_another_package(empty_stage: Stage) -> None:
    await empty_stage.start()
    async with IncomingWebhooks(PATH) as slack:
        await _on(empty_stage, slack)
        await _as_(empty_stage, "root", "PUT", "/users/ann/notification-settings", SETTINGS)
        [told] = await empty_stage.post(event())
        await empty_stage.settled("sent")
        [posted] = slack.posted
        assert slack.complaints == []
        record = await empty_stage.record(told)
        [send] = record["recipients"][0]["sends"]
        assert (send["channel"], send["attempts"][-1]["said"]) == ("slack", "200 ok")
        assert posted.first_block == send["delivery_id"].replace("-", "")
        await empty_stage.ledger()


@pytest.mark.usefixtures("local_calls")
async def test_a_person_proves_by_a_test_message_that_the_webhook_is_theirs(empty_stage: Stage) -> None:
    await empty_stage.start()
    async with IncomingWebhooks(PATH) as slack:
        await _on(empty_stage, slack)
        shown = await _as_(empty_stage, "ann", "PUT", "/me/notification-settings", SETTINGS)
        address = "https://hooks.slack.com/services/T0ACME/B0ORDERS/…"
        assert shown["slack"] == {"url": address}
        assert shown["channels"]["slack"]["address"] == address
        assert not shown["channels"]["slack"]["verified"]
        assert (await _as_(empty_stage, "ann", "POST", "/me/contact-points/slack/test"))["outcome"] == "sent"
        shown = await _as_(empty_stage, "ann", "GET", "/me/notification-settings")
        assert shown["channels"]["slack"]["verified"]
        assert len(slack.posted) == 1


async def test_a_webhook_that_slack_does_not_know_any_more_is_switched_off(empty_stage: Stage) -> None:
    await empty_stage.start()
    async with IncomingWebhooks(PATH, script={PATH: [Reply(429, b"rate_limited"), Reply(404, b"no_service")]}) as slack:
        await _on(empty_stage, slack)
        await _as_(empty_stage, "root", "PUT", "/users/ann/notification-settings", SETTINGS)
        await empty_stage.post(event())
        await empty_stage.settled("failed", login="ann")
        settings = await _as_(empty_stage, "ann", "GET", "/me/notification-settings")
        assert settings["channels"]["slack"]["disabled_reason"] == "gone"
        health = await _as_(empty_stage, "root", "GET", "/channels/slack/health")
        assert health["sent"] == 0


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "internal_error"),
        (TryLater("a\0b"), "a b"),
        (TryLater("\ud800x"), " x"),
        (TryLater("x" * 5_000), "x" * 100),
    ],
)
async def test_what_a_channel_answers_by_mistake_ends_as_a_try_and_keeps_no_other_result_from_being_written(
    empty_stage: Stage, monkeypatch: pytest.MonkeyPatch, answer: Any, reason: str
) -> None:
    tries: list[str] = []

    async def send(_self: Any, parcel: Any, _wire: Any) -> Any:
        tries.append(str(parcel.identity))
        return answer

    monkeypatch.setattr(type(CHANNELS["slack"]), "send", send)
    await empty_stage.start()
    async with IncomingWebhooks(PATH) as slack:
        await _on(empty_stage, slack)
        await _as_(empty_stage, "root", "PUT", "/users/ann/notification-settings", SETTINGS)
        [told] = await empty_stage.post(event())
        await empty_stage.settled("failed", login="ann")
        record = await empty_stage.record(told)
        [send_] = record["recipients"][0]["sends"]
        failed = [each["reason"] for each in send_["attempts"] if each["outcome"] == "try_later"]
        assert failed == [reason] * 4
        assert len(tries) == 4
