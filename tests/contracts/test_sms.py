"""What only text messages promise: segments, templates that fit, signatures as the vendors' own libraries make them,
limits, receipts and codes."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID

import pytest
from alibabacloud_tea_openapi.client import Client
from alibabacloud_tea_openapi.utils import Utils
from alibabacloud_tea_openapi.utils_models import Config, OpenApiRequest, Params
from darabonba.request import DaraRequest
from darabonba.runtime import RuntimeOptions
from msgspec.structs import replace
from twilio.request_validator import RequestValidator

from tidings.channels.check import check_values
from tidings.channels.contract import Acknowledged, Call, Code, InvalidField, NotAuthentic, Parcel, Receipt, Sent
from tidings.channels.mobiles import checked_mobile
from tidings.channels.registry import channel
from tidings.channels.sms.aliyun_signature import signed
from tidings.channels.sms.aliyun_template import checked_template, fitted, notice_template, values_for
from tidings.channels.sms.brief import brief
from tidings.channels.sms.number import masked_number
from tidings.channels.sms.segments import in_words, is_gsm, segments, wide_segments
from tidings.channels.sms.twilio import form, signature, text_of
from tidings.channels.testing.aliyun_sms import AliyunSms, Template
from tidings.channels.testing.http_server import HttpServer, Reply, Request
from tidings.channels.testing.twilio import TwilioServer
from tidings.kernel.problems import Problem
from tidings.messages.document import SOMEBODY, Document

SMS = channel("sms")
IDENTITY = UUID("019a9f5c-2f40-7c31-8a6e-3d5b00000001")
NOON = datetime(2026, 11, 23, 4, 0, 30, tzinfo=UTC)
MAINLAND, ABROAD = "+8613812345678", "+6591234567"
KEY = "a-receipt-key-of-ours"
ALIYUN = {
    "provider": "aliyun",
    "access_key_id": "LTAI5tTest",
    "access_key_secret": "secret-of-that-key",
    "sign_name": "数据平台",
    "template_code": "SMS_1",
}
TWILIO = {"provider": "twilio", "account_sid": "AC123", "auth_token": "a-token", "from": "+15005550006"}
NOTICE = "您关注的${feature}（编号${number}）状态更新为：${status}，名称：${title}。请登录系统查看。"


def settings(given: dict[str, Any], **more: Any) -> dict[str, Any]:
    return check_values(SMS.settings, given | {"receipt_key": KEY} | more, {})


def parcel(document: Document, chosen: dict[str, Any], number: str = MAINLAND, **more: Any) -> Parcel:
    contact = check_values(SMS.contact, {"mobile": number}, {})
    return Parcel(more.get("identity", IDENTITY), document, contact, chosen, more.get("now", datetime.now(UTC)))


def code_for(chosen: dict[str, Any], number: str = MAINLAND, language: str = "zh-hans", now: Any = None) -> Code:
    return Code(IDENTITY, "123456", 10, language, {"mobile": number}, chosen, now or datetime.now(UTC))


@asynccontextmanager
async def aliyun(**options: Any) -> AsyncIterator[AliyunSms]:
    templates = {"SMS_1": Template(NOTICE), "SMS_9": Template("您的验证码为${code}，10分钟内有效。", "code")}
    double = AliyunSms("LTAI5tTest", "secret-of-that-key", ["数据平台"], options.pop("templates", templates), **options)
    async with double:
        yield double


# numbers


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+8613812341234", "+86 138****1234"),
        ("+14155550123", "+1 415****123"),
        ("+6591234567", "+65 91****67"),
        ("+447911123456", "+44 791****456"),
        ("+29012345", "+290 ****5"),
    ],
)
def test_a_number_is_shown_to_recognise_and_not_to_call(number: str, shown: str) -> None:
    assert masked_number(number) == shown


def test_a_number_is_one_however_it_is_written() -> None:
    written = ["+86 138 1234 5678", "+86-138-1234-5678", "+86 (138) 1234.5678", "＋８６ 138 1234 5678"]
    assert {checked_mobile(text) for text in written} == {MAINLAND}
    for wrong in ("13812345678", "+86 138", "+999 1234567", "+86 1381234567890123", "tel:+8613812345678", "+86138x"):
        with pytest.raises(InvalidField):
            checked_mobile(wrong)


# segments


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 153, 3),  # € is not torn apart: it begins the second
        ("工" * 70, 1),
        ("工" * 71, 2),
        ("工" * 134, 2),
        ("工" * 135, 3),
        ("🚀" * 35, 1),
        ("🚀" * 36, 2),
        ("🚀" * 67, 3),  # 33 whole ones in each
        ("a" * 71 + "…", 2),
    ],
)
def test_segments_are_counted_as_carriers_do(text: str, count: int) -> None:
    assert segments(text) == count


@pytest.mark.parametrize(("length", "count"), [(70, 1), (71, 2), (134, 2), (150, 3), (160, 3)])
def test_the_mainland_counts_letters_as_characters(length: int, count: int) -> None:
    """The examples of https://help.aliyun.com/document_detail/44335.htm"""
    assert wide_segments("a" * length) == count


