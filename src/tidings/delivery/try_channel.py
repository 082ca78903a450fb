"""Send somebody a test message through a tenant's channel, and say what came of it."""

from datetime import timedelta

from tidings.accounts.permissions import Caller
from tidings.channels.configure import known_channel, settings_of
from tidings.channels.contract import Budget, Outcome
from tidings.channels.try_out import try_out
from tidings.delivery.budget import take_at_once
from tidings.directory.reach import reach, reader_of

TESTS, TESTS_PER = 10, timedelta(minutes=10)
"""Of all administrators of a tenant. A mail server that does not answer keeps one of a node's two threads for 15
seconds, and whoever else wants to send something now waits: nobody may keep on doing that."""


def try_channel(caller: Caller, code: str, login: str) -> Outcome:
    """Whether the channel is on or not. Ten tests of a tenant in ten minutes; then `TryLater("too_many_tests")`.

    Blocks for 15 s at most, so no transaction may be open. Raises 403, 404, 409 with why nobody would be reached, 422
    where the settings are not complete, 429 `busy`.
    """
    caller.require("administrator")
    one = known_channel(code)
    settings = settings_of(caller.tenant_id, one)
    person, contact = reach(caller.tenant_id, login, code)
    often = Budget(f"test:{caller.tenant_id}", TESTS, TESTS_PER, "too_many_tests")
    return try_out(caller.tenant_id, one, reader_of(person), contact, settings, take_at_once, also=[often])
