"""The directory in a browser: a file is handed in and done, who answers for an instance is found by typing, somebody is
invited; and no page of it has a barrier or is wider than a phone."""

from typing import Any

import pytest
from tests.browser.conftest import DESK, PHONE, Open, barriers, ready
from tests.delivery.given import in_django
from tests.scenarios.stage import Stage

FILE = (
    "login,name,email\n"
    + "ann,Ann Li,ann@example.com\nbad,Bad,nonsense\n"
    + "".join(f"new{n},New {n},new{n}@example.com\n" for n in range(448))
)


async def _as_root(stage: Stage, method: str, path: str, body: Any = None) -> Any:
    token = await in_django(lambda: stage.organisation.token("root"))
    return (await stage.send(method, f"/api/v1{path}", body, token=token)).body


async def test_a_file_is_handed_in_watched_read_and_done(open_page: Open, stage: Stage) -> None:
    page = await open_page("root", "/console/people")
    await page.get_by_role("link", name="Import").click()
    file = {"name": "people.csv", "mimeType": "text/csv", "buffer": FILE.encode("gb18030")}
    await page.get_by_label("CSV file").set_input_files(file)
    await page.get_by_role("button", name="See what it would change").click()
    await page.get_by_text("448 are new, 1 is changed.").wait_for()
    await page.get_by_text("1 row is refused and does nothing.").wait_for()
    assert (await _as_root(stage, "GET", "/users/ann"))["name"] == "Ann"
    await page.get_by_role("link", name="refused 1").click()
    await page.get_by_text("E-mail: cannot be written to").wait_for()
    assert await page.locator("tbody tr").count() == 1
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Take the refused rows along").click()
    assert (await download.value).suggested_filename == "refused.csv"
    assert await barriers(page) == []
    await page.get_by_role("button", name="Do it").click()
    await page.get_by_text("449 rows were done.").wait_for(timeout=30_000)
    assert (await _as_root(stage, "GET", "/users/new447"))["name"] == "New 447"
    assert (await _as_root(stage, "GET", "/users/ann"))["name"] == "Ann Li"


async def test_who_answers_for_an_instance_is_found_by_typing(open_page: Open, stage: Stage) -> None:
    await _as_root(stage, "PUT", "/instances/rm-orders", {"owners": ["dan"]})
    page = await open_page("carol", "/console/resources")
    opener = page.get_by_role("link", name="Modify rm-orders")
    await opener.click()
    dialog = page.get_by_role("dialog", name="rm-orders")
    await dialog.wait_for()
    await ready(page)
    await dialog.get_by_label("DBA").press_sequentially("Caro")
    await dialog.locator("datalist option[value=carol]").wait_for(state="attached")
    assert await barriers(page) == []
    await dialog.get_by_label("DBA").fill("nobody")
    await dialog.get_by_role("button", name="Confirm").click()
    await dialog.get_by_text("nobody here has this login").wait_for()
    await dialog.locator("#hold-dba:focus").wait_for()
    await ready(page)
    await dialog.get_by_label("DBA").fill("carol")
    await dialog.get_by_role("button", name="Confirm").click()
    await page.get_by_text("Saved. It holds for every event from now on.").wait_for()
    held = await _as_root(stage, "GET", "/instances/rm-orders")
    assert (held["dba"], held["owners"]) == ("carol", ["dan"])
    await page.get_by_role("link", name="Modify rm-orders").click()
    await page.wait_for_selector("dialog[open] #dialog-title")
    await page.keyboard.press("Escape")
    await page.wait_for_selector("dialog[open]", state="detached")
    assert await page.get_by_role("link", name="Modify rm-orders").evaluate("(it) => it === document.activeElement")


async def test_people_are_found_while_one_types_and_invited(open_page: Open) -> None:
    page = await open_page("root", "/console/people")
    await page.get_by_label("Search").press_sequentially("car")
    await page.locator("tbody tr").nth(1).wait_for(state="detached")
    assert "q=car" in page.url
    await page.get_by_role("link", name="Carol").click()
    await page.get_by_role("button", name="Invite to the console").click()
    await page.get_by_role("dialog").get_by_text("/console/welcome/").wait_for()
    assert await barriers(page) == []
    await page.get_by_role("button", name="Done").click()
    await page.get_by_role("link", name="See off").click()
    dialog = page.get_by_role("dialog", name="Carol has left?")
    await dialog.get_by_role("button", name="See off").click()
    await page.get_by_text("Carol has left. The records keep the name.").wait_for()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_no_page_has_a_barrier_or_is_wider_than_a_phone(open_page: Open, stage: Stage, dark: bool) -> None:
    await _as_root(stage, "PUT", f"/instances/{'rm-' + 'x' * 150}", {"dba": "carol", "owners": ["dan", "bo", "eve"]})
    await _as_root(stage, "PUT", "/users/amy", {"name": "A" * 90, "email": f"{'a' * 60}@{'b' * 60}.example.com"})
    for size in (DESK, PHONE):
        page = await open_page("root", "/console/people", size=size, color_scheme="dark" if dark else "light")
        for path in (
            "people",
            "people/amy",
            "people-new",
            "resources",
            f"resources/rm-{'x' * 150}",
            "imports",
            "audit",
        ):
            await page.goto(f"/console/{path}")
            assert await barriers(page) == [], path
            width = await page.evaluate("document.documentElement.scrollWidth")
            assert width <= size["width"], (path, width)
