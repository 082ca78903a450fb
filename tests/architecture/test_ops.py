"""What is there to watch an installation with loads as it is, and asks only for what a node shows."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.architecture.watched import Shown, shown

from tidings.node import metrics

ROOT = Path(__file__).parents[2]
OPS = ROOT / "ops"
RULES, STORIES = OPS / "prometheus" / "tidings.rules.yml", OPS / "prometheus" / "tidings.rules.test.yml"
DASHBOARD: dict[str, Any] = json.loads((OPS / "grafana" / "tidings.json").read_text())
THERE = shown(metrics.REGISTRY) | {"up": Shown("gauge", frozenset())}
EVERYWHERE = {"job", "instance"}
promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (Debian: prometheus)")


def run(*command: str, **more: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["promtool", *command], capture_output=True, text=True, timeout=60, **more)


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries() -> Iterator[tuple[str, str]]:
    """Expressions of the dashboard, with how their lines are called."""
    for panel in panels():
        for target in panel["targets"]:
            yield target["expr"], target["legendFormat"]


def alerts() -> dict[str, str]:
    """By name, what each is on."""
    found = re.findall(r"- alert: (\w+)\n +expr: (.*?)\n +(?:for|labels):", RULES.read_text(), re.DOTALL)
    assert len(found) == RULES.read_text().count("- alert:")
    return dict(found)


def complaints(expression: str) -> list[str]:
    """Names of metrics and labels that no node shows."""
    wrong, labels = [], set(EVERYWHERE)
    for name, selector in re.findall(r"\b((?:tidings|process)_\w+|up\b)(?:\{(.*?)\})?", expression):
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        shown = THERE.get(name) or THERE.get(base)
        if shown is None or (base != name and name not in THERE and shown.kind != "histogram"):
            wrong.append(name)
            continue
        if name in THERE and shown.kind == "histogram":
            wrong.append(f"{name} is a histogram")
        own = shown.labels | EVERYWHERE | ({"le"} if name.endswith("_bucket") else set())
        wrong += [f"{name}{{{each}}}" for each in re.findall(r'(\w+)(?:=~|!~|!=|=)"', selector) if each not in own]
        labels |= own
    for group in re.findall(r"\bby \((.*?)\)", expression):
        wrong += [f"by {each}" for each in group.split(", ") if each not in labels]
    return wrong


def test_a_name_that_no_node_shows_is_found() -> None:
    assert complaints('rate(tidings_events_total{result="x", job="y"}[5m])') == []
    assert complaints("tidings_events") == ["tidings_events"]
    assert complaints("rate(tidings_events_total_bucket[5m])") == ["tidings_events_total_bucket"]
    assert complaints("rate(tidings_accept_seconds[5m])") == ["tidings_accept_seconds is a histogram"]
    assert complaints("sum by (le, part) (tidings_accept_seconds_bucket)") == ["by part"]
    assert complaints('tidings_events_total{tenant="x"}') == ["tidings_events_total{tenant}"]


def test_alerts_and_dashboard_ask_only_for_what_a_node_shows() -> None:
    asked = [*alerts().values(), *(expression for expression, _ in queries())]
    assert len(asked) > 40
    assert {each: wrong for each in asked if (wrong := complaints(each))} == {}
    for path in (RULES, STORIES, OPS / "grafana" / "tidings.json", *(ROOT / "docs").rglob("*.md")):
        named = set(
            re.findall(
                r"\btidings_[a-z_]+_(?:total|seconds|events|ratio|open|up|pending|delivering|waiting)\b",
                path.read_text(),
            )
        )
        assert {name for name in named if name not in THERE} == set(), path


def test_lines_are_called_by_labels_that_they_have() -> None:
    for expression, legend in queries():
        grouped = re.search(r"\bby \((.*?)\)", expression)
        have = set(grouped.group(1).split(", ")) if grouped else EVERYWHERE
        assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= have, (expression, legend)


def test_every_metric_of_the_flow_is_on_the_dashboard() -> None:
    asked = " ".join(expression for expression, _ in queries())
    missing = {name for name, each in THERE.items() if name.startswith("tidings_") and name not in asked}
    assert missing == {"tidings_build_info"}  # what the choice of nodes is made of


def test_every_panel_says_what_it_shows_asks_the_chosen_source_and_has_a_place_of_its_own() -> None:
    source = {"type": "prometheus", "uid": "${datasource}"}
    taken: set[tuple[int, int]] = set()
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
    for panel in panels():
        assert panel["datasource"] == source and panel["description"] and panel["fieldConfig"]["defaults"]["unit"]
        assert all(target["datasource"] == source for target in panel["targets"])
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    variables = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD))) - {"__rate_interval", "__all"}
    assert used == set(variables)


@promtool
def test_promtool_reads_every_query_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"q:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, (expression, _) in enumerate(queries())
    ]
    file = tmp_path / "queries.json"  # which is YAML too
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    said = run("check", "rules", str(file))
    assert said.returncode == 0, said.stderr
    assert f"{len(rules)} rules found" in said.stdout


@promtool
def test_the_scrape_configuration_and_the_rules_load_as_they_are() -> None:
    said = run("check", "config", str(OPS / "prometheus" / "prometheus.yml"))
    assert said.returncode == 0, said.stderr
    assert "SUCCESS: 1 rule files found" in said.stdout
    said = run("check", "rules", "--lint=all", "--lint-fatal", str(RULES))
    assert said.returncode == 0, said.stderr


@promtool
def test_every_alert_fires_when_it_should_and_not_before() -> None:
    said = run("test", "rules", str(STORIES))
    assert said.returncode == 0, said.stdout + said.stderr
    told = STORIES.read_text()
    assert [name for name in alerts() if f'alertname="{name}"' not in told and f"alertname: {name}" not in told] == []


def test_every_alert_says_how_urgent_it_is_and_what_to_do() -> None:
    for block in RULES.read_text().split("- alert: ")[1:]:
        for needed in (r"severity: (critical|warning)\n", r"summary: \S", r"description: \S.{40}"):
            assert re.search(needed, block), block
