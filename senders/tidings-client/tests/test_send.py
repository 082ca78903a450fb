"""`Client` against a real Tidings, and against a server that misbehaves."""

from __future__ import annotations

import ast
import json
import pickle
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from tidings_client import Client, Event, People, Refused, Resource, Subject, Unavailable, address_and_token

SOURCES = Path(__file__).parents[1] / "src" / "tidings_client"


def event(number: int = 1, **more: Any) -> Event:
    subject = Subject("ticket", f"88{number}", f"Add index {number}", "https://dms.example.com/tickets/1")
    return Event("data_change.approved", subject, **{"people": People("ann"), **more})


# a real Tidings


def test_an_event_arrives_as_it_was_given(node: Any) -> None:
    name, token = node.source()
    node.person("ann")
    sent = event(
        people=People("ann", ["bo", {"email": "dan@example.com"}], [{"external_id": "7"}]),
        resources=[Resource("rm-orders", "orders", "orders")],
        details={"risk": "LOW", "affected_rows": 120},
        actor="bo",
        id="88123-7",
        time=datetime(2026, 11, 23, 18, 0, tzinfo=timezone(timedelta(hours=8))),
    )
    accepted = Client(node.url, token).send(sent)
    assert not accepted.duplicate
    record = node.record(accepted.id)
    told = record["event"]
    assert (told["type"], told["source"], told["source_id"]) == ("data_change.approved", name, "88123-7")
    assert told["time"].startswith("2026-11-23T10:00:00")
    assert told["resources"] == [{"instance": "rm-orders", "database": "orders", "table": "orders"}]
    assert told["details"] == {"risk": "LOW", "affected_rows": 120}
    assert told["people"]["approvers"] == ["bo", {"email": "dan@example.com"}]
    assert [one["login"] for one in record["recipients"]] == ["ann"]


def test_the_same_event_again_is_a_duplicate_and_has_the_first_id(node: Any) -> None:
    _, token = node.source()
    client, sent = Client(node.url, token), event()
    first, again = client.send(sent), client.send(sent)
    assert (first.id, first.duplicate, again.id, again.duplicate) == (first.id, False, first.id, True)


def test_an_id_that_is_used_for_something_else_is_refused(node: Any) -> None:
    _, token = node.source()
    client = Client(node.url, token)
    client.send(event(id="1"))
    with pytest.raises(Refused) as refused:
        client.send(event(id="1", details={"risk": "HIGH"}))
    assert (refused.value.status, refused.value.code) == (409, "event_id_reused")
    assert "known with other content" in str(refused.value)


def test_more_events_than_a_batch_holds_arrive_in_order_and_bad_ones_are_named(node: Any) -> None:
    name, token = node.source()
    events = [event(number, id=f"b{number}") for number in range(1_205)]
    events[3] = Event("no.such_type", Subject("ticket", "1"), id="b3")
    events[1_101] = Event("data_change.approved", Subject("No Kind", "1"), id="b1101")
    batch = Client(node.url, token).send_many(events)
    assert (batch.accepted, batch.duplicates) == (1_203, 0)
    assert [(one.index, one.code) for one in batch.rejected] == [(3, "unknown_event_type"), (1_101, "invalid_event")]
    arrived = [one["source_id"] for one in node.events(name, 1_203)]
    assert arrived == [one.id for place, one in enumerate(events) if place not in (3, 1_101)]


def test_another_systems_payload_becomes_events_is_parked_or_refused(node: Any) -> None:
    _, token = node.source()
    client = Client(node.url, token)
    message = {"category": "工单", "module": "数据变更", "event": "执行成功", "taskId": "1", "submitterUid": "7"}
    pushed = client.push("dms", {"messageEvent": message})
    assert [one.duplicate for one in pushed.events] == [False]
    assert (pushed.ignored, pushed.parked) == (False, None)
    parked = client.push("dms", {"messageEvent": {**message, "event": "?"}}).parked
    assert parked is not None
    assert parked.reason == "unmapped"
    assert parked.see.startswith("http")
    with pytest.raises(Refused) as refused:
        client.push("no-such", {})
    assert refused.value.status == 404


