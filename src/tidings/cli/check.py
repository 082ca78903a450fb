"""`tidings check`: configuration and rules with hints; `--ledger`: the proof that nothing was lost in silence."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import click

from tidings.kernel.platform import platform
from tidings.kernel.postgres import was_ever_started
from tidings.kernel.settings import default_data_dir, new_key, read_settings


@click.command()
@click.option("--ledger", is_flag=True, help="Count every event, recipient and delivery, and see whether it adds up.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(ledger: bool, as_json: bool) -> None:
    """Look for what is wrong before people notice; exit 1 when something is."""
    if missing := _not_set_up():
        _show([missing], as_json)
        sys.exit(1)
    with platform(quiet=True):
        good = _ledger(as_json) if ledger else _findings(as_json)
    sys.exit(0 if good else 1)


def _findings(as_json: bool) -> bool:
    from tidings.check import findings

    found = [asdict(each) for each in findings()]
    _show(found, as_json)
    return not any(each["level"] == "error" for each in found)


def _not_set_up() -> Mapping[str, str] | None:
    """Looking must not make what is looked for: an embedded database begins when it is asked for."""
    folder = default_data_dir(os.environ)
    if os.environ.get("TIDINGS_DATABASE_URL") or was_ever_started(folder):
        return None
    # A setting that cannot be used is told first; it is read as if there were a database, since else one would begin.
    keys = os.environ.get("TIDINGS_SECRET_KEYS") or new_key()
    read_settings({**os.environ, "TIDINGS_SECRET_KEYS": keys, "TIDINGS_DATABASE_URL": "postgresql:///none"})
    return {
        "id": "database.not_set_up",
        "level": "error",
        "text": f"There is no Tidings in {folder} yet.",
        "hint": "Start one with: tidings serve. Or name the one you mean: TIDINGS_DATA_DIR, TIDINGS_DATABASE_URL.",
    }


def _show(found: Sequence[Mapping[str, str]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    for each in found:
        click.echo(f"{each['level']:7} {each['id']}: {each['text']}\n        {each['hint']}")
    if not found:
        click.echo("Nothing to complain about.")


def _ledger(as_json: bool) -> bool:
    from tidings.delivery.ledger import read_ledger

    ledger = read_ledger()
    faults = ledger.faults()
    if as_json:
        click.echo(json.dumps({**asdict(ledger), "open": ledger.open, "faults": faults}, indent=1, default=float))
        return not faults
    states = ", ".join(f"{count:,} {state}" for state, count in sorted(ledger.deliveries.items())) or "none"
    lines = [
        ("events", f"{ledger.accepted:,} accepted = {ledger.planned:,} planned + {ledger.unplanned:,} unplanned"),
        ("recipients", f"{ledger.recipients:,}, with {ledger.recipient_skips:,} channels skipped for a reason"),
        ("skips", f"{ledger.event_skips:,} roles and people not told, each for a reason"),
        ("deliveries", states),
        ("to vendor", f"first try {_times(ledger.first_try_p50_ms, ledger.first_try_p99_ms)}"),
        ("", f"all tries {_times(ledger.p50_ms, ledger.p99_ms)}"),
    ]
    for label, text in lines:
        click.echo(f"{label:11} {text}")
    for fault in faults:
        click.echo(f"FAULT       {fault}")
    click.echo("The sums add up." if not faults else "The sums do not add up.")
    return not faults


def _times(p50: float | None, p99: float | None) -> str:
    return "none yet" if p50 is None or p99 is None else f"p50 {p50:,.0f} ms, p99 {p99:,.0f} ms"
