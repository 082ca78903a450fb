"""What a message may say of an event's people: names and logins, never an address. Pure."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace
from tests.planning.given import SUCCESS, event, member

from tidings.catalog.features import built_in
from tidings.delivery.job import Story
from tidings.directory.people import people_of
from tidings.events.event import PersonKey
from tidings.messages.compose import compose
from tidings.messages.document import SOMEBODY, Reader
from tidings.planning.facts import involve

KNOWN = people_of(
    [
        member("ann", name="Ann Lee", email="ann@example.com", mobile="+4915112345678", external_id="u-1"),
        member("bo", name="", email="bo@example.com"),
    ]
)
EVERY_KEY = [
    "ann",
    PersonKey(email="Ann@Example.com"),
    PersonKey(mobile="+4915112345678"),
    PersonKey(external_id="u-1"),
]
ADDRESSES = [
    PersonKey(email="zoe@example.com"),
    PersonKey(mobile="+4915199999999"),
    PersonKey(external_id="zoe@example.com"),
    "zoe@example.com",
    "+4915199999999",
    "+49 (151) 999-99999",
    "13912345678",
    "0151 99999999",
]


def story(actor: Any = None, **people: Any) -> Story:
    sent = replace(event(SUCCESS), actor=actor)
    sent = replace(sent, people=replace(sent.people, **people))
    at = datetime(2026, 11, 23, tzinfo=UTC)
    return Story(uuid4(), sent, at, built_in().event_types[SUCCESS], involve(sent, KNOWN))


def told(one: Story, language: str = "en") -> dict[str, str]:
    """The facts about people, as they are read."""
    facts = compose(one.occasion, Reader("bo", "Bo", language, "UTC", ())).facts
    return {fact.label: fact.value for fact in facts if fact.key in ("submitter", "actor")}


@pytest.mark.parametrize("ref", EVERY_KEY)
def test_whoever_did_it_is_called_by_their_name_however_the_event_names_them(ref: Any) -> None:
    one = story(actor=ref, submitter="bo", approvers=[ref])
    assert (one.occasion.submitter, one.occasion.actor, one.occasion.approvers) == ("bo", "Ann Lee", ("Ann Lee",))
    assert told(one) == {"Submitter": "bo", "Done by": "Ann Lee"}


def test_whoever_did_it_themselves_is_named_once() -> None:
    assert told(story(actor=PersonKey(email="ann@example.com"), submitter="ann")) == {"Submitter": "Ann Lee"}


def test_an_event_may_name_nobody_or_only_who_did_it() -> None:
    assert told(story()) == {}
    assert told(story(actor="ann")) == {"Done by": "Ann Lee"}


@pytest.mark.parametrize("ref", ADDRESSES)
def test_the_address_of_somebody_nobody_knows_never_goes_out(ref: Any) -> None:
    one = story(actor=ref, submitter=ref, approvers=[ref])
    assert (one.occasion.submitter, one.occasion.actor, one.occasion.approvers) == (SOMEBODY, SOMEBODY, (SOMEBODY,))
    assert told(one) == {"Submitter": "Somebody who is not in the directory"}
    assert told(story(actor=ref), "zh-hans") == {"操作人": "人员目录之外的人"}


@pytest.mark.parametrize(
    ("ref", "shown"),
    [("zoe", "zoe"), (PersonKey(external_id="u-9"), "u-9"), ("1234567", "1234567"), ("2" * 16, "2" * 16)],
)
def test_a_login_and_an_external_id_are_no_addresses(ref: Any, shown: str) -> None:
    assert told(story(actor=ref)) == {"Done by": shown}
