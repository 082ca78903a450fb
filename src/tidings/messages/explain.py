"""Why somebody was not told, a message failed or waits, in words and with what to do next: the one place for them."""

from collections.abc import Mapping
from dataclasses import dataclass

from tidings.messages.wording import LANGUAGES, wording


@dataclass(frozen=True, slots=True)
class Explained:
    """`says` is a sentence without its full stop; `todo` is empty for a reason that nobody has worded: one of a channel
    from another package, or of a newer node."""

    reason: str
    says: str
    todo: str = ""


def explain(reason: str, language: str) -> Explained:
    words = wording(language)
    says = words.value("reason", reason)
    if not says:
        return Explained(reason, reason.replace("_", " ").strip().capitalize())
    return Explained(reason, says, words.value("reason_todo", reason))


def every_reason() -> Mapping[str, Mapping[str, Explained]]:
    """By reason and language."""
    return {reason: {language: explain(reason, language) for language in LANGUAGES} for reason in wording("en").reasons}
