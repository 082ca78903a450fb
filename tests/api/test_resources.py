"""Who answers for an instance, a database, a table."""

from typing import Any
from urllib.parse import quote

import pytest

INSTANCE = "/instances/rm-orders"
DATABASE = f"{INSTANCE}/databases/orders"
TABLE = f"{DATABASE}/tables/order_items"


def _changes(organisation: Any) -> list[Any]:
    from tidings.audit.models import Change

    kinds = ("instance", "database", "table")
    return list(Change.objects.for_tenant(organisation.id).filter(kind__in=kinds).order_by("id"))


def _count(organisation: Any) -> int:
    from tidings.directory.models import Resource

    return Resource.objects.for_tenant(organisation.id).count()


def test_an_instance_has_a_dba_and_owners(api: Any) -> None:
    answer = api("carol").put(INSTANCE, {"dba": "carol", "owners": ["dan", "bo"]})
    assert (answer.status, answer.etag) == (201, '"1"')
    assert answer.body == {
        "instance": "rm-orders",
        "database": None,
        "table": None,
        "dba": "carol",
        "owners": ["dan", "bo"],
        "version": 1,
    }
    again = api("root").get(INSTANCE)
    assert (again.body, again.etag) == (answer.body, '"1"')


def test_what_a_table_lies_in_comes_with_it(api: Any, organisation: Any) -> None:
    root = api("root")
    answer = root.put(TABLE, {"owners": ["dan"]})
    assert (answer.status, answer.body["table"], answer.body["owners"]) == (201, "order_items", ["dan"])
    assert root.get(DATABASE).body["owners"] == []
    assert root.get(INSTANCE).body["dba"] is None
    assert [(change.action, change.kind, change.key) for change in _changes(organisation)] == [
        ("create", "instance", "rm-orders"),
        ("create", "database", "rm-orders/orders"),
        ("create", "table", "rm-orders/orders/order_items"),
    ]


def test_what_is_missing_stays_and_null_clears(api: Any) -> None:
    root = api("root")
    root.put(INSTANCE, {"dba": "carol", "owners": ["dan"]})
    assert root.put(INSTANCE, {"owners": ["bo"]}).body["dba"] == "carol"
    body = root.put(INSTANCE, {"dba": None}).body
    assert (body["dba"], body["owners"]) == (None, ["bo"])
    assert root.put(INSTANCE, {"owners": []}).body["owners"] == []
    root.put(INSTANCE, {"owners": ["bo"]})
    assert root.put(INSTANCE, {"owners": None}).body["owners"] == []


@pytest.mark.parametrize("path", [INSTANCE, DATABASE, TABLE])
def test_put_accepts_what_get_answers_and_changes_nothing(api: Any, organisation: Any, path: str) -> None:
    root = api("root")
    root.put(INSTANCE, {"dba": "carol"})
    root.put(path, {"owners": ["dan", "bo"]})
    before, changes = root.get(path), len(_changes(organisation))
    organisation.tenant.refresh_from_db()
    version = organisation.tenant.directory_version
    answer = root.put(path, before.body)
    assert (answer.status, answer.body, answer.etag) == (200, before.body, before.etag)
    organisation.tenant.refresh_from_db()
    assert (len(_changes(organisation)), organisation.tenant.directory_version) == (changes, version)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (INSTANCE, {"dba": "nobody"}, "dba"),
        (INSTANCE, {"dba": "mallory"}, "dba"),
        (INSTANCE, {"owners": ["dan", "nobody"]}, "owners"),
        (INSTANCE, {"owners": ["ann", "bo", "dan", "eve"]}, "owners"),
        (DATABASE, {"dba": "carol"}, "dba"),
        (TABLE, {"dba": "carol"}, "dba"),
        (INSTANCE, {"instance": "rm-other"}, "instance"),
        (DATABASE, {"table": "order_items"}, "table"),
    ],
)
def test_what_cannot_be_used_is_named(api: Any, organisation: Any, path: str, body: Any, field: str) -> None:
    answer = api("root").put(path, body)
    assert (answer.status, answer.code) == (422, "invalid")
    assert [error["field"] for error in answer.body["errors"]] == [field]
    assert _count(organisation) == 0


@pytest.mark.parametrize("body", [{"owner": ["dan"]}, {"owners": "dan"}, {"owners": [7]}, [], {"owners": ["a\0b"]}])
def test_a_body_of_another_shape_is_refused(api: Any, body: Any) -> None:
    assert api("root").put(INSTANCE, body).status == 422


def test_an_owner_named_twice_is_one(api: Any) -> None:
    assert api("root").put(INSTANCE, {"owners": ["dan", "bo", "dan", "bo"]}).body["owners"] == ["dan", "bo"]


def test_who_has_departed_stays_on_record_and_cannot_become_an_owner(api: Any) -> None:
    root = api("root")
    root.put(INSTANCE, {"dba": "dan", "owners": ["dan"]})
    root.delete("/users/dan")
    assert root.get(INSTANCE).body["owners"] == ["dan"]
    assert root.put(INSTANCE, {"owners": ["dan", "bo"]}).status == 200
    assert root.put(DATABASE, {"owners": ["dan"]}).status == 422


@pytest.mark.parametrize(
    "name", ["a.b-c_d", "订单库", "x" * 200, "数" * 200, "order items", "100%", "a+b&c?d#e", "..a"]
)
def test_names_may_be_many_things(api: Any, name: str) -> None:
    path = f"/instances/{quote(name)}/databases/{quote(name)}/tables/{quote(name)}"
    assert api("root").put(path, {"owners": ["dan"]}).status == 201
    assert api("root").get(path).body["table"] == name
    assert api("root").delete(f"/instances/{quote(name)}").status == 204


