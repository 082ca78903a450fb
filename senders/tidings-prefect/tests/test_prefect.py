"""A real Prefect server and real flows, beside a real Tidings."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

RUN, FAILED = "task_orchestration.tasks_run", "task_orchestration.tasks_failed"
WITHIN = 40.0
PAGE = Path(__file__).parents[3] / "docs" / "sources" / "prefect.md"


def on_the_page(language: str) -> str:
    """The block in this language, of which it has one."""
    [block] = re.findall(rf"^ *```{language}\n(.*?)^ *```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return str(block)


@pytest.fixture(scope="session")
def source(node: Any) -> tuple[str, str]:
    """Its name, and its token; it knows where Prefect's pages are."""
    node.person("ann", email="ann@example.com")
    node.person("bo", email="bo@example.com")
    name, token = node.source("prefect-prod")
    mapping = {"adapter": "prefect", "rows": [], "options": {"url": "https://prefect.example.com"}}
    node.call("PUT", f"/sources/{name}/mapping", mapping)
    return name, token


@pytest.fixture(scope="session")
def installed(node: Any, prefect: Any, source: tuple[str, str]) -> str:
    """By the command; the name of the source to which the automation sends."""
    said = prefect.install("--url", node.url, "--token", source[1])
    assert f"call {node.url}/api/v1/sources/prefect" in said
    return source[0]


@pytest.fixture
def told(node: Any, installed: str) -> Callable[[int], list[Any]]:
    """What has come since this test began, once there are so many, in the order of their times."""
    before = {each["id"] for each in node.events(installed, 0)}

    def since(count: int) -> list[Any]:
        events = node.events(installed, len(before) + count, within=WITHIN)
        found = [node.record(each["id"])["event"] for each in events if each["id"] not in before]
        assert len(found) == count
        return sorted(found, key=lambda event: str(event["time"]))

    return since


@pytest.fixture
def settings(node: Any, source: tuple[str, str], tmp_path: Path) -> dict[str, str]:
    return {"TIDINGS_URL": node.url, "TIDINGS_TOKEN": source[1], "TIDINGS_BUFFER": str(tmp_path / "buffer")}


# the automation


def test_what_becomes_of_a_run_is_told_once_with_its_owner_and_a_link(prefect: Any, told: Any) -> None:
    prefect.run("bad", "again", "crashing", "good")
    events = told(4)
    # The one that succeeded at its second try never failed.
    assert [(event["type"], event["subject"]["title"].partition(" ")[0]) for event in events] == [
        (FAILED, "bad"), (RUN, "again"), (FAILED, "crashing"), (RUN, "good"),
    ]  # fmt: skip
    assert [event["details"]["state"] for event in events] == ["Failed", "Completed", "Crashed", "Completed"]
    assert {event["people"]["submitter"] for event in events} == {"ann"}
    subject = events[0]["subject"]
    assert subject["url"] == f"https://prefect.example.com/runs/flow-run/{subject['id']}"
    # Quotes and line breaks have passed through the template, and the statement has been left behind.
    assert events[0]["details"]["error"] == 'Flow run encountered an exception: ValueError: no table "orders"'


def test_runs_of_deployments_are_called_by_them_and_have_their_owners(
    prefect: Any, node: Any, told: Any, settings: dict[str, str]
) -> None:
    with prefect.serving(**settings):
        served: dict[str, str] = {}
        ends = time.monotonic() + WITHIN
        while len(served) < 2 and time.monotonic() < ends:
            time.sleep(0.2)
            found = prefect.call("POST", "deployments/filter")
            served = {each["entrypoint"].rpartition(":")[2]: each["id"] for each in found}
        prefect.call("POST", f"deployments/{served['good']}/create_flow_run")
        told(1)
        # By the hook alone, from the process of that run.
        [automation] = prefect.call("POST", "automations/filter")
        prefect.call("PATCH", f"automations/{automation['id']}", {"enabled": False})
        try:
            prefect.call("POST", f"deployments/{served['hooked']}/create_flow_run")
            by_automation, by_hook = told(2)
        finally:
            prefect.call("PATCH", f"automations/{automation['id']}", {"enabled": True})
    assert by_automation["subject"]["title"].startswith("good/production (")
    # What a deployment is called is known to the server alone.
    assert by_hook["subject"]["title"].startswith("hooked (")
    for event in (by_automation, by_hook):
        assert event["people"]["submitter"] == {"email": "bo@example.com"}


