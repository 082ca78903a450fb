"""Show decision records and what becomes of them, in a terminal of 80 columns or more, or plainly elsewhere."""

import codecs
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from io import TextIOWrapper
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tidings.channels.words import one_line
from tidings.demo.follow import Because, Cancelled, News, Opened, Recipient, Record, Send, Skip, Tried

WIDEST = 100
LABELS = {"email": "e-mail"}
SENT, AGAIN, FAILED, UNDER_WAY, NOT_TOLD = "✓", "↻", "✗", "…", "–"
STYLES = {SENT: "green", AGAIN: "yellow", FAILED: "red", UNDER_WAY: "yellow", NOT_TOLD: "dim"}
# The closed list of DESIGN.md section 7, for readers.
REASONS = {
    "rule_off": "the rule for this event is switched off",
    "role_empty": "nobody holds this role here",
    "unknown_person": "nobody of this name is known",
    "person_disabled": "the account is disabled",
    "person_departed": "they have left",
    "no_method": "no way to reach them; it is in their inbox",
    "channel_off": "the channel is switched off",
    "contact_missing": "there is no address",
    "contact_unverified": "the address is not confirmed",
    "contact_disabled": "the address is dead",
}
NAME_WIDTH = 20
# In the order in which a message says it; the names are those of the catalogue, except for what has none there.
ROLES = {
    "submitter": "submitter",
    "approver": "approver",
    "related_person": "related person",
    "data_owner": "data owner",
    "instance_dba": "instance DBA",
    "dba": "DBA",
    "administrator": "administrator",
    "security_administrator": "security administrator",
    "additional_user": "added to the rule",
}
ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}
PLAIN = {SENT: "+", AGAIN: "~", FAILED: "x", UNDER_WAY: ".", NOT_TOLD: "-", "·": "-", "›": ">"}


