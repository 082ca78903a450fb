"""`tidings secrets rotate` and `retire`, as an operator runs them beside a node that serves."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.api.given import aside
from tests.cli.conftest import COMMAND, Tidings, shell
from tests.delivery.given import SECRET

from tidings.channels.testing.webhook_receiver import WebhookReceiver

ADMIN = "tdg_" + "r" * 43
OLD, NEW = "o" * 40, "n" * 40


@contextmanager
def serving(environment: dict[str, str]) -> Iterator[str]:
    """The address of a node that runs meanwhile."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # What it says goes to a file: nobody reads a pipe meanwhile.
    with tempfile.TemporaryFile("w+") as log:
        node = subprocess.Popen([*COMMAND, "serve", "--port", str(port)], env=environment, stderr=log)
        try:
            while True:
                log.seek(0)
                said = log.read()
                assert node.poll() is None, said
                if "Tidings is ready" in said:
                    break
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            node.send_signal(signal.SIGTERM)
            try:
                assert node.wait(30) == 0
            finally:
                node.kill()


def call(base: str, method: str, path: str, body: Any = None) -> Any:
    request = urllib.request.Request(
        f"{base}/api/v1{path}", method=method, data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {ADMIN}", "Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read() or b"null")


def set_up(base: str, receiver: Any) -> None:
    """A secret of the organisation, and one of a person."""
    mail = {"host": "mail.example.com", "port": 587, "security": "starttls", "from": "a@example.com",
            "username": "u", "password": "hunter2 of the mail server"}  # fmt: skip
    call(base, "PUT", "/channels/email", {"enabled": False, "settings": mail})
    call(base, "PUT", "/channels/webhook", {"enabled": True, "settings": {}})
    hook = {"url": f"http://127.0.0.1:{receiver.port}/admin", "secret": SECRET}
    call(base, "PUT", "/users/admin/notification-settings", {"methods": ["webhook"], "webhook": hook})


def is_told(base: str, receiver: Any) -> bool:
    """Whether one more message comes, signed with the person's secret."""
    before = len(receiver.arrivals)
    outcome = call(base, "POST", "/channels/webhook/test", {"to": "admin"})["outcome"]
    return outcome == "sent" and len(receiver.arrivals) > before and not receiver.complaints


def live_key(base: str) -> str:
    return str(call(base, "GET", "/me/live")["url"]).rpartition("/")[2]


