"""Tokens at the console: one's own, and, for administrators, everybody's."""

import re
from collections.abc import Callable
from typing import Any

from tests.api.given import queries
from tests.console.test_channels import html, words

Console = Callable[..., Any]


def made(page: str) -> str:
    [secret] = set(re.findall(r"tdg_[\w-]{20,}", page))
    return str(secret)


def tokens_of(organisation: Any, login: str) -> Any:
    from tidings.accounts.models import Token

    return Token.objects.for_tenant(organisation.id).filter(person__login=login, revoked_at=None)


def test_everybody_makes_tokens_for_themselves(console: Console, organisation: Any) -> None:
    from tidings.accounts.tokens import caller_of

    assert "No token yet" in words(console("ann").get("/console/tokens"))
    page = html(console("ann").post("/console/tokens", {"name": "laptop", "scope": ["read"]}, follow=True))
    caller = caller_of(made(page))
    assert caller is not None and (caller.name, caller.scopes) == ("ann", {"read"})
    later = words(console("ann").get("/console/tokens"))
    assert "laptop" in later and "read what this person may see" in later and "tdg_" not in later
    assert "Choose at least one thing" in words(console("ann").post("/console/tokens", {"name": "x"}), 422)
    answer = console("ann").post("/console/tokens", {"name": "x", "scope": "read", "person": "bo"})
    assert answer.status_code == 403


def test_a_page_loaded_again_makes_no_other_token_and_shows_none(console: Console, organisation: Any) -> None:
    ann = console("ann")
    assert ann.post("/console/tokens", {"scope": ["read"]})["Location"] == "/console/tokens"
    assert "tdg_" not in str(dict(ann.session))
    assert made(html(ann.get("/console/tokens")))
    assert "tdg_" not in html(ann.get("/console/tokens")) and tokens_of(organisation, "ann").count() == 1


def test_a_token_is_not_shown_after_a_minute(console: Console, organisation: Any) -> None:
    from tidings.kernel.clock import now
    from tidings.kernel.secrets import seal

    ann = console("ann")
    session = ann.session
    session["shown_once"] = seal({"secret": "tdg_late", "of": "", "until": int(now().timestamp()) - 1}).decode()
    session.save()
    assert "tdg_" not in html(ann.get("/console/tokens")) and "shown_once" not in ann.session


def test_an_administrator_makes_them_for_others_and_sees_all(console: Console, organisation: Any) -> None:
    organisation.source_token("dms-prod")
    page = html(console("root").post("/console/tokens", {"person": "bo", "scope": ["read", "write"]}, follow=True))
    assert made(page) and tokens_of(organisation, "bo").count() == 1
    later = words(console("root").get("/console/tokens"))
    assert "Bo bo" in later and "dms-prod" in later
    nobody = words(console("root").post("/console/tokens", {"person": "nix", "scope": "read"}), 422)
    assert "Nobody here has the login nix." in nobody
    assert "Bo" not in words(console("ann").get("/console/tokens"))


def test_a_token_is_revoked_after_a_question(console: Console, organisation: Any) -> None:
    organisation.token("ann")
    path = f"/console/tokens/{tokens_of(organisation, 'ann').get().id}/revoke"
    dialog = html(console("ann", part=True).get(path))
    assert 'id="dialog-title"' in dialog and "Programs that speak for" in dialog
    assert "Revoke this token?" in words(console("ann").get(path))
    assert console("bo").get(path).status_code == 404
    assert console("mallory").post(path).status_code == 404
    assert console("ann", part=True).post(path)["HX-Redirect"] == "/console/tokens"
    assert tokens_of(organisation, "ann").count() == 0
    assert console("ann").post(path).status_code == 404


def test_a_sources_token_leads_back_to_its_source(console: Console, organisation: Any) -> None:
    from tidings.accounts.models import Token

    organisation.source_token("dms-prod")
    token = Token.objects.for_tenant(organisation.id).get(source__name="dms-prod")
    answer = console("root").post(f"/console/tokens/{token.id}/revoke")
    assert answer["Location"] == "/console/sources/dms-prod"
    assert "It has no token, so it cannot send." in words(console("root").get("/console/sources/dms-prod"))


def test_long_lists_have_pages_and_as_many_queries(console: Console, organisation: Any) -> None:
    from tidings.accounts.tokens import create_token

    root, caller = console("root"), organisation.caller()
    organisation.token("root")
    root.get("/console/tokens")
    with queries() as before:
        root.get("/console/tokens")
    for number in range(60):
        create_token(caller, person=organisation.people["ann"], scopes=("read",), name=f"token {number}")
    with queries() as after:
        page = html(root.get("/console/tokens"))
    assert len(after) == len(before) <= 8
    [following] = re.findall(r'rel="next" href="([^"]+)"', page)
    assert "token 59" in page and "token 5<" not in page
    assert "token 5<" in html(root.get(f"/console/tokens{following}"))
