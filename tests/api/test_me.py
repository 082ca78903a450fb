"""Who I am here; my language and time zone are mine to choose."""

from typing import Any

import pytest


def test_a_person_sees_who_they_are(api: Any, organisation: Any) -> None:
    answer = api("carol").get("/me")
    assert answer.body == {
        "login": "carol",
        "name": "Carol",
        "email": "",
        "mobile": "",
        "roles": ["dba"],
        "tenant": organisation.tenant.name,
        "language": "en",
        "timezone": "UTC",
        "version": 1,
    }
    assert answer.etag == '"1"'


def test_a_person_chooses_their_language_and_time_zone(api: Any, organisation: Any) -> None:
    from tidings.accounts.models import Tenant
    from tidings.audit.models import Change

    ann, before = api("ann"), Tenant.objects.get(id=organisation.id).directory_version
    changed = ann.patch("/me", {"language": "zh_CN", "timezone": "Asia/Shanghai", "version": 1})
    assert (changed.body["language"], changed.body["timezone"], changed.etag) == ("zh-hans", "Asia/Shanghai", '"2"')
    assert ann.get("/me").body == changed.body
    # Nodes hear of it, and the record says who it was.
    assert Tenant.objects.get(id=organisation.id).directory_version == before + 1
    [change] = Change.objects.for_tenant(organisation.id).filter(kind="user", key="ann")
    assert (change.actor, change.before["language"], change.after["language"]) == ("ann", "en", "zh-hans")
    # Half of it, and the same again: that changes nothing.
    assert ann.patch("/me", {"timezone": "", "version": 2}).body["timezone"] == "UTC"
    assert ann.patch("/me", {"language": "zh-hans", "version": 3}).body["version"] == 3


def test_two_windows_do_not_lose_an_edit(api: Any) -> None:
    ann = api("ann")
    ann.patch("/me", {"language": "zh-hans", "version": 1})
    late = ann.patch("/me", {"timezone": "Asia/Tokyo", "version": 1})
    assert (late.status, late.code, late.body["current"]["language"]) == (409, "version_conflict", "zh-hans")
    assert ann.patch("/me", {"timezone": "Asia/Tokyo", "version": 2}, if_match='"1"').status == 412
    assert ann.patch("/me", {"timezone": "Asia/Tokyo"}).status == 422


@pytest.mark.parametrize(
    ("body", "field"),
    [({"language": "xx"}, "language"), ({"timezone": "Mars/Olympus"}, "timezone"), ({"roles": ["dba"]}, "roles")],
)
def test_what_cannot_be_chosen_changes_nothing(api: Any, body: dict[str, Any], field: str) -> None:
    refused = api("ann").patch("/me", {**body, "version": 1})
    assert refused.status == 422
    assert field in str(refused.body["errors"])
    assert api("ann").get("/me").body["version"] == 1


def test_a_source_is_nobody(api: Any) -> None:
    assert api(source="dms").get("/me").status == 403
    assert api(source="dms").patch("/me", {"version": 1}).status == 403
    assert api(token="").get("/me").status == 401


def test_what_can_be_chosen_can_be_asked(api: Any) -> None:
    found = api("ann").get("/me/choices").body
    assert found["languages"] == ["en", "zh-hans"]
    assert {"UTC", "Asia/Shanghai"} < set(found["timezones"])
