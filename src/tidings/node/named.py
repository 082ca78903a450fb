"""A call that was refused, or that Django answers, has an id: its caller is told it, and so is the log."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from tidings.kernel.ids import uuid7
from tidings.kernel.logs import REQUEST
from tidings.node.asgi import Message, Scope, Send

HEADER = b"x-request-id"
_ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{1,64}")


@contextmanager
def named(scope: Scope, send: Send) -> Iterator[Send]:
    """What sends the answer, with the id. The caller's own (a proxy's, mostly) is kept where it is plain."""
    given = next((value for name, value in scope["headers"] if name == HEADER), b"")
    name = given if _ACCEPTED.fullmatch(given) else uuid7().hex.encode()

    async def with_name(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (HEADER, name)]
        await send(message)

    token = REQUEST.set(name.decode())
    try:
        yield with_name
    finally:
        REQUEST.reset(token)
