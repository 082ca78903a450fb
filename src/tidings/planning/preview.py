"""Try a rule before it is kept: who would have been told of what really happened, besides, no longer, and still."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tidings.accounts.permissions import Caller
from tidings.catalog.features import EventType
from tidings.events.event import Event
from tidings.events.recent import recent_events
from tidings.kernel.ids import made_at
from tidings.kernel.problems import invalid
from tidings.messages.examples import example_title
from tidings.planning.compare import Comparison, Warned, compare, rule_now, warnings
from tidings.planning.stand_in import example_event
from tidings.planning.view import View
from tidings.planning.views import view_now
from tidings.rules.change import Wanted
from tidings.rules.match import RuleFacts
from tidings.rules.show import READERS, known_type

LAST = 5
LAST_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class Tried:
    """One event; `id` is None for the example."""

    id: UUID | None
    event: Event
    comparison: Comparison

    @property
    def at(self) -> datetime | None:
        """When it happened, or was accepted where its source does not say."""
        return self.event.time or (made_at(self.id) if self.id else None)


@dataclass(frozen=True, slots=True)
class RulePreview:
    """`is_example`: nothing of this type has happened lately, so an example stands in, and people in it for roles."""

    event_type: EventType
    wanted: Wanted
    tried: Sequence[Tried]
    warnings: Sequence[Warned]
    is_example: bool


def preview_rule(caller: Caller, event_type: str, wanted: Wanted, *, last: int = LAST) -> RulePreview:
    """What `wanted` leaves open is as the rule is. Raises 403, 404, and 422 naming roles that are not offered and users
    whom nobody knows; who has departed is warned of."""
    caller.require(*READERS, to_write=False)
    view = view_now(caller.tenant_id)
    known = known_type(view.catalog, event_type)
    rule = _rule(known, wanted, view)
    found = recent_events(caller.tenant_id, event_type, last)
    if found:
        tried = [Tried(one.id, one.event, compare(one.event, view, rule)) for one in found]
    else:
        event, view = example_event(known, view, example_title(event_type, _language(caller)))
        tried = [Tried(None, event, compare(event, view, rule))]
    told_of = warnings(known, rule, view, [one.comparison.wanted for one in tried])
    return RulePreview(known, _said(rule, view), tried, told_of, is_example=not found)


def _rule(event_type: EventType, wanted: Wanted, view: View) -> RuleFacts:
    """In the catalogue's order, as it would be kept."""
    now, by_login = rule_now(view, event_type.code), view.directory.people.by_login
    problems: list[dict[str, object]] = []
    if refused := [role for role in wanted.optional_roles or () if role not in event_type.optional_roles]:
        offered = ", ".join(event_type.optional_roles) or "none"
        text = f"Optional roles are: {offered}; not {', '.join(refused)}."
        problems.append({"field": "optional_roles", "problem": text, "roles": refused})
    if unknown := [login for login in wanted.additional_users or () if login not in by_login]:
        text = f"Nobody here has the login {', '.join(unknown)}."
        problems.append({"field": "additional_users", "problem": text, "users": unknown})
    if problems:
        raise invalid(" ".join(str(one["problem"]) for one in problems), problems)
    roles, users = now.optional_roles, now.additional_users
    if wanted.optional_roles is not None:
        roles = tuple(role for role in event_type.optional_roles if role in wanted.optional_roles)
    if wanted.additional_users is not None:
        users = tuple(by_login[login].id for login in dict.fromkeys(wanted.additional_users))
    return RuleFacts(now.enabled if wanted.enabled is None else wanted.enabled, roles, users)


def _said(rule: RuleFacts, view: View) -> Wanted:
    by_id = view.directory.people.by_id
    logins = [by_id[each].login for each in rule.additional_users if each in by_id]
    return Wanted(rule.enabled, rule.optional_roles, logins)


def _language(caller: Caller) -> str:
    return caller.person.language if caller.person else "en"