def test_what_a_message_cost_is_said_only_where_a_price_is_known() -> None:
    assert in_words(1, "") == "1 segment"
    assert in_words(2, "0.045 CNY") == "2 segments, 0.090 CNY"
    assert in_words(3, "0.045") == "3 segments, 0.135"


async def test_an_attempt_says_how_many_segments_it_took_and_what_they_cost(english: Document, wire: Any) -> None:
    async with aliyun() as double, TwilioServer("AC123", "a-token") as twilio:
        chosen = settings(ALIYUN, endpoint=double.url(), price_per_segment="0.045 CNY", template=NOTICE)
        assert (await SMS.send(parcel(english, chosen), wire)).said == "200 OK; 2 segments, 0.090 CNY"
        assert len(double.texts[0].text) == 84
        chosen = settings(TWILIO, endpoint=twilio.url())
        assert (await SMS.send(parcel(english, chosen, ABROAD), wire)).said == "201 queued; 1 segment"


async def test_abroad_english_is_counted_by_its_own_alphabet(english: Document, wire: Any) -> None:
    text = "${feature} ${number}: ${status}. Title: ${title}. Please sign in to see it."
    options = {"sign_name": "Acme", "template": text}
    async with aliyun(templates={"SMS_1": Template(text)}) as double:
        double.signatures = ["Acme"]
        for number, said in ((ABROAD, "200 OK; 1 segment"), (MAINLAND, "200 OK; 2 segments")):
            assert (
                await SMS.send(parcel(english, settings(ALIYUN | options, endpoint=double.url()), number), wire)
            ).said == said


# templates


def test_only_the_templates_own_variables_are_filled(english: Document) -> None:
    chosen = settings(ALIYUN, template="工单${number}的${status}，${title}，${who}，${where}，${time}，${number}")
    assert values_for(notice_template(chosen, "en"), english) == {
        "number": "88123",
        "status": "Pending approval",
        "title": "Add index on orders",
        "who": "Ann Submitter",
        "where": "rm-orders/orders/orders",
        "time": "2026-11-23 11:00",
    }


def test_a_template_with_a_variable_nobody_knows_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidField, match=r"\$\{ticket\}.*\$\{feature\}, \$\{number\}"):
        checked_template("工单${ticket}")


def test_a_value_is_never_empty_and_never_longer_than_a_template_takes(english: Document) -> None:
    occasion = replace(english.occasion, title="🚀", actor="", submitter="", resources=("x" * 602,))
    chosen = settings(ALIYUN, template="${title}${who}${where}")
    values = values_for(notice_template(chosen, "en"), replace(english, occasion=occasion))
    assert values == {"title": "-", "who": "-", "where": "x" * 34 + "…"}


def _titled(document: Document, title: str, template: str) -> list[str]:
    occasion = replace(document.occasion, title=title)
    chosen = notice_template(settings(ALIYUN, template=template), "en")
    return list(values_for(chosen, replace(document, occasion=occasion)).values())


@pytest.mark.parametrize(
    ("title", "said"),
    [
        ("Mark refunds of 11 November as settled", "Mark refunds of 11 November as…"),
        ("Mark refunds of eleven November, and more", "Mark refunds of eleven November…"),
        ("Exactly thirty-five characters long", "Exactly thirty-five characters long"),
        ("x" * 40, "x" * 34 + "…"),
        ("工" * 40, "工" * 34 + "…"),
        ("An " + "x" * 40, "An " + "x" * 31 + "…"),
    ],
)
def test_a_title_is_cut_where_a_word_ends(english: Document, title: str, said: str) -> None:
    assert _titled(english, title, "名称：${title}") == [said]


@pytest.mark.parametrize(
    ("title", "both"),
    [
        ("Mark refunds of 11 November as settled", ["Mark refunds of 11 November as", "settled"]),
        ("Nightly settlement", ["Nightly", "settlement"]),
        ("Cleanup", ["Cleanup", "-"]),
        ("", ["-", "-"]),
        ("工" * 40, ["工" * 35, "工" * 5]),
        ("word " * 20, ["word " * 6 + "word", "word " * 6 + "word…"]),
    ],
)
def test_a_template_that_has_room_for_two_says_twice_as_much(english: Document, title: str, both: list[str]) -> None:
    assert _titled(english, title, "${title} ${title_more}") == both


def test_the_suggested_english_text_ends_with_the_title_so_that_it_may_be_cut(english: Document) -> None:
    occasion = replace(english.occasion, title="Mark refunds of 11 November as settled")
    chosen = settings(ALIYUN, template_code_en="SMS_2", sign_name_en="Acme")
    shown = SMS.preview(parcel(replace(english, occasion=occasion), chosen))
    assert shown.text.endswith("Please sign in to see it. Title: Mark refunds of 11 November as…")


