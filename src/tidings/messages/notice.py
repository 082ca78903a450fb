"""A message that is about no event: a test, a farewell to an address. Pure."""

from datetime import datetime
from uuid import UUID

from tidings.messages.compose import clock_time
from tidings.messages.document import Document, Fact, Occasion, Reader
from tidings.messages.wording import LANGUAGES, wording


def notice(kind: str, identity: UUID, reader: Reader, moment: datetime, *, headline: str, todo: str) -> Document:
    """`headline` and `todo` are in the reader's language already; receivers know it as `tidings.<kind>`."""
    words = wording(reader.language)
    occasion = Occasion(
        event_id=str(identity),
        event_type=f"tidings.{kind}",
        tone="info",
        time=moment,
        subject_kind="notice",
        subject_id=kind,
        title=headline,
        feature_labels=dict.fromkeys(LANGUAGES, "Tidings"),
        event_labels=dict.fromkeys(LANGUAGES, headline),
    )
    return Document(
        occasion=occasion,
        reader=reader,
        language=words.language,
        headline=headline,
        facts=(Fact("when", words.label("when"), clock_time(moment, reader.timezone)),),
        todo=todo,
        why="",
    )
