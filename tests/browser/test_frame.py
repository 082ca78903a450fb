"""The frame of every page, and coming into it by an invitation, as people do."""

import base64
import hmac
import struct
import time
from typing import Any
from urllib.parse import urlsplit

from tests.browser.conftest import PHONE, Open, barriers
from tests.console.conftest import account_of
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


async def test_somebody_of_two_organisations_goes_from_one_to_the_other(
    open_page: Open, stage: Stage, other_organisation: Any
) -> None:
    await in_django(lambda: _join(stage.organisation.people["root"], other_organisation.people["mallory"]))
    page = await open_page("root", "/console/organisation")
    assert await barriers(page) == []
    name = await in_django(lambda: other_organisation.tenant.name)
    switch = page.locator("summary", has_text="acme")
    await switch.click()
    await page.get_by_role("button", name=name).click()
    await page.wait_for_url("**/console/overview")
    await page.locator("summary", has_text=name).wait_for()
    await page.goto("/console/people")
    assert await page.get_by_role("link", name="Mallory").count() == 1
    assert await page.get_by_role("link", name="Carol").count() == 0


def _join(root: Any, mallory: Any) -> None:
    mallory.account = account_of(root)
    mallory.save()


async def test_a_second_factor_is_asked_for_once_it_is_on(open_page: Open, stage: Stage) -> None:
    account = await in_django(lambda: account_of(stage.organisation.people["ann"], PASSWORD))
    page = await open_page("", "/console/account/login/")
    await _sign_in(page, account.login)
    await page.wait_for_url("**/console/inbox")
    await page.goto("/console/account/second-factor/totp/activate/")
    # Somebody may have left their desk: the password is asked for once more.
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/totp/activate/")
    assert await barriers(page) == []
    secret = await page.locator("input[readonly], input[disabled]").first.input_value()
    await page.locator("input[name=code]").fill(one_time(secret))
    await page.get_by_role("button", name="Activate").click()
    await page.get_by_text("Recovery Codes").first.wait_for()

    await page.context.clear_cookies()
    await page.goto("/console/account/login/")
    await _sign_in(page, account.login)
    await page.locator("input[name=code]").fill("000000")
    await page.keyboard.press("Enter")
    await page.locator("input[name=code]").wait_for()
    assert "/console/inbox" not in page.url
    # The one that was used to switch it on is used up.
    await page.locator("input[name=code]").fill(one_time(secret, later=1))
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/console/inbox")


async def _sign_in(page: Any, login: str) -> None:
    await page.get_by_label("Login or e-mail").fill(login)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()


def one_time(secret: str, later: int = 0) -> str:
    """https://www.rfc-editor.org/rfc/rfc6238, `later` steps of 30 seconds from now."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, struct.pack(">Q", int(time.time()) // 30 + later), "sha1")
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06}"
