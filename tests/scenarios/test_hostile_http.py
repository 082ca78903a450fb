"""What strangers do to a port that is open to a network: each is one clear answer and a connection that ends, and nobody
else waits for it."""

import asyncio
import gzip
import json
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from tests.delivery.given import event
from tests.scenarios.stage import WEB, Stage, in_django

from tidings.node.connection import Limits, limits_here

QUICK = Limits(head=0.5, silence=0.5, request=1.5)
PATIENT = Limits(head=3, silence=3, request=30)
"""For what is not about time, on a busy machine."""
PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Heard:
    """One answer of a connection."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> Any:
        assert self.headers["content-type"] == PROBLEM, self
        return json.loads(self.body)


class Line:
    """A connection of bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def says(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            with suppress(ConnectionError):
                await self.writer.drain()

    async def hears(self, within: float = 15) -> Heard:
        async with asyncio.timeout(within):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await self.reader.readexactly(int(headers.get("content-length", 0)))
            if headers.get("transfer-encoding") == "chunked":
                while size := int(await self.reader.readline(), 16):
                    body += (await self.reader.readexactly(size + 2))[:-2]
                await self.reader.readline()
        return Heard(int(first.split()[1]), headers, body)

    async def ended(self, within: float = 15) -> bool:
        """Whether the other side hangs up, and says no more before."""
        try:
            return await asyncio.wait_for(self.reader.read(1), within) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    async def all(self, within: float = 15) -> bytes:
        """Everything until the end."""
        heard = b""
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(within):
                while piece := await self.reader.read(65_536):
                    heard += piece
        return heard


@pytest.fixture
async def node(empty_stage: Stage) -> Stage:
    await empty_stage.start(WEB, limits=PATIENT)
    return empty_stage


@pytest.fixture
async def hasty(empty_stage: Stage) -> Stage:
    await empty_stage.start(WEB, limits=QUICK)
    return empty_stage


async def call(stage: Stage) -> Line:
    return Line(*await asyncio.open_connection("127.0.0.1", stage.nodes[0].port))


async def ask(stage: Stage, *pieces: bytes) -> Heard:
    line = await call(stage)
    try:
        await line.says(*pieces)
        return await line.hears()
    finally:
        line.writer.close()


def post(stage: Stage, *lines: bytes) -> bytes:
    token = stage.token.encode()
    head = (b"POST /api/v1/events HTTP/1.1", b"Host: x", b"Authorization: Bearer " + token, *lines)
    return b"\r\n".join([*head, b"", b""])


def body(**changes: Any) -> bytes:
    return json.dumps(event(**changes)).encode()


async def alive(stage: Stage) -> None:
    """Everyone else is served meanwhile."""
    async with asyncio.timeout(10):
        assert (await stage.send("POST", "/api/v1/events", event())).status == 202


# slowness


async def test_a_head_that_comes_slowly_ends(hasty: Stage) -> None:
    line = await call(hasty)
    await line.says(b"POST /api/v1/events HTTP/1.1\r\n")
    for _ in range(4):
        await asyncio.sleep(0.15)
        await line.says(b"X-A: b\r\n")
    heard = await line.hears()
    assert (heard.status, heard.problem["code"]) == (408, "request_timeout")
    assert await line.ended()


async def test_who_says_nothing_is_hung_up_on(hasty: Stage) -> None:
    line = await call(hasty)
    assert await line.ended()


async def test_who_says_nothing_but_line_ends_is_hung_up_on(hasty: Stage) -> None:
    line = await call(hasty)
    await line.says(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await line.hears()).status == 200

    async def drip() -> None:
        while True:
            await line.says(b"\r\n")
            await asyncio.sleep(0.1)

    dripping = asyncio.create_task(drip())
    assert await line.ended()
    dripping.cancel()


@pytest.mark.parametrize("path", [b"/api/v1/events", b"/api/v1/events/batch", b"/api/v1/users/amy", b"/nowhere"])
async def test_a_body_that_stops_coming_ends(hasty: Stage, path: bytes) -> None:
    line = await call(hasty)
    await line.says(post(hasty, b"Content-Length: 100").replace(b"/api/v1/events", path), b'{"id"')
    heard = await line.hears()
    assert (heard.status, heard.problem["code"]) == (408, "request_timeout")
    assert await line.ended()
    await alive(hasty)


async def test_a_body_that_drips_for_ever_ends(hasty: Stage) -> None:
    line = await call(hasty)
    await line.says(post(hasty, b"Transfer-Encoding: chunked"))

    async def drip() -> None:
        while True:
            await line.says(b"1\r\n \r\n")
            await asyncio.sleep(0.1)

    dripping = asyncio.create_task(drip())
    heard = await line.hears()
    dripping.cancel()
    assert heard.status == 408


async def test_the_answer_that_is_due_comes_before_a_next_request_that_does_not(hasty: Stage) -> None:
    """A call that waits for the database, and half of another behind it on the same connection."""
    content = body()
    async with hasty.database.transaction():
        await hasty.database.execute("LOCK events_event IN ACCESS EXCLUSIVE MODE")
        line = await call(hasty)
        await line.says(post(hasty, b"Content-Length: %d" % len(content)) + content + b"GET /healthz HT")
        await asyncio.sleep(1.5)
    assert [(await line.hears()).status, (await line.hears()).status] == [202, 408]


async def test_a_body_in_many_pieces_is_no_slow_one(node: Stage) -> None:
    content = body(details={"comment": "x" * 2_000})
    line = await call(node)
    await line.says(post(node, b"Content-Length: %d" % len(content)))
    for at in range(0, len(content), 200):
        await asyncio.sleep(0.05)
        await line.says(content[at : at + 200])
    assert (await line.hears()).status == 202


async def test_who_does_not_read_the_answer_holds_nobody_up(node: Stage) -> None:
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
    door.connect(("127.0.0.1", node.nodes[0].port))
    door.sendall(b"GET /api/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
    await alive(node)
    door.close()


async def test_hundreds_who_wait_keep_nobody_out(hasty: Stage) -> None:
    lines = await asyncio.gather(*(call(hasty) for _ in range(300)))
    await asyncio.gather(*(line.says(b"POST /api/v1/events HTTP/1.1\r\n") for line in lines))
    await alive(hasty)
    # On a busy machine some have said nothing in time, and are hung up on.
    heard = await asyncio.gather(*(line.all() for line in lines))
    assert all(each.startswith(b"HTTP/1.1 408 ") or not each for each in heard)
    assert all(line.reader.at_eof() or line.reader.exception() for line in lines)


async def test_more_connections_than_there_may_be_are_told_so(empty_stage: Stage) -> None:
    await empty_stage.start(WEB, limits=Limits(connections=5, head=2.0))
    lines = [await call(empty_stage) for _ in range(5)]
    heard = await (await call(empty_stage)).hears()
    assert (heard.status, heard.problem["code"]) == (503, "too_many_connections")
    assert all([await line.ended() for line in lines])
    await alive(empty_stage)


def test_some_files_are_kept_for_what_else_a_node_opens() -> None:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 0 < limits_here().connections <= 10_000
    assert limits_here().connections <= 0.76 * max(soft, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


# size


@pytest.mark.parametrize(
    "start", [b"GET /api/v1/users?", b"GET /healthz HTTP/1.1\r\nX-A: ", b"GET /healthz HTTP/1.1\r\nX-", b"G"]
)
async def test_a_head_without_an_end_is_cut_off(node: Stage, start: bytes) -> None:
    line = await call(node)
    sending = asyncio.create_task(line.says(start, *[b"a" * 16_384] * 2_000))
    heard = await line.all()
    sending.cancel()
    # Whoever is still sending when the other side hangs up may not hear why.
    assert not heard or heard.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))
    assert line.reader.at_eof() or line.reader.exception()
    await alive(node)


async def test_a_head_that_is_a_little_too_large_hears_it(node: Stage) -> None:
    line = await call(node)
    for _ in range(9):
        await line.says(b"" if _ else b"GET /healthz HTTP/1.1\r\n", b"X-A: " + b"a" * 8_000 + b"\r\n")
        await asyncio.sleep(0.01)
    heard = await line.hears()
    assert (heard.status, heard.problem["code"]) == (431, "head_too_large")


async def test_many_small_headers_are_no_way_around_it(node: Stage) -> None:
    line = await call(node)
    await line.says(b"GET /healthz HTTP/1.1\r\n")
    for _ in range(40):
        await line.says(b"A:b\r\n" * 1_000)
        await asyncio.sleep(0)
    assert (await line.all()).startswith((b"HTTP/1.1 431 ", b""))
    await alive(node)


async def test_a_long_url_is_one_answer(node: Stage) -> None:
    token = await in_django(lambda: node.organisation.token("root"))
    for length in (8_000, 60_000):
        for path in (b"/api/v1/users/" + b"a" * length, b"/api/v1/users?q=" + b"a" * length, b"/" + b"a" * length):
            head = b"GET %b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n" % (path, token.encode())
            heard = await ask(node, head)
            assert heard.status in (404, 414, 422, 431)
            assert heard.problem["status"] == heard.status


# compression, lengths


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "deflate, gzip", "br", "x"])
async def test_a_compressed_body_is_not_opened(node: Stage, encoding: str) -> None:
    bomb = gzip.compress(b"[" + b"0," * 5_000_000)
    for path in ("/api/v1/events", "/api/v1/events/batch", "/api/v1/preview"):
        answer = await node.send("POST", path, bomb, **{"content-encoding": encoding})
        assert (answer.status, answer.body["code"]) == (415, "unsupported_media_type")
    assert (await node.send("PUT", "/api/v1/users/amy", b"{}", **{"content-encoding": encoding})).status == 415
    assert (await node.send("POST", "/api/v1/events", event(), **{"content-encoding": "identity"})).status == 202


