"""People at a browser: Debian's Chromium on a real node, signed in."""

import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.console.conftest import account_of
from tests.delivery.given import in_django
from tests.scenarios.conftest import empty_stage, stage  # noqa: F401
from tests.scenarios.stage import Stage

CHROMIUM = shutil.which("chromium")
AXE = Path(__file__).parents[2] / "assets" / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
Open = Callable[..., Awaitable[Any]]


@pytest.fixture
async def browser() -> AsyncIterator[Any]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
async def open_page(browser: Any, stage: Stage) -> AsyncIterator[Open]:  # noqa: F811
    """`await open_page("ann", "/console/inbox")`: a page of this person's own browser, on the node of `stage`. At the
    end, whatever a browser complained of, a script or a style that the policy forbids above all, fails the test."""
    complaints: list[str] = []

    async def opened(login: str, path: str, *, size: dict[str, int] = DESK, **more: Any) -> Any:
        base = f"http://127.0.0.1:{stage.nodes[-1].port}"
        context = await browser.new_context(viewport=size, base_url=base, **more)
        if login:
            key = await in_django(lambda: _session_of(stage.organisation.people[login]))
            await context.add_cookies([{"name": "tidings_session", "value": key, "url": base}])
        page = await context.new_page()
        page.set_default_timeout(8_000)
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        page.on("console", lambda message: _complain(complaints, page.url, message))
        await page.goto(path)
        return page

    yield opened
    assert complaints == []


async def ready(page: Any) -> None:
    """What htmx has put in its place answers to keys and clicks: nobody is as quick as a test."""
    busy = ".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added"
    await page.wait_for_selector(busy, state="detached")


async def barriers(page: Any) -> list[str]:
    """What axe finds serious or critical on this page as it stands: https://github.com/dequelabs/axe-core"""
    await page.evaluate(AXE.read_text())
    found = json.loads(await page.evaluate("axe.run().then((found) => JSON.stringify(found.violations))"))
    return [
        f"{each['id']}: {each['help']}: {node['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def _session_of(person: Any) -> str:
    from django.test import Client

    client = Client()
    client.force_login(account_of(person))
    return client.cookies["tidings_session"].value


def _complain(complaints: list[str], url: str, message: Any) -> None:
    # An answer of 4xx is what some tests are about; the page shows it.
    if message.type == "error" and "Failed to load resource" not in message.text:
        complaints.append(f"{url}: {message.text}")
