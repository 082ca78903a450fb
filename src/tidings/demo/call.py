"""The public API, as anybody may call it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import msgspec
from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import PyreqwestError

T = TypeVar("T")
PATIENCE = timedelta(seconds=20)


class Unanswered(Exception):
    """Tidings did not answer, or not as it should; in words."""


@dataclass(frozen=True, slots=True)
class Answered:
    status: int
    raw: bytes

    @property
    def body(self) -> Any:
        return msgspec.json.decode(self.raw) if self.raw else None

    @property
    def words(self) -> str:
        return self.raw.decode(errors="replace")[:500]

    def read(self, shape: type[T]) -> T:
        return msgspec.json.decode(self.raw, type=shape)


@dataclass(frozen=True, slots=True)
class Api:
    """Somebody who calls: an address and a token. Paths begin with a slash; those of the REST calls with /users, ..."""

    client: Client
    base: str
    token: str

    async def call(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json"
    ) -> Answered:
        request = self.client.request(method, f"{self.base}/api/v1{path}").bearer_auth(self.token).timeout(PATIENCE)
        if body is not None:
            request = request.header("content-type", content_type).body_bytes(msgspec.json.encode(body))
        try:
            answer = await request.build().send()
            return Answered(answer.status, (await answer.bytes()).to_bytes())
        except PyreqwestError as error:
            raise Unanswered(f"{method} {path}: no answer ({type(error).__name__}).") from None

    async def must(self, method: str, path: str, body: Any = None) -> Answered:
        """Raises `Unanswered` with what Tidings said, unless it did what was asked."""
        answer = await self.call(method, path, body)
        if answer.status // 100 != 2:
            raise Unanswered(
                f"{method} {path} was answered {answer.status}: {answer.raw.decode(errors='replace')[:500]}"
            )
        return answer

    def by(self, token: str) -> "Api":
        """The same Tidings, called by somebody else."""
        return Api(self.client, self.base, token)


def new_client() -> Client:
    """No proxy of the environment's: Tidings is on this machine."""
    return ClientBuilder().no_proxy().follow_redirects(False).build()
