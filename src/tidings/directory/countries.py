"""Countries by their calling codes, as in `+86`."""

from collections.abc import Iterable, Sequence

import phonenumbers

from tidings.channels.contract import InvalidField

# Numbers of no country (satellites, shared costs, premium rates) have this region in the library.
_NOWHERE = "001"


def spelled(countries: Iterable[int]) -> list[str]:
    return [f"+{country}" for country in countries]


def checked_countries(written: Sequence[str]) -> list[int]:
    """In the order given, each once. Raises `InvalidField`."""
    countries: dict[int, None] = {}
    for text in written:
        digits = text.strip().removeprefix("+")
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 3 else 0
        if phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(number, (_NOWHERE,))[0] == _NOWHERE:
            raise InvalidField(f"has {text[:20]!r}, which is no country's calling code; write them as in +86, +44, +65")
        countries[number] = None
    return list(countries)


def within(countries: Iterable[int], mobile: str) -> bool:
    """Whether this number, in E.164, belongs to one of them."""
    try:
        return phonenumbers.parse(mobile, None).country_code in set(countries)
    except phonenumbers.NumberParseException:
        return False
