"""Administrators switch channels on, set them up and try them; secrets are never shown again."""

import threading
import time
from typing import Any

import pytest
from tests.api.given import aside, at_once, queries
from tests.delivery.given import SECRET, reach

PASSWORD = "correct horse battery"
MAIL = {
    "host": "smtp.example.com",
    "port": 587,
    "security": "starttls",
    "username": "tidings",
    "password": PASSWORD,
    "from": "Tidings <notices@example.com>",
}
SHOWN = {**MAIL, "password": "********"}


# switch and settings


def test_every_channel_is_there_from_the_start_and_off(api: Any) -> None:
    body = api("carol").get("/channels").body
    channels = {each["channel"]: each for each in body["items"]}
    assert {"email", "webhook"} <= set(channels)
    assert all((each["enabled"], each["version"]) == (False, 0) for each in channels.values())
    mail = channels["email"]
    assert (mail["labels"]["zh-hans"], mail["settings"]["port"], mail["settings"]["password"]) == ("邮件", 587, None)
    fields = {field["name"]: field for field in mail["fields"]}
    assert (fields["host"]["required"], fields["security"]["choices"]) == (True, ["none", "starttls", "tls"])
    assert fields["host"]["words"]["label"] == {"en": "Mail server", "zh-hans": "邮件服务器"}
    assert fields["security"]["words"]["choices"]["none"]["zh-hans"] == "不加密"


SMS = {"provider": "aliyun", "access_key_id": "LTAI5t", "access_key_secret": PASSWORD, "sign_name": "数据平台"}


def test_a_secret_that_was_made_is_shown_this_once(api: Any, organisation: Any) -> None:
    from tidings.audit.models import Change

    root, path = api("root"), "/channels/sms"
    answer = root.put(path, {"enabled": True, "settings": {**SMS, "template_code": "SMS_1"}})
    made = answer.body["settings"]["receipt_key"]
    assert len(made) == 32
    assert answer.body["settings"]["access_key_secret"] == "********"
    assert answer.body["receipts_url"].endswith(f"/api/v1/receipts/sms/{organisation.id}")
    assert root.get("/channels/webhook").body["receipts_url"] is None
    shown = root.get(path).body["settings"]
    assert shown["receipt_key"] == "********"
    again = root.put(path, {"enabled": True, "settings": shown})
    assert again.body["settings"] == shown
    fresh = root.put(path, {"enabled": True, "settings": {**shown, "receipt_key": None}}).body["settings"][
        "receipt_key"
    ]
    assert fresh not in (made, "********")
    own = {**shown, "receipt_key": "a-key-of-our-own-making"}
    assert root.put(path, {"enabled": True, "settings": own}).body["settings"]["receipt_key"] == "********"
    text = "".join(f"{change.before}{change.after}" for change in Change.objects.for_tenant(organisation.id))
    assert not [secret for secret in (made, fresh, "our-own-making", PASSWORD) if secret in text]


def test_what_fields_there_are_hangs_on_the_provider(api: Any) -> None:
    root = api("root")
    fields = {field["name"]: field["when"] for field in root.get("/channels/sms").body["fields"]}
    assert (fields["sign_name"], fields["account_sid"], fields["endpoint"]) == (
        ["provider", "aliyun"],
        ["provider", "twilio"],
        None,
    )
    answer = root.put("/channels/sms", {"enabled": True, "settings": {**SMS, "provider": "twilio"}})
    assert answer.status == 422
    told = {error["field"]: error["problem"] for error in answer.body["errors"]}
    assert told["sign_name"] == "exists only where provider is aliyun, and it is twilio; leave it out"
    assert told["auth_token"].startswith("is missing")


