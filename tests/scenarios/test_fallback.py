"""Another way to somebody who is asked to act, when the one they chose does not reach them."""

from typing import Any

from tests.delivery.given import event
from tests.scenarios.stage import WEB, Stage, in_django
from tests.scenarios.test_unsubscribe import by_mail

from tidings.channels.testing.smtp_server import MailServer
from tidings.channels.testing.webhook_receiver import Reply

ASKS = {"type": "data_change.pending_approval", "people": {"submitter": "ann", "approvers": ["bo"]}}


def _webhook_chosen(organisation: Any) -> None:
    """Bo has a mailbox, and wants the webhook."""
    organisation.tenant.fallback = True
    organisation.tenant.save()
    organisation.people["bo"].methods = ["webhook"]
    organisation.people["bo"].save()


async def _given(stage: Stage, server: MailServer) -> None:
    await stage.reachable("bo")
    await in_django(lambda: by_mail(stage.organisation, server.port, "bo"))
    await in_django(lambda: _webhook_chosen(stage.organisation))


async def test_who_is_asked_to_act_is_written_to_when_their_webhook_is_gone(empty_stage: Stage) -> None:
    async with MailServer() as server:
        await _given(empty_stage, server)
        empty_stage.answers("bo", Reply(410))
        await empty_stage.start()
        [asked] = await empty_stage.post(event(**ASKS))
        await empty_stage.until(lambda: server.taken)
        await empty_stage.settled("failed", "sent", login="bo")
        [bo] = (await empty_stage.record(asked))["recipients"]
        assert [(send["channel"], send["state"]) for send in bo["sends"]] == [("webhook", "failed"), ("email", "sent")]


async def test_another_node_looks_when_the_one_that_recorded_the_failure_died(empty_stage: Stage) -> None:
    async with MailServer() as server:
        await _given(empty_stage, server)
        await empty_stage.start(WEB)
        await empty_stage.post(event(**ASKS), event(type="data_change.approved", people={"submitter": "bo"}))
        await empty_stage.database.execute(
            "UPDATE delivery_delivery SET state = 'failed', reason = 'gone', attempts ="
            " jsonb_build_array(jsonb_build_object('at', now() - interval '2 minutes', 'outcome', 'refused'))"
        )
        # when
        await empty_stage.start()
        # then: of the two events the one that asks for something
        await empty_stage.until(lambda: server.taken)
        await empty_stage.settled("failed", "sent", "failed", login="bo")
        assert len(server.taken) == 1
