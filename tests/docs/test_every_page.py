"""What the pages tell people to do, done: each `sh` block, each sample, each answer, each piece of Python, in the order
of the page, on a real node. How a page must look for it stands in `blocks.py`."""

from pathlib import Path
from typing import Any

import pytest
from tests.docs.blocks import blocks_of
from tests.docs.conftest import Served
from tests.docs.played import ROOT, Player, imports_of, unlike

from tidings.events.sources.registry import ADAPTERS

PAGES = [ROOT / "README.md", ROOT / "docs" / "quickstart.md", *sorted((ROOT / "docs" / "sources").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_says_works(page: Path, node: Served, organisation: Any, tmp_path: Path) -> None:
    code = page.stem if page.stem in ADAPTERS else ""
    tokens = organisation.token("root"), organisation.source_token("of-the-page")
    player = Player(code, node.url, *tokens, tmp_path, node.shell)
    blocks = blocks_of(page)
    try:
        for block, after in zip(blocks, [*blocks[1:], None], strict=False):
            player.play(block)
            if block.kind == "sample" and code and not (after and after.kind == "answer"):
                assert player.answer["events"], f"line {block.line}: it became no event: {player.answer}"
    finally:
        player.end()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_that_needs_another_platform_is_said_to_be_run_with_it(page: Path) -> None:
    """What is not installed here is run by the tests of its sender, in an environment of their own."""
    import importlib.util

    away = {
        name
        for block in blocks_of(page)
        if block.kind == "python"
        for name in imports_of(block.text)
        if importlib.util.find_spec(name) is None
    }
    assert not away or "senders/" in page.read_text("utf-8"), f"say which of senders/ has its tests run {away}"


def test_what_is_for_people_only_is_left_to_them(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "1. One:\n   ```sh\n   true\n   ```\n\n```shell\nmake serve\n```\n\n```\nX: y\n\n{\"a\": 1}\n```\n\n"
        "```json\n{\"parked\": 1}\n```\n\nand\n\n```json\n{\"c\": 1}\n```\n\n```\nnot JSON\n```\n\n```python\npass\n```\n"
    )  # fmt: skip
    kinds = [(block.kind, block.line, block.content, block.headers) for block in blocks_of(page)]
    assert kinds == [
        ("sh", 2, None, ()),
        ("sample", 10, {"a": 1}, (("x", "y"),)),
        ("answer", 16, {"parked": 1}, ()),
        ("sample", 22, {"c": 1}, ()),
        ("python", 30, None, ()),
    ]


def test_an_answer_is_compared_by_its_names_and_its_reasons() -> None:
    shown = {"events": [{"id": "019a9f5c-2f40-7c31-8a6e-3d5b00000000", "duplicate": False}], "parked": None}
    kept = {"events": [{"id": "019a9f5c-2f40-7c31-8a6e-3d5b00000001", "duplicate": False}], "parked": None}
    assert list(unlike(shown, kept)) == []
    parked = {"events": [], "parked": {"reason": "unmapped"}}
    assert list(unlike(shown, parked)) != []
    assert list(unlike({"reason": "test_message"}, {"reason": "unmapped"})) != []
    assert list(unlike({"a": "some text"}, {"a": "another"})) == []
