"""A node whose loops stand still does not go on looking alive."""

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from tidings.node.pulse import FROZEN, LOOKS, Pulse, StandsStill, watch_loop


def test_a_loop_that_turns_is_alive() -> None:
    pulse = Pulse({"claim": iter(range(1000)).__next__})
    for _ in range(2 * LOOKS):
        pulse.look()


def test_one_that_has_nothing_to_do_need_not_turn() -> None:
    pulse = Pulse({"record": lambda: None})
    for _ in range(2 * LOOKS):
        pulse.look()


def test_one_that_does_not_turn_for_two_minutes_is_named() -> None:
    pulse = Pulse({"claim": iter(range(1000)).__next__, "record": lambda: 7})
    for _ in range(LOOKS):
        pulse.look()
    with pytest.raises(StandsStill, match="record has not turned"):
        pulse.look()


def test_a_turn_in_between_starts_the_count_anew() -> None:
    turned = 1
    pulse = Pulse({"claim": lambda: turned})
    for _ in range(LOOKS):
        pulse.look()
    turned = 2
    for _ in range(LOOKS):
        pulse.look()


async def test_a_loop_that_is_blocked_ends_its_process() -> None:
    ended = threading.Event()
    stop = watch_loop(asyncio.get_running_loop(), every=0.02, after=10, end=ended.set)
    await asyncio.sleep(0.5)
    assert not ended.is_set()
    time.sleep(1)
    assert ended.is_set()
    stop()


async def test_a_loop_that_is_only_busy_does_not(caplog: pytest.LogCaptureFixture) -> None:
    ended = threading.Event()
    stop = watch_loop(asyncio.get_running_loop(), every=0.02, after=25, end=ended.set)
    for _ in range(10):
        time.sleep(0.1)
        await asyncio.sleep(0)
    assert not ended.is_set()
    stop()


def test_it_says_where_each_thread_was() -> None:
    frozen = """
import asyncio, time
from tidings.node.pulse import watch_loop
async def main():
    watch_loop(asyncio.get_running_loop(), every=0.02, after=10)
    await asyncio.sleep(0.1)
    stands_here()
def stands_here(): time.sleep(30)
asyncio.run(main())
"""
    ended = subprocess.run([sys.executable, "-c", frozen], capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == FROZEN
    assert "in stands_here" in ended.stderr
