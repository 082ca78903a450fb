"""An entry is one line, says what it is about, and cannot be written by anybody but us."""

import io
import json
import logging
import subprocess
import sys
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.kernel.logs import REQUEST, OneLine, OneObject, set_up_logs, visible

HOSTILE = "1\n2026-11-26T10:00:00.000+00:00 error tidings: forged event=x\r\x1b[31m\u2028\u202e\x85\x00\ud800\U000e0001"


def entry(formatter: logging.Formatter, message: str, *arguments: Any, error: bool = False, **extra: Any) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    log = logging.Logger("tidings.test")
    log.addHandler(handler)
    try:
        raise ValueError(arguments[0] if arguments else "")
    except ValueError:
        log.error(message, *arguments, exc_info=error, extra=extra)
    return stream.getvalue()


def test_an_entry_of_text_is_one_line_with_its_ids() -> None:
    said = entry(
        OneLine(), "failed after %d tries", 3, event="0198", channel="sms", reason="no such number", secret="x"
    )
    assert said.endswith(' error tidings.test: failed after 3 tries event=0198 channel=sms reason="no such number"\n')
    assert said[:2] == "20" and said[23:29] == "+00:00"


def test_an_entry_of_json_is_one_object_with_its_ids() -> None:
    said = entry(OneObject(), "失败 after %d tries", 3, event="0198", ms=1.5, source="", password="x", error=True)
    assert said.count("\n") == 1 and "失败" in said
    read = json.loads(said)
    assert list(read) == ["time", "level", "logger", "message", "event", "ms", "exception"]
    assert (read["level"], read["logger"], read["ms"]) == ("error", "tidings.test", 1.5)
    assert "test_logs.py" in read["exception"] and read["exception"].endswith("ValueError")


def test_what_is_stuck_is_said_with_since_when_and_under_which_lease() -> None:
    assert entry(OneLine(), "late", due_at="2026-11-26T10:00:00+00:00").endswith(" due_at=2026-11-26T10:00:00+00:00\n")
    assert entry(OneLine(), "buried", lease=7).endswith(" lease=7\n")


def test_what_is_said_while_a_call_is_answered_carries_its_id() -> None:
    token = REQUEST.set("r1")
    try:
        assert entry(OneLine(), "slow", event="1").endswith("slow event=1 request=r1\n")
        assert json.loads(entry(OneObject(), "slow"))["request"] == "r1"
    finally:
        REQUEST.reset(token)


@pytest.mark.parametrize("formatter", [OneLine(), OneObject()])
@given(text=st.text() | st.just(HOSTILE))
def test_nothing_that_is_logged_can_look_like_another_entry(formatter: logging.Formatter, text: str) -> None:
    said = entry(formatter, f"{text.replace('%', '%%')} %s", text, event=text, reason=text, error=True)
    first, *more = said.removesuffix("\n").split("\n")
    assert all(line.startswith("    ") for line in more)  # of a traceback
    for each in first, *more:
        assert each.isprintable()
        assert not any(unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp") for one in each)
    if isinstance(formatter, OneObject):
        assert not more
        assert json.loads(first)["event" if text else "message"] is not None
        assert json.loads(first).get("reason", "") == text


def test_a_value_cannot_pretend_to_be_the_next_one() -> None:
    said = entry(OneLine(), "parked", source='x" event=1', reason="a event=2")
    assert said.endswith('parked source="x\\" event=1" reason="a event=2"\n')


def test_what_is_seen_stays_as_it_is() -> None:
    assert visible("数据变更 é — 1") == "数据变更 é — 1"
    assert visible("a\tb\n") == "a\\tb\\n"


def lines(*options: str) -> list[str]:
    """What a process with these settings says of three levels, of ours and of others."""
    program = (
        "import logging; from tidings.kernel.settings import read_settings as r; from tidings.kernel.logs import *;"
        "import os; own = r(os.environ); set_up_logs(level=own.log_level, form=own.log_format);\n"
        "for name in ('tidings.x', 'django.db.backends', 'uvicorn.error', 'django.request'):\n"
        "  for level in ('debug', 'info', 'warning', 'error'): getattr(logging.getLogger(name), level)(level)"
    )
    environment = dict(each.split("=") for each in options) | {
        "TIDINGS_DATA_DIR": "/tmp", "TIDINGS_SECRET_KEYS": "x" * 32, "PATH": "/bin"
    }  # fmt: skip
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert ran.stdout == ""
    return ran.stderr.splitlines()


def test_what_django_says_of_a_failure_outside_a_view_names_no_address() -> None:
    handlers, level = logging.root.handlers, logging.root.level
    set_up_logs()
    logging.root.handlers, logging.root.level = handlers, level
    for error in (None, (ValueError, ValueError("x"), None)):
        record = logging.LogRecord("django.request", logging.ERROR, "", 1, "%s: %s", ("Error", "/console/key"), error)
        kept = logging.getLogger("django.request").filter(record)
        assert bool(kept) is (error is not None)
        assert "/console/key" not in OneLine().format(record)


def test_debug_is_of_our_own_code_alone_since_others_print_statements_and_what_stands_in_them() -> None:
    debug = [json.loads(line) for line in lines("TIDINGS_LOG_LEVEL=debug", "TIDINGS_LOG_FORMAT=json")]
    assert [one["logger"] for one in debug if one["level"] == "debug"] == ["tidings.x"]
    assert "warning" in {one["level"] for one in debug if one["logger"] == "uvicorn.error"}
    assert len([line for line in lines() if " info tidings.x" in line]) == 1
    assert not [line for line in lines("TIDINGS_LOG_LEVEL=error") if " error " not in line]
