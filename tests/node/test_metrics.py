"""The metrics are what the page says, and what Prometheus wants of names and types."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.exposition import generate_latest
from tests.architecture.watched import Shown, shown

from tidings.channels.contract import Budget
from tidings.delivery.budget import slice_of
from tidings.node import budgets_seen, metrics
from tidings.node.budgets_seen import BudgetsSeen
from tidings.node.times import Times

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def documented() -> Iterator[tuple[str, Shown]]:
    for line in PAGE.read_text().splitlines():
        if row := re.fullmatch(r"\| `(\w+)` \| (\w+) \|(.*?)\|.*\|", line):
            name, kind, labels = row.groups()
            yield name, Shown(kind, frozenset(re.findall(r"`(\w+)`", labels)))


def test_every_metric_is_documented_and_every_documented_one_exists() -> None:
    rows = list(documented())
    assert len(rows) == len(dict(rows)) > 30
    assert dict(rows) == shown(metrics.REGISTRY)


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (Debian: prometheus)")
def test_promtool_has_nothing_to_say_about_names_and_texts() -> None:
    for each in shown(metrics.REGISTRY):
        assert not re.search("tenant|person|login|address", each)
    said = subprocess.run(
        ["promtool", "check", "metrics"], input=generate_latest(metrics.REGISTRY), capture_output=True, timeout=30
    )
    assert (said.returncode, said.stdout, said.stderr) == (0, b"", b"")


def test_times_say_what_a_histogram_of_the_client_says() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    times = Times("some_seconds", "Some.", "kind", bounds=(0.1, 1, 10), registry=ours)
    peer = Histogram("some_seconds", "Some.", ["kind"], buckets=(0.1, 1, 10), registry=theirs)
    for value in (0.1, 0.05, 0.1000001, 1, 10, 11, 3.5, 0):
        for kind in ("a", "b") if value > 1 else ("a",):
            times.observe(value, kind)
            peer.labels(kind).observe(value)
        times.fold()
    assert [line for line in generate_latest(ours).splitlines() if b"_sum" not in line] == [
        line for line in generate_latest(theirs).splitlines() if b"_sum" not in line
    ]
    for kind in ("a", "b"):
        sums = [each.get_sample_value("some_seconds_sum", {"kind": kind}) for each in (ours, theirs)]
        assert sums[0] == pytest.approx(sums[1])


def test_times_that_nobody_looks_at_are_kept_as_counts() -> None:
    times = Times("some_seconds", "Some.", registry=CollectorRegistry())
    for _ in range(100):
        times.observe_all([0.2] * 1_000)
        times.fold()
    assert times._fresh == {}
    [family] = times.collect()
    assert [one.value for one in family.samples if one.name == "some_seconds_count"] == [100_000]


def test_an_account_s_budget_shows_by_its_key_and_those_of_addresses_only_by_the_fullest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(budgets_seen, "SHOWN", 2)
    registry = CollectorRegistry()
    seen = BudgetsSeen("used_ratio", "Used.", registry=registry)
    accounts = [Budget(f"app:{number}", 100, timedelta(minutes=1), "rate", of="account") for number in range(3)]
    people = [Budget(f"person:{number}", 10, timedelta(minutes=1), "daily") for number in range(3)]
    end = slice_of(accounts[0], time.time())
    uses = {f"app:{number}": {end: 10 * number} for number in range(3)}
    seen.saw([[*accounts, *people]], uses | {"person:1": {end: 7}, "person:2": {end - 3600: 10}})
    [family] = seen.collect()
    assert [(one.labels["budget"], one.labels["account"], round(one.value, 9)) for one in family.samples] == [
        ("rate", "app:2", 0.2),
        ("rate", "app:1", 0.1),
        ("daily", "", 0.7),
    ]


def test_only_so_many_budgets_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets_seen, "REMEMBERED", 5)
    seen = BudgetsSeen("used_ratio", "Used.", registry=CollectorRegistry())
    for number in range(50):
        seen.saw([[Budget(f"key:{number}", 10, timedelta(minutes=1), "rate", of="account")]], {})
    assert len(seen._seen) == 5
