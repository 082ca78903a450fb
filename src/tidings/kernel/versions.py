"""Two people who edit at once never lose an edit silently: a change says which version it was made from."""

from dataclasses import dataclass
from typing import Any

from tidings.kernel.problems import Problem


@dataclass(frozen=True, slots=True)
class Expected:
    """The version named in the body, and those named by If-Match; None where the caller does not ask."""

    version: int | None = None
    if_match: frozenset[str] | None = None

    def check(self, version: int | str, current: Any) -> None:
        """To be asked under the lock of what is changed. Raises 412 or 409, both showing how it stands now."""
        detail = "Somebody changed it meanwhile; look at `current`, then repeat your change on top of it."
        etag = {"ETag": f'"{version}"'}
        if self.if_match is not None and str(version) not in self.if_match:
            raise Problem(412, "precondition_failed", detail, headers=etag, current=current)
        if self.version is not None and self.version != version:
            raise Problem(409, "version_conflict", detail, headers=etag, current=current)
