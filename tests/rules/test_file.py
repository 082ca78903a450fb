"""`tidings rules`: all rules out as a file, and in again, all or none."""

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

APPROVED = "data_change.approved"
Run = Callable[..., Result]


@pytest.fixture
def run(organisation: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`tidings rules ...` for this organisation."""
    import logging

    from tidings.cli.rules import rules

    monkeypatch.setenv("TIDINGS_RESOLVED_DATABASE_URL", os.environ["TIDINGS_RESOLVED_DATABASE_URL"])
    monkeypatch.setattr(logging.root, "handlers", logging.root.handlers)
    monkeypatch.setattr(logging.root, "level", logging.root.level)

    def command(name: str, *arguments: str, file: object = None) -> Result:
        text = file if isinstance(file, str) else json.dumps(file)
        return CliRunner().invoke(rules, [name, *arguments, "--tenant", organisation.tenant.name], input=text)

    return command


def rule(organisation: Any, code: str = APPROVED) -> dict[str, Any]:
    from tidings.rules.change import content
    from tidings.rules.show import rule_of

    return content(rule_of(organisation.caller(), code))


def test_all_rules_come_out_always_in_the_same_order(run: Run) -> None:
    first = run("export")
    kept = json.loads(first.stdout)["rules"]
    assert (len(kept), list(kept)) == (61, sorted(kept))
    assert kept[APPROVED] == {"enabled": True, "optional_roles": [], "additional_users": []}
    assert run("export").stdout == first.stdout


def test_what_came_out_goes_in_again_and_changes_nothing(run: Run) -> None:
    result = run("apply", "-", file=run("export").stdout)
    assert (result.exit_code, result.stdout) == (0, "0 of 61 rules changed.\n")


def test_what_changed_is_said_and_on_record(run: Run, organisation: Any) -> None:
    from tidings.rules.history import history

    wanted = {"rules": {APPROVED: {"enabled": False, "additional_users": ["bo", "eve"]}, "data_export.approved": {}}}
    result = run("apply", "-", file=wanted)
    assert result.stdout == (
        f"{APPROVED}\n  enabled: yes -> no\n  additional_users: nobody -> bo, eve\n1 of 2 rules changed.\n"
    )
    assert rule(organisation) == {"enabled": False, "optional_roles": [], "additional_users": ["bo", "eve"]}
    [change] = history(organisation.caller(), APPROVED)
    assert (change.actor, change.action, change.after["additional_users"]) == ("command line", "apply", ["bo", "eve"])


def test_a_dry_run_only_says_what_would_change(run: Run, organisation: Any) -> None:
    result = run("apply", "-", "--dry-run", file={"rules": {APPROVED: {"optional_roles": ["approver"]}}})
    assert result.stdout == f"{APPROVED}\n  optional_roles: nobody -> approver\n1 of 1 rules would change.\n"
    assert rule(organisation)["optional_roles"] == []


def test_one_wrong_rule_and_nothing_is_changed(run: Run, organisation: Any) -> None:
    wrong = {"optional_roles": ["emperor"], "additional_users": ["nobody"]}
    result = run("apply", "-", file={"rules": {APPROVED: {"enabled": False}, "data_export.approved": wrong}})
    assert result.exit_code == 1
    assert "data_export.approved" in result.output
    assert "emperor" in result.output
    assert "nobody" in result.output
    assert rule(organisation)["enabled"] is True


def test_an_unknown_event_type_is_named_with_the_nearest(run: Run) -> None:
    result = run("apply", "-", file={"rules": {"data_change.aproved": {}}})
    assert result.exit_code == 1
    assert "data_change.aproved" in result.output
    assert f"did you mean {APPROVED}" in result.output


@pytest.mark.parametrize(
    "file",
    ["", "[]", "{", '{"rules": []}', '{"rules": {"a": {"enable": true}}}', '{"rules": {}, "x": 1}', "[" * 100_000],
)
def test_what_is_no_such_file_is_refused_in_words(run: Run, file: str) -> None:
    result = run("apply", "-", file=file)
    assert result.exit_code == 1
    assert "not what `tidings rules export` writes" in result.output
