"""`make bench ARGS=--pages`: what each page of the console costs in an organisation with 1,000,000 deliveries of 30
days and 10,000 people: processor time of the node and of PostgreSQL, and half of the answers' times over loopback. The
first says the same whatever else the machine does."""

import http.cookiejar
import re
import statistics
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.past import Past, fill
from bench.stage import Stage, on_stage

EVENTS, PEOPLE, DAYS, TIMES = 1_000_000, 10_000, 30, 15
PAGES = (
    "overview",
    "overview?days=30",
    "rules",
    "preview",
    "activity",
    "activity?type=data_change.approved",
    "deliveries",
    "deliveries?state=failed",
    "inbox",
    "settings",
    "people",
    "people?q=p99",
    "resources",
    "channels",
    "sources",
    "tokens",
    "audit",
    "organisation",
)
MOST = 100
"""Milliseconds of processor time."""
PASSWORD = "pages of the console"


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of processor time and, of half of the answers, of waiting; bytes."""

    page: str
    node: float
    database: float
    half_in: float
    size: int

    @property
    def whole(self) -> float:
        return self.node + self.database


def run() -> int:
    """The exit status: 0 when no page costs 100 ms."""
    print(f"{'page':<40}{'cost':>10}{'database':>10}{'half in':>12}{'size':>12}")
    slow = []
    for each in costs():
        sizes = f"{each.half_in:9.0f} ms{each.size // 1024:8} KiB"
        print(f"{each.page:<40}{each.whole:7.0f} ms{each.database:7.0f} ms{sizes}", flush=True)
        slow += [each.page] if each.whole >= MOST else []
    print(f"\ndearer than {MOST} ms: {', '.join(slow) or 'none'}")
    return 1 if slow else 0


def section() -> str:
    """For docs/performance.md."""
    lines = [
        f"{EVENTS:,} events and deliveries of {DAYS} days, {PEOPLE:,} people; milliseconds of processor time a page.",
        "",
        "| page | whole | of that PostgreSQL | half of the answers in | size |",
        "|---|---:|---:|---:|---:|",
    ]
    for each in costs():
        sizes = f"{each.half_in:.0f} ms | {each.size // 1024} KiB"
        lines.append(f"| {each.page} | {each.whole:.0f} ms | {each.database:.0f} ms | {sizes} |")
    return "\n".join(lines)


def costs() -> Iterator[Cost]:
    with on_stage() as stage:
        stage.load(stage.next_number(1), 1, 1, 1, 0.0)
        stage.arrivals(1)
        fill(stage.database_url, Past.until_now(EVENTS, PEOPLE, DAYS))
        browser = signed_in(stage)
        for page in PAGES:
            yield cost(browser, stage, page)


def cost(browser: Any, stage: Stage, page: str) -> Cost:
    taken, before = [], stage.cpu_seconds()
    for _ in range(TIMES):
        began = time.perf_counter()
        size = len(browser.open(f"{stage.url}/console/{page}").read())
        taken.append((time.perf_counter() - began) * 1000)
    after = stage.cpu_seconds()
    node, database = ((after[each] - before[each]) / TIMES * 1000 for each in ("node", "postgres"))
    return Cost(page, node, database, statistics.median(taken), size)


def signed_in(stage: Stage) -> Any:
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    link = stage.call("POST", "/users/admin/invitation")["url"]
    link = stage.url + urllib.parse.urlsplit(link).path
    form = browser.open(link).read().decode()
    token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form)[0]
    filled = {"csrfmiddlewaretoken": token, "login": "admin", "password": PASSWORD}
    browser.open(link, urllib.parse.urlencode(filled).encode())
    return browser
