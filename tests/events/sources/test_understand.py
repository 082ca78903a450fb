"""What adapters share: people, links and zones out of texts that may say anything."""

from datetime import UTC, datetime

import pytest

from tidings.channels.contract import InvalidField
from tidings.events.event import PersonKey
from tidings.events.sources.understand import incomplete, link, page, people
from tidings.events.sources.zone import checked_zone, zone


def test_people_are_named_by_address_or_login_each_once() -> None:
    assert people(["ann, bo@example.com", None, " ann ,,"]) == ["ann", PersonKey(email="bo@example.com")]


def test_the_steps_of_a_page_are_quoted_and_none_may_be_missing() -> None:
    assert page("https://a.example.com/", "runs", "x/../y?") == "https://a.example.com/runs/x%2F..%2Fy%3F"
    assert page("https://a.example.com", "runs", " ") == ""
    assert page("", "runs", "1") == ""


@pytest.mark.parametrize("said", ["", "javascript:alert(1)", "https://a.example.com/ b", "https://a.co/" + "a" * 2_000])
def test_what_no_subject_may_have_is_no_link(said: str) -> None:
    assert link(said) == ""


def test_what_is_missing_is_named() -> None:
    parked = incomplete({"run": 0, "job": " ", "status": None}, {"job": ""})
    assert parked and parked.detail == "job and status missing: nobody can say what changed."


@pytest.mark.parametrize("name", ["Shanghai", "", "../etc/passwd", "Asia", "Asia/\0", "+8", "+25:00", "\u0661"])
def test_a_zone_is_one_that_exists(name: str) -> None:
    with pytest.raises(InvalidField, match="is no time zone"):
        checked_zone(name)


@pytest.mark.parametrize("name", ["Asia/Shanghai", "+08:00"])
def test_a_zone_has_a_name_or_an_offset(name: str) -> None:
    there = zone(checked_zone(name))
    assert datetime(2026, 11, 26, 8, tzinfo=there) == datetime(2026, 11, 26, tzinfo=UTC)
