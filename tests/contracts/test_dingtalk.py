"""What only DingTalk to a person promises: one token, people found once, the same words sent once, and the truth about
what was taken and never came."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from tidings.channels.check import MASK, check_values, masked
from tidings.channels.contract import Code, Ended, Parcel, Receipt, Refused, Sent, TryLater
from tidings.channels.dingtalk import work_notification
from tidings.channels.dingtalk.app import NOBODY, app_of, as_dingtalk_writes, find_user
from tidings.channels.memory import LocalMemory
from tidings.channels.registry import channel
from tidings.channels.testing.dingtalk import (
    ACCESS_TOKEN,
    BY_MOBILE,
    DAY,
    RESULT,
    ROBOT_READ,
    ROBOT_SEND,
    SEND,
    DingTalk,
    refused,
    said,
)
from tidings.kernel.problems import Problem
from tidings.messages.document import Document

DINGTALK = channel("dingtalk")
KEY, SECRET, AGENT = "dingapp", "app-secret-of-acme", 3_000_000_001
STAFF = {f"138001380{number:02}": f"staff-{number}" for number in range(60)}
NO_ACCOUNT = Refused("no_dingtalk_account", of="address", said="60121 找不到该用户")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Clock:
    """Seconds that pass when a test says so."""

    now = 1_795_435_200.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def vendor(clock: Clock) -> AsyncIterator[DingTalk]:
    async with DingTalk(app_key=KEY, app_secret=SECRET, agent_id=AGENT, people=STAFF, clock=clock) as vendor:
        yield vendor
        assert vendor.complaints == []


def settings(vendor: DingTalk, **changes: Any) -> dict[str, Any]:
    agent = {} if changes.get("provider") == "robot" else {"agent_id": AGENT}
    given = {"app_key": KEY, "app_secret": SECRET, **agent, "endpoint": vendor.url("/")}
    return check_values(DINGTALK.settings, given | changes, {})


def parcel(vendor: DingTalk, document: Document, number: int = 1, **changes: Any) -> Parcel:
    contact = changes.get("contact", {"mobile": f"+86138001380{number:02}"})
    return Parcel(
        identity=UUID(int=0x019A9F5C2F407C318A6E3D5B00000000 + number),
        document=document,
        contact=check_values(DINGTALK.contact, contact, {}),
        settings=settings(vendor, **changes.get("settings", {})),
        now=datetime.now(UTC),
    )


def event(document: Document, number: int) -> Document:
    identity = f"019a9f5c-2f40-7c31-8a6e-{number:07x}00000"
    return replace(document, occasion=replace(document.occasion, event_id=identity))


def provider_ids(outcomes: Any) -> list[str]:
    assert all(isinstance(outcome, Sent) for outcome in outcomes), outcomes
    return [outcome.provider_id for outcome in outcomes]


# the token


async def test_a_token_serves_every_call_until_shortly_before_it_ends(
    english: Document, vendor: DingTalk, wire: LocalMemory
) -> None:
    for number in range(1, 4):
        assert isinstance(await DINGTALK.send(parcel(vendor, english, number), wire), Sent)
    assert (vendor.calls[ACCESS_TOKEN], vendor.calls[SEND]) == (1, 3)


async def test_a_token_that_ended_early_is_renewed_once_and_the_message_goes_out(
    english: Document, vendor: DingTalk, wire: LocalMemory
) -> None:
    await DINGTALK.send(parcel(vendor, event(english, 1)), wire)
    vendor.expire_token()
    assert isinstance(await DINGTALK.send(parcel(vendor, event(english, 2)), wire), Sent)
    assert (vendor.calls[ACCESS_TOKEN], vendor.calls[SEND], len(vendor.told)) == (2, 3, 2)


async def test_those_who_find_the_token_ended_at_once_fetch_one_between_them(
    english: Document, vendor: DingTalk, wire: LocalMemory
) -> None:
    await DINGTALK.send(parcel(vendor, event(english, 0)), wire)
    vendor.expire_token()
    parcels = [parcel(vendor, event(english, number)) for number in range(1, 6)]
    outcomes = await asyncio.gather(*[DINGTALK.send(one, wire) for one in parcels])
    assert all(isinstance(outcome, Sent) for outcome in outcomes)
    assert vendor.calls[ACCESS_TOKEN] == 2


async def test_another_secret_is_another_app_and_no_token_of_the_old_one_is_used(
    english: Document, vendor: DingTalk, wire: LocalMemory
) -> None:
    await DINGTALK.send(parcel(vendor, english), wire)
    wrong = parcel(vendor, english, settings={"app_secret": "another"})
    outcome = await DINGTALK.send(wrong, wire)
    assert isinstance(outcome, TryLater)
    assert (outcome.reason, outcome.technical) == ("wrong_app_secret", True)


async def test_no_token_is_told_in_the_vendors_words(english: Document, vendor: DingTalk, wire: LocalMemory) -> None:
    await DINGTALK.send(parcel(vendor, event(english, 1)), wire)
    [token] = [value for key, (value, _) in wire._kept.items() if key.startswith("token:")]
    vendor.script[SEND] = [said(400002, f"access_token={token} is of another app")]
    outcome = await DINGTALK.send(parcel(vendor, event(english, 2)), wire)
    assert outcome == Refused("rejected", "message", "400002 access_token=… is of another app")


async def test_without_a_token_nothing_is_known_of_messages_and_another_look_follows(
    vendor: DingTalk, wire: LocalMemory
) -> None:
    assert await DINGTALK.ask(["256271667526:bo"], settings(vendor, app_secret="wrong"), wire) == []
    assert vendor.calls[RESULT] == 0


# the person


async def test_a_person_is_looked_up_once_and_a_given_user_id_needs_no_look_up(
    english: Document, vendor: DingTalk, wire: LocalMemory
) -> None:
    for number in range(3):
        await DINGTALK.send(parcel(vendor, event(english, number)), wire)
    assert vendor.calls[BY_MOBILE] == 1
    known = parcel(vendor, english, contact={"user_id": "staff-7", "mobile": "+8613800138099"})
    assert isinstance(await DINGTALK.send(known, wire), Sent)
    assert vendor.calls[BY_MOBILE] == 1
    assert vendor.told[-1].user == "staff-7"


async def test_a_mobile_without_an_account_is_not_asked_for_again_until_it_changes_or_is_verified(
    english: Document, vendor: DingTalk, wire: LocalMemory
) -> None:
    stranger = parcel(vendor, english, contact={"mobile": "+8613999999999"})
    assert [await DINGTALK.send(stranger, wire) for _ in range(3)] == [NO_ACCOUNT] * 3
    assert (vendor.calls[BY_MOBILE], vendor.calls[SEND]) == (1, 0)
    vendor.people["13999999999"] = "newcomer"
    assert await DINGTALK.send(stranger, wire) == NO_ACCOUNT
    assert isinstance(await DINGTALK.send_code(code(vendor, stranger.contact), wire), Sent)
    assert isinstance(await DINGTALK.send(stranger, wire), Sent)
    other = parcel(vendor, english, contact={"mobile": "+8613888888888"})
    assert await DINGTALK.send(other, wire) == NO_ACCOUNT
    assert vendor.calls[BY_MOBILE] == 3


async def test_what_is_remembered_names_neither_the_person_nor_a_secret(vendor: DingTalk, wire: LocalMemory) -> None:
    await find_user(app_of(settings(vendor)), {"mobile": "+8613800138001"}, wire)
    keys = " ".join(wire._kept)
    assert not [text for text in ("13800138001", SECRET, KEY) if text in keys]
    assert not [value for value, _ in wire._kept.values() if value.startswith(NOBODY)]


@pytest.mark.parametrize(
    ("mobile", "written"),
    [
        ("+8613800138000", "13800138000"),
        ("+85251234567", "+852-51234567"),
        ("+6591234567", "+65-91234567"),
        ("+390612345678", "+39-0612345678"),
        ("nonsense", "nonsense"),
    ],
)
def test_a_mobile_is_written_as_dingtalk_writes_it(mobile: str, written: str) -> None:
    assert as_dingtalk_writes(mobile) == written


@pytest.mark.parametrize("user_id", ["a,b", "a b", "", "x" * 65, "a\u200bb", "张三"])
def test_a_user_id_that_would_break_the_list_is_refused(user_id: str) -> None:
    if user_id:
        with pytest.raises(Problem):
            check_values(DINGTALK.contact, {"user_id": user_id}, {})
    else:
        assert check_values(DINGTALK.contact, {"user_id": user_id}, {}) == {}


async def test_a_contact_point_with_nothing_in_it_reaches_nobody(
    english: Document, vendor: DingTalk, wire: LocalMemory
) -> None:
    assert await DINGTALK.send(parcel(vendor, english, contact={}), wire) == Refused("contact_missing", "address")
    assert vendor.calls[ACCESS_TOKEN] == 0


def test_what_is_shown_of_a_person_is_enough_to_recognise_it_and_no_more() -> None:
    assert DINGTALK.address({"mobile": "+8613800138000"}) == "+86***8000"
    assert DINGTALK.address({"mobile": "+8613800138000", "user_id": "zhangsan"}) == "zh***"


# the same words, once


async def test_those_who_are_told_the_same_share_one_call_and_each_has_an_outcome(
    english: Document, vendor: DingTalk, wire: LocalMemory
) -> None:
    parcels = [parcel(vendor, english, number) for number in range(3)]
    parcels.insert(1, parcel(vendor, english, contact={"mobile": "+8613999999999"}))
    assert len({DINGTALK.together(one) for one in parcels}) == 1
    outcomes = await DINGTALK.send_together(parcels, wire)
    assert vendor.calls[SEND] == 1
    assert outcomes[1] == NO_ACCOUNT
    ids = provider_ids([outcomes[0], *outcomes[2:]])
    assert [one.partition(":")[2] for one in ids] == ["staff-0", "staff-1", "staff-2"]
    assert [told.user for told in vendor.told] == ["staff-0", "staff-1", "staff-2"]


def test_whoever_is_told_something_else_shares_nothing(english: Document, documents: Any, vendor: DingTalk) -> None:
    reader = replace(english.reader, login="dan", name="Dan Approver")
    same = replace(english, reader=reader)
    why = replace(english, why="You get this because you are the DBA.")
    assert DINGTALK.together(parcel(vendor, same)) == DINGTALK.together(parcel(vendor, english))
    others = [why, documents["zh-hans"], documents["en-earlier"], event(english, 7)]
    keys = {DINGTALK.together(parcel(vendor, one)) for one in [english, *others]}
    keys.add(DINGTALK.together(parcel(vendor, english, settings={"app_key": "other"})))
    keys.add(DINGTALK.together(parcel(vendor, english, settings={"provider": "robot"})))
    assert len(keys) == 7


async def test_two_with_one_dingtalk_account_get_one_message_and_both_know(
    english: Document, vendor: DingTalk, wire: LocalMemory
) -> None:
    twins = [parcel(vendor, english, 5), parcel(vendor, english, contact={"user_id": "staff-5"})]
    outcomes = await DINGTALK.send_together(twins, wire)
    assert len(set(provider_ids(outcomes))) == 1
    assert len(vendor.told) == 1


async def test_when_one_of_several_is_unknown_the_others_are_told(
    english: Document, vendor: DingTalk, wire: LocalMemory
) -> None:
    vendor.script[SEND] = [said(33012, "无效的USERID"), None, said(33012, "无效的USERID"), None]
    outcomes = await DINGTALK.send_together([parcel(vendor, english, number) for number in range(3)], wire)
    assert [type(outcome) for outcome in outcomes] == [Sent, Refused, Sent]
    assert vendor.calls[SEND] == 4


async def test_the_limits_are_those_of_the_vendor(english: Document, vendor: DingTalk) -> None:
    parcels = [parcel(vendor, english, number) for number in (1, 2, 2)]
    rate, *daily = DINGTALK.budgets(parcels)
    assert (rate.most, rate.per, rate.amount) == (5_000, timedelta(minutes=1), 2)
    assert [(one.most, one.per, one.amount) for one in daily] == [(500, timedelta(days=1), 1)] * 2
    assert len({budget.key for budget in (rate, *daily)}) == 3
    assert rate.key == DINGTALK.account(parcels[0].contact, parcels[0].settings)
    text = repr((rate, *daily))
    assert not [secret for secret in (SECRET, KEY, "138001380") if secret in text]
    assert DINGTALK.budgets([parcel(vendor, english, settings={"provider": "robot"})]) == ()


# what never came


async def test_two_equal_messages_of_a_day_are_both_read(
    english: Document, vendor: DingTalk, wire: LocalMemory
) -> None:
    """DingTalk drops a second one with the same content; two reminders of one ticket differ by nothing but the event."""
    for number in (1, 2):
        await DINGTALK.send(parcel(vendor, event(english, number)), wire)
    assert len(vendor.told) == 2


async def test_a_try_that_is_repeated_is_read_once(english: Document, vendor: DingTalk, wire: LocalMemory) -> None:
    for _ in range(3):
        assert isinstance(await DINGTALK.send(parcel(vendor, english), wire), Sent)
    assert len(vendor.told) == 1


async def test_what_was_taken_and_never_came_is_found_out_by_asking(
    english: Document, vendor: DingTalk, wire: LocalMemory
) -> None:
    first = await DINGTALK.send(parcel(vendor, english, 1), wire)
    again = await DINGTALK.send(parcel(vendor, english, 1), wire)
    vendor.most_a_day = 0
    beyond = await DINGTALK.send(parcel(vendor, english, 2), wire)
    vendor.most_a_day, vendor.most_a_minute = 500, 0
    crowded = await DINGTALK.send(parcel(vendor, english, 3), wire)
    ids = provider_ids([first, again, beyond, crowded])
    receipts = {one.provider_id: one for one in await DINGTALK.ask(ids, settings(vendor), wire)}
    assert [receipts[one].state for one in ids] == ["delivered", "failed", "failed", "failed"]
    assert [receipts[one].reason for one in ids] == ["", "duplicate_content", "daily_limit", "throttled"]
    assert [receipts[one].said.partition(" ")[0] for one in ids[1:]] == ["143106", "143105", "143103"]
    assert all(len(receipts[one].said.split()) > 5 for one in ids[1:])


async def test_a_user_who_is_not_of_the_company_is_of_the_address(
    english: Document, vendor: DingTalk, wire: LocalMemory
) -> None:
    together = [parcel(vendor, english, 1), parcel(vendor, english, contact={"user_id": "left-last-week"})]
    ids = provider_ids(await DINGTALK.send_together(together, wire))
    assert await DINGTALK.ask(ids, settings(vendor), wire) == [
        Receipt("delivered", provider_id=ids[0]),
        Receipt("failed", provider_id=ids[1], reason="no_such_user", of="address"),
    ]
    assert vendor.calls[RESULT] == 1


async def test_while_dingtalk_has_not_decided_there_is_nothing_to_tell(english: Document, wire: LocalMemory) -> None:
    clock = Clock()
    one = DingTalk(
        app_key=KEY, app_secret=SECRET, agent_id=AGENT, people=STAFF, clock=clock, decides_after=30, robot_code=KEY
    )
    async with one as vendor:
        for provider in ("work_notification", "robot"):
            outcome = await DINGTALK.send(parcel(vendor, english, settings={"provider": provider}), wire)
            ids = provider_ids([outcome])
            assert await DINGTALK.ask(ids, settings(vendor), wire) == []
            clock.now += 60
            assert await DINGTALK.ask(ids, settings(vendor), wire) == [Receipt("delivered", provider_id=ids[0])]


async def test_after_a_day_dingtalk_knows_nothing_any_more_and_the_last_look_is_before(
    english: Document, vendor: DingTalk, wire: LocalMemory, clock: Clock
) -> None:
    ids = provider_ids([await DINGTALK.send(parcel(vendor, english), wire)])
    clock.now += DAY + 1
    assert await DINGTALK.ask(ids, settings(vendor), wire) == []
    assert timedelta(0) < max(DINGTALK.asks_after) < timedelta(days=1)
    assert list(DINGTALK.asks_after) == sorted(DINGTALK.asks_after)


@pytest.mark.parametrize(
    ("answer", "receipts"),
    [
        (said(0, "ok"), []),
        (said(0, "ok", send_result=[]), []),
        (said(0, "ok", send_result={"forbidden_list": "x", "read_user_id_list": None}), []),
        (said(-1, "系统繁忙"), []),
        (said(0, "ok", send_result={"failed_user_id_list": ["bo"]}), [("failed", "not_delivered", "")]),
        (said(0, "ok", send_result={"read_user_id_list": ["bo"]}), [("delivered", "", "")]),
        (
            said(0, "ok", send_result={"forbidden_user_id_list": ["bo"]}),
            [("failed", "kept_back", "DingTalk kept this message back")],
        ),
        (
            said(0, "ok", send_result={"forbidden_list": [{"code": "1430004", "count": 1, "userid": "bo"}]}),
            [("failed", "person_protected", "1430004 this person is protected from messages of apps in DingTalk")],
        ),
    ],
)
async def test_each_result_is_read_for_what_it_says(
    answer: Any, receipts: Any, vendor: DingTalk, wire: LocalMemory
) -> None:
    vendor.script[RESULT] = [answer]
    heard = await DINGTALK.ask(["256271667526:bo"], settings(vendor), wire)
    assert [(one.state, one.reason, one.said) for one in heard] == receipts
    assert all(one.provider_id == "256271667526:bo" for one in heard)


# the robot


async def test_the_robot_writes_to_twenty_at_a_time_and_tells_of_each(
    english: Document, vendor: DingTalk, wire: LocalMemory
) -> None:
    vendor.flow_controlled, vendor.filtered = {"staff-3"}, {"staff-4"}
    robot = {"settings": {"provider": "robot"}}
    parcels = [parcel(vendor, english, number, **robot) for number in range(45)]
    parcels.append(parcel(vendor, english, contact={"user_id": "unknown"}, **robot))
    outcomes = await DINGTALK.send_together(parcels, wire)
    assert vendor.calls[ROBOT_SEND] == 3
    assert outcomes[3] == TryLater("throttled", after=timedelta(minutes=1))
    assert outcomes[4] == Refused("filtered", "message")
    assert outcomes[45] == Refused("no_such_user", "address")
    reached = [outcome for place, outcome in enumerate(outcomes) if place not in (3, 4, 45)]
    ids = provider_ids(reached)
    assert len(vendor.told) == len(ids) == 43
    receipts = await DINGTALK.ask(ids, settings(vendor, provider="robot"), wire)
    assert [(one.provider_id, one.state) for one in receipts] == [(one, "delivered") for one in ids]
    assert vendor.calls[ROBOT_READ] == 3


async def test_when_a_later_call_fails_those_who_were_told_are_not_told_again(
    english: Document, vendor: DingTalk, wire: LocalMemory
) -> None:
    robot = {"settings": {"provider": "robot"}}
    parcels = [parcel(vendor, english, number, **robot) for number in range(25)]
    vendor.script[ROBOT_SEND] = [None, refused("send.too.fast", "too fast")]
    outcomes = await DINGTALK.send_together(parcels, wire)
    assert [type(outcome) for outcome in outcomes] == [Sent] * 20 + [TryLater] * 5


async def test_messages_of_before_a_change_of_provider_can_still_be_asked_about(
    english: Document, vendor: DingTalk, wire: LocalMemory
) -> None:
    ids = provider_ids(
        [
            await DINGTALK.send(parcel(vendor, english), wire),
            await DINGTALK.send(parcel(vendor, english, settings={"provider": "robot"}), wire),
        ]
    )
    assert [one.state for one in await DINGTALK.ask(ids, settings(vendor), wire)] == ["delivered"] * 2


# the message


def test_a_link_that_is_too_long_for_a_button_stands_in_the_text_and_half_a_link_nowhere(english: Document) -> None:
    def made(length: int) -> dict[str, Any]:
        occasion = replace(english.occasion, url="https://dms.example.com/".ljust(length, "a"))
        message: dict[str, Any] = json.loads(work_notification.message(replace(english, occasion=occasion)))
        return message

    assert made(500)["action_card"]["single_url"] == "https://dms.example.com/".ljust(500, "a")
    assert f"[View details]({'https://dms.example.com/'.ljust(501, 'a')})" in made(501)["markdown"]["text"]
    assert "https://" not in json.dumps(made(801))


@pytest.mark.parametrize(
    "hostile",
    [
        "[click](https://evil.example)",
        "![](https://evil.example/pixel.png)",
        "<font color=red>x</font>",
        "x\n# heading\n- item",
        "**bold** `code`",
    ],
)
def test_what_others_wrote_is_no_markup(english: Document, hostile: str) -> None:
    occasion = replace(english.occasion, title=hostile, subject_id=hostile)
    facts = tuple(replace(fact, label=hostile, value=hostile) for fact in english.facts)
    document = replace(english, occasion=occasion, headline=hostile, facts=facts, why=f"You {hostile}")
    text = json.loads(work_notification.message(document))["action_card"]["markdown"]
    ours = [line for line in text.splitlines() if line]
    assert not [mark for mark in ("](", "![", "<", "`") if mark in text]
    assert sum(line.startswith("#") for line in ours) == 1
    assert text.count("**") == 2 * len(facts)


@pytest.mark.parametrize("character", ["a", "工", "\x01", "🚀", '"', "\\", "_"])
def test_no_event_is_too_large(english: Document, character: str) -> None:
    for length in (10, 100, 1_000, 10_000):
        text = character * length
        for url in ("", "https://dms.example.com/".ljust(500, "a"), "https://dms.example.com/".ljust(800, "a")):
            occasion = replace(english.occasion, title=text, subject_id=text[:320], url=url)
            facts = tuple(replace(english.facts[0], label=text, value=text) for _ in range(60))
            document = replace(
                english,
                occasion=occasion,
                headline=text,
                todo=text,
                why=text,
                earlier=text,
                facts=facts,
                link_label=text,
            )
            made = work_notification.message(document)
            assert len(made) <= work_notification.MOST_BYTES
            json.loads(made)


# settings and codes


def test_the_agent_is_asked_for_where_it_is_needed_and_may_be_beyond_31_bits(vendor: DingTalk) -> None:
    given = {"app_key": KEY, "app_secret": SECRET}
    with pytest.raises(Problem) as raised:
        check_values(DINGTALK.settings, given, {})
    assert [problem["field"] for problem in raised.value.errors] == ["agent_id"]
    assert check_values(DINGTALK.settings, {**given, "agent_id": "3456789012"}, {})["agent_id"] == 3_456_789_012
    robot = check_values(DINGTALK.settings, {**given, "provider": "robot"}, {})
    assert robot == {**given, "provider": "robot"}
    shown = masked(DINGTALK.settings, robot)
    assert (shown["app_secret"], check_values(DINGTALK.settings, shown, robot)) == (MASK, robot)


def test_nobody_is_everybody() -> None:
    with pytest.raises(Problem):
        check_values(DINGTALK.contact, {"user_id": "@all"}, {})


def test_one_endpoint_stands_for_both_hosts_and_leads_there(vendor: DingTalk) -> None:
    app = app_of(settings(vendor, endpoint="https://dingtalk.acme.example:8443/"))
    assert (app.api, app.oapi) == ("https://dingtalk.acme.example:8443",) * 2
    assert DINGTALK.destination({}, settings(vendor, endpoint="https://dingtalk.acme.example:8443/")) == (
        "dingtalk.acme.example:8443"
    )
    real = settings(vendor, endpoint=None)
    assert DINGTALK.destination({}, real) == "oapi.dingtalk.com:443"
    assert DINGTALK.destination({}, {**real, "provider": "robot"}) == "api.dingtalk.com:443"


def code(vendor: DingTalk, contact: Any, **changes: Any) -> Code:
    return Code(
        identity=UUID(int=7),
        digits="048213",
        minutes=10,
        language=changes.pop("language", "en"),
        contact=contact,
        settings=settings(vendor, **changes),
        now=NOON,
    )


@pytest.mark.parametrize("provider", ["work_notification", "robot"])
@pytest.mark.parametrize(("language", "word"), [("en", "verification code"), ("zh-hans", "验证码"), ("xx", "code")])
async def test_a_code_arrives_in_dingtalk_itself(
    provider: str, language: str, word: str, vendor: DingTalk, wire: LocalMemory
) -> None:
    wanted = code(vendor, {"mobile": "+8613800138001"}, provider=provider, language=language)
    assert isinstance(await DINGTALK.send_code(wanted, wire), Sent)
    [told] = vendor.told
    assert told.user == "staff-1"
    assert "048213" in told.content["content"]
    assert word in told.content["content"]


async def test_a_code_to_nobody_says_so(vendor: DingTalk, wire: LocalMemory) -> None:
    with pytest.raises(Ended) as ended:
        await DINGTALK.send_code(code(vendor, {"mobile": "+8613999999999"}), wire)
    assert ended.value.outcome == NO_ACCOUNT
