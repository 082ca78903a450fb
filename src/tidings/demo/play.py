"""Play the day: post what the sources post, do what the administrators do, at the pace asked for."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from tidings.demo.call import Answered, Api, Unanswered
from tidings.demo.read import Day, Moment, Posted
from tidings.demo.set_up import Cast

# Seconds for the schedule of retries to run out, before somebody retries by hand.
FAILED_WITHIN = 30.0
IN_A_HURRY = 0.1
Tell = Callable[[str], None]
"""Says what Tidings answered where no event's record can: at the door, and to a change of a rule."""
Entry = Posted | Sequence[Posted] | Moment


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two entries; `pauses` is what the day's own pauses are multiplied with."""

    gap: float
    pauses: float


async def play(day: Day, events: Sequence[Posted], cast: Cast, pace: Pace, tell: Tell) -> None:
    """Raises `Unanswered` where Tidings does not answer as it should."""
    by_id = {event.body["id"]: event for event in events}
    accepted: dict[str, str] = {}
    for entry in _in_order(day, events):
        if isinstance(entry, Posted):
            accepted[entry.body["id"]] = await _post(cast, entry)
        elif isinstance(entry, Moment):
            await _act(cast, entry, by_id, accepted, tell)
        else:
            await _post_batch(cast, entry)
        await asyncio.sleep(_gap(entry, pace) + pace.pauses * _pause(entry))


def _in_order(day: Day, events: Sequence[Posted]) -> Iterator[Entry]:
    """Events and moments by time; the steps of one batch together."""
    loose = [event for event in events if event.manner != "batch"]
    batched = [event for event in events if event.manner == "batch"]
    batches = [list(same) for _, same in groupby(batched, key=lambda event: (event.at, event.source))]
    entries: list[tuple[str, Entry]] = [(event.at, event) for event in loose]
    entries += [(moment.at, moment) for moment in day.moments] + [(batch[0].at, batch) for batch in batches]
    return (entry for _, entry in sorted(entries, key=lambda pair: pair[0]))


def _gap(entry: Entry, pace: Pace) -> float:
    """A machine that reports many things waits for nobody."""
    if not isinstance(entry, Posted):
        return pace.gap
    return min(pace.gap, IN_A_HURRY) if entry.hurry else max(pace.gap, entry.alone)


def _pause(entry: Entry) -> float:
    return entry.pause if isinstance(entry, Posted | Moment) else max(event.pause for event in entry)


async def _post(cast: Cast, event: Posted) -> str:
    api = cast.sources[event.source]
    if event.manner == "cloudevent":
        content_type = "application/cloudevents+json"
        answer = await api.call("POST", "/events", _as_cloudevent(event), content_type=content_type)
    else:
        answer = await api.call("POST", "/events", event.body)
    _expect(answer, 202, event.body["id"])
    return str(answer.body["id"])


def _as_cloudevent(event: Posted) -> dict[str, Any]:
    """https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md"""
    envelope = {name: event.body[name] for name in ("id", "type", "time")}
    data = {name: value for name, value in event.body.items() if name not in envelope}
    return {
        "specversion": "1.0",
        "source": event.source,
        **envelope,
        "datacontenttype": "application/json",
        "data": data,
    }


async def _post_batch(cast: Cast, events: Sequence[Posted]) -> None:
    answer = await cast.sources[events[0].source].call("POST", "/events/batch", [event.body for event in events])
    _expect(answer, 202, "batch")
    if answer.body["accepted"] != len(events):
        raise Unanswered(f"Of a batch of {len(events)} events Tidings accepted {answer.body}.")


