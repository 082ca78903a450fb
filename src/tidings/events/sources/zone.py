"""In which zone the times of a system are that name none: an option of its source. Pure."""

import re
from datetime import timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from tidings.channels.contract import InvalidField

_OFFSET = re.compile(r"([+-])([01][0-9]):([0-5][0-9])")


def checked_zone(name: str) -> str:
    """As it is. Raises `InvalidField`."""
    if zone(name) is None:
        raise InvalidField("is no time zone: write +08:00, or a name such as Asia/Shanghai")
    return name


@lru_cache(maxsize=64)
def zone(name: str) -> tzinfo | None:
    """By its name or as an offset. None: there is none such."""
    if found := _OFFSET.fullmatch(name):
        ahead = timedelta(hours=int(found[2]), minutes=int(found[3]))
        return timezone(ahead if found[1] == "+" else -ahead)
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # a name that is a folder is an OSError, an unknown one a LookupError
        return None