def test_of_a_message_that_was_overtaken_the_end_stays(english: Document) -> None:
    late = replace(english, earlier="Earlier status, 11:00; now: Schema design successful")
    assert values_for(notice_template(settings(ALIYUN, template="${status}"), "en"), late) == {
        "status": "…now: Schema design successful"
    }


@pytest.mark.parametrize(
    ("text", "carried"),
    [
        ("Fix https://db1.example.com/x?y=1 now", "Fix db1 example com/x?y=1 now"),
        ("orders.user_id at 10.0.0.1, v1.5", "orders user_id at 10 0 0 1, v1.5"),
        ("【签名】㎡ ① ★ 🚀 ok", "签名 ok"),
        ("${title} [x] {{7*7}}", "title x 7*7"),
        ("为订单表添加索引（第二次）", "为订单表添加索引（第二次）"),
        ("a\r\nb\u202ec\x00", "a b c"),
    ],
)
def test_what_carriers_refuse_is_left_out_of_a_value(text: str, carried: str) -> None:
    assert fitted(text) == carried


def test_each_language_has_its_template_or_shares_the_first() -> None:
    chosen = settings(ALIYUN, template_code_en="SMS_2", sign_name_en="Acme", template="${number}")
    assert notice_template(chosen, "en").code == "SMS_2"
    assert notice_template(chosen, "en").sign_name == "Acme"
    assert notice_template(chosen, "zh-hans").text == "${number}"
    assert notice_template(settings(ALIYUN), "en").code == "SMS_1"


# signatures


def test_the_signature_is_the_one_of_alibaba_clouds_own_library() -> None:
    query = {"SignName": "数据平台", "TemplateParam": '{"title":"a b*~+/?&="}', "PhoneNumbers": "8613812345678"}
    url, headers = signed(
        "https://dysmsapi.aliyuncs.com", "SendSms", query, key_id="id", secret="secret", nonce="n1", now=NOON
    )
    request = DaraRequest()
    request.method, request.pathname, request.query = "POST", "/", dict(parse_qsl(urlsplit(url).query))
    request.headers = {name: value for name, value in headers.items() if name.startswith("x-acs-")}
    request.headers["host"] = "dysmsapi.aliyuncs.com"
    assert request.query == query
    theirs = Utils.get_authorization(request, "ACS3-HMAC-SHA256", headers["x-acs-content-sha256"], "id", "secret")
    assert headers["authorization"] == theirs


@pytest.mark.parametrize("algorithm", [None, "v2"])  # V3, and V1 as RPC
async def test_the_double_takes_what_alibaba_clouds_own_library_sends(algorithm: str | None) -> None:
    async with aliyun() as double:
        client = Client(
            Config(
                access_key_id="LTAI5tTest",
                access_key_secret="secret-of-that-key",
                endpoint=f"127.0.0.1:{double.port}",
                signature_algorithm=algorithm,
                protocol="HTTP",
            )
        )
        values = {"feature": "数据变更", "number": "1", "status": "~ *", "title": "a+b"}
        query = {"PhoneNumbers": "13812345678", "SignName": "数据平台", "TemplateCode": "SMS_1", "OutId": "x"}
        answer = await client.call_api_async(
            Params(
                action="SendSms", version="2017-05-25", protocol="HTTP", pathname="/", method="POST",
                auth_type="AK", style="RPC", req_body_type="formData", body_type="json",
            ),
            OpenApiRequest(query=query | {"TemplateParam": json.dumps(values)}),
            RuntimeOptions(),
        )  # fmt: skip
        assert (answer["body"]["Code"], double.wrong) == ("OK", [])
        assert double.texts[0].values == values


async def test_the_double_takes_no_call_that_was_changed_repeated_or_is_old(wire: Any) -> None:
    query = {"PhoneNumbers": "13812345678", "SignName": "数据平台", "TemplateCode": "SMS_1", "TemplateParam": "{}"}
    async with aliyun(templates={"SMS_1": Template("有工单等待审批")}) as double:

        async def call(**changes: Any) -> str:
            parts = {"key_id": "LTAI5tTest", "secret": "secret-of-that-key", "nonce": "n", "now": datetime.now(UTC)}
            url, headers = signed(double.url(""), "SendSms", query, **(parts | changes))
            url = url.replace("13812345678", changes.get("number", "13812345678"))
            answer = await wire.request("POST", url, headers=headers, body=b"")
            return f"{answer.status} {json.loads(answer.body)['Code']}"

        assert await call() == "200 OK"
        assert await call() == "400 SignatureNonceUsed"
        assert await call(nonce="o", secret="another") == "400 SignatureDoesNotMatch"
        assert await call(nonce="p", key_id="LTAIother") == "404 InvalidAccessKeyId.NotFound"
        assert await call(nonce="q", now=datetime.now(UTC) - timedelta(hours=1)) == "400 InvalidTimeStamp.Expired"


