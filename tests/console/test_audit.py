"""The record of changes, as administrators look through it."""

import csv
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.api.given import queries

AUDIT = "/console/audit"
Console = Callable[..., Any]


def text(answer: Any) -> str:
    """As people read it."""
    assert answer.status_code == 200, answer.content
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


@pytest.fixture
def changed(api: Any) -> Any:
    """Somebody new, whose name and roles are changed then; and a rule."""
    root = api("root")
    root.put("/users/amy", {"name": "Amy", "roles": ["dba"]})
    root.put("/users/amy", {"name": "<b>Anna", "roles": ["administrator"], "active": False})
    root.post("/rules/batch", {"event_types": ["data_change.successful"], "enabled": False})
    return root


def test_before_anything_was_changed_it_says_so(console: Console) -> None:
    page = text(console().get(AUDIT))
    assert "Nothing was changed yet" in page


def test_a_change_is_told_with_who_when_what_and_what_it_was(console: Console, changed: Any) -> None:
    page = text(console().get(AUDIT))
    for part in (
        "Root root",
        "Person amy",
        "changed",
        "Name Amy → becomes &lt;b&gt;Anna",
        "Active yes → becomes no",
    ):
        assert part in page, part
    assert "+ added: Administrator − taken out: DBA" in page
    assert "Rule data_change.successful switched On yes → becomes no" in page
    assert "<b>Anna" not in console().get(AUDIT).content.decode()


def test_settings_scopes_and_codes_are_told_in_words(console: Console, api: Any, organisation: Any) -> None:
    settings = {"host": "mail.example.com", "security": "starttls", "from": "notices@example.com", "password": "secret"}
    assert api("root").put("/channels/email", {"enabled": True, "settings": settings | {"username": "u"}}).status == 200
    organisation.people["root"].language = "zh-hans"
    organisation.people["root"].save()
    console("root").post("/console/tokens", {"scope": ["events:write"]})
    page = text(console().get(AUDIT))
    assert "设置：邮件服务器 + 新增： mail.example.com" in page
    assert "新密钥 + 新增： 密码" in page
    assert "发送事件" in page and "events:write" not in page


def test_what_came_of_a_try_is_told_in_words() -> None:
    from tidings.console.changed import difference

    after = {"outcome": "try_later", "reason": "template_refused", "by": "code"}
    told = {line.label: line.after for line in difference(None, after)}
    assert told["Result"] == "to be tried again" and told["Confirmed by"] == "a code"
    assert told["Reason"] not in ("", "template_refused")


@pytest.mark.parametrize(
    ("query", "there", "not_there"),
    [
        ("kind=user", "amy", "data_change.successful"),
        ("key=data_change.successful", "data_change.successful", "Name Amy"),
        ("action=switch", "switched", "Anna"),
        ("actor=root", "amy", "No change"),
        ("actor=bo", "No change fits these filters", "amy"),
        ("since=2020-01-01", "amy", "No change"),
        ("until=2020-01-01", "No change fits these filters", "amy"),
        ("since=yesterday&until=0000-99-99", "amy", "No change"),
        ("since=9999-12-31", "amy", "No change"),
    ],
)
def test_what_is_looked_for_stands_in_the_address(
    console: Console, changed: Any, query: str, there: str, not_there: str
) -> None:
    rows = text(console().get(f"{AUDIT}?{query}")).partition("Take along")[2].partition("Up to and with")[2]
    assert there in rows
    assert not_there not in rows


def test_today_is_the_readers_own(console: Console, changed: Any) -> None:
    from django.utils import timezone

    from tidings.accounts.models import Person

    for zone in ("Pacific/Kiritimati", "Pacific/Niue"):
        Person.objects.across_tenants().filter(login="root").update(timezone=zone)
        with timezone.override(zone):
            today = timezone.localdate().isoformat()
        assert "amy" in text(console().get(f"{AUDIT}?since={today}&until={today}"))


def test_long_lists_are_paged(console: Console, api: Any) -> None:
    for number in range(60):
        api("root").put(f"/instances/rm-{number}", {})
    first = console().get(AUDIT).content.decode()
    [following] = re.findall(r'rel="next" href="([^"]+)"', first)
    assert "rm-59" in first
    assert "rm-0<" not in first
    second = console().get(AUDIT + following.replace("&amp;", "&")).content.decode()
    assert "rm-0<" in second
    assert console().get(f"{AUDIT}?cursor=nonsense").status_code == 422


def test_what_is_filtered_can_be_taken_along(console: Console, changed: Any) -> None:
    answer = console().get(f"{AUDIT}/changes.csv?kind=user")
    rows = list(csv.DictReader(answer.content.decode("utf-8-sig").splitlines()))
    assert [row["action"] for row in rows] == ["change", "create"]
    answer = console().get(f"{AUDIT}/changes.ndjson?kind=user")
    assert [json.loads(line)["action"] for line in answer.content.splitlines()] == ["change", "create"]
    assert 'filename="changes.ndjson"' in answer.headers["Content-Disposition"]


def test_only_administrators_see_it(console: Console) -> None:
    for path in (AUDIT, f"{AUDIT}/changes.csv", f"{AUDIT}/changes.ndjson"):
        for login in ("ann", "carol", "eve"):
            answer = console(login).get(path)
            assert answer.status_code == 403 and "Only administrators may do this." in answer.content.decode()
        assert "/login" in console("").get(path).headers["Location"]


def test_tenants_are_walls(console: Console, changed: Any) -> None:
    assert "amy" not in text(console("mallory").get(AUDIT))


def test_a_page_takes_as_many_queries_however_much_there_is(console: Console, changed: Any, api: Any) -> None:
    client = console()
    client.get(AUDIT)
    with queries() as few:
        client.get(AUDIT)
    for number in range(40):
        api("root").put(f"/instances/rm-{number}", {})
    with queries() as many:
        client.get(AUDIT)
    assert len(few) == len(many) <= 7
