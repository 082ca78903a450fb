"""One event as a card: what happened, who is told how and why, and who is not and why not."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tidings.channels.words import one_line
from tidings.demo.lines import LABELS, NOT_TOLD, STYLES, held_back, mark_of, retried
from tidings.demo.record import Because, Recipient, Record, Send, Skip

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
HOW_WIDTH = 19
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


def card(record: Record, zone: ZoneInfo) -> RenderableType:
    """One event: what happened, who is told how and why, who is not and why not."""
    rows = Table.grid(padding=(0, 1), expand=True)
    rows.add_column(width=2)
    rows.add_column(width=NAME_WIDTH)
    rows.add_column(width=HOW_WIDTH)
    rows.add_column(ratio=1)
    for recipient in record.recipients:
        _add(rows, recipient, own=record.event.subject.kind == "notice")
    for skip in record.skips:
        rows.add_row("", Text(_whom(skip)), f"{NOT_TOLD} not told", f"because {_reason(skip)}", style=STYLES[NOT_TOLD])
    return Group(Text(), _title(record, zone), _about(record), rows, *_troubles(record))


def _add(rows: Table, recipient: Recipient, *, own: bool) -> None:
    """`own`: a notice of Tidings' own is about something of its submitter's."""
    places = {role: place for place, role in enumerate(ROLES)}
    because = sorted(recipient.because, key=lambda reason: places.get(reason.role, len(places)))
    why = Text(f"because {', '.join('it is theirs' if own and b.role == 'submitter' else _role(b) for b in because)}")
    how = Text("\n").join(_in_lines([_how(send) for send in recipient.sends], HOW_WIDTH))
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
    held = any(send.held for send in record.sends)
    if not record.event.planned:
        return "kept, not planned yet"
    if not answered:
        return "nothing to send" if not record.sends else "held" if held else "sending"
    return f"{(max(answered) - record.event.accepted_at).total_seconds() * 1000:,.0f} ms"


def _troubles(record: Record) -> Iterator[RenderableType]:
    """What was not plain sailing when the card was made; later tries follow below it as they happen."""
    for recipient in record.recipients:
        for send in recipient.sends:
            # That it was sent at first goes without saying.
            begin = 2 if send.attempts and send.attempts[0].outcome == "sent" else 1
            if not _smooth(send):
                for number in range(begin, len(send.attempts) + 1):
                    yield retried(record, recipient, send, number)
    held: dict[tuple[str, str], list[tuple[Recipient, Send]]] = {}
    for recipient in record.recipients:
        for send in recipient.sends:
            if send.held:
                held.setdefault((send.channel, send.reason), []).append((recipient, send))
    yield from (held_back(some, of=None) for some in held.values())


def _smooth(send: Send) -> bool:
    return [attempt.outcome for attempt in send.attempts] in ([], ["sent"], ["sent", "delivered"])


def shape(record: Record) -> object:
    """All that a card says but for the event's own id, title and time."""
    told = [
        (one.login, tuple(one.because), tuple((s.channel, mark_of(s), s.reason) for s in one.sends), tuple(one.skips))
        for one in record.recipients
    ]
    smooth = all(_smooth(send) for send in record.sends)
    return (record.event.type, told, record.skips) if smooth else record.event.id


def as_above(record: Record) -> RenderableType:
    """The same people are told of the same, in the same way, of another subject."""
    title = one_line(record.event.subject.title)
    left = Text.assemble(("      as above  ", "dim"), (title, ""))
    return _ends(left, Text(_swiftness(record), style="dim"))


def _how(send: Send) -> Text:
    mark = mark_of(send)
    return Text(f"{mark} {LABELS.get(send.channel, send.channel)}", style=STYLES[mark])


def _in_lines(parts: Sequence[Text], width: int) -> list[Text]:
    """As many beside one another as there is room for; a mark stays with its channel."""
    lines: list[Text] = []
    for part in parts:
        if lines and lines[-1].cell_len + 2 + part.cell_len <= width:
            lines[-1] = Text("  ").join([lines[-1], part])
        else:
            lines.append(part)
    return lines


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