def test_twilios_own_validator_takes_our_signature_and_we_take_its() -> None:
    url = "https://tidings.example.com/api/v1/receipts/sms/acme/key?delivery=x"
    fields = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+14155550123", "Body": "工单 & more"}
    ours = signature("a-token", url, list(fields.items()))
    assert RequestValidator("a-token").compute_signature(url, fields) == ours
    assert RequestValidator("a-token").validate(url, fields, ours)


# limits


def budgets_of(document: Document, number: str = MAINLAND, **more: Any) -> list[Any]:
    return list(SMS.budgets([parcel(document, settings(ALIYUN, **more), number)]))


def test_a_notice_uses_one_of_fifty_a_day(english: Document) -> None:
    [budget] = budgets_of(english)
    assert (budget.most, budget.per, budget.amount) == (50, timedelta(days=1), 1)
    assert "13812345678" not in budget.key
    assert budgets_of(english) == [budget]
    others = [budgets_of(english, "+8613812345679"), budgets_of(english, template_code="SMS_2")]
    assert budget not in [other for [other] in others]
    assert budgets_of(english, ABROAD) == []  # the limits are those of the mainland
    assert not SMS.budgets([parcel(english, settings(TWILIO))])


def test_a_code_uses_one_a_minute_five_an_hour_and_ten_a_day(english: Document) -> None:
    spans = [(budget.most, budget.per) for budget in SMS.code_budgets(code_for(settings(ALIYUN)))]
    assert spans == [(1, timedelta(minutes=1)), (5, timedelta(hours=1)), (10, timedelta(days=1))]
    keys = [budget.key for budget in SMS.code_budgets(code_for(settings(ALIYUN)))]
    assert len(set(keys)) == 3
    assert not set(keys) & {budget.key for budget in budgets_of(english)}
    assert not SMS.code_budgets(code_for(settings(ALIYUN), ABROAD))
    assert not SMS.code_budgets(code_for(settings(TWILIO)))


@dataclass
class Clock:
    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at


async def test_the_fifty_first_notice_of_a_day_is_throttled_and_says_for_how_long(english: Document, wire: Any) -> None:
    clock = Clock()
    async with aliyun(now=clock) as double:
        chosen = settings(ALIYUN, endpoint=double.url())
        for _ in range(50):
            assert isinstance(await SMS.send(parcel(english, chosen, now=clock.at), wire), Sent)
        outcome = await SMS.send(parcel(english, chosen, now=clock.at), wire)
        assert (outcome.reason, outcome.after) == ("throttled", timedelta(days=1))  # type: ignore[union-attr]
        assert isinstance(await SMS.send(parcel(english, chosen, "+8613812345679", now=clock.at), wire), Sent)
        clock.at += timedelta(days=1)
        assert isinstance(await SMS.send(parcel(english, chosen, now=clock.at), wire), Sent)


async def test_codes_are_limited_by_the_minute_the_hour_and_the_day(wire: Any) -> None:
    clock = Clock()
    async with aliyun(now=clock) as double:
        chosen = settings(ALIYUN, endpoint=double.url(), code_template_code="SMS_9")

        async def ask() -> Any:
            outcome = await SMS.send_code(code_for(chosen, now=clock.at), wire)
            return "sent" if isinstance(outcome, Sent) else outcome.after  # type: ignore[union-attr]

        assert [await ask(), await ask()] == ["sent", timedelta(minutes=1)]
        for _ in range(4):
            clock.at += timedelta(minutes=1)
            assert await ask() == "sent"
        clock.at += timedelta(minutes=1)
        assert await ask() == timedelta(hours=1)
        clock.at += timedelta(hours=1)
        for _ in range(5):
            clock.at += timedelta(minutes=1)
            assert await ask() == "sent"
        clock.at += timedelta(hours=1)
        assert await ask() == timedelta(days=1)


# codes


@pytest.mark.parametrize("template", [{"code_template_code": "SMS_9"}, {"template_code": "SMS_9"}])
async def test_a_code_goes_out_by_the_template_of_codes(template: dict[str, str], wire: Any) -> None:
    async with aliyun() as double:
        chosen = settings(ALIYUN | template, endpoint=double.url())
        assert isinstance(await SMS.send_code(code_for(chosen), wire), Sent)
        assert double.texts[0].text == "【数据平台】您的验证码为123456，10分钟内有效。"


