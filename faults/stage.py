"""An installation of real processes: `tidings serve`, `web` and `worker` on one database; each can be killed at any
moment and started again. Set up over the API, as an operator would.

`bench/stage.py` is another thing on purpose: there the receiver is a process of its own and nothing is checked, so that
what is measured is Tidings.
"""

import asyncio
import base64
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil
import psycopg
from pyreqwest.client import Client, ClientBuilder

from tidings.channels.testing.webhook_receiver import WebhookReceiver
from tidings.kernel.database import connect
from tidings.kernel.postgres import Running, start

ROOT = Path(__file__).parents[1]
Kind = Literal["serve", "web", "worker"]
START_WITHIN = 180.0
"""Seconds: other work on the same machine is no fault of Tidings."""
# Many quick tries: what fails here fails because of a fault, and faults end.
SCHEDULE = ",".join(["0.5", "1", *["2"] * 60])
SECRET = "whsec_" + base64.b64encode(b"x" * 32).decode()


@dataclass
class Process:
    """One node. `port` is 0 for a worker. `armed`: as `faults.node` reads it."""

    kind: Kind
    port: int
    popen: "subprocess.Popen[bytes]"
    armed: str = ""

    @property
    def name(self) -> str:
        """As it signs its lease."""
        return f"{socket.gethostname()}/{self.popen.pid}"

    @property
    def lives(self) -> bool:
        return self.popen.poll() is None


