"""What became of deliveries, a line each."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from tidings.channels.words import one_line
from tidings.demo.follow import Tried
from tidings.demo.record import TRIES, Attempt, Recipient, Record, Send

LABELS = {"email": "e-mail", "sms": "SMS", "dingtalk": "DingTalk", "dingtalk_robot": "chatbot"}
DELIVERED, SENT, AGAIN, FAILED, UNDER_WAY, NOT_TOLD = "✓✓", "✓", "↻", "✗", "…", "–"
STYLES = {DELIVERED: "green", SENT: "green", AGAIN: "yellow", FAILED: "red", UNDER_WAY: "yellow", NOT_TOLD: "dim"}
# Verdicts that their vendor puts into words few would read here.
VERDICTS = {"no_dingtalk_account": "no account in DingTalk has this mobile"}
# What a delivery is held for.
HOLDS = {"dingtalk_robot_rate": "its robot may say no more this minute"}
ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}


def retried(record: Record, recipient: Recipient, send: Send, number: int, *, named: bool = False) -> RenderableType:
    """What entry `number` of its attempts says, from 1; `named`: with what it is about."""
    attempt, last = send.attempts[number - 1], number == len(send.attempts)
    of = record if named else None
    if attempt.outcome == "delivered":
        return later(DELIVERED, recipient, send, _delivered(attempt), of=of)
    if attempt.outcome == "failed":
        why = f"not delivered, says its provider: {attempt.said} ({attempt.reason})"
        return later(FAILED, recipient, send, why, of=of)
    if attempt.outcome == "retried_by":
        return later(AGAIN, recipient, send, f"tried again by hand, by {attempt.by}", of=of)
    tries = sum(each.outcome in TRIES for each in send.attempts[:number])
    nth = f"{ORDINALS.get(tries, f'{tries}th')} try"
    if attempt.outcome == "sent":
        after = (attempt.answered - record.event.accepted_at).total_seconds()
        return later(SENT, recipient, send, f"{nth} sent, {after:.1f} s after the event was accepted", of=of)
    said = VERDICTS.get(attempt.reason) or attempt.said or attempt.reason
    # Somebody may have asked for another try before the end was seen.
    ended = send.state == "failed" if last else send.attempts[number].outcome == "retried_by"
    if ended or attempt.outcome == "refused":
        return later(FAILED, recipient, send, f"{nth} failed for good: {said} ({attempt.reason})", of=of)
    return later(AGAIN, recipient, send, f"{nth} met {said}{_again(send) if last else ''}", of=of)


def together(tried: Sequence[Tried]) -> RenderableType:
    """Many deliveries of one channel of which the same is told."""
    first = tried[0]
    attempt = first.send.attempts[first.number - 1]
    what = LABELS.get(first.send.channel, first.send.channel)
    people = dict.fromkeys(one.recipient.name or one.recipient.login for one in tried)
    if attempt.outcome == "delivered":
        text = f"{DELIVERED} {what}: {len(tried)} messages are delivered, says their provider, to "
        return Padding(Text(text + ", ".join(people), style=STYLES[DELIVERED]), (0, 0, 0, 3))
    events = dict.fromkeys(one.record.event.subject.id for one in tried)
    longest = max(
        one.send.attempts[one.number - 1].answered - one.record.event.accepted_at for one in tried
    ).total_seconds()
    text = f"{SENT} {what} to {', '.join(people)}: held for {longest:.0f} s at most, now sent"
    return Padding(Text.assemble((text, STYLES[SENT]), (f" ({', '.join(events)})", "dim")), (0, 0, 0, 3))


def held_back(some: Sequence[tuple[Recipient, Send]], *, of: Record | None) -> RenderableType:
    """People for whom the same is held on one channel."""
    send = some[0][1]
    wait = (send.due_at - datetime.now(UTC)).total_seconds()
    why = HOLDS.get(send.reason, "its vendor takes no more for now")
    when = f"; goes in {wait:.0f} s" if wait >= 1 else ""
    people = ", ".join(recipient.name or recipient.login for recipient, _ in some)
    return _line(UNDER_WAY, send, people, f"held, because {why} ({send.reason}){when}", of=of)


def later(mark: str, recipient: Recipient, send: Send, what: str, *, of: Record | None) -> RenderableType:
    return _line(mark, send, recipient.name or recipient.login, what, of=of)


def _line(mark: str, send: Send, people: str, what: str, *, of: Record | None) -> RenderableType:
    who = f"{LABELS.get(send.channel, send.channel)} to {people}"
    which = f" ({_which(of)})" if of else ""
    return Padding(Text.assemble((f"{mark} {who}: {one_line(what)}", STYLES[mark]), (which, "dim")), (0, 0, 0, 3))


def _delivered(attempt: Attempt) -> str:
    return f"delivered, says its provider{': ' if attempt.said else ''}{attempt.said}"


def _which(record: Record) -> str:
    """A notice of Tidings' own has a name that nobody knows."""
    event = record.event
    status = event.type.partition(".")[2]
    return status if event.subject.kind == "notice" else f"{one_line(event.subject.id)} {status}"


def mark_of(send: Send) -> str:
    if send.state in ("sent", "delivered"):
        return SENT if send.state == "sent" else DELIVERED
    if send.state in ("failed", "cancelled"):
        return FAILED if send.state == "failed" else NOT_TOLD
    return AGAIN if send.attempts else UNDER_WAY


def _again(send: Send) -> str:
    wait = (send.due_at - send.attempts[-1].answered).total_seconds()
    return f"; again in {wait:.1f} s" if send.state == "pending" and wait > 0 else ""