async def test_chunks_with_extensions_and_trailers_are_read(node: Stage) -> None:
    content = body()
    framed = b'%x;name="a b"\r\n%b\r\n0\r\nX-Trailer: Authorization: Bearer x\r\n\r\n' % (len(content), content)
    assert (await ask(node, post(node, b"Transfer-Encoding: chunked"), framed)).status == 202


async def test_a_length_that_is_none_is_refused(node: Stage) -> None:
    for size in [b"-1", b"+5", b"0x5", b"5 5", b"", b"1e1", b"99999999999999999999999", b"five"]:
        heard = await ask(node, post(node, b"Content-Length: " + size), b"{}   ")
        assert (heard.status, heard.problem["code"]) in (
            (400, "bad_request"),
            (413, "body_too_large"),
            (422, "malformed_json"),
        )


# what two servers in a row might understand differently


SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: smuggled\r\n\r\n"


TWO_WAYS = [
    [b"Content-Length: 4", b"Transfer-Encoding: chunked"],
    [b"Transfer-Encoding: chunked", b"Content-Length: 4"],
    [b"Content-Length: 4", b"Content-Length: 5"],
    [b"Content-Length: 4, 5"],
    [b"Content-Length : 4"],
    [b"Content-Length: 4\r\n 0"],
    [b"Transfer-Encoding: chunked, identity"],
    [b"Transfer-Encoding: xchunked"],
    [b"Transfer-Encoding : chunked"],
    [b"Transfer-Encoding: \x0bchunked"],
    [b"Transfer-Encoding: chunked\r\n\t, identity"],
    [b"X: y\nTransfer-Encoding: chunked"],
    [b"X: y\rTransfer-Encoding: chunked"],
    [b"X\x00: y", b"Content-Length: 4"],
    [b"X: y\x00", b"Content-Length: 4"],
]


