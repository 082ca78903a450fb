"""Forget sessions of the console that are over, and guesses that count no more."""

from tidings.kernel.database import Connection

# Index: django_session_expire_date_…; accounts_cache_expires. allauth's own row of a session goes first.
_FORGET = (
    """
    DELETE FROM usersessions_usersession u USING django_session s
    WHERE s.session_key = u.session_key AND s.expire_date < now()
    """,
    "DELETE FROM django_session WHERE expire_date < now()",
    "DELETE FROM accounts_cache WHERE expires < now()",
)


async def forget_sessions(connection: Connection) -> None:
    for statement in _FORGET:
        await connection.execute(statement)
