"""Secrets at rest: encrypted with the first of TIDINGS_SECRET_KEYS, readable with any of them."""

import base64
import hashlib
import hmac
from functools import lru_cache
from typing import Any

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from tidings.kernel.keys import secret_keys


class SecretUnreadable(Exception):
    """None of the configured keys opens it."""


def seal(values: dict[str, Any]) -> bytes:
    """A small JSON object, encrypted and authenticated (Fernet: AES-128-CBC with HMAC-SHA256)."""
    return _fernet(secret_keys()).encrypt(msgspec.json.encode(values))


def unseal(sealed: bytes) -> dict[str, Any]:
    try:
        opened = _fernet(secret_keys()).decrypt(sealed)
    except InvalidToken:
        raise SecretUnreadable("none of TIDINGS_SECRET_KEYS opens this secret") from None
    return msgspec.json.decode(opened, type=dict[str, Any])


def is_current(sealed: bytes) -> bool:
    """Whether the first key sealed it."""
    try:
        _fernet(secret_keys()[:1]).decrypt(sealed)
    except InvalidToken:
        return False
    return True


def sealed_anew(sealed: bytes) -> bytes:
    """The same content under the first key. Raises `SecretUnreadable`."""
    return seal(unseal(sealed))


def fingerprint(purpose: str, text: str) -> bytes:
    """A keyed hash, for what must be recognised and never read back. `purpose` keeps uses apart."""
    return fingerprints(purpose, text)[0]


def fingerprints(purpose: str, text: str) -> tuple[bytes, ...]:
    """Under each key, the current one first: what was written before a rotation is among them."""
    return tuple(hmac.digest(_derived(purpose, key), text.encode(), "sha256") for key in secret_keys())


def recognised(kept: bytes, purpose: str, text: str) -> bool:
    """Whether this is a fingerprint of the text under any key. Takes as long whatever the answer."""
    fits = [hmac.compare_digest(kept, each) for each in fingerprints(purpose, text)]
    return any(fits)


def token_hash(token: str) -> bytes:
    """Tokens are long and random, so a plain hash is enough and any node can check one without a key."""
    return hashlib.sha256(token.encode()).digest()


def _derived(purpose: str, key: str) -> bytes:
    return hashlib.sha256(f"tidings/{purpose}/{key}".encode()).digest()


@lru_cache(8)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_derived("secrets", key))) for key in keys])
