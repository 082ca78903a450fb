"""Instances, databases and tables come in from a file, what others lie in before them."""

from typing import Any

from tests.imports.given import hand_in, post

FILE = """instance,database,table,dba,owners
rm-1,shop,orders,,dan bo
rm-1,,,carol,
rm-1,shop,,,"bo, eve"
rm-2,shop,,carol,
,shop,,,
rm-3,,lost,,
rm-4,,,nobody,
"""


def test_each_row_is_shown_with_what_it_would_change(api: Any) -> None:
    handed = hand_in(api("root"), FILE, "resources")
    assert handed.fates() == {
        "rm-1": "new",
        "rm-1/shop": "new",
        "rm-1/shop/orders": "new",
        "rm-2/shop": "refused",
        "shop": "refused",
        "rm-3/lost": "refused",
        "rm-4": "refused",
    }
    assert handed.rows()["rm-1/shop"]["changes"] == {"owners": [None, ["bo", "eve"]]}
    assert "only an instance has one" in handed.why("rm-2/shop")
    assert "instance is missing" in handed.why("shop")
    assert "database is missing" in handed.why("rm-3/lost")
    assert "nobody here has this login" in handed.why("rm-4")
    assert api("root").get("/instances").body["items"] == []


def test_what_was_shown_is_put_whatever_the_order_of_the_rows(api: Any) -> None:
    carol = api("carol")
    handed = hand_in(carol, FILE, "resources").act("apply")
    assert handed.told["counts"] == {"new": 3, "refused": 4, "applied": 3}
    assert carol.get("/instances/rm-1").body["dba"] == "carol"
    assert carol.get("/instances/rm-1/databases/shop/tables/orders").body["owners"] == ["dan", "bo"]
    assert carol.get("/changes").status == 403
    kinds = [each["kind"] for each in api("root").get("/changes", actor="carol").body["items"]]
    assert sorted(set(kinds) - {"token"}) == ["database", "import", "instance", "table"]


def test_what_a_table_lies_in_comes_with_it(api: Any) -> None:
    hand_in(api("root"), "instance,database,table,owners\nrm,d,t,dan\n", "resources").act("apply")
    assert api("root").get("/instances/rm/databases/d").body["owners"] == []


def test_what_is_missing_stays_and_an_empty_cell_clears(api: Any) -> None:
    root = api("root")
    root.put("/instances/rm", {"dba": "carol", "owners": ["dan"]})
    assert hand_in(root, "instance,owners\nrm,dan\n", "resources").fates() == {"rm": "unchanged"}
    handed = hand_in(root, "instance,dba,owners\nrm,,\n", "resources")
    assert handed.rows()["rm"]["changes"] == {"dba": ["carol", None], "owners": [["dan"], []]}


def test_a_login_may_hold_what_separates_others(api: Any, organisation: Any) -> None:
    organisation.add("a,b")
    root = api("root")
    hand_in(root, 'instance,owners\nrm,"a,b dan,bo"\n', "resources").act("apply")
    assert root.get("/instances/rm").body["owners"] == ["a,b", "dan", "bo"]
    assert hand_in(root, root.get("/resources.csv").body, "resources").fates() == {"rm": "unchanged"}


def test_what_is_exported_can_be_handed_in_and_changes_nothing(api: Any) -> None:
    root = api("root")
    hand_in(root, FILE, "resources").act("apply")
    root.put("/instances/=x", {})
    file = root.get("/resources.csv").body
    assert [line.split(",")[0] for line in file.decode().splitlines()] == ["instance", "'=x", "rm-1", "rm-1", "rm-1"]
    assert set(hand_in(root, file, "resources").fates().values()) == {"unchanged"}
    assert len(root.get("/resources.csv", instance="rm-1").body.splitlines()) == 4


def test_what_changed_in_between_is_left_and_said(api: Any) -> None:
    root = api("root")
    handed = hand_in(root, "instance,owners\nrm,dan\nother,bo\n", "resources")
    root.put("/instances/rm", {"owners": ["bo"]})
    handed.act("apply")
    assert {key: row["outcome"] for key, row in handed.rows().items()} == {"rm": "left", "other": "applied"}
    assert root.get("/instances/rm").body["owners"] == ["bo"]


def test_a_resource_stands_in_one_row_of_a_file(api: Any) -> None:
    handed = hand_in(api("root"), "instance,database\nrm,\nrm,d\nrm,\n", "resources")
    assert handed.told["counts"] == {"new": 2, "refused": 1}


def test_administrators_and_dbas_hand_them_in_and_dbas_see_no_people(api: Any) -> None:
    assert post(api("ann"), FILE, "resources").code == "forbidden"
    hand_in(api("root"), "login\namy\n")
    hand_in(api("root"), FILE, "resources")
    assert [each["kind"] for each in api("carol").get("/imports").body["items"]] == ["resources"]
    assert len(api("root").get("/imports").body["items"]) == 2
    assert api("eve").get("/resources.csv").status == 403


def test_what_somebody_answers_for_is_listed(api: Any) -> None:
    root = api("root")
    hand_in(root, FILE, "resources").act("apply")

    def held(who: str, login: str) -> list[Any]:
        return [each["table"] or each["instance"] for each in api(who).get(f"/users/{login}/resources").body["items"]]

    assert held("root", "bo") == held("bo", "bo") == ["rm-1", "orders"]
    assert held("carol", "carol") == ["rm-1"]
    assert held("root", "ann") == []
    assert api("ann").get("/users/bo/resources").status == 403


def test_what_nobody_answers_for_is_found(api: Any) -> None:
    root = api("root")
    for name, body in (("a", {}), ("b", {"dba": "carol"}), ("c", {"owners": ["bo"]})):
        root.put(f"/instances/{name}", body)

    def found(held: str) -> list[str]:
        return [each["instance"] for each in root.get("/instances", held=held).body["items"]]

    assert (found("true"), found("false")) == (["b", "c"], ["a"])
