"""The way out, against real sockets on loopback. Names end in `.test` (RFC 2606): no resolver of this machine knows
them, so a call that arrives was pinned to the address the injected resolver gave."""

import asyncio
import gc
import gzip
import logging
import resource
import socket
import ssl
import struct
import threading
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tidings.kernel.addresses import AddressPolicy, parse_networks
from tidings.kernel.exchange import BODY_LIMIT
from tidings.kernel.gate import CheckedAddress
from tidings.kernel.http import MOST_ROUTES, Response, Wire
from tidings.kernel.http_errors import AddressRefused, HttpError, Unreachable, Unresolvable

CANARY = "s3cr3t-t0k3n"
SECRET_PATH = f"/hook/{CANARY}?token={CANARY}#{CANARY}"
SHORT = timedelta(milliseconds=400)
LOOPBACK = AddressPolicy(parse_networks("127.0.0.0/8,::1"))

Behaviour = Callable[["Caller"], Awaitable[None]]
MakeWire = Callable[..., Wire]


# --- the other side ---------------------------------------------------------------------------------------------------


class Caller:
    """One connection, seen from the server."""

    def __init__(self, peer: "Peer", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._peer, self._reader, self._writer = peer, reader, writer

    async def request(self) -> None:
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0)
        self._peer.requests.append(head + await self._reader.readexactly(length))

    async def reads(self, most: int = -1) -> bytes:
        return await self._reader.read(most)

    async def gets(self, content: bytes) -> None:
        self._writer.write(content)
        await self._writer.drain()

    def reset(self) -> None:
        """RST instead of FIN."""
        linger = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()


class Peer:
    """A server that behaves as told, and remembers what reached it."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._running: set[asyncio.Task[None]] = set()
        self.connections = self.closed = self.port = 0
        self.requests: list[bytes] = []

    def url(self, host: str = "127.0.0.1", path: str = SECRET_PATH, scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    @asynccontextmanager
    async def listening(
        self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator["Peer"]:
        server = await asyncio.start_server(self._accept, host, port, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._running.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._behaviour(Caller(self, reader, writer))
        self.closed += 1
        writer.close()


def answering(content: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", *, once: bool = False) -> Behaviour:
    async def behave(caller: Caller) -> None:
        while True:
            await caller.request()
            await caller.gets(content)
            if once:
                return

    return behave


def repeating(start: bytes, piece: bytes, pause: float = 0.02) -> Behaviour:
    async def behave(caller: Caller) -> None:
        await caller.request()
        await caller.gets(start)
        while True:
            await caller.gets(piece)
            await asyncio.sleep(pause)

    return behave


async def silent(caller: Caller) -> None:
    await caller.request()
    await asyncio.sleep(30)


async def deaf(caller: Caller) -> None:
    await asyncio.sleep(30)


async def resets_after_the_body(caller: Caller) -> None:
    await caller.request()
    caller.reset()


async def closes_after_the_body(caller: Caller) -> None:
    await caller.request()


async def resets_within_the_answer(caller: Caller) -> None:
    await caller.request()
    await caller.gets(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
    await asyncio.sleep(0.05)
    caller.reset()


async def resets_the_handshake(caller: Caller) -> None:
    await caller.reads(10)
    caller.reset()


async def garbles_the_handshake(caller: Caller) -> None:
    await caller.reads(10)
    await caller.gets(b"HTTP/1.1 400 Bad Request\r\n\r\n")


# --- this side --------------------------------------------------------------------------------------------------------


class Names:
    """A resolver that is told what to say: for each name a list of answers, the last of which stays."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers = {name.replace("_", "."): list(said) for name, said in answers.items()}
        self.asked: list[str] = []

    def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        said = self._answers.get(host)
        if said is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return said.pop(0) if len(said) > 1 else said[0]


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest_asyncio.fixture
async def make_wire() -> AsyncIterator[MakeWire]:
    wires = []

    def make(policy: AddressPolicy = LOOPBACK, **options: object) -> Wire:
        wires.append(Wire(policy, **options))  # type: ignore[arg-type]
        return wires[-1]

    yield make
    for wire in wires:
        await wire.aclose()


