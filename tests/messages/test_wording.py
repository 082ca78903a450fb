"""The words of every message: complete, distinct, short enough, in the right language, and safe to fill."""

import copy
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.messages import wording as module
from tidings.messages.wording import LANGUAGES, ROLES, VALUE_TABLES, Wording, WordingError, compile_all, wording

SOURCE = Path(module.__file__).parent
CATALOG = json.loads((SOURCE.parent / "catalog" / "catalog.json").read_text("utf-8"))
NOTICES = {"tidings.contact_point_disabled", "tidings.channel_failing", "tidings.event_unplanned"}
CATALOGUED = {event["type"]: (feature, event) for feature in CATALOG["features"] for event in feature["events"]}
BUILT_IN = set(CATALOGUED) - NOTICES
EVENT_TYPES = sorted(BUILT_IN | NOTICES)
LONGEST = {"en": {"headline": 60, "todo": 160}, "zh-hans": {"headline": 24, "todo": 80}}
HOSTILE = ["{0}", "{title}", "%s", "%(title)s", "{", "}}", "{title.__class__}", "\\1", "$x", "<b>", "", "订单库 {x}"]
CHINESE = re.compile(r"[\u3400-\u9fff]")

every_language = pytest.mark.parametrize("words", [wording(code) for code in LANGUAGES], ids=LANGUAGES)


def tables() -> dict[str, dict[str, Any]]:
    return {code: tomllib.loads((SOURCE / "templates" / f"{code}.toml").read_text("utf-8")) for code in LANGUAGES}


def headline_alone(words: Wording, event_type: str) -> str:
    """Without the title and the colon before it."""
    return words.headline(event_type, "").rstrip(" :：")


# -- Complete and distinct --


def test_the_catalogue_has_58_event_types_and_we_have_words_for_each_and_for_our_own_notices() -> None:
    assert len(BUILT_IN) == 58
    for code in LANGUAGES:
        assert wording(code).event_types == set(EVENT_TYPES)


@every_language
def test_every_event_type_has_a_headline_and_a_todo_of_its_own(words: Wording) -> None:
    texts = Counter(
        text for event_type in EVENT_TYPES for text in (headline_alone(words, event_type), words.todo(event_type))
    )
    assert [text for text, times in texts.items() if times > 1] == []
    assert len(texts) == 2 * len(EVENT_TYPES)


@every_language
def test_no_two_texts_differ_only_in_case_spaces_or_punctuation(words: Wording) -> None:
    bare = Counter(
        re.sub(r"\W", "", text).lower()
        for event_type in EVENT_TYPES
        for text in (headline_alone(words, event_type), words.todo(event_type))
    )
    assert max(bare.values()) == 1


@pytest.mark.parametrize("event_type", sorted(CATALOGUED))
def test_an_english_headline_says_more_than_its_labels(event_type: str) -> None:
    feature, event = CATALOGUED[event_type]
    empty = {"a", "an", "the", "is", "was", "of", "for", "to", "and", "has", "been", "in", "on"}
    said = set(re.findall(r"[a-z]+", headline_alone(wording("en"), event_type).lower()))
    assert said - set(re.findall(r"[a-z]+", f"{feature['en']} {event['en']}".lower())) - empty


@pytest.mark.parametrize("event_type", sorted(CATALOGUED))
def test_a_chinese_headline_says_more_than_its_labels(event_type: str) -> None:
    feature, event = CATALOGUED[event_type]
    rest = headline_alone(wording("zh-hans"), event_type)
    for label in (feature["zh-hans"], event["zh-hans"]):
        rest = rest.replace(label, "")
    assert len(set(CHINESE.findall(rest)) - set("已被的了")) >= 2, rest


# -- How long, and in which language --


@every_language
@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_texts_are_short(words: Wording, event_type: str) -> None:
    longest = LONGEST[words.language]
    assert len(headline_alone(words, event_type)) <= longest["headline"]
    assert len(words.todo(event_type)) <= longest["todo"]
    sentences = [s for s in re.split(r"[.。?？](?:\s|$)?", words.todo(event_type)) if s]
    assert 1 <= len(sentences) <= 2


