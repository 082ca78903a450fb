"""Administrators bring people in, change them and see them off; everybody else looks at themself at most."""

import threading
from typing import Any

import pytest

ANN = {
    "name": "Ann Li",
    "email": "Ann@Example.COM",
    "mobile": "+86 138-0013-8000",
    "roles": ["dba"],
    "language": "zh_CN",
    "timezone": "Asia/Shanghai",
}


def _points(organisation: Any, login: str) -> dict[str, Any]:
    from tidings.directory.models import ContactPoint

    points = ContactPoint.objects.for_tenant(organisation.id).filter(person__login=login)
    return {point.channel: point for point in points}


def _address(point: Any) -> Any:
    from tidings.kernel.secrets import unseal

    return unseal(bytes(point.sealed))["address"]


def _versions(organisation: Any) -> tuple[int, int]:
    organisation.tenant.refresh_from_db()
    return organisation.tenant.directory_version, organisation.tenant.access_version


def _changes(organisation: Any, login: str) -> list[Any]:
    from tidings.audit.models import Change

    return list(Change.objects.for_tenant(organisation.id).filter(kind="user", key=login).order_by("id"))


# bring in and change


def test_a_new_user_is_normalised(api: Any) -> None:
    answer = api("root").put("/users/amy", {**ANN, "external_id": "E-7"})
    assert (answer.status, answer.etag) == (201, '"1"')
    assert answer.body == {
        "login": "amy",
        "name": "Ann Li",
        "email": "Ann@example.com",
        "mobile": "+8613800138000",
        "external_id": "E-7",
        "roles": ["dba"],
        "language": "zh-hans",
        "timezone": "Asia/Shanghai",
        "active": True,
        "version": 1,
    }
    again = api("root").get("/users/amy")
    assert (again.body, again.etag) == (answer.body, '"1"')


def test_what_nobody_says_is_the_tenants(api: Any, organisation: Any) -> None:
    organisation.tenant.language, organisation.tenant.timezone = "zh-hans", "Asia/Shanghai"
    organisation.tenant.save()
    body = api("root").put("/users/amy", {}).body
    assert (body["language"], body["timezone"], body["roles"], body["active"]) == ("zh-hans", "Asia/Shanghai", [], True)


def test_what_is_missing_stays_and_null_clears(api: Any) -> None:
    root = api("root")
    root.put("/users/amy", ANN)
    body = root.put("/users/amy", {"name": "Amy"}).body
    assert (body["name"], body["email"], body["roles"]) == ("Amy", "Ann@example.com", ["dba"])
    body = root.put("/users/amy", {"email": None, "mobile": "", "roles": None, "language": None}).body
    assert (body["email"], body["mobile"], body["roles"], body["language"]) == ("", "", [], "en")


def test_put_accepts_what_get_answers_and_changes_nothing(api: Any, organisation: Any) -> None:
    root = api("root")
    root.put("/users/amy", ANN)
    versions, changes = _versions(organisation), len(_changes(organisation, "amy"))
    answer = root.put("/users/amy", root.get("/users/amy").body)
    assert (answer.status, answer.etag) == (200, '"1"')
    assert (_versions(organisation), len(_changes(organisation, "amy"))) == (versions, changes)


@pytest.mark.parametrize("login", ["陈伟", "a.b-c_d", "ann@example.com", "x" * 100, "50%"])
def test_logins_may_be_many_things(api: Any, login: str) -> None:
    from urllib.parse import quote

    path = f"/users/{quote(login)}"
    assert api("root").put(path, {"name": "x"}).status == 201
    assert api("root").get(path).body["login"] == login


