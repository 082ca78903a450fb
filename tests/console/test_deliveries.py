"""Deliveries: what became of each message, what waits and why, and trying again."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.api.given import end, event, happen, lose_content, queries
from tests.delivery.given import reach

from tidings.console import retry as pages

DELIVERIES = "/console/deliveries"
Console = Callable[..., Any]


def text(answer: Any) -> str:
    """As people read it."""
    assert answer.status_code == 200, answer.content
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def fields(answer: Any, name: str) -> list[str]:
    return re.findall(rf'name="{name}" value="([^"]*)"', answer.content.decode())


def states(organisation: Any) -> list[str]:
    from tidings.delivery.models import Delivery

    return [each.state for each in Delivery.objects.for_tenant(organisation.id).order_by("id")]


@pytest.fixture
def reachable(organisation: Any) -> Any:
    from tidings.delivery.models import Node

    reach(organisation, "ann", "bo")
    Node.objects.all().delete()
    Node.objects.create(name="test")
    return organisation


@pytest.fixture
def failed(reachable: Any, database: str) -> Any:
    """Four of ann's, of which three failed and one was cancelled."""
    happen(reachable, database, *(event(to="ann") for _ in range(3)))
    end(reachable, "failed", "rejected")
    happen(reachable, database, event(to="ann"))
    end(reachable, "cancelled", "channel_off")
    return reachable


# the list


def test_what_failed_is_not_said_to_be_tried_again_by_itself(console: Console, failed: Any) -> None:
    from tidings.delivery.models import Delivery

    Delivery.objects.for_tenant(failed.id).filter(state="failed").update(reason="timeout")
    root = console("root")
    one = Delivery.objects.for_tenant(failed.id).filter(state="failed").order_by("id")[0]
    for path in (f"{DELIVERIES}?state=failed", DELIVERIES, f"/console/activity/{str(one.id)[:31]}00000"):
        page = text(root.get(path))
        assert "See why the receiver is slow, then retry it by hand." in page and "by itself" not in page, path


def test_while_there_is_none_it_says_what_to_do(console: Console) -> None:
    assert "Nothing was sent yet" in text(console("root").get(DELIVERIES))
    assert "Open my settings" in text(console("ann").get(DELIVERIES))
    assert "What fails for good stands here" in text(console("root").get(f"{DELIVERIES}?state=failed"))


def test_each_says_to_whom_about_what_and_what_became_of_it(console: Console, failed: Any) -> None:
    page = text(console("root").get(DELIVERIES))
    for part in ("Ann ann", "Webhook", "failed", "cancelled", "The receiver refuses this message", "See what it answered",
                 "This channel is switched off for the organisation"):  # fmt: skip
        assert part in page, part
    own = text(console("ann").get(DELIVERIES))
    assert "Every message to you" in own and "The receiver refuses this message" in own
    assert "The receiver refuses" not in text(console("bo").get(f"{DELIVERIES}?recipient=ann"))
    assert "The receiver refuses" not in text(console("mallory").get(DELIVERIES))


def test_what_waits_says_for_what(console: Console, reachable: Any, database: str) -> None:
    from tidings.delivery.models import Delivery

    happen(reachable, database, event(to="ann"))
    page = text(console("root").get(DELIVERIES))
    assert page.count("Its turn comes in a moment.") == 2  # above, and in the list
    later = datetime.now(UTC) + timedelta(minutes=5)
    Delivery.objects.for_tenant(reachable.id).update(
        due_at=later,
        reason="dingtalk_robot_rate",
        attempts=[{"at": later.isoformat(), "outcome": "held", "reason": "dingtalk_robot_rate"}],
    )
    page = text(console("root").get(f"{DELIVERIES}/standing"))
    assert "The provider takes no more for now" in page and "as DingTalk allows" in page
    assert console("ann").get(f"{DELIVERIES}/standing").status_code == 403


@pytest.mark.parametrize(
    ("query", "count"),
    [("", 4), ("state=failed", 3), ("state=cancelled", 1), ("state=nonsense", 4), ("channel=webhook", 4), ("channel=email", 0),
     ("recipient=bo", 0), ("type=data_change.successful&state=failed", 3), ("since=2999-01-01T00:00", 0)],
)  # fmt: skip
def test_filters_stand_in_the_address(console: Console, failed: Any, query: str, count: int) -> None:
    content = console("root").get(f"{DELIVERIES}?{query}").content.decode()
    assert content.count('data-label="About"') == count


# trying again


def test_one_is_tried_again_from_wherever_it_is_seen(console: Console, failed: Any) -> None:
    from tidings.delivery.models import Delivery

    one = Delivery.objects.for_tenant(failed.id).filter(state="failed").first()
    assert one is not None
    back = f"/console/activity/{one.id}"
    answer = console("carol").post(f"{DELIVERIES}/{one.id}/retry", {"back": back})
    assert (answer.status_code, answer["Location"]) == (302, back)
    assert states(failed).count("pending") == 1
    # once more is too much, and the way back is never to another site
    root = console("root")
    answer = root.post(f"{DELIVERIES}/{one.id}/retry", {"back": "https://evil.example.com/"})
    assert answer["Location"] == DELIVERIES
    assert "It cannot be tried again" in text(root.get(DELIVERIES))


