"""Calling codes, and whose a number is."""

import pytest

from tidings.channels.contract import InvalidField
from tidings.directory.countries import checked_countries, spelled, within


@pytest.mark.parametrize(
    ("mobile", "inside"),
    [
        ("+8613800138000", True),
        ("+6591234567", True),
        ("+4915112345678", False),
        ("+85291234567", False),
        ("13800138000", False),
    ],
)
def test_a_number_is_of_the_country_it_begins_with(mobile: str, inside: bool) -> None:
    assert within([86, 65], mobile) is inside
    assert not within([], mobile)


def test_codes_are_spelled_as_people_write_them() -> None:
    assert checked_countries(["+86", "44", " +1 ", "+86"]) == [86, 44, 1]
    assert spelled([86, 44]) == ["+86", "+44"]


@pytest.mark.parametrize("text", ["+0", "+9999", "0086", "+800", "+882", "eight"])
def test_what_is_no_countrys_is_refused(text: str) -> None:
    with pytest.raises(InvalidField, match=r"\+86"):
        checked_countries([text])
