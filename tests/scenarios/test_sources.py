"""Alibaba Cloud DMS pushes its own payloads: the right people are told, and what nobody can read waits where it is seen."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.delivery.given import SECRET, event
from tests.events.sources.given_dms import ANN, BO, DAN, body
from tests.scenarios.stage import Answer, Stage, in_django

from tidings.kernel.ids import uuid7

HOOK = {"dms-event": "Message Hook"}
UIDS = {"ann": ANN, "bo": BO, "dan": DAN}
PENDING, WITHDRAWN = "待审批", "已撤回"
MEANT = {"adapter": "dms", "rows": [{"event": WITHDRAWN, "type": "data_change.rejected"}]}


@pytest.fixture
async def stage(stage: Stage) -> Stage:
    """Its people are known by their UIDs."""
    for login, uid in UIDS.items():
        await stage.change(
            "UPDATE accounts_person SET external_id = %s WHERE tenant_id = %s AND login = %s",
            uid, stage.organisation.id, login, version="directory",
        )  # fmt: skip
    return stage


async def push(stage: Stage, raw: bytes | None = None, *, token: str | None = None, **changes: Any) -> Answer:
    """As DMS does: all it was given is a URL."""
    where = f"/api/v1/sources/dms?token={stage.token if token is None else token}"
    return await stage.send("POST", where, body(**changes) if raw is None else raw, token="", **HOOK)


async def ask(stage: Stage, method: str, path: str, content: Any = None, login: str = "root") -> Answer:
    secret = await in_django(lambda: stage.organisation.token(login))
    return await stage.send(method, f"/api/v1/sources/dms/{path}", content, token=secret)


async def waiting(stage: Stage, query: str = "") -> list[dict[str, Any]]:
    answer = await ask(stage, "GET", f"parked{query}")
    assert answer.status == 200
    return list(answer.body["items"])


# told


async def test_a_push_of_dms_tells_its_approvers(stage: Stage) -> None:
    answer = await push(stage, event=PENDING, to=(BO, DAN))
    assert answer.status == 202, answer
    assert (answer.body["parked"], answer.body["ignored"]) == (None, False)
    [kept] = answer.body["events"]
    assert kept["duplicate"] is False
    for login in ("bo", "dan"):
        [message] = await stage.messages(login)
        data = message.payload["data"]
        assert (message.payload["type"], data["event_id"]) == ("data_change.pending_approval", kept["id"])
        assert (data["subject"]["id"], data["subject"]["title"]) == ("88123", "为订单表添加索引")
        assert data["because"] == [{"role": "approver", "of": None}]
    await stage.settled("sent", "sent")
    record = await stage.record(kept["id"])
    assert (record["event"]["source"], record["skips"]) == ("dms", [])
    await stage.ledger()


async def test_a_bearer_token_does_as_well(stage: Stage) -> None:
    answer = await stage.send("POST", "/api/v1/sources/dms", body(), **HOOK)
    assert answer.status == 202
    await stage.messages("ann")


async def test_a_push_that_is_repeated_tells_once(stage: Stage) -> None:
    answers = [await push(stage) for _ in range(3)]
    ids = {answer.body["events"][0]["id"] for answer in answers}
    assert len(ids) == 1
    assert [answer.body["events"][0]["duplicate"] for answer in answers] == [False, True, True]
    await stage.messages("ann")
    await stage.settled("sent")


async def test_two_changes_of_one_ticket_are_two(stage: Stage) -> None:
    await push(stage, event=PENDING, to=(BO,))
    await push(stage, event=PENDING, to=(DAN,), eventTime=1625630050000)
    await push(stage, eventTime=1625630060000)
    await stage.messages("bo")
    await stage.messages("dan")
    await stage.messages("ann")
    subjects = await stage.rows("SELECT key, last_number, status FROM events_subject")
    assert subjects == [("88123", 3, "data_change.successful")]


async def test_a_receiver_written_for_dms_gets_what_dms_would_have_sent(stage: Stage) -> None:
    root = await in_django(lambda: stage.organisation.token("root"))
    settings = {"webhook": {"url": stage.receiver.url("/bo"), "secret": SECRET, "format": "dms"}}
    answer = await stage.send("PUT", "/api/v1/users/bo/notification-settings", settings, token=root)
    assert answer.status == 200
    await push(stage, event=PENDING, to=(BO,))
    [message] = await stage.messages("bo")
    assert message.headers["dms-event"] == "Message Hook"
    sent = message.payload["messageEvent"]
    assert {name: sent[name] for name in ("taskId", "taskName", "eventTime", "submitterUid", "targetUsers")} == {
        "taskId": "88123",
        "taskName": "为订单表添加索引",
        "eventTime": 1625630049930,
        "submitterUid": ANN,
        "targetUsers": [{"uid": BO, "name": "Bo"}],
    }
    await stage.settled("sent")


@pytest.mark.parametrize(
    ("submitter", "uid"),
    [
        ({"external_id": "77"}, "77"),
        ({"email": "x@example.com"}, ""),
        ({"mobile": "+8613800138000"}, ""),
        ("zed", "zed"),
        ("x@y", ""),
    ],
)
async def test_no_address_of_a_stranger_is_sent_as_their_uid(stage: Stage, submitter: Any, uid: str) -> None:
    root = await in_django(lambda: stage.organisation.token("root"))
    settings = {"webhook": {"url": stage.receiver.url("/bo"), "secret": SECRET, "format": "dms"}}
    await stage.send("PUT", "/api/v1/users/bo/notification-settings", settings, token=root)
    await stage.post(event(type="data_change.pending_approval", people={"submitter": submitter, "approvers": ["bo"]}))
    [message] = await stage.messages("bo")
    assert message.payload["messageEvent"]["submitterUid"] == uid


async def test_a_uid_nobody_has_is_a_skip_with_its_reason(stage: Stage) -> None:
    answer = await push(stage, event=PENDING, to=(BO, "1673826650159999"))
    record = await stage.record(answer.body["events"][0]["id"])
    assert [one["login"] for one in record["recipients"]] == ["bo"]
    assert record["skips"] == [{"role": "approver", "person": "1673826650159999", "reason": "unknown_person"}]


async def test_the_account_whose_webhook_it_is_is_nobody(stage: Stage) -> None:
    robot = "1673826650150000"
    await ask(stage, "PUT", "mapping", {"adapter": "dms", "rows": [], "ignored_people": [robot]})
    answer = await push(stage, event=PENDING, to=(robot, BO))
    record = await stage.record(answer.body["events"][0]["id"])
    assert ([one["login"] for one in record["recipients"]], record["skips"]) == (["bo"], [])
    answer = await push(stage, submitterUid=robot, to=(robot,))
    assert "submitter" not in (await stage.record(answer.body["events"][0]["id"]))["event"]["people"]


# parked


async def test_what_nobody_knows_is_parked_mapped_and_told_in_the_end(stage: Stage) -> None:
    # given
    answer = await push(stage, event=WITHDRAWN)
    assert (answer.status, answer.body["events"]) == (202, [])
    told = answer.body["parked"]
    assert (told["reason"], told["words"]["event"]) == ("unmapped", WITHDRAWN)
    assert told["see"].endswith("/api/v1/sources/dms/parked")
    assert (await push(stage, event=WITHDRAWN)).body["parked"]["id"] == told["id"]
    [parked] = await waiting(stage)
    assert (parked["id"], parked["times"], parked["events"]) == (told["id"], 2, None)
    assert parked["payload"]["messageEvent"]["taskId"] == "88123"
    assert await stage.value("SELECT count(*) FROM events_event") == 0
    # when
    answer = await ask(stage, "POST", "parked/replay")
    assert answer.body == {"replayed": 0, "ignored": 0, "still_parked": 1, "next": None}
    assert (await ask(stage, "PUT", "mapping", MEANT)).status == 200
    answer = await ask(stage, "POST", "parked/replay")
    # then
    assert answer.body == {"replayed": 1, "ignored": 0, "still_parked": 0, "next": None}
    [message] = await stage.messages("ann")
    assert message.payload["type"] == "data_change.rejected"
    assert await waiting(stage) == []
    [done] = await waiting(stage, "?resolved=true")
    assert done["events"] == [message.payload["data"]["event_id"]]
    assert done["resolved_at"] is not None
    # and again
    assert (await ask(stage, "POST", "parked/replay")).body["replayed"] == 0
    again = await push(stage, event=WITHDRAWN)
    assert again.body["events"] == [{"id": done["events"][0], "duplicate": True}]
    await stage.settled("sent")
    assert len(stage.receiver.arrivals) == 1


async def test_a_replay_that_broke_off_is_finished_by_the_next(stage: Stage) -> None:
    await push(stage, event=WITHDRAWN)
    await ask(stage, "PUT", "mapping", MEANT)
    await ask(stage, "POST", "parked/replay")
    # The event was kept, and the node died before it wrote that down.
    await stage.database.execute("UPDATE events_parked SET resolved_at = NULL, became = NULL")
    assert (await ask(stage, "POST", "parked/replay")).body["replayed"] == 1
    await stage.messages("ann")
    await stage.settled("sent")
    assert len(stage.receiver.arrivals) == 1


async def test_what_nobody_wants_to_know_is_said_to_be_ignored(stage: Stage) -> None:
    await push(stage, event=WITHDRAWN)
    rows = [{"event": WITHDRAWN, "type": None}]
    await ask(stage, "PUT", "mapping", {"adapter": "dms", "rows": rows})
    assert (await ask(stage, "POST", "parked/replay")).body["ignored"] == 1
    answer = await push(stage, event=WITHDRAWN)
    success = {"root": "", "success": True}
    assert (answer.status, answer.body) == (202, success | {"events": [], "ignored": True, "parked": None})
    assert await waiting(stage) == []
    assert await stage.value("SELECT count(*) FROM events_event") == 0


async def test_only_those_named_are_read_again(stage: Stage) -> None:
    first = (await push(stage, event=WITHDRAWN)).body["parked"]["id"]
    await push(stage, event=WITHDRAWN, taskId="88124")
    await ask(stage, "PUT", "mapping", MEANT)
    answer = await ask(stage, "POST", "parked/replay", {"ids": [first]})
    assert answer.body["replayed"] == 1
    assert len(await waiting(stage)) == 1
    assert (await ask(stage, "POST", "parked/replay", {"ids": []})).body["replayed"] == 0
    for wrong in ({"id": first}, {"ids": ["x"]}, [], {"after": 5}):
        assert (await ask(stage, "POST", "parked/replay", wrong)).status == 422


async def test_what_was_parked_in_order_is_told_in_order(stage: Stage) -> None:
    for number, said in enumerate(("甲", "乙", "丙")):
        await push(stage, event=said, eventTime=1625630049930 + number)
    types = [f"data_change.{status}" for status in ("to_be_submitted", "pending_approval", "rejected")]
    rows = [{"event": said, "type": each} for said, each in zip("甲乙丙", types, strict=True)]
    await ask(stage, "PUT", "mapping", {"adapter": "dms", "rows": rows})
    assert (await ask(stage, "POST", "parked/replay")).body["replayed"] == 3
    assert await stage.rows("SELECT number, type FROM events_event ORDER BY number") == [*enumerate(types, 1)]
    await stage.over()
    await stage.ledger()


async def test_many_are_read_again_five_hundred_at_a_time(stage: Stage) -> None:
    await park_so_many(stage, 620, body(event=WITHDRAWN).decode())
    await ask(stage, "PUT", "mapping", MEANT)
    first = (await ask(stage, "POST", "parked/replay")).body
    assert (first["replayed"], first["next"] is not None) == (500, True)
    second = (await ask(stage, "POST", "parked/replay", {"after": first["next"]})).body
    assert second == {"replayed": 120, "ignored": 0, "still_parked": 0, "next": None}
    assert await stage.value("SELECT count(*) FROM events_event") == 620
    await stage.over(30)


async def test_a_test_of_the_webhook_is_answered_and_its_code_can_be_read(stage: Stage) -> None:
    answer = await push(
        stage, taskId=None, taskName="Webhook test", message="【DMS数据管理】Webhook test, code: 144619 "
    )
    assert (answer.status, answer.body["parked"]["reason"]) == (202, "test_message")
    [parked] = await waiting(stage)
    assert "code: 144619" in parked["detail"]
    assert (await ask(stage, "POST", "parked/replay")).body["still_parked"] == 0
    assert [one for one in await findings() if one.id == "events.parked"] == []


async def test_the_check_names_what_is_parked(stage: Stage) -> None:
    await push(stage, event=WITHDRAWN)
    await push(stage, event=WITHDRAWN, taskId="2")
    await push(stage, taskId=None)
    found = [one.text for one in await findings() if one.id == "events.parked"]
    name = stage.organisation.tenant.name
    assert f"{name}: 2 payloads of dms are parked (unmapped): 工单/数据变更/已撤回." in found
    assert any("1 payloads of dms are parked (incomplete)" in text for text in found)


async def test_an_event_that_is_refused_is_parked_with_the_reason(stage: Stage) -> None:
    ahead = int(datetime.now(UTC).timestamp() * 1000) + 48 * 3_600_000
    for changes, words in (
        ({"eventTime": ahead}, "24 hours ahead"),
        ({"taskId": "8" * 201}, "length <= 200"),
        ({"taskName": "a\0b"}, "U+0000"),
        ({"submitterUid": "1" * 201}, "length <= 200"),
        ({"to": tuple(str(number) for number in range(1_001))}, "length <= 1000"),
    ):
        answer = await push(stage, **changes)
        assert (answer.status, answer.body["parked"]["reason"]) == (202, "invalid_event"), answer
        assert words in answer.body["parked"]["detail"]


async def test_a_type_that_is_gone_since_parks_what_was_mapped_to_it(stage: Stage) -> None:
    root = await in_django(lambda: stage.organisation.token("root"))
    events = [{"type": f"archiving.{name}", "en": name, "class": "info", "default_role": "submitter"} for name in "ab"]
    for known in (events, events[:1]):
        feature = {"subject": "ticket", "en": "Archiving", "events": known}
        await stage.send("PUT", "/api/v1/catalog/features/archiving", feature, token=root)
        if known == events:
            rows = [{"module": "数据归档", "type": "archiving.b"}]
            await ask(stage, "PUT", "mapping", {"adapter": "dms", "rows": rows})
            assert (await push(stage, module="数据归档")).body["events"]
    answer = await push(stage, module="数据归档", taskId="2")
    assert answer.body["parked"]["reason"] == "unknown_event_type"
    assert "archiving.b" in answer.body["parked"]["detail"]


async def test_too_many_unread_payloads_are_refused_aloud(stage: Stage) -> None:
    await park_so_many(stage, 9_999, "{}")
    assert (await push(stage, event=WITHDRAWN)).status == 202
    again = await push(stage, event=WITHDRAWN)  # which waits already
    assert (again.status, (await waiting(stage, "?limit=1"))[0]["times"]) == (202, 2)
    answer = await push(stage, event=WITHDRAWN, taskId="another")
    assert (answer.status, answer.body["code"]) == (429, "parked_full")
    assert "retry-after" in answer.headers
    assert (await push(stage)).status == 202


# believed


async def test_with_a_secret_only_what_is_signed_with_it_is_taken(stage: Stage) -> None:
    await ask(stage, "PUT", "secret", {"secret": "my dms key"})
    for refused in (body(), body("another key", where(stage)), body("my dms key", "https://elsewhere/")):
        answer = await push(stage, refused)
        assert (answer.status, answer.body["code"]) == (401, "signature_refused")
    assert (await push(stage, body("my dms key", where(stage)))).body["events"]
    await stage.messages("ann")
    await ask(stage, "PUT", "secret", {"secret": None})
    assert (await push(stage)).body["events"][0]["duplicate"] is True
    assert await waiting(stage) == []


async def test_the_token_of_a_source_that_has_a_secret_is_good_for_nothing_that_is_not_signed(stage: Stage) -> None:
    """It stands in an address, which other systems and proxies write down."""
    assert (await stage.send("POST", "/api/v1/events", event(id="before", source="dms"))).status == 202
    await ask(stage, "PUT", "secret", {"secret": "my dms key"})
    answer = await stage.send("POST", "/api/v1/events", event(id="forged", source="dms"))
    assert (answer.status, answer.body["code"]) == (401, "signature_refused")
    answer = await stage.send("POST", "/api/v1/events/batch", [event(id="forged", source="dms")])
    assert [each["code"] for each in answer.body["rejected"]] == ["signature_refused"]
    assert (await push(stage, body("my dms key", where(stage)))).body["events"]
    await ask(stage, "PUT", "secret", {"secret": None})
    assert (await stage.send("POST", "/api/v1/events", event(id="after", source="dms"))).status == 202


async def test_behind_a_proxy_the_address_that_people_use_is_the_one_that_is_signed(stage: Stage) -> None:
    await ask(stage, "PUT", "secret", {"secret": "my dms key"})
    path = f"/api/v1/sources/dms?token={stage.token}"
    base = stage.nodes[0].node.settings.base_url
    assert (await push(stage, body("my dms key", f"{base}{path}"))).status == 202
    assert (await push(stage, body("my dms key", f"https://127.0.0.1:{stage.nodes[0].port}{path}"))).status == 202


async def test_nobody_else_gets_in(stage: Stage, other_organisation: Any) -> None:
    root = await in_django(lambda: stage.organisation.token("root"))
    mallory = await in_django(lambda: other_organisation.token("mallory"))
    for token in ("", "tdg_unknown", "%00", "%ff%fe", "工"):
        answer = await push(stage, token=token)
        assert (answer.status, answer.body["code"]) == (401, "unauthorized")
    assert (await push(stage, token=root)).status == 403
    replay = "/api/v1/sources/dms/parked/replay"
    assert (await stage.send("POST", replay, token=mallory)).status == 404
    assert (await stage.send("POST", replay)).status == 403
    assert (await ask(stage, "POST", "parked/replay", login="carol")).status == 403
    assert (await stage.send("POST", "/api/v1/sources/a%00b/parked/replay", token=root)).status == 404
    assert (await stage.send("POST", "/api/v1/sources/fax", {})).status == 404
    assert await stage.value("SELECT count(*) FROM events_parked") == 0


async def test_a_revoked_token_parks_nothing(stage: Stage) -> None:
    assert (await push(stage)).status == 202
    await stage.change("UPDATE accounts_token SET revoked_at = now() WHERE source_id IS NOT NULL", version="access")
    for changes in ({}, {"event": WITHDRAWN}):
        answer = await push(stage, **changes)
        assert answer.status == 401
    assert await stage.value("SELECT count(*) FROM events_parked") == 0


async def test_no_token_is_written_down(stage: Stage) -> None:
    await push(stage, event=WITHDRAWN)
    await stage.send("POST", "/api/v1/sources/dms", body(event=WITHDRAWN, taskId="2"), **HOOK)
    rows = await stage.rows("SELECT to_jsonb(p)::text FROM events_parked p")
    assert len(rows) == 2
    assert stage.token not in json.dumps(rows)


# whatever comes


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 202), (b"{}", 202), (b"[]", 202), (b"nonsense", 202), (b'"' + b"x" * 70_000 + b'"', 202),
        (b'{"messageEvent": {"event": "\\ud800\\u0000"}}', 202), (b"[" * 200_000, 202), (b"\xff", 422), (b"{}\0", 422),
        (b"x" * 262_145, 413),
    ],
)  # fmt: skip
async def test_whatever_comes_is_answered(stage: Stage, raw: bytes, status: int) -> None:
    answer = await push(stage, raw)
    assert answer.status == status, answer
    assert len(await waiting(stage)) == (status == 202)
    assert stage.ended == []


async def test_nothing_that_is_json_makes_the_node_fail(stage: Stage) -> None:
    values: list[Any] = [
        None,
        True,
        0,
        -1,
        2**70,
        1.5,
        "",
        "x",
        "\u0000",
        "工单",
        "\u202e",
        [],
        {},
        [[]],
        {"uid": {}},
        "9" * 30,
    ]
    names = ["category", "module", "event", "taskId", "taskName", "eventTime", "submitterUid", "targetUsers", "message"]
    for name in names:
        for value in values:
            answer = await push(stage, **{name: value} if value is not None else {name: None})
            assert answer.status == 202, (name, value, answer)
    await stage.over()
    await stage.ledger()


async def findings() -> list[Any]:
    from tidings.check import findings

    return list(await in_django(lambda: list(findings())))


def where(stage: Stage) -> str:
    return f"http://127.0.0.1:{stage.nodes[0].port}/api/v1/sources/dms?token={stage.token}"


async def park_so_many(stage: Stage, count: int, raw: str) -> None:
    """Each about a ticket of its own, if it is about ticket 88123."""
    await stage.database.execute(
        """
        INSERT INTO events_parked
            (id, tenant_id, source, adapter, reason, detail, words, headers, body, hash, times, last_at)
        SELECT (left(%s, 24) || lpad(to_hex(n), 12, '0'))::uuid, %s, 'dms', 'dms', 'unmapped', '', '{}', '{}',
               replace(%s, '88123', n::text), decode(md5(n::text), 'hex'), 1, now()
        FROM generate_series(1, %s) n
        """,
        (str(uuid7()), stage.organisation.id, raw, count),
    )


# events of our own form, from who looks at no answer


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"source": "another"}, "This speaks for the source 'dms', not for 'another'"),
        ({"type": "tidings.event_unplanned"}, "come from Tidings alone"),
        ({"type": "data_change.aproved"}, "data_change.approved"),
        ({"resources": "orders"}, "resources"),
        ({"time": "2199-01-01T00:00:00Z"}, "more than 24 hours ahead"),
    ],
)
async def test_what_events_would_refuse_is_parked_with_the_same_words(stage: Stage, changes: Any, says: str) -> None:
    answer = await stage.send("POST", "/api/v1/sources/tidings", event(**changes))
    assert (answer.status, answer.body["events"]) == (202, [])
    assert says in answer.body["parked"]["detail"]
    replayed = await ask(stage, "POST", "parked/replay")
    assert replayed.body == {"replayed": 0, "ignored": 0, "still_parked": 1, "next": None}
    assert says in (await waiting(stage))[0]["detail"]


async def test_an_event_without_a_time_that_waited_is_of_the_time_at_which_it_arrived(stage: Stage) -> None:
    await stage.send("POST", "/api/v1/sources/tidings", event(type="they.call_it_so"))
    [parked] = await waiting(stage)
    rows = [{"event": "they.call_it_so", "type": "data_change.approved"}]
    assert (await ask(stage, "PUT", "mapping", {"adapter": "tidings", "rows": rows})).status == 200
    assert (await ask(stage, "POST", "parked/replay")).body["replayed"] == 1
    [[key]] = await stage.rows("SELECT id FROM events_event")
    record = await stage.record(str(key))
    moments = [datetime.fromisoformat(each) for each in (record["event"]["time"], parked["first_at"])]
    assert abs(moments[0] - moments[1]) < timedelta(milliseconds=5)


async def test_two_cloudevents_that_differ_in_their_headers_alone_are_parked_as_two_and_one_sent_twice_as_one(
    stage: Stage,
) -> None:
    data = {name: value for name, value in event().items() if name in ("subject", "people")}
    said = {"ce-specversion": "1.0", "ce-type": "they.call_it_so", "content-type": "application/json"}
    for key in ("a-1", "a-2", "a-2"):
        await stage.send("POST", "/api/v1/sources/tidings", data, **{**said, "ce-id": key})
    assert sorted(each["times"] for each in await waiting(stage)) == [1, 2]
    rows = [{"event": "they.call_it_so", "type": "data_change.approved"}]
    assert (await ask(stage, "PUT", "mapping", {"adapter": "tidings", "rows": rows})).status == 200
    assert (await ask(stage, "POST", "parked/replay")).body["replayed"] == 2
    assert sorted(await stage.rows("SELECT source_id FROM events_event")) == [("a-1",), ("a-2",)]
