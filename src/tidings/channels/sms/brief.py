"""What of a message a text message says. Pure."""

from collections.abc import Mapping

from msgspec import Struct

from tidings.channels.words import one_line
from tidings.messages.compose import clock_time, named_tasks
from tidings.messages.document import SOMEBODY, Document
from tidings.messages.wording import wording

COLON: Mapping[str, str] = {"zh-hans": "："}


class Brief(Struct, frozen=True):
    """One line each, nothing cut yet. `earlier` is set when a newer status overtook the message."""

    feature: str
    number: str
    status: str
    title: str
    where: str
    who: str
    time: str
    earlier: str
    link: str


def brief(document: Document) -> Brief:
    occasion = document.occasion
    feature, _, event = occasion.event_type.partition(".")
    return Brief(
        feature=_label(occasion.feature_labels, document.language) or feature,
        number=one_line(occasion.subject_id),
        status=_status(_label(occasion.event_labels, document.language) or event, document),
        title=one_line(occasion.title),
        where=one_line(occasion.resources[0]) if occasion.resources else "",
        who=_person(occasion.actor or occasion.submitter, document.language),
        time=clock_time(occasion.time, document.reader.timezone)[:16],
        earlier=one_line(document.earlier),
        link=document.url,
    )


def _status(label: str, document: Document) -> str:
    """With the task that failed, where one did: there is room for one name, and for how many more."""
    names = named_tasks(document.occasion.details.get("failed_tasks"))
    if not names:
        return label
    more = f" (+{len(names) - 1})" if len(names) > 1 else ""
    return f"{label}{COLON.get(document.language, ': ')}{names[0]}{more}"


def _person(name: str, language: str) -> str:
    return wording(language).label("somebody") if name == SOMEBODY else one_line(name)


def _label(labels: Mapping[str, str], language: str) -> str:
    return one_line(labels.get(language) or labels.get("en", ""))
