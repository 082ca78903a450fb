"""The methods a person wants, and where each of them leads: their own choice, or an administrator's for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidings.accounts.permissions import Caller
from tidings.channels.contract import Value
from tidings.directory.members import known_member
from tidings.kernel.versions import Expected


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is left out (None, or a channel that is not there) stays; a channel's None takes its contact point away."""

    methods: Sequence[str] | None = None
    contacts: Mapping[str, Mapping[str, Any] | None] = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class ShownPoint:
    """`contact` has its secrets masked, but for one that was made just now; `enabled` is the tenant's switch."""

    contact: Mapping[str, Value]
    address: str
    verified: bool
    disabled: bool
    disabled_reason: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """By channel; None for one without a contact point that the tenant has not switched on is left out."""

    methods: tuple[str, ...]
    points: Mapping[str, ShownPoint]
    version: str


def settings_of_user(caller: Caller, login: str) -> Shown:
    """Raises 403, 404."""
    caller.require("administrator", to_write=False)
    return _shown(known_member(caller.tenant_id, login))


def own_settings(caller: Caller) -> Shown:
    """Raises 403."""
    caller.require_scope("read")
    return _shown(caller.as_person())


def put_settings_of_user(caller: Caller, login: str, wanted: Wanted, expected: Expected) -> Shown:
    """Verified by the administrator's word. Raises 403, 404, 412, 422."""
    caller.require("administrator")
    return _put(caller, login, wanted, expected, by_their_word=True)


def put_own_settings(caller: Caller, wanted: Wanted, expected: Expected) -> Shown:
    """A new address is used once it is verified. Raises 403, 412, 422."""
    caller.require_scope("write")
    return _put(caller, caller.as_person().login, wanted, expected, by_their_word=False)
