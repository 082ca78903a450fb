"""The whole database as one file and back, with PostgreSQL's own programs; with any server up to their version."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tidings.kernel.prepare_cluster import own_programs


class DumpFailed(Exception):
    """With what the program said; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message} {hint}")
        self.message, self.hint = message, hint


def dump_database(url: str, file: Path) -> None:
    """As it is at one moment, while it is in use. The file has its name only when it is complete, and is ours alone: it
    holds people's data. Raises `DumpFailed`."""
    part = file.with_name(f"{file.name}.part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            _run("pg_dump", url, ["--format=custom", "--no-owner", "--no-privileges", f"--file={part}"])
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise DumpFailed(f"{file} cannot be written: {error.strerror}.", "Name a file in a folder of yours.") from None


def holds_tidings(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT to_regclass('django_migrations')").fetchone() != (None,)


def restore_database(url: str, file: Path) -> None:
    """Into an empty database: all of it, or nothing. Raises `DumpFailed`."""
    options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    _run("pg_restore", url, [*options, str(file.absolute())])


def _run(program: str, url: str, options: Sequence[str]) -> None:
    """With our environment, which may say how to reach the server; the password is not for the list of processes."""
    server = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    secret = {"PGPASSWORD": server.pop("password")} if "password" in server else {}
    command = [str(own_programs() / program), f"--dbname={make_conninfo('', **server)}", *options]
    done = subprocess.run(  # noqa: S603 - the programs are the wheel's own
        command,
        env={**os.environ, **secret},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise DumpFailed(f"{program} said: {done.stdout.strip()}", "Nothing was changed.")