def test_a_token_that_is_not_known_is_refused_at_once(node: Any) -> None:
    begun = time.monotonic()
    with pytest.raises(Refused) as refused:
        Client(node.url, "tdg_nobody").send(event())
    assert (refused.value.status, refused.value.of_the_event) == (401, False)
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("token", ["tdg_not_to_be_shown\n# comment", "tdg_not_to_be_shown\u2028x", "令牌"])
def test_a_token_that_no_header_can_hold_is_refused_without_being_shown(server: Any, token: str) -> None:
    with pytest.raises(Refused) as refused:
        Client(server.url, lambda: token).send({"type": "x"})
    assert not refused.value.of_the_event
    assert "not_to_be_shown" not in str(refused.value)
    assert server.requests == []


def test_the_command_sends_a_file_or_what_comes_in(node: Any, tmp_path: Path) -> None:
    name, token = node.source()
    one = {"type": "data_change.approved", "subject": {"kind": "ticket", "id": "1"}, "people": {"submitter": "ann"}}
    (tmp_path / "event.json").write_text(json.dumps(one))
    (tmp_path / "token").write_text(token + "\n")
    settings = {"TIDINGS_URL": node.url + "/api/v1/", "TIDINGS_TOKEN_FILE": str(tmp_path / "token")}

    def command(argument: str, given: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        run = [sys.executable, "-c", "from tidings_client.command import main; main()", argument]
        return subprocess.run(run, input=given, env={**settings, **more}, capture_output=True, text=True, check=False)

    assert command(str(tmp_path / "event.json")).stdout == "1 accepted, 0 known already, 0 refused\n"
    several = command("-", json.dumps([one, {**one, "type": "nothing"}]))
    assert several.returncode == 1
    assert "1: unknown_event_type" in several.stderr
    assert command("-", json.dumps(one), TIDINGS_URL="nowhere").returncode == 2
    assert "standard input is no JSON" in command("-", "").stderr
    assert command("-", "[").returncode == 2
    assert command("-", "7").returncode == 2
    assert "TIDINGS_URL is not set" in command("-", "{}", TIDINGS_URL="").stderr
    assert len(node.events(name, 2)) == 2


# a server that misbehaves


def test_what_fails_for_the_moment_is_sent_again_with_the_same_id(server: Any, says: Any) -> None:
    server.script = ["reset", says.answer(503, b"busy"), says.problem(500, "internal_error"), "accept"]
    assert Client(server.url, "t").send({"type": "a.b", "subject": {"kind": "ticket", "id": "1"}}).duplicate is False
    assert len({request.json["id"] for request in server.requests}) == 1
    assert len(server.requests) == 4


def test_retry_after_is_obeyed(server: Any, says: Any) -> None:
    server.script = [says.problem(429, "too_many_events", Retry_After="1"), "accept"]
    Client(server.url, "t").send(event())
    first, second = server.requests
    assert second.at - first.at >= 1


def test_a_retry_after_beyond_our_patience_ends_it(server: Any, says: Any) -> None:
    server.script = [says.problem(503, "unavailable", Retry_After="600")]
    with pytest.raises(Unavailable) as away:
        Client(server.url, "t").send(event())
    assert away.value.after == 600
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "body", "what"),
    [
        (200, b"<html>Sign in to the hotel's network</html>", "something else than Tidings' JSON"),
        (202, b"[]", "something else than Tidings' JSON"),
        (202, b'{"ok": true}', "not Tidings'"),
        (202, b"\xff\xfe", "something else than Tidings' JSON"),
        (202, b"[" * 100_000, "something else than Tidings' JSON"),
    ],
)
def test_what_looks_like_success_and_is_not_tidings_is_no_success(
    server: Any, says: Any, status: int, body: bytes, what: str
) -> None:
    server.script = [says.answer(status, body)]
    with pytest.raises(Unavailable) as away:
        Client(server.url, "t", patience=0).send(event())
    assert what in str(away.value)


