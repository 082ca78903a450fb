"""`make bench ARGS=--peers`: Tidings beside Prometheus Alertmanager and Celery with Redis.

From an event to its delivered webhook on the same machine, with the same receiver and the same load generator, which
speaks to each in its own way (to Celery it writes finished tasks into Redis, so that its client costs nothing). They
take turns, round after round; a value is the median of the rounds, with the least and the greatest. What each does with
an event is not the same: Alertmanager groups alerts in memory, Celery runs a task, Tidings decides who is told, keeps
everything with fsync, signs and records.
"""

import json
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psutil

from bench.fairness import percentile
from bench.stage import Stage, folder, free_port

ROUNDS = 3
SINGLES, BATCHES, KILLED = 6_000, 12_000, 5_000
CELERY = "celery[redis]>=5.5,<6"
TWO_NODES = "Tidings, two nodes"
"""Of one installation, half of the connections each, as behind a load balancer: Go uses both processors by itself."""
QUIET = 25.0
"""Seconds without an arrival after which what has not come is lost: a node of Tidings that is killed is believed dead
after 20."""
UV = Path(sys.executable).parent / "uv"


class Peer(Protocol):
    name: str
    shape: str
    """See `bench/load.py`."""
    share: float
    """Of the events: what is slower gets fewer."""
    url: str
    token: str

    def start(self, place: Path, receiver_port: int) -> None: ...
    def kill(self) -> None:
        """All of it, with SIGKILL."""

    def again(self) -> None:
        """After that."""

    def processes(self) -> dict[str, list[psutil.Process]]: ...


@dataclass
class Tidings:
    stage: Stage
    name: str = "Tidings"
    shape: str = "tidings"
    share: float = 1.0

    def __post_init__(self) -> None:
        self.url, self.token = ",".join(self.stage.urls), self.stage.token

    def start(self, place: Path, receiver_port: int) -> None:
        """It is on its stage."""

    def kill(self) -> None:
        self.stage.kill()

    def again(self) -> None:
        self.stage.again()

    def processes(self) -> dict[str, list[psutil.Process]]:
        return self.stage.processes()