async def test_a_code_by_a_template_of_notices_is_our_mistake(wire: Any) -> None:
    async with aliyun() as double:
        outcome = await SMS.send_code(code_for(settings(ALIYUN, endpoint=double.url())), wire)
        assert (outcome.reason, outcome.technical) == ("template_refused", True)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "123456 is your verification code. It is valid for 10 minutes; do not share it."),
        ("zh-hans", "您的验证码是 123456，10 分钟内有效，请勿告诉他人。"),
    ],
)
async def test_a_code_by_twilio_is_in_the_readers_language(language: str, text: str, wire: Any) -> None:
    async with TwilioServer("AC123", "a-token") as twilio:
        chosen = settings(TWILIO, endpoint=twilio.url())
        outcome = await SMS.send_code(code_for(chosen, language=language), wire)
        assert outcome == Sent(twilio.texts[0].sid, "201 queued; 1 segment")
        assert twilio.texts[0].text == text


# texts of our own


def test_an_english_text_that_is_cut_stays_narrow(english: Document) -> None:
    text = text_of(replace(english, occasion=replace(english.occasion, title="index " * 80)))
    assert is_gsm(text)
    assert "..." in text
    assert 300 < len(text) <= 330
    assert text.endswith("?tab=approval&from=mail")


def test_the_status_of_a_task_flow_that_failed_names_the_first_task(english: Document) -> None:
    def status(document: Document, *tasks: Any) -> str:
        return brief(replace(document, occasion=replace(document.occasion, details={"failed_tasks": [*tasks]}))).status

    assert status(english, "load_rates") == "Pending approval: load_rates"
    assert (
        status(replace(english, language="zh-hans"), "load_rates", "settle[3]", "settle[3]", "x y")
        == "待审批：load_rates (+1)"
    )
    assert [status(english, *no) for no in ([], [None], ["drop table users"])] == ["Pending approval"] * 3


def test_a_link_that_does_not_fit_stays_away(english: Document) -> None:
    for length, there in ((170, True), (400, False), (4_000, False)):
        url = "https://dms.example.com/".ljust(length, "a")
        text = text_of(replace(english, occasion=replace(english.occasion, title="index " * 80, url=url)))
        assert (url in text, "https://" in text) == (there, there)
        assert len(text) <= 325


def test_somebody_of_whom_nothing_is_known_is_said_in_words(english: Document) -> None:
    nobody = replace(english, occasion=replace(english.occasion, actor=SOMEBODY))
    [who] = values_for(notice_template(settings(ALIYUN, template="${who}"), "en"), nobody).values()
    assert who not in (SOMEBODY, "-", "")


async def test_without_a_sender_nothing_is_called(english: Document, wire: Any) -> None:
    chosen = settings({**TWILIO, "from": None}, endpoint="http://127.0.0.1:1")
    outcome = await SMS.send(parcel(english, chosen), wire)
    assert (outcome.reason, outcome.technical) == ("sender_refused", True)  # type: ignore[union-attr]


async def test_a_messaging_service_is_a_sender(english: Document, wire: Any) -> None:
    async with TwilioServer("AC123", "a-token") as twilio:
        chosen = settings({**TWILIO, "from": None, "messaging_service_sid": "MG77"}, endpoint=twilio.url())
        outcome = await SMS.send(parcel(english, chosen, ABROAD), wire)
        assert outcome.said == "201 accepted; 1 segment"  # Twilio has not counted yet: "0"
        assert twilio.texts[0].sender == "MG77"


# settings


def test_the_documented_settings_suffice() -> None:
    given = ALIYUN | {"endpoint": "https://dysmsapi.aliyuncs.com"}
    made = check_values(SMS.settings, given, {})
    assert made.pop("receipt_key")
    assert made == given | {"endpoint": "https://dysmsapi.aliyuncs.com/"}
    assert SMS.destination({"mobile": MAINLAND}, made) == "dysmsapi.aliyuncs.com:443"
    assert SMS.destination({"mobile": MAINLAND}, settings(TWILIO)) == "api.twilio.com:443"


def test_one_vendors_settings_are_not_the_others() -> None:
    with pytest.raises(Problem) as raised:
        check_values(SMS.settings, TWILIO | {"sign_name": "x", "price_per_segment": "free", "receipt_key": "short"}, {})
    assert {one["field"]: one["problem"].split(";")[0] for one in raised.value.errors} == {
        "sign_name": "exists only where provider is aliyun, and it is twilio",
        "price_per_segment": "must be a number and, if you like, a currency, such as 0.045 CNY",
        "receipt_key": "must be 16 to 100 letters, digits, - and _",
    }


def test_accounts_are_told_apart_without_naming_them() -> None:
    contact = {"mobile": MAINLAND}
    accounts = [
        SMS.account(contact, settings(ALIYUN)),
        SMS.account(contact, settings(ALIYUN, access_key_id="LTAIother")),
        SMS.account(contact, settings(TWILIO)),
    ]
    assert len(set(accounts)) == 3
    assert "LTAI" not in "".join(map(str, accounts))
    assert SMS.account(contact, settings(ALIYUN, sign_name="x")) == accounts[0]


# receipts


