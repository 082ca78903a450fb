"""What went wrong is told by its kind and its place, and never by a text that may quote what it was given."""

import logging
import sys
from pathlib import Path

import psycopg

from tidings.kernel.logs import OneLine

SECRET = "hunter2-of-the-vendor"


def logged(act: object) -> str:
    try:
        act()  # type: ignore[operator]
    except Exception:
        record = logging.LogRecord("tidings.x", logging.ERROR, __file__, 1, "it failed", None, sys.exc_info())
        return OneLine().format(record)
    raise AssertionError("nothing was raised")


def quotes_what_it_was_given() -> None:
    try:
        given = {"password": SECRET}
        int(given["password"])
    except ValueError as error:
        raise RuntimeError(f"{SECRET} is no number") from error


def test_an_error_that_quotes_a_secret_is_told_without_its_text() -> None:
    text = logged(quotes_what_it_was_given)
    assert SECRET not in text
    assert "ValueError" in text and "RuntimeError" in text
    assert text.index("ValueError") < text.index("RuntimeError")
    assert "quotes_what_it_was_given" in text and 'int(given["password"])' in text


def test_the_system_and_the_database_are_quoted(database: str) -> None:
    def ask() -> None:
        with psycopg.connect(database) as connection:
            connection.execute("SELECT no_such_column")

    assert 'psycopg.errors.UndefinedColumn: column "no_such_column" does not exist' in logged(ask)
    assert "FileNotFoundError: No such file or directory" in logged(lambda: Path("/nowhere/at/all").read_text())


def test_errors_that_lead_to_each_other_in_a_circle_are_told_once() -> None:
    def turn() -> None:
        one, other = ValueError("a"), KeyError("b")
        one.__context__, other.__context__ = other, one
        raise one

    assert logged(turn).count("KeyError") == 1
