"""What Tidings answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Accepted:
    """Stored, durably, under this id of Tidings'. `duplicate`: it was there already."""

    id: str
    duplicate: bool


@dataclass(frozen=True)
class Rejected:
    """One of a batch, by its place among the events that were given."""

    index: int
    code: str
    detail: str


@dataclass(frozen=True)
class Batch:
    """How many are new, how many were there already, and which ones were not taken."""

    accepted: int
    duplicates: int
    rejected: Sequence[Rejected]


@dataclass(frozen=True)
class Parked:
    """Kept, and no event yet: somebody has to say what it means. `see`: where."""

    id: str
    reason: str
    detail: str
    see: str


@dataclass(frozen=True)
class Pushed:
    """What a payload became: events; or, by the mapping, nothing that anybody wants to know (`ignored`); or it is
    parked."""

    events: Sequence[Accepted]
    ignored: bool
    parked: Parked | None


class Refused(Exception):
    """It will not be taken as it is, however often it is sent. `code` is stable; empty when it was not Tidings that
    answered, but something in between."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}" if code else f"{status}: {detail}")
        self.status, self.code, self.detail = status, code, detail

    def __reduce__(self) -> tuple[type[Refused], tuple[int, str, str]]:
        return type(self), (self.status, self.code, self.detail)

    @property
    def of_the_event(self) -> bool:
        """Or of who sends it: what a new token, address or permission would cure."""
        if self.status == 413:
            return True
        of_the_sender = ("forbidden", "token_revoked", "signature_refused")
        return bool(self.code) and self.status not in (401, 405) and self.code not in of_the_sender


class Unavailable(Exception):
    """Tidings could not be reached, or says that it cannot take anything now. Whether it has it is not known: send it
    again, with the same id. `after`: seconds that it asked for. `code`: Tidings' own word for it, if it was Tidings."""

    def __init__(self, detail: str, after: float | None = None, code: str = "") -> None:
        super().__init__(detail)
        self.detail, self.after, self.code = detail, after, code

    def __reduce__(self) -> tuple[type[Unavailable], tuple[str, float | None, str]]:
        return type(self), (self.detail, self.after, self.code)
