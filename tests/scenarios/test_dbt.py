"""dbt Cloud tells an errored run twice, and signs what it sends."""

import hashlib
import hmac
import json
from typing import Any

import pytest
from tests.events.sources.test_dbt import ERRORED, completed
from tests.scenarios.stage import Answer, Stage, in_django

SECRET = "the webhook's secret"
AT_ONCE, LATER = ERRORED, completed("Errored", runStatusMessage="dbt command failed")


async def push(stage: Stage, content: Any, secret: str = SECRET) -> Answer:
    """As dbt Cloud does: the token stands in the URL, since the header has the signature."""
    raw = json.dumps(content).encode()
    signature = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    where = f"/api/v1/sources/dbt?token={stage.token}"
    return await stage.send("POST", where, raw, token="", Authorization=signature)


async def set_up(stage: Stage) -> str:
    root = await in_django(lambda: stage.organisation.token("root"))
    mapping = {"adapter": "dbt", "rows": [], "options": {"url": "https://cloud.getdbt.com", "owner": "bo"}}
    assert (await stage.send("PUT", "/api/v1/sources/dms/mapping", mapping, token=root)).status == 200
    secret = {"secret": SECRET}
    assert (await stage.send("PUT", "/api/v1/sources/dms/secret", secret, token=root)).status in (200, 204)
    await stage.change(
        "UPDATE accounts_person SET email = 'test@test.com' WHERE tenant_id = %s AND login = 'ann'",
        stage.organisation.id, version="directory",
    )  # fmt: skip
    return str(root)


@pytest.mark.parametrize(("first", "second"), [(AT_ONCE, LATER), (LATER, AT_ONCE)])
async def test_an_errored_run_is_told_once_whichever_call_comes_first(stage: Stage, first: Any, second: Any) -> None:
    root = await set_up(stage)
    [kept] = (await push(stage, first)).body["events"]
    again = await push(stage, second)
    assert (again.status, again.body["events"], again.body["ignored"], again.body["parked"]) == (200, [], True, None)
    # What is repeated as it was is a duplicate, as anywhere.
    assert (await push(stage, first)).body["events"] == [{"id": kept["id"], "duplicate": True}]
    [message] = await stage.messages("ann")
    data = message.payload["data"]
    assert message.payload["type"] == "data_warehouse_development.tasks_failed"
    assert data["subject"]["url"] == "https://cloud.getdbt.com/deploy/43786/projects/167194/runs/318274655"
    await stage.settled("sent")
    assert (await stage.send("GET", "/api/v1/sources/dms/parked", token=root)).body["items"] == []


async def test_what_is_not_signed_with_the_secret_is_refused(stage: Stage) -> None:
    await set_up(stage)
    refused = await push(stage, ERRORED, "another secret")
    assert (refused.status, refused.body["code"]) == (401, "signature_refused")


async def test_a_run_by_schedule_goes_to_the_owner_of_the_source(stage: Stage) -> None:
    await set_up(stage)
    await push(stage, completed(runReason="scheduled", runId="318281102"))
    [message] = await stage.messages("bo")
    assert message.payload["type"] == "data_warehouse_development.tasks_run"
