"""Those who are sent to answer badly, late, without end, or not at all; then they are well again."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from typing import Any

from faults.count import Row, Taken
from faults.load import Load
from faults.proxy import Proxy, Way
from faults.scenario import Part, Run, scenario
from faults.stage import SECRET, Process
from tidings.channels.sms.aliyun_template import TEXTS
from tidings.channels.testing.aliyun_sms import AliyunSms, Template, refusal
from tidings.channels.testing.dingtalk import ACCESS_TOKEN, SEND, DingTalk, Told, refused, said
from tidings.channels.testing.dingtalk_robot import GroupRobots, Robot
from tidings.channels.testing.http_server import Reply
from tidings.channels.testing.smtp_server import OK, Mail, MailServer, Step

WELL = Reply()
EVENTS = 12
"""For each of them."""
WHOLE_CALL = 15.0
"""Seconds one try may take, whatever the other side does."""
A_LITTLE = 3.0


def _throttled(*after: str) -> list[Reply]:
    return [Reply(429, b"slow down", {"retry-after": each}) for each in after]


# Each is a person, whose receiver answers so before it is well.
RECEIVERS: Mapping[str, tuple[str, Sequence[Reply]]] = {
    "throttles": ("429 without Retry-After", [Reply(429)] * 4),
    "throttles-seconds": ("429 with Retry-After in seconds", _throttled("2", "1", "0")),
    "throttles-date": ("429 with Retry-After as a date", _throttled(formatdate(time.time() + 20, usegmt=True))),
    "throttles-absurdly": (
        "429 with a Retry-After that makes no sense",
        _throttled("-1", "soon", "1e9", "", "Thu, 01 Jan 1970 00:00:00 GMT", "99:99", "２"),
    ),
    "errs": ("500, 502, 503, 504 and a status nobody knows", [Reply(each) for each in (500, 502, 503, 504, 599, 999)]),
    "denies": ("401, 403, 404, 408, 409 and 425", [Reply(each) for each in (401, 403, 404, 408, 409, 425)]),
    "hangs": ("silence once the request is read", [Reply(manner="hang")] * 4),
    "drips": ("a byte every half second, from the status on", [Reply(manner="drip")] * 4),
    "drips-body": ("the same with the body", [Reply(body=b"x" * 100, manner="drip_body")] * 4),
    "talks-garbage": ("bytes that are no HTTP", [Reply(manner="garbage")] * 4),
    "never-ends-head": ("headers without an end", [Reply(manner="endless_head")] * 4),
    "never-ends-body": ("200 and a body without an end", [Reply(manner="endless_body")] * 4),
    "resets": ("a reset once the request is read: it may have been acted on", [Reply(manner="reset")] * 4),
    "stops-half-way": ("half an answer", [Reply(manner="half")] * 4),
}


@scenario()
async def receivers_misbehave(run: Run) -> None:
    """Webhook receivers answer each in a bad way of its own, beside one that is well and gets all the rest; then all
    are well. No try takes longer than a whole call may."""
    run.people = (*RECEIVERS, "refuses", "speaks-no-tls", "well")
    serve, *_ = await run.start("serve", "worker")
    run.people = ("well",)
    for login, (_, replies) in RECEIVERS.items():
        run.stage.receiver.script[f"/{login}"] = (*replies, WELL)
    refusing = await _elsewhere(run, serve, "refuses", "http")
    without_tls = await _elsewhere(run, serve, "speaks-no-tls", "https")
    await refusing.turn("cut")
    says = {login: words for login, (words, _) in RECEIVERS.items()}
    says |= {"refuses": "no connection for 10 s", "speaks-no-tls": "HTTP where HTTPS is wanted: nothing is sent"}
    async with run.load() as load:
        parts = [await _part(run, load, login, words) for login, words in says.items()]
        await asyncio.sleep(10)
        await refusing.turn("open")
        assert without_tls.calls, "nobody called"
        # Whoever's way stays closed is found out, and the address mended by its owner.
        await _webhook(run, serve, "speaks-no-tls", run.stage.receiver.url("/speaks-no-tls"))
    await _is_over(run, parts)
    longest = await run.stage.rows(
        "SELECT max((a ->> 'ms')::float8) FROM delivery_delivery, jsonb_array_elements(attempts) AS a"
    )
    assert longest[0][0] < (WHOLE_CALL + A_LITTLE) * 1000, f"a try took {longest[0][0]:.0f} ms"


async def _elsewhere(run: Run, through: Process, login: str, scheme: str) -> Proxy:
    proxy = await run.lasts.enter_async_context(Proxy.to("127.0.0.1", run.stage.receiver.port))
    await _webhook(run, through, login, f"{scheme}://127.0.0.1:{proxy.port}/{login}")
    return proxy


async def _webhook(run: Run, through: Process, login: str, url: str) -> None:
    wanted = {"methods": ["webhook"], "webhook": {"url": url, "secret": SECRET}}
    await run.stage.must(through, "PUT", f"/users/{login}/notification-settings", wanted)


async def _part(run: Run, load: Load, login: str, says: str, events: int = EVENTS) -> Part:
    """Some events for this person, as a line of their own in the report."""
    kept: dict[str, str] = {}
    for _ in range(events):
        one = load.event() | {"people": {"submitter": login}}
        await load.single(one)
        kept[one["id"]] = load.accepted[one["id"]]
    part = Part(Row(login, says, part_of=run.row.name), kept)
    run.parts.append(part)
    return part


async def _is_over(run: Run, parts: Sequence[Part]) -> None:
    """Wait for it, and note of each part what was taken and not answered for."""
    began = time.monotonic()
    await run.stage.over(run.settle_within)
    run.stage.faults[f"over {time.monotonic() - began:.0f} s after the load"] += 1
    unheard = [one.delivery for one in run.took() if not one.answered]
    for part in parts:
        events = {int(ours.replace("-", ""), 16) >> 20 for ours in part.accepted.values()}
        part.held = [each for each in unheard if int(each, 16) >> 20 in events]


# vendors who report errors in a 200

Answers = Sequence[Reply | None]
BUSY = said(-1, "系统繁忙")
PAGE = Reply(200, b"<html><body>busy</body></html>", {"content-type": "text/html"})
MINE = {"access_key_id": "LTAI5tTest", "access_key_secret": "secret-of-that-key", "sign_name": "数据平台"}
NUMBER = "+86 138 0000 000{place}"
# Answers before it is well, by what they are about.
SMS: Mapping[str, tuple[str, Answers]] = {
    "sms-system-error": (
        "isp.SYSTEM_ERROR, then isp.GATEWAY_ERROR",
        [refusal("isp.SYSTEM_ERROR", "系统错误"), refusal("isp.GATEWAY_ERROR", "调用发送应用模块失败")],
    ),
    "sms-throttled": ("400 Throttling.User", [refusal("Throttling.User", "Request was denied.", 400)]),
    "sms-unknown": ("a code that nobody knows, then a page", [refusal("isv.SOMETHING_NEW", "没人见过"), PAGE]),
    "sms-hangs": ("silence", [Reply(manner="hang")]),
    "sms-resets": ("a reset, 500, garbage", [Reply(manner="reset"), Reply(500), Reply(manner="garbage")]),
    "sms-no-credit": ("isv.AMOUNT_NOT_ENOUGH", [refusal("isv.AMOUNT_NOT_ENOUGH", "账户余额不足")]),
}
ROBOTS: Mapping[str, tuple[str, Answers]] = {
    "robot-busy": ("errcode -1", [BUSY]),
    "robot-page": ("a page with 200, then 502", [PAGE, Reply(502, b"Bad Gateway")]),
    "robot-unknown": ("a code that nobody knows, then a reset", [said(987654, "没人见过"), Reply(manner="reset")]),
    "robot-keyword": ("errcode 310000: a keyword is missing", [said(310000, "keywords not in content")]),
}
DINGTALK: Mapping[str, Answers] = {
    ACCESS_TOKEN: [refused("ServiceUnavailable", "busy", 500), None],
    SEND: [said(88, "ding talk error", sub_code="40014", sub_msg="不合法的access_token"), BUSY, PAGE, None],
}
PHONES = ("dingtalk-1", "dingtalk-2", "dingtalk-3")
KEY, APP_SECRET, AGENT = "dingapp", "app-secret-of-acme", 3_000_000_001


@scenario()
async def errors_in_a_200(run: Run) -> None:
    """Alibaba Cloud SMS, DingTalk and its group robots answer 200 with codes of errors, pages, codes that nobody knows,
    silence and resets; then they are well. What they took is what is recorded as sent."""
    run.people = ("ann",)
    phones = {login: NUMBER.format(place=place) for place, login in enumerate((*SMS, *PHONES))}
    digits = {login: "".join(filter(str.isdigit, phones[login])) for login in phones}
    sms = await run.lasts.enter_async_context(_sms({digits[login]: (*SMS[login][1], None) for login in SMS}))
    robots = await run.lasts.enter_async_context(GroupRobots({login: Robot(keywords=["DMS"]) for login in ROBOTS}))
    dingtalk = await run.lasts.enter_async_context(
        DingTalk(
            app_key=KEY,
            app_secret=APP_SECRET,
            agent_id=AGENT,
            people={digits[login].removeprefix("86"): login for login in PHONES},
        )
    )
    robots.script = {login: (*answers, None) for login, (_, answers) in ROBOTS.items()}
    dingtalk.script = dict(DINGTALK)
    serve, *_ = await run.start("serve", "worker")
    for channel, settings in (
        ("sms", {"provider": "aliyun", **MINE, "template_code": "SMS_1", "endpoint": sms.url()}),
        ("dingtalk", {"app_key": KEY, "app_secret": APP_SECRET, "agent_id": AGENT, "endpoint": dingtalk.url("/")}),
        ("dingtalk_robot", {"keyword": "DMS", "endpoint": robots.url("/")}),
    ):
        await run.stage.must(serve, "PUT", f"/channels/{channel}", {"enabled": True, "settings": settings})
    for login in phones:
        await _person(run, serve, login, methods=["sms" if login in SMS else "dingtalk"], mobile=phones[login])
    for login in ROBOTS:
        url = f"https://oapi.dingtalk.com/robot/send?access_token={login}"
        await _person(run, serve, login, methods=["dingtalk_robot"], dingtalk_robot={"url": url})
    # One event each: a vendor's limits are no fault.
    says = {login: words for login, (words, _) in {**SMS, **ROBOTS}.items()}
    says |= dict.fromkeys(PHONES, "500 for a token, errcode 88 for the token that came, errcode -1, a page")
    async with run.load(senders=0) as load:
        parts = [await _part(run, load, login, words, events=1) for login, words in says.items()]
    run.also_took = lambda: (
        [Taken(each.out_id) for each in sms.texts]
        + [Taken(each.uuid) for each in robots.posted]
        + [Taken(by_mark[_mark(each)]) for each in dingtalk.told]
    )
    by_mark: dict[str, str] = {}
    await run.stage.over(run.settle_within)
    rows = await run.stage.rows("SELECT id FROM delivery_delivery WHERE channel = 'dingtalk'")
    by_mark |= {row[0].hex[-15:-5]: row[0].hex for row in rows}
    await _is_over(run, parts)
    # A call that broke on a kept connection is sent again as it was; the vendor knows it by its nonce.
    assert set(sms.wrong) <= {"SignatureNonceUsed"}, sms.wrong
    for complaints in (robots.complaints, dingtalk.complaints):
        assert not complaints, complaints


def _mark(told: Told) -> str:
    """What a message of DingTalk's carries of the event it is about: its readers cannot tell two of one apart."""
    return "\n".join(told.content.values()).rpartition("·")[2].strip()


