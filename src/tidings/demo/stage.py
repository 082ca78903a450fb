"""The parts of the demo: Tidings itself as a process of its own, and the local receivers its messages go to."""

import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tidings.channels.testing.smtp_server import GREYLISTED, OK, MailServer, Step
from tidings.channels.testing.webhook_receiver import Reply, WebhookReceiver
from tidings.demo.organisation import DOMAIN, PEOPLE, RESOURCES, RULES

GONE = Step("550 5.1.1 The email account that you tried to reach does not exist")
BUSY = Reply(503, b"busy", {"retry-after": "1"})
# Some receivers misbehave on purpose; what comes of it shows in the records.
MAILBOXES: Mapping[str, Sequence[Step]] = {f"aisha.khan@{DOMAIN}": (GREYLISTED, OK), f"oscar.vega@{DOMAIN}": (GONE,)}
HOOKS: Mapping[str, Sequence[Reply]] = {
    "/tom.becker": (BUSY, BUSY, Reply()),
    "/felix.braun": (Reply(429, b"slow down", {"retry-after": "1"}), Reply()),
    "/noor.jansen": (Reply(410, b"this hook was removed"),),
    "/lucas.silva": (Reply(after=0.8),),
}


class ApiError(Exception):
    """The API refused; the text is its own."""


class Api:
    """A client as a platform would write it in ten lines."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url, token

    async def __call__(self, method: str, path: str, content: Any = None, **headers: str) -> Any:
        return await asyncio.to_thread(self._call, method, path, content, headers)

    def _call(self, method: str, path: str, content: Any, headers: Mapping[str, str]) -> Any:
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{self.url}/api/v1{path}",
            method=method,
            data=None if content is None else json.dumps(content).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise ApiError(error.read().decode()) from None


class Stage:
    def __init__(self, folder: Path, port: int, mail: MailServer, hooks: WebhookReceiver, hook_secret: str) -> None:
        self.folder, self.mail, self.hooks, self._hook_secret = folder, mail, hooks, hook_secret
        self.api = Api(f"http://127.0.0.1:{_free(port)}", f"tdg_{secrets.token_urlsafe(32)}")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")} | {
            "TIDINGS_DATA_DIR": str(folder / "data"),
            "TIDINGS_ADMIN_TOKEN": self.api.token,
            "TIDINGS_ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
            "TIDINGS_BASE_URL": self.api.url,
            "TIDINGS_RETRY_SCHEDULE": "1,2,4,8",
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "tidings.cli.main", *arguments]

    async def start(self) -> None:
        port = self.api.url.rsplit(":", 1)[1]
        log = (self.folder / "serve.log").open("w")
        # In a session of its own: Ctrl-C is ours to handle, so that it stops last and whole.
        self._serve = subprocess.Popen(
            self.command("serve", "--port", port), env=self.environment, stderr=log, start_new_session=True
        )
        for _ in range(600):
            if self._serve.poll() is not None:
                raise SystemExit((self.folder / "serve.log").read_text())
            try:
                with urllib.request.urlopen(f"{self.api.url}/readyz", timeout=2):  # noqa: ASYNC210, S310 - nothing else runs yet
                    return
            except OSError:
                await asyncio.sleep(0.1)
        raise SystemExit("tidings serve did not become ready")

    def stop(self) -> None:
        self._serve.send_signal(signal.SIGTERM)
        try:
            self._serve.wait(60)
        except subprocess.TimeoutExpired:
            self._serve.kill()

    async def furnish(self) -> None:
        """The organisation, through the public API and nothing else."""
        smtp = {"host": self.mail.host, "port": self.mail.port, "security": "none", "from": f"DMS <dms@{DOMAIN}>"}
        await self.api("PUT", "/channels/email", {"enabled": True, "settings": smtp})
        await self.api("PUT", "/channels/webhook", {"enabled": True, "settings": {}})
        for one in PEOPLE:
            person = {"name": one.name, "email": one.email, "roles": list(one.roles), "language": one.language}
            await self.api("PUT", f"/users/{one.login}", {**person, "timezone": one.timezone})
            settings: dict[str, Any] = {"methods": list(one.methods)}
            if "webhook" in one.methods:
                settings["webhook"] = {"url": self.hooks.url(f"/{one.login}"), "secret": self._hook_secret}
            await self.api("PUT", f"/users/{one.login}/notification-settings", settings)
        for path, holders in RESOURCES.items():
            await self.api("PUT", path, holders)
        for one in PEOPLE:
            if not one.active:
                await self.api("PUT", f"/users/{one.login}", {"active": False})
        for event_type, change in RULES.items():
            rule = await self.api("GET", f"/rules/{event_type}")
            await self.api("PATCH", f"/rules/{event_type}", {**change, "version": rule["version"]})
        self.source = Api(self.api.url, (await self.api("POST", "/sources", {"name": "dms-prod"}))["token"])


@asynccontextmanager
async def staged(folder: Path, port: int) -> AsyncIterator[Stage]:
    """Everything running; nothing of it is left behind."""
    hook_secret = "whsec_" + b64encode(secrets.token_bytes(32)).decode()
    async with MailServer(script=MAILBOXES) as mail, WebhookReceiver(hook_secret, script=HOOKS) as hooks:
        stage = Stage(folder, port, mail, hooks, hook_secret)
        try:
            await stage.start()
            yield stage
        finally:
            await asyncio.to_thread(stage.stop)


def _free(port: int) -> int:
    """This port, or any that is free when it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
