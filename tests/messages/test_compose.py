"""What of an event becomes a message, and what stays behind the link. Pure."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.messages.compose import NODE_NAME_AT_MOST, SHOWN_DETAILS, compose
from tidings.messages.document import Document, Newer, Occasion, Reader

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def occasion(**changes: Any) -> Occasion:
    about: dict[str, Any] = {
        "event_id": str(uuid4()),  # texts are kept by it
        "event_type": "data_change.pending_approval",
        "tone": "action",
        "time": NOON,
        "subject_kind": "ticket",
        "subject_id": "88123",
        "title": "Add index on orders",
        "feature_labels": {"en": "Data change", "zh-hans": "数据变更"},
        "event_labels": {"en": "Pending approval", "zh-hans": "待审批"},
    }
    return Occasion(**about | changes)


def composed(language: str = "en", timezone: str = "UTC", **changes: Any) -> Document:
    return compose(occasion(**changes), Reader("bo", "Bo", language, timezone, ()))


def shown(name: str, value: Any, language: str = "en") -> str | None:
    """The fact made of this detail."""
    facts = {fact.key: fact.value for fact in composed(language, details={name: value}).facts}
    return facts.get(name)


# details


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("risk", "LOW", "Low"),
        ("risk", "moderate", "Medium"),
        ("environment", "production", "Production"),
        ("exec_mode", "AUTO", "Automatic after approval"),
        ("environment", "生产", "Production"),
        ("failed_tasks", ["load"], "load"),
        (
            "failed_tasks",
            ["load[3]", "dwd.orders-daily", "a/b:c_d", "load"],
            "load[3], dwd.orders-daily, a/b:c_d … (+1)",
        ),
        ("failed_tasks", ["加载_20261123", "Two words", "加载_20261123", "x"], "加载_20261123, x"),
        ("failed_tasks", ["a" * 100, "b" * 40, "c"], "a" * 100 + " … (+2)"),
        ("affected_rows", 1_234_567, "1,234,567"),
        ("affected_rows", "1200", "1,200"),
        ("affected_rows", 120.0, "120"),
        ("affected_rows", 0, "0"),
        ("approval_node", "DBA", "DBA"),
        ("approval_node", "Owner approval - level 2", "Owner approval - level 2"),
        ("approval_node", "库 Owner 审批", "库 Owner 审批"),
    ],
)
def test_words_of_the_vocabulary_counts_and_short_labels_are_shown(name: str, value: Any, text: str) -> None:
    assert shown(name, value) == text


SQL = ("DROP TABLE users", "delete from users", "x UNION SELECT pw FROM users", "UPDATE u SET a")
FREE = (
    *SQL, "SELECT * FROM users WHERE mobile = '13912345678'", "'; --", "a=1", "Zhang San 13912345678", "zoe@example.com",
    "a, b", "x" * 41, "one two three four five six", "two  spaces", " leading", "line\nbreak", "a\u202eb", "-", "_", "",
)  # fmt: skip


@pytest.mark.parametrize("value", FREE)
@pytest.mark.parametrize("name", SHOWN_DETAILS)
def test_sql_literals_and_free_text_are_not_shown(name: str, value: str) -> None:
    assert shown(name, value) is None
    assert shown(name, value, "zh-hans") is None


NO_TASKS = (
    *(value for value in FREE if not re.fullmatch(r"x+|-|_", value)), "x" * 101, "a" * 10_000_000, "http://x.example/y",
    "//x", "call_13912345678", "load(1)", "x'1'", "`x`", "<b>", "x\n", "{x}", "[x](y)", "a;b", "$x", "é" + chr(0x301),
)  # fmt: skip


@pytest.mark.parametrize("value", NO_TASKS, ids=lambda value: value[:20])
def test_what_is_no_identifier_is_no_name_of_a_task(value: str) -> None:
    assert shown("failed_tasks", [value]) is None
    assert shown("failed_tasks", ["load", value, value, value, value], "zh-hans") == "load"


@pytest.mark.parametrize("value", [[None], ["load", 7], [["load"]], [{"task": "load"}], {"load": 1}, "load", []])
def test_names_of_tasks_are_a_list_of_texts_and_nothing_else(value: Any) -> None:
    assert shown("failed_tasks", value) is None


@given(st.lists(st.text(alphabet=st.sampled_from("ab_.-[]/: '9@\n加"), max_size=120)))
def test_whatever_tasks_are_called_the_line_of_them_is_short(names: list[str]) -> None:
    text = shown("failed_tasks", names) or ""
    assert len(text) <= 120 + len(" … (+99999)")
    assert text.isprintable()
    assert not set(text.partition(" … ")[0]) & set("'@")


@pytest.mark.parametrize("value", [None, True, ["no name"], {"LOW": 1}, -1, 1e300, float("inf"), float("nan"), 10**16])
@pytest.mark.parametrize("name", SHOWN_DETAILS)
def test_what_is_no_word_and_no_count_is_not_shown(name: str, value: Any) -> None:
    assert shown(name, value) is None


def test_a_number_is_no_risk_and_no_name() -> None:
    assert [shown(name, 7) for name in ("risk", "environment", "exec_mode", "approval_node")] == [None] * 4


def test_details_that_are_not_among_the_shown_ones_stay_behind_the_link() -> None:
    document = composed(details={"sql": "LOW", "comment": "LOW", "risk": "HIGH"})
    assert [fact.key for fact in document.facts] == ["what", "when", "risk"]


@given(st.text())
def test_whatever_a_node_is_called_only_a_short_label_is_shown(text: str) -> None:
    label = shown("approval_node", text)
    assert label is None or (label == text and len(label) <= NODE_NAME_AT_MOST and label.isprintable())


# our own notices


def test_a_notice_of_ours_says_the_reason_in_words_and_an_event_of_others_says_none() -> None:
    for language, words in (("en", "The mail server knows no such mailbox"), ("zh-hans", "邮件服务器表示没有此邮箱")):
        ours = composed(language, event_type="tidings.contact_point_disabled", details={"reason": "no_such_address"})
        assert {fact.key: fact.value for fact in ours.facts}["reason"] == words
        names = {"channel_en": "SMS", "channel_zh-hans": "短信"}
        named = composed(language, event_type="tidings.channel_failing", title="SMS: +86 **13", details=names)
        assert named.headline.endswith({"en": "SMS: +86 **13", "zh-hans": "短信: +86 **13"}[language])
        assert "8812" not in ours.facts[0].value, "its key tells nobody anything"
    newer = composed(event_type="tidings.channel_failing", details={"reason": "of_a_newer_node", "risk": "LOW"})
    assert [(fact.key, fact.value) for fact in newer.facts if fact.key not in ("what", "when")] == [
        ("reason", "of a newer node")
    ]
    assert shown("reason", "no_such_address") is None


# what was overtaken


@pytest.mark.parametrize(
    ("ago", "timezone", "then"),
    [
        (timedelta(hours=2), "UTC", "12:00"),
        (timedelta(hours=2), "Asia/Shanghai", "20:00"),
        (timedelta(hours=5), "Asia/Shanghai", "2026-11-23 20:00 (Asia/Shanghai)"),
        (timedelta(days=3), "UTC", "2026-11-23 12:00 (UTC)"),
    ],
)
def test_an_earlier_status_of_another_day_is_said_with_its_day(ago: timedelta, timezone: str, then: str) -> None:
    newer = Newer(NOON + timedelta(hours=1), {"en": "Approved"})
    document = compose(occasion(), Reader("bo", "Bo", "en", timezone, ()), newer=newer, now=NOON + ago)
    assert document.earlier == f"Earlier status, {then}; now: Approved"


def test_without_a_now_the_day_is_said() -> None:
    newer = Newer(NOON, {"en": "Approved"})
    document = compose(occasion(), Reader("bo", "Bo", "en", "UTC", ()), newer=newer)
    assert document.earlier == "Earlier status, 2026-11-23 12:00 (UTC); now: Approved"
