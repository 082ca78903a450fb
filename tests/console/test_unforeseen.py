"""What nobody foresaw is a page too, with the id under which the log has it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from tests.console.test_channels import words

from tidings.kernel.logs import REQUEST


@pytest.fixture
def broken(organisation: Any) -> Iterator[str]:
    """No page can read its rules; the id of the call that is answered."""

    def rename(*names: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE {} RENAME TO {}".format(*names))

    rename("rules_rule", "rules_elsewhere")
    token = REQUEST.set("0198c0ffee")
    yield "0198c0ffee"
    REQUEST.reset(token)
    rename("rules_elsewhere", "rules_rule")


@pytest.mark.parametrize("part", [False, True])
def test_a_page_that_fails_says_under_which_id_the_log_has_it(
    console: Callable[..., Any], broken: str, part: bool, caplog: pytest.LogCaptureFixture
) -> None:
    said = words(console("carol", part=part).get("/console/rules"), 500)
    assert f"the log of this node says more. {broken}" in said
    assert "rules_rule" not in said and "rules_rule" in caplog.text
    assert "0198" not in words(console("carol", part=part).get("/console/no/such/page"), 404)
