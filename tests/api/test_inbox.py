"""The inbox has all that a person was told of, in their language, whatever channel they chose."""

from typing import Any
from uuid import UUID

import pytest
from tests.api.given import event, happen, lose_content, queries
from tests.delivery.given import reach

PENDING = "data_change.pending_approval"


def test_an_item_says_what_happened_what_to_do_and_why(api: Any, organisation: Any, database: str) -> None:
    url = "https://dms.example.com/tickets/88"
    content = event(type=PENDING, people={"approvers": ["bo"]}) | {
        "subject": {"kind": "ticket", "id": "88", "title": "Add index on orders", "url": url}
    }
    [key] = happen(organisation, database, content)
    body = api("bo").get("/me/inbox").body
    assert (body["unread"], body["next_cursor"]) == (1, None)
    [item] = body["items"]
    assert (item["event_id"], item["type"], item["tone"], item["read"]) == (str(key), PENDING, "action", False)
    assert item["headline"] == "Data change waits for approval, nothing has run yet: Add index on orders"
    assert item["todo"].startswith("Approvers, please check")
    assert "approve" in item["why"]
    assert (item["url"], item["because"]) == (url, [{"role": "approver"}])
    assert item["subject"] == {"kind": "ticket", "id": "88", "title": "Add index on orders", "url": url}


def test_a_person_without_any_method_still_has_an_inbox(api: Any, organisation: Any, database: str) -> None:
    reach(organisation, "bo")
    happen(organisation, database, event(type=PENDING, people={"approvers": ["bo", "dan"]}))
    assert [len(api(login).get("/me/inbox").body["items"]) for login in ("bo", "dan", "ann")] == [1, 1, 0]


def test_it_is_written_in_the_reader_s_language(api: Any, organisation: Any, database: str) -> None:
    organisation.people["bo"].language = "zh-hans"
    organisation.people["bo"].save()
    happen(organisation, database, event(to="bo"))
    [item] = api("bo").get("/me/inbox").body["items"]
    assert any("一" <= character <= "鿿" for character in item["headline"])
    assert item["labels"]["zh-hans"]


def test_the_title_is_the_event_s_while_it_is_kept_and_then_the_subject_s(
    api: Any, organisation: Any, database: str
) -> None:
    for title in ("Before", "After"):
        subject = {"kind": "ticket", "id": "t", "title": title, "url": f"https://dms.example.com/{title}"}
        happen(organisation, database, event() | {"subject": subject})

    def titles() -> list[tuple[str, str]]:
        items = api("ann").get("/me/inbox").body["items"]
        return [(item["headline"].rpartition(": ")[2], item["url"].rpartition("/")[2]) for item in items]

    assert titles() == [("After", "After"), ("Before", "Before")]
    lose_content()
    assert titles() == [("After", "After"), ("After", "After")]


def test_a_rule_that_is_off_makes_no_item(api: Any, organisation: Any, database: str) -> None:
    api("root").patch("/rules/data_change.successful", {"enabled": False, "version": 1})
    happen(organisation, database, event())
    assert api("ann").get("/me/inbox").body["items"] == []


def test_items_are_read_one_by_one_or_all_at_once(api: Any, organisation: Any, database: str) -> None:
    keys = happen(organisation, database, *[event() for _ in range(4)])
    ann = api("ann")
    assert ann.post("/me/inbox/read", {"ids": [str(keys[0]), str(keys[0])]}).body == {"read": 1, "unread": 3}
    # Read once is read for good.
    assert ann.post("/me/inbox/read", {"ids": [str(keys[0])]}).body == {"read": 0, "unread": 3}
    unread = ann.get("/me/inbox", unread="true").body
    assert ([item["event_id"] for item in unread["items"]], unread["unread"]) == ([str(key) for key in keys[:0:-1]], 3)
    assert [item["read"] for item in ann.get("/me/inbox").body["items"]] == [False, False, False, True]
    assert ann.post("/me/inbox/read", {"all": True}).body == {"read": 3, "unread": 0}
    assert ann.get("/me/inbox", unread="true").body["items"] == []


def test_nobody_reads_for_somebody_else(api: Any, organisation: Any, database: str) -> None:
    [key] = happen(organisation, database, event(type=PENDING, people={"approvers": ["bo", "dan"]}))
    for login in ("dan", "root", "mallory"):
        api(login).post("/me/inbox/read", {"ids": [str(key), str(UUID(int=key.int + 1))]})
        api(login).post("/me/inbox/read", {"all": True})
    assert api("bo").get("/me/inbox").body["unread"] == 1
    assert api("mallory").get("/me/inbox").body["items"] == []


@pytest.mark.parametrize("body", [{}, {"ids": ["x"]}, {"all": False}, {"ids": [], "all": True}, {"id": "x"}, []])
def test_what_does_not_fit_reads_nothing(api: Any, organisation: Any, database: str, body: Any) -> None:
    happen(organisation, database, event())
    assert api("ann").post("/me/inbox/read", body).status == 422
    assert api("ann").get("/me/inbox").body["unread"] == 1


def test_a_source_has_no_inbox(api: Any) -> None:
    assert api(source="dms").get("/me/inbox").status == 403
    assert api(source="dms").post("/me/inbox/read", {"all": True}).status == 403
    assert api(token="").get("/me/inbox").status == 401


def test_pages_do_not_repeat_and_do_not_lose(api: Any, organisation: Any, database: str) -> None:
    keys = happen(organisation, database, *[event() for _ in range(5)])
    ann, seen, cursor = api("ann"), [], {}
    while True:
        page = ann.get("/me/inbox", limit=2, **cursor).body
        seen += [item["event_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == [str(key) for key in reversed(keys)]


def test_it_costs_the_same_however_full(api: Any, organisation: Any, database: str) -> None:
    ann = api("ann")
    happen(organisation, database, event())
    with queries() as few:
        ann.get("/me/inbox")
    happen(organisation, database, *[event() for _ in range(20)])
    with queries() as many:
        assert len(ann.get("/me/inbox").body["items"]) == 21
    # Token, page, events, subjects, titles, own features, unread.
    assert len(few) == len(many) == 7


def test_it_does_not_spoil_what_messages_are_made_of(api: Any, organisation: Any, database: str) -> None:
    """`messages.compose` keeps what it made of an event; the inbox knows less of it and must leave no trace there."""
    from tidings.messages import compose

    happen(organisation, database, event())
    before = dict(compose._bodies)
    api("ann").get("/me/inbox")
    assert dict(compose._bodies) == before
