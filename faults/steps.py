"""The named steps of the flow at which a process can be made to die, to raise or to stand still.

No line of production code knows of them: `faults.node` wraps the function that a step names before anything that uses
it is loaded. The import order makes that possible: who uses a function stands above it. A test holds that each of them
is still there.
"""

import asyncio
import functools
import importlib
import os
import random
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from faults.stage import Kind

Moment = Literal["before", "during", "after"]
What = Literal["die", "raise", "stand still"]
FEW_ROUND_TRIPS = 0.004
"""Seconds."""


class Raised(Exception):
    """What is raised at a step that was told to."""


@dataclass(frozen=True, slots=True)
class Step:
    """`at` is `module:name`, without what all modules share. `rare`: not every event passes it; `stops`: only a node
    that was asked to stop. During: within so many seconds after its beginning."""

    name: str
    moment: Moment
    at: str
    on: "Kind"
    says: str
    rare: bool = False
    stops: bool = False
    within: float = FEW_ROUND_TRIPS


_FLOW = (
    # accept
    Step("read", "before", "pipeline:accept", "web", "a group was read, nothing of it is planned"),
    Step("planning", "before", "planning.facts:plan_event", "web", "while it decides who is told"),
    Step("planned", "before", "delivery.enqueue:enqueue", "serve", "planned, before the commit"),
    Step("committing", "during", "delivery.enqueue:enqueue", "serve", "in the middle of the commit"),
    Step("committing-pending", "during", "delivery.enqueue:enqueue", "web", "the same, where workers deliver"),
    Step("committed", "after", "delivery.enqueue:enqueue", "serve", "committed and claimed, in nobody's hands"),
    Step("committed-pending", "after", "delivery.enqueue:enqueue", "web", "committed, and nobody was woken"),
    Step("answering", "before", "events.group:_answer", "serve", "on its way to be sent, before the 202"),
    # claim
    Step("claiming", "during", "delivery.claim:claim", "worker", "in the middle of a claim"),
    Step("claimed", "after", "delivery.claim:claim", "worker", "claimed, before it is known what to say"),
    Step("prepared", "after", "delivery.claim:prepare", "worker", "prepared, before anything is sent"),
    # send
    Step("sending", "before", "kernel.http:Wire.request", "worker", "before a call to a receiver"),
    Step("calling", "during", "kernel.http:Wire.request", "serve", "in the middle of a call to a receiver"),
    Step("taken", "after", "kernel.http:Wire.request", "worker", "the receiver took it, and nobody wrote that down"),
    Step("judged", "after", "delivery.record:Recorder.add", "serve", "its end waits to be recorded"),
    # record
    Step("recording", "during", "delivery.record:record", "worker", "in the middle of recording"),
    Step("recorded", "after", "delivery.record:record", "serve", "recorded, before the node knows"),
    # the lease
    Step("registered", "after", "delivery.lease:register", "worker", "with a lease and nothing else", rare=True),
    Step("renewing", "before", "delivery.lease:renew", "worker", "before the lease is renewed", rare=True),
    Step("renewed", "after", "delivery.lease:renew", "serve", "after the lease was renewed", rare=True),
    Step("freeing", "during", "delivery.lease:free_dead", "worker", "while it frees what the dead held", rare=True),
    Step("orphans", "after", "delivery.orphans:unheld", "serve", "while it looks for its own leftovers", rare=True),
    Step(
        "leaving",
        "before",
        "delivery.lease:sign_off",
        "worker",
        "stopping, before it gives back",
        rare=True,
        stops=True,
    ),
    Step("left", "after", "delivery.lease:sign_off", "serve", "stopping, all is given back", rare=True, stops=True),
    # besides
    Step("counting", "during", "delivery.tally:write", "serve", "while sums are written", rare=True),
    Step("planning-again", "before", "pipeline:plan_again", "web", "looking for what was kept unplanned", rare=True),
    Step("house", "before", "delivery.retention:keep_house", "worker", "before housekeeping", rare=True),
    Step("new-day", "during", "delivery.retention:make_partitions", "web", "while a day is made", rare=True),
    Step("old-day", "during", "delivery.retention:_end", "worker", "while a day is dropped", rare=True),
    Step(
        "deleting", "during", "delivery.retention:delete_records", "worker", "while old records are deleted", rare=True
    ),
)
_START = (
    Step(
        "cluster", "during", "kernel.prepare_cluster:create_cluster", "serve", "while the cluster is made", within=0.5
    ),
    Step("cluster-made", "after", "kernel.prepare_cluster:create_cluster", "serve", "the cluster is made, no more"),
    Step("configured", "after", "kernel.prepare_cluster:write_settings", "serve", "before PostgreSQL is started"),
    Step("launched", "after", "kernel.postgres:_launch", "serve", "PostgreSQL was started, and not waited for"),
    Step(
        "waiting", "during", "kernel.postgres:_wait_until_ready", "serve", "while it waits for PostgreSQL", within=0.05
    ),
    Step("migrating", "during", "cli.migrate:migrate_database", "serve", "in the middle of a migration", within=1.5),
    Step("first-run", "before", "cli.first_run:first_run", "serve", "migrated, before anybody can sign in"),
)
FLOW, START = ({step.name: step for step in steps} for steps in (_FLOW, _START))
"""By name: those of an event, in its order, and those of the first start of an embedded installation."""


def armed(step: Step, what: What, skip: int = 0) -> str:
    """As `faults.node` reads it: at this step the process dies, raises or stands still, once, after it has passed it so
    many times."""
    return f"{step.name}:{what}:{skip}"


def arm(text: str) -> None:
    name, what, skip = text.split(":")
    step = (FLOW | START)[name]
    owner, attribute = place(step)
    setattr(owner, attribute, _passing(getattr(owner, attribute), step, what, int(skip)))


def place(step: Step) -> tuple[Any, str]:
    """Whose attribute the function is. Raises when it is gone."""
    module, _, name = step.at.partition(":")
    *outer, attribute = name.split(".")
    owner = functools.reduce(getattr, outer, importlib.import_module(f"tidings.{module}"))
    getattr(owner, attribute)
    return owner, attribute


def _passing(function: Callable[..., Any], step: Step, what: str, skip: int) -> Callable[..., Any]:
    left = skip + 1

    def reached(*moments: Moment) -> None:
        nonlocal left
        if step.moment in moments:
            left -= 1
            if left == 0:
                _fail(step, what)

    async def passing(*arguments: Any, **named: Any) -> Any:
        reached("before", "during")
        result = await function(*arguments, **named)
        reached("after")
        return result

    def passing_at_once(*arguments: Any, **named: Any) -> Any:
        reached("before", "during")
        result = function(*arguments, **named)
        reached("after")
        return result

    return functools.wraps(function)(passing if asyncio.iscoroutinefunction(function) else passing_at_once)


def _fail(step: Step, what: str) -> None:
    os.write(2, f"faults: {what}, {step.moment} {step.at}\n".encode())
    if what == "raise":
        # First it stands still, so that it can be seen from outside what it holds.
        os.kill(os.getpid(), signal.SIGSTOP)
        raise Raised(step.name)
    number = signal.SIGKILL if what == "die" else signal.SIGSTOP
    if step.moment == "during":
        threading.Timer(random.uniform(0, step.within), os.kill, (os.getpid(), number)).start()
    else:
        os.kill(os.getpid(), number)
