"""Notice management: administrators switch channels on, set them up, try them, and see how they are doing."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from tests.api.given import aside, queries

PASSWORD = "correct horse battery"
MAIL = {
    "host": "smtp.example.com",
    "port": "587",
    "security": "starttls",
    "username": "tidings",
    "from": "Tidings <notices@example.com>",
}
SMS = {"provider": "aliyun", "access_key_id": "LTAI5t", "sign_name": "数据平台", "template_code": "SMS_1"}
Console = Callable[..., Any]


def html(answer: Any, status: int = 200) -> str:
    assert answer.status_code == status, answer.content.decode()[:2_000]
    return str(answer.content.decode())


def words(answer: Any, status: int = 200) -> str:
    """What a reader reads of it."""
    return " ".join(re.sub(r"<[^>]+>", " ", html(answer, status)).split())


def version(organisation: Any, channel: str) -> int:
    from tidings.channels.configure import channel_of

    return int(channel_of(organisation.caller(), channel).version)


@pytest.fixture
def set_up(console: Console, organisation: Any) -> Callable[..., Any]:
    """Fills in the form of a channel and saves it."""

    def save(channel: str, *, enabled: str = "on", **written: Any) -> Any:
        form = {"version": version(organisation, channel), "enabled": enabled, **written}
        return console("root").post(f"/console/channels/{channel}/settings", form)

    return save


@pytest.fixture
def stored(organisation: Any) -> Callable[[str], dict[str, Any]]:
    def read(channel: str) -> dict[str, Any]:
        from tidings.channels.models import ChannelSetting
        from tidings.kernel.secrets import unseal

        return unseal(bytes(ChannelSetting.objects.for_tenant(organisation.id).get(channel=channel).sealed))

    return read


# the cards


def test_every_channel_has_a_card_that_says_what_to_do_next(console: Console) -> None:
    page = words(console("root").get("/console/channels"))
    assert "E-mail Not set up" in page and "It takes the access data of your provider. Set up" in page
    assert "DingTalk chatbot" in page and "Off. Nobody is told by this channel." in page


def test_a_switch_is_all_it_takes_where_there_is_nothing_to_set_up(console: Console, organisation: Any) -> None:
    form = {"version": 0, "enabled": "on"}
    card = words(console("root", part=True).post("/console/channels/webhook/switch", form))
    assert "Webhook On" in card and "Nothing was sent in the last hour." in card and "Webhook is on." in card
    late = console("root", part=True).post("/console/channels/webhook/switch", {"version": 0})
    assert "Somebody was quicker" in words(late, 409)
    assert console("root").post("/console/channels/webhook/switch", {"version": 1}).status_code == 302
    assert "Off" in words(console("root").get("/console/channels/webhook"))


def test_a_channel_that_lacks_something_leads_to_what_it_lacks(console: Console) -> None:
    answer = console("root", part=True).post("/console/channels/email/switch", {"version": 0, "enabled": "on"})
    assert answer["HX-Redirect"] == "/console/channels/email?missing=1"
    assert "Fill in what is marked as required" in words(console("root").get(answer["HX-Redirect"]))


def test_a_card_says_how_the_last_hour_was_in_words(console: Console, organisation: Any, set_up: Any) -> None:
    from tidings.delivery.models import Tally
    from tidings.kernel.clock import now

    set_up("email", **MAIL, password=PASSWORD)
    for what, reason, count, said, ago in (
        ("sent", "", 1_240, "", 3),
        ("try_later", "auth_failed", 1, "535 5.7.8 <b>bad</b> credentials", 2),
        ("held", "throttled", 2, "", 4),
        ("sent", "", 7, "", 90),
    ):
        Tally.objects.create(
            tenant_id=organisation.id, channel="email", minute=now() - timedelta(minutes=ago), what=what,
            reason=reason, count=count, ms=count * 25, said=said,
        )  # fmt: skip
    page = html(console("carol").get("/console/channels"))
    read = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "1,240 messages sent in the last hour. 1 try has to be repeated. 2 had to wait for a limit." in read
    assert "The provider refuses the credentials" in read
    assert "535 5.7.8 &lt;b&gt;bad&lt;/b&gt; credentials" in page
    assert "25 ms on average" in read
    assert "health-good" in page
    for each in range(3):
        Tally.objects.create(
            tenant_id=organisation.id,
            channel="email",
            minute=now(),
            what="refused",
            reason=f"rejected{each}",
            count=1,
            ms=5,
        )
    page = html(console("carol").get("/console/channels"))
    assert "health-bad" in page and "Nothing goes through any more. 1,240 messages sent" in page


def test_the_cards_take_as_many_queries_whatever_there_is(console: Console, organisation: Any, set_up: Any) -> None:
    root = console("root")
    root.get("/console/channels")
    with queries() as before:
        root.get("/console/channels")
    set_up("email", **MAIL, password=PASSWORD)
    set_up("webhook")
    root.get("/console/channels")
    with queries() as after:
        root.get("/console/channels")
    assert len(after) == len(before) <= 9


# the form


def test_a_form_has_the_fields_that_the_channel_declares_in_the_readers_language(
    console: Console, organisation: Any
) -> None:
    page = html(console("root").get("/console/channels/email"))
    assert 'label class="form-label required" for="host">Mail server' in page
    assert "Its name, such as smtp.example.com." in page
    assert 'placeholder="587"' not in page and 'value="587"' in page
    organisation.people["root"].language = "zh-hans"
    organisation.people["root"].save()
    assert "邮件服务器" in html(console("root").get("/console/channels/email"))


def test_a_provider_has_its_own_fields_and_no_others(console: Console) -> None:
    page = html(console("root").get("/console/channels/sms"))
    assert 'name="access_key_id"' in page and 'name="auth_token"' not in page
    chosen = {"provider": "twilio", "price_per_segment": "0.045 CNY", "auth_token": "not to be repeated"}
    part = html(console("root", part=True).post("/console/channels/sms/fields", chosen))
    assert 'name="auth_token"' in part and 'name="access_key_id"' not in part
    assert 'value="0.045 CNY"' in part and "not to be repeated" not in part


def test_what_is_saved_is_stored_and_secrets_never_come_back(
    console: Console, set_up: Any, stored: Callable[[str], Any]
) -> None:
    assert set_up("email", **MAIL, password=PASSWORD)["Location"] == "/console/channels/email"
    assert stored("email") == {**MAIL, "port": 587, "password": PASSWORD}
    page = html(console("root").get("/console/channels/email"))
    assert PASSWORD not in page and "Leave empty to keep it" in page
    # Left empty, it stays; asked to be removed, it goes.
    set_up("email", **{**MAIL, "username": "other"}, password="")
    assert (stored("email")["password"], stored("email")["username"]) == (PASSWORD, "other")
    set_up("email", **MAIL, password="", remove="password")
    assert "password" not in stored("email")


def test_what_does_not_fit_is_said_in_place_and_what_was_written_stays(
    console: Console, organisation: Any, set_up: Any
) -> None:
    answer = set_up("email", **{**MAIL, "host": "http://smtp", "from": ""}, password=PASSWORD)
    page = html(answer, 422)
    assert "Nothing was saved yet" in page and "Sender is missing." in page
    assert 'value="http://smtp"' in page and PASSWORD not in page
    assert 'id="host-problem"' in page and 'aria-describedby="host-help host-problem"' in page
    organisation.people["root"].language = "zh-hans"
    organisation.people["root"].save()
    assert "必须是主机名" in html(set_up("email", **{**MAIL, "host": "http://smtp"}), 422)
    assert version(organisation, "email") == 0


def test_a_stored_password_goes_nowhere_else(set_up: Any, stored: Callable[[str], Any]) -> None:
    set_up("email", **MAIL, password=PASSWORD)
    page = words(set_up("email", **{**MAIL, "host": "evil.example"}, password=""), 422)
    assert "Password must be given anew" in page
    assert stored("email")["host"] == "smtp.example.com"


def test_who_comes_too_late_sees_what_changed_and_loses_nothing(console: Console, set_up: Any) -> None:
    set_up("email", **MAIL, password=PASSWORD)
    form = {**MAIL, "host": "mine.example.com", "version": 0, "enabled": "on"}
    page = html(console("root").post("/console/channels/email/settings", form), 409)
    assert "Somebody changed this meanwhile" in page
    assert 'value="mine.example.com"' in page and "smtp.example.com" in page
    assert 'name="version" value="1"' in page


def test_a_secret_that_was_made_is_shown_this_once(console: Console, set_up: Any, stored: Any) -> None:
    page = html(set_up("sms", **SMS, access_key_secret=PASSWORD))
    key = stored("sms")["receipt_key"]
    assert page.count(key) == 2  # alone, and at the end of the address for receipts
    assert PASSWORD not in page
    assert key not in html(console("root").get("/console/channels/sms"))
    page = html(set_up("sms", **SMS, remove="receipt_key"))
    assert stored("sms")["receipt_key"] in page and stored("sms")["receipt_key"] != key


# the test message, and how it is doing


@pytest.fixture
def mail_server(local_calls: None) -> Iterator[Any]:
    from tidings.channels.testing.smtp_server import MailServer

    with aside(MailServer()) as server:
        yield server


def test_a_test_message_goes_to_oneself_or_to_a_person_and_says_what_came_of_it(
    console: Console, api: Any, mail_server: Any, set_up: Any
) -> None:
    plain = {"host": "localhost", "port": str(mail_server.port), "security": "none", "from": "notices@example.com"}
    assert "Save the settings first" in words(console("root", part=True).post("/console/channels/email/test"))
    set_up("email", **plain, enabled="off")
    nobody = words(console("root", part=True).post("/console/channels/email/test", {"to": ""}))
    assert "root cannot be reached by this channel. No address is set for this method" in nobody
    api("root").put("/users/root/notification-settings", {"email": "root@example.com"})
    sent = words(console("root", part=True).post("/console/channels/email/test", {"to": "root"}))
    assert "The test message was sent." in sent and "250" in sent
    assert [mail.recipient for mail in mail_server.mails] == ["root@example.com"]
    assert "Nobody here has the login nix." in words(
        console("root", part=True).post("/console/channels/email/test", {"to": "nix"})
    )
    assert 'value="bo"' in html(console("root", part=True).get("/console/people-found?to=Bo"))
    # Without a script the page comes back with it.
    assert "The test message was sent." in words(console("root").post("/console/channels/email/test", {"to": "root"}))


def test_limits_are_said_and_drawn(console: Console, set_up: Any) -> None:
    set_up("dingtalk", app_key="dingapp", app_secret=PASSWORD, provider="work_notification", agent_id="1")
    page = html(console("carol", part=True).get("/console/channels/dingtalk/now?part=limits"))
    assert "The whole account" in page and "0 of 5,000 this minute" in page
    assert '<progress value="0" max="5000"' in page
    whole = words(console("carol").get("/console/channels/dingtalk"))
    assert "0 of 5,000 this minute" in whole and "Up to 100 people who are told the same share one call." in whole


def test_one_channel_takes_as_many_queries_however_many_use_it(
    console: Console, organisation: Any, database: str, set_up: Any
) -> None:
    from tests.api.given import event, happen
    from tests.delivery.given import reach

    set_up("dingtalk", app_key="dingapp", app_secret=PASSWORD, provider="work_notification", agent_id="1")
    root = console("root")
    root.get("/console/channels/dingtalk")
    with queries() as before:
        root.get("/console/channels/dingtalk")
    reach(organisation, "ann", "bo", channel="webhook")
    happen(organisation, database, *(event(to=login) for login in ("ann", "bo") * 5))
    with queries() as after:
        root.get("/console/channels/dingtalk")
    assert len(after) == len(before) <= 14


# who may


def test_dbas_look_and_administrators_change(console: Console, set_up: Any) -> None:
    set_up("email", **MAIL, password=PASSWORD)
    page = html(console("carol").get("/console/channels/email"))
    assert 'name="host"' not in page and "smtp.example.com" not in page
    for path in ("settings", "switch", "fields", "test"):
        assert console("carol").post(f"/console/channels/email/{path}").status_code == 403
    for login in ("ann", "eve"):
        assert console(login).get("/console/channels").status_code == 403
    assert console("mallory").get("/console/channels/email").content.decode().count("smtp.example.com") == 1  # the hint
    assert console("root").get("/console/channels/fax").status_code == 404


def test_only_budgets_that_are_used_up_in_good_part_are_worth_a_look() -> None:
    from tidings.console.channels.words import worth_a_look
    from tidings.delivery.limits import Limit

    def limit(of: str, used: int) -> Limit:
        return Limit(of, "dingtalk_daily_limit", used, 500, timedelta(days=1), None)

    shown = worth_a_look([limit("a", 400), limit("b", 300), limit("c", 125), limit("", 9), limit("d", 124)], at_most=2)
    assert [(gauge.of, gauge.used) for gauge in shown] == [("", 9), ("a", 400), ("b", 300)]
