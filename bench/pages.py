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

import psycopg

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
NOW = int(time.time() * 1000)
MOST = 100
"""Milliseconds of processor time."""
PASSWORD = "pages of the console"
# The row of the one event that was really posted is the pattern for what its kind holds.
FILL = (
    f"""
    CREATE FUNCTION pg_temp.key(n int, child int DEFAULT 0) RETURNS uuid LANGUAGE sql AS $$
    SELECT (left(t, 8) || '-' || right(t, 4) || '-7000-8000-' || lpad(to_hex(n), 7, '0')
            || lpad(to_hex(child), 5, '0'))::uuid
    FROM lpad(to_hex({NOW} - ({EVENTS} - n)::bigint * {DAYS * 86_400_000 // EVENTS}), 12, '0') AS t $$
    """,
    f"""
    INSERT INTO accounts_person (id, tenant_id, login, name, email, mobile, external_id, roles, methods, language,
                                 timezone, active, version)
    SELECT pg_temp.key(n, 8), t.id, 'p' || n, 'Person ' || n, '', '', '', '{{}}', '{{webhook}}', 'en', 'UTC', true, 1
    FROM generate_series(1, {PEOPLE}) n, accounts_tenant t
    """,
    f"""
    INSERT INTO events_subject (id, tenant_id, kind, key, title, url, status, status_time, status_number, last_number)
    SELECT pg_temp.key(n, 7), t.id, 'ticket', 'b' || n, 'Change ' || n, '', 'data_change.approved', now(), 1, 1
    FROM generate_series(1, {EVENTS}) n, accounts_tenant t
    """,
    f"""
    INSERT INTO events_event (id, tenant_id, source, source_id, type, time, subject_id, number, hash)
    SELECT pg_temp.key(n), t.id, 'bench', 'b' || n,
           (ARRAY['data_change.approved', 'data_change.successful', 'data_export.rejected'])[1 + n % 3],
           now() - ({EVENTS} - n) * interval '{DAYS} days' / {EVENTS}, pg_temp.key(n, 7), 1, ''
    FROM generate_series(1, {EVENTS}) n, accounts_tenant t
    """,
    f"""
    INSERT INTO events_body (id, day, body)
    SELECT pg_temp.key(n), current_date, (SELECT body FROM events_body LIMIT 1)
    FROM generate_series({EVENTS} - 200000, {EVENTS}) n
    """,
    f"""
    INSERT INTO events_recipient (id, tenant_id, person_id, because)
    SELECT pg_temp.key(n, 1), t.id,
           CASE WHEN n % 20 = 0 THEN (SELECT id FROM accounts_person WHERE login = 'admin')
                ELSE pg_temp.key(1 + n % {PEOPLE}, 8) END,
           (SELECT because FROM events_recipient LIMIT 1)
    FROM generate_series(1, {EVENTS}) n, accounts_tenant t
    """,
    f"""
    INSERT INTO delivery_delivery (id, tenant_id, person_id, subject_id, number, contact_point_id, channel, state,
                                   due_at, reason, attempts)
    SELECT pg_temp.key(n, 2), t.id, pg_temp.key(1 + n % {PEOPLE}, 8), pg_temp.key(n, 7), 1, c.id, 'webhook',
           CASE n % 100 WHEN 1 THEN 'failed' ELSE 'sent' END, now(), CASE n % 100 WHEN 1 THEN 'gone' ELSE '' END, '[]'
    FROM generate_series(1, {EVENTS}) n, accounts_tenant t, (SELECT id FROM directory_contactpoint LIMIT 1) c
    """,
    "VACUUM ANALYZE",
)


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
        with psycopg.connect(stage.database_url, autocommit=True) as database:
            for statement in FILL:
                database.execute(statement)
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
