"""`tidings serve`, `tidings web`, `tidings worker`, `tidings consume`: nodes with different duties."""

import logging
import os
import sys

import click

from tidings.cli.first_run import first_run
from tidings.kernel.platform import platform
from tidings.kernel.settings import BASE_URL, SettingsError, settings
from tidings.kernel.stop import Stopped

HOST, PORT = "127.0.0.1", 8420
log = logging.getLogger("tidings.cli")


def _options(command: click.Command, *, port: int | None, what: str) -> None:
    command.params += [
        click.Option(["--host"], default=HOST, show_default=True, help="Address to listen on."),
        click.Option(["--port"], default=port, show_default=True, type=click.IntRange(1, 65_535), help=what),
    ]


def _serve(*, accepts: bool, delivers: bool, host: str, port: int | None, serves: bool = True) -> None:
    from tidings.node.engine import Duties
    from tidings.node.run import listen, run_node

    only = "delivers" if delivers else "takes events from buses"

    def ready() -> None:
        _say(f"Tidings is ready: {f'http://{host}:{port}' if listener else f'no port, since it only {only}'}")

    listener = listen(host, port) if port is not None else None
    if accepts and serves and host in ("127.0.0.1", "localhost"):
        # Only this machine gets here, and does so at this port.
        os.environ.setdefault("TIDINGS_BASE_URL", f"http://{host}:{port}")
    try:
        with platform() as (url, server):
            from tidings.cli.migrate import migrate_database

            migrate_database()
            first_run()
            if accepts and serves and settings().base_url == BASE_URL and host not in ("127.0.0.1", "localhost"):
                log.warning("links in messages lead to %s: set TIDINGS_BASE_URL to where people reach this", BASE_URL)
            run_node(settings(), url, Duties(accepts, delivers, serves), server=server, listener=listener, ready=ready)
    except Stopped:
        _say("Tidings was asked to stop before it was ready.")


def _say(text: str) -> None:
    """To whoever started it; to what reads its log, as an entry."""
    if settings().log_format == "json":
        log.info(text)
    else:
        print(text, file=sys.stderr, flush=True)  # noqa: T201


@click.command()
def serve(host: str, port: int) -> None:
    """Accept and deliver in one process."""
    _serve(accepts=True, delivers=True, host=host, port=port)


@click.command()
def web(host: str, port: int) -> None:
    """Accept only; workers deliver."""
    _serve(accepts=True, delivers=False, host=host, port=port)


@click.command()
def worker(host: str, port: int | None) -> None:
    """Deliver only."""
    _serve(accepts=False, delivers=True, host=host, port=port)


@click.command()
def consume(host: str, port: int | None) -> None:
    """Accept from message buses only; workers deliver."""
    if settings().buses is None:
        hint = "Set it to the file that names the buses: docs/sources/buses.md."
        raise SettingsError("TIDINGS_BUSES is not set, so there is nothing to take events from.", hint)
    _serve(accepts=True, delivers=False, serves=False, host=host, port=port)


_options(serve, port=PORT, what="Port to listen on.")
_options(web, port=PORT, what="Port to listen on.")
for _command in (worker, consume):
    _options(_command, port=None, what="Port for /healthz, /readyz and /metrics; none unless you name one.")
