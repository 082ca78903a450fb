"""What acts refuse is said in the reader's language, however long it is."""

from collections.abc import Iterator

import pytest
from django.utils import translation

from tidings.console.spoken import TURNED_AT_MOST, meant, spoken
from tidings.directory.profile import Profile, checked_profile
from tidings.kernel.problems import Problem, invalid


@pytest.fixture(autouse=True)
def in_chinese() -> Iterator[None]:
    with translation.override("zh-hans"):
        yield


def test_a_text_that_was_written_very_long_is_passed_on_as_it_came() -> None:
    written = "has " + ", which is not known" * 100_000
    assert len(written) > TURNED_AT_MOST
    assert spoken(written) == written
    assert meant(invalid(written, code="unheard_of")) == written


def test_what_is_refused_names_no_more_than_a_reader_needs_and_is_said_in_their_language() -> None:
    with pytest.raises(Problem) as refused:
        checked_profile(Profile(roles=[f"no-role-{number}" for number in range(10_000)]))
    problem = str(refused.value.errors[0]["problem"])
    assert len(problem) < 400
    assert spoken(problem) != problem


@pytest.mark.parametrize(
    "expression",
    [
        "body.",
        "body.id]",
        "ticket.id",
        "joi(',', body.a)",
        "join(body.a)",
        "merge()",
        "!" * 100 + "body",
        "(" * 900 + "body" + ")" * 900,
        '`"\\ud800"`',
    ],
)
def test_what_is_wrong_with_an_expression_is_said_in_their_language(expression: str) -> None:
    from tidings.channels.check import check_values
    from tidings.events.sources.registry import ADAPTERS

    with pytest.raises(Problem) as refused:
        check_values(ADAPTERS["json"].options, {"id": expression}, {})
    problem = str(refused.value.errors[0]["problem"])
    assert spoken(problem) != problem
