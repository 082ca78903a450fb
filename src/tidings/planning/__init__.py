"""Decide: facts about one event become sends and skips, without side effects."""
