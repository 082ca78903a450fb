"""Every command there is, in a process of its own: a test that calls one from inside finds a Django that is set up
already, and so cannot see one that forgets to set it up."""

import json
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import psycopg
import pytest
from tests.cli.conftest import COMMAND, Tidings, shell

from tidings.cli.main import commands

APPROVED = "data_change.approved"
EVENT = {
    "id": "1",
    "source": "dms",
    "type": APPROVED,
    "subject": {"kind": "ticket", "id": "1"},
    "people": {"submitter": "boss"},
}
SOURCES = {"sources": {"desk": {"adapter": "json", "options": {"type": "body.type", "subject_id": "body.no"}}}}
# In an order in which an operator may use them: the standard input, and what is said on standard output.
IN_ORDER: Sequence[tuple[str, str, str]] = (
    ("migrate", "", "No migrations to apply"),
    ("tenant create Acme --admin boss", "", "tdg_"),
    ("token create --source dms", "", "tdg_"),
    ("token create --person boss", "", "tdg_"),
    ("invite boss", "", "/console/welcome/"),
    ("rules export", "", f'"{APPROVED}"'),
    ("rules apply -", json.dumps({"rules": {APPROVED: {"enabled": False}}}), "1 of 1 rules changed."),
    ("rules apply - --dry-run", json.dumps({"rules": {APPROVED: {"enabled": True}}}), "1 of 1 rules would change."),
    ("sources export", "", '"sources": {}'),
    ("sources apply - --dry-run", json.dumps(SOURCES), "1 of 1 sources would change."),
    ("sources apply -", json.dumps(SOURCES), "1 of 1 sources changed."),
    ("explain -", json.dumps(EVENT), "rule_off"),
    ("gallery --type data_change.approved --channel email", "", "From: Approved (Tidings)"),
    ("check", "", "nodes.none_deliver"),
    ("check --ledger", "", "The sums add up."),
)
NODES = ("serve", "web", "worker")
ELSEWHERE = {
    "consume": "tests/cli/test_consume.py",
    "secrets rotate": "tests/cli/test_secrets.py",
    "secrets retire": "tests/cli/test_secrets.py",
    "demo": "tests/demo/test_demo.py",
    "sources try": "tests/cli/test_sources.py",
    "database dump": "tests/cli/test_database.py",
    "database restore": "tests/cli/test_database.py",
    "database upgrade": "tests/cli/test_database.py",
}


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[str]:
    """What can be run: `rules export`, and not `rules`."""
    context = click.Context(group)
    for name in group.list_commands(context):
        one = group.get_command(context, name)
        if isinstance(one, click.Group):
            yield from leaves(one, (*path, name))
        else:
            yield " ".join((*path, name))


def test_no_command_is_forgotten_here() -> None:
    run = {*NODES, *ELSEWHERE, *(line for line, _, _ in IN_ORDER)}
    assert [
        leaf for leaf in leaves(commands) if not any(line.split()[: len(leaf.split())] == leaf.split() for line in run)
    ] == []
    assert all(Path(file).exists() for file in ELSEWHERE.values())


def test_every_command_works_from_a_shell(tidings: Tidings) -> None:
    tidings("migrate")
    for line, given, says in IN_ORDER:
        ended = tidings(*line.split(), input=given)
        assert (ended.returncode, ended.stderr) == (0, ""), line
        assert says in ended.stdout, line


def test_rules_that_were_written_out_are_taken_in_again(tidings: Tidings, tmp_path: Path) -> None:
    tidings("tenant", "create", "Acme")
    kept = tmp_path / "rules.json"
    kept.write_text(tidings("rules", "export").stdout)
    ended = tidings("rules", "apply", str(kept))
    assert (ended.returncode, ended.stdout) == (0, "0 of 61 rules changed.\n")


def test_a_check_where_nothing_is_says_so_and_makes_nothing(tidings: Tidings, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for options in ([], ["--ledger"], ["--json"]):
        ended = tidings("check", *options, url="", TIDINGS_SECRET_KEYS="", TIDINGS_DATA_DIR=str(folder))
        assert (ended.returncode, ended.stderr) == (1, "")
        assert "database.not_set_up" in ended.stdout
        assert str(folder) in ended.stdout
    assert json.loads(ended.stdout)[0]["level"] == "error"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", NODES)
def test_a_node_runs_until_it_is_asked_to_stop(kind: str, tidings: Tidings, empty_database: str) -> None:
    tidings("migrate")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [] if kind == "worker" else ["--port", str(port)]
    node = subprocess.Popen([*COMMAND, kind, *options], env=shell(empty_database), stderr=subprocess.PIPE, text=True)
    assert node.stderr
    try:
        said = ""
        while "Tidings is ready" not in said:
            said += (line := node.stderr.readline())
            assert line, said
        # On this machine alone, links lead to where it listens.
        assert "set TIDINGS_BASE_URL" not in said
        assert (f"http://127.0.0.1:{port}/console/welcome/" in said) == bool(options)
        if options:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
                assert json.load(answer) == {"status": "alive"}
        node.send_signal(signal.SIGTERM)
        rest = node.communicate(timeout=30)[1]
        assert (node.returncode, "Traceback" in said + rest) == (0, False)
    finally:
        node.kill()
        node.wait()
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT name FROM accounts_tenant").fetchall() == [("default",)]
