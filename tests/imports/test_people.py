"""People come in from a file: each row is shown first, then put exactly as shown."""

from typing import Any

import pytest
from tests.imports.given import hand_in, post

FILE = """login,name,email,mobile,roles,methods,language,timezone,active
amy,Amy,amy@example.com,+86 138 0013 8000,dba,email sms,zh,Asia/Shanghai,
ann,Ann Li,,,,,,,
bo,Bo,,,,,,,true
eve,Eve,nonsense,,emperor,,,,maybe
"""


def _changes(organisation: Any, login: str) -> list[Any]:
    from tidings.audit.models import Change

    return list(Change.objects.for_tenant(organisation.id).filter(key=login).order_by("id"))


def test_each_row_is_shown_with_what_it_would_change_and_nothing_is_put(api: Any) -> None:
    handed = hand_in(api("root"), FILE)
    assert handed.fates() == {"amy": "new", "ann": "changed", "bo": "unchanged", "eve": "refused"}
    assert handed.told["counts"] == {"new": 1, "changed": 1, "unchanged": 1, "refused": 1}
    rows = handed.rows()
    assert rows["ann"]["changes"] == {"name": ["Ann", "Ann Li"]}
    assert rows["amy"]["changes"]["mobile"] == [None, "+8613800138000"]
    assert rows["amy"]["changes"]["methods"] == [None, ["email", "sms"]]
    assert rows["eve"]["line"] == 5
    assert api("root").get("/users/amy").status == 404
    assert api("root").get("/users/ann").body["name"] == "Ann"


def test_what_is_wrong_with_a_row_is_named_by_its_column(api: Any) -> None:
    handed = hand_in(api("root"), FILE + "a b,A,,,,,,,\n,Nobody,,,,,,,\nx,X,x@example.com,,,pigeon,,,\n")
    assert "active must be true or false" in handed.why("eve")
    assert "login must be 1 to 100" in handed.why("a b")
    assert "login must be 1 to 100" in handed.why("")
    assert "methods has pigeon" in handed.why("x")


def test_what_was_shown_is_put(api: Any) -> None:
    root = api("root")
    handed = hand_in(root, FILE).act("apply")
    assert (handed.told["state"], handed.told["counts"]["applied"]) == ("applied", 2)
    assert {key: row["outcome"] for key, row in handed.rows().items()} == {
        "amy": "applied",
        "ann": "applied",
        "bo": "",
        "eve": "",
    }
    amy = root.get("/users/amy").body
    assert (amy["mobile"], amy["roles"], amy["language"], amy["active"]) == ("+8613800138000", ["dba"], "zh-hans", True)
    assert root.get("/users/ann").body["name"] == "Ann Li"
    assert root.get("/users/amy/notification-settings").body["methods"] == ["email", "sms"]
    again = hand_in(root, FILE)
    assert again.fates() == {"amy": "unchanged", "ann": "unchanged", "bo": "unchanged", "eve": "refused"}


def test_a_row_leaves_the_same_record_and_the_same_addresses_as_a_put(api: Any, organisation: Any) -> None:
    from tidings.directory.models import ContactPoint

    root = api("root")
    said = {"name": "A", "email": "amy@example.com", "mobile": "+8613800138001", "roles": ["dba"]}
    root.put("/users/amy", said)
    root.put("/users/amy/notification-settings", {"methods": ["email"]})
    file = "login,name,email,mobile,roles,methods\nzoe,A,zoe@example.com,+8613800138002,dba,email\n"
    hand_in(root, file).act("apply")

    def recorded(login: str) -> str:
        told = [(one.actor, one.action, one.kind, one.before, one.after) for one in _changes(organisation, login)]
        return repr(told).replace("zoe", "amy").replace("z***", "a***").replace("8002", "8001")

    def points(login: str) -> list[Any]:
        found = ContactPoint.objects.for_tenant(organisation.id).filter(person__login=login).order_by("channel")
        return [(one.channel, one.verified_at is not None, one.version) for one in found]

    assert points("amy") == points("zoe") != []
    assert recorded("amy") == recorded("zoe")


