"""What a rule says, in the words of who reads: names for codes, people by name, a change as before and after."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import get_language, gettext, gettext_lazy, ngettext

from tidings.accounts.models import Person
from tidings.catalog.features import built_in
from tidings.console.changed import Line
from tidings.planning.compare import Warned
from tidings.rules.show import ShownRule

NAMED_AT_MOST = 5
# Who a role is, where the name does not say it.
HINTS: Mapping[str, str | Promise] = {
    "submitter": gettext_lazy("whoever submitted the ticket, or owns the task flow"),
    "approver": gettext_lazy("whoever is to decide at the current approval node"),
    "related_person": gettext_lazy("those whom the ticket names as stakeholders"),
    "data_owner": gettext_lazy("the owners of the tables, databases or instances it is about"),
    "instance_dba": gettext_lazy("the DBA of each instance it is about"),
    "dba": gettext_lazy("everybody who is a DBA here"),
    "administrator": gettext_lazy("everybody who is an administrator here"),
    "security_administrator": gettext_lazy("everybody who is a security administrator here"),
}


@dataclass(frozen=True, slots=True)
class Named:
    """`gone`: nothing reaches them any more; `off`: their account is switched off."""

    login: str
    name: str
    off: bool = False
    gone: bool = False

    def __str__(self) -> str:
        return self.name or self.login


def language() -> str:
    return get_language() or "en"


def called(labels: Mapping[str, str]) -> str:
    return labels.get(language()) or labels["en"]


def title_of(rule: ShownRule) -> str:
    return full_name(called(rule.feature_labels), called(rule.labels))


def full_name(feature: str, event: str) -> str:
    """ "Data change: Approved"; where an event's name begins with its feature's, that is enough."""
    both = gettext("%(feature)s: %(event)s") % {"feature": feature, "event": event}
    return event if event.startswith(feature) else both


def role_name(role: str) -> str:
    if role == "additional_user":
        return gettext("Additional notification User")
    known = built_in().roles.get(role)
    return called(known.labels) if known else role


def names_of(tenant_id: UUID, logins: Iterable[str]) -> dict[str, Named]:
    """One query, none for nobody."""
    wanted = set(logins)
    if not wanted:
        return {}
    people = Person.objects.for_tenant(tenant_id).filter(login__in=wanted)
    known = {
        one.login: Named(one.login, one.name, not one.active, one.departed_at is not None)
        for one in people.only("login", "name", "active", "departed_at")
    }
    return {login: known.get(login) or Named(login, "", gone=True) for login in wanted}


def difference(before: Mapping[str, Any], after: Mapping[str, Any], names: Mapping[str, Named]) -> list[Line]:
    """Of two contents of a rule, as they stand in its history; only what differs."""
    lines = []
    if before["enabled"] != after["enabled"]:
        lines.append(Line(gettext("Status"), _status(before["enabled"]), _status(after["enabled"])))
    for label, part, word in (
        (gettext("Optional notification role"), "optional_roles", role_name),
        (gettext("Additional notification User"), "additional_users", lambda login: str(names.get(login) or login)),
    ):
        was, now = before[part], after[part]
        if set(was) != set(now):
            lines.append(
                Line(
                    label,
                    _listed([word(each) for each in was]),
                    _listed([word(each) for each in now]),
                    tuple(word(each) for each in now if each not in was),
                    tuple(word(each) for each in was if each not in now),
                )
            )
    return lines


def people_in(*contents: Mapping[str, Any] | None) -> set[str]:
    return {login for content in contents if content for login in content["additional_users"]}


def warnings(found: Iterable[Warned], events: int) -> list[str]:
    """What to mind, and what to do about it; people of whom the same is said together."""
    by_code: dict[str, list[Named]] = {}
    said: list[str] = []
    for one in found:
        if one.person:
            by_code.setdefault(one.code, []).append(Named(one.person.login, one.person.name))
        else:
            said.append(_of_role(one, events))
    return [*(_of_people(code, people) for code, people in by_code.items()), *said]


def _of_people(code: str, people: Sequence[Named]) -> str:
    count = len(people)
    match code:
        case "person_unreachable":
            text = ngettext(
                "%(who)s can be reached by the inbox here alone: no method is switched on and confirmed.",
                "%(who)s can be reached by the inbox here alone: no method of theirs is switched on and confirmed.",
                count,
            )
        case "person_disabled":
            text = ngettext(
                "%(who)s is switched off and is told nothing.", "%(who)s are switched off and are told nothing.", count
            )
        case _:
            text = ngettext(
                "%(who)s has left and is told nothing. Take them out.",
                "%(who)s have left and are told nothing. Take them out.",
                count,
            )
    return text % {"who": _some(people)}


def _of_role(warned: Warned, events: int) -> str:
    values = {"role": role_name(warned.role), "empty": warned.events, "silent": warned.events, "events": events}
    match warned.code:
        case "role_unheld":
            text = gettext("Nobody here holds the role %(role)s. Give it to somebody under People.")
        case "role_empty":
            text = ngettext(
                "%(role)s leads to nobody in the event below.",
                "%(role)s leads to nobody in %(empty)d of the %(events)d events below.",
                events,
            )
        case _:
            text = ngettext(
                "Nobody would be told of the event below.",
                "Nobody would be told of %(silent)d of the %(events)d events below.",
                events,
            )
    return text % values


def _some(people: Sequence[Named]) -> str:
    named = gettext(", ").join(str(each) for each in people[:NAMED_AT_MOST])
    more = len(people) - NAMED_AT_MOST
    if more <= 0:
        return named
    return ngettext("%(names)s and %(more)d more", "%(names)s and %(more)d more", more) % {"names": named, "more": more}


def _status(enabled: bool) -> str:
    return gettext("on") if enabled else gettext("off")


def _listed(words: Sequence[str]) -> str:
    return gettext(", ").join(words) or gettext("nobody")