@pytest.fixture(autouse=True)
def nothing_logged_holds_the_secret(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    for record in caplog.get_records("call"):
        assert CANARY not in record.getMessage() + str(record.__dict__)


async def post(wire: Wire, url: str, within: timedelta = timedelta(seconds=5), body: bytes = b"{}") -> Response:
    return await wire.request("POST", url, headers={"Content-Type": "application/json"}, body=body, timeout=within)


async def failure_of(call: Awaitable[object]) -> Exception:
    """What a call raises; the secret must be nowhere in it, nor in what it was raised from."""
    with pytest.raises((HttpError, ValueError)) as caught:
        await call
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(error.args) + repr(vars(error))
    assert CANARY not in shown
    assert isinstance(error, Exception)
    return error


@contextmanager
def full_backlog() -> Iterator[int]:
    """A port whose queue of connections is full: Linux then drops every further SYN."""
    with ExitStack() as opened:
        server = opened.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            caller = opened.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(server.getsockname())
        yield int(server.getsockname()[1])


async def until(condition: Callable[[], bool], seconds: float = 3) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        await asyncio.sleep(0.01)


# --- policy -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "127.0.0.1.",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
    ],
)
async def test_an_address_in_whatever_form_meets_the_policy(make_wire: MakeWire, host: str) -> None:
    async with Peer(answering()).listening() as peer:
        error = await failure_of(post(make_wire(AddressPolicy()), peer.url(host)))
        assert isinstance(error, AddressRefused)
        assert error.reason == "address_not_allowed"
        assert peer.connections == 0


async def test_the_host_is_the_one_the_client_connects_to_not_the_one_urllib_sees(make_wire: MakeWire) -> None:
    async with Peer(answering()).listening() as peer:
        url = f"http://127.0.0.1:{peer.port}\\@example.com/{CANARY}"
        refused = await failure_of(post(make_wire(AddressPolicy()), url))
        assert isinstance(refused, AddressRefused)
        assert peer.connections == 0
        names = Names()
        assert (await post(make_wire(resolver=names), url)).status == 200
        assert peer.requests[0].startswith(b"POST /@example.com/")
        assert names.asked == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"ftp://peer.test/{CANARY}", "scheme"),
        (f"file:///{CANARY}", "scheme"),
        (f"data:{CANARY}", "scheme"),
        (f"unix:/run/{CANARY}", "scheme"),
        (f"ws://peer.test/{CANARY}", "scheme"),
        (f"http://{CANARY}@peer.test/", "user_info"),
        (f"http://ann:{CANARY}@peer.test/", "user_info"),
        (f"http://:{CANARY}@peer.test/", "user_info"),
        (CANARY, "url_invalid"),
        ("", "url_invalid"),
        (f"http://?{CANARY}", "url_invalid"),
        (f"http://[fe80::1%25eth0]/{CANARY}", "url_invalid"),
        (f"http://[fe80::1%eth0]/{CANARY}", "url_invalid"),
        (f"http://1.2.3.4.5/{CANARY}", "url_invalid"),
        (f"http://peer.test:99999/{CANARY}", "url_invalid"),
        (f"http://peer test/{CANARY}", "url_invalid"),
        (f"http://peer.test%00/{CANARY}", "url_invalid"),
        (f"http://{'a.' * 200}test/{CANARY}", "url_invalid"),
        (f"http://peer.test/{CANARY}{'a' * 5000}", "url_invalid"),
        (f"http://peer.test/{CANARY}\ud800", "url_invalid"),
        (f'http://pe"er.test:1/{CANARY}', "url_invalid"),
    ],
)
async def test_a_url_that_may_not_be_called_is_refused(make_wire: MakeWire, url: str, reason: str) -> None:
    names = Names(peer_test=[["127.0.0.1"]], **{'pe"er_test': [["127.0.0.1"]]})
    error = await failure_of(post(make_wire(resolver=names), url))
    assert isinstance(error, AddressRefused)
    assert error.reason == reason


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("peer.test", "peer.test"),
        ("PEER.test", "peer.test"),
        ("peer.test.", "peer.test."),
        ("pe%65r.test", "peer.test"),
        ("p_e-e_r.test", "p_e-e_r.test"),
        ("peer..test", "peer..test"),
        ("münchen.test", "xn--mnchen-3ya.test"),
        ("XN--MNCHEN-3YA.test", "xn--mnchen-3ya.test"),
        ("通知.test", "xn--k7y792c.test"),
        ("peer。test", "peer.test"),
        ("pe\ter\n.test", "peer.test"),
        ("a!$&'()*+,;=b.test", "a!$&'()*+,;=b.test"),
    ],
)
async def test_a_name_in_whatever_spelling_is_pinned(make_wire: MakeWire, host: str, asked: str) -> None:
    names: list[str] = []

    def resolver(name: str) -> list[str]:
        names.append(name)
        return ["127.0.0.1"]

    async with Peer(answering()).listening() as peer:
        assert (await post(make_wire(resolver=resolver), peer.url(host))).status == 200
    assert names == [asked]


