"""A node that only looks alive is worse than one that is gone: others, or whoever watches over processes, take over
from one that has ended. So a node ends itself when its loop, or one of the loops on it, stands still."""

import asyncio
import faulthandler
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping

log = logging.getLogger("tidings.node")
LOOK_EVERY = 5.0
LOOKS = 24
"""Looks in a row without a turn. Counted, and not told from a clock: a process that was suspended has missed none."""
FROZEN_AFTER = 60
"""Seconds, counted one by one for the same reason. Its lease has ended long before."""
FROZEN = 70
"""Exit code: EX_SOFTWARE."""


class StandsStill(Exception):
    """Something that should turn does not."""


class Pulse:
    """`turns` counts, for each loop by name, how often it turned; None while it has nothing to do."""

    def __init__(self, turns: Mapping[str, Callable[[], int | None]]) -> None:
        self._turns = turns
        self._last: dict[str, tuple[int | None, int]] = {}

    def look(self) -> None:
        """Raises `StandsStill` when one has not turned for `LOOKS` looks in a row."""
        for name, turned in self._turns.items():
            before, looks = self._last.get(name, (None, 0))
            count = turned()
            looks = looks + 1 if count is not None and count == before else 0
            self._last[name] = count, looks
            if looks >= LOOKS:
                raise StandsStill(f"{name} has not turned for {LOOKS * LOOK_EVERY:.0f} seconds")

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self.look()


def _end() -> None:
    log.critical("the loop of this node stands still; this process ends, and this is where each of its threads was")
    faulthandler.dump_traceback()
    os._exit(FROZEN)


def watch_loop(
    loop: asyncio.AbstractEventLoop, *, every: float = 1.0, after: int = FROZEN_AFTER, end: Callable[[], None] = _end
) -> Callable[[], None]:
    """From a thread of its own; `end` when the loop has not turned for `after` times `every` seconds. Returns what
    stops the watching."""
    stopped, asked, turned = threading.Event(), 0, 0

    def mark(number: int) -> None:
        nonlocal turned
        turned = number

    def watch() -> None:
        nonlocal asked
        while not stopped.is_set():
            asked += 1
            try:
                loop.call_soon_threadsafe(mark, asked)
            except RuntimeError:  # it is closed
                return
            time.sleep(every)
            if asked - turned > after:
                end()
                return

    threading.Thread(target=watch, name="tidings pulse", daemon=True).start()
    return stopped.set