def test_a_column_that_is_missing_leaves_a_part_as_it_is_and_an_empty_cell_clears_it(api: Any) -> None:
    root = api("root")
    root.put("/users/amy", {"name": "Amy", "email": "amy@example.com", "roles": ["dba"], "language": "zh-hans"})
    hand_in(root, "login,email\namy,amy@example.org\n").act("apply")
    amy = root.get("/users/amy").body
    assert (amy["name"], amy["email"], amy["roles"]) == ("Amy", "amy@example.org", ["dba"])
    handed = hand_in(root, "login,email,roles,language,active\namy,,,,\n")
    assert handed.rows()["amy"]["changes"] == {
        "email": ["amy@example.org", ""],
        "roles": [["dba"], []],
        "language": ["zh-hans", "en"],
    }


def test_cells_that_a_spreadsheet_left_out_at_the_end_of_a_line_say_nothing(api: Any) -> None:
    root = api("root")
    root.put("/users/amy", {"name": "Amy", "email": "amy@example.com"})
    assert hand_in(root, "login,name,email\namy,Amy\n").fates() == {"amy": "unchanged"}


def test_one_row_of_a_file_says_what_another_has_not_said(api: Any) -> None:
    file = "login,email,mobile\na,x@example.com,+8613800138000\na,,\nb,X@Example.com,\nc,,+86 138-0013-8000\nd,d@example.com,\n"
    handed = hand_in(api("root"), file)
    rows = api("root").get(f"/imports/{handed.told['id']}/rows").body["items"]
    assert [(row["fate"], [each["field"] for each in row["problems"]]) for row in rows] == [
        ("new", []),
        ("refused", ["login"]),
        ("refused", ["email"]),
        ("refused", ["mobile"]),
        ("new", []),
    ]
    assert rows[1]["problems"][0]["line"] == 2
    # However often it is looked at.
    assert handed.act("check").told["counts"] == {"new": 2, "refused": 3}


def test_an_address_of_somebody_else_is_refused_with_whose_it_is(api: Any) -> None:
    root = api("root")
    root.put("/users/amy", {"email": "amy@example.com"})
    handed = hand_in(root, "login,email\nbo,AMY@example.com\n")
    assert "belongs to amy" in handed.why("bo")


def test_the_last_administrator_stays(api: Any) -> None:
    root = api("root")
    assert "last active administrator" in hand_in(root, "login,roles\nroot,\n").why("root")
    root.put("/users/eve", {"roles": ["administrator"]})
    handed = hand_in(root, "login,roles\nroot,\neve,\n")
    assert handed.fates() == {"root": "changed", "eve": "refused"}


def test_what_changed_in_between_is_left_and_said(api: Any) -> None:
    root = api("root")
    handed = hand_in(root, "login,name\nann,Ann Li\nbo,Bo Wu\ndan,Dan Xu\nnew,New\n")
    root.put("/users/ann", {"name": "Annabel"})
    root.put("/users/bo", {"timezone": "Asia/Shanghai"})
    root.put("/users/dan", {"name": "Dan Xu"})
    root.put("/users/new", {"name": "Another"})
    handed.act("apply")
    assert {key: row["outcome"] for key, row in handed.rows().items()} == {
        "ann": "left",
        "bo": "applied",
        "dan": "left",
        "new": "left",
    }
    assert "changed after it had been checked" in handed.why("ann")
    assert root.get("/users/ann").body["name"] == "Annabel"
    assert root.get("/users/bo").body["name"] == "Bo Wu"
    handed.act("check")
    assert handed.fates() == {"ann": "changed", "bo": "unchanged", "dan": "unchanged", "new": "changed"}


