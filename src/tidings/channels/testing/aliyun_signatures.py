"""Alibaba Cloud's two signatures as its gateway checks them: V3 (ACS3-HMAC-SHA256) and V1 (RPC, HMAC-SHA1).

Nothing here is shared with the channel: who checks with the code under test checks nothing.
https://www.alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature
https://www.alibabacloud.com/help/en/sdk/product-overview/rpc-mechanism
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote

from tidings.channels.testing.http_server import Request

VERSION = "2017-05-25"
CLOCK_TOLERANCE = timedelta(minutes=15)
NO_SUCH_API = "Specified api is not found, please check your url and method."
INCOMPLETE = "The request signature does not conform to Aliyun standards."
_V3 = re.compile(r"ACS3-HMAC-SHA256 Credential=(\S+?),SignedHeaders=(\S+?),Signature=([0-9a-f]{64})")


class Refused(Exception):
    """The vendor's own way to say no."""

    def __init__(self, code: str, message: str, status: int = 200) -> None:
        super().__init__(code)
        self.code, self.message, self.status = code, message, status


@dataclass(slots=True)
class Signatures:
    access_key_id: str
    access_key_secret: str
    now: Callable[[], datetime]
    _nonces: set[str] = field(default_factory=set)

    def checked(self, request: Request) -> tuple[str, dict[str, str]]:
        """The action, and the parameters of query and form together. Raises `Refused`."""
        path, _, query = request.target.partition("?")
        if path != "/":
            raise Refused("InvalidApi.NotFound", NO_SUCH_API, 404)
        values = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            values |= dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        if request.headers.get("authorization", "").startswith("ACS3-HMAC-SHA256"):
            action, version = self._checked_v3(request, query)
        else:
            action, version = self._checked_v1(request, values)
        if version != VERSION:
            raise Refused("InvalidVersion", "Specified parameter Version is not valid.", 400)
        return action, values

    def _checked_v3(self, request: Request, query: str) -> tuple[str, str]:
        headers = request.headers
        found = _V3.fullmatch(headers["authorization"])
        if not found:
            raise Refused("IncompleteSignature", INCOMPLETE, 400)
        key_id, names, signature = found.groups()
        self._known_key(key_id)
        needed = {"host", *[name for name in headers if name.startswith("x-acs-")]}
        if not needed <= set(names.split(";")) or "x-acs-signature-nonce" not in needed:
            raise Refused("IncompleteSignature", INCOMPLETE, 400)
        hashed = hashlib.sha256(request.body).hexdigest()
        lines = "".join(f"{name}:{headers[name].strip()}\n" for name in names.split(";"))
        pairs = parse_qsl(query, keep_blank_values=True)
        canonical = "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted(pairs))
        whole = f"{request.method}\n/\n{canonical}\n{lines}\n{names}\n{hashed}"
        to_sign = "ACS3-HMAC-SHA256\n" + hashlib.sha256(whole.encode()).hexdigest()
        right = hmac.new(self.access_key_secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
        if headers.get("x-acs-content-sha256") != hashed or not hmac.compare_digest(right, signature):
            self._mismatch(whole)
        self._fresh(headers["x-acs-date"], headers["x-acs-signature-nonce"])
        return headers.get("x-acs-action", ""), headers.get("x-acs-version", "")

    def _checked_v1(self, request: Request, values: Mapping[str, str]) -> tuple[str, str]:
        for name in ("AccessKeyId", "Signature", "SignatureNonce", "Timestamp"):
            if name not in values:
                raise Refused(f"Missing{name}", f"{name} is mandatory for this action.", 400)
        self._known_key(values["AccessKeyId"])
        if (values.get("SignatureMethod"), values.get("SignatureVersion")) != ("HMAC-SHA1", "1.0"):
            raise Refused("InvalidSignatureMethod", "Specified signature method is not valid.", 400)
        signed = sorted((name, value) for name, value in values.items() if name != "Signature")
        canonical = "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in signed)
        whole = f"{request.method}&%2F&{quote(canonical, safe='~')}"
        key = f"{self.access_key_secret}&".encode()
        right = base64.b64encode(hmac.new(key, whole.encode(), hashlib.sha1).digest()).decode()
        if not hmac.compare_digest(right.encode(), values["Signature"].encode()):
            self._mismatch(whole)
        self._fresh(values["Timestamp"], values["SignatureNonce"])
        return values.get("Action", ""), values.get("Version", "")

    def _known_key(self, key_id: str) -> None:
        if key_id != self.access_key_id:
            raise Refused("InvalidAccessKeyId.NotFound", "Specified access key is not found.", 404)

    def _mismatch(self, whole: str) -> None:
        # Its real words: they say back all that was signed.
        text = f"Specified signature is not matched with our calculation. server string to sign is:{whole}"
        raise Refused("SignatureDoesNotMatch", text, 400)

    def _fresh(self, timestamp: str, nonce: str) -> None:
        try:
            then = datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:
            raise Refused("InvalidTimeStamp.Format", "Specified time stamp is not well formatted.", 400) from None
        if abs(self.now() - then) > CLOCK_TOLERANCE:
            raise Refused("InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.", 400)
        if nonce in self._nonces:
            raise Refused("SignatureNonceUsed", "Specified signature nonce was used already.", 400)
        self._nonces.add(nonce)
