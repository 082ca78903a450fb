"""Who has a page open hears that there is something new, wherever it came in; never what, and nobody else."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.delivery.given import event
from tests.scenarios.stage import WEB, WORKER, Running, Stage, in_django

from tidings.accounts.live_key import HOLDS, live_key
from tidings.channels.testing.webhook_receiver import Reply
from tidings.node import live


@dataclass
class Page:
    """What an EventSource makes of the stream."""

    reader: asyncio.StreamReader
    status: int
    raw: bytes = b""
    events: list[str] = field(default_factory=list)
    comments: int = 0
    ended: bool = False

    async def listen(self) -> None:
        with suppress(ConnectionError):
            while line := await self.reader.readline():
                self.raw += line
                if line.startswith(b"event: "):
                    self.events.append(line[7:].strip().decode())
                self.comments += line == b":\n"
                if line == b"0\r\n":
                    break
        self.ended = True

    async def hears(self, *events: str, within: float = 4.0) -> None:
        async with asyncio.timeout(within):
            while not set(events) <= set(self.events):
                await asyncio.sleep(0.02)


async def key_of(stage: Stage, login: str, ago: timedelta = timedelta()) -> str:
    return await in_django(lambda: live_key(stage.organisation.caller(login), datetime.now(UTC) - ago))


@asynccontextmanager
async def opened(at: Running, key: str) -> AsyncIterator[Page]:
    reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
    writer.write(f"GET /live?key={key} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode())
    status = int((await reader.readline()).split()[1])
    page = Page(reader, status)
    while (line := await reader.readline()) != b"\r\n":
        page.raw += line.lower()
    listening = asyncio.create_task(page.listen())
    try:
        yield page
    finally:
        listening.cancel()
        writer.close()


async def open_streams(at: Running, count: int) -> None:
    async with asyncio.timeout(3):
        while at.node.live.streams != count:
            await asyncio.sleep(0.01)


async def settle(at: Running) -> None:
    """Past the first look, which is about what came before."""
    await asyncio.sleep(2 * live.LOOK_EVERY + 0.1)


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_EVERY", 0.1)


async def test_an_open_page_hears_of_a_new_inbox_item_and_says_nothing_of_it(stage: Stage) -> None:
    [node] = stage.nodes
    async with opened(node, await key_of(stage, "ann")) as ann, opened(node, await key_of(stage, "bo")) as bo:
        assert ann.status == 200
        assert b"content-type: text/event-stream" in ann.raw and b"cache-control: no-store" in ann.raw
        await settle(node)
        assert (ann.events, bo.events) == ([], [])
        # when
        await stage.post(event(to="ann", subject="secret-88123"))
        # then
        await ann.hears("inbox")
        await settle(node)
        assert set(ann.events) == {"inbox"} and bo.events == []
        assert b"secret" not in ann.raw and b"retry: " in ann.raw


async def test_who_sees_all_hears_of_every_event_and_of_what_became_of_its_deliveries(stage: Stage) -> None:
    [node] = stage.nodes
    stage.answers("ann", Reply(after=1.0))
    async with opened(node, await key_of(stage, "carol")) as carol:
        await settle(node)
        await stage.post(event(to="ann"))
        await carol.hears("activity")
        await settle(node)
        first = len(carol.events)
        # the answer of the receiver, after a second, is counted two seconds later at most
        await stage.over()
        async with asyncio.timeout(4):
            while len(carol.events) == first:
                await asyncio.sleep(0.02)
        assert set(carol.events) == {"activity"}


async def test_it_does_not_matter_which_node_took_the_event(empty_stage: Stage) -> None:
    stage = empty_stage
    await stage.reachable("ann")
    one, other = await stage.start(WEB), await stage.start(WEB)
    await stage.start(WORKER)
    async with opened(one, await key_of(stage, "ann")) as ann, opened(one, await key_of(stage, "root")) as root:
        await settle(one)
        await stage.post(event(to="ann"), at=other)
        await ann.hears("inbox")
        await root.hears("activity")


async def test_another_organisation_hears_nothing(stage: Stage, other_organisation: Any) -> None:
    [node] = stage.nodes
    key = await in_django(lambda: live_key(other_organisation.caller("mallory"), datetime.now(UTC)))
    async with opened(node, key) as mallory, opened(node, await key_of(stage, "root")) as root:
        await settle(node)
        await stage.post(event(to="ann"))
        await root.hears("activity")
        await settle(node)
        assert mallory.events == []


async def test_what_came_while_nobody_listened_is_told_when_the_page_comes_back(stage: Stage) -> None:
    [node] = stage.nodes
    key = await key_of(stage, "ann")
    await stage.post(event(to="ann"))
    async with opened(node, key) as ann:
        await ann.hears("inbox")
    # A page that was loaded after it hears nothing.
    await asyncio.sleep(0.1)
    await stage.database.execute(
        "UPDATE events_recipient SET id = ('01900000' || substr(id::text, 9))::uuid WHERE person_id = %s",
        (stage.organisation.people["ann"].id,),
    )
    async with opened(node, await key_of(stage, "ann")) as ann:
        await settle(node)
        assert ann.events == []


async def test_a_storm_is_one_ping_a_look(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_EVERY", 1.0)
    [node] = stage.nodes
    async with opened(node, await key_of(stage, "ann")) as ann:
        await asyncio.sleep(1.2)
        began = time.monotonic()
        for _ in range(10):
            await stage.post(*(event(to="ann") for _ in range(30)))
        await ann.hears("inbox")
        await asyncio.sleep(1.5)
        assert 1 <= len(ann.events) <= 2 + (time.monotonic() - began) / live.LOOK_EVERY


async def test_a_silent_stream_beats_so_that_no_proxy_ends_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT", 0.2)
    async with opened(stage.nodes[0], await key_of(stage, "ann")) as ann:
        await asyncio.sleep(0.9)
        assert ann.comments >= 3 and ann.events == []


async def test_while_nobody_watches_nothing_is_asked_of_the_database(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LINGER", 0.3)
    [node] = stage.nodes
    connections = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tidings live'"
    assert await stage.value(connections) == 0
    async with opened(node, await key_of(stage, "ann")):
        await settle(node)
        assert await stage.value(connections) == 1
    await open_streams(node, 0)
    async with asyncio.timeout(5):
        while await stage.value(connections):
            await asyncio.sleep(0.05)
    # and it begins anew for the next
    async with opened(node, await key_of(stage, "ann")) as ann:
        await settle(node)
        await stage.post(event(to="ann"))
        await ann.hears("inbox")


async def test_a_person_and_a_node_have_so_many_streams_and_no_more(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    [node] = stage.nodes
    monkeypatch.setattr(live, "PER_PERSON", 2)
    monkeypatch.setattr(live, "PER_NODE", 3)
    ann, bo, dan = [await key_of(stage, login) for login in ("ann", "bo", "dan")]
    async with opened(node, ann), opened(node, ann) as second, opened(node, ann) as third:
        assert (second.status, third.status) == (200, 429)
        async with opened(node, bo) as other, opened(node, dan) as one_too_many:
            assert (other.status, one_too_many.status) == (200, 429)
    # who leaves makes room
    await open_streams(node, 0)
    async with opened(node, ann) as again:
        assert again.status == 200


async def test_a_key_that_is_over_or_not_ours_opens_nothing(stage: Stage) -> None:
    [node] = stage.nodes
    for key in ("", "nonsense", await key_of(stage, "ann", ago=HOLDS)):
        answer = await stage.send("GET", f"/live?key={key}", token="")
        assert (answer.status, answer.body["code"]) == (401, "live_key_refused")
    assert (await stage.send("POST", f"/live?key={await key_of(stage, 'ann')}", token="")).status == 405
    assert node.node.live.streams == 0


async def test_a_stream_ends_with_its_key(stage: Stage) -> None:
    async with opened(stage.nodes[0], await key_of(stage, "ann", ago=HOLDS - timedelta(seconds=1.5))) as ann:
        assert ann.status == 200
        async with asyncio.timeout(4):
            while not ann.ended:
                await asyncio.sleep(0.02)


async def test_open_streams_keep_no_node_from_stopping(stage: Stage) -> None:
    running = stage.nodes.pop()
    async with opened(running, await key_of(stage, "ann")) as ann, opened(running, await key_of(stage, "root")) as root:
        await settle(running)
        began = time.monotonic()
        await running.stop()
        assert time.monotonic() - began < 3
        async with asyncio.timeout(2):
            while not (ann.ended and root.ended):
                await asyncio.sleep(0.02)


async def test_a_reader_that_does_not_read_is_dropped(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PATIENCE", 0.3)
    [node] = stage.nodes
    sent: list[Any] = []
    never = asyncio.Event()

    async def send(message: Any) -> None:
        """As a server does whose buffers are full."""
        sent.append(message)
        if len(sent) > 2:
            await never.wait()

    async def receive() -> Any:
        await never.wait()

    scope = {"type": "http", "query_string": f"key={await key_of(stage, 'ann')}".encode()}
    serving = asyncio.create_task(node.node.live.serve(scope, receive, send))
    await open_streams(node, 1)
    await settle(node)
    await stage.post(event(to="ann"))
    async with asyncio.timeout(5):
        await serving
    assert node.node.live.streams == 0


async def test_it_goes_on_when_the_database_was_away(stage: Stage) -> None:
    [node] = stage.nodes
    async with opened(node, await key_of(stage, "ann")) as ann:
        await settle(node)
        await stage.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tidings live'"
        )
        await stage.post(event(to="ann"))
        await ann.hears("inbox")