def test_settings_are_kept_sealed_and_secrets_are_masked(api: Any, organisation: Any) -> None:
    from tidings.audit.models import Change
    from tidings.channels.models import ChannelSetting

    root = api("root")
    answer = root.put("/channels/email", {"enabled": True, "settings": MAIL})
    assert (answer.status, answer.etag) == (200, '"1"')
    assert (answer.body["enabled"], answer.body["settings"], answer.body["version"]) == (True, SHOWN, 1)
    assert root.get("/channels/email").body == answer.body
    kept = ChannelSetting.objects.for_tenant(organisation.id).get(channel="email")
    assert PASSWORD.encode() not in bytes(kept.sealed)
    change = Change.objects.for_tenant(organisation.id).get(kind="channel", key="email")
    assert (change.actor, change.before["enabled"], change.after["new_secrets"]) == ("root", False, ["password"])
    assert PASSWORD not in f"{change.before}{change.after}"


def test_put_accepts_what_get_answers_and_keeps_the_secret(api: Any, organisation: Any) -> None:
    root = api("root")
    root.put("/channels/email", {"enabled": True, "settings": MAIL})
    answer = root.put("/channels/email", root.get("/channels/email").body)
    assert (answer.status, answer.body["version"]) == (200, 2)
    without = {name: value for name, value in MAIL.items() if name != "password"}
    root.put("/channels/email", {"enabled": True, "settings": without})
    assert _stored(organisation)["password"] == PASSWORD
    root.put("/channels/email", {"enabled": True, "settings": {**MAIL, "password": None}})
    assert "password" not in _stored(organisation)


@pytest.mark.parametrize("change", [{"host": "evil.example"}, {"port": 2525}, {"security": "none"}])
def test_a_stolen_token_cannot_send_the_password_elsewhere(api: Any, organisation: Any, change: dict[str, Any]) -> None:
    root = api("root")
    shown = root.put("/channels/email", {"enabled": True, "settings": MAIL}).body["settings"]
    answer = root.put("/channels/email", {"enabled": True, "settings": {**shown, **change}})
    assert (answer.status, answer.code) == (422, "invalid")
    [problem] = answer.body["errors"]
    assert problem["field"] == "password" and "must be given anew" in problem["problem"]
    assert _stored(organisation) == MAIL
    # who knows it may
    moved = {**MAIL, **change}
    assert root.put("/channels/email", {"enabled": True, "settings": moved}).status == 200
    assert _stored(organisation) == moved
    fields = {field["name"]: field for field in root.get("/channels/email").body["fields"]}
    assert fields["password"]["goes_to"] == ["host", "port", "security"]


def test_a_channel_that_was_never_set_up_can_be_put_back_as_it_is(api: Any) -> None:
    root = api("root")
    answer = root.put("/channels/email", root.get("/channels/email").body)
    assert (answer.status, answer.body["enabled"], answer.body["version"]) == (200, False, 1)


def test_switching_off_and_on_keeps_the_settings(api: Any, organisation: Any) -> None:
    root = api("root")
    root.put("/channels/email", {"enabled": True, "settings": MAIL})
    off = root.put("/channels/email", {"enabled": False})
    assert (off.body["enabled"], off.body["settings"]) == (False, SHOWN)
    assert root.put("/channels/email", {"enabled": True}).body["settings"] == SHOWN
    assert _stored(organisation) == MAIL


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"enabled": True}, ["host", "from"]),
        ({"enabled": True, "settings": {}}, ["host", "from"]),
        ({"enabled": True, "settings": {**MAIL, "host": ""}}, ["host"]),
        ({"enabled": True, "settings": {**MAIL, "host": "smtp.example.com:587"}}, ["host"]),
        ({"enabled": True, "settings": {**MAIL, "host": "127.0.0.1:25"}}, ["host"]),
        ({"enabled": True, "settings": {**MAIL, "port": "many", "from": "x"}}, ["port", "from"]),
        ({"enabled": True, "settings": {**MAIL, "security": "rot13"}}, ["security"]),
        ({"enabled": True, "settings": {**MAIL, "passwort": "x"}}, ["passwort"]),
        ({"enabled": True, "settings": {**MAIL, "username": "a\0b"}}, ["username"]),
        ({"enabled": False, "settings": {"username": "tidings"}}, ["host", "from"]),
        ({"enabled": True, "settings": {**SHOWN}}, ["password"]),
    ],
)
def test_settings_that_do_not_fit_are_refused_with_what_to_do(
    api: Any, body: dict[str, Any], fields: list[str]
) -> None:
    answer = api("root").put("/channels/email", body)
    assert (answer.status, answer.code) == (422, "invalid")
    assert [error["field"] for error in answer.body["errors"]] == fields
    assert PASSWORD not in str(answer.body)
    assert api("root").get("/channels/email").body["version"] == 0


