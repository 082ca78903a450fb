"""Events of flow runs as Prefect 3.9 sends them through an automation (recorded from a server), and what they become.
The words are those of `docs/v3/api-ref/events/flow-run-events.mdx` of PrefectHQ/prefect."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.events.sources.given import event_of, parked_of

from tidings.events.event import Event, PersonKey
from tidings.events.sources.contract import Known, Parked, Push
from tidings.events.sources.mapping import row_of
from tidings.events.sources.registry import ADAPTERS

PREFECT = ADAPTERS["prefect"]
RECEIVED = datetime(2026, 11, 26, 14, 50, tzinfo=UTC)
RUN = "f86f99cb-56ef-4d18-b0af-d32bb84d52d1"
FAILED: dict[str, Any] = {
    "occurred": "2026-11-26T14:47:25.343110Z",
    "event": "prefect.flow-run.Failed",
    "resource": {
        "prefect.resource.id": f"prefect.flow-run.{RUN}",
        "prefect.resource.name": "paper-cassowary",
        "prefect.run-count": "1",
        "prefect.state-message": "Flow run encountered an exception: ValueError: no table orders",
        "prefect.state-name": "Failed",
        "prefect.state-timestamp": "2026-11-26T14:47:25.343110+00:00",
        "prefect.state-type": "FAILED",
    },
    "related": [
        {
            "prefect.resource.id": "prefect.flow.cb0ea63d-1cbe-43bd-aa13-f7c1b0b7f5cb",
            "prefect.resource.role": "flow",
            "prefect.resource.name": "load-orders",
        }
    ],
    "payload": {
        "intended": {"from": "RUNNING", "to": "FAILED"},
        "initial_state": {"type": "RUNNING", "name": "Running"},
        "validated_state": {"type": "FAILED", "name": "Failed", "message": "Flow run encountered an exception: ..."},
    },
    "id": "01a21853-599f-7f8f-88bd-d8f2017d8449",
    "follows": "01a21853-595b-7b48-829a-83eb281559c1",
    "received": "2026-11-26T14:47:25.361415Z",
}


def state(name: str, kind: str, *related: dict[str, str], **labels: Any) -> dict[str, Any]:
    changed = {"prefect.state-name": name, "prefect.state-type": kind}
    changed |= {f"prefect.{key.replace('_', '-')}": value for key, value in labels.items()}
    resource = {key: value for key, value in (FAILED["resource"] | changed).items() if value is not None}
    return FAILED | {
        "event": f"prefect.flow-run.{name}", "resource": resource, "related": [*FAILED["related"], *related],
    }  # fmt: skip


def role(of: str, ident: str, name: str = "") -> dict[str, str]:
    related = {"prefect.resource.id": ident, "prefect.resource.role": of}
    return related | ({"prefect.resource.name": name} if name else {})


def tag(name: str) -> dict[str, str]:
    return role("tag", f"prefect.tag.{name}")


def reading(content: Any, *rows: Any, **options: Any) -> Any:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return PREFECT.read(Push({}, raw, RECEIVED), Known(PREFECT.mapping.before(rows), options))


def read(content: Any, **options: Any) -> Event:
    return event_of(reading(content, **options))


def parked(content: Any) -> Parked:
    return parked_of(reading(content))


# what it becomes


def test_a_failed_run_becomes_an_event_of_that_run() -> None:
    event = read(FAILED, url="https://prefect.example.com/")
    assert (event.id, event.type) == (FAILED["id"], "task_orchestration.tasks_failed")
    assert (event.subject.kind, event.subject.id) == ("task_flow", RUN)
    assert event.subject.title == "load-orders (paper-cassowary)"
    assert event.subject.url == f"https://prefect.example.com/runs/flow-run/{RUN}"
    assert event.time == datetime(2026, 11, 26, 14, 47, 25, 343110, UTC)
    assert event.people.submitter is None
    assert event.details == {
        "state": "Failed",
        "run_name": "paper-cassowary",
        "error": "Flow run encountered an exception: ValueError: no table orders",
    }


@pytest.mark.parametrize(
    ("name", "kind", "means"),
    [
        ("Completed", "COMPLETED", "task_orchestration.tasks_run"),
        ("Nothing to do", "COMPLETED", "task_orchestration.tasks_run"),
        ("Failed", "FAILED", "task_orchestration.tasks_failed"),
        ("TimedOut", "FAILED", "task_orchestration.tasks_failed"),
        ("Crashed", "CRASHED", "task_orchestration.tasks_failed"),
    ],
)
def test_the_type_of_a_state_says_what_became_of_a_run_whatever_its_name(name: str, kind: str, means: str) -> None:
    assert read(state(name, kind)).type == means


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Scheduled", "SCHEDULED"), ("Late", "SCHEDULED"), ("AwaitingRetry", "SCHEDULED"),
        ("AwaitingConcurrencySlot", "SCHEDULED"), ("Pending", "PENDING"), ("Running", "RUNNING"), ("Retrying", "RUNNING"),
        ("Paused", "PAUSED"), ("Suspended", "PAUSED"), ("Cancelling", "CANCELLING"), ("Cancelled", "CANCELLED"),
    ],
)  # fmt: skip
def test_of_what_has_no_outcome_yet_and_of_what_was_cancelled_nobody_wants_to_know(name: str, kind: str) -> None:
    assert reading(state(name, kind)) == ()


def test_a_row_may_say_otherwise_by_flow_deployment_and_state() -> None:
    late = row_of(PREFECT.mapping.parts, {"flow": ["load-*"], "state": ["Late"]}, "task_orchestration.tasks_failed")
    [event] = reading(state("Late", "SCHEDULED"), late)
    assert (event.type, "error" in event.details) == ("task_orchestration.tasks_failed", False)
    nightly = row_of(PREFECT.mapping.parts, {"deployment": ["dev"]}, None)
    assert reading(state("Failed", "FAILED", role("deployment", "prefect.deployment.1", "dev")), nightly) == ()
    assert len(reading(FAILED, nightly)) == 1


def test_a_run_of_a_deployment_is_called_as_prefect_calls_it() -> None:
    event = read(
        state(
            "Completed", "COMPLETED",
            role("deployment", "prefect.deployment.b2", "production"), role("work-pool", "prefect.work-pool.c3", "k8s"),
        )
    )  # fmt: skip
    assert event.subject.title == "load-orders/production (paper-cassowary)"
    assert event.details["work_pool"] == "k8s"
    # A hook knows its id alone.
    assert read(state("Completed", "COMPLETED", role("deployment", "prefect.deployment.b2"))).subject.title == (
        "load-orders (paper-cassowary)"
    )


def test_an_automation_and_a_hook_that_tell_one_state_tell_one_event() -> None:
    assert PREFECT.first_holds
    told = FAILED | {"related": [], "payload": {}}
    assert read(told).id == read(FAILED).id


def test_what_stands_below_the_first_line_of_an_error_is_left_out() -> None:
    message = "Flow run encountered an exception: OperationalError: no such table\n[SQL: SELECT * FROM salaries]"
    assert "salaries" not in read(state("Failed", "FAILED", state_message=message)).details["error"]
    repeated = "IntegrityError: Duplicate entry 'ann@example.com' for key 'email' of INSERT INTO people VALUES (1, 2)"
    shown = "IntegrityError: Duplicate entry '…' for key '…' of …"
    assert read(state("Failed", "FAILED", state_message=repeated)).details["error"] == shown
    assert len(read(state("Failed", "FAILED", state_message="x" * 100_000)).details["error"]) <= 300


# who


@pytest.mark.parametrize(
    ("tags", "owner", "submitter", "related"),
    [
        (["nightly", "owner:ann"], "carol", "ann", []),
        (["owner:eve", "Owner: ann@example.com"], None, PersonKey(email="ann@example.com"), ["eve"]),
        (["owner:", "owners:ann"], "carol", "carol", []),
        ([], "carol@example.com", PersonKey(email="carol@example.com"), []),
        ([], None, None, []),
    ],
)
def test_owners_stand_in_tags_or_the_source_has_one(tags: Any, owner: Any, submitter: Any, related: Any) -> None:
    people = read(state("Failed", "FAILED", *map(tag, tags)), owner=owner).people
    assert (people.submitter, people.related) == (submitter, related)


def test_a_person_of_prefect_cloud_who_started_it_is_the_submitter_and_a_deployment_is_not() -> None:
    started = role("creator", "prefect-cloud.user.80546602-9f31-4396-ab4b-e873a5377feb", "stoat")
    scheduled = role("creator", "prefect.deployment.b2", "production")
    assert read(state("Failed", "FAILED", started), owner="carol").people.submitter == "stoat"
    assert read(state("Failed", "FAILED", started, tag("owner:ann"))).people.submitter == "ann"
    assert read(state("Failed", "FAILED", scheduled), owner="carol").people.submitter == "carol"


# what is missing


def test_without_an_address_of_prefect_there_is_no_link() -> None:
    assert read(FAILED).subject.url == ""


def test_without_its_own_time_a_state_has_that_of_the_event_or_of_its_arrival() -> None:
    assert read(
        state("Failed", "FAILED", state_timestamp=None) | {"occurred": "2026-11-26T01:02:03Z"}
    ).time == datetime(2026, 11, 26, 1, 2, 3, tzinfo=UTC)
    assert read(state("Failed", "FAILED", state_timestamp=None) | {"occurred": "soon"}).time == RECEIVED


def test_an_event_without_an_id_gets_one_that_is_always_the_same() -> None:
    without = FAILED | {"id": None}
    assert read(without).id == read(without).id != ""


def test_an_event_inside_a_json_string_as_prefect_sent_it_before_3_4_2_is_the_same() -> None:
    assert reading(json.dumps(FAILED)) == reading(FAILED)
    for raw in (b'""', b'"x"', b'"\\"x\\""', json.dumps(json.dumps(json.dumps(FAILED))).encode()):
        assert parked(raw).reason == "not_understood"


def test_a_heartbeat_is_no_change() -> None:
    assert reading(FAILED | {"event": "prefect.flow-run.heartbeat"}) == ()


def test_an_event_of_something_else_is_parked_with_what_to_look_at() -> None:
    other = {"event": "prefect.deployment.ready", "resource": {"prefect.resource.id": "prefect.deployment.b2"}}
    found = parked(other)
    assert (found.reason, "trigger" in found.detail) == ("not_understood", True)


@pytest.mark.parametrize("changes", [{"state_type": None}, {"resource.id": "prefect.flow-run."}])
def test_what_an_event_cannot_do_without_is_missed(changes: Any) -> None:
    assert parked(state("Failed", "FAILED", **changes)).reason == "incomplete"


def test_a_state_of_a_type_nobody_knows_is_parked_with_its_words() -> None:
    found = parked(state("Skipped", "SKIPPED"))
    assert (found.reason, found.words) == (
        "unmapped", {"flow": "load-orders", "deployment": "", "type": "SKIPPED", "state": "Skipped"},
    )  # fmt: skip


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b"null", b'{"event": "x"}', b'{"event": "x", "resource": 1}', b"\xff"]
)
def test_what_is_not_what_prefect_documents_is_parked(raw: bytes) -> None:
    assert parked(raw).reason == "not_understood"
