"""Who would be told? Each person, why and how, or why not, and what they would read."""

import json
from collections.abc import Callable
from html import unescape
from typing import Any
from uuid import UUID

import pytest
from tests.api.given import event, happen, lose_content, queries
from tests.conftest import Organisation
from tests.console.test_rules import change, text_of
from tests.delivery.given import reach

APPROVED, WAITS = "data_change.approved", "data_change.pending_approval"
PREVIEW = "/console/preview"
Console = Callable[..., Any]


def asks(**people: Any) -> dict[str, Any]:
    return event(
        type=WAITS, people={"submitter": "ann", "approvers": ["bo"]} | people, resources=[{"instance": "rm-orders"}]
    )


def test_what_happened_lately_is_there_to_choose(console: Console, organisation: Organisation, database: str) -> None:
    happened, other = happen(organisation, database, asks(), event(type=APPROVED))
    body = console("carol").get(PREVIEW).content.decode()
    assert f"?event={happened}" in body and f"?event={other}" in body
    body = console("carol").get(PREVIEW, {"type": WAITS}).content.decode()
    assert f"event={happened}" in body and f"event={other}" not in body
    assert "No such event came in lately" in text_of(console().get(PREVIEW, {"type": "data_export.failed"}))
    assert "No event came in lately" in text_of(console("mallory").get(PREVIEW))


def test_each_person_is_shown_with_why_and_how_or_why_not(
    console: Console, organisation: Organisation, database: str
) -> None:
    from tidings.directory.models import Resource

    reach(organisation, "bo")
    organisation.people["eve"].active = False
    organisation.people["eve"].save()
    Resource.objects.create(tenant=organisation.tenant, instance="rm-orders", dba=organisation.people["carol"])
    change(organisation, event_type=WAITS, optional_roles=["instance_dba", "related_person"], additional_users=["eve"])
    [happened] = happen(organisation, database, asks(approvers=["bo", "zoe"]))
    said = text_of(console().get(PREVIEW, {"event": str(happened)}))
    assert "Bo bo · Approver Webhook" in said
    assert "Carol carol · Instance DBA of rm-orders inbox only" in said
    not_told = said.partition("Who is not told")[2]
    assert "eve" in not_told and "zoe" in not_told and "Related Person" in not_told
    assert "Told now and not then" not in said


def test_what_is_otherwise_than_it_was_is_said(console: Console, organisation: Organisation, database: str) -> None:
    change(organisation, event_type=WAITS, additional_users=["dan"])
    [happened] = happen(organisation, database, asks())
    change(organisation, event_type=WAITS, additional_users=["carol"])
    said = text_of(console().get(PREVIEW, {"event": str(happened)}))
    assert "Told now and not then: carol" in said and "Told then and not now: Dan" in said


def test_an_event_in_writing_is_planned_as_it_would_be(console: Console, organisation: Organisation) -> None:
    part = console(part=True)
    said = text_of(part.post(PREVIEW, {"event_json": json.dumps(asks())}))
    assert "Bo bo · Approver inbox only" in said
    # What stands in the box at first can be sent as it is.
    page = console().get(PREVIEW).content.decode()
    sample = unescape(page.partition("<textarea")[2].partition(">")[2].partition("</textarea>")[0])
    assert "Root root · Approver" in text_of(part.post(PREVIEW, {"event_json": sample}))


def test_where_the_rule_is_off_nobody_is_told_and_that_is_said(console: Console, organisation: Organisation) -> None:
    change(organisation, event_type=WAITS, enabled=False)
    said = text_of(console(part=True).post(PREVIEW, {"event_json": json.dumps(asks())}))
    assert "Nobody would be told" in said and "is switched off" in said


def test_a_cloudevent_in_writing_is_understood(console: Console) -> None:
    one = asks()
    envelope = {name: one.pop(name) for name in ("id", "source", "type")}
    written = json.dumps({"specversion": "1.0", **envelope, "data": one})
    assert "Bo bo · Approver" in text_of(console(part=True).post(PREVIEW, {"event_json": written}))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{", "would be refused"),
        ("[]", "would be refused"),
        (
            json.dumps({"id": "1", "type": "data_change.aproved", "subject": {"kind": "ticket", "id": "1"}}),
            "Did you mean",
        ),
        ('"\\ud800"', "would be refused"),
    ],
)
def test_what_would_be_refused_says_why(console: Console, written: str, said: str) -> None:
    assert said in text_of(console(part=True).post(PREVIEW, {"event_json": written}))


def test_what_each_would_read_is_shown_in_their_language_and_as_their_channels_would(
    console: Console, organisation: Organisation
) -> None:
    reach(organisation, "bo")
    organisation.people["bo"].language = "zh-hans"
    organisation.people["bo"].save()
    written = json.dumps(asks())
    said = text_of(console(part=True).post(f"{PREVIEW}/message", {"event_json": written, "login": "bo"}))
    assert "等待" in said and "Webhook" in said
    assert console(part=True).post(f"{PREVIEW}/message", {"event_json": written, "login": "ann"}).status_code == 404


def test_an_event_that_is_gone_or_another_tenants_is_not_shown(
    console: Console, organisation: Organisation, database: str
) -> None:
    [happened] = happen(organisation, database, asks())
    assert console("mallory").get(PREVIEW, {"event": str(happened)}).status_code == 404
    assert console().get(PREVIEW, {"event": str(UUID(int=5))}).status_code == 404
    assert console().get(PREVIEW, {"event": "x"}).status_code == 404
    lose_content()
    assert console().get(PREVIEW, {"event": str(happened)}).status_code == 410


@pytest.mark.parametrize("login", ["ann", "eve"])
def test_only_who_decides_over_rules_looks_ahead(console: Console, login: str) -> None:
    assert console(login).get(PREVIEW).status_code == 403
    assert console(login).post(PREVIEW, {"event_json": "{}"}).status_code == 403
    assert console(login).post(f"{PREVIEW}/message", {"event_json": "{}"}).status_code == 403


def test_nothing_is_kept(console: Console) -> None:
    console().post(PREVIEW, {"event_json": json.dumps(asks())})
    assert "No event came in lately" in text_of(console().get(PREVIEW))


def test_it_costs_the_same_however_many_are_told(console: Console, organisation: Organisation, database: str) -> None:
    client = console()
    [one] = happen(organisation, database, asks())
    client.get(PREVIEW, {"event": str(one)})
    with queries() as few:
        client.get(PREVIEW, {"event": str(one)})
    change(organisation, event_type=WAITS, optional_roles=["dba", "administrator"], additional_users=["dan", "eve"])
    *_, last = happen(organisation, database, *[asks(approvers=["bo", "dan"]) for _ in range(5)])
    with queries() as many:
        client.get(PREVIEW, {"event": str(last)})
    assert len(many) == len(few) <= 16