@every_language
@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_texts_are_calm_and_punctuated(words: Wording, event_type: str) -> None:
    headline, todo = headline_alone(words, event_type), words.todo(event_type)
    assert not re.search(r"[!！]|\s{2}|^\s|\s$", headline + "|" + todo)
    assert not re.search(r"[.。,，]$", headline)
    assert todo.endswith("." if words.language == "en" else "。")


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_a_pending_approval_speaks_to_approvers_in_both_languages(event_type: str) -> None:
    speaks = event_type.endswith(".pending_approval")
    assert wording("en").todo(event_type).startswith("Approvers, please") is speaks
    assert wording("zh-hans").todo(event_type).startswith("请审批人") is speaks


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_chinese_texts_are_chinese_with_full_width_punctuation(event_type: str) -> None:
    words = wording("zh-hans")
    for text in (words.headline(event_type, ""), words.todo(event_type)):
        assert len(CHINESE.findall(text)) >= 5
        assert not re.search(r"[,;:.?()\"']", text)
        assert not re.search(r"[\u3400-\u9fff][A-Za-z]|[A-Za-z][\u3400-\u9fff]", text), "a space between the scripts"


def test_english_texts_are_english() -> None:
    """What other systems say, the keys of values, may be in any language."""
    text = re.sub(r'#.*|^"[^"]+" = ', "", (SOURCE / "templates" / "en.toml").read_text("utf-8"), flags=re.MULTILINE)
    assert not CHINESE.search(text)
    assert not [t for t in EVENT_TYPES if not wording("en").todo(t).isascii() or not headline_alone(wording("en"), t)]


@every_language
def test_shared_words_are_in_their_language(words: Wording) -> None:
    for key in module.PLAIN_LABELS:
        if key != "cut":
            assert bool(CHINESE.search(words.label(key))) is (words.language == "zh-hans"), key
    for role in ROLES:
        assert bool(CHINESE.search(words.because([(role, None)]))) is (words.language == "zh-hans"), role


# -- Titles come from outside --


@every_language
@pytest.mark.parametrize("title", HOSTILE)
def test_a_hostile_title_comes_out_unchanged(words: Wording, title: str) -> None:
    for event_type in EVENT_TYPES:
        headline = words.headline(event_type, title)
        assert headline == words.headline(event_type, "") + title
    custom = words.headline("acme.done", title, feature_label="{event}", event_label="{title}")
    assert custom == words.headline("acme.done", "", feature_label="{event}", event_label="{title}") + title


@given(title=st.text())
def test_any_title_comes_out_unchanged(title: str) -> None:
    for code in LANGUAGES:
        assert wording(code).headline("data_change.failed", title).endswith(title)


def test_a_tenants_own_event_type_is_said_by_its_labels() -> None:
    english, chinese = wording("en"), wording("zh-hans")
    assert english.headline("acme.done", "T", feature_label="Acme", event_label="Done") == "Acme, Done: T"
    assert chinese.headline("acme.done", "T", feature_label="自定义", event_label="完成") == "自定义，完成：T"
    assert english.headline("acme.done", "T") == "acme, done: T"
    assert english.todo("acme.done") == english.label("custom_todo")


def test_labels_given_for_a_built_in_type_change_nothing() -> None:
    plain = wording("en").headline("data_change.failed", "T")
    assert wording("en").headline("data_change.failed", "T", feature_label="X", event_label="Y") == plain


def test_the_earlier_status_names_both() -> None:
    assert wording("en").earlier_status("10:00", "Approved") == "Earlier status, 10:00; now: Approved"
    assert wording("zh-hans").earlier_status("{now}", "审批通过") == "较早的状态，{now}；当前状态：审批通过"


@every_language
def test_a_code_is_said_first_with_how_long_it_holds(words: Wording) -> None:
    assert words.code_text("048213", 10).startswith("048213")
    assert "10" in words.code_text("048213", 10)
    # A Subject stands in logs and lists.
    assert not re.search(r"\d", words.label("code_subject"))


@every_language
@pytest.mark.parametrize("name", HOSTILE)
def test_a_farewell_names_whose_address_it_was(words: Wording, name: str) -> None:
    assert name in words.farewell_headline(name)


