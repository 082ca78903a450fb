"""Who gets in: what may come from this token, what is known already, what is new. Pure."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from tidings.catalog.features import SYSTEM_FEATURE, unknown_type
from tidings.events.group import Kept, Submission, Verdict, unavailable
from tidings.events.known import Key, Known
from tidings.kernel.ids import event_id
from tidings.kernel.problems import Problem
from tidings.planning.view import View

_OWN_TYPES = f"{SYSTEM_FEATURE}."


def admit(
    group: Sequence[Submission], views: Mapping[UUID, View], known: Mapping[Key, Known]
) -> tuple[list[Verdict | None], list[tuple[UUID, Submission]]]:
    """A verdict for each, and those that are new, with their ids: the token lives and speaks for others than ourselves,
    the key is new or names the same content, and if it is new its type exists."""
    seen: dict[Key, Known] = dict(known)
    verdicts: list[Verdict | None] = []
    fresh: list[tuple[UUID, Submission]] = []
    for one in group:
        event, view = one.incoming.event, views.get(one.tenant_id)
        if view is None:
            verdicts.append(unavailable("This organisation's settings cannot be read; its events cannot be planned."))
            continue
        if refused := _turned_away(one, view):
            verdicts.append(refused)
            continue
        before = seen.get(key_of(one))
        if before is None:
            if event.type not in view.catalog.event_types:
                verdicts.append(unknown_type(event.type, view.catalog))
                continue
            new = event_id()
            seen[key_of(one)] = Known(new, one.incoming.hash)
            fresh.append((new, one))
            verdicts.append(Kept(new, duplicate=False))
        elif before.hash == one.incoming.hash:
            verdicts.append(Kept(before.id, duplicate=True))
        else:
            verdicts.append(
                Problem(409, "event_id_reused", f"Event {event.id!r} of {event.source!r} is known with other content.")
            )
    return verdicts, fresh


def _turned_away(one: Submission, view: View) -> Problem | None:
    """A notice of our own comes without a token, and so does what was signed; nothing that comes with one may pass for
    it."""
    if not one.token_hash:
        return None
    grant, event = view.grants.get(one.token_hash), one.incoming.event
    if grant is None or not grant.may_send_events:
        return Problem(401, "token_revoked", "This token was revoked or never existed.")
    if grant.signs:
        hint = "send what can be signed to POST /api/v1/sources/{adapter}, or end the secret, or use another source"
        detail = f"{grant.source!r} has a secret, and this is not signed with it: {hint}."
        return Problem(401, "signature_refused", detail)
    if event.type.startswith(_OWN_TYPES):
        text = "Notices of the feature `tidings` come from Tidings alone; define a feature of your own for yours"
        return Problem(403, "reserved", f"{text}: PUT /api/v1/catalog/features/{{code}}.")
    if event.source.lower() == SYSTEM_FEATURE:
        text = "`tidings` is where our own notices come from"
        return Problem(403, "reserved", f"{text}: name the system that this event comes from in `source`.")
    return None


def is_of_unknown_type(verdict: Verdict | None) -> bool:
    return isinstance(verdict, Problem) and verdict.code == "unknown_event_type"


def key_of(one: Submission) -> Key:
    return one.tenant_id, one.incoming.event.source, one.incoming.event.id
