"""A text message, from the settings of an administrator to the phone."""

import asyncio
from collections import Counter
from typing import Any

from tests.delivery.given import event
from tests.scenarios.stage import SOON, Stage, in_django

from tidings.channels.sms.aliyun_template import TEXTS
from tidings.channels.testing.aliyun_sms import AliyunSms, Template, refusal
from tidings.channels.testing.twilio import TwilioServer

API = "/api/v1"
KEY = "a-receipt-key-of-ours"
MINE = {"access_key_id": "LTAI5tTest", "access_key_secret": "secret-of-that-key", "sign_name": "数据平台"}


async def _given(stage: Stage, sms: AliyunSms, *logins: str, **more: str) -> None:
    settings = {"provider": "aliyun", **MINE, "template_code": "SMS_1", "endpoint": sms.url()}
    await _set_up(stage, settings, *logins, **more)


async def _set_up(stage: Stage, settings: dict[str, str], *logins: str, numbers: str = "+86 138 0000 000") -> None:
    token: str = await in_django(lambda: stage.organisation.token("root"))
    body = {"enabled": True, "settings": settings | {"receipt_key": KEY}}
    assert (await stage.send("PUT", f"{API}/channels/sms", body, token=token)).status == 200
    for place, login in enumerate(logins):
        wanted = {"methods": ["sms"], "mobile": f"{numbers}{place}"}
        path = f"{API}/users/{login}/notification-settings"
        assert (await stage.send("PUT", path, wanted, token=token)).status == 200


async def _disabled(stage: Stage) -> str:
    """Why the one contact point that was switched off was; it happens a moment after the verdict."""
    query = "SELECT disabled_reason FROM directory_contactpoint WHERE tenant_id = %s AND disabled_at IS NOT NULL"
    async with asyncio.timeout(SOON):
        while not (rows := await stage.rows(query, stage.organisation.id)):
            await asyncio.sleep(0.02)
    [[reason]] = rows
    return str(reason)


def _double(**options: Any) -> AliyunSms:
    return AliyunSms("LTAI5tTest", "secret-of-that-key", ["数据平台"], {"SMS_1": Template(TEXTS["zh-hans"])}, **options)


async def test_an_event_becomes_a_text_message(empty_stage: Stage) -> None:
    await empty_stage.start()
    async with _double() as sms:
        await _given(empty_stage, sms, "ann")
        [event_id] = await empty_stage.post(event(subject="88123", to="ann"))
        await empty_stage.settled("sent", login="ann")
        [text] = sms.texts
        assert text.number == "8613800000000"
        assert "88123" in text.text
        record = await empty_stage.record(event_id)
        [send] = record["recipients"][0]["sends"]
        assert text.out_id == send["delivery_id"].replace("-", "")
        assert [attempt["said"] for attempt in send["attempts"]] == ["200 OK; 2 segments"]
        assert sms.wrong == []
        await empty_stage.ledger()


async def test_a_number_the_vendor_rejects_is_switched_off_and_a_busy_vendor_is_tried_again(empty_stage: Stage) -> None:
    await empty_stage.start()
    dead, busy = refusal("isv.MOBILE_NUMBER_ILLEGAL", "手机号码格式错误"), refusal("isp.SYSTEM_ERROR", "系统错误")
    async with _double(script={"8613800000000": [dead], "8613800000001": [busy, busy, None]}) as sms:
        await _given(empty_stage, sms, "ann", "bo")
        await empty_stage.post(event(to="ann"), event(to="bo"))
        await empty_stage.settled("failed", login="ann")
        await empty_stage.settled("sent", login="bo")
        assert [text.number for text in sms.texts] == ["8613800000001"]
        assert await _disabled(empty_stage) == "number_invalid"


def _reports_to(stage: Stage) -> str:
    return f"http://127.0.0.1:{stage.nodes[0].port}{API}/receipts/sms/{stage.organisation.id}/{KEY}"


async def test_a_report_makes_a_message_delivered_and_its_repeat_changes_nothing(empty_stage: Stage) -> None:
    await empty_stage.start()
    async with _double(reports_to=_reports_to(empty_stage), fates={"8613800000001": "USER_REJECT"}) as sms:
        await _given(empty_stage, sms, "ann", "bo")
        await empty_stage.post(event(to="ann"), event(to="bo"))
        await empty_stage.settled("delivered", login="ann")
        await empty_stage.settled("failed", login="bo")
        await sms.all_reported()
        assert sms.pushed == [200] * 4
        assert await _disabled(empty_stage) == "opted_out"
        await empty_stage.ledger()


async def test_a_report_that_names_another_message_of_the_vendors_is_ignored(empty_stage: Stage) -> None:
    await empty_stage.start()
    async with _double() as sms:
        await _given(empty_stage, sms, "ann")
        await empty_stage.post(event(to="ann"))
        await empty_stage.settled("sent", login="ann")
        [text] = sms.texts
        forged = {"success": False, "err_code": "USER_REJECT", "biz_id": "1", "out_id": text.out_id}
        path = f"{API}/receipts/sms/{empty_stage.organisation.id}/{KEY}"
        answer = await empty_stage.send("POST", path, ["not a report", forged])
        assert (answer.status, answer.body["code"]) == (200, 0)
        assert await empty_stage.states("ann") == ["sent"]
        point = "SELECT disabled_at FROM directory_contactpoint WHERE tenant_id = %s AND channel = 'sms'"
        assert await empty_stage.rows(point, empty_stage.organisation.id) == [(None,)]


async def test_twilio_reports_in_any_order_and_the_message_is_delivered(empty_stage: Stage) -> None:
    await empty_stage.start()
    async with TwilioServer("AC123", "a-token") as twilio:
        mine = {"provider": "twilio", "account_sid": "AC123", "auth_token": "a-token", "from": "+15005550006"}
        told = {"endpoint": twilio.url(), "status_callback": _reports_to(empty_stage)}
        await _set_up(empty_stage, mine | told, "ann")
        await empty_stage.post(event(subject="88123", to="ann"))
        await empty_stage.settled("delivered", login="ann")
        await twilio.all_reported()
        assert twilio.called_back == [200, 200, 200]
        assert "88123" in twilio.texts[0].text


async def test_a_number_that_had_its_fifty_of_the_day_gets_no_more_and_nobody_else_waits(empty_stage: Stage) -> None:
    await empty_stage.start()
    async with _double() as sms:
        await _given(empty_stage, sms, "ann", "bo", numbers="+86 139 0000 000")
        await empty_stage.post_batch(*(event(subject=str(number), to="ann") for number in range(52)), event(to="bo"))
        await empty_stage.over()
        # A day is longer than a text message is worth anything, so the last two do not wait.
        assert Counter(await empty_stage.states("ann")) == {"sent": 50, "failed": 2}
        assert await empty_stage.states("bo") == ["sent"]
        assert (len(sms.texts), sms.wrong) == (51, [])  # the vendor was not even asked
        reasons = "SELECT DISTINCT reason FROM delivery_delivery WHERE tenant_id = %s AND state = 'failed'"
        assert await empty_stage.rows(reasons, empty_stage.organisation.id) == [("number_at_its_limit",)]
