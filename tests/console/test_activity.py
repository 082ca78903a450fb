"""Activity: events as they come in, an event and a subject with all that became of them."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.api.given import end, event, happen, lose_content, queries
from tests.delivery.given import reach

PENDING = "data_change.pending_approval"
ACTIVITY = "/console/activity"
Console = Callable[..., Any]


def text(answer: Any) -> str:
    """As people read it."""
    assert answer.status_code == 200, answer.content
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def titled(title: str, **changes: Any) -> dict[str, Any]:
    subject = {
        "kind": "ticket",
        "id": title.lower().replace(" ", "-"),
        "title": title,
        "url": "https://dms.example.com/t/1",
    }
    return event(**changes) | {"subject": subject}


@pytest.fixture
def reachable(organisation: Any) -> Any:
    reach(organisation, "ann", "bo")
    return organisation


def approval(title: str = "Add index", **changes: Any) -> dict[str, Any]:
    return titled(
        title,
        type=PENDING,
        people={"submitter": "ann", "approvers": ["bo", "dan", "zed"], "related": [{"email": "x@example.com"}]},
        resources=[{"instance": "rm-orders", "database": "orders", "table": "lines"}],
        details={"risk": "LOW", "affected_rows": 120, "note": "<b>now</b>"},
        **changes,
    )


# the list


def test_it_says_what_will_come_while_nothing_has(console: Console) -> None:
    assert "Nothing came in yet" in text(console("root").get(ACTIVITY))
    assert "it appears here by itself" in text(console("ann").get(ACTIVITY))


def test_each_event_says_what_about_what_from_where_and_who_was_told(
    console: Console, reachable: Any, database: str
) -> None:
    happen(reachable, database, approval())
    end(reachable, "failed", "gone", person_id=reachable.people["bo"].id)
    for login in ("root", "carol", "eve"):
        page = text(console(login).get(ACTIVITY))
        for part in ("Data Change: Pending approval", "Add index", "add-index", "dms", "2 people", "1 failed"):
            assert part.lower() in page.lower(), part
    own = text(console("bo").get(ACTIVITY))
    assert "1 person" in own and "concern you" in own
    assert "Add index" not in text(console("eve").get(f"{ACTIVITY}?person=ann&state=pending"))
    assert "Add index" not in text(console("mallory").get(ACTIVITY))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("feature=data_change", True), ("feature=data_export", False), ("feature=nonsense", True),
        (f"type={PENDING}", True), ("type=data_change.approved", False),
        ("source=dms", True), ("source=other", False), ("source=a%00b", False),
        ("subject=add-index", True), ("subject=x", False),
        ("person=bo", True), ("person=ann", True), ("person=carol", False), ("person=nobody", False),
        ("state=pending", True), ("state=failed", False), ("state=unplanned", False), ("state=lost", True),
        ("since=2020-01-01T00:00", True), ("since=2999-01-01T00:00", False), ("until=2020-01-01T00:00", False),
        ("since=never", True), ("until=0001-01-01T00:00", False), ("since=2026-99-99T00:00", True),
    ],
)  # fmt: skip
def test_filters_stand_in_the_address(console: Console, reachable: Any, database: str, query: str, found: bool) -> None:
    happen(reachable, database, approval())
    page = text(console("root").get(f"{ACTIVITY}?{query}"))
    assert ("Add index" in page) is found
    assert ("No event fits these filters" in page) is not found


def test_the_names_of_sources_are_for_those_who_see_all(console: Console, reachable: Any, database: str) -> None:
    from tidings.accounts.models import Source

    Source.objects.create(tenant_id=reachable.id, name="payroll")
    assert "payroll" in text(console("eve").get(ACTIVITY))
    assert "payroll" not in console("ann").get(ACTIVITY).content.decode()


def test_what_is_unplanned_and_what_is_parked_stands_above(console: Console, reachable: Any, database: str) -> None:
    from tidings.events.models import Event, Parked
    from tidings.kernel.ids import uuid7

    [key] = happen(reachable, database, approval())
    Event.objects.for_tenant(reachable.id).update(fault="KeyError")
    Parked.objects.create(
        id=uuid7(), tenant_id=reachable.id, source="<dms>", adapter="dms", reason="unmapped", detail="", words={},
        headers={}, body="{}", hash=b"1" * 16, times=1, last_at=datetime.now(UTC),
    )  # fmt: skip
    content = console("root").get(ACTIVITY).content.decode()
    assert "1 event is kept and could not be planned yet" in content and "&lt;dms&gt;" in content
    assert "not planned yet" in text(console("root").get(f"{ACTIVITY}?state=unplanned"))
    page = text(console("root").get(f"{ACTIVITY}/{key}"))
    assert "could not be planned yet, so nobody was told" in page and "KeyError" in page
    assert "could not be planned" not in text(console("ann").get(ACTIVITY))


def test_the_first_page_is_asked_for_again_as_events_come_in(console: Console, reachable: Any, database: str) -> None:
    happen(reachable, database, *(approval(f"Change {n}") for n in range(60)))
    first = console("root").get(ACTIVITY).content.decode()
    assert 'hx-trigger="sse:activity"' in first
    part = console("root", part=True).get(ACTIVITY).content.decode()
    assert "<html" not in part and part.lstrip().startswith('<div id="events"')
    [following] = re.findall(r'rel="next" href="([^"]+)"', first)
    second = console("root").get(f"{ACTIVITY}{following.replace('&amp;', '&')}")
    assert "Change 9" in text(second) and "sse:activity" not in second.content.decode().partition('id="events"')[2]
    assert 'hx-trigger="sse:inbox"' in console("bo").get(ACTIVITY).content.decode()


# one event


def test_an_event_says_who_was_told_why_how_and_what_came_of_it(
    console: Console, reachable: Any, database: str
) -> None:
    from tidings.delivery.models import Delivery

    [key] = happen(reachable, database, approval())
    Delivery.objects.for_tenant(reachable.id).update(
        state="failed",
        reason="rejected",
        attempts=[
            {"at": "2026-11-23T10:00:00Z", "outcome": "try_later", "reason": "timeout", "ms": 15000.0},
            {
                "at": "2026-11-23T10:01:00Z",
                "outcome": "refused",
                "reason": "rejected",
                "ms": 3.4,
                "said": "400 <no> thanks",
            },
            {"at": "2026-11-23T10:02:00Z", "outcome": "retried_by", "by": "carol"},
            {"at": "soon", "outcome": "of_a_newer_node"},
        ],
    )
    content = console("root").get(f"{ACTIVITY}/{key}").content.decode()
    page = " ".join(re.sub(r"<[^>]+>", " ", content).split())
    for part in (
        "Add index", "Pending approval", "Submitter ann", "Approvers bo, dan, zed", "Related people x@example.com",
        "rm-orders / orders / lines", "Risk Low", "Affected rows 120",
        "Bo bo", "Approver", "The receiver refuses this message", "See what it answered",
        "Not now: The receiver did not answer in time", "15000 ms", "400 &lt;no&gt; thanks", "Tried again by hand: carol",
        "Dan dan", "No address" if False else "This person has no method that can reach them",
        "zed", "The event names somebody who is not in the directory", "Add them to the directory",
        "&lt;b&gt;now&lt;/b&gt;", "All of it as JSON", "Retry",
    ):  # fmt: skip
        assert part in page, part
    assert "<b>now" not in content and 'rel="noopener noreferrer"' in content
    # eve may look, and not retry
    assert "delivery-retry" not in content and "/retry" in content
    assert "/retry" not in console("eve").get(f"{ACTIVITY}/{key}").content.decode()


def test_others_see_their_own_part_of_it_and_nothing_of_what_does_not_concern_them(
    console: Console, reachable: Any, database: str
) -> None:
    [key] = happen(reachable, database, approval())
    own = text(console("bo").get(f"{ACTIVITY}/{key}"))
    assert "You" in own and "Dan" not in own and "rm-orders" not in own and "JSON" not in own
    assert "You were not told of this" in text(console("ann").get(f"{ACTIVITY}/{key}"))
    for login in ("mallory",):
        assert console(login).get(f"{ACTIVITY}/{key}").status_code == 404
    reachable.add("frank")
    assert console("frank").get(f"{ACTIVITY}/{key}").status_code == 404
    assert console("root").get(f"{ACTIVITY}/01900000-0000-7000-8000-000000000000").status_code == 404


def test_it_says_so_when_what_the_source_sent_is_gone(console: Console, reachable: Any, database: str) -> None:
    [key] = happen(reachable, database, approval())
    lose_content()
    assert "is kept for seven days" in text(console("root").get(f"{ACTIVITY}/{key}"))


def test_its_record_is_asked_for_again_while_something_is_open(console: Console, reachable: Any, database: str) -> None:
    [key] = happen(reachable, database, approval())
    assert 'id="record" hx-get' in console("root").get(f"{ACTIVITY}/{key}").content.decode()
    end(reachable, "sent", "")
    content = console("root").get(f"{ACTIVITY}/{key}").content.decode()
    assert 'id="record"' in content and 'id="record" hx-get' not in content
    part = console("root", part=True).get(f"{ACTIVITY}/{key}").content.decode()
    assert part.lstrip().startswith('<div id="record"') and "<html" not in part


def test_of_a_great_many_who_were_not_told_the_first_are_shown_and_the_others_counted(
    console: Console, reachable: Any, database: str
) -> None:
    nobody = [f"nobody-{number}" for number in range(900)]
    [key] = happen(reachable, database, titled("Many", type=PENDING, people={"submitter": "ann", "approvers": nobody}))
    for path in (f"{ACTIVITY}/{key}", "/console/subjects/ticket/many"):
        answer = console("root", part=True).get(path)
        said = text(answer)
        assert said.count("nobody-") < 40 and "and 8" in said, path
        assert len(answer.content) < 50_000


# a subject


def test_a_subject_says_where_it_stands_and_who_was_told_what_when(
    console: Console, reachable: Any, database: str
) -> None:
    happen(reachable, database, approval("Odd/key ü", at=-60))
    happen(reachable, database, titled("Odd/key ü", type="data_change.approved", people={"submitter": "ann"}, at=-5))
    end(reachable, "sent", "")
    page = text(console("root").get("/console/subjects/ticket/odd/key-%C3%BC"))
    assert page.index("Approved Current status") < page.index("Pending approval", page.index("Current status"))
    assert "Webhook sent" in page and "inbox only" in page and "Open the ticket" in page
    assert "Ann" in text(console("ann").get("/console/subjects/ticket/odd/key-%C3%BC"))
    assert console("mallory").get("/console/subjects/ticket/odd/key-%C3%BC").status_code == 404
    assert console("root").get("/console/subjects/ticket/nothing").status_code == 404


# what it costs


def test_pages_take_the_same_queries_however_much_there_is(console: Console, reachable: Any, database: str) -> None:
    [key] = happen(reachable, database, approval(at=-10))
    paths = (ACTIVITY, f"{ACTIVITY}?state=failed", f"{ACTIVITY}/{key}", "/console/subjects/ticket/add-index")
    for login, at_most in (("root", 12), ("bo", 12)):
        client, counts = console(login), []
        for path in paths:
            client.get(path)
            with queries() as sent:
                assert client.get(path).status_code == 200
            counts.append(len(sent))
        happen(reachable, database, *(approval(at=-9 + n / 10) for n in range(15)))
        for path, count in zip(paths, counts, strict=True):
            with queries() as sent:
                client.get(path)
            assert len(sent) == count <= at_most, (path, sent)


def test_it_is_said_in_chinese(console: Console, reachable: Any, database: str) -> None:
    person = reachable.people["root"]
    person.language = "zh-hans"
    person.save()
    [key] = happen(reachable, database, approval())
    page = text(console("root").get(f"{ACTIVITY}/{key}"))
    for part in ("谁收到了通知", "审批人", "事件中的人员不在通讯录中", "工单"):
        assert part in page, part
    assert "Who was told" not in page
    assert datetime.now(UTC) - timedelta(days=1) < datetime.now(UTC)
