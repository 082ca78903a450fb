"""A group of events is kept whole or not at all; each takes the next number of its subject, on every node."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from tests.delivery.given import Desk, event, in_django, nowhere

from tidings.delivery.enqueue import unplanned
from tidings.events.group import Kept, Submission
from tidings.kernel.ids import event_of
from tidings.kernel.problems import Problem
from tidings.pipeline import TOLD_AT_MOST, Accepted, accept, plan_again

_SUBJECT = "SELECT status, status_number, last_number, title FROM events_subject WHERE tenant_id = %s AND key = %s"
_NUMBERS = "SELECT array_agg(source_id || ':' || number ORDER BY number) FROM events_event WHERE tenant_id = %s"
APPROVAL, APPROVED, RUN, FAILED = (
    f"data_change.{status}" for status in ("pending_approval", "approved", "successful", "failed")
)


async def subject(desk: Desk, key: str = "77") -> tuple[Any, ...]:
    [row] = await desk.rows(_SUBJECT, desk.tenant_id, key)
    return row


def codes(accepted: Accepted) -> list[str]:
    return [
        "left" if one is None else one.code if isinstance(one, Problem) else "duplicate" if one.duplicate else "kept"
        for one in accepted.verdicts
    ]


async def both(one: Awaitable[Accepted], other: Awaitable[Accepted]) -> list[Accepted]:
    async with asyncio.timeout(20):
        return list(await asyncio.gather(one, other))


# what is kept


async def test_one_event_is_five_rows_and_each_says_what_it_should(desk: Desk) -> None:
    accepted = await desk.keep(event(id="e-1", subject=77, type=APPROVED))
    [kept] = accepted.verdicts
    assert isinstance(kept, Kept)
    [[source, source_id, code, number, skips, fault]] = await desk.rows(
        "SELECT source, source_id, type, number, skips, fault FROM events_event WHERE id = %s", kept.id
    )
    assert (source, source_id, code, number, skips, fault) == ("dms", "e-1", APPROVED, 1, None, None)
    assert await desk.value("SELECT body::jsonb ->> 'id' FROM events_body WHERE id = %s", kept.id) == "e-1"
    assert (await subject(desk))[:3] == (APPROVED, 1, 1)
    assert (await subject(desk))[3].startswith("Change ")
    [[recipient, because]] = await desk.rows(
        "SELECT id, because FROM events_recipient WHERE tenant_id = %s", desk.tenant_id
    )
    assert because == [["submitter", ""]]
    [(delivery, state, lease, channel)] = await desk.deliveries("id", "state", "lease", "channel")
    assert (state, lease, channel) == ("pending", None, "webhook")
    assert event_of(recipient) == event_of(delivery) == kept.id


INVOLVED = """
SELECT p.login FROM events_involved i JOIN accounts_person p ON p.id = i.person_id
JOIN events_event e ON e.id = i.id WHERE i.tenant_id = %s AND e.source_id = %s ORDER BY 1
"""


async def test_who_is_involved_and_not_told_has_a_row_to_find_the_event_by(desk: Desk) -> None:
    named = {"submitter": "ann", "approvers": ["bo", "nobody-knows-me"], "related": ["ann", "dan"]}
    await desk.keep(event(id="e-1", people=named), event(id="e-2"))
    assert await desk.rows(INVOLVED, desk.tenant_id, "e-1") == [("bo",), ("dan",)]
    assert await desk.rows(INVOLVED, desk.tenant_id, "e-2") == []


async def test_a_skip_stands_with_what_it_is_about(desk: Desk) -> None:
    await desk.keep(event(to="dan"), event(to="nobody-knows-me"))
    [[of_dan]] = await desk.rows("SELECT skips FROM events_recipient WHERE tenant_id = %s", desk.tenant_id)
    assert of_dan == [["no_method", "", "", ""]]
    skips = await desk.rows("SELECT skips FROM events_event WHERE tenant_id = %s ORDER BY id", desk.tenant_id)
    assert skips[0] == (None,)
    assert skips[1][0] == [["role_empty", "submitter", "", ""], ["unknown_person", "submitter", "nobody-knows-me", ""]]


async def test_what_the_body_holds_comes_back_letter_by_letter(desk: Desk) -> None:
    odd = 'a"b\\c{d},e\nf\tg\x7f\u2028"," NULL 工单 \U0001f600 \\u0000'
    visible = 'a"b\\c{d},e "," NULL 工单 \U0001f600 \\u0000 \\x01'
    content = event(id=visible, subject=visible, details={odd: [odd, "\x01", 1.5, None, True, {"x": []}]}, to=odd)
    await desk.keep(event(), content, event())
    [[stored]] = await desk.rows(
        "SELECT b.body FROM events_body b JOIN events_event e USING (id) WHERE e.tenant_id = %s AND e.source_id = %s",
        desk.tenant_id,
        visible,
    )
    submission = desk.submission(content)
    assert stored.encode() == submission.incoming.body
    assert await subject(desk, visible)
    skips = await desk.rows("SELECT skips FROM events_event WHERE tenant_id = %s AND skips IS NOT NULL", desk.tenant_id)
    assert skips == [([["role_empty", "submitter", "", ""], ["unknown_person", "submitter", odd, ""]],)]


async def test_an_event_with_two_thousand_people_is_kept_like_any_other(desk: Desk) -> None:
    people = {"submitter": "ann", "approvers": [f"a{n}" for n in range(1_000)], "related": ["bo"] * 1_000}
    await desk.keep(event(type=APPROVAL, people=people))
    skips = await desk.value("SELECT skips FROM events_event WHERE tenant_id = %s", desk.tenant_id)
    assert len(skips) == 1_001


async def test_of_a_group_that_tells_too_many_people_some_is_left(desk: Desk, other_organisation: Any) -> None:
    half = TOLD_AT_MOST // 2 - 2
    await in_django(lambda: crowd(desk.organisation, half))
    await desk.run("UPDATE accounts_tenant SET directory_version = directory_version + 1 WHERE id = %s", desk.tenant_id)
    everybody = {"approvers": [f"p{number}" for number in range(half)]}
    group = [event(type=APPROVAL, people=everybody) for _ in range(3)]
    mine = [desk.submission(one) for one in [*group, group[2]]]
    theirs = [desk.submission(event(), tenant_id=other_organisation.id) for _ in range(3)]
    accepted = await accept(desk.connection, desk.views, [*mine, *theirs], lease=None, room=nowhere)
    assert codes(accepted) == ["kept", "kept", "left", "left", "kept", "kept", "kept"]
    assert await desk.value("SELECT count(*) FROM events_recipient WHERE tenant_id = %s", desk.tenant_id) == 2 * half
    assert codes(await desk.keep(group[2], group[2], group[0])) == ["kept", "duplicate", "duplicate"]


def crowd(organisation: Any, size: int) -> None:
    from tidings.accounts.models import Person

    people = Person.objects.for_tenant(organisation.id)
    people.bulk_create(Person(tenant=organisation.tenant, login=f"p{number}") for number in range(size))


# the subject's numbers and status


async def test_events_of_one_subject_are_numbered_in_the_order_they_came(desk: Desk) -> None:
    await desk.keep(*(event(id=f"a{n}", subject=77) for n in range(3)), event(id="other"))
    await desk.keep(event(id="b", subject=77))
    assert await desk.value(_NUMBERS + " AND source_id <> 'other'", desk.tenant_id) == ["a0:1", "a1:2", "a2:3", "b:4"]
    assert (await subject(desk))[1:3] == (4, 4)


async def test_the_status_is_the_one_of_the_latest_time(desk: Desk) -> None:
    await desk.keep(event(subject=77, type=RUN, at=-1), event(subject=77, type=APPROVED, at=-5))
    assert (await subject(desk))[:3] == (RUN, 1, 2)


async def test_a_late_event_never_turns_a_subject_back(desk: Desk) -> None:
    await desk.keep(event(subject=77, type=RUN, at=-1))
    title = (await subject(desk))[3]
    await desk.keep(event(subject=77, type=FAILED, at=-2), event(subject=77, type=APPROVED, at=-3))
    assert await subject(desk) == (RUN, 1, 3, title)


async def test_of_two_at_the_same_time_the_later_to_come_counts(desk: Desk) -> None:
    moment = datetime(2026, 11, 23, 10, tzinfo=UTC).isoformat()
    await desk.keep(event(subject=77, type=APPROVED, time=moment), event(subject=77, type=RUN, time=moment))
    assert (await subject(desk))[:3] == (RUN, 2, 2)
    await desk.keep(event(subject=77, type=FAILED, time=moment))
    assert (await subject(desk))[:3] == (FAILED, 3, 3)


async def test_a_group_that_begins_late_and_ends_new_has_the_new_ones_number(desk: Desk) -> None:
    await desk.keep(event(subject=77, type=APPROVAL, at=-5))
    late, new = event(subject=77, type=APPROVED, at=-9), event(subject=77, type=RUN, at=-1)
    await desk.keep(late, new, event(subject=77, type=FAILED, at=-7))
    assert (await subject(desk))[:3] == (RUN, 3, 4)


async def test_a_subject_keeps_its_title_when_a_newer_event_names_none(desk: Desk) -> None:
    await desk.keep(event(subject=77, at=-5))
    title = (await subject(desk))[3]
    await desk.keep(event() | {"subject": {"kind": "ticket", "id": "77"}})
    assert (await subject(desk))[3] == title


async def test_the_same_key_of_another_kind_or_tenant_is_another_subject(desk: Desk, other_organisation: Any) -> None:
    flow = event() | {"subject": {"kind": "task_flow", "id": "77"}}
    theirs = desk.submission(event(subject=77), tenant_id=other_organisation.id)
    await desk.keep(event(subject=77), flow)
    await accept(desk.connection, desk.views, [theirs], lease=None, room=nowhere)
    assert await desk.value("SELECT max(last_number) FROM events_subject WHERE key = '77'") == 1


# duplicates


async def test_a_repeat_is_answered_with_the_first_ones_id(desk: Desk) -> None:
    content = event()
    first, again = await desk.keep(content), await desk.keep(content)
    assert codes(first) == ["kept"]
    assert codes(again) == ["duplicate"]
    assert again.verdicts[0].id == first.verdicts[0].id  # type: ignore[union-attr]
    assert len(await desk.deliveries()) == 1


async def test_a_repeat_in_the_same_group_is_kept_once(desk: Desk) -> None:
    content = event(subject=77)
    accepted = await desk.keep(content, event(), content, content)
    assert codes(accepted) == ["kept", "kept", "duplicate", "duplicate"]
    assert len({one.id for one in accepted.verdicts}) == 2  # type: ignore[union-attr]
    assert (await subject(desk))[2] == 1


async def test_the_same_key_with_other_content_is_refused(desk: Desk) -> None:
    content = event()
    assert codes(await desk.keep(content, content | {"type": FAILED})) == ["kept", "event_id_reused"]
    refused = await desk.keep(content | {"details": {"x": 1}}, content)
    assert codes(refused) == ["event_id_reused", "duplicate"]
    assert refused.verdicts[0].status == 409  # type: ignore[union-attr]
    assert len(await desk.deliveries()) == 1


async def test_the_same_id_from_another_source_is_another_event(desk: Desk) -> None:
    content = event()
    assert codes(await desk.keep(content, content | {"source": "airflow"})) == ["kept", "kept"]


async def test_two_tenants_may_use_the_same_ids(desk: Desk, other_organisation: Any) -> None:
    content = event()
    group = [desk.submission(content), desk.submission(content, tenant_id=other_organisation.id)]
    accepted = await accept(desk.connection, desk.views, group, lease=None, room=nowhere)
    assert codes(accepted) == ["kept", "kept"]


async def test_a_group_of_repeats_and_mistakes_keeps_nothing(desk: Desk) -> None:
    content = event()
    await desk.keep(content)
    accepted = await desk.keep(content, event(type="data_change.aproved"))
    assert codes(accepted) == ["duplicate", "unknown_event_type"]
    assert accepted.verdicts[1].more["nearest"]  # type: ignore[union-attr]
    assert (accepted.jobs, accepted.pending) == ([], 0)


# two nodes at once


async def test_two_nodes_with_the_same_subjects_in_opposite_order_do_not_wait_for_each_other(desk: Desk) -> None:
    other = await desk.another()
    subjects = list(range(60))
    for _ in range(10):
        forth = [event(subject=key) for key in subjects]
        back = [event(subject=key) for key in reversed(subjects)]
        for accepted in await both(desk.keep(*forth), other.keep(*back)):
            assert set(codes(accepted)) == {"kept"}
    numbers = await desk.rows(
        "SELECT array_agg(number ORDER BY number) FROM events_event WHERE tenant_id = %s GROUP BY subject_id",
        desk.tenant_id,
    )
    assert len(numbers) == len(subjects)
    assert all(row == (list(range(1, 21)),) for row in numbers)
    await other.close()


async def test_two_nodes_that_are_sent_the_same_events_keep_each_once(desk: Desk) -> None:
    other = await desk.another()
    for _ in range(5):
        contents = [event() for _ in range(40)]
        one, two = await both(desk.keep(*contents), other.keep(*reversed(contents)))
        assert sorted(codes(one) + codes(two)) == ["duplicate"] * 40 + ["kept"] * 40
        ids = {verdict.id for verdict in (*one.verdicts, *two.verdicts)}  # type: ignore[union-attr]
        assert len(ids) == 40
    assert len(await desk.deliveries()) == 200
    await other.close()


async def test_a_race_for_a_key_ends_with_one_event_and_one_refusal(desk: Desk) -> None:
    other = await desk.another()
    for _ in range(5):
        content = event()
        one, two = await both(desk.keep(event(), content), other.keep(content | {"details": {"x": 1}}, event()))
        assert sorted(codes(one) + codes(two)) == ["event_id_reused", "kept", "kept", "kept"]
    await other.close()


async def test_keys_reused_for_other_subjects_in_opposite_order_are_sorted_out(desk: Desk) -> None:
    """The subjects' locks do not order these two groups: each would wait for a key that the other has taken."""
    other = await desk.another()
    for turn in range(3):
        mine = [event(subject=f"a{turn}") for _ in range(400)]
        theirs = [content | {"subject": {"kind": "ticket", "id": f"z{turn}"}} for content in reversed(mine)]
        one, two = await both(desk.keep(*mine), other.keep(*theirs))
        assert sorted(codes(one) + codes(two)) == ["event_id_reused"] * 400 + ["kept"] * 400
    await other.close()