def test_to_install_again_changes_what_is_there_and_leaves_off_what_is_off(
    prefect: Any, node: Any, source: tuple[str, str], installed: str
) -> None:
    from tidings_prefect.install import install

    [before] = prefect.call("POST", "automations/filter")
    by_hand = json.loads(on_the_page("text"))
    assert {name: before["trigger"][name] for name in by_hand} == by_hand
    assert before["actions"][0]["payload"] == on_the_page("jinja").strip()
    prefect.call("PATCH", f"automations/{before['id']}", {"enabled": False})
    assert str(install(node.url, source[1])) == before["id"]
    [after] = prefect.call("POST", "automations/filter")
    assert (after["enabled"], after["actions"]) == (False, before["actions"])
    prefect.call("PATCH", f"automations/{before['id']}", {"enabled": True})
    assert len(prefect.call("POST", "block_documents/filter")) == 1


def test_the_command_takes_what_the_page_of_a_source_shows(prefect: Any) -> None:
    from tidings_prefect.command import address

    shown = "https://tidings.example.com/api/v1/sources/prefect?token=tdg_x"
    assert address(shown, "") == ("https://tidings.example.com", "tdg_x")
    assert address(" https://example.com/tidings/ ", "tdg_y") == ("https://example.com/tidings", "tdg_y")
    for url, token in (("", "tdg_x"), ("https://tidings.example.com", "")):
        with pytest.raises(ValueError, match="--url and --token"):
            address(url, token)


def test_the_command_knows_whether_tidings_is_there_and_takes_the_token(
    prefect: Any, node: Any, source: tuple[str, str]
) -> None:
    from tidings_prefect.command import knock

    assert knock(node.url, source[1])
    assert not knock("http://127.0.0.1:1", source[1])
    with pytest.raises(ValueError, match="Tidings refuses"):
        knock(node.url, "tdg_wrong")
    assert node.call("GET", f"/sources/{source[0]}/parked")["items"] == []


# the hooks


def test_what_a_hook_and_the_automation_both_tell_is_told_once(
    prefect: Any, node: Any, source: tuple[str, str], told: Any, settings: dict[str, str], tmp_path: Path
) -> None:
    from tidings_client import Buffered, Client

    prefect.run("hooked", "hooked_and_failing", **settings)
    (tmp_path / "page.py").write_text(on_the_page("python"))
    prefect.run_file(tmp_path / "page.py", **settings)
    with Buffered(Client(node.url, source[1]), settings["TIDINGS_BUFFER"]) as buffer:
        assert (buffer.flush(WITHIN), buffer.refused()) == (0, [])
    assert [event["type"] for event in told(3)] == [RUN, FAILED, RUN]
    assert node.call("GET", f"/sources/{source[0]}/parked")["items"] == []


def test_what_happens_while_tidings_is_away_comes_by_the_hooks_when_it_is_back(
    prefect: Any, node: Any, told: Any, settings: dict[str, str]
) -> None:
    with node.away():
        prefect.run("hooked", "hooked_and_failing", **settings)
    # The next that runs there takes along what waits.
    prefect.run("hooked", **settings)
    events = told(3)
    assert [event["type"] for event in events] == [RUN, FAILED, RUN]
    assert events[1]["details"]["error"].endswith("ValueError: no such partition")
    assert events[1]["people"]["submitter"] == "ann"


def test_a_hook_returns_at_once_and_raises_nothing_wherever_tidings_is(
    prefect: Any, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from prefect.client.schemas.objects import FlowRun
    from prefect.states import Completed

    from tidings_prefect import notify
    from tidings_prefect.notify import _buffer

    run, state = FlowRun(flow_id=uuid4(), name="paper-cassowary"), Completed()
    flow: Any = type("Flow", (), {"name": "load-orders"})()
    notify(flow, run, state)
    assert "not told of the flow run paper-cassowary: TIDINGS_URL is not set" in caplog.text
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes calls and never answers
        for name, value in (settings | {"TIDINGS_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}).items():
            monkeypatch.setenv(name, value)
        began = time.monotonic()
        for _ in range(20):
            notify(flow, run, state)
        assert time.monotonic() - began < 2
        assert _buffer().flush(0) == 20
    _buffer().close()
    _buffer.cache_clear()
