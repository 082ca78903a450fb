"""Administrators say what their people start with, and to which countries codes may go."""

from typing import Any

import pytest

DMS = ["+86", "+44", "+60", "+62", "+65", "+91"]


def test_a_tenant_begins_with_the_countries_of_dms(api: Any, organisation: Any) -> None:
    answer = api("root").get("/tenant")
    assert (answer.status, answer.etag) == (200, '"1"')
    assert answer.body == {
        "name": organisation.tenant.name,
        "language": "en",
        "timezone": "UTC",
        "sms_countries": DMS,
        "fallback": False,
        "version": 1,
    }


def test_what_is_given_changes_and_the_rest_stays(api: Any, organisation: Any) -> None:
    from tidings.audit.models import Change

    root = api("root")
    answer = root.put("/tenant", {"language": "zh-CN", "sms_countries": ["86", " +49", "+86"]})
    assert (answer.status, answer.etag, answer.body["version"]) == (200, '"2"', 2)
    assert (answer.body["language"], answer.body["timezone"]) == ("zh-hans", "UTC")
    assert answer.body["sms_countries"] == ["+86", "+49"]
    assert root.get("/tenant").body == answer.body
    assert root.put("/users/amy", {}).body["language"] == "zh-hans"
    change = Change.objects.for_tenant(organisation.id).get(kind="tenant")
    assert (change.actor, change.before["sms_countries"], change.after["sms_countries"]) == (
        "root",
        DMS,
        ["+86", "+49"],
    )
    assert root.put("/tenant", {"sms_countries": []}).body["sms_countries"] == []


def test_put_accepts_what_get_answers_and_changes_nothing(api: Any) -> None:
    root = api("root")
    assert root.put("/tenant", root.get("/tenant").body).body["version"] == 1


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"language": "tlh"}, "language", "en, zh-hans"),
        ({"timezone": "Mars/Olympus"}, "timezone", "Asia/Shanghai"),
        ({"sms_countries": ["+86", "+999"]}, "sms_countries", "+999"),
        ({"sms_countries": ["CN"]}, "sms_countries", "+86"),
        ({"sms_countries": [""]}, "sms_countries", "+86"),
        ({"sms_countries": ["+979"]}, "sms_countries", "+979"),  # premium rates of no country
        ({"sms_countries": ["+٨٦"]}, "sms_countries", "+86"),
        ({"name": "another"}, "name", "stays"),
    ],
)
def test_what_cannot_be_used_is_named(api: Any, body: Any, field: str, says: str) -> None:
    answer = api("root").put("/tenant", body)
    assert (answer.status, answer.code) == (422, "invalid")
    [error] = answer.body["errors"]
    assert error["field"] == field
    assert says in error["problem"]
    assert api("root").get("/tenant").body["version"] == 1


def test_two_who_edit_at_once_never_lose_an_edit(api: Any) -> None:
    root = api("root")
    assert root.put("/tenant", {"timezone": "Asia/Shanghai"}, if_match='"1"').status == 200
    late = root.put("/tenant", {"timezone": "Europe/Berlin"}, if_match='"1"')
    assert (late.status, late.body["current"]["timezone"]) == (412, "Asia/Shanghai")
    assert root.put("/tenant", {"timezone": "Europe/Berlin", "version": 1}).status == 409
    assert root.get("/tenant").body["timezone"] == "Asia/Shanghai"


def test_administrators_only(api: Any) -> None:
    for client in (api("carol"), api("ann"), api(source="dms")):
        assert client.get("/tenant").status == client.put("/tenant", {}).status == 403
    assert api(token="").get("/tenant").status == 401
    assert api("mallory").put("/tenant", {"sms_countries": ["+1"]}).body["sms_countries"] == ["+1"]
    assert api("root").get("/tenant").body["sms_countries"] == DMS
