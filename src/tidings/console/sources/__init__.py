"""The systems that send events: their tokens, how they send, and what of it nobody could read."""