def test_a_login_is_one_however_its_accents_are_written(api: Any) -> None:
    assert api("root").put("/users/rene%CC%81", {"name": "René"}).body["login"] == "ren\u00e9"
    assert api("root").get("/users/ren%C3%A9").status == 200
    assert api("root").put("/users/rene%CC%81", {"name": "R"}).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "a%20b",
        "a%C2%A0b",
        "%00",
        "a%0Ab",
        "a%E2%80%8Bb",
        "a%EF%BB%BFb",
        "a%E2%80%AEb",
        "x" * 101,
        "%E3%85%A4",
        "%C2%AD",
    ],
)
def test_a_login_shows_every_character_it_has(api: Any, path: str) -> None:
    answer = api("root").put(f"/users/{path}", {"name": "x"})
    assert (answer.status, answer.code, answer.body["errors"][0]["field"]) == (422, "invalid", "login")
    assert api("root").get(f"/users/{path}").status == 404


def test_a_login_without_a_slash(api: Any) -> None:
    assert api("root").put("/users/a%2Fb", {"name": "x"}).status in (404, 405)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("email", "nobody", "@"),
        ("email", "a\r\nBcc: b@example.com", "cannot"),
        ("mobile", "13800138000", "must begin with +"),
        ("mobile", "+86", "+"),
        ("mobile", "+861", "digits"),
        ("mobile", "+9991234567", "country"),
        ("language", "tlh", "en, zh-hans"),
        ("language", "zh-hant", "en, zh-hans"),
        ("timezone", "Mars/Olympus", "Asia/Shanghai"),
        ("timezone", "../../etc/passwd", "Asia/Shanghai"),
        ("roles", ["dba", "emperor"], "administrator, dba, security_administrator"),
        ("name", "a\nb", "line break"),
        ("name", "x" * 201, "200"),
        ("external_id", "a\u2028b", "control"),
    ],
)
def test_what_cannot_be_used_is_named(api: Any, field: str, value: Any, says: str) -> None:
    answer = api("root").put("/users/amy", {field: value})
    assert (answer.status, answer.code) == (422, "invalid")
    [error] = answer.body["errors"]
    assert error["field"] == field
    assert says in error["problem"]
    assert api("root").get("/users/amy").status == 404


def test_all_problems_are_told_at_once(api: Any) -> None:
    errors = api("root").put("/users/amy", {"email": "x", "mobile": "1", "language": "y"}).body["errors"]
    assert {error["field"] for error in errors} == {"email", "mobile", "language"}


@pytest.mark.parametrize(
    "body", [{"emial": "a@example.com"}, {"active": None}, {"roles": "dba"}, [], {"name": "\0"}, {"name": "\ud800"}]
)
def test_a_body_of_another_shape_is_refused(api: Any, body: Any) -> None:
    assert api("root").put("/users/amy", body).status == 422


def test_the_body_may_not_name_somebody_else(api: Any) -> None:
    answer = api("root").put("/users/ann", {"login": "bo", "name": "Bo"})
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, "login")


def test_an_address_names_one_person(api: Any, organisation: Any) -> None:
    root = api("root")
    said = {"email": "amy@example.com", "mobile": "+8613800138000", "external_id": "E-7"}
    root.put("/users/amy", said)
    for field, same in {**said, "email": "AMY@example.com"}.items():
        answer = root.put("/users/ann", {field: same})
        assert (answer.status, answer.code) == (409, f"{field}_taken")
        assert "amy" in answer.body["detail"]
    assert root.put("/users/amy", {"email": "AMY@example.com"}).status == 200
    root.delete("/users/amy")
    assert root.put("/users/ann", said).status == 200


def test_another_tenant_may_have_the_same_addresses(api: Any) -> None:
    assert api("root").put("/users/amy", ANN).status == 201
    assert api("mallory").put("/users/amy", ANN).status == 201


def test_a_change_from_an_old_version_is_refused(api: Any) -> None:
    root = api("root")
    etag = root.put("/users/amy", ANN).etag
    assert root.put("/users/amy", {"name": "Amy"}, if_match=etag).etag == '"2"'
    answer = root.put("/users/amy", {"name": "Anna"}, if_match=etag)
    assert (answer.status, answer.code, answer.etag) == (412, "precondition_failed", '"2"')
    assert answer.body["current"]["name"] == "Amy"
    assert root.delete("/users/amy", if_match=etag).status == 412
    assert root.put("/users/new", {"name": "N"}, if_match='"1"').status == 412
    assert root.get("/users/new").status == 404


