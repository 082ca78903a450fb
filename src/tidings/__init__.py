"""Tells the right people, at once, when a ticket or a task flow changes status, and proves why."""

__version__ = "0.1.0"
