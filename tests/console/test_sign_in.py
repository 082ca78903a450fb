"""Who gets in, and how."""

import gzip
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from tests.conftest import Organisation
from tests.console.conftest import account_of
from tests.delivery.given import in_django

PASSWORD = "correct horse battery"
SIGN_IN = "/console/account/login/"


def link_of(organisation: Organisation, login: str) -> str:
    from tidings.accounts.invite import invite
    from tidings.accounts.tenants import command_line

    return urlsplit(invite(command_line(organisation.id), login)).path


def signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_who_has_not_signed_in_is_asked_to_and_comes_back_to_the_page(console: Callable[..., Any]) -> None:
    answer = console("").get("/console/?a=b")
    assert answer.status_code == 302
    assert answer["Location"] == f"{SIGN_IN}?next=/console/%3Fa%3Db"


def test_a_part_of_a_page_after_the_session_ended_loads_the_page_again(console: Callable[..., Any]) -> None:
    answer = console("", part=True).get("/console/")
    assert answer.status_code == 401 and answer["HX-Refresh"] == "true"


def test_an_invitation_lets_somebody_choose_a_password_once(organisation: Organisation) -> None:
    client, link = Client(), link_of(organisation, "ann")
    assert "acme" in client.get(link).content.decode()
    answer = client.post(link, {"login": "ann-of-acme", "email": "ann@example.com", "password": PASSWORD})
    assert answer.status_code == 302 and signed_in(client)
    assert Client().get(link).status_code == 404

    again = Client()
    again.post(SIGN_IN, {"login": "ann-of-acme", "password": PASSWORD})
    assert signed_in(again)


def test_by_mail_address_too(organisation: Organisation) -> None:
    Client().post(link_of(organisation, "bo"), {"login": "bo-of-acme", "email": "bo@example.com", "password": PASSWORD})
    client = Client()
    client.post(SIGN_IN, {"login": "bo@example.com", "password": PASSWORD})
    assert signed_in(client)


@pytest.mark.parametrize("password", ["short", "1234567890123", "password12"])
def test_an_easy_password_is_refused_in_place(organisation: Organisation, password: str) -> None:
    client, link = Client(), link_of(organisation, "dan")
    answer = client.post(link, {"login": "dan", "password": password})
    assert answer.status_code == 200 and 'id="id_password_error"' in answer.content.decode()
    assert not signed_in(client)


def test_a_name_that_somebody_signs_in_by_is_taken(organisation: Organisation) -> None:
    account_of(organisation.people["root"])
    taken = organisation.people["root"].account.login
    answer = Client().post(link_of(organisation, "carol"), {"login": taken, "password": PASSWORD})
    assert 'id="id_login_error"' in answer.content.decode()


def test_who_has_a_sign_in_joins_with_it_and_may_be_either_person(
    organisation: Organisation, other_organisation: Organisation
) -> None:
    client = Client()
    client.force_login(account_of(organisation.people["ann"]))
    assert client.post(link_of(other_organisation, "mallory"), {"join": "1"}).status_code == 302
    mallory = other_organisation.people["mallory"]
    mallory.refresh_from_db()
    assert mallory.account_id == organisation.people["ann"].account_id

    assert client.post(f"/console/be/{mallory.id}").status_code == 302
    assert client.session["person"] == str(mallory.id)
    assert client.post(f"/console/be/{organisation.people['root'].id}").status_code == 404


def test_nobody_sets_the_password_of_somebody_who_signs_in_elsewhere_too(
    organisation: Organisation, other_organisation: Organisation
) -> None:
    from tidings.accounts.invite import invite
    from tidings.kernel.problems import Problem

    mallory, ann = other_organisation.people["mallory"], organisation.people["ann"]
    mallory.account = account_of(ann)
    mallory.save()
    with pytest.raises(Problem, match="another organisation"):
        invite(other_organisation.caller("mallory"), "mallory")


