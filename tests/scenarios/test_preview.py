"""A preview is the record that the event would get: the same shape, however it is asked for, and the same refusals."""

import asyncio
import json
import sys
from typing import Any

import pytest
from tests.cli.conftest import COMMAND, shell
from tests.delivery.given import event
from tests.scenarios.stage import Stage, in_django

APPROVAL = "data_change.pending_approval"


def shape(value: Any) -> Any:
    """Which keys there are, at every depth; lists by all that occurs in them."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return sorted({json.dumps(shape(item)) for item in value})
    return "null or a value"


def content(**more: Any) -> dict[str, Any]:
    people = {"submitter": "ann", "approvers": ["bo", "eve", "zoe"]}
    rest = {"actor": "ann", "resources": [{"instance": "rm-1"}], "details": {"risk": "LOW"}}
    return event(type=APPROVAL, people=people, **rest, **more)


def cloudevent(one: dict[str, Any]) -> dict[str, Any]:
    envelope = {name: one[name] for name in ("id", "source", "type")}
    return {"specversion": "1.0", **envelope, "data": {name: one[name] for name in one if name not in envelope}}


async def explained(url: str, stage: Stage, body: dict[str, Any], *options: str) -> tuple[int, str]:
    """By `tidings explain`, as a process of its own."""
    tenant = ("--tenant", stage.organisation.tenant.name)
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "explain", *tenant, *options, "-", env=shell(url),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=sys.stderr,
    )  # fmt: skip
    said, _ = await process.communicate(json.dumps(body).encode())
    return process.returncode or 0, said.decode()


async def kept(stage: Stage, one: dict[str, Any]) -> dict[str, Any]:
    [event_id] = await stage.post(one)
    await stage.messages("bo")
    await stage.over()
    record = await stage.record(event_id)
    for recipient in record["recipients"]:
        for send in recipient["sends"]:
            send["attempts"] = []
    return record


async def test_preview_explain_and_the_kept_record_have_one_shape(stage: Stage, database: str) -> None:
    one = content()
    foreseen = (await stage.send("POST", "/api/v1/preview", one)).body
    code, said = await explained(database, stage, one, "--json")
    stored = await kept(stage, one)
    assert code == 0
    assert shape(foreseen) == shape(json.loads(said)) == shape(stored)
    bo, eve = foreseen["recipients"]
    assert (bo["login"], bo["name"], eve["skips"]) == ("bo", "Bo", [{"reason": "no_method"}])
    [send] = bo["sends"]
    assert (send["delivery_id"], send["state"], send["reason"], send["attempts"]) == (None, "planned", "", [])
    unforeseeable = {"id", "accepted_at", "number", "content_kept"}
    assert {name for name, value in foreseen["event"].items() if value is None} == unforeseeable | {"fault"}
    same = set(stored["event"]) - unforeseeable - {"time"}
    assert {name: foreseen["event"][name] for name in same} == {name: stored["event"][name] for name in same}


async def test_the_messages_come_with_it_when_they_are_asked_for(stage: Stage) -> None:
    plain = (await stage.send("POST", "/api/v1/preview", content())).body
    assert all("message" not in one for one in plain["recipients"])
    full = (await stage.send("POST", "/api/v1/preview?messages=true", content())).body
    assert all("waits for approval" in one["message"]["headline"] for one in full["recipients"])


async def test_a_cloudevent_is_understood_by_preview_and_explain(stage: Stage, database: str) -> None:
    one = content()
    kind = {"content-type": "application/cloudevents+json"}
    answer = await stage.send("POST", "/api/v1/preview", cloudevent(one), **kind)
    code, said = await explained(database, stage, cloudevent(one), "--json")
    assert (answer.status, code) == (200, 0)
    assert shape(answer.body) == shape(json.loads(said))
    assert json.loads(said)["event"]["source_id"] == one["id"]


async def test_a_rule_that_is_off_tells_nobody(stage: Stage, database: str) -> None:
    await stage.rule(APPROVAL, enabled=False)
    assert await explained(database, stage, content()) == (0, "nobody is told: rule_off\n")


@pytest.mark.parametrize(
    ("who", "body", "status", "code"),
    [
        ("root", {"source": ""}, 422, "invalid_event"),
        ("dms", {"source": "other"}, 403, "wrong_source"),
        ("dms", {"type": "data_change.aproved"}, 422, "unknown_event_type"),
    ],
)
async def test_what_would_be_refused_has_no_preview(
    stage: Stage, who: str, body: dict[str, str], status: int, code: str
) -> None:
    secret = stage.token if who == "dms" else await in_django(lambda: stage.organisation.token(who))
    for path in ("/api/v1/preview", "/api/v1/events"):
        answer = await stage.send("POST", path, content() | body, token=secret)
        assert (answer.status, answer.body["code"]) == (status, code)


@pytest.mark.parametrize(
    ("login", "scope", "status"),
    [
        ("carol", "read", 200),
        ("carol", "write", 403),
        ("carol", "events:write", 403),
        ("root", "read", 200),
        ("root", "events:write", 403),
        ("ann", "read", 403),
    ],
)
async def test_a_person_reads_a_preview_only_with_a_token_that_may_read(
    stage: Stage, login: str, scope: str, status: int
) -> None:
    def token() -> str:
        from tidings.accounts.tokens import create_token

        organisation = stage.organisation
        return create_token(organisation.caller(login), person=organisation.people[login], scopes=[scope])[1]

    answer = await stage.send("POST", "/api/v1/preview", content(), token=await in_django(token))
    assert answer.status == status
