"""Mobile numbers as anybody may see them, and as nobody may."""

import phonenumbers

MAINLAND_CHINA = "+86"


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


def is_spelling(given: str, number: str) -> bool:
    """Whether this is that number as a provider may write it: with or without +, 00 or its country's code."""
    digits = given.strip().removeprefix("+").removeprefix("00")
    return digits in spellings(number)[1:]
