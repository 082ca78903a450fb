"""A network of packets between this machine and a process in a network of its own, which can be made to lose them all.
What a proxy takes it acknowledges; here nobody does, as where a cable is pulled."""

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache

from psycopg.conninfo import conninfo_to_dict

from faults.stage import ROOT

_PROBE = "ip link add tdgprobe type veth peer name tdgprobe2"


@cache
def no_cable() -> str:
    """Why this machine has none."""
    try:
        subprocess.run(["unshare", "-n", "sh", "-c", _PROBE], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return "networks have to be made, as root: unshare, ip (apt-get install iproute2), veth"
    return ""


@dataclass
class Cable:
    """`url` leads to the database over it."""

    url: str
    near: str
    pid: int

    def pull(self) -> None:
        """What is sent arrives, and no packet comes back: neither an answer nor an acknowledgement."""
        self._there("ip", "route", "add", "blackhole", f"{self.near}/32")

    def mend(self) -> None:
        self._there("ip", "route", "del", "blackhole", f"{self.near}/32")

    def _there(self, *command: str) -> None:
        _run("nsenter", "-t", str(self.pid), "-n", *command)


@asynccontextmanager
async def cable_to_database(url: str) -> AsyncIterator[Cable]:
    """The network goes with the process in it."""
    parts, subnet, name = conninfo_to_dict(url), secrets.randbelow(250), f"tdg{os.getpid() % 100_000}"
    near, far = f"10.213.{subnet}.1", f"10.213.{subnet}.2"
    command = ["unshare", "-n", sys.executable, "-m", "faults.proxy", url]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        port = int(await process.stdout.readline())
        _run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(process.pid))
        _run("ip", "addr", "add", f"{near}/30", "dev", name)
        _run("ip", "link", "set", name, "up")
        way = f"{far}:{port}/{parts['dbname']}?sslmode=disable&gssencmode=disable"
        cable = Cable(f"postgresql://{parts['user']}@{way}", near, process.pid)
        cable._there("ip", "addr", "add", f"{far}/30", "dev", "eth0")
        cable._there("ip", "link", "set", "eth0", "up")
        yield cable
    finally:
        process.kill()
        await process.wait()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