def test_two_who_edit_at_once_never_lose_an_edit(api: Any) -> None:
    root = api("root")
    first = root.put("/channels/email", {"enabled": True, "settings": MAIL}, if_match='"0"')
    assert first.status == 200
    late = root.put("/channels/email", {"enabled": False, "settings": MAIL}, if_match='"0"')
    assert (late.status, late.code) == (412, "precondition_failed")
    assert (late.body["current"]["version"], late.body["current"]["settings"]) == (1, SHOWN)
    late = root.put("/channels/email", {"enabled": False, "settings": MAIL, "version": 0})
    assert (late.status, late.code) == (409, "version_conflict")
    assert root.get("/channels/email").body["enabled"] is True


def test_two_who_set_a_channel_up_first_wait_for_each_other(organisation: Any) -> None:
    from tidings.channels.configure import channel_of, configure
    from tidings.directory.contact_points import refresh_destinations
    from tidings.kernel.versions import Expected

    reach(organisation, "bo", "ann", "dan")
    root = organisation.caller()

    def set_up(expected: Expected) -> object:
        return configure(root, "email", True, MAIL, expected, refresh_destinations).version

    assert sorted(at_once(*[lambda: set_up(Expected())] * 3)) == [1, 2, 3]  # type: ignore[type-var]
    first = Expected(if_match=frozenset({"3"}))
    assert sorted(map(str, at_once(*[lambda: set_up(first)] * 3))) == ["4", *["precondition_failed"] * 2]
    assert channel_of(root, "email").version == 4


def test_new_settings_lead_the_contact_points_elsewhere_and_nodes_hear_of_it(api: Any, organisation: Any) -> None:
    from tidings.accounts.models import Tenant
    from tidings.directory.models import ContactPoint
    from tidings.kernel.secrets import seal

    before = Tenant.objects.get(id=organisation.id)
    ContactPoint.objects.create(
        tenant=organisation.tenant, person=organisation.people["ann"], channel="email",
        sealed=seal({"address": "ann@example.com"}), shown="a***@example.com",
    )  # fmt: skip
    api("root").put("/channels/email", {"enabled": True, "settings": MAIL})
    point = ContactPoint.objects.for_tenant(organisation.id).get(channel="email")
    assert point.destination == "smtp.example.com:587"
    after = Tenant.objects.get(id=organisation.id)
    assert after.rules_version > before.rules_version
    assert after.directory_version > before.directory_version


def test_administrators_write_dbas_read_and_nobody_else_sees_anything(api: Any) -> None:
    assert api("carol").get("/channels/email").status == 200
    assert api("carol").put("/channels/email", {"enabled": False}).status == 403
    assert api("carol").post("/channels/email/test", {"to": "ann"}).status == 403
    for client in (api("ann"), api("eve"), api(source="dms")):
        assert client.get("/channels").status == 403
        assert client.get("/channels/email").status == 403
        assert client.put("/channels/email", {"enabled": False}).status == 403
    assert api(token="").get("/channels").status == 401


def test_an_unknown_channel_is_404_and_the_answer_names_those_there_are(api: Any) -> None:
    root = api("root")
    for answer in (root.get("/channels/pigeon"), root.put("/channels/pigeon", {"enabled": False})):
        assert (answer.status, "email" in answer.body["detail"]) == (404, True)