# -- Which language --


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        ("en", "en"), ("en-US", "en"), ("EN", "en"), ("", "en"), ("de", "en"), ("zha", "en"), ("english", "en"),
        ("zh-hans", "zh-hans"), ("zh", "zh-hans"), ("zh-cn", "zh-hans"), ("zh-Hans-CN", "zh-hans"),
        ("zh_CN", "zh-hans"), ("ZH", "zh-hans"), (" zh-SG ", "zh-hans"),
    ],
)  # fmt: skip
def test_the_nearest_language_is_taken(asked: str, got: str) -> None:
    assert wording(asked).language == got
    assert wording(asked) is wording(got)


# -- Why --


def test_why_is_one_sentence() -> None:
    english, chinese = wording("en"), wording("zh-hans")
    assert english.because([("submitter", None)]) == "You get this because you submitted it or own it."
    assert chinese.because([("submitter", None)]) == "您收到此消息，是因为您是提交人或所有者。"
    assert english.because([]) == chinese.because([]) == ""


def test_several_resources_of_one_role_are_named_together() -> None:
    reasons = [("instance_dba", "rm-users"), ("instance_dba", "rm-orders"), ("submitter", None)]
    assert wording("en").because(reasons) == (
        "You get this because you submitted it or own it, and you are the instance DBA of rm-orders and rm-users."
    )
    assert wording("zh-hans").because(reasons) == (
        "您收到此消息，是因为您是提交人或所有者，并且您是 rm-orders 和 rm-users 的实例 DBA。"
    )


def test_three_reasons_read_as_a_list() -> None:
    reasons: list[tuple[str, str | None]] = [("dba", None), ("approver", None), ("data_owner", "rm-1/shop")]
    assert wording("en").because(reasons) == (
        "You get this because you are one of its approvers, you are a data owner of rm-1/shop, and you are a DBA."
    )
    assert wording("zh-hans").because(reasons) == (
        "您收到此消息，是因为您是审批人之一，您是 rm-1/shop 的数据Owner，并且您是 DBA。"
    )


@pytest.mark.parametrize(
    ("count", "english", "chinese"),
    [
        (1, "of db1.", "您是 db1 的"),
        (3, "of db1, db2 and db3.", "您是 db1、db2 和 db3 的"),
        (4, "of db1, db2, db3 and db4.", "您是 db1、db2、db3 和 db4 的"),
        (5, "of db1, db2, db3 and 2 more.", "您是 db1、db2、db3 及另外 2 项的"),
        (9, "of db1, db2, db3 and 6 more.", "您是 db1、db2、db3 及另外 6 项的"),
    ],
)
def test_a_long_list_is_cut_and_says_how_many_more(count: int, english: str, chinese: str) -> None:
    reasons = [("data_owner", f"db{number}") for number in range(1, count + 1)]
    assert wording("en").because(reasons).endswith(english)
    assert chinese in wording("zh-hans").because(reasons)


def test_an_owner_of_something_unnamed_is_still_told_why() -> None:
    for role in module.ROLES_OF_SOMETHING:
        unnamed = wording("en").because([(role, None)])
        assert "{" not in unnamed
        assert unnamed == wording("en").because([(role, "")])
        assert wording("en").because([(role, None), (role, "rm-1")]) == wording("en").because([(role, "rm-1")])


def test_an_unknown_role_is_not_a_reason_to_stay_silent() -> None:
    assert wording("en").because([("robot", "x"), ("other", None)]) == (
        "You get this because the rule for this kind of event includes you."
    )


def test_every_role_has_its_own_phrase() -> None:
    catalogue_roles = {*CATALOG["roles"], "additional_user"}
    assert set(ROLES) == catalogue_roles
    for code in LANGUAGES:
        phrases = {wording(code).because([(role, of)]) for role in (*ROLES, "?") for of in (None, "rm-1")}
        assert len(phrases) == len(ROLES) + 1 + len(module.ROLES_OF_SOMETHING)


reason_lists = st.lists(
    st.tuples(st.sampled_from([*ROLES, "robot", "data_owner_any"]) | st.text(), st.none() | st.text() | st.just("{of}"))
)


