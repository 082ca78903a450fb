"""The frame of every page, and coming into it by an invitation, as people do."""

from typing import Any
from urllib.parse import urlsplit

from tests.browser.conftest import PHONE, Open, barriers
from tests.delivery.given import in_django
from tests.scenarios.stage import Stage

PASSWORD = "correct horse battery"


async def test_an_invited_person_chooses_a_password_and_signs_out_and_in_again(open_page: Open, stage: Stage) -> None:
    link = urlsplit(await in_django(lambda: _invitation(stage))).path
    page = await open_page("", link)
    assert await barriers(page) == []
    await page.get_by_label("Sign in as").fill("ann-of-acme")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/console/inbox")

    await page.locator("summary", has_text="Ann").click()
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url("**/login/**")
    await page.get_by_label("Login or e-mail").fill("ann-of-acme")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/console/inbox")


def _invitation(stage: Stage) -> str:
    from tidings.accounts.invite import invite

    return invite(stage.organisation.caller(), "ann")


async def test_the_theme_stays_as_it_was_chosen(open_page: Open) -> None:
    page = await open_page("ann", "/console/inbox", color_scheme="light")
    theme: Any = "document.documentElement.dataset.bsTheme"
    assert await page.evaluate(theme) == "light"
    await page.get_by_role("button", name="Light or dark").click()
    await page.reload()
    assert await page.evaluate(theme) == "dark"


async def test_the_menu_opens_on_a_phone_and_a_page_from_it(open_page: Open) -> None:
    page = await open_page("root", "/console/settings", size=PHONE)
    menu = page.get_by_role("navigation", name="Pages")
    await page.get_by_role("button", name="Menu").click()
    await menu.get_by_role("link", name="Overview").click()
    await page.wait_for_url("**/console/overview")
    assert not await menu.is_visible()


async def test_who_may_not_open_a_page_does_not_see_it_in_the_menu_and_is_told_so(open_page: Open) -> None:
    page = await open_page("ann", "/console/inbox")
    assert await page.get_by_role("link", name="Notice management").count() == 0
    answer = await page.goto("/console/rules")
    assert answer.status == 403
    assert await page.get_by_role("heading", name="This is not open to you").is_visible()
