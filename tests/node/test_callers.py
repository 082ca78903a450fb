"""Where a token may stand in what a system sends that can be given a URL only."""

import pytest

from tidings.node.callers import token_in_url


@pytest.mark.parametrize(
    ("query", "header", "token"),
    [
        (b"token=tdg_x", None, b"Bearer tdg_x"),
        (b"a=b&token=tdg_%78&c", None, b"Bearer tdg_x"),
        (b"token=a&token=b", None, b"Bearer b"),
        (b"token=url", b"Bearer header", b"Bearer header"),
        (b"token=url", b"bearer  ", b"Bearer url"),
        (b"token=url", b"8f3a0c", b"Bearer url"),  # a signature, as dbt Cloud sends it
        (b"", b"Bearer header", b"Bearer header"),
        (b"", None, None),
        (b"token=", None, None),
        (b"token=%E5%B7%A5", None, b"Bearer ?"),
        (b"%ff=%ff&&&=;token", None, None),
    ],
)
def test_the_token_is_the_bearers_else_the_urls(query: bytes, header: bytes | None, token: bytes | None) -> None:
    headers = [] if header is None else [(b"authorization", header)]
    assert token_in_url({"headers": headers, "query_string": query}).get(b"authorization") == token
