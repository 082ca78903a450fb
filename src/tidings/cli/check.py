"""`tidings check`: configuration and rules with hints; `--ledger`: the proof that nothing was lost in silence."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from tidings.kernel.platform import platform
from tidings.kernel.postgres import was_ever_started
from tidings.kernel.settings import given_settings

if TYPE_CHECKING:
    from tidings.delivery.ledger import Ledger


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
    given = given_settings(os.environ)
    if given.database_url or was_ever_started(given.data_dir):
        return None
    return {
        "id": "database.not_set_up",
        "level": "error",
        "text": f"There is no Tidings in {given.data_dir} yet.",
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

    ledger = read_ledger(progress=_show_progress if sys.stderr.isatty() else lambda _: None)
    faults, count = ledger.faults(), ledger.counts
    if as_json:
        click.echo(json.dumps(ledger.as_json(), indent=1))
        return not faults
    states = ", ".join(f"{each:,} {state}" for state, each in sorted(ledger.deliveries.items())) or "none"
    lines = [
        ("events", f"{ledger.accepted:,} accepted = {count['planned']:,} planned + {count['unplanned']:,} unplanned"),
        ("recipients", f"{count['recipients']:,}, with {count['recipient_skips']:,} channels skipped for a reason"),
        ("skips", f"{count['event_skips']:,} roles and people not told, each for a reason"),
        ("deliveries", states),
        ("to vendor", f"in the last day, first try {_times(ledger, first_try=True)}"),
        ("", f"all tries {_times(ledger, first_try=False)}"),
    ]
    for label, text in lines:
        click.echo(f"{label:11} {text}")
    for fault in faults:
        click.echo(f"FAULT       {fault}")
    for what, ids in ledger.examples.items():
        click.echo(f"{what}: {' '.join(ids)}")
    click.echo("The sums add up." if not faults else "The sums do not add up.")
    return not faults


def _show_progress(share: float) -> None:
    click.echo(f"\r{share:4.0%} read", err=True, nl=share >= 1)


def _times(ledger: "Ledger", *, first_try: bool) -> str:
    p50, p99 = (ledger.took(share, first_try=first_try) for share in (0.5, 0.99))
    return "none yet" if p50 is None else f"p50 {p50:,} ms, p99 {p99:,} ms"
