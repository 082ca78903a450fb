"""Standard Webhooks v1: who sent this, and when. Tidings signs what it sends in the same way.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode

PREFIX = "whsec_"


def signature(body: bytes, secret: str, now: float) -> dict[str, str]:
    """The three headers; none without a secret. The same body has the same id, however often it is sent. Raises
    ValueError for a secret that begins with "whsec_" and is no base64."""
    if not secret:
        return {}
    identity, timestamp = "msg_" + hashlib.sha256(body).hexdigest()[:32], str(int(now))
    key = b64decode(secret[len(PREFIX) :], validate=True) if secret.startswith(PREFIX) else secret.encode()
    content = b"%b.%b.%b" % (identity.encode(), timestamp.encode(), body)
    digest = hmac.new(key, content, hashlib.sha256).digest()
    return {
        "webhook-id": identity,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{b64encode(digest).decode()}",
    }