@dataclass
class Installation:
    folder: Path
    environment: dict[str, str]
    postgres: Running
    cluster: Path
    receiver: WebhookReceiver
    client: Client
    admin: str
    token: str = ""
    processes: list[Process] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    """What was done to it, and how often."""
    may_repeat: Counter[str] = field(default_factory=Counter)
    """By delivery (hex): how often its holder was lost before it had recorded what became of it."""
    _last_said: Any = ""

    # processes

    def run(self, kind: Kind, port: int = 0, armed: str = "") -> Process:
        if kind != "worker" and not port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
        process = Process(kind, port, self._popen(kind, port, armed), armed)
        self.processes.append(process)
        return process

    def again(self, process: Process, armed: str = "") -> None:
        """Start it anew, as a supervisor does."""
        process.popen, process.armed = self._popen(process.kind, process.port, armed), armed

    def _popen(self, kind: Kind, port: int, armed: str) -> "subprocess.Popen[bytes]":
        # What nobody wants to fail at a named step is what an operator runs.
        program = "faults.node" if armed else "tidings.cli.main"
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        environment = self.environment | ({"PYTHONPATH": path, "FAULTS_STEP": armed} if armed else {})
        command = [sys.executable, "-m", program, kind, *(["--port", str(port)] if port else [])]
        with (self.folder / f"{kind}-{port}.log").open("ab") as log:
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    async def kill(self, process: Process) -> list[str]:
        """As a crash does: nothing is said to anybody. What it held may be sent again, once: those, as hex."""
        process.popen.kill()
        process.popen.wait()
        self.faults[f"{process.kind} killed"] += 1
        return await self.note_what_it_held(process)

    async def freeze(self, process: Process) -> list[str]:
        """As a machine that is suspended: it does not know that time passes."""
        process.popen.send_signal(signal.SIGSTOP)
        self.faults[f"{process.kind} suspended"] += 1
        return await self.note_what_it_held(process)

    def thaw(self, process: Process) -> None:
        process.popen.send_signal(signal.SIGCONT)

    async def stop(self, process: Process, within: float = 60.0) -> None:
        """As a supervisor does: it says how it ends, and may repeat nothing."""
        process.popen.terminate()
        await self.ended(process, within)
        assert process.popen.returncode == 0, self.log(process)
        self.faults[f"{process.kind} stopped"] += 1

    async def ended(self, process: Process, within: float) -> None:
        try:
            async with asyncio.timeout(within):
                while process.lives:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{process.kind} did not end:\n{self.log(process)}") from None

    async def stands_still(self, process: Process, within: float) -> list[str]:
        """Wait until it has stopped itself at the step it is armed for; what it holds then."""
        try:
            async with asyncio.timeout(within):
                while process.lives and psutil.Process(process.popen.pid).status() != psutil.STATUS_STOPPED:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{process.kind} did not get to {process.armed}:\n{self.log(process)}") from None
        assert process.lives, self.log(process)
        return await self.note_what_it_held(process)

    async def note_what_it_held(self, process: Process) -> list[str]:
        rows = await self.rows(
            "SELECT d.id FROM delivery_delivery d JOIN delivery_node n ON n.id = d.lease"
            " WHERE d.state = 'sending' AND n.name = %s",
            process.name,
        )
        held = [row[0].hex for row in rows]
        self.may_repeat.update(held)
        return held

    async def ready(self, process: Process, within: float = START_WITHIN) -> None:
        """Wait until it would keep an event sent now; a worker, until it has its lease."""
        try:
            async with asyncio.timeout(within):
                while not await self._is_ready(process):
                    if not process.lives:
                        raise AssertionError(f"{process.kind} ended by itself:\n{self.log(process)}")
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"{process.kind} is not ready: {self._last_said}\n{self.log(process)}") from None

    async def _is_ready(self, process: Process) -> bool:
        if process.kind == "worker":
            return bool(await self.rows("SELECT 1 FROM delivery_node WHERE name = %s", process.name))
        try:
            status, self._last_said = await self.call(process, "GET", "/readyz")
        except Exception as error:
            self._last_said = repr(error)
            return False
        return status == 200

    def log(self, process: Process) -> str:
        return (self.folder / f"{process.kind}-{process.port}.log").read_text(errors="replace")[-3_000:]

    def ended_by_themselves(self) -> list[str]:
        return [self.log(process) for process in self.processes if not process.lives]

    # the database

    def stop_database(self, how: signal.Signals) -> None:
        """SIGINT is `pg_ctl stop -m fast`, SIGQUIT `-m immediate`, SIGKILL a crash. An embedded one is started again by
        the nodes and by nobody else, one of its own by `start_database`."""
        pid = int((self.cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        assert psutil.Process(pid).cwd() == str(self.cluster.resolve())
        os.kill(pid, how)
        words = {signal.SIGINT: "stopped (fast)", signal.SIGQUIT: "stopped (immediate)", signal.SIGKILL: "killed"}
        self.faults[f"PostgreSQL {words[how]}"] += 1

    async def start_database(self) -> None:
        await asyncio.to_thread(self.postgres.revive)

    # calls

    async def call(
        self, process: Process, method: str, path: str, body: Any = None, *, token: str = "", seconds: float = 10
    ) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {token or self.admin}", "content-type": "application/json"}
        raw = b"" if body is None else json.dumps(body).encode()
        try:
            async with asyncio.timeout(seconds):
                call = self.client.request(method, f"http://127.0.0.1:{process.port}{path}").headers(headers)
                answer = await call.body_bytes(raw).build().send()
                content = (await answer.bytes()).to_bytes()
        except Exception:
            # The client has an error of its own for a call that is cancelled.
            if (task := asyncio.current_task()) and task.cancelling():
                raise asyncio.CancelledError from None
            raise
        is_json = "json" in (answer.headers.get("content-type") or "")
        return answer.status, json.loads(content) if is_json and content else content

    async def must(self, through: Process, method: str, path: str, body: Any = None) -> Any:
        """As the administrator; what it answers."""
        status, answer = await self.call(through, method, f"/api/v1{path}", body, seconds=START_WITHIN)
        assert status < 300, (method, path, status, answer)
        return answer

    async def set_up(self, through: Process, *logins: str) -> None:
        """The channel on, a webhook for each of these people, a source."""
        await self.must(through, "PUT", "/channels/webhook", {"enabled": True, "settings": {}})
        for login in logins:
            await self.must(through, "PUT", f"/users/{login}", {"name": login.title()})
            webhook = {"url": self.receiver.url(f"/{login}"), "secret": SECRET}
            methods = {"methods": ["webhook"], "webhook": webhook}
            await self.must(through, "PUT", f"/users/{login}/notification-settings", methods)
        self.token = (await self.must(through, "POST", "/sources", {"name": "dms"}))["token"]

    # what is there

    async def rows(self, query: str, *values: Any, within: float = START_WITHIN) -> list[tuple[Any, ...]]:
        """Asked until the database answers, so it must stand to be done twice."""
        async with asyncio.timeout(within):
            while True:
                try:
                    connection = await connect(self.postgres.url, name="stage")
                    try:
                        cursor = await connection.execute(query, values or None)
                        return await cursor.fetchall() if cursor.description else []
                    finally:
                        await connection.close()
                except psycopg.OperationalError:
                    await asyncio.sleep(0.05)

    async def states(self) -> Counter[str]:
        rows = await self.rows("SELECT state, count(*) FROM delivery_delivery GROUP BY state")
        return Counter(dict(rows))

    async def nothing_due(self, within: float) -> float:
        """Seconds until nothing is in anybody's hands, and nothing that waits is due."""
        due = "SELECT count(*) FROM delivery_delivery WHERE state = 'sending' OR state = 'pending' AND due_at <= now()"
        began = time.monotonic()
        try:
            async with asyncio.timeout(within):
                while await self.rows(due) != [(0,)]:
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"due, and not sent within {within:.0f} s: {await self.states()}") from None
        return time.monotonic() - began

    async def over(self, within: float) -> None:
        """Wait until nothing is on its way any more, and every event has its plan."""
        unplanned = "SELECT count(*) FROM events_event WHERE fault IS NOT NULL"
        try:
            async with asyncio.timeout(within):
                while (states := await self.states())["pending"] + states["sending"] or await self.rows(unplanned) != [
                    (0,)
                ]:
                    await asyncio.sleep(0.3)
        except TimeoutError:
            left = f"{await self.states()}, {await self.rows(unplanned)} unplanned"
            raise AssertionError(f"still on their way after {within:.0f} s: {left}") from None

    async def ledger(self) -> dict[str, Any]:
        """What `tidings check --ledger` says."""
        command = [sys.executable, "-m", "tidings.cli.main", "check", "--ledger", "--json"]
        process = await asyncio.create_subprocess_exec(
            *command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        said, complaint = await process.communicate()
        assert said, complaint.decode()
        return dict(json.loads(said))


def _new_folder() -> Path:
    """Not below a folder of mode 0700: PostgreSQL runs as a user of its own when this is root."""
    folder = Path(tempfile.mkdtemp(prefix="tidings-fault-", dir="/tmp")).resolve()
    folder.chmod(0o755)
    return folder


def mount_disk(folder: Path, megabytes: int) -> None:
    """A disk of that size. Raises CalledProcessError where that is not allowed."""
    folder.mkdir(mode=0o755)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tidings-faults", str(folder)]
    subprocess.run(command, check=True, capture_output=True)


def unmount_disk(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


@asynccontextmanager
async def installation(
    *, own_database: bool = False, new: bool = False, settings: Mapping[str, str] | None = None, disk: int = 0
) -> AsyncIterator[Installation]:
    """No process yet, but the database is up, and its users' last release does not stop it as long as this lasts.
    `own_database`: the nodes are given a URL and cannot start it. `new`: an empty folder; the first node makes the
    database, and `start_database` is our hold on it from then on. `settings` are the nodes' own. `disk`: as
    `scenario` has it."""
    folder = _new_folder()
    admin = f"tdg_{secrets.token_urlsafe(32)}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
    environment |= {
        "TIDINGS_DATA_DIR": str(folder / "data"),
        "TIDINGS_SECRET_KEYS": secrets.token_hex(32),
        "TIDINGS_ADMIN_TOKEN": admin,
        "TIDINGS_ALLOWED_NETWORKS": "127.0.0.0/8",
        "TIDINGS_RETRY_SCHEDULE": SCHEDULE,
    }
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    data = folder / ("server" if own_database else "data")
    if disk:
        await asyncio.to_thread(mount_disk, data, disk)
    postgres = Running(data) if new else await asyncio.to_thread(start, data)
    if own_database:
        environment["TIDINGS_DATABASE_URL"] = postgres.url
    environment |= settings or {}
    cluster = data / "postgres" / "cluster"
    try:
        async with WebhookReceiver(SECRET) as receiver, ClientBuilder().no_proxy().build() as client:
            stage = Installation(folder, environment, postgres, cluster, receiver, client, admin)
            try:
                yield stage
            finally:
                for process in stage.processes:
                    process.popen.kill()
                    process.popen.wait()
    finally:
        await asyncio.to_thread(postgres.release)
        if disk:
            await asyncio.to_thread(unmount_disk, data)
        shutil.rmtree(folder, ignore_errors=True)