# all or nothing


def unstorable(desk: Desk) -> Submission:
    """Nothing that passes our checks is refused by PostgreSQL, as far as we know: so this one went round them."""
    read = desk.submission(event()).incoming
    subject = msgspec.structs.replace(read.event.subject, kind="k" * 41)
    return desk.submission(msgspec.structs.replace(read, event=msgspec.structs.replace(read.event, subject=subject)))


async def test_a_value_that_postgresql_refuses_leaves_nothing_behind_and_the_connection_usable(desk: Desk) -> None:
    good = event(subject=77)
    group = [desk.submission(good), unstorable(desk)]
    with pytest.raises(psycopg.DataError):
        await accept(desk.connection, desk.views, group, lease=None, room=nowhere)
    assert await desk.rows(_SUBJECT, desk.tenant_id, "77") == []
    assert codes(await desk.keep(good)) == ["kept"]


async def test_the_first_group_of_a_connection_may_fail_and_the_next_is_kept(desk: Desk) -> None:
    """Both statements are prepared inside a pipeline that fails: neither may be taken for prepared afterwards."""
    fresh = await desk.another()
    with pytest.raises(psycopg.DataError):
        await accept(fresh.connection, fresh.views, [unstorable(fresh)], lease=None, room=nowhere)
    assert codes(await fresh.keep(event(), event())) == ["kept", "kept"]
    await fresh.close()


