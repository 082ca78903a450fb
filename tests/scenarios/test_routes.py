"""Who may call what, of every address that a node answers. A new one has to be declared here before this passes.

The routes come from the code itself: ninja's calls, Django's patterns, and what the node serves without Django. Each is
called as everyone there is: those who may get an answer, the others 403, or 404 where even that it exists is not for
them; and another organisation's administrator gets nothing and changes nothing.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import pytest
from tests.conftest import Api
from tests.delivery.given import event, in_django
from tests.scenarios.stage import Stage

from tidings.events.sources.registry import ADAPTERS

# Callers. ann's the ticket is, dan has nothing to do with it; dms is a source's token.
ALL = "root carol eve ann dan"
CALLERS = (*ALL.split(), "dms")
ADMIN, RULES, SEES, CONCERNED = "root", "root carol", "root carol eve", "root carol eve ann"
APPROVED = "data_change.approved"


@dataclass(frozen=True)
class Route:
    """`path` with what exists in its places. `may`: who gets an answer. `hidden`: to the others it is not there.
    `elsewhere`: what another organisation's administrator gets: 404, or `own` where the name means something of theirs.
    `needs`: the scopes without which it is refused; `lasts`: calling it changes nothing by which others are judged."""

    may: str
    path: str = ""
    body: Any = None
    hidden: bool = False
    elsewhere: int | str = 404
    needs: tuple[str, ...] = ("read",)
    content_type: str = "application/json"


def read(may: str, path: str = "", **more: Any) -> Route:
    return Route(may, path, elsewhere=more.pop("elsewhere", 404 if "{" in path else "own"), **more)


def change(may: str, path: str, body: Any = None, **more: Any) -> Route:
    needs = more.pop("needs", ("read", "write"))
    return Route(may, path, body, elsewhere=more.pop("elsewhere", 404 if "{" in path else "own"), needs=needs, **more)


SENDS = ("events:write",)
HOLDERS = {"owners": ["dan"]}
OWN_FEATURE = {
    "en": "Own", "subject": "ticket",
    "events": [{"type": "own.done", "en": "Done", "class": "info", "default_role": "submitter"}],
}  # fmt: skip
OF_US = "/instances/rm-1"

# `METHOD /path` as the code has it: who may, at which address, with which body.
REST: Mapping[str, Route] = {
    "GET /users": read(RULES, "/users"),
    "GET /users.csv": read(RULES, "/users.csv"),
    "GET /users/{login}": read("root carol ann", "/users/{ann}"),
    "PUT /users/{login}": change(ADMIN, "/users/{ann}", {"name": "Ann"}, elsewhere="own"),
    "DELETE /users/{login}": change(ADMIN, "/users/{ann}"),
    "POST /users/{login}/invitation": change(ADMIN, "/users/{ann}/invitation"),
    "GET /users/{login}/notification-settings": read(ADMIN, "/users/{ann}/notification-settings"),
    "PUT /users/{login}/notification-settings": change(ADMIN, "/users/{ann}/notification-settings", {"methods": []}),
    "GET /users/{login}/expectations": read(ADMIN, "/users/{ann}/expectations"),
    "GET /users/{login}/resources": read("root carol ann", "/users/{ann}/resources"),
    "GET /me": read(ALL, "/me"),
    "PATCH /me": change(ALL, "/me", {"language": "en", "version": 999}),
    "GET /me/choices": read(ALL, "/me/choices"),
    "GET /me/expectations": read(ALL, "/me/expectations"),
    "GET /me/notification-settings": read(ALL, "/me/notification-settings"),
    "PUT /me/notification-settings": change(ALL, "/me/notification-settings", {"methods": []}),
    "POST /me/contact-points/{channel}/code": change(ALL, "/me/contact-points/email/code", {}, needs=("write",)),
    "GET /me/contact-points/{channel}/code": read(ALL, "/me/contact-points/email/code"),
    "POST /me/contact-points/{channel}/verify": change(ALL, "/me/contact-points/email/verify", {"code": "123456"}),
    "POST /me/contact-points/{channel}/test": change(ALL, "/me/contact-points/webhook/test", needs=("write",)),
    "GET /me/live": read(ALL, "/me/live"),
    "GET /me/inbox": read(ALL, "/me/inbox"),
    "GET /me/inbox/unread": read(ALL, "/me/inbox/unread"),
    "POST /me/inbox/read": change(ALL, "/me/inbox/read", {"ids": []}, needs=("write",)),
    "GET /tenant": read(ADMIN, "/tenant"),
    "PUT /tenant": change(ADMIN, "/tenant", {"version": 999}),
    "GET /instances": read(RULES, "/instances"),
    "GET /resources.csv": read(RULES, "/resources.csv"),
    "GET /instances/{instance}/databases": read(RULES, "/instances/{rm-1}/databases"),
    "GET /instances/{instance}/databases/{database}/tables": read(RULES, "/instances/{rm-1}/databases/{orders}/tables"),
    "GET /instances/{instance}": read(RULES, "/instances/{rm-1}"),
    "PUT /instances/{instance}": change(RULES, "/instances/{rm-1}", HOLDERS | {"owners": []}, elsewhere="own"),
    "DELETE /instances/{instance}": change(RULES, "/instances/{rm-1}"),
    "GET /instances/{instance}/databases/{database}": read(RULES, "/instances/{rm-1}/databases/{orders}"),
    "PUT /instances/{instance}/databases/{database}": change(
        RULES, "/instances/{rm-1}/databases/{orders}", {"owners": []}, elsewhere="own"),
    "DELETE /instances/{instance}/databases/{database}": change(RULES, "/instances/{rm-1}/databases/{orders}"),
    "GET /instances/{instance}/databases/{database}/tables/{table}": read(
        RULES, "/instances/{rm-1}/databases/{orders}/tables/{t}"),
    "PUT /instances/{instance}/databases/{database}/tables/{table}": change(
        RULES, "/instances/{rm-1}/databases/{orders}/tables/{t}", {"owners": []}, elsewhere="own"),
    "DELETE /instances/{instance}/databases/{database}/tables/{table}": change(
        RULES, "/instances/{rm-1}/databases/{orders}/tables/{t}"),
    "GET /sources": read(ADMIN, "/sources"),
    "POST /sources": change(ADMIN, "/sources", {"name": "tidings"}, needs=("write",)),
    "GET /tokens": read(ALL, "/tokens"),
    "POST /tokens": change(ALL, "/tokens", {"scopes": ["everything"]}, needs=("write",)),
    "DELETE /tokens/{token_id}": change("root ann", "/tokens/{token}", hidden=True, needs=("write",)),
    "GET /sources/{path:name}/mapping": read(ADMIN, "/sources/{dms}/mapping"),
    "PUT /sources/{path:name}/mapping": change(ADMIN, "/sources/{dms}/mapping", {"adapter": "dms", "rows": []}),
    "GET /sources/{path:name}/secret": read(ADMIN, "/sources/{dms}/secret"),
    "PUT /sources/{path:name}/secret": change(ADMIN, "/sources/{dms}/secret", {"secret": None}),
    "GET /sources/{path:name}/parked": read(ADMIN, "/sources/{dms}/parked"),
    "GET /sources/{path:name}/activity": read(ADMIN, "/sources/{dms}/activity"),
    "POST /sources/{path:name}/test": change(ADMIN, "/sources/{dms}/test", needs=("read", "write", *SENDS)),
    "POST /sources/{path:name}/try": read(ADMIN, "/sources/{dms}/try", body={"sample": 1}),
    "GET /adapters": read(ADMIN, "/adapters"),
    "GET /rules": read(RULES, "/rules"),
    "POST /rules/batch": change(RULES, "/rules/batch", {"event_types": ["no.such"], "enabled": False}),
    "POST /rules/undo": change(RULES, "/rules/undo", {"rules": [{"event_type": "no.such", "version": 1}]}),
    "GET /rules/{event_type}": read(RULES, f"/rules/{APPROVED}"),
    "PATCH /rules/{event_type}": change(RULES, f"/rules/{APPROVED}", {"version": 999}),
    "GET /rules/{event_type}/history": read(RULES, f"/rules/{APPROVED}/history"),
    "POST /rules/{event_type}/restore": change(RULES, f"/rules/{APPROVED}/restore", {"restore": 999, "version": 9}),
    "POST /rules/{event_type}/preview": read(RULES, f"/rules/{APPROVED}/preview", body={}),
    "GET /catalog": read(f"{ALL} dms", "/catalog", needs=()),
    "GET /reasons": read(f"{ALL} dms", "/reasons", needs=()),
    "PUT /catalog/features/{code}": change(ADMIN, "/catalog/features/own", OWN_FEATURE),
    "GET /channels": read(RULES, "/channels"),
    "GET /channels/{channel}": read(RULES, "/channels/webhook"),
    "PUT /channels/{channel}": change(ADMIN, "/channels/webhook", {"enabled": True, "version": 999}),
    "GET /channels/{channel}/health": read(RULES, "/channels/webhook/health"),
    "GET /channels/{channel}/limits": read(RULES, "/channels/webhook/limits"),
    "POST /channels/{channel}/test": change(ADMIN, "/channels/webhook/test", {"to": "nobody-here"}),
    "GET /events": read(ALL, "/events"),
    "GET /events/{event_id}": read(CONCERNED, "/events/{event}", hidden=True),
    "GET /deliveries": read(ALL, "/deliveries"),
    "GET /deliveries/summary": read(SEES, "/deliveries/summary"),
    "POST /deliveries/retry": change(RULES, "/deliveries/retry", {"state": "failed"}),
    "POST /deliveries/{delivery_id}/retry": change(RULES, "/deliveries/{delivery}/retry"),
    "GET /overview": read(SEES, "/overview"),
    "GET /subjects": read(ALL, "/subjects"),
    "GET /subjects/{kind}/{path:key}": read(CONCERNED, "/subjects/ticket/{subject}", hidden=True),
    "GET /imports": read(RULES, "/imports"),
    "POST /imports": change(RULES, "/imports?kind=resources&name=x", b"\xff", content_type="text/csv"),
    "GET /imports/{import_id}": read(ADMIN, "/imports/{import}", hidden=True),
    "DELETE /imports/{import_id}": change(ADMIN, "/imports/{import}", hidden=True),
    "GET /imports/{import_id}/rows": read(ADMIN, "/imports/{import}/rows", hidden=True),
    "GET /imports/{import_id}/rows.csv": read(ADMIN, "/imports/{import}/rows.csv", hidden=True),
    "POST /imports/{import_id}/continue": change(ADMIN, "/imports/{import}/continue", hidden=True),
    "POST /imports/{import_id}/apply": change(ADMIN, "/imports/{import}/apply", hidden=True),
    "POST /imports/{import_id}/check": change(ADMIN, "/imports/{import}/check", hidden=True),
    "GET /changes": read(ADMIN, "/changes"),
    "GET /changes.csv": read(ADMIN, "/changes.csv"),
    "GET /changes.ndjson": read(ADMIN, "/changes.ndjson"),
}  # fmt: skip

# What the node answers itself.
EVENT: dict[str, Any] = {
    "type": "no.such",
    "id": "1",
    "source": "dms",
    "subject": {"kind": "ticket", "id": "1", "title": "x"},
}
NODE: Mapping[str, Route] = {
    "POST /events": Route("root dms", "/events", EVENT, elsewhere="own", needs=SENDS),
    "POST /events/batch": Route("root dms", "/events/batch", [], elsewhere="own", needs=SENDS),
    "POST /preview": Route("root carol dms", "/preview", EVENT, elsewhere="own"),
    **{
        f"POST /sources/{code}": Route("dms", f"/sources/{code}", {"a": 1}, elsewhere=403, needs=SENDS)
        for code in ADAPTERS
    },
    "POST /sources/{name}/parked/replay": change(ADMIN, "/sources/{dms}/parked/replay", needs=("write",)),
}  # fmt: skip

# Open to whoever comes, and why.
OPEN: Mapping[str, str] = {
    "GET /healthz": "says that the process runs",
    "GET /readyz": "says whether it is ready",
    "GET /metrics": "numbers without names of people or tenants; a proxy keeps it inside (docs/operate.md)",
    "GET /live": "needs a key of its own, which a person's token or session makes (tests/scenarios/test_live.py)",
    "/api/v1/receipts/": "each provider shows in its own way that it is the provider (tests/contracts)",
    "api/openapi.json": "the description of the calls",
    "api/docs": "the same to read",
    "api/": "ninja's own start page of nothing: 404",
    "unsubscribe/<str:token>": "the link itself is signed (tests/api/test_unsubscribe.py)",
    "": "leads to the console",
    "console": "leads to the console",
    "console/welcome/<str:key>": "the invitation itself is signed (tests/console/test_sign_in.py)",
}
# django-allauth asks for itself; that each of these does, or is for whoever has not signed in, is tried below.
SIGNING_IN = {"login/", "inactive/", "password/reset/", "password/reset/done/", "password/reset/key/done/",
              "^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$", "second-factor/authenticate/"}  # fmt: skip
SIGNED_IN = {"logout/", "reauthenticate/", "password/change/", "second-factor/", "second-factor/reauthenticate/",
             "second-factor/totp/activate/", "second-factor/totp/deactivate/", "second-factor/recovery-codes/",
             "second-factor/recovery-codes/generate/", "second-factor/recovery-codes/download/", "sessions/"}  # fmt: skip
EVERY = {**REST, **NODE}


# every route is declared


def test_every_call_of_the_api_is_declared_and_no_other() -> None:
    from tidings.api.urls import api

    there = {
        f"{method} {(prefix + path).removeprefix('/v1')}"
        for prefix, router in api._routers
        for path, view in router.path_operations.items()
        for operation in view.operations
        for method in operation.methods
    }
    assert there == set(REST)


async def test_every_call_that_the_node_answers_itself_is_declared(stage: Stage) -> None:
    from tidings.node.front import Front
    from tidings.node.receipts import PATH

    async def no_platform(*_: Any) -> None: ...

    there = {f"{method} {path}" for method, path in Front(stage.nodes[0].node, no_platform)._routes}
    declared = {route.replace(" /", " /api/v1/", 1) for route in NODE if "{" not in route}
    assert there == declared | {route for route in OPEN if route.startswith("GET /")}
    assert PATH in OPEN


def test_every_other_address_is_a_page_with_roles_or_declared_open() -> None:
    from django.urls import URLResolver, get_resolver

    def walk(resolver: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
        for each in resolver.url_patterns:
            route = prefix + str(each.pattern)
            yield from walk(each, route) if isinstance(each, URLResolver) else [(route, each.callback)]

    account = {f"console/account/{each}" for each in SIGNING_IN | SIGNED_IN}
    others = {
        route for route, view in walk(get_resolver())
        if not route.startswith("api/v1/") and not hasattr(view, "roles") and route not in OPEN
    }  # fmt: skip
    assert others == account


def test_pages_about_oneself_are_for_who_has_signed_in(organisation: Any) -> None:
    from django.test import Client

    for path in sorted(SIGNED_IN):
        for method in ("GET", "POST"):
            answer = Client().generic(method, f"/console/account/{path}")
            assert (answer.status_code, "/console/" in answer.headers.get("Location", "")) == (302, True), path


# and keeps what is declared


@pytest.fixture
async def world(stage: Stage) -> Stage:
    return await furnished(stage)


async def furnished(stage: Stage) -> Stage:
    """Something of everything that an address can name; `stage.there` says what."""
    [one] = await stage.post(
        event(type=APPROVED, to="ann") | {"subject": {"kind": "ticket", "id": "t-1", "title": "secret plan"}}
    )
    await stage.over()
    delivery = await stage.value("SELECT id FROM delivery_delivery")

    def furnish() -> dict[str, str]:
        from tidings.imports.models import Import

        root, ann = Api(stage.organisation.token("root")), Api(stage.organisation.token("ann"))
        for path in ("", "/databases/orders", "/databases/orders/tables/t"):
            assert root.put(f"/instances/rm-1{path}", HOLDERS).status == 201
        token = ann.post("/tokens", {"name": "of ann"}).body["id"]
        root._client.post("/api/v1/imports?kind=people&name=a.csv", b"login\nann\n", content_type="text/csv")
        [made] = Import.objects.for_tenant(stage.organisation.id)
        return {"token": token, "import": str(made.id)}

    more = await in_django(furnish)
    names = {each: each for each in ("ann", "rm-1", "orders", "t", "dms")}
    stage.there = names | more | {"event": one, "delivery": str(delivery), "subject": "t-1"}  # type: ignore[attr-defined]
    return stage


def address(stage: Stage, route: Route) -> str:
    path = route.path
    for name, value in stage.there.items():  # type: ignore[attr-defined]
        path = path.replace(f"{{{name}}}", value)
    assert "{" not in path, path
    return f"/api/v1{path}"


async def ask(stage: Stage, name: str, secret: str, **headers: str) -> Any:
    route = EVERY[name]
    more = {"content-type": route.content_type, "if-match": '"no such"'} | headers
    return await stage.send(name.split()[0], address(stage, route), route.body, token=secret, **more)


async def secrets_of(stage: Stage) -> dict[str, str]:
    people = {login: await in_django(lambda login=login: stage.organisation.token(login)) for login in ALL.split()}
    return people | {"dms": stage.token}


def token_of_a_source(organisation: Any) -> str:
    from tidings.accounts.models import Source
    from tidings.accounts.tokens import create_token

    source = Source.objects.create(tenant=organisation.tenant, name="theirs")
    return str(create_token(organisation.caller("mallory"), source=source)[1])


async def kept(stage: Stage) -> str:
    """All that this organisation has, as one number."""
    tables = await stage.rows(
        "SELECT table_name FROM information_schema.columns WHERE column_name = 'tenant_id' AND table_schema = 'public'"
        " AND table_name NOT IN ('delivery_tally', 'delivery_hour', 'events_turnedaway') ORDER BY 1"
    )
    assert len(tables) > 20
    digest = hashlib.sha256()
    for (table,) in tables:
        statement = f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t WHERE tenant_id = %s"
        digest.update(f"{table}{await stage.value(statement, stage.organisation.id)}".encode())
    return digest.hexdigest()


async def test_nobody_gets_where_they_may_not_and_that_changes_nothing(world: Stage, other_organisation: Any) -> None:
    secrets, wrong = await secrets_of(world), []
    mallory = await in_django(lambda: other_organisation.token("mallory"))
    elsewhere = await in_django(lambda: token_of_a_source(other_organisation))
    before = await kept(world)
    for name, route in EVERY.items():
        for caller in set(CALLERS) - set(route.may.split()):
            answer = await ask(world, name, secrets[caller])
            if answer.status not in ((403, 404) if route.hidden else (403,)):
                wrong.append((name, caller, answer.status, answer.body))
        for which, secret in (("mallory", mallory), ("their source", elsewhere)):
            answer = await ask(world, name, secret)
            sends = "own" if "dms" in route.may.split() else 403
            expected = route.elsewhere if which == "mallory" else sends
            if expected != "own" and answer.status != expected:
                wrong.append((name, which, answer.status, answer.body))
            told = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            if b"secret plan" in told or b"acme" in told or world.there["delivery"].encode() in told:  # type: ignore[attr-defined]
                wrong.append((name, which, "was told", answer.body))
    assert not wrong, "\n".join(map(str, wrong))
    assert await kept(world) == before


async def test_who_sends_no_living_token_is_asked_for_one_everywhere(world: Stage) -> None:
    from django.utils import timezone

    def ended() -> dict[str, str]:
        from tidings.accounts.tokens import create_token, revoke_token

        ours = world.organisation
        token, revoked = create_token(ours.caller(), person=ours.people["root"])
        revoke_token(ours.caller(), token.id)
        switched_off, gone = ours.add("off", ("administrator",)), ours.add("gone", ("administrator",))
        found = {"revoked": revoked, "switched off": ours.token("off"), "departed": ours.token("gone")}
        switched_off.active, gone.departed_at = False, timezone.now()
        switched_off.save()
        gone.save()
        return found

    root, wrong = (await secrets_of(world))["root"], []
    dead = await in_django(ended)
    forms = {
        "nothing": "", "another scheme": f"Basic {root}", "no scheme": root, "two": f"Bearer {root} {root}",
        "a comma": f"Bearer {root}, Bearer x", "in capitals": f"Bearer {root.upper()}", "half": f"Bearer {root[:-1]}",
        "empty": "Bearer ", "quoted": f'Bearer "{root}"',
    } | {why: f"Bearer {secret}" for why, secret in dead.items()}  # fmt: skip
    before = await kept(world)
    often, seldom = ("nothing", "revoked", "departed"), cycle(forms)
    for name in EVERY:
        # Two readers of tokens, one in the node and one in Django: each form is tried at many addresses of both.
        for why in set(forms) if name in NODE else {*often, next(seldom), next(seldom)}:
            header = forms[why]
            answer = await ask(world, name, root, authorization=header)
            if (answer.status, answer.headers.get("content-type")) != (401, "application/problem+json"):
                wrong.append((name, why, answer.status, answer.body))
    assert not wrong, "\n".join(map(str, wrong))
    assert await kept(world) == before


async def test_a_token_in_the_address_opens_nothing_but_the_pushes_that_say_so(world: Stage) -> None:
    secrets, others = await secrets_of(world), cycle(("access_token", "authorization", "key"))
    for name, route in EVERY.items():
        caller = route.may.split()[0]
        names = ("token", "access_token", "authorization", "key")
        for parameter in names if name in NODE else ("token", next(others)):
            path = address(world, route)
            path += ("&" if "?" in path else "?") + f"{parameter}={secrets[caller]}"
            answer = await world.send(name.split()[0], path, route.body, token="", authorization="",
                                      **{"content-type": route.content_type})  # fmt: skip
            opened = name.removeprefix("POST /sources/") in ADAPTERS and parameter == "token"
            assert (answer.status == 401) != opened, (name, parameter, answer)


async def test_a_token_does_no_more_than_its_scopes(world: Stage) -> None:
    def narrowed(login: str) -> dict[tuple[str, ...], str]:
        from tidings.accounts.tokens import create_token

        ours = world.organisation
        return {
            scopes: create_token(ours.caller(login), person=ours.people[login], scopes=scopes)[1]
            for scopes in (("events:write",), ("read",), ("write",), ("events:write", "write"))
        }

    wrong = []
    of_root = await in_django(lambda: narrowed("root"))
    before = await kept(world)
    for name, route in EVERY.items():
        if "root" in route.may.split():
            for scopes, secret in of_root.items():
                if set(route.needs) - set(scopes):
                    answer = await ask(world, name, secret)
                    if (answer.status, answer.body.get("code")) != (403, "forbidden"):
                        wrong.append((name, scopes, answer.status, answer.body))
    assert not wrong, "\n".join(map(str, wrong))
    assert await kept(world) == before


async def test_who_may_gets_an_answer(world: Stage) -> None:
    """What takes things away comes last, of each by whoever may."""
    secrets, wrong = await secrets_of(world), []
    ours = sorted(EVERY, key=lambda name: (name.startswith("DELETE"), -name.count("/")))
    for name in ours:
        route = EVERY[name]
        for caller in route.may.split():
            answer = await ask(world, name, secrets[caller])
            good = {200} if name.startswith("GET") else set(range(200, 300)) | {404, 409, 410, 412, 415, 422, 429}
            if name.startswith("GET") and name.endswith("/code"):
                good |= {404, 409}
            if answer.status not in good:
                wrong.append((name, caller, answer.status, answer.body))
    assert not wrong, "\n".join(map(str, wrong))
