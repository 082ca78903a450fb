"""A real Tidings for the demo: `tidings serve` in a process of its own, with its embedded PostgreSQL in a temporary
folder. Nothing of it is left when the demo ends, however it ends."""

import asyncio
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tidings.demo.call import Api, Unanswered, new_client
from tidings.kernel.postgres import start

# Short, so that retries are seen: with the first try four in all.
RETRY_SCHEDULE = "1,2,4"
START_MAY_TAKE = 120.0
STOP_MAY_TAKE = 60.0
# `tidings serve`, and one thing more: the pipe ends with us, even when we are killed. Then it stops too, at any moment
# of its start, and tidies up in our place. Until it heeds signals itself it has started nothing, so it ends on the
# spot: an exception from a signal handler is lost where Python ignores them, in a weak reference's callback, and each
# import has one.
_SERVE = """
import os, shutil, signal, threading
from tidings.cli.main import main
left = []
def follow():
    os.read(0, 1)
    left.append(os.environ["TIDINGS_DATA_DIR"])
    os.kill(os.getpid(), signal.SIGTERM)
def tidy_up():
    for folder in left:
        shutil.rmtree(folder, ignore_errors=True)
def end(*_):
    tidy_up()
    os._exit(143)
signal.signal(signal.SIGTERM, end)
threading.Thread(target=follow, daemon=True).start()
try:
    main()
finally:
    tidy_up()
"""


class StageFailed(Exception):
    """Tidings did not start, or ended early; with the end of its log."""


@dataclass(frozen=True, slots=True)
class Stage:
    """`api` calls with the token of the first administrator."""

    api: Api
    environment: Mapping[str, str]
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def base(self) -> str:
        return self.api.base

    def fail_if_ended(self) -> None:
        if self.process.poll() is not None:
            raise StageFailed(
                f"`tidings serve` ended with {self.process.returncode}. Its log ends:\n{_end_of(self.log)}"
            )


@asynccontextmanager
async def stage(port: int, log: Path) -> AsyncIterator[Stage]:
    """Tidings, ready, while entered. `log` is where it writes to. Raises `StageFailed`."""
    data_dir = Path(tempfile.mkdtemp(prefix="tidings-demo-", dir=_open_to_all()))
    try:
        token = f"tdg_{secrets.token_urlsafe(32)}"
        base = f"http://127.0.0.1:{port}"
        environment = _environment(data_dir, token, base)
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", _SERVE, "serve", "--port", str(port)],
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=file,
                env=environment,
                start_new_session=True,  # Ctrl-C is ours to take: Tidings stops when we say so
            )
        try:
            async with new_client() as client:
                on_stage = Stage(Api(client, base, token), environment, process, log)
                await _ready(on_stage)
                yield on_stage
        finally:
            _stop(process, data_dir)
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)


def free_port(wanted: int) -> int:
    """The one that is wanted, or any other where that is taken."""
    for port in (wanted, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise StageFailed("No port is free on 127.0.0.1.")


def check_ledger(on_stage: Stage) -> tuple[bool, str]:
    """The product's own check, as a command: whether the sums add up, and its words."""
    command = [sys.executable, "-P", "-m", "tidings.cli.main", "check", "--ledger"]
    done = subprocess.run(
        command, env=on_stage.environment, capture_output=True, text=True, errors="replace", timeout=60
    )
    return done.returncode == 0, (done.stdout + done.stderr).strip()


def _environment(data_dir: Path, token: str, base: str) -> dict[str, str]:
    """Ours, without what the user has set for a Tidings of their own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
    return kept | {
        "TIDINGS_DATA_DIR": str(data_dir),
        "TIDINGS_BASE_URL": base,
        # Who follows every event by one token asks more than a person or a script does.
        "TIDINGS_API_RATE": "0",
        "TIDINGS_ADMIN_TOKEN": token,
        "TIDINGS_ALLOWED_NETWORKS": "127.0.0.0/8",
        "TIDINGS_RETRY_SCHEDULE": RETRY_SCHEDULE,
    }


async def _ready(on_stage: Stage) -> None:
    until = time.monotonic() + START_MAY_TAKE
    while time.monotonic() < until:
        on_stage.fail_if_ended()
        with suppress(Unanswered):
            status = (await on_stage.api.call("GET", "/catalog")).status
            if status == 200:
                return
            if status == 401:
                raise StageFailed(f"Another Tidings answers at {on_stage.base}. Start again with --port 0.")
        await asyncio.sleep(0.1)
    raise StageFailed(f"Tidings was not ready after {START_MAY_TAKE:.0f} s. Its log ends:\n{_end_of(on_stage.log)}")


def _stop(process: "subprocess.Popen[bytes]", data_dir: Path) -> None:
    """Synchronous on purpose: nothing may cut it short."""
    with _deaf():
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_MAY_TAKE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin:
            process.stdin.close()
        if process.returncode < 0 and (data_dir / "postgres" / "cluster").exists():
            # It was killed and could not tidy up: the database's last user stops it.
            start(data_dir).release()


@contextmanager
def _deaf() -> Iterator[None]:
    """A second Ctrl-C does not make stopping any faster."""
    before = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _open_to_all() -> str | None:
    """Where temporary folders may lie. As root PostgreSQL runs as another user, who has to get there."""
    if os.geteuid() != 0:
        return None
    for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108 - mkdtemp makes a folder of its own there
        path = Path(folder).resolve()
        if path.is_dir() and all(each.stat().st_mode & 0o001 for each in (path, *path.parents)):
            return str(path)
    return None


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
