"""The ways of an administrator who sets a channel up, until it works."""

import re
from typing import Any

from tests.browser.conftest import PHONE, Open, barriers
from tests.delivery.given import in_django
from tests.scenarios.stage import SERVE, Stage

from tidings.channels.testing.smtp_server import MailServer


async def node(stage: Stage) -> str:
    if not stage.nodes:
        await stage.start(SERVE)
    return f"http://127.0.0.1:{stage.nodes[-1].port}"


async def test_mail_is_switched_on_tried_and_read(open_page: Open, stage: Stage, local_calls: None) -> None:
    await node(stage)
    async with MailServer(username="tidings", password="correct horse") as server:
        page = await open_page("root", "/console/channels")
        await page.get_by_role("link", name=re.compile("Set up.*E-mail")).click()
        await page.get_by_role("button", name="Save and switch on").click()
        assert "Mail server is missing." in await page.locator(".alert-danger").inner_text()

        await page.get_by_label("Mail server").fill("localhost")
        await page.get_by_label("Port").fill(str(server.port))
        await page.get_by_label("Encryption").select_option("None")
        await page.get_by_label("User name").fill("tidings")
        await page.get_by_label("Password", exact=False).first.fill("wrong horse")
        await page.get_by_label("Sender").fill("Tidings <notices@example.com>")
        await page.get_by_role("button", name="Save and switch on").click()
        await page.get_by_text("Saved.").wait_for()
        assert await barriers(page) == []

        # Nobody has told it where root reads mail.
        await page.get_by_role("button", name="Send a test").click()
        await page.get_by_text("root cannot be reached by this channel.").wait_for()
        await in_django(lambda: _gives_address(stage.organisation, "root"))
        await page.get_by_role("button", name="Send a test").click()
        await page.get_by_text("The provider refuses the credentials").wait_for()

        password = page.get_by_label("Password", exact=False).first
        assert await password.input_value() == ""
        await password.fill("correct horse")
        await page.get_by_role("button", name="Save").click()
        await page.get_by_text("Saved.").wait_for()
        await page.get_by_role("button", name="Send a test").click()
        await page.get_by_text("The test message was sent.").wait_for()
        [mail] = server.mails
        assert mail.recipient == "root@example.com" and "Test message from Tidings" in mail.message["Subject"]


async def test_a_channel_is_switched_in_place_with_the_keyboard(open_page: Open, stage: Stage) -> None:
    await node(stage)
    page = await open_page("root", "/console/channels", size=PHONE)
    slack = page.get_by_role("switch", name="Slack")
    await slack.focus()
    await page.keyboard.press("Space")
    await page.get_by_text("Slack is on.").wait_for()
    assert await page.get_by_role("switch", name="Slack").is_checked()
    assert await barriers(page) == []


def _gives_address(organisation: Any, login: str) -> None:
    from tidings.channels.registry import CHANNELS
    from tidings.directory.contact_points import write_point

    write_point(organisation.people[login], CHANNELS["email"], None, {"address": f"{login}@example.com"}, verified=True)
