"""An occasion and a reader become a document: in the reader's language and time zone, with nothing in it that a message
may not carry. SQL, literals and free text stay behind the link unless the tenant allows them for the channel."""

import re
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from tidings.messages.document import SOMEBODY, Document, Fact, Newer, Occasion, Reader
from tidings.messages.wording import VALUE_TABLES, Wording, wording

TITLE_AT_MOST = 200
RESOURCES_SHOWN = 3
# What of an event's details may be shown: the names of tasks, words of a closed vocabulary, counts, and the name of an
# approval node.
SHOWN_DETAILS = ("failed_tasks", "risk", "environment", "affected_rows", "approval_node", "exec_mode")
# And of what our own notices say. Their codes are ours: one without words here is still no free text.
OWN_DETAILS = ("reason",)
OWN_TYPES = "tidings."
# A node's name is free text by its nature: whoever writes approval templates chooses it ("Owner approval", "DBA 审批").
# So only what can hardly be anything else: one to five words of letters and digits. No marks, so no literal, operator
# or mail address; no long number, so no telephone number and no key; none of the words that SQL is made of.
_NODE_NAME = re.compile(
    r"(?!.*\d{5})(?!.*\b(?:select|insert|update|delete|merge|drop|alter|create|truncate|rename|grant|revoke|execute|exec"
    r"|from|where|into|values|union|set)\b)[^\W_][\w-]*(?: [\w-]+){0,4}",
    re.IGNORECASE,
)
NODE_NAME_AT_MOST = 40
# A task's name is an identifier, as its flow has it: no space, no quote, no bracket but that of a mapped task. No link
# that somebody could press, and no number so long that it could be a telephone's; the day in a name has eight digits.
_TASK_NAME = re.compile(r"(?!.*(?://|\d{9}))[\w.\-\[\]/:]{1,100}")
TASKS_SHOWN = 3
TASKS_AT_MOST = 120
COUNT_AT_MOST = 10**15
_bodies: OrderedDict[tuple[str, str, str], tuple[str, tuple[Fact, ...], str]] = OrderedDict()


def compose(occasion: Occasion, reader: Reader, *, newer: Newer | None = None, now: datetime | None = None) -> Document:
    """`newer` overtook it; `now` decides whether it has to be said of which day it is."""
    words = wording(reader.language)
    headline, facts, todo = _body(occasion, words, reader.timezone)
    return Document(
        occasion=occasion,
        reader=reader,
        language=words.language,
        headline=headline,
        facts=facts,
        todo=todo,
        why=words.because(reader.because),
        link_label=words.label("open") if occasion.url else "",
        earlier=_earlier(occasion, newer, words, reader.timezone, now) if newer else "",
    )


def _body(occasion: Occasion, words: Wording, timezone: str) -> tuple[str, tuple[Fact, ...], str]:
    """What all readers of one language and time zone share; kept for the few events in hand."""
    key = (occasion.event_id, words.language, timezone)
    body = _bodies.get(key)
    if body is None:
        body = _bodies[key] = (
            words.headline(
                occasion.event_type,
                cut(_title(occasion, words.language), TITLE_AT_MOST),
                feature_label=occasion.feature_labels.get(words.language, ""),
                event_label=occasion.event_labels.get(words.language, ""),
            ),
            facts_of(occasion, words, timezone),
            words.todo(occasion.event_type),
        )
        if len(_bodies) > 64:
            _bodies.popitem(last=False)
    return body


def _title(occasion: Occasion, language: str) -> str:
    """That of a notice of ours begins with what a channel is called in English."""
    here, english = (occasion.details.get(f"channel_{each}") for each in (language, "en"))
    title, ours = occasion.title, occasion.event_type.startswith(OWN_TYPES)
    if ours and isinstance(here, str) and isinstance(english, str) and title.startswith(english):
        return here + title.removeprefix(english)
    return title