def test_who_was_seen_off_comes_back(api: Any) -> None:
    root = api("root")
    root.put("/users/amy", {"name": "Amy", "roles": ["dba"]})
    root.delete("/users/amy")
    handed = hand_in(root, "login,name\namy,Amy\n")
    assert handed.fates() == {"amy": "new"}
    handed.act("apply")
    assert root.get("/users/amy").body["roles"] == []


def test_what_is_exported_can_be_handed_in_and_changes_nothing(api: Any) -> None:
    root = api("root")
    hand_in(root, FILE).act("apply")
    root.put("/users/zoe", {"name": "=HYPERLINK(1)", "external_id": "-7"})
    for excel in ("false", "true"):
        file = root.get("/users.csv", excel=excel).body
        assert b"'=HYPERLINK" in file
        handed = hand_in(root, file)
        assert set(handed.fates().values()) == {"unchanged"}
        assert len(handed.fates()) == 8


@pytest.mark.parametrize(("codec", "separator"), [("gb18030", ";"), ("utf-16", "\t"), ("utf-8-sig", ",")])
def test_a_file_of_a_chinese_excel_is_read(api: Any, codec: str, separator: str) -> None:
    file = "login,name\nchen.wei,陈伟\n".replace(",", separator).encode(codec)
    handed = hand_in(api("root"), file)
    assert handed.rows()["chen.wei"]["changes"]["name"] == [None, "陈伟"]


def test_the_refused_rows_are_a_file_that_can_be_mended_and_handed_in(api: Any) -> None:
    root = api("root")
    handed = hand_in(root, FILE)
    file = root.get(f"/imports/{handed.told['id']}/rows.csv", fate="refused").body.decode()
    header, row = file.splitlines()
    assert header.endswith("active,line,problem")
    assert row.startswith("eve,Eve,nonsense,,emperor,,,,maybe,5,")
    mended = file.replace("nonsense", "eve@example.com").replace("emperor", "dba").replace("maybe", "yes")
    assert hand_in(root, mended).fates() == {"eve": "changed"}


def test_nothing_is_put_before_all_of_it_was_shown(api: Any) -> None:
    root = api("root")
    one = post(root, FILE).body
    assert (one["state"], one["done"]) == ("checking", 0)
    answer = root.post(f"/imports/{one['id']}/apply")
    assert (answer.status, answer.code) == (409, "not_checked")


def test_while_it_is_put_it_is_not_looked_at_again(api: Any) -> None:
    root = api("root")
    handed = hand_in(root, FILE)
    where = f"/imports/{handed.told['id']}"
    assert root.post(f"{where}/apply").body["state"] == "applying"
    assert root.post(f"{where}/check").code == "applying"
    assert handed.act("continue").told["state"] == "applied"
    # To go on where nothing is left does nothing.
    assert root.post(f"{where}/continue").body == handed.told


def test_an_import_can_be_thrown_away(api: Any) -> None:
    root = api("root")
    handed = hand_in(root, FILE)
    assert root.delete(f"/imports/{handed.told['id']}").status == 204
    assert root.get(f"/imports/{handed.told['id']}").status == 404
    assert root.get("/imports").body["items"] == []


def test_what_was_begun_is_listed_and_the_record_says_who_put_it(api: Any, organisation: Any) -> None:
    root = api("root")
    handed = hand_in(root, FILE).act("apply")
    [listed] = root.get("/imports").body["items"]
    assert listed == handed.told
    assert (listed["name"], listed["actor"], listed["encoding"]) == ("file.csv", "root", "UTF-8")
    [change] = _changes(organisation, listed["id"])
    assert (change.kind, change.action, change.actor, change.after["new"]) == ("import", "apply", "root", 1)


