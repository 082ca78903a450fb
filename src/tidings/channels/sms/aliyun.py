"""Alibaba Cloud SMS (Dysmsapi 2017-05-25): text goes out as the values of a template that was approved there.

https://help.aliyun.com/en/sms/developer-reference/api-dysmsapi-2017-05-25-sendsms
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tidings.channels.answer import said
from tidings.channels.contract import (
    Acknowledged,
    Answer,
    Budget,
    Call,
    Code,
    Example,
    Field,
    Outcome,
    Parcel,
    Receipt,
    Sent,
    Shown,
    Values,
    Wire,
)
from tidings.channels.field_words import words_beside
from tidings.channels.sms.aliyun_signature import Signed, signed
from tidings.channels.sms.aliyun_template import (
    Template,
    checked_template,
    code_template,
    notice_template,
    values_for,
)
from tidings.channels.sms.aliyun_verdict import IN_FLIGHT, REPORTS, verdict
from tidings.channels.sms.number import MAINLAND_CHINA, spellings
from tidings.channels.sms.provider import Provider, named
from tidings.channels.sms.segments import in_words, segments, wide_segments
from tidings.channels.words import cut, one_line

WORDS = words_beside(__file__)
DAY = timedelta(days=1)


class _Answer(Struct):
    Code: str
    Message: str | None = None
    BizId: str | None = None


class _Report(Struct):
    """https://help.aliyun.com/en/sms/developer-reference/smsreport-http"""

    success: bool
    biz_id: Annotated[str, msgspec.Meta(min_length=1)]
    phone_number: str = ""
    err_code: str = ""
    err_msg: str = ""
    sms_size: str | int = ""
    out_id: str | None = None


_read_answer = msgspec.json.Decoder(_Answer).decode
_read_reports = msgspec.json.Decoder(list[msgspec.Raw]).decode
_read_report = msgspec.json.Decoder(_Report).decode
_encode = msgspec.json.Encoder().encode


