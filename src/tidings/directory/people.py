"""The people of a tenant as the hot path holds them: found by login, e-mail, mobile or external id, and by role."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from tidings.directory.spelling import email_as_kept, mobile_as_kept, text_as_kept


@dataclass(frozen=True, slots=True)
class Point:
    """A contact point; `sealed` is opened only when something is sent to it."""

    id: UUID
    channel: str
    sealed: bytes
    destination: str
    verified: bool
    disabled: bool
    left: bool = False
    """Its owner asked for no more messages here: it is no fallback either."""
    assumed: bool = False
    """Nobody showed whose account this is; see the model."""

    @property
    def usable(self) -> bool:
        return self.verified and not self.disabled

    @property
    def is_fallback(self) -> bool:
        """Whether a message may go there that its owner did not ask for there."""
        return self.usable and not self.left and not self.assumed


Hindrance = Literal["channel_off", "contact_missing", "contact_unverified", "contact_disabled"]


def hindrance(channel: str, point: Point | None, channels_on: Collection[str]) -> Hindrance | None:
    """Why a method leads nowhere; None when it leads somewhere."""
    if channel not in channels_on:
        return "channel_off"
    if point is None:
        return "contact_missing"
    if point.disabled:
        return "contact_disabled"
    return None if point.verified else "contact_unverified"


@dataclass(frozen=True, slots=True)
class Member:
    """A person, with the methods they selected (in their order) and where these lead."""

    id: UUID
    login: str
    name: str
    email: str
    mobile: str
    external_id: str
    language: str
    timezone: str
    roles: tuple[str, ...]
    methods: tuple[str, ...]
    points: Mapping[str, Point]
    active: bool = True
    departed: bool = False


@dataclass(slots=True)
class People:
    by_id: dict[UUID, Member] = field(default_factory=dict)
    by_login: dict[str, Member] = field(default_factory=dict)
    by_email: dict[str, Member] = field(default_factory=dict)
    by_mobile: dict[str, Member] = field(default_factory=dict)
    by_external_id: dict[str, Member] = field(default_factory=dict)
    by_role: dict[str, list[Member]] = field(default_factory=dict)

    def find(self, *, login: str = "", email: str = "", mobile: str = "", external_id: str = "") -> Member | None:
        """By whichever is given: as it is written, which it nearly always is, else as it would be kept."""
        if login:
            return self.by_login.get(login if login.isascii() else text_as_kept(login))
        if email:
            return self.by_email.get(email.lower()) or self.by_email.get(email_as_kept(email))
        if mobile:
            return self.by_mobile.get(mobile) or self.by_mobile.get(mobile_as_kept(mobile))
        return self.by_external_id.get(external_id) or self.by_external_id.get(text_as_kept(external_id).strip())


def people_of(members: Iterable[Member]) -> People:
    """A departed person is still known by login, so that a record can say so, and by nothing else."""
    people = People()
    _add(people, members)
    return people


def with_members(people: People, changed: Collection[UUID], members: Iterable[Member]) -> People:
    """The same people, of whom those who `changed` are these `members` now, or nobody any more."""
    gone = [people.by_id[each] for each in changed if each in people.by_id]
    names = ("by_id", "by_login", "by_email", "by_mobile", "by_external_id")
    after = People(**{name: dict(getattr(people, name)) for name in names}, by_role=dict(people.by_role))
    for member in gone:
        for found, key in _keys(after, member):
            # Somebody else may have it by now.
            if found.get(key) is member:
                del found[key]
    for role in {role for member in gone for role in member.roles}:
        after.by_role[role] = [each for each in people.by_role.get(role, ()) if each.id not in changed]
    come = list(members)
    for role in {role for member in come for role in member.roles}:
        after.by_role[role] = list(after.by_role.get(role, ()))
    _add(after, come)
    after.by_role = {role: holders for role, holders in after.by_role.items() if holders}
    return after


def _keys(people: People, member: Member) -> list[tuple[dict[Any, Member], Any]]:
    """Where a member is found. Who has departed is still known by login."""
    by_name: list[tuple[dict[Any, Member], Any]] = [(people.by_id, member.id), (people.by_login, member.login)]
    if member.departed:
        return by_name
    more = (
        (people.by_email, member.email.lower()), (people.by_mobile, member.mobile),
        (people.by_external_id, member.external_id),
    )  # fmt: skip
    return by_name + [(found, key) for found, key in more if key]


def _add(people: People, members: Iterable[Member]) -> None:
    for member in members:
        for found, key in _keys(people, member):
            found[key] = member
        if not member.departed:
            for role in member.roles:
                people.by_role.setdefault(role, []).append(member)
