"""`make bench ARGS=--fairness`: what others notice of one that is too busy, too large, or whose vendor hangs.

Three calm organisations post a few events a second. Quiet and noisy stretches take turns, so that what the machine does
besides falls on both; compared is the 99th percentile from a post to the vendor's receipt of the message, of the calm
ones alone. The ratio is that of the medians over all rounds.
"""

import json
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg

from bench.stage import Organisation, Stage, on_stage

CALM, CALM_RATE = 3, 20.0
SECONDS, ROUNDS = 4.0, 3
NORMAL = 50.0
BACKLOG, PLACES, PEOPLE, CROWD, STAFF = 50_000, 40, 500, 1_000, 10_000
AT_MOST = 2.0
"""Times the quiet value."""
FLOOR = 10.0
"""Milliseconds, below which a quiet value says more of the machine than of the way."""
Noise = Callable[["Scene"], AbstractContextManager[None]]


@dataclass
class Scene:
    """One installation: the noisy organisation is its first."""

    stage: Stage
    calm: Sequence[Organisation]
    ports: list[int] = field(default_factory=list)
    """Where somebody listens and never answers."""

    def post(self, events: Sequence[dict[str, Any]]) -> None:
        self.stage.call("POST", "/events/batch", list(events), self.stage.token)

    def event(self, type: str = "data_change.successful", **people: Any) -> dict[str, Any]:
        number = self.stage.next_number(1)
        subject = {"kind": "noise", "id": str(number), "title": "Add an index on orders"}
        return {"id": f"n{number}", "source": "bench", "type": type, "subject": subject, "people": people}

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Doors that open to everybody and from which nobody ever hears: nothing accepts what the kernel let in. When
        it is over, what waits for them is called off."""
        doors = []
        for port in self.ports or [0] * PLACES:
            doors.append(socket.socket())
            doors[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            doors[-1].bind(("127.0.0.1", port))
            doors[-1].listen(1024)
        self.ports = [each.getsockname()[1] for each in doors]
        try:
            yield
        finally:
            for each in doors:
                each.close()
            self.call_off()

    def call_off(self, hang_up: Callable[[], None] = lambda: None) -> None:
        """Nothing is left of the noise: what is done with it must not be a part of the next quiet stretch."""
        with psycopg.connect(self.stage.database_url, autocommit=True) as database:
            for _ in range(200):
                database.execute("UPDATE delivery_delivery SET state = 'cancelled' WHERE state = 'pending'")
                hang_up()
                row = database.execute("SELECT FROM delivery_delivery WHERE state = 'sending' LIMIT 1").fetchone()
                if row is None:
                    break
                time.sleep(0.1)


@dataclass(frozen=True, slots=True)
class Case:
    what: str
    prepare: Callable[[Scene], None]
    noise: Noise
    quiet: Noise = lambda _: nullcontext()


@dataclass(frozen=True, slots=True)
class Stretch:
    """Milliseconds; `missing` never came, or were refused."""

    accept_p99: float
    way_p50: float
    way_p99: float
    missing: int


@dataclass(frozen=True, slots=True)
class Comparison:
    what: str
    quiet: Stretch
    noisy: Stretch

    @property
    def ratio(self) -> float:
        return self.noisy.way_p99 / max(self.quiet.way_p99, FLOOR)

    @property
    def fair(self) -> bool:
        return self.ratio <= AT_MOST and not self.noisy.missing


# noise


def at(rate: float) -> Noise:
    """Single posts at this rate; 0: as fast as it goes."""

    @contextmanager
    def noise(scene: Scene) -> Iterator[None]:
        first = scene.stage.next_number(1_000_000)
        with ending(scene.stage.loading(first, 1_000_000, 32, 1, rate)):
            yield

    return noise


@contextmanager
def batches(scene: Scene) -> Iterator[None]:
    first = scene.stage.next_number(1_000_000)
    with ending(scene.stage.loading(first, 1_000_000, 4, 500, 0.0)):
        yield
    scene.call_off()


@contextmanager
def crowd(scene: Scene) -> Iterator[None]:
    """One batch of 1,000 events to 500 people each."""
    everybody = [f"p{number}" for number in range(PEOPLE)]
    events = [scene.event("data_change.pending_approval", approvers=everybody) for _ in range(CROWD)]
    with aside(lambda: scene.post(events)):
        time.sleep(0.3)
        yield
    scene.call_off()


@contextmanager
def additional(scene: Scene) -> Iterator[None]:
    """Batches of events of which each goes to 500 people by a rule: the events themselves name nobody."""
    events = [scene.event("data_change.successful", submitter="bo") for _ in range(500)]
    with aside(lambda: scene.post(events)):
        time.sleep(0.3)
        yield
    scene.call_off()


@contextmanager
def backlog(scene: Scene) -> Iterator[None]:
    """50,000 messages wait for a vendor that hangs."""
    with scene.silence():
        for _ in range(BACKLOG // 1_000):
            scene.post([scene.event(submitter="s0") for _ in range(1_000)])
        yield


@contextmanager
def one_subject(scene: Scene) -> Iterator[None]:
    """The same, all about one ticket: each waits for the one before."""
    with scene.silence():
        for _ in range(BACKLOG // 5_000):
            events = [scene.event(submitter="s0") for _ in range(1_000)]
            scene.post([each | {"subject": {"kind": "noise", "id": f"same{scene.ports[0]}"}} for each in events])
        yield


@contextmanager
def many_places(scene: Scene) -> Iterator[None]:
    """40 vendors hang, each with more to take than a node has in hand at once."""
    with scene.silence():
        for number in range(PLACES):
            scene.post([scene.event(submitter=f"s{number}") for _ in range(200)])
        yield


@contextmanager
def same_host(scene: Scene) -> Iterator[None]:
    """A receiver hangs for one, at the very host that answers the others."""
    scene.post([scene.event(submitter="dan") for _ in range(1_000)])
    time.sleep(0.3)
    try:
        yield
    finally:
        scene.call_off(scene.stage.hang_up)


@contextmanager
def changes(scene: Scene) -> Iterator[None]:
    """An administrator's script changes one of 10,000 people after the other, while events come in."""
    stop = threading.Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            scene.stage.call("PUT", f"/users/w{number}", {"name": f"W {time.monotonic()}"})

    with at(NORMAL)(scene), aside(change, stop):
        yield


