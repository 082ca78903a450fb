"""The link at the end of a mail: looking changes nothing, a click stops the mails, and nobody can make a link."""

import base64
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

import pytest

from tidings.kernel import keys
from tidings.kernel.settings import settings
from tidings.preferences.link import read_link, unsubscribe_url

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
MAIL = {"host": "smtp.example.com", "security": "none", "port": 25, "from": "notices@example.com"}


@pytest.fixture
def ann(organisation: Any) -> Any:
    """Has chosen mail and a webhook."""
    from django.utils import timezone

    from tidings.directory.models import ContactPoint
    from tidings.kernel.secrets import seal

    person = organisation.people["ann"]
    ContactPoint.objects.create(
        tenant=organisation.tenant, person=person, channel="email", sealed=seal({"address": "ann@example.com"}),
        shown="a***@example.com", verified_at=timezone.now(),
    )  # fmt: skip
    person.methods = ["email", "webhook"]
    person.save()
    return person


def link_of(person: Any, channel: str = "email") -> str:
    return unsubscribe_url("", person.tenant_id, person.id, channel, {"address": "ann@example.com"})


def client() -> Any:
    from django.test import Client

    return Client()


def methods(person: Any) -> list[str]:
    person.refresh_from_db()
    return list(person.methods)


def changes(organisation: Any) -> list[Any]:
    from tidings.audit.models import Change

    return list(Change.objects.for_tenant(organisation.id).filter(kind="notification_settings"))


class Seen(HTMLParser):
    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fields: dict[str, str] = {}
        self.language = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        about = {name: value or "" for name, value in attrs}
        self.language = about["lang"] if tag == "html" else self.language
        if tag == "input":
            self.fields[about["name"]] = about["value"]


def test_looking_at_the_page_changes_nothing(ann: Any, organisation: Any) -> None:
    for answer in (client().get(link_of(ann)), client().head(link_of(ann)), client().get(link_of(ann) + "?" + "x=1")):
        assert answer.status_code == 200
    page = client().get(link_of(ann)).content.decode()
    assert "No more notifications by e-mail?" in page
    assert "a***@example.com" in page
    assert "ann@example.com" not in page
    assert methods(ann) == ["email", "webhook"]
    assert changes(organisation) == []


def test_the_pages_button_stops_the_mails_and_the_page_says_how_to_come_back(ann: Any, organisation: Any) -> None:
    asked = Seen(client().get(link_of(ann)).content)
    assert asked.fields == ONE_CLICK
    before = organisation.tenant.directory_version
    answer = client().post(link_of(ann), asked.fields)
    assert answer.status_code == 200
    assert "To come back, choose e-mail again" in answer.content.decode()
    assert "form" not in Seen(answer.content).tags
    assert methods(ann) == ["webhook"]
    assert ann.version == 2
    # Nodes hear of it with their next group of events.
    organisation.tenant.refresh_from_db()
    assert organisation.tenant.directory_version == before + 1
    [change] = changes(organisation)
    assert (change.actor, change.action, change.key) == ("unsubscribe link", "unsubscribe", "ann")
    assert (change.before, change.after) == ({"methods": ["email", "webhook"]}, {"methods": ["webhook"]})


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_one_click_in_a_mail_client_does_too(ann: Any, content_type: str) -> None:
    """RFC 8058, 3.2: either form, no cookies, no referrer."""
    if content_type.startswith("multipart"):
        answer = client().post(link_of(ann), ONE_CLICK)
    else:
        answer = client().generic("POST", link_of(ann), b"List-Unsubscribe=One-Click", content_type=content_type)
    assert answer.status_code == 200
    assert methods(ann) == ["webhook"]


def test_a_second_click_finds_it_done(ann: Any, organisation: Any) -> None:
    for _ in range(3):
        assert client().post(link_of(ann), ONE_CLICK).status_code == 200
    assert "Your address is kept" in client().get(link_of(ann)).content.decode()
    assert len(changes(organisation)) == 1
    assert methods(ann) == ["webhook"]


def test_the_old_link_works_again_after_somebody_has_come_back(ann: Any) -> None:
    client().post(link_of(ann), ONE_CLICK)
    methods(ann)
    ann.methods = ["email"]
    ann.save()
    assert "form" in Seen(client().get(link_of(ann)).content).tags
    client().post(link_of(ann), ONE_CLICK)
    assert methods(ann) == []


