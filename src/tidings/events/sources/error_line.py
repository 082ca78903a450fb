"""What went wrong, in one line that may be shown: without the SQL that was run and without the values it was run with.

Errors of databases repeat both: `relation "orders" does not exist LINE 1: SELECT ... [SQL: SELECT ...]`,
`Duplicate entry '4711' for key 'PRIMARY'`. What is cut is marked.
"""

import re

from tidings.channels.words import CUT, cut, one_line
from tidings.events.sources.understand import Text, text

LENGTH = 300
# From here on it is a statement, however the error introduces it. Names of tables alone are no statement.
_SQL = re.compile(
    r"""\[SQL:|\[parameters:|\bLINE\s\d+:|\bDETAIL:
    |\bselect\s+[*\d('"]|\bwith\s+\S+\s+as\s*\(
    |\binsert\s+(?:into|overwrite)\s|\bmerge\s+into\s|\breplace\s+into\s|\bdelete\s+from\s|\bupdate\s+\S+\s+set\s
    |\bcreate\s+(?:or\s+replace\s+)?(?:temp\w*\s+|external\s+|unique\s+|materialized\s+)*(?:table|view|index|database|schema)\s
    |\balter\s+(?:table|view|database|schema)\s|\bdrop\s+(?:table|view|index|database|schema)\s
    |\btruncate\s+table\s|\bgrant\s\S.{0,200}?\son\s|\bcopy\s+\S+\s+from\s""",
    re.IGNORECASE | re.VERBOSE,
)
# Each looked for once: a regular expression for both would look for the second from each of the first.
_SELECT, _FROM = re.compile(r"\bselect\s", re.IGNORECASE), re.compile(r"\sfrom\s", re.IGNORECASE)
# A text in single quotes is a value, in most languages that errors come from; in double quotes often a name.
_VALUE = re.compile(r"(?<!\w)'[^']*'(?!\w)")


def error_line(said: Text) -> str:
    whole = one_line(text(said)[:4_000])
    starts = [found.start() for found in (_SQL.search(whole), _query(whole)) if found]
    if starts:
        whole = f"{whole[: min(starts)].rstrip()} {CUT}".lstrip()
    return cut(_VALUE.sub(f"'{CUT}'", whole), LENGTH)


def _query(whole: str) -> "re.Match[str] | None":
    """The first `select` that has a `from` behind it."""
    froms = [found.start() for found in _FROM.finditer(whole)]
    select = _SELECT.search(whole)
    return select if select and froms and select.end() < froms[-1] else None
