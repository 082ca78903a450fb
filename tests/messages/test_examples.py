"""The example of each event type: believable, complete, and one of its own."""

import re

import pytest

from tidings.catalog.features import built_in
from tidings.messages.examples import example, example_types, occasion_of
from tidings.messages.wording import LANGUAGES

CHINESE = re.compile(r"[\u3400-\u9fff]")
every = pytest.mark.parametrize("event_type", example_types())


def test_all_58_types_have_one_in_the_order_of_the_catalogue() -> None:
    assert len(example_types()) == 58
    assert list(example_types()) == [code for code in built_in().event_types if not code.startswith("tidings.")]


@every
def test_an_example_is_written_in_the_language_of_its_reader(event_type: str) -> None:
    english, chinese = (example(event_type, language) for language in ("en", "zh-hans"))
    said = (english.headline, english.why, *[value for fact in english.facts for value in (fact.label, fact.value)])
    assert CHINESE.findall("".join(said)) == []
    for text in (chinese.headline, chinese.todo, chinese.why, *[fact.label for fact in chinese.facts]):
        assert CHINESE.search(text)
    assert english.occasion.subject_id == chinese.occasion.subject_id
    assert english.occasion.event_id != chinese.occasion.event_id


@every
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_example_goes_to_the_default_recipient_and_says_all_it_was_given(event_type: str, language: str) -> None:
    document = example(event_type, language)
    assert document.reader.because[0] == (built_in().event_types[event_type].default_role, None)
    assert (document.reader.name in document.occasion.approvers) == event_type.endswith(".pending_approval")
    shown = {fact.key for fact in document.facts}
    assert {"what", "where", "submitter", "when", *document.occasion.details} == shown - {"actor"}
    assert ("actor" in shown) == event_type.endswith((".approved", ".rejected", ".decided"))
    assert not any(fact.value.endswith("…") for fact in document.facts)


def test_no_two_tickets_have_the_same_title() -> None:
    for language in LANGUAGES:
        occasions = [occasion_of(event_type, language) for event_type in example_types()]
        titles = {one.subject_id: one.title for one in occasions}
        assert len(set(titles.values())) == len(titles) > 25


def test_an_example_is_the_same_each_time() -> None:
    assert example("data_change.failed", "en") == example("data_change.failed", "en")


def test_an_overtaken_example_says_so() -> None:
    assert example("data_change.pending_approval", "en", overtaken=True).earlier.endswith("now: Approved")
