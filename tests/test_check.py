"""`tidings check`: what an operator is told before people notice, and what would help."""

import importlib
from datetime import timedelta
from typing import Any

import pytest
from tests.delivery.given import reach

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


def found(kind: str) -> list[str]:
    from tidings.check import findings

    return [each.text for each in findings() if each.id == kind]


@pytest.fixture
def alone(database: str) -> None:
    """No tenant but those of the test."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE accounts_tenant CASCADE")


def test_links_that_lead_to_this_machine_matter_once_people_read_them_elsewhere(alone: None, organisation: Any) -> None:
    from tidings.channels.models import ChannelSetting

    reach(organisation, "ann")
    assert found("base_url.local") == []
    ChannelSetting.objects.create(tenant=organisation.tenant, channel="email", enabled=True, sealed=b"")
    [told] = found("base_url.local")
    assert "http://127.0.0.1:8420" in told


def test_a_base_url_of_ones_own_is_taken_as_it_is_meant() -> None:
    settings = importlib.import_module("tidings.kernel.settings")
    environment = {"TIDINGS_DATABASE_URL": "postgresql://x/tidings", "TIDINGS_SECRET_KEYS": "k" * 32}
    for given, meant in (
        ("", "http://127.0.0.1:8420"),
        ("https://Tidings.Example.com/", "https://tidings.example.com"),
        ("http://10.0.0.1:8420/tidings/", "http://10.0.0.1:8420/tidings"),
    ):
        assert settings.read_settings({**environment, "TIDINGS_BASE_URL": given}).base_url == meant


def test_added_users_who_are_gone_are_counted_in_words(alone: None, organisation: Any) -> None:
    from tidings.directory.members import see_off
    from tidings.kernel.versions import Expected
    from tidings.rules.change import Wanted, change_rule

    root, code = organisation.caller(), "data_change.approved"
    change_rule(root, code, Wanted(additional_users=("bo", "eve")), Expected(1))
    for login, says in (("bo", "adds one person who is gone."), ("eve", "adds 2 people who are gone.")):
        see_off(root, login, Expected())
        [told] = found("rules.user_gone")
        assert told.endswith(f"{code} {says}")


def test_housework_that_nobody_does_shows(database: str, organisation: Any) -> None:
    from django.db import connection

    from tidings.kernel.clock import now
    from tidings.kernel.ids import first_at

    assert len(found("content.no_partition")) == 2
    with connection.cursor() as cursor:
        for day in (1, 2):
            cursor.execute(
                f"DO $$ BEGIN EXECUTE format('CREATE TABLE events_body_%s PARTITION OF events_body FOR VALUES FROM (%L) TO (%L)',"
                f" to_char(current_date + {day}, 'YYYYMMDD'), current_date + {day}, current_date + {day + 1}); END $$"
            )
        assert found("content.no_partition") == []
        old = first_at(now() - timedelta(days=93))
        cursor.execute(
            "INSERT INTO events_event (id, tenant_id, source, source_id, type, time, subject_id, number, hash)"
            " VALUES (%s, %s, 'dms', 'old', 'data_change.successful', now(), %s, 1, '')",
            (old, organisation.id, old),
        )
    [text] = found("records.behind")
    assert text.endswith("are kept for 90 days.")


def test_a_delivery_that_has_been_due_for_long_is_named(database: str, organisation: Any) -> None:
    from django.db import connection

    key = "01900000-0000-7000-8000-000000100002"
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO delivery_delivery"
            " (id, tenant_id, person_id, subject_id, number, contact_point_id, channel, state, due_at)"
            " VALUES (%s, %s, %s, %s, 1, %s, 'webhook', 'pending', now() - interval '25 minutes')",
            (key, organisation.id, key, key, key),
        )
    assert found("deliveries.overdue") == [f"A delivery has been due for 25 minutes: {key}."]


def test_a_bus_that_speaks_for_nobody_is_named(
    organisation: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tidings.kernel.settings import settings

    organisation.source_token("lake")
    buses = tmp_path / "buses.toml"
    monkeypatch.setenv("TIDINGS_BUSES", str(buses))
    settings.cache_clear()
    entry = '[[bus]]\nname = "{0}"\nkind = "redis"\nurl = "redis://127.0.0.1"\nstream = "x"\nsource = "{1}"\ntenant = "{2}"\n'
    tenant = organisation.tenant.name
    of = [("good", "lake", tenant), ("a", "pond", tenant), ("b", "lake", "nobody")]
    buses.write_text("".join(entry.format(*each) for each in of))
    assert found("buses.no_source") == [f"The bus a speaks for the source 'pond' of {tenant}, which is not there."]
    assert found("buses.no_tenant") == ["The bus b is of the tenant 'nobody', which is not there."]
    buses.write_text("[[bus]]")
    [said] = found("buses.file")
    assert "does not fit" in said
    buses.write_text(entry.format(*of[0]).replace("127.0.0.1", "127.0.0.1:99999"))
    [said] = found("buses.file")
    assert "the url of good has no host, or an impossible port" in said
    settings.cache_clear()
