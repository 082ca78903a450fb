"""The current time. Pure code takes `now` as an argument; only the rim asks here."""

from datetime import UTC, datetime, timedelta

FAR_APART = timedelta(seconds=10)
"""Two clocks that NTP keeps are milliseconds apart."""


def now() -> datetime:
    return datetime.now(UTC)


def apart(ahead: float, whose: str) -> str:
    """In words, how far a clock is from the database's; empty when it is near enough. `ahead` in seconds."""
    if abs(ahead) < FAR_APART.total_seconds():
        return ""
    return f"{whose} clock is {abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} the database's"
