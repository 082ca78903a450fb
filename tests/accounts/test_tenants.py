"""How a tenant begins, and an installation's first one."""

import threading
from typing import Any

import pytest

SECRET, OTHER = "tdg_the-operator-chose-this-one", "tdg_and-then-another-one"


def _tenants() -> list[str]:
    from tidings.accounts.models import Tenant

    return list(Tenant.objects.order_by("name").values_list("name", flat=True))


def _first(**more: Any) -> str | None:
    from tidings.accounts.tenants import first_tenant
    from tidings.rules.start import create_rules

    return first_tenant(start=create_rules, **more)


def _caller(secret: str) -> Any:
    from tidings.accounts.tokens import caller_of

    return caller_of(secret)


@pytest.fixture
def nobody(database: str) -> None:
    """An installation that was never started."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE accounts_tenant, accounts_account CASCADE")


def _create(name: str, *args: Any, **more: Any) -> Any:
    from tidings.accounts.tenants import create_tenant
    from tidings.rules.start import create_rules

    return create_tenant(name, *args, start=create_rules, **more)


# any tenant


def test_a_tenant_begins_with_an_administrator_and_a_rule_for_every_event_type(nobody: None) -> None:
    from tidings.audit.models import Change
    from tidings.catalog.features import built_in
    from tidings.rules.models import Rule

    tenant, person, secret = _create("Acme", "boss")
    assert (person.login, person.roles, person.tenant_id) == ("boss", ["administrator"], tenant.id)
    assert _caller(secret).person == person
    assert Rule.objects.for_tenant(tenant.id).count() == len(built_in().event_types)
    changes = list(Change.objects.for_tenant(tenant.id).order_by("id"))
    assert [(change.actor, change.action, change.kind) for change in changes] == [
        ("command line", "create", "tenant"),
        ("command line", "create", "user"),
        ("command line", "create", "token"),
    ]
    assert not [change for change in changes if secret in f"{change.before}{change.after}"]


def test_tenants_have_names_of_their_own(nobody: None) -> None:
    from tidings.kernel.problems import Problem

    _create("数据平台")
    for name, code in (
        ("数据平台", "tenant_exists"),
        (" 数据平台 ", "tenant_exists"),
        ("", "invalid"),
        ("a\nb", "invalid"),
    ):
        with pytest.raises(Problem) as raised:
            _create(name)
        assert raised.value.code == code
    with pytest.raises(Problem):
        _create("x" * 101)
    assert _tenants() == ["数据平台"]


def test_a_tenant_that_cannot_be_made_whole_is_not_made(nobody: None) -> None:
    from tidings.accounts.tenants import create_tenant

    def start(_tenant_id: Any) -> None:
        raise OSError("the rules cannot be read")

    with pytest.raises(OSError, match="rules"):
        create_tenant("Acme", start=start)
    assert _tenants() == []


# the first


def test_a_new_installation_has_a_tenant_and_one_token(nobody: None) -> None:
    secret = _first()
    assert secret is not None
    caller = _caller(secret)
    assert (caller.person.login, caller.person.roles, caller.person.account) == ("admin", ["administrator"], None)
    assert _tenants() == ["default"]
    assert _first() is None
    assert _tenants() == ["default"]


def test_the_operators_token_and_password_are_the_administrators(nobody: None) -> None:
    assert _first(secret=SECRET, password="correct horse") is None
    person = _caller(SECRET).person
    assert person.login == "admin"
    assert person.account.check_password("correct horse")
    assert not person.account.is_superuser


def test_where_there_are_other_tenants_nothing_is_made(nobody: None) -> None:
    _create("Acme")
    assert _first(secret=SECRET, password="correct horse") is None
    assert _tenants() == ["Acme"]
    assert _caller(SECRET) is None


def test_a_token_that_is_set_later_is_added(nobody: None) -> None:
    from tidings.accounts.models import Token

    made = _first()
    assert made is not None
    assert _first(secret=SECRET) is None
    assert _first(secret=SECRET) is None
    assert _caller(SECRET).person == _caller(made).person
    assert Token.objects.across_tenants().count() == 2


def test_a_revoked_token_stays_revoked(nobody: None) -> None:
    from tidings.accounts.models import Token
    from tidings.accounts.tenants import RevokedAdminToken, command_line
    from tidings.accounts.tokens import revoke_token

    _first(secret=SECRET)
    token = Token.objects.across_tenants().get()
    revoke_token(command_line(token.tenant_id), token.id)
    with pytest.raises(RevokedAdminToken):
        _first(secret=SECRET)
    assert _caller(SECRET) is None


def test_the_token_that_was_set_before_ends_and_no_other(nobody: None, caplog: pytest.LogCaptureFixture) -> None:
    from tidings.accounts.issue import issue_token
    from tidings.accounts.tenants import RevokedAdminToken

    made = _first()
    assert made is not None
    _first(secret=SECRET)
    person = _caller(made).person
    _, by_hand = issue_token(_caller(made), name="laptop")
    assert caplog.messages == []
    _first(secret=OTHER)
    assert caplog.messages == ["TIDINGS_ADMIN_TOKEN was changed: the token that it named before has ended"]
    assert _caller(SECRET) is None
    assert {_caller(secret).person for secret in (made, by_hand, OTHER)} == {person}
    with pytest.raises(RevokedAdminToken):
        _first(secret=SECRET)
    assert _caller(OTHER).person == person


def test_the_token_of_the_first_start_ends_too(nobody: None) -> None:
    _first(secret=SECRET)
    _first(secret=OTHER)
    assert _caller(SECRET) is None
    assert _caller(OTHER).person.login == "admin"


def test_the_token_that_was_set_before_ends_also_when_nobody_gets_the_new_one(nobody: None) -> None:
    from tidings.accounts.models import Person

    _first(secret=SECRET)
    Person.objects.across_tenants().update(login="chief")
    _first(secret=OTHER)
    assert _caller(SECRET) is _caller(OTHER) is None


def test_nobody_else_names_a_token_so(nobody: None) -> None:
    from tidings.accounts.issue import issue_token
    from tidings.kernel.problems import Problem

    made = _first()
    assert made is not None
    with pytest.raises(Problem):
        issue_token(_caller(made), name="TIDINGS_ADMIN_TOKEN")


def test_a_password_that_is_set_later_makes_a_sign_in_once(nobody: None) -> None:
    from tidings.accounts.models import Person

    _first()
    _first(password="one")
    _first(password="two")
    account = Person.objects.across_tenants().get(login="admin").account
    assert account is not None
    assert account.check_password("one")


@pytest.mark.parametrize("change", [{"active": False}, {"roles": ["dba"]}, {"login": "chief"}])
def test_nothing_is_added_for_who_is_no_longer_administrator(nobody: None, change: dict[str, Any]) -> None:
    from tidings.accounts.models import Person

    _first()
    Person.objects.across_tenants().update(**change)
    _first(secret=SECRET, password="correct horse")
    assert _caller(SECRET) is None
    assert Person.objects.across_tenants().get().account is None


def test_many_that_start_at_once_make_one(nobody: None) -> None:
    made: list[str | None] = []
    barrier = threading.Barrier(5)

    def start() -> None:
        from django.db import connection

        barrier.wait()
        try:
            made.append(_first())
        finally:
            connection.close()

    threads = [threading.Thread(target=start) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 5
    assert sum(secret is not None for secret in made) == 1
    assert _tenants() == ["default"]
