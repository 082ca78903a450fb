"""Play the day: post each event, show what became of it, follow what is tried again, and prove the sums at the end."""

import asyncio
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from tidings.demo.day import events
from tidings.demo.keep import keep_messages
from tidings.demo.organisation import PEOPLE, RESOURCES
from tidings.demo.show import Show
from tidings.demo.stage import ApiError, Stage

OPEN = ("pending", "sending")


@dataclass(slots=True)
class Player:
    stage: Stage
    console: Console
    pause: float
    """Seconds between an event and the next, so that people can read along."""
    show: Show = field(init=False)
    unsettled: dict[str, dict[str, int]] = field(default_factory=dict)
    """Event -> its deliveries that were open when last shown, with the tries they had."""
    types: set[str] = field(default_factory=set)

    async def play(self) -> bool:
        """Whether everything is as it should be."""
        self.console.print("Setting up an organisation through the API ...", style="dim")
        await self.stage.furnish()
        self.show = Show(self.console, await self.stage.api("GET", "/catalog"))
        self.show.say(f"{len(PEOPLE)} people, {len(RESOURCES)} instances and databases, {self.stage.api.url}")
        self.show.chapter("The day: each event, who was told on what and why, who was not and why")
        for event in events(_this_morning()):
            self.types.add(event["type"])
            await self._one(event)
        await self._odd_ones()
        await self._follow(patience=40)
        self.show.chapter("Notices of Tidings itself: an address that its vendor says is dead")
        for item in reversed((await self.stage.api("GET", "/events?feature=tidings"))["items"]):
            self.show.event(await self.stage.api("GET", f"/events/{item['id']}"))
        return await self._ledger()

    async def _one(self, event: Mapping[str, Any]) -> None:
        answer = await self.stage.source("POST", "/events", event)
        await asyncio.sleep(self.pause)
        record = await self.stage.api("GET", f"/events/{answer['id']}")
        self.show.event(record)
        waiting = {send["delivery_id"]: len(send["attempts"]) for _, send in _sends(record) if send["state"] in OPEN}
        if waiting:
            self.unsettled[answer["id"]] = waiting
        await self._follow_once()

    async def _follow_once(self) -> None:
        for event in list(self.unsettled):
            waiting = self.unsettled[event]
            record = await self.stage.api("GET", f"/events/{event}")
            for recipient, send in _sends(record):
                before = waiting.get(send["delivery_id"])
                if before is not None and send["state"] not in OPEN:
                    del waiting[send["delivery_id"]]
                    if len(send["attempts"]) > 1 or send["state"] != "sent":
                        self.show.retried(record, recipient, send)
            if not waiting:
                del self.unsettled[event]

    async def _follow(self, *, patience: float) -> None:
        ends = asyncio.get_running_loop().time() + patience
        while self.unsettled and asyncio.get_running_loop().time() < ends:
            await self._follow_once()
            await asyncio.sleep(0.2)

    async def _odd_ones(self) -> None:
        """What a source may get wrong, and the other shapes an event may have."""
        self.show.chapter("What the API answers to a repeat, a reused id, a typing error; a batch; a CloudEvent")
        first = next(events(_this_morning()))
        repeat = await self.stage.source("POST", "/events", first)
        self.show.say(f"       the same event again: 202, duplicate={repeat['duplicate']}, the first id")
        for words, wrong in (
            ("its id with other content", {**first, "actor": "somebody.else"}),
            ("a type that does not exist", {**first, "id": "odd-1", "type": "data_change.aproved"}),
        ):
            try:
                await self.stage.source("POST", "/events", wrong)
            except ApiError as error:
                problem = json.loads(str(error))
                self.show.say(f"       {words}: {problem['status']} {problem['code']}: {problem['detail']}")
        batch = [{**first, "id": f"batch-{number}"} for number in range(2)] + [{"id": "broken"}]
        answer = await self.stage.source("POST", "/events/batch", batch)
        rejected = ", ".join(f"#{each['index']} {each['code']}" for each in answer["rejected"])
        self.show.say(f"       a batch of three: {answer['accepted']} accepted, rejected {rejected}")
        cloud = {"specversion": "1.0", "id": "cloud-1", "source": "dms-prod", "type": "task_orchestration.tasks_run"}
        cloud["data"] = {name: first[name] for name in ("subject", "people")}  # type: ignore[assignment]
        headers = {"Content-Type": "application/cloudevents+json"}
        cloudevent = await self.stage.source("POST", "/events", cloud, **headers)
        self.show.event(await self.stage.api("GET", f"/events/{cloudevent['id']}"))

    async def _ledger(self) -> bool:
        self.show.chapter("The ledger: tidings check --ledger")
        command = self.stage.command("check", "--ledger")
        done = await asyncio.to_thread(
            subprocess.run, command, env=self.stage.environment, capture_output=True, text=True, check=False
        )
        self.show.say(done.stdout.strip() or done.stderr.strip())
        missing = await self._missing()
        for words in missing:
            self.show.say(words, "red")
        return done.returncode == 0 and not missing

    async def _missing(self) -> list[str]:
        """What the receivers have, against what the API says was sent: both ways, message by message."""
        arrived = {_hex(one.identity) for one in self.stage.hooks.arrivals}
        arrived |= {_hex(str(mail.message["Message-ID"])) for mail in self.stage.mail.taken}
        sent: set[str] = set()
        cursor = ""
        while True:
            page = await self.stage.api("GET", f"/deliveries?state=sent&limit=200&cursor={cursor}")
            sent |= {item["id"].replace("-", "") for item in page["items"]}
            cursor = page["next_cursor"] or ""
            if not cursor:
                break
        faults = [f"{len(self.unsettled)} events are not settled"] if self.unsettled else []
        if lost := sent - arrived:
            faults.append(f"{len(lost)} messages are recorded as sent and did not arrive")
        if self.stage.hooks.complaints:
            faults.append(f"the webhook receiver complains: {self.stage.hooks.complaints[0]}")
        known = await self.stage.api("GET", "/catalog")
        every = {
            one["type"] for feature in known["features"] for one in feature["events"] if feature["code"] != "tidings"
        }
        if unplayed := every - self.types:
            faults.append(f"not played: {', '.join(sorted(unplayed))}")
        if not faults:
            self.show.say(f"The receivers have all {len(sent)} messages that the API says were sent.", "green")
        return faults

    def keep(self, folder: Path) -> None:
        count = keep_messages(self.stage, folder)
        self.show.say(f"{count} messages to open as they arrived: {folder / 'index.html'}")


def _sends(record: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    return [(recipient, send) for recipient in record["recipients"] for send in recipient["sends"]]


def _hex(identity: str) -> str:
    """The delivery's key in `msg_<hex>` and `<hex@domain>`."""
    return identity.strip("<>").partition("@")[0].removeprefix("msg_").replace("-", "")


def _this_morning() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=5, second=0, microsecond=0) - timedelta(days=1)
