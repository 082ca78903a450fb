"""Whose turn it is where one goes at a time: nobody keeps what others want for more than half of the time."""

from dataclasses import dataclass, field
from threading import Lock
from uuid import UUID

ASK_AGAIN = 5.0
"""Seconds."""


@dataclass(slots=True)
class Turns:
    """Moments are seconds on a clock that never goes back."""

    _lock: Lock = field(default_factory=Lock)
    _inside: UUID | None = None
    _since: float = 0.0
    _others_wait: bool = False
    _rest_until: dict[UUID, float] = field(default_factory=dict)

    def take(self, tenant_id: UUID, now: float) -> float:
        """0 when it is theirs, until they give it back; else the seconds to wait before they ask again."""
        with self._lock:
            self._rest_until = {each: until for each, until in self._rest_until.items() if until > now}
            if self._inside is not None:
                self._others_wait |= self._inside != tenant_id
                return ASK_AGAIN
            if tenant_id in self._rest_until:
                return self._rest_until[tenant_id] - now
            self._inside, self._since, self._others_wait = tenant_id, now, False
            return 0.0

    def give_back(self, now: float) -> None:
        """Who kept others waiting rests for as long as it took."""
        with self._lock:
            if self._inside is not None and self._others_wait:
                self._rest_until[self._inside] = now + (now - self._since)
            self._inside = None
