"""An installation of real processes: `tidings serve`, `web` and `worker` on one data folder, with its embedded
PostgreSQL; each can be killed at any moment and started again. Set up over the API, as an operator would."""

import asyncio
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import psutil
import psycopg
from pyreqwest.client import Client, ClientBuilder
from tests.delivery.given import SECRET

from tidings.channels.testing.webhook_receiver import WebhookReceiver
from tidings.kernel.database import connect
from tidings.kernel.postgres import start

Kind = Literal["serve", "web", "worker"]
START_WITHIN = 60.0
# Many quick tries: what fails here fails because of a fault, and faults end.
SCHEDULE = ",".join(["0.5", "1", *["2"] * 30])


@dataclass
class Process:
    """One node. `port` is 0 for a worker."""

    kind: Kind
    port: int
    popen: "subprocess.Popen[bytes]"

    @property
    def name(self) -> str:
        """As it signs its lease."""
        return f"{socket.gethostname()}/{self.popen.pid}"


@dataclass
class Installation:
    folder: Path
    environment: Mapping[str, str]
    url: str
    receiver: WebhookReceiver
    client: Client
    admin: str
    token: str = ""
    processes: list[Process] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    may_repeat: Counter[str] = field(default_factory=Counter)
    """By webhook-id: how often the holder of a delivery was killed before it had recorded what became of it."""

    # processes

    def run(self, kind: Kind, port: int = 0) -> Process:
        if kind != "worker" and not port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
        process = Process(kind, port, self._popen(kind, port))
        self.processes.append(process)
        return process

    def again(self, process: Process) -> None:
        """Start it anew, as a supervisor does."""
        process.popen = self._popen(process.kind, process.port)

    def _popen(self, kind: Kind, port: int) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tidings.cli.main", kind, *(["--port", str(port)] if port else [])]
        with (self.folder / f"{kind}-{port}.log").open("ab") as log:
            return subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    async def kill(self, process: Process) -> None:
        """As a crash does: nothing is said to anybody. What it held may be sent again, once."""
        process.popen.kill()
        process.popen.wait()
        self.kills[process.kind] += 1
        await self._note_what_it_held(process)

    async def freeze(self, process: Process) -> None:
        """As a machine that is suspended: it does not know that time passes."""
        process.popen.send_signal(signal.SIGSTOP)
        await self._note_what_it_held(process)

    def thaw(self, process: Process) -> None:
        process.popen.send_signal(signal.SIGCONT)

    async def _note_what_it_held(self, process: Process) -> None:
        for (delivery,) in await self.rows(
            "SELECT d.id FROM delivery_delivery d JOIN delivery_node n ON n.id = d.lease"
            " WHERE d.state = 'sending' AND n.name = %s",
            process.name,
        ):
            self.may_repeat[f"msg_{delivery.hex}"] += 1

    def kill_postmaster(self) -> None:
        """Nobody but the nodes starts it again."""
        cluster = self.folder / "data" / "postgres" / "cluster"
        pid = int((cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        assert psutil.Process(pid).cwd() == str(cluster.resolve())
        os.kill(pid, signal.SIGKILL)
        self.kills["postmaster"] += 1

    async def ready(self, process: Process, within: float = START_WITHIN) -> None:
        """Wait until it would keep an event sent now; a worker, until it has its lease."""
        try:
            async with asyncio.timeout(within):
                while not await self._is_ready(process):
                    if process.popen.poll() is not None:
                        raise AssertionError(f"{process.kind} ended by itself:\n{self.log(process)}")
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"{process.kind} is not ready:\n{self.log(process)}") from None

    async def _is_ready(self, process: Process) -> bool:
        if process.kind == "worker":
            return bool(await self.rows("SELECT 1 FROM delivery_node WHERE name = %s", process.name))
        try:
            answer = await self.call(process, "GET", "/readyz")
        except Exception:
            return False
        return answer[0] == 200

    def log(self, process: Process) -> str:
        return (self.folder / f"{process.kind}-{process.port}.log").read_text(errors="replace")[-3_000:]

    def ended_by_themselves(self) -> list[str]:
        return [self.log(process) for process in self.processes if process.popen.poll() is not None]

    # calls

    async def call(
        self, process: Process, method: str, path: str, body: Any = None, *, token: str = "", seconds: float = 10
    ) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {token or self.admin}", "content-type": "application/json"}
        raw = b"" if body is None else json.dumps(body).encode()
        async with asyncio.timeout(seconds):
            call = self.client.request(method, f"http://127.0.0.1:{process.port}{path}").headers(headers)
            answer = await call.body_bytes(raw).build().send()
            content = (await answer.bytes()).to_bytes()
        is_json = "json" in (answer.headers.get("content-type") or "")
        return answer.status, json.loads(content) if is_json and content else content

    async def set_up(self, through: Process, *logins: str) -> None:
        """The channel on, a webhook for each of these people, a source."""

        async def must(method: str, path: str, body: Any) -> Any:
            status, answer = await self.call(through, method, f"/api/v1{path}", body)
            assert status < 300, (method, path, status, answer)
            return answer

        await must("PUT", "/channels/webhook", {"enabled": True, "settings": {}})
        for login in logins:
            await must("PUT", f"/users/{login}", {"name": login.title()})
            webhook = {"url": self.receiver.url(f"/{login}"), "secret": SECRET}
            await must("PUT", f"/users/{login}/notification-settings", {"methods": ["webhook"], "webhook": webhook})
        self.token = (await must("POST", "/sources", {"name": "dms"}))["token"]

    # what is there

    async def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Asked until the database answers."""
        async with asyncio.timeout(START_WITHIN):
            while True:
                try:
                    connection = await connect(self.url, name="stage")
                    try:
                        return await (await connection.execute(query, values)).fetchall()
                    finally:
                        await connection.close()
                except psycopg.OperationalError:
                    await asyncio.sleep(0.05)

    async def states(self) -> Counter[str]:
        rows = await self.rows("SELECT state, count(*) FROM delivery_delivery GROUP BY state")
        return Counter(dict(rows))

    async def over(self, within: float) -> None:
        """Wait until nothing is on its way any more."""
        try:
            async with asyncio.timeout(within):
                while (states := await self.states())["pending"] + states["sending"]:
                    await asyncio.sleep(0.3)
        except TimeoutError:
            raise AssertionError(f"still on their way: {await self.states()}") from None

    async def ledger(self) -> dict[str, Any]:
        """What `tidings check --ledger` says."""
        command = [sys.executable, "-m", "tidings.cli.main", "check", "--ledger", "--json"]
        process = await asyncio.create_subprocess_exec(
            *command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        said, complaint = await process.communicate()
        assert process.returncode == 0, (said, complaint)
        return dict(json.loads(said))

    def repeats(self) -> Counter[str]:
        """How often more than once each message arrived."""
        return Counter({identity: times - 1 for identity, times in self.arrivals().items() if times > 1})

    def arrivals(self) -> Counter[str]:
        """By webhook-id, whoever it was for."""
        return Counter(one.identity for one in self.receiver.arrivals)

    async def sent(self) -> dict[str, UUID]:
        """The webhook-id of each delivery that was sent, and the event it is about."""
        rows = await self.rows("SELECT id FROM delivery_delivery WHERE state = 'sent'")
        return {f"msg_{row[0].hex}": UUID(int=row[0].int >> 20 << 20) for row in rows}


def _new_folder() -> Path:
    """Not below a folder of mode 0700: PostgreSQL runs as a user of its own when this is root."""
    folder = Path(tempfile.mkdtemp(prefix="tidings-fault-", dir="/tmp")).resolve()
    folder.chmod(0o755)
    return folder


@asynccontextmanager
async def installation() -> AsyncIterator[Installation]:
    """An empty one: no process yet, but the database is up, and stays as long as this lasts."""
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
    postgres = await asyncio.to_thread(start, folder / "data")
    try:
        async with WebhookReceiver(SECRET) as receiver, ClientBuilder().no_proxy().build() as client:
            stage = Installation(folder, environment, postgres.url, receiver, client, admin)
            try:
                yield stage
            finally:
                for process in stage.processes:
                    process.popen.kill()
                    process.popen.wait()
    finally:
        await asyncio.to_thread(postgres.release)
        shutil.rmtree(folder, ignore_errors=True)
