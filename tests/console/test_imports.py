"""A file is handed in at the console, watched, read row by row, and done."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.api.given import queries
from tests.console.test_people import text

IMPORTS = "/console/imports"
Console = Callable[..., Any]
FILE = "login,name,email,roles\namy,Amy,amy@example.com,dba\nann,Ann Li,,\nbo,Bo,,\neve,Eve,nonsense,emperor\n"


def hand_in(client: Any, content: str | bytes, kind: str = "people") -> Any:
    from django.core.files.uploadedfile import SimpleUploadedFile

    raw = content if isinstance(content, bytes) else content.encode()
    return client.post(IMPORTS, {"kind": kind, "file": SimpleUploadedFile("people.csv", raw)})


def checked(console: Console, content: str | bytes = FILE, kind: str = "people", login: str = "root") -> str:
    """Where it is shown, when all of it was looked at."""
    answer = hand_in(console(login), content, kind)
    assert answer.status_code == 302, answer.content
    where: str = answer.headers["Location"]
    go_on(console(login, part=True), where)
    return where


def go_on(client: Any, where: str) -> int:
    """How many steps it took."""
    for step in range(1, 60):
        answer = client.post(f"{where}/continue")
        assert answer.status_code == 200
        if "HX-Redirect" in answer.headers:
            assert answer.headers["HX-Redirect"] == where
            return step
        assert "hx-post" in answer.content.decode()
    raise AssertionError("it never ends")


def test_the_page_says_what_a_file_holds_and_what_was_handed_in(console: Console) -> None:
    page = text(console().get(IMPORTS))
    assert "login , name , email" in page
    assert "No file was handed in" in page
    assert 'href="/console/people.csv" download' in console().get(IMPORTS).content.decode()
    checked(console)
    assert "people.csv People, 4 rows" in text(console().get(IMPORTS))


def test_each_row_is_shown_with_what_it_would_change(console: Console, api: Any) -> None:
    where = checked(console)
    page = text(console().get(where))
    for part in (
        "1 is new, 1 is changed.",
        "1 row is refused and does nothing.",
        "read as UTF-8, separated by commas",
        "2 amy new",
        "Roles + added: DBA",
        "3 ann changed Name Ann → becomes Ann Li",
        "4 bo unchanged",
        "5 eve refused E-mail: cannot be written to",
        "Roles: has emperor, which is not known",
    ):
        assert part in page, part
    assert api("root").get("/users/amy").status == 404


def test_rows_are_narrowed_down_by_what_becomes_of_them(console: Console) -> None:
    where = checked(console)
    page = text(console().get(f"{where}?fate=refused"))
    assert "5 eve" in page
    assert "2 amy" not in page
    assert "2 amy" in text(console().get(f"{where}?fate=nonsense"))


def test_it_is_done_as_shown(console: Console, api: Any) -> None:
    where = checked(console)
    client = console()
    before = text(client.get(where))
    assert "Do it: 2 rows" in before and "Throw away" in before
    assert "Doing what was shown: 0 of 4 rows" in text(client.post(f"{where}/apply", follow=True))
    go_on(console(part=True), where)
    page = text(client.get(where))
    assert "2 rows were done." in page and "Throw away" not in page
    assert "amy new done" in page
    assert api("root").get("/users/ann").body["name"] == "Ann Li"
    page = text(client.post(f"{where}/check", follow=True))
    assert "Looking at the rows" in page
    go_on(console(part=True), where)
    assert "Nothing would change." in text(client.get(where))


def test_what_changed_in_between_is_left_and_said(console: Console, api: Any) -> None:
    where = checked(console)
    api("root").put("/users/ann", {"name": "Annabel"})
    console().post(f"{where}/apply")
    go_on(console(part=True), where)
    page = text(console().get(where))
    assert "1 was left as it is, because it would have been another change by then." in page
    assert "ann changed left as it is" in page
    assert api("root").get("/users/ann").body["name"] == "Annabel"


def test_a_large_file_goes_in_steps_and_shows_how_far_it_is(console: Console) -> None:
    file = "login,name\n" + "".join(f"p{number},P\n" for number in range(450))
    answer = hand_in(console(), file)
    where = answer.headers["Location"]
    assert "Looking at the rows: 0 of 450" in text(console().get(where))
    step = console(part=True).post(f"{where}/continue")
    assert "Looking at the rows: 200 of 450" in text(step)
    assert go_on(console(part=True), where) == 2
    # Without scripts, by a button.
    assert console().post(f"{where}/continue").headers["Location"] == where


def test_a_file_of_a_chinese_excel_is_read(console: Console) -> None:
    where = checked(console, "login;name\r\nchen.wei;陈伟\r\n".encode("gb18030"))
    page = text(console().get(where))
    assert "read as GB18030, separated by semicolons" in page
    assert "陈伟" in page


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "Choose a file first."), (b"PK\x03\x04\x00", "not as a workbook"), (b"login,phone\na,1\n", "'phone'")],
)
def test_what_is_no_such_file_is_said(console: Console, content: bytes, says: str) -> None:
    answer = hand_in(console(), content) if content else console().post(IMPORTS, {"kind": "people"})
    assert says in text(answer, 422)
    assert "No file was handed in" in text(answer, 422)


def test_the_refused_rows_are_taken_along(console: Console) -> None:
    where = checked(console)
    answer = console().get(f"{where}/rows.csv")
    [header, row] = answer.content.decode("utf-8-sig").splitlines()
    assert header == "login,name,email,roles,line,problem"
    assert row.startswith("eve,Eve,nonsense,emperor,5,")


def test_it_is_thrown_away(console: Console) -> None:
    where = checked(console)
    answer = console().post(f"{where}/discard", follow=True)
    assert "The import is thrown away." in text(answer)
    assert console().get(where).status_code == 404


def test_resources_are_handed_in_by_dbas_and_people_are_not(console: Console, api: Any) -> None:
    where = checked(console, "instance,dba\nrm-1,carol\n", "resources", "carol")
    assert "DBA + added: carol" in text(console("carol").get(where))
    assert "People" not in text(console("carol").get(IMPORTS)).partition("What is in it?")[2].partition("CSV file")[0]
    assert hand_in(console("carol"), FILE).status_code == 403
    people = checked(console)
    for path in (people, f"{people}/rows.csv"):
        assert console("carol").get(path).status_code == 404
        assert console("mallory").get(path).status_code == 404
    for act in ("continue", "apply", "check", "discard"):
        assert console("carol").post(f"{people}/{act}").status_code == 404
        assert console("mallory").post(f"{people}/{act}").status_code == 404
        assert console("ann").post(f"{people}/{act}").status_code == 403
    assert console("ann").get(IMPORTS).status_code == console("eve").get(IMPORTS).status_code == 403


def test_rows_stand_in_the_order_of_the_file(console: Console) -> None:
    where = checked(console, "instance,database,dba\nrm-1,orders,\nrm-1,,carol\n", "resources", "carol")
    page = text(console("carol").get(where))
    assert page.index("2 rm-1/orders") < page.index("3 rm-1 ")


def test_cells_are_text(console: Console) -> None:
    where = checked(console, "login,name\n<b>x,<script>alert(1)</script>\n")
    content = console().get(where).content.decode()
    assert "<script>alert" not in content
    assert "<b>x" not in content


def test_a_page_takes_as_many_queries_however_many_rows(console: Console) -> None:
    small, large = checked(console), checked(console, "login\n" + "".join(f"p{n}\n" for n in range(300)))
    client = console()
    client.get(small)
    with queries() as few:
        client.get(small)
    with queries() as many:
        page = client.get(large)
    assert len(re.findall(r"<tr>", page.content.decode())) == 51
    assert len(few) == len(many) <= 7
