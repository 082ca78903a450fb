"""How much of a vendor's budgets is used, and whether it is left alone, as people are told."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.delivery.given import Desk, event, in_django

from tidings.channels.contract import Parcel
from tidings.channels.registry import CHANNELS
from tidings.delivery import lease, limits
from tidings.delivery.budget import take
from tidings.delivery.limits import Limits

ROBOTS = {
    login: {"url": f"https://oapi.dingtalk.com/robot/send?access_token={letter * 60}{login}"}
    for login, letter in (("ann", "a"), ("bo", "b"))
}
APP = {"app_key": "dingapp", "app_secret": "secret-of-that-app", "agent_id": 3_456_789_012}
SHOWN = "https://oapi.dingtalk.com/…aann"


async def set_up(desk: Desk, channel: str, settings: dict[str, Any], contacts: dict[str, dict[str, Any]]) -> None:
    """The channel is on, these people chose it, and each of them was told of an event."""

    def configure() -> None:
        from tidings.channels.models import ChannelSetting
        from tidings.directory.contact_points import write_point
        from tidings.kernel.secrets import seal

        organisation = desk.organisation
        ChannelSetting.objects.create(
            tenant=organisation.tenant, channel=channel, enabled=True, sealed=seal(settings), version=1
        )
        for login, contact in contacts.items():
            person = organisation.people[login]
            write_point(person, CHANNELS[channel], None, contact, verified=True)
            person.methods = [channel]
            person.save()

    # A budget is its robot's, whichever tenant uses it.
    await desk.run("TRUNCATE delivery_budget")
    await in_django(configure)
    await desk.keep(*(event(to=login) for login in contacts))


async def seen(desk: Desk, channel: str, login: str = "carol") -> Limits:
    return await in_django(lambda: limits.limits_of(desk.organisation.caller(login), channel))


async def use(desk: Desk, channel: str, contact: dict[str, Any], settings: dict[str, Any], calls: int) -> None:
    """These calls were made."""
    parcel = Parcel(None, None, contact, settings, datetime.now(UTC))  # type: ignore[arg-type]
    await take(desk.connection, [CHANNELS[channel].budgets([parcel])] * calls)


async def test_a_robot_says_how_many_of_its_messages_went_this_minute(desk: Desk) -> None:
    await set_up(desk, "dingtalk_robot", {}, ROBOTS)
    assert (await seen(desk, "dingtalk_robot")).budgets == []
    await use(desk, "dingtalk_robot", ROBOTS["ann"], {}, 14)
    [limit] = (await seen(desk, "dingtalk_robot")).budgets
    assert (limit.of, limit.reason, limit.free_at) == (SHOWN, "dingtalk_robot_rate", None)
    assert (limit.used, limit.most, limit.per) == (14, 18, timedelta(minutes=1))


async def test_a_full_budget_says_when_the_next_message_may_go(desk: Desk) -> None:
    await set_up(desk, "dingtalk_robot", {}, ROBOTS)
    await use(desk, "dingtalk_robot", ROBOTS["bo"], {}, 18)
    await use(desk, "dingtalk_robot", ROBOTS["ann"], {}, 1)
    full, other = (await seen(desk, "dingtalk_robot")).budgets
    assert (full.used, other.used) == (18, 1)
    assert full.free_at is not None
    assert timedelta(seconds=50) < full.free_at - datetime.now(UTC) <= timedelta(seconds=62)


async def test_the_accounts_budget_is_shown_before_anything_is_used(desk: Desk) -> None:
    await set_up(desk, "dingtalk", APP, {})
    [limit] = (await seen(desk, "dingtalk")).budgets
    assert (limit.of, limit.reason, limit.used, limit.most) == ("", "dingtalk_rate", 0, 5_000)
    assert (await seen(desk, "sms")).budgets == ()
    assert (await seen(desk, "sms")).gives_up_after == timedelta(hours=4)


async def test_what_a_node_leaves_alone_is_told_with_the_time_of_the_next_try(desk: Desk) -> None:
    await set_up(desk, "dingtalk_robot", {}, ROBOTS)
    account = CHANNELS["dingtalk_robot"].account(ROBOTS["ann"], {})
    assert account is not None
    mine = await desk.register()
    await lease.renew(desk.connection, mine, {account: 40.0, "somebody else's": 300.0})
    [alone] = (await seen(desk, "dingtalk_robot")).left_alone
    assert alone.of == SHOWN
    assert timedelta(seconds=35) < alone.until - datetime.now(UTC) <= timedelta(seconds=41)
    await lease.renew(desk.connection, mine)
    assert (await seen(desk, "dingtalk_robot")).left_alone == []


async def test_an_account_in_trouble_is_everybodys(desk: Desk) -> None:
    await set_up(desk, "dingtalk", APP, {"ann": {"user_id": "ann1"}, "bo": {"user_id": "bo22"}})
    account = CHANNELS["dingtalk"].account({}, APP)
    assert account is not None
    await lease.renew(desk.connection, await desk.register(), {account: 10.0})
    assert [alone.of for alone in (await seen(desk, "dingtalk")).left_alone] == [""]
