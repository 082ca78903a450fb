"""An example of an event that never happened here, and the directory with it: for whoever such an event would name the
role itself stands in. Pure."""

from dataclasses import replace
from uuid import NAMESPACE_URL, uuid5

from tidings.catalog.features import EventType
from tidings.directory.lookup import Directory
from tidings.directory.people import Member
from tidings.directory.resources import Holders, Resources
from tidings.events.event import Event, Resource, Subject
from tidings.events.event import People as Named
from tidings.planning.view import View

_NAMED = ("submitter", "approver", "related_person")
_HOLDERS = ("data_owner", "instance_dba")
# No login begins with a space, and no instance is called so.
_MARK = " "


def example_event(event_type: EventType, view: View, title: str = "") -> tuple[Event, View]:
    """With somebody in every role that an event leads to."""
    people, resources = view.directory.people, view.directory.resources
    stand_ins = [_stand_in(role) for role in (*_NAMED, *_HOLDERS)]
    whole = replace(
        people,
        by_id={**people.by_id, **{one.id: one for one in stand_ins}},
        by_login={**people.by_login, **{one.login: one for one in stand_ins}},
    )
    owner, dba = (_stand_in(role).id for role in _HOLDERS)
    held = Resources({**resources.by_path, (_MARK, "", ""): Holders(dba, (owner,))})
    event = Event(
        id="example",
        type=event_type.code,
        subject=Subject(kind=event_type.subject_kind, id="example", title=title),
        people=Named(submitter=_login("submitter"), approvers=[_login("approver")], related=[_login("related_person")]),
        resources=[Resource(instance=_MARK)],
    )
    return event, replace(view, directory=Directory(whole, held))


def stands_for(member: Member) -> str:
    """The role that it stands for; empty for a person."""
    return member.login[len(_MARK) :] if member.login.startswith(_MARK) else ""


def _login(role: str) -> str:
    return f"{_MARK}{role}"


def _stand_in(role: str) -> Member:
    return Member(
        id=uuid5(NAMESPACE_URL, f"tidings:stand-in:{role}"), login=_login(role), name="", email="", mobile="",
        external_id="", language="en", timezone="UTC", roles=(), methods=(), points={},
    )  # fmt: skip
