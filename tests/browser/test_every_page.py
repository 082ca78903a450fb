"""Promises about every page of the menus at once: nobody is kept out, nothing is cut off, and it is light to load."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from tests.browser.conftest import DESK, PHONE, Open, barriers
from tests.delivery.given import event
from tests.scenarios.stage import Stage

import tidings.console
from tidings.console.menu import MENU

PATHS = [reverse(entry.name) for _, entries in MENU for entry in entries] + ["/console/account/sessions/"]
FIRST_LOAD = 300_000
"""Bytes over the wire, of a page with all that it needs, when a browser has nothing yet."""


async def furnished(stage: Stage) -> None:
    people = {"submitter": "ann", "approvers": ["bo", "dan"]}
    await stage.post(
        *(event(people=people) | {"type": f"data_change.{each}"} for each in ("pending_approval", "failed"))
    )
    await stage.over()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
async def test_no_page_keeps_anybody_out_or_needs_scrolling_sideways(
    open_page: Open, stage: Stage, scheme: str, size: dict[str, int]
) -> None:
    await furnished(stage)
    page = await open_page("root", PATHS[0], size=size, color_scheme=scheme)
    found: dict[str, Any] = {}
    for path in PATHS:
        await page.goto(path)
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if problems := [*await barriers(page), *([f"{wide} px too wide"] if wide > 0 else [])]:
            found[path] = problems
    assert found == {}


async def test_the_first_page_is_light_to_load(open_page: Open, stage: Stage) -> None:
    page = await open_page("", "/console/account/login/")
    sizes: dict[str, int] = {}

    async def weigh(response: Any) -> None:
        length = response.headers.get("content-length")
        body = await response.body()
        compressed = "gzip" in response.headers.get("content-encoding", "")
        sizes[response.url] = int(length) if compressed and length else len(body)

    context = page.context
    fresh = await context.new_page()
    pending: list[Any] = []
    fresh.on("response", lambda response: pending.append(response))
    await fresh.goto("/console/account/login/")
    for response in pending:
        await weigh(response)
    assert sum(sizes.values()) < FIRST_LOAD, sizes
    assert any(url.endswith("tabler.css") for url in sizes)


def test_style_and_scripts_are_compressed_beforehand() -> None:
    folder = Path(tidings.console.__file__).parent / "static"
    for name in ("vendor/tabler.css", "vendor/htmx.js", "console/console.css", "console/console.js"):
        path = folder / name
        assert gzip.decompress(path.with_name(f"{path.name}.gz").read_bytes()) == path.read_bytes()
