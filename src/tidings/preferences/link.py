"""The link in a message by which its reader stops the channel it came on. Signed, and bound to the tenant, the person
and the channel; without an end, since a mail that is read late must keep its word."""

import base64
import binascii
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from tidings.kernel.secrets import fingerprint, recognised

PATH = "unsubscribe"
_PURPOSE = "unsubscribe"
_KEY, _SEAL = 16, 32
"""Bytes of a key, and of the seal."""


@dataclass(frozen=True, slots=True)
class Link:
    """Whoever has it may do this one thing, as whoever has the mail may."""

    tenant_id: UUID
    person_id: UUID
    channel: str

    @property
    def said(self) -> str:
        return f"{self.tenant_id.hex} {self.person_id.hex} {self.channel}"


@lru_cache(maxsize=10_000)
def unsubscribe_url(base_url: str, tenant_id: UUID, person_id: UUID, channel: str) -> str:
    """Kept, since most people get more than one message."""
    seal = fingerprint(_PURPOSE, Link(tenant_id, person_id, channel).said)
    token = base64.urlsafe_b64encode(tenant_id.bytes + person_id.bytes + seal + channel.encode())
    return f"{base_url}/{PATH}/{token.decode().rstrip('=')}"


def read_link(token: str) -> Link | None:
    """None for what was not signed by any of our keys."""
    try:
        raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        person_at, seal_at, channel_at = _KEY, 2 * _KEY, 2 * _KEY + _SEAL
        link = Link(UUID(bytes=raw[:person_at]), UUID(bytes=raw[person_at:seal_at]), raw[channel_at:].decode("ascii"))
    except (ValueError, binascii.Error):
        return None
    return link if recognised(raw[seal_at:channel_at], _PURPOSE, link.said) else None
