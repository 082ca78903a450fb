"""What an operator is told before people notice."""

import importlib
from typing import Any

import pytest
from tests.delivery.given import reach


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
    environment = {"TIDINGS_DATABASE_URL": "postgresql://x", "TIDINGS_SECRET_KEYS": "k" * 32}
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