async def _person(run: Run, through: Process, login: str, **settings: Any) -> None:
    await run.stage.must(through, "PUT", f"/users/{login}", {"name": login})
    await run.stage.must(through, "PUT", f"/users/{login}/notification-settings", settings)


def _sms(script: dict[str, Answers]) -> AliyunSms:
    templates = {"SMS_1": Template(TEXTS["zh-hans"])}
    signs = [MINE["sign_name"]]
    return AliyunSms(MINE["access_key_id"], MINE["access_key_secret"], signs, templates, script=dict(script))


# mail


WAYS: Sequence[tuple[Way, float]] = (("cut", 3.0), ("silent", 16.0), ("open", 0.0))
FROM = "tidings@example.com"
MAILS: Mapping[str, tuple[str, Sequence[Step]]] = {
    "greylisted": ("450 after RCPT TO", [Step("450 4.2.0 Greylisted")] * 3),
    "busy": ("421 after RCPT TO, and the connection ends", [Step("421 4.3.2 Service shutting down")] * 3),
    "cut": ("the connection cut after RCPT TO", [Step(manner="drop")] * 3),
    "full": ("452 after the final dot", [Step("452 4.3.1 Insufficient system storage", "data")] * 3),
    "leaves": ("421 after the final dot", [Step("421 4.3.0 Try again later", "data")] * 3),
    "dies-after-data": ("no answer after the final dot: it may have been taken", [Step(at="data", manner="drop")] * 3),
    "hangs-after-data": ("silence after the final dot", [Step(at="data", manner="hang")] * 2),
    "hangs": ("silence after RCPT TO", [Step(manner="hang")] * 2),
}
UNHEARD = ("dies-after-data", "hangs-after-data")
SENDER = [
    Step("421 4.7.0 Too many connections", "mail"),
    Step("451 4.3.0 Temporary failure", "mail"),
    Step(at="mail", manner="drop"),
]


