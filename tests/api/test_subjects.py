"""Tickets and task flows: where they stand, and who was told what when."""

from typing import Any

import pytest
from tests.api.given import end, event, happen, queries
from tests.delivery.given import reach

PENDING, APPROVED = "data_change.pending_approval", "data_change.approved"


def asked(subject: object, **changes: Any) -> dict[str, Any]:
    return event(type=PENDING, subject=subject, people={"submitter": "ann", "approvers": ["bo"]}, **changes)


def test_a_subject_tells_its_story_latest_first(api: Any, organisation: Any, database: str) -> None:
    reach(organisation, "bo")
    first, second = happen(organisation, database, asked(7, at=-10), event(type=APPROVED, subject=7, at=-5))
    end(organisation, "sent", "")
    body = api("root").get("/subjects/ticket/7").body
    assert (body["kind"], body["id"], body["status"], body["next_cursor"]) == ("ticket", "7", APPROVED, None)
    approved, pending = body["timeline"]
    assert (approved["event_id"], approved["type"], approved["number"]) == (str(second), APPROVED, 2)
    assert [one["login"] for one in approved["recipients"]] == ["ann"]
    assert (pending["event_id"], pending["number"]) == (str(first), 1)
    [bo] = pending["recipients"]
    assert (bo["login"], bo["because"], bo["sends"][0]["state"]) == ("bo", [{"role": "approver"}], "sent")
    assert len(bo["sends"][0]["attempts"]) == 1


def test_a_late_event_never_turns_a_subject_back(api: Any, organisation: Any, database: str) -> None:
    happen(organisation, database, event(type=APPROVED, subject="late", at=-5))
    happen(organisation, database, asked("late", at=-10))
    body = api("root").get("/subjects/ticket/late").body
    assert body["status"] == APPROVED
    assert [step["type"] for step in body["timeline"]] == [PENDING, APPROVED]


def test_a_long_story_comes_a_page_at_a_time(api: Any, organisation: Any, database: str) -> None:
    happen(organisation, database, *[event(subject="long") for _ in range(5)])
    root, seen, cursor = api("root"), [], {}
    while True:
        body = root.get("/subjects/ticket/long", limit=2, **cursor).body
        seen += [step["number"] for step in body["timeline"]]
        if body["next_cursor"] is None:
            break
        cursor = {"cursor": body["next_cursor"]}
    assert seen == [5, 4, 3, 2, 1]
    assert root.get("/subjects/ticket/long", cursor="Zm9v").status == 422
    assert root.get("/subjects/ticket/long", cursor="OTk5OTk5OTk5OTk5OTk5OTk5OTk").status == 422


def test_an_id_may_be_anything_that_can_be_seen_and_asked_for(api: Any, organisation: Any, database: str) -> None:
    from urllib.parse import quote

    for key in ("flow/7/run 3", "发布-1", "a%2Fb?c#d", "...", "100%_"):
        happen(organisation, database, event(subject=key))
        answer = api("root").get(f"/subjects/ticket/{quote(key, safe='')}")
        assert (answer.status, answer.body["id"]) == (200, key)
    assert api("root").get("/subjects/ticket/a%00b").status == 404


def test_filters_narrow_the_list_down(api: Any, organisation: Any, database: str) -> None:
    flow = event(type="task_orchestration.tasks_failed") | {"subject": {"kind": "task_flow", "id": "nightly_100%"}}
    happen(organisation, database, asked("T-1"))
    happen(organisation, database, flow)
    happen(organisation, database, event(type=APPROVED, subject="t-12"))
    root = api("root")

    def found(**filters: Any) -> list[str]:
        return [one["id"] for one in root.get("/subjects", **filters).body["items"]]

    assert found() == ["t-12", "nightly_100%", "T-1"]
    assert found(kind="task_flow") == ["nightly_100%"]
    assert found(status=APPROVED) == ["t-12"]
    assert found(q="t-1") == ["t-12", "T-1"]
    assert found(q="%") == ["nightly_100%"]
    assert found(q="_") == ["nightly_100%"]
    assert found(kind="task_flow", q="t-1") == []
    page = root.get("/subjects", limit=2).body
    assert [one["id"] for one in root.get("/subjects", limit=2, cursor=page["next_cursor"]).body["items"]] == ["T-1"]


@pytest.mark.parametrize("filters", [{"q": "a\0"}, {"cursor": "x"}, {"limit": 1_000}])
def test_what_cannot_be_asked_for_is_refused(api: Any, filters: dict[str, Any]) -> None:
    assert api("root").get("/subjects", **filters).status == 422


def test_others_see_the_subjects_and_steps_that_concern_them(api: Any, organisation: Any, database: str) -> None:
    happen(
        organisation, database, asked("theirs"), event(type=APPROVED, subject="theirs", to="dan"), event(subject="x")
    )
    bo = api("bo")
    assert [one["id"] for one in bo.get("/subjects").body["items"]] == ["theirs"]
    body = bo.get("/subjects/ticket/theirs").body
    assert [step["type"] for step in body["timeline"]] == [PENDING]
    assert bo.get("/subjects/ticket/x").status == 404
    assert len(api("eve").get("/subjects/ticket/theirs").body["timeline"]) == 2
    # She submitted it: the step is hers to see, with nobody else's row.
    [step] = api("ann").get("/subjects/ticket/theirs").body["timeline"]
    assert (step["type"], step["recipients"]) == (PENDING, [])


def test_the_other_tenant_s_subjects_are_not_there(api: Any, organisation: Any, database: str) -> None:
    happen(organisation, database, asked("wall"))
    mallory = api("mallory")
    assert mallory.get("/subjects/ticket/wall").status == 404
    assert mallory.get("/subjects").body["items"] == []
    assert mallory.get("/subjects", q="wall").body["items"] == []
    assert api(source="dms").get("/subjects").status == 403
    assert api(source="dms").get("/subjects/ticket/wall").status == 403
    assert api(token="").get("/subjects").status == 401


def test_lists_and_stories_cost_the_same_however_long(api: Any, organisation: Any, database: str) -> None:
    root = api("root")
    happen(organisation, database, asked("cost"))
    with queries() as few:
        root.get("/subjects")
        root.get("/subjects/ticket/cost")
    happen(organisation, database, *[asked("cost") for _ in range(9)], *[event() for _ in range(9)])
    with queries() as many:
        assert len(root.get("/subjects").body["items"]) == 10
        assert len(root.get("/subjects/ticket/cost").body["timeline"]) == 10
    assert len(few) == len(many) == 2 + 5