def test_a_new_password_by_invitation_ends_the_invitation_and_the_one_before(organisation: Organisation) -> None:
    account_of(organisation.people["ann"], PASSWORD)
    link = link_of(organisation, "ann")
    login = organisation.people["ann"].account.login
    assert Client().post(link, {"login": "other", "password": "a new one for ann"}).status_code == 302
    assert Client().get(link).status_code == 404
    client = Client()
    client.post(SIGN_IN, {"login": login, "password": PASSWORD})
    assert not signed_in(client)


@pytest.mark.parametrize("gone", [{"active": False}, {"departed_at": "2026-01-01T00:00:00Z"}])
def test_who_may_not_act_any_more_is_nobody_at_once(
    organisation: Organisation, console: Callable[..., Any], gone: dict[str, Any]
) -> None:
    client = console("ann")
    for name, value in gone.items():
        setattr(organisation.people["ann"], name, value)
    organisation.people["ann"].save()
    assert client.get("/console/").status_code == 403


def test_guesses_come_to_an_end(organisation: Organisation) -> None:
    account = account_of(organisation.people["eve"], PASSWORD)
    for _ in range(5):
        Client().post(SIGN_IN, {"login": account.login, "password": "a wrong password"})
    client = Client()
    client.post(SIGN_IN, {"login": account.login, "password": PASSWORD})
    assert not signed_in(client)


def test_guesses_count_by_whom_they_are_about(organisation: Organisation) -> None:
    """Not by how their name is typed, nor by the host that a request says it is for."""
    account = account_of(organisation.people["eve"], PASSWORD)
    account.email = "Eve.Of.The.Guesses@example.com"
    account.save()
    typed = [account.login, account.login.upper(), f" {account.login} ", account.email, account.email.lower()]
    for number, name in enumerate(typed):
        client = Client(headers={"host": f"host-{number}.example.com"})
        client.post(SIGN_IN, {"login": name, "password": "a wrong password"})
    for name in (account.login, account.email):
        client = Client(headers={"host": "elsewhere.example.com"})
        client.post(SIGN_IN, {"login": name, "password": PASSWORD})
        assert not signed_in(client)


def test_who_is_invited_does_not_try_a_list_of_names(organisation: Organisation) -> None:
    taken = account_of(organisation.people["bo"]).login
    link = link_of(organisation, "dan")
    form = {"login": taken, "password": "four words that fit"}
    for _ in range(10):
        assert "Somebody signs in by this name already" in Client().post(link, form).content.decode()
    refused = Client().post(link, form)
    assert (refused.status_code, refused["Retry-After"]) == (429, "3600")
    assert "Somebody signs in" not in refused.content.decode()


def test_signing_in_changes_the_session(organisation: Organisation) -> None:
    """A session that somebody else planted is worth nothing afterwards."""
    account = account_of(organisation.people["bo"], PASSWORD)
    client = Client()
    client.get(SIGN_IN)
    before = client.session.session_key
    client.post(SIGN_IN, {"login": account.login, "password": PASSWORD})
    assert client.session.session_key not in (None, before)


def test_a_form_of_another_site_is_refused(organisation: Organisation) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(account_of(organisation.people["ann"]))
    answer = client.post(f"/console/be/{organisation.people['ann'].id}")
    assert answer.status_code == 403 and "Load the page again" in answer.content.decode()


@pytest.mark.parametrize("path", [SIGN_IN, "/console/nothing-here", "/console/welcome/x"])
def test_every_page_says_what_a_browser_may_do_with_it(database: str, path: str) -> None:
    answer = Client().get(path)
    policy = answer["Content-Security-Policy"]
    assert "unsafe" not in policy and "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in answer["Cache-Control"]


def test_a_page_that_is_not_there_says_so_in_words(database: str) -> None:
    answer = Client().get("/console/nothing-here", headers={"Accept-Language": "zh-hans"})
    assert answer.status_code == 404
    assert 'lang="zh-Hans"' in answer.content.decode()


def test_nobody_signs_up_by_themselves(database: str) -> None:
    assert Client().get("/console/account/signup/").status_code == 404


