"""What I would get of each event type, and why: asked by the person, or by an administrator for them."""

from typing import Any

from tests.api.given import queries
from tests.delivery.given import reach

PENDING = "data_change.pending_approval"


def of(answer: Any, event_type: str) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    [found] = [one for one in answer.body["items"] if one["event_type"] == event_type]
    return dict(found)


def test_a_person_sees_what_would_reach_them_and_why(api: Any, organisation: Any) -> None:
    reach(organisation, "carol")
    root = api("root")
    root.put("/instances/rm-orders", {"dba": "carol"})
    root.put("/instances/rm-orders/databases/orders", {"owners": ["carol"]})
    root.patch(f"/rules/{PENDING}", {"optional_roles": ["instance_dba", "data_owner", "dba"], "version": 1})
    root.patch("/rules/data_change.failed", {"enabled": False, "version": 1})
    answer = api("carol").get("/me/expectations")
    assert (answer.body["roles"], answer.body["dba_of"], answer.body["owns"]) == (
        ["dba"],
        ["rm-orders"],
        ["rm-orders/orders"],
    )
    pending = of(answer, PENDING)
    assert pending["because"] == [
        {"role": "approver", "when": "named"},
        {"role": "data_owner", "when": "held"},
        {"role": "instance_dba", "when": "held"},
        {"role": "dba", "when": "always"},
    ]
    assert (pending["sends"], pending["skips"]) == (["webhook"], [])
    assert pending["labels"]["zh-hans"]
    assert pending["feature_labels"]["en"] == "Data change"
    off = of(answer, "data_change.failed")
    assert (off["because"], off["sends"], off["skips"]) == ([], [], [{"reason": "rule_off"}])


def test_who_chose_nothing_reads_why_nothing_is_sent(api: Any) -> None:
    found = of(api("bo").get("/me/expectations"), PENDING)
    assert (found["sends"], found["skips"]) == ([], [{"reason": "no_method"}])


def test_a_tenant_s_own_event_types_are_there_too(api: Any) -> None:
    events = [{"type": "backup.failed", "en": "Failed", "class": "failure", "default_role": "administrator", "optional_roles": []}]  # fmt: skip
    assert api("root").put("/catalog/features/backup", {"subject": "ticket", "en": "Backup", "events": events}).status in (200, 201)  # fmt: skip
    assert of(api("root").get("/me/expectations"), "backup.failed")["because"] == [
        {"role": "administrator", "when": "always"}
    ]
    assert of(api("ann").get("/me/expectations"), "backup.failed")["because"] == []


def test_administrators_see_it_of_others_and_nobody_else_does(api: Any) -> None:
    mine = api("bo").get("/me/expectations").body
    assert api("root").get("/users/bo/expectations").body == mine
    assert api("root").get("/users/nobody/expectations").status == 404
    for login in ("carol", "eve", "ann", "bo"):
        assert api(login).get("/users/bo/expectations").status == 403
    assert api("mallory").get("/users/bo/expectations").status == 404
    assert api(source="dms").get("/me/expectations").status == 403


def test_it_costs_the_same_whatever_one_holds(api: Any, organisation: Any) -> None:
    carol, root = api("carol"), api("root")
    with queries() as few:
        carol.get("/me/expectations")
    for number in range(5):
        root.put(f"/instances/rm-{number}", {"dba": "carol"})
    with queries() as many:
        assert len(carol.get("/me/expectations").body["dba_of"]) == 5
    # Token, contact points, resources, rules, channels, own features.
    assert len(few) == len(many) == 6
