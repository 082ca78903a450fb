"""Sources and tokens: made once, shown once, and gone everywhere when they are taken back."""

from typing import Any
from uuid import uuid4

import pytest


def _texts(organisation: Any) -> str:
    from tidings.audit.models import Change

    return "".join(f"{change.before}{change.after}" for change in Change.objects.for_tenant(organisation.id))


def _changes(organisation: Any, kind: str) -> list[Any]:
    from tidings.audit.models import Change

    return list(Change.objects.for_tenant(organisation.id).filter(kind=kind).order_by("id"))


# sources


def test_a_source_comes_with_its_token(api: Any, organisation: Any) -> None:
    from tidings.accounts.tokens import caller_of

    answer = api("root").post("/sources", {"name": "dms-prod"})
    assert (answer.status, answer.body["name"]) == (201, "dms-prod")
    caller = caller_of(answer.body["token"])
    assert caller is not None
    assert (caller.tenant_id, caller.source, caller.scopes) == (organisation.id, "dms-prod", {"events:write"})
    [listed] = api("root").get("/sources").body["items"]
    assert (listed["id"], listed["name"], listed["last_event_at"]) == (answer.body["id"], "dms-prod", None)
    assert answer.body["token"] not in _texts(organisation)
    assert [(change.action, change.key) for change in _changes(organisation, "source")] == [("create", "dms-prod")]


def test_a_source_is_made_once(api: Any) -> None:
    api("root").post("/sources", {"name": "dms"})
    answer = api("root").post("/sources", {"name": " dms "})
    assert (answer.status, answer.code) == (409, "source_exists")
    assert api("mallory").post("/sources", {"name": "dms"}).status == 201


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\nb", "tidings", "Tidings", "a\u200b"])
def test_a_source_has_a_name_of_its_own(api: Any, name: str) -> None:
    assert api("root").post("/sources", {"name": name}).status == 422
    assert api("root").get("/sources").body["items"] == []


# tokens


def test_a_person_makes_and_takes_back_their_own_token(api: Any, organisation: Any) -> None:
    ann = api("ann")
    answer = ann.post("/tokens", {"name": "laptop", "scopes": ["read"]})
    assert answer.status == 201
    made = answer.body
    assert (made["person"], made["source"], made["scopes"], made["name"]) == ("ann", None, ["read"], "laptop")
    laptop = api(token=made["token"])
    assert laptop.get("/users/ann").status == 200
    listed = ann.get("/tokens").body["items"]
    assert listed[0]["id"] == made["id"]
    assert {each["person"] for each in listed} == {"ann"}
    assert "token" not in listed[0]
    assert ann.delete(f"/tokens/{made['id']}").status == 204
    assert laptop.get("/users/ann").status == 401
    assert ann.delete(f"/tokens/{made['id']}").status == 404
    assert made["id"] not in [each["id"] for each in ann.get("/tokens").body["items"]]
    assert made["token"] not in _texts(organisation)
    assert [change.action for change in _changes(organisation, "token") if change.key == made["id"]] == [
        "create",
        "revoke",
    ]


def test_nodes_hear_of_tokens(api: Any, organisation: Any) -> None:
    root = api("root")
    organisation.tenant.refresh_from_db()
    before = organisation.tenant.access_version
    token = root.post("/tokens", {}).body
    root.delete(f"/tokens/{token['id']}")
    organisation.tenant.refresh_from_db()
    assert organisation.tenant.access_version == before + 2


def test_an_administrator_makes_tokens_for_others(api: Any) -> None:
    root = api("root")
    root.post("/sources", {"name": "dms"})
    of_bo = root.post("/tokens", {"person": "bo", "name": "for bo"})
    assert (of_bo.status, of_bo.body["person"]) == (201, "bo")
    assert api(token=of_bo.body["token"]).get("/users/bo").body["login"] == "bo"
    of_dms = root.post("/tokens", {"source": "dms"})
    assert (of_dms.status, of_dms.body["source"], of_dms.body["scopes"]) == (201, "dms", ["events:write"])
    holders = {(each["person"], each["source"]) for each in root.get("/tokens").body["items"]}
    assert {("bo", None), (None, "dms"), ("root", None)} <= holders
    assert [each["person"] for each in root.get("/tokens?person=bo").body["items"]] == ["bo"]
    assert [each["source"] for each in root.get("/tokens?source=dms").body["items"]] == ["dms"] * 2
    assert api("ann").get("/tokens?person=bo").body["items"] == []
    assert root.delete(f"/tokens/{of_dms.body['id']}").status == 204