async def test_one_address_that_may_not_be_called_spoils_the_host(make_wire: MakeWire) -> None:
    names = Names(mixed_test=[["127.0.0.1", "10.0.0.1"]])
    async with Peer(answering()).listening() as peer:
        error = await failure_of(post(make_wire(resolver=names), peer.url("mixed.test")))
        assert isinstance(error, AddressRefused)
        assert error.host == "mixed.test"
        assert str(error).startswith("mixed.test: Its address may not be called (private).")
        assert "10.0.0.1" not in str(error)  # what a private name leads to is nobody's business
        assert peer.connections == 0


@pytest.mark.parametrize("answer", ["fe80::1%eth0", "127.0.0.1%lo", "peer.test", "0177.0.0.1", ""])
async def test_a_resolver_that_talks_nonsense_is_not_followed(make_wire: MakeWire, answer: str) -> None:
    error = await failure_of(post(make_wire(resolver=Names(odd_test=[[answer]])), f"http://odd.test:1{SECRET_PATH}"))
    assert isinstance(error, AddressRefused)


async def test_a_name_that_changes_its_answer_is_not_followed_within_the_minute_and_refused_after(
    make_wire: MakeWire,
) -> None:
    clock, names = Clock(), Names(rebind_test=[["127.0.0.1"], ["127.0.0.1", "169.254.169.254"]])
    wire = make_wire(resolver=names, clock=clock)
    async with Peer(answering(once=True)).listening() as peer:  # every call needs a new connection
        for _ in range(3):
            assert (await post(wire, peer.url("rebind.test"))).status == 200
        assert (peer.connections, names.asked) == (3, ["rebind.test"])
        clock.now += 61
        assert isinstance(await failure_of(post(wire, peer.url("rebind.test"))), AddressRefused)
        assert peer.connections == 3


async def test_a_name_that_moved_is_followed_after_a_minute(make_wire: MakeWire) -> None:
    clock, names = Clock(), Names(moved_test=[["127.0.0.1"], ["127.0.0.2"]])
    wire = make_wire(resolver=names, clock=clock)
    async with (
        Peer(answering()).listening() as old,
        Peer(answering()).listening("127.0.0.2", old.port) as new,
    ):
        await post(wire, old.url("moved.test"))
        clock.now += 59
        await post(wire, old.url("moved.test"))
        assert (len(old.requests), len(new.requests)) == (2, 0)
        clock.now += 2
        await post(wire, old.url("moved.test"))
        assert (len(old.requests), len(new.requests)) == (2, 1)


