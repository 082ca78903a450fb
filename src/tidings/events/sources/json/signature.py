"""Whether a body comes from whoever knows the source's secret, in the ways that systems have of saying so.

hmac_*             GitHub and most others: a digest of the raw body, in hexadecimal or base64, with or without its name
                   before it (`sha256=`). https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
token              GitLab: the secret itself. https://docs.gitlab.com/user/project/integrations/webhooks/
stripe             `t=...,v1=...`: of the time, a dot and the body. https://docs.stripe.com/webhooks#verify-manually
standard_webhooks  of an id, the time and the body, as Tidings itself signs. https://www.standardwebhooks.com/
"""

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Mapping
from datetime import datetime

from tidings.channels.contract import Values
from tidings.events.sources.contract import Push

OLD_AFTER = 300.0
"""Seconds, either way, as both that have a time recommend."""
USUAL_HEADER: Mapping[str, str] = {
    "hmac_sha256": "X-Hub-Signature-256",
    "hmac_sha1": "X-Hub-Signature",
    "hmac_sha512": "X-Hub-Signature-512",
    "token": "X-Gitlab-Token",
    "stripe": "Stripe-Signature",
    "standard_webhooks": "webhook-signature",
}
SCHEMES = tuple(USUAL_HEADER)
_NAME = re.compile(r"(?:[\w-]{1,20}[=: ,])?\s*")


def header_of(options: Values) -> str:
    """Where the signature is, in lower case."""
    return str(options.get("signature_header") or USUAL_HEADER[_scheme(options)]).lower()


def proven(push: Push, secret: str, options: Values) -> bool:
    """In constant time. Never raises."""
    said = push.headers.get(header_of(options), "").strip()
    if not said:
        return False
    match _scheme(options):
        case "token":
            return hmac.compare_digest(said.encode(), secret.encode())
        case "stripe":
            return _stripe(said, push, secret)
        case "standard_webhooks":
            return _standard(said, push, secret)
        case digest:
            return _is_digest(said, hmac.digest(secret.encode(), push.body, digest.removeprefix("hmac_")))


def _scheme(options: Values) -> str:
    return str(options.get("signature") or SCHEMES[0])


def _is_digest(said: str, digest: bytes) -> bool:
    """All ways to write it are compared; each needs the key."""
    plain, safe = base64.b64encode(digest).decode(), base64.urlsafe_b64encode(digest).decode()
    same = [
        _ends_with(said.lower(), digest.hex()),
        *(_ends_with(said, each) for each in (plain, safe, plain.rstrip("="), safe.rstrip("="))),
    ]
    return any(same)


def _ends_with(said: str, digest: str) -> bool:
    before, value = said[: -len(digest)], said[-len(digest) :]
    return hmac.compare_digest(value.encode(), digest.encode()) and _NAME.fullmatch(before) is not None


def _stripe(said: str, push: Push, secret: str) -> bool:
    parts = [part.strip().partition("=") for part in said.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    if len(times) != 1 or not _is_now(times[0], push.received):
        return False
    digest = hmac.digest(secret.encode(), times[0].encode() + b"." + push.body, "sha256").hex()
    return _any_is((value for name, _, value in parts if name == "v1"), digest)


def _standard(said: str, push: Push, secret: str) -> bool:
    identity, time = push.headers.get("webhook-id", ""), push.headers.get("webhook-timestamp", "")
    if not identity or not _is_now(time, push.received):
        return False
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return False
    if not key:  # "whsec_" alone: everybody has it
        return False
    digest = hmac.digest(key, f"{identity}.{time}.".encode() + push.body, "sha256")
    parts = [part.partition(",") for part in said.split()]
    return _any_is((value for version, _, value in parts if version == "v1"), base64.b64encode(digest).decode())


def _is_now(time: str, now: datetime) -> bool:
    return time.isascii() and time.isdigit() and len(time) < 12 and abs(now.timestamp() - int(time)) <= OLD_AFTER


def _any_is(said: Iterable[str], digest: str) -> bool:
    same = [hmac.compare_digest(each.encode(), digest.encode()) for each in said]
    return any(same)
