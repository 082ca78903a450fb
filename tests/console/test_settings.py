"""My settings: how I am reached, in which language, and what I would get and why."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.api.given import aside, queries
from tests.api.test_me_codes import last_code, other, pass_time
from tests.console.test_inbox import text
from tests.delivery.given import SECRET

from tidings.channels.testing.smtp_server import MailServer
from tidings.channels.testing.webhook_receiver import Reply, WebhookReceiver

SETTINGS = "/console/settings"
Console = Callable[..., Any]


@pytest.fixture
def mail(api: Any, local_calls: None) -> Any:
    """The tenant's e-mail, switched on and led to a mail server here."""
    with aside(MailServer()) as server:
        settings = {"host": "localhost", "port": server.port, "security": "none", "from": "notices@example.com"}
        assert api("root").put("/channels/email", {"enabled": True, "settings": settings}).status == 200
        yield server


@pytest.fixture
def receiver(api: Any, local_calls: None) -> Any:
    """The tenant's webhooks are on; somebody receives them here."""
    with aside(WebhookReceiver(SECRET)) as server:
        assert api("root").put("/channels/webhook", {"enabled": True, "settings": {}}).status == 200
        yield server


def version(console: Console, login: str = "ann") -> str:
    found = re.search(r'name="version" value="(\d+\.\d+)"', console(login).get(SETTINGS).content.decode())
    assert found
    return found[1]


def act(console: Console, name: str, channel: str, login: str = "ann", **values: Any) -> Any:
    """As htmx posts it: the form comes back."""
    values = {"version": version(console, login), **values}
    return console(login, part=True).post(f"{SETTINGS}/ways/{channel}/{name}", values)


def test_without_any_channel_it_says_who_can_change_that(console: Console) -> None:
    page = text(console("ann").get(SETTINGS))
    assert "No channel is switched on yet" in page
    assert "Not available: your organisation has this channel off." in page


def test_a_mail_address_is_proved_in_place(console: Console, organisation: Any, mail: Any) -> None:
    sent = text(act(console, "address", "email", address="ann@new.example"))
    assert "A code is on its way" in sent
    assert "The six digits that were sent to a***@new.example" in sent
    digits = code_of(mail)
    wrong = text(act(console, "verify", "email", code=other(digits)))
    assert "This is not the code that was sent last." in wrong
    assert "4 tries are left." in wrong
    answer = act(console, "verify", "email", code=digits)
    assert answer["HX-Trigger"] == "methods-changed"
    page = text(answer)
    assert "Switch the channel on to get notifications there." in page
    assert "verified" in page
    assert "is switched on." in text(act(console, "switch", "email", on="on"))
    organisation.people["ann"].refresh_from_db()
    assert organisation.people["ann"].methods == ["email"]


def code_of(mail: Any) -> str:
    import time

    for _ in range(100):
        if mail.taken:
            return last_code(mail)
        time.sleep(0.05)
    raise AssertionError("no code came")


def test_the_codes_field_takes_the_focus_only_when_it_is_its_turn(console: Console, mail: Any) -> None:
    assert field_of(act(console, "address", "email", address="ann@new.example")).endswith("autofocus")
    assert not field_of(console("ann").get(SETTINGS)).endswith("autofocus")
    assert not field_of(act(console, "switch", "sms")).endswith("autofocus")


def field_of(answer: Any) -> str:
    [field] = re.findall(r'<input [^>]* id="code-email"[^>]*? required[^>]*?(?= aria)', answer.content.decode())
    return str(field)


def test_a_code_that_was_just_sent_says_when_the_next_can_be(console: Console, organisation: Any, mail: Any) -> None:
    act(console, "address", "email", address="ann@new.example")
    content = console("ann").get(SETTINGS).content.decode()
    found = re.search(r'data-wait="(\d+)"', content)
    assert found
    assert 50 <= int(found[1]) <= 60
    early = text(act(console, "code", "email", address="ann@new.example"))
    assert "Too many codes were asked for. Again at" in early


def test_after_five_wrong_codes_it_says_until_when_it_is_locked(console: Console, organisation: Any, mail: Any) -> None:
    act(console, "address", "email", address="ann@new.example")
    digits = code_of(mail)
    for _ in range(5):
        answer = act(console, "verify", "email", code=other(digits))
    assert "It is locked until" in text(answer)
    assert "six digits" not in text(answer)
    pass_time(organisation, minutes=61)
    assert "It is locked" not in text(console("ann").get(SETTINGS))


def test_what_cannot_be_an_address_is_said_beside_it(console: Console, mail: Any) -> None:
    answer = act(console, "address", "email", address="nonsense")
    assert 'id="email-address-problem"' in answer.content.decode()
    assert 'value="nonsense"' in answer.content.decode()
    assert "Enter where it should go." in text(act(console, "address", "email", address=" "))


def test_a_webhook_is_saved_its_secret_shown_once_and_then_tried(console: Console, receiver: Any) -> None:
    answer = text(act(console, "address", "webhook", url=receiver.url("/ann"), format="standard"))
    assert "Give the secret to the receiver, then send a test message." in answer
    assert "not verified yet" in answer
    [secret] = re.findall(r"whsec_[A-Za-z0-9+/=]{20,}", answer)
    content = console("ann").get(SETTINGS).content.decode()
    assert secret not in content
    assert "/ann" not in content
    receiver._secret = secret
    tried = act(console, "test", "webhook")
    assert "The test message arrived. Notifications go there from now on." in text(tried)
    # Saved again as it is shown: nothing is lost, nothing made, nothing to be tried.
    kept = re.search(r'id="webhook-url" name="url" value="([^"]+)"', content)
    assert kept
    again = text(act(console, "address", "webhook", url=kept[1], format="standard"))
    assert "Saved. Notifications can go there." in again
    assert len(receiver.arrivals) == 1


