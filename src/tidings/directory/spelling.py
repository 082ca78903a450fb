"""Logins, addresses and numbers can be written in many ways; this is the one form in which they are kept and compared.
Pure.

`checked_email` and its like raise `InvalidField` for what cannot be kept. `email_as_kept` and its like are for looking
somebody up: what cannot be kept is nobody's. They remember, since the same few people occur in event after event.
"""

import re
import unicodedata
from functools import lru_cache

import phonenumbers

from tidings.channels.contract import InvalidField
from tidings.channels.email.addresses import checked_address

EMAIL_LENGTH = 320
REMEMBERED = 10_000
_MOBILE = re.compile(r"\+[0-9 ().\-/]{4,30}")


def checked_email(text: str) -> str:
    """ASCII, the domain in lower case (IDNA). Compared without regard to case."""
    address = checked_address(text.strip())
    if len(address) > EMAIL_LENGTH:
        raise InvalidField(f"is longer than {EMAIL_LENGTH} characters")
    return address


def checked_mobile(text: str) -> str:
    """E.164."""
    text = unicodedata.normalize("NFKC", text).strip()
    if not _MOBILE.fullmatch(text):
        raise InvalidField("must begin with + and the country's code and go on in digits, such as +86 138 0013 8000")
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException as error:
        raise InvalidField(f"is no telephone number of any country: {error}") from None
    # Whether a number may exist, not whether its range is assigned today: plans change faster than the library.
    if not phonenumbers.is_possible_number(number):
        raise InvalidField("has too few or too many digits for its country")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


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
