"""Tells Tidings what became of Prefect's flow runs: `notify` in the hooks of a flow, `tidings-prefect install` once for
a server."""

from tidings_prefect.notify import notify

__all__ = ["notify"]
