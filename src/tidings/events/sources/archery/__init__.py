"""Archery: its generic webhook, and the signed notifier of `senders/tidings-archery`."""
