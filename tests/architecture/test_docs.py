"""What the pages say works when it is done, all of it in one installation."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))


def test_no_two_examples_send_different_events_under_one_id() -> None:
    keys = Counter(
        key for page in PAGES for key in re.findall(r'"id": "([^"]+)", "source": "([^"]+)", "type"', page.read_text())
    )
    assert keys[("88123-1", "dms-prod")] == 1
    assert [key for key, times in keys.items() if times > 1] == []


def test_every_setting_is_in_the_example_with_how_to_have_it_read() -> None:
    example = (ROOT / ".env.example").read_text()
    read = set(re.findall(r'"(TIDINGS_[A-Z_]+)"', (ROOT / "src/tidings/kernel/settings.py").read_text()))
    assert len(read) > 6
    assert [name for name in sorted(read) if f"#{name}=" not in example] == []
    assert "set -a; . ./.env" in example


def test_pages_that_name_the_command_say_where_it_is() -> None:
    for page in ("README.md", "docs/quickstart.md"):
        assert ".venv/bin" in (ROOT / page).read_text()


def test_the_modules_of_the_two_largest_packages_are_all_in_the_architecture() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    for package, title in (("node", "### Inside a node"), ("kernel", "### Inside the kernel")):
        named = set(re.findall(r"`(\w+)`", page.split(title)[1].split("\n#")[0])) - {package}
        assert named == {each.stem for each in (ROOT / "src/tidings" / package).glob("*.py")} - {"__init__"}


def test_every_way_in_stands_in_the_table_of_sources() -> None:
    """Every adapter, every page about a source, every package that sends."""
    from tidings.events.sources.registry import ADAPTERS

    folder = ROOT / "docs/sources"
    table = (folder / "README.md").read_text().partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert [row for row in rows if row.count(" | ") != 4] == []
    pages = {page.stem for page in folder.glob("*.md")} - {"README"}
    assert sorted(set(ADAPTERS) - pages) == []
    assert [page for page in sorted(pages) if f"]({page}.md" not in table] == []
    senders = [each.parent.name for each in (ROOT / "senders").glob("*/pyproject.toml")]
    assert [sender for sender in senders if f"senders/{sender}" not in table] == []
