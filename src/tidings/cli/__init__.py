"""The rim as commands: `tidings ...`."""
