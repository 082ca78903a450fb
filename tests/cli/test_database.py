"""`tidings database dump` and `restore`, as an operator runs them."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from tests.conftest import Organisation, Server

from tidings.channels.configure import configure
from tidings.kernel.versions import Expected

Tidings = Callable[..., "subprocess.CompletedProcess[str]"]
_numbers = count(1)


def tidings(*arguments: object, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tidings.cli.main", *map(str, arguments)]
    return subprocess.run(
        command,
        env={**os.environ, "TIDINGS_RESOLVED_DATABASE_URL": "", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def another(server: Server) -> Iterator[str]:
    """The URL of an empty database, after a restore too."""
    name = f"tidings_restored_{next(_numbers)}"
    server.run("CREATE DATABASE {}", name)
    yield server.url_of(name)
    server.run("DROP DATABASE {} WITH (FORCE)", name)


def content(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with psycopg.connect(url) as connection:
        names = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
        ).fetchall()
        query = sql.SQL("SELECT t::text FROM {} t ORDER BY 1")
        return {name: connection.execute(query.format(sql.Identifier(name))).fetchall() for (name,) in names}


def test_a_dump_restored_elsewhere_is_the_same_database(
    database: str, organisation: Organisation, another: str, tmp_path: Path
) -> None:
    # given: people, rules and a secret
    caller = organisation.caller()
    settings = {"host": "mail.example.com", "from": "tidings@example.com", "username": "t", "password": "hush"}
    configure(caller, "email", True, settings, Expected(), lambda *_: None)
    file = tmp_path / "tidings.dump"
    # when
    dumped = tidings("database", "dump", file, TIDINGS_DATABASE_URL=database)
    restored = tidings("database", "restore", file, TIDINGS_DATABASE_URL=another)
    # then
    assert dumped.returncode == restored.returncode == 0, (dumped.stderr, restored.stderr)
    assert "keep that too" in dumped.stdout
    assert restored.stdout == f"Restored from {file}.\n"
    before = content(database)
    assert before == content(another)
    assert len(before["accounts_person"]) >= 6
    assert len(before["channels_channelsetting"]) == 1
    # and: it holds people's data, so it is for its owner only
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["tidings.dump"]


def test_a_key_that_is_missing_after_a_restore_is_said_so(
    database: str, organisation: Organisation, another: str, tmp_path: Path
) -> None:
    settings = {"host": "mail.example.com", "from": "tidings@example.com"}
    configure(organisation.caller(), "email", False, settings, Expected(), lambda *_: None)
    file = tmp_path / "tidings.dump"
    tidings("database", "dump", file, TIDINGS_DATABASE_URL=database)
    restored = tidings("database", "restore", file, TIDINGS_DATABASE_URL=another, TIDINGS_SECRET_KEYS="x" * 32)
    assert restored.returncode == 0
    assert "secrets.unreadable" in restored.stdout


def test_a_database_in_use_is_never_overwritten(database: str, organisation: Organisation, tmp_path: Path) -> None:
    file = tmp_path / "tidings.dump"
    tidings("database", "dump", file, TIDINGS_DATABASE_URL=database)
    before = content(database)
    restored = tidings("database", "restore", file, TIDINGS_DATABASE_URL=database)
    assert restored.returncode == 1
    assert "holds a Tidings already; nothing was changed" in restored.stderr
    assert content(database) == before


def test_a_file_that_is_no_dump_changes_nothing(another: str, tmp_path: Path) -> None:
    file = tmp_path / "tidings.dump"
    file.write_text("not a dump at all")
    restored = tidings("database", "restore", file, TIDINGS_DATABASE_URL=another)
    assert restored.returncode == 1
    assert restored.stderr.startswith("tidings: pg_restore said: ")
    assert content(another) == {}


def test_a_dump_that_fails_keeps_the_one_before(another: str, tmp_path: Path) -> None:
    file = tmp_path / "tidings.dump"
    file.write_text("yesterday's")
    empty = tidings("database", "dump", file, TIDINGS_DATABASE_URL=another)
    assert "holds no Tidings" in empty.stderr
    nowhere = tidings("database", "dump", tmp_path / "no" / "folder", TIDINGS_DATABASE_URL=another)
    assert nowhere.returncode == empty.returncode == 1
    assert [each.name for each in tmp_path.iterdir()] == ["tidings.dump"]
    assert file.read_text() == "yesterday's"
