"""A vendor account in trouble is left alone for a while, so that its messages wait in the table and not in a node.

A circuit per account, in each node's own memory: after a row of failures it opens, and everything for that account is
held; when the time is up one message goes to try it, and by that one's fate the circuit closes or opens for longer.
Nothing is lost meanwhile and nobody else waits.
"""

from dataclasses import dataclass, field
from datetime import timedelta

from tidings.channels.contract import Outcome, TryLater

OPENS_AFTER = 5
"""Failures in a row."""
FIRST, LONGEST = timedelta(seconds=10), timedelta(minutes=5)
PROBE_MAY_TAKE = 20.0
"""Seconds; a probe that has not come back by then was lost, with the node's patience or with its cancellation."""
# What speaks of the account or the way to it, not of one message. "throttled" is neither: its Retry-After says when.
TROUBLE = frozenset({"timeout", "connect", "tls", "reset", "protocol", "unresolvable", "vendor_unavailable"})


def is_trouble(outcome: Outcome) -> bool:
    return isinstance(outcome, TryLater) and (outcome.technical or outcome.reason in TROUBLE)


@dataclass(slots=True)
class Circuit:
    failures: int = 0
    opened: int = 0
    """How often in a row; each time for twice as long."""
    until: float = 0.0
    probing_since: float = 0.0


@dataclass(slots=True)
class Circuits:
    """By the key of an account; times are seconds on any steady clock."""

    _by_account: dict[str, Circuit] = field(default_factory=dict)

    def wait(self, account: str, now: float) -> float:
        """Seconds until this account may be tried; 0: now. Whoever is told 0 while it is open is the probe."""
        circuit = self._by_account.get(account)
        if circuit is None or not circuit.opened:
            return 0.0
        if circuit.until > now:
            return circuit.until - now
        if circuit.probing_since and now - circuit.probing_since < PROBE_MAY_TAKE:
            return PROBE_MAY_TAKE / 4
        circuit.probing_since = now
        return 0.0

    def note(self, account: str, outcome: Outcome, now: float) -> None:
        if not is_trouble(outcome):
            self._by_account.pop(account, None)
            return
        circuit = self._by_account.setdefault(account, Circuit())
        circuit.failures += 1
        if circuit.failures >= OPENS_AFTER and circuit.until <= now:
            circuit.until = now + min(FIRST * 2**circuit.opened, LONGEST).total_seconds()
            circuit.opened += 1
            circuit.probing_since = 0.0

    def open(self, now: float) -> dict[str, float]:
        """The accounts that are left alone just now, and for how many seconds more."""
        return {
            account: max(circuit.until - now, 0.0) for account, circuit in self._by_account.items() if circuit.opened
        }