@pytest.mark.parametrize("garbage", [b"\0\0\0", b"HTTP/1.1 2", b"HTTP/1.1 202 OK\r\nContent-Length: 50\r\n\r\n{", b""])
def test_garbage_is_not_taken_for_an_answer(server: Any, garbage: bytes) -> None:
    server.script = [garbage]
    with pytest.raises(Unavailable):
        Client(server.url, "t", patience=0).send(event())


def test_neither_silence_nor_dripping_takes_longer_than_the_timeout(server: Any, says: Any) -> None:
    for slow in ("silent", ("drip", says.answer(202, b" " * 1_000)), ("drip", b"HTTP/1.1 202 OK\r\nX: " + b"y" * 900)):
        server.script, begun = [slow], time.monotonic()
        with pytest.raises(Unavailable) as away:
            Client(server.url, "t", timeout=0.5, patience=0).send(event())
        assert 0.4 < time.monotonic() - begun < 2
        assert "did not answer in time" in str(away.value)


def test_a_redirect_is_not_followed_with_the_token(server: Any, says: Any) -> None:
    server.script = [says.answer(301, b"", Location="https://elsewhere.example.com/")]
    with pytest.raises(Refused) as refused:
        Client(server.url, "t").send(event())
    assert "https://elsewhere.example.com/" in refused.value.detail
    assert not refused.value.of_the_event
    assert len(server.requests) == 1


def test_a_proxy_that_lets_less_through_gets_smaller_batches(server: Any, says: Any) -> None:
    server.script = [says.answer(413, b"<html>nginx</html>"), "accept"]
    batch = Client(server.url, "t").send_many([event(number, id=f"p{number}") for number in range(5)])
    assert (batch.accepted, batch.rejected) == (5, [])
    assert server.ids == [f"p{number}" for number in range(5)]
    server.script = [says.problem(413, "body_too_large")]
    batch = Client(server.url, "t").send_many([event(1), event(2)])
    assert [(one.index, one.code) for one in batch.rejected] == [(0, "body_too_large"), (1, "body_too_large")]


def test_large_events_make_small_batches(server: Any) -> None:
    events = [event(number, details={"comment": "x" * 200_000}) for number in range(12)]
    assert Client(server.url, "t").send_many(events).accepted == 12
    assert [len(request.json) for request in server.requests] == [4, 4, 4]
    assert Client(server.url, "t").send_many([]).accepted == 0


def test_events_of_a_batch_that_the_moment_stood_in_the_way_of_are_sent_again_alone(server: Any, says: Any) -> None:
    unavailable = {"index": 1, "code": "unavailable", "detail": "not now"}
    bad = {"index": 2, "code": "invalid_event", "detail": "bad"}
    sums = {"accepted": 1, "duplicates": 0, "rejected": [unavailable, bad]}
    server.script = [says.answer(202, sums), "accept"]
    batch = Client(server.url, "t").send_many([event(number, id=f"m{number}") for number in range(3)])
    assert (batch.accepted, [(one.index, one.code) for one in batch.rejected]) == (2, [(2, "invalid_event")])
    assert [one["id"] for one in server.requests[1].json] == ["m1"]


def test_a_push_carries_the_headers_it_was_given(server: Any) -> None:
    Client(server.url, lambda: " t\n").push("dagster", {"a": "é"}, headers={"X-One": "1"})
    [request] = server.requests
    assert (request.path, request.json) == ("/api/v1/sources/dagster", {"a": "é"})
    assert (request.headers["x-one"], request.headers["authorization"]) == ("1", "Bearer t")


