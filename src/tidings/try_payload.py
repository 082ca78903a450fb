"""What a payload would become, as its source is set up or might be: its events and who would be told, or why it
would be parked. Nothing is kept and nothing is sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tidings.events.event import MAX_EVENT_BYTES, Event
from tidings.events.sources.contract import Adapter, Parked, Push
from tidings.events.sources.park import SetUp
from tidings.events.sources.translate import Sender, translate
from tidings.kernel.clock import now
from tidings.kernel.problems import Problem
from tidings.pipeline import preview
from tidings.planning.view import View

PLANNED_AT_MOST = 20
"""Events: a page is no place for long work, and one may tell a thousand people."""


@dataclass(frozen=True, slots=True)
class Tried:
    """No event and nothing parked: nobody wants to know. `plans`: the decision record that each of the first
    `PLANNED_AT_MOST` events would get, in their order."""

    events: Sequence[Event]
    parked: Parked | None
    plans: Sequence[dict[str, Any]]

    @property
    def ignored(self) -> bool:
        return not self.events and self.parked is None


def try_payload(
    view: View, source: str, adapter: Adapter, set_up: SetUp, headers: Mapping[str, str], body: bytes
) -> Tried:
    """As the node would take it, which does not ask here who signed it. Raises `Problem` 413."""
    if len(body) > MAX_EVENT_BYTES:
        raise Problem(413, "event_too_large", f"A payload may have {MAX_EVENT_BYTES // 1024} KiB; this one is larger.")
    push = Push({name.lower(): value for name, value in headers.items()}, body, now())
    incoming = translate(adapter, push, Sender(view.tenant_id, source, set_up, view.catalog))
    if isinstance(incoming, Parked):
        return Tried((), incoming, ())
    plans = [preview(each, view) for each in incoming[:PLANNED_AT_MOST]]
    return Tried([each.event for each in incoming], None, plans)


def tried_json(tried: Tried) -> dict[str, Any]:
    """As the API and the command line tell it."""
    parked = tried.parked
    return {
        "events": [msgspec.to_builtins(event) for event in tried.events],
        "parked": parked and {"reason": parked.reason, "detail": parked.detail, "words": parked.words},
        "ignored": tried.ignored,
        "plans": tried.plans,
    }
