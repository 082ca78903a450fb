"""What holds for every channel whose contact points are verified by a code."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from tests.contracts.test_every_channel import nothing_leaks

from tidings.channels.contract import Channel, Code, Parcel, Refused, Sent
from tidings.channels.memory import LocalMemory
from tidings.channels.testing.vendor import Vendor

DIGITS = "048213"
IDENTITY = UUID("019a9f5c-2f40-7c31-8a6e-3d5b00000003")


@pytest.fixture
def make_code(channel: Channel, parcel: Callable[..., Parcel]) -> Callable[..., Code]:
    if channel.verified_by != "code":
        pytest.skip("verified by a test message")
    made = parcel()

    def make(language: str = "en") -> Code:
        return Code(IDENTITY, DIGITS, 10, language, made.contact, made.settings, datetime.now(UTC))

    return make


@pytest.mark.parametrize("language", ["en", "zh-hans"])
async def test_a_code_arrives_with_all_its_digits(
    code: str, language: str, channel: Channel, vendor: Vendor, make_code: Any, wire: LocalMemory, caplog: Any
) -> None:
    with nothing_leaks(vendor, caplog):
        outcome = await channel.send_code(make_code(language), wire)
    assert isinstance(outcome, Sent), outcome
    [received] = vendor.received()
    assert re.search(rf"(?<!\d){DIGITS}(?!\d)", received.text)
    assert DIGITS not in outcome.said
    logged = " ".join(record.getMessage() for record in caplog.records if not record.name.startswith("mail"))
    assert DIGITS not in logged


async def test_what_a_vendor_refuses_is_an_outcome_here_too(
    code: str, channel: Channel, vendor: Vendor, make_code: Any, wire: LocalMemory
) -> None:
    row = next(row for row in vendor.rows if isinstance(row.outcome, Refused))
    vendor.answer(row.answer)
    outcome = await channel.send_code(make_code(), wire)
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.of) == (row.outcome.reason, row.outcome.of)
    assert not [secret for secret in (*vendor.secrets, DIGITS) if secret in repr(outcome)]