@pytest.mark.parametrize(
    "body", [b"", b"List-Unsubscribe=Two-Clicks", b"x=1", b"\xff", b'{"List-Unsubscribe":"One-Click"}']
)
def test_any_other_post_only_asks(ann: Any, body: bytes) -> None:
    answer = client().generic("POST", link_of(ann), body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 400
    assert Seen(answer.content).fields == ONE_CLICK
    assert methods(ann) == ["email", "webhook"]


def test_the_page_is_in_the_persons_language(ann: Any) -> None:
    assert Seen(client().get(link_of(ann)).content).language == "en"
    ann.language = "zh-cn"
    ann.save()
    page = client().get(link_of(ann)).content
    assert Seen(page).language == "zh-Hans"
    assert "不再通过邮件通知您吗？" in page.decode()
    assert "请在通知设置中重新选择邮件" in client().post(link_of(ann), ONE_CLICK).content.decode()


@pytest.mark.parametrize("broken", [False, True])
def test_no_page_carries_a_script_is_framed_is_found_or_kept(ann: Any, broken: bool) -> None:
    answer = client().get(link_of(ann) + ("x" if broken else ""))
    assert answer.status_code == (404 if broken else 200)
    assert answer["Content-Type"].startswith("text/html")
    policy = answer["Content-Security-Policy"]
    for rule in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"):
        assert rule in policy
    assert "unsafe" not in policy
    assert (answer["X-Frame-Options"], answer["Referrer-Policy"], answer["Cache-Control"]) == (
        "DENY", "no-referrer", "no-store",
    )  # fmt: skip
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "noindex" in answer["X-Robots-Tag"]
    seen = Seen(answer.content)
    assert not {"script", "img", "link", "iframe", "a"} & set(seen.tags)
    assert b"noindex" in answer.content
    # The style that is allowed is the one that is there.
    import hashlib

    style = answer.content.decode().partition("<style>")[2].partition("</style>")[0]
    assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in policy


def test_what_nobody_signed_leads_nowhere(ann: Any, organisation: Any, other_organisation: Any) -> None:
    token = link_of(ann).rpartition("/")[2]
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))

    def forged(changed: bytes) -> str:
        return "/unsubscribe/" + base64.urlsafe_b64encode(changed).decode().rstrip("=")

    bo, mallory = organisation.people["bo"], other_organisation.people["mallory"]
    wrong = [
        forged(raw[:16] + bo.id.bytes + raw[32:]),
        forged(mallory.tenant_id.bytes + mallory.id.bytes + raw[32:]),
        forged(raw[:72] + b"webhook"),
        forged(raw[:72]),
        forged(raw[:72] + b"\xff"),
        forged(b"x"),
        forged(bytes(len(raw))),
        *(forged(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]) for at in range(0, len(raw), 7)),
        f"/unsubscribe/{token[:-1]}",
        f"/unsubscribe/{token}A",
        "/unsubscribe/%00",
        "/unsubscribe/工单",
        "/unsubscribe/" + "A" * 5_000,
    ]
    for url in wrong:
        for answer in (client().get(url), client().post(url, ONE_CLICK)):
            assert answer.status_code == 404
            assert "This link leads nowhere" in answer.content.decode()
            assert "此链接无效" in answer.content.decode()
    assert methods(ann) == ["email", "webhook"]


def test_no_link_reaches_a_log(ann: Any, caplog: pytest.LogCaptureFixture) -> None:
    client().post(link_of(ann), {"x": "1"})
    client().get(link_of(ann) + "x")
    assert "unsubscribe" not in caplog.text


def test_a_link_of_somebody_who_left_leads_nowhere(ann: Any, organisation: Any) -> None:
    from django.utils import timezone

    ann.departed_at = timezone.now()
    ann.save()
    assert client().post(link_of(ann), ONE_CLICK).status_code == 404
    assert client().get(unsubscribe_url("", organisation.id, uuid4(), "email", {})).status_code == 404
    assert changes(organisation) == []


def test_links_hold_over_a_change_of_keys(ann: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    before, token = settings(), link_of(ann).rpartition("/")[2]
    rotated = replace(before, secret_keys=("n" * 40, *before.secret_keys))
    monkeypatch.setattr(keys, "settings", lambda: rotated)
    link = read_link(token)
    assert link is not None
    assert (link.tenant_id, link.person_id, link.channel) == (ann.tenant_id, ann.id, "email")
    assert link.is_of({"address": "Ann@example.com"})
    monkeypatch.setattr(keys, "settings", lambda: replace(before, secret_keys=("n" * 40,)))
    assert read_link(token) is None


def test_other_methods_are_not_allowed(ann: Any) -> None:
    for method in ("PUT", "DELETE", "PATCH"):
        assert client().generic(method, link_of(ann)).status_code == 405
    assert methods(ann) == ["email", "webhook"]


def test_who_left_is_no_fallback_until_they_choose_the_channel_again(api: Any, ann: Any, organisation: Any) -> None:
    from tidings.directory.models import ContactPoint

    def left() -> bool:
        [point] = ContactPoint.objects.for_tenant(organisation.id).filter(person=ann, channel="email")
        return point.left_at is not None

    api("root").put("/channels/email", {"enabled": True, "settings": MAIL})
    client().post(link_of(ann), ONE_CLICK)
    assert left()
    api("ann").put("/me/notification-settings", {"methods": ["webhook"]})
    assert left()
    api("ann").put("/me/notification-settings", {"methods": ["webhook", "email"]})
    assert not left()


@pytest.mark.parametrize("new", [{"email": "ann@new.example"}, {"email": None}])
def test_a_link_in_a_mail_to_a_former_address_does_nothing_and_says_so(
    api: Any, ann: Any, organisation: Any, new: dict[str, Any]
) -> None:
    """Whoever reads the old mailbox has no say over the new one, and learns nothing of it."""
    link, root = link_of(ann), api("root")
    root.put("/users/ann/notification-settings", new)
    before = len(changes(organisation))
    for answer in (client().get(link), client().post(link, ONE_CLICK)):
        page = answer.content.decode()
        assert answer.status_code == 200
        assert "This address is no longer used here" in page
        assert "new.example" not in page
        assert "form" not in Seen(answer.content).tags
    assert methods(ann) == ["email", "webhook"]
    assert len(changes(organisation)) == before
    root.put("/users/ann/notification-settings", {"email": "ann@example.com"})
    client().post(link, ONE_CLICK)
    assert methods(ann) == ["webhook"]
