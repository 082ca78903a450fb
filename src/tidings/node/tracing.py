"""OpenTelemetry traces of each event: received, grouped, planned and kept, each try, each call to a vendor. Imported
only where a collector is named (`follow.py`); needs `tidings[otel]`.

The trace of an event without a `traceparent` of its sender's, and its first span, have ids that follow from the
event's: so any node continues it, at any time, and nothing of it is stored. A sender's is continued by the node that
accepted the event, for as long as it remembers it. Spans are sent by a thread of the SDK's, from a queue that drops
what it cannot hold. Nothing is in them but ids, codes and names of hosts: no address, no content, no path of a URL.
"""

import logging
import os
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from datetime import timedelta
from hashlib import blake2b
from uuid import UUID

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tidings import __version__
from tidings.delivery.enqueue import Keep
from tidings.delivery.job import Job
from tidings.events.group import Submission
from tidings.kernel.addresses import AddressPolicy
from tidings.kernel.http import WHOLE_CALL, Response, Wire
from tidings.kernel.http_errors import HttpError
from tidings.kernel.ids import event_of
from tidings.kernel.urls import UrlRefused, read_url

REMEMBERED = 10_000
"""Events whose senders had a trace of their own."""
STOPS_WITHIN = 2.0
PASSED_ON_BY = "webhook"
"""The one channel whose receivers hear of the trace; it is nothing to a vendor."""
_CHANNEL: ContextVar[str] = ContextVar("channel", default="")
_w3c = TraceContextTextMapPropagator()


class Ids(RandomIdGenerator):
    """Random, but for the one span that is told otherwise."""

    def __init__(self) -> None:
        self.next: tuple[int, int] | None = None

    def generate_trace_id(self) -> int:
        return self.next[0] if self.next else super().generate_trace_id()

    def generate_span_id(self) -> int:
        given, self.next = self.next, None
        return given[1] if given else super().generate_span_id()


class Tracing:
    def __init__(self) -> None:
        self._ids, self._remembered = Ids(), OrderedDict[UUID, SpanContext]()
        own = {"service.version": __version__, "service.instance.id": f"{socket.gethostname()}/{os.getpid()}"}
        if not os.environ.get("OTEL_SERVICE_NAME"):
            own["service.name"] = "tidings"
        provider = TracerProvider(id_generator=self._ids, resource=Resource.create(own), shutdown_on_exit=False)
        self._sampler = provider.sampler
        self._processor = BatchSpanProcessor(OTLPSpanExporter())
        provider.add_span_processor(self._processor)
        self.tracer = provider.get_tracer("tidings", __version__)
        # It would complain of each span that it drops.
        logging.getLogger("opentelemetry").setLevel(logging.ERROR)

    def accepted(self, keep: Keep, submission: Submission, began: float, durable: float, together: int) -> None:
        """Times are those of the loop's clock, which is monotonic."""
        event, wall = keep.incoming.event, time.time_ns() - time.monotonic_ns()
        parent = _w3c.extract({"traceparent": keep.incoming.traceparent}, Context())
        if not get_current_span(parent).get_span_context().is_valid:
            self._ids.next = ids_of(keep.id)
        arrived, kept = wall + int(submission.arrived * 1e9), wall + int(durable * 1e9)
        grouped = wall + int(began * 1e9)
        receive = self.tracer.start_span(
            "receive", parent, SpanKind.SERVER, about(keep.id, keep.tenant_id), start_time=arrived
        )
        self._ids.next = None
        receive.set_attributes(
            {"tidings.event.type": event.type, "tidings.source": event.source, "tidings.source_id": event.id}
        )
        inside = set_span_in_context(receive, Context())
        if receive.is_recording():
            self.tracer.start_span("group", inside, start_time=arrived).end(grouped)
            shared = {"tidings.group.events": together}
            self.tracer.start_span("plan and keep", inside, attributes=shared, start_time=grouped).end(kept)
        receive.end(kept)
        if keep.incoming.traceparent:
            self._remembered[keep.id] = receive.get_span_context()
            if len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)

    def around(self, run: Callable[[Job], Awaitable[None]]) -> Callable[[Job], Awaitable[None]]:
        async def traced(job: Job) -> None:
            event = event_of(job.id)
            known = about(event, job.tenant_id) | {
                "tidings.delivery.id": str(job.id),
                "tidings.channel": job.channel,
                "tidings.attempt": job.attempts + 1,
            }
            _CHANNEL.set(job.channel)
            with self.tracer.start_as_current_span(
                f"deliver {job.channel}", self._of(event), SpanKind.PRODUCER, known, record_exception=False
            ):
                await run(job)

        return traced

    def tried(self, outcome: str, reason: str) -> None:
        """Within what `around` has begun."""
        span = get_current_span()
        span.set_attributes({"tidings.outcome": outcome, "tidings.reason": reason})
        if outcome in ("try_later", "refused"):
            span.set_status(Status(StatusCode.ERROR, reason))

    def wire(self, policy: AddressPolicy) -> Wire:
        return TracedWire(policy, self)

    def stop(self) -> None:
        """What is left is sent, within two seconds or never; blocking."""
        flushing = threading.Thread(target=self._processor.shutdown, daemon=True)
        flushing.start()
        flushing.join(STOPS_WITHIN)

    def _of(self, event: UUID) -> Context:
        """What its receipt was, on whichever node."""
        context = self._remembered.get(event)
        if context is None:
            trace, span = ids_of(event)
            decided = self._sampler.should_sample(None, trace, "receive", SpanKind.SERVER)
            sampled = decided.decision is Decision.RECORD_AND_SAMPLE
            flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
            context = SpanContext(trace, span, is_remote=True, trace_flags=flags)
        return set_span_in_context(NonRecordingSpan(context), Context())


class TracedWire(Wire):
    def __init__(self, policy: AddressPolicy, tracing: Tracing) -> None:
        super().__init__(policy)
        self._tracing = tracing

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        timeout: timedelta = WHOLE_CALL,  # noqa: ASYNC109 - as what it passes it to
    ) -> Response:
        with self._tracing.tracer.start_as_current_span(
            method, kind=SpanKind.CLIENT, attributes=_called(method, url), record_exception=False
        ) as span:
            carrier: dict[str, str] = {}
            if _CHANNEL.get() == PASSED_ON_BY:
                _w3c.inject(carrier)
            try:
                response = await super().request(
                    method, url, headers={**headers, **carrier}, body=body, timeout=timeout
                )
            except HttpError as error:
                span.set_attribute("error.type", error.reason)
                raise
            span.set_attribute("http.response.status_code", response.status)
            if response.status >= 400:
                span.set_status(StatusCode.ERROR)
            return response


def ids_of(event: UUID) -> tuple[int, int]:
    """Of its trace and of its first span. A digest: samplers want ids whose every bit is random."""
    digest = blake2b(event.bytes, digest_size=24, person=b"tidings trace").digest()
    return int.from_bytes(digest[:16]), int.from_bytes(digest[16:])


def about(event: UUID, tenant_id: UUID) -> dict[str, str | int]:
    return {"tidings.event.id": str(event), "tidings.tenant.id": str(tenant_id)}


def _called(method: str, url: str) -> dict[str, str | int]:
    """Of a URL no more than the host: its path may be as good as a password."""
    try:
        target = read_url(url)
    except UrlRefused:
        return {"http.request.method": method}
    return {"http.request.method": method, "server.address": target.host, "server.port": target.port}