@scenario()
async def mail_server_misbehaves(run: Run) -> None:
    """A mail server answers 4xx, hangs up or says nothing, at MAIL FROM, RCPT TO and after the final dot, and cannot be
    reached or does not greet for some seconds. A mail it may have taken comes again with the same Message-ID."""
    run.people = ("ann",)
    server = await run.lasts.enter_async_context(MailServer())
    way = await run.lasts.enter_async_context(Proxy.to("127.0.0.1", server.port))
    server.script = {f"{login}@example.com": (*steps, OK) for login, (_, steps) in MAILS.items()}
    server.script[FROM] = (*SENDER, Step(at="rcpt"))
    run.also_took = lambda: [taken for mail in server.mails if (taken := _taken(mail))]
    serve, *_ = await run.start("serve", "worker")
    settings = {"host": "127.0.0.1", "port": way.port, "security": "none", "from": FROM}
    await run.stage.must(serve, "PUT", "/channels/email", {"enabled": True, "settings": settings})
    for login in MAILS:
        await _person(run, serve, login, methods=["email"], email=f"{login}@example.com")
    async with run.load(senders=0) as load:
        parts = []
        for turned, wait in WAYS:
            await way.turn(turned)
            parts += [await _part(run, load, login, words, events=2) for login, (words, _) in MAILS.items()]
            await asyncio.sleep(wait)
    run.parts[:] = _joined(parts)
    await _is_over(run, run.parts)


def _taken(mail: Mail) -> Taken | None:
    """A mail that was read whole may have been taken, unless its server said no."""
    delivery = str(mail.message["Message-ID"]).strip("<>").partition("@")[0]
    if not mail.taken and mail.recipient.partition("@")[0] not in UNHEARD:
        return None
    return Taken(delivery, answered=mail.taken)


def _joined(parts: Sequence[Part]) -> list[Part]:
    """One line for all of a name."""
    by_name: dict[str, Part] = {}
    for part in parts:
        known = by_name.setdefault(part.row.name, part)
        known.accepted = {**known.accepted, **part.accepted}
    return list(by_name.values())
