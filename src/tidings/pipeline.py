"""The product on one screen: what happens to an event, from the source that posts it to the message that is sent.

receive     events/receive, events/event     read and check one event, or each of a batch
translate   events/sources/<system>          another system's own payload becomes events, or is parked
group       events/group                     what arrives together is kept together
accept      below                            admit -> plan -> keep -> hand over
admit       planning/admit                   may it come in? known already?
plan        planning/facts, planning/plan    rule -> roles -> people -> methods: sends, and skips with their reasons
keep        delivery/birth, enqueue          events, subjects, recipients, deliveries: one transaction, then 202
send        delivery/lanes, attempt          a lane per destination; compose, send, outcome
decide      delivery/policy                  outcome and tries -> sent, again at, failed
record      delivery/record                  attempts and states, many at once
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg

from tidings.catalog.features import SYSTEM_FEATURE, unknown_type
from tidings.delivery.birth import Room, claim_at_birth
from tidings.delivery.enqueue import Keep, Queued, enqueue, enqueue_late, numbered, unplanned
from tidings.delivery.job import Job, Story, reader_of
from tidings.events.event import Incoming
from tidings.events.group import Submission, Verdict
from tidings.events.known import known_events
from tidings.kernel.clock import now
from tidings.kernel.database import Connection
from tidings.kernel.ids import event_id
from tidings.messages.compose import compose
from tidings.messages.document import Document, document_json
from tidings.planning.admit import admit, is_of_unknown_type, key_of
from tidings.planning.facts import Planned, plan_event
from tidings.planning.record import foreseen_record
from tidings.planning.view import View
from tidings.planning.views import Views

log = logging.getLogger("tidings.pipeline")
TOLD_AT_MOST = 1_000
"""People a group may tell, beyond what the first event of each tenant does: a rule can make 500 of one event, and the
events of all the others wait for the group."""


@dataclass(slots=True)
class Accepted:
    """A group as it was kept: a verdict for each submission, in order, and what this node is to send at once. Where a
    group tells too many people, some of it is left for another one, and has no verdict."""

    verdicts: list[Verdict | None]
    jobs: list[Job] = field(default_factory=list)
    pending: int = 0
    """Deliveries that were born without a claim: some worker has to be woken."""
    faults: list[tuple[UUID, UUID]] = field(default_factory=list)
    """(tenant, event) kept unplanned."""
    kept: Sequence[Keep] = ()
    """What is new: neither known before nor refused."""


async def accept(
    connection: Connection,
    views: Views,
    group: Sequence[Submission],
    *,
    lease: int | None,
    room: Room,
    look_first: bool = True,
    unplanned: bool = True,
) -> Accepted:
    """Keep a group of events. Raises psycopg's errors with nothing kept; without `unplanned` also what planning raises.
    Else an event whose planning fails is still kept; it is planned later, by the rules of then, and blocks nobody.

    `look_first` asks which of them are known already; without, that is only asked when an insert finds out, which
    spares a question where repeats are rare and may not be done within a transaction. Another node may keep an event of
    ours between our look and our insert: then the whole group is looked at again.
    """
    while True:
        current = await views.current(connection, {one.tenant_id for one in group})
        known = await known_events(connection, [key_of(one) for one in group]) if look_first else {}
        verdicts, fresh = admit(group, current, known)
        if not look_first and len(fresh) < len(group) and any(map(is_of_unknown_type, verdicts)):
            # It may be a repeat of what was accepted while that type was there.
            look_first = True
            continue
        keeps, left = _plan_all(fresh, current, unplanned)
        if left:
            _leave(group, verdicts, left)
        if lease is not None:
            keeps = claim_at_birth(keeps, room)
        if not keeps:
            return Accepted(verdicts)
        try:
            queued = await enqueue(connection, keeps, lease=lease, today=now().date())
        except (psycopg.errors.UniqueViolation, psycopg.errors.DeadlockDetected):
            # A deadlock: keys reused for other subjects, which the locks of the subjects do not order.
            look_first = True
            continue
        return _hand_over(verdicts, keeps, queued, group, current, lease or 0)


def _plan_all(
    fresh: Sequence[tuple[UUID, Submission]], views: Mapping[UUID, View], unplanned: bool
) -> tuple[list[Keep], dict[UUID, Submission]]:
    """Of each tenant the first, and as many more as do not tell too many people; and of those of whom not all are kept,
    the first that is left."""
    keeps: list[Keep] = []
    begun: set[UUID] = set()
    left: dict[UUID, Submission] = {}
    told = 0
    for event, one in fresh:
        if one.tenant_id in left:
            continue
        keep = _plan(event, one, views[one.tenant_id], unplanned)
        more = len(keep.planned.plan.recipients) if keep.planned else 0
        if told + more > TOLD_AT_MOST and one.tenant_id in begun:
            left[one.tenant_id] = one
            continue
        told += more
        begun.add(one.tenant_id)
        keeps.append(keep)
    return keeps, left


def _leave(group: Sequence[Submission], verdicts: list[Verdict | None], left: Mapping[UUID, Submission]) -> None:
    """Order stays: nothing of a tenant is decided before what it sent earlier."""
    passed: set[UUID] = set()
    for place, one in enumerate(group):
        if left.get(one.tenant_id) is one:
            passed.add(one.tenant_id)
        if one.tenant_id in passed:
            verdicts[place] = None


def _plan(new: UUID, one: Submission, view: View, unplanned: bool = True) -> Keep:
    try:
        return Keep(new, one.tenant_id, one.incoming, plan_event(one.incoming.event, view))
    except Exception as error:
        if not unplanned:
            raise
        log.exception("planning failed", extra={"event": str(new)})
        return Keep(new, one.tenant_id, one.incoming, None, fault=type(error).__name__)


def _hand_over(
    verdicts: list[Verdict | None],
    keeps: Sequence[Keep],
    queued: Sequence[Queued],
    group: Sequence[Submission],
    views: Mapping[UUID, View],
    lease: int,
) -> Accepted:
    born = {one.id.int: one for one in queued if one.claimed}
    accepted = Accepted(verdicts, pending=len(queued) - len(born), kept=keeps)
    arrived = {id(one.incoming): one.arrived for one in group}
    for keep in keeps:
        if keep.planned is None:
            # A notice that cannot be planned must not cause the next one.
            if views[keep.tenant_id].catalog.event_types[keep.incoming.event.type].feature != SYSTEM_FEATURE:
                accepted.faults.append((keep.tenant_id, keep.id))
            continue
        story: Story | None = None
        for _, send_from, recipient in numbered(keep.planned):
            for place, send in enumerate(recipient.sends):
                delivery = born.get(keep.id.int | send_from + place) if born else None
                if delivery is None:
                    continue
                story = story or story_of(keep.id, keep.incoming, keep.planned, delivery.number)
                settings = views[keep.tenant_id].channels[send.channel]
                member, because, since = recipient.member, recipient.because, arrived[id(keep.incoming)]
                job = Job(
                    delivery.id, keep.tenant_id, story, member, because, send.channel, send.point, settings, lease,
                    accepted=since,
                )  # fmt: skip
                accepted.jobs.append(job)
    return accepted


def story_of(new: UUID, incoming: Incoming, planned: Planned, number: int) -> Story:
    return Story(new, incoming.event, incoming.time, planned.event_type, planned.involved, number)


def preview(incoming: Incoming, view: View, *, messages: bool = False) -> dict[str, Any]:
    """The decision record this event would get now; nothing is kept or sent. `messages`: with what each recipient would
    read. Raises `Problem` 422."""
    planned = foresee(incoming, view)
    record = foreseen_record(incoming, planned.plan, now())
    if messages:
        for shown, document in zip(record["recipients"], documents(incoming, planned), strict=True):
            shown["message"] = document_json(document)
    return record


def foresee(incoming: Incoming, view: View) -> Planned:
    """The plan this event would get now. Raises `Problem` 422."""
    if incoming.event.type not in view.catalog.event_types:
        raise unknown_type(incoming.event.type, view.catalog)
    return plan_event(incoming.event, view)


def documents(incoming: Incoming, planned: Planned) -> list[Document]:
    """What each recipient would read, before a channel gives it a shape. A new id: what is composed is kept by it."""
    occasion = story_of(event_id(), incoming, planned, 0).occasion
    return [compose(occasion, reader_of(one.member, one.because)) for one in planned.plan.recipients]


async def plan_again(
    connection: Connection, views: Views, when_planned: Callable[[Sequence[Keep]], None] = lambda _: None
) -> int:
    """Plan events that were kept unplanned; how many could be planned now. A slice after the other, so that those which
    still cannot be planned keep nobody behind them. `when_planned` hears of each slice that is durable."""
    planned, after = 0, UUID(int=0)
    while True:
        async with connection.transaction():
            waiting = await unplanned(connection, after)
            current = await views.current(connection, {tenant_id for _, tenant_id, _ in waiting})
            keeps: list[Keep] = []
            for event, tenant_id, incoming in waiting:
                with suppress(Exception):
                    keeps.append(Keep(event, tenant_id, incoming, plan_event(incoming.event, current[tenant_id])))
            if keeps:
                await enqueue_late(connection, keeps)
        planned += len(keeps)
        when_planned(keeps)
        if not waiting:
            return planned
        after = waiting[-1][0]
