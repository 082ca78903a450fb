"""Nothing secret leaves: a secret of its own is planted in every place that holds one, everything is driven into every
failure, and whatever comes out is searched for it, however it may be written.

The places come from what channels declare; a new secret field is planted without a change here.
"""

import asyncio
import base64
import json
import logging
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from tests.console.conftest import account_of
from tests.console.test_walk import walk
from tests.contracts.conftest import VENDORS, channel_of, vendor_of
from tests.delivery.given import event, in_django
from tests.scenarios.stage import Stage
from tests.scenarios.test_routes import REST, address, furnished

from tidings.channels.registry import CHANNELS
from tidings.channels.testing.http_server import HttpServer, Reply, Request
from tidings.channels.testing.smtp_server import MailServer, Step
from tidings.kernel.logs import OneLine

MAIL_PASSWORD = "email settings password"
SHORTEST = 9
"""Characters of a piece that must not be found: shorter ones occur by chance."""


@dataclass
class Canaries:
    """name: secret. Each is random, so that what is found was not there by chance."""

    planted: dict[str, str] = field(default_factory=dict)

    def new(self, name: str, like: str = "") -> str:
        """A secret in the form that is wanted: what is random of `like` is replaced."""
        fresh = secrets.token_hex(16)
        self.planted[name] = fresh
        if like.startswith("whsec_"):
            coded = base64.b64encode(secrets.token_bytes(32)).decode()
            self.planted[name] = coded
            return f"whsec_{coded}"
        if like.startswith(("http://", "https://")):
            # The token is where the vendor has it: the value of a parameter, or the last step of the path.
            before, found, _ = like.rpartition("=")
            return f"{before}={fresh}" if found else f"{like.rpartition('/')[0]}/{fresh}"
        return f"SEC{fresh}" if like.startswith("SEC") else fresh

    def found_in(self, text: str) -> Iterator[tuple[str, str]]:
        lowered = text.lower()
        for name, secret in self.planted.items():
            for form in forms(secret):
                if form.lower() in lowered:
                    yield name, form


def forms(secret: str) -> set[str]:
    half = len(secret) // 2
    found = set()
    for part in (secret, secret[:half], secret[half:]):
        raw = part.encode()
        found |= {part, part[::-1], quote(part, safe=""), raw.hex()}
        for offset in range(3):
            coded = base64.b64encode(bytes(offset) + raw).decode().rstrip("=")
            found.add(coded[offset + (offset > 0) : -1])
    return {form for form in found if len(form) >= SHORTEST}


class Echo(HttpServer):
    """Says back all it hears, in the form that was asked for last."""

    manner = 0

    def reply(self, request: Request) -> Reply:
        heard = "\n".join(
            [request.target, *(f"{k}: {v}" for k, v in request.headers.items()), request.body.decode("latin-1")]
        )
        coded = base64.b64encode(heard.encode()).decode()
        every = (heard, quote(heard), coded, heard.encode().hex(), heard[::-1])
        # The longest part of an answer that is kept is short: what is secret comes first in one of them.
        keys = sorted(re.findall(r"[A-Za-z0-9+/=_-]{20,}", heard), key=len)
        answers = [
            Reply(
                400, json.dumps({"errcode": 310000, "errmsg": " ".join(keys), "code": "x", "message": keys}).encode()
            ),
            *(Reply(500, each.encode()) for each in every),
            Reply(403, " ".join(form for key in keys for form in sorted(forms(key))).encode()[-4000:]),
            Reply(200, json.dumps({"errcode": 40014, "errmsg": heard, "Code": "Refused", "Message": coded}).encode()),
            Reply(302, b"", {"Location": f"http://127.0.0.1:9/{request.target}"}),
            Reply(429, heard.encode(), {"Retry-After": "0"}),
            Reply(manner="reset"),
            Reply(manner="garbage"),
        ]
        self.manner += 1
        return answers[self.manner % len(answers)]