def test_a_test_that_fails_says_why_and_what_to_do(console: Console, receiver: Any) -> None:
    receiver.script["/ann"] = [Reply(410)]
    answer = text(act(console, "address", "webhook", url=receiver.url("/ann"), format="standard", secret=SECRET))
    assert "The test message was refused." in answer
    assert "not verified yet" in answer
    assert "whsec_" not in answer.replace("&quot;whsec_&quot;", "")


def test_an_address_is_taken_away(console: Console, receiver: Any) -> None:
    act(console, "address", "webhook", url=receiver.url("/ann"), format="standard", secret=SECRET)
    answer = text(act(console, "remove", "webhook"))
    assert "This address is taken away" in answer
    assert "no address" in answer


def test_two_windows_do_not_lose_an_edit(console: Console, mail: Any) -> None:
    seen = version(console)
    act(console, "switch", "email", on="on")
    late = act(console, "switch", "email", version=seen)
    assert "Somebody changed this meanwhile." in text(late)
    assert "checked" in late.content.decode()


def test_without_script_it_works_by_forms_and_pages(console: Console, mail: Any) -> None:
    ann = console("ann")
    answer = ann.post(f"{SETTINGS}/ways/email/switch", {"on": "on", "version": version(console)})
    assert (answer.status_code, answer["Location"]) == (302, SETTINGS)
    assert "E-mail is switched on." in text(ann.get(SETTINGS))
    ann.post(f"{SETTINGS}/ways/email/address", {"address": "nonsense", "version": version(console)})
    assert "E-mail: " in text(ann.get(SETTINGS))


def test_language_and_zone_are_chosen_and_the_page_follows(console: Console, organisation: Any) -> None:
    ann = console("ann")
    answer = ann.post(
        f"{SETTINGS}/profile", {"language": "zh-hans", "timezone": "Asia/Shanghai", "version": "1"}, follow=True
    )
    page = text(answer)
    assert 'lang="zh-Hans"' in answer.content.decode()
    assert "Language" not in page
    organisation.people["ann"].refresh_from_db()
    assert organisation.people["ann"].timezone == "Asia/Shanghai"
    late = ann.post(f"{SETTINGS}/profile", {"language": "en", "timezone": "UTC", "version": "1"}, follow=True)
    assert 'lang="zh-Hans"' in late.content.decode()
    unknown = {"language": "zh-hans", "timezone": "Mars/Olympus", "version": "2"}
    assert ann.post(f"{SETTINGS}/profile", unknown, follow=True).status_code == 200


def test_what_i_would_get_has_its_reasons(console: Console, api: Any, organisation: Any) -> None:
    root = api("root")
    root.put("/instances/rm-orders", {"dba": "carol"})
    roles = {"optional_roles": ["instance_dba", "dba"], "version": 1}
    root.patch("/rules/data_change.failed", roles)
    root.patch("/rules/data_change.successful", {"enabled": False, "version": 1})
    page = text(console("carol").get(SETTINGS))
    for part in (
        "Instances whose DBA you are: rm-orders",
        "when you submitted it or own it; when it touches an instance whose DBA you are; always: you are a DBA",
        "nobody is: the rule is switched off",
        "no: its rule asks for other roles",
    ):
        assert part in page, part
    assert "when you submitted it" in text(console("ann", part=True).get(f"{SETTINGS}/expectations"))


def test_an_administrator_confirms_addresses_of_others_and_nobody_else_does(
    console: Console, organisation: Any, mail: Any
) -> None:
    from tidings.console.my_settings.sheet import sheet_of

    form = sheet_of(organisation.caller("root"), "bo")
    email = next(way for way in form.ways if way.code == "email")
    assert sorted(email.urls) == ["address", "remove", "switch", "test"]
    url = f"{SETTINGS}/of/bo/ways/email"
    saved = console("root", part=True).post(f"{url}/address", {"address": "bo@example.com", "version": form.version})
    assert "Saved. Notifications can go there." in text(saved)
    assert "Send a code" not in text(saved)
    assert "The test message was taken." in text(console("root", part=True).post(f"{url}/test"))
    for login in ("ann", "carol", "eve", "bo"):
        assert console(login, part=True).post(f"{url}/remove", {"version": "1.1"}).status_code == 403
    assert console("mallory", part=True).post(f"{url}/remove", {"version": "1.1"}).status_code == 404
    away = console("root").post(f"{url}/switch", {"on": "on", "version": "x", "back": "https://evil.example"})
    assert away["Location"] == SETTINGS


def test_it_costs_the_same_whatever_one_has(console: Console, api: Any, organisation: Any) -> None:
    carol = console("carol")
    carol.get(SETTINGS)
    with queries() as few:
        carol.get(SETTINGS)
    for number in range(5):
        api("root").put(f"/instances/rm-{number}", {"dba": "carol"})
    api("root").put("/users/carol", {"email": "carol@example.com", "mobile": "+8613800138009"})
    with queries() as many:
        carol.get(SETTINGS)
    assert len(few) == len(many) <= 12, "\n".join(many)
