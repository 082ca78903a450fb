"""The inbox has all that a person was told of, in their language, whatever channel they chose."""

from typing import Any
from uuid import UUID

import pytest
from tests.api.given import end, event, happen, lose_content, queries
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


def test_what_came_after_the_last_one_seen_stays_unread(api: Any, organisation: Any, database: str) -> None:
    keys = happen(organisation, database, *[event() for _ in range(3)])
    ann = api("ann")
    assert ann.post("/me/inbox/read", {"all": True, "until": str(keys[1])}).body == {"read": 2, "unread": 1}
    assert ann.get("/me/inbox/unread").body == {"unread": 1}
    assert [item["read"] for item in ann.get("/me/inbox").body["items"]] == [False, True, True]


def test_it_says_where_it_also_went_and_whether_it_arrived(api: Any, organisation: Any, database: str) -> None:
    reach(organisation, "ann")
    organisation.people["ann"].methods = ["webhook", "sms"]
    organisation.people["ann"].save()
    happen(organisation, database, event())
    end(organisation, reason="gone")
    [item] = api("ann").get("/me/inbox").body["items"]
    [send] = item["sends"]
    assert (send["channel"], send["state"], send["reason"]) == ("webhook", "failed", "gone")
    assert item["skips"] == [{"channel": "sms", "reason": "channel_off"}]


def test_it_says_what_where_who_and_when_as_a_message_does(api: Any, organisation: Any, database: str) -> None:
    organisation.people["bo"].timezone = "Asia/Shanghai"
    organisation.people["bo"].email = "Bo@example.com"
    organisation.people["bo"].save()
    content = event(
        type=PENDING, people={"approvers": ["bo"], "submitter": "ann"}, actor={"email": "bo@example.com"}
    ) | {
        "time": "2026-11-23T10:00:00Z",
        "resources": [{"instance": "rm-orders", "database": "orders"}],
        "details": {"risk": "HIGH", "comment": "DROP TABLE orders", "sql": "x" * 10_000},
    }
    happen(organisation, database, content)
    [item] = api("bo").get("/me/inbox").body["items"]
    facts = {fact["key"]: fact["value"] for fact in item["facts"]}
    assert facts.pop("what").startswith("Data change s")
    assert facts == {
        "where": "rm-orders/orders",
        "submitter": "Ann",
        "actor": "Bo",
        "when": "2026-11-23 18:00 (Asia/Shanghai)",
        "risk": "High",
    }


def test_what_waits_for_an_act_is_found_until_its_subject_moves_on(api: Any, organisation: Any, database: str) -> None:
    def waiting(login: str) -> list[str]:
        items = api(login).get("/me/inbox", waiting="true").body["items"]
        assert all(item["waiting"] for item in items)
        return [item["subject"]["id"] for item in items]

    approvers = {"approvers": ["bo"], "submitter": "ann"}
    for subject in ("one", "two"):
        happen(organisation, database, event(subject=subject, type=PENDING, people=approvers))
    happen(organisation, database, event(subject="three", type="data_change.to_be_submitted"), event())
    assert (waiting("bo"), waiting("ann")) == (["two", "one"], ["three"])
    happen(organisation, database, event(subject="two", type="data_change.approved"))
    assert waiting("bo") == ["one"]
    [two, one] = api("bo").get("/me/inbox").body["items"]
    assert (two["waiting"], two["moved_on"]["type"]) == (False, "data_change.approved")
    assert (one["waiting"], one["moved_on"]) == (True, None)


def test_who_hears_of_an_approval_for_another_reason_is_not_asked_to_act(
    api: Any, organisation: Any, database: str
) -> None:
    api("root").patch(f"/rules/{PENDING}", {"optional_roles": ["dba"], "version": 1})
    happen(organisation, database, event(type=PENDING, people={"approvers": ["bo"]}))
    [item] = api("carol").get("/me/inbox").body["items"]
    assert not item["waiting"]
    assert api("carol").get("/me/inbox", waiting="true").body["items"] == []


def test_a_feature_s_items_are_found_among_the_others(api: Any, organisation: Any, database: str) -> None:
    happen(organisation, database, event(), event(type="data_export.successful"), event())
    assert [one["type"] for one in api("ann").get("/me/inbox", feature="data_export").body["items"]] == [
        "data_export.successful"
    ]
    assert api("ann").get("/me/inbox", feature="data").body["items"] == []


def test_a_page_with_filters_looks_at_so_many_and_says_where_to_go_on(
    api: Any, organisation: Any, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.events.inbox.LATEST", 3)
    happen(organisation, database, event(type="data_export.successful"), *[event() for _ in range(4)])
    ann, found, cursor, pages = api("ann"), [], {}, 0
    while True:
        page = ann.get("/me/inbox", feature="data_export", **cursor).body
        found += page["items"]
        pages += 1
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert (len(found), pages) == (1, 2)
    assert ann.get("/me/inbox/unread").body == {"unread": 3}


def test_nobody_reads_for_somebody_else(api: Any, organisation: Any, database: str) -> None:
    [key] = happen(organisation, database, event(type=PENDING, people={"approvers": ["bo", "dan"]}))
    for login in ("dan", "root", "mallory"):
        api(login).post("/me/inbox/read", {"ids": [str(key), str(UUID(int=key.int + 1))]})
        api(login).post("/me/inbox/read", {"all": True})
    assert api("bo").get("/me/inbox").body["unread"] == 1
    assert api("mallory").get("/me/inbox").body["items"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ids": ["x"]},
        {"all": False},
        {"ids": [], "all": True},
        {"id": "x"},
        {"ids": [], "until": str(UUID(int=0))},
        [],
    ],
)
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
    # Token, page, events, subjects, contents, people named, own features, deliveries, unread.
    assert len(few) == len(many) == 9


def test_it_does_not_spoil_what_messages_are_made_of(api: Any, organisation: Any, database: str) -> None:
    """`messages.compose` keeps what it made of an event; the inbox knows less of it and must leave no trace there."""
    from tidings.messages import compose

    happen(organisation, database, event())
    before = dict(compose._bodies)
    api("ann").get("/me/inbox")
    assert dict(compose._bodies) == before
