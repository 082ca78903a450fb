"""How sources are read, in a file: written out, tried, applied, all of it or nothing."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.cli.conftest import Tidings

DESK = {
    "adapter": "json",
    "rows": [{"status": "asked", "type": "data_change.pending_approval"}, {"status": "chat", "type": None}],
    "options": {"status": "body.state", "subject_id": "body.no", "submitter": "body.by", "id": "headers.x_delivery"},
    "ignored_people": ["robot"],
}
BODY = {"state": "asked", "no": 5, "by": "boss"}


@pytest.fixture
def acme(tidings: Tidings) -> Tidings:
    assert tidings("tenant", "create", "Acme", "--admin", "boss").returncode == 0
    return tidings


def file(**sources: Any) -> str:
    return json.dumps({"sources": sources})


def test_what_was_written_out_is_taken_in_again(acme: Tidings) -> None:
    ended = acme("sources", "apply", "-", input=file(desk=DESK, yard={"adapter": "dms", "rows": []}))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[:2] == ["desk (new)", "  adapter: none -> json"]
    written = acme("sources", "export")
    assert json.loads(written.stdout)["sources"]["desk"] == DESK
    assert list(json.loads(written.stdout)["sources"]) == ["desk", "yard"]
    assert acme("sources", "apply", "-", input=written.stdout).stdout == "0 of 2 sources changed.\n"
    assert list(json.loads(acme("sources", "export", "yard").stdout)["sources"]) == ["yard"]
    assert "no such source" in acme("sources", "export", "nobody").stderr


def test_what_changes_is_said_and_what_is_left_out_stays(acme: Tidings) -> None:
    acme("sources", "apply", "-", input=file(desk=DESK))
    options = {**DESK["options"], "title": "body.text"}  # type: ignore[dict-item]
    wanted = file(desk={"options": options, "ignored_people": ["robot", "bot"]})
    expected = ["desk", "  title: none -> body.text", "  ignored_people: + bot"]
    ended = acme("sources", "apply", "-", "--dry-run", input=wanted)
    assert ended.stdout.splitlines() == [*expected, "1 of 1 sources would change."]
    ended = acme("sources", "apply", "-", input=wanted)
    assert ended.stdout.splitlines() == [*expected, "1 of 1 sources changed."]
    rows = acme("sources", "apply", "-", input=file(desk={"rows": DESK["rows"][::-1]}))  # type: ignore[index]
    assert rows.stdout.splitlines()[1:] == ["  rows: in another order", "1 of 1 sources changed."]


def test_all_or_nothing(acme: Tidings, empty_database: str) -> None:
    wanted = file(
        desk=DESK,
        bad={"adapter": "json", "options": {"id": "ticket.id"}},
        worse={"adapter": "fax"},
        none={},
        tidings={"adapter": "json"},
    )
    ended = acme("sources", "apply", "-", input=wanted)
    assert (ended.returncode, ended.stdout) == (1, "")
    said = ended.stderr.splitlines()
    assert said[0] == "Error: These sources cannot be set up so; nothing was changed."
    assert said[1].startswith("  bad: id: begins with ticket")
    assert [line.split(":")[0].strip() for line in said[1:]] == ["bad", "worse", "none", "tidings"]
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT count(*) FROM accounts_source").fetchone() == (0,)
    assert "unknown field `rowz`" in acme("sources", "apply", "-", input=file(desk={"rowz": []})).stderr


def test_a_sample_is_tried_before_anything_is_there(acme: Tidings, tmp_path: Path, empty_database: str) -> None:
    kept = tmp_path / "sources.json"
    kept.write_text(file(desk=DESK, yard={"adapter": "dms"}))

    def tried(body: Any, *more: str) -> Any:
        return acme("sources", "try", str(kept), "-", "--source", "desk", *more, input=json.dumps(body))

    ended = tried(BODY, "-H", "X-Delivery: d-1")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert '"id": "d-1"' in ended.stdout
    assert "not told: approver: role_empty" in ended.stdout.splitlines()
    answer = json.loads(tried(BODY, "--json").stdout)
    assert (answer["events"][0]["people"], answer["plans"][0]["skips"]) == (
        {"submitter": "boss"},
        [{"role": "approver", "reason": "role_empty"}],
    )
    ended = tried({**BODY, "state": "gone"})
    assert (ended.returncode, ended.stdout.split(":")[0]) == (1, "parked, unmapped")
    assert tried({**BODY, "state": "chat"}).stdout == "Nobody wants to know: no event, and nothing is parked.\n"
    assert "is no header" in tried(BODY, "-H", "X-Delivery").stderr
    assert "the file has: desk, yard" in acme("sources", "try", str(kept), "-", input="{}").stderr
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT count(*) FROM accounts_source").fetchone() == (0,)


def test_a_sample_is_tried_on_what_is_stored_where_the_file_says_nothing(acme: Tidings, tmp_path: Path) -> None:
    acme("sources", "apply", "-", input=file(desk=DESK))
    kept = tmp_path / "sources.json"
    kept.write_text(file(desk={"ignored_people": ["boss"]}))
    ended = acme("sources", "try", str(kept), "-", "--json", input=json.dumps(BODY))
    assert json.loads(ended.stdout)["events"][0]["type"] == "data_change.pending_approval"
    assert json.loads(ended.stdout)["events"][0]["people"] == {}
