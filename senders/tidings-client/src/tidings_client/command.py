"""`tidings-send event.json`: the event, or the list of events, of a file or of standard input (`-`)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tidings_client.answers import Refused, Unavailable
from tidings_client.client import Client


def main() -> None:
    """Ends with 0 when all are stored, 1 when one was refused, 2 when Tidings could not be reached or the call is
    wrong."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("--"):
        raise SystemExit(
            "Usage: tidings-send event.json (- is standard input), with TIDINGS_URL and TIDINGS_TOKEN set."
        )
    sys.exit(_send(sys.argv[1]))


def _send(name: str) -> int:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")
        try:
            content = json.loads(text)
        except ValueError as error:
            return _complain(f"{'standard input' if name == '-' else name} is no JSON: {error}", 2)
        client = Client.from_environment()
        batch = client.send_many(content if isinstance(content, list) else [content])
    except Refused as refused:
        return _complain(refused, 1)
    except (Unavailable, OSError, ValueError, TypeError, AttributeError) as error:
        return _complain(error, 2)
    for each in batch.rejected:
        _complain(f"{each.index}: {each.code}: {each.detail}", 1)
    sys.stdout.write(f"{batch.accepted} accepted, {batch.duplicates} known already, {len(batch.rejected)} refused\n")
    return 1 if batch.rejected else 0


def _complain(what: object, status: int) -> int:
    sys.stderr.write(f"tidings-send: {what}\n")
    return status
