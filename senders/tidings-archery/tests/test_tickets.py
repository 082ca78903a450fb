"""Archery's own code decides on tickets and calls the notifier; a real Tidings says what came of it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from threading import Thread
from typing import Any

import pytest
from common.utils.const import WorkflowAction
from django.conf import settings
from sql.notify import EventType, My2SqlResult, auto_notify, notify_for_audit
from standardwebhooks import Webhook
from tickets import CONDITION, SQL, Archery, statement

import tidings_archery.send as sending
from tidings_client import Buffered

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def source(node: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[str]:
    """A source of a secret, to which this Archery is set to send; its name."""
    name, token = node.source()
    node.call("PUT", f"/sources/{name}/secret", {"secret": SECRET})
    options = {"url": "https://archery.example.com"}
    node.call("PUT", f"/sources/{name}/mapping", {"adapter": "archery", "rows": [], "options": options})
    for login in ("ann", "bo", "dan", "carol"):
        node.person(login)
    for variable, value in (
        ("TIDINGS_URL", node.url),
        ("TIDINGS_TOKEN", token),
        ("TIDINGS_SECRET", SECRET),
        ("TIDINGS_BUFFER", str(tmp_path / "buffer.sqlite")),
    ):
        monkeypatch.setenv(variable, value)
    _forget()
    yield name
    if sending._sender.cache_info().currsize and isinstance(sender := sending._sender(), Buffered):
        sender.close()
    _forget()


class Listener:
    """Takes every push, and shows what came over the wire."""

    def __init__(self) -> None:
        self.calls: Queue[tuple[dict[str, str], bytes]] = Queue()
        calls = self.calls

        class Take(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                calls.put(({name.lower(): value for name, value in self.headers.items()}, body))
                answer = b'{"events": [], "ignored": true, "parked": null}'
                self.send_response(202)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *said: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Take)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listening = Listener()
    yield listening
    listening.server.shutdown()


def _forget() -> None:
    sending._sender.cache_clear()


def told(node: Any, event: Any) -> dict[str, Any]:
    """Type, and by login why they are told."""
    record = node.record(event["id"])
    people = {one["login"]: [each["role"] for each in one["because"]] for one in record["recipients"]}
    return {"type": record["event"]["type"], "people": people, "event": record["event"]}


def test_a_release_on_its_way_tells_who_has_to_act_and_who_waits(archery: Archery, node: Any, source: str) -> None:
    ticket = archery.release()
    ticket.decide(WorkflowAction.PASS, archery.bo, "looks good")
    ticket.decide(WorkflowAction.PASS, archery.carol, "ok", becomes="workflow_review_pass")
    ticket.become("workflow_executing")
    ticket.end("workflow_finish", [statement()])
    events = node.events(source, 4)
    first, second, third, fourth = (told(node, event) for event in events)
    assert (first["type"], first["people"]) == (
        "data_change.pending_approval",
        {"bo": ["approver"], "dan": ["approver"]},
    )
    assert (second["type"], second["people"]) == ("data_change.pending_approval", {"carol": ["approver"]})
    assert (third["type"], third["people"]) == ("data_change.approved", {"ann": ["submitter"]})
    assert (fourth["type"], fourth["people"]) == ("data_change.successful", {"ann": ["submitter"]})
    about = second["event"]
    assert about["subject"]["url"] == f"https://archery.example.com/workflow/{ticket.number}/"
    assert about["resources"] == [{"instance": "rm-orders", "database": "orders"}]
    assert (about["actor"], about["details"]["comment"], about["details"]["approval_node"]) == (
        "bo",
        "looks good",
        "DBA",
    )
    assert about["details"]["affected_rows"] == 120
    assert abs(datetime.fromisoformat(about["time"]).astimezone(UTC) - datetime.now(UTC)).total_seconds() < 60


def test_an_approval_that_execution_overtakes_is_told_and_so_is_its_end(
    archery: Archery, node: Any, source: str
) -> None:
    ticket = archery.release()
    ticket.decide(WorkflowAction.PASS, archery.bo, "")
    step = ticket.auditor.operate(WorkflowAction.PASS, archery.carol, "")
    ticket.end("workflow_finish", [statement()])
    notify_for_audit(ticket.auditor.audit, step)
    types = [event["type"] for event in node.events(source, 4)]
    assert sorted(types) == [
        "data_change.approved",
        "data_change.pending_approval",
        "data_change.pending_approval",
        "data_change.successful",
    ]


def test_a_failure_tells_how_much_failed_and_nothing_of_the_data(archery: Archery, node: Any, source: str) -> None:
    ticket = archery.release()
    ticket.decide(WorkflowAction.PASS, archery.bo, "")
    ticket.decide(WorkflowAction.PASS, archery.carol, "", becomes="workflow_review_pass")
    failed = statement(errlevel=2, errormessage="Duplicate entry 'bob@example.com'", affected_rows=0)
    ticket.end("workflow_exception", [statement(), failed])
    [*_, last] = node.events(source, 4)
    event = node.record(last["id"])["event"]
    assert (event["type"], event["details"]["failed_statements"]) == ("data_change.failed", 1)
    assert "bob@example.com" not in json.dumps(event)


def test_a_permission_has_its_instance_and_a_rejection_its_reason(archery: Archery, node: Any, source: str) -> None:
    ticket = archery.query()
    ticket.decide(WorkflowAction.REJECT, archery.dan, "ask for the view", becomes=2)
    first, second = (node.record(event["id"])["event"] for event in node.events(source, 2))
    assert [one["table"] for one in first["resources"]] == ["orders", "refunds"]
    assert (second["type"], second["actor"]) == ("permission_application.rejected", "dan")
    assert second["details"]["comment"] == "ask for the view"


def test_an_archive_job_waits_as_a_data_change_and_its_withdrawal_tells_nobody(
    archery: Archery, node: Any, source: str
) -> None:
    ticket = archery.archive()
    ticket.decide(WorkflowAction.ABORT, archery.ann, "not needed", becomes=3)
    archery.query()  # the last one, so that what comes before it has come
    events = node.events(source, 2)
    assert [event["type"] for event in events] == [
        "data_change.pending_approval",
        "permission_application.pending_approval",
    ]
    [source_of_rows, target] = node.record(events[0]["id"])["event"]["resources"]
    assert (source_of_rows["table"], target["database"]) == ("orders", "cold")
    assert node.call("GET", f"/sources/{source}/parked")["items"] == []


def test_who_asks_is_not_asked_where_archery_forbids_it(archery: Archery, node: Any, source: str) -> None:
    archery.ann.groups.add(archery.owners)
    archery.settings.set("ban_self_audit", True)
    archery.release()
    [event] = node.events(source)
    assert set(told(node, event)["people"]) == {"bo", "dan"}


def test_neither_sql_nor_values_nor_connections_leave_archery(
    archery: Archery, source: str, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDINGS_URL", listener.url)
    _forget()
    ticket = archery.release()
    ticket.end("workflow_exception", [statement(errormessage="Duplicate entry 'bob@example.com'")])
    archery.query()
    archery.archive()
    for _ in range(4):
        headers, body = listener.calls.get(timeout=10)
        assert Webhook(SECRET).verify(body, headers)["tidings"]["event_type"] in ("audit", "execute")
        for secret in (SQL, CONDITION, "bob@example.com", "10.0.0.5", "3306", "s3cret"):
            assert secret.encode() not in body


def test_what_is_decided_while_tidings_is_away_arrives_later_and_archery_does_not_wait(
    archery: Archery, node: Any, source: str
) -> None:
    with node.away():
        before = datetime.now(UTC)
        archery.release()
        archery.query()
        assert (datetime.now(UTC) - before).total_seconds() < 2
    assert len(node.events(source, 2)) == 2


def test_another_secret_is_refused(archery: Archery, node: Any, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDINGS_SECRET", "whsec_" + "A" * 32)
    _forget()
    archery.release()
    buffered = sending._sender()
    assert isinstance(buffered, Buffered)
    assert buffered.flush(3) == 1  # it waits until somebody sets the right one


def test_without_a_disk_it_is_sent_at_once(
    archery: Archery, node: Any, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDINGS_BUFFER", "/proc/nowhere/buffer.sqlite")
    _forget()
    archery.release()
    assert len(node.events(source)) == 1


def test_other_notifiers_go_on_where_it_is_not_set_up(
    archery: Archery, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr(settings, "ENABLED_NOTIFIERS", ["tidings_archery:TidingsNotifier"])
    _forget()
    archery.release()
    assert "TIDINGS_URL is not set" in caplog.text
    _forget()


def test_what_my2sql_parsed_is_no_ticket(archery: Archery, source: str, caplog: Any) -> None:
    result = My2SqlResult(submitter="ann", success=True)
    auto_notify(sys_config=archery.settings, workflow=result, event_type=EventType.M2SQL)
    assert "failed" not in caplog.text
