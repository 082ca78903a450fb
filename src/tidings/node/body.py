"""The body of a request, read whole and only up to its limit."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from tidings.kernel.media_type import unsupported
from tidings.kernel.problems import Problem
from tidings.node.asgi import Receive

DRAIN_AT_MOST = 64 * 1024 * 1024
DRAIN_SECONDS, SILENCE = 10.0, 1.0


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], at_most: int) -> bytes:
    """Refused as soon as it is known to be too large. One that is compressed is not opened: how large it is
    would only be known then."""
    if headers.get(b"content-encoding", b"identity").lower() not in (b"", b"identity"):
        raise unsupported("Send it as it is, without Content-Encoding.")
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > at_most:
        # Who asked first whether to send it has sent nothing yet, and now will not.
        raise _too_large(at_most, ended=b"expect" not in headers and await _drained(receive))
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > at_most:
            raise _too_large(at_most, ended=not message.get("more_body") or await _drained(receive))
    if message["type"] == "http.disconnect":
        raise Problem(400, "disconnected", "The sender went away before the body was whole.")
    return body


async def _drained(receive: Receive) -> bool:
    """Whether the rest of the body is read now, and thrown away. Many senders look for an answer only when they have
    sent all of it; a connection that is closed before is a reset to them, and the answer is lost. Whoever pauses looks
    for it now."""
    read, more, until = 0, True, asyncio.get_running_loop().time() + DRAIN_SECONDS
    with suppress(TimeoutError):
        while more and read < DRAIN_AT_MOST and asyncio.get_running_loop().time() < until:
            async with asyncio.timeout(SILENCE):
                message = await receive()
            read, more = read + len(message.get("body", b"")), bool(message.get("more_body"))
    return not more


def _too_large(at_most: int, *, ended: bool) -> Problem:
    headers = {} if ended else {"Connection": "close"}
    return Problem(413, "body_too_large", f"The body may have {at_most // 1024:,} KiB.", headers=headers)
