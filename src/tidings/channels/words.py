"""Text that fits where a channel puts it: no characters that control or deceive, and a mark where it was cut."""

import re

CUT = "…"
# C0, DEL, C1 and the two Unicode line separators: they break lines and headers, or drive terminals.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_CONTROL_IN_LINE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]+")
# What is not seen and changes what is seen: direction overrides, zero-width and interlinear marks, tags, the soft
# hyphen. The joiners U+200C and U+200D stay: Persian, Indic scripts and emoji are spelled with them.
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def cut(text: str, length: int) -> str:
    """At most `length` characters, the last one a mark if some are missing."""
    return text if len(text) <= length else text[: length - 1].rstrip() + CUT


def one_line(text: str) -> str:
    """For headers, subjects and table cells."""
    if not text.isprintable():
        text = _CONTROL.sub(" ", _visible(text))
    return " ".join(text.split())


def paragraph(text: str) -> str:
    """As `one_line`, but the author's own line breaks stay, as \\n."""
    if text.isprintable():
        return text.strip()
    text = _visible(text).replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    return _CONTROL_IN_LINE.sub(" ", text).strip()


def web_link(url: str) -> str:
    """The URL if it may become a link in a message (no `javascript:`, nothing that ends an attribute or a header),
    else nothing. Marks that some leave as they are and others do not are percent-encoded."""
    if not _WEB_LINK.match(url):
        url = url.translate(_MARKS)
    return url if _WEB_LINK.match(url) else ""


_MARKS = str.maketrans({each: f"%{ord(each):02X}" for each in "'^{|}"})
_WEB_LINK = re.compile(r"(?i)https?://[^\s\x00-\x20\x7f-\x9f\"'<>\\^`{|}]+\Z")


def _visible(text: str) -> str:
    return _LONE_SURROGATE.sub("\ufffd", _INVISIBLE.sub("", text))
