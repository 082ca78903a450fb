"""Text messages, by the provider a tenant has chosen."""

import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

from tidings.channels.contract import (
    Acknowledged,
    Budget,
    Call,
    Channel,
    Code,
    Example,
    Field,
    InvalidField,
    NotAuthentic,
    Outcome,
    Parcel,
    Receipt,
    Shown,
    Values,
    Wire,
)
from tidings.channels.field_words import words_beside
from tidings.channels.mobiles import checked_mobile
from tidings.channels.sms.aliyun import Aliyun
from tidings.channels.sms.number import is_spelling, masked_number
from tidings.channels.sms.provider import Provider
from tidings.channels.sms.twilio import Twilio
from tidings.kernel.urls import read_url

WORDS = words_beside(__file__)
PROVIDERS: Mapping[str, Provider] = {one.name: one for one in (Aliyun(), Twilio())}
_PRICE = re.compile(r"\d{1,6}(\.\d{1,6})?( [A-Z]{3})?")
_KEY = re.compile(r"[A-Za-z0-9_-]{16,100}")


def checked_price(text: str) -> str:
    if not _PRICE.fullmatch(text):
        raise InvalidField("must be a number and, if you like, a currency, such as 0.045 CNY")
    return text


def checked_key(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise InvalidField("must be 16 to 100 letters, digits, - and _; leave it out to have one made")
    return text


class SmsChannel(Channel):
    code = "sms"
    label: ClassVar[Mapping[str, str]] = {"en": "SMS", "zh-hans": "短信"}
    settings = (
        Field("provider", "choice", WORDS["provider"], default="aliyun", choices=tuple(PROVIDERS)),
        *[replace(field, when=("provider", one.name)) for one in PROVIDERS.values() for field in one.fields],
        Field("endpoint", "url", WORDS["endpoint"]),
        Field(
            "price_per_segment",
            "text",
            WORDS["price_per_segment"],
            check=checked_price,
        ),
        Field(
            "receipt_key",
            "secret",
            WORDS["receipt_key"],
            check=checked_key,
            generate=lambda: secrets.token_urlsafe(24),
        ),
    )
    contact = (Field("mobile", "text", WORDS["mobile"], required=True, check=checked_mobile),)
    verified_by = "code"
    gives_up_after = timedelta(hours=4)
    examples: ClassVar[Mapping[str, Example]] = {
        name: Example({"provider": name, **one.example.settings}, one.example.contact)
        for name, one in PROVIDERS.items()
    }

    def destination(self, contact: Values, settings: Values) -> str:
        target = read_url(_provider(settings).base(settings))
        return f"{target.bracketed}:{target.port}"

    def address(self, contact: Values) -> str:
        return masked_number(str(contact["mobile"]))

    def account(self, contact: Values, settings: Values) -> str:
        return _provider(settings).account(settings)

    def budgets(self, parcels: Sequence[Parcel]) -> Sequence[Budget]:
        return [budget for parcel in parcels for budget in _provider(parcel.settings).budgets(parcel)]

    def preview(self, parcel: Parcel) -> Shown:
        return _provider(parcel.settings).preview(parcel)

    async def send(self, parcel: Parcel, wire: Wire) -> Outcome:
        return await _provider(parcel.settings).send(parcel, wire)

    def code_budgets(self, code: Code) -> Sequence[Budget]:
        return _provider(code.settings).code_budgets(code)

    async def send_code(self, code: Code, wire: Wire) -> Outcome:
        return await _provider(code.settings).send_code(code, wire)

    def acknowledge(self, call: Call, settings: Values) -> Acknowledged:
        """The address ends in the tenant's key: Alibaba Cloud signs nothing."""
        key = read_url(call.url).path.partition("?")[0].rpartition("/")[2]
        if not hmac.compare_digest(key.encode(), str(settings.get("receipt_key") or "").encode()) or not key:
            raise NotAuthentic
        if call.method != "POST":
            raise ValueError("receipts are posted")
        return _provider(settings).acknowledge(call, settings)

    def is_about(self, receipt: Receipt, contact: Values) -> bool:
        return not receipt.number or is_spelling(receipt.number, str(contact["mobile"]))


def _provider(settings: Values) -> Provider:
    return PROVIDERS[str(settings.get("provider") or "aliyun")]
