"""What administrators say of a person, as a form."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext

from tidings.accounts.models import SYSTEM_ROLES, Person
from tidings.console.changed import LANGUAGES, Line, difference, role_name
from tidings.console.page import Asked
from tidings.console.spoken import spoken
from tidings.directory.members import described
from tidings.directory.profile import Profile
from tidings.kernel.problems import Problem
from tidings.kernel.versions import Expected

TEXTS = ("name", "email", "mobile", "external_id", "language", "timezone")
NOTHING: Mapping[str, Any] = {**dict.fromkeys(TEXTS, ""), "roles": [], "active": True}
IN_PLACE = (409, 412, 422)


@dataclass(frozen=True, slots=True)
class Form:
    """As it stands, and what is wrong with it, by field; `version` is that of the person it was made from, and `seen` a
    digest of what was said of them."""

    values: Mapping[str, Any]
    version: str = ""
    seen: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    conflict: Sequence[Line] = ()
    """What saving it now would change of what somebody else has saved meanwhile."""

    @property
    def roles(self) -> list[tuple[str, str, bool]]:
        return [(role, role_name(role), role in self.values["roles"]) for role in SYSTEM_ROLES]

    @property
    def languages(self) -> list[tuple[str, str, bool]]:
        return [(code, name, code == self.values["language"]) for code, name in LANGUAGES.items()]

    @property
    def expected(self) -> Expected:
        """Also a form that names no version is not put on top of what it may never have seen."""
        return Expected(if_match=frozenset({self.version}))

    def profile(self) -> Profile:
        return Profile(**self.values)

    def made_from(self, person: Person) -> bool:
        """Whether what is said of them is what it was. Their version also rises with their methods, which stand beside
        this form."""
        return self.seen == _digest(person)


def form_of(person: Person) -> Form:
    return Form(described(person), str(person.version), _digest(person))


def form_sent(request: Asked) -> Form:
    values: dict[str, Any] = {name: request.POST.get(name, "") for name in TEXTS}
    values |= {"roles": request.POST.getlist("roles"), "active": request.POST.get("active") == "on"}
    return Form(values, request.POST.get("version", ""), request.POST.get("seen", ""))


def with_problem(form: Form, problem: Problem, person: Person | None) -> Form:
    """The same, with what is wrong; `person` is as they are now. Raises what cannot be said beside a form."""
    if problem.status not in IN_PLACE:
        raise problem
    if problem.status == 412 and person is not None:
        text = gettext("Somebody changed this person while you did. Saving now puts yours on top:")
        conflict = difference(described(person), form.values)
        return Form(form.values, str(person.version), _digest(person), {}, text, conflict)
    problems = {str(each["field"]): spoken(str(each["problem"])) for each in problem.errors if each.get("field")}
    if problem.code.endswith("_taken"):
        problems = {problem.code.removesuffix("_taken"): spoken(problem.detail)}
    text = gettext("Not saved yet: see below.") if problems else spoken(problem.detail)
    return Form(form.values, form.version, form.seen, problems, text)


def _digest(person: Person) -> str:
    return hashlib.sha256(json.dumps(described(person), sort_keys=True).encode()).hexdigest()
