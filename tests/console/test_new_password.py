"""A forgotten password: the link comes by mail, through the e-mail settings of a tenant."""

import re
import time
from collections.abc import Iterator
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from tests.api.given import aside
from tests.conftest import Api, Organisation
from tests.console.conftest import account_of

PASSWORD = "correct horse battery"
ASK, SIGN_IN = "/console/account/password/reset/", "/console/account/login/"


@pytest.fixture
def mail_server(local_calls: None) -> Iterator[Any]:
    from tidings.channels.testing.smtp_server import MailServer

    with aside(MailServer()) as server:
        yield server


@pytest.fixture
def ann(organisation: Organisation, mail_server: Any) -> Any:
    """She signs in, has an address for links, and her tenant sends mail."""
    settings = {"host": "localhost", "port": mail_server.port, "security": "none", "from": "notices@example.com"}
    api = Api(organisation.token("root"))
    assert api.put("/channels/email", {"enabled": True, "settings": settings}).status == 200
    account = account_of(organisation.people["ann"], PASSWORD)
    account.email, account.home = f"ann@{organisation.id}.example", organisation.tenant
    account.save()
    return account


def mails(server: Any, count: int) -> list[str]:
    until = time.monotonic() + 10
    while len(server.mails) < count and time.monotonic() < until:
        time.sleep(0.02)
    return [
        message_from_bytes(one.raw, policy=policy.default).get_body(("plain",)).get_content() for one in server.mails
    ]


def test_the_link_in_the_mail_lets_them_choose_another(ann: Any, mail_server: Any) -> None:
    answer = Client().post(ASK, {"email": ann.email.upper()}, headers={"Host": "evil.example"})
    assert answer.status_code == 302
    [text] = mails(mail_server, 1)
    [link] = re.findall(r"http\S+", text)
    assert link.startswith("http://127.0.0.1:8420/console/account/password/reset/key/")

    client = Client()
    form = client.get(urlsplit(link).path, follow=True)
    assert form.status_code == 200
    chosen = {"password1": "another long password", "password2": "another long password"}
    assert client.post(form.redirect_chain[-1][0], chosen).status_code == 302
    again = Client()
    again.post(SIGN_IN, {"login": ann.login, "password": "another long password"})
    assert "_auth_user_id" in again.session
    assert "password1" not in Client().get(urlsplit(link).path, follow=True).content.decode()


def test_nobody_can_tell_whether_an_address_is_known(ann: Any, mail_server: Any) -> None:
    known, unknown = (Client().post(ASK, {"email": email}) for email in (ann.email, "nobody@example.com"))
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert len(mails(mail_server, 1)) == 1
    time.sleep(0.3)
    assert len(mail_server.mails) == 1


def test_a_link_leaves_by_no_other_tenants_server(ann: Any, mail_server: Any, other_organisation: Organisation) -> None:
    """Whoever runs the server can read it, and it opens every tenant they sign in to."""
    ann.home = other_organisation.tenant
    ann.save()
    assert Client().post(ASK, {"email": ann.email}).status_code == 302
    time.sleep(0.5)
    assert mail_server.mails == []
