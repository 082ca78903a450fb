"""People at the console: a signed-in browser each, without the browser."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import Organisation


def account_of(person: Any, password: str | None = None) -> Any:
    """Their sign-in; made when it is new."""
    from tidings.accounts.models import Account

    if person.account is None:
        person.account = Account.objects.create(login=f"{person.login}@{person.tenant.name}")
        person.save(update_fields=["account"])
    if password:
        person.account.set_password(password)
        person.account.save()
    return person.account


@pytest.fixture
def console(organisation: Organisation, other_organisation: Organisation) -> Callable[..., Any]:
    """`console("ann").get("/console/inbox")`: Django's test client, signed in as this person; mallory comes from the
    other tenant, and `console("")` has not signed in. `part=True` asks as htmx does."""
    from django.test import Client

    def client(login: str = "root", *, part: bool = False) -> Client:
        made = Client(headers={"HX-Request": "true"} if part else None, enforce_csrf_checks=False)
        if login:
            people = (other_organisation if login == "mallory" else organisation).people
            made.force_login(account_of(people[login]))
        return made

    return client