class Aliyun(Provider):
    name = "aliyun"
    endpoint = "https://dysmsapi.aliyuncs.com"
    fields = (
        Field("access_key_id", "text", WORDS["access_key_id"], required=True),
        Field("access_key_secret", "secret", WORDS["access_key_secret"], required=True, goes_to=("endpoint",)),
        Field("sign_name", "text", WORDS["sign_name"], required=True),
        Field("template_code", "text", WORDS["template_code"], required=True),
        Field(
            "template",
            "text",
            WORDS["template"],
            check=checked_template,
        ),
        Field("code_template_code", "text", WORDS["code_template_code"]),
        Field("sign_name_en", "text", WORDS["sign_name_en"]),
        Field("template_code_en", "text", WORDS["template_code_en"]),
        Field("template_en", "text", WORDS["template_en"], check=checked_template),
        Field("code_template_code_en", "text", WORDS["code_template_code_en"]),
    )

    example = Example(
        settings={
            "access_key_id": "example",
            "access_key_secret": "example",
            "sign_name": "示例数据",
            "template_code": "SMS_000000001",
            "sign_name_en": "Example Data",
            "template_code_en": "SMS_000000002",
        },
        contact={"mobile": "+86 138 0013 8000"},
    )

    def account(self, settings: Values) -> str:
        """With the secret and the host in it: who knows no more than the AccessKey's id makes another account of it,
        whose troubles and uses are no one else's."""
        key = settings["access_key_id"], settings["access_key_secret"], self.base(settings)
        return f"aliyun:{named(*map(str, key))}"

    async def send(self, parcel: Parcel, wire: Wire) -> Outcome:
        template = notice_template(parcel.settings, parcel.document.language)
        values = values_for(template, parcel.document)
        call = self._call(parcel, template, values)
        answer = await wire.request("POST", call.url, headers=call.headers, body=b"")
        _, count = _as_read(template, values, parcel)
        words = in_words(count, str(parcel.settings.get("price_per_segment") or ""))
        return _outcome(answer, parcel, words)

    def preview(self, parcel: Parcel) -> Shown:
        template = notice_template(parcel.settings, parcel.document.language)
        text, count = _as_read(template, values_for(template, parcel.document), parcel)
        return Shown(text, note=in_words(count, ""))

    async def send_code(self, code: Code, wire: Wire) -> Outcome:
        call = self._call(code, code_template(code.settings, code.language), {"code": code.digits})
        return _outcome(await wire.request("POST", call.url, headers=call.headers, body=b""), code, "")

    def budgets(self, parcel: Parcel) -> Sequence[Budget]:
        """https://help.aliyun.com/document_detail/44335.htm: any 24 hours, mainland numbers only."""
        template, number = notice_template(parcel.settings, parcel.document.language), str(parcel.contact["mobile"])
        if not number.startswith(MAINLAND_CHINA):
            return ()
        key = f"{self.account(parcel.settings)}:{named(template.sign_name, template.code, number)}"
        return (Budget(key, 50, DAY, "number_at_its_limit"),)

    def code_budgets(self, code: Code) -> Sequence[Budget]:
        """The minute and the hour are the clock's there, and any there may be here, which is never more."""
        template, number = code_template(code.settings, code.language), str(code.contact["mobile"])
        if not number.startswith(MAINLAND_CHINA):
            return ()
        key = f"{self.account(code.settings)}:code:{named(template.sign_name, number)}"
        spans = (("minute", 1, timedelta(minutes=1)), ("hour", 5, timedelta(hours=1)), ("day", 10, DAY))
        return tuple([Budget(f"{key}:{span}", most, per, "number_at_its_limit") for span, most, per in spans])

    def acknowledge(self, call: Call, settings: Values) -> Acknowledged:
        """The account's reports, of other senders' messages too. It looks for a number in `code` and pushes all of them
        again after 1, 5 and 10 minutes where it finds none; so one that cannot be read must not keep back the rest."""
        try:
            reports = _read_reports(call.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ValueError("not a list of reports as SmsReport has them") from None
        receipts: list[Receipt] = []
        unreadable = 0
        for raw in reports:
            try:
                report = _read_report(raw)
            except (msgspec.DecodeError, UnicodeDecodeError):
                unreadable += 1
                continue
            if report.success or report.err_code != IN_FLIGHT:
                receipts.append(_receipt(report))
        return Acknowledged(receipts, unreadable, body='{"code":0,"msg":"接收成功"}'.encode())

    def _call(self, sent: Parcel | Code, template: Template, values: Mapping[str, str]) -> Signed:
        return send_sms(
            self.base(sent.settings), template, values, sent.settings, str(sent.contact["mobile"]), sent.identity,
            nonce=uuid.uuid4().hex, now=sent.now,
        )  # fmt: skip


def _as_read(template: Template, values: Mapping[str, str], parcel: Parcel) -> tuple[str, int]:
    """The text on the phone, and its segments."""
    if str(parcel.contact["mobile"]).startswith(MAINLAND_CHINA):
        text = template.filled(values)
        return text, wide_segments(text)
    text = template.filled(values, "[]")
    return text, segments(text)


def send_sms(
    base: str,
    template: Template,
    values: Mapping[str, str],
    settings: Values,
    number: str,
    identity: UUID,
    *,
    nonce: str,
    now: datetime,
) -> Signed:
    query = {
        "PhoneNumbers": number.removeprefix("+"),
        "SignName": template.sign_name,
        "TemplateCode": template.code,
        "TemplateParam": _encode(values).decode(),
        "OutId": identity.hex,
    }
    key_id, secret = str(settings["access_key_id"]), str(settings["access_key_secret"])
    return signed(base, "SendSms", query, key_id=key_id, secret=secret, nonce=nonce, now=now)


def _outcome(answer: Answer, sent: Parcel | Code, counted: str) -> Outcome:
    number = str(sent.contact["mobile"])
    hide = [*spellings(number), str(sent.settings["access_key_id"]), str(sent.settings["access_key_secret"])]
    try:
        read = _read_answer(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        outcome = verdict(answer.status, "", "", number)
        return replace(outcome, said=said(answer.status, answer.body, hide=hide))
    if (answer.status, read.Code) == (200, "OK"):
        return Sent(read.BizId or "", "; ".join(["200 OK", counted]) if counted else "200 OK")
    words = said(answer.status, f"{read.Code} {read.Message or ''}", hide=hide)
    return replace(verdict(answer.status, read.Code, read.Message or "", number), said=words)


def _receipt(report: _Report) -> Receipt:
    words = [f"{report.err_code} {report.err_msg}".strip()]
    if str(report.sms_size).isdecimal():
        words.append(in_words(int(report.sms_size), ""))
    told = cut(one_line("; ".join(filter(None, words))), 200)
    identity = _identity(report.out_id)
    if report.success:
        return Receipt("delivered", identity, report.biz_id, said=told, number=report.phone_number)
    reason, of = REPORTS.get(report.err_code, ("undelivered", "message"))
    return Receipt("failed", identity, report.biz_id, reason, told, of, report.phone_number)


def _identity(out_id: str | None) -> UUID | None:
    """Ours, if it is: others send with the same account."""
    try:
        return UUID(hex=out_id) if out_id and len(out_id) == 32 else None
    except ValueError:
        return None