def listens(base: str, path: str) -> int:
    try:
        with urllib.request.urlopen(f"{base}/{path}", timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


@pytest.fixture
def receiver() -> Iterator[Any]:
    with aside(WebhookReceiver(SECRET)) as server:
        yield server


def test_keys_of_the_operator_are_rotated_beside_a_node(tidings: Tidings, empty_database: str, receiver: Any) -> None:
    def environment(*keys: str) -> dict[str, str]:
        more = {"TIDINGS_ADMIN_TOKEN": ADMIN, "TIDINGS_ALLOWED_NETWORKS": "127.0.0.0/8"}
        return shell(empty_database, TIDINGS_SECRET_KEYS=",".join(keys), **more)

    with serving(environment(OLD)) as base:
        set_up(base, receiver)
        assert is_told(base, receiver)
        link = live_key(base)
    alone = tidings("secrets", "rotate", TIDINGS_SECRET_KEYS=OLD)
    assert (alone.returncode, alone.stdout) == (1, "")
    assert "TIDINGS_SECRET_KEYS=<new>,<old>" in alone.stderr
    both = f"{NEW},{OLD}"
    with serving(environment(NEW, OLD)) as base:
        assert "secrets.older_key" in tidings("check", TIDINGS_SECRET_KEYS=both).stdout
        early = tidings("secrets", "retire", TIDINGS_SECRET_KEYS=both)
        assert (early.returncode, "3 values still need an older key" in early.stderr) == (1, True)
        done = tidings("secrets", "rotate", TIDINGS_SECRET_KEYS=both)
        assert (done.returncode, done.stderr) == (0, "")
        assert "3 values were put under the current key" in done.stdout
        assert is_told(base, receiver)
        assert listens(base, link) == 200
        assert "take them out of TIDINGS_SECRET_KEYS" in tidings("secrets", "retire", TIDINGS_SECRET_KEYS=both).stdout
        assert "secrets.keys_to_retire" in tidings("check", TIDINGS_SECRET_KEYS=both).stdout
    with serving(environment(NEW)) as base:
        assert is_told(base, receiver)
        assert call(base, "GET", "/channels/email")["settings"]["username"] == "u"
        # What was signed under the key that is gone has ended.
        assert listens(base, link) == 401
    found = tidings("check", TIDINGS_SECRET_KEYS=NEW).stdout
    assert "secrets." not in found
    for secret in (OLD, NEW, "hunter2", SECRET):
        assert secret not in "".join((alone.stderr, early.stderr, done.stdout, found))


def test_a_key_of_ours_is_rotated_while_the_node_runs_on(receiver: Any) -> None:
    folder = Path(tempfile.mkdtemp(prefix="tidings-rotate-", dir="/tmp")).resolve()
    folder.chmod(0o755)
    data = folder / "data"
    environment = shell("", TIDINGS_DATA_DIR=str(data), TIDINGS_ADMIN_TOKEN=ADMIN,
                        TIDINGS_ALLOWED_NETWORKS="127.0.0.0/8")  # fmt: skip
    del environment["TIDINGS_SECRET_KEYS"]

    def tidings(*line: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([*COMMAND, *line], env=environment, capture_output=True, text=True, timeout=60)

    key = data / "secret.key"
    try:
        with serving(environment) as base:
            set_up(base, receiver)
            assert is_told(base, receiver)
            link, [first] = live_key(base), key.read_text().split(",")
            done = tidings("secrets", "rotate")
            assert (done.returncode, done.stderr) == (0, "")
            assert "A new key was made" in done.stdout and "3 values were put under the current key" in done.stdout
            new, before = key.read_text().split(",")
            assert (before, new != first, key.stat().st_mode & 0o777) == (first, True, 0o600)
            # The node has noticed: it opens what is under the new key, and seals with it.
            assert is_told(base, receiver)
            assert listens(base, link) == 200
            call(base, "PUT", "/users/admin/notification-settings", {"methods": ["webhook"], "webhook": {
                "url": f"http://127.0.0.1:{receiver.port}/again", "secret": SECRET}})  # fmt: skip
            assert "older keys are gone" in tidings("secrets", "retire").stdout
            assert key.read_text() == new
            assert is_told(base, receiver)
            assert listens(base, link) == 401
            assert "nothing to take away" in tidings("secrets", "retire").stdout
            assert "secrets." not in tidings("check").stdout
            assert sorted(each.name for each in data.iterdir() if each.name.startswith("secret")) == ["secret.key"]
            # And once more: each rotation makes one key.
            tidings("secrets", "rotate")
            assert len(key.read_text().split(",")) == 2
            assert is_told(base, receiver)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_rotation_that_is_killed_loses_nothing_and_makes_one_key(empty_database: str) -> None:
    """At whatever moment: what the rows and the file say fits together, and the next one finishes."""
    environment = shell(empty_database, TIDINGS_SECRET_KEYS=f"{NEW},{OLD}")
    subprocess.run([*COMMAND, "migrate"], env=environment, check=True, capture_output=True, timeout=60)
    subprocess.run([*COMMAND, "tenant", "create", "Acme"], env=environment, check=True, capture_output=True, timeout=60)
    fill = (
        "from tidings.kernel.platform import platform\n"
        "with platform(quiet=True):\n"
        "    from tidings.accounts.models import Tenant\n"
        "    from tidings.channels.models import Memory\n"
        "    from tidings.kernel.secrets import seal\n"
        "    tenant = Tenant.objects.get()\n"
        "    Memory.objects.across_tenants().bulk_create(Memory(tenant=tenant, channel='x', key=str(n), sealed=seal({'value': str(n)}))"
        " for n in range(8000))\n"
    )
    only_old = shell(empty_database, TIDINGS_SECRET_KEYS=OLD)
    subprocess.run([sys.executable, "-c", fill], env=only_old, check=True, capture_output=True, timeout=120)

    def under_new() -> int:
        with psycopg.connect(empty_database) as connection:
            rows = connection.execute("SELECT xmin::text FROM channels_memory").fetchall()
        return len({row[0] for row in rows})

    killed = subprocess.Popen([*COMMAND, "secrets", "rotate"], env=environment, stdout=subprocess.DEVNULL)
    while under_new() < 4 and killed.poll() is None:
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    assert killed.returncode == -signal.SIGKILL, "it was through before it could be killed"
    done = subprocess.run([*COMMAND, "secrets", "rotate"], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    count = int(done.stdout.split(" values")[0].replace(",", ""))
    assert 0 < count < 8_000
    assert os.environ["TIDINGS_SECRET_KEYS"] not in done.stdout
    checked = subprocess.run([*COMMAND, "check"], env=shell(empty_database, TIDINGS_SECRET_KEYS=NEW),
                             capture_output=True, text=True, timeout=60)  # fmt: skip
    assert "secrets." not in checked.stdout