def test_only_administrators_hand_people_in(api: Any) -> None:
    handed = hand_in(api("root"), FILE)
    where = f"/imports/{handed.told['id']}"
    for login in ("ann", "carol", "eve"):
        assert post(api(login), FILE).code == "forbidden"
        assert api(login).get(where).status in (403, 404)
        assert api(login).post(f"{where}/apply").status in (403, 404)
        assert api(login).get("/users.csv").status == (200 if login == "carol" else 403)
    mallory = api("mallory")
    for path in (where, f"{where}/rows", f"{where}/rows.csv"):
        assert mallory.get(path).status == 404
    assert mallory.post(f"{where}/continue").status == mallory.delete(where).status == 404


def test_who_lost_the_right_in_between_puts_nothing(api: Any) -> None:
    root = api("root")
    root.put("/users/eve", {"roles": ["administrator"]})
    handed = hand_in(api("eve"), FILE)
    root.put("/users/eve", {"roles": []})
    assert api("eve").post(f"/imports/{handed.told['id']}/apply").status == 403


@pytest.mark.parametrize(
    ("path", "body"), [("/imports?kind=fish", b"login\na\n"), ("/imports?kind=people", b"login\n")]
)
def test_what_cannot_be_imported_is_refused(api: Any, path: str, body: bytes) -> None:
    assert api("root").send("POST", path, body).status == 422


def test_two_who_go_on_at_once_look_at_every_row_once(api: Any) -> None:
    from tests.api.given import at_once

    root = api("root")
    file = "login,name\n" + "".join(f"p{number},P\n" for number in range(500))
    one = post(root, file).body
    where = f"/imports/{one['id']}"
    at_once(lambda: root.post(f"{where}/continue"), lambda: api("root").post(f"{where}/continue"))
    assert (root.get(where).body["done"], root.get(where).body["counts"]) == (400, {"new": 400})


def test_an_import_and_those_who_change_the_same_people_take_turns(api: Any) -> None:
    from tests.api.given import at_once

    root = api("root")
    logins = [f"p{number}" for number in range(100)]
    file = "login,email,methods\n" + "".join(f"{login},{login}@example.com,email\n" for login in logins)
    handed = hand_in(root, file)
    handed.told = root.post(f"/imports/{handed.told['id']}/apply").body
    other = api("root")

    def change() -> list[int]:
        return [other.put(f"/users/{login}", {"name": "N"}).status for login in reversed(logins[::5])]

    answers = at_once(lambda: handed.go_on().told["state"], change)
    assert answers[0] == "applied"
    assert set(answers[1]) <= {200, 201}  # type: ignore[call-overload]
    counts = handed.told["counts"]
    assert counts["applied"] + counts.get("left", 0) == 100
    people = {login: root.get(f"/users/{login}").body for login in logins[::5]}
    assert {one["name"] for one in people.values()} == {"N"}


def test_what_was_handed_in_is_forgotten_after_a_week(api: Any, organisation: Any, database: str) -> None:
    import asyncio
    from datetime import timedelta

    from tidings.imports.forget import forget_imports
    from tidings.imports.models import Import, Row
    from tidings.kernel.clock import now
    from tidings.kernel.database import connect
    from tidings.kernel.ids import child_of, event_of, first_at

    root = api("root")
    young, old = hand_in(root, FILE), hand_in(root, FILE)
    ids = [event_of(first_at(now() - timedelta(days=7, seconds=1)))]
    Import.objects.for_tenant(organisation.id).filter(id=old.told["id"]).update(id=ids[0])
    for number, row in enumerate(Row.objects.for_tenant(organisation.id).filter(id__gt=old.told["id"]), 1):
        Row.objects.for_tenant(organisation.id).filter(id=row.id).update(id=child_of(ids[0], number))

    async def keep_house() -> None:
        connection = await connect(database, name="test")
        await forget_imports(connection)
        await connection.close()

    asyncio.run(keep_house())
    assert [each["id"] for each in root.get("/imports").body["items"]] == [young.told["id"]]
    assert Row.objects.for_tenant(organisation.id).count() == 4