def test_another_tenant_s_settings_are_its_own(api: Any) -> None:
    api("root").put("/channels/email", {"enabled": True, "settings": MAIL})
    theirs = api("mallory").get("/channels/email").body
    assert (theirs["enabled"], theirs["settings"]["host"], theirs["version"]) == (False, None, 0)


def test_settings_whose_key_is_lost_can_be_given_anew(api: Any, organisation: Any) -> None:
    from tidings.channels.models import ChannelSetting

    root = api("root")
    root.put("/channels/email", {"enabled": True, "settings": MAIL})
    ChannelSetting.objects.for_tenant(organisation.id).update(sealed=b"sealed with another key")
    assert root.get("/channels/email").body["settings"]["host"] is None
    assert root.put("/channels/email", {"enabled": True, "settings": MAIL}).status == 200


def test_the_list_is_one_query(api: Any) -> None:
    root = api("root")
    with queries() as before:
        root.get("/channels")
    for channel, settings in (("email", MAIL), ("webhook", {})):
        root.put(f"/channels/{channel}", {"enabled": True, "settings": settings})
    with queries() as after:
        root.get("/channels")
    assert len(after) == len(before) <= 3


# the test message


def test_a_test_message_arrives_at_once_and_signed(api: Any, organisation: Any, local_calls: None) -> None:
    from tidings.channels.testing.webhook_receiver import WebhookReceiver

    organisation.people["bo"].language = "zh-hans"
    organisation.people["bo"].save()
    with aside(WebhookReceiver(SECRET)) as receiver:
        reach(organisation, "bo", url=receiver.url("/{login}"))
        answer = api("root").post("/channels/webhook/test", {"to": "bo"})
        assert answer.body == {"outcome": "sent", "reason": "", "said": "200 ok"}
        [arrival] = receiver.arrivals
    assert receiver.complaints == []
    assert (arrival.payload["type"], arrival.payload["data"]["headline"]) == ("tidings.test", "来自 Tidings 的测试消息")


def test_the_outcome_says_what_the_provider_said(api: Any, organisation: Any, local_calls: None) -> None:
    from tidings.channels.testing.webhook_receiver import Reply, WebhookReceiver

    script = {"/ann": [Reply(410, b"moved out")], "/bo": [Reply(503, b"later")]}
    with aside(WebhookReceiver(SECRET, script=script)) as receiver:
        reach(organisation, "ann", "bo", url=receiver.url("/{login}"))
        gone = api("root").post("/channels/webhook/test", {"to": "ann"}).body
        later = api("root").post("/channels/webhook/test", {"to": "bo"}).body
    assert gone == {"outcome": "refused", "reason": "gone", "said": "410 moved out"}
    assert later == {"outcome": "try_later", "reason": "receiver_unavailable", "said": "503 later"}


def test_a_private_address_is_refused_by_the_guard(api: Any, organisation: Any) -> None:
    reach(organisation, "bo", url="http://127.0.0.1:9/token-nobody-may-read")
    answer = api("root").post("/channels/webhook/test", {"to": "bo"})
    assert (answer.body["outcome"], answer.body["reason"]) == ("refused", "address_not_allowed")
    assert "token-nobody-may-read" not in str(answer.body)


def test_nobody_listening_is_an_outcome_too(api: Any, organisation: Any, local_calls: None) -> None:
    reach(organisation, "bo", url="http://127.0.0.1:9/")
    answer = api("root").post("/channels/webhook/test", {"to": "bo"})
    assert (answer.status, answer.body["outcome"], answer.body["reason"]) == (200, "try_later", "connect")


