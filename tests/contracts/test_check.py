"""Values of settings and contact points: what is taken, what is refused, and how it is said."""

from typing import Any

import pytest

from tidings.channels.check import MASK, check_values, existing, masked
from tidings.channels.contract import Field, InvalidField
from tidings.channels.field_words import Words
from tidings.kernel.problems import Problem


def said(help: str) -> Words:
    return Words({"en": "A field"}, {"en": help})


def even(text: str) -> str:
    if int(text) % 2:
        raise InvalidField("must be even")
    return text


FIELDS = (
    Field("name", "text", said("How it is called."), required=True),
    Field("colour", "choice", said("red or blue."), default="red", choices=("red", "blue")),
    Field("size", "number", said("An even number."), default=2, check=even),
    Field("key", "secret", said("The key."), required=True),
    Field("token", "secret", said("Made when you give none."), generate=lambda: "made"),
    Field("page", "url", said("A page.")),
)
STORED = {"name": "old", "colour": "blue", "size": 4, "key": "old-key", "token": "old-token", "page": "https://old/"}


def problems(given: dict[str, Any], stored: dict[str, Any] | None = None) -> dict[str, str]:
    with pytest.raises(Problem) as raised:
        check_values(FIELDS, given, stored or {})
    assert raised.value.status == 422
    return {problem["field"]: problem["problem"] for problem in raised.value.errors}


def test_what_is_given_is_taken_and_what_is_missing_has_its_default() -> None:
    assert check_values(FIELDS, {"name": " n ", "key": " k "}, {}) == {
        "name": "n",
        "colour": "red",
        "size": 2,
        "key": " k ",
        "token": "made",
    }


def test_what_is_not_secret_is_replaced_as_a_whole_and_secrets_are_kept() -> None:
    assert check_values(FIELDS, {"name": "new"}, STORED) == {
        "name": "new",
        "colour": "red",
        "size": 2,
        "key": "old-key",
        "token": "old-token",
    }


@pytest.mark.parametrize("given", [{}, {"key": MASK, "token": MASK}])
def test_a_missing_or_masked_secret_keeps_the_stored_one(given: dict[str, Any]) -> None:
    values = check_values(FIELDS, {"name": "n"} | given, STORED)
    assert (values["key"], values["token"]) == ("old-key", "old-token")


SENT = (
    Field("host", "text", said("Where to."), required=True),
    Field("port", "number", said("Its port."), default=25),
    Field("endpoint", "url", said("Another host.")),
    Field("note", "text", said("Anything.")),
    Field("password", "secret", said("Sent there."), goes_to=("host", "port", "endpoint")),
    Field("key", "secret", said("Signs, and is never sent.")),
)
SENT_STORED = {"host": "mail.example.com", "port": 25, "password": "p", "key": "k"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"host": "evil.example"}, "host"),
        ({"port": 26}, "port"),
        ({"endpoint": "https://evil.example/"}, "endpoint"),
        ({"host": "evil.example", "port": 26}, "host and port"),
    ],
)
@pytest.mark.parametrize("mask", [{}, {"password": MASK}])
def test_a_kept_secret_never_goes_elsewhere(change: dict[str, Any], named: str, mask: dict[str, Any]) -> None:
    given = {"host": "mail.example.com", "key": MASK} | change | mask
    with pytest.raises(Problem) as refused:
        check_values(SENT, given, SENT_STORED)
    [problem] = refused.value.errors
    assert problem["field"] == "password"
    assert f"must be given anew, because {named} will change" in problem["problem"]
    # when it is given, or taken away, it may
    assert check_values(SENT, given | {"password": "new"}, SENT_STORED)["password"] == "new"
    assert "password" not in check_values(SENT, given | {"password": None}, SENT_STORED)


def test_an_endpoint_that_is_taken_back_counts_too() -> None:
    stored = SENT_STORED | {"endpoint": "https://proxy.example.com/"}
    with pytest.raises(Problem, match="errors"):
        check_values(SENT, {"host": "mail.example.com"}, stored)


@pytest.mark.parametrize("change", [{}, {"note": "x"}, {"host": " mail.example.com "}, {"port": "25"}])
def test_what_stays_the_same_keeps_its_secret(change: dict[str, Any]) -> None:
    assert check_values(SENT, {"host": "mail.example.com"} | change, SENT_STORED)["password"] == "p"


def test_without_a_stored_secret_it_may_go_anywhere() -> None:
    assert check_values(SENT, {"host": "other.example.com"}, {"host": "mail.example.com", "port": 25})["port"] == 25


def test_what_is_wrong_is_said_first() -> None:
    with pytest.raises(Problem) as refused:
        check_values(SENT, {"host": "mail.example.com", "port": "many"}, SENT_STORED)
    assert [problem["field"] for problem in refused.value.errors] == ["port"]


@pytest.mark.parametrize("nothing", [None, ""])
def test_null_takes_a_secret_away_or_has_another_made(nothing: Any) -> None:
    assert check_values(FIELDS, {"name": "n", "token": nothing}, STORED)["token"] == "made"
    assert set(problems({"name": "n", "key": nothing}, STORED)) == {"key"}


def test_a_mask_over_nothing_is_refused() -> None:
    assert "nothing is stored" in problems({"name": "n", "key": MASK})["key"]
    assert "nothing is stored" in problems({"name": "n", "key": "k", "token": MASK})["token"]