@dataclass
class Tidings(HttpServer):
    """The route of the API, as far as a provider sees it."""

    chosen: dict[str, Any] = field(default_factory=dict)
    acknowledged: list[Acknowledged] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def reply(self, request: Request) -> Reply:
        call = Call(request.method, self.url(request.target), request.headers, request.body)
        try:
            answer = SMS.acknowledge(call, self.chosen)
        except NotAuthentic:
            return Reply(404)
        except ValueError:
            return Reply(400)
        self.acknowledged.append(answer)
        return Reply(200, answer.body, {"content-type": answer.content_type})

    @property
    def receipts(self) -> list[Receipt]:
        return [receipt for answer in self.acknowledged for receipt in answer.receipts]


PATH = f"/api/v1/receipts/sms/acme/{KEY}"


async def test_alibaba_clouds_reports_name_the_delivery_and_come_twice(english: Document, wire: Any) -> None:
    async with Tidings(settings(ALIYUN)) as ours, aliyun(reports_to=ours.url(PATH)) as double:
        sent = await SMS.send(parcel(english, settings(ALIYUN, endpoint=double.url())), wire)
        await double.all_reported()
        assert double.pushed == [200, 200]  # `code` was found to be a number
        told, number = "DELIVERED 用户接收成功; 2 segments", MAINLAND.removeprefix("+86")
        provider_id = sent.provider_id  # type: ignore[union-attr]
        receipt = Receipt("delivered", IDENTITY, provider_id, said=told, number=number)
        assert ours.receipts == [receipt, receipt]


@pytest.mark.parametrize(
    ("fate", "reason", "of"),
    [
        ("MOBILE_NOT_ON_SERVICE", "unreachable", "message"),
        ("INVALID_NUMBER", "unreachable", "message"),
        ("MOBILE_ACCOUNT_ABNORMAL", "unreachable", "message"),
        ("MOBLLE_TERMINAL_ERROR", "handset_trouble", "message"),
        ("MOBILE_SEND_LIMIT", "throttled", "message"),
        ("MOBILE_IN_BLACK", "opted_out", "address"),
        ("USER_REJECT", "opted_out", "address"),
        ("CONTENT_KEYWORD", "content_refused", "message"),
        ("CONTENT_ERROR", "content_refused", "message"),
        ("PORT_NOT_REGISTERED", "signature_not_registered", "message"),
        ("SP_NOT_BY_INTER_SMS", "not_routable", "message"),
        ("NO_ROUTE", "not_routable", "message"),
        ("EXPIRED", "expired", "message"),
        ("SP_UNKNOWN_ERROR", "undelivered", "message"),
        ("IS_CLOSE", "undelivered", "message"),
        ("CARRIER:0713", "undelivered", "message"),
    ],
)
async def test_each_report_of_a_carrier_has_its_reason(
    fate: str, reason: str, of: str, english: Document, wire: Any
) -> None:
    """https://help.aliyun.com/en/sms/developer-reference/delivery-receipt-error-codes"""
    async with (
        Tidings(settings(ALIYUN)) as ours,
        aliyun(reports_to=ours.url(PATH), fates={"8613812345678": fate}) as double,
    ):
        await SMS.send(parcel(english, settings(ALIYUN, endpoint=double.url())), wire)
        await double.all_reported()
        first, second = ours.receipts
        assert first == second
        assert (first.state, first.reason, first.of) == ("failed", reason, of)
        assert fate in first.said


def report(**changes: Any) -> dict[str, Any]:
    return {
        "phone_number": "1381111****",
        "send_time": "2017-01-01 00:00:00",
        "report_time": "2017-01-01 00:00:00",
        "success": True,
        "err_code": "DELIVERED",
        "err_msg": "用户接收成功",
        "sms_size": "1",
        "biz_id": "12345",
        "out_id": IDENTITY.hex,
    } | changes


def aliyun_call(body: Any, path: str = PATH, method: str = "POST") -> Call:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Call(method, f"https://tidings.example.com{path}", {"content-type": "application/json"}, raw)


def test_many_reports_in_one_call_are_all_taken_but_those_that_say_nothing_yet() -> None:
    calls = [
        report(),
        report(success=False, err_code="REQUEST_SUCCESS"),
        report(biz_id="2", out_id="somebody else's"),
        report(biz_id="3", out_id=None, sms_size=3, success=False, err_code=""),
    ]
    receipts = SMS.acknowledge(aliyun_call(calls), settings(ALIYUN)).receipts
    assert [(one.identity, one.provider_id, one.state) for one in receipts] == [
        (IDENTITY, "12345", "delivered"),
        (None, "2", "delivered"),
        (None, "3", "failed"),
    ]
    assert json.loads(SMS.acknowledge(aliyun_call([]), settings(ALIYUN)).body) == {"code": 0, "msg": "接收成功"}


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"{}", b"[1", b"\xff"],
)
def test_what_is_no_list_of_reports_is_refused_as_a_whole(body: Any) -> None:
    with pytest.raises(ValueError, match="reports"):
        SMS.acknowledge(aliyun_call(body), settings(ALIYUN))


