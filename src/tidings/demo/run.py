"""The demo on one screen: a stage, receivers, an organisation, its day, what the API says of it, and the proof."""

import asyncio
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tidings.demo.call import Unanswered
from tidings.demo.compare import built_in_types, differences, not_kept, not_played, repeated
from tidings.demo.follow import Follower, Opened
from tidings.demo.keep import Keeper, keeper
from tidings.demo.play import Pace, play
from tidings.demo.read import Posted, day, events_of, last_working_day, organisation
from tidings.demo.receive import Receivers, receivers
from tidings.demo.set_up import Cast, set_up
from tidings.demo.show import Screen
from tidings.demo.sign_up import PASSWORD
from tidings.demo.stage import Stage, StageFailed, check_ledger, free_port, stage

# About 80 s for the day, with its own pauses.
LIVE = Pace(gap=0.65, pauses=1.0)
AT_ONCE = Pace(gap=0.12, pauses=0.0)
LOOK_EVERY = 0.25
# The longest way of a delivery: a robot's minute, then four tries, and the slowest receiver.
SETTLED_WITHIN = 110.0
INTERRUPTED = 130
KEY = (
    ("✓ sent  ", "green"),
    ("✓✓ delivered  ", "green"),
    ("↻ again later  ", "yellow"),
    ("✗ failed  ", "red"),
    ("– not told", "dim"),
)


@dataclass(slots=True)
class Show:
    """What is running while the day is played."""

    stage: Stage
    screen: Screen
    receivers: Receivers
    cast: Cast
    follower: Follower
    keeper: Keeper
    asides: list[tuple[datetime, str]] = field(default_factory=list)

    def tell(self, text: str) -> None:
        """What Tidings said where no record can: shown between what was accepted before and after."""
        self.asides.append((datetime.now(UTC), text))

    async def look(self) -> None:
        self.stage.fail_if_ended()
        began = datetime.now(UTC)
        for news in await self.follower.look():
            if isinstance(news, Opened):
                self._asides_until(news.record.event.accepted_at)
            self.screen.show(news)
        self._asides_until(self.follower.shown_until(began))
        self.screen.count(self.follower.records.values())
        for one in self.keeper.keep():
            # What the API cannot show: what a group reads when its robot had to sum up.
            if len(one.subjects) > 1:
                group, about = self.receivers.organisation.robots[one.login], one.subjects
                self.screen.aside(f"In {group} arrives one message that names all {len(about)}: {', '.join(about)}")

    def _asides_until(self, moment: datetime) -> None:
        while self.asides and self.asides[0][0] <= moment:
            self.screen.aside(self.asides.pop(0)[1])

    async def follow(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY)

    async def settled(self) -> None:
        """Until nothing is on its way any more; then nothing new for a moment, since a failure has a notice follow."""
        calm, until = 0, time.monotonic() + SETTLED_WITHIN
        if any(send.held for record in self.follower.records.values() for send in record.sends):
            self.tell("The day is over; what is held goes when its robot's minute is.")
        while calm < 4 and time.monotonic() < until:
            await self.look()
            calm = calm + 1 if self.follower.quiet and not self.asides else 0
            await asyncio.sleep(LOOK_EVERY)


def run_demo(*, once: bool, port: int, speed: float) -> int:
    """The exit status: 0 when everything adds up."""
    return asyncio.run(_until_interrupted(_run(once=once, port=port, speed=speed)))


async def _until_interrupted(work: Coroutine[Any, Any, int]) -> int:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return INTERRUPTED
    except (StageFailed, Unanswered, TimeoutError) as error:
        sys.stderr.write(f"tidings demo: {str(error) or 'something took too long'}\n")
        return 1


async def _run(*, once: bool, port: int, speed: float) -> int:
    began, written = time.monotonic(), organisation()
    zone = ZoneInfo(written.timezone)
    with Screen(zone) as screen, _messages() as folder:
        screen.say(("Tidings starts, with a PostgreSQL of its own …", "dim"))
        found = free_port(port)
        if port and found != port:
            screen.say(f"Port {port} is taken; Tidings listens on {found}.")
        async with stage(found, folder / "tidings.log") as on_stage, receivers(written) as local:
            screen.say((f"It runs after {time.monotonic() - began:.0f} s; people, data and rules are set up …", "dim"))
            cast = await set_up(on_stage.api, written, local)
            kept = keeper(folder, local, written)
            show = Show(on_stage, screen, local, cast, Follower(cast.administrator), kept)
            await _introduce(show, time.monotonic() - began)
            pace = AT_ONCE if once else Pace(LIVE.gap / speed, LIVE.pauses / speed)
            posted = await _play(show, pace, zone)
            good = await _prove(show, posted)
            if not once:
                await _stay(show)
        screen.say(("Tidings has stopped and its database is removed. The messages are still there:", "dim"))
        screen.say(str(folder))
    return 0 if good else 1


