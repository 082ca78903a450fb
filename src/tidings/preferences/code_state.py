"""Where a person stands with the code for an address: what they would otherwise find out by trying."""

from dataclasses import dataclass
from datetime import datetime

from tidings.accounts.permissions import Caller
from tidings.channels.registry import CHANNELS
from tidings.directory.models import Verification
from tidings.kernel.clock import now
from tidings.kernel.secrets import SecretUnreadable, unseal
from tidings.preferences.limits import SENDS, TRIES, until_next
from tidings.preferences.provable import provable


@dataclass(frozen=True, slots=True)
class CodeState:
    """`address` as it may be shown. `again_at`: when the next code can be asked for. `locked_until`: too many wrong
    ones were tried, and none is taken before. `tries_left` of this code."""

    address: str
    expires_at: datetime
    again_at: datetime
    tries_left: int
    locked_until: datetime | None


def code_state(caller: Caller, channel: str) -> CodeState | None:
    """Of the code that was sent last; None when there is none that could be given back. Raises 403, 404, and 409
    `verified_otherwise`."""
    provable(channel, by="code")
    return code_states(caller).get(channel)


def code_states(caller: Caller) -> dict[str, CodeState]:
    """By channel. One query. Raises 403."""
    person = caller.as_person()
    caller.require_scope("read")
    ours = Verification.objects.for_tenant(caller.tenant_id).filter(person=person, code__isnull=False)
    states = {row.channel: _state(row, now()) for row in ours if row.channel in CHANNELS}
    return {channel: state for channel, state in states.items() if state}


def _state(row: Verification, moment: datetime) -> CodeState | None:
    locked = row.locked_until if row.locked_until and row.locked_until > moment else None
    if row.expires_at is None or (row.expires_at <= moment and locked is None):
        return None
    try:
        address = CHANNELS[row.channel].address(unseal(bytes(row.sealed)))
    except SecretUnreadable:
        return None
    again_at = max(moment + until_next(row.sent_at, SENDS, moment), locked or moment)
    return CodeState(address, row.expires_at, again_at, TRIES - row.wrong, locked)
