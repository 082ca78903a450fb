"""How many messages a text is, as carriers count and bill them. Pure.

GSM 7-bit alphabet (3GPP TS 23.038, 6.2.1): 160 characters in one message, 153 in each of several. UCS-2: 70 and 67.
https://www.twilio.com/docs/glossary/what-sms-character-limit
Mainland China counts every text as UCS-2: https://help.aliyun.com/document_detail/44335.htm
"""

from collections.abc import Iterable
from decimal import Decimal

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Two places each: they are written with an escape before them.
_GSM_EXTENSION = frozenset("\f^{}\\[~]|€")
SEVEN_BIT, WIDE = (160, 153), (70, 67)


def segments(text: str) -> int:
    """At least 1."""
    if is_gsm(text):
        return _parts((2 if character in _GSM_EXTENSION else 1 for character in text), *SEVEN_BIT)
    return wide_segments(text)


def wide_segments(text: str) -> int:
    """As UCS-2, whatever the letters. A character beyond U+FFFF takes two places."""
    return _parts((2 if character > "\uffff" else 1 for character in text), *WIDE)


def is_gsm(text: str) -> bool:
    return _GSM_EXTENSION.union(_GSM).issuperset(text)


def in_words(count: int, price: str) -> str:
    """ "2 segments, 0.09 CNY"; `price` is that of one, "0.045 CNY" or "0.045", or nothing."""
    words = f"{count} segment{'' if count == 1 else 's'}"
    amount, _, currency = price.partition(" ")
    return f"{words}, {Decimal(amount) * count} {currency}".rstrip() if amount else words


def _parts(widths: Iterable[int], alone: int, each: int) -> int:
    """What takes two places is never torn apart: it begins the next part."""
    whole, parts, used = 0, 1, 0
    for width in widths:
        whole += width
        if used + width > each:
            parts, used = parts + 1, 0
        used += width
    return 1 if whole <= alone else parts
