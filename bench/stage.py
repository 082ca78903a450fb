"""What the benchmark runs on: a real `tidings serve`, a receiver and a load generator, each a process of its own."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import psycopg

from tidings.kernel.postgres import Running, start


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def folder() -> Iterator[Path]:
    """One that is gone afterwards, and that the database's own user may walk through."""
    path = Path(tempfile.mkdtemp(prefix="tidings-bench-", dir="/tmp"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def on_stage(*kinds: str) -> Iterator["Stage"]:
    with folder() as path, Stage(path, *kinds) as stage:
        yield stage


@dataclass(frozen=True, slots=True)
class Organisation:
    """`token` is a source's, `admin` an administrator's; `secret` is what messages to ann are signed with."""

    admin: str
    token: str
    secret: str


class Stage:
    """`kinds`: the nodes, the first of which accepts; `urls` are those of all that do. `beside`: another stage, whose
    receiver is this one's too."""

    def __init__(
        self,
        folder: Path,
        *kinds: str,
        environment: Mapping[str, str] | None = None,
        beside: "Stage | None" = None,
    ) -> None:
        self._folder, self._number, self._kinds = folder, 1_000_000, kinds or ("serve",)
        self._more, self._beside = environment or {}, beside
        self._admin = f"tdg_{secrets.token_urlsafe(32)}"
        self._ports = [free_port() if kind in ("serve", "web") else None for kind in self._kinds]
        self.urls = [f"http://127.0.0.1:{port}" for port in self._ports if port]
        self.url = self.urls[0]

    def __enter__(self) -> "Stage":
        environment = {
            **os.environ,
            "TIDINGS_DATA_DIR": str(self._folder),
            "TIDINGS_ADMIN_TOKEN": self._admin,
            "TIDINGS_ALLOWED_NETWORKS": "127.0.0.0/8",
            **self._more,
        }
        self._environment = environment
        environment.pop("TIDINGS_DATABASE_URL", None)
        if self._beside:
            self._receiver, self.receiver_port = self._beside._receiver, self._beside.receiver_port
        else:
            receiver = [sys.executable, "-m", "bench.receiver"]
            self._receiver = subprocess.Popen(receiver, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.receiver_port = int(self._said())
        self._start_nodes()
        self._database: Running = start(self._folder)
        self._set_up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for node in self._nodes:
            node.send_signal(signal.SIGTERM)
        for node in self._nodes:
            node.wait(60)
        if not self._beside:
            self._receiver.kill()
            self._receiver.wait()
        self._database.release()

    def _start_nodes(self) -> None:
        self._nodes: list[subprocess.Popen[bytes]] = []
        for kind, port in zip(self._kinds, self._ports, strict=True):
            listens = ["--port", str(port)] if port else []
            command = [sys.executable, "-m", "tidings.cli.main", kind, *listens]
            with (self._folder / f"{kind}.log").open("ab") as log:
                self._nodes.append(subprocess.Popen(command, env=self._environment, stderr=log))
            self._await_ready(f"http://127.0.0.1:{port}" if port else self.url)

    def kill(self) -> None:
        """Nodes and PostgreSQL at once, with SIGKILL."""
        processes = [each for group in self.processes().values() for each in group]
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, timeout=10)

    def again(self) -> None:
        """After that."""
        self._start_nodes()

    def processes(self) -> dict[str, list[psutil.Process]]:
        return {"node": [psutil.Process(node.pid) for node in self._nodes], "postgres": self._postgres()}

    def _await_ready(self, url: str) -> None:
        for _ in range(300):
            if any(node.poll() is not None for node in self._nodes):
                raise SystemExit("\n".join(log.read_text() for log in self._folder.glob("*.log")))
            try:
                urllib.request.urlopen(f"{url}/readyz", timeout=2).close()
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit("tidings serve did not become ready")

    def _set_up(self) -> None:
        first = self._furnish(self._admin)
        self.token, self.webhook_secret = first.token, first.secret

    def organisation(self, name: str) -> Organisation:
        """One more, with people as the first has."""
        command = [sys.executable, "-m", "tidings.cli.main", "tenant", "create", name]
        made = subprocess.run(command, env=self._environment, check=True, capture_output=True, text=True)
        return self._furnish(made.stdout.strip())

    def _furnish(self, admin: str) -> Organisation:
        """Three people, one of whom every event goes to, by webhook."""
        self.call("PUT", "/channels/webhook", {"enabled": True, "settings": {}}, admin)
        for login in ("ann", "bo", "dan"):
            self.call("PUT", f"/users/{login}", {"name": login.title(), "email": f"{login}@example.com"}, admin)
        answer = self.reach("ann", f"http://127.0.0.1:{self.receiver_port}/hook", admin)
        token = self.call("POST", "/sources", {"name": "bench"}, admin)["token"]
        return Organisation(admin, str(token), str(answer["webhook"]["secret"]))

    def reach(self, login: str, url: str, admin: str | None = None) -> Any:
        settings = {"methods": ["webhook"], "webhook": {"url": url}}
        return self.call("PUT", f"/users/{login}/notification-settings", settings, admin)

    def call(self, method: str, path: str, content: Any = None, token: str | None = None) -> Any:
        """As the first organisation's administrator, or with another token."""
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}",
            method=method,
            data=None if content is None else json.dumps(content).encode(),
            headers={"Authorization": f"Bearer {token or self._admin}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def next_number(self, count: int) -> int:
        first, self._number = self._number, self._number + count
        return first

    def load(self, first: int, count: int, connections: int, batch: int, rate: float) -> Any:
        return json.loads(self.loading(first, count, connections, batch, rate).communicate()[0])

    def loading(
        self, first: int, count: int, connections: int, batch: int, rate: float, token: str | None = None
    ) -> "subprocess.Popen[bytes]":
        """The same, while it goes on."""
        values = map(str, (first, count, connections, batch, rate))
        command = [sys.executable, "-m", "bench.load", self.url, token or self.token, *values]
        return subprocess.Popen(command, stdout=subprocess.PIPE)

    def arrivals(self, expected: int, *, patience: float = 60.0) -> Any:
        """What arrived since the last question; waits until nothing more is expected."""
        ends = time.monotonic() + patience
        while time.monotonic() < ends:
            self._say("count")
            if int(self._said()) >= expected:
                break
            time.sleep(0.02)
        self._say("take")
        return json.loads(self._said())

    def hang_up(self) -> None:
        """On all that came to the receiver's `/silent` and hear nothing."""
        self._say("hang up")

    @contextmanager
    def receiver_away(self) -> Iterator[None]:
        """It hangs up on whoever calls."""
        self._say("away")
        try:
            yield
        finally:
            self._say("back")

    def arrivals_of(self, wanted: Collection[str], *, patience: float, quiet: float | None = None) -> dict[str, float]:
        """When each of these numbers arrived first; whatever else arrives meanwhile is passed over. Waits for all of
        them, or until none came for `quiet` seconds."""
        times: dict[str, float] = {}
        ends = time.monotonic() + patience
        quiet_at = time.monotonic() + quiet if quiet else ends
        while len(times) < len(wanted) and time.monotonic() < min(ends, quiet_at):
            self._say("take")
            for number, moments in json.loads(self._said())["times"].items():
                if number in wanted and number not in times:
                    times[number] = moments[0]
                    quiet_at = time.monotonic() + quiet if quiet else ends
            time.sleep(0.05)
        return times

    def _say(self, word: str) -> None:
        assert self._receiver.stdin is not None
        self._receiver.stdin.write(word + "\n")
        self._receiver.stdin.flush()

    def _said(self) -> str:
        assert self._receiver.stdout is not None
        return self._receiver.stdout.readline()

    def database_settings(self, names: tuple[str, ...]) -> dict[str, str]:
        with psycopg.connect(self._database.url) as connection:
            return {name: str(connection.execute(f"SHOW {name}").fetchone()[0]) for name in names}  # type: ignore[index]

    def database_bytes(self) -> int:
        with psycopg.connect(self._database.url) as connection:
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        return int(row[0]) if row else 0

    def wal_bytes(self) -> int:
        """Written to PostgreSQL's log so far."""
        with psycopg.connect(self._database.url) as connection:
            row = connection.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").fetchone()
        return int(row[0]) if row else 0

    @property
    def database_url(self) -> str:
        return self._database.url

    def _postgres(self) -> list[psutil.Process]:
        folder = str(self._folder)
        found = []
        for process in psutil.process_iter(["name"]):
            if process.info["name"] == "postgres":
                try:
                    if process.cwd().startswith(folder):
                        found.append(process)
                except psutil.Error:
                    continue
        return found

    def cpu_seconds(self) -> dict[str, float]:
        def of(process: psutil.Process) -> float:
            times = process.cpu_times()
            # With that of its children that have ended: of PostgreSQL's backends, say.
            return float(times.user + times.system + times.children_user + times.children_system)

        return {
            "node": sum(of(psutil.Process(node.pid)) for node in self._nodes),
            "postgres": sum(map(of, self._postgres())),
            "receiver": of(psutil.Process(self._receiver.pid)),
        }

    def memory(self) -> dict[str, float]:
        """PSS in MB: shared pages are counted once over all processes."""
        return {
            "node": sum(psutil.Process(node.pid).memory_full_info().pss for node in self._nodes) / 1e6,
            "postgres": sum(process.memory_full_info().pss for process in self._postgres()) / 1e6,
        }

    def ledger(self) -> Any:
        command = [sys.executable, "-m", "tidings.cli.main", "check", "--ledger", "--json"]
        return json.loads(subprocess.run(command, env=self._environment, capture_output=True, check=False).stdout)


def calls_while(stage: Stage, stop: threading.Event, a_second: float) -> None:
    """Ask for pages at this rate, as people at a console do."""
    while not stop.wait(1 / a_second):
        stage.call("GET", "/events?limit=50")
