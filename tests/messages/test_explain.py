"""Whatever may stand in a record as the reason has words, in every language, and says what to do next."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from tidings.delivery.retry import WHAT_TO_DO
from tidings.events.sources.contract import Reason as ParkedFor
from tidings.kernel.http_errors import Unreachable
from tidings.messages.explain import every_reason, explain
from tidings.messages.wording import LANGUAGES
from tidings.planning.plan import SkipReason

SOURCES = Path(__file__).parents[2] / "src" / "tidings"
# The place of the reason among the arguments.
NAMED = {"TryLater": 0, "Refused": 0, "Held": 0, "Skip": 0, "Broken": 1, "Budget": 3, "Receipt": 3}
TABLES = ("REPORTS", "KEPT_BACK")
"""Of codes: (reason, ...)."""


def constant(node: ast.AST | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def of_a_call(node: ast.Call) -> str:
    name, place = getattr(node.func, "id", ""), NAMED.get(getattr(node.func, "id", ""))
    if place is None or not name:
        return ""
    given = node.args[place] if len(node.args) > place else None
    return constant(given or next((each.value for each in node.keywords if each.arg == "reason"), None))


def of_a_table(node: ast.Assign | ast.AnnAssign) -> Iterator[str]:
    target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
    if getattr(target, "id", "") in TABLES and isinstance(node.value, ast.Dict):
        yield from (constant(each.elts[0]) for each in node.value.values if isinstance(each, ast.Tuple))


def written(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield of_a_call(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            yield from of_a_table(node)


def every_one() -> set[str]:
    ours = [each for each in SOURCES.rglob("*.py") if "testing" not in each.parts and "demo" not in each.parts]
    found = {reason for path in ours for reason in written(path)} - {""}
    closed: set[str] = {*get_args(SkipReason), *get_args(ParkedFor), *get_args(Unreachable.Kind), *WHAT_TO_DO}
    # `claim.py` ends a delivery with these; `kernel/urls.py` refuses an address with those.
    claim = re.findall(r'stories\[event_id\] = "(\w+)"|return "(\w+)"', (SOURCES / "delivery/claim.py").read_text())
    urls = re.findall(r'UrlRefused\([^,]+, "(\w+)"', (SOURCES / "kernel/urls.py").read_text())
    return found | closed | {each for pair in claim for each in pair if each} | set(urls) | {"unresolvable"}


def test_no_reason_is_without_words() -> None:
    assert len(every_one()) > 100
    assert sorted(every_one() - set(every_reason())) == []


def test_what_is_worded_is_said_somewhere() -> None:
    text = "".join(path.read_text() for path in SOURCES.rglob("*.py"))
    # "{stage}_not_offered"
    unused = [one for one in every_reason() if f'"{one}"' not in text and not one.endswith("_not_offered")]
    assert unused == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reason", sorted(every_reason()))
def test_it_is_one_sentence_and_says_what_to_do(reason: str, language: str) -> None:
    words = explain(reason, language)
    stop = "。" if language == "zh-hans" else "."
    assert words.says and not words.says.endswith((".", "。")) and len(words.says) <= 100
    assert words.todo.endswith(stop) and len(words.todo) <= 160
    assert "  " not in words.says + words.todo


def test_a_reason_that_nobody_worded_is_said_as_it_is() -> None:
    words = explain("slack_is_archived", "zh-hans")
    assert (words.says, words.todo) == ("Slack is archived", "")


def test_each_language_has_its_own_words() -> None:
    same = [code for code, words in every_reason().items() if words["en"].says == words["zh-hans"].says]
    assert same == []


def test_the_api_tells_them_all(api: Any) -> None:
    answer = api("ann").get("/reasons")
    assert answer.status == 200
    told = {each["reason"]: each for each in answer.body["items"]}
    assert set(told) == set(every_reason())
    assert told["gone"]["en"]["says"] == "The receiver says that this address is gone for good"
    assert "可" in told["channel_off"]["zh-hans"]["todo"] and api(token="").get("/reasons").status == 401


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_said_to_go_by_itself_of_what_failed_for_good(language: str) -> None:
    for words in every_reason().values():
        assert not re.search(r"by itself|becomes one message|自动|合并为", words[language].todo_failed)
        assert words[language].todo_failed
    assert "by hand" in explain("connect", "en").todo_failed and "手动重试" in explain("connect", "zh-hans").todo_failed
    gone = explain("gone", language)
    assert gone.todo_failed == gone.todo


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_are_called_what_they_are_called(language: str) -> None:
    said = " ".join(each[language].todo for each in every_reason().values())
    assert (
        ("Notice management" in said or "“通知管理”" in said) and "under Channels" not in said and "“渠道”" not in said
    )
