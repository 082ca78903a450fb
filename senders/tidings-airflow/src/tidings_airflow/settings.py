"""What is set: in the section `[tidings]` of Airflow's configuration, else in the environment as for any sender.

Airflow's configuration and not a Connection, although notifiers usually take one: a listener runs within the
scheduler's loop, where each look-up of a Connection asks the metadata database or a secrets backend; and the processes
that run callbacks have no database at all. OpenLineage's listener has a section of its own too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Union

from airflow.configuration import AIRFLOW_HOME, conf

from tidings_client import address_and_token
from tidings_client.environment import secret_reader

SECTION = "tidings"
BUFFER = f"{AIRFLOW_HOME}/tidings/buffer.sqlite"
Token = Union[str, Callable[[], str]]


@dataclass(frozen=True)
class Settings:
    url: str
    token: Token
    buffer: Path
    at_most: int
    """Payloads that may wait in the buffer."""
    dags: Sequence[str]
    patience: float
    """Seconds that a callback waits for what it sends; the listener never waits."""
    errors: bool
    """Whether failed tasks leave a line of their error in an XCom, for the run's message."""

    def watches(self, dag_id: str) -> bool:
        """Whether the listener tells of this DAG's runs: some pattern fits it, and none that begins with `!` does."""
        unwanted = [each[1:] for each in self.dags if each.startswith("!")]
        wanted = [each for each in self.dags if not each.startswith("!")] or (["*"] if unwanted else [])
        return any(fnmatchcase(dag_id, each) for each in wanted) and not any(
            fnmatchcase(dag_id, each) for each in unwanted
        )


@lru_cache(maxsize=1)
def settings() -> Settings | None:
    """None: nobody has said where Tidings is, and nothing is sent. Raises ValueError for half a configuration."""
    said = _said("url") or os.environ.get("TIDINGS_URL", "").strip()
    if not said:
        return None
    url, token = address_and_token(said)
    return Settings(
        url=url,
        token=_said("token") or secret_reader("TIDINGS_TOKEN") or token or _no_token(),
        buffer=Path(_said("buffer") or os.environ.get("TIDINGS_BUFFER", "").strip() or BUFFER).expanduser(),
        at_most=conf.getint(SECTION, "at_most", fallback=10_000),
        dags=tuple(each.strip() for each in _said("dags", "*").split(",") if each.strip()),
        patience=conf.getfloat(SECTION, "patience", fallback=2.0),
        errors=conf.getboolean(SECTION, "errors", fallback=True),
    )


def airflow_url() -> str:
    """Where people open Airflow, as far as it knows."""
    url: str = conf.get("api", "base_url", fallback="") or ""
    return url.rstrip("/")


def _said(name: str, otherwise: str = "") -> str:
    value: str | None = conf.get(SECTION, name, fallback=otherwise)
    return (value or "").strip()


def _no_token() -> Token:
    raise ValueError(
        "Tidings has an address and no token: set token in [tidings] (AIRFLOW__TIDINGS__TOKEN, token_cmd, "
        "token_secret) or TIDINGS_TOKEN or TIDINGS_TOKEN_FILE, or copy the whole address from the source's page."
    )
