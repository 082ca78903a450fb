"""The webhook in the format `dms`: what a receiver written for Alibaba Cloud DMS gets."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from tidings.catalog.features import built_in
from tidings.channels.check import MASK, check_values
from tidings.channels.contract import Parcel, Sent, TryLater
from tidings.channels.registry import channel
from tidings.channels.testing.webhook_receiver import Reply, WebhookReceiver
from tidings.channels.webhook.dms import dms_signature, letter
from tidings.channels.webhook.signature import checked_secret
from tidings.kernel.http import Wire
from tidings.kernel.problems import Problem
from tidings.messages.document import Document

IDENTITY = UUID("019a9f5c-2f40-7c31-8a6e-3d5b00000001")
WEBHOOK = channel("webhook")
URL = "https://hooks.example.com/dms"
KEY = "my dms key"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYq="


def parcel(document: Document, url: str = URL, secret: str | None = KEY, **contact: Any) -> Parcel:
    whole = {"url": url, "format": "dms", "secret": secret} | contact
    return Parcel(IDENTITY, document, whole, {}, datetime.now(UTC))


def event_of(document: Document) -> dict[str, Any]:
    body, _ = letter(parcel(document))
    return dict(json.loads(body)["messageEvent"])


# the words


@pytest.mark.parametrize(
    ("event_type", "said"),
    [
        ("data_change.successful", ("工单", "数据变更", "执行成功")),  # the sample of the page
        ("data_change.pending_approval", ("工单", "数据变更", "待审批")),
        ("data_change.failed", ("工单", "数据变更", "执行失败")),
        ("data_change.approved", ("工单", "数据变更", "审批通过")),
        ("schema_design.pending_approval", ("工单", "结构设计", "待审批")),
        ("permission_application.rejected", ("工单", "权限申请", "审批驳回")),
        ("task_orchestration.tasks_failed", ("任务编排", "任务编排", "执行失败")),
        ("data_warehouse_development.tasks_run", ("数仓开发", "数仓开发", "执行成功")),
    ],
)
def test_it_is_said_in_the_words_of_dms(english: Document, event_type: str, said: tuple[str, ...]) -> None:
    event = event_of(in_language(english, event_type, "zh-hans"))
    assert (event["category"], event["module"], event["event"]) == said
    assert event["message"].startswith("【DMS数据管理】")


def test_every_event_type_is_told_apart_in_both_languages(english: Document) -> None:
    for language in ("en", "zh-hans"):
        said = {
            code: tuple(
                event_of(in_language(english, code, language))[name] for name in ("category", "module", "event")
            )
            for code in built_in().event_types
        }
        assert len(set(said.values())) == len(said)
        assert all(all(words) for words in said.values())


def test_a_tenants_own_event_type_is_said_by_its_labels(english: Document) -> None:
    occasion = replace(
        english.occasion,
        event_type="ml_training.converged",
        subject_kind="task_flow",
        feature_labels={"en": "ML training"},
        event_labels={"en": "Converged"},
    )
    event = event_of(replace(english, occasion=occasion, language="zh-hans"))
    assert (event["category"], event["module"], event["event"]) == ("任务编排", "ML training", "Converged")


def test_people_are_named_by_the_ids_that_other_systems_know(english: Document) -> None:
    event = event_of(english)
    assert (event["submitterName"], event["submitterUid"]) == ("Ann Submitter", "1673826650150001")
    assert event["targetUsers"] == event["receivers"] == [{"name": "Bo Approver", "uid": "1673826650150002"}]
    stranger = replace(english, reader=replace(english.reader, uid=""))
    assert event_of(stranger)["targetUsers"] == [{"name": "Bo Approver", "uid": "bo"}]


def test_the_time_is_in_milliseconds(english: Document) -> None:
    moment = datetime(2021, 7, 7, 2, 34, 9, 930_000, UTC)
    assert event_of(replace(english, occasion=replace(english.occasion, time=moment)))["eventTime"] == 1625625249930


# the signature


def test_the_signature_is_the_one_that_is_documented_here() -> None:
    # Worked out with openssl: printf '%s' 'https://hooks.example.com/dms{}' | openssl dgst -sha1 -hmac 'my dms key' ...
    assert dms_signature(KEY, URL.encode() + b"{}") == "CdzSpq5LJqhHffQN0d+usYWtF+8="


async def test_a_plain_key_signs_as_dms_does_and_not_as_standard_webhooks(english: Document, wire: Wire) -> None:
    async with WebhookReceiver(KEY) as receiver:
        assert isinstance(await WEBHOOK.send(parcel(english, receiver.url("/x?y=1")), wire), Sent)
        assert receiver.complaints == []
        [arrival] = receiver.arrivals
    assert arrival.headers["dms-event"] == "Message Hook"
    assert arrival.identity == "msg_019a9f5c2f407c318a6e3d5b00000001"
    assert "webhook-signature" not in arrival.headers


async def test_a_standard_secret_signs_both_ways(english: Document, wire: Wire) -> None:
    async with WebhookReceiver(WHSEC) as receiver:
        contact = parcel(english, receiver.url(), WHSEC, previous_secret="an old plain key")
        assert isinstance(await WEBHOOK.send(contact, wire), Sent)
        assert receiver.complaints == []
        assert receiver.arrivals[0].headers["webhook-signature"].startswith("v1,")


async def test_a_receiver_with_another_key_or_another_url_refuses(english: Document, wire: Wire) -> None:
    async with WebhookReceiver("another key") as receiver:
        outcome = await WEBHOOK.send(parcel(english, receiver.url()), wire)
        assert isinstance(outcome, TryLater)
        assert outcome.reason == "receiver_denied"
        assert receiver.complaints == ["signature: another one"]


async def test_nothing_leaves_unsigned(english: Document, wire: Wire) -> None:
    async with WebhookReceiver(KEY) as receiver:
        for secret in (None, "", "whsec_c2hvcnQ="):
            outcome = await WEBHOOK.send(parcel(english, receiver.url(), secret), wire)
            assert outcome == TryLater("secret_unusable", technical=True)
        assert (receiver.arrivals, receiver.complaints) == ([], [])


async def test_a_try_again_has_the_same_identity(english: Document, wire: Wire) -> None:
    async with WebhookReceiver(KEY, script={"/": [Reply(503), Reply()]}) as receiver:
        for _ in range(2):
            await WEBHOOK.send(parcel(english, receiver.url("/")), wire)
        assert [one.attempt for one in receiver.arrivals] == [1, 2]


# the settings


def checked(given: dict[str, Any], stored: dict[str, Any] | None = None) -> dict[str, Any]:
    return check_values(WEBHOOK.contact, {"url": URL} | given, stored or {})


def test_the_format_is_standard_unless_somebody_says_otherwise() -> None:
    assert checked({})["format"] == "standard"
    with pytest.raises(Problem) as raised:
        checked({"format": "DMS"})
    assert raised.value.errors == [{"field": "format", "problem": "must be one of: standard, dms"}]


def test_dms_takes_any_text_as_its_key_and_makes_one_where_none_is_given() -> None:
    assert checked({"format": "dms", "secret": KEY})["secret"] == KEY
    made = checked({"format": "dms"})["secret"]
    assert checked_secret(made) == made
    with pytest.raises(Problem):
        checked({"format": "dms", "secret": "whsec_c2hvcnQ="})


def test_a_key_of_dms_cannot_be_kept_for_the_standard_format() -> None:
    stored = checked({"format": "dms", "secret": KEY})
    assert checked({"format": "dms", "secret": MASK}, stored)["secret"] == KEY
    with pytest.raises(Problem) as raised:
        checked({"format": "standard", "secret": MASK}, stored)
    [problem] = raised.value.errors
    assert problem["field"] == "secret"
    assert 'must be "whsec_"' in problem["problem"]
    assert KEY not in problem["problem"]
    assert checked({"format": "standard", "secret": None}, stored)["secret"].startswith("whsec_")


def in_language(document: Document, event_type: str, language: str) -> Document:
    known = built_in().event_types[event_type]
    occasion = replace(
        document.occasion,
        event_type=event_type,
        subject_kind=known.subject_kind,
        feature_labels=known.feature_labels,
        event_labels=known.labels,
    )
    return replace(document, occasion=occasion, language=language)
