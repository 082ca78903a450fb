"""Every call of the OpenAPI document, over real HTTP, with whatever its schema allows and with what it does not.

Nothing is our fault (no 5xx), every answer is one that the document names and looks as it says, and every refusal is a
problem with a code. A few examples a call; many more: `make test ARGS="tests/api/test_every_call.py -n 0
--hypothesis-profile=deep"`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.transport import Response
from tests.api.given import Serving, aside, event

from tidings.api.urls import api
from tidings.channels.registry import CHANNELS
from tidings.events.sources.registry import ADAPTERS
from tidings.kernel.problems import CONTENT_TYPE

DOCUMENT = dict(api.get_openapi_schema())
SCHEMA = schemathesis.openapi.from_dict(
    {**DOCUMENT, "paths": {k: v for k, v in DOCUMENT["paths"].items() if k != "/live"}}
)
OPERATIONS = {each.ok().label: each.ok() for each in SCHEMA.get_all_operations()}
PUSHES = {f"POST /api/v1/sources/{code}" for code in ADAPTERS}
FEW = settings(
    max_examples=max(4, settings.default.max_examples // 20),
    deadline=None,
    database=None,
    derandomize=settings.get_current_profile_name() != "deep",
    phases=[Phase.generate],  # an example as it was found says enough, and making it smaller takes minutes
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True)
class World:
    """A tenant with one of everything that a path can name."""

    base: str
    session: requests.Session
    administrator: str
    source: str
    known: Mapping[str, list[str]]

    def send(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.administrator}"} | more.pop("headers", {})
        return self.session.request(method, f"{self.base}{path}", headers=headers, timeout=20, **more)

    def made(self, method: str, path: str, body: Any) -> Any:
        answer = self.send(method, f"/api/v1{path}", json=body)
        assert answer.ok, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def world(database: str) -> Iterator[World]:
    from tidings.accounts.tenants import create_tenant
    from tidings.rules.start import create_rules

    _, _, secret = create_tenant("every call", "root", start=create_rules)
    with aside(Serving(database)) as base, requests.Session() as session:
        session.trust_env = False
        world = World(base, session, secret, "", {})
        for login in ("ann", "bo"):
            world.made("PUT", f"/users/{login}", {"name": login.title()})
        world.made("PUT", "/instances/rm-1", {"dba": "bo", "owners": ["ann"]})
        world.made("PUT", "/instances/rm-1/databases/orders", {"owners": ["ann"]})
        world.made("PUT", "/instances/rm-1/databases/orders/tables/orders", {"owners": ["ann"]})
        label = {"en": "Own", "zh-hans": "自己的"}
        own = {"type": "own.done", "class": "info", "default_role": "submitter", **label}
        world.made("PUT", "/catalog/features/own", {"subject": "ticket", "events": [own], **label})
        source = world.made("POST", "/sources", {"name": "dms"})
        kept = world.made("POST", "/events", event(subject="88123"))
        sheet = world.send("POST", "/api/v1/imports?kind=people", data=b"login,name\ncy,Cy\n").json()
        token = world.made("POST", "/tokens", {"person": "ann", "scopes": ["read"]})
        yield replace(
            world,
            source=source["token"],
            known={
                "login": ["ann", "bo"],
                "channel": [*CHANNELS],
                "instance": ["rm-1"],
                "database": ["orders"],
                "table": ["orders"],
                "event_type": ["own.done", "data_change.pending_approval"],
                "code": ["own", "data_change"],
                "name": ["dms"],
                "event_id": [kept["id"]],
                "import_id": [sheet["id"]],
                "token_id": [token["id"]],
                "kind": ["ticket"],
                "key": ["88123"],
            },
        )


@pytest.mark.parametrize("label", OPERATIONS)
@FEW
@given(data=st.data())
def test_every_answer_is_one_that_the_document_names(label: str, world: World, data: st.DataObject) -> None:
    case = data.draw(_cases(label))
    for name in case.path_parameters or {}:
        if name in world.known and data.draw(st.integers(0, 3)):
            case.path_parameters[name] = data.draw(st.sampled_from(world.known[name]))
    secret = world.source if label in PUSHES else world.administrator
    headers = {"Authorization": f"Bearer {secret}"}
    answer = case.call(base_url=world.base, session=world.session, headers=headers, timeout=20)
    fits(label, answer)


@cache
def _cases(label: str) -> st.SearchStrategy[schemathesis.Case]:
    """What the schema allows, and what it does not."""
    modes = GenerationMode.POSITIVE, GenerationMode.NEGATIVE
    return st.one_of([OPERATIONS[label].as_strategy(generation_mode=mode) for mode in modes])


def fits(label: str, answer: Response) -> None:
    named = OPERATIONS[label].definition.raw["responses"]
    assert answer.status_code < 500, answer.text
    assert str(answer.status_code) in named, answer.text
    OPERATIONS[label].validate_response(answer)
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == [CONTENT_TYPE]
        assert answer.json()["status"] == answer.status_code