async def test_a_connection_that_dies_in_the_middle_keeps_nothing(desk: Desk) -> None:
    other = await desk.another()
    async with desk.connection.transaction():
        # Somebody holds the subject: the group has to wait.
        await desk.keep(event(subject=77))
        waiting = asyncio.create_task(other.keep(event(id="late", subject=77)))
        await asyncio.sleep(0.2)
        assert await desk.run("SELECT pg_terminate_backend(%s)", other.connection.info.backend_pid)
        with pytest.raises(psycopg.OperationalError):
            await waiting
    assert other.connection.closed
    assert len(await desk.value(_NUMBERS, desk.tenant_id)) == 1


async def test_a_group_that_is_cancelled_while_it_waits_keeps_nothing_and_leaves_the_connection_usable(
    desk: Desk,
) -> None:
    other = await desk.another()
    async with desk.connection.transaction():
        await desk.keep(event(subject=77))
        waiting = asyncio.create_task(other.keep(event(subject=77)))
        await asyncio.sleep(0.2)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert (await subject(desk))[2] == 1
    assert codes(await other.keep(event(subject=77))) == ["kept"]
    await other.close()


# claimed at birth


async def test_with_room_a_delivery_is_born_claimed(desk: Desk) -> None:
    mine = await desk.register()
    accepted = await desk.keep(event(), event(to="bo"), lease=mine)
    assert await desk.deliveries("state", "lease") == [("sending", mine)] * 2
    assert [job.member.login for job in accepted.jobs] == ["ann", "bo"]
    assert {job.lease for job in accepted.jobs} == {mine}
    assert accepted.pending == 0


