"""Why there is no answer. Nothing here quotes a URL, a header or what the other side said: errors are shown."""

import os
import ssl
from collections.abc import Mapping
from typing import Literal


class HttpError(Exception):
    """Why there is no answer: a stable code, and a text that names the host at most, so anyone who may see the delivery
    may see it."""

    def __init__(self, host: str, reason: str, text: str) -> None:
        super().__init__(f"{host}: {text}" if host else text)
        self.host, self.reason = host, reason


class AddressRefused(HttpError):
    """Permanent: this URL or host may never be called. Nothing was sent.
    Reasons: url_invalid, scheme, user_info, address_not_allowed."""


class Unresolvable(HttpError):
    """Temporary: the name has no address just now. Nothing was sent. Reason: unresolvable."""

    def __init__(self, host: str, text: str = "The name has no address just now.") -> None:
        super().__init__(host, "unresolvable", text)


class Unreachable(HttpError):
    """Temporary: no connection, or none that lasted; `reason` repeats `kind`. `sent` is "unknown" once the request may
    have arrived, so that another try may repeat it."""

    Kind = Literal["connect", "timeout", "reset", "tls", "protocol"]

    def __init__(self, host: str, kind: Kind, text: str, *, sent: Literal["no", "unknown"]) -> None:
        super().__init__(host, kind, text)
        self.kind, self.sent = kind, sent


TEXTS: Mapping[Unreachable.Kind, str] = {
    "connect": "No connection",
    "timeout": "No complete answer in time",
    "reset": "The connection broke before the answer was complete",
    "tls": "No secure connection",
    "protocol": "The answer is not HTTP",
}
# OpenSSL's verdicts (x509_vfy.h) in our words; its own text may quote the certificate: the peer's text.
_CERTIFICATE_TEXTS = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is signed by nobody this system trusts",
    19: "its certificate is signed by nobody this system trusts",
    20: "its certificate is signed by nobody this system trusts",
    21: "its certificate is signed by nobody this system trusts",
    62: "its certificate is for another name",
    64: "its certificate is for another address",
}


def detail_of(error: OSError) -> str:
    """ ": why", or nothing."""
    if isinstance(error, NothingTrusted):
        return ": this system has no trusted certificates; SSL_CERT_FILE can name them"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f": {_CERTIFICATE_TEXTS.get(error.verify_code, 'its certificate is not valid')}"
    if isinstance(error, ssl.SSLError) or not error.errno or error.errno < 0:
        return ""
    return f": {os.strerror(error.errno)}"


class NothingTrusted(OSError):
    """This system knows no certificate authority."""
