"""Tells Tidings of Archery's tickets. In Archery's settings: `tidings_archery:TidingsNotifier`, one of
`ENABLED_NOTIFIERS`."""

from tidings_archery.notifier import TidingsNotifier

__all__ = ["TidingsNotifier"]
