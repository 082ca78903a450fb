"""My notifications: what I was told of, newest first, what waits for me above it, and the rest of it as it comes in."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.api.given import end, event, happen, queries
from tests.delivery.given import reach

PENDING = "data_change.pending_approval"
FAILED = "task_orchestration.tasks_failed"
INBOX = "/console/inbox"
TICKET = "https://dms.example.com/tickets/88"
Console = Callable[..., Any]


def text(answer: Any) -> str:
    """As people read it."""
    assert answer.status_code == 200, answer.content
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def titled(title: str, url: str = "", **changes: Any) -> dict[str, Any]:
    return event(**changes) | {"subject": {"kind": "ticket", "id": title.lower(), "title": title, "url": url}}


def unread(console: Console, login: str = "ann") -> str:
    [count] = re.findall(r"(\d+) unread notification", text(console(login, part=True).get(f"{INBOX}/unread")))[:1]
    return str(count)


def test_an_empty_inbox_says_what_will_come_and_what_to_do(console: Console) -> None:
    page = text(console("ann").get(INBOX))
    assert "Nothing yet" in page
    assert "Open my settings" in page
    assert "Mark all as read" not in page, "there is nothing to be marked"


def test_an_item_says_what_where_who_why_and_where_it_also_went(
    console: Console, organisation: Any, database: str
) -> None:
    reach(organisation, "ann")
    organisation.people["ann"].methods = ["webhook", "sms"]
    organisation.people["ann"].save()
    happen(organisation, database, titled("Add index", resources=[{"instance": "rm-orders"}]))
    end(organisation, reason="gone")
    page = text(console("ann").get(INBOX))
    for part in (
        "Data change completed without errors: Add index",
        "Where rm-orders",
        "Submitter Ann",
        "You get this because you submitted it or own it.",
        "Webhook failed",
        "The receiver says that this address is gone for good",
        "SMS",
        "New",
    ):
        assert part in page, part


def test_titles_from_outside_are_text(console: Console, organisation: Any, database: str) -> None:
    happen(organisation, database, titled("<script>alert(1)</script>"))
    content = console("ann").get(INBOX).content.decode()
    assert "<script>alert" not in content
    assert "&lt;script&gt;alert(1)" in content


def test_what_waits_for_me_stands_above_until_it_is_done(console: Console, organisation: Any, database: str) -> None:
    approve = {"people": {"approvers": ["bo"], "submitter": "ann"}}
    happen(organisation, database, titled("Drop column", type=PENDING, **approve), event(to="bo"))
    page = text(console("bo").get(INBOX))
    assert page.index("Waits for you") < page.index("Drop column") < page.index("All on this page")
    assert "Drop column" in text(console("bo").get(f"{INBOX}?show=waiting"))
    assert "Nothing waits for you" in text(console("ann").get(f"{INBOX}?show=waiting"))
    happen(organisation, database, titled("Drop column", type="data_change.approved", people={"submitter": "ann"}))
    page = text(console("bo").get(INBOX))
    assert page.index("All on this page") < page.index("Drop column")
    assert "Now: Approved" in page
    assert "Waits for you" not in text(console("bo", part=True).get(f"{INBOX}/waiting"))


def test_opening_an_item_leads_to_its_ticket_and_marks_it_read(
    console: Console, organisation: Any, database: str
) -> None:
    [with_url, without] = happen(organisation, database, titled("With", TICKET), titled("Without"))
    ann = console("ann")
    answer = ann.get(f"{INBOX}/{with_url}/open")
    assert (answer.status_code, answer["Location"]) == (302, TICKET)
    assert unread(console) == "1"
    assert ann.get(f"{INBOX}/{without}/open")["Location"] == INBOX
    assert unread(console) == "0"


def test_a_task_flow_is_called_one_and_names_the_tasks_that_failed(
    console: Console, organisation: Any, database: str
) -> None:
    ann = organisation.people["ann"]
    flow = {"kind": "task_flow", "id": "nightly/1", "title": "Nightly", "url": TICKET}
    details = {"failed_tasks": ["load[3]", "two words"], "environment": "生产"}
    [key] = happen(organisation, database, event(type=FAILED, details=details) | {"subject": flow})
    page = text(console("ann").get(INBOX))
    assert "(opens the task flow in a new tab)" in page and "ticket in a new tab" not in page
    assert "Failed tasks load[3]" in page and "Environment Production" in page
    assert "two words" not in page
    of_event, of_flow = f"/console/activity/{key}", "/console/subjects/task_flow/nightly/1"
    assert "Failed tasks load[3], two words" in text(console("root").get(of_event))
    for place in (of_event, of_flow):
        assert "Open the task flow" in text(console("root").get(place))
    ann.language = "zh-hans"
    ann.save()
    page = text(console("ann").get(INBOX))
    assert "（在新标签页中打开任务流）" in page and "失败任务 load[3]" in page and "生产环境" in page


def test_nobody_opens_or_reads_what_is_somebody_elses(console: Console, organisation: Any, database: str) -> None:
    [key] = happen(organisation, database, titled("Secret", TICKET))
    for login in ("bo", "root", "mallory"):
        assert console(login).get(f"{INBOX}/{key}/open").status_code == 404
        assert console(login, part=True).post(f"{INBOX}/{key}/read").status_code == 404
        console(login).post(f"{INBOX}/read", {"id": str(key), "all": "1"})
    assert unread(console) == "1"


def test_one_is_marked_read_in_its_place(console: Console, organisation: Any, database: str) -> None:
    [key] = happen(organisation, database, titled("Add index"))
    answer = console("ann", part=True).post(f"{INBOX}/{key}/read")
    assert "New" not in text(answer)
    assert answer["HX-Trigger-After-Swap"] == "inbox-read"
    assert unread(console) == "0"


def test_the_chosen_ones_or_all_that_were_shown_are_marked_read(
    console: Console, organisation: Any, database: str
) -> None:
    keys = happen(organisation, database, *[event() for _ in range(4)])
    ann = console("ann")
    answer = ann.post(f"{INBOX}/read", {"id": [str(keys[0]), str(keys[1])], "back": f"{INBOX}?show=unread"})
    assert answer["Location"] == f"{INBOX}?show=unread"
    page = ann.get(INBOX)
    assert "2 notifications are read now." in text(page)
    assert 'data-passing tabindex="-1" autofocus' in page.content.decode(), "who does not see it comes to it at once"
    assert unread(console) == "2"
    # What came in while the page was open is not swallowed.
    page = ann.get(f"{INBOX}?show=unread").content.decode()
    assert page.count(f'name="back" value="{INBOX}?show=unread"') == 2
    answer = ann.post(f"{INBOX}/read", {"all": "1", "until": str(keys[2]), "back": f"{INBOX}?show=unread"})
    assert answer["Location"] == f"{INBOX}?show=unread"
    assert unread(console) == "1"


@pytest.mark.parametrize("back", ["https://evil.example", "//evil.example", "/console/rules", "javascript:x"])
def test_after_reading_one_stays_in_the_inbox(console: Console, back: str) -> None:
    assert console("ann").post(f"{INBOX}/read", {"all": "1", "back": back})["Location"] == INBOX


def test_what_is_new_is_put_before_the_rest_and_read_out(console: Console, organisation: Any, database: str) -> None:
    happen(organisation, database, titled("Old"))
    page = console("ann").get(INBOX).content.decode()
    [ask] = re.findall(rf'hx-get="({INBOX}/news/[^"]+)"', page)
    nothing = console("ann", part=True).get(ask).content.decode()
    assert "hx-swap-oob" not in nothing
    [new] = happen(organisation, database, titled("Brand new"))
    answer = console("ann", part=True).get(ask).content.decode()
    assert "afterbegin:#inbox-items" in answer
    assert "1 new notification: Data change completed without errors: Brand new" in answer
    assert "Old" not in answer
    assert f"{INBOX}/news/{new}" in answer


def test_filters_stand_in_the_address(console: Console, organisation: Any, database: str) -> None:
    happen(organisation, database, titled("Change"), titled("Export", type="data_export.successful"))
    page = text(console("ann").get(f"{INBOX}?feature=data_export"))
    assert "Export" in page
    assert ": Change" not in page
    assert "Nothing fits these filters" in text(console("ann").get(f"{INBOX}?feature=sql_review"))
    assert console("ann").get(f"{INBOX}?feature=%00&show=x").status_code == 200
    assert console("ann").get(f"{INBOX}?cursor=x").status_code == 422


def test_a_long_inbox_has_pages(console: Console, organisation: Any, database: str) -> None:
    happen(organisation, database, *[event() for _ in range(25)])
    ann, seen, address = console("ann"), [], INBOX
    while True:
        content = ann.get(address).content.decode()
        seen += re.findall(r'id="item-([0-9a-f-]+)"', content)
        following = re.search(r'rel="next" href="([^"]+)"', content)
        if not following:
            break
        address = INBOX + following[1].replace("&amp;", "&")
    assert len(seen) == len(set(seen)) == 25


def test_it_speaks_the_readers_language_and_zone(console: Console, organisation: Any, database: str) -> None:
    bo = organisation.people["bo"]
    bo.language, bo.timezone = "zh-hans", "Asia/Shanghai"
    bo.save()
    happen(organisation, database, event(to="bo"))
    page = text(console("bo").get(INBOX))
    assert "全部标为已读" in page
    assert "数据变更" in page
    assert "Mark" not in page


@pytest.mark.parametrize(("address", "most"), [(INBOX, 21), (f"{INBOX}?show=waiting", 12)])
def test_it_costs_the_same_however_full(
    console: Console, organisation: Any, database: str, address: str, most: int
) -> None:
    ann = console("ann")
    asked = [event(type="data_change.to_be_submitted") for _ in range(21)]
    happen(organisation, database, *asked[:1])
    ann.get(address)
    with queries() as few:
        ann.get(address)
    happen(organisation, database, *asked[1:])
    with queries() as many:
        ann.get(address)
    assert len(few) == len(many) <= most, "\n".join(many)
