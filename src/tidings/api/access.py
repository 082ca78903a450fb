"""Sources and tokens: who may call. A secret is shown once."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from ninja import Field, Query, Router, Schema, Status
from pydantic import ConfigDict

from tidings.accounts.issue import create_source, issue_token, sources, tokens_seen_by, withdraw_token
from tidings.accounts.models import Source, Token
from tidings.accounts.tokens import create_token
from tidings.api.authenticate import caller
from tidings.api.pages import Listed, Paging, Text
from tidings.events.sources.look import AtWork, at_work
from tidings.events.sources.set_up import choose_adapter
from tidings.kernel.pages import page_of

router = Router(tags=["access"])


class SourceWanted(Schema):
    model_config = ConfigDict(extra="forbid")
    name: Text
    adapter: Text | None = Field(None, description="whose words it speaks; GET /adapters lists them. Missing: our own")


class SourceShown(Schema):
    id: UUID
    name: str


class SourceAtWork(SourceShown):
    adapter: str | None = Field(description="the one it is set up for")
    parked: int = Field(description="payloads that wait for a mapping, as far as they were counted")
    last_event_at: datetime | None = Field(description="if it is among the organisation's last 20,000 events")


class SourceMade(SourceShown):
    token: str = Field(description="the secret of its first token; nobody can read it again")


class TokenWanted(Schema):
    """For the caller, unless an administrator names a person or a source."""

    model_config = ConfigDict(extra="forbid")
    person: Text | None = Field(None, description="a login")
    source: Text | None = None
    scopes: list[Text] = Field([], max_length=10)
    name: Text = ""


class WhichTokens(Schema):
    person: Text | None = Field(None, description="a login: only those that speak for them")
    source: Text | None = Field(None, description="only those that speak for it")


class TokenShown(Schema):
    id: UUID
    name: str
    person: str | None
    source: str | None
    scopes: list[str]
    created_at: datetime


class TokenMade(TokenShown):
    token: str = Field(description="the secret; nobody can read it again")


@router.get("/sources", response=Listed[SourceAtWork])
def list_sources(request: HttpRequest, paging: Query[Paging]) -> dict[str, Any]:
    who = caller(request)
    page = page_of(sources(who), paging, by="name")
    at_work_now = {each.name: each for each in at_work(who, page.rows)}
    return page.listed(lambda source: _source_at_work(source, at_work_now[source.name]))


@router.post("/sources", response={201: SourceMade})
def post_source(request: HttpRequest, body: SourceWanted) -> Status[Any]:
    """A source, with its first token."""
    with transaction.atomic():
        source = create_source(caller(request), body.name)
        _, secret = create_token(caller(request), source=source)
        if body.adapter:
            choose_adapter(caller(request), source.name, body.adapter)
    return Status(201, {**_source(source), "token": secret})


@router.get("/tokens", response=Listed[TokenShown])
def list_tokens(request: HttpRequest, which: Query[WhichTokens], paging: Query[Paging]) -> dict[str, Any]:
    """The living ones: all of the organisation's for administrators, their own for others. Newest first."""
    tokens = tokens_seen_by(caller(request), login=which.person, source=which.source)
    return page_of(tokens, paging).listed(_token)


@router.post("/tokens", response={201: TokenMade})
def post_token(request: HttpRequest, body: TokenWanted) -> Status[Any]:
    token, secret = issue_token(
        caller(request), login=body.person, source=body.source, scopes=body.scopes, name=body.name
    )
    return Status(201, {**_token(token), "token": secret})


@router.delete("/tokens/{token_id}", response={204: None})
def delete_token(request: HttpRequest, token_id: UUID) -> Status[None]:
    """Holds for every request after this is answered, on every node."""
    withdraw_token(caller(request), token_id)
    return Status(204, None)


def _source(source: Source) -> dict[str, Any]:
    return {"id": source.id, "name": source.name}


def _source_at_work(source: Source, now: AtWork) -> dict[str, Any]:
    return {**_source(source), "adapter": now.adapter or None, "parked": now.parked, "last_event_at": now.last_at}


def _token(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "person": token.person.login if token.person else None,
        "source": token.source.name if token.source else None,
        "scopes": token.scopes,
        "created_at": token.created_at,
    }
