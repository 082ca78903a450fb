"""DingTalk from an administrator's settings to the group and the phone: calls that are shared, limits that hold, and
what came of a message that was said to be sent."""

import asyncio
import re
from typing import Any

from tests.delivery.given import event
from tests.scenarios.stage import SOON, Stage, in_django

from tidings.channels.testing.dingtalk import SEND, DingTalk
from tidings.channels.testing.dingtalk_robot import GroupRobots, Robot

APP = {"app_key": "dingapp", "app_secret": "secret-of-that-app", "agent_id": 3_456_789_012}
MOBILES = {"ann": "13800138001", "bo": "13800138002", "dan": "13800138003"}
TOKEN = "5f3a9c1be20d774e6a8c9b0d1f2e3a4b"
ROBOT = {"url": f"https://oapi.dingtalk.com/robot/send?access_token={TOKEN}", "secret": "SECgroup"}


async def _as_root(stage: Stage, path: str, body: Any) -> None:
    token: str = await in_django(lambda: stage.organisation.token("root"))
    answer = await stage.send("PUT", f"/api/v1{path}", body, token=token)
    assert answer.status in (200, 201), answer


async def _in_one_group(stage: Stage, vendor: GroupRobots, *logins: str) -> None:
    await _as_root(stage, "/channels/dingtalk_robot", {"enabled": True, "settings": {"endpoint": vendor.url("/")}})
    for login in logins:
        await _as_root(stage, f"/users/{login}", {"mobile": f"+86{MOBILES[login]}"})
        wanted = {"methods": ["dingtalk_robot"], "dingtalk_robot": ROBOT}
        await _as_root(stage, f"/users/{login}/notification-settings", wanted)


async def _in_the_company(stage: Stage, vendor: DingTalk, *logins: str) -> None:
    await _as_root(stage, "/channels/dingtalk", {"enabled": True, "settings": {**APP, "endpoint": vendor.url("/")}})
    for login in logins:
        wanted = {"methods": ["dingtalk"], "mobile": f"+86{MOBILES[login]}"}
        await _as_root(stage, f"/users/{login}/notification-settings", wanted)


def _for_all() -> dict[str, Any]:
    people = {"submitter": "root", "approvers": list(MOBILES)}
    return event(type="data_change.pending_approval", people=people)


async def test_an_event_is_one_message_to_a_group_that_mentions_each(empty_stage: Stage) -> None:
    await empty_stage.start()
    async with GroupRobots({TOKEN: Robot(keywords=["DMS"], secret="SECgroup")}) as robots:
        await _in_one_group(empty_stage, robots, *MOBILES)
        await empty_stage.post(_for_all())
        await empty_stage.settled("sent", "sent", "sent")
        [posted] = robots.posted
        assert set(posted.mentioned) == set(MOBILES.values())
        # Who watches sees how full the robot is, and not whose it is.
        shown = (await empty_stage.send("GET", "/metrics")).body.decode()
        [full] = re.findall(r'tidings_budget_used_ratio{account="",budget="dingtalk_robot_rate"} ([\d.]+)', shown)
        assert 0 < float(full) <= 3 / 18 and TOKEN not in shown and "SECgroup" not in shown
        assert robots.complaints == []
        await empty_stage.ledger()


async def test_a_surge_into_one_group_is_summed_up_before_the_robot_is_punished(empty_stage: Stage) -> None:
    await empty_stage.start()
    async with GroupRobots({TOKEN: Robot(keywords=["DMS"], secret="SECgroup")}) as robots:
        await _in_one_group(empty_stage, robots, "ann")
        subjects = [f"surge-{number}-" for number in range(45)]
        await empty_stage.post_batch(*(event(subject=subject) for subject in subjects))
        query = (
            "SELECT count(*) FROM delivery_delivery WHERE state = 'sending' OR (state = 'pending' AND reason IS NULL)"
        )
        async with asyncio.timeout(SOON):
            while await empty_stage.value(query):
                await asyncio.sleep(0.02)
        sent = (await empty_stage.states()).count("sent")
        told = {name for posted in robots.posted for name in re.findall(r"surge-\d+-", posted.content["text"])}
        assert len(told) == sent >= 40
        assert len(robots.posted) <= 18
        assert robots.complaints == []
        waiting = "SELECT DISTINCT reason FROM delivery_delivery WHERE state = 'pending'"
        assert await empty_stage.rows(waiting) in ([], [("robot_budget",)])
        await empty_stage.ledger()