@pytest.mark.parametrize("login", ["ann", "eve", "mallory", ""])
def test_only_administrators_and_dbas_try_again(console: Console, failed: Any, login: str) -> None:
    from tidings.delivery.models import Delivery

    one = Delivery.objects.for_tenant(failed.id).filter(state="failed").first()
    assert one is not None
    client = console(login)
    for path in (f"{DELIVERIES}/{one.id}/retry", f"{DELIVERIES}/retry", f"{DELIVERIES}/retry-all"):
        answer = client.post(path, {"id": str(one.id)})
        assert answer.status_code in ({"": (302,), "mallory": (200, 302, 404)}.get(login, (403,))), (
            path,
            answer.status_code,
        )
    assert states(failed).count("pending") == 0
    if login == "eve":
        assert "data-chosen" not in client.get(f"{DELIVERIES}?state=failed").content.decode()


def test_those_that_were_ticked_are_tried_again_and_what_cannot_arrive_says_why(console: Console, failed: Any) -> None:
    root = console("root")
    ids = fields(root.get(f"{DELIVERIES}?state=failed"), "id")
    assert len(ids) == 3
    answer = root.post(f"{DELIVERIES}/retry", {"id": [*ids[:2], "nonsense"], "back": f"{DELIVERIES}?state=failed"})
    assert answer["Location"] == f"{DELIVERIES}?state=failed"
    assert "2 deliveries are tried again now." in text(root.get(DELIVERIES))
    assert sorted(states(failed)) == ["cancelled", "failed", "pending", "pending"]
    lose_content()
    root.post(f"{DELIVERIES}/retry", {"id": ids[2]})
    assert "1 is left as it is. What the message said is no longer kept" in text(root.get(DELIVERIES))
    assert root.post(f"{DELIVERIES}/retry", {}).status_code == 422


def test_all_that_fit_are_tried_again_a_slice_at_a_time(
    console: Console, reachable: Any, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "SLICE", 3)
    happen(reachable, database, *(event(to="ann") for _ in range(7)), event(to="bo"))
    end(reachable, "failed", "gone")
    reachable.people["bo"].active = False
    reachable.people["bo"].save()
    client = console("root", part=True)
    asked = client.get(f"{DELIVERIES}/retry-all?state=failed&channel=webhook")
    assert "8 deliveries are tried again" in text(asked)
    names = ("state", "channel", "total", "retried", "cursor")
    answer, pages_seen = asked, 0
    while "hx-post" in answer.content.decode():
        body = {name: (fields(answer, name) or [""])[0] for name in names} | {"refused": fields(answer, "refused")}
        answer = client.post(f"{DELIVERIES}/retry-all", body)
        pages_seen += 1
        if pages_seen == 1:
            assert "<progress" in answer.content.decode() and 'hx-trigger="load' in answer.content.decode()
    assert pages_seen == 3
    done = text(answer)
    assert "7 are tried again." in done and "1 is left as it is. This person is switched off" in done
    assert states(reachable).count("pending") == 7


def test_where_nothing_can_be_tried_again_nothing_is_said_to_go_out(console: Console, failed: Any) -> None:
    failed.people["ann"].active = False
    failed.people["ann"].save()
    done = text(console("root").post(f"{DELIVERIES}/retry-all", {"state": "failed"}))
    assert "Nothing could be tried again." in done and "3 are left as they are. This person is switched off" in done
    assert "They go out now" not in done and "0 are" not in done


def test_administrators_get_from_a_name_to_the_persons_page(console: Console, failed: Any) -> None:
    link = 'href="/console/people/ann"'
    assert link in console("root").get(DELIVERIES).content.decode()
    assert link not in console("carol").get(DELIVERIES).content.decode()
    failed.people["ann"].departed_at = datetime.now(UTC)
    failed.people["ann"].save()
    assert link not in console("root").get(DELIVERIES).content.decode()


def test_a_retry_is_found_in_the_audit_by_what_was_retried(console: Console, failed: Any) -> None:
    from tidings.delivery.models import Delivery

    one, *others = [
        str(each.id) for each in Delivery.objects.for_tenant(failed.id).filter(state="failed").order_by("id")
    ]
    root = console("root")
    root.post(f"{DELIVERIES}/{one}/retry")
    audit = "/console/audit?kind=delivery"
    assert one in text(root.get(f"{audit}&key={one}"))
    root.post(f"{DELIVERIES}/retry-all", {"state": "failed", "channel": "webhook"})
    page = root.get(audit)
    read = text(page).partition("Before and after")[2]
    assert f"Sent again + added: {len(others)}" in read and all(each in read for each in others)
    assert "Channel + added: Webhook" in read and "State failed → becomes pending" in read
    assert not re.search(r"<a [^>]*>\s*</a>", page.content.decode())
    failed.people["root"].language = "zh-hans"
    failed.people["root"].save()
    chinese = text(root.get(audit))
    assert "已重新发送" in chinese and "状态 失败" in chinese and "Sent again" not in chinese


def test_it_works_without_scripts_too(console: Console, failed: Any) -> None:
    client = console("root")
    assert "3 deliveries are tried again" in text(client.get(f"{DELIVERIES}/retry-all?state=failed"))
    assert "3 are tried again." in text(client.post(f"{DELIVERIES}/retry-all", {"state": "failed", "total": "x"}))


def test_a_page_takes_the_same_queries_however_long(console: Console, reachable: Any, database: str) -> None:
    happen(reachable, database, event(to="ann"))
    for login in ("root", "ann"):
        for query in ("", "?state=pending", "?state=failed", "?channel=webhook"):
            client = console(login)
            client.get(DELIVERIES + query)
            with queries() as few:
                client.get(DELIVERIES + query)
            happen(reachable, database, *(event(to="ann") for _ in range(20)))
            with queries() as many:
                client.get(DELIVERIES + query)
            assert len(few) == len(many) <= 12
