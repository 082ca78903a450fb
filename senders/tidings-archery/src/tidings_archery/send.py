"""How it gets to Tidings: into a file first, so that no page of Archery waits and nothing is lost in the meantime.

`TIDINGS_URL`, `TIDINGS_TOKEN` (or `TIDINGS_TOKEN_FILE`); `TIDINGS_SECRET` (or `TIDINGS_SECRET_FILE`), with which it is
signed; `TIDINGS_BUFFER`, the file.
"""

import hashlib
import hmac
import logging
import os
import sqlite3
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tidings_client import Buffered, Client, Pushed

log = logging.getLogger("tidings_archery")
ADAPTER = "archery"
PREFIX = "whsec_"
TIMEOUT, PATIENCE = 5.0, 5.0
"""Seconds, where it is sent without a file: Archery calls this within a request when somebody confirms an execution."""


class Signing(Client):
    """Signs each call as it is made, as Standard Webhooks says: what has waited in the file is not too old by that."""

    def post_payload(self, adapter: str, body: bytes, headers: Mapping[str, str]) -> Pushed:
        return super().post_payload(adapter, body, {**headers, **signed(body, _secret(), time.time())})


def send(payload: Mapping[str, Any]) -> None:
    """Raises ValueError when the environment says too little; where there is no file, `Refused` and `Unavailable`."""
    buffered = _buffered()
    if buffered is None:
        _client().push(ADAPTER, payload)
    else:
        buffered.push(ADAPTER, payload)


def signed(body: bytes, secret: str, now: float) -> dict[str, str]:
    """https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md. A secret that does
    not begin with "whsec_" is the key as it is written."""
    if not secret:
        return {}
    message_id, timestamp = f"msg_{hashlib.sha256(body).hexdigest()[:32]}", str(int(now))
    key = b64decode(secret.removeprefix(PREFIX)) if secret.startswith(PREFIX) else secret.encode()
    digest = hmac.digest(key, b"%b.%b.%b" % (message_id.encode(), timestamp.encode(), body), "sha256")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{b64encode(digest).decode()}",
    }


@cache
def _client() -> Client:
    return Signing.from_environment(timeout=TIMEOUT, patience=PATIENCE)


@cache
def _buffered() -> Buffered | None:
    """None where the disk can keep nothing."""
    path = os.environ.get("TIDINGS_BUFFER", "").strip() or "~/.local/state/tidings/archery.sqlite"
    try:
        return Buffered(_client(), path)
    except (OSError, sqlite3.Error) as error:
        log.warning("%s can keep nothing (%s): tickets are sent at once, and lost while Tidings is away", path, error)
        return None


def _secret() -> str:
    if file := os.environ.get("TIDINGS_SECRET_FILE", "").strip():
        return Path(file).read_text("utf-8").strip()
    return os.environ.get("TIDINGS_SECRET", "").strip()
