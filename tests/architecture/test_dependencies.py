"""Dependencies are few, declared, locked and justified: `docs/dependencies.md` names each with its licence and why."""

import ast
import json
import re
import sys
import tomllib
from importlib.metadata import metadata, packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = {
    "At run time": PROJECT["project"]["dependencies"],
    "For `tidings demo` and the tests": PROJECT["project"]["optional-dependencies"]["demo"],
    "For traces (`tidings[otel]`)": PROJECT["project"]["optional-dependencies"]["otel"],
    "For message buses (`tidings[kafka]`, `[rabbitmq]`, `[nats]`, `[redis]`)": [
        *(
            each
            for kind in ("kafka", "rabbitmq", "nats", "redis")
            for each in PROJECT["project"]["optional-dependencies"][kind]
        )
    ],
    "To work on it": PROJECT["dependency-groups"]["dev"],
}


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def rows(heading: str) -> dict[str, list[str]]:
    """package: licence, what for, why; of the table under this heading."""
    page = (ROOT / "docs" / "dependencies.md").read_text()
    table = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    cells = [[each.strip() for each in line.strip("|").split("|")] for line in table.splitlines() if line[:3] == "| `"]
    return {row[0].strip("`"): row[1:] for row in cells}


@pytest.mark.parametrize("heading", GROUPS)
def test_each_is_on_the_page_and_no_other(heading: str) -> None:
    assert sorted(rows(heading)) == sorted(map(name_of, GROUPS[heading]))
    for name, (licence, purpose, _) in rows(heading).items():
        assert licence and purpose, name


def test_those_of_npm_are_on_the_page_with_their_licences() -> None:
    package = json.loads((ROOT / "assets" / "package.json").read_text())
    locked = json.loads((ROOT / "assets" / "package-lock.json").read_text())["packages"]
    told = rows("In the browser (npm)")
    assert sorted(told) == sorted({**package["dependencies"], **package["devDependencies"]})
    for name, row in told.items():
        assert row[0] == locked[f"node_modules/{name}"]["license"], name
    assert all("integrity" in each for path, each in locked.items() if path)


@pytest.mark.parametrize("heading", GROUPS)
def test_licences_are_those_that_the_packages_name(heading: str) -> None:
    for name, row in rows(heading).items():
        of = metadata(name)
        named = [each.split("::")[-1] for each in of.get_all("Classifier") or [] if each.startswith("License")]
        said = " ".join([of.get("License-Expression") or "", of.get("License") or "", *named]).lower()
        if said.strip():
            assert any(word.lower() in said for word in re.split(r"[-\s]", row[0]) if word not in ("OR", "AND")), name


def test_everything_that_is_imported_is_declared() -> None:
    """What comes along with something else may go with it."""
    declared = {name_of(each) for heading, group in GROUPS.items() if heading != "To work on it" for each in group}
    of_module = packages_distributions()
    imported = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and not node.level and node.module:
                imported.add(node.module.partition(".")[0])
            elif isinstance(node, ast.Import):
                imported |= {each.name.partition(".")[0] for each in node.names}
    foreign = {each for each in imported if each not in sys.stdlib_module_names and each != "tidings"}
    undeclared = {each for each in foreign if not set(map(name_of, of_module.get(each, [each]))) & declared}
    assert undeclared == set()


@pytest.mark.parametrize("lock", ["all.txt", "uv.txt", "audit.txt"])
def test_every_package_is_locked_with_hashes_and_from_no_named_index(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text()
    packages = [each for each in re.split(r"\n(?=[A-Za-z0-9])", text) if each.strip()]
    assert packages
    for each in packages:
        assert re.match(r"[A-Za-z0-9._-]+==\S+", each), each[:60]
        assert "--hash=sha256:" in each, each[:60]
    assert not re.search(r"--(?:index|extra-index|find-links|trusted)|://", text)


def test_every_direct_dependency_is_in_the_lock() -> None:
    locked = set(re.findall(r"(?m)^([a-z0-9._-]+)==", (ROOT / "requirements" / "all.txt").read_text()))
    wanted = {name_of(each) for group in GROUPS.values() for each in group}
    assert wanted - locked == set()
