"""Mail addresses: whether they can be written to, and in the one form that every server takes."""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

import email_validator
from email_validator import EmailNotValidError, validate_email

from tidings.channels.contract import InvalidField
from tidings.channels.words import cut, one_line

# Windows domains are often named so, and a self-hosted service writes to colleagues: deliverability is for the mail
# server to judge. The library offers its list for editing (its README, "Special-use domain names").
if "local" in email_validator.SPECIAL_USE_DOMAIN_NAMES:
    email_validator.SPECIAL_USE_DOMAIN_NAMES.remove("local")
# A host name in its ASCII form (RFC 952, RFC 1123).
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_NAMED = re.compile(r"([^<>]*)<([^<>]+)>")
MAX_PORT = 65_535
NAME_LENGTH = 100


@dataclass(frozen=True, slots=True)
class Sender:
    name: str
    address: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


def checked_address(text: str) -> str:
    """ASCII, the domain in lower case (IDNA). Letters beyond ASCII before the @ would need SMTPUTF8 on every hop."""
    try:
        valid = validate_email(
            text, check_deliverability=False, allow_smtputf8=False, globally_deliverable=False, strict=True
        )
    except EmailNotValidError as error:
        raise InvalidField(f"cannot be written to: {error} Write it as in ann@example.com.") from None
    if valid.ascii_email is None:
        raise InvalidField("must have plain letters before the @")
    return valid.ascii_email


def checked_sender(text: str) -> str:
    sender = sender_of(text)
    return f"{sender.name} <{sender.address}>" if sender.name else sender.address


@lru_cache(maxsize=256)
def sender_of(text: str) -> Sender:
    """`notices@example.com` or `Tidings <notices@example.com>`."""
    named = _NAMED.fullmatch(text.strip())
    name, address = named.groups() if named else ("", text)
    # Without quotes and backslashes the name needs no escaping anywhere, and says the same.
    return Sender(cut(one_line(re.sub(r'["\\]', "", name)), NAME_LENGTH), checked_address(address))


def checked_host(text: str) -> str:
    try:
        host = text.encode("idna").decode("ascii")
    except UnicodeError:
        host = ""
    if not _HOST.fullmatch(host) and not _is_address(host):
        raise InvalidField("must be a host name such as smtp.example.com, without http:// and without a port")
    return host.lower()


def _is_address(host: str) -> bool:
    """Such as 2001:db8::25; `127.0.0.1:25` is none, and a zone (`%eth0`) means something on one machine only."""
    try:
        return "%" not in host and bool(ip_address(host))
    except ValueError:
        return False


def checked_port(text: str) -> str:
    if not 0 < int(text) <= MAX_PORT:
        raise InvalidField("must be 1 to 65535; 587 is usual with starttls, 465 with tls, 25 with none")
    return text
