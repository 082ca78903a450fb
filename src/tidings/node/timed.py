"""How long Django's calls wait for a thread, and take in it."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from tidings.node import metrics

HANDED_OVER = "tidings.handed_over"
"""In the scope of a call: when it was given to Django (monotonic seconds)."""
WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
AREAS = {"api": "api", "console": "console"}


def timed(app: WSGI) -> WSGI:
    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        began = time.monotonic()
        metrics.THREAD_WAIT.observe(began - environ["asgi.scope"][HANDED_OVER])
        area = _area_of(environ["PATH_INFO"])

        def start(status: str, *rest: Any) -> Any:
            metrics.REQUESTS.labels(area, f"{status[0]}xx").inc()
            metrics.REQUEST_SECONDS.observe(time.monotonic() - began, area)
            return start_response(status, *rest)

        return app(environ, start)

    return answer


def _area_of(path: str) -> str:
    """Signing in, style and scripts, the links in mails: other."""
    return AREAS.get(path.split("/", 2)[1] if path.startswith("/") else "", "other")
