"""An event and its decision record, in the words of who reads."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy

from tidings.catalog.features import Catalog
from tidings.console.first import First, first
from tidings.console.rules.tell import because
from tidings.console.rules.words import called, full_name, role_name
from tidings.console.templatetags.told import channel_name, explained
from tidings.messages.explain import Explained
from tidings.planning.plan import Because

# What an open delivery waits for, and what comes next.
WAITS: Mapping[str, str | Promise] = {
    "sending": gettext_lazy("It is on its way; the answer is awaited."),
    "turn": gettext_lazy("Its turn comes in a moment."),
    "node": gettext_lazy("No node delivers just now; an operator has to start one."),
    "older": gettext_lazy(
        "An older message about the same ticket to the same person goes first, for half a minute at most."
    ),
    "limit": gettext_lazy("The provider takes no more for now; it goes out by itself."),
    "vendor": gettext_lazy("The provider is in trouble and is left alone for a while; it goes out by itself."),
    "schedule": gettext_lazy("It did not go through and is tried again by itself."),
}
# What came of a try, or was done about it.
CAME: Mapping[str, str | Promise] = {
    "sent": gettext_lazy("The provider took it"),
    "try_later": gettext_lazy("Not now"),
    "refused": gettext_lazy("Refused"),
    "held": gettext_lazy("Held back"),
    "delivered": gettext_lazy("Delivered, as the provider reports"),
    "failed": gettext_lazy("Not delivered, as the provider reports"),
}
RETRIABLE = ("failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Try:
    """One line of what happened to a delivery; `said` are the provider's own words."""

    at: datetime | None
    what: str
    why: Explained | None
    said: str
    ms: float | None
    counts: bool
    """Whether it is a try at all."""


@dataclass(frozen=True, slots=True)
class Send:
    id: UUID
    channel: str
    state: str
    due_at: datetime
    why: Explained | None
    waits_for: str
    waits: str
    tries: Sequence[Try]

    @property
    def can_be_retried(self) -> bool:
        return self.state in RETRIABLE

    @property
    def is_plain(self) -> bool:
        """It went through at the first try: nothing of it need be read."""
        return self.state in ("sent", "delivered") and all(each.why is None for each in self.tries)

    @property
    def is_open(self) -> bool:
        return self.state in ("pending", "sending")


@dataclass(frozen=True, slots=True)
class NotBy:
    """A method that leads nowhere; without a channel: all of them."""

    channel: str
    why: Explained


@dataclass(frozen=True, slots=True)
class Person:
    login: str
    name: str
    because: str
    sends: Sequence[Send]
    not_by: Sequence[NotBy]


@dataclass(frozen=True, slots=True)
class Silence:
    """A person or a role that is not told; neither: nobody is."""

    who: str
    role: str
    why: Explained


def type_label(catalog: Catalog, code: str) -> str:
    """ "Data change: Approved"; one that is not here any more is called by its code."""
    about = catalog.event_types.get(code)
    if about is None:
        return code
    return full_name(called(about.feature_labels), called(about.labels))


def status_label(catalog: Catalog, code: str) -> str:
    """ "Approved"."""
    about = catalog.event_types.get(code)
    return called(about.labels) if about else code


def tone_of(catalog: Catalog, code: str) -> str:
    about = catalog.event_types.get(code)
    return about.tone if about else "info"


def told(recipients: Iterable[Mapping[str, Any]]) -> list[Person]:
    """From a decision record."""
    return [
        Person(
            each["login"],
            each["name"],
            because(Because(one["role"], one.get("of", "")) for one in each["because"]),
            [_send(one) for one in each["sends"]],
            [NotBy(_channel(one), explained(one["reason"])) for one in each["skips"]],
        )
        for each in recipients
    ]


def silences(skips: Iterable[Mapping[str, Any]]) -> First[Silence]:
    """What holds for everybody or a whole role comes before single people."""
    return first(sorted(skips, key=lambda each: bool(each.get("person"))), _silence)


def tries(attempts: Iterable[Mapping[str, Any]]) -> list[Try]:
    return [_try(each) for each in attempts]


def _silence(skip: Mapping[str, Any]) -> Silence:
    role = role_name(skip["role"]) if skip.get("role") else ""
    return Silence(skip.get("person", ""), role, explained(skip["reason"]))


def _send(one: Mapping[str, Any]) -> Send:
    return Send(
        one["delivery_id"],
        channel_name(one["channel"]),
        one["state"],
        one["due_at"],
        explained(one["reason"]) if one["reason"] else None,
        one["waits_for"],
        str(WAITS.get(one["waits_for"], "")),
        tries(one["attempts"]),
    )


def _try(one: Mapping[str, Any]) -> Try:
    outcome, said = one.get("outcome", ""), one.get("said", "")
    if outcome == "retried_by":
        what, said = gettext("Tried again by hand: %(who)s") % {"who": one.get("by", "")}, ""
    elif outcome == "fallback_for":
        what, said = gettext("Another way, since %(channel)s does not reach them") % {"channel": channel_name(said)}, ""
    else:
        what = str(CAME.get(outcome, outcome))
    reason = one.get("reason", "")
    why = explained(reason) if reason and outcome != "sent" else None
    return Try(_time(one.get("at")), what, why, said, one.get("ms"), outcome in ("sent", "try_later", "refused"))


def _time(at: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(at)
    except (TypeError, ValueError):
        return None


def _channel(skip: Mapping[str, Any]) -> str:
    return channel_name(skip["channel"]) if skip.get("channel") else ""
