"""What of a call's headers the expressions see, and what is therefore parked with a body: all but what lets somebody
in, what names who was in between, and what is only about the connection."""

import re
from collections.abc import Mapping

from tidings.channels.words import cut, one_line

AT_MOST = 50
LENGTH = 500
# By the names that vendors have given them: X-Gitlab-Token, X-Amz-Security-Token, Verif-Hash, X-Sig, X-Functions-Key.
_SECRET = re.compile(
    r"auth(?!ors?(?:-|$))|cookie|token|secret|sign|(?:^|-)sig(?:-|$)|passw|credential|session|hmac|hash|verif|jwt"
    r"|api-?key|(?:^|-)key(?:-|$)"
)
_ON_THE_WAY = re.compile(
    r"host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|via|forwarded|content-length|accept.*|expect"
    r"|referer|x-forwarded-.*|x-real-ip|x-client-ip|x-original-.*|true-client-ip|cf-.*|cdn-.*|x-amzn-.*|x-envoy-.*"
)


def kept(headers: Mapping[str, str], but: str) -> dict[str, str]:
    """Without `but`, where the signature is. Names are in lower case."""
    names = [name for name in headers if name != but and not _SECRET.search(name) and not _ON_THE_WAY.fullmatch(name)]
    return {name: cut(one_line(headers[name]), LENGTH) for name in sorted(names)[:AT_MOST]}


def seen(headers: Mapping[str, str]) -> dict[str, str]:
    """As an expression names them without quotation marks: `headers.x_github_event`."""
    return {name.replace("-", "_"): value for name, value in headers.items()}
