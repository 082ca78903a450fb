"""What is stuck is found by a node that runs, sent, counted and named; the ledger adds up afterwards."""

import logging
from datetime import timedelta

import pytest
from tests.delivery.given import event
from tests.scenarios.stage import WEB, WORKER, Stage

from tidings.node import metrics


def counted(counter: metrics.Counter, label: str) -> float:
    return float(counter.labels(label)._value.get())


async def test_each_kind_of_stuck_delivery_is_sent_counted_and_named(
    empty_stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage = empty_stage
    await stage.reachable("ann")
    await stage.start(WEB)
    # given: one that waits for the wrong year, one whose holder is gone, one that nobody is said to hold
    await stage.post(*(event() for _ in range(3)))
    rows = await stage.rows("SELECT id FROM delivery_delivery ORDER BY id")
    (late,), (lost,), (nobodys,) = rows
    change = "UPDATE delivery_delivery SET state = %s, lease = %s, due_at = now() + %s WHERE id = %s"
    for state, lease, wait, key in (
        ("pending", None, timedelta(days=400), late),
        ("sending", 99_999_999, timedelta(), lost),
        ("sending", None, timedelta(), nobodys),
    ):
        await stage.database.execute(change, (state, lease, wait, key))
    before = counted(metrics.STUCK, "due_too_late"), counted(metrics.FREED, "dead_node")
    # when
    with caplog.at_level(logging.WARNING, logger="tidings.node"):
        await stage.start(WORKER)
        await stage.messages("ann", 3, within=20)
    # then
    await stage.over()
    assert counted(metrics.STUCK, "due_too_late") == before[0] + 1
    assert counted(metrics.FREED, "dead_node") == before[1] + 2
    assert {str(key) for key in (late, lost, nobodys)} <= {
        str(getattr(record, "delivery", "")) for record in caplog.records
    }
    await stage.ledger()


async def test_an_event_that_was_kept_unplanned_is_planned_by_the_next_node(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.reachable("ann")
    web = await stage.start(WEB)
    await stage.post(event())
    # As if planning had failed: nothing of it but the event, its subject and its content.
    await stage.database.execute("UPDATE events_event SET fault = 'KeyError'")
    await stage.database.execute("TRUNCATE delivery_delivery, events_recipient, events_involved")
    await web.stop()
    stage.nodes.remove(web)
    await stage.start()
    await stage.messages("ann", 1)
    await stage.over()
    await stage.ledger()
