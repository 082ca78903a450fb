"""Logins, addresses and numbers can be written in many ways; this is the one form in which they are kept and compared.
Pure.

`checked_email` and its like raise `InvalidField` for what cannot be kept. `email_as_kept` and its like are for looking
somebody up: what cannot be kept is nobody's. They remember, since the same few people occur in event after event.
"""

import unicodedata
from functools import lru_cache

from tidings.channels.contract import InvalidField
from tidings.channels.email.addresses import checked_address
from tidings.channels.mobiles import checked_mobile

EMAIL_LENGTH = 320
REMEMBERED = 10_000


def checked_email(text: str) -> str:
    """ASCII, the domain in lower case (IDNA). Compared without regard to case."""
    address = checked_address(text.strip())
    if len(address) > EMAIL_LENGTH:
        raise InvalidField(f"is longer than {EMAIL_LENGTH} characters")
    return address


@lru_cache(maxsize=REMEMBERED)
def text_as_kept(text: str) -> str:
    return unicodedata.normalize("NFC", text)


@lru_cache(maxsize=REMEMBERED)
def email_as_kept(text: str) -> str:
    try:
        return checked_email(text).lower()
    except InvalidField:
        return ""


@lru_cache(maxsize=REMEMBERED)
def mobile_as_kept(text: str) -> str:
    try:
        return checked_mobile(text)
    except InvalidField:
        return ""
