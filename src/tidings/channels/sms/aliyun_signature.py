"""Alibaba Cloud's request signature V3, ACS3-HMAC-SHA256: who calls, when, and that nothing was changed.

https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature
Ours rather than the SDK's: docs/decisions/0008-alibaba-signs-in-forty-lines.md
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

from tidings.kernel.urls import read_url

VERSION = "2017-05-25"


class Signed(NamedTuple):
    url: str
    headers: dict[str, str]


def signed(
    base: str, action: str, query: Mapping[str, str], *, key_id: str, secret: str, nonce: str, now: datetime
) -> Signed:
    """A POST without a body: this API takes its parameters in the query. The nonce may be used once."""
    canonical = "&".join(f"{_quoted(name)}={_quoted(query[name])}" for name in sorted(query))
    nothing = hashlib.sha256(b"").hexdigest()
    headers = {
        "host": read_url(base).authority,
        "x-acs-action": action,
        "x-acs-content-sha256": nothing,
        "x-acs-date": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": nonce,
        "x-acs-version": VERSION,
    }
    names = ";".join(headers)  # in order, as they stand above
    lines = "".join([f"{name}:{value}\n" for name, value in headers.items()])
    request = f"POST\n/\n{canonical}\n{lines}\n{names}\n{nothing}"
    to_sign = f"ACS3-HMAC-SHA256\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    del headers["host"]  # the wire says it, and says the same
    headers["authorization"] = f"ACS3-HMAC-SHA256 Credential={key_id},SignedHeaders={names},Signature={signature}"
    headers["accept"] = "application/json"
    return Signed(f"{base}/?{canonical}", headers)


def _quoted(text: str) -> str:
    """RFC 3986: letters, digits and -_.~ stay."""
    return quote(text, safe="~")