async def test_the_order_of_the_answers_does_not_cost_the_connection(make_wire: MakeWire) -> None:
    clock, names = Clock(), Names(round_test=[["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "127.0.0.1"]])
    wire = make_wire(resolver=names, clock=clock)
    async with Peer(answering()).listening() as peer:
        await post(wire, peer.url("round.test"))
        clock.now += 61
        await post(wire, peer.url("round.test"))
        assert (len(names.asked), peer.connections, len(peer.requests)) == (2, 1, 2)


async def test_a_dead_address_gives_way_to_the_next_one(make_wire: MakeWire) -> None:
    wire = make_wire(resolver=Names(half_test=[["127.0.0.2", "127.0.0.1"]]))
    async with Peer(answering()).listening() as peer:
        error = await failure_of(post(wire, peer.url("half.test")))
        assert isinstance(error, Unreachable)
        assert (error.kind, error.sent) == ("connect", "no")
        assert (await post(wire, peer.url("half.test"))).status == 200


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
async def test_a_proxy_in_the_environment_is_ignored(
    make_wire: MakeWire, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async with Peer(answering()).listening() as proxy, Peer(answering()).listening() as peer:
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await post(make_wire(), peer.url())).status == 200
        assert (proxy.connections, peer.connections) == (0, 1)


# --- answers ----------------------------------------------------------------------------------------------------------


async def test_a_call_carries_what_was_given_and_brings_back_the_answer(make_wire: MakeWire) -> None:
    answer = b"HTTP/1.1 429 Slow Down\r\nRetry-After: 30\r\nX-Two: 1\r\nX-Two: 2\r\nContent-Length: 4\r\n\r\nwait"
    async with Peer(answering(answer)).listening() as peer:
        response = await make_wire().request("PUT", peer.url(), headers={"webhook-id": "msg_1"}, body=b"hello")
        assert (response.status, response.body) == (429, b"wait")
        assert response.headers == {"retry-after": "30", "x-two": "1", "content-length": "4"}
        assert (response.headers["Retry-After"], response.headers.get("retry-later"), len(response.headers)) == (
            "30",
            None,
            3,
        )
        head, _, body = peer.requests[0].partition(b"\r\n\r\n")
        assert head.startswith(f"PUT /hook/{CANARY}?token={CANARY} HTTP/1.1\r\n".encode())
        assert b"\r\nwebhook-id: msg_1\r\n" in head
        assert b"\r\nhost: 127.0.0.1:%d\r\n" % peer.port in head
        assert b"accept-encoding" not in head.lower()
        assert body == b"hello"


async def test_a_header_that_is_not_ascii_costs_only_itself(make_wire: MakeWire) -> None:
    answer = "HTTP/1.1 200 OK\r\nX-Note: 好\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n".encode()
    async with Peer(answering(answer)).listening() as peer:
        headers = (await post(make_wire(), peer.url())).headers
        assert headers == {"retry-after": "7", "content-length": "0"}
        assert headers.get("x-note") is None


@pytest.mark.parametrize("status", [201, 300, 301, 302, 303, 305, 307, 308])
async def test_a_redirect_is_an_answer(make_wire: MakeWire, status: int) -> None:
    async with Peer(answering()).listening() as elsewhere:
        answer = f"HTTP/1.1 {status} Moved\r\nLocation: {elsewhere.url()}\r\nContent-Length: 0\r\n\r\n".encode()
        async with Peer(answering(answer)).listening() as peer:
            response = await post(make_wire(), peer.url())
            assert (response.status, response.headers["location"]) == (status, elsewhere.url())
        assert elsewhere.connections == 0


async def test_a_cookie_is_not_kept(make_wire: MakeWire) -> None:
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    wire = make_wire()
    async with Peer(answering(answer)).listening() as peer:
        await post(wire, peer.url())
        await post(wire, peer.url())
        assert b"cookie" not in peer.requests[1].lower()


async def test_an_endless_answer_is_cut_and_does_not_fill_memory(make_wire: MakeWire) -> None:
    endless = repeating(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"a" * 65536 + b"\r\n", pause=0
    )
    wire = make_wire()
    async with Peer(endless).listening() as peer:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        responses = await asyncio.gather(*(post(wire, peer.url()) for _ in range(30)))
        assert {(response.status, len(response.body)) for response in responses} == {(200, BODY_LIMIT)}
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 * 1024  # KiB
        await until(lambda: peer.closed == 30)


async def test_a_compressed_answer_is_not_blown_up(make_wire: MakeWire) -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    async with Peer(answering(head + bomb)).listening() as peer:
        assert (await post(make_wire(), peer.url())).body == bomb


# --- failures ---------------------------------------------------------------------------------------------------------

GARBAGE = b"\x00\xff\xfe garbage\r\n\r\n"
HUGE = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000000\r\n\r\nabc"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        pytest.param(silent, "timeout", id="silence"),
        pytest.param(deaf, "timeout", id="a peer that does not read"),
        pytest.param(repeating(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"), "timeout", id="slow drip of headers"),
        pytest.param(
            repeating(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"a"), "timeout", id="slow drip of the body"
        ),
        pytest.param(repeating(CHUNKED, b"1\r\na\r\n"), "timeout", id="slow drip of chunks"),
        pytest.param(repeating(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "timeout", id="100 Continue for ever"),
        pytest.param(answering(HUGE), "timeout", id="a length that never comes"),
        pytest.param(answering(HUGE, once=True), "reset", id="a huge length, then the end"),
        pytest.param(resets_after_the_body, "reset", id="reset after the body was sent"),
        pytest.param(closes_after_the_body, "reset", id="closed after the body was sent"),
        pytest.param(resets_within_the_answer, "reset", id="reset within the answer"),
        pytest.param(answering(GARBAGE, once=True), "protocol", id="garbage"),
        pytest.param(answering(CHUNKED + b"ZZZ\r\n", once=True), "protocol", id="garbage within the body"),
        pytest.param(
            repeating(b"HTTP/1.1 200 OK\r\n", b"A: " + b"b" * 60_000 + b"\r\n", pause=0),
            "protocol",
            id="endless headers",
        ),
    ],
)
async def test_what_breaks_after_sending_may_have_arrived(make_wire: MakeWire, behaviour: Behaviour, kind: str) -> None:
    async with Peer(behaviour).listening() as peer:
        wire, started = make_wire(), time.monotonic()
        error = await failure_of(post(wire, peer.url(), SHORT, body=b"x" * 20_000_000 if behaviour is deaf else b"{}"))
        assert isinstance(error, Unreachable)
        assert (error.kind, error.sent, error.host) == (kind, "unknown", "127.0.0.1")
        assert time.monotonic() - started < 1.5


async def test_nobody_listening_is_known_to_have_received_nothing(make_wire: MakeWire) -> None:
    with socket.socket() as taken_port:
        taken_port.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken_port.getsockname()[1]}/{CANARY}?UnknownIssuer(os error 5)"
        error = await failure_of(post(make_wire(), url))  # the URL does not choose the words either
    assert isinstance(error, Unreachable)
    assert (error.kind, error.sent) == ("connect", "no")
    assert str(error) == "127.0.0.1: No connection: Connection refused."


async def test_a_host_that_does_not_answer_the_door_ends_after_the_connect_timeout(make_wire: MakeWire) -> None:
    with full_backlog() as port:
        started = time.monotonic()
        error = await failure_of(post(make_wire(connect_timeout=SHORT), f"http://127.0.0.1:{port}{SECRET_PATH}"))
        assert isinstance(error, Unreachable)
        assert (error.kind, error.sent) == ("timeout", "no")
        assert 0.3 < time.monotonic() - started < 1.5


async def test_an_unknown_name_is_temporary(make_wire: MakeWire) -> None:
    error = await failure_of(post(make_wire(resolver=Names()), f"http://nobody.test{SECRET_PATH}"))
    assert isinstance(error, Unresolvable)
    assert str(error) == "nobody.test: The name has no address just now."


@pytest.mark.parametrize("name", ["X\r\nEvil", "X-Token", "X-Method"])
async def test_a_header_or_method_that_cannot_be_sent_is_an_error_of_the_caller(make_wire: MakeWire, name: str) -> None:
    async with Peer(answering()).listening() as peer:
        value = f"{CANARY}\r\nEvil: 1" if name == "X-Token" else CANARY
        method = f"PO ST {CANARY}" if name == "X-Method" else "POST"
        error = await failure_of(make_wire().request(method, peer.url(), headers={name: value}, body=b""))
        assert not isinstance(error, HttpError)
        assert peer.connections == 0


async def test_the_name_counts_towards_the_whole_call_and_a_hanging_one_holds_one_thread(make_wire: MakeWire) -> None:
    let_go, asked = threading.Event(), []

    def resolver(host: str) -> list[str]:
        asked.append(host)
        if host == "hangs.test":
            let_go.wait(10)
        return ["127.0.0.1"]

    wire = make_wire(resolver=resolver)
    async with Peer(answering()).listening() as peer:
        started = time.monotonic()
        calls = [failure_of(post(wire, peer.url("hangs.test"), SHORT)) for _ in range(20)]
        errors = asyncio.gather(*calls)
        assert (await post(wire, peer.url("quick.test"))).status == 200
        assert {type(error) for error in await errors} == {Unresolvable}
        assert time.monotonic() - started < 1.5
        assert sorted(asked) == ["hangs.test", "quick.test"]
        let_go.set()
        assert (await post(wire, peer.url("hangs.test"))).status == 200
        assert asked.count("hangs.test") == 1  # the lookup nobody waited for was not in vain


async def test_a_lookup_that_fails_when_all_have_given_up_is_nobodys_error(
    make_wire: MakeWire, caplog: pytest.LogCaptureFixture
) -> None:
    let_go = threading.Event()

    def resolver(host: str) -> list[str]:
        let_go.wait(10)
        raise OSError

    wire = make_wire(resolver=resolver)
    await failure_of(post(wire, f"http://hangs.test{SECRET_PATH}", SHORT))
    let_go.set()
    await asyncio.sleep(0.05)
    gc.collect()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_only_so_many_names_wait_to_be_looked_up(make_wire: MakeWire) -> None:
    let_go = threading.Event()

    def resolver(host: str) -> list[str]:
        let_go.wait(10)
        return ["127.0.0.1"]

    wire = make_wire(resolver=resolver)
    errors = await asyncio.gather(*(failure_of(post(wire, f"http://h{n}.test:1/", SHORT)) for n in range(300)))
    let_go.set()
    texts = [str(error).partition(": ")[2] for error in errors]
    assert texts.count("Too many names are being looked up just now.") == 300 - 256
    assert texts.count("The name was not resolved in time.") == 256


# --- connections ------------------------------------------------------------------------------------------------------


async def test_connections_are_reused(make_wire: MakeWire) -> None:
    wire = make_wire()
    async with Peer(answering()).listening() as peer:
        for n in range(20):
            await post(wire, peer.url(path=f"/{n}"))
        assert (peer.connections, len(peer.requests)) == (1, 20)
        await asyncio.gather(*(post(wire, peer.url()) for _ in range(8)))
        await asyncio.gather(*(post(wire, peer.url()) for _ in range(8)))
        assert peer.connections <= 8
        assert len(peer.requests) == 36


async def test_who_reads_and_resets_gets_a_call_twice_at_most_however_many_connections_are_kept(
    make_wire: MakeWire,
) -> None:
    resets = False

    async def behave(caller: Caller) -> None:
        while True:
            await caller.request()
            await asyncio.sleep(0.05)
            if resets:
                caller.reset()
                return
            await caller.gets(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    async with Peer(behave).listening() as peer:
        wire = make_wire()
        await asyncio.gather(*(post(wire, peer.url()) for _ in range(5)))
        assert (peer.connections, len(peer.requests)) == (5, 5)
        resets = True
        error = await failure_of(post(wire, peer.url()))
        assert isinstance(error, Unreachable)
        assert (error.kind, error.sent, len(peer.requests)) == ("reset", "unknown", 7)


async def test_calls_that_meet_at_a_new_host_share_one_client(make_wire: MakeWire) -> None:
    names = Names(peer_test=[["127.0.0.1"]])
    wire = make_wire(resolver=names)
    async with Peer(answering()).listening() as peer:
        await asyncio.gather(*(post(wire, peer.url("peer.test")) for _ in range(50)))
        await asyncio.sleep(0.05)
        assert (names.asked, peer.closed) == (["peer.test"], 0)  # a second client would have been dropped by now


async def test_an_evicted_client_ends_with_its_last_call_not_before(make_wire: MakeWire) -> None:
    answer_now = asyncio.Event()

    async def patient(caller: Caller) -> None:
        await caller.request()
        await answer_now.wait()
        await caller.gets(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await caller.reads()  # until the client closes

    wire = make_wire(resolver=lambda host: ["127.0.0.1"])
    async with Peer(patient).listening() as slow, Peer(answering()).listening() as peer:
        running = asyncio.create_task(post(wire, slow.url("first.test")))
        await until(lambda: len(slow.requests) == 1)
        for n in range(MOST_ROUTES):
            await post(wire, peer.url(f"h{n}.test"))
        assert peer.connections == MOST_ROUTES
        assert (slow.closed, running.done()) == (0, False)
        answer_now.set()
        assert (await running).body == b"ok"
        await until(lambda: slow.closed == 1)
        await post(wire, peer.url("h200.test"))
        assert peer.connections == MOST_ROUTES  # the others are still there


async def test_bad_hosts_do_not_push_out_good_ones(make_wire: MakeWire) -> None:
    names = Names(good_test=[["127.0.0.1"]], **{f"bad{n}_test": [["10.0.0.1"]] for n in range(300)})
    wire = make_wire(resolver=names)
    async with Peer(answering()).listening() as peer:
        await post(wire, peer.url("good.test"))
        for n in range(300):
            await failure_of(post(wire, peer.url(f"bad{n}.test")))
        await post(wire, peer.url("good.test"))
        assert (peer.connections, names.asked.count("good.test")) == (1, 1)


async def test_closing_lets_running_calls_end_and_takes_no_new_ones(make_wire: MakeWire) -> None:
    wire = make_wire()
    async with Peer(repeating(CHUNKED + b"1\r\na\r\n", b"0\r\n\r\n", pause=0.1)).listening() as peer:
        running = asyncio.create_task(post(wire, peer.url()))
        await until(lambda: len(peer.requests) == 1)
        await wire.aclose()
        assert (await running).body == b"a"
        with pytest.raises(RuntimeError):
            await post(wire, peer.url())


# --- TLS --------------------------------------------------------------------------------------------------------------


class Authority:
    """A certificate authority of our own, which the system is told to trust."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._sign(folder.name, self._key, None)
        self.file = folder / "authority.pem"
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def context(self, host: str, days: int = 7) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(host, key, self._certificate, days)
        file = self._folder / f"{host}-{days}.pem"
        file.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _sign(
        self, name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate | None, days: int = 7
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.now(UTC) - timedelta(days=30))
            .not_valid_after(datetime.now(UTC) + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(self._key, hashes.SHA256())
        )


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    made = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    return made


async def test_tls_is_verified_by_name_at_the_pinned_address(make_wire: MakeWire, authority: Authority) -> None:
    wire = make_wire(resolver=Names(peer_test=[["127.0.0.1"]]))
    async with Peer(answering()).listening(tls=authority.context("peer.test")) as peer:
        assert (await post(wire, peer.url("peer.test", scheme="https"))).body == b"ok"


@pytest.mark.parametrize(
    ("host", "days", "text"),
    [
        ("other.test", 7, "its certificate is for another name"),
        ("peer.test", -1, "its certificate has expired"),
    ],
)
async def test_a_certificate_that_does_not_fit_ends_the_call_before_anything_is_sent(
    make_wire: MakeWire, authority: Authority, host: str, days: int, text: str
) -> None:
    wire = make_wire(resolver=Names(peer_test=[["127.0.0.1"]]))
    async with Peer(answering()).listening(tls=authority.context(host, days)) as peer:
        # Plain first: the client for http must not be the one that meets the certificate.
        assert isinstance(await failure_of(post(wire, peer.url("peer.test"))), Unreachable)
        error = await failure_of(post(wire, peer.url("peer.test", scheme="https")))
        assert isinstance(error, Unreachable)
        assert (error.kind, error.sent, str(error)) == ("tls", "no", f"peer.test: No secure connection: {text}.")
        assert peer.requests == []


async def test_a_certificate_of_an_unknown_authority_is_refused(
    make_wire: MakeWire, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> None:
    wire = make_wire(resolver=Names(peer_test=[["127.0.0.1"]]))
    stranger = Authority(tmp_path_factory.mktemp("stranger"))
    async with Peer(answering()).listening(tls=stranger.context("peer.test")) as peer:
        error = await failure_of(post(wire, peer.url("peer.test", scheme="https")))
        assert isinstance(error, Unreachable)
        assert "signed by nobody this system trusts" in str(error)


@pytest.mark.parametrize(
    ("behaviour", "kind"), [(garbles_the_handshake, "tls"), (resets_the_handshake, "tls"), (deaf, "timeout")]
)
async def test_a_handshake_that_fails_has_sent_nothing(make_wire: MakeWire, behaviour: Behaviour, kind: str) -> None:
    async with Peer(behaviour).listening() as peer:
        error = await failure_of(post(make_wire(connect_timeout=SHORT), peer.url(scheme="https")))
        assert isinstance(error, Unreachable)
        assert (error.kind, error.sent) == (kind, "no")


async def test_a_system_without_certificates_still_calls_http(
    make_wire: MakeWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
    async with Peer(answering()).listening() as peer:
        wire = make_wire()
        assert (await post(wire, peer.url())).status == 200
        error = await failure_of(post(wire, peer.url(scheme="https")))
        assert isinstance(error, Unreachable)
        assert (error.kind, error.sent) == ("tls", "no")
        assert "SSL_CERT_FILE" in str(error)


# --- other protocols --------------------------------------------------------------------------------------------------


async def test_another_protocol_gets_a_checked_address(make_wire: MakeWire) -> None:
    wire = make_wire(resolver=Names(mail_test=[["127.0.0.1", "127.0.0.2"]]))
    assert await wire.resolve("Mail.TEST", 587) == CheckedAddress("mail.test", 587, "127.0.0.1")
    assert await wire.resolve("mail.test", 80) == CheckedAddress("mail.test", 80, "127.0.0.1")
    assert await wire.resolve("0x7f.1", 25) == CheckedAddress("127.0.0.1", 25, "127.0.0.1")
    assert await wire.resolve("::1", 25) == CheckedAddress("::1", 25, "::1")


@pytest.mark.parametrize("host", ["10.0.0.1", "metadata.test", "::ffff:10.0.0.1", "0x0a.1", "fd00::1"])
async def test_another_protocol_meets_the_same_policy(make_wire: MakeWire, host: str) -> None:
    error = await failure_of(make_wire(resolver=Names(metadata_test=[["169.254.169.254"]])).resolve(host, 25))
    assert isinstance(error, AddressRefused)
    assert error.reason == "address_not_allowed"


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("", 25),
        ("mail.test/x", 25),
        ("mail.test\\x", 25),
        ("mail.test?x", 25),
        ("mail.test#", 25),
        ("ann@mail.test", 25),
        ("mail.test:26", 25),
        ("mail.test:26/", 25),
        ("mail.test/", 25),
        ("mail.test/", 80),
        ("mail.test?", 80),
        ("mail.test#", 80),
        ("mail.test\\", 80),
        ("[::1]:26/", 25),
        ("mail.test", 65536),
        ("mail.test", -1),
        ("fe80::1%eth0", 25),
        ("mail test", 25),
    ],
)
async def test_what_is_not_a_host_is_not_resolved(make_wire: MakeWire, host: str, port: int) -> None:
    assert isinstance(await failure_of(make_wire(resolver=Names()).resolve(host, port)), AddressRefused)


async def test_a_name_without_address_is_temporary_for_other_protocols_too(make_wire: MakeWire) -> None:
    assert isinstance(await failure_of(make_wire(resolver=Names()).resolve("mail.test", 25)), Unresolvable)
