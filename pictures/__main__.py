"""`make pictures`: every page of the console as its people see it, on the demo's day, into docs/pictures.

Light and English unless the name says otherwise; `--all` adds dark, Chinese and phone of each, into a folder that is
not kept. Needs Chromium.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from playwright.async_api import Browser, Page, async_playwright

from tidings.demo.call import Api
from tidings.demo.play import Pace, play
from tidings.demo.read import day, events_of, last_working_day, organisation
from tidings.demo.receive import receivers
from tidings.demo.set_up import set_up
from tidings.demo.sign_up import PASSWORD
from tidings.demo.stage import free_port, stage

KEPT = Path(__file__).parents[1] / "docs" / "pictures"
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
TALL = {"width": 1280, "height": 1250}
ADMINISTRATOR, CHINESE, APPROVER = "ingrid.larsen", "zhao.min", "claire.dubois"
OPEN = ("pending", "sending")
CREATE, SEND_A_TEST = "main form .btn-primary", ".actions form .btn"
MODIFY = "#modify-schema_design-schema_changed"
_SESSIONS: dict[str, Any] = {}
"""Of whom has signed in already."""
AT_ONCE = Pace(gap=0.05, pauses=0.0)


@dataclass(frozen=True, slots=True)
class Picture:
    """`click`: what is clicked before, one selector after the other."""

    name: str
    path: str
    by: str = ADMINISTRATOR
    click: tuple[str, ...] = ()
    size: dict[str, int] = field(default_factory=lambda: DESK)
    dark: bool = False


async def main(everything: bool, only: str) -> None:
    KEPT.mkdir(exist_ok=True)
    written = organisation()
    with tempfile.TemporaryDirectory() as folder:
        async with stage(free_port(0), Path(folder) / "log") as on_stage, receivers(written) as local:
            cast = await set_up(on_stage.api, written, local)
            zone = ZoneInfo(written.timezone)
            events = events_of(day(), last_working_day(datetime.now(UTC), zone), zone)
            await play(day(), events, cast, AT_ONCE, lambda _: None)
            await _settled(cast.administrator)
            pictures = [each for each in await _pictures(cast.administrator) if only in each.name]
            async with async_playwright() as playwright:
                chromium = shutil.which("chromium")
                if chromium is None:
                    sys.exit("Chromium is not installed; Debian's package is called chromium.")
                browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
                for picture in pictures:
                    await _take(browser, on_stage.base, picture, KEPT)
                if everything:
                    out = Path(tempfile.mkdtemp(prefix="tidings-pictures-"))
                    for picture in pictures:
                        for variant in _variants(picture):
                            await _take(browser, on_stage.base, variant, out)
                    print(out)
                await browser.close()


async def _settled(api: Api) -> None:
    for _ in range(600):
        counts = [len((await api.must("GET", f"/deliveries?state={state}")).body["items"]) for state in OPEN]
        if not any(counts):
            return
        await asyncio.sleep(0.2)


async def _pictures(api: Api) -> list[Picture]:
    """By what the demo's organisation has: the event about a changed schema tells of many roles."""
    changed = (await api.must("GET", "/events?type=schema_design.schema_changed&limit=1")).body["items"][0]
    subject = changed["subject"]
    return [
        Picture("overview", "/console/overview"),
        Picture("overview-dark", "/console/overview", dark=True),
        Picture("rules", "/console/rules"),
        Picture("rules-chinese", "/console/rules", by=CHINESE),
        Picture(
            "modify",
            "/console/rules?feature=schema_design",
            click=(MODIFY,),
        ),
        Picture("preview", f"/console/preview?event={changed['id']}"),
        Picture("activity", "/console/activity"),
        Picture("event", f"/console/activity/{changed['id']}"),
        Picture("subject", f"/console/subjects/{subject['kind']}/{subject['id']}"),
        Picture("deliveries", "/console/deliveries"),
        Picture("inbox", "/console/inbox", by=APPROVER),
        Picture("inbox-phone", "/console/inbox", by=APPROVER, size=PHONE),
        Picture("settings", "/console/settings", by=APPROVER),
        Picture("people", "/console/people"),
        Picture("resources", "/console/resources"),
        Picture("channels", "/console/channels"),
        Picture("channel", "/console/channels/email"),
        Picture("sources", "/console/sources"),
        Picture("source", f"/console/sources/{changed['source']}"),
        Picture("source-new", "/console/sources-new"),
        Picture("source-connect", "/console/sources-new/dms", click=(CREATE, SEND_A_TEST)),
        Picture("source-try", "/console/sources-mapping/dms", size=TALL),
        Picture("tokens", "/console/tokens"),
        Picture("audit", "/console/audit"),
    ]


def _variants(one: Picture) -> list[Picture]:
    return [
        Picture(f"{one.name}-dark", one.path, one.by, one.click, one.size, dark=True),
        Picture(f"{one.name}-zh", one.path, CHINESE if one.by == ADMINISTRATOR else one.by, one.click),
        Picture(f"{one.name}-phone", one.path, one.by, one.click, PHONE),
    ]


async def _take(browser: Browser, base: str, picture: Picture, folder: Path) -> None:
    page = await _signed_in(browser, base, picture)
    answer = await page.goto(base + picture.path)
    for selector in picture.click:
        await page.locator(selector).first.click()
        await page.wait_for_timeout(700)
    await page.wait_for_timeout(300)
    await page.screenshot(path=folder / f"{picture.name}.png")
    print(f"{picture.name:<20}{answer.status if answer else '-'}")
    await page.context.close()


async def _signed_in(browser: Browser, base: str, picture: Picture) -> Page:
    more: dict[str, Any] = {"color_scheme": "dark" if picture.dark else "light"}
    if picture.by in _SESSIONS:
        context = await browser.new_context(viewport=picture.size, storage_state=_SESSIONS[picture.by], **more)
        return await context.new_page()
    context = await browser.new_context(viewport=picture.size, **more)
    page = await context.new_page()
    await page.goto(f"{base}/console/account/login/")
    await page.fill("[name=login]", picture.by)
    await page.fill("[name=password]", PASSWORD)
    await page.click("main button")
    await page.wait_for_url("**/console/**")
    _SESSIONS[picture.by] = await context.storage_state()
    return page


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="also dark, Chinese and phone of each")
    parser.add_argument("--only", default="", help="those whose name holds this")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.all, arguments.only))
