"""`make bench ARGS=--growth`: what stays the same when an organisation is large and old. The directory of 10,000 people
and 100,000 databases; 10 million past deliveries; one event to 10,000 people; several workers. Everything beside the
same on a small and young one, in one run on one machine."""

import asyncio
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import msgspec
import psutil
import psycopg

from bench import hot
from bench.load import event
from bench.past import Past, directory, fill, large_rule
from bench.stage import Stage, on_stage
from bench.whole_way import Run, percentile
from tidings.delivery import retention
from tidings.directory.load import load_directory
from tidings.events.event import read_event
from tidings.kernel.clock import now
from tidings.kernel.database import connect
from tidings.kernel.ids import last_of
from tidings.planning.facts import plan_event
from tidings.planning.views import Views

PAST, DAYS, PEOPLE, INSTANCES, DATABASES, ADDED = 10_000_000, 90, 10_000, 1_000, 100_000, 500
TO_MANY = f"to {ADDED} additional users, of whom the small one has none"
WARM, SINGLES, BATCHES, STEADY, RATE, ASKED = 2_000, 10_000, 40_000, 4_000, 200, 50
EVERYBODY = "data_change.failed"
"""The event type whose rule comes to tell everybody."""


@dataclass(slots=True)
class Report:
    """Rows of (what, small or young, large or old, unit); and what else is to be said."""

    rows: list[tuple[str, float, float, str]] = field(default_factory=list)
    plans: list[tuple[str, float, float, str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def as_markdown(self) -> str:
        head = ["| | small or young | large or old | ratio |", "|---|---:|---:|---:|"]
        body = [
            f"| {what} | {_number(a)} {unit} | {_number(b)} {unit} | {b / a:.2f} |" for what, a, b, unit in self.rows
        ]
        plans = ["", "| statement | young | old | by index |", "|---|---:|---:|---|"]
        plans += [f"| {what} | {a:.2f} ms | {b:.2f} ms | {by} |" for what, a, b, by in self.plans]
        return "\n".join([*head, *body, *plans, "", *(f"* {each}" for each in self.lines)])


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def run(past: int = PAST) -> int:
    report = Report()
    try:
        measure(past, report)
    finally:
        # Half an hour's work is not thrown away for what may go wrong at its end.
        print(report.as_markdown())
    return 0


def section() -> str:
    """For docs/performance.md."""
    report = Report()
    measure(PAST, report)
    return report.as_markdown()


def measure(past: int, report: Report) -> None:
    with on_stage() as stage:
        Run(stage, WARM, connections=32, batch=1)
        young = Seen.of(stage)
        say("young: measured")
        report.lines += filled(stage, past)
        Run(stage, WARM, connections=32, batch=1)
        old = Seen.of(stage)
        report.rows += young.beside(old)
        report.plans += young.plans_beside(old)
        say("old: measured")
        report.lines += ledger_beside(stage)
        report.lines += retention_slices(stage)
        report.rows += planning(stage)
        report.lines += reload_beside(stage)
        report.lines += fan_out(stage)
    report.lines += workers()


def say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)


# an old database


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at how fast things are."""

    singles: Run
    batches: Run
    steady: Run
    wal: Mapping[str, float]
    pages: Mapping[str, float]
    statements: Mapping[str, tuple[float, str]]

    @classmethod
    def of(cls, stage: Stage) -> "Seen":
        began = stage.wal_bytes()
        singles = Run(stage, SINGLES, connections=32, batch=1)
        between = stage.wal_bytes()
        batches = Run(stage, BATCHES, connections=4, batch=500)
        ended = stage.wal_bytes()
        return cls(
            singles,
            batches,
            Run(stage, STEADY, connections=32, batch=1, rate=RATE),
            {"single posts": (between - began) / SINGLES, "batches of 500": (ended - between) / BATCHES},
            {path: cost_of(stage, path) for path in ASK},
            asyncio.run(hot.statements(stage.database_url)),
        )

    def beside(self, old: "Seen") -> Iterator[tuple[str, float, float, str]]:
        for name, a, b in (
            ("single posts", self.singles, old.singles),
            ("batches of 500", self.batches, old.batches),
        ):
            yield f"{name}, events a second", a.rate, b.rate, ""
            for part in ("node", "postgres"):
                yield f"{name}, processor time of the {part}", a.cpu[part], b.cpu[part], "us"
        for name, written in self.wal.items():
            yield f"{name}, WAL an event", written, old.wal[name], "bytes"
        yield f"{RATE} events/s: accept p99", self.steady.accept_p99, old.steady.accept_p99, "ms"
        yield f"{RATE} events/s: accept to vendor p99", self.steady.way_p99, old.steady.way_p99, "ms"
        for path in ASK:
            yield f"`GET {path}`, processor time", self.pages[path], old.pages[path], "ms"

    def plans_beside(self, old: "Seen") -> Iterator[tuple[str, float, float, str]]:
        for name, (took, indexes) in old.statements.items():
            yield name, self.statements[name][0], took, indexes


ASK = (
    "/events?limit=50",
    "/events?type=data_change.approved&limit=50",
    "/subjects?limit=50",
    "/deliveries?limit=50",
    "/deliveries?state=failed&limit=50",
    "/deliveries/summary",
    "/me/inbox?limit=50",
)


def cost_of(stage: Stage, path: str) -> float:
    """Milliseconds of processor time, of node and PostgreSQL together."""
    stage.call("GET", path)
    before = stage.cpu_seconds()
    for _ in range(ASKED):
        stage.call("GET", path)
    after = stage.cpu_seconds()
    return sum(after[each] - before[each] for each in ("node", "postgres")) / ASKED * 1000


def filled(stage: Stage, past: int) -> list[str]:
    empty, before = stage.database_bytes(), stage.cpu_seconds()["postgres"]
    took = fill(stage.database_url, Past.until_now(past, PEOPLE, DAYS))
    cpu, size = stage.cpu_seconds()["postgres"] - before, stage.database_bytes() - empty
    say(f"made in {took:.0f} s")
    return [
        f"{past:,} events and as many deliveries of {DAYS} days were made in {took:,.0f} s, {cpu:,.0f} s of"
        f" PostgreSQL's processor time: {size / 1e9:.1f} GB, {size / past:,.0f} bytes an event with its part of a"
        " subject, its recipient, its delivery, all indexes, and the content of the last seven days."
    ]


def beside(stage: Stage, act: Callable[[], None], seconds: float) -> str:
    """How soon a steady load is accepted for so many seconds, in which `act` happens."""
    count = int(RATE * seconds)
    loading = stage.loading(stage.next_number(count), count, 32, 1, RATE)
    time.sleep(1.0)
    act()
    answer = json.loads(loading.communicate()[0])
    stage.arrivals(count)
    took = answer["took"]
    shares = f"p50 {percentile(took, 0.5):.0f}, p99 {percentile(took, 0.99):.0f}, at most {max(took) * 1000:.0f} ms"
    return f"{shares}{', some REFUSED' if answer['failed'] else ''}"


def quiet(stage: Stage) -> str:
    Run(stage, WARM, connections=32, batch=1)
    return beside(stage, lambda: None, 10)


def ledger_beside(stage: Stage) -> list[str]:
    without, before, began = quiet(stage), stage.cpu_seconds()["postgres"], time.monotonic()
    read = stage.ledger()
    took, cpu = time.monotonic() - began, stage.cpu_seconds()["postgres"] - before
    again: list[float] = []

    def act() -> None:
        began = time.monotonic()
        read.update(stage.ledger())
        again.append(time.monotonic() - began)

    accepted = beside(stage, act, max(took * 1.5, 10))
    say(f"ledger: read in {took:.0f} s")
    return [
        f"`tidings check --ledger` over {read['accepted']:,} events: {took:,.0f} s, {cpu:,.0f} s of PostgreSQL's"
        f" processor time; it {'DOES NOT ADD UP' if read['faults'] else 'adds up'}. {RATE} events/s while it was read"
        f" once more, in {again[0]:,.0f} s: accepted within {accepted} (without: {without})."
    ]


def retention_slices(stage: Stage) -> list[str]:
    async def delete() -> tuple[int, list[float]]:
        connection, took, gone = await connect(stage.database_url, name="growth"), list[float](), 0
        for _ in range(20):
            began = time.monotonic()
            gone += await retention.delete_records(connection, older_than=timedelta(days=DAYS - 1))
            took.append(time.monotonic() - began)
        await connection.close()
        return gone, took

    gone, took = asyncio.run(delete())
    half, longest = statistics.median(took) * 1000, max(took) * 1000
    return [
        f"Retention: {gone:,} events with all that belongs to them deleted in {len(took)} slices, half of them within"
        f" {half:.0f} ms, the longest {longest:.0f} ms: {gone / sum(took):,.0f} events/s."
    ]


# a large directory


def planning(stage: Stage) -> Iterator[tuple[str, float, float, str]]:
    """The past brought 10,000 people; the plan of a small organisation is that of another, with three."""
    stage.organisation("small")
    with psycopg.connect(stage.database_url, autocommit=True) as database:
        database.execute(directory(INSTANCES, DATABASES))
        database.execute(large_rule("data_change.rejected", ADDED))
        rows = database.execute("SELECT id FROM accounts_tenant ORDER BY name = 'small'").fetchall()
    large, small = asyncio.run(_planning(stage.database_url, [row[0] for row in rows]))
    say("planning: measured")
    for what, cost in small.items():
        yield f"planning: {what}", cost, large[what], "us"
    yield "planning: each of these users", small[TO_MANY], (large[TO_MANY] - small[TO_MANY]) / ADDED, "us"


async def _planning(url: str, tenants: Sequence[UUID]) -> list[dict[str, float]]:
    connection = await connect(url, name="growth")
    views = await Views().current(connection, tenants)
    await connection.close()
    kinds = {
        "to its submitter": ("data_change.successful", {}),
        "to the DBA and the owners of three databases": (
            "data_change.approved",
            {"resources": [{"instance": f"i{n}", "database": f"db{n}"} for n in (7, 70, 700)]},
        ),
        TO_MANY: ("data_change.rejected", {}),
    }
    costs: list[dict[str, float]] = []
    for tenant in tenants:
        costs.append({})
        for what, (kind, more) in kinds.items():
            content = msgspec.json.decode(event(1)) | {"type": kind} | more
            incoming = read_event(msgspec.json.encode(content), now=now(), source="bench")
            view, times = views[tenant], 200 if what == TO_MANY else 5_000
            best = float("inf")
            for _ in range(5):
                began = time.process_time()
                for _ in range(times):
                    plan_event(incoming.event, view)
                best = min(best, (time.process_time() - began) / times)
            costs[-1][what] = best * 1e6
    return costs


def reload_beside(stage: Stage) -> list[str]:
    """A change a second, and the same without."""

    def change() -> None:
        for number in range(1, 11):
            stage.call("PUT", f"/users/p{number}", {"name": "Changed", "email": f"p{number}@example.com"})
            time.sleep(0.7)

    without = quiet(stage)
    changing = beside(stage, change, 10)
    whole, one = asyncio.run(_loads(stage.database_url))
    say("reload: measured")
    return [
        f"The directory ({PEOPLE:,} people, {INSTANCES:,} instances, {DATABASES:,} databases) is read whole in"
        f" {whole[0] * 1000:,.0f} ms, {whole[1] * 1000:,.0f} ms of it the node's processor time, in bites; after a"
        f" change of one person in {one[0] * 1000:,.1f} ms ({one[1] * 1000:,.1f}). {RATE} events/s with a change every"
        f" 0.7 s: accepted within {changing} (without: {without})."
    ]


async def _loads(url: str) -> tuple[tuple[float, float], tuple[float, float]]:
    connection = await connect(url, name="growth")
    cursor = await connection.execute("SELECT id FROM accounts_tenant ORDER BY name = 'small' LIMIT 1")
    [[tenant]] = await cursor.fetchall()
    began, cpu = time.monotonic(), time.process_time()
    held = await load_directory(connection, tenant)
    whole = time.monotonic() - began, time.process_time() - cpu
    ones: list[tuple[float, float]] = []
    for _ in range(5):
        await connection.execute("UPDATE accounts_person SET name = name || '.' WHERE login = 'p7'")
        began, cpu = time.monotonic(), time.process_time()
        held = await load_directory(connection, tenant, held)
        ones.append((time.monotonic() - began, time.process_time() - cpu))
    await connection.close()
    return whole, min(ones)


# one event to everybody


def fan_out(stage: Stage) -> list[str]:
    with psycopg.connect(stage.database_url, autocommit=True) as database:
        database.execute(large_rule(EVERYBODY, PEOPLE))
    without = quiet(stage)
    content = msgspec.json.decode(event(stage.next_number(1))) | {"type": EVERYBODY}
    memory, took = [stage.memory()["node"]], list[float]()

    def act() -> None:
        began = time.monotonic()
        key = UUID(stage.call("POST", "/events", content, stage.token)["id"])
        took.append(time.monotonic() - began)
        with psycopg.connect(stage.database_url, autocommit=True) as database:
            while database.execute(_OPEN, (key, last_of(key))).fetchone() != (0,):
                memory.append(stage.memory()["node"])
                time.sleep(0.2)
        took.append(time.monotonic() - began)

    with_it = beside(stage, act, 25)
    say("fan-out: measured")
    return [
        f"One event to {PEOPLE:,} people: accepted within {took[0]:.2f} s, all sent after {took[1]:.1f} s; the node"
        f" grew from {memory[0]:.0f} to {max(memory):.0f} MB (PSS). {RATE} other events/s meanwhile: accepted within"
        f" {with_it} (before: {without})."
    ]


_OPEN = "SELECT count(*) FROM delivery_delivery WHERE id BETWEEN %s AND %s AND state IN ('pending', 'sending')"


# several workers


def workers() -> list[str]:
    found: list[str] = []
    for count in (1, 2, 4):
        with on_stage("web", *["worker"] * count) as stage:
            Run(stage, WARM, connections=32, batch=1)
            single = Run(stage, SINGLES, connections=32, batch=1)
            batch = Run(stage, BATCHES // 2, connections=4, batch=500)
            memory = stage.memory()["node"]
        found.append(f"with {count}, {single.rate:,.0f} and {batch.rate:,.0f} in {memory:,.0f} MB")
        say(f"workers: {found[-1]}")
    return [
        f"One `tidings web` and workers beside it, events/s to their webhooks in single posts and in batches:"
        f" {'; '.join(found)} (PSS of these processes). Web, workers, PostgreSQL, load and receiver share"
        f" {psutil.cpu_count()} cores: here, more workers divide the cores and add none."
    ]
