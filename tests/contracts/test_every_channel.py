"""What holds for every channel, whoever wrote it."""

import asyncio
import logging
import re
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace
from tests.contracts.hostile import BAD_LINKS, HOSTILE

from tidings.channels.check import MASK, check_values, existing, masked
from tidings.channels.contract import Channel, Outcome, Parcel, Refused, Sent, TryLater
from tidings.channels.field_words import missing_words
from tidings.channels.gallery.pieces import pieces, shapes
from tidings.channels.memory import LocalMemory
from tidings.channels.registry import CHANNELS, UnknownChannel, channel
from tidings.channels.testing.vendor import Row, Vendor
from tidings.kernel.addresses import AddressPolicy
from tidings.kernel.http import Wire
from tidings.kernel.http_errors import AddressRefused, HttpError
from tidings.kernel.problems import Problem
from tidings.messages.document import Document, Fact
from tidings.messages.examples import example, example_types
from tidings.messages.wording import wording

MakeParcel = Callable[..., Parcel]
NOON = datetime(2026, 11, 23, 10, 0, 5, tzinfo=UTC)
IDENTITY = UUID("019a9f5c-2f40-7c31-8a6e-3d5b00000001")
LANGUAGES = ("en", "zh-hans")
# The event type of each class whose payloads are kept as golden files.
GOLDEN = {
    "action": "data_change.pending_approval",
    "info": "schema_design.schema_changed",
    "success": "data_export.successful",
    "failure": "task_orchestration.tasks_failed",
}
REASON = re.compile(r"[a-z][a-z0-9_]*")


@contextmanager
def nothing_leaks(vendor: Vendor, caplog: pytest.LogCaptureFixture) -> Any:
    """No secret in what is raised or logged inside. (`mail` is the log of aiosmtpd, the vendor's side.)"""
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    raised = ""
    try:
        yield
    except Exception as error:
        raised = f"{error!r} {error} {error.__context__!r} {error.__cause__!r}"
        raise
    finally:
        logged = " ".join(record.getMessage() for record in caplog.records if not record.name.startswith("mail"))
        for secret in vendor.secrets:
            assert secret.lower() not in f"{raised} {logged}".lower()


def same_but_for_words(outcome: Outcome, expected: Outcome) -> bool:
    shown = replace(outcome, said="")
    return (replace(shown, provider_id="") if isinstance(shown, Sent) else shown) == expected


# answers


