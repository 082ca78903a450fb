"""A secret that the page after a form shows, once: a page loaded again must neither make another nor show this one."""

from django.http import HttpRequest

from tidings.kernel.clock import now
from tidings.kernel.secrets import SecretUnreadable, seal, unseal

WITHIN_S = 60
_KEY = "shown_once"


def show_next(request: HttpRequest, secret: str, *, of: str = "") -> None:
    """For the next page about `of`, if it comes within a minute. The session is a row that lies in backups: sealed."""
    until = int(now().timestamp()) + WITHIN_S
    request.session[_KEY] = seal({"secret": secret, "of": of, "until": until}).decode()


def secret_to_show(request: HttpRequest, *, of: str = "") -> str:
    """Nothing the second time, nor when it is too late."""
    if request.method != "GET" or _KEY not in request.session:
        return ""
    try:
        kept = unseal(request.session[_KEY].encode())
    except SecretUnreadable:
        kept = {"until": 0, "of": of}
    late = kept["until"] < now().timestamp()
    if late or kept["of"] == of:
        del request.session[_KEY]
    return "" if late or kept["of"] != of else str(kept["secret"])