@pytest.mark.parametrize("name", ["x" * 201, "%00", "a%0Ab", "%20", "..", "."])
def test_names_that_cannot_be(api: Any, name: str) -> None:
    answer = api("root").put(f"/instances/{name}", {})
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, "instance")
    assert api("root").get(f"/instances/{name}").status == 404
    assert api("root").put(f"/instances/rm/databases/{name}", {}).status == 422


def test_a_change_from_an_old_version_is_refused(api: Any) -> None:
    root = api("root")
    etag = root.put(INSTANCE, {"dba": "carol"}).etag
    assert root.put(INSTANCE, {"dba": "dan"}, if_match=etag).etag == '"2"'
    answer = root.put(INSTANCE, {"dba": "bo"}, if_match=etag)
    assert (answer.status, answer.code, answer.body["current"]["dba"]) == (412, "precondition_failed", "dan")
    assert root.delete(INSTANCE, if_match=etag).status == 412
    assert root.put(DATABASE, {}, if_match=etag).status == 412
    assert root.delete(INSTANCE, if_match='"2"').status == 204


def test_what_is_removed_takes_what_lies_in_it_along(api: Any, organisation: Any) -> None:
    root = api("root")
    root.put(TABLE, {"owners": ["dan"]})
    root.put(f"{INSTANCE}/databases/other", {"owners": ["bo"]})
    root.put("/instances/rm-orders-2/databases/orders", {"owners": ["bo"]})
    assert root.delete(DATABASE).status == 204
    assert [root.get(path).status for path in (TABLE, DATABASE, INSTANCE)] == [404, 404, 200]
    change = _changes(organisation)[-1]
    assert (change.action, change.kind, change.after) == ("delete", "database", None)
    assert change.before["inside"] == {"rm-orders/orders/order_items": {"owners": ["dan"]}}
    assert root.delete(INSTANCE).status == 204
    assert _changes(organisation)[-1].before["inside"] == {"rm-orders/other": {"owners": ["bo"]}}
    assert root.get("/instances/rm-orders-2/databases/orders").status == 200
    assert root.delete(INSTANCE).status == root.delete(TABLE).status == 404


def test_nodes_hear_of_it(api: Any, organisation: Any) -> None:
    before = organisation.tenant.directory_version
    api("root").put(INSTANCE, {"dba": "carol"})
    api("root").delete(INSTANCE)
    organisation.tenant.refresh_from_db()
    assert organisation.tenant.directory_version == before + 2


def test_each_level_is_listed_by_page(api: Any) -> None:
    root = api("root")
    for name in ("c", "a", "b"):
        root.put(f"/instances/{name}", {"owners": ["dan"]})
        root.put(f"{INSTANCE}/databases/{name}", {})
        root.put(f"{DATABASE}/tables/{name}", {})
    first = root.get("/instances", limit=3).body
    assert [each["instance"] for each in first["items"]] == ["a", "b", "c"]
    second = root.get("/instances", limit=3, cursor=first["next_cursor"]).body
    assert ([each["instance"] for each in second["items"]], second["next_cursor"]) == (["rm-orders"], None)
    assert first["items"][0]["owners"] == ["dan"]
    databases = root.get(f"{INSTANCE}/databases").body["items"]
    assert [each["database"] for each in databases] == ["a", "b", "c", "orders"]
    tables = root.get(f"{DATABASE}/tables", q="B").body["items"]
    assert [(each["database"], each["table"]) for each in tables] == [("orders", "b")]
    assert root.get(f"{INSTANCE}/databases/a/tables").body == {"items": [], "next_cursor": None}
    assert root.get("/instances/none/databases").status == root.get(f"{INSTANCE}/databases/none/tables").status == 404
    assert root.get("/instances/%00/databases").status == 404


def test_only_administrators_and_dbas_look_and_write(api: Any) -> None:
    api("carol").put(TABLE, {})
    for login in ("ann", "bo", "dan", "eve"):
        for path in (INSTANCE, DATABASE, TABLE):
            statuses = {api(login).get(path).status, api(login).put(path, {}).status, api(login).delete(path).status}
            assert statuses == {403}
        for path in ("/instances", f"{INSTANCE}/databases", f"{DATABASE}/tables"):
            assert api(login).get(path).code == "forbidden"
    assert api(source="dms").get("/instances").status == 403


def test_tenants_are_walls(api: Any) -> None:
    api("root").put(INSTANCE, {"dba": "carol", "owners": ["dan"]})
    api("root").put(TABLE, {"owners": ["dan"]})
    mallory = api("mallory")
    assert mallory.get("/instances").body["items"] == []
    for path in (INSTANCE, DATABASE, TABLE, f"{INSTANCE}/databases", f"{DATABASE}/tables"):
        assert mallory.get(path).status == 404
    for path in (INSTANCE, DATABASE, TABLE):
        assert mallory.delete(path).status == 404
    assert mallory.put(INSTANCE, {"dba": "carol"}).status == 422
    assert mallory.put(INSTANCE, {"dba": "mallory"}).status == 201
    assert api("root").get(INSTANCE).body["dba"] == "carol"


def test_nobody_calls_without_a_token(api: Any) -> None:
    for path in (INSTANCE, DATABASE, TABLE):
        for method, body in (("GET", None), ("PUT", {}), ("DELETE", None)):
            assert api(token="").send(method, path, body).status == 401
    for path in ("/instances", f"{INSTANCE}/databases", f"{DATABASE}/tables"):
        assert api(token="").get(path).status == 401