@pytest.fixture
def log() -> Iterator[StringIO]:
    """All that a node writes to its log, and more: everything of ours, down to the least."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLine())
    ours = logging.getLogger("tidings")
    level = ours.level
    logging.root.addHandler(handler)
    ours.setLevel(logging.DEBUG)
    yield stream
    ours.setLevel(level)
    logging.root.removeHandler(handler)


@pytest.fixture
async def planted(stage: Stage, log: StringIO) -> tuple[Stage, Canaries, Echo]:
    canaries = Canaries()
    password = canaries.new(MAIL_PASSWORD)
    async with Echo() as echo, MailServer(username="user", password=password) as mail:
        await furnished(stage)
        root = await in_django(lambda: stage.organisation.token("root"))

        async def put(path: str, body: Any) -> None:
            answer = await stage.send("PUT", f"/api/v1{path}", body, token=root)
            assert answer.status == 200, (path, answer)

        for vendor in VENDORS:
            code = channel_of(vendor)
            settings, contact = await filled(vendor, echo, mail, canaries)
            await put(f"/channels/{code}", {"enabled": True, "settings": settings})
            await put("/users/ann/notification-settings", written(code, contact) | {"methods": [code]})
            for _ in range(4):
                await stage.send("POST", f"/api/v1/channels/{code}/test", {"to": "ann"}, token=root)
            for _ in range(4):
                await stage.post(event(to="ann"))
            for _ in range(6):  # what a vendor is left alone for is not waited for
                await stage.advance(3600)
                await asyncio.sleep(0.15)
        yield stage, canaries, echo  # type: ignore[misc]


async def filled(
    vendor: str, echo: Echo, mail: MailServer, canaries: Canaries
) -> tuple[dict[str, Any], dict[str, Any]]:
    """As the vendor's own examples are, led to the server that echoes, with fresh secrets in every secret field."""
    channel = CHANNELS[channel_of(vendor)]
    async with vendor_of(vendor)() as example:
        settings, contact = example.settings(), example.contact()
    for fields, values, what in ((channel.settings, settings, "settings"), (channel.contact, contact, "contact")):
        for one in fields:
            like = str(values.get(one.name) or "")
            if one.when and values.get(one.when[0]) != one.when[1]:
                continue
            if one.name == "endpoint" and one.name in values:
                values[one.name] = echo.url("/")
            elif f"{vendor} {what} {one.name}" == MAIL_PASSWORD:
                values[one.name] = canaries.planted[MAIL_PASSWORD]
            elif one.kind == "secret" or one.shown:
                values[one.name] = canaries.new(f"{vendor} {what} {one.name}", like)
                if like.startswith("http://127.0.0.1"):
                    values[one.name] = re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{echo.port}", str(values[one.name]))
    if channel.code == "email":
        login = base64.b64encode(f"\0user\0{canaries.planted[MAIL_PASSWORD]}".encode()).decode()
        mail.script["ann.canary@example.com"] = [
            Step(f"550 5.7.1 AUTH PLAIN {login} {canaries.planted[MAIL_PASSWORD]}")
        ]
        settings |= {"host": "localhost", "port": mail.port, "security": "none", "username": "user"}
        contact["address"] = "ann.canary@example.com"
    return settings, contact


def written(code: str, contact: Mapping[str, Any]) -> dict[str, Any]:
    """A person's settings as `PUT /users/{login}/notification-settings` has them."""
    match code:
        case "email":
            return {"email": contact["address"]}
        case "sms":
            return {"mobile": contact["mobile"]}
        case "dingtalk":
            return {"dingtalk_user_id": contact.get("user_id") or "u-1"}
    return {code: contact}


async def everything_of_the_api(stage: Stage) -> str:
    root = await in_django(lambda: stage.organisation.token("root"))
    told = []
    for name, route in REST.items():
        if name.startswith("GET"):
            answer = await stage.send("GET", address(stage, route), token=root)
            told.append(f"{name} {answer}")
    for line in ("/metrics", "/healthz", "/readyz", "/api/openapi.json"):
        told.append(str(await stage.send("GET", line)))
    for event_id in await stage.rows("SELECT id FROM events_event WHERE tenant_id = %s", stage.organisation.id):
        told.append(str(await stage.send("GET", f"/api/v1/events/{event_id[0]}", token=root)))
    return "\n".join(told)


async def everything_at_rest(stage: Stage) -> str:
    """Every row there is, as text: what a backup holds."""
    tables = await stage.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    rows = [await stage.rows(f"SELECT t::text FROM {table} t") for (table,) in tables]
    return "\n".join(row for found in rows for (row,) in found)


def every_page(stage: Stage, login: str) -> str:
    return "\n".join(f"{path} {html}" for path, _, html in walk(stage.organisation.people[login]))


async def test_no_secret_of_a_channel_leaves(planted: Any, log: StringIO) -> None:
    stage, canaries, echo = planted
    # given: each secret field that any channel declares
    declared = {
        (code, each.name)
        for code, channel in CHANNELS.items()
        for each in (*channel.settings, *channel.contact)
        if each.kind == "secret" or each.shown
    }
    covered = {
        (channel_of(name.rpartition(" ")[0].rpartition(" ")[0]), name.rpartition(" ")[2]) for name in canaries.planted
    }
    assert declared == covered
    assert echo.manner > 40, "the vendors were hardly asked"
    # then
    left = {
        "log": log.getvalue(),
        "api": await everything_of_the_api(stage),
        "pages": await in_django(lambda: every_page(stage, "root")),
        "rows": await everything_at_rest(stage),
    }
    assert all(left.values()), {name: len(text) for name, text in left.items()}
    leaks = [(where, *leak) for where, text in left.items() for leak in canaries.found_in(text)]
    assert not leaks, "\n".join(map(str, leaks))


