"""Wording: an event and a reader become a document."""
