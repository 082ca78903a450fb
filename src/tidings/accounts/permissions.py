"""Who may do what, in one place. A caller is a token's person or source; scopes narrow what its roles allow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from tidings.kernel.problems import forbidden

if TYPE_CHECKING:
    from tidings.accounts.models import Person


PLURAL: Mapping[str, str] = {
    "administrator": "administrators",
    "dba": "DBAs",
    "security_administrator": "security administrators",
}
SEE_ALL = ("administrator", "dba", "security_administrator")
"""Roles that see the events, deliveries and subjects of the whole tenant."""


def who_may(*roles: str) -> str:
    return " and ".join(PLURAL[role] for role in roles)


@dataclass(frozen=True, slots=True)
class Caller:
    """`person` is None for a source's token, and for the command line (`unlimited`)."""

    tenant_id: UUID
    name: str
    scopes: frozenset[str]
    person: "Person | None" = None
    source: str = ""
    unlimited: bool = False

    def holds(self, *roles: str) -> bool:
        return self.unlimited or (self.person is not None and bool(set(roles) & set(self.person.roles)))

    def require(self, *roles: str, to_write: bool = True) -> None:
        """Raises 403 unless the caller holds one of these system roles and its token has the scopes."""
        self.require_role(*roles)
        if to_write:
            self.require_change()
        else:
            self.require_scope("read")

    def require_role(self, *roles: str) -> None:
        if not self.holds(*roles):
            raise forbidden(who_may(*roles))

    def require_change(self) -> None:
        """A change is answered with what was changed as it stands now, and so is one that came too late: who may not
        read may not change either. Raises 403."""
        self.require_scope("write")
        self.require_scope("read")

    def require_scope(self, scope: str) -> None:
        if not self.unlimited and scope not in self.scopes:
            raise forbidden(f"a token with the scope {scope}")

    def as_person(self) -> "Person":
        """The person behind the token, for `/me`. Raises 403 for a source's token."""
        if self.person is None:
            raise forbidden("a person's token")
        return self.person

    @property
    def sees_all(self) -> bool:
        """Events, deliveries and subjects of the whole tenant; others see what concerns them."""
        return self.holds(*SEE_ALL)
