"""`tidings demo`: a working day of a believable organisation, live."""

import sys

import click


@click.command()
@click.option("--once", is_flag=True, help="Play the day as fast as it goes, prove it, and end.")
@click.option(
    "--port",
    default=8420,
    show_default=True,
    type=click.IntRange(0, 65_535),
    help="Port of the API; a free one where it is taken.",
)
@click.option("--speed", default=1.0, show_default=True, type=click.FloatRange(0.1, 20), help="2: twice as fast.")
def demo(once: bool, port: int, speed: float) -> None:
    """A working day of a believable organisation, live: who was told of what, and why.

    Everything is real: Tidings with a database of its own, the public API, mail and webhooks over the wire. All of it
    is on this machine, and gone when it ends, but for the messages.
    """
    try:
        import aiosmtpd  # noqa: F401
        import rich  # noqa: F401
        import standardwebhooks  # noqa: F401
    except ImportError as error:
        sys.exit(f"tidings: the demo needs {error.name}.\n         Install it with: pip install 'tidings[demo]'")
    from tidings.demo.run import run_demo

    sys.exit(run_demo(once=once, port=port, speed=speed))
