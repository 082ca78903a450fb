"""Who calls: whose token it is, and what that may do."""

import asyncio
from collections.abc import Mapping
from functools import partial
from urllib.parse import parse_qs
from uuid import UUID

from tidings.accounts.access import Grant
from tidings.accounts.load import find_grant
from tidings.kernel.database import Connection
from tidings.kernel.problems import Problem
from tidings.kernel.secrets import token_hash
from tidings.node.asgi import Scope
from tidings.node.engine import Node
from tidings.planning.view import View


class Callers:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._loop, self._looking = asyncio.get_running_loop(), asyncio.Lock()
        self._tenant_of: dict[bytes, UUID] = {}
        self._unknown: dict[bytes, float] = {}

    async def grant(self, headers: Mapping[bytes, bytes]) -> tuple[Grant, bytes]:
        """Whose token this is, as last read; a group looks again, so a revoked token fails there."""
        secret = secret_in(headers)
        if not secret:
            challenge = {"WWW-Authenticate": "Bearer"}
            raise Problem(401, "unauthorized", "Send a token: Authorization: Bearer <token>.", headers=challenge)
        key = token_hash(secret.decode("latin-1"))
        tenant_id = self._tenant_of.get(key)
        view = self._node.views.by_tenant.get(tenant_id) if tenant_id else None
        grant = view.grants.get(key) if view else None
        return grant or await self._look_up(key), key

    async def _look_up(self, key: bytes) -> Grant:
        """Ask the database, once in five seconds for a token that nobody has."""
        if self._unknown.get(key, 0.0) > self._loop.time():
            raise revoked()
        async with self._looking:
            grant = await self._node.front.read(partial(find_grant, token_hash=key))
            if grant is None:
                if len(self._unknown) > 10_000:
                    self._unknown.clear()
                self._unknown[key] = self._loop.time() + 5
                raise revoked()
            await self._node.front.read(partial(self._view, grant.tenant_id))
        self._tenant_of[key] = grant.tenant_id
        return grant

    async def view(self, tenant_id: UUID) -> View | None:
        """A tenant as the database has it now."""
        async with self._looking:
            return await self._node.front.read(partial(self._view, tenant_id))

    async def _view(self, tenant_id: UUID, connection: Connection) -> View | None:
        return (await self._node.views.current(connection, (tenant_id,))).get(tenant_id)


def secret_in(headers: Mapping[bytes, bytes]) -> bytes:
    """Empty where no bearer token is."""
    scheme, _, secret = headers.get(b"authorization", b"").partition(b" ")
    return secret.strip() if scheme.lower() == b"bearer" else b""


def token_in_url(scope: Scope) -> dict[bytes, bytes]:
    """The headers, with `?token=` as the bearer token where they have none: some systems can be given a URL only."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    token = parse_qs(scope["query_string"].decode("latin-1")).get("token")
    # Some systems have the header for their signature.
    if token and not secret_in(headers):
        headers[b"authorization"] = b"Bearer " + token[-1].encode("latin-1", "replace")
    return headers


def revoked() -> Problem:
    return Problem(401, "unauthorized", "This token was revoked or never existed.")
