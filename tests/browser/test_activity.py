"""A person on duty at a browser: what comes in appears by itself, what failed is tried again."""

import asyncio
from typing import Any

import pytest
from tests.browser.conftest import DESK, PHONE, Open, barriers, ready
from tests.delivery.given import event
from tests.scenarios.stage import Stage

from tidings.channels.testing.webhook_receiver import Reply
from tidings.console import retry
from tidings.node import live

PENDING = "data_change.pending_approval"


def titled(title: str, **changes: Any) -> dict[str, Any]:
    return event(**changes) | {"subject": {"kind": "ticket", "id": title.lower(), "title": title}}


async def test_an_event_appears_as_it_comes_in_and_so_does_what_became_of_it(open_page: Open, stage: Stage) -> None:
    stage.answers("ann", Reply(after=1.5))
    page = await open_page("root", "/console/activity")
    assert "Nothing came in yet" in await page.inner_text("main")
    # when
    await stage.post(titled("Add-index", to="ann"))
    # then
    await page.wait_for_selector("text=Add-index")
    await page.click("#events tbody a >> nth=0")
    assert "on its way" in await page.inner_text("#record")
    await page.wait_for_selector("#record >> text=sent")


async def test_who_does_not_see_all_sees_their_own_appear(open_page: Open, stage: Stage) -> None:
    page = await open_page("ann", "/console/activity")
    await stage.post(titled("Of-bo", to="bo"), titled("Of-ann", to="ann"))
    await page.wait_for_selector("text=Of-ann")
    assert await page.locator("text=Of-bo").count() == 0


async def test_the_focus_stays_where_it_was_when_something_comes_in(open_page: Open, stage: Stage) -> None:
    await stage.post(
        titled('T\'1 of "ours"', type=PENDING, people={"submitter": "ann", "approvers": ["bo"]}), titled("T2", to="ann")
    )
    await stage.over()
    for path, part, chosen in (
        ("/console/overview", "#overview", "#all-waiting"), ("/console/overview", "#overview", "a[id^=awaiting-]"),
        ("/console/overview", "#overview", "#numbers-summary"), ("/console/activity", "#events", "[id^=subject-] >> nth=1"),
    ):  # fmt: skip
        page = await open_page("root", path)
        if chosen == "#numbers-summary":
            await page.click(chosen)
        held = page.locator(chosen)
        key = await held.get_attribute("id")
        await held.focus()
        await page.evaluate("(part) => { document.querySelector(part).dataset.old = 'yes'; }", part)
        await stage.post(titled("One-more", to="bo"))
        # It may have asked for itself just now, and is calm for ten seconds then.
        await page.wait_for_selector(f"{part}:not([data-old])", timeout=15_000)
        assert await page.evaluate("document.activeElement.id") == key
        if chosen == "#numbers-summary":
            await page.wait_for_selector("#numbers[open]")
        every = f"{part} :is(a, button, summary, input):not([id])"
        assert [await each.inner_text() for each in await page.locator(every).all()] == []
        await page.close()


async def test_a_page_that_nobody_sees_listens_to_nothing_and_catches_up(open_page: Open, stage: Stage) -> None:
    page = await open_page("root", "/console/activity")
    streams = stage.nodes[0].node.live

    async def open_streams(count: int) -> None:
        async with asyncio.timeout(5):
            while streams.streams != count:
                await asyncio.sleep(0.02)

    async def look(hidden: bool) -> None:
        await page.evaluate(
            "(hidden) => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});"
            " document.dispatchEvent(new Event('visibilitychange')); }",
            hidden,
        )

    await open_streams(1)
    await look(hidden=True)
    await open_streams(0)
    await stage.post(titled("Meanwhile", to="ann"))
    assert await page.locator("text=Meanwhile").count() == 0
    await look(hidden=False)
    await page.wait_for_selector("text=Meanwhile")


async def test_what_failed_is_ticked_and_tried_again(open_page: Open, stage: Stage) -> None:
    stage.answers("ann", Reply(400, b"no thanks"), Reply())
    await stage.post(titled("Add-index", to="ann"))
    await stage.over()
    page = await open_page("root", "/console/overview")
    await page.click("text=Why, and retry")
    assert "no thanks" in await page.inner_text("#deliveries")
    retry = page.locator("button[data-chosen=id]")
    assert await retry.is_disabled()
    await page.check("input[name=id]")
    assert "(1)" in await retry.inner_text()
    await retry.click()
    await page.wait_for_selector("text=1 delivery is tried again now.")
    await stage.settled("sent")
    await page.goto("/console/deliveries")
    assert "sent" in await page.inner_text("#deliveries") and len(stage.arrived("ann")) == 2


async def test_all_that_failed_is_tried_again_with_its_progress_in_sight(
    open_page: Open, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "SLICE", 2)
    stage.answers("ann", *[Reply(400)] * 5, Reply())
    await stage.post(*(event(to="ann") for _ in range(5)))
    await stage.over()
    page = await open_page("carol", "/console/deliveries?state=failed")
    opener = page.locator("a:has-text('Retry all that fit these filters')")
    await opener.focus()
    await page.keyboard.press("Enter")
    await page.wait_for_selector("dialog[open] >> text=5 deliveries are tried again")
    assert await barriers(page) == []
    # Escape gives the focus back to where it was.
    await page.keyboard.press("Escape")
    assert await page.locator("dialog[open]").count() == 0
    assert await opener.evaluate("(it) => it === document.activeElement")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("dialog[open] >> text=5 deliveries are tried again")
    await ready(page)
    await page.keyboard.press("Enter")
    await page.wait_for_selector("dialog[open] >> text=5 are tried again.")
    await page.click("dialog[open] >> text=Back to the list")
    await page.wait_for_selector("text=Nothing failed")
    await stage.settled(*["sent"] * 5)


@pytest.mark.parametrize(("size", "scheme"), [(DESK, "light"), (PHONE, "dark")], ids=["desk", "phone"])
async def test_there_are_no_barriers_and_nothing_is_cut_off(
    open_page: Open, stage: Stage, monkeypatch: pytest.MonkeyPatch, size: dict[str, int], scheme: str
) -> None:
    monkeypatch.setattr(live, "LOOK_EVERY", 60.0)
    stage.answers("ann", Reply(400, b"a" * 150))
    stage.answers("bo", Reply(503))
    await stage.post(
        titled("Drop-" + "a-very-long-name-" * 5, to="ann"),
        titled("T1", type=PENDING, people={"submitter": "ann", "approvers": ["bo", "dan", "zed"]},
               resources=[{"instance": "rm-orders", "database": "orders"}], details={"comment": "word " * 60}),
    )  # fmt: skip
    await stage.settled("failed", "failed", "sent", within=15)
    [key] = [row[0] for row in await stage.rows("SELECT id FROM events_event WHERE type = %s", PENDING)]
    page, found = await open_page("root", "/console/overview", size=size, color_scheme=scheme), list[str]()
    for path in ("/console/overview", "/console/overview?span=30d", "/console/activity", f"/console/activity/{key}",
                 "/console/subjects/ticket/t1", "/console/deliveries", "/console/deliveries?state=failed",
                 "/console/deliveries/retry-all?state=failed", "/console/activity?person=nobody"):  # fmt: skip
        await page.goto(path)
        await page.evaluate("document.querySelectorAll('main details').forEach((one) => { one.open = true; })")
        found += [f"{path}: {each}" for each in await barriers(page)]
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        found += [f"{path}: {wide} pixels too wide"] if wide > 0 else []
    assert found == []
