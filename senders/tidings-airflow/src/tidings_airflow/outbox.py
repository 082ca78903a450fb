"""The way out of this process: what is put there is on disk when `put` returns, and a thread sends it. Processes of
Airflow on one machine share the file; one of them delivers at a time.

The scheduler, the triggerer and the DAG processor live long: they send what others have left. Tasks and callbacks run
in children that end hard (`os._exit`), so they wait a moment until it is sent."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from tidings_airflow.settings import Settings
from tidings_client import Buffered, Client

ADAPTER = "airflow"
log = logging.getLogger("tidings_airflow")


def put(settings: Settings, payload: dict[str, Any]) -> None:
    """Raises what `sqlite3` raises when the disk can keep nothing."""
    outbox(settings).push(ADAPTER, payload)


def put_and_wait(settings: Settings, payload: dict[str, Any]) -> None:
    """From a process that may be gone at once, perhaps with its disk: wait a moment until it is sent. One that may not
    write to the file, a task that runs as another user, sends it now or never. Raises what `Client.push` raises."""
    try:
        put(settings, payload)
    except (OSError, sqlite3.Error) as error:
        log.warning("Nothing can wait in %s (%s): this is sent to Tidings now or never.", settings.buffer, error)
        Client(settings.url, settings.token, timeout=max(settings.patience, 0.1), patience=0).push(ADAPTER, payload)
        return
    if left := outbox(settings).flush(settings.patience):
        log.warning("%d payloads for Tidings wait in %s and are sent later.", left, settings.buffer)


@lru_cache(maxsize=1)
def outbox(settings: Settings) -> Buffered:
    """It outlives forks; begins to send what waits in the file."""
    settings.buffer.parent.mkdir(parents=True, exist_ok=True)
    return Buffered(Client(settings.url, settings.token), settings.buffer, settings.at_most)


@contextmanager
def guarded(what: str) -> Iterator[None]:
    """Nothing that goes wrong here is the DAG's affair. Airflow guards its listeners too, but not everywhere."""
    try:
        yield
    except Exception as error:
        log.warning("Tidings is not told of %s: %s: %s", what, type(error).__name__, error, exc_info=True)
