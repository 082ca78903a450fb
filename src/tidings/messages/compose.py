"""An occasion and a reader become a document: in the reader's language and time zone, with nothing in it that a message
may not carry. SQL, literals and free text stay behind the link unless the tenant allows them for the channel."""

from collections import OrderedDict
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from tidings.messages.document import Document, Fact, Newer, Occasion, Reader
from tidings.messages.wording import Wording, wording

TITLE_AT_MOST = 200
RESOURCES_SHOWN = 3
# What of an event's details may be shown as it is: closed vocabularies and counts, never free text.
SHOWN_DETAILS = ("risk", "environment", "affected_rows", "approval_node", "exec_mode")
_bodies: OrderedDict[tuple[str, str, str], tuple[str, tuple[Fact, ...], str]] = OrderedDict()


def compose(occasion: Occasion, reader: Reader, *, newer: Newer | None = None) -> Document:
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
        earlier=_earlier(occasion, newer, words, reader.timezone) if newer else "",
    )


def _body(occasion: Occasion, words: Wording, timezone: str) -> tuple[str, tuple[Fact, ...], str]:
    """What all readers of one language and time zone share; kept for the few events in hand."""
    key = (occasion.event_id, words.language, timezone)
    body = _bodies.get(key)
    if body is None:
        body = _bodies[key] = (
            words.headline(
                occasion.event_type,
                cut(occasion.title, TITLE_AT_MOST),
                feature_label=occasion.feature_labels.get(words.language, ""),
                event_label=occasion.event_labels.get(words.language, ""),
            ),
            _facts(occasion, words, timezone),
            words.todo(occasion.event_type),
        )
        if len(_bodies) > 64:
            _bodies.popitem(last=False)
    return body


def _facts(occasion: Occasion, words: Wording, timezone: str) -> tuple[Fact, ...]:
    label = words.label
    feature = occasion.feature_labels.get(words.language, "")
    event = occasion.event_labels.get(words.language, "")
    details = occasion.details
    pairs = [
        ("what", f"{feature} {cut(occasion.subject_id, 60)} · {event}"),
        ("where", _where(occasion.resources, label("cut"))),
        ("who", occasion.actor or occasion.submitter),
        ("when", clock_time(occasion.time, timezone)),
    ]
    if details:
        pairs += [(name, _detail(name, details[name], words)) for name in SHOWN_DETAILS if name in details]
    return tuple([Fact(key, label(key), value) for key, value in pairs if value])


def _where(resources: tuple[str, ...], mark: str) -> str:
    shown = ", ".join(resources[:RESOURCES_SHOWN])
    return f"{shown} {mark} (+{len(resources) - RESOURCES_SHOWN})" if len(resources) > RESOURCES_SHOWN else shown


def _detail(name: str, value: object, words: Wording) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    text = cut(str(value), 60)
    match name:
        case "risk":
            return words.risk(text)
        case "environment":
            return words.environment(text)
        case "exec_mode":
            return words.exec_mode(text)
        case "affected_rows":
            return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else text
        case _:
            return text


def _earlier(occasion: Occasion, newer: Newer, words: Wording, timezone: str) -> str:
    then = clock_time(occasion.time, timezone, day=False)
    return words.earlier_status(then, newer.event_labels.get(words.language, ""))


def clock_time(moment: datetime, timezone: str, *, day: bool = True) -> str:
    text = moment.astimezone(_zone(timezone)).isoformat(" ", "minutes")
    return f"{text[:16]} ({timezone})" if day else text[11:16]


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
