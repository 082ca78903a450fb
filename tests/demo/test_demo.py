"""The demo as a newcomer runs it, to its end."""

import os
import subprocess
import sys


def test_the_demo_plays_to_its_end_and_its_sums_add_up() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDINGS_")}
    command = [sys.executable, "-m", "tidings.cli.main", "demo", "--once"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "The sums add up." in done.stdout
    assert "all 58 event types were played" in done.stdout