@pytest.mark.parametrize(
    "body",
    [
        {"person": "bo", "source": "dms"},
        {"person": "nobody"},
        {"person": "mallory"},
        {"person": "a\u2028"},
        {"source": "unknown"},
        {"scopes": ["everything"]},
        {"source": "dms", "scopes": ["read"]},
        {"name": "x" * 101},
        {"name": "a\nb"},
        {"owner": "bo"},
        {"scopes": "read"},
        [],
    ],
)
def test_what_cannot_be_used_is_refused(api: Any, body: Any) -> None:
    root = api("root")
    root.post("/sources", {"name": "dms"})
    before = len(root.get("/tokens").body["items"])
    assert root.post("/tokens", body).status == 422
    assert len(root.get("/tokens").body["items"]) == before


def test_nobody_makes_a_token_for_others_but_administrators(api: Any) -> None:
    api("root").post("/sources", {"name": "dms"})
    for login in ("ann", "carol", "eve"):
        assert api(login).post("/tokens", {"person": "bo"}).code == "forbidden"
        assert api(login).post("/tokens", {"person": "nobody"}).code == "forbidden"
        assert api(login).post("/tokens", {"source": "dms"}).code == "forbidden"
        assert api(login).post("/tokens", {"source": "unknown"}).code == "forbidden"
        assert api(login).post("/sources", {"name": "x"}).code == "forbidden"
        assert api(login).get("/sources").code == "forbidden"
        assert api(login).post("/tokens", {"person": login}).status == 201


def test_a_token_makes_none_that_can_do_more(api: Any, organisation: Any) -> None:
    from tidings.accounts.tokens import create_token

    for login in ("ann", "root"):
        person = organisation.people[login]
        _, secret = create_token(organisation.caller(login), person=person, scopes=["write"])
        answer = api(token=secret).post("/tokens", {"scopes": ["read", "write"]})
        assert (answer.status, answer.code) == (403, "forbidden")
        assert api(token=secret).post("/tokens", {}).body["scopes"] == ["write"]
    assert api(token=secret).post("/tokens", {"person": "bo", "scopes": ["read"]}).status == 403
    _, reads = create_token(organisation.caller("ann"), person=organisation.people["ann"], scopes=["read"])
    assert api(token=reads).post("/tokens", {}).status == 403
    assert api(token=reads).get("/tokens").status == 200


def test_a_token_is_found_by_its_hash_and_never_compared_letter_by_letter(organisation: Any) -> None:
    """So how long an answer takes says nothing of it; and neither the log of PostgreSQL nor a backup has one."""
    from tests.api.given import queries

    from tidings.accounts.tokens import caller_of
    from tidings.kernel.secrets import token_hash

    secret = organisation.token("ann")
    with queries() as sent:
        assert caller_of(secret) is not None
        assert caller_of(secret[:-1] + "x") is None
    assert len(sent) == 2
    assert not any(secret[:12] in each for each in sent)
    assert token_hash(secret).hex() in sent[0]


def _token(organisation: Any, login: str, *scopes: str) -> str:
    from tidings.accounts.tokens import create_token

    _, secret = create_token(organisation.caller(login), person=organisation.people[login], scopes=scopes)
    return secret


def test_only_who_may_send_events_makes_a_source_that_may(api: Any, organisation: Any) -> None:
    api("root").post("/sources", {"name": "dms"})
    writes = api(token=_token(organisation, "root", "write"))
    for path, body in (("/sources", {"name": "airflow"}), ("/tokens", {"source": "dms"})):
        answer = writes.post(path, body)
        assert (answer.status, "events:write" in answer.body["detail"]) == (403, True)
    assert [each["name"] for each in api("root").get("/sources").body["items"]] == ["dms"]
    both = api(token=_token(organisation, "root", "write", "events:write"))
    assert both.post("/sources", {"name": "airflow"}).status == both.post("/tokens", {"source": "dms"}).status == 201


