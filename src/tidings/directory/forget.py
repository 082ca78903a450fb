"""Forget what was tried to prove addresses, once nothing of it counts any more."""

from datetime import timedelta

from tidings.kernel.database import Connection

# As long as the longest limit on codes looks back, and longer than any lock.
QUIET = timedelta(days=1)
# Index: verification_touched.
_FORGET = "DELETE FROM directory_verification WHERE touched_at < now() - %s"


async def forget_verifications(connection: Connection) -> None:
    await connection.execute(_FORGET, (QUIET,))
