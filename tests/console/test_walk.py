"""A walk over every page that links lead to, in an organisation where much has happened."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from tests.console.conftest import account_of
from tests.delivery.given import event, in_django
from tests.scenarios.conftest import empty_stage, stage  # noqa: F401
from tests.scenarios.stage import Stage

from tidings.channels.testing.webhook_receiver import Reply
from tidings.events.sources.registry import ADAPTERS

# What comes from outside stands on many pages, and would be markup if somebody forgot.
TITLE = 'Budgerigar <script>alert("x")</script><img src=x onerror=alert(1)> {{ 7|add:7 }}'
PERSON = "Budgerigar <b>Person</b>"
CANARIES = ("Budgerigar", "acme", "orders-canary", "canary-source")
ENOUGH = 400


class Read(HTMLParser):
    """What a page shows, and where it leads."""

    SILENT = frozenset({"script", "style", "code", "pre", "textarea", "svg"})
    VOID = frozenset(
        ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
    )

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.links: set[str] = set()
        self.forms: set[str] = set()
        self.texts: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[tuple[str, bool]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        for name in ("href", "hx-get"):
            if found.get(name):
                self.links.add(str(found[name]))
        for name in ("action", "formaction", "hx-post"):
            if found.get(name):
                self.forms.add(str(found[name]))
        silent = (
            self._silent or tag in self.SILENT or found.get("translate") == "no" or ("lang" in found and tag != "html")
        )
        if not silent:
            self.texts += [
                str(found[name]) for name in ("aria-label", "title", "placeholder", "alt") if found.get(name)
            ]
        if tag not in self.VOID:
            self._open.append((tag, silent))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._silent:
            self.texts.append(" ".join(data.split()))

    @property
    def _silent(self) -> bool:
        return bool(self._open) and self._open[-1][1]


@pytest.fixture
async def lived_in(stage: Stage) -> Stage:  # noqa: F811
    """Messages arrived, failed and were not sent; things are owned; somebody changed rules and made a source."""
    stage.answers("/bo", Reply(410))
    await in_django(lambda: _furnish(stage.organisation))
    subject = {"kind": "ticket", "id": "canary-1", "title": TITLE, "url": "https://dms.example.com/1"}
    people = {"submitter": "ann", "approvers": ["bo", "dan", "nobody-here"], "related": ["eve"]}
    resources = [{"instance": "rm-1", "database": "orders-canary", "table": "t"}]
    more = {"subject": subject, "people": people, "resources": resources, "details": {"comment": TITLE, "risk": "HIGH"}}
    for status in ("precheck_failed", "pending_approval", "approved", "failed"):
        await stage.post(event() | more | {"type": f"data_change.{status}"})
    await stage.post(event() | more | {"type": "task_orchestration.tasks_failed"})
    await stage.over()
    return stage


def _furnish(organisation: Any) -> None:
    from tidings.accounts.issue import create_source

    caller = organisation.caller()
    ann = organisation.people["ann"]
    ann.name, ann.email = PERSON, "canary@example.com"
    ann.save()
    create_source(caller, "canary-source")
    token = organisation.token("root")
    from tests.conftest import Api

    api = Api(token)
    assert api.put("/instances/rm-1", {"dba": "carol", "owners": ["dan"]}).status == 201
    assert api.put("/instances/rm-1/databases/orders-canary", {"owners": ["dan"]}).status == 201
    assert api.put("/instances/rm-1/databases/orders-canary/tables/t", {"owners": ["ann"]}).status == 201
    version = api.get("/rules/data_change.approved").body["version"]
    changed = {"optional_roles": ["data_owner"], "additional_users": ["ann"], "version": version}
    assert api.patch("/rules/data_change.approved", changed).status == 200


def walk(person: Any, start: str = "/console/") -> Iterator[tuple[str, int, str]]:
    """Every address that can be reached by links, each kind of list page once a filter: path, status, page."""
    from django.test import Client

    client = Client()
    client.force_login(account_of(person))
    waiting, seen = [start], {start}
    while waiting and len(seen) < ENOUGH:
        path = waiting.pop(0)
        answer = client.get(path, follow=True)
        if any(urlsplit(to).netloc not in ("", "testserver") for to, _ in answer.redirect_chain):
            # To a ticket, where the data platform has it.
            yield path, 302, ""
            continue
        content_type = answer.headers.get("Content-Type", "")
        html = answer.content.decode() if not answer.streaming else b"".join(answer.streaming_content).decode()  # type: ignore[arg-type]
        yield path, answer.status_code, html if "html" in content_type else ""
        if "html" not in content_type:
            continue
        for link in sorted(Read(html).links):
            where = urlsplit(urljoin(f"http://here{path}", link))
            kind = (where.path, *sorted(each.partition("=")[0] for each in where.query.split("&")))
            ours = where.netloc == "here" and where.path.startswith("/console/") and "/account/" not in where.path
            if ours and str(kind) not in seen:
                seen.add(str(kind))
                waiting.append(where.path + (f"?{where.query}" if where.query else ""))


# The names of things, the same in every language.
SAME = re.compile(
    r"Client (?:ID|Secret)|UserID|AccessKey Secret|Secret|\$\{feature\}.*|Tidings|DingTalk|(?:Standard )?Webhooks?|Slack|Twilio|SQL|CSV|JSON|NDJSON|CloudEvents?|URL|API|curl|HTTP|ID|UTC|DMS|DBA|O&M|SMTP|"
    r"TLS|STARTTLS|AccessKey|AppKey|AppSecret|AgentId|Owner|English|Alibaba Cloud|SID|Bearer|POST|GET|p50|p99|ms|Token|UTF-8|"
    r"tidings-client|Kafka|RabbitMQ|Redis|Excel|Binlogs?|GB18030|Ctrl|[a-z_]+\.[a-z_]+|[\w.+-]+@[\w.-]+|https?://\S+|\S*[/_.]\S*"
)
ENGLISH = re.compile(r"[A-Za-z]{3,}(?:[\s,'-]+[A-Za-z]{2,})+|\b[A-Z][a-z]{3,}\b")


async def test_no_page_of_an_administrator_fails_or_takes_what_is_shown_for_markup(lived_in: Stage) -> None:
    visited = await in_django(lambda: list(walk(lived_in.organisation.people["root"])))
    assert len(visited) > 60
    assert [(path, status) for path, status, _ in visited if status >= 400] == []
    assert sum("Budgerigar" in html for _, _, html in visited) > 5
    for path, _, html in visited:
        read = Read(html)
        scripts = [
            found for tag, found in read.tags if tag == "script" and not found.get("src", "").startswith("/static/")
        ]  # type: ignore[union-attr]
        inline = [(tag, name) for tag, found in read.tags for name in found if name.startswith("on") or name == "style"]
        assert (scripts, inline) == ([], []), path
        assert "Budgerigar 14" not in html and "<b>Person</b>" not in html, path


@pytest.mark.parametrize("login", ["ann", "carol", "eve"])
async def test_no_link_leads_anybody_where_they_may_not_go(lived_in: Stage, login: str) -> None:
    visited = await in_django(lambda: list(walk(lived_in.organisation.people[login])))
    assert [(path, status) for path, status, _ in visited if status >= 400] == []


async def test_another_tenants_administrator_learns_and_changes_nothing(
    lived_in: Stage, other_organisation: Any
) -> None:
    def compare() -> None:
        from django.test import Client

        from tidings.audit.models import Change

        organisation = lived_in.organisation
        visited = list(walk(organisation.people["root"]))
        before = Change.objects.for_tenant(organisation.id).count()
        client = Client()
        client.force_login(account_of(other_organisation.people["mallory"]))
        for path, _, html in visited:
            answer = client.get(path, follow=True)
            assert answer.status_code < 500, path
            told = (b"" if answer.streaming else answer.content).replace(path.encode(), b"")
            # There is a time zone of that name.
            told = told.replace(b"Atlantic/Canary", b"")
            # What she asks for is hers to see again.
            canaries = [each for each in CANARIES if each not in unquote(path)]
            assert [canary for canary in canaries if canary.encode() in told] == [], path
            for form in sorted(Read(html).forms):
                where = urljoin(path, form)
                if "/account/" not in where:
                    assert client.post(where).status_code < 500, where
        assert Change.objects.for_tenant(organisation.id).count() == before

    await in_django(compare)


def of_systems() -> tuple[set[str], str]:
    """What the systems are called, and what an adapter says of its own in Chinese, with names of menus in it."""
    said = [text for each in ADAPTERS.values() for text in (*each.steps["zh-hans"], each.about["zh-hans"])]
    said += [each.words.help["zh-hans"] for adapter in ADAPTERS.values() for each in adapter.options]
    return {adapter.label for adapter in ADAPTERS.values() if not adapter.labels}, "\n".join(said).replace("`", "")


async def test_every_page_is_in_chinese_for_who_reads_chinese(lived_in: Stage) -> None:
    names, theirs = of_systems()

    def read() -> list[tuple[str, str]]:
        from tidings.accounts.models import Person

        root = lived_in.organisation.people["root"]
        Person.objects.across_tenants().filter(id=root.id).update(language="zh-hans")
        found: dict[str, str] = {}
        for path, _, html in walk(root):
            for text in Read(html).texts:
                if text in theirs:
                    continue
                for name in names:
                    text = text.replace(name, "")
                if ENGLISH.search(SAME.sub("", text)) and not any(canary in text for canary in (*CANARIES, "Change ")):
                    found.setdefault(text, path)
        return [(path, text) for text, path in found.items()]

    assert await in_django(read) == []
