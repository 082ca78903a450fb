"""The database's disk fills up under load, and then there is room again."""

import asyncio
import os
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

from faults.load import Load
from faults.scenario import Run, scenario
from faults.stage import Process, mount_disk, unmount_disk

DISK = 256
LEFT = 16
"""Megabytes: PostgreSQL writes its log of changes in files of so many, and a new one has to fit."""
FULL_FOR = 20.0
FULL_WITHIN = 120.0
LARGE = "x" * 8_000
SAYS = "disk is full"


@cache
def no_small_disk() -> str:
    """Why this machine cannot be given one."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            mount_disk(Path(folder) / "disk", 1)
        except (OSError, subprocess.CalledProcessError):
            return "a small file system has to be mounted, as root: a tmpfs"
        unmount_disk(Path(folder) / "disk")
    return ""


@scenario(disk=DISK, lacks=no_small_disk)
async def disk_full(run: Run) -> None:
    """The disk of the embedded PostgreSQL fills up under load, for 20 s. Senders hear why and when to come again, so do
    the log and /readyz; with room on the disk all goes on by itself."""
    serve, *_ = await run.start("serve", "worker")
    folder = run.stage.cluster.parents[1]
    async with run.load() as load:
        await asyncio.sleep(2)
        full = asyncio.Event()
        filling = asyncio.create_task(_fill(load, full))
        ballast = _leave(folder, LEFT)
        heard = await _heard(run, serve, SAYS)
        run.stage.faults["disk full"] += 1
        await asyncio.sleep(FULL_FOR)
        ballast.unlink()
        full.set()
        await run.stage.ready(serve)
        await filling
        await asyncio.sleep(2)
    assert heard, "neither /readyz nor the log said that the disk is full"


def _leave(folder: Path, megabytes: int) -> Path:
    """A file that takes all but so much of the disk."""
    disk, ballast = os.statvfs(folder), folder / "ballast"
    with ballast.open("wb") as file:
        for _ in range(disk.f_bavail * disk.f_frsize // 2**20 - megabytes):
            file.write(bytes(2**20))
    return ballast


async def _fill(load: Load, enough: asyncio.Event) -> None:
    """Large events, beside the usual ones."""
    while not enough.is_set():
        await load.batch([load.event() | {"details": {"comment": LARGE}} for _ in range(20)])


async def _heard(run: Run, node: Process, words: str) -> bool:
    """Wait until the node says so when it is asked whether it is ready; whether its log does too."""
    until = time.monotonic() + FULL_WITHIN
    while time.monotonic() < until:
        status, answer = await run.stage.call(node, "GET", "/readyz")
        if status == 503 and words in answer["detail"]:
            return words in run.stage.log(node) or "No space left" in run.stage.log(node)
        await asyncio.sleep(0.3)
    return False
