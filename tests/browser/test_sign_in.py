"""Signing in at a browser."""

import pytest
from tests.browser.conftest import PHONE, Open, barriers


@pytest.mark.parametrize("path", ["/console/account/login/", "/console/account/password/reset/", "/console/nix"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pages_for_everyone_are_open_to_everyone(open_page: Open, path: str, scheme: str) -> None:
    page = await open_page("", path, size=PHONE, color_scheme=scheme)
    assert await barriers(page) == []
