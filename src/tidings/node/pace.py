"""So many a second for each token, on this node: who asks for more is told when to come again.

One number a token, the moment at which it has paid for what it took (GCRA). A batch takes all it needs and is paid for
afterwards, so no batch is too large to come in.
"""

from math import ceil

from tidings.kernel.problems import Problem
from tidings.node import metrics

CODE = "rate_limited"
BURST = 10.0
"""Seconds whose worth may be taken at once."""
KNOWN_AT_MOST = 10_000
_ROUNDING = 1e-6


class Pace:
    """`rate` 0: as many as come. `what` names what is counted, in words and in the headers."""

    __slots__ = ("_burst", "_forget_at", "_paid_at", "_rate", "_step", "what")

    def __init__(self, rate: float, what: str) -> None:
        self._rate, self.what = rate, what
        self._step = 1 / rate if rate else 0.0
        self._burst = max(BURST, self._step)
        self._paid_at: dict[bytes, float] = {}
        self._forget_at = KNOWN_AT_MOST

    def enter(self, key: bytes, now: float) -> None:
        """Take one. Raises `Problem` 429 with nothing taken."""
        if not self._rate:
            return
        wait = self._paid_at.get(key, 0.0) - now + self._step - self._burst
        if wait > _ROUNDING:
            metrics.RATE_LIMITED.labels(self.what).inc()
            raise self._too_fast(wait)
        self.charge(key, now, 1)

    def charge(self, key: bytes, now: float, count: int) -> None:
        """Take more, whatever it comes to."""
        if self._rate and count > 0:
            if len(self._paid_at) > self._forget_at:
                self._forget(now)
            self._paid_at[key] = max(self._paid_at.get(key, 0.0), now) + count * self._step

    def _forget(self, now: float) -> None:
        """Who has paid is as good as new; of those who have not, none is let off."""
        self._paid_at = {key: until for key, until in self._paid_at.items() if until > now}
        self._forget_at = max(KNOWN_AT_MOST, 2 * len(self._paid_at))

    def _too_fast(self, wait: float) -> Problem:
        seconds, at_once = ceil(wait), max(1, int(self._rate * self._burst))
        # https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
        headers = {
            "Retry-After": str(seconds),
            "RateLimit-Policy": f'"{self.what}";q={at_once};w={ceil(self._burst)}',
            "RateLimit": f'"{self.what}";r=0;t={seconds}',
        }
        detail = (
            f"This token may send {self._rate:g} {self.what} a second to a node, {at_once:,} at once: "
            f"send again in {seconds} s."
        )
        return Problem(429, CODE, detail, headers=headers)
