"""Processes are killed under load: nothing that was accepted is lost, and what is repeated is no more than what the
killed process had in its hands."""

import asyncio
import random
from collections import Counter
from itertools import count
from typing import Any

import pytest
from tests.delivery.given import event
from tests.faults.stage import Installation, Kind, Process, installation

PEOPLE = ("ann", "bo", "dan", "carol")
# 21 kills over three seeds; each kind at least three times.
VICTIMS: tuple[Kind | str, ...] = ("serve", "web", "worker", "postmaster", "serve", "worker", "postmaster")
EVENTS_AT_LEAST = 800
"""For each seed."""
SENDERS = 6


class Load:
    """Senders as they should be: each event is sent again, to one node or the other, until somebody has kept it."""

    def __init__(self, stage: Installation, chance: random.Random) -> None:
        self._stage, self._chance, self._numbers = stage, chance, count(1)
        self.accepted: dict[str, str] = {}
        self.asked_again = 0
        self.stopping = False

    def _event(self) -> dict[str, Any]:
        number = next(self._numbers)
        # A fifth of them are about a few tickets, so that order matters.
        subject = f"shared-{number % 7}" if number % 5 == 0 else f"own-{number}"
        return event(id=f"e-{number}", subject=subject, to=self._chance.choice(PEOPLE))

    async def send(self) -> None:
        while not (self.stopping and len(self.accepted) >= EVENTS_AT_LEAST):
            if self._chance.random() < 0.1:
                await self._batch([self._event() for _ in range(20)])
            else:
                await self._single(self._event())
            await asyncio.sleep(0.02)

    def _front(self) -> Process:
        return self._chance.choice([process for process in self._stage.processes if process.port])

    async def _single(self, one: dict[str, Any]) -> None:
        while True:
            status, answer = await self._post("/api/v1/events", one)
            if status == 202:
                self.accepted[one["id"]] = answer["id"]
                return

    async def _batch(self, many: list[dict[str, Any]]) -> None:
        while many:
            status, answer = await self._post("/api/v1/events/batch", many)
            if status == 202:
                # Part of it may have met a database that was just going.
                left = {each["index"] for each in answer["rejected"]}
                assert {each["code"] for each in answer["rejected"]} <= {"unavailable"}
                for place, one in enumerate(many):
                    if place not in left:
                        self.accepted[one["id"]] = ""
                many = [one for place, one in enumerate(many) if place in left]

    async def _post(self, path: str, body: Any) -> tuple[int, Any]:
        try:
            status, answer = await self._stage.call(self._front(), "POST", path, body, token=self._stage.token)
        except Exception:  # no connection, a broken one, no answer in time
            status, answer = 0, None
        if status != 202:
            assert status in (0, 503), (status, answer)
            self.asked_again += 1
            await asyncio.sleep(0.05)
        return status, answer


async def strike(stage: Installation, victim: str, chance: random.Random) -> None:
    if victim == "postmaster":
        stage.kill_postmaster()
        # Whoever asks waits until a node has started it again.
        await stage.rows("SELECT 1")
        return
    process = next(one for one in stage.processes if one.kind == victim)
    await stage.kill(process)
    await asyncio.sleep(chance.uniform(0.0, 0.8))
    stage.again(process)
    await stage.ready(process)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nothing_accepted_is_lost_and_little_is_repeated(seed: int) -> None:
    chance = random.Random(seed)
    async with installation() as stage:
        # given: one process that does both, one of each that do one, and people who can be reached
        serve = stage.run("serve")
        await stage.ready(serve)
        await stage.set_up(serve, *PEOPLE)
        for process in (stage.run("web"), stage.run("worker")):
            await stage.ready(process)
        load = Load(stage, chance)
        sending = [asyncio.create_task(load.send()) for _ in range(SENDERS)]
        # when
        victims = list(VICTIMS)
        chance.shuffle(victims)
        for victim in victims:
            await asyncio.sleep(chance.uniform(0.3, 1.2))
            await strike(stage, victim, chance)
        load.stopping = True
        async with asyncio.timeout(60):
            await asyncio.gather(*sending)
        # What a killed node held is free 20 to 25 seconds later; behind it wait later messages about the same ticket.
        await stage.over(60)

        # then: nothing accepted is lost
        kept = await stage.rows("SELECT source_id, id::text FROM events_event WHERE source = 'dms'")
        assert len(kept) == len(dict(kept)) == len(load.accepted)
        assert {key: value for key, value in load.accepted.items() if value}.items() <= dict(kept).items()
        assert set(load.accepted) == set(dict(kept))
        assert await stage.states() == Counter(sent=len(kept))
        arrivals, sent = stage.arrivals(), await stage.sent()
        assert set(sent) == set(arrivals)
        assert {str(about) for about in sent.values()} == set(dict(kept).values())
        # what is repeated was in the hands of a process that was killed
        repeats = stage.repeats()
        assert repeats <= stage.may_repeat, repeats - stage.may_repeat
        # each ticket's messages arrive in order, or say that they are late
        assert await out_of_order(stage) == []
        # and the product's own proof holds; nobody ended but those who were killed
        ledger = await stage.ledger()
        assert (ledger["accepted"], ledger["unplanned"], ledger["open"]) == (len(kept), 0, 0)
        assert stage.ended_by_themselves() == []
        assert not stage.receiver.complaints
        assert sum(stage.kills.values()) == len(VICTIMS)
        print(
            f"seed {seed}: {len(kept)} events, {sum(stage.kills.values())} kills, asked again {load.asked_again} times, "
            f"{sum(repeats.values())} repeats of at most {sum(stage.may_repeat.values())}"
        )


async def out_of_order(stage: Installation) -> list[str]:
    """Messages that first arrive after a later one of their ticket and person, are not the current status, and do not
    say so."""
    rows = await stage.rows("SELECT id::text, number, time FROM events_event")
    placed = {key: (number, (time, number)) for key, number, time in rows}
    latest: dict[tuple[str, str], tuple[int, Any]] = {}
    seen: set[str] = set()
    wrong: list[str] = []
    for one in stage.receiver.arrivals:
        data = one.payload["data"]
        if one.identity in seen:
            continue
        seen.add(one.identity)
        ticket, (number, status) = (one.path, data["subject"]["id"]), placed[data["event_id"]]
        before = latest.get(ticket)
        if before and number < before[0] and status < before[1] and not data.get("earlier"):
            wrong.append(f"{ticket}: number {number} after {before[0]}")
        latest[ticket] = max(before or (0, None), (number, status), key=lambda each: each[0])
    return wrong
