"""Take a JSON array apart that cannot be read as a whole, so that one bad event does not take the others with it."""

import re

# What stands before a mark is skipped; a string with all that is in it is one. Every run is possessive, so that nothing
# is looked at twice, however hostile. The groups: a string's closing quote (empty where there is none), opening
# brackets, closing ones, a comma.
_MARK = re.compile(rb'[^][{},"]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+("?)|([\[{]+)|([\]}]+)|(,)|\Z)', re.DOTALL)
MARKS_AT_MOST = 500_000
"""A sixth of a second. An event has about a hundred, and a batch a thousand events."""


def split_array(body: bytes) -> list[bytes] | None:
    """The items of an array, each for its reader to judge; None for what is no array, or not a whole one.

    Only brackets, quotes and commas are looked at, so an item may be anything.
    """
    if not body.lstrip().startswith(b"["):
        return None
    items: list[bytes] = []
    depth = begin = 0
    for count, found in enumerate(_MARK.finditer(body)):
        kind = found.lastindex
        if kind is None or count > MARKS_AT_MOST:
            return None
        start, end = found.span(kind)
        if kind == 1 and start == end:  # a string without an end
            return None
        if kind == 2:
            begin = begin or start + 1
            depth += end - start
        elif kind == 4 and depth == 1:
            items.append(body[begin:start])
            begin = end
        elif kind == 3:
            depth -= end - start
            if depth <= 0:
                items.append(body[begin : end - 1])
                return None if depth or body[end:].strip() else items
    return None
