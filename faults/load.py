"""Senders as they should be: each event is sent again, to one node or another, until somebody has kept it. Those of
`bench/load.py` spend as little as possible, and send nothing twice."""

import asyncio
import random
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from faults.stage import Installation, Process

PEOPLE = ("ann", "bo", "dan", "carol")
SENDERS = 4
PAUSE = 0.05
"""Seconds between two posts of one sender: the load must leave the machine able to show what a fault does."""
SHARED_TICKETS = 7
"""A fifth of the events are about a few tickets, so that order matters."""


class Load:
    """`accepted` is what the senders know: the 202s, by the event's id. `doors` are the nodes to post to."""

    def __init__(
        self,
        stage: Installation,
        chance: random.Random,
        doors: Callable[[], Sequence[Process]],
        people: Sequence[str] = PEOPLE,
    ) -> None:
        self._stage, self._chance, self._doors, self._people = stage, chance, doors, people
        self._numbers = count(1)
        self.accepted: dict[str, str] = {}
        """To our id of it; empty when it came in a batch, whose answer names none."""
        self.asked_again = 0
        self.refused: list[str] = []
        """Answers that are no part of the contract with a sender: neither 202 nor 503."""
        self.stopping = False

    def event(self) -> dict[str, Any]:
        number = next(self._numbers)
        shared = number % 5 == 0
        return {
            "id": f"e-{number}",
            "source": "dms",
            "type": "data_change.successful",
            "subject": {
                "kind": "ticket",
                "id": f"shared-{number % SHARED_TICKETS}" if shared else f"own-{number}",
                "title": f"Change {number}",
            },
            "people": {"submitter": self._chance.choice(self._people)},
        }

    async def send(self) -> None:
        """Until `stopping`, and until what was begun is accepted."""
        while not self.stopping:
            if self._chance.random() < 0.1:
                await self.batch([self.event() for _ in range(20)])
            else:
                await self.single(self.event())
            await asyncio.sleep(PAUSE)

    async def single(self, one: dict[str, Any]) -> None:
        while True:
            status, answer = await self._post("/api/v1/events", one)
            if status == 202:
                self.accepted[one["id"]] = answer["id"]
                return

    async def batch(self, many: list[dict[str, Any]]) -> None:
        while many:
            status, answer = await self._post("/api/v1/events/batch", many)
            if status == 202:
                # Part of it may have met a database that was just going.
                rejected = {each["index"]: each["code"] for each in answer["rejected"]}
                self.refused += [code for code in rejected.values() if code != "unavailable"]
                for place, one in enumerate(many):
                    if place not in rejected:
                        self.accepted[one["id"]] = ""
                many = [one for place, one in enumerate(many) if place in rejected]

    async def _post(self, path: str, body: Any) -> tuple[int, Any]:
        try:
            door = self._chance.choice(self._doors())
            status, answer = await self._stage.call(door, "POST", path, body, token=self._stage.token)
        except Exception:  # no connection, a broken one, no answer in time
            status, answer = 0, None
        if status != 202:
            if status not in (0, 503):
                self.refused.append(f"{status} {answer}")
            self.asked_again += 1
            await asyncio.sleep(0.05)
        return status, answer
