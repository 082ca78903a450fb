"""What an operator's own secrets never get into: the output and the log of a command, its command line, and those of
the programs it starts."""

import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import sql
from tests.cli.conftest import COMMAND, shell
from tests.scenarios.test_canaries import Canaries

EVENT = (
    '{"id": "1", "source": "dms", "type": "data_change.approved", "people": {"submitter": "admin"},'
    ' "subject": {"kind": "ticket", "id": "1", "title": "x"}}'
)
LINES = (
    ("check",), ("check", "--ledger"), ("explain", "-"), ("rules", "export"), ("secrets", "rotate"),
    ("database", "dump", "{folder}/dump"), ("database", "restore", "{folder}/dump"),
)  # fmt: skip


@pytest.fixture
def canaries() -> Canaries:
    canaries = Canaries()
    for name in ("database password", "secret key", "older secret key", "admin password", "admin token"):
        canaries.new(name)
    for name in ("secret key", "older secret key", "admin token"):
        canaries.planted[name] += secrets.token_hex(8)
    return canaries


@pytest.fixture
def environment(canaries: Canaries, empty_database: str) -> Iterator[Mapping[str, str]]:
    """As an operator has it who keeps everything in variables, with a user of the database who has a password."""
    name, password = f"canary_{secrets.token_hex(4)}", canaries.planted["database password"]
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}").format(sql.Identifier(name), password))
    parts = psycopg.conninfo.conninfo_to_dict(empty_database)
    keys = f"{canaries.planted['secret key']},{canaries.planted['older secret key']}"
    yield shell(
        f"postgresql://{name}:{password}@/{parts['dbname']}?host={parts['host']}&port={parts['port']}",
        TIDINGS_SECRET_KEYS=keys,
        TIDINGS_ADMIN_PASSWORD=canaries.planted["admin password"],
        TIDINGS_ADMIN_TOKEN=canaries.planted["admin token"],
    )
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(sql.Identifier(name)))
        connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def command_lines(process: psutil.Process) -> str:
    """Of it and of all that it has started, as anybody on the machine may read them."""
    found = []
    for each in (process, *process.children(recursive=True)):
        try:
            found.append(" ".join(each.cmdline()))
        except psutil.NoSuchProcess:
            continue
    return "\n".join(found)


def test_no_command_says_a_secret(environment: Mapping[str, str], canaries: Canaries, tmp_path: Path) -> None:
    subprocess.run([*COMMAND, "migrate"], env=environment, check=True, capture_output=True, timeout=60)
    first = subprocess.run([*COMMAND, "tenant", "create", "Acme"], env=environment, capture_output=True, timeout=60)
    assert first.returncode == 0
    for line in LINES:
        arguments = [each.format(folder=tmp_path) for each in line]
        with (tmp_path / "said").open("wb") as said:
            run = psutil.Popen([*COMMAND, *arguments], env=environment, stdin=subprocess.PIPE, stdout=said, stderr=said)
            run.stdin.write(EVENT.encode() if line == ("explain", "-") else b"")
            run.stdin.close()
            seen = ""
            while run.poll() is None:
                seen += command_lines(run)
                time.sleep(0.02)
        text = (tmp_path / "said").read_text()
        assert "Traceback" not in text, (line, text)
        assert list(canaries.found_in(text + seen)) == [], line


def test_no_mistake_in_a_setting_says_a_secret(environment: Mapping[str, str], canaries: Canaries) -> None:
    password = canaries.planted["database password"]
    mistakes = (
        ("TIDINGS_DATABASE_URL", f"postgresql://u:{password}@127.0.0.1:1/x"),
        ("TIDINGS_DATABASE_URL", f"postgresql://u:{password}@h:p/x"),
        ("TIDINGS_DATABASE_URL", password),
        ("TIDINGS_SECRET_KEYS", f"{canaries.planted['secret key']},{canaries.planted['admin password'][:20]}"),
        ("TIDINGS_ADMIN_TOKEN", canaries.planted["admin token"][:30]),
        ("TIDINGS_API_RATE", "many"),
    )
    for name, value in mistakes:
        wrong = dict(environment) | {name: value}
        ended = subprocess.run([*COMMAND, "check"], env=wrong, capture_output=True, text=True, timeout=60)
        text = ended.stdout + ended.stderr
        assert (ended.returncode != 0, "Traceback" in text) == (True, False), (name, text)
        assert list(canaries.found_in(text)) == [], (name, text)


def test_no_node_says_a_secret_and_none_stands_in_a_command_line(
    environment: Mapping[str, str], canaries: Canaries, tmp_path: Path
) -> None:
    """Through its start, while it serves, while its database refuses it, and to its end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path / "log"
    with log.open("wb") as said:
        node = psutil.Popen([*COMMAND, "serve", "--port", str(port)], env=environment, stdout=said, stderr=said)
        try:
            seen = ""
            while "Tidings is ready" not in log.read_text():
                assert node.poll() is None, log.read_text()
                seen += command_lines(node)
                time.sleep(0.05)
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/api/v1/me",
                headers={"Authorization": f"Bearer {canaries.planted['admin token']}"},
            )
            with urllib.request.urlopen(request, timeout=20) as answer:
                seen += answer.read().decode()
            # Its database throws it out, again and again.
            with psycopg.connect(environment["TIDINGS_DATABASE_URL"], autocommit=True) as connection:
                for _ in range(3):
                    connection.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                    time.sleep(0.3)
                statements = connection.execute("SELECT query, application_name FROM pg_stat_activity").fetchall()
            seen += command_lines(node) + str(statements)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
                seen += answer.read().decode()
            node.send_signal(signal.SIGTERM)
            node.wait(30)
        finally:
            if node.is_running():
                node.kill()
    text = log.read_text()
    assert len(text) > 100
    assert list(canaries.found_in(text + seen)) == []
    assert os.environ["TIDINGS_SECRET_KEYS"] not in text
