"""The rim as a process: the loops that accept and deliver."""
