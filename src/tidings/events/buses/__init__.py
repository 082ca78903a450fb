"""Message buses that events come out of: one contract, a client's library behind each."""