async def test_sessions_that_are_over_are_forgotten_and_the_others_stay(
    database: str, organisation: Organisation
) -> None:
    from tidings.accounts.forget import forget_sessions
    from tidings.kernel.database import connect

    def sign_in_twice() -> tuple[Client, Client]:
        made = Client(), Client()
        for client in made:
            client.force_login(account_of(organisation.people["ann"]))
        session = made[0].session
        session.set_expiry(-1)
        session.save()
        return made

    over, still = await in_django(sign_in_twice)
    connection = await connect(database, name="test")
    await forget_sessions(connection)
    await connection.close()
    assert not await in_django(lambda: signed_in(over))
    assert await in_django(lambda: signed_in(still))


def test_a_link_made_before_they_joined_another_tenant_opens_neither(
    organisation: Organisation, other_organisation: Organisation
) -> None:
    from tidings.accounts.invite import invite

    ann = organisation.people["ann"]
    account = account_of(ann)
    kept = urlsplit(invite(organisation.caller(), "ann")).path
    assert Client().get(kept).status_code == 200
    mallory = other_organisation.people["mallory"]
    mallory.account = account
    mallory.save()
    assert Client().get(kept).status_code == 404
    assert Client().post(kept, {"login": "x", "password": PASSWORD}).status_code == 404
    assert Client().get(link_of(organisation, "ann")).status_code == 200, "an operator may"


def test_who_left_and_comes_back_under_the_same_login_is_somebody_new(
    organisation: Organisation, console: Callable[..., Any]
) -> None:
    from tests.conftest import Api

    client, api = console("bo"), Api(organisation.token("root"))
    assert api.delete("/users/bo").status == 204
    assert api.put("/users/bo", {"name": "Another Bo", "roles": ["administrator"]}).status == 201
    assert client.get("/console/people").status_code == 403


def test_what_another_tab_shows_of_another_tenant_changes_nothing_here(
    organisation: Organisation, other_organisation: Organisation
) -> None:
    client = Client(enforce_csrf_checks=True)
    mallory = other_organisation.people["mallory"]
    mallory.account = account_of(organisation.people["root"])
    mallory.save()
    client.force_login(mallory.account)
    shown = {"csrfmiddlewaretoken": _form_token(client.get("/console/settings").content.decode())}
    assert client.post(f"/console/be/{mallory.id}", shown).status_code == 302
    assert client.post(f"/console/be/{organisation.people['root'].id}", shown).status_code == 403


def _form_token(page: str) -> str:
    return page.partition('"X-CSRFToken": "')[2].partition('"')[0]


def test_one_sign_in_is_one_person_of_a_tenant(organisation: Organisation) -> None:
    client = Client()
    client.force_login(account_of(organisation.people["ann"]))
    assert client.post(link_of(organisation, "dan"), {"join": "1"}).status_code == 409


def test_names_that_differ_in_case_only_are_one(organisation: Organisation) -> None:
    from django.db import IntegrityError, transaction

    from tidings.accounts.models import Account

    Account.objects.create(login="Somebody")
    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.create(login="sOmebody")


def test_many_other_tries_do_not_open_what_guesses_closed(organisation: Organisation) -> None:
    from django.core.cache import cache

    account = account_of(organisation.people["dan"], PASSWORD)
    for _ in range(5):
        Client().post(SIGN_IN, {"login": account.login, "password": "a wrong password"})
    for number in range(1_000):
        cache.set(f"other-{number}", 1, 300)
    client = Client()
    client.post(SIGN_IN, {"login": account.login, "password": PASSWORD})
    assert not signed_in(client)


def test_pages_are_compressed_for_who_takes_them_so(console: Callable[..., Any]) -> None:
    client = console("root")
    plain, small = client.get("/console/rules"), client.get("/console/rules", headers={"Accept-Encoding": "gzip"})
    assert small["Content-Encoding"] == "gzip" and len(small.content) < len(plain.content) / 5
    assert b"Notification" in gzip.decompress(small.content)
