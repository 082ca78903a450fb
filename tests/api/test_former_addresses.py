"""Which addresses are to be told that they are used no longer: the verified ones, whoever decided it."""

from typing import Any

import pytest

ME = "/me/notification-settings"
ANNS = "/users/ann/notification-settings"
OLD, NEW = "ann@example.com", "ann@new.example"
URL = "https://hooks.example.com/in/ann"


def _former(organisation: Any) -> list[tuple[str, Any]]:
    from tidings.directory.models import FormerAddress
    from tidings.kernel.secrets import unseal

    rows = FormerAddress.objects.for_tenant(organisation.id).filter(person=organisation.people["ann"]).order_by("id")
    return [(row.channel, unseal(bytes(row.sealed))) for row in rows]


@pytest.mark.parametrize(
    ("login", "path", "body"),
    [
        ("ann", ME, {"email": NEW}),
        ("ann", ME, {"email": None}),
        ("root", ANNS, {"email": NEW}),
        ("root", ANNS, {"email": ""}),
        ("root", "/users/ann", {"email": NEW}),
        ("root", "/users/ann", {"email": None}),
    ],
)
def test_a_verified_address_is_told_whoever_leaves_it(
    api: Any, organisation: Any, login: str, path: str, body: Any
) -> None:
    api("root").put("/users/ann", {"email": OLD})
    assert _former(organisation) == []
    assert api(login).put(path, body).status == 200
    assert _former(organisation) == [("email", {"address": OLD})]


def test_each_channel_tells_its_own_and_with_its_secret(api: Any, organisation: Any) -> None:
    root = api("root")
    secret = root.put(ANNS, {"email": OLD, "webhook": {"url": URL}}).body["webhook"]["secret"]
    api("ann").put(ME, {"email": NEW, "webhook": {"url": URL + "/new"}})
    mail, (channel, webhook) = _former(organisation)
    assert mail == ("email", {"address": OLD})
    assert (channel, webhook["url"], webhook["secret"]) == ("webhook", URL, secret)


def test_an_address_that_never_was_theirs_hears_nothing(api: Any, organisation: Any) -> None:
    ann = api("ann")
    for email in (OLD, NEW, "third@example.com", None):
        ann.put(ME, {"email": email})
    assert _former(organisation) == []


def test_nothing_is_said_while_the_address_stays(api: Any, organisation: Any) -> None:
    root = api("root")
    root.put(ANNS, {"email": OLD, "webhook": {"url": URL}})
    root.put(ANNS, {"methods": ["email"], "email": OLD})
    api("ann").put(ME, {"webhook": {"url": URL, "secret": None}})
    api("ann").put(ME, {"email": OLD})
    assert _former(organisation) == []


def test_a_dead_address_is_not_told(api: Any, organisation: Any) -> None:
    from django.utils import timezone

    from tidings.directory.models import ContactPoint

    api("root").put(ANNS, {"email": OLD})
    ContactPoint.objects.for_tenant(organisation.id).update(disabled_at=timezone.now(), disabled_reason="gone")
    api("ann").put(ME, {"email": NEW})
    assert _former(organisation) == []


def test_what_is_refused_tells_nobody(api: Any, organisation: Any) -> None:
    api("root").put(ANNS, {"email": OLD})
    assert api("ann").put(ME, {"email": NEW, "webhook": {"url": "x"}}).status == 422
    assert api("ann").put(ME, {"email": NEW}, if_match='"0.0"').status == 412
    assert _former(organisation) == []


def test_the_record_says_who_changed_it(api: Any, organisation: Any) -> None:
    from tidings.audit.models import Change

    api("root").put("/users/ann", {"email": OLD})
    api("ann").put(ME, {"email": NEW})
    change = Change.objects.for_tenant(organisation.id).get(kind="notification_settings", key="ann")
    assert (change.actor, change.after["contact_points_changed"]) == ("ann", ["email"])
    was, now = (each["contact_points"]["email"] for each in (change.before, change.after))
    assert (was["address"], was["verified"]) == ("a***@example.com", True)
    assert (now["address"], now["verified"]) == ("a***@new.example", False)
