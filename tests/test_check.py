"""`tidings check` finds the people whom nothing but the inbox reaches, and says what would help each of them."""

from typing import Any

URL = "https://hooks.example.com/in/ann"
MAIL = {"host": "smtp.example.com", "security": "none", "port": 25, "from": "notices@example.com"}


def _people(organisation: Any) -> dict[str, str]:
    """Which finding names whom, in this tenant."""
    from tidings.check import findings

    found = {one.id: one for one in findings() if one.text.startswith(f"{organisation.tenant.name}:")}
    return {id: one.text for id, one in found.items() if id.startswith("people.")}


def test_who_only_has_to_verify_is_told_apart_from_who_chose_nothing(api: Any, organisation: Any) -> None:
    root = api("root")
    root.put("/channels/email", {"enabled": True, "settings": MAIL})
    root.put("/channels/webhook", {"enabled": True, "settings": {}})
    api("ann").put("/me/notification-settings", {"methods": ["email"], "email": "ann@home.example"})
    # Something else reaches bo; dan's address is on no method he selected; carol is confirmed.
    bo = {"methods": ["email", "webhook"], "email": "bo@home.example", "webhook": {"url": URL}}
    api("bo").put("/me/notification-settings", bo)
    root.put("/users/bo/notification-settings", {"webhook": {"url": URL}})
    api("dan").put("/me/notification-settings", {"methods": ["webhook"], "email": "dan@home.example"})
    root.put("/users/carol/notification-settings", {"methods": ["email"], "email": "carol@example.com"})
    found = _people(organisation)
    assert found["people.unverified"].endswith("only the inbox reaches ann.")
    assert found["people.unreachable"].endswith("reaches dan, eve, root.")


def test_the_hint_names_the_calls_that_help() -> None:
    from tidings.check import KINDS

    level, hint = KINDS["people.unverified"]
    assert level == "warning"
    assert "/me/contact-points/" in hint
    assert "/users/" in hint


def test_an_address_that_is_switched_off_is_not_waiting_to_be_verified(api: Any, organisation: Any) -> None:
    from django.utils import timezone

    from tidings.directory.models import ContactPoint

    api("root").put("/channels/email", {"enabled": True, "settings": MAIL})
    api("ann").put("/me/notification-settings", {"methods": ["email"], "email": "ann@home.example"})
    ContactPoint.objects.for_tenant(organisation.id).update(disabled_at=timezone.now(), disabled_reason="gone")
    assert "people.unverified" not in _people(organisation)
