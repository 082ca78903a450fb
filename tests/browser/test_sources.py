"""A source: chosen, connected, tested, and seen to send, by hand and by keyboard."""

import asyncio
import json
import re
import shlex
import sys
from typing import Any

from tests.browser.conftest import PHONE, Open, barriers, ready
from tests.scenarios.stage import Stage


async def test_a_system_is_chosen_connected_and_its_first_event_seen(open_page: Open, stage: Stage) -> None:
    page = await open_page("root", "/console/sources")
    await page.get_by_role("link", name="New source").first.click()
    await page.get_by_role("heading", name="Ticket platforms").wait_for()
    assert await barriers(page) == []
    await page.get_by_role("link", name="Alibaba Cloud DMS").focus()
    await page.keyboard.press("Enter")
    name = page.get_by_label("What is it called here?")
    assert await name.input_value() == "dms-2", "the organisation of tests has a source dms"
    await name.fill("dms-prod")
    await page.keyboard.press("Enter")
    await page.get_by_text("It is shown only now.").wait_for()
    await page.get_by_text("Waiting for the first event").wait_for()
    assert await barriers(page) == []
    url = await page.locator(".steps-to-do code").first.inner_text()

    await page.get_by_role("button", name="Send a test").click()
    await page.get_by_text("The test was understood and kept").wait_for()
    await page.get_by_text("The test arrived. Now the system itself").wait_for()
    assert await page.locator(".steps-to-do code").first.inner_text() == url, "the token is not lost by a test"

    await page.get_by_label("Signing key").fill("a key")
    await page.get_by_label("Signing key").press("Enter")
    await page.get_by_text("From now on payloads that are not signed with this key are refused.").wait_for()
    await page.locator("#signing").get_by_text("set", exact=True).wait_for()
    await ready(page)
    assert "signature_refused" in await _push(url, stage, _message())
    await page.locator("#arrival").get_by_text("Turned away in the last day").wait_for()
    await page.get_by_label("Remove it").check()
    await page.locator("#signing").get_by_role("button", name="Save").click()
    await page.get_by_text("Signatures are not looked at any more.").wait_for()

    assert '"ignored":false' in await _push(url, stage, _message())
    await page.locator("#arrival").get_by_text("It is connected").wait_for()
    await page.locator("#arrival").get_by_role("link", name="Add index on orders", exact=True).wait_for()
    assert await barriers(page) == []


async def test_where_things_are_is_said_beside_what_becomes_of_it(open_page: Open, stage: Stage) -> None:
    page = await open_page("root", "/console/sources-new/json")
    await page.get_by_label("What is it called here?").fill("desk")
    await page.keyboard.press("Enter")
    url = await page.locator(".steps-to-do code").first.inner_text()
    body = {"no": 4711, "kind": "Data change", "state": "approved", "title": "Add index on orders", "by": "ann"}
    assert "parked" in await _push(url, stage, body)
    await page.get_by_text("It sends, and nobody can read it yet").wait_for()
    await page.get_by_role("link", name="Try it").click()
    await page.get_by_role("heading", name="It would be parked").wait_for()
    assert "4711" in await page.get_by_label("What the system sends").input_value()
    for option, said in (
        ("What it is", "body.kind"), ("Status", "body.state"), ("Subject", "body.no"), ("Title", "body.title"),
    ):  # fmt: skip
        await page.get_by_label(option, exact=True).fill(said)
    await page.get_by_label("Submitter", exact=True).fill("body.[")
    await page.keyboard.press("Tab")
    await page.get_by_role("heading", name="This could not be saved, so it is not tried").wait_for()
    await page.get_by_label("Submitter", exact=True).fill("body.by")
    await page.keyboard.press("Tab")
    await page.get_by_role("heading", name="It would become 1 event").wait_for()
    await page.locator("#tried .told-person").get_by_text("ann").first.wait_for()
    await ready(page)
    assert await barriers(page) == []

    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("button", name="Read all again").click()
    await page.get_by_text("1 payload became events.").wait_for()
    await page.goto("/console/sources/desk")
    await page.locator("#arrival").get_by_text("It is connected").wait_for()
    await page.locator("#arrival").get_by_role("link", name="Add index on orders").wait_for()


async def test_systems_are_chosen_on_a_phone_without_scrolling_sideways(open_page: Open, stage: Stage) -> None:
    page = await open_page("root", "/console/sources-new", size=PHONE)
    await page.get_by_role("heading", name="Anything else").wait_for()
    for path in ("/console/sources-new", "/console/sources-new/dms"):
        await page.goto(path)
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert await barriers(page) == []


async def test_a_source_is_made_and_its_line_sends_what_then_stands_on_its_page(open_page: Open, stage: Stage) -> None:
    base = f"http://127.0.0.1:{stage.nodes[-1].port}"
    page = await open_page("root", "/console/sources-new/events")
    await page.get_by_label("What is it called here?").fill("my-scheduler")
    await page.get_by_role("button", name="Create, and show its token").click()
    await page.get_by_text("It is shown only now.").wait_for()
    assert await barriers(page) == []
    line = await page.locator("#line-json").inner_text()
    told = await _run(line, base)
    assert '"duplicate":false' in told.replace(" ", "")
    # The page hears of it by itself.
    await page.locator("#arrival").get_by_text("A first event of my-scheduler").wait_for()
    assert "rejected" in await _run(await page.locator("#line-batch").text_content(), base)
    assert "recipients" in await _run(await page.locator("#line-preview").text_content(), base)
    program = re.sub(r"http://127.0.0.1:\d+", base, await page.locator("#line-python").text_content())
    python = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await python.wait() == 0

    await page.goto("/console/tokens")
    await page.get_by_role("link", name="Revoke").first.click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_text("can send nothing more with it").wait_for()
    assert await barriers(page) == []
    await dialog.get_by_role("button", name="Revoke").click()
    await page.get_by_text("The token was revoked").wait_for()
    assert "token_revoked" in await _run(line, base)


async def _push(url: str, stage: Stage, body: dict[str, Any]) -> str:
    there = re.sub(r"^http://[^/]+", f"http://127.0.0.1:{stage.nodes[-1].port}", url)
    return await _run(f"curl -X POST {shlex.quote(there)} -d {shlex.quote(json.dumps(body))}", "")


def _message() -> dict[str, Any]:
    from tidings.events.sources.registry import ADAPTERS

    sample = ADAPTERS["dms"].sample
    assert sample
    return json.loads(sample.body)  # type: ignore[no-any-return]


async def _run(line: str, base: str) -> str:
    """The line as it was copied, at this node; what came back."""
    command = shlex.split(line.replace("\\\n", " "))
    assert command[0] == "curl"
    command = [re.sub(r"^http://[^/]+", base, each) if base and each.startswith("http") else each for each in command]
    process = await asyncio.create_subprocess_exec(*command, "-s", stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    return said.decode()
