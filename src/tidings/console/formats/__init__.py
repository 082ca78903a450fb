"""Dates that nobody reads the wrong way round, wherever they are."""