def test_everything_wrong_is_told_at_once_with_what_to_do() -> None:
    assert problems({"colour": "green", "size": 3, "page": "x", "extra": 1}) == {
        "extra": "is not known here; the fields are: name, colour, size, key, token, page",
        "name": "is missing. How it is called.",
        "colour": "must be one of: red, blue",
        "size": "must be even",
        "key": "is missing. The key.",
        "page": "must be a whole URL, such as https://hooks.example.com/tidings",
    }


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("name", 5, "must be a text"),
        ("name", True, "must be a text"),
        ("name", ["x"], "must be a text"),
        ("name", {"x": 1}, "must be a text"),
        ("name", "x" * 2_001, "longer than 2,000"),
        ("name", "a\nb", "control character"),
        ("name", "a\x00", "control character"),
        ("name", "a\ud800", "control character"),
        ("name", "   ", "is missing"),
        ("key", "a\r\nb", "control character"),
        ("key", 5, "must be a text"),
        ("size", True, "whole number"),
        ("size", 2.0, "whole number"),
        ("size", "2.0", "whole number"),
        ("size", -2, "whole number"),
        ("size", 2**53, "whole number"),
        ("size", "9" * 5_000, "whole number"),
        ("size", "٢", "whole number"),
        ("size", [2], "whole number"),
        ("colour", "RED", "one of: red, blue"),
        ("colour", 1, "must be a text"),
        ("page", 1, "must be a text"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(field: str, value: Any, problem: str) -> None:
    found = problems({"name": "n", "key": "k"} | {field: value})
    assert list(found) == [field]
    assert problem in found[field]


def test_a_number_may_come_from_a_form() -> None:
    assert check_values(FIELDS, {"name": "n", "key": "k", "size": "16"}, {})["size"] == 16


def test_no_secret_is_shown_and_what_is_shown_can_be_put_back() -> None:
    shown = masked(FIELDS, STORED)
    assert shown == STORED | {"key": MASK, "token": MASK}
    assert check_values(FIELDS, shown, STORED) == STORED
    bare = masked(FIELDS, {"name": "n", "left over": "x"})
    assert bare == {"name": "n", "colour": "red", "size": 2, "key": None, "token": None, "page": None}


def test_an_unknown_name_is_not_repeated_at_length() -> None:
    found = problems({"name": "n", "key": "k", "x" * 5_000: 1})
    assert [len(name) for name in found] == [100]


# fields that exist only where another has a certain value

SHOPS = (
    Field("shop", "choice", said("Where it is bought."), default="north", choices=("north", "south")),
    Field("north_key", "secret", said("The key in the north."), required=True, when=("shop", "north")),
    Field("north_page", "url", said("A page there."), when=("shop", "north")),
    Field("south_name", "text", said("How it is called in the south."), required=True, when=("shop", "south")),
    Field("note", "text", said("Anything.")),
)


def told(given: dict[str, Any], stored: dict[str, Any] | None = None) -> dict[str, str]:
    with pytest.raises(Problem) as raised:
        check_values(SHOPS, given, stored or {})
    return {problem["field"]: problem["problem"] for problem in raised.value.errors}


def test_only_the_fields_of_the_chosen_value_exist() -> None:
    assert check_values(SHOPS, {"north_key": "k"}, {}) == {"shop": "north", "north_key": "k"}
    assert check_values(SHOPS, {"shop": "south", "south_name": "s"}, {}) == {"shop": "south", "south_name": "s"}
    assert told({"shop": "south"}) == {"south_name": "is missing. How it is called in the south."}


def test_a_value_for_a_field_that_does_not_exist_is_named_with_what_it_hangs_on() -> None:
    assert told({"shop": "south", "south_name": "s", "north_key": "k", "coal": 1}) == {
        "north_key": "exists only where shop is north, and it is south; leave it out",
        "coal": "is not known here; the fields are: shop, south_name, note",
    }


def test_an_empty_value_for_a_field_that_does_not_exist_is_no_mistake() -> None:
    given = {"shop": "south", "south_name": "s", "north_key": None, "north_page": ""}
    assert check_values(SHOPS, given, {}) == {"shop": "south", "south_name": "s"}


def test_where_the_choice_itself_is_wrong_only_that_is_told() -> None:
    assert told({"shop": "west", "north_key": "k", "south_name": "s"}) == {"shop": "must be one of: north, south"}


def test_what_is_stored_goes_with_the_choice_that_wanted_it() -> None:
    stored = {"shop": "north", "north_key": "k", "note": "n"}
    moved = check_values(SHOPS, {"shop": "south", "south_name": "s", "note": "n"}, stored)
    assert moved == {"shop": "south", "south_name": "s", "note": "n"}


def test_only_fields_that_exist_are_shown_and_they_can_be_put_back() -> None:
    stored = {"shop": "south", "south_name": "s"}
    shown = masked(SHOPS, stored)
    assert shown == {"shop": "south", "south_name": "s", "note": None}
    assert check_values(SHOPS, shown, stored) == stored
    assert list(masked(SHOPS, {})) == ["shop", "north_key", "north_page", "note"]
    assert [field.name for field in existing(SHOPS, stored)] == list(shown)
