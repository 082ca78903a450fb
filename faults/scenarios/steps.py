"""A node fails at each named step of the flow (see `faults/steps.py`), by itself, at exactly that point."""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from faults.count import Row
from faults.load import Load
from faults.scenario import Part, Run, scenario
from faults.stage import Process
from faults.steps import FLOW, START, Step, armed

REACHED_WITHIN = 300.0
LONGER_THAN_A_LEASE = 25.0
OLD_EVENTS = 4_000
# By the day: the rows are made by several statements, and must have the same keys.
_KEY = """
CREATE OR REPLACE FUNCTION old_key(n int, child int) RETURNS uuid STABLE LANGUAGE sql AS $$
SELECT (left(t, 8) || '-' || right(t, 4) || '-7000-8000-' || lpad(to_hex(n), 7, '0')
        || lpad(to_hex(child), 5, '0'))::uuid
FROM (SELECT extract(epoch FROM date_trunc('day', now()) - interval '100 days')::bigint * 1000 + n AS ms) made,
     lpad(to_hex(made.ms), 12, '0') AS t $$
"""
_OLD = (
    f"""
    INSERT INTO events_subject
        (id, tenant_id, kind, key, title, url, status, status_time, status_number, last_number)
    SELECT old_key(n, 7), t.id, 'ticket', 'old' || n, '', '', 'data_change.successful', now() - interval '100 days',
           1, 1
    FROM generate_series(1, {OLD_EVENTS}) n, accounts_tenant t
    """,
    f"""
    INSERT INTO events_event (id, tenant_id, source, source_id, type, time, subject_id, number, hash)
    SELECT old_key(n, 0), t.id, 'old', 'o' || n, 'data_change.successful', now() - interval '100 days',
           old_key(n, 7), 1, ''
    FROM generate_series(1, {OLD_EVENTS}) n, accounts_tenant t
    """,
    f"""
    INSERT INTO events_recipient (id, tenant_id, person_id, because)
    SELECT old_key(n, 1), p.tenant_id, p.id, '[["submitter", ""]]'
    FROM generate_series(1, {OLD_EVENTS}) n, accounts_person p WHERE p.login = 'ann'
    """,
    f"""
    INSERT INTO delivery_delivery
        (id, tenant_id, person_id, subject_id, number, contact_point_id, channel, state, due_at)
    SELECT old_key(n, 2), c.tenant_id, c.person_id, old_key(n, 7), 1, c.id, c.channel, 'sent', now()
    FROM generate_series(1, {OLD_EVENTS}) n, directory_contactpoint c
    JOIN accounts_person p ON p.id = c.person_id WHERE p.login = 'ann'
    """,
)
_DROP_DAY = """
DO $$ BEGIN EXECUTE format('DROP TABLE IF EXISTS %I', 'events_body_' || to_char(current_date + {0}, 'YYYYMMDD')); END $$
"""
_MAKE_DAY = """
DO $$ BEGIN EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF events_body FOR VALUES FROM (%L) TO (%L)',
    'events_body_' || to_char(current_date - {0}, 'YYYYMMDD'), current_date - {0}, current_date - {0} + 1); END $$
"""
_MOVE_TO_DAY = """
UPDATE events_body SET day = current_date - {0} WHERE id IN (SELECT id FROM events_event ORDER BY id DESC LIMIT 300)
"""
# What housekeeping is to find: days without their partition, a day that is over with messages still on their way, and
# records that are too old.
BEFORE: Mapping[str, Sequence[str]] = {
    "new-day": (_DROP_DAY.format(2), _DROP_DAY.format(3)),
    "old-day": (_MAKE_DAY.format(9), _MOVE_TO_DAY.format(9)),
    "deleting": (_KEY, *_OLD),
}


@scenario()
async def killed_at_each_step(run: Run) -> None:
    """A node is killed (-9) at each named step of the flow, under load, and started again."""
    await at_each_step(run, FLOW, "die")


