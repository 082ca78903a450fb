"""Words and what they mean: a table of ours, rows of a source's own before it."""

from time import process_time

import pytest

from tidings.events.sources.mapping import compared, read_table, row_of
from tidings.events.sources.registry import ADAPTERS
from tidings.events.sources.rows import checked_rows, read_rows, write_row

PARTS = ("kind", "status")
TABLE = read_table(
    """
    parts = ["kind", "status"]
    [[group]]
    kind = ["Ticket", "工单"]
    [group.status]
    "a.done" = ["Done", "完成"]
    "a.waits" = ["Waits for approval"]
    [[group]]
    [group.status]
    "b.done" = ["Done"]
    "" = ["Draft"]
    """
)


def meaning(*said: str) -> str | None:
    row = TABLE.meaning(said)
    return row.type if row else None


def test_the_first_row_that_has_all_words_says_what_is_meant() -> None:
    assert meaning("Ticket", "Done") == "a.done"
    assert meaning("工单", "完成") == "a.done"
    assert meaning("Flow", "Done") == "b.done"
    assert TABLE.meaning(("Flow", "完成")) is None
    assert (draft := TABLE.meaning(("Flow", "Draft"))) and draft.type is None


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not"),
    [
        ("dwh_*", ["dwh_daily", "DWH_"], ["dwh", "my_dwh_daily"]),
        ("*.failed", ["job.run.failed", ".Failed"], ["failed", "job.failed.again"]),
        ("a*b*c", ["abc", "a-b-c", "abbcc"], ["ac", "acb", "ab"]),
        ("aa*aa", ["aaaa", "aabaa"], ["aaa", "aa"]),
        ("*", ["anything", ""], []),
        ("a.[b]?*", ["a.[b]?c"], ["a.b", "axbc"]),
    ],
)
def test_a_star_stands_for_anything(pattern: str, fits: list[str], does_not: list[str]) -> None:
    own = TABLE.before([row_of(PARTS, {"kind": ["Flow"], "status": [pattern]}, "mine")])
    assert [word for word in fits if own.meaning(("Flow", word)) is None] == []
    assert [word for word in does_not if own.meaning(("Flow", word)) is not None] == []


def test_a_pattern_of_nothing_but_stars_takes_no_longer() -> None:
    own = TABLE.before([row_of(PARTS, {"status": ["*a" * 100]}, "mine")])
    assert own.meaning(("Flow", "a" * 99 + "b" * 101)) is None


@pytest.mark.parametrize("said", ["ticket", " TICKET ", "Ｔｉｃｋｅｔ", "tic ket", "TICKET\u3000"])
def test_case_spaces_and_width_make_no_difference(said: str) -> None:
    assert meaning(said, "waits  for\nAPPROVAL") == "a.waits"


def test_own_rows_come_first_and_a_part_left_out_is_anything() -> None:
    own = TABLE.before([row_of(PARTS, {"status": ["Done"]}, "mine.done"), row_of(PARTS, {"kind": ["Spam"]}, None)])
    assert (found := own.meaning(("Ticket", "done"))) and found.type == "mine.done"
    assert (ignored := own.meaning(("spam", "whatever"))) and ignored.type is None
    assert (found := own.meaning(("Ticket", "完成"))) and found.type == "a.done"


def test_the_nearest_word_is_named() -> None:
    assert TABLE.nearest("Wait for approval") == "Waits for approval"
    assert TABLE.nearest("完成了") == "完成"
    assert TABLE.nearest("xyzzy") == ""


def test_the_nearest_of_as_many_words_as_a_source_may_have_is_found_in_no_time() -> None:
    # Compared whole and with each, they would keep a node's loop for seconds.
    long = [row_of(PARTS, {"status": [f"{n:03}" + "abcd" * 49 for n in range(10)]}, "mine") for _ in range(500)]
    short = [row_of(PARTS, {"status": [f"order {n} {m}" for m in range(20)]}, "mine") for n in range(500)]
    started = process_time()
    assert TABLE.before(long).nearest("dcba" * 50) == ""
    assert TABLE.before(short).nearest("ordre 3 4") == "order 3 4"
    assert process_time() - started < 1


def test_rows_are_written_as_they_were_sent() -> None:
    sent = [{"kind": "Ticket", "status": ["Done", "完成"], "type": "a.done"}, {"status": "Over", "type": None}]
    checked, problems = checked_rows(PARTS, sent)
    assert problems == []
    assert [write_row(PARTS, row) for row in checked] == sent
    dms = [{"event": ["已撤回", "Withdrawn"], "type": "data_change.rejected"}]
    [row] = read_rows("dms", dms)
    assert write_row(ADAPTERS["dms"].mapping.parts, row) == dms[0]
    assert read_rows("an adapter of a later version", dms) == []


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"type": "a.done"}, "rows.0"),
        ({"status": "", "type": "a.done"}, "rows.0.status"),
        ({"status": " ", "type": "a.done"}, "rows.0.status"),
        ({"status": 5, "type": "a.done"}, "rows.0.status"),
        ({"status": ["Done", None], "type": "a.done"}, "rows.0.status"),
        ({"status": "x" * 201, "type": "a.done"}, "rows.0.status"),
        ({"status": ["x"] * 21, "type": "a.done"}, "rows.0.status"),
        ({"status": "a\0b", "type": "a.done"}, "rows.0.status"),
        ({"status": "\ud800", "type": "a.done"}, "rows.0.status"),
        ({"status": "Done"}, "rows.0.type"),
        ({"status": "Done", "type": 5}, "rows.0.type"),
        ({"status": "Done", "typ": "a.done", "type": None}, "rows.0.typ"),
    ],
)
def test_a_row_that_does_not_fit_is_named(row: dict[str, object], field: str) -> None:
    checked, problems = checked_rows(PARTS, [row])
    assert checked == []
    assert field in [problem["field"] for problem in problems]


def test_what_is_compared_is_short_and_the_same_for_good() -> None:
    assert compared("SQL 审核") == compared("sql审核") == "sql审核"


def test_every_adapter_is_named_after_its_folder_and_maps_to_what_there_is() -> None:
    from tidings.catalog.features import built_in

    assert "dms" in ADAPTERS
    for code, adapter in ADAPTERS.items():
        assert adapter.code == code
        assert adapter.label
        assert {row.type for row in adapter.mapping.rows} <= {*built_in().event_types, None}
        assert all(row.words[-1] for row in adapter.mapping.rows)