def test_what_stands_in_the_way_is_said(api: Any, organisation: Any) -> None:
    from django.utils import timezone

    from tidings.directory.models import ContactPoint

    root = api("root")

    def tried(to: str) -> tuple[int, str]:
        answer = root.post("/channels/webhook/test", {"to": to})
        return answer.status, answer.code

    assert tried("nobody") == (404, "not_found")
    assert tried("nu\0l") == (422, "invalid")
    assert tried("bo") == (409, "contact_missing")
    reach(organisation, "bo")
    points = ContactPoint.objects.for_tenant(organisation.id)
    points.update(verified_at=None)
    assert tried("bo") == (409, "contact_unverified")
    points.update(disabled_at=timezone.now(), disabled_reason="gone")
    assert tried("bo") == (409, "contact_disabled")
    answer = root.post("/channels/email/test", {"to": "bo"})
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, "host")


def test_another_tenant_s_people_cannot_be_reached(api: Any, organisation: Any) -> None:
    reach(organisation, "bo")
    assert api("mallory").post("/channels/webhook/test", {"to": "bo"}).status == 404


def test_one_test_at_a_time_so_that_a_slow_one_leaves_room_for_pages(
    api: Any, organisation: Any, local_calls: None
) -> None:
    from tidings.channels.testing.webhook_receiver import Reply, WebhookReceiver

    root = api("root")
    root.get("/rules")
    with aside(WebhookReceiver(SECRET, script={"/bo": [Reply(after=1.0)]})) as receiver:
        reach(organisation, "bo", url=receiver.url("/{login}"))
        outcomes: list[int] = []
        slow = threading.Thread(target=lambda: outcomes.append(_test_elsewhere(organisation.token("root"))))
        slow.start()
        time.sleep(0.5)
        answer = root.post("/channels/webhook/test", {"to": "bo"})
        slow.join()
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (429, "busy", "5")
    assert outcomes == [200]


def test_administrators_do_not_keep_on_testing(api: Any, organisation: Any, local_calls: None) -> None:
    """Each test may hold one of the few threads of a node for seconds."""
    from tidings.channels.testing.webhook_receiver import WebhookReceiver

    with aside(WebhookReceiver(SECRET)) as receiver:
        reach(organisation, "bo", url=receiver.url("/{login}"))
        answers = [api("root").post("/channels/webhook/test", {"to": "bo"}).body for _ in range(11)]
        assert len(receiver.arrivals) == 10
    assert [answer["outcome"] for answer in answers] == [*["sent"] * 10, "try_later"]
    assert answers[10]["reason"] == "too_many_tests"


def _test_elsewhere(token: str) -> int:
    from django.db import connections
    from django.test import Client

    try:
        return (
            Client(headers={"Authorization": f"Bearer {token}"})
            .post("/api/v1/channels/webhook/test", {"to": "bo"}, content_type="application/json")
            .status_code
        )
    finally:
        connections.close_all()


def _stored(organisation: Any) -> dict[str, Any]:
    from tidings.channels.models import ChannelSetting
    from tidings.kernel.secrets import unseal

    return unseal(bytes(ChannelSetting.objects.for_tenant(organisation.id).get(channel="email").sealed))


# health


def test_a_person_on_duty_sees_how_a_channel_is_doing(api: Any, organisation: Any) -> None:
    from datetime import timedelta

    from tidings.delivery.models import Tally
    from tidings.kernel.clock import now

    for what, reason, count, hours in (
        ("sent", "", 40, 0), ("try_later", "throttled", 8, 0), ("held", "robot_budget", 3, 0), ("sent", "", 7, 5),
    ):  # fmt: skip
        Tally.objects.create(
            tenant_id=organisation.id,
            channel="webhook",
            minute=now() - timedelta(hours=hours),
            what=what,
            reason=reason,
            count=count,
            ms=count * 25,
        )
    health = api("carol").get("/channels/webhook/health").body
    assert (health["sent"], health["try_later"], health["held"], health["failed"]) == (40, 8, 3, 0)
    assert health["average_ms"] == 25
    assert [(each["what"], each["reason"], each["count"]) for each in health["reasons"]] == [
        ("try_later", "throttled", 8),
        ("held", "robot_budget", 3),
    ]
    assert api("carol").get("/channels/webhook/health?hours=24").body["sent"] == 47
    assert api("carol").get("/channels/email/health").body["average_ms"] is None
    assert api("ann").get("/channels/webhook/health").status == 403
    assert api("carol").get("/channels/fax/health").status == 404


