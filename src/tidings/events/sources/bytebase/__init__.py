"""Bytebase: the custom webhook that it had until 3.4."""
