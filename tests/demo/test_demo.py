"""`tidings demo --once`, as anybody would run it."""

import html
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import psutil
import pytest
from rich.cells import cell_len

MAY_TAKE = 200.0


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """For all that it writes. Not `tmp_path`: as root PostgreSQL's own user could not pass it."""
    found = Path(tempfile.mkdtemp(prefix="tidings-test-demo-", dir="/tmp"))
    found.chmod(0o755)
    yield found
    shutil.rmtree(found, ignore_errors=True)


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "tidings.cli.main", "demo", "--port", "0", *options]


def environment(folder: Path) -> dict[str, str]:
    """With the settings of a Tidings of one's own, which must not lead the demo astray."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TIDINGS_", "DJANGO_"))}
    own = {"TIDINGS_DATABASE_URL": "postgresql://nobody@/none?host=/nonexistent", "TIDINGS_RETRY_SCHEDULE": "3600"}
    return {**kept, **own, "TMPDIR": str(folder), "COLUMNS": "80"}


@pytest.fixture(scope="module")
def shown(folder: Path) -> str:
    done = subprocess.run(
        command("--once"), env=environment(folder), capture_output=True, text=True, timeout=MAY_TAKE, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def messages(shown: str) -> Path:
    found = re.search(r"file://(\S+)/index\.html", shown)
    assert found
    return Path(found[1])


def said_of(shown: str, event_type: str) -> list[str]:
    """The cards of this type, each on one line."""
    cards = re.split(r"\n(?=(?:\d\d:\d\d|now  ) )", shown)
    return [" ".join(card.split()) for card in cards if card[6:].startswith(event_type)]


def test_the_sums_add_up(shown: str) -> None:
    assert "The sums add up." in shown
    assert "all 58 event types were played" in shown
    assert re.search(r"receivers +have the \d+ deliveries that were sent, in \d+ messages, and no other", shown)
    assert "FAULT" not in shown


def test_big_data_developers_are_told_once_they_are_added(shown: str) -> None:
    before, after = said_of(shown, "schema_design.schema_changed")
    assert "Priya Nair" not in before
    assert "Priya Nair ✓ e-mail because added to the rule" in after
    assert after.count("because added to the rule") == 6


def test_every_silence_has_its_reason(shown: str) -> None:
    for reason in ("rule_off", "role_empty", "unknown_person", "person_disabled", "no_method", "contact_unverified"):
        assert f"({reason})" in shown


def test_trouble_is_seen_and_ends(shown: str) -> None:
    for trouble in ("450 4.2.0 Greylisted", "met 503 deploying", "met 429 too many", "failed for good: 550 5.1.1"):
        assert trouble in " ".join(shown.split())
    assert "fifth try sent" in shown
    notices = said_of(shown, "tidings.contact_point_disabled")
    assert len(notices) == 4
    assert all("Ingrid Larsen ✓ e-mail because administrator" in notice for notice in notices)


def test_a_mobile_without_dingtalk_and_a_number_that_refuses_are_switched_off(shown: str) -> None:
    text = " ".join(shown.split())
    assert "DingTalk to 马瑞: first try failed for good: no account in DingTalk has this mobile" in text
    assert "SMS to 黄伟: not delivered, says its provider: USER_REJECT" in text
    [later] = said_of(shown, "task_orchestration.tasks_run")[-1:]
    assert "– SMS because the address is dead (contact_disabled)" in later
    assert "✓✓ SMS" in text


def test_a_noisy_robot_is_held_back_and_then_names_all_that_waited(shown: str) -> None:
    text = " ".join(shown.split())
    assert "held, because its robot may say no more this minute (dingtalk_robot_rate); goes in" in text
    [most] = re.findall(r"robots +said (\d+) things in a minute at most", shown)
    assert int(most) <= 20
    assert re.search(r"In 数仓值班群 arrives one message that names all \d+: [^›]*backfill-24", text)


def test_the_door_answers(shown: str) -> None:
    text = " ".join(shown.split())
    assert "the same event again: 202" in text
    assert "409 event_id_reused" in text
    assert "422 unknown_event_type" in text
    assert "data_tracking.approved" in text.partition("422 unknown_event_type")[2][:200]


def test_the_terminal_of_80_columns_is_not_exceeded(shown: str) -> None:
    events = shown[: shown.index("The day is over")].splitlines()
    assert max(cell_len(line) for line in events if "file://" not in line) <= 80


def test_messages_can_be_opened(messages: Path) -> None:
    index = (messages / "index.html").read_text("utf-8")
    names = [unquote(html.unescape(name)) for name in re.findall(r'href="([^"]+)"', index)]
    assert len(names) > 200
    assert all((messages / name).stat().st_size for name in names)
    assert {name.rpartition(".")[2] for name in names} == {"html", "eml", "json", "md", "txt"}
    assert "结构" in index


def test_messages_of_the_new_channels_are_as_their_readers_see_them(messages: Path) -> None:
    texts = [path.read_text("utf-8") for path in messages.glob("*.txt")]
    assert all(text.startswith(("【青禾数据】", "【Qinghe】")) for text in texts)
    groups = [path.read_text("utf-8") for path in messages.glob("*-warehouse.md")]
    assert all("@138" in text for text in groups)
    assert max(text.count("backfill-") for text in groups) > 1
    cards = [path.read_text("utf-8") for path in messages.glob("*-wang.lei.md")]
    assert all("](https://dms.qinghe.example/tickets/" in card for card in cards)
    assert any('"messageEvent"' in path.read_text("utf-8") for path in messages.glob("*-sofia.rossi.json"))


def test_no_message_carries_sql(messages: Path) -> None:
    found = [path for path in messages.iterdir() if path.suffix in (".eml", ".html", ".json", ".md", ".txt")]
    assert not any(b"SELECT mobile" in path.read_bytes() for path in found)


def test_nothing_is_left_but_the_messages(messages: Path, folder: Path) -> None:
    assert list(folder.iterdir()) == [messages]
    assert not processes_in(folder)


@pytest.mark.parametrize(("number", "at"), [(signal.SIGINT, "Tidings starts"), (signal.SIGKILL, "It runs after")])
def test_however_it_ends_nothing_is_left(number: signal.Signals, at: str) -> None:
    with tempfile.TemporaryDirectory(prefix="tidings-test-demo-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        process = subprocess.Popen(
            command(), env=environment(folder), stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert process.stdout
        while at not in process.stdout.readline():
            pass
        time.sleep(0.5)
        process.send_signal(number)
        assert process.wait(30) == (130 if number == signal.SIGINT else -signal.SIGKILL)
        until = time.monotonic() + 30
        while time.monotonic() < until and (processes_in(folder) or data_in(folder)):
            time.sleep(0.1)
        assert not processes_in(folder)
        assert not data_in(folder)


def data_in(folder: Path) -> list[Path]:
    return [path for path in folder.glob("tidings-demo-*") if "messages" not in path.name]


def processes_in(folder: Path) -> list[int]:
    """Those that work for a demo in this folder: Tidings by its environment, PostgreSQL by its arguments."""
    found = []
    for process in psutil.process_iter():
        try:
            told = [*process.cmdline(), process.environ().get("TIDINGS_DATA_DIR", "")]
        except psutil.Error:
            continue
        if any(str(folder) in each for each in told):
            found.append(process.pid)
    return found
