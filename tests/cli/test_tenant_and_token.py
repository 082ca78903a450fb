"""`tidings migrate`, `tidings tenant create`, `tidings token create`, as an operator runs them."""

import subprocess
import sys

import psycopg
from tests.cli.conftest import Tidings, shell

START = """
from tidings.kernel.platform import platform
with platform(quiet=True):
    from tidings.cli.first_run import first_run
    from tidings.cli.migrate import migrate_database
    migrate_database()
    first_run()
"""


def _rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def test_from_nothing_to_a_token(tidings: Tidings, empty_database: str) -> None:
    early = tidings("token", "create", "--source", "dms")
    assert (early.returncode, early.stdout) == (1, "")
    assert "tidings migrate" in early.stderr
    assert "Traceback" not in early.stderr
    assert tidings("migrate").returncode == 0
    made = tidings("tenant", "create", "Acme", "--admin", "boss")
    assert (made.returncode, made.stdout[:4], made.stdout.count("\n")) == (0, "tdg_", 1)
    again = tidings("tenant", "create", "Acme")
    assert (again.returncode, again.stdout) == (1, "")
    assert "Acme" in again.stderr
    for arguments in (["--source", "dms"], ["--source", "dms"], ["--person", "boss", "--scope", "read"]):
        token = tidings("token", "create", *arguments)
        assert (token.returncode, token.stdout[:4]) == (0, "tdg_")
    scopes = _rows(empty_database, "SELECT scopes FROM accounts_token ORDER BY id")
    assert scopes == [(["events:write", "read", "write"],), (["events:write"],), (["events:write"],), (["read"],)]
    assert _rows(empty_database, "SELECT name FROM accounts_source") == [("dms",)]


def test_what_an_operator_can_mend_is_said_in_words(tidings: Tidings, empty_database: str) -> None:
    nowhere = "postgresql://u:hunter2@127.0.0.1:1/x"
    tidings("tenant", "create", "Acme")
    mistakes: list[tuple[list[str], dict[str, str], int, str]] = [
        (["token", "create", "--person", "nobody"], {}, 1, "no such user"),
        (["token", "create", "--source", "tidings"], {}, 1, "choose another name"),
        (["token", "create", "--source", "dms", "--scope", "all"], {}, 1, "known are"),
        (["token", "create", "--source", "dms", "--tenant", "none"], {}, 1, "Acme"),
        (["token", "create"], {}, 2, "--person or --source"),
        (["token", "create", "--person", "a", "--source", "b"], {}, 2, "--person or --source"),
        (["tenant", "create", "Other", "--admin", "a/b"], {}, 1, "login"),
        (["migrate"], {"url": nowhere}, 1, "TIDINGS_DATABASE_URL"),
        (["migrate"], {"TIDINGS_SECRET_KEYS": ""}, 2, "openssl rand"),
        (["migrate"], {"TIDINGS_RETRY_SCHEDULE": "soon"}, 2, "TIDINGS_RETRY_SCHEDULE"),
        (["migrate"], {"TIDINGS_ADMIN_TOKEN": "hunter2"}, 2, "at least 32 characters"),
        (["migrate"], {"TIDINGS_ADMIN_TOKEN": "hunter2 " * 5}, 2, "visible ASCII"),
        (["migrate"], {"url": "mysql://u:hunter2@db/x"}, 2, "is not the URL of a PostgreSQL database"),
        (["migrate"], {"url": "", "TIDINGS_SECRET_KEYS": "", "TIDINGS_DATA_DIR": "/proc/x"}, 2, "TIDINGS_DATA_DIR"),
        (["migrate"], {"url": "", "TIDINGS_DATA_DIR": "/dev/null/x"}, 2, "TIDINGS_DATA_DIR"),
        (["serve"], {"TIDINGS_BASE_URL": "foo"}, 2, "TIDINGS_BASE_URL"),
        (["serve"], {"TIDINGS_BASE_URL": "javascript:alert(1)"}, 2, "TIDINGS_BASE_URL"),
        (["web"], {"TIDINGS_BASE_URL": "https://tidings.example.com/?next=x"}, 2, "TIDINGS_BASE_URL"),
        (["serve", "--port", "99999"], {}, 2, "65535"),
        (["web", "--port", "0"], {}, 2, "65535"),
        (["demo", "--port", "99999"], {}, 2, "65535"),
        (["pigeon"], {}, 2, "No such command"),
    ]
    for arguments, more, code, says in mistakes:
        ended = tidings(*arguments, **more)
        assert (ended.returncode, ended.stdout) == (code, ""), arguments
        assert says in ended.stderr
        assert "Traceback" not in ended.stderr
        assert "hunter2" not in ended.stderr
    assert _rows(empty_database, "SELECT name FROM accounts_tenant") == [("Acme",)]


def test_processes_that_start_at_once_make_one_installation(empty_database: str) -> None:
    command = [sys.executable, "-c", START]
    environment = shell(empty_database)
    starts = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    told = [start.communicate(timeout=60)[1] for start in starts]
    assert [start.returncode for start in starts] == [0, 0, 0], told
    assert sum("tdg_" in text for text in told) == 1
    assert _rows(empty_database, "SELECT name FROM accounts_tenant") == [("default",)]


def test_a_token_of_the_operator_is_never_printed(empty_database: str) -> None:
    secret = "tdg_the-operator-chose-this-long-one"
    environment = shell(empty_database, TIDINGS_ADMIN_TOKEN=secret, TIDINGS_ADMIN_PASSWORD="correct horse")
    for _ in range(2):
        ended = subprocess.run(
            [sys.executable, "-c", START], env=environment, capture_output=True, text=True, check=True, timeout=60
        )
        assert "tdg_" not in ended.stdout + ended.stderr
    assert _rows(empty_database, "SELECT name, revoked_at FROM accounts_token") == [("TIDINGS_ADMIN_TOKEN", None)]


def test_help_names_every_command_without_loading_any() -> None:
    code = "import sys; from tidings.cli.main import commands; commands(['--help'], standalone_mode=False); print('django' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "False"
    assert all(name in ended.stdout for name in ("migrate", "serve", "tenant", "token"))