@contextmanager
def ending(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


@contextmanager
def aside(act: Callable[[], None], stop: threading.Event | None = None) -> Iterator[None]:
    def run() -> None:
        # Whoever makes noise may well be refused.
        with suppress(OSError):
            act()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        if stop:
            stop.set()
        thread.join()


# what it takes


def nothing(scene: Scene) -> None:
    """All is there."""


def people(scene: Scene) -> None:
    """500 with a webhook of their own each."""
    for number in range(PEOPLE):
        scene.stage.call("PUT", f"/users/p{number}", {"name": f"P {number}"})
        scene.stage.reach(f"p{number}", f"http://127.0.0.1:{scene.stage.receiver_port}/hook")


def rule(scene: Scene) -> None:
    people(scene)
    path, everybody = "/rules/data_change.successful", [f"p{number}" for number in range(PEOPLE)]
    version = scene.stage.call("GET", path)["version"]
    scene.stage.call("PATCH", path, {"additional_users": everybody, "version": version})


def silent_places(scene: Scene) -> None:
    with scene.silence():
        for number, port in enumerate(scene.ports):
            scene.stage.call("PUT", f"/users/s{number}", {"name": f"S {number}"})
            scene.stage.reach(f"s{number}", f"http://127.0.0.1:{port}/hook")


def silent_path(scene: Scene) -> None:
    scene.stage.reach("dan", f"http://127.0.0.1:{scene.stage.receiver_port}/silent")


def staff(scene: Scene) -> None:
    """10,000 people, over SQL: they only have to be there."""
    with psycopg.connect(scene.stage.database_url, autocommit=True) as database:
        database.execute(
            """
            INSERT INTO accounts_person (id, tenant_id, login, name, email, mobile, external_id, roles, methods,
                                         language, timezone, active, version)
            SELECT gen_random_uuid(), p.tenant_id, 'w' || n, 'Worker ' || n, '', '', '', '{}', '{}', 'en', 'UTC', true,
                   1
            FROM generate_series(1, %s) n, (SELECT tenant_id FROM accounts_person ORDER BY id LIMIT 1) p
            """,
            (STAFF,),
        )


SERVE: Sequence[Case] = (
    Case("One posts at 7 times its normal rate", nothing, at(7 * NORMAL), at(NORMAL)),
    Case("One posts batches of 500 without a pause", nothing, batches),
    Case("One changes its 10,000 people one by one", staff, changes),
    Case("One has 50,000 messages waiting for a vendor that hangs", silent_places, backlog),
    Case("One has 10,000 messages waiting for each other, about one ticket", silent_places, one_subject),
    Case("40 vendors of one hang", silent_places, many_places),
    Case("A receiver of one hangs, at the host of all", silent_path, same_host),
    Case("One posts a batch of 1,000 events to 500 people each", people, crowd),
    Case("A rule of one tells 500 people of each of 500 events", rule, additional),
)
APART: Sequence[Case] = [SERVE[0], *SERVE[3:6]]


def run() -> int:
    """The exit status: 0 when nobody waited for somebody else."""
    print(HEAD)
    found = list(comparisons(lambda one: print(line(one), flush=True)))
    return 0 if all(one.fair for one in found) else 1


def section() -> str:
    """For docs/performance.md."""
    return "\n".join(
        [f"{__doc__.partition(chr(10) * 2)[2].strip()}\n" if __doc__ else "", TABLE, *map(row, comparisons())]
    )


def comparisons(
    heard: Callable[[Comparison], None] = lambda _: None, wanted: Sequence[str] = ()
) -> Iterator[Comparison]:
    for kinds, cases in ((("serve",), SERVE), (("web", "worker"), APART)):
        with on_stage(*kinds) as stage:
            scene = Scene(stage, [stage.organisation(f"calm{number}") for number in range(CALM)])
            stretch(scene)
            for case in cases:
                if wanted and not any(word in case.what for word in wanted):
                    continue
                case.prepare(scene)
                what = case.what + ("" if kinds == ("serve",) else f" ({' and '.join(kinds)})")
                yield (one := compare(scene, case, what))
                heard(one)


def compare(scene: Scene, case: Case, what: str) -> Comparison:
    quiet, noisy = [], []
    for _ in range(ROUNDS):
        with case.quiet(scene):
            quiet.append(stretch(scene))
        with case.noise(scene):
            noisy.append(stretch(scene))
        time.sleep(0.3)
    return Comparison(what, middle(quiet), middle(noisy))


def stretch(scene: Scene) -> Stretch:
    """What the calm ones see in a few seconds."""
    stage, each = scene.stage, int(CALM_RATE * SECONDS)
    loads = []
    for one in scene.calm:
        first = stage.next_number(each)
        loads.append((first, stage.loading(first, each, 32, 1, CALM_RATE, one.token)))
    answers = [json.loads(load.communicate()[0]) for _, load in loads]
    sent = {number: moment for answer in answers for number, moment in answer["sent"].items()}
    times = stage.arrivals_of(sent, patience=20.0)
    way = [times[number] - moment for number, moment in sent.items() if number in times]
    took = [seconds for answer in answers for seconds in answer["took"]]
    return Stretch(percentile(took, 0.99), percentile(way, 0.5), percentile(way, 0.99), len(sent) - len(way))


def middle(stretches: Sequence[Stretch]) -> Stretch:
    return Stretch(
        statistics.median(one.accept_p99 for one in stretches),
        statistics.median(one.way_p50 for one in stretches),
        statistics.median(one.way_p99 for one in stretches),
        sum(one.missing for one in stretches),
    )


HEAD = f"{'':72}{'quiet p99':>10}{'noisy p99':>10}{'ratio':>8}{'p50s':>14}"
TABLE = "| others, while | quiet p99 | noisy p99 | ratio |\n|---|---:|---:|---:|"


def line(one: Comparison) -> str:
    times = f"{one.quiet.way_p99:10.1f}{one.noisy.way_p99:10.1f}{one.ratio:7.2f}x"
    halves = f"{one.quiet.way_p50:7.1f}{one.noisy.way_p50:7.1f}"
    missing = f" {one.noisy.missing} missing" if one.noisy.missing else ""
    return f"{one.what:72}{times}{halves}  {'' if one.fair else 'UNFAIR'}{missing}"


def row(one: Comparison) -> str:
    return f"| {one.what} | {one.quiet.way_p99:.1f} ms | {one.noisy.way_p99:.1f} ms | {one.ratio:.2f} |"


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000 if ordered else float("nan")