@scenario()
async def an_error_at_each_step(run: Run) -> None:
    """An error that nobody foresaw is raised at each named step of the flow, under load; a node that ends by it is
    started again."""
    # In the middle of a step there is nowhere to raise it.
    here = {name: step for name, step in FLOW.items() if step.moment != "during" and not step.rare}
    await at_each_step(run, here, "raise")


@scenario()
async def suspended_at_each_step(run: Run) -> None:
    """Workers stand still for longer than a lease, each at another point of what it does with a message, and go on."""
    await run.start("web", "worker")
    async with run.load():
        still = []
        for step in (step for step in FLOW.values() if step.on == "worker" and not step.rare):
            worker = run.stage.run("worker", armed=armed(step, "stand still", 3))
            held = await run.stage.stands_still(worker, REACHED_WITHIN)
            run.stage.faults["worker suspended"] += 1
            still.append(worker)
            run.parts.append(Part(Row(step.name, step.says, part_of=run.row.name), held=held))
        await asyncio.sleep(LONGER_THAN_A_LEASE)
        for worker, part in zip(still, run.parts, strict=True):
            run.stage.thaw(worker)
            part.lost = datetime.now(UTC)
        await asyncio.sleep(3.0)


@scenario(new=True)
async def killed_at_each_step_of_a_first_start(run: Run) -> None:
    """In an empty folder, `serve` is killed (-9) while it makes its database, starts it and fills it, at one step after
    the other; then it is let be, and has to work."""
    stage, first, *others = run.stage, *START.values()
    node = stage.run("serve", armed=armed(first, "die"))
    for step in (first, *others):
        if step is not first:
            stage.again(node, armed(step, "die"))
        await stage.ended(node, REACHED_WITHIN)
        assert node.popen.returncode == -signal.SIGKILL, stage.log(node)
        stage.faults["serve killed"] += 1
        run.parts.append(Part(Row(step.name, step.says, part_of=run.row.name)))
    await run.again(node)
    await stage.start_database()
    await run.set_up(node)
    async with run.load():
        await asyncio.sleep(3.0)


async def at_each_step(run: Run, steps: Mapping[str, Step], what: Literal["die", "raise"]) -> None:
    """One after the other for each kind of node, the kinds beside each other."""
    nodes = await run.start("serve", "web", "worker")

    async def one_after_the_other(node: Process) -> None:
        mine = [step for step in steps.values() if step.on == node.kind]
        for step in mine:
            if node.lives:
                await run.stage.kill(node)
            await _fail_at(run, load, node, step, what)
        if mine:
            await run.stage.kill(node)
            await run.again(node)

    async with run.load() as load:
        await asyncio.gather(*map(one_after_the_other, nodes))
    run.parts.sort(key=lambda part: list(steps).index(part.row.name))


async def _fail_at(run: Run, load: Load, node: Process, step: Step, what: Literal["die", "raise"]) -> None:
    stage, before = run.stage, len(load.accepted)
    for statement in BEFORE.get(step.name, ()):
        await stage.rows(statement)
    stage.again(node, armed(step, what, 0 if step.rare else run.chance.randint(3, 30)))
    if step.stops:
        await stage.ready(node)
        node.popen.terminate()
    if what == "die":
        await stage.ended(node, REACHED_WITHIN)
        assert node.popen.returncode == -signal.SIGKILL, stage.log(node)
        stage.faults[f"{node.kind} killed"] += 1
        held = await stage.note_what_it_held(node)
    else:
        held = await stage.stands_still(node, REACHED_WITHIN)
        stage.thaw(node)
        stage.faults[f"an error in {node.kind}"] += 1
        await asyncio.sleep(2.0)
    part = Part(Row(step.name, step.says, part_of=run.row.name))
    part.held, part.lost = held, datetime.now(UTC)
    part.accepted = dict(list(load.accepted.items())[before:])
    run.parts.append(part)