async def test_what_waits_for_its_robot_says_so_once_however_long_it_waits(empty_stage: Stage) -> None:
    await empty_stage.start()
    async with GroupRobots({TOKEN: Robot(keywords=["DMS"], secret="SECgroup")}) as robots:
        await _in_one_group(empty_stage, robots, "ann")
        states: list[str] = []
        while not states or states[-1] == "sent":
            [last] = await empty_stage.post(event())
            async with asyncio.timeout(SOON):
                while not (send := (await empty_stage.record(last))["recipients"][0]["sends"][0])["attempts"]:
                    await asyncio.sleep(0.02)
            states.append(send["state"])
        assert (states.pop(), len(states) <= 18) == ("pending", True)
        for _ in range(2):
            # it is looked at again and again, for as long as the minute is full
            await empty_stage.advance(60)
            async with asyncio.timeout(SOON):
                while await empty_stage.value("SELECT count(*) FROM delivery_delivery WHERE due_at <= now()") > len(
                    states
                ):
                    await asyncio.sleep(0.02)
        [send] = (await empty_stage.record(last))["recipients"][0]["sends"]
        [waited] = send["attempts"]
        assert (waited["outcome"], waited["reason"]) == ("held", "dingtalk_robot_rate")
        assert waited.keys() == {"outcome", "at", "reason"}
        held = "SELECT sum(count) FROM delivery_tally WHERE tenant_id = %s AND what = 'held'"
        async with asyncio.timeout(SOON):
            while await empty_stage.value(held, empty_stage.organisation.id) is None:
                await asyncio.sleep(0.1)
        await asyncio.sleep(2.5)
        assert await empty_stage.value(held, empty_stage.organisation.id) == 1


async def test_who_is_told_the_same_shares_one_call_and_hears_what_came_of_it(empty_stage: Stage) -> None:
    await empty_stage.start()
    staff = {mobile: login for login, mobile in MOBILES.items()}
    async with DingTalk(**APP, people=staff) as vendor:
        await _in_the_company(empty_stage, vendor, *MOBILES)
        await empty_stage.post(_for_all())
        await empty_stage.settled("sent", "sent", "sent")
        assert vendor.calls[SEND] == 1
        assert {told.user for told in vendor.told} == set(MOBILES)
        await _ask_now(empty_stage)
        await empty_stage.settled("delivered", "delivered", "delivered")
        assert vendor.complaints == []
        await empty_stage.ledger()


async def test_what_dingtalk_took_and_dropped_is_failed_when_it_tells(empty_stage: Stage) -> None:
    await empty_stage.start()
    async with DingTalk(**APP, people={MOBILES["ann"]: "ann"}) as vendor:
        vendor.most_a_day = 1
        await _in_the_company(empty_stage, vendor, "ann")
        await empty_stage.post(event())
        await empty_stage.settled("sent")
        [lost] = await empty_stage.post(event())
        await empty_stage.settled("sent", "sent")
        assert len(vendor.told) == 1
        await _ask_now(empty_stage)
        await empty_stage.settled("delivered", "failed")
        record = await empty_stage.record(lost)
        [send] = record["recipients"][0]["sends"]
        assert "143105" in send["attempts"][-1]["said"]
        await empty_stage.ledger()


async def test_who_has_no_dingtalk_is_asked_for_once_and_switched_off(empty_stage: Stage) -> None:
    await empty_stage.start()
    async with DingTalk(**APP, people={}) as vendor:
        await _in_the_company(empty_stage, vendor, "ann")
        [unread] = await empty_stage.post(event())
        await empty_stage.settled("failed", login="ann")
        record = await empty_stage.record(unread)
        [send] = record["recipients"][0]["sends"]
        assert send["reason"] == "no_dingtalk_account"
        assert send["attempts"][0]["said"] == "60121 找不到该用户"


async def _ask_now(stage: Stage) -> None:
    await stage.database.execute("UPDATE delivery_delivery SET ask_at = now() WHERE ask_at IS NOT NULL")
