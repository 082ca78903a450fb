"""Why somebody was not told, a message failed or waits, in words and with what to do next: the one place for them."""

from collections.abc import Mapping
from dataclasses import dataclass

from tidings.messages.wording import LANGUAGES, wording


@dataclass(frozen=True, slots=True)
class Explained:
    """`says` is a sentence without its full stop; `todo` is empty for a reason that nobody has worded: one of a channel
    from another package, or of a newer node. `todo_failed` is what to do once a message failed for good for it: what
    goes away by itself does so no more for that one."""

    reason: str
    says: str
    todo: str = ""
    todo_failed: str = ""


def explain(reason: str, language: str) -> Explained:
    words = wording(language)
    says = words.value("reason", reason)
    if not says:
        return Explained(reason, reason.replace("_", " ").strip().capitalize())
    todo = words.value("reason_todo", reason)
    return Explained(reason, says, todo, words.value("reason_todo_failed", reason) or todo)


def every_reason() -> Mapping[str, Mapping[str, Explained]]:
    """By reason and language."""
    return {reason: {language: explain(reason, language) for language in LANGUAGES} for reason in wording("en").reasons}
