"""Sends at once, and again where that helps."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar, Union
from urllib.parse import quote

from tidings_client.answers import Accepted, Batch, Parked, Pushed, Refused, Rejected, Unavailable
from tidings_client.call import address, post
from tidings_client.environment import optional, required, secret_reader
from tidings_client.event import Event, as_json, encoded
from tidings_client.sign import signature

T = TypeVar("T")
EventLike = Union[Event, Mapping[str, Any]]
"""An event, or its members as the API documents them; without an `id` it gets one."""
BATCH_EVENTS = 1_000
"""As many as Tidings takes at once."""
BATCH_BYTES = 1_000_000
"""It takes 8 MiB; proxies that nobody has set up let 1 MiB through."""
PAUSE, PAUSE_AT_MOST = 0.5, 8.0
_AGAIN = ("unavailable",)
"""Codes of one event of a batch that a later try may cure."""


class Client:
    """Tidings at this address, for whom this token speaks; or at the whole address of a source, with the token in it.
    Holds no connection: threads may share it, and it outlives
    forks. `timeout`: seconds for one call. `patience`: seconds in which a call that failed for reasons of the network
    or of the moment (429, 5xx) is made again, with the same ids; 0: once. `token` may be a function, which is asked
    each time. `secret`: signs what is pushed, for a source that has one. Raises ValueError for what is no
    address."""

    def __init__(
        self,
        url: str,
        token: str | Callable[[], str] = "",
        *,
        timeout: float = 10.0,
        patience: float = 30.0,
        secret: str = "",
    ) -> None:
        self._address, in_the_url = address(url)
        self._token, self._secret = token or in_the_url, secret
        if not self._token:
            raise ValueError(
                "A token of a source is missing: beside the address of Tidings, or in it as ?token=tdg_..."
            )
        self.timeout, self.patience = timeout, patience

    @classmethod
    def from_environment(cls, *, timeout: float = 10.0, patience: float = 30.0) -> Client:
        """`TIDINGS_URL`; `TIDINGS_TOKEN`, unless it is in the address, or `TIDINGS_TOKEN_FILE`, which is read at each
        call; `TIDINGS_SECRET`, where pushes are signed. Raises ValueError for what is missing."""
        url, token = required("TIDINGS_URL"), secret_reader("TIDINGS_TOKEN")
        return cls(url, token, timeout=timeout, patience=patience, secret=optional("TIDINGS_SECRET"))

    def send(self, event: EventLike) -> Accepted:
        """Raises `Refused`, or `Unavailable` when patience is at its end."""
        body = encoded(event)
        return self._patiently(lambda: self.post_event(body))

    def send_many(self, events: Iterable[EventLike]) -> Batch:
        """In the order given, by as many calls as it takes. The good ones are kept, the others named. Raises
        `Unavailable` when patience is at its end, and `Refused` for what is true of all (the token, say): some may have
        been kept by then, and all may be sent again."""
        bodies = [encoded(event) for event in events]
        accepted = duplicates = 0
        rejected: list[Rejected] = []
        for first, last in slices(bodies):
            batch = self._patiently_many(bodies[first:last])
            accepted, duplicates = accepted + batch.accepted, duplicates + batch.duplicates
            rejected += [Rejected(first + each.index, each.code, each.detail) for each in batch.rejected]
        return Batch(accepted, duplicates, rejected)

    def push(
        self, adapter: str, payload: Mapping[str, Any], *, secret: str = "", headers: Mapping[str, str] | None = None
    ) -> Pushed:
        """Another system's own words, for the adapter of that name. `secret`: sign it with this one; `headers` carries
        another signature. Raises `Refused`, or `Unavailable` when patience is at its end."""
        body = as_json(payload)
        return self._patiently(lambda: self.post_payload(adapter, body, headers or {}, secret))

    # one call each, without patience

    def post_event(self, body: bytes) -> Accepted:
        return _understood(_accepted, self._post("/events", body))

    def post_batch(self, bodies: Sequence[bytes]) -> Batch:
        """Halved where something in between finds it too large."""
        try:
            return _understood(_batch, self._post("/events/batch", b"[" + b",".join(bodies) + b"]"))
        except Refused as refused:
            if refused.status != 413:
                raise
            if len(bodies) == 1:
                return Batch(0, 0, [Rejected(0, refused.code or "too_large", refused.detail)])
        half = len(bodies) // 2
        first, second = self.post_batch(bodies[:half]), self.post_batch(bodies[half:])
        return _sum(first, second, half)

    def post_payload(self, adapter: str, body: bytes, headers: Mapping[str, str], secret: str = "") -> Pushed:
        """Signed now: a signature has its time in it."""
        sent = {**headers, **signature(body, secret or self._secret, time.time())}
        return _understood(_pushed, self._post(f"/sources/{quote(adapter, safe='')}", body, sent))

    def _post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> Any:
        token = (self._token if isinstance(self._token, str) else self._token()).strip()
        if not (token.isascii() and token.isprintable()):  # the standard library would show it in its complaint
            raise Refused(401, "", "The token has several lines, or letters that no token has: copy it again, alone.")
        sent = {"Authorization": f"Bearer {token}", "User-Agent": "tidings-client/0.1.0", **(headers or {})}
        return post(self._address, f"/api/v1{path}", body, sent, self.timeout)

    # patience

    def _patiently(self, call: Callable[[], T]) -> T:
        ends, tries = time.monotonic() + self.patience, 0
        while True:
            try:
                return call()
            except Unavailable as away:
                wait = pause(tries, away.after)
                if time.monotonic() + wait > ends:
                    raise
            time.sleep(wait)
            tries += 1

    def _patiently_many(self, bodies: Sequence[bytes]) -> Batch:
        """Those that only the moment stood in the way of are sent again, alone."""
        ends, tries = time.monotonic() + self.patience, 0
        places = list(range(len(bodies)))
        accepted = duplicates = 0
        rejected: list[Rejected] = []
        while True:
            sent = [bodies[place] for place in places]
            batch = self._patiently(partial(self.post_batch, sent))
            accepted, duplicates = accepted + batch.accepted, duplicates + batch.duplicates
            again = [each for each in batch.rejected if each.code in _AGAIN]
            rejected += [
                Rejected(places[each.index], each.code, each.detail) for each in batch.rejected if each not in again
            ]
            if not again:
                return Batch(accepted, duplicates, sorted(rejected, key=lambda each: each.index))
            wait = pause(tries)
            if time.monotonic() + wait > ends:
                raise Unavailable(again[0].detail)
            places, tries = [places[each.index] for each in again], tries + 1
            time.sleep(wait)


def pause(tries: int, after: float | None = None, at_most: float = PAUSE_AT_MOST) -> float:
    """Seconds until the next try: as long as Tidings asked for, else longer each time; never all at the same moment."""
    spread = random.uniform(0.5, 1.0)  # noqa: S311
    return PAUSE * spread + after if after is not None else min(PAUSE * 2 ** min(tries, 20), at_most) * spread


def slices(bodies: Sequence[bytes]) -> list[tuple[int, int]]:
    """Where each batch begins and ends."""
    found, first, size = [], 0, 0
    for place, body in enumerate(bodies):
        if place > first and (place - first == BATCH_EVENTS or size + len(body) > BATCH_BYTES):
            found.append((first, place))
            first, size = place, 0
        size += len(body) + 1
    return [*found, (first, len(bodies))] if bodies else []


# what came


def _understood(read: Callable[[Any], T], said: Any) -> T:
    try:
        return read(said)
    except (KeyError, TypeError, ValueError) as error:
        raise Unavailable(f"The answer is JSON, and not Tidings': {error!r}") from error


def _accepted(said: Any) -> Accepted:
    return Accepted(str(said["id"]), bool(said["duplicate"]))


def _batch(said: Any) -> Batch:
    rejected = [Rejected(int(one["index"]), str(one["code"]), str(one["detail"])) for one in said["rejected"]]
    return Batch(int(said["accepted"]), int(said["duplicates"]), rejected)


def _pushed(said: Any) -> Pushed:
    parked = said["parked"]
    return Pushed(
        [_accepted(one) for one in said["events"]],
        bool(said["ignored"]),
        parked and Parked(str(parked["id"]), str(parked["reason"]), str(parked["detail"]), str(parked.get("see", ""))),
    )


def _sum(first: Batch, second: Batch, shift: int) -> Batch:
    later = [Rejected(each.index + shift, each.code, each.detail) for each in second.rejected]
    return Batch(first.accepted + second.accepted, first.duplicates + second.duplicates, [*first.rejected, *later])
