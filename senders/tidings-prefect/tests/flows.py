"""Flows that end in every way. `python flows.py NAME...` runs them one after the other."""

import sys
from contextlib import suppress

from prefect import flow, tags
from prefect.flows import Flow

from tidings_prefect import notify

tries = 0


@flow
def good() -> None:
    """Owned by somebody."""


@flow
def bad() -> None:
    raise ValueError('no table "orders"\n[SQL: SELECT secret FROM orders]')


@flow(retries=1, retry_delay_seconds=1)
def again() -> None:
    global tries
    tries += 1
    if tries == 1:
        raise RuntimeError("not yet")


@flow
def crashing() -> None:
    raise SystemExit(3)


@flow(on_completion=[notify], on_failure=[notify], on_crashed=[notify], on_cancellation=[notify])
def hooked(fail: bool = False) -> None:
    if fail:
        raise ValueError("no such partition")


def hooked_and_failing() -> None:
    hooked(fail=True)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        one: Flow[[], None] = globals()[name]
        with tags("owner:ann", "nightly"), suppress(ValueError, SystemExit):
            one()
