"""What a test of a source is: what its system would send, as an event that says it is a test and is about nobody but
whoever asked for it. Pure."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from tidings.events.event import Event, People, Subject
from tidings.events.sources.contract import Adapter, Known, Parked, Push

TYPE = "data_change.successful"
"""Of a test in our own words: every organisation has it, and it asks nobody to act."""
TEST = "test-"
"""What the id of each begins with."""
TITLES = {"en": "Test: {title}", "zh-hans": "测试：{title}"}
FROM = {"en": "an event of {source}", "zh-hans": "{source} 的事件"}
COMMENTS = {"en": "A test, sent by {login}.", "zh-hans": "由 {login} 发送的测试。"}


def rehearsal(
    adapter: Adapter | None, known: Known, *, source: str, login: str, language: str, now: datetime
) -> Sequence[Event] | Parked:
    """Each is another one every time, of a subject of its own. None at all: by its words nobody wants to know of it."""
    key = f"{TEST}{now:%Y%m%d-%H%M%S-%f}"
    sample = adapter.sample if adapter else None
    if adapter is None or sample is None:
        title = FROM[language].format(source=source)
        reading: Sequence[Event] | Parked = [Event(key, TYPE, Subject("ticket", key, title))]
    else:
        push = Push(sample.headers, sample.body, now)
        reading = adapter.read(push, known)
        if isinstance(reading, Parked):
            # The source has described a body of its own, which the sample is not.
            reading = adapter.read(push, Known(known.words, {field.name: field.default for field in adapter.options}))
    if isinstance(reading, Parked):
        return reading
    return [
        replace(
            event,
            id=key if number == 0 else f"{key}-{number}",
            source=source,
            subject=replace(event.subject, id=key, title=_title(event.subject, language)),
            time=now,
            people=People(login),
            actor=login,
            details={**event.details, "comment": COMMENTS[language].format(login=login)},
        )
        for number, event in enumerate(reading)
    ]


def _title(subject: Subject, language: str) -> str:
    return TITLES[language].format(title=subject.title or subject.id)[:500]
