"""What came of an act, in words for who did it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils.translation import get_language, gettext

from tidings.channels.contract import Channel, Outcome, Refused, Sent
from tidings.channels.field_words import in_language
from tidings.console.spoken import meant, spoken
from tidings.kernel.clock import now
from tidings.kernel.problems import Problem
from tidings.messages.explain import explain
from tidings.preferences.shape import FLAT

_CALLING_CODE = re.compile(r"\+\d{1,4}")


@dataclass(frozen=True, slots=True)
class Told:
    """`well`: a success, None when it is neither that nor a failure. `until`: when it can be tried again. `problems`
    and what was `typed`, by field."""

    text: str = ""
    todo: str = ""
    well: bool | None = None
    until: datetime | None = None
    problems: Mapping[str, str] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)


def told_of_problem(problem: Problem, kind: Channel, typed: Mapping[str, str]) -> Told:
    """Of one that an act on this channel raised: beside the field it is about. The API calls some of them otherwise."""
    names = {each.name: each.name for each in kind.contact} | {"address": kind.contact[0].name, "code": "code"}
    names |= {key: places[kind.code] for key, places in FLAT.items() if kind.code in places}
    problems: dict[str, str] = {}
    for each in problem.errors:
        name = names.get(str(each["field"]).rpartition(".")[2], kind.contact[0].name)
        problems[name] = _problem(str(each["problem"]), kind, name)
    wait = problem.headers.get("Retry-After")
    until = now() + timedelta(seconds=int(wait)) if wait else None
    text = "" if problems else _words(problem)
    return Told(text, well=False, until=until, problems=problems, typed=typed)


def told_of_outcome(outcome: Outcome, *, verified: bool) -> Told:
    language = get_language() or "en"
    if isinstance(outcome, Sent):
        if verified:
            return Told(gettext("The test message arrived. Notifications go there from now on."), well=True)
        return Told(gettext("The test message was taken."), well=True)
    why = explain(outcome.reason, language)
    said = (
        f"{why.says}."
        if not outcome.said
        else gettext("%(why)s. It said: %(said)s") % {"why": why.says, "said": outcome.said}
    )
    if isinstance(outcome, Refused):
        return Told(gettext("The test message was refused. %s") % said, why.todo, well=False)
    until = now() + outcome.after if outcome.after else None
    return Told(gettext("The test message could not be sent just now. %s") % said, why.todo, well=False, until=until)


def _problem(text: str, kind: Channel, name: str) -> str:
    """Checks speak English; who reads another language is told what is asked for, which says as much."""
    language = get_language() or "en"
    if language.startswith("en"):
        return text[:1].upper() + text[1:].rstrip(".") + "."
    if (known := spoken(text)) != text:
        return known
    if "countries" in text or "country" in text:
        return gettext("Codes are sent only to numbers that begin with %s.") % ", ".join(_CALLING_CODE.findall(text))
    part = next((each for each in kind.contact if each.name == name), kind.contact[0])
    if name == "code":
        return gettext("Enter the six digits that were sent.")
    return gettext("This cannot be used. %s") % in_language(part.words.help, language)


def _words(problem: Problem) -> str:
    words = {
        "wrong_code": gettext("This is not the code that was sent last."),
        "code_expired": gettext("This code has ended. Ask for a new one."),
        "locked": gettext("Too many wrong codes were tried for this address."),
        "too_many_codes": gettext("Too many codes were asked for."),
        "too_many_tests": gettext("Too many tests were asked for."),
        "busy": gettext("Another message is just being sent. Try again in a moment."),
        "channel_off": gettext("This channel is switched off here. Your administrators can switch it on."),
        "contact_missing": gettext("There is no address yet. Give one first."),
        "precondition_failed": gettext("Somebody changed this meanwhile. Look at how it is now, then change it again."),
    }
    return words.get(problem.code) or meant(problem)