def test_a_source_that_has_a_secret_takes_what_is_signed_with_it(node: Any) -> None:
    name, token = node.source()
    node.call("PUT", f"/sources/{name}/mapping", {"adapter": "archery", "rows": []})
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    node.call("PUT", f"/sources/{name}/secret", {"secret": secret})
    with pytest.raises(Refused) as refused:
        Client(node.url, token).push("archery", {"audit": {}})
    assert (refused.value.code, refused.value.of_the_event) == ("signature_refused", False)
    assert Client(node.url, token, secret=secret).push("archery", {"audit": {}}).parked
    assert Client(node.url, token).push("archery", {"audit": {}}, secret=secret).parked
    node.call("PUT", f"/sources/{name}/secret", {"secret": "plain words that are the key"})
    assert Client(node.url, token, secret="plain words that are the key").push("archery", {"audit": {}}).parked


def test_half_a_character_does_not_cost_the_event(server: Any) -> None:
    Client(server.url, "t").send(event(details={"error": "file \udcff"}))
    assert server.requests[0].json["details"] == {"error": "file ?"}


def test_a_proxy_of_the_environment_is_used_and_no_proxy_heard(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url.replace("http://", "http://me:pass@"))
    Client("http://tidings.invalid:8420/base", "t").send(event())
    [request] = server.requests
    assert request.path == "http://tidings.invalid:8420/base/api/v1/events"
    assert request.headers["proxy-authorization"] == "Basic bWU6cGFzcw=="
    monkeypatch.setenv("no_proxy", "tidings.invalid")
    with pytest.raises(Unavailable):
        Client("http://tidings.invalid:8420", "t", patience=0).send(event())


@pytest.mark.parametrize("url", ["", "tidings.example.com", "ftp://x", "http://", "http://a:b@x", "http://x?a=1"])
def test_what_is_no_address_is_said_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="The address of Tidings"):
        Client(url, "t")


@pytest.mark.parametrize(
    ("said", "base", "token"),
    [
        ("https://t.example.com", "https://t.example.com", ""),
        (" https://t.example.com/ ", "https://t.example.com", ""),
        ("https://t.example.com/api/v1/sources/airflow?token=tdg_x", "https://t.example.com", "tdg_x"),
        ("http://h:8420/tidings/api/v1/sources/airflow?token=a%2Bb", "http://h:8420/tidings", "a+b"),
    ],
)
def test_the_token_may_stand_in_the_address_that_the_console_shows(said: str, base: str, token: str) -> None:
    assert address_and_token(said) == (base, token)


def test_the_whole_address_of_a_source_will_do(server: Any) -> None:
    Client(f"{server.url}/below/api/v1/sources/dms?token=tdg_x").push("dagster", {})
    [request] = server.requests
    assert (request.path, request.headers["authorization"]) == ("/below/api/v1/sources/dagster", "Bearer tdg_x")
    with pytest.raises(ValueError, match="A token of a source is missing"):
        Client(server.url)


def test_what_no_event_can_hold_is_said_at_once() -> None:
    client = Client("http://127.0.0.1:9", "t")
    with pytest.raises(TypeError, match="no JSON"):
        client.send(event(details={"x": object()}))
    with pytest.raises(ValueError):
        client.send(event(details={"x": float("nan")}))
    with pytest.raises(ValueError, match="needs a zone"):
        client.send(event(time=datetime.now()))  # noqa: DTZ005


def test_errors_pass_between_processes() -> None:
    refused = pickle.loads(pickle.dumps(Refused(409, "event_id_reused", "x")))
    assert (refused.status, refused.code, refused.detail) == (409, "event_id_reused", "x")
    assert pickle.loads(pickle.dumps(Unavailable("x", 3.0))).after == 3.0


def test_it_is_written_in_the_python_that_it_promises() -> None:
    for module in SOURCES.glob("*.py"):
        ast.parse(module.read_text("utf-8"), feature_version=(3, 9))
