"""What no form of ours sends is refused, and no page fails by it."""

from collections.abc import Callable
from typing import Any

import pytest

Console = Callable[..., Any]
RULE = "data_change.approved"
LONG = "1" * 5_000


@pytest.mark.parametrize("version", ["²", LONG, "-1", "", "1" * 10])
def test_a_version_that_is_no_number_is_none(console: Console, version: str) -> None:
    root = console()
    refused = [
        root.post("/console/rules/undo", {"rule": f"{RULE}:{version}"}),
        root.post(f"/console/rules/{RULE}/switch", {"enabled": "true", "version": version}),
        root.post(f"/console/rules/{RULE}/restore", {"restore": version, "version": "1"}),
        root.get(f"/console/rules/{RULE}/restore", {"version": version}),
        root.post("/console/organisation", {"language": "en", "timezone": "UTC", "version": version}),
        root.post("/console/channels/email", {"version": version}),
    ]
    assert [answer.status_code for answer in refused] == [422, 422, 422, 404, 409, refused[-1].status_code]
    assert refused[-1].status_code < 500


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59"])
@pytest.mark.parametrize("page", ["activity", "deliveries", "audit"])
@pytest.mark.parametrize("which", ["since", "until"])
def test_a_moment_at_the_end_of_time_is_passed_over(console: Console, page: str, which: str, moment: str) -> None:
    assert console().get(f"/console/{page}", {which: moment}).status_code == 200


@pytest.mark.parametrize("event_type", ["a/b", "no.such"])
def test_people_for_a_rule_that_is_none_are_not_found(console: Console, event_type: str) -> None:
    query = {"search": "a", "event_type": event_type}
    assert console(part=True).get("/console/rules/people", query).status_code == 404


@pytest.mark.parametrize("part", [False, True])
@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("channels/email/test", {"to": "a\0b"}),
        (f"rules/{RULE}", {"version": "1", "additional_users": ["ann", "a\0"]}),
        (f"rules/{RULE}/users", {"version": "1", "add": "\0"}),
        ("people/ann", {"name\0": "Ann"}),
    ],
)
def test_a_form_with_the_character_that_is_stored_nowhere_is_refused(
    console: Console, path: str, form: dict[str, Any], part: bool
) -> None:
    answer = console(part=part).post(f"/console/{path}", form)
    assert answer.status_code == 422
    assert "U+0000" in answer.content.decode()


@pytest.mark.parametrize("back", ["/console/rules?q=\r\nSet-Cookie: a=b", "/console/rules?q=\x7f", "//evil.example"])
def test_a_way_back_that_cannot_stand_in_a_header_leads_to_the_list(console: Console, back: str) -> None:
    form = {"event_type": RULE, "enabled": "true", "confirmed": "1", "back": back}
    assert console(part=True).post("/console/rules/batch", form)["HX-Redirect"] == "/console/rules"
    assert console().post("/console/rules/batch", form)["Location"] == "/console/rules"


def test_a_way_back_in_chinese_arrives(console: Console) -> None:
    form = {"event_type": RULE, "enabled": "true", "confirmed": "1", "back": "/console/rules?q=变更"}
    there = "/console/rules?q=%E5%8F%98%E6%9B%B4"
    assert console(part=True).post("/console/rules/batch", form)["HX-Redirect"] == there