async def test_each_documented_answer_has_its_outcome(
    row: Row, channel: Channel, vendor: Vendor, parcel: MakeParcel, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    assert row.source
    vendor.answer(row.answer)
    with nothing_leaks(vendor, caplog):
        outcome = await channel.send(parcel(), wire)
    assert same_but_for_words(outcome, row.outcome), outcome
    assert outcome.said.isprintable()
    assert len(outcome.said) <= 210
    assert not [secret for secret in vendor.secrets if secret.lower() in repr(outcome).lower()]
    if isinstance(outcome, TryLater | Refused):
        assert REASON.fullmatch(outcome.reason)


def test_what_people_are_told_of_is_said_in_words(code: str, row: Row) -> None:
    """Why an address was switched off, or a channel cannot send, goes into a notice."""
    outcome = row.outcome
    told = (isinstance(outcome, Refused) and outcome.of == "address") or (
        isinstance(outcome, TryLater) and outcome.technical
    )
    if told:
        for language in LANGUAGES:
            assert wording(language).value("reason", outcome.reason), f"{outcome.reason} has no words under [reason]"


async def test_a_vendor_that_is_away_is_tried_again(
    code: str, channel: Channel, vendor: Vendor, parcel: MakeParcel, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    with nothing_leaks(vendor, caplog):
        try:
            outcome = await channel.send(parcel(**vendor.nowhere()), wire)
        except HttpError as error:
            text = f"{error!r} {error}"
            assert not [secret for secret in vendor.secrets if secret in text]
        else:
            assert same_but_for_words(outcome, TryLater("connect_failed"))
            assert outcome.said == "No connection: Connection refused"


async def test_a_network_that_is_not_allowed_is_not_called(
    code: str, channel: Channel, vendor: Vendor, parcel: MakeParcel
) -> None:
    wire = Wire(AddressPolicy())
    with pytest.raises(AddressRefused):
        await channel.send(parcel(), LocalMemory(wire))
    assert vendor.received() == []
    await wire.aclose()


async def test_a_call_that_is_cancelled_leaves_nothing_behind(
    code: str, channel: Channel, vendor: Vendor, parcel: MakeParcel, wire: Wire
) -> None:
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await channel.send(parcel(), wire)
    assert isinstance(await channel.send(parcel(), wire), Sent)


# messages


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_reader_gets_it_all_in_their_language(
    code: str, language: str, channel: Channel, vendor: Vendor, parcel: MakeParcel, wire: Wire, documents: Any
) -> None:
    document: Document = documents[language]
    assert isinstance(await channel.send(parcel(document), wire), Sent)
    [received] = vendor.received()
    parts = {
        "headline": [document.headline],
        "todo": [document.todo],
        "why": [document.why],
        "facts": [fact.value for fact in document.facts],
        "url": [document.url],
    }
    told = [text for part, texts in parts.items() if part in vendor.carries for text in texts]
    for text in (document.occasion.subject_id, document.occasion.title, *told):
        assert text in received.text
    if "headline" not in vendor.carries:  # which says in words what the status says
        assert document.occasion.event_labels[language] in received.text


async def test_a_message_that_was_overtaken_says_so(
    code: str, channel: Channel, vendor: Vendor, parcel: MakeParcel, wire: Wire, documents: Any
) -> None:
    for number, language in enumerate(LANGUAGES):
        await channel.send(parcel(documents[f"{language}-earlier"], identity=UUID(int=IDENTITY.int + number)), wire)
    for received, language in zip(vendor.received(), LANGUAGES, strict=True):
        earlier: str = documents[f"{language}-earlier"].earlier
        current = re.split("[:：]", earlier)[-1].strip()
        assert (earlier if "earlier" in vendor.carries else current) in received.text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", [*GOLDEN, "earlier"])
async def test_the_payload_is_the_golden_one(
    code: str, kind: str, language: str, vendor: Vendor, parcel: MakeParcel, golden: Any
) -> None:
    overtaken = kind == "earlier"
    document = example(GOLDEN["action" if overtaken else kind], language, overtaken=overtaken)
    assert document.tone == ("action" if overtaken else kind)
    whose = code.replace(" (", "-").removesuffix(")")
    golden(f"{whose}-{kind}-{language}.txt", vendor.payload(parcel(document, now=NOON)))


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_example_is_said_in_full(
    code: str, language: str, vendor: Vendor, channel: Channel, parcel: MakeParcel
) -> None:
    """What people write every day needs no cut, but in the title of a text message."""
    for event_type in example_types():
        document = example(event_type, language)
        shown = channel.preview(parcel(document))
        if shown is None:
            pytest.skip(f"{code} shows no preview")
        # A JSON text has no line break, quote or backslash as it stands; none of these texts has any either.
        said = f"{shown.title}\n{shown.text}"
        facts = [f"{fact.label}\n{fact.value}" for fact in document.facts]
        parts = {"headline": [document.headline], "todo": [document.todo], "why": [document.why], "facts": facts}
        for part in vendor.carries & set(parts):
            for line in "\n".join(parts[part]).split("\n"):
                assert line in said, f"{event_type}: {line}"
        assert len(said.encode()) <= vendor.most_bytes


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_preview_shows_what_is_sent(
    code: str, language: str, channel: Channel, vendor: Vendor, parcel: MakeParcel, wire: Wire
) -> None:
    made = parcel(example("data_change.pending_approval", language))
    shown = channel.preview(made)
    if shown is None:
        pytest.skip(f"{code} shows no preview")
    assert isinstance(await channel.send(made, wire), Sent)
    [received] = vendor.received()
    for line in [shown.title, *shown.text.splitlines()]:
        # The lines of an indented JSON text stand in it without their ends.
        assert line.strip().rstrip(",") in received.text
    assert shown.link in received.text
    for field in (*channel.settings, *channel.contact):
        if field.kind == "secret":
            values = [values.get(field.name) for values in (made.settings, made.contact)]
            assert not [value for value in values if value and str(value) in repr(shown)]


def test_every_channel_of_ours_has_examples_that_can_be_shown() -> None:
    """Of which the gallery is made; where there is one form its name is empty."""
    shown = {piece.shape.name for piece in pieces(shapes(CHANNELS), ["data_change.approved"], ["en"])}
    ours = {code for code, one in CHANNELS.items() if type(one).__module__.startswith("tidings.channels.")}
    assert {name.partition("-")[0] for name in shown} == ours


@pytest.mark.parametrize("kind", list(HOSTILE))
async def test_no_text_changes_anything_but_text(
    code: str, kind: str, channel: Channel, vendor: Vendor, parcel: MakeParcel, wire: Wire, english: Document
) -> None:
    english = replace(english, earlier="Earlier status")
    await channel.send(parcel(_with_everywhere(english, "Harmless")), wire)
    hostile_one = _with_everywhere(english, HOSTILE[kind])
    occasion = replace(hostile_one.occasion, subject_id=ids_of(HOSTILE[kind]))
    changed = parcel(replace(hostile_one, occasion=occasion), identity=UUID(int=IDENTITY.int + 1))
    assert isinstance(await channel.send(changed, wire), Sent)
    harmless, hostile = vendor.received()
    assert (hostile.names, hostile.to) == (harmless.names, harmless.to)
    assert harmless.live is not None, "say in its vendors/*.py what of a message is more than text to its reader"
    assert hostile.live == harmless.live
    assert vendor.identity_of(changed) in hostile.identity
    assert (
        not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\u200b]", hostile.text)
        or channel.code == "webhook"
    )


@pytest.mark.parametrize("url", BAD_LINKS)
async def test_no_link_leads_elsewhere_than_it_says(
    code: str, url: str, channel: Channel, vendor: Vendor, parcel: MakeParcel, wire: Wire, english: Document
) -> None:
    """An event with such a URL is refused at the door; one that got in by another way becomes no link, or one that is
    nothing else."""
    bad = replace(english, occasion=replace(english.occasion, url=url))
    none = replace(english, occasion=replace(english.occasion, url=""))
    for number, document in enumerate((bad, none, english)):
        # Of two equal messages of one event some vendors show one.
        occasion = replace(document.occasion, event_id=f"019a9f5c-2f40-7c31-8a6e-{number:04}5b000000")
        made = parcel(replace(document, occasion=occasion), identity=UUID(int=IDENTITY.int + number))
        assert isinstance(await channel.send(made, wire), Sent)
    hostile, without, harmless = (set(received.live or ()) for received in vendor.received())
    assert not [each for each in hostile if re.search(r"(?i)(javascript|data|vbscript|file|dingtalk):", each)]
    assert len(hostile) in (len(without), len(harmless))


async def test_a_message_is_cut_to_what_the_vendor_takes_and_says_so(
    code: str, channel: Channel, vendor: Vendor, parcel: MakeParcel, wire: Wire, english: Document
) -> None:
    url = "https://dms.example.com/".ljust(vendor.longest_link, "a")
    for text in ("工" * 5_000, '<\x01"&' * 1_250, "word " * 1_000):
        giant = replace(
            _with_everywhere(english, text),
            facts=tuple(Fact(f"fact_{number}", text, text) for number in range(200)),
            occasion=replace(
                english.occasion,
                title=text[:500],
                resources=(text[:602],) * 100,
                url=url,
            ),
            reader=replace(english.reader, because=[("instance_dba", text[:200])] * 100),
        )
        assert isinstance(await channel.send(parcel(giant), wire), Sent)
    for received in vendor.received():
        assert received.size <= vendor.most_bytes
        assert vendor.cut_mark in received.text or "…" in received.text
        assert (url in received.text) == ("url" in vendor.carries)
        assert english.occasion.subject_id in received.text


def ids_of(text: str) -> str:
    """What of it an id may be: 1 to 200 characters that are seen."""
    return "".join(each for each in text if each.isprintable())[:200].strip() or "88123"


def _with_everywhere(document: Document, text: str) -> Document:
    """The text wherever people or other systems write, in the sentences in which it stands."""
    occasion = replace(
        document.occasion,
        title=text,
        submitter=text,
        actor=text,
        resources=(text,),
        feature_labels={"en": text, "zh-hans": text},
        event_labels={"en": text, "zh-hans": text},
    )
    return replace(
        document,
        occasion=occasion,
        reader=replace(document.reader, name=text, because=[("instance_dba", text)]),
        headline=f"Waits for approval: {text}",
        facts=(Fact("what", f"What {text}", text), *document.facts),
        todo=f"Approvers, please look at {text}",
        why=f"You get this because you are the instance DBA of {text}",
        link_label=f"See {text}",
        earlier=f"Earlier status, 11:00; now: {text}" if document.earlier else "",
    )


# identity


async def test_every_try_has_the_same_identity_and_other_deliveries_another(
    code: str, channel: Channel, vendor: Vendor, parcel: MakeParcel, wire: Wire, english: Document
) -> None:
    now = datetime.now(UTC)
    for later in (timedelta(0), timedelta(minutes=2)):
        assert isinstance(await channel.send(parcel(now=now + later), wire), Sent)
    occasion = replace(english.occasion, event_id="019a9f5c-2f40-7c31-9a6e-3d5b00100000")
    another = parcel(replace(english, occasion=occasion), identity=UUID("019a9f5c-2f40-7c31-9a6e-3d5b00100001"))
    await channel.send(another, wire)
    # Some vendors see by the identity that they had it before, and a repeat reaches nobody.
    first, *repeats, other = vendor.received()
    assert all(repeat.identity == first.identity for repeat in repeats)
    assert first.identity != other.identity
    assert vendor.identity_of(parcel()) in first.identity
    assert vendor.identity_of(another) in other.identity


# settings


@pytest.mark.parametrize("name", list(CHANNELS))
def test_every_channel_can_be_named_and_is_found_by_its_code(name: str) -> None:
    assert channel(name) is CHANNELS[name]
    assert set(CHANNELS[name].label) == set(LANGUAGES)
    assert CHANNELS[name].contact
    with pytest.raises(UnknownChannel, match=f'no channel "{name}x".*{name}'):
        channel(f"{name}x")


@pytest.mark.parametrize("name", CHANNELS)
def test_every_field_is_said_in_every_language(name: str) -> None:
    fields = (*CHANNELS[name].settings, *CHANNELS[name].contact)
    assert {field.name: [*missing_words(field.words, field.choices, LANGUAGES)] for field in fields} == {
        field.name: [] for field in fields
    }


def test_secrets_are_masked_and_a_masked_one_keeps_what_is_stored(
    code: str, channel: Channel, vendor: Vendor, parcel: MakeParcel
) -> None:
    made = parcel()
    for fields, stored in ((channel.settings, made.settings), (channel.contact, made.contact)):
        shown = masked(fields, stored)
        assert set(shown) == {field.name for field in existing(fields, stored)}
        for field in fields:
            if field.kind == "secret" and stored.get(field.name):
                assert shown[field.name] == MASK
        assert check_values(fields, shown, stored) == stored


SAYS_WHERE = {"host", "port", "security", "endpoint"}


def test_a_secret_is_bound_to_where_it_is_sent(code: str, channel: Channel) -> None:
    """A new channel declares it, or a stolen token of an administrator's moves its secrets to another host. (One that
    we make is shown to whom it is for, and goes nowhere else.)"""
    fields = channel.settings
    where = {field.name for field in fields if field.name in SAYS_WHERE}
    for field in fields:
        if field.kind == "secret" and field.generate is None:
            assert where <= set(field.goes_to), f"{code}: {field.name} says nothing of {where}"
        assert set(field.goes_to) <= {each.name for each in fields}


def test_a_url_of_a_contact_point_is_shown_as_little_as_its_address_is(
    code: str, channel: Channel, parcel: MakeParcel
) -> None:
    """It may hold a token, and settings are read by others than the person."""
    contact = parcel().contact
    for field in channel.contact:
        if field.kind == "url":
            shown = masked(channel.contact, contact)
            assert shown.pop(field.name) == channel.address(contact)
            assert check_values(channel.contact, shown, contact) == contact
            with pytest.raises(Problem, match="errors"):
                check_values(channel.contact, {field.name: "https://elsewhere.example.com/…"}, contact)


def test_unknown_and_wrong_values_are_all_told_at_once(code: str, channel: Channel) -> None:
    for fields in (channel.settings, channel.contact):
        given: dict[str, Any] = {field.name: ["not", "a", "value"] for field in fields if field.when is None}
        with pytest.raises(Problem) as raised:
            check_values(fields, given | {"no_such_field": 1}, {})
        assert raised.value.status == 422
        problems = {problem["field"]: problem["problem"] for problem in raised.value.errors}
        assert set(problems) == set(given) | {"no_such_field"}
        assert all(name in problems["no_such_field"] for name in given)


def test_what_is_shown_of_a_contact_point_lets_nobody_send_to_it(
    code: str, channel: Channel, vendor: Vendor, parcel: MakeParcel
) -> None:
    made = parcel()
    shown = channel.address(made.contact)
    assert shown
    assert not [secret for secret in vendor.secrets if secret in shown]
    assert re.fullmatch(r"\S+:\d+", channel.destination(made.contact, made.settings))