def test_nodes_hear_of_changes_and_the_record_keeps_them(api: Any, organisation: Any) -> None:
    root = api("root")
    root.put("/users/amy", {"name": "Amy"})
    directory, access = _versions(organisation)
    root.put("/users/amy", {"name": "Anna"})
    assert _versions(organisation) == (directory + 1, access)
    root.put("/users/amy", {"roles": ["dba"]})
    assert _versions(organisation) == (directory + 2, access + 1)
    root.put("/users/amy", {"active": False})
    assert _versions(organisation) == (directory + 3, access + 2)
    root.delete("/users/amy")
    assert _versions(organisation) == (directory + 4, access + 3)
    changes = _changes(organisation, "amy")
    assert [change.action for change in changes] == ["create", "change", "change", "change", "depart"]
    assert {change.actor for change in changes} == {"root"}
    assert (changes[0].before, changes[1].before["name"], changes[1].after["name"]) == (None, "Amy", "Anna")


# the addresses


def test_an_email_makes_a_verified_contact_point(api: Any, organisation: Any) -> None:
    api("root").put("/users/amy", ANN)
    point = _points(organisation, "amy")["email"]
    assert (_address(point), point.shown) == ("Ann@example.com", "A***@example.com")
    assert point.verified_at is not None


def test_the_contact_point_follows_the_email_until_another_is_chosen(api: Any, organisation: Any) -> None:
    root = api("root")
    root.put("/users/amy", {"email": "amy@example.com"})
    root.put("/users/amy", {"email": "amy@example.org"})
    assert _address(_points(organisation, "amy")["email"]) == "amy@example.org"
    root.put("/users/amy/notification-settings", {"email": "amy@home.example"})
    root.put("/users/amy", {"email": "amy@example.net"})
    assert _address(_points(organisation, "amy")["email"]) == "amy@home.example"
    assert root.get("/users/amy").body["email"] == "amy@example.net"


def test_an_email_that_is_taken_away_takes_its_contact_point_along(api: Any, organisation: Any) -> None:
    api("root").put("/users/amy", ANN)
    api("root").put("/users/amy", {"email": None})
    assert set(_points(organisation, "amy")) == {"dingtalk", "sms"}
    api("root").put("/users/amy", {"mobile": None})
    assert _points(organisation, "amy") == {}


def test_an_unchanged_user_written_back_leaves_an_address_that_was_removed_away(api: Any, organisation: Any) -> None:
    from tidings.audit.models import Change

    root = api("root")
    root.put("/users/amy", ANN)
    organisation.people["amy"] = organisation.caller("amy").person
    amy = api("amy")
    assert amy.put("/me/notification-settings", {"email": None}).body["email"] is None
    before, changes = root.get("/users/amy"), Change.objects.for_tenant(organisation.id).count()
    versions = _versions(organisation)
    again = root.put("/users/amy", before.body)
    assert (again.status, again.body, again.etag) == (200, before.body, before.etag)
    assert amy.get("/me/notification-settings").body["email"] is None
    assert (Change.objects.for_tenant(organisation.id).count(), _versions(organisation)) == (changes, versions)
    root.put("/users/amy", {"email": "amy@example.org"})
    assert _address(_points(organisation, "amy")["email"]) == "amy@example.org"


# see off


def test_a_departed_user_is_gone_and_can_come_back(api: Any, organisation: Any) -> None:
    from tidings.accounts.models import Person

    root, secret = api("root"), organisation.token("carol")
    assert root.delete("/users/carol").status == 204
    assert root.get("/users/carol").code == "not_found"
    assert root.delete("/users/carol").status == 404
    assert api(token=secret).get("/users/carol").status == 401
    assert [each["login"] for each in root.get("/users", departed=True).body["items"]] == ["carol"]
    assert Person.objects.for_tenant(organisation.id).filter(login="carol").exists()
    answer = root.put("/users/carol", {"name": "Carol"})
    assert (answer.status, answer.body["roles"]) == (201, [])
    assert api(token=secret).get("/users/carol").status == 401


