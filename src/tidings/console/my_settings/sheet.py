"""The ways somebody can be reached, as a form: their own, or somebody's in an administrator's hands.

`console/_methods.html` shows a `Sheet`; `sheet_of` makes one for another person's page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from django.urls import reverse
from django.utils.translation import get_language

from tidings.accounts.models import Person
from tidings.accounts.permissions import Caller
from tidings.channels.check import masked
from tidings.channels.contract import Channel, Field, Value, Values
from tidings.channels.field_words import in_language
from tidings.channels.registry import CHANNELS
from tidings.console.my_settings.told import Told
from tidings.directory.members import known_member
from tidings.kernel.clock import now
from tidings.kernel.versions import Expected
from tidings.messages.explain import Explained, explain
from tidings.preferences.code_state import CodeState, code_states
from tidings.preferences.methods import own_settings, put_own_settings, put_settings_of_user, settings_of_user
from tidings.preferences.shape import Point, Shown, Wanted


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose settings: the caller's own, or those of `login`, by an administrator."""

    caller: Caller
    login: str = ""

    @property
    def own(self) -> bool:
        return not self.login

    def person(self) -> Person:
        return self.caller.as_person() if self.own else known_member(self.caller.tenant_id, self.login)

    def read(self) -> Shown:
        return own_settings(self.caller) if self.own else settings_of_user(self.caller, self.login)

    def put(self, wanted: Wanted, version: str) -> Shown:
        """As they were seen with this version. Raises what the API's call raises."""
        expected = Expected(if_match=frozenset({version}))
        if self.own:
            return put_own_settings(self.caller, wanted, expected)
        return put_settings_of_user(self.caller, self.login, wanted, expected)

    def url(self, act: str, channel: str) -> str:
        return (
            reverse(f"way-{act}", args=[channel]) if self.own else reverse(f"way-{act}-of", args=[self.login, channel])
        )


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a contact point. A secret has no value, only that it is `kept`; `renews` when a new one is made."""

    name: str
    kind: str
    label: str
    help: str
    required: bool
    value: Value
    kept: bool
    renews: bool
    choices: Sequence[tuple[str, str]]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """One channel. `standing`: none, unverified, verified or disabled; `why` then says why. `made`: secrets made just
    now, shown this once. `told`: what came of the act that was just done to it."""

    code: str
    name: str
    icon: str
    on: bool
    chosen: bool
    by: str
    address: str
    standing: str
    why: Explained | None
    parts: Sequence[Part]
    state: CodeState | None
    made: Sequence[tuple[str, Value]]
    told: Told
    urls: Mapping[str, str]

    @property
    def wait(self) -> int:
        """Seconds until another code can be asked for."""
        return ceil(max((self.state.again_at - now()).total_seconds(), 0)) if self.state else 0

    @property
    def reaches(self) -> bool:
        return self.on and self.chosen and self.standing == "verified"


@dataclass(frozen=True, slots=True)
class Sheet:
    person: Person
    own: bool
    version: str
    ways: Sequence[Way]

    @property
    def open(self) -> list[Way]:
        return [way for way in self.ways if way.on]

    @property
    def off(self) -> list[Way]:
        return [way for way in self.ways if not way.on]

    @property
    def unreachable(self) -> bool:
        return not any(way.reaches for way in self.ways)


ICONS = {"email": "mail", "sms": "device-mobile", "webhook": "webhook"}
ACTS = ("switch", "address", "code", "verify", "test", "remove")
ACTS_OF = ("switch", "address", "test", "remove")
"""An administrator's word needs no code."""


def sheet_of(caller: Caller, login: str) -> Sheet:
    """Of another person. Raises 403, 404."""
    return sheet(Whose(caller, login))


def sheet(whose: Whose, shown: Shown | None = None, told: Mapping[str, Told] | None = None) -> Sheet:
    """`told` by channel."""
    shown = shown or whose.read()
    states = code_states(whose.caller) if whose.own else {}
    ways = [
        _way(whose, kind, shown, states.get(code), (told or {}).get(code, Told())) for code, kind in CHANNELS.items()
    ]
    return Sheet(whose.person(), whose.own, shown.version, ways)


def _way(whose: Whose, kind: Channel, shown: Shown, state: CodeState | None, told: Told) -> Way:
    point, language, made = shown.points[kind.code], get_language() or "en", shown.made.get(kind.code, {})
    labels = {each.name: in_language(each.words.label, language) for each in kind.contact}
    return Way(
        code=kind.code,
        name=kind.label.get(language, kind.label["en"]),
        icon=ICONS.get(kind.code, "messages"),
        on=point.on,
        chosen=kind.code in shown.methods,
        by=kind.verified_by,
        address=point.address,
        standing=_standing(point),
        why=explain(point.disabled_reason, language) if point.disabled else None,
        parts=[_part(each, point.values, told, language) for each in kind.contact],
        state=state,
        made=[(labels[name], value) for name, value in made.items()],
        told=told,
        urls={act: whose.url(act, kind.code) for act in (ACTS if whose.own else ACTS_OF)},
    )


def _standing(point: Point) -> str:
    if point.values is None:
        return "none"
    return "disabled" if point.disabled else "verified" if point.verified else "unverified"


def _part(each: Field, stored: Values | None, told: Told, language: str) -> Part:
    value = masked([each], stored or {}).get(each.name, each.default)
    secret = each.kind == "secret"
    return Part(
        name=each.name,
        kind=each.kind,
        label=in_language(each.words.label, language),
        help=in_language(each.words.help, language),
        required=each.required,
        value="" if secret else told.typed.get(each.name, value if value is not None else ""),
        kept=secret and value is not None,
        renews=each.generate is not None,
        choices=[(one, in_language(each.words.choices.get(one, {}), language) or one) for one in each.choices],
        problem=told.problems.get(each.name, ""),
    )
