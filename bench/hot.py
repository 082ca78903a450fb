"""The statements of the hot path, one by one, as PostgreSQL runs and plans them on the database as it is."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from tidings.delivery import backlog, claim, lease, record, retention, stuck
from tidings.events import known
from tidings.kernel.clock import now
from tidings.kernel.database import Connection, connect, plain_array, text_array
from tidings.kernel.ids import event_of, first_at, last_of
from tidings.node.take_due import LOOK


async def statements(url: str) -> dict[str, tuple[float, str]]:
    """Each as a node runs it, for 100 of the newest deliveries, and undone: milliseconds, the least of five, and the
    indexes of its plan."""
    connection = await connect(url, name="growth")
    rows = await (
        await connection.execute(
            "SELECT d.id, d.tenant_id, d.person_id FROM delivery_delivery d ORDER BY d.id DESC LIMIT 100"
        )
    ).fetchall()
    keys = plain_array([row[0].hex for row in rows])
    events = [event_of(row[0]) for row in rows]
    first, last = plain_array([each.hex for each in events]), plain_array([last_of(each).hex for each in events])
    people = plain_array([row[2].hex for row in rows])
    hundred = ["x"] * 100
    pending = f"UPDATE delivery_delivery SET state = 'pending', due_at = now() WHERE id = ANY('{keys}')"
    held = f"UPDATE delivery_delivery SET state = 'sending', lease = 0 WHERE id = ANY('{keys}')"
    asked: dict[str, tuple[str, str, Any]] = {
        "claim 100": (
            pending, claim._CLAIM,
            {"limit": 100, "lease": 0, "passed_over": "{}", "full_for": "{}", "full": "{}", "look": LOOK},
        ),
        "their stories": ("", claim._STORIES, (first,)),
        "their reasons": ("", claim._BECAUSE, (first, last, people)),
        "record 100 results": (
            held,
            record._RECORD,
            (keys, *(plain_array([each] * 100) for each in ("0", "sent")), text_array([""] * 100),
             text_array(hundred), plain_array(["0"] * 100), text_array(["[]"] * 100)),
        ),
        "which of 100 events are known": (
            "", known._KNOWN,
            (plain_array([row[1].hex for row in rows]), text_array(["bench"] * 100), text_array(hundred)),
        ),
        "what waits, for the metrics": ("", backlog._BACKLOG, {"at_most": 100, "dead_after": lease.DEAD_AFTER}),
        "what dead nodes held": (held, lease._FREE, ()),
        "what is overdue": ("", stuck.OLDEST_OVERDUE, {"overdue": stuck.OVERDUE}),
        "100 old events, for retention": (
            "", retention._OLD_EVENTS,
            {"after": UUID(int=0), "before": first_at(now() - timedelta(days=89)), "slice": 100},
        ),
    }  # fmt: skip
    found = {name: await _timed(connection, *each) for name, each in asked.items()}
    await connection.close()
    return found


async def _timed(connection: Connection, before: str, statement: str, values: Any) -> tuple[float, str]:
    took, plan = [], {}
    for _ in range(5):
        async with connection.transaction(force_rollback=True):
            if before:
                await connection.execute(before, prepare=False)  # type: ignore[call-overload]
            cursor = await connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values, prepare=False)
            [[explained]] = await cursor.fetchall()
            took.append(explained[0]["Execution Time"] + explained[0]["Planning Time"])
            plan = explained[0]["Plan"]
    return min(took), ", ".join(sorted(_indexes(plan)))


def _indexes(plan: Mapping[str, Any]) -> set[str]:
    """Those of each day's partition are one."""
    mine = {plan["Index Name"]} if "Index Name" in plan else set()
    found = mine.union(*(_indexes(each) for each in plan.get("Plans", ())))
    return {"events_body_pkey" if each.startswith("events_body") else each for each in found}
