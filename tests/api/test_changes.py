"""The record of changes is looked through by administrators, and taken along as a file."""

import csv
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest


@pytest.fixture
def root(api: Any) -> Any:
    """Somebody new, their name, their end; and a rule."""
    client = api("root")
    client.put("/users/amy", {"name": "Amy"})
    client.put("/users/amy", {"name": "=Anna"})
    client.delete("/users/amy")
    client.post("/rules/batch", {"event_types": ["data_change.successful"], "enabled": False})
    return client


def _told(answer: Any) -> list[tuple[str, str, str]]:
    return [(each["action"], each["kind"], each["key"]) for each in answer.body["items"]]


def test_the_newest_comes_first_with_before_and_after(root: Any) -> None:
    answer = root.get("/changes")
    assert _told(answer)[:4] == [
        ("switch", "rule", "data_change.successful"),
        ("depart", "user", "amy"),
        ("change", "user", "amy"),
        ("create", "user", "amy"),
    ]
    renamed = answer.body["items"][2]
    assert (renamed["actor"], renamed["before"]["name"], renamed["after"]["name"]) == ("root", "Amy", "=Anna")
    assert datetime.now(UTC) - datetime.fromisoformat(renamed["at"]) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"kind": "user"}, 3),
        ({"key": "amy"}, 3),
        ({"key": "amy", "kind": "rule"}, 0),
        ({"action": "depart"}, 1),
        ({"actor": "root", "action": "switch"}, 1),
        ({"actor": "ann"}, 0),
        ({"since": "2020-01-01T00:00:00Z", "kind": "user"}, 3),
        ({"until": "2020-01-01T00:00:00Z"}, 0),
        ({"since": "9999-01-01T00:00:00Z"}, 0),
    ],
)
def test_they_are_filtered(root: Any, filters: dict[str, str], count: int) -> None:
    assert len(root.get("/changes", **filters).body["items"]) == count


def test_they_are_read_by_the_page(root: Any) -> None:
    first = root.get("/changes", limit=2).body
    second = root.get("/changes", limit=2, cursor=first["next_cursor"]).body
    assert [each["action"] for each in first["items"] + second["items"]] == ["switch", "depart", "change", "create"]


def test_a_filter_with_a_typing_error_is_refused(root: Any) -> None:
    assert root.get("/changes", kinds="user").status == 422
    assert root.get("/changes", since="yesterday").status == 422


def test_a_file_for_a_spreadsheet_runs_nothing(root: Any, api: Any) -> None:
    answer = root.get("/changes.csv", kind="user")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="changes.csv"'
    rows = list(csv.DictReader(answer.body.decode().splitlines()))
    assert [row["action"] for row in rows] == ["depart", "change", "create"]
    assert json.loads(rows[1]["after"])["name"] == "=Anna"
    assert rows[2]["before"] == ""
    root.put("/instances/=cmd", {})
    assert b",'=cmd," in root.get("/changes.csv", kind="instance").body
    assert root.get("/changes.csv", excel="true").body.startswith(b"\xef\xbb\xbf")


def test_a_file_for_programs_has_one_change_a_line(root: Any) -> None:
    lines = root.get("/changes.ndjson", kind="user").body.decode().splitlines()
    assert [json.loads(line) for line in lines] == root.get("/changes", kind="user").body["items"]


def test_a_long_file_says_where_the_next_begins(root: Any) -> None:
    from urllib.parse import parse_qsl, urlsplit

    answer = root.get("/changes.ndjson", kind="user", limit=2)
    link = answer.headers["Link"].removesuffix('>; rel="next"').removeprefix("<")
    following = root.get("/changes.ndjson", **dict(parse_qsl(urlsplit(link).query)))
    assert [json.loads(line)["action"] for line in following.body.splitlines()] == ["create"]
    assert "Link" not in following.headers


@pytest.mark.parametrize("path", ["/changes", "/changes.csv", "/changes.ndjson"])
def test_only_administrators_see_them(api: Any, path: str) -> None:
    for login in ("ann", "carol", "eve"):
        assert api(login).get(path).code == "forbidden"
    assert api(token="").get(path).status == 401


def test_tenants_are_walls(root: Any, api: Any) -> None:
    mallory = api("mallory").get("/changes").body["items"]
    assert {each["actor"] for each in mallory} == {"mallory"}