async def _act(cast: Cast, moment: Moment, events: dict[str, Posted], accepted: dict[str, str], tell: Tell) -> None:
    match moment.kind:
        case "rule":
            await _change_rule(cast.administrator, moment, tell)
        case "retry":
            await _retry(cast.administrator, moment, tell)
        case "repeat":
            event = events[moment.of]
            answer = await cast.sources[event.source].call("POST", "/events", event.body)
            _expect(answer, 202, moment.of)
            if not answer.body["duplicate"] or answer.body["id"] != accepted[moment.of]:
                raise Unanswered(f"A repeated event was answered {answer.body}, not as a duplicate of the first.")
            tell(f"POST /events, the same event again: 202, a duplicate of {answer.body['id'][:13]}…; told once")
        case "reuse":
            event = events[moment.of]
            await _refused(
                cast, event, {"actor": "ann.keller", "title": "Something else"}, 409, "event_id_reused", tell
            )
        case "unknown_type":
            event = replace_id(events[moment.of])
            await _refused(cast, event, {"type": moment.event_type}, 422, "unknown_event_type", tell)
        case "push":
            await _push(cast, moment, tell)
        case "describe":
            await _describe(cast, moment, tell)


async def _push(cast: Cast, moment: Moment, tell: Tell) -> None:
    """What another system sends, in its own words."""
    system = cast.systems[moment.source]
    answer = await cast.sources[moment.source].call("POST", f"/sources/{system}", json.loads(moment.payload))
    _expect(answer, 202, moment.source)
    if parked := answer.body["parked"]:
        tell(f"POST /sources/{system}: parked, so that nothing is lost. {parked['detail']}")
    else:
        tell(f"POST /sources/{system}, in that system's own words: an event, {answer.body['events'][0]['id'][:13]}…")


async def _describe(cast: Cast, moment: Moment, tell: Tell) -> None:
    """An administrator says where in such a body the parts of an event are; then what waits is read again."""
    path = f"/sources/{moment.source}"
    mapping = {"adapter": cast.systems[moment.source], "rows": [], "options": json.loads(moment.options)}
    await cast.administrator.must("PUT", f"{path}/mapping", mapping)
    again = (await cast.administrator.must("POST", f"{path}/parked/replay", {})).body
    if not again["replayed"] or again["still_parked"]:
        raise Unanswered(f"What {moment.source} sent was read again: {again}.")
    tell(f"PUT {path}/mapping: an administrator says by expressions where things are; read again, it is an event")


def replace_id(event: Posted) -> Posted:
    return Posted(event.at, event.source, event.manner, event.pause, {**event.body, "id": f"{event.body['id']}-again"})


async def _refused(cast: Cast, event: Posted, change: dict[str, Any], status: int, code: str, tell: Tell) -> None:
    title = change.pop("title", event.body["subject"]["title"])
    body = {**event.body, **change, "subject": {**event.body["subject"], "title": title}}
    answer = await cast.sources[event.source].call("POST", "/events", body)
    _expect(answer, status, event.body["id"])
    if answer.body["code"] != code:
        raise Unanswered(f"{event.body['id']} was refused as {answer.body['code']}, not as {code}.")
    tell(f"POST /events: {status} {code}. {answer.body['detail']}")


async def _change_rule(administrator: Api, moment: Moment, tell: Tell) -> None:
    path = f"/rules/{moment.event_type}"
    version = (await administrator.must("GET", path)).body["version"]
    change = {"additional_users": moment.additional_users, "version": version}
    rule = (await administrator.must("PATCH", path, change)).body
    tell(f"PATCH {path}: from now on {', '.join(rule['additional_users'])} are told too (version {rule['version']})")


async def _retry(administrator: Api, moment: Moment, tell: Tell) -> None:
    which = {"state": moment.state, "channel": moment.channel, "recipient": moment.recipient}
    query = "&".join(f"{name}={value}" for name, value in which.items())
    until = time.monotonic() + FAILED_WITHIN
    while not (await administrator.must("GET", f"/deliveries?{query}")).body["items"]:
        if time.monotonic() > until:
            raise Unanswered(f"No delivery to {moment.recipient} has failed, though its receiver is down.")
        await asyncio.sleep(0.2)
    retried = (await administrator.must("POST", "/deliveries/retry", which)).body["retried"]
    tell(f"POST /deliveries/retry: {retried} that failed is tried again, now that its receiver is mended")


def _expect(answer: Answered, status: int, what: str) -> None:
    if answer.status != status:
        raise Unanswered(
            f"{what} was answered {answer.status}, not {status}: {answer.raw.decode(errors='replace')[:500]}"
        )