def test_a_person_on_duty_sees_what_the_vendor_takes_at_most(api: Any) -> None:
    app = {"app_key": "dingapp", "app_secret": "secret-of-that-app", "agent_id": 1}
    assert api("root").put("/channels/dingtalk", {"enabled": True, "settings": app}).status == 200
    budget = {"of": "", "reason": "dingtalk_rate", "used": 0, "most": 5000, "seconds": 60, "free_at": None}
    assert api("carol").get("/channels/dingtalk/limits").body == {
        "channel": "dingtalk", "gives_up_after": None, "budgets": [budget], "left_alone": [],
    }  # fmt: skip
    nothing = {"gives_up_after": 14_400, "budgets": [], "left_alone": []}
    assert api("carol").get("/channels/email/limits").body == {"channel": "email", **nothing}
    assert api("ann").get("/channels/email/limits").status == 403
    assert api("carol").get("/channels/fax/limits").status == 404


# DingTalk


def test_dingtalk_is_set_up_tried_out_and_says_what_is_wrong(api: Any, organisation: Any, local_calls: None) -> None:
    from tidings.channels.testing.dingtalk import DingTalk

    root = api("root")
    app = {"app_key": "dingapp", "app_secret": "app-secret-of-acme", "agent_id": 3_456_789_012}
    with aside(DingTalk(**app, people={"13800138000": "zhangsan"})) as vendor:
        answer = root.put("/channels/dingtalk", {"enabled": True, "settings": {**app, "endpoint": vendor.url("/")}})
        assert answer.status == 200
        assert answer.body["settings"]["app_secret"] == "********"
        root.put("/users/bo/notification-settings", {"methods": ["dingtalk"], "mobile": "+8613800138000"})
        root.put("/users/ann/notification-settings", {"methods": ["dingtalk"], "mobile": "+8613900139000"})
        outcomes = [root.post("/channels/dingtalk/test", {"to": login}).body for login in ("bo", "ann", "bo")]
        settings = answer.body["settings"]
        root.put("/channels/dingtalk", {"enabled": True, "settings": {**settings, "app_secret": "wrong"}})
        wrong = root.post("/channels/dingtalk/test", {"to": "bo"}).body
    assert [one["outcome"] for one in outcomes] == ["sent", "refused", "sent"]
    assert outcomes[1]["reason"] == "no_dingtalk_account"
    assert (wrong["outcome"], wrong["reason"]) == ("try_later", "wrong_app_secret")
    # Two tests of one day are two messages: DingTalk would have dropped the second if they were equal.
    assert [told.user for told in vendor.told] == ["zhangsan", "zhangsan"]
    assert vendor.complaints == []


def test_a_group_robot_is_tried_out(api: Any, organisation: Any, local_calls: None) -> None:
    from tidings.channels.testing.dingtalk_robot import GroupRobots, Robot

    root = api("root")
    with aside(GroupRobots({"token-of-a-group": Robot(keywords=["DMS"], secret="SECgroup")})) as vendor:
        root.put("/channels/dingtalk_robot", {"enabled": True, "settings": {"endpoint": vendor.url("/")}})
        url = "https://oapi.dingtalk.com/robot/send?access_token=token-of-a-group"
        for secret in ("SECgroup", "SECother"):
            robot = {"url": url, "secret": secret}
            root.put("/users/bo/notification-settings", {"methods": ["dingtalk_robot"], "dingtalk_robot": robot})
            answer = root.post("/channels/dingtalk_robot/test", {"to": "bo"}).body
            assert answer["outcome"] == ("sent" if secret == "SECgroup" else "refused")
            assert "SEC" not in answer["said"]
    [posted] = vendor.posted
    assert "Test message from Tidings" in posted.content["text"]
