"""Standard Webhooks v1: who sent this, when, and that nothing was changed.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import binascii
import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

from tidings.channels.contract import InvalidField, Values

PREFIX = "whsec_"
KEY_BYTES = range(24, 65)
TOLERANCE = timedelta(minutes=5)
"""How old a signature may be: what was recorded on its way cannot be sent again later."""
SIGNATURES_AT_MOST = 10


def new_secret() -> str:
    return PREFIX + b64encode(secrets.token_bytes(32)).decode()


def checked_secret(secret: str) -> str:
    """The secret in its canonical form. Plain text is not taken for a key: two libraries would read it differently."""
    if not secret.startswith(PREFIX):
        raise InvalidField(
            'must be "whsec_" followed by the base64 of 24 to 64 random bytes; leave it out to have one made, '
            'or make one with: echo "whsec_$(openssl rand -base64 32)"'
        )
    try:
        key = b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidField('has something after "whsec_" that is not base64; copy it again, whole') from None
    if len(key) not in KEY_BYTES:
        raise InvalidField(f"is the base64 of {len(key)} bytes; it must be 24 to 64: openssl rand -base64 32")
    return PREFIX + b64encode(key).decode()


def signed(identity: UUID, now: datetime, body: bytes, contact: Values) -> dict[str, str]:
    """The three headers. While a secret is being replaced both sign, so that a receiver may change over at leisure."""
    message_id, timestamp = f"msg_{identity.hex}", str(int(now.timestamp()))
    content = b"%b.%b.%b" % (message_id.encode(), timestamp.encode(), body)
    active = [secret for name in ("secret", "previous_secret") if isinstance(secret := contact.get(name), str)]
    if not active:
        raise InvalidField("has no secret to sign with")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join([_signature(secret, content) for secret in active]),
    }


def is_signed(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> bool:
    """Whether who sent this knows the secret and signed it just now; names of headers in lower case. A secret that does
    not begin with "whsec_" is the key as it is written. Never raises."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (message_id and is_now(timestamp, now)):
        return False
    try:
        key = _key(secret) if secret.startswith(PREFIX) else secret.encode()
    except InvalidField:
        return False
    content = b"%b.%b.%b" % (message_id.encode(errors="replace"), timestamp.encode(), body)
    expected = _by(key, content).encode()
    said = headers.get("webhook-signature", "").split(" ")[:SIGNATURES_AT_MOST]
    # All are compared, so that the time it takes says nothing.
    same = [hmac.compare_digest(expected, each.encode(errors="replace")) for each in said]
    return any(same)


def is_now(timestamp: str, now: datetime) -> bool:
    """Whether it is of the last minutes, or the next: clocks differ."""
    written = timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12
    return written and abs(now.timestamp() - int(timestamp)) <= TOLERANCE.total_seconds()


def _signature(secret: str, content: bytes) -> str:
    return _by(_key(secret), content)


def _by(key: bytes, content: bytes) -> str:
    return "v1," + b64encode(hmac.digest(key, content, "sha256")).decode()


@lru_cache(maxsize=4096)
def _key(secret: str) -> bytes:
    return b64decode(checked_secret(secret).removeprefix(PREFIX))
