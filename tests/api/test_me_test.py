"""A person proves that a webhook is theirs, with a test message that arrives there."""

import threading
from typing import Any

import pytest
from tests.api.given import aside

from tidings.channels.testing.webhook_receiver import Reply, WebhookReceiver

ME = "/me/notification-settings"
TEST = "/me/contact-points/webhook/test"
SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIzNDU="


@pytest.fixture
def on(api: Any, local_calls: None) -> Any:
    """The tenant has webhooks switched on; `on(receiver)` gives ann one there, unverified."""
    api("root").put("/channels/webhook", {"enabled": True, "settings": {}})

    def own(receiver: WebhookReceiver) -> Any:
        ann = api("ann")
        answer = ann.put(ME, {"methods": ["webhook"], "webhook": {"url": receiver.url("/ann"), "secret": SECRET}})
        assert answer.body["channels"]["webhook"]["verified"] is False
        assert TEST in answer.body["note"]
        return ann

    return own


def _point(organisation: Any) -> Any:
    from tidings.directory.models import ContactPoint

    return ContactPoint.objects.for_tenant(organisation.id).get(channel="webhook")


def _changes(organisation: Any) -> list[Any]:
    from tidings.audit.models import Change

    return list(Change.objects.for_tenant(organisation.id).filter(kind="notification_settings", action="verify"))


def test_a_webhook_is_verified_by_the_test_message_it_takes(api: Any, organisation: Any, on: Any) -> None:
    with aside(WebhookReceiver(SECRET)) as receiver:
        ann = on(receiver)
        etag = ann.get(ME).etag
        answer = ann.post(TEST)
        [arrival] = receiver.arrivals
    assert (answer.status, answer.body) == (200, {"outcome": "sent", "reason": "", "said": "200 ok", "verified": True})
    assert (arrival.payload["type"], receiver.complaints) == ("tidings.test", [])
    after = ann.get(ME)
    assert (after.body["channels"]["webhook"]["verified"], "note" in after.body) == (True, False)
    assert after.etag != etag
    [change] = _changes(organisation)
    assert (change.actor, change.key, change.after["by"]) == ("ann", "ann", "test")
    assert "/ann" not in f"{change.before}{change.after}"


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(410, b"moved out"), ("refused", "gone")),
        (Reply(404, b""), ("try_later", "receiver_not_found")),
        (Reply(503, b"later"), ("try_later", "receiver_unavailable")),
        (Reply(302, b""), ("refused", "redirect_not_followed")),
    ],
)
def test_what_does_not_arrive_proves_nothing(api: Any, on: Any, reply: Reply, outcome: tuple[str, str]) -> None:
    with aside(WebhookReceiver(SECRET, script={"/ann": [reply]})) as receiver:
        ann = on(receiver)
        answer = ann.post(TEST)
    assert (answer.body["outcome"], answer.body["reason"], answer.body["verified"]) == (*outcome, False)
    assert ann.get(ME).body["channels"]["webhook"]["verified"] is False


def test_a_verified_one_can_be_tried_again_and_nothing_changes(api: Any, organisation: Any, on: Any) -> None:
    with aside(WebhookReceiver(SECRET, script={"/ann": [Reply(), Reply(), Reply(500)]})) as receiver:
        ann = on(receiver)
        ann.post(TEST)
        etag = ann.get(ME).etag
        assert [ann.post(TEST).body["verified"] for _ in range(2)] == [True, False]
    assert ann.get(ME).etag == etag
    assert ann.get(ME).body["channels"]["webhook"]["verified"] is True
    assert len(_changes(organisation)) == 1


def test_one_that_was_switched_off_is_in_use_again_once_it_works(api: Any, organisation: Any, on: Any) -> None:
    from django.utils import timezone

    with aside(WebhookReceiver(SECRET)) as receiver:
        ann = on(receiver)
        ann.post(TEST)
        point = _point(organisation)
        point.disabled_at, point.disabled_reason = timezone.now(), "gone"
        point.save()
        assert ann.post(TEST).body["verified"] is True
    assert _point(organisation).disabled_at is None


def test_an_address_that_was_changed_meanwhile_is_not_the_one_that_was_tried(
    api: Any, organisation: Any, on: Any
) -> None:
    from django.db import connections

    answers: list[Any] = []

    def slow() -> None:
        try:
            answers.append(api("ann").post(TEST).body)
        finally:
            connections.close_all()

    with aside(WebhookReceiver(SECRET, script={"/ann": [Reply(after=1.0)]})) as receiver:
        ann = on(receiver)
        trying = threading.Thread(target=slow)
        trying.start()
        while not receiver.arrivals:
            pass
        ann.put(ME, {"webhook": {"url": receiver.url("/elsewhere")}})
        trying.join()
    assert (answers[0]["outcome"], answers[0]["verified"]) == ("sent", False)
    assert ann.get(ME).body["channels"]["webhook"]["verified"] is False


def test_what_stands_in_the_way_is_said(api: Any, on: Any) -> None:
    ann = api("ann")
    assert (ann.post(TEST).status, ann.post(TEST).code) == (409, "contact_missing")
    answer = ann.post("/me/contact-points/email/test")
    assert (answer.status, answer.code) == (409, "verified_otherwise")
    assert "/me/contact-points/email/code" in answer.body["detail"]
    assert ann.post("/me/contact-points/pigeon/test").status == 404
    api("root").put("/channels/webhook", {"enabled": False})
    assert ann.post(TEST).code == "channel_off"
    assert api(source="dms").post(TEST).status == 403
    assert api(token="").post(TEST).status == 401


def test_a_private_address_is_refused_by_the_guard(api: Any) -> None:
    api("root").put("/channels/webhook", {"enabled": True, "settings": {}})
    ann = api("ann")
    ann.put(ME, {"webhook": {"url": "http://127.0.0.1:9/token-nobody-may-read"}})
    answer = ann.post(TEST)
    assert (answer.body["outcome"], answer.body["reason"]) == ("refused", "address_not_allowed")
    assert "token-nobody-may-read" not in str(answer.body)


def test_nobody_keeps_on_testing(api: Any, on: Any) -> None:
    """Each test may hold one of the few threads of a node for seconds."""
    with aside(WebhookReceiver(SECRET)) as receiver:
        ann = on(receiver)
        answers = [ann.post(TEST).body for _ in range(6)]
        assert len(receiver.arrivals) == 5
    assert [answer["outcome"] for answer in answers] == [*["sent"] * 5, "try_later"]
    assert answers[5]["reason"] == "too_many_tests"
