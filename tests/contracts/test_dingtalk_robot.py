"""What only a group robot promises: signatures, mentions, one message for many, and never a 21st in a minute."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from dingtalkchatbot.chatbot import DingtalkChatbot
from msgspec.structs import replace

from tidings.channels.check import check_values
from tidings.channels.contract import Parcel, Refused, Sent, TryLater
from tidings.channels.dingtalk_robot.message import MOST_BYTES, letter
from tidings.channels.dingtalk_robot.robot import robot_of
from tidings.channels.memory import LocalMemory
from tidings.channels.registry import channel
from tidings.channels.testing.dingtalk_robot import GroupRobots, Robot
from tidings.kernel.problems import Problem
from tidings.messages.document import Document, Fact

ROBOT = channel("dingtalk_robot")
TOKEN, OTHER = "5f3a9c1be20d774e6a8c9b0d1f2e3a4b", "0d1f2e3a4b5f3a9c1be20d774e6a8c9b"
SECRET = "SEC7d1c4f0a9b8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d"
BO, DAN = "+8613800138001", "+85251234567"


class Clock:
    """Seconds that pass when a test says so."""

    now = 1_795_435_200.0

    def __call__(self) -> float:
        return self.now

    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def vendor(clock: Clock) -> AsyncIterator[GroupRobots]:
    robots = {TOKEN: Robot(keywords=["DMS"], secret=SECRET), OTHER: Robot(keywords=["DMS"])}
    async with GroupRobots(robots, clock=clock) as vendor:
        yield vendor
        assert vendor.complaints == []


def parcel(vendor: GroupRobots, document: Document, number: int = 1, **changes: Any) -> Parcel:
    contact = {"url": f"https://oapi.dingtalk.com/robot/send?access_token={TOKEN}", "secret": SECRET}
    settings = {"endpoint": vendor.url("/")}
    return Parcel(
        identity=UUID(int=0x019A9F5C2F407C318A6E3D5B00000000 + number),
        document=document,
        contact=check_values(ROBOT.contact, contact | changes.get("contact", {}), {}),
        settings=check_values(ROBOT.settings, settings | changes.get("settings", {}), {}),
        now=changes.get("now", Clock().moment()),
        extra={"mobile": changes["mobile"]} if "mobile" in changes else {},
    )


def told(document: Document, login: str, why: str = "", *, event: int = 0, **changes: Any) -> Document:
    """The same, to another person or of another event."""
    occasion = document.occasion
    if event:
        identity = f"019a9f5c-2f40-7c31-8a6e-{event:07x}00000"
        url = f"https://dms.example.com/tickets/{event}"
        tone = changes.pop("tone", occasion.tone)
        occasion = replace(occasion, event_id=identity, subject_id=str(event), url=url, tone=tone)
        changes.setdefault("headline", f"Ticket {event} waits for approval")
    reader = replace(document.reader, login=login, name=login.title())
    return replace(document, occasion=occasion, reader=reader, why=why or document.why, **changes)


# the signature


@pytest.mark.parametrize("seconds", [1_795_435_200.0, 1_795_435_200.25, 1_599_360_473.0])
def test_the_signature_is_the_one_of_an_independent_implementation(seconds: float) -> None:
    url = f"https://oapi.dingtalk.com/robot/send?access_token={TOKEN}"
    theirs = DingtalkChatbot(url, secret=SECRET)
    theirs.start_time = seconds
    theirs.update_webhook()
    ours = robot_of({"url": url, "secret": SECRET}, {}).signed(datetime.fromtimestamp(seconds, UTC))
    assert parse_qs(urlsplit(ours).query) == parse_qs(urlsplit(theirs.webhook).query)
    assert ours == theirs.webhook


def test_the_signature_is_that_of_the_documented_recipe() -> None:
    # printf '%s\n%s' 1599360473000 "this is secret" | openssl dgst -sha256 -hmac "this is secret" -binary | base64
    robot = robot_of({"url": "https://oapi.dingtalk.com/robot/send?access_token=x", "secret": "this is secret"}, {})
    signed = robot.signed(datetime.fromtimestamp(1_599_360_473, UTC))
    assert signed == (
        "https://oapi.dingtalk.com/robot/send?access_token=x&timestamp=1599360473000&sign=hXZTWifRGHclNuZSKxoXc%2F%2Fsh51SWfVfRIhcdeKs63I%3D"
    )


async def test_a_robot_without_a_secret_gets_no_signature(
    english: Document, vendor: GroupRobots, wire: LocalMemory
) -> None:
    url = {"url": f"https://oapi.dingtalk.com/robot/send?access_token={OTHER}", "secret": None}
    assert isinstance(await ROBOT.send(parcel(vendor, english, contact=url), wire), Sent)
    assert "sign" not in robot_of(url, {}).signed(datetime.now(UTC))


async def test_another_secret_is_the_owners_to_change(
    english: Document, vendor: GroupRobots, wire: LocalMemory
) -> None:
    outcome = await ROBOT.send(parcel(vendor, english, contact={"secret": "SECother"}), wire)
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.of) == ("wrong_secret", "address")


@pytest.mark.parametrize("hours", [-2, 2])
async def test_a_clock_that_is_wrong_is_ours_to_set_and_switches_no_robot_off(
    hours: int, english: Document, vendor: GroupRobots, wire: LocalMemory, clock: Clock
) -> None:
    for secret in (SECRET, "SECother"):
        late = parcel(vendor, english, now=clock.moment() + timedelta(hours=hours), contact={"secret": secret})
        outcome = await ROBOT.send(late, wire)
        assert isinstance(outcome, TryLater)
        assert (outcome.reason, outcome.technical) == ("clock_wrong", True)


# the keyword and other guards


async def test_the_keyword_stands_in_every_message_whatever_else_is_cut(
    english: Document, vendor: GroupRobots, wire: LocalMemory
) -> None:
    vendor.robots[TOKEN].keywords = ["工单通知"]
    outcome = await ROBOT.send(parcel(vendor, english), wire)
    assert isinstance(outcome, TryLater)
    assert (outcome.reason, outcome.technical) == ("keyword_missing", True)
    giant = replace(english, headline="x" * 50_000, facts=(Fact("f", "工" * 9_000, "工" * 9_000),) * 90)
    for number, document in enumerate((english, giant), start=2):
        ours = parcel(vendor, document, number, settings={"keyword": "工单通知"})
        assert isinstance(await ROBOT.send(ours, wire), Sent)


async def test_an_address_that_is_not_allowed_is_ours_to_have_allowed(
    english: Document, vendor: GroupRobots, wire: LocalMemory
) -> None:
    vendor.robots[TOKEN].addresses = ["203.0.113.7"]
    outcome = await ROBOT.send(parcel(vendor, english), wire)
    assert isinstance(outcome, TryLater)
    assert (outcome.reason, outcome.technical) == ("ip_not_allowed", True)


@pytest.mark.parametrize(
    ("state", "reason"), [("gone", "no_such_robot"), ("stopped", "robot_stopped"), ("dissolved", "group_dissolved")]
)
async def test_a_robot_that_is_no_more_is_a_dead_address(
    state: str, reason: str, english: Document, vendor: GroupRobots, wire: LocalMemory
) -> None:
    vendor.robots[TOKEN].state = state
    outcome = await ROBOT.send(parcel(vendor, english), wire)
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.of) == (reason, "address")


async def test_whoever_asks_otherwise_than_we_do_hears_what_the_vendor_says(
    vendor: GroupRobots, wire: LocalMemory
) -> None:
    async def errcode(method: str, url: str, kind: str = "application/json") -> int:
        answer = await wire.request(method, url, headers={"content-type": kind}, body=b"{}")
        assert answer.status == 200
        return int(json.loads(answer.body)["errcode"])

    assert await errcode("GET", vendor.webhook(TOKEN)) == 43002
    assert await errcode("POST", vendor.webhook(TOKEN), "text/plain") == 43004
    assert await errcode("POST", vendor.url("/robot/send")) == 40035
    assert await errcode("POST", vendor.webhook("unknown")) == 300005
    assert await errcode("POST", vendor.webhook(TOKEN)) == 400105


# the address


@pytest.mark.parametrize(
    "url",
    [
        "https://oapi.dingtalk.com/robot/send",
        "https://oapi.dingtalk.com/robot/send?access_token=",
        "https://oapi.dingtalk.com/robot/send?token=x",
        "https://oapi.dingtalk.com/robot/send?access_token=x&access_token=y",
        "ftp://oapi.dingtalk.com/robot/send?access_token=x",
        "not a url",
    ],
)
def test_a_url_without_a_token_is_refused(url: str) -> None:
    with pytest.raises(Problem) as raised:
        check_values(ROBOT.contact, {"url": url}, {})
    assert [problem["field"] for problem in raised.value.errors] == ["url"]


def test_an_old_signature_that_was_copied_with_the_url_is_dropped() -> None:
    url = f"https://oapi.dingtalk.com/robot/send?access_token={TOKEN}&timestamp=1&sign=abc%2B"
    assert check_values(ROBOT.contact, {"url": url}, {})["url"] == url.partition("&")[0]


@pytest.mark.parametrize(
    ("url", "endpoint", "called"),
    [
        ("https://oapi.dingtalk.com/robot/send?access_token=x", None, "https://oapi.dingtalk.com/robot/send?access_token=x"),
        ("https://oapi.dingtalk.io/robot/send?access_token=x", None, "https://oapi.dingtalk.io/robot/send?access_token=x"),
        ("https://oapi.dingtalk.com/robot/send?access_token=x", "https://ding.acme.example:8443/", "https://ding.acme.example:8443/robot/send?access_token=x"),
        ("https://ding.acme.example:8443/robot/send?access_token=x", "https://ding.acme.example:8443", "https://ding.acme.example:8443/robot/send?access_token=x"),
        ("https://ding.acme.example/robot/send?access_token=x", "https://ding.acme.example:8443", None),
        ("https://oapi.dingtalk.com.evil.example/robot/send?access_token=x", None, None),
        ("https://evil.example/oapi.dingtalk.com/robot/send?access_token=x", None, None),
    ],
)  # fmt: skip
async def test_a_token_is_told_to_dingtalk_and_to_nobody_else(
    url: str, endpoint: str | None, called: str | None, english: Document, vendor: GroupRobots, wire: LocalMemory
) -> None:
    settings = check_values(ROBOT.settings, {"endpoint": endpoint}, {})
    robot = robot_of({"url": url}, settings)
    assert (robot.url if robot.allowed else None) == called
    if called is None:
        stray = replace(parcel(vendor, english), contact={"url": url}, settings=settings)
        assert await ROBOT.send(stray, wire) == Refused("not_a_dingtalk_url", "address")
    else:
        assert ROBOT.destination({"url": url}, settings) == urlsplit(called).netloc.removesuffix(":443") + (
            "" if ":" in urlsplit(called).netloc else ":443"
        )


def test_what_is_shown_tells_ones_robots_apart_and_is_no_token() -> None:
    shown = ROBOT.address({"url": f"https://oapi.dingtalk.com/robot/send?access_token={TOKEN}"})
    assert shown == "https://oapi.dingtalk.com/…3a4b"
    assert ROBOT.address({"url": "https://oapi.dingtalk.com/robot/send?access_token=short"}).endswith("…")


def test_the_robot_is_known_by_its_token_whoever_uses_it_and_the_token_by_nobody(
    english: Document, vendor: GroupRobots
) -> None:
    mine = parcel(vendor, english)
    theirs = parcel(vendor, english, 2, contact={"secret": "SECother"}, settings={"keyword": "ticket"})
    other = parcel(vendor, english, contact={"url": f"https://oapi.dingtalk.com/robot/send?access_token={OTHER}"})
    [budget] = ROBOT.budgets([mine])
    assert (budget.most, budget.per, budget.amount) == (18, timedelta(minutes=1), 1)
    assert budget.key == ROBOT.budgets([theirs])[0].key == ROBOT.account(mine.contact, mine.settings)
    assert budget.key != ROBOT.budgets([other])[0].key
    assert ROBOT.together(mine) == ROBOT.together(parcel(vendor, told(english, "dan", event=7), 3))
    assert ROBOT.together(mine) != ROBOT.together(theirs)
    keys = f"{budget.key} {ROBOT.together(mine)}"
    assert not [secret for secret in (TOKEN, SECRET) if secret in keys]


# the limit


async def test_within_the_budget_nobody_is_punished_and_beyond_it_ten_minutes(
    english: Document, vendor: GroupRobots, wire: LocalMemory, clock: Clock
) -> None:
    [budget] = ROBOT.budgets([parcel(vendor, english)])
    number = 0
    for _ in range(3):
        for _ in range(budget.most):
            number += 1
            assert isinstance(await ROBOT.send(parcel(vendor, english, number, now=clock.moment()), wire), Sent)
        clock.now += budget.per.total_seconds()
    outcomes = []
    for extra in range(22):
        outcomes.append(await ROBOT.send(parcel(vendor, english, 1_000 + extra, now=clock.moment()), wire))
    assert [type(outcome) for outcome in outcomes] == [Sent] * 20 + [TryLater] * 2
    assert {(one.reason, one.after) for one in outcomes[20:]} == {("throttled", timedelta(minutes=10))}
    clock.now += 599
    assert isinstance(await ROBOT.send(parcel(vendor, english, 2_000, now=clock.moment()), wire), TryLater)
    clock.now += 2
    assert isinstance(await ROBOT.send(parcel(vendor, english, 2_001, now=clock.moment()), wire), Sent)


async def test_a_repeated_try_is_posted_once(english: Document, vendor: GroupRobots, wire: LocalMemory) -> None:
    both = [parcel(vendor, english, 1), parcel(vendor, told(english, "dan"), 2)]
    for _ in range(2):
        assert isinstance(await ROBOT.send(both[0], wire), Sent)
    for parcels in (both, both[::-1]):
        assert [type(outcome) for outcome in await ROBOT.send_together(parcels, wire)] == [Sent, Sent]
    assert len(vendor.posted) == 2


# one event, several readers


async def test_one_event_is_one_message_that_mentions_each_and_says_why(
    english: Document, vendor: GroupRobots, wire: LocalMemory
) -> None:
    why = "You get this because you are the DBA."
    parcels = [
        parcel(vendor, told(english, "bo"), 1, mobile=BO),
        parcel(vendor, told(english, "dan", why), 2, mobile=DAN),
        parcel(vendor, told(english, "eve", why), 3),
    ]
    outcomes = await ROBOT.send_together(parcels, wire)
    assert [type(outcome) for outcome in outcomes] == [Sent] * 3
    [posted] = vendor.posted
    assert posted.mentioned == ["+852-51234567", "13800138001"]
    text = posted.content["text"]
    assert f"@13800138001 {english.why}" in text
    assert f"@+852-51234567 **Eve** {why}" in text
    assert text.count(english.headline) == 1
    assert text.count(english.url) == 1
    assert posted.content["title"] == english.headline


async def test_readers_of_two_languages_find_both_in_one_message(
    english: Document, documents: Any, vendor: GroupRobots, wire: LocalMemory
) -> None:
    chinese = documents["zh-hans"]
    outcomes = await ROBOT.send_together(
        [parcel(vendor, english, 1, mobile=BO), parcel(vendor, told(chinese, "dan"), 2, mobile=DAN)], wire
    )
    assert [type(outcome) for outcome in outcomes] == [Sent] * 2
    [posted] = vendor.posted
    assert posted.content["title"] == english.headline
    for text in (english.headline, chinese.headline, english.todo, chinese.todo):
        assert text in posted.content["text"]


# several events


def summary(parcels: Sequence[Parcel]) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(letter(parcels, "DMS").body)
    return body


async def test_several_events_are_one_message_that_names_them_all_and_what_asks_to_act_comes_first(
    english: Document, vendor: GroupRobots, wire: LocalMemory
) -> None:
    parcels = [
        parcel(vendor, told(english, "ann", event=11, tone="success", headline="Ticket 11 was approved"), 1, mobile=BO),
        parcel(vendor, told(english, "bo", event=12), 2, mobile=BO),
        parcel(vendor, told(english, "ann", event=13, tone="failure", headline="Ticket 13 failed"), 3),
        parcel(vendor, told(english, "dan", event=12), 4, mobile=DAN),
        parcel(vendor, told(english, "dan", event=14), 5, mobile=DAN),
    ]
    outcomes = await ROBOT.send_together(parcels, wire)
    assert [type(outcome) for outcome in outcomes] == [Sent] * 5
    [posted] = vendor.posted
    text = posted.content["text"]
    names = [
        "Ticket 12 waits for approval",
        "Ticket 14 waits for approval",
        "Ticket 11 was approved",
        "Ticket 13 failed",
    ]
    places = [text.index(name) for name in names]
    assert places == sorted(places)
    assert [text.count(name) for name in names] == [1] * 4
    assert all(f"](https://dms.example.com/tickets/{number})" in text for number in (11, 12, 13, 14))
    assert posted.content["title"] == "Ticket 12 waits for approval (+3)"
    assert posted.mentioned == ["+852-51234567", "13800138001"]
    assert text.endswith("DMS")


@pytest.mark.parametrize("character", ["a", "工", "🚀", '"', "\\"])
def test_a_summary_of_as_many_as_there_can_be_names_them_all(
    character: str, english: Document, vendor: GroupRobots
) -> None:
    """Of ordinary links: each event keeps its name, its link and whom it is for."""
    parcels = []
    for number in range(1, ROBOT.most_together + 1):
        text = character * 300
        document = told(english, "bo", event=number, headline=f"{number}: {text}", todo=text)
        parcels.append(parcel(vendor, document, number, mobile=BO))
    made = letter(parcels, "DMS")
    assert len(made.body) <= MOST_BYTES
    assert made.left_out == frozenset()
    text = json.loads(made.body)["markdown"]["text"]
    assert all(f"### {number}: " in text for number in range(1, ROBOT.most_together + 1))
    assert all(f"/tickets/{number})" in text for number in range(1, ROBOT.most_together + 1))
    assert "…" in text


async def test_what_finds_no_room_is_counted_and_comes_with_the_next_one(
    english: Document, vendor: GroupRobots, wire: LocalMemory
) -> None:
    parcels = []
    for number in range(1, ROBOT.most_together + 1):
        document = told(english, "bo", event=number, headline="工" * 100)
        occasion = replace(document.occasion, url="https://dms.example.com/".ljust(790, "a") + str(number))
        parcels.append(parcel(vendor, replace(document, occasion=occasion), number, mobile=BO))
    outcomes = await ROBOT.send_together(parcels, wire)
    sent = sum(isinstance(outcome, Sent) for outcome in outcomes)
    assert 10 < sent < len(parcels)
    assert set(outcomes[sent:]) == {TryLater("no_room")}
    [posted] = vendor.posted
    assert posted.size <= MOST_BYTES
    assert f"… (+{len(parcels) - sent})" in posted.content["text"]


async def test_what_is_refused_is_refused_to_all_of_them(
    english: Document, vendor: GroupRobots, wire: LocalMemory
) -> None:
    vendor.robots[TOKEN].state = "gone"
    parcels = [parcel(vendor, told(english, "bo", event=number), number) for number in range(1, 4)]
    outcomes = await ROBOT.send_together(parcels, wire)
    assert [(type(one), getattr(one, "of", "")) for one in outcomes] == [(Refused, "address")] * 3


def test_a_name_that_is_markup_names_and_does_nothing(english: Document, vendor: GroupRobots) -> None:
    reader = replace(english.reader, name="# [x](https://evil.example) @13900000000")
    body = summary([parcel(vendor, replace(english, reader=reader))])
    assert "](https://evil" not in body["markdown"]["text"]
    assert body["at"] == {"atMobiles": [], "isAtAll": False}
