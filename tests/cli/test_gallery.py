"""`tidings gallery` in a process of its own, where there is neither a database nor a Tidings."""

import os
import re
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.cli.conftest import COMMAND

from tidings.channels.gallery.page import markdown, page
from tidings.channels.gallery.pieces import Piece, pieces, shapes
from tidings.channels.registry import CHANNELS
from tidings.messages.examples import example_types

SHAPES = ["dingtalk", "dingtalk_robot", "email", "sms-aliyun", "sms-twilio", "webhook", "webhook-dms"]
HOSTILE = "<script>alert(1)</script>\"' onload=x [a](javascript:alert(1)) ${page}"


def gallery(*arguments: str) -> "subprocess.CompletedProcess[str]":
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("TIDINGS_", "DJANGO_"))}
    return subprocess.run(
        [*COMMAND, "gallery", *arguments],
        env={**bare, "TIDINGS_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


class Read(HTMLParser):
    """Tags and attributes of a page, and of the pages in it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.names: set[str] = set()
        self.ids: list[str] = []
        self.classes: Counter[str] = Counter()
        self.links: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        values = {name: value or "" for name, value in attrs}
        self.names |= set(values)
        self.ids += [values["id"]] if "id" in values else []
        self.classes.update(values.get("class", "").split())
        self.links |= {values[name] for name in ("href", "src") if name in values}
        if "srcdoc" in values:
            inner = Read()
            inner.feed(values["srcdoc"])
            self.names |= inner.names
            self.links |= inner.links
            self.tags.update({f"mail {tag}": count for tag, count in inner.tags.items()})


def read(text: str) -> Read:
    reader = Read()
    reader.feed(text)
    return reader


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("gallery") / "new" / "folder"
    ended = gallery("--folder", str(made))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"{len(list(made.iterdir()))} files in {made}" in ended.stdout
    return made


def test_a_folder_holds_each_message_in_a_file_of_its_own(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    endings = {"email": ("eml", "html"), "dingtalk": ("md",), "dingtalk_robot": ("md",), "webhook": ("json",)}
    wanted = {
        f"{event_type}.{shape}.{language}.{ending}"
        for event_type in example_types()
        for shape in SHAPES
        for language in ("en", "zh-hans")
        for ending in endings.get(shape.partition("-")[0], ("txt",))
    }
    assert names == {*wanted, "index.html"}


def test_the_page_shows_all_58_on_every_channel_in_both_languages(folder: Path) -> None:
    seen = read((folder / "index.html").read_text("utf-8"))
    assert set(example_types()) <= set(seen.ids)
    assert len(seen.ids) == len(set(seen.ids))
    assert seen.classes["event"] == 58
    for shape in SHAPES:
        assert seen.classes[f"shape-{shape}"] == 2 * 58
    assert seen.tags["iframe"] == seen.tags["mail h1"] == 2 * 58


def test_the_page_needs_nothing_else_and_runs_nothing(folder: Path) -> None:
    text = (folder / "index.html").read_text("utf-8")
    seen = read(text)
    assert {"script", "link", "img", "mail script", "mail img"} & set(seen.tags) == set()
    assert [name for name in seen.names if name.startswith("on")] == []
    assert [link for link in seen.links if not link.startswith(("#", "https://"))] == []
    assert {link[1:] for link in seen.links if link.startswith("#")} <= set(seen.ids)
    assert not re.search(r"url\(|@import", text)
    # What a choice hides is there to be chosen.
    assert set(re.findall(r"body:has\(#([\w-]+):checked\)", text)) <= set(seen.ids)


def test_what_others_wrote_is_text_on_the_page() -> None:
    def hostile(piece: Piece) -> Piece:
        shown = piece.shown
        changed = replace(shown, text=f"### {HOSTILE}\n\n{HOSTILE}", title=HOSTILE, sender=HOSTILE, note=HOSTILE)
        return Piece(piece.shape, piece.language, piece.document, replace(changed, button=HOSTILE, link="javascript:x"))

    made = list(pieces(shapes(CHANNELS), ["data_change.failed"], ["en"]))
    harmless, changed = read(page(made)), read(page([hostile(piece) for piece in made]))
    assert "script" not in changed.tags
    assert changed.names <= harmless.names
    assert not any(link.startswith("javascript") for link in changed.links)


def test_markdown_is_shown_as_its_readers_see_it() -> None:
    text = "### Head <1>\n\n> Earlier\n\n- **What** a & b\n- **Where** c_d\n\n→ Do\n\n[Open](https://a.example/?b=1&c=2) · 1"
    assert markdown(text) == (
        "<h4>Head &lt;1&gt;</h4><blockquote>Earlier</blockquote>"
        "<ul><li><b>What</b> a &amp; b</li><li><b>Where</b> c_d</li></ul><p>→ Do</p>"
        '<p><a href="https://a.example/?b=1&amp;c=2">Open</a> · 1</p>'
    )


def test_one_message_is_printed_as_its_reader_sees_it() -> None:
    ended = gallery("--type", "data_change.pending_approval", "--language", "en", "--channel", "sms-twilio")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[1:] == [
        "From: +15005550006",
        "",
        "Data change 88123: Pending approval",
        "Mark refunds of 11 November as settled",
        "https://dms.example.com/tickets/88123",
        "",
        "(1 segment)",
        "",
    ]
    both = gallery("--type", "data_change.pending_approval", "--language", "en", "--channel", "sms").stdout
    assert ended.stdout in both
    assert both.count("──\n") == 2


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--channel", "fax", "sms-twilio"),
        ("--type", "data_change.aproved", "data_change.approved"),
        ("--language", "fr", "zh-hans"),
    ],
)
def test_what_there_is_not_is_answered_with_what_there_is(option: str, value: str, says: str) -> None:
    ended = gallery(option, value)
    assert ended.returncode == 2
    assert says in ended.stderr