async def test_without_room_it_is_born_pending(desk: Desk) -> None:
    accepted = await desk.keep(event(), lease=await desk.register(), room=nowhere)
    assert await desk.deliveries("state", "lease") == [("pending", None)]
    assert (accepted.jobs, accepted.pending) == ([], 1)


async def test_of_one_person_and_subject_only_the_first_is_born_claimed(desk: Desk) -> None:
    mine, moment = await desk.register(), datetime.now(UTC).isoformat()
    contents = [event(subject=77, time=moment, to=login) for login in ("ann", "ann", "bo")]
    accepted = await desk.keep(*contents, lease=mine)
    assert await desk.deliveries() == ["sending", "pending", "sending"]
    assert [job.story.number for job in accepted.jobs] == [1, 3]
    await desk.keep(event(subject=77), event(), lease=mine)
    assert (await desk.deliveries())[3:] == ["pending", "sending"]


async def test_what_is_late_is_not_born_claimed_so_that_its_message_can_say_so(desk: Desk) -> None:
    mine = await desk.register()
    [first] = (await desk.keep(event(subject=77, type=RUN, at=-1), lease=mine)).jobs
    await desk.finish(first)
    assert (await desk.keep(event(subject=77, type=APPROVED, at=-5), lease=mine)).jobs == []
    [late] = await desk.claim(mine)
    assert late.newer is not None
    assert late.newer.event_labels["en"] == "Data change successful"


