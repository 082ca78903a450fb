"""Signing in, by django-allauth: which of its pages there are, how its mails leave, how second factors are kept."""

import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.urls import urlpatterns as account_pages
from allauth.mfa.adapter import DefaultMFAAdapter
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest
from django.urls import get_script_prefix, include, path
from django.utils import translation
from django.utils.translation import gettext

from tidings.accounts.models import Account, Person
from tidings.channels.configure import settings_in_use
from tidings.channels.contract import Outcome, Sent
from tidings.channels.registry import CHANNELS
from tidings.channels.send_aside import send_aside
from tidings.channels.try_out import parcel_of
from tidings.delivery.budget import take_at_once
from tidings.kernel.clock import now
from tidings.kernel.ids import uuid7
from tidings.kernel.problems import Problem
from tidings.kernel.secrets import seal, unseal
from tidings.kernel.settings import settings
from tidings.messages.document import Document, Reader
from tidings.messages.notice import notice

log = logging.getLogger("tidings.console")
_one_at_a_time = threading.Lock()
GUESSED_AT_ONCE = 5
"""Sign-ins that share an address."""
WANTED = {
    "account_login",
    "account_logout",
    "account_inactive",
    "account_reauthenticate",
    "account_change_password",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
}


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """People are invited."""
        return False

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        """A password costs most of a second of one of a node's two threads: strangers who guess get one of them at
        most, and the other keeps serving pages."""
        if not _one_at_a_time.acquire(blocking=False):
            raise ValidationError(gettext("Many are signing in just now. Try again in a moment."))
        try:
            return super().authenticate(request, **credentials)
        finally:
            _one_at_a_time.release()

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Guesses count by whom they are about: whatever name of theirs is typed, however, and whichever host a request
        says that it is for."""
        typed = str(credentials.get("email") or credentials.get("username") or "").strip()
        known = (
            Account.objects.filter(Q(login__iexact=typed) | Q(email__iexact=typed)) if typed else Account.objects.none()
        )
        ids = [str(each) for each in known.order_by("id").values_list("id", flat=True)[:GUESSED_AT_ONCE]]
        return f"sign-in:{','.join(ids) or typed.casefold()}"

    def get_reset_password_from_key_url(self, key: str) -> str:
        """Never from the Host that a request names: a stranger could have the link sent with their own."""
        own = urlsplit(super().get_reset_password_from_key_url(key)).path
        return f"{settings().base_url}/{own.removeprefix(get_script_prefix())}"

    def send_mail(self, template_prefix: str, email: str, context: Mapping[str, Any]) -> None:
        """Through the e-mail settings of the tenant where the sign-in began; nothing else here can send mail."""
        if url := context.get("password_reset_url"):
            _send_link(context["user"], email, url)


def _send_link(account: Account, email: str, url: str) -> None:
    """Aside, so that how long the answer takes does not tell whether there is such a sign-in."""
    channel = CHANNELS["email"]
    people = Person.objects.across_tenants().filter(account=account, active=True, departed_at=None)
    for person in people.filter(tenant=account.home):
        with suppress(Problem):
            in_use = settings_in_use(person.tenant_id, channel)
            parcel = parcel_of(_letter(person, url), {"address": email}, in_use)
            send_aside(take_at_once, channel, channel.budgets([parcel]), partial(channel.send, parcel), _told)
            return
    log.warning("a link for a new password could not be sent: no e-mail is set up where %s began", account.login)


def _letter(person: Person, url: str) -> Document:
    reader = Reader(person.login, person.name, person.language, person.timezone, because=())
    with translation.override(person.language):
        headline = gettext("Choose a new password for Tidings")
        todo = gettext("Follow this link within three days; if you did not ask for it, do nothing:") + f"\n{url}"
    return notice("new_password", uuid7(), reader, now(), headline=headline, todo=todo)


def _told(outcome: Outcome) -> None:
    if not isinstance(outcome, Sent):
        log.warning("a link for a new password was not taken: %s", outcome.reason)


class SecondFactor(DefaultMFAAdapter):  # type: ignore[misc]
    """Its secrets are sealed at rest, as all are."""

    def encrypt(self, text: str) -> str:
        return seal({"text": text}).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return str(unseal(encrypted_text.encode())["text"])


urlpatterns = [
    path("account/", include([each for each in account_pages if each.name in WANTED])),
    path("account/second-factor/", include("allauth.mfa.urls")),
    path("account/sessions/", include("allauth.usersessions.urls")),
]
