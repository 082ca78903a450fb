"""An event is one trace, over nodes and tries, which its sender may have begun and its receiver goes on with. A
collector that is away or hangs delays nobody."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.delivery.given import event
from tests.events.sources.given_dms import body
from tests.scenarios.stage import SERVE, WEB, WORKER, Stage

from tidings.channels.testing.webhook_receiver import Reply
from tidings.node import follow, tracing

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


@dataclass(frozen=True)
class Span:
    name: str
    trace: str
    id: str
    parent: str
    begin: int
    end: int
    error: bool
    attributes: dict[str, Any]


@dataclass
class Collector:
    """What OTLP over HTTP brings, decoded; `raw` as it came."""

    port: int = 0
    raw: list[bytes] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    spans: list[Span] = field(default_factory=list)

    def take(self, body: bytes) -> None:
        self.raw.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services |= {
                one.value.string_value for one in resource.resource.attributes if one.key == "service.name"
            }
            for scope in resource.scope_spans:
                self.spans += [_span(one) for one in scope.spans]

    def of(self, trace: str) -> list[Span]:
        return sorted((one for one in self.spans if one.trace == trace), key=lambda one: (one.begin, one.name))


def _span(one: Any) -> Span:
    kinds = {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in one.attributes}
    return Span(
        one.name,
        one.trace_id.hex(),
        one.span_id.hex(),
        one.parent_span_id.hex(),
        one.start_time_unix_nano,
        one.end_time_unix_nano,
        one.status.code == 2,
        kinds,
    )


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    kept = Collector()

    class Take(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            assert (self.path, self.headers["content-type"]) == ("/v1/traces", "application/x-protobuf")
            kept.take(body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
    kept.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{kept.port}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    yield kept
    server.shutdown()
    server.server_close()


async def comes(stage: Stage, collector: Collector, trace: str, count: int) -> list[Span]:
    await stage.until(lambda: len(collector.of(trace)) >= count, what=f"{count} spans of {trace}")
    return collector.of(trace)


def trace_of(identity: str) -> str:
    return f"{tracing.ids_of(UUID(identity))[0]:032x}"


def tree(spans: list[Span]) -> dict[str, str]:
    """Each span's name, and its parent's; "" where that is none of them."""
    names = {one.id: one.name for one in spans}
    return {one.name: names.get(one.parent, "") for one in spans}


async def test_an_event_is_one_trace_from_its_receipt_to_its_vendor_s_answer(
    empty_stage: Stage, collector: Collector
) -> None:
    stage = empty_stage
    await stage.reachable("ann")
    await stage.start(SERVE)
    content = event(to="ann")
    [identity] = await stage.post(content)
    spans = await comes(stage, collector, trace_of(identity), 5)
    assert tree(spans) == {
        "receive": "",
        "group": "receive",
        "plan and keep": "receive",
        "deliver webhook": "receive",
        "POST": "deliver webhook",
    }
    by_name = {one.name: one for one in spans}
    receive, deliver, call = by_name["receive"], by_name["deliver webhook"], by_name["POST"]
    assert receive.parent == ""
    assert receive.attributes["tidings.event.id"] == deliver.attributes["tidings.event.id"] == identity
    assert (receive.attributes["tidings.source"], receive.attributes["tidings.source_id"]) == ("dms", content["id"])
    assert by_name["plan and keep"].attributes["tidings.group.events"] == 1
    assert receive.begin <= by_name["group"].begin <= by_name["plan and keep"].begin <= receive.end
    assert deliver.begin <= call.begin <= call.end <= deliver.end
    assert abs(receive.begin / 1e9 - time.time()) < 60
    assert (deliver.attributes["tidings.attempt"], deliver.attributes["tidings.outcome"]) == (1, "sent")
    assert call.attributes == {
        "http.request.method": "POST",
        "server.address": "127.0.0.1",
        "server.port": stage.receiver.port,
        "http.response.status_code": 200,
    }
    assert not any(one.error for one in spans)
    # The receiver may go on with it.
    [arrival] = stage.arrived("ann")
    assert arrival.headers["traceparent"] == f"00-{call.trace}-{call.id}-01"
    assert collector.services == {"tidings"}
    # Nothing that is secret, nor what the message says, leaves by this way.
    for hidden in (b"/ann", content["subject"]["title"].encode(), b"whsec_", stage.token.encode()):
        assert not any(hidden in body for body in collector.raw)


@pytest.mark.parametrize("form", ["header", "structured", "binary", "batch"])
async def test_the_sender_s_own_trace_goes_on(empty_stage: Stage, collector: Collector, form: str) -> None:
    stage = empty_stage
    await stage.reachable("ann")
    await stage.start(SERVE)
    content = event(to="ann")
    data = {name: content.pop(name) for name in ("subject", "people")}
    cloud = {"specversion": "1.0", **content, "traceparent": PARENT, "data": data}
    other = PARENT.replace(TRACE, "f" * 32)
    match form:
        case "header":
            answer = await stage.send("POST", "/api/v1/events", content | data, traceparent=PARENT)
        case "structured":  # of the event's own trace and the call's, the event's
            headers = {"content-type": "application/cloudevents+json", "traceparent": other}
            answer = await stage.send("POST", "/api/v1/events", cloud, **headers)
        case "binary":
            headers = {f"ce-{name}": value for name, value in cloud.items() if isinstance(value, str)}
            answer = await stage.send("POST", "/api/v1/events", data, **headers)
        case _:
            headers = {"content-type": "application/cloudevents-batch+json"}
            answer = await stage.send("POST", "/api/v1/events/batch", [cloud], **headers)
    assert answer.status == 202
    spans = await comes(stage, collector, TRACE, 5)
    assert [one.parent for one in spans if one.name == "receive"] == [SPAN]
    assert stage.arrived("ann")[0].headers["traceparent"].startswith(f"00-{TRACE}-")


async def test_tries_are_spans_of_the_same_trace_on_whichever_node(empty_stage: Stage, collector: Collector) -> None:
    stage = empty_stage
    await stage.reachable("ann")
    web = await stage.start(WEB)
    await stage.start(WORKER)
    stage.answers("ann", Reply(503), Reply())
    [identity] = await stage.post(event(to="ann"), at=web)
    await stage.over()
    spans = await comes(stage, collector, trace_of(identity), 7)
    [receive] = [one for one in spans if one.name == "receive"]
    tries = [one for one in spans if one.name == "deliver webhook"]
    assert [(one.parent, one.attributes["tidings.attempt"], one.error) for one in tries] == [
        (receive.id, 1, True),
        (receive.id, 2, False),
    ]
    assert tries[0].attributes["tidings.reason"] == "receiver_unavailable"
    assert len({one.headers["traceparent"] for one in stage.arrived("ann")}) == 2


async def test_what_another_system_pushes_belongs_to_its_trace(empty_stage: Stage, collector: Collector) -> None:
    stage = empty_stage
    await stage.reachable("ann")
    await stage.start(SERVE)
    answer = await stage.send(
        "POST", "/api/v1/sources/dms", body(), **{"dms-event": "Message Hook"}, traceparent=PARENT
    )
    assert (answer.status, len(answer.body["events"])) == (202, 1)
    spans = await comes(stage, collector, TRACE, 3)
    assert [one.parent for one in spans if one.name == "receive"] == [SPAN]


@pytest.mark.parametrize("given", ["", "00-0-0-01", f"00-{'0' * 32}-{SPAN}-01", "x\x7f", "ff" * 5_000])
async def test_a_trace_that_is_none_is_passed_over(empty_stage: Stage, collector: Collector, given: str) -> None:
    stage = empty_stage
    await stage.reachable("ann")
    await stage.start(SERVE)
    cloud = {"specversion": "1.0", **event(to="ann"), "traceparent": given}
    cloud["data"] = {name: cloud.pop(name) for name in ("subject", "people")}
    answer = await stage.send("POST", "/api/v1/events", cloud, **{"content-type": "application/cloudevents+json"})
    assert answer.status == 202
    await comes(stage, collector, trace_of(answer.body["id"]), 5)


async def test_what_is_not_sampled_is_not_sent_and_says_so_to_the_receiver(
    empty_stage: Stage, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    stage = empty_stage
    await stage.reachable("ann")
    await stage.start(SERVE)
    [identity] = await stage.post(event(to="ann"))
    [arrival] = await stage.messages("ann")
    assert arrival.headers["traceparent"].startswith(f"00-{trace_of(identity)}-")
    assert arrival.headers["traceparent"].endswith("-00")
    await asyncio.sleep(0.3)
    assert collector.raw == []


async def test_nodes_decide_alike_what_is_sampled(
    empty_stage: Stage, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    stage = empty_stage
    await stage.reachable("ann")
    web = await stage.start(WEB)
    await stage.start(WORKER)
    await stage.post(*(event(to="ann") for _ in range(40)), at=web)
    await stage.over()
    await stage.until(lambda: len({one.trace for one in collector.spans}) > 5)
    await asyncio.sleep(0.5)
    names: dict[str, set[str]] = {}
    for one in collector.spans:
        names.setdefault(one.trace, set()).add(one.name)
    assert 5 < len(names) < 35
    assert all(len(each) == 5 for each in names.values())


@pytest.mark.parametrize("hangs", [False, True], ids=["closed", "hangs"])
async def test_a_collector_that_is_away_delays_nothing_and_is_not_waited_for(
    empty_stage: Stage, monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    port = silent.getsockname()[1]
    if not hangs:
        silent.close()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "64")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "16")
    stage = empty_stage
    await stage.reachable("ann")
    node = await stage.start(SERVE)
    for _ in range(5):
        answer = await stage.post_batch(*(event(to="ann") for _ in range(50)))
        assert answer.body["accepted"] == 50
    await stage.messages("ann", 250)
    await stage.over()
    began = time.monotonic()
    await node.stop()
    assert time.monotonic() - began < 10
    stage.nodes.remove(node)
    silent.close()


def test_where_no_collector_is_named_nothing_of_it_is_imported() -> None:
    program = (
        "import json, os, sys, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'tidings.kernel.django_settings';"
        "django.setup(); from tidings.node import follow, run; assert follow.follower() is None;"
        "print(json.dumps([name for name in sys.modules if name.startswith(('opentelemetry', 'google', 'requests'))]))"
    )
    environment = {"TIDINGS_DATA_DIR": "/tmp", "TIDINGS_SECRET_KEYS": "x" * 32, "PATH": "/bin"}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert json.loads(ran.stdout) == [], ran.stderr


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_traces_are_off_unless_a_collector_is_named(environment: dict[str, str]) -> None:
    assert follow.follower(environment) is None


def test_a_node_without_the_extra_says_how_to_get_it_and_runs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(sys.modules, "tidings.node.tracing")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.context", None)
    assert follow.follower({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}) is None
    assert "tidings[otel]" in caplog.text