async def test_what_can_be_read_in_two_ways_is_not_read(node: Stage) -> None:
    for lines in TWO_WAYS:
        line = await call(node)
        await line.says(post(node, *lines) + b"0\r\n\r\n" + SMUGGLED)
        heard = await line.all()
        assert heard.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 408 ")), (lines, heard)
        assert heard.count(b"HTTP/1.1 ") == 1, (lines, heard)
    await alive(node)


async def test_requests_in_a_row_are_answered_in_their_order(node: Stage) -> None:
    contents = [body() for _ in range(20)]
    row = b"".join(post(node, b"Content-Length: %d" % len(content)) + content for content in contents)
    line = await call(node)
    await line.says(row + b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
    ids = [json.loads((await line.hears()).body)["id"] for _ in contents]
    assert (await line.hears()).status == 404
    named = [await node.value("SELECT source_id FROM events_event WHERE id = %s", each) for each in ids]
    assert named == [json.loads(content)["id"] for content in contents]


# what is no request


NO_REQUESTS = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"FROB / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET\r\n\r\n",
    b"\x00" * 100,
    b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
    b"EHLO x\r\nMAIL FROM:<a@b>\r\n",
    "GET /é HTTP/1.1\r\nHost: x\r\n\r\n".encode("latin-1"),
    b"GET http:// HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT internal:22 HTTP/1.1\r\nHost: x\r\n\r\n",
]


