"""What senders do with bodies: chunks, too much, half a body, half a character. Whatever it is, it is one clear answer,
and no thread waits for it."""

import asyncio
import json
from typing import Any

import pytest
from tests.scenarios.stage import WEB, Stage, in_django

HALF = '"\\ud800"'


async def raw(stage: Stage, head: str, *pieces: bytes, token: str = "root") -> tuple[int, Any]:
    """What is answered to bytes that no client library would send."""
    secret = await in_django(lambda: stage.organisation.token(token))
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.nodes[0].port)
    try:
        lines = [
            head,
            "Host: x",
            f"Authorization: Bearer {secret}",
            "Content-Type: application/json",
            "Connection: close",
        ]
        writer.write("\r\n".join([*lines, ""]).encode())
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        answer = await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
    top, _, body = answer.partition(b"\r\n\r\n")
    # Its chunks, if it comes in such, are around it.
    return int(top.split()[1]), json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])


def chunked(*chunks: bytes) -> list[bytes]:
    framed = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*chunks, b"")]
    return [b"Transfer-Encoding: chunked\r\n\r\n", *framed]


async def as_root(stage: Stage, method: str, path: str, body: Any) -> Any:
    secret = await in_django(lambda: stage.organisation.token("root"))
    return await stage.send(method, path, body, token=secret)


@pytest.fixture
async def node(empty_stage: Stage) -> Stage:
    await empty_stage.start(WEB)
    return empty_stage


async def test_a_body_in_chunks_is_read_by_every_call(node: Stage) -> None:
    status, body = await raw(node, "PUT /api/v1/users/amy HTTP/1.1", *chunked(b'{"na', b'me": "Amy"}'))
    assert (status, body["name"]) == (201, "Amy")
    status, body = await raw(node, "GET /api/v1/users/amy HTTP/1.1", b"\r\n")
    assert (status, body["name"]) == (200, "Amy")


async def test_a_file_to_import_may_be_larger(node: Stage) -> None:
    file = b"login,name\n" + b"".join(b"p%d,%b\n" % (number, b"x" * 190) for number in range(10_000))
    assert len(file) > 1_900_000
    answer = await as_root(node, "POST", "/api/v1/imports?kind=people", file)
    assert (answer.status, answer.body["rows"]) == (201, 10_000)
    # At the console too: who has not signed in is asked to, and not told that it is too much.
    assert (await as_root(node, "POST", "/console/imports", file)).status in (302, 403)
    answer = await as_root(node, "POST", "/api/v1/imports?kind=people", b"x" * 4_200_000)
    assert (answer.status, answer.body["code"]) == (413, "body_too_large")


async def test_a_body_that_is_too_large_is_refused_however_it_comes(node: Stage) -> None:
    large = b'{"name": "' + b"x" * 2_700_000 + b'"}'
    for path in ("/api/v1/users/amy", "/api/v1/me/notification-settings", "/nowhere"):
        answer = await as_root(node, "PUT", path, large)
        assert (answer.status, answer.body["code"]) == (413, "body_too_large")
    # Refused at the byte too many: the end of it is never sent.
    pieces = chunked(*[b"x" * 262_144] * 4, b"x")[:-1]
    assert (await raw(node, "PUT /api/v1/users/amy HTTP/1.1", *pieces))[0] == 413


async def test_senders_that_dawdle_keep_no_call_waiting(node: Stage) -> None:
    half = (b"Content-Length: 100\r\n\r\n", b"{")
    slow = [asyncio.create_task(raw(node, "PUT /api/v1/users/amy HTTP/1.1", *half)) for _ in range(4)]
    try:
        await asyncio.sleep(0.3)
        async with asyncio.timeout(5):
            assert (await as_root(node, "GET", "/api/v1/users", None)).status == 200
    finally:
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/me/notification-settings", f'{{"email": {HALF}}}'),
        ("/me/notification-settings", f'{{"methods": [{HALF}]}}'),
        ("/users/ann/notification-settings", f"{{{HALF}: 1}}"),
        ("/users/ann/notification-settings", f'{{"webhook": {{{HALF}: "x"}}}}'),
        ("/users/ann", f'{{"roles": [{HALF}]}}'),
        ("/users/ann", f"{{{HALF}: 1}}"),
        ("/channels/email", f'{{"enabled": true, "settings": {{{HALF}: 1}}}}'),
        ("/instances/rm-1", '{"owners": ["\\udfff\\ud800"]}'),
    ],
)
async def test_half_a_character_anywhere_is_one_answer(node: Stage, path: str, body: str) -> None:
    answer = await as_root(node, "PUT", f"/api/v1{path}", body.encode())
    assert (answer.status, answer.body["code"]) == (422, "malformed_json")
    assert "half a character" in answer.body["detail"]


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b'{"name": NaN}', b"{} {}"])
async def test_what_is_no_json_is_refused(node: Stage, body: bytes) -> None:
    answer = await as_root(node, "PUT", "/api/v1/users/amy", body)
    assert (answer.status, answer.body["code"]) == (422, "malformed_json")


@pytest.mark.parametrize("path", ["..%2f..%2f..%2fconf.py", "../../../conf.py", "%2fetc%2fpasswd", "nothing.js", "%00"])
async def test_no_path_leads_out_of_the_static_files(node: Stage, path: str) -> None:
    status, body = await raw(node, f"GET /static/ninja/{path} HTTP/1.1", b"\r\n")
    assert (status, body["code"]) == (404, "not_found")
