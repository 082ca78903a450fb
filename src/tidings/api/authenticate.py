"""Bearer tokens for the REST calls: every route asks here, and a test proves that none was forgotten."""

from typing import cast

from django.http import HttpRequest
from ninja.security import HttpBearer

from tidings.accounts.permissions import Caller
from tidings.accounts.tokens import caller_of
from tidings.kernel.problems import Problem


class TokenAuth(HttpBearer):
    def authenticate(self, request: HttpRequest, token: str) -> Caller:
        caller = caller_of(token.strip(" \t"))
        if caller is None:
            raise Problem(401, "unauthorized", "This token was revoked or never existed.")
        return caller


def caller(request: HttpRequest) -> Caller:
    """Who is calling, once `TokenAuth` has let them in."""
    return cast(Caller, request.auth)  # type: ignore[attr-defined]