@given(reasons=reason_lists, data=st.data())
def test_why_never_raises_and_neither_order_nor_repetition_matters(
    reasons: list[tuple[str, str | None]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(reasons))
    for code in LANGUAGES:
        sentence = wording(code).because(reasons)
        assert bool(sentence) is bool(reasons)
        assert wording(code).because(shuffled) == sentence
        assert wording(code).because([*reasons, *shuffled]) == sentence


@given(name=st.text(min_size=1))
def test_a_resources_name_comes_out_unchanged(name: str) -> None:
    assert wording("en").because([("instance_dba", name)]).endswith(f"the instance DBA of {name}.")


# -- Values of the data platforms --


@every_language
def test_known_values_are_translated_and_others_are_not_said(words: Wording) -> None:
    for table in VALUE_TABLES:
        for value in ("", "Custom", "{0}", "%s", "生产二区", "DROP TABLE users"):
            assert words.value(table, value) == ""
    assert len({words.value("environment", value) for value in ("prod", "product", "PROD")}) == 1
    for ours, theirs in (("生产", "prod"), ("预发", "pre"), ("测试", "test"), ("开发", "dev")):
        assert words.value("environment", ours) == words.value("environment", theirs) != ""
    assert len({words.value("risk", value) for value in ("LOW", "MIDDLE", "HIGH", "HIGHEST")}) == 4
    assert (
        len({words.value("environment", v) for v in ("product", "dev", "pre", "test", "sit", "uat", "pet", "stag")})
        == 8
    )
    assert len({words.value("exec_mode", value) for value in ("COMMITOR", "AUTO", "LAST_AUDITOR")}) == 3
    assert words.value("risk", "low") == words.value("risk", "LOW") != "LOW"


# -- Loaded loudly --


def broken(code: str, table: str, key: str | None, value: object) -> dict[str, dict[str, Any]]:
    """Our own files with one thing changed; None removes it."""
    all_tables = copy.deepcopy(tables())
    target, name = (all_tables[code], table) if key is None else (all_tables[code].setdefault(table, {}), key)
    if value is None:
        del target[name]
    else:
        target[name] = value
    return all_tables


@pytest.mark.parametrize(
    ("code", "table", "key", "value"),
    [
        ("en", "data_change.failed", None, None),
        ("zh-hans", "data_change.failed", None, None),
        ("zh-hans", "data_change.invented", None, {"headline": "{title}", "todo": "x"}),
        ("en", "data_change.failed", "todo", None),
        ("en", "data_change.failed", "todo", ""),
        ("en", "data_change.failed", "todo", "two\nlines"),
        ("en", "data_change.failed", "todo", "Look at {title}."),
        ("en", "data_change.failed", "todo", 7),
        ("en", "data_change.failed", "subtitle", "x"),
        ("en", "data_change.failed", "headline", "no title"),
        ("en", "data_change.failed", "headline", "{title} {title}"),
        ("en", "data_change.failed", "headline", "{titel}"),
        ("en", "data_change.failed", "headline", "{title} by {actor}"),
        ("en", "data_change.failed", "headline", "{title!r}"),
        ("en", "data_change.failed", "headline", "{title:>9}"),
        ("en", "data_change.failed", "headline", "{title} {"),
        ("en", "data_change.failed", "headline", "{{title}}"),
        ("zh-hans", "labels", "where", None),
        ("zh-hans", "labels", "wehre", "x"),
        ("zh-hans", "labels", "earlier_status", "{then}"),
        ("zh-hans", "because", "dba", None),
        ("zh-hans", "because", "instance_dba", "您是实例 DBA"),
        ("zh-hans", "because", "approver", "您是{of}的审批人"),
        ("zh-hans", "because", None, None),
        ("zh-hans", "risk", "LOW", None),
        ("zh-hans", "environment", "moon", "月球"),
    ],
)
def test_a_broken_file_is_refused_and_the_error_says_where(
    code: str, table: str, key: str | None, value: object
) -> None:
    with pytest.raises(WordingError, match=re.escape(table)):
        compile_all(broken(code, table, key, value))


def test_our_own_files_are_read_once_and_unbroken() -> None:
    assert set(compile_all(tables())) == set(LANGUAGES)
    assert wording("en") is wording("en")


def test_the_words_need_neither_django_nor_a_network_library() -> None:
    code = (
        "import sys; from tidings.messages.wording import wording; wording('en');"
        "print([m for m in ('django', 'pyreqwest', 'socket', 'psycopg') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
