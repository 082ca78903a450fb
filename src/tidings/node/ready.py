"""Ready means: an event sent now would be kept, and what this node should deliver would be sent. Asked of the database
and of what just happened, never of what was configured."""

import asyncio
from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING

import psycopg

from tidings.delivery.backlog import count_delivering
from tidings.events.group import Keep_group, Submission, Verdicts, sentence
from tidings.kernel.database import Connection, answered, in_words
from tidings.kernel.schema import is_read_only, missing_migrations

if TYPE_CHECKING:
    from tidings.node.engine import Node

CHECKED_WITHIN = 2.0
"""Seconds in which the database must have an answer for whoever watches."""
KEEPS_WITHIN = 5.0
"""Seconds a group may take, many times what it does."""
FAILURE_SHOWS = 10.0
"""Seconds after a group that could not be kept, unless one could since: long enough for whoever asks every few seconds;
not for ever, or those who spread the load would never send the event that shows that it is over."""
OTHER_VERSION = "The database is not of this version: bring it up to date with `tidings migrate`"


async def why_not_ready(node: "Node") -> str:
    """In words; empty when all is well."""
    if node.groups.closed:
        return "This node is stopping."
    try:
        wrong, node.delivering = await answered(node.connection_for_checks.read(_look), CHECKED_WITHIN)
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        return f"{OTHER_VERSION}."
    except psycopg.Error as error:
        return f"{sentence(in_words(error))}."
    return wrong or _not_kept(node) or _not_sent(node)


async def _look(connection: Connection) -> tuple[str, int]:
    """What is wrong with the database, and how many nodes deliver."""
    wrong = await _wrong_with_it(connection)
    return wrong, 0 if wrong else await count_delivering(connection)


async def _wrong_with_it(connection: Connection) -> str:
    if await is_read_only(connection):
        return "The database is read-only: a standby, or default_transaction_read_only is set. Name one to write to."
    if missing := await missing_migrations(connection):
        return f"{OTHER_VERSION} ({missing[0]}{f' and {len(missing) - 1} more' if len(missing) > 1 else ''} missing)."
    return ""


def _not_kept(node: "Node") -> str:
    if not node.duties.accepts:
        return ""
    if node.groups.full:
        return f"{node.groups.waiting:,} events wait to be kept, and no more are taken just now."
    if (seconds := node.keeping.stuck()) > KEEPS_WITHIN:
        return f"Events have not been kept for {seconds:.0f} seconds: the database answers, and does not commit."
    return f"Events could not be kept: {why}." if (why := node.keeping.failed_within(FAILURE_SHOWS)) else ""


def _not_sent(node: "Node") -> str:
    if node.duties.delivers and not node.life.fresh:
        return f"The lease was not renewed for {node.life.age:.0f} seconds; nothing is sent."
    return ""


class Keeping:
    """How it goes with the groups of events that a node keeps."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._under_way: dict[int, float] = {}
        """When each began."""
        self._failed, self._why = -inf, ""

    def watched(self, keep: Keep_group) -> Keep_group:
        async def keeping(group: Sequence[Submission]) -> Verdicts:
            began = self._under_way[id(group)] = self._loop.time()
            try:
                verdicts = await keep(group)
            except (psycopg.OperationalError, psycopg.InternalError) as error:
                # Not what one bad event causes.
                self._failed, self._why = self._loop.time(), in_words(error)
                raise
            finally:
                del self._under_way[id(group)]
            if began > self._failed:
                self._failed = -inf
            return verdicts

        return keeping

    def stuck(self) -> float:
        """For how many seconds the oldest group that is under way has been."""
        return self._loop.time() - min(self._under_way.values(), default=self._loop.time())

    def failed_within(self, seconds: float) -> str:
        """Why a group could not be kept in that time, unless one could since."""
        return self._why if self._loop.time() - self._failed < seconds else ""
