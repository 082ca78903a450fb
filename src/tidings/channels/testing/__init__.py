"""Vendors on this machine that answer as the real ones do and misbehave on request: for tests, the demo and authors of
plug-ins. They need the `demo` extra."""
