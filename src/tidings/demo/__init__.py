"""A working day of a believable organisation, played against a real Tidings and shown from what its API answers."""
