"""How a channel is doing, in sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from django.utils.formats import number_format
from django.utils.timesince import timeuntil
from django.utils.translation import get_language, gettext, ngettext

from tidings.channels.contract import Channel, Outcome, Refused, Sent, TryLater
from tidings.delivery.health import judge
from tidings.delivery.limits import Limit
from tidings.delivery.tally import Row
from tidings.kernel.clock import now
from tidings.messages.explain import explain

A_GOOD_PART = 0.25
LEVELS = {"idle": "quiet", "fine": "good", "trouble": "mixed", "failing": "bad"}


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong last: in our words, in the vendor's, and what to do about it."""

    reason: str
    todo: str
    said: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """`level`: quiet, good, mixed or bad; `says` says it."""

    level: str
    says: str
    trouble: Trouble | None


@dataclass(frozen=True, slots=True)
class Gauge:
    """How full a budget is: `text` says what `used` of `most` shows, `free` when the next may go if none may now."""

    of: str
    text: str
    used: int
    most: int
    free: str


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a test message."""

    level: str
    headline: str
    trouble: Trouble | None
    said: str


def health_of(rows: Sequence[Row]) -> Health:
    """Of the last hour."""
    sent, later, held = (_count(rows, what) for what in ("sent", "try_later", "held"))
    lost = _count(rows, "refused", "failed")
    if not any((sent, later, held, lost)):
        return Health("quiet", gettext("Nothing was sent in the last hour."), None)
    went = ngettext("%(number)s message sent in the last hour.", "%(number)s messages sent in the last hour.", sent)
    state = judge(rows)
    sentences = [gettext("Nothing goes through any more.")] if state == "failing" else []
    sentences.append(went % _number(sent))
    if later:
        again = ngettext("%(number)s try has to be repeated.", "%(number)s tries have to be repeated.", later)
        sentences.append(again % _number(later))
    if lost:
        refused = ngettext("%(number)s message refused.", "%(number)s messages refused.", lost)
        sentences.append(refused % _number(lost))
    if held:
        waited = ngettext("%(number)s had to wait for a limit.", "%(number)s had to wait for a limit.", held)
        sentences.append(waited % _number(held))
    if tried := sent + later + _count(rows, "refused"):
        together = sum(row.ms for row in rows if row.what in ("sent", "try_later", "refused"))
        sentences.append(gettext("An answer takes %(number)s ms on average.") % _number(round(together / tried)))
    wrong = [row for row in rows if row.reason]
    last = max(wrong, key=lambda row: row.last, default=None)
    trouble = None if last is None else trouble_of(last.reason, last.said, last.last)
    between = "" if get_language() == "zh-hans" else " "
    return Health(LEVELS[state], between.join(sentences), trouble)


def trouble_of(reason: str, said: str, at: datetime | None = None) -> Trouble:
    why = explain(reason, get_language() or "en")
    return Trouble(why.says, why.todo, said, at)


def worth_a_look(limits: Sequence[Limit], *, at_most: int) -> list[Gauge]:
    """The account's, then of the addresses those that have used a good part of theirs, the fullest first."""
    accounts = [limit for limit in limits if not limit.of]
    full = [limit for limit in limits if limit.of and limit.used >= A_GOOD_PART * limit.most]
    return [_gauge(limit) for limit in (*accounts, *full[:at_most])]


def _gauge(limit: Limit) -> Gauge:
    values = {"used": number_format(limit.used), "most": number_format(limit.most, force_grouping=True)}
    seconds = round(limit.per.total_seconds())
    match seconds:
        case 60:
            text = gettext("%(used)s of %(most)s this minute") % values
        case 3_600:
            text = gettext("%(used)s of %(most)s this hour") % values
        case 86_400:
            text = gettext("%(used)s of %(most)s in 24 hours") % values
        case _:
            values["seconds"] = number_format(seconds)
            text = gettext("%(used)s of %(most)s in %(seconds)s seconds") % values
    return Gauge(limit.of, text, limit.used, limit.most, soon(limit.free_at) if limit.free_at else "")


def soon(at: datetime) -> str:
    """In how long, as exactly as somebody who waits for it wants to know."""
    seconds = max(round((at - now()).total_seconds()), 1)
    if seconds < 120:
        return ngettext("in %(number)s second", "in %(number)s seconds", seconds) % _number(seconds)
    return gettext("in %s") % timeuntil(at, depth=1)


def told_of(outcome: Outcome) -> Told:
    match outcome:
        case Sent(said=said):
            return Told("success", gettext("The test message was sent."), None, said)
        case TryLater(reason=reason, said=said):
            return Told("warning", gettext("It could not be sent just now."), trouble_of(reason, said), said)
        case Refused(reason=reason, said=said):
            return Told("danger", gettext("It was refused."), trouble_of(reason, said), said)
        case _:
            assert_never(outcome)


def about(channel: Channel, *, reports: bool) -> list[str]:
    """What holds for it, whatever its settings are."""
    said = [
        gettext("An address is verified by a code that is sent there.")
        if channel.verified_by == "code"
        else gettext("An address is verified by a test message."),
    ]
    if channel.gives_up_after:
        hours = round(channel.gives_up_after.total_seconds() / 3_600)
        said.append(
            ngettext(
                "A message that is older than %(hours)s hour is not sent any more.",
                "A message that is older than %(hours)s hours is not sent any more.",
                hours,
            )
            % {"hours": hours}
        )
    if channel.most_together > 1:
        said.append(
            gettext("Up to %(number)s people who are told the same share one call.") % {"number": channel.most_together}
        )
    if channel.unsubscribes:
        said.append(gettext("Every message carries a link by which its reader stops this channel."))
    if channel.asks_after:
        said.append(gettext("The provider is asked later whether a message arrived."))
    elif reports:
        said.append(gettext("The provider reports whether a message arrived."))
    else:
        said.append(gettext("Nobody reports whether a message was read: “sent” means that the other side took it."))
    return said


def _count(rows: Sequence[Row], *what: str) -> int:
    return sum(row.count for row in rows if row.what in what)


def _number(number: int) -> dict[str, str]:
    return {"number": number_format(number, force_grouping=True)}
