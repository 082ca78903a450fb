"""My notifications in a browser: they come in while one reads."""

import pytest
from tests.browser.conftest import PHONE, Open, barriers
from tests.delivery.given import event
from tests.scenarios.stage import Stage

PENDING = "data_change.pending_approval"
INBOX = "/console/inbox"
APPROVE = {"people": {"approvers": ["bo"], "submitter": "ann"}}


async def test_a_notification_appears_while_one_looks(open_page: Open, stage: Stage) -> None:
    page = await open_page("bo", INBOX)
    await page.get_by_text("Nothing yet").wait_for()
    await page.wait_for_timeout(1_000)  # the stream opens
    await stage.post(event(subject="live", type=PENDING, **APPROVE))
    item = page.locator("#inbox-items > li")
    await item.wait_for()
    assert "waits for approval" in await item.inner_text()
    assert await page.locator("#inbox-empty").inner_text() == ""
    said = page.locator("#inbox-said")
    assert await said.get_attribute("aria-live") == "polite"
    assert "1 new notification" in (await said.text_content() or "")
    await page.locator("#unread-desk").get_by_text("1", exact=True).wait_for()
    # Above, for as long as it waits.
    await page.locator("#waiting").get_by_text("Waits for you").wait_for()
    await stage.post(event(subject="live", type="data_change.approved", people={"submitter": "ann"}))
    await stage.post(event(to="bo"))
    await page.locator("#inbox-items > li").nth(1).wait_for()
    await page.locator("#waiting h2").wait_for(state="detached")


async def test_it_is_read_in_place_and_the_number_follows(open_page: Open, stage: Stage) -> None:
    await stage.post(event(to="bo"), event(to="bo"))
    page = await open_page("bo", INBOX)
    first = page.locator("#inbox-items > li").first
    await first.get_by_role("button", name="Mark as read").click()
    await page.locator("#unread-desk").get_by_text("1", exact=True).wait_for()
    assert await first.get_by_text("New", exact=True).count() == 0
    # Where one was: the keyboard goes on from there.
    assert await page.evaluate(
        "document.activeElement.closest('#inbox-items > li') === document.querySelector('#inbox-items > li')"
    )
    await page.get_by_label("All on this page").check()
    await page.locator("#chosen").get_by_role("button", name="Mark as read (1)").click()
    await page.get_by_text("1 notification is read now.").wait_for()
    assert await page.locator("#unread-desk .badge").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_is_open_to_everyone(open_page: Open, stage: Stage, scheme: str) -> None:
    await stage.post(event(type=PENDING, **APPROVE), event(to="bo"))
    await stage.messages("bo", 2)
    page = await open_page("bo", INBOX, size=PHONE, color_scheme=scheme)
    await page.locator("#inbox-items > li").nth(1).wait_for()
    assert await barriers(page) == []
    # Nothing is wider than the phone.
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
