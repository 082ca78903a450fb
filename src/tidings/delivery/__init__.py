"""Do: claim, attempt, decide what is next, record."""