@contextmanager
def _messages() -> Iterator[Path]:
    """Their folder outlives the demo, unless there are none."""
    folder = Path(tempfile.mkdtemp(prefix="tidings-demo-messages-"))
    try:
        yield folder
    finally:
        if len(list(folder.iterdir())) <= 2:  # the log and an empty index
            shutil.rmtree(folder, ignore_errors=True)


async def _introduce(show: Show, seconds: float) -> None:
    people = len((await show.cast.administrator.must("GET", "/users?limit=200")).body["items"])
    instances = len((await show.cast.administrator.must("GET", "/instances?limit=200")).body["items"])
    screen = show.screen
    screen.say(
        (f"Ready after {seconds:.0f} s: {people} people and {instances} instances, set up through the API.", "bold")
    )
    screen.say("The console: ", (f"{show.stage.base}/console/", "bold"))
    for login, kind in show.cast.signs_in.items():
        screen.say(f"  {login:<16}{kind}")
    screen.say(f"  the password of each is: {PASSWORD}")
    screen.say("What follows is what GET /events/{id} answers: who is told of what, how and")
    screen.say("why, and who is not and why not.")
    screen.say(*KEY)
    screen.say("The messages themselves, as they arrive: ", (f"file://{show.keeper.index}", "bold"))


async def _play(show: Show, pace: Pace, zone: ZoneInfo) -> Sequence[Posted]:
    written = day()
    events = events_of(written, last_working_day(datetime.now(UTC), zone), zone)
    tasks = {
        asyncio.create_task(show.follow()),
        asyncio.create_task(play(written, events, show.cast, pace, show.tell)),
    }
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await show.receivers.texts.all_reported()
    await show.settled()
    return events


async def _prove(show: Show, posted: Sequence[Posted]) -> bool:
    """The product's own check, then what it cannot know: what the sources sent and the receivers got."""
    screen, records = show.screen, list(show.follower.records.values())
    adds_up, words = await asyncio.to_thread(check_ledger, show.stage)
    screen.say(("\nThe day is over. The product's own proof:  $ tidings check --ledger", "bold"))
    screen.say(words)
    arrived = show.receivers.arrived()
    catalogue = await built_in_types(show.cast.administrator)
    faults = differences(records, arrived, show.receivers.complaints)
    lost = not_kept(records, ((event.source, event.body["id"]) for event in posted))
    faults += [f"Event {key} of {source} was accepted, and no record shows it." for source, key in lost]
    faults += [f"No event of the type {code} was played." for code in not_played(records, catalogue)]
    faults += [] if show.follower.quiet else ["Some deliveries did not end in time."]
    for fault in faults:
        screen.say((f"FAULT       {fault}", "red"))
    if not faults:
        taken = sum(one.taken > 0 for one in arrived)
        sends = [send for record in records for send in record.sends]
        twice = f" ({repeated(arrived)} of them twice)" if repeated(arrived) else ""
        sent = f"{sum(send.taken for send in sends)} deliveries"
        most = show.receivers.most_a_minute
        screen.say(f"receivers   have the {sent} that were sent, in {taken} messages{twice}, and no other")
        screen.say(f"robots      said {most} things in a minute at most; DingTalk punishes the 21st")
        screen.say(f"catalogue   all {len(catalogue)} event types were played")
    return adds_up and not faults


async def _stay(show: Show) -> None:
    screen, base = show.screen, show.stage.base
    records = show.follower.records.values()
    changed = [record.event.id for record in records if record.event.type == "schema_design.schema_changed"]
    path = f"/events/{changed[-1]}" if changed else "/events"
    screen.say(("\nThe API is yours until Ctrl-C; what you send is shown here too.", "bold"))
    screen.say(f"console     {base}/console/")
    screen.say(f"docs        {base}/api/docs")
    screen.say(f"messages    file://{show.keeper.index}")
    screen.say("try         why were the big-data developers told of the schema change?")
    screen.say((f"curl -sH 'Authorization: Bearer {show.cast.administrator.token}' {base}/api/v1{path}", "cyan"))
    with suppress(asyncio.CancelledError):
        while True:
            await show.look()
            await asyncio.sleep(1)
