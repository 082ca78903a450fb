"""A text message, from the settings of an administrator to the phone."""

from typing import Any

from tests.delivery.given import event
from tests.scenarios.stage import Stage, in_django

from tidings.channels.sms.aliyun_template import TEXTS
from tidings.channels.testing.aliyun_sms import AliyunSms, Template, refusal

API = "/api/v1"
MINE = {"access_key_id": "LTAI5tTest", "access_key_secret": "secret-of-that-key", "sign_name": "数据平台"}


async def _given(stage: Stage, sms: AliyunSms, *logins: str) -> None:
    token: str = await in_django(lambda: stage.organisation.token("root"))
    body = {
        "enabled": True,
        "settings": {"provider": "aliyun", **MINE, "template_code": "SMS_1", "endpoint": sms.url()},
    }
    assert (await stage.send("PUT", f"{API}/channels/sms", body, token=token)).status == 200
    for place, login in enumerate(logins):
        wanted = {"methods": ["sms"], "mobile": f"+86 138 0000 000{place}"}
        path = f"{API}/users/{login}/notification-settings"
        assert (await stage.send("PUT", path, wanted, token=token)).status == 200


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
        disabled = "SELECT disabled_reason FROM directory_contactpoint WHERE disabled_at IS NOT NULL"
        assert await empty_stage.rows(disabled) == [("number_invalid",)]
