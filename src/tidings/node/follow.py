"""Follow an event from its acceptance to its vendor's answer: in the log at level debug. Where nobody follows, the node
has no follower, and each place that would tell one asks for no more than that."""

import logging
from collections.abc import Sequence

from tidings.channels.contract import Outcome
from tidings.delivery.job import Job
from tidings.delivery.policy import Held, Next
from tidings.delivery.record import WHAT
from tidings.kernel.ids import event_of
from tidings.pipeline import Accepted

log = logging.getLogger("tidings.follow")


class Follower:
    def accepted(self, accepted: Accepted) -> None:
        """What of a group is new, and durable."""
        for keep in accepted.kept:
            event, plan = keep.incoming.event, keep.planned and keep.planned.plan
            sends = sum(len(one.sends) for one in plan.recipients) if plan else 0
            log.debug(
                "accepted: %s, %s",
                event.type,
                f"{sends} to be sent" if plan else "kept without a plan",
                extra={
                    "event": keep.id, "tenant": keep.tenant_id, "source": event.source, "source_id": event.id
                },
            )  # fmt: skip

    def claimed(self, jobs: Sequence[Job]) -> None:
        """What was due, from the table."""
        for job in jobs:
            log.debug("claimed, after %d tries", job.attempts, extra=about(job))

    def tried(self, job: Job, outcome: Outcome, following: Next, seconds: float) -> None:
        came = {"outcome": WHAT[type(outcome)], "reason": following.reason, "ms": round(seconds * 1000, 1)}
        log.debug("tried: %s", following.state, extra=about(job) | came)

    def held(self, job: Job, verdict: Held) -> None:
        log.debug("not tried yet", extra=about(job) | {"reason": verdict.reason})


def follower() -> Follower | None:
    return Follower() if log.isEnabledFor(logging.DEBUG) else None


def about(job: Job) -> dict[str, object]:
    return {"event": event_of(job.id), "delivery": job.id, "tenant": job.tenant_id, "channel": job.channel}
