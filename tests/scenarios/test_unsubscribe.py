"""From a mail to no more mail: by the link that stands in it."""

from typing import Any

from tests.delivery.given import event
from tests.scenarios.stage import Stage, in_django

from tidings.channels.testing.smtp_server import MailServer


def by_mail(organisation: Any, port: int, *logins: str) -> None:
    """The tenant sends mail by this server, and they have chosen it."""
    from django.utils import timezone

    from tidings.channels.models import ChannelSetting
    from tidings.directory.models import ContactPoint
    from tidings.kernel.secrets import seal

    settings = {"host": "127.0.0.1", "port": port, "security": "none", "from": "Tidings <notices@example.com>"}
    ChannelSetting.objects.create(tenant=organisation.tenant, channel="email", enabled=True, sealed=seal(settings))
    for login in logins:
        ContactPoint.objects.create(
            tenant=organisation.tenant, person=organisation.people[login], channel="email",
            sealed=seal({"address": f"{login}@example.com"}), shown="shown", destination=f"127.0.0.1:{port}",
            verified_at=timezone.now(),
        )  # fmt: skip
        organisation.people[login].methods = ["email"]
        organisation.people[login].save()


async def test_a_mail_leads_to_its_own_end(empty_stage: Stage) -> None:
    stage = empty_stage
    async with MailServer() as server:
        await in_django(lambda: by_mail(stage.organisation, server.port, "ann", "bo"))
        await stage.start(base_url="https://tidings.example.com")
        await stage.post(event(to="ann"))
        await stage.until(lambda: server.taken)
        [mail] = server.taken
        link = mail.message["List-Unsubscribe"].strip("<>")
        assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert link.startswith("https://tidings.example.com/unsubscribe/")
        body = mail.message.get_body(("plain",))
        assert body is not None
        assert link in body.get_content().replace("=\n", "")
        # when
        path = link.removeprefix("https://tidings.example.com")
        looked = await stage.send("GET", path, token="")
        assert looked.status == 200
        form = {"content-type": "application/x-www-form-urlencoded"}
        clicked = await stage.send("POST", path, b"List-Unsubscribe=One-Click", token="", **form)
        assert clicked.status == 200
        # then
        [stopped] = await stage.post(event(to="ann"))
        await stage.post(event(to="bo"))
        await stage.until(lambda: len(server.taken) == 2)
        assert [each.recipient for each in server.taken] == ["ann@example.com", "bo@example.com"]
        [told] = (await stage.record(stopped))["recipients"]
        assert told["skips"] == [{"reason": "no_method"}]
        await stage.ledger()
