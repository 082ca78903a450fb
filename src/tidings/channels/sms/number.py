"""Mobile numbers: in one form, as a provider wants them, and as anybody may see them."""

import re
import unicodedata

import phonenumbers

from tidings.channels.contract import InvalidField

_WRITTEN = re.compile(r"\+[0-9 ().\-/]{4,30}")
_CALLING_CODES = re.compile(r"\+?[1-9]\d{0,2}")
MAINLAND_CHINA = "+86"


def checked_mobile(text: str) -> str:
    """E.164."""
    text = unicodedata.normalize("NFKC", text).strip()
    if not _WRITTEN.fullmatch(text):
        raise InvalidField("must begin with + and the country's code and go on in digits, such as +86 138 0013 8000")
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException as error:
        raise InvalidField(f"is no telephone number of any country: {error}") from None
    # Whether a number may exist, not whether its range is assigned today: plans change faster than the library.
    if not phonenumbers.is_possible_number(number):
        raise InvalidField("has too few or too many digits for its country")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def checked_calling_codes(text: str) -> str:
    """ "+86, 65" becomes "86,65"."""
    codes = [code.strip() for code in text.split(",")]
    if not all(_CALLING_CODES.fullmatch(code) for code in codes):
        raise InvalidField("must be calling codes with commas between them, such as 86,65,44")
    return ",".join(dict.fromkeys(code.removeprefix("+") for code in codes))


def is_in(number: str, calling_codes: str) -> bool:
    """No calling code begins another one, so the digits decide."""
    return any(number.startswith(f"+{code}") for code in calling_codes.split(","))


def masked_number(number: str) -> str:
    """+86 138****1234: at least four digits are hidden, at most seven are seen."""
    parsed = phonenumbers.parse(number, None)
    digits = phonenumbers.national_significant_number(parsed)
    seen = min(7, max(0, len(digits) - 4))
    first, last = digits[: seen // 2], digits[len(digits) - (seen + 1) // 2 :]
    return f"+{parsed.country_code} {first}****{last}"


def spellings(number: str) -> list[str]:
    """Whatever form of it a provider may say back."""
    parsed = phonenumbers.parse(number, None)
    return [number, number.removeprefix("+"), phonenumbers.national_significant_number(parsed)]