async def test_when_the_first_finds_no_room_the_second_is_not_claimed_before_it(desk: Desk) -> None:
    rooms = iter([False, True, True])
    await desk.keep(
        event(subject=77), event(subject=77), event(), lease=await desk.register(), room=lambda *_: next(rooms)
    )
    assert await desk.deliveries() == ["pending", "pending", "sending"]


async def test_what_is_older_and_has_ended_does_not_hold_back(desk: Desk) -> None:
    mine = await desk.register()
    [job] = (await desk.keep(event(subject=77), lease=mine)).jobs
    await desk.finish(job)
    assert len((await desk.keep(event(subject=77), lease=mine)).jobs) == 1


async def test_a_duplicate_is_not_sent_again(desk: Desk) -> None:
    content, mine = event(), await desk.register()
    await desk.keep(content, lease=mine)
    assert (await desk.keep(content, lease=mine)).jobs == []


# planned later


async def break_rule(desk: Desk, code: str = RUN, roles: str = "{no_such_role}") -> None:
    await desk.run(
        "UPDATE rules_rule SET optional_roles = %s WHERE tenant_id = %s AND event_type = %s",
        roles,
        desk.tenant_id,
        code,
    )
    await desk.run("UPDATE accounts_tenant SET rules_version = rules_version + 1 WHERE id = %s", desk.tenant_id)


