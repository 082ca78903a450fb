"""What a node writes to standard error can be read by a machine, whatever is sent to it."""

import asyncio
import json

from faults.stage import installation
from tests.delivery.given import event

from tidings.channels.testing.webhook_receiver import Reply

FORGED = '\n{"level": "critical", "message": "forged"}\n2026-11-26T10:00:00.000+00:00 critical tidings: forged\x1b[31m'


async def test_every_line_is_one_entry_and_nobody_else_writes_one() -> None:
    async with installation() as stage:
        stage.environment = dict(stage.environment) | {"TIDINGS_LOG_FORMAT": "json", "TIDINGS_LOG_LEVEL": "debug"}
        node = stage.run("serve")
        await stage.ready(node)
        await stage.set_up(node, "ann")
        stage.receiver.script["/ann"] = (Reply(400, FORGED.encode()),)
        content = event(to="ann")
        content["subject"]["title"] = content["details"] = FORGED
        content["details"] = {"comment": FORGED}
        status, answer = await stage.call(node, "POST", "/api/v1/events", content, token=stage.token)
        assert status == 202
        for body in ({"id": FORGED}, event(type=FORGED), event(id=FORGED), [FORGED]):
            assert (await stage.call(node, "POST", "/api/v1/events", body, token=stage.token))[0] == 422
        # Neither a path, nor a header, nor what is no HTTP.
        for path in ("/api/v1/rules/%0aforged", "/console/%0a%1bforged", "/api/v1/receipts/sms/%0aforged"):
            assert (await stage.call(node, "GET", path))[0] in (302, 404)
        _, writer = await asyncio.open_connection("127.0.0.1", node.port)
        writer.write(FORGED.encode() + b"\r\n\r\n")
        await writer.drain()
        writer.close()
        await stage.over(20)
        node.popen.terminate()
        node.popen.wait()
        entries = [json.loads(line) for line in (stage.folder / f"serve-{node.port}.log").read_text().splitlines()]
    assert {"info", "debug", "warning"} == {one["level"] for one in entries}
    assert f"Tidings is ready: http://127.0.0.1:{node.port}" in [one["message"] for one in entries]
    assert {"tidings.follow", "tidings.http"} <= {one["logger"] for one in entries}
    followed = [one["message"] for one in entries if one.get("event") == answer["id"]]
    assert followed == ["accepted: data_change.successful, 1 to be sent", "tried: failed", "failed"]
