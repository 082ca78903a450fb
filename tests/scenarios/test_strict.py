"""What is almost right is refused with what would be right, and the same on every call."""

from typing import Any

import pytest
from tests.delivery.given import event
from tests.scenarios.stage import WEB, Answer, Stage, in_django


@pytest.fixture
async def node(empty_stage: Stage) -> Stage:
    await empty_stage.start(WEB)
    return empty_stage


async def as_root(stage: Stage, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    secret = await in_django(lambda: stage.organisation.token("root"))
    return await stage.send(method, f"/api/v1{path}", body, token=secret, **headers)


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/events?typ=data_change.approved", "type"),
        ("/users?limit=1&page=2", "limit"),
        ("/rules?changed=true&enable=true", "enabled"),
        ("/catalog?x", "there are none"),
        ("/users/ann?fields=login", "there are none"),
    ],
)
async def test_a_parameter_that_nobody_knows_is_refused(node: Stage, path: str, known: str) -> None:
    answer = await as_root(node, "GET", path)
    assert (answer.status, answer.body["code"]) == (422, "invalid")
    [error] = answer.body["errors"]
    assert (error["field"] in path, known in error["problem"]) == (True, True)
    assert (await node.send("GET", f"/api/v1{path}", token="nobody")).status == 401


async def test_a_key_that_nobody_knows_is_refused_and_named(node: Stage) -> None:
    for method, path, body, field in (
        ("PUT", "/channels/webhook", {"enabled": True, "setings": {}}, "setings"),
        ("POST", "/channels/webhook/test", {"to": "ann", "cc": "bo"}, "cc"),
        ("PATCH", "/rules/data_change.approved", {"enabled": True}, "version"),
        ("PATCH", "/rules/data_change.approved", {"version": 1, "optional_roles": [7]}, "optional_roles.0"),
        ("PUT", "/users/amy", {"email": 7}, "email"),
        ("POST", "/me/inbox/read", {"ids": ["x"]}, "ids.0"),
        ("GET", "/users?limit=0", None, "limit"),
        ("GET", "/events/x", None, "event_id"),
        ("PUT", "/users/amy", None, "body"),
    ):
        answer = await as_root(node, method, path, body)
        assert (answer.status, [each["field"] for each in answer.body["errors"]]) == (422, [field]), answer.body
        assert "Extra inputs" not in answer.body["errors"][0]["problem"]


async def test_a_channel_can_be_written_back_as_it_is_read(node: Stage) -> None:
    read = await as_root(node, "GET", "/channels/webhook")
    assert (await as_root(node, "PUT", "/channels/webhook", read.body)).status == 200
    other = await as_root(node, "PUT", "/channels/webhook", {"enabled": True, "channel": "email"})
    assert (other.status, other.body["errors"][0]["field"]) == (422, "channel")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/events", "GET, POST"),
        ("GET", "/events/batch", "POST"),
        ("PUT", "/events/batch", "POST"),
        ("GET", "/preview", "POST"),
        ("POST", "/rules", "GET"),
        ("POST", "/users/ann", "DELETE, GET, PUT"),
    ],
)
async def test_a_method_that_is_not_answered_is_told_which_are(
    node: Stage, method: str, path: str, allowed: str
) -> None:
    answer = await as_root(node, method, path, {} if method != "GET" else None)
    assert (answer.status, answer.body["code"], answer.headers["allow"]) == (405, "method_not_allowed", allowed)
    assert allowed in answer.body["detail"]


async def test_what_is_not_there_is_no_method(node: Stage) -> None:
    for method, path in (("POST", "/event"), ("POST", "/events/"), ("GET", "/")):
        answer = await as_root(node, method, path)
        assert (answer.status, answer.body["code"]) == (404, "not_found")


async def test_spaces_around_a_token_are_nobodys(node: Stage) -> None:
    secret = await in_django(lambda: node.organisation.token("root"))
    for spelled in (f"Bearer {secret} ", f"Bearer  {secret}", f"bearer {secret}\t"):
        for method, path, body, status in (("GET", "/users", None, 200), ("POST", "/events", event(), 202)):
            answer = await node.send(method, f"/api/v1{path}", body, authorization=spelled)
            assert answer.status == status, (spelled, path)


@pytest.mark.parametrize(
    ("content_type", "right"),
    [
        ("application/json", True),
        ("Application/JSON; charset=UTF-8", True),
        ('application/json; charset="utf-8"; profile=x', True),
        ("application/jsonfoo", False),
        ("application/json-patch+json", False),
        ("text/plain", False),
        ("application/json; charset=iso-8859-1", False),
        ("application/json; charset=utf-16", False),
    ],
)
async def test_a_body_is_json_in_utf_8_by_its_name_too(node: Stage, content_type: str, right: bool) -> None:
    kind = {"content-type": content_type}
    for method, path, body, status in (
        ("PUT", "/users/amy", {}, (200, 201)),
        ("POST", "/events", event(), (202,)),
        ("POST", "/events/batch", [event()], (202,)),
        ("POST", "/preview", event(), (200,)),
    ):
        answer = await as_root(node, method, path, body, **kind)
        if right:
            assert answer.status in status, answer.body
        else:
            assert (answer.status, answer.body["code"]) == (415, "unsupported_media_type")


async def test_what_nobody_lives_in_is_no_time_zone(node: Stage) -> None:
    for zone, status in (("Factory", 422), ("localtime", 422), ("posixrules", 422), ("Asia/Shanghai", 201)):
        assert (await as_root(node, "PUT", "/users/amy", {"timezone": zone})).status == status