async def test_an_event_that_cannot_be_planned_is_kept_and_blocks_nobody(desk: Desk) -> None:
    await break_rule(desk)
    accepted = await desk.keep(event(), event(type=APPROVED))
    assert codes(accepted) == ["kept", "kept"]
    faults = await desk.rows("SELECT fault FROM events_event WHERE tenant_id = %s ORDER BY id", desk.tenant_id)
    assert faults == [("KeyError",), (None,)]
    assert [tenant for tenant, _ in accepted.faults] == [desk.tenant_id]
    assert len(await desk.deliveries()) == 1


async def test_once_it_can_be_planned_it_is_and_its_people_are_told(desk: Desk) -> None:
    await break_rule(desk)
    await desk.keep(event(subject=77), event(subject=77, id="e-2", people={"submitter": "ann", "related": ["dan"]}))
    assert await plan_again(desk.connection, desk.views) == 0
    assert await desk.rows(INVOLVED, desk.tenant_id, "e-2") == []
    await break_rule(desk, roles="{}")
    assert await plan_again(desk.connection, desk.views) == 2
    assert await desk.deliveries("state", "number") == [("pending", 1), ("pending", 2)]
    assert await desk.value("SELECT count(*) FROM events_recipient WHERE tenant_id = %s", desk.tenant_id) == 2
    assert await desk.rows(INVOLVED, desk.tenant_id, "e-2") == [("dan",)]
    assert await plan_again(desk.connection, desk.views) == 0


async def test_one_that_can_never_be_planned_does_not_keep_others_from_it(desk: Desk) -> None:
    await break_rule(desk)
    await desk.keep(*(event() for _ in range(120)))
    await break_rule(desk, APPROVED)
    await desk.keep(event(type=APPROVED, id="mendable"))
    await break_rule(desk, APPROVED, roles="{}")
    assert await plan_again(desk.connection, desk.views) == 1
    assert await desk.value("SELECT fault FROM events_event WHERE source_id = 'mendable' AND tenant_id = %s",
                            desk.tenant_id) is None  # fmt: skip


async def test_two_nodes_plan_an_event_once(desk: Desk) -> None:
    await break_rule(desk)
    await desk.keep(*(event() for _ in range(30)))
    await break_rule(desk, roles="{}")
    other = await desk.another()
    async with asyncio.timeout(20):
        planned = await asyncio.gather(
            plan_again(desk.connection, desk.views), plan_again(other.connection, other.views)
        )
    assert sum(planned) == 30
    assert len(await desk.deliveries()) == 30
    await other.close()


async def test_a_notice_that_cannot_be_planned_causes_no_other_notice(desk: Desk) -> None:
    await break_rule(desk, "tidings.event_unplanned")
    accepted = await desk.keep(event(type="tidings.event_unplanned", source="tidings"))
    assert codes(accepted) == ["kept"]
    assert accepted.faults == []


async def test_what_is_unplanned_is_read_with_its_content(desk: Desk) -> None:
    await break_rule(desk)
    await desk.keep(event(id="e-1", time=(datetime.now(UTC) - timedelta(hours=1)).isoformat()))
    async with desk.connection.transaction():
        waiting = [one for one in await unplanned(desk.connection, UUID(int=0)) if one[1] == desk.tenant_id]
    [(_, _, incoming)] = waiting
    assert incoming.event.id == "e-1"
    assert datetime.now(UTC) - incoming.time > timedelta(minutes=59)
