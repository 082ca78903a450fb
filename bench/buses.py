"""`make bench ARGS=--buses`: from a real broker to durable, one node that only accepts.

Redis Streams, since its broker takes least of the machine; the node's own work is nearly the same for each kind.
"""

import asyncio
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg

from bench.load import event
from bench.stage import Stage, folder, free_port

EVENTS, PATIENCE = 20_000, 300.0
FILE = """
[[bus]]
name = "bench"
kind = "redis"
url = "{url}"
stream = "bench"
source = "bench"
"""


def run() -> int:
    if not shutil.which("redis-server"):
        print("redis-server is not installed (Debian: redis-server)")
        return 3
    with folder() as path:
        port = free_port()
        url = f"redis://127.0.0.1:{port}/0"
        command = [
            "redis-server",
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(path),
            "--appendonly",
            "yes",
        ]
        broker = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            print(json.dumps(_measured(path, url)))
        finally:
            broker.terminate()
            broker.wait()
    return 0


def _measured(path: Path, url: str) -> dict[str, Any]:
    buses = path / "buses.toml"
    buses.write_text(FILE.format(url=url))
    environment = {"TIDINGS_BUSES": str(buses)}
    with (
        Stage(path, "web", environment=environment) as stage,
        psycopg.connect(stage.database_url, autocommit=True) as database,
    ):
        asyncio.run(_publish(url, 0, 500))
        _await(database, 500)  # the node has found its source, and its plans
        cpu, began = stage.cpu_seconds(), time.monotonic()
        asyncio.run(_publish(url, 500, EVENTS))
        _await(database, 500 + EVENTS)
        took, after = time.monotonic() - began, stage.cpu_seconds()
    spent = {f"{who}_us_an_event": round((after[who] - cpu[who]) / EVENTS * 1e6) for who in ("node", "postgres")}
    return {"events": EVENTS, "seconds": round(took, 2), "events_a_second": round(EVENTS / took), **spent}


def _await(database: "psycopg.Connection[Any]", count: int) -> None:
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        row = database.execute("SELECT count(*) FROM events_event").fetchone()
        if row and row[0] >= count:
            return
        time.sleep(0.05)
    raise SystemExit(f"not all of {count:,} events came out of the bus")


async def _publish(url: str, first: int, count: int) -> None:
    from redis.asyncio import Redis

    async with Redis.from_url(url, protocol=2) as client, client.pipeline(transaction=False) as pipe:
        for number in range(first, first + count):
            pipe.xadd("bench", {"data": event(number)})
        await pipe.execute()
