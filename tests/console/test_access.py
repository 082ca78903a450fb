"""Promises about every page at once, so that a new one keeps them: who may open it is asked first, whatever is sent."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from tests.conftest import PEOPLE

SAMPLES = {"uuid": str(uuid4()), "str": "x", "slug": "x", "int": "1", "path": "x"}
# Signing in is for whoever has not; allauth asks for itself in the others.
OPEN = ("console/account/", "console/welcome/")


def pages(resolver: Any = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for each in (resolver or get_resolver()).url_patterns:
        route = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from pages(each, route)
        elif isinstance(each, URLPattern) and route.startswith("console/"):
            yield route, each.callback


PAGES = {route: view for route, view in pages() if not route.startswith(OPEN)}


def address(route: str) -> str:
    """With something in each place that is nowhere."""
    parts = []
    for part in route.split("<")[1:]:
        name, _, rest = part.partition(">")
        parts.append(SAMPLES[name.partition(":")[0] if ":" in name else "str"] + rest)
    return "/" + route.split("<")[0] + "".join(parts)


def asks() -> Iterator[Any]:
    for route, view in PAGES.items():
        for method in getattr(view, "methods", ()):
            yield pytest.param(method, address(route), view.roles, id=f"{method} {route}")


def test_there_are_pages_and_each_says_who_may_open_it() -> None:
    assert len(PAGES) > 40
    assert [route for route, view in PAGES.items() if not hasattr(view, "roles")] == []


@pytest.mark.parametrize(("method", "path", "roles"), list(asks()))
def test_a_page_is_open_to_its_roles_and_to_nobody_else(
    console: Callable[..., Any], method: str, path: str, roles: tuple[str, ...]
) -> None:
    assert console("").generic(method, path).status_code == 302
    for login, held in PEOPLE.items():
        status = console(login).generic(method, path).status_code
        if roles and not set(roles) & set(held):
            assert status == 403, (login, status)
        else:
            assert status < 500 and status not in (401, 403, 405), (login, status)


@pytest.mark.parametrize("route", [route for route, view in PAGES.items() if "POST" in getattr(view, "methods", ())])
def test_no_page_changes_anything_for_another_site(organisation: Any, route: str) -> None:
    from django.test import Client
    from tests.console.conftest import account_of

    client = Client(enforce_csrf_checks=True)
    client.force_login(account_of(organisation.people["root"]))
    assert client.post(address(route)).status_code == 403