async def test_no_secret_of_people_and_systems_leaves(stage: Stage, log: StringIO) -> None:
    """Passwords right and wrong, seeds of second factors, tokens, invitations, a source's key, a link to listen."""
    canaries = Canaries()
    await furnished(stage)
    ours = stage.organisation
    root = await in_django(lambda: ours.token("root"))
    for login in ("root", "ann", "carol"):
        canaries.planted[f"token of {login}"] = await in_django(lambda login=login: ours.token(login))
    canaries.planted["token of a source"] = stage.token
    password, wrong = canaries.new("password"), canaries.new("wrong password")
    seed = canaries.planted["seed"] = base64.b32encode(secrets.token_bytes(20)).decode()

    def sign_up() -> None:
        from allauth.mfa.models import Authenticator

        from tidings.console.sign_in import SecondFactor

        account = account_of(ours.people["ann"], password)
        Authenticator.objects.create(user=account, type="totp", data={"secret": SecondFactor().encrypt(seed)})

    await in_django(sign_up)
    key = canaries.new("key of a source")
    assert (await stage.send("PUT", "/api/v1/sources/dms/secret", {"secret": key}, token=root)).status == 200
    assert (await stage.send("POST", "/api/v1/sources/dms", {"a": 1})).status == 401
    invited = (await stage.send("POST", "/api/v1/users/dan/invitation", token=root)).body["url"]
    canaries.planted["invitation"] = invited.rpartition("/")[2]
    live = (await stage.send("GET", "/api/v1/me/live", token=root)).body["url"]
    canaries.planted["live key"] = live.rpartition("=")[2]
    csrf = "c" * 32
    form = {"content-type": "application/x-www-form-urlencoded", "cookie": f"tidings_csrf={csrf}"}
    for given in (wrong, password):
        body = {"login": ours.people["ann"].login, "password": given, "csrfmiddlewaretoken": csrf}
        await stage.send("POST", "/console/account/login/", urlencode(body).encode(), token="", **form)
        body = {"login": "dan2", "password": given, "csrfmiddlewaretoken": csrf, "email": "not-an-address"}
        await stage.send(
            "POST", f"/console/welcome/{canaries.planted['invitation']}", urlencode(body).encode(), token="", **form
        )
    for path in (f"/console/welcome/{canaries.planted['invitation']}x", f"/live?key={canaries.planted['live key']}x",
                 f"/unsubscribe/{key}", f"/console/account/password/reset/key/{key}-{wrong}/"):  # fmt: skip
        await stage.send("GET", path, token="", authorization="")
    # A body that is no JSON, and one that does not fit: errors name fields and never quote values.
    for raw in (
        f'{{"secret": "{key}'.encode(),
        json.dumps({"secret": [key]}).encode(),
        json.dumps({"x": key}).encode(),
    ):
        answer = await stage.send("PUT", "/api/v1/sources/dms/secret", raw, token=root)
        assert (answer.status, list(canaries.found_in(str(answer.body)))) == (422, [])
    # A token where it does not belong: what is refused is not repeated.
    for where in ("/api/v1/me?token=", "/api/v1/users?search=", "/console/inbox?x="):
        await stage.send("GET", f"{where}{root}", token="", authorization=f"Basic {root}")
    left = {
        "log": log.getvalue(),
        "api": await everything_of_the_api(stage),
        "pages": await in_django(lambda: every_page(stage, "ann")),
        "rows": await everything_at_rest(stage),
    }
    leaks = [
        (where, *leak) for where, text in left.items() for leak in canaries.found_in(text) if leak[0] != "live key"
    ]
    assert not leaks, "\n".join(map(str, leaks))


async def test_secrets_that_cannot_be_read_are_told_of_and_not_told(planted: Any, log: StringIO) -> None:
    """Every sealed value is another's: whatever touches it says so, in words."""
    stage, canaries, _ = planted
    sealed = base64.urlsafe_b64encode(b"\x80" + secrets.token_bytes(90))
    for table in ("channels_channelsetting", "directory_contactpoint"):
        await stage.change(
            f"UPDATE {table} SET sealed = %s WHERE tenant_id = %s", sealed, stage.organisation.id, version="directory"
        )
    await stage.change("SELECT 1")
    await stage.post(event(to="ann"))
    left = await everything_of_the_api(stage) + await in_django(lambda: every_page(stage, "ann")) + log.getvalue()
    assert "secret_unreadable" in left or "cannot be" in left
    assert list(canaries.found_in(left)) == []
