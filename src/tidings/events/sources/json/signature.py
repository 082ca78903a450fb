"""Whether a body comes from whoever knows the source's secret, in the ways that systems have of saying so.

hmac_*             GitHub and most others: a digest of the raw body, in hexadecimal or base64, with or without its name
                   before it (`sha256=`). https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
token              GitLab: the secret itself. https://docs.gitlab.com/user/project/integrations/webhooks/
stripe             `t=...,v1=...`: of the time, a dot and the body. https://docs.stripe.com/webhooks#verify-manually
standard_webhooks  of an id, the time and the body, as Tidings itself signs. https://www.standardwebhooks.com/
"""

import base64
import hmac
import re
from collections.abc import Mapping

from tidings.channels.contract import Values
from tidings.channels.webhook.signature import PREFIX, is_now, is_signed
from tidings.events.sources.contract import Push
from tidings.events.sources.understand import is_secret

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
    said = push.headers.get(header_of(options), "").strip(" \t")
    if not said:
        return False
    match _scheme(options):
        case "token":
            return is_secret(said, secret)
        case "stripe":
            return _stripe(said, push, secret)
        case "standard_webhooks":
            # Elsewhere a key may be written without its prefix, and is base64 all the same.
            key = PREFIX + secret.removeprefix(PREFIX)
            return is_signed({**push.headers, USUAL_HEADER["standard_webhooks"]: said}, push.body, key, push.received)
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
    if len(times) != 1 or not is_now(times[0], push.received):
        return False
    digest = hmac.digest(secret.encode(), times[0].encode() + b"." + push.body, "sha256").hex()
    same = [hmac.compare_digest(value.encode(), digest.encode()) for name, _, value in parts if name == "v1"]
    return any(same)
