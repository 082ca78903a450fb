"""Any JSON: a desk that nobody wrote an adapter for tells the right people, and its page in the docs works as it stands."""

import asyncio
import hmac
import json
import os
import re
from pathlib import Path
from typing import Any

from tests.scenarios.stage import Answer, Stage, in_django

PAGE = Path(__file__).parents[2] / "docs" / "sources" / "json.md"
DESCRIBED = {
    "id": "headers.x_delivery", "what": "body.kind", "status": "body.state", "subject_id": "body.no",
    "title": "body.title", "submitter": "body.by", "approvers": "body.who",
}  # fmt: skip
DESK = {
    "kind": "Data change",
    "state": "Pending approval",
    "no": 4711,
    "title": "Add index",
    "by": "ann",
    "who": ["bo", "dan"],
}


async def push(stage: Stage, body: Any, **headers: str) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await stage.send("POST", "/api/v1/sources/json", raw, **headers)


async def ask(stage: Stage, method: str, path: str, content: Any = None) -> Answer:
    secret = await in_django(lambda: stage.organisation.token("root"))
    return await stage.send(method, f"/api/v1/sources/dms/{path}", content, token=secret)


async def test_what_came_before_anybody_described_it_is_told_in_the_end(stage: Stage) -> None:
    # given
    answer = await push(stage, DESK, **{"x-delivery": "d-1", "x-forwarded-for": "10.0.0.1"})
    assert (answer.status, answer.body["parked"]["reason"]) == (202, "not_understood")
    headers = await stage.value("SELECT headers FROM events_parked")
    assert headers["x-delivery"] == "d-1"
    assert not {"authorization", "x-forwarded-for", "host"} & headers.keys()
    # when
    tried = await ask(stage, "POST", "try", {"adapter": "json", "options": DESCRIBED, "sample": DESK})
    assert {one["login"] for one in tried.body["plans"][0]["recipients"]} == {"bo", "dan"}
    assert (await ask(stage, "PUT", "mapping", {"adapter": "json", "rows": [], "options": DESCRIBED})).status == 200
    assert (await ask(stage, "POST", "parked/replay")).body["replayed"] == 1
    # then
    for login in ("bo", "dan"):
        [message] = await stage.messages(login)
        assert (message.payload["type"], message.payload["data"]["subject"]["title"]) == (
            "data_change.pending_approval",
            "Add index",
        )
    # The same delivery, now that it can be read, is known.
    again = await push(stage, DESK, **{"x-delivery": "d-1"})
    assert again.body["events"][0]["duplicate"] is True
    other = await push(stage, {**DESK, "title": "Other"}, **{"x-delivery": "d-1"})
    assert other.body["parked"]["reason"] == "invalid_event"
    await stage.settled("sent", "sent")
    await stage.ledger()


async def test_what_is_not_signed_is_refused(stage: Stage) -> None:
    options = {**DESCRIBED, "signature_header": "X-Desk-Signature"}
    await ask(stage, "PUT", "mapping", {"adapter": "json", "rows": [], "options": options})
    assert (await ask(stage, "PUT", "secret", {"secret": "key"})).status == 200
    raw = json.dumps(DESK).encode()
    good = {"x-desk-signature": f"sha256={hmac.digest(b'key', raw, 'sha256').hex()}"}
    assert (await push(stage, raw, **good)).body["parked"] is None
    for wrong in ({}, {"x-desk-signature": "sha256="}, {"x-hub-signature-256": good["x-desk-signature"]}):
        answer = await push(stage, raw, **wrong)
        assert (answer.status, answer.body["code"]) == (401, "signature_refused")
    assert (await push(stage, raw + b" ", **good)).status == 401


async def test_nobody_elses_payload_becomes_a_notice_of_our_own(stage: Stage) -> None:
    options = {"type": "body.type", "subject_id": "body.no"}
    await ask(stage, "PUT", "mapping", {"adapter": "json", "rows": [], "options": options})
    answer = await push(stage, {"type": "tidings.channel_failing", "no": 1})
    assert answer.body["parked"]["reason"] == "invalid_event"
    assert (await ask(stage, "POST", "parked/replay")).body["still_parked"] == 1
    assert await stage.value("SELECT count(*) FROM events_event") == 0


async def test_an_expression_that_asks_for_too_much_parks_the_body(stage: Stage) -> None:
    options = {**DESCRIBED, "details": "{a: body | " + " | ".join(["[@, @]"] * 30) + "}"}
    assert (await ask(stage, "PUT", "mapping", {"adapter": "json", "rows": [], "options": options})).status == 200
    answer = await push(stage, DESK)
    assert answer.status == 202
    assert answer.body["parked"]["detail"].startswith(
        "details: the expression cannot be evaluated: the value becomes larger"
    )


async def test_the_page_in_the_docs_works_as_it_stands(stage: Stage, tmp_path: Path) -> None:
    root = await in_django(lambda: stage.organisation.token("root"))
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    script = (
        f'B=http://127.0.0.1:{stage.nodes[0].port}/api/v1\napi() {{ curl -sS --fail-with-body -H "Authorization: Bearer {root}"'
        ' -H "Content-Type: application/json" "$@"; }\nset -e -o pipefail\n' + "\n".join(blocks)
    )
    shell = await asyncio.create_subprocess_exec(
        "bash", "-c", script, cwd=tmp_path, env={"PATH": os.environ["PATH"]},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said = (await asyncio.wait_for(shell.communicate(), 60))[0].decode()
    assert shell.returncode == 0, said
    assert '"replayed":1' in said
    for login in ("bo", "dan"):
        [message] = await stage.messages(login)
        assert message.payload["data"]["subject"]["url"] == "https://desk.example.com/requests/4711"