@dataclass
class Alertmanager:
    name: str = "Alertmanager"
    shape: str = "alertmanager"
    share: float = 1.0
    token: str = "none"
    missing: str = "" if shutil.which("prometheus-alertmanager") else "apt-get install prometheus-alertmanager"

    def start(self, place: Path, receiver_port: int) -> None:
        self._port, self._place = free_port(), place / "alertmanager"
        self._place.mkdir()
        self.url = f"http://127.0.0.1:{self._port}"
        (self._place / "config.yml").write_text(
            "route: {receiver: bench, group_by: ['...'], group_wait: 0s, group_interval: 5m}\n"
            "receivers: [{name: bench, webhook_configs: [{send_resolved: false, "
            f"url: 'http://127.0.0.1:{receiver_port}/alerts'}}]}}]\n"
        )
        self.again()

    def again(self) -> None:
        command = [
            "prometheus-alertmanager",
            f"--config.file={self._place / 'config.yml'}",
            f"--storage.path={self._place / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--cluster.listen-address=",
        ]
        with (self._place / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        await_port(self._port)

    def kill(self) -> None:
        kill([psutil.Process(self._process.pid)])

    def processes(self) -> dict[str, list[psutil.Process]]:
        return {"alertmanager": [psutil.Process(self._process.pid)]}


@dataclass
class CeleryRedis:
    """`appendfsync`: `always`, as PostgreSQL does it, or "" for Redis as it comes, which is now and then."""

    appendfsync: str
    shape: str = "celery"
    share: float = 0.4
    token: str = "none"
    missing: str = "" if shutil.which("redis-server") else "apt-get install redis-server"

    def __post_init__(self) -> None:
        self.name = f"Celery, Redis {f'appendfsync {self.appendfsync}' if self.appendfsync else 'as it comes'}"

    def start(self, place: Path, receiver_port: int) -> None:
        self._port, self._place, self._receiver = free_port(), place / f"redis-{self.appendfsync}", receiver_port
        self._place.mkdir()
        self.url = f"redis://127.0.0.1:{self._port}"
        self.again()

    def again(self) -> None:
        durable = ["--appendonly", "yes", "--appendfsync", self.appendfsync] if self.appendfsync else []
        command = [
            "redis-server",
            "--bind",
            "127.0.0.1",
            "--port",
            str(self._port),
            "--dir",
            str(self._place),
            *durable,
        ]
        environment = {
            "BENCH_BROKER": f"{self.url}/0",
            "BENCH_WEBHOOK": f"http://127.0.0.1:{self._receiver}/hook",
            **clean_environment(),
        }
        worker = [
            *(str(UV), "run", "--quiet", "--no-project", "--with", CELERY, "python", "-m", "celery"),
            *("-A", "bench.celery_task", "worker", "--pool", "threads", "--concurrency", "32", "--loglevel", "WARNING"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ]
        with (self._place / "log").open("ab") as log:
            self._redis = subprocess.Popen(command, stdout=log, stderr=log)
            await_port(self._port)
            self._worker = subprocess.Popen(
                worker, stdout=log, stderr=log, env=environment, cwd=Path(__file__).parents[1]
            )

    def kill(self) -> None:
        kill([each for group in self.processes().values() for each in group])

    def processes(self) -> dict[str, list[psutil.Process]]:
        worker = psutil.Process(self._worker.pid)
        return {
            "redis": [psutil.Process(self._redis.pid)],
            "worker": [each for each in [worker, *worker.children(recursive=True)] if "uv" not in each.name()],
        }


@dataclass
class Measured:
    """Of one peer and one load, a value a round."""

    rate: list[float] = field(default_factory=list)
    accept_p50: list[float] = field(default_factory=list)
    accept_p99: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    """Microseconds an event."""
    missing: int = 0


@dataclass
class Found:
    singles: Measured = field(default_factory=Measured)
    batches: Measured = field(default_factory=Measured)
    memory: dict[str, float] = field(default_factory=dict)
    accepted: int = 0
    lost: int = 0


def run() -> int:
    """The exit status: 0 when every ratio is above its floor and Tidings lost nothing."""
    found, missing = compare(lambda text: print(text, flush=True))
    print("\n".join(["", *table(found), "", *missing]))
    return 0 if found["Tidings"].lost == 0 and all(ratio >= floor for _, ratio, floor, _ in ratios(found)) else 1


def section() -> str:
    """For docs/performance.md."""
    found, missing = compare(lambda _: None)
    about = (__doc__ or "").partition("\n\n")[2].strip()
    return "\n".join([about, "", *table(found), *missing])


def compare(say: Callable[[str], None]) -> tuple[dict[str, Found], list[str]]:
    """What was found of each that is there; and what is not, with the way to get it."""
    known: list[Alertmanager | CeleryRedis] = [Alertmanager(), CeleryRedis("always"), CeleryRedis("")]
    missing = [f"* {one.name} was not measured: `{one.missing}` brings it." for one in known if one.missing]
    with ExitStack() as stack:
        place = stack.enter_context(folder())
        often = {"TIDINGS_RETRY_SCHEDULE": ",".join(["1"] * 60)}
        stage = stack.enter_context(Stage(place, environment=often))
        two = Stage(stack.enter_context(folder()), "serve", "serve", environment=often, beside=stage)
        peers: list[Peer] = [Tidings(stage), Tidings(stack.enter_context(two), TWO_NODES)]
        for one in known:
            if not one.missing:
                one.start(place, stage.receiver_port)
                stack.callback(one.kill)
                peers.append(one)
        found = {one.name: Found() for one in peers}
        for peer in peers:
            measure(stage, peer, 500, 1, Measured(), patience=120.0)  # the worker has to come up
        for number in range(ROUNDS):
            for peer in peers:
                measure(stage, peer, SINGLES, 1, found[peer.name].singles)
                measure(stage, peer, BATCHES, 500, found[peer.name].batches)
            say(f"round {number + 1} of {ROUNDS}")
        for peer in peers:
            found[peer.name].memory = memory(peer)
        for peer in peers:
            kill_and_restart(stage, peer, found[peer.name])
            say(f"{peer.name}: killed, {found[peer.name].lost:,} of {found[peer.name].accepted:,} lost")
    return found, missing


def measure(stage: Stage, one: Peer, events: int, batch: int, into: Measured, patience: float = 60.0) -> None:
    events = max(int(events * one.share) // batch, 1) * batch
    first, before = stage.next_number(events), cpu(one)
    answer = json.loads(load(one, first, events, batch).communicate()[0])
    times = stage.arrivals_of(set(answer["sent"]), patience=patience)
    into.missing += events - len(times) + answer["failed"]
    if times:
        into.rate.append(len(times) / (max(times.values()) - answer["began"]))
    into.accept_p50.append(percentile(answer["took"], 0.5))
    into.accept_p99.append(percentile(answer["took"], 0.99))
    into.cpu.append((cpu(one) - before) / events * 1e6)


def kill_and_restart(stage: Stage, one: Peer, into: Found) -> None:
    """What is accepted while the receiver is away, then SIGKILL for all of it at once, and a new start."""
    events = int(KILLED * one.share)
    with stage.receiver_away():
        answer = json.loads(load(one, stage.next_number(events), events, 500).communicate()[0])
        accepted = {str(number) for start, stop in answer["accepted"] for number in range(start, stop)}
        time.sleep(1)
        one.kill()
    one.again()
    times = stage.arrivals_of(accepted, patience=QUIET + 60, quiet=QUIET)
    into.accepted, into.lost = len(accepted), len(accepted) - len(times)


def load(one: Peer, first: int, events: int, batch: int) -> "subprocess.Popen[bytes]":
    values = map(str, (first, events, 32 if batch == 1 else 4, batch, 0.0))
    command = [sys.executable, "-m", "bench.load", one.url, one.token, *values, one.shape]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def cpu(one: Peer) -> float:
    times = [each.cpu_times() for group in one.processes().values() for each in group]
    return sum(each.user + each.system for each in times)


def memory(one: Peer) -> dict[str, float]:
    """PSS in MB."""
    return {name: sum(each.memory_full_info().pss for each in group) / 1e6 for name, group in one.processes().items()}


# what is said of it


def ratios(found: dict[str, Found]) -> Iterator[tuple[str, float, float, float]]:
    """(what, ratio, floor, aim) of Tidings to Alertmanager; more is better."""
    if "Alertmanager" not in found:
        return
    ours, theirs = found["Tidings"], found["Alertmanager"]
    middle = statistics.median
    for name in ("Tidings", TWO_NODES):
        rates, nodes = found[name], "" if name == "Tidings" else " of two nodes"
        yield f"rate{nodes}, single posts", middle(rates.singles.rate) / middle(theirs.singles.rate), 0.5, 1.0
        yield f"rate{nodes}, batches of 500", middle(rates.batches.rate) / middle(theirs.batches.rate), 0.8, 2.0
    yield "Alertmanager's memory to the node's", theirs.memory["alertmanager"] / ours.memory["node"], 5.0, 5.0
    theirs_p99 = middle(theirs.singles.accept_p99)
    yield "Alertmanager's accept p99 to ours", theirs_p99 / middle(ours.singles.accept_p99), 1.0, 1.0


def table(found: dict[str, Found]) -> list[str]:
    def line(what: str, cell: Callable[[Found], str]) -> str:
        return f"| {what} | {' | '.join(cell(one) for one in found.values())} |"

    return [
        f"| | {' | '.join(found)} |",
        f"|---|{'---:|' * len(found)}",
        line("single posts, 32 connections: events/s", lambda one: spread(one.singles.rate)),
        line("accept p50, ms", lambda one: spread(one.singles.accept_p50, 1)),
        line("accept p99, ms", lambda one: spread(one.singles.accept_p99, 1)),
        line("processor time an event, µs", lambda one: spread(one.singles.cpu)),
        line("batches of 500, 4 connections: events/s", lambda one: spread(one.batches.rate)),
        line("accept p99 of a batch, ms", lambda one: spread(one.batches.accept_p99, 1)),
        line("processor time an event, µs", lambda one: spread(one.batches.cpu)),
        line("memory (PSS), MB", lambda one: memory_line(one.memory)),
        line("lost in all this", lambda one: f"{one.singles.missing + one.batches.missing:,}"),
        line("accepted while the receiver is away, then killed: lost", lambda one: f"{one.lost:,} of {one.accepted:,}"),
        "",
        *(
            f"* {what}: {ratio:.2f} (floor {floor:g}, aim {aim:g}){'' if ratio >= floor else ' **BELOW**'}"
            for what, ratio, floor, aim in ratios(found)
        ),
    ]


def spread(values: Sequence[float], digits: int = 0) -> str:
    if not values:
        return "nothing"
    low, high = min(values), max(values)
    return f"**{statistics.median(values):,.{digits}f}** ({low:,.{digits}f}-{high:,.{digits}f})"


def memory_line(memory: dict[str, float]) -> str:
    parts = " + ".join(f"{name} {value:,.0f}" for name, value in memory.items())
    return f"{parts} = {sum(memory.values()):,.0f}" if len(memory) > 1 else f"{sum(memory.values()):,.0f}"


# processes


def kill(processes: Sequence[psutil.Process]) -> None:
    for each in processes:
        try:
            each.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(processes, timeout=10)


def await_port(port: int) -> None:
    for _ in range(300):
        with socket.socket() as door:
            if door.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"nothing listens on port {port}")


def clean_environment() -> dict[str, Any]:
    """Without what belongs to this project's own environment."""
    import os

    return {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
