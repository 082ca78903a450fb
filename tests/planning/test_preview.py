"""A preview is the plan that would be stored: the same code, the same answer, only nothing is kept."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.delivery.given import Desk, incoming, nowhere, reach
from tests.delivery.given import event as new_event

from tidings.delivery.told import record_of
from tidings.events.group import Kept
from tidings.kernel.database import connect
from tidings.kernel.problems import Problem
from tidings.pipeline import accept, preview

APPROVAL, SUCCESS = "data_change.pending_approval", "data_change.successful"
ROLES = ["data_owner", "instance_dba", "dba", "administrator", "security_administrator", "related_person"]


@pytest.fixture
def company(organisation: Any) -> Any:
    """ann and bo can be reached; dan chose a channel that is off; carol has no method; eve is switched off. carol is
    the DBA of rm; dan and ann own it."""
    from tidings.directory.models import Resource

    reach(organisation, "ann", "bo")
    people = organisation.people
    people["dan"].methods = ["sms", "webhook"]
    people["eve"].active = False
    for login in ("dan", "eve"):
        people[login].save()
    Resource.objects.create(
        tenant=organisation.tenant, instance="rm", dba=people["carol"], owners=[people["dan"].id, people["ann"].id]
    )
    return organisation


@pytest.fixture
async def desk(company: Any, database: str) -> AsyncIterator[Desk]:
    connection = await connect(database, name="test")
    yield Desk(company, connection, database)
    await connection.close()


def plain(record: dict[str, Any]) -> dict[str, Any]:
    """What preview and the stored record both say."""
    return {
        "recipients": [
            {
                "login": one["login"],
                "because": one["because"],
                "channels": [send["channel"] for send in one["sends"]],
                "skips": one["skips"],
            }
            for one in record["recipients"]
        ],
        "skips": record["skips"],
    }


async def stored(desk: Desk, content: dict[str, Any]) -> dict[str, Any]:
    group = [desk.submission(content)]
    [kept] = (await accept(desk.connection, desk.views, group, lease=None, room=nowhere)).verdicts
    assert isinstance(kept, Kept)

    def read() -> dict[str, Any]:
        from django.db import connection

        try:
            return record_of(desk.organisation.caller("root"), kept.id)
        finally:
            connection.close()

    return await asyncio.to_thread(read)


async def change_rule(desk: Desk, code: str, *, roles: list[str], users: list[str], enabled: bool = True) -> None:
    people = desk.organisation.people
    await desk.run(
        "UPDATE rules_rule SET optional_roles = %s, additional_users = %s, enabled = %s"
        " WHERE tenant_id = %s AND event_type = %s",
        roles,
        [people[login].id for login in users],
        enabled,
        desk.tenant_id,
        code,
    )
    await desk.run("UPDATE accounts_tenant SET rules_version = rules_version + 1 WHERE id = %s", desk.tenant_id)


async def foreseen(desk: Desk, content: dict[str, Any]) -> dict[str, Any]:
    view = (await desk.views.current(desk.connection, {desk.tenant_id}))[desk.tenant_id]
    return preview(incoming(content), view)


async def test_a_preview_says_everything_that_would_be_stored(desk: Desk) -> None:
    await change_rule(desk, APPROVAL, roles=["data_owner", "instance_dba"], users=["eve"])
    content = new_event(
        type=APPROVAL, people={"submitter": "ann", "approvers": ["bo", "zoe"]}, resources=[{"instance": "rm"}]
    )
    record = await foreseen(desk, content)
    assert plain(record) == {
        "recipients": [
            {"login": "ann", "because": [{"role": "data_owner", "of": "rm"}], "channels": ["webhook"], "skips": []},
            {"login": "bo", "because": [{"role": "approver"}], "channels": ["webhook"], "skips": []},
            {
                "login": "carol",
                "because": [{"role": "instance_dba", "of": "rm"}],
                "channels": [],
                "skips": [{"reason": "no_method"}],
            },
            {
                "login": "dan",
                "because": [{"role": "data_owner", "of": "rm"}],
                "channels": [],
                "skips": [
                    {"channel": "sms", "reason": "channel_off"},
                    {"channel": "webhook", "reason": "contact_missing"},
                    {"reason": "no_method"},
                ],
            },
        ],
        "skips": [
            {"person": "eve", "reason": "person_disabled"},
            {"role": "approver", "person": "zoe", "reason": "unknown_person"},
        ],
    }
    assert plain(await stored(desk, content)) == plain(record)


async def test_a_preview_keeps_nothing(desk: Desk) -> None:
    before = await desk.value("SELECT count(*) FROM events_event")
    await foreseen(desk, new_event())
    assert await desk.value("SELECT count(*) FROM events_event") == before


async def test_a_preview_of_a_rule_that_is_off_says_so(desk: Desk) -> None:
    await change_rule(desk, SUCCESS, roles=[], users=[], enabled=False)
    content = new_event()
    assert plain(await foreseen(desk, content)) == {"recipients": [], "skips": [{"reason": "rule_off"}]}
    assert plain(await stored(desk, content)) == plain(await foreseen(desk, content))


async def test_a_preview_of_an_unknown_type_is_refused_as_the_event_would_be(desk: Desk) -> None:
    with pytest.raises(Problem) as refused:
        await foreseen(desk, new_event(type="data_change.sucessful"))
    assert refused.value.code == "unknown_event_type"
    assert "data_change.successful" in refused.value.more["nearest"]


logins = st.sampled_from(["ann", "bo", "dan", "carol", "eve", "root", "zoe"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    code=st.sampled_from([APPROVAL, SUCCESS]),
    roles=st.lists(st.sampled_from(ROLES), unique=True),
    users=st.lists(st.sampled_from(["ann", "bo", "dan", "carol", "eve", "root"]), unique=True),
    enabled=st.sampled_from([True, True, True, False]),
    people=st.fixed_dictionaries(
        {}, optional={"submitter": logins, "approvers": st.lists(logins), "related": st.lists(logins)}
    ),
    resources=st.lists(st.sampled_from(["rm", "other"]).map(lambda name: {"instance": name}), max_size=3),
)
async def test_whatever_the_rule_and_the_event_the_preview_is_what_is_stored(
    desk: Desk,
    code: str,
    roles: list[str],
    users: list[str],
    enabled: bool,
    people: dict[str, Any],
    resources: list[dict[str, str]],
) -> None:
    await change_rule(desk, code, roles=roles, users=users, enabled=enabled)
    content = new_event(type=code, people=people, resources=resources)
    record = await foreseen(desk, content)
    assert plain(await stored(desk, content)) == plain(record)


async def test_a_preview_can_show_what_each_of_them_would_read(desk: Desk) -> None:
    people = desk.organisation.people
    await desk.run("UPDATE accounts_person SET language = 'zh-hans' WHERE id = %s", people["bo"].id)
    await desk.run("UPDATE accounts_tenant SET directory_version = directory_version + 1 WHERE id = %s", desk.tenant_id)
    view = (await desk.views.current(desk.connection, {desk.tenant_id}))[desk.tenant_id]
    # One after the other, since what is composed is kept for a while.
    for title in ("Add an index", "Drop an index"):
        content = new_event(type=APPROVAL, people={"submitter": "ann", "approvers": ["bo", "dan"]})
        content["subject"] |= {"title": title, "url": "https://dms.example.com/1"}
        record = preview(incoming(content), view, messages=True)
        bo, dan = (one["message"] for one in record["recipients"])
        assert (bo["language"], dan["language"]) == ("zh-hans", "en")
        assert dan["headline"] == f"Data change waits for approval, nothing has run yet: {title}"
        assert dan["link"] == {"label": "View details", "url": "https://dms.example.com/1"}
        assert "approve" in dan["todo"] and "approver" in dan["why"]
        assert {"label": "Submitter", "value": "Ann"} in dan["facts"]
        assert title in bo["headline"]
    assert "message" not in preview(incoming(content), view)["recipients"][0]