def facts_of(occasion: Occasion, words: Wording, timezone: str) -> tuple[Fact, ...]:
    """What may be told of it, a line each; what is not known has none."""
    label = words.label
    feature = occasion.feature_labels.get(words.language, "")
    event = occasion.event_labels.get(words.language, "")
    ours = occasion.event_type.startswith(OWN_TYPES)
    # A notice of ours has a key that tells nobody anything, and is about a person who submitted nothing.
    what = f"{feature} · {event}" if ours else f"{feature} {cut(occasion.subject_id, 60)} · {event}"
    facts = [
        Fact("what", label("what"), what),
        Fact("where", label("where"), _where(occasion.resources, label("cut"))),
        Fact("submitter", label("concerns" if ours else "submitter"), _person(occasion.submitter, words)),
        Fact("actor", label("actor"), _person(occasion.actor, words) if occasion.actor != occasion.submitter else ""),
        Fact("when", label("when"), clock_time(occasion.time, timezone)),
    ]
    details = occasion.details
    shown = OWN_DETAILS if ours else SHOWN_DETAILS
    facts += [Fact(name, label(name), _detail(name, details[name], words)) for name in shown if name in details]
    return tuple([fact for fact in facts if fact.value])


def _person(name: str, words: Wording) -> str:
    return words.label("somebody") if name == SOMEBODY else name


def _where(resources: tuple[str, ...], mark: str) -> str:
    shown = ", ".join(resources[:RESOURCES_SHOWN])
    return f"{shown} {mark} (+{len(resources) - RESOURCES_SHOWN})" if len(resources) > RESOURCES_SHOWN else shown


def _detail(name: str, value: object, words: Wording) -> str:
    """Empty for what is not known: a source may put anything there, the SQL itself among it."""
    if name == "affected_rows":
        count = int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value) else value
        known = isinstance(count, (int, float)) and not isinstance(count, bool) and 0 <= count <= COUNT_AT_MOST
        return f"{count:,.0f}" if known else ""
    if name == "failed_tasks":
        return _tasks(named_tasks(value), words.label("cut"))
    if not isinstance(value, str):
        return ""
    if name in OWN_DETAILS:
        return words.value(name, value) or value.replace("_", " ")
    if name in VALUE_TABLES:
        return words.value(name, value)
    return value if len(value) <= NODE_NAME_AT_MOST and _NODE_NAME.fullmatch(value) else ""


def named_tasks(value: object) -> list[str]:
    """Of the detail `failed_tasks`, those that a message may name, each once."""
    names = value if isinstance(value, list) and all(isinstance(each, str) for each in value) else ()
    return [name for name in dict.fromkeys(names) if _TASK_NAME.fullmatch(name)]


def _tasks(known: Sequence[str], mark: str) -> str:
    """As many of the first as fit, and how many more there are."""
    shown = list(known[:TASKS_SHOWN])
    while len(", ".join(shown)) > TASKS_AT_MOST:
        shown.pop()
    text = ", ".join(shown)
    return f"{text} {mark} (+{len(known) - len(shown)})" if len(known) > len(shown) else text


def _earlier(occasion: Occasion, newer: Newer, words: Wording, timezone: str, now: datetime | None) -> str:
    today = now is not None and clock_time(now, timezone)[:10] == clock_time(occasion.time, timezone)[:10]
    then = clock_time(occasion.time, timezone, day=not today)
    return words.earlier_status(then, newer.event_labels.get(words.language, ""))


def clock_time(moment: datetime, timezone: str, *, day: bool = True) -> str:
    """The year 1 and the year 9999 have hours that some zones cannot say: those are said in UTC."""
    try:
        text = _at_minute(int(moment.timestamp()) // 60, timezone)
    except (ValueError, OverflowError):
        timezone = "UTC"
        text = _at_minute(int(moment.timestamp()) // 60, timezone)
    return f"{text} ({timezone})" if day else text[11:]


@lru_cache(maxsize=4096)
def _at_minute(minute: int, timezone: str) -> str:
    """Kept, since the events of a busy minute share it."""
    return datetime.fromtimestamp(minute * 60, _zone(timezone)).isoformat(" ", "minutes")[:16]


@lru_cache(maxsize=600)
def _zone(name: str) -> ZoneInfo:
    """A zone that this system does not know is no reason to keep a message back."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return ZoneInfo("UTC")


def cut(text: str, at_most: int, mark: str = "…") -> str:
    """A text with its line breaks and control characters made spaces, cut with a mark."""
    clean = text
    if not text.isprintable():
        clean = "".join(each for each in " ".join(text.split()) if each.isprintable())
    return clean if len(clean) <= at_most else clean[: at_most - len(mark)] + mark
