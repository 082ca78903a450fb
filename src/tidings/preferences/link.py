"""The link in a message by which its reader stops the channel it came on. Signed, and bound to the tenant, the person,
the channel and the address: whoever reads an address that was left has no say over the new one. Without an end, since a
mail that is read late must keep its word."""

import base64
import binascii
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from tidings.channels.contract import Values
from tidings.channels.registry import CHANNELS
from tidings.kernel.secrets import fingerprint, fingerprints, recognised

PATH = "unsubscribe"
_PURPOSE, _ADDRESS = "unsubscribe", "address of an unsubscribe link"
_KEY, _MARK, _SEAL = 16, 8, 32
"""Bytes of a key, of the mark of an address, and of the seal."""


@dataclass(frozen=True, slots=True)
class Link:
    """Whoever has it may do this one thing, as whoever has the mail may."""

    tenant_id: UUID
    person_id: UUID
    channel: str
    mark: bytes

    @property
    def said(self) -> str:
        return f"{self.tenant_id.hex} {self.person_id.hex} {self.channel} {self.mark.hex()}"

    def is_of(self, contact: Values) -> bool:
        """Whether the message with this link went to this address."""
        marks = [each[:_MARK] for each in fingerprints(_ADDRESS, _address(self.channel, contact))]
        return self.mark in marks


def unsubscribe_url(base_url: str, tenant_id: UUID, person_id: UUID, channel: str, contact: Values) -> str:
    return _url(base_url, tenant_id, person_id, channel, _address(channel, contact))


def _address(channel: str, contact: Values) -> str:
    kind = CHANNELS.get(channel)
    parts = [str(contact.get(field.name)) for field in kind.contact if field.kind != "secret"] if kind else []
    return "\0".join(parts).casefold()


@lru_cache(maxsize=10_000)
def _url(base_url: str, tenant_id: UUID, person_id: UUID, channel: str, address: str) -> str:
    """Kept, since most people get more than one message."""
    mark = fingerprint(_ADDRESS, address)[:_MARK]
    seal = fingerprint(_PURPOSE, Link(tenant_id, person_id, channel, mark).said)
    token = base64.urlsafe_b64encode(tenant_id.bytes + person_id.bytes + mark + seal + channel.encode())
    return f"{base_url}/{PATH}/{token.decode().rstrip('=')}"


def read_link(token: str) -> Link | None:
    """None for what was not signed by any of our keys."""
    try:
        raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        person_at, mark_at = _KEY, 2 * _KEY
        seal_at, channel_at = mark_at + _MARK, mark_at + _MARK + _SEAL
        tenant_id, person_id = UUID(bytes=raw[:person_at]), UUID(bytes=raw[person_at:mark_at])
        link = Link(tenant_id, person_id, raw[channel_at:].decode("ascii"), raw[mark_at:seal_at])
    except (ValueError, binascii.Error):
        return None
    return link if recognised(raw[seal_at:channel_at], _PURPOSE, link.said) else None
