"""Being asked to stop (SIGTERM, Ctrl-C, a terminal that is closed), at any moment from a process's start to its end.

    with heeding_signals():              # from here to its end a signal kills nothing
        with on_stop(interrupt):         # what may be broken off: a signal raises `Stopped`
            ...
            with on_stop(loop_ends):     # what ends by itself when it is told
                ...
        ...                              # what must be finished: a signal is only kept in mind

The first signal counts; more of them make nothing faster.
"""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_asked = False
_act: Callable[[], object] | None = None


class Stopped(KeyboardInterrupt):
    """This process was asked to stop. As a KeyboardInterrupt it makes psycopg cancel the statement it waits for."""


@contextmanager
def heeding_signals() -> Iterator[None]:
    """For the main thread. What is ignored from outside (nohup) stays ignored."""
    global _asked
    _asked = False
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heeded = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in heeded:
        signal.signal(number, _heed)
    try:
        yield
    finally:
        # Whoever asks twice does not kill us on our last steps either.
        for number in [] if _asked else heeded:
            signal.signal(number, before[number])


@contextmanager
def on_stop(act: Callable[[], object]) -> Iterator[None]:
    """While entered, `act` is what a signal does; at once, if one has come before and nothing was made of it."""
    global _act
    before, _act = _act, act
    try:
        if _asked:
            act()
        yield
    finally:
        _act = before


def interrupt() -> None:
    raise Stopped


def _heed(_number: int, _frame: FrameType | None) -> None:
    global _asked
    if not _asked:
        _asked = True
        if _act:
            _act()