@pytest.mark.parametrize(
    "bad", [1, None, [], {"biz_id": "1"}, report(success="true"), report(biz_id=5), report(biz_id=""), report(out_id=7)]
)
def test_one_bad_report_keeps_none_of_the_others_back(bad: Any) -> None:
    """They would be pushed again and again, and never taken."""
    answer = SMS.acknowledge(aliyun_call([report(biz_id="1"), bad, report(biz_id="2")]), settings(ALIYUN))
    assert [one.provider_id for one in answer.receipts] == ["1", "2"]
    assert answer.unreadable == 1
    assert json.loads(answer.body)["code"] == 0


@pytest.mark.parametrize("said", ["13800138000", "8613800138000", "+8613800138000", "008613800138000", ""])
def test_a_receipt_is_about_a_number_however_the_provider_writes_it(said: str) -> None:
    receipt = Receipt("failed", IDENTITY, "1", number=said)
    assert SMS.is_about(receipt, {"mobile": "+8613800138000"})
    assert SMS.is_about(receipt, {"mobile": "+8613800138001"}) == (said == "")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/receipts/sms/acme/",
        "/api/v1/receipts/sms/acme",
        f"/api/v1/receipts/sms/acme/{KEY}x",
        f"/api/v1/receipts/sms/acme/x?{KEY}",
        f"/api/v1/receipts/sms/acme/x#/{KEY}",
        f"{PATH}/",
        "/api/v1/receipts/sms/acme/%00",
        "/api/v1/receipts/sms/acme/ключ",
    ],
)
@pytest.mark.parametrize("chosen", [ALIYUN, TWILIO])
def test_without_the_key_nobody_reports_anything(path: str, chosen: dict[str, Any]) -> None:
    with pytest.raises(NotAuthentic):
        SMS.acknowledge(aliyun_call([report()], path), settings(chosen))


def test_settings_without_a_key_have_no_receipts() -> None:
    for path in ("/api/v1/receipts/sms/acme/", "/api/v1/receipts/sms/acme/None"):
        with pytest.raises(NotAuthentic):
            SMS.acknowledge(aliyun_call([report()], path), {**ALIYUN})


def test_receipts_are_posted() -> None:
    with pytest.raises(ValueError, match="posted"):
        SMS.acknowledge(aliyun_call([report()], method="GET"), settings(ALIYUN))


async def test_twilios_calls_name_the_delivery_whatever_their_order(english: Document, wire: Any) -> None:
    async with TwilioServer("AC123", "a-token") as twilio, Tidings(settings(TWILIO)) as ours:
        chosen = settings(TWILIO, endpoint=twilio.url(), status_callback=ours.url(PATH))
        sent = await SMS.send(parcel(english, chosen, ABROAD), wire)
        await twilio.all_reported()
        assert twilio.called_back == [200, 200, 200]
        receipt = Receipt("delivered", IDENTITY, sent.provider_id, said="delivered", number=ABROAD)  # type: ignore[union-attr]
        assert ours.receipts == [receipt, receipt]  # nothing for "sent", which came late


@pytest.mark.parametrize(
    ("receipts_url", "own", "told"),
    [
        ("https://t.example.com/api/v1/receipts/sms/0", None, f"https://t.example.com/api/v1/receipts/sms/0/{KEY}"),
        ("http://127.0.0.1:8420/api/v1/receipts/sms/0", None, None),  # Twilio refuses the message for such an address
        ("", None, None),
        ("http://127.0.0.1:8420/x", f"https://relay.example.com/{KEY}?a=1", f"https://relay.example.com/{KEY}?a=1"),
    ],
)
def test_twilio_is_told_where_to_report_if_it_can_get_there(
    receipts_url: str, own: str | None, told: str | None, english: Document
) -> None:
    sent = replace(parcel(english, settings(TWILIO, status_callback=own), ABROAD), receipts_url=receipts_url)
    callback = dict(parse_qsl(form(sent, "x").decode())).get("StatusCallback")
    mark = "&" if own else "?"
    assert callback == (f"{told}{mark}delivery={IDENTITY.hex}" if told else None)


def test_an_address_of_the_tenants_own_is_what_twilio_signs() -> None:
    chosen = settings(TWILIO, status_callback=f"https://relay.example.com/{KEY}?a=1")
    query = f"?a=1&delivery={IDENTITY.hex}"
    call = twilio_call(url=f"https://t.example.com{PATH}{query}", signed_url=f"https://relay.example.com/{KEY}{query}")
    [receipt] = SMS.acknowledge(call, chosen).receipts
    assert receipt.identity == IDENTITY
    with pytest.raises(NotAuthentic):
        SMS.acknowledge(call, settings(TWILIO))


