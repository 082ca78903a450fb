"""Send one thing beside whatever asked for it: that neither waits nor can tell, by the time it took, what came of it.

In threads of this process and nowhere else: what waits here is gone with it. Good for what its reader misses at once
and asks for again, as a code is; a message that must not be lost is a delivery.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from tidings.channels.at_once import Room, Sending, send_within
from tidings.channels.contract import Budget, Channel, Outcome, TryLater

log = logging.getLogger("tidings.channels")
AT_ONCE = 4
"""With 15 seconds for each at most, as many as these wait for a vendor that hangs before others wait for them."""

_lock = threading.Lock()
_stopping = threading.Event()
_threads: ThreadPoolExecutor | None = None


def send_aside(
    room: Room, channel: Channel, budgets: Sequence[Budget], sending: Sending, then: Callable[[Outcome], None]
) -> None:
    """`then` hears what came of it, in another thread."""
    global _threads
    with _lock:
        if _threads is None:
            _threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="tidings-aside")
        _threads.submit(_send, room, channel, budgets, sending, then)


def finish(*, begun_only: bool) -> None:
    """Wait for what is being sent; what has not begun is sent too, or ends as `node_stopped`."""
    global _threads
    with _lock:
        threads, _threads = _threads, None
    if threads is None:
        return
    if begun_only:
        _stopping.set()
    threads.shutdown()
    _stopping.clear()


def _send(
    room: Room, channel: Channel, budgets: Sequence[Budget], sending: Sending, then: Callable[[Outcome], None]
) -> None:
    from django.db import connections

    try:
        stopped = _stopping.is_set()
        then(TryLater("node_stopped") if stopped else asyncio.run(send_within(room, channel, budgets, sending)))
    except Exception:
        log.exception("what came of a message could not be told", extra={"channel": channel.code})
    finally:
        connections.close_all()
