"""My settings in a browser: a phone is proved to be mine, and the language changes at once."""

import re
from typing import Any

import pytest
from tests.browser.conftest import PHONE, Open, barriers
from tests.delivery.given import in_django
from tests.scenarios.stage import Stage

from tidings.channels.testing.aliyun_sms import AliyunSms, Template

SETTINGS = "/console/settings"
CODES = {"SMS_1": Template("${title}"), "SMS_9": Template("您的验证码为${code}，10分钟内有效。", "code")}


async def _text_messages(stage: Stage, sms: AliyunSms) -> None:
    """The tenant's SMS, led to Alibaba Cloud's double."""
    settings = {
        "provider": "aliyun",
        "access_key_id": "LTAI5tTest",
        "access_key_secret": "secret-of-that-key",
        "sign_name": "数据平台",
        "template_code": "SMS_1",
        "code_template_code": "SMS_9",
        "endpoint": sms.url(),
    }
    token: str = await in_django(lambda: stage.organisation.token("root"))
    body = {"enabled": True, "settings": settings}
    assert (await stage.send("PUT", "/api/v1/channels/sms", body, token=token)).status == 200


async def test_a_phone_is_verified_and_switched_on(open_page: Open, stage: Stage, local_calls: None) -> None:
    async with AliyunSms("LTAI5tTest", "secret-of-that-key", ["数据平台"], CODES) as sms:
        await _text_messages(stage, sms)
        page = await open_page("ann", SETTINGS, size=PHONE)
        way = page.locator("#way-sms")
        await way.get_by_text("Give an address").click()
        await way.get_by_label("Mobile number").fill("+86 138-0013 8123")
        await way.get_by_role("button", name="Send a code").click()
        code = way.get_by_label("The six digits that were sent to")
        await code.wait_for()
        assert await code.evaluate("(input) => input === document.activeElement")
        again = way.get_by_role("button", name="Send another code")
        assert await again.is_disabled()
        assert re.search(r"[01]:[0-5]\d", await again.inner_text())
        await stage.until(lambda: sms.texts, what="the text message")
        [digits] = re.findall(r"\d{6}", sms.texts[0].text)
        await code.fill(f"{(int(digits) + 1) % 1_000_000:06}")
        await way.get_by_role("button", name="Confirm").click()
        await way.get_by_text("This is not the code that was sent last.").wait_for()
        await way.get_by_text("4 tries are left.").wait_for()
        await way.get_by_label("The six digits").fill(f"{digits[:3]} {digits[3:]}")
        await way.get_by_role("button", name="Confirm").click()
        await way.get_by_text("This address is yours.").wait_for()
        # What was done is said where it was done, and the keyboard goes on from there.
        assert await way.evaluate("(way) => way.contains(document.activeElement)")
        await way.get_by_text("verified", exact=True).wait_for()
        await way.get_by_role("switch", name="Notify by SMS").check()
        await page.get_by_text("SMS is switched on.").wait_for()
        # What would be got follows.
        await page.locator("#expectations").get_by_text("SMS").wait_for()
        assert await barriers(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


async def test_the_language_changes_at_once_and_back(open_page: Open, stage: Stage) -> None:
    page = await open_page("ann", SETTINGS)
    await page.get_by_label("Language", exact=True).select_option("zh-hans")
    await page.get_by_label("Time zone", exact=True).select_option("Asia/Shanghai")
    await page.locator("form", has=page.locator("#language")).get_by_role("button").click()
    await page.get_by_role("heading", name="我的设置").wait_for()
    assert await page.locator("html").get_attribute("lang") == "zh-Hans"
    assert await page.locator("#timezone").input_value() == "Asia/Shanghai"
    await page.locator("#language").select_option("en")
    await page.locator("form", has=page.locator("#language")).get_by_role("button").click()
    await page.get_by_role("heading", name="My settings").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_is_open_to_everyone(open_page: Open, stage: Stage, scheme: str) -> None:
    page: Any = await open_page("ann", SETTINGS, color_scheme=scheme)
    for folded in await page.locator("main details > summary").all():
        await folded.click()
    assert await barriers(page) == []
