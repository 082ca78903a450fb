"""A person proves that a mobile number is theirs; codes go to the tenant's countries and no faster than the vendor takes
them."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.api.given import aside

from tidings.channels.testing.aliyun_sms import AliyunSms, Template

CODE = "/me/contact-points/sms/code"
VERIFY = "/me/contact-points/sms/verify"
NUMBER = "+86 138-0013 8000"
# Budgets are kept for the whole database: each test has a number of its own.


@pytest.fixture
def sms(api: Any, local_calls: None) -> Iterator[AliyunSms]:
    """Alibaba Cloud's double, and the tenant's SMS led there."""
    templates = {"SMS_1": Template("${title}"), "SMS_9": Template("您的验证码为${code}，10分钟内有效。", "code")}
    with aside(AliyunSms("LTAI5tTest", "secret-of-that-key", ["数据平台"], templates)) as double:
        settings = {
            "provider": "aliyun",
            "access_key_id": "LTAI5tTest",
            "access_key_secret": "secret-of-that-key",
            "sign_name": "数据平台",
            "template_code": "SMS_1",
            "code_template_code": "SMS_9",
            "endpoint": double.url(),
        }
        assert api("root").put("/channels/sms", {"enabled": True, "settings": settings}).status == 200
        yield double


def _outcomes(organisation: Any, login: str) -> list[tuple[str, str]]:
    from tidings.audit.models import Change

    found = Change.objects.for_tenant(organisation.id).filter(key=login, action="send_code").order_by("id")
    return [(change.after["outcome"], change.after["reason"]) for change in found]


def test_a_number_is_verified_however_it_was_written(api: Any, sms: AliyunSms) -> None:
    assert api("ann").post(CODE, {"address": NUMBER}).status == 202
    [text] = sms.texts
    assert text.number == "8613800138000"
    [digits] = re.findall(r"\d{6}", text.text)
    answer = api("ann").post(VERIFY, {"code": digits})
    assert (answer.status, answer.body["channels"]["sms"]["verified"]) == (200, True)
    assert "+8613800138000" in (answer.body["mobile"], str(answer.body["mobile"]))
    assert (
        api("ann").post(CODE, {"address": "13800138000"}).body["errors"][0]["problem"].startswith("must begin with +")
    )


def test_a_number_takes_no_more_codes_than_its_vendor_allows_whoever_asks(
    api: Any, organisation: Any, sms: AliyunSms
) -> None:
    """Our own limits are of a person and an address; the vendor's are of the number. The second person hears nothing of
    the first; the record does."""
    first, second = (api(login).post(CODE, {"address": "+8613800138001"}) for login in ("ann", "bo"))
    assert (first.status, first.body) == (second.status, second.body) == (202, first.body)
    assert len(sms.texts) == 1
    assert sms.wrong == []
    assert (_outcomes(organisation, "ann"), _outcomes(organisation, "bo")) == (
        [("sent", "")],
        [("try_later", "number_at_its_limit")],
    )


def test_codes_go_to_the_tenants_countries_only(api: Any, organisation: Any, sms: AliyunSms) -> None:
    def asked(mobile: str) -> tuple[int, str]:
        answer = api("ann").post(CODE, {"address": mobile})
        return answer.status, answer.body["errors"][0]["problem"] if answer.status == 422 else ""

    status, problem = asked("+49 1511 2345678")
    assert status == 422
    assert "+86, +44, +60, +62, +65, +91" in problem
    assert asked("+8613800138002") == (202, "")
    api("root").put("/tenant", {"sms_countries": ["+49"]})
    assert asked("+4915112345678") == (202, "")
    assert asked("+8613800138002")[0] == 422
    api("root").put("/tenant", {"sms_countries": []})
    assert "no number at all" in asked("+4915112345678")[1]
    assert len(sms.texts) == 2
    # An administrator's word needs no code, and no country.
    answer = api("root").put("/users/ann/notification-settings", {"mobile": "+85291234567"})
    assert answer.body["channels"]["sms"]["verified"] is True
    assert api("ann").post(CODE).status == 422
