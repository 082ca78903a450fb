"""`tidings demo`: see the whole of it in two minutes."""

import asyncio
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import click


@click.command()
@click.option("--once", is_flag=True, help="End by itself; exit 1 if the sums do not add up.")
@click.option("--port", default=8420, show_default=True, help="Where the API is; another one if it is taken.")
@click.option("--pause", type=float, help="Seconds between events.  [default: 0.6, with --once 0.05]")
def demo(once: bool, port: int, pause: float | None) -> None:
    """A working day of a believable organisation, live, on real parts."""
    # Below /tmp, because an unprivileged database user has to be able to go there.
    folder = Path(tempfile.mkdtemp(prefix="tidings-demo-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        good = asyncio.run(_demo(folder, once, port, pause if pause is not None else 0.05 if once else 0.6))
    except KeyboardInterrupt:
        good = True
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(0 if good else 1)


async def _demo(folder: Path, once: bool, port: int, pause: float) -> bool:
    from rich.console import Console

    from tidings.demo.play import Player
    from tidings.demo.stage import staged

    console = Console(highlight=False)
    console.print("Starting Tidings on an embedded PostgreSQL ...", style="dim")
    async with staged(folder, port) as stage:
        player = Player(stage, console, pause)
        good = await player.play()
        player.keep(folder / "messages")
        if not once:
            player.show.chapter("The API is yours until Ctrl-C")
            curl = f"curl -H 'Authorization: Bearer {stage.api.token}' {stage.api.url}/api/v1/events?limit=3"
            console.print(curl, soft_wrap=True, markup=False)
            console.print(f"All calls: {stage.api.url}/api/docs", markup=False)
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
    return good