CHANGES: list[tuple[str, str, Any]] = [
    ("PUT", "/users/ann", {}),
    ("DELETE", "/users/ann", None),
    ("PUT", "/users/ann/notification-settings", {}),
    ("PUT", "/me/notification-settings", {}),
    ("PUT", "/channels/webhook", {"enabled": True}),
    ("POST", "/channels/webhook/test", {"to": "ann"}),
    ("PATCH", "/rules/data_change.approved", {"version": 99}),
    ("POST", "/rules/batch", {"event_types": ["data_change.approved"], "enabled": False}),
    ("PUT", "/instances/rm-1", {}),
    ("DELETE", "/instances/rm-1", None),
    ("POST", "/deliveries/retry", {}),
    (
        "PUT",
        "/catalog/features/own",
        {
            "en": "Own",
            "subject": "ticket",
            "events": [{"type": "own.done", "en": "Done", "class": "info", "default_role": "submitter"}],
        },
    ),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_who_may_not_read_may_not_change_either_and_so_reads_nothing(
    api: Any, organisation: Any, method: str, path: str, body: Any
) -> None:
    writes, both = _token(organisation, "root", "write"), _token(organisation, "root", "read", "write")
    answer = api(token=writes).send(method, path, body, if_match='"no such"')
    assert (answer.status, answer.code, "current" in answer.body) == (403, "forbidden", False)
    assert answer.body["detail"] == "Only a token with the scope read may do this."
    assert api(token=both).send(method, path, body).status != 403


def test_a_refusal_names_who_may(api: Any) -> None:
    assert api("ann").get("/rules").body["detail"] == "Only administrators and DBAs may do this."


def test_others_tokens_are_out_of_reach(api: Any, organisation: Any) -> None:
    of_bo = api("bo").post("/tokens", {}).body
    for login in ("ann", "carol", "eve", "mallory"):
        assert api(login).delete(f"/tokens/{of_bo['id']}").status == 404
        assert of_bo["id"] not in str(api(login).get("/tokens").body)
    assert api("root").delete(f"/tokens/{of_bo['id']}").status == 204
    assert api("root").delete(f"/tokens/{uuid4()}").status == 404
    assert api("root").delete("/tokens/7").status in (404, 422)


def test_a_source_manages_nothing(api: Any) -> None:
    dms = api(source="dms")
    answers = [dms.get("/tokens"), dms.post("/tokens", {}), dms.get("/sources"), dms.post("/sources", {"name": "x"})]
    assert {answer.status for answer in answers} == {403}


def test_tenants_are_walls(api: Any) -> None:
    api("root").post("/sources", {"name": "dms"})
    mallory = api("mallory")
    assert mallory.get("/sources").body["items"] == []
    assert {each["person"] for each in mallory.get("/tokens").body["items"]} == {"mallory"}
    assert mallory.post("/tokens", {"source": "dms"}).status == 422
    assert mallory.post("/tokens", {"person": "root"}).status == 422


def test_nobody_calls_without_a_token(api: Any) -> None:
    for method, path in (("GET", "/sources"), ("POST", "/sources"), ("GET", "/tokens"), ("POST", "/tokens")):
        assert api(token="").send(method, path, {} if method == "POST" else None).status == 401
    assert api(token="").delete(f"/tokens/{uuid4()}").status == 401


def test_lists_come_by_page(api: Any) -> None:
    root = api("root")
    for name in ("b", "a", "c"):
        root.post("/sources", {"name": name})
    first = root.get("/sources", limit=2).body
    second = root.get("/sources", limit=2, cursor=first["next_cursor"]).body
    assert [each["name"] for each in first["items"] + second["items"]] == ["a", "b", "c"]
    pages, cursor = [], ""
    while cursor is not None:
        page = root.get("/tokens", limit=1, **({"cursor": cursor} if cursor else {})).body
        pages += page["items"]
        cursor = page["next_cursor"]
    assert len({each["id"] for each in pages}) == len(pages) == 4
