"""Events over HTTP to delivered webhooks, beside the floors and aims this project holds itself to: `make bench`.

Load generator, receiver, node and PostgreSQL share this machine, so read the ratios, and the line that says how fast
the machine was: its own speed changes from minute to minute where it is shared.
"""

import json
import sys
import threading
import time
from typing import Any

from standardwebhooks.webhooks import Webhook

from bench.stage import Stage, calls_while, on_stage

EVENTS = 20_000
"""A load."""
REQUIRED_ON = ("fsync", "synchronous_commit", "full_page_writes")


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000 if ordered else float("nan")


class Run:
    """One load, from the first post to the last delivery."""

    def __init__(self, stage: Stage, events: int, *, connections: int, batch: int, rate: float = 0.0) -> None:
        first = stage.next_number(events)
        began_cpu = stage.cpu_seconds()
        answer = stage.load(first, events, connections, batch, rate)
        sent = {int(number): moment for number, moment in answer["sent"].items()}
        arrivals = stage.arrivals(events)
        cpu = stage.cpu_seconds()
        arrived = {int(number): times for number, times in arrivals["times"].items() if int(number) in sent}
        last = max(times[0] for times in arrived.values())
        self.rate = events / (last - answer["began"])
        self.accept_p50, self.accept_p99 = percentile(answer["took"], 0.5), percentile(answer["took"], 0.99)
        way = [arrived[number][0] - moment for number, moment in sent.items() if number in arrived]
        self.way_p50, self.way_p99 = percentile(way, 0.5), percentile(way, 0.99)
        self.failed, self.lost = answer["failed"], events - len(arrived)
        self.repeated = sum(len(times) - 1 for times in arrived.values())
        self.cpu = {name: (cpu[name] - began_cpu[name]) / events * 1e6 for name in cpu}
        self.samples = arrivals["samples"]


def run(events: int, *, as_json: bool = False) -> int:
    """The exit status: 0 when nothing was lost and the ledger adds up."""
    report = staged(events)
    print(json.dumps(report, indent=1) if as_json else table(report))
    return 0 if report["ledger"]["faults"] == [] and not report["lost"] else 1


def staged(events: int) -> dict[str, Any]:
    with on_stage() as stage:
        off = [name for name, value in stage.database_settings(REQUIRED_ON).items() if value != "on"]
        if off:
            sys.exit(f"Not measured: {', '.join(off)} must be on, or nothing of this is durable.")
        report = measure(stage, events)
        report["ledger"] = stage.ledger()
    return report


def section() -> str:
    """For docs/performance.md."""
    report = staged(EVENTS)
    lines = ["| | measured | floor | aim |", "|---|---:|---:|---:|"]
    lines += [
        f"| {what.strip()} | {measured:,.1f} | {floor:,} | {aim:,} |" for what, measured, floor, aim in report["rows"]
    ]
    return "\n".join([*lines, "", *(f"* {each}" for each in below(report))])


def measure(stage: Stage, events: int) -> dict[str, Any]:
    Run(stage, max(events // 5, 500), connections=32, batch=1)
    began = spin()
    single = Run(stage, events, connections=32, batch=1)
    batch = Run(stage, events * 2, connections=4, batch=500)
    steady = Run(stage, 3_000, connections=32, batch=1, rate=200)
    stop = threading.Event()
    pages = threading.Thread(target=calls_while, args=(stage, stop, 5.0), daemon=True)
    pages.start()
    beside = Run(stage, events, connections=32, batch=1)
    stop.set()
    pages.join()
    verify(stage.webhook_secret, single.samples)
    memory = stage.memory()
    runs = {"single": single, "batch": batch, "steady": steady, "beside pages": beside}
    return {
        "spin": (began + spin()) / 2,
        "runs": {name: {**vars(run), "samples": len(run.samples)} for name, run in runs.items()},
        "memory": memory,
        "lost": sum(run.lost + run.failed for run in runs.values()),
        "repeated": sum(run.repeated for run in runs.values()),
        "rows": rows(single, batch, steady, beside, memory),
    }


def rows(
    single: Run, batch: Run, steady: Run, beside: Run, memory: dict[str, float]
) -> list[tuple[str, float, float, float]]:
    """(what, measured, floor, aim); for times and memory less is better."""
    return [
        ("single posts, events/s", single.rate, 3_000, 4_500),
        ("  accept p99, ms", single.accept_p99, 50, 25),
        ("batches of 500, events/s", batch.rate, 5_000, 9_000),
        ("200 events/s, accept to vendor p50, ms", steady.way_p50, 15, 8),
        ("200 events/s, accept to vendor p99, ms", steady.way_p99, 100, 40),
        ("node's memory (PSS), MB", memory["node"], 200, 140),
        ("single posts beside 5 pages/s, share of rate", beside.rate / single.rate, 0.7, 1.0),
        ("  accept p99, ms", beside.accept_p99, 50, 25),
    ]


def verify(secret: str, samples: list[list[str]]) -> None:
    """What arrived is signed as Standard Webhooks says; raises otherwise."""
    webhook = Webhook(secret)
    for head, body in samples:
        lines = [line.split(": ", 1) for line in head.split("\r\n")[1:]]
        webhook.verify(body, {name.lower(): value for name, value in lines})


def spin() -> float:
    """How fast this machine runs Python just now: milliseconds for a fixed loop, the best of three."""
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        total = 0
        for number in range(1_000_000):
            total += number
        best = min(best, time.perf_counter() - began)
    return best * 1000


def table(report: dict[str, Any]) -> str:
    lines = [f"{'':46} {'measured':>10} {'floor':>8} {'aim':>8}  ratio to floor"]
    for what, measured, floor, aim in report["rows"]:
        less_is_better = "ms" in what or "MB" in what
        ratio = floor / measured if less_is_better else measured / floor
        lines.append(
            f"{what:46} {measured:10,.1f} {floor:8,.1f} {aim:8,.1f}  {ratio:5.2f}x {'' if ratio >= 1 else 'BELOW'}"
        )
    return "\n".join([*lines, "", *below(report)])


def below(report: dict[str, Any]) -> list[str]:
    single = report["runs"]["single"]
    return [
        "CPU microseconds an event, single posts: "
        + ", ".join(f"{name} {value:,.0f}" for name, value in single["cpu"].items()),
        f"PostgreSQL's memory beside it (PSS): {report['memory']['postgres']:,.0f} MB",
        f"lost {report['lost']}, repeated {report['repeated']}; the ledger "
        + ("adds up" if not report["ledger"]["faults"] else "DOES NOT ADD UP"),
        f"machine: a million loop steps of Python took {report['spin']:,.0f} ms",
    ]
