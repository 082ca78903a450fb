"""Whatever happens in a try becomes an outcome here, once: a timeout, a broken connection, an error of a channel."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from tidings.channels.contract import Ended, Outcome, Refused, TryLater
from tidings.kernel.http_errors import AddressRefused, HttpError
from tidings.kernel.secrets import SecretUnreadable

log = logging.getLogger("tidings.channels")
WHOLE_CALL = 15.0
"""Seconds for everything a try does."""


T = TypeVar("T")


async def conclude(sending: Coroutine[Any, Any, T], about: Mapping[str, str]) -> T | Outcome:
    """What it returns, or the outcome of what went wrong; never raises, but for a cancellation. `about` is logged with
    what nobody foresaw."""
    try:
        return await _within(WHOLE_CALL, sending)
    except TimeoutError:
        return TryLater("timeout")
    except Ended as error:
        return error.outcome
    except AddressRefused as error:
        # Not of the address: for mail it is the tenant's server, not the person's mailbox, that may not be called.
        return Refused("address_not_allowed", of="message", said=str(error))
    except HttpError as error:
        return TryLater(error.reason, said=str(error))
    except SecretUnreadable as error:
        return TryLater("secret_unreadable", said=str(error), technical=True)
    except Exception as error:
        # The type alone: the text of an unforeseen error may hold what the channel was given.
        log.exception("a try failed unexpectedly", extra=dict(about))
        return TryLater("internal_error", said=type(error).__name__, technical=True)


async def _within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.timeout`, for a quarter of what it costs: every message passes here."""
    task = asyncio.current_task()
    assert task is not None
    cancelled_before, late = task.cancelling(), False

    def expire() -> None:
        nonlocal late
        late = True
        task.cancel()

    timer = asyncio.get_running_loop().call_later(seconds, expire)
    try:
        return await work
    except asyncio.CancelledError:
        # Somebody else's cancellation goes on; ours ends here.
        if late and task.uncancel() <= cancelled_before:
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
