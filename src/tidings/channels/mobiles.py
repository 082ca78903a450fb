"""Mobile numbers, in the one form in which they are kept and compared."""

import re
import unicodedata

import phonenumbers

from tidings.channels.contract import InvalidField

_MOBILE = re.compile(r"\+[0-9 ().\-/]{4,30}")


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


def shown_mobile(mobile: str) -> str:
    """Enough to recognise one's own."""
    return f"{mobile[:3]}***{mobile[-4:]}" if len(mobile) > 8 else "***"