class Screen:
    """What is printed scrolls by; in a terminal a line at the bottom keeps count. `zone` is the organisation's."""

    def __init__(self, zone: ZoneInfo) -> None:
        if isinstance(sys.stdout, TextIOWrapper):
            codecs.register_error("demo", _plainly)
            sys.stdout.reconfigure(errors="demo")
        found = Console()
        self.console = Console(highlight=False, markup=False, emoji=False, width=min(found.width, WIDEST))
        self._zone = zone
        self._live = Live(console=self.console, auto_refresh=False, transient=True) if found.is_terminal else None

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def say(self, *parts: str | tuple[str, str]) -> None:
        """Text; parts may be (text, style). Long words such as paths and commands are left whole, to be copied."""
        self.console.print(Text.assemble(*parts), soft_wrap=True)

    def aside(self, text: str) -> None:
        self.console.print(Padding(Text(f"› {text}", style="magenta"), (1, 0, 0, 3)))

    def show(self, news: News) -> None:
        match news:
            case Opened(record):
                self.console.print(card(record, self._zone))
            case Tried(record, recipient, send, number):
                self.console.print(retried(record, recipient, send, number, named=True))
            case Cancelled(record, recipient, send):
                why = REASONS.get(send.reason, send.reason)
                self.console.print(_later(NOT_TOLD, recipient, send, f"called off, because {why}", of=record))

    def count(self, records: Iterable[Record]) -> None:
        if self._live:
            self._live.update(tally(list(records)), refresh=True)


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """For a terminal that knows ASCII only: our marks by others, names of the rest of the world as question marks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(letter, "?") for letter in error.object[error.start : error.end]), error.end


def card(record: Record, zone: ZoneInfo) -> RenderableType:
    """One event: what happened, who is told how and why, who is not and why not."""
    rows = Table.grid(padding=(0, 1), expand=True)
    rows.add_column(width=2)
    rows.add_column(width=NAME_WIDTH)
    rows.add_column(width=19)
    rows.add_column(ratio=1)
    for recipient in record.recipients:
        _add(rows, recipient, own=record.event.subject.kind == "notice")
    for skip in record.skips:
        rows.add_row("", Text(_whom(skip)), f"{NOT_TOLD} not told", f"because {_reason(skip)}", style=STYLES[NOT_TOLD])
    return Group(Text(), _title(record, zone), _about(record), rows, *_troubles(record))


def retried(record: Record, recipient: Recipient, send: Send, number: int, *, named: bool = False) -> RenderableType:
    """What entry `number` of its attempts says, from 1; `named`: with what it is about."""
    attempt, last = send.attempts[number - 1], number == len(send.attempts)
    of = record if named else None
    if attempt.outcome == "retried_by":
        return _later(AGAIN, recipient, send, f"tried again by hand, by {attempt.by}", of=of)
    tries = sum(each.outcome != "retried_by" for each in send.attempts[:number])
    nth = f"{ORDINALS.get(tries, f'{tries}th')} try"
    if attempt.outcome == "sent":
        after = (attempt.answered - record.event.accepted_at).total_seconds()
        return _later(SENT, recipient, send, f"{nth} sent, {after:.1f} s after the event was accepted", of=of)
    said = attempt.said or attempt.reason
    # Somebody may have asked for another try before the end was seen.
    ended = send.state == "failed" if last else send.attempts[number].outcome == "retried_by"
    if ended or attempt.outcome == "refused":
        return _later(FAILED, recipient, send, f"{nth} failed for good: {said} ({attempt.reason})", of=of)
    return _later(AGAIN, recipient, send, f"{nth} met {said}{_again(send) if last else ''}", of=of)


def tally(records: Sequence[Record]) -> Text:
    marks = Counter(_mark(send) for record in records for send in record.sends)
    silences = sum(len(record.skips) + sum(len(one.skips) for one in record.recipients) for record in records)
    numbers = (
        ("events", len(records), "bold"),
        ("sent", marks[SENT], STYLES[SENT]),
        ("on their way", marks[AGAIN] + marks[UNDER_WAY], STYLES[AGAIN]),
        ("failed", marks[FAILED], STYLES[FAILED]),
        ("not told", silences, STYLES[NOT_TOLD]),
    )
    parts = [Text(f"{what} {count}", style=style) for what, count, style in numbers]
    return Text("   ") + Text(" · ", style="dim").join(parts)


def _add(rows: Table, recipient: Recipient, *, own: bool) -> None:
    """`own`: a notice of Tidings' own is about something of its submitter's."""
    places = {role: place for place, role in enumerate(ROLES)}
    because = sorted(recipient.because, key=lambda reason: places.get(reason.role, len(places)))
    why = Text(f"because {', '.join('it is theirs' if own and b.role == 'submitter' else _role(b) for b in because)}")
    how = Text("  ").join(_how(send) for send in recipient.sends)
    rows.add_row("", Text(_name(recipient), style="bold" if how else ""), how or f"{NOT_TOLD} inbox only", why)
    for skip in recipient.skips:
        what = f"{NOT_TOLD} {LABELS.get(skip.channel, skip.channel)}" if skip.channel else ""
        rows.add_row("", "", what, f"{'because' if how else 'but'} {_reason(skip)}", style=STYLES[NOT_TOLD])


def _reason(skip: Skip) -> str:
    return f"{REASONS.get(skip.reason, skip.reason)} ({skip.reason})"


def _title(record: Record, zone: ZoneInfo) -> RenderableType:
    event = record.event
    just_now = abs(event.time - event.accepted_at) < timedelta(seconds=5)
    clock = "now  " if just_now else f"{event.time.astimezone(zone):%H:%M}"
    own = event.subject.kind == "notice"
    about = "notice" if own else f"{event.subject.kind.replace('_', ' ')} {one_line(event.subject.id)}"
    return _ends(Text.assemble((f"{clock} ", "cyan"), (event.type, "bold cyan")), Text(about, style="cyan"))


def _about(record: Record) -> RenderableType:
    where = ", ".join(map(str, record.event.resources))
    title = Text.assemble(one_line(record.event.subject.title), (f" · {one_line(where)}" if where else "", "dim"))
    return Padding(_ends(title, Text(_swiftness(record), style="dim")), (0, 0, 0, 6))


def _ends(left: Text, right: Text) -> Table:
    """A line with something at both ends; the left one may take several."""
    line = Table.grid(expand=True, padding=(0, 1, 0, 0))
    line.add_column(ratio=1)
    line.add_column(justify="right", no_wrap=True)
    line.add_row(left, right)
    return line


def _swiftness(record: Record) -> str:
    """From accepted to the last answer of a first try."""
    answered = [send.attempts[0].answered for send in record.sends if send.attempts]
    if not record.event.planned:
        return "kept, not planned yet"
    if not answered:
        return "nothing to send" if not record.sends else "sending"
    return f"{(max(answered) - record.event.accepted_at).total_seconds() * 1000:,.0f} ms"


def _troubles(record: Record) -> Iterator[RenderableType]:
    """What was not plain sailing when the card was made; later tries follow below it as they happen."""
    for recipient in record.recipients:
        for send in recipient.sends:
            if len(send.attempts) > 1 or (send.attempts and _mark(send) != SENT):
                for number in range(1, len(send.attempts) + 1):
                    yield retried(record, recipient, send, number)


def _later(mark: str, recipient: Recipient, send: Send, what: str, *, of: Record | None) -> RenderableType:
    who = f"{LABELS.get(send.channel, send.channel)} to {recipient.name or recipient.login}"
    which = f" ({one_line(of.event.subject.id)} {of.event.type.partition('.')[2]})" if of else ""
    return Padding(Text.assemble((f"{mark} {who}: {one_line(what)}", STYLES[mark]), (which, "dim")), (0, 0, 0, 3))


def _mark(send: Send) -> str:
    if send.state in ("sent", "delivered"):
        return SENT
    if send.state in ("failed", "cancelled"):
        return FAILED if send.state == "failed" else NOT_TOLD
    return AGAIN if send.attempts else UNDER_WAY


def _how(send: Send) -> Text:
    mark = _mark(send)
    return Text(f"{mark} {LABELS.get(send.channel, send.channel)}", style=STYLES[mark])


def _again(send: Send) -> str:
    wait = (send.due_at - send.attempts[-1].answered).total_seconds()
    return f"; again in {wait:.1f} s" if send.state == "pending" and wait > 0 else ""


def _role(because: Because) -> str:
    name = ROLES.get(because.role, because.role.replace("_", " "))
    return f"{name} of {one_line(because.of)}" if because.of else name


def _name(recipient: Recipient) -> str:
    """Names in other scripts with the login, which everybody can read."""
    name = recipient.name or recipient.login
    if max(name) < "\u0250":
        return name
    both = f"{name} {recipient.login}"
    return both if cell_len(both) <= NAME_WIDTH else recipient.login


def _whom(skip: Skip) -> str:
    return one_line(skip.person) or ROLES.get(skip.role, skip.role) or "everybody"
