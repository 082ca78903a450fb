"""What a person can prove, and how: each channel says whether a code or a test message does it."""

from typing import Literal

from tidings.accounts.models import Person
from tidings.channels.configure import known_channel
from tidings.channels.contract import Channel, Values
from tidings.directory.contact_points import address_of as leads_to
from tidings.kernel.problems import Problem

_INSTEAD = {
    "code": "a code proves it: POST /api/v1/me/contact-points/{channel}/code sends one",
    "test": "a test message proves it: POST /api/v1/me/contact-points/{channel}/test sends one",
}


def provable(channel: str, *, by: Literal["code", "test"]) -> Channel:
    """Raises 404, and 409 `verified_otherwise` with the call that does it."""
    kind = known_channel(channel)
    if kind.verified_by != by:
        instead = _INSTEAD[kind.verified_by].format(channel=channel)
        raise Problem(409, "verified_otherwise", f"For {channel}, {instead}.")
    return kind


def address_of(kind: Channel, contact: Values) -> str:
    """Where a code goes."""
    return " ".join(str(part) for part in leads_to(kind, contact).values())


def code_text(person: Person, kind: Channel, address: str, digits: str) -> str:
    """What the hash of a code is of: worth nothing to another person, on another channel, for another address."""
    return "\0".join((str(person.id), kind.code, address, digits))
