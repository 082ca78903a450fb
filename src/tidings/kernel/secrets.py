"""Secrets at rest: encrypted with the first of TIDINGS_SECRET_KEYS, readable with any of them."""

import base64
import hashlib
import hmac
from functools import cache
from typing import Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from tidings.kernel.settings import settings


class SecretUnreadable(Exception):
    """None of the configured keys opens it."""


def seal(values: dict[str, Any]) -> bytes:
    """A small JSON object, encrypted and authenticated (Fernet: AES-128-CBC with HMAC-SHA256)."""
    return _fernet().encrypt(msgspec.json.encode(values))


def unseal(sealed: bytes) -> dict[str, Any]:
    try:
        opened = _fernet().decrypt(sealed)
    except InvalidToken:
        raise SecretUnreadable("none of TIDINGS_SECRET_KEYS opens this secret") from None
    return msgspec.json.decode(opened, type=dict[str, Any])


def fingerprint(purpose: str, text: str) -> bytes:
    """A keyed hash, for what must be recognised and never read back. `purpose` keeps uses apart."""
    return fingerprints(purpose, text)[0]


def fingerprints(purpose: str, text: str) -> tuple[bytes, ...]:
    """Under each key, the current one first: what was written before a rotation is among them."""
    keys = settings().secret_keys
    return tuple(hmac.digest(_derived(purpose, key), text.encode(), "sha256") for key in keys)


def recognised(kept: bytes, purpose: str, text: str) -> bool:
    """Whether this is a fingerprint of the text under any key. Takes as long whatever the answer."""
    fits = [hmac.compare_digest(kept, each) for each in fingerprints(purpose, text)]
    return any(fits)


def token_hash(token: str) -> bytes:
    """Tokens are long and random, so a plain hash is enough and any node can check one without a key."""
    return hashlib.sha256(token.encode()).digest()


def _derived(purpose: str, key: str) -> bytes:
    return hashlib.sha256(f"tidings/{purpose}/{key}".encode()).digest()


@cache
def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_derived("secrets", key))) for key in settings().secret_keys])
