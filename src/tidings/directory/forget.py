"""Forget what was tried to prove addresses, and which rows changed, once nothing of it counts any more."""

from datetime import timedelta

from tidings.kernel.database import Connection

# As long as the longest limit on codes looks back, and longer than any lock.
QUIET = timedelta(days=1)
TOUCHED = timedelta(days=30)
# Index: verification_touched.
_FORGET = "DELETE FROM directory_verification WHERE touched_at < now() - %s"
# No index: a line a change, looked through every ten minutes.
_FORGET_TOUCHED = "DELETE FROM directory_touched WHERE at < now() - %s"


async def forget_verifications(connection: Connection) -> None:
    await connection.execute(_FORGET, (QUIET,))


async def forget_touched(connection: Connection) -> None:
    """Who looked longer ago reads the whole directory anew (`load.TRUSTED`)."""
    await connection.execute(_FORGET_TOUCHED, (TOUCHED,))
