"""Instances, databases and tables, and who answers for each."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from tests.api.given import queries
from tests.console.test_people import text, version

RESOURCES = "/console/resources"
Console = Callable[..., Any]


@pytest.fixture
def kept(api: Any) -> Any:
    root = api("root")
    root.put("/instances/rm-orders", {"dba": "carol", "owners": ["dan"]})
    root.put("/instances/rm-orders/databases/orders", {"owners": ["bo", "eve"]})
    root.put("/instances/rm-orders/databases/orders/tables/line%20items", {})
    root.put("/instances/rm-empty", {})
    return root


def test_before_there_is_any_it_says_what_to_do(console: Console) -> None:
    assert "No instance is known yet" in text(console("carol").get(RESOURCES))


def test_each_level_shows_what_lies_in_it_and_who_answers(console: Console, kept: Any) -> None:
    client = console("carol")
    page = text(client.get(RESOURCES))
    assert "rm-orders Carol carol Dan dan 1 Modify" in page
    assert "rm-empty nobody nobody 0 Modify" in page
    page = text(client.get(f"{RESOURCES}/rm-orders"))
    assert "DBA Carol carol" in page
    assert "orders Bo bo , Eve eve 1 Modify" in page
    page = client.get(f"{RESOURCES}/rm-orders/orders")
    assert "line items nobody Modify" in text(page)
    [table] = re.findall(r'href="(/console/resources/rm-orders/orders/[^"]+)"', page.content.decode())
    assert "Table line items" in text(client.get(table))
    assert client.get(f"{RESOURCES}/nowhere").status_code == 404
    assert client.get(f"{RESOURCES}/a/b/c/d").status_code == 404


def test_they_are_found_by_name_and_by_having_nobody(console: Console, kept: Any) -> None:
    page = text(console().get(f"{RESOURCES}?q=ORD"))
    assert "rm-orders" in page
    assert "rm-empty" not in page
    page = text(console().get(f"{RESOURCES}?held=no"))
    assert "rm-empty" in page
    assert "rm-orders" not in page
    assert "Nothing here is like that" in text(console().get(f"{RESOURCES}?q=100%25"))


def test_who_has_left_is_marked(console: Console, kept: Any) -> None:
    kept.delete("/users/dan")
    assert "Dan dan has left" in text(console().get(RESOURCES))


def test_holders_are_changed_in_a_dialog(console: Console, kept: Any) -> None:
    client = console("carol", part=True)
    form = client.get("/console/resources-holders/rm-orders")
    assert 'value="carol"' in form.content.decode()
    sent = {"dba": "eve", "owners": ["", "bo", "ann"], "version": version(form)}
    answer = client.post("/console/resources-holders/rm-orders", sent)
    assert answer.headers["HX-Redirect"] == RESOURCES
    held = kept.get("/instances/rm-orders").body
    assert (held["dba"], held["owners"]) == ("eve", ["bo", "ann"])
    plain = console("carol").post(
        "/console/resources-holders/rm-orders", {"version": str(held["version"]), "from": "inside"}, follow=True
    )
    assert "Saved." in text(plain)
    assert kept.get("/instances/rm-orders").body["dba"] is None


def test_a_login_that_nobody_has_is_said_beside_it(console: Console, kept: Any) -> None:
    client = console("carol", part=True)
    sent = {"dba": "nobody", "owners": ["bo"], "version": "1"}
    page = text(client.post("/console/resources-holders/rm-orders", sent), 422)
    assert "names nobody: nobody here has this login" in page
    assert kept.get("/instances/rm-orders").body["dba"] == "carol"


def test_an_edit_of_somebody_else_is_shown_and_not_lost(console: Console, kept: Any) -> None:
    client = console("carol")
    form = client.get("/console/resources-holders/rm-orders")
    kept.put("/instances/rm-orders", {"dba": "eve"})
    sent = {"dba": "bo", "owners": ["dan"], "version": version(form)}
    answer = client.post("/console/resources-holders/rm-orders", sent)
    assert "DBA eve → becomes bo" in text(answer, 412)
    assert kept.get("/instances/rm-orders").body["dba"] == "eve"
    client.post("/console/resources-holders/rm-orders", {**sent, "version": version(answer)})
    assert kept.get("/instances/rm-orders").body["dba"] == "bo"


def test_one_is_added_on_each_level(console: Console, kept: Any) -> None:
    client = console("carol")
    client.post("/console/resources-add", {"name": "rm-new", "dba": "carol"})
    client.post("/console/resources-add/rm-new", {"name": "db", "owners": ["bo"]})
    client.post("/console/resources-add/rm-new/db", {"name": "t"})
    assert kept.get("/instances/rm-new").body["dba"] == "carol"
    assert kept.get("/instances/rm-new/databases/db/tables/t").status == 200
    for name, says in (("", "is missing"), ("rm-new", "is taken"), ("a/b", "without /")):
        assert says in text(client.post("/console/resources-add", {"name": name}), 422)
    assert client.get("/console/resources-add/nowhere").status_code == 404


def test_one_is_taken_out_with_what_lies_in_it(console: Console, kept: Any) -> None:
    client = console("carol", part=True)
    form = client.get("/console/resources-remove/rm-orders")
    assert "What lies in it goes out of the directory too" in text(form)
    assert "Somebody changed this meanwhile" in text(
        client.post("/console/resources-remove/rm-orders", {"version": "99"})
    )
    answer = client.post("/console/resources-remove/rm-orders", {"version": version(form)})
    assert answer.headers["HX-Redirect"] == RESOURCES
    assert kept.get("/instances/rm-orders").status == 404


def test_all_of_it_is_exported(console: Console, kept: Any) -> None:
    file = console("carol").get("/console/resources.csv").content.decode("utf-8-sig")
    assert len(file.splitlines()) == 5
    assert "rm-orders,orders,,,bo eve" in file


def test_administrators_and_dbas_see_and_keep_them(console: Console, kept: Any) -> None:
    for path in (RESOURCES, f"{RESOURCES}/rm-orders", "/console/resources.csv", "/console/resources-add"):
        for login in ("ann", "eve"):
            assert console(login).get(path).status_code == 403
    for act in ("holders", "remove"):
        assert console("ann").post(f"/console/resources-{act}/rm-orders", {"version": "1"}).status_code == 403
        assert console("mallory").post(f"/console/resources-{act}/rm-orders", {"version": "1"}).status_code == 404
    assert "rm-orders" not in text(console("mallory").get(RESOURCES))


def test_long_lists_are_paged_with_as_many_queries(console: Console, kept: Any) -> None:
    client = console()
    client.get(RESOURCES)
    with queries() as few:
        client.get(RESOURCES)
    for number in range(55):
        kept.put(f"/instances/rm-{number:02}", {"owners": ["bo"]})
    with queries() as many:
        first = client.get(RESOURCES)
    [following] = re.findall(r'rel="next" href="([^"]+)"', first.content.decode())
    assert "rm-orders" in text(client.get(RESOURCES + unescape(following)))
    assert len(few) == len(many) <= 9
