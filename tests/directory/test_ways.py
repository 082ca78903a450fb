"""Who is reached, and by what; and for everybody else why not, and what would help."""

from typing import Any

import pytest


@pytest.fixture
def root(api: Any, organisation: Any) -> Any:
    """E-mail is on. bo is reached by it; dan chose two that lead nowhere; eve has an address and chose nothing."""
    client = api("root")
    settings = {"host": "smtp.example.com", "port": 587, "security": "starttls", "from": "notices@example.com"}
    assert client.put("/channels/email", {"enabled": True, "settings": settings}).status == 200
    for login in ("bo", "eve"):
        client.put(f"/users/{login}", {"email": f"{login}@example.com"})
    client.put("/users/bo/notification-settings", {"methods": ["email", "sms"]})
    client.put(
        "/users/dan/notification-settings", {"methods": ["email", "webhook"], "webhook": {"url": "https://a.example/"}}
    )
    return client


def _reached(root: Any, **filters: Any) -> dict[str, Any]:
    return {each["login"]: each["reached"] for each in root.get("/users", **filters).body["items"]}


def test_each_method_leads_somewhere_or_has_a_reason(root: Any) -> None:
    reached = _reached(root)
    assert reached["bo"] == {"by": ["email"], "not_by": [{"channel": "sms", "reason": "channel_off"}], "could": []}
    assert reached["dan"]["not_by"] == [
        {"channel": "email", "reason": "contact_missing"},
        {"channel": "webhook", "reason": "channel_off"},
    ]
    assert reached["eve"] == {"by": [], "not_by": [], "could": ["email"]}


def test_an_address_counts_when_it_is_verified_and_in_use(root: Any, organisation: Any) -> None:
    from django.utils import timezone

    from tidings.directory.models import ContactPoint

    point = ContactPoint.objects.for_tenant(organisation.id).filter(person__login="bo", channel="email")
    point.update(verified_at=None)
    assert _reached(root)["bo"]["not_by"][0] == {"channel": "email", "reason": "contact_unverified"}
    assert "bo" in _reached(root, reachable="false")
    point.update(verified_at=timezone.now(), disabled_at=timezone.now())
    assert _reached(root)["bo"]["not_by"][0] == {"channel": "email", "reason": "contact_disabled"}
    assert "bo" in _reached(root, reachable="false")


def test_people_are_found_by_whether_something_reaches_them(root: Any) -> None:
    assert list(_reached(root, reachable="true")) == ["bo"]
    assert "bo" not in _reached(root, reachable="false")
    assert len(_reached(root, reachable="false")) == 5


def test_what_a_list_says_of_a_person_can_be_written_back(root: Any) -> None:
    bo = next(each for each in root.get("/users").body["items"] if each["login"] == "bo")
    assert root.put("/users/bo", bo).body["version"] == bo["version"]


def test_a_mobile_is_found_by_its_digits_however_they_are_written(root: Any) -> None:
    root.put("/users/ann", {"mobile": "+86 138 0013 8000"})
    for typed in ("0013 8000", "138-0013", "+861380", "138"):
        assert list(_reached(root, q=typed)) == ["ann"], typed
    assert list(_reached(root, q="13")) == []


def test_a_list_takes_as_many_queries_whoever_is_in_it(root: Any, organisation: Any) -> None:
    from tests.api.given import queries

    with queries() as few:
        root.get("/users", limit=2)
    for number in range(50):
        organisation.add(f"p{number}", methods=["email"])
    with queries() as many:
        assert len(root.get("/users", limit=50).body["items"]) == 50
    assert len(few) == len(many) == 4
