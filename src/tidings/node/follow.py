"""Follow an event from its acceptance to its vendor's answer: in the log at level debug, and in traces where
OpenTelemetry's variables name a collector. Where nobody follows, the node has no follower, and each place that would
tell one asks for no more than that."""

import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tidings.channels.contract import Outcome, Sent
from tidings.delivery.job import Job
from tidings.delivery.policy import Held, Next
from tidings.delivery.record import WHAT
from tidings.events.event import Incoming
from tidings.events.group import Submission
from tidings.kernel.addresses import AddressPolicy
from tidings.kernel.http import Wire
from tidings.kernel.ids import event_of
from tidings.pipeline import Accepted

if TYPE_CHECKING:
    from tidings.node.tracing import Tracing

log = logging.getLogger("tidings.follow")
# https://opentelemetry.io/docs/specs/otel/protocol/exporter/
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class Follower:
    def __init__(self, *, in_log: bool, traces: "Tracing | None") -> None:
        self._in_log, self._traces = in_log, traces

    def joined(self, incoming: Incoming, headers: Mapping[str, str]) -> Incoming:
        """With the trace that the call belongs to, where the event names none itself."""
        given = headers.get("traceparent", "") if self._traces and not incoming.traceparent else ""
        return replace(incoming, traceparent=given) if given else incoming

    def accepted(self, accepted: Accepted, group: Sequence[Submission], began: float, durable: float) -> None:
        """What of a group is new, and durable."""
        submissions = {id(one.incoming): one for one in group}
        for keep in accepted.kept:
            if self._traces:
                self._traces.accepted(keep, submissions[id(keep.incoming)], began, durable, len(group))
            if self._in_log:
                event, plan = keep.incoming.event, keep.planned and keep.planned.plan
                sends = sum(len(one.sends) for one in plan.recipients) if plan else 0
                what = f"{sends} to be sent" if plan else "kept without a plan"
                told = {"event": keep.id, "tenant": keep.tenant_id, "source": event.source, "source_id": event.id}
                log.debug("accepted: %s, %s", event.type, what, extra=told)

    def claimed(self, jobs: Sequence[Job]) -> None:
        """What was due, from the table."""
        for job in jobs:
            log.debug("claimed, after %d tries", job.attempts, extra=about(job))

    def around(self, run: Callable[[Job], Awaitable[None]]) -> Callable[[Job], Awaitable[None]]:
        """What makes one try."""
        return self._traces.around(run) if self._traces else run

    def tried(self, verdict: Outcome | Held) -> None:
        """Within what `around` has begun."""
        if self._traces:
            self._traces.tried(*came_of(verdict))

    def judged(self, job: Job, verdict: Outcome | Held, following: Next, seconds: float) -> None:
        """What is next for it, once that is about to be written down."""
        outcome, reason = came_of(verdict)
        came = {"outcome": outcome, "reason": following.reason or reason, "ms": round(seconds * 1000, 1)}
        log.debug("tried: %s" if outcome != "held" else "not tried: %s", following.state, extra=about(job) | came)

    def wire(self, policy: AddressPolicy) -> Wire:
        return self._traces.wire(policy) if self._traces else Wire(policy)

    def stop(self) -> None:
        if self._traces:
            self._traces.stop()


def follower(environment: Mapping[str, str] = os.environ) -> Follower | None:
    in_log, traces = log.isEnabledFor(logging.DEBUG), _tracing(environment)
    return Follower(in_log=in_log, traces=traces) if in_log or traces else None


def _tracing(environment: Mapping[str, str]) -> "Tracing | None":
    wanted = any(environment.get(name) for name in ENDPOINTS)
    off = (
        environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or environment.get("OTEL_TRACES_EXPORTER") == "none"
    )
    if not wanted or off:
        return None
    try:
        from tidings.node.tracing import Tracing
    except ImportError:
        # They may be set for all that runs on this machine.
        log.warning("no traces are sent, though a collector is named: install tidings[otel], or unset %s", ENDPOINTS[1])
        return None
    return Tracing()


def came_of(verdict: Outcome | Held) -> tuple[str, str]:
    """In words of the record."""
    if isinstance(verdict, Held):
        return "held", verdict.reason
    return WHAT[type(verdict)], "" if isinstance(verdict, Sent) else verdict.reason


def about(job: Job) -> dict[str, object]:
    return {"event": event_of(job.id), "delivery": job.id, "tenant": job.tenant_id, "channel": job.channel}