def test_who_comes_back_has_to_save_the_addresses_first(api: Any, organisation: Any) -> None:
    root = api("root")
    root.put("/users/amy", ANN)
    root.put("/users/amy/notification-settings", {"webhook": {"url": "https://hooks.example.com/amy"}})
    root.delete("/users/amy")
    assert {point.disabled_reason for point in _points(organisation, "amy").values()} == {"person_departed"}
    root.put("/users/amy", {"email": "new@example.com"})
    points = _points(organisation, "amy")
    assert (_address(points["email"]), points["email"].disabled_at) == ("new@example.com", None)
    assert points["webhook"].disabled_at is not None


@pytest.mark.parametrize("body", [{"roles": []}, {"roles": ["dba"]}, {"active": False}])
def test_the_last_administrator_stays(api: Any, body: dict[str, Any]) -> None:
    root = api("root")
    answer = root.put("/users/root", body)
    assert (answer.status, answer.code) == (409, "last_administrator")
    assert root.delete("/users/root").code == "last_administrator"
    root.put("/users/eve", {"roles": ["administrator"], "active": False})
    assert root.put("/users/root", body).code == "last_administrator"
    root.put("/users/eve", {"active": True})
    assert root.put("/users/root", body).status == 200


def test_two_administrators_cannot_see_each_other_off_at_once(api: Any, organisation: Any) -> None:
    from django.db import connection

    api("root").put("/users/eve", {"roles": ["administrator"]})
    clients = {"root": api("root"), "eve": api("eve")}
    statuses: list[int] = []
    barrier = threading.Barrier(2)

    def see_off(who: str, whom: str) -> None:
        barrier.wait()
        try:
            statuses.append(clients[who].delete(f"/users/{whom}").status)
        finally:
            connection.close()

    threads = [threading.Thread(target=see_off, args=pair) for pair in (("root", "eve"), ("eve", "root"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The slower one is refused, or knows already that its token has ended.
    assert sorted(statuses)[0] == 204
    assert sorted(statuses)[1] in (401, 409)


def test_a_disabled_user_cannot_call(api: Any, organisation: Any) -> None:
    secret = organisation.token("carol")
    api("root").put("/users/carol", {"active": False})
    assert api(token=secret).get("/users/carol").status == 401
    api("root").put("/users/carol", {"active": True})
    assert api(token=secret).get("/users/carol").status == 200


# look


def test_people_are_listed_by_page_and_filter(api: Any) -> None:
    carol = api("carol")
    first = carol.get("/users", limit=4).body
    assert [each["login"] for each in first["items"]] == ["ann", "bo", "carol", "dan"]
    second = carol.get("/users", limit=4, cursor=first["next_cursor"]).body
    assert [each["login"] for each in second["items"]] == ["eve", "root"]
    assert second["next_cursor"] is None
    api("root").put("/users/ann", {"email": "zoe@example.com", "active": False})

    def found(**query: Any) -> list[str]:
        return [each["login"] for each in carol.get("/users", **query).body["items"]]

    assert found(q="ZOE") == found(active="false") == ["ann"]
    assert found(q="100%") == found(role="emperor") == []
    assert found(role="dba") == ["carol"]
    assert carol.get("/users", cursor="nonsense").status == 422
    assert carol.get("/users", q="\0").status == 422


def test_only_administrators_write_and_dbas_read(api: Any) -> None:
    for login in ("ann", "carol", "eve"):
        assert api(login).put("/users/amy", {"name": "x"}).code == "forbidden"
        assert api(login).delete("/users/bo").code == "forbidden"
    for login in ("ann", "eve"):
        assert api(login).get("/users").code == "forbidden"
        assert api(login).get("/users/bo").code == "forbidden"
        assert api(login).get("/users/nobody").code == "forbidden"
        assert api(login).get(f"/users/{login}").status == 200
    assert api("carol").get("/users/bo").status == 200
    assert api(source="dms").get("/users").status == 403


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("zo", ["zoe"]),
        ("ZOE", ["zoe"]),
        ("kell", ["zoe"]),
        ("kell zo", ["zoe"]),
        ("zoe bar", []),
        ("z.k", ["zoe"]),
        ("oe", []),
        ("张", ["zhang"]),
        ("o'n", ["o'neil"]),
        ("o'", ["o'neil"]),
        ("éla", ["elan"]),
        ("   ", ["ann", "back\\slash"]),
        ("'", []),
        ("a & b | c:* !", []),
        ("back\\", ["back\\slash"]),
        ("100%", []),
        ("acme", []),
    ],
)
def test_whoever_types_finds_people_by_how_their_words_begin(
    api: Any, organisation: Any, typed: str, found: list[str]
) -> None:
    organisation.add("zoe")
    organisation.people["zoe"].name, organisation.people["zoe"].email = "Zoe  van Keller", "z.keller@Example.com"
    organisation.people["zoe"].save()
    for login, name in (("zhang", "张博"), ("o'neil", ""), ("back\\slash", ""), ("elan", "élan")):
        organisation.add(login)
        organisation.people[login].name = name
        organisation.people[login].save()
    items = api("carol").get("/users", search=typed, limit=2).body["items"]
    assert [each["login"] for each in items] == found


def test_a_search_sees_neither_who_is_gone_nor_other_tenants(api: Any, organisation: Any) -> None:
    from django.utils import timezone

    organisation.add("zoe", departed_at=timezone.now())
    assert api("root").get("/users", search="zoe").body["items"] == []
    assert [each["login"] for each in api("root").get("/users", search="zoe", departed="true").body["items"]] == ["zoe"]
    assert api("root").get("/users", search="mall").body["items"] == []


def test_scopes_narrow_what_an_administrator_may(api: Any, organisation: Any) -> None:
    from tidings.accounts.tokens import create_token

    _, reads = create_token(organisation.caller(), person=organisation.people["root"], scopes=["read"])
    _, writes = create_token(organisation.caller(), person=organisation.people["root"], scopes=["write"])
    _, both = create_token(organisation.caller(), person=organisation.people["root"], scopes=["read", "write"])
    assert api(token=reads).get("/users").status == 200
    assert api(token=reads).put("/users/amy", {"name": "x"}).status == 403
    # A change is answered with what was changed, so it takes both.
    assert api(token=writes).put("/users/amy", {"name": "x"}).status == 403
    assert api(token=both).put("/users/amy", {"name": "x"}).status == 201
    assert api(token=writes).get("/users/root").status == 403


def test_tenants_are_walls(api: Any) -> None:
    mallory = api("mallory")
    assert [each["login"] for each in mallory.get("/users").body["items"]] == ["mallory"]
    assert mallory.get("/users/ann").status == mallory.delete("/users/ann").status == 404
    assert mallory.put("/users/ann", {"name": "Not Ann"}).status == 201
    assert api("root").get("/users/ann").body["name"] == "Ann"


def test_nobody_calls_without_a_token(api: Any) -> None:
    for method, path in (("GET", "/users"), ("GET", "/users/ann"), ("PUT", "/users/ann"), ("DELETE", "/users/ann")):
        assert api(token="").send(method, path, {} if method == "PUT" else None).code == "unauthorized"
        assert api(token="tdg_guess").send(method, path).status == 401


def test_an_invitation_is_an_administrators_to_give(api: Any) -> None:
    answer = api().post("/users/ann/invitation")
    assert answer.status == 201
    assert "/console/welcome/" in answer.body["url"] and answer.body["expires_in"] == 7 * 86_400
    assert api("carol").post("/users/ann/invitation").status == 403
    assert api("mallory").post("/users/ann/invitation").status == 404
    assert api().post("/users/nobody/invitation").status == 404
