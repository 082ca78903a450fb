"""How it gets to Tidings: into a file first, so that no page of Archery waits and nothing is lost in the meantime.

The environment says where, as for any sender: `TIDINGS_URL`, `TIDINGS_TOKEN`, `TIDINGS_SECRET`, `TIDINGS_BUFFER`.
"""

import logging
import sqlite3
from collections.abc import Mapping
from functools import cache
from typing import Any

from tidings_client import Buffered, Client

log = logging.getLogger("tidings_archery")
ADAPTER = "archery"
TIMEOUT = PATIENCE = 5.0
"""Seconds, where it is sent without a file: Archery calls this within a request when somebody confirms an execution."""


def send(payload: Mapping[str, Any]) -> None:
    """Raises ValueError when the environment says too little; where there is no file, `Refused` and `Unavailable`."""
    _sender().push(ADAPTER, payload)


@cache
def _sender() -> Buffered | Client:
    """Without a file where the disk can keep nothing."""
    try:
        return Buffered.from_environment(timeout=TIMEOUT)
    except (OSError, sqlite3.Error) as error:
        log.warning("nothing can wait on disk (%s): tickets are sent at once, and lost while Tidings is away", error)
        return Client.from_environment(timeout=TIMEOUT, patience=PATIENCE)