async def test_what_is_no_request_is_a_problem_too(node: Stage) -> None:
    for sent in NO_REQUESTS:
        heard = await ask(node, sent)
        assert (heard.status, heard.problem["status"]) in ((400, 400), (404, 404), (405, 405), (408, 408)), sent
    await alive(node)


@pytest.mark.parametrize("upgrade", [b"websocket", b"h2c"])
async def test_no_other_protocol_is_spoken(node: Stage, upgrade: bytes) -> None:
    lines = (b"Connection: Upgrade", b"Upgrade: " + upgrade, b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    head = b"\r\n".join([b"GET /api/v1/events HTTP/1.1", b"Host: x", *lines, b"", b""])
    assert (await ask(node, head * 2)).problem["status"] == 401
    content = body()
    # As Java's own client posts its first event: the offer stands beside a body.
    for frame, framed in (
        (b"Content-Length: %d" % len(content), content),
        (b"Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)),
    ):
        line = await call(node)
        await line.says(post(node, *lines, frame), framed[:9])
        await asyncio.sleep(0.05)
        await line.says(framed[9:] + post(node, *lines, frame) + framed)
        assert [(await line.hears()).status, (await line.hears()).status] == [202, 202]
    assert await node.value("SELECT count(*) FROM events_event") == 1


async def test_a_connection_that_is_reset_at_any_point_leaves_nothing(node: Stage) -> None:
    content = body()
    whole = post(node, b"Content-Length: %d" % len(content)) + content
    for at in range(0, len(whole), 23):
        door = socket.create_connection(("127.0.0.1", node.nodes[0].port))
        door.sendall(whole[:at])
        door.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        door.close()
    await alive(node)
    await asyncio.sleep(3.5)
    assert len(node.nodes[0].http._server.server_state.connections) <= 1  # type: ignore[union-attr]


# methods, paths


@pytest.mark.parametrize("method", [b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"PROPFIND", b"LINK"])
async def test_a_method_that_is_not_answered_is_405_everywhere(node: Stage, method: bytes) -> None:
    token = (await in_django(lambda: node.organisation.token("root"))).encode()
    for path, allowed in (
        (b"/api/v1/events", "GET, POST"),
        (b"/api/v1/events/batch", "POST"),
        (b"/api/v1/sources/dms", "POST"),
        (b"/api/v1/rules", "GET"),
        (b"/healthz", "GET, HEAD"),
        (b"/readyz", "GET, HEAD"),
        (b"/metrics", "GET, HEAD"),
        (b"/live", "GET"),
    ):
        heard = await ask(
            node, b"%b %b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n" % (method, path, token)
        )
        assert (heard.status, heard.problem["code"]) == (405, "method_not_allowed"), path
        assert heard.headers["allow"] == allowed


async def test_a_head_is_a_get_without_its_body(node: Stage) -> None:
    token = (await in_django(lambda: node.organisation.token("root"))).encode()
    for path in (b"/api/v1/rules", b"/api/openapi.json", b"/healthz", b"/metrics"):
        line = await call(node)
        head = b"%b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\nConnection: close\r\n\r\n" % (path, token)
        await line.says(b"HEAD " + head)
        heard = await line.all()
        assert heard.split()[1] in (b"200", b"405"), path
        assert heard.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("accept", ["text/html", "application/xml;q=1", "*/*;q=0", "garbage,,;", "a" * 5_000])
async def test_json_is_answered_whatever_is_asked_for(node: Stage, accept: str) -> None:
    token = await in_django(lambda: node.organisation.token("root"))
    for method, path, content, status in (
        ("GET", "/api/v1/rules", None, 200),
        ("GET", "/api/v1/nothing", None, 404),
        ("POST", "/api/v1/events", event(), 202),
        ("POST", "/api/v1/events", b"{", 422),
    ):
        answer = await node.send(method, path, content, token=token, accept=accept)
        assert answer.status == status
        assert isinstance(answer.body, dict)


ODD_PATHS = (
    "/api/v1/users/%00", "/api/v1/users/a%00b", "/api/v1/users/%2e%2e%2fevents", "/api/v1/users/a%2fb",
    "/api/v1/users/%ff%fe", "/api/v1/users/%ed%a0%80", "/api/v1/users/..", "/api/v1/users/%", "/api/v1/users/%zz",
    "/api/v1//users", "/api/v1/users/", "//api/v1/users", "/api/v1/users;x=1", "/api/v1/users/%0d%0aSet-Cookie:a=b",
    "/api/v1/instances/%00/databases/%00", "/api/v1/subjects/ticket/%00", "/api/v1/subjects/%00/x",
    "/api/v1/rules/%00", "/api/v1/channels/%00", "/api/v1/channels/..%2f..", "/api/v1/sources/%00/parked",
    "/api/v1/catalog/features/%00", "/api/v1/events/%00", "/api/v1/deliveries/%00", "/unsubscribe/%00", "/%00",
    "/api/v1/receipts/%00/%00", "/api/v1/receipts/sms/%ff", "/console/users/%00", "/live?key=%00", "/live?key=%ff",
    "/static/%00", "/api/v1/users?q=%00", "/api/v1/users?cursor=%00", "/api/v1/users?cursor=AAAA",
    "/api/v1/users?cursor=////", "/api/v1/users?cursor=" + "A" * 499, "/api/v1/events?cursor=zz",
    "/api/v1/deliveries?cursor=eA", "/api/v1/subjects?cursor=eA", "/api/v1/me/inbox?cursor=eA",
    "/api/v1/changes?cursor=eA", "/api/v1/users?limit=1&limit=2", "/api/v1/users?%00=1", "/api/v1/users?q=%ff",
    "/api/v1/events?source=%00", "/api/v1/events?person=%00", "/api/v1/events?since=0001-01-01T00:00:00Z",
    "/api/v1/events?until=9999-12-31T23:59:59%2B14:00", "/api/v1/subjects?q=%00", "/api/v1/rules?user=%00",
)  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE"])
async def test_an_odd_path_is_no_fault_of_ours(node: Stage, method: str) -> None:
    token = await in_django(lambda: node.organisation.token("root"))
    for path in ODD_PATHS:
        await _is_answered(node, method, path, token)


async def _is_answered(node: Stage, method: str, path: str, token: str) -> None:
    content = b"{}" if method != "GET" else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    line = await call(node)
    await line.says(head.encode(), content)
    heard = await line.all()
    status = int(heard.split()[1])
    assert status < 500, heard
    assert b"Set-Cookie:a" not in heard.partition(b"\r\n\r\n")[0]
    if status >= 400 and path.startswith("/api/"):
        assert f"content-type: {PROBLEM}" in heard.decode("latin-1").lower(), heard


async def test_a_key_that_stands_twice_counts_as_it_stands_last(node: Stage) -> None:
    first, last = event(), event()
    content = json.dumps(last)[:-1] + f', "subject": {json.dumps(first["subject"])}' + "}"
    answer = await node.send("POST", "/api/v1/events", content.encode())
    assert answer.status == 202
    kept = await node.value("SELECT body FROM events_body WHERE id = %s", answer.body["id"])
    assert json.loads(kept)["subject"]["id"] == first["subject"]["id"]