@pytest.mark.parametrize(
    ("status", "error", "reason", "of"),
    [
        ("undelivered", "30001", "throttled", "message"),
        ("failed", "30002", "account_unusable", "message"),
        ("undelivered", "30003", "unreachable", "message"),
        ("undelivered", "30004", "blocked", "message"),
        ("undelivered", "30005", "unknown_number", "address"),
        ("undelivered", "30006", "unreachable", "message"),
        ("undelivered", "30007", "content_refused", "message"),
        ("undelivered", "30008", "undelivered", "message"),
        ("undelivered", "30034", "sender_not_registered", "message"),
        ("failed", "21610", "opted_out", "address"),
        ("failed", "99999", "undelivered", "message"),
        ("canceled", "", "undelivered", "message"),
    ],
)
async def test_each_failure_twilio_reports_has_its_reason(
    status: str, error: str, reason: str, of: str, english: Document, wire: Any
) -> None:
    """https://www.twilio.com/docs/api/errors"""
    fates = {ABROAD: (status, error)}
    async with TwilioServer("AC123", "a-token", fates=fates) as twilio, Tidings(settings(TWILIO)) as ours:
        chosen = settings(TWILIO, endpoint=twilio.url(), status_callback=ours.url(PATH))
        await SMS.send(parcel(english, chosen, ABROAD), wire)
        await twilio.all_reported()
        first, second = ours.receipts
        assert first == second
        assert (first.state, first.reason, first.of) == ("failed", reason, of)
        assert error in first.said


FIELDS = {"MessageSid": "SM1", "MessageStatus": "delivered", "AccountSid": "AC123", "To": ABROAD}


def twilio_call(
    fields: dict[str, str] | None = None, *, signed_by: str = "a-token", url: str = f"https://tidings.example.com{PATH}",
    signed_url: str = "", body: bytes | None = None,
) -> Call:  # fmt: skip
    fields = FIELDS if fields is None else fields
    made = RequestValidator(signed_by).compute_signature(signed_url or url, fields)
    return Call("POST", url, {"x-twilio-signature": made}, urlencode(fields).encode() if body is None else body)


def test_only_twilio_speaks_for_twilio() -> None:
    chosen = settings(TWILIO)
    assert len(SMS.acknowledge(twilio_call(), chosen).receipts) == 1
    url = f"https://tidings.example.com{PATH}"
    for call in (
        twilio_call(signed_by="another"),
        twilio_call(signed_url="https://tidings.example.com/elsewhere"),
        twilio_call(body=urlencode(FIELDS | {"MessageStatus": "failed"}).encode()),
        Call("POST", url, {}, urlencode(FIELDS).encode()),
        Call("POST", url, {"x-twilio-signature": ""}, urlencode(FIELDS).encode()),
        Call("POST", url, {"x-twilio-signature": "ключ"}, urlencode(FIELDS).encode()),
    ):
        with pytest.raises(NotAuthentic):
            SMS.acknowledge(call, chosen)


@pytest.mark.parametrize(
    ("called", "signed_url"),
    [
        ("https://t.example.com", "https://t.example.com:443"),
        ("https://t.example.com:8443", "https://t.example.com"),
        ("https://t.example.com:8443", "https://t.example.com:8443"),
        ("http://t.example.com", "http://t.example.com:80"),
    ],
)
def test_a_port_in_the_address_may_be_signed_or_not(called: str, signed_url: str) -> None:
    call = twilio_call(
        url=f"{called}{PATH}?delivery={IDENTITY.hex}", signed_url=f"{signed_url}{PATH}?delivery={IDENTITY.hex}"
    )
    [receipt] = SMS.acknowledge(call, settings(TWILIO)).receipts
    assert receipt.identity == IDENTITY


def test_a_call_of_twilio_that_says_too_little_is_refused() -> None:
    for fields in ({"MessageSid": "SM1"}, {"MessageStatus": "delivered"}):
        with pytest.raises(ValueError, match="MessageSid"):
            SMS.acknowledge(twilio_call(fields), settings(TWILIO))
    for body in (b"\xff\xfe", b"a", b"&".join([b"a=1"] * 101)):
        with pytest.raises(ValueError, match="form"):
            SMS.acknowledge(twilio_call(body=body), settings(TWILIO))


@pytest.mark.parametrize("mark", ["", "?delivery=", "?delivery=nonsense", "?delivery=%00"])
def test_a_call_without_our_mark_names_the_message_by_twilios_id(mark: str) -> None:
    [receipt] = SMS.acknowledge(twilio_call(url=f"https://t.example.com{PATH}{mark}"), settings(TWILIO)).receipts
    assert (receipt.identity, receipt.provider_id) == (None, "SM1")


def test_the_template_that_a_field_promises_is_the_one_that_is_taken() -> None:
    from tidings.channels.sms.aliyun_template import TEXTS
    from tidings.channels.sms.channel import WORDS

    for name, language in (("template", "zh-hans"), ("template_en", "en")):
        assert all(TEXTS[language] in said for said in WORDS[name].help.values())
