"""`tidings-prefect install`."""

from __future__ import annotations

import argparse
import os
import sys

from prefect.settings import get_current_settings

from tidings_client import Client, Refused, Unavailable, address_and_token
from tidings_prefect.install import NAME, install

PATH = "/api/v1/sources/prefect"
# No change of anything: Tidings answers that nobody wants to know, to whoever may send.
KNOCK = {"event": "prefect.flow-run.heartbeat", "resource": {"prefect.resource.id": "prefect.flow-run.none"}}


def main() -> None:
    parser = argparse.ArgumentParser(prog="tidings-prefect", description="Tells Tidings of Prefect's flow runs.")
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser(
        "install", help="the block and the automation, in the Prefect of PREFECT_API_URL; repeatable"
    )
    one.add_argument("--url", default=os.environ.get("TIDINGS_URL", ""), help="of Tidings (TIDINGS_URL)")
    one.add_argument("--token", default=os.environ.get("TIDINGS_TOKEN", ""), help="of the source (TIDINGS_TOKEN)")
    one.add_argument("--name", default=NAME, help=f"of the block and the automation ({NAME})")
    given = parser.parse_args()
    try:
        url, token = address(given.url, given.token)
        reached = knock(url, token)
    except ValueError as error:
        sys.exit(str(error))
    if not get_current_settings().api.url:
        sys.exit("Prefect does not know its server: set PREFECT_API_URL, or choose a profile (`prefect profile use`).")
    install(url, token, name=given.name)
    sys.stdout.write(f"The block and the automation {given.name!r} are in Prefect; they call {url}{PATH}.\n")
    if not reached:
        sys.stdout.write("Tidings cannot be reached from here; from Prefect's server it must be, at that address.\n")


def address(url: str, token: str) -> tuple[str, str]:
    """Of Tidings, and the token: from what the page of a source shows too. Raises ValueError."""
    bare, within = address_and_token(url) if url.strip() else ("", "")
    token = token.strip() or within
    if not bare or not token:
        raise ValueError(
            "Say where Tidings is and the token of its source: --url and --token, or the address with ?token=."
        )
    return bare, token


def knock(url: str, token: str) -> bool:
    """Whether Tidings can be reached from here. Raises ValueError when it does not take this token."""
    try:
        Client(url, token, patience=0).push("prefect", KNOCK)
    except Unavailable:
        return False
    except Refused as refused:
        raise ValueError(f"Tidings refuses: {refused.detail}") from None
    return True
