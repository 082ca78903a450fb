"""The key of a live stream says who listens; nobody can make or prolong one."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tidings.accounts.live_key import HOLDS, live_key, read_live_key
from tidings.kernel.problems import Problem
from tidings.kernel.settings import settings

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(("login", "sees_all"), [("ann", False), ("carol", True), ("eve", True), ("root", True)])
def test_it_says_who_listens_and_whether_they_see_all(organisation: Any, login: str, sees_all: bool) -> None:
    read = read_live_key(live_key(organisation.caller(login), NOW), NOW)
    assert read is not None
    assert (read.tenant_id, read.person_id) == (organisation.id, organisation.people[login].id)
    assert (read.sees_all, read.made_at) == (sees_all, NOW)


def test_it_ends(organisation: Any) -> None:
    key = live_key(organisation.caller("ann"), NOW)
    assert read_live_key(key, NOW + HOLDS - timedelta(seconds=1)) is not None
    assert read_live_key(key, NOW + HOLDS) is None
    assert timedelta(hours=12) >= HOLDS


def test_not_one_bit_of_it_can_be_changed(organisation: Any) -> None:
    raw = bytearray(base64.urlsafe_b64decode(live_key(organisation.caller("ann"), NOW) + "=="))
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1
        assert read_live_key(base64.urlsafe_b64encode(changed).decode(), NOW) is None


@pytest.mark.parametrize("key", ["", "x", "工", "a" * 5_000, "=" * 93, "AAAA" * 24, "%00"])
def test_what_is_no_key_opens_nothing(key: str) -> None:
    assert read_live_key(key, NOW) is None


def test_it_outlives_a_rotation_of_the_secret_keys(organisation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    key = live_key(organisation.caller("ann"), NOW)
    old = settings().secret_keys[0]
    try:
        monkeypatch.setenv("TIDINGS_SECRET_KEYS", f"{'f' * 40},{old}")
        settings.cache_clear()
        assert read_live_key(key, NOW) is not None
        monkeypatch.setenv("TIDINGS_SECRET_KEYS", "f" * 40)
        settings.cache_clear()
        assert read_live_key(key, NOW) is None
    finally:
        monkeypatch.undo()
        settings.cache_clear()


def test_a_source_has_none(api: Any) -> None:
    answer = api(source="dms").get("/me/live")
    assert (answer.status, answer.code) == (403, "forbidden")


def test_the_api_says_where_to_listen_and_until_when(api: Any, organisation: Any) -> None:
    answer = api("carol").get("/me/live")
    assert answer.status == 200
    address, _, key = answer.body["url"].partition("/live?key=")
    assert address == settings().base_url
    read = read_live_key(key, datetime.now(UTC))
    assert read is not None and read.person_id == organisation.people["carol"].id
    assert datetime.fromisoformat(answer.body["ends_at"]) == read.ends_at


def test_whoever_may_not_read_may_not_listen(organisation: Any) -> None:
    from dataclasses import replace

    with pytest.raises(Problem, match="scope read"):
        live_key(replace(organisation.caller("ann"), scopes=frozenset({"write"})), NOW)
