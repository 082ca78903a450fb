"""The key with which a page listens for news: it names who listens, is signed, and ends. A browser's EventSource can
send no header, so it stands in the URL; what it opens says only that there is something new, never what."""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tidings.accounts.permissions import Caller
from tidings.kernel.secrets import fingerprint, recognised

HOLDS = timedelta(hours=12)
"""Longer than a working day; a page that is open for longer fetches its next key when it is loaded anew."""
_PURPOSE = "live"
_CLAIM, _SEAL = 16 + 16 + 5 + 1, 32
"""Bytes: tenant, person, seconds since 1970, whether they see all; then the seal."""


@dataclass(frozen=True, slots=True)
class LiveKey:
    """`sees_all`: hears of the whole tenant's events and deliveries, not only of their own inbox."""

    tenant_id: UUID
    person_id: UUID
    sees_all: bool
    made_at: datetime

    @property
    def ends_at(self) -> datetime:
        return self.made_at + HOLDS


def live_key(caller: Caller, now: datetime) -> str:
    """Raises 403 for a source's token, or one without the scope `read`."""
    caller.require_scope("read")
    person = caller.as_person()
    claim = (
        person.tenant_id.bytes + person.id.bytes + int(now.timestamp()).to_bytes(5, "big") + bytes([caller.sees_all])
    )
    return base64.urlsafe_b64encode(claim + fingerprint(_PURPOSE, claim.hex())).decode().rstrip("=")


def read_live_key(key: str, now: datetime) -> LiveKey | None:
    """None for what was not signed by any of our keys, or has ended. No database is asked."""
    try:
        raw = base64.b64decode(key.encode("ascii") + b"=" * (-len(key) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    claim, seal = raw[:_CLAIM], raw[_CLAIM:]
    if len(seal) != _SEAL or not recognised(seal, _PURPOSE, claim.hex()):
        return None
    made_at = datetime.fromtimestamp(int.from_bytes(claim[32:37], "big"), UTC)
    read = LiveKey(UUID(bytes=claim[:16]), UUID(bytes=claim[16:32]), claim[37] == 1, made_at)
    return read if now < read.ends_at else None
