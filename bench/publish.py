"""`make bench ARGS=--publish`: measure everything and write it into docs/performance.md.

Each section is written between two marks, `<!-- measured: NAME -->` and `<!-- end: NAME -->`, and comes from a module
of this package that has `section() -> str`: Markdown without a heading. What stands outside the marks is written by
hand and stays as it is.
"""

import platform
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import psutil

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
MODULES = {
    "whole-way": "bench.whole_way",
    "peers": "bench.peers",
    "fairness": "bench.fairness",
    "steps": "bench.steps",
    "pages": "bench.pages",
    "growth": "bench.growth",
}
"""By section. A module that is not there yet, and a section without its marks on the page, are passed over."""


def run(wanted: Sequence[str]) -> int:
    """All sections, or those that are named. Each is on the page as soon as it is measured."""
    names = ["machine", *(name for name in MODULES if name in (wanted or MODULES) and find_spec(MODULES[name]))]
    for name in names:
        began = time.monotonic()
        measured: Callable[[], str] = machine if name == "machine" else import_module(MODULES[name]).section
        write(name, measured())
        print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    return 0


def write(name: str, text: str) -> None:
    between = re.compile(rf"(<!-- measured: {name} -->\n).*?(<!-- end: {name} -->)", re.DOTALL)
    page, marks = between.subn(lambda found: f"{found[1]}{text.strip()}\n{found[2]}", PAGE.read_text())
    if not marks:
        print(f"{name}: the page has no marks for it", flush=True)
    PAGE.write_text(page)


def machine() -> str:
    """What all of it was measured on, and when."""
    memory = psutil.virtual_memory().total / 2**30
    return "\n".join([
        f"* {cores()}, {memory:.0f} GiB of memory, {platform.system()} {platform.release().split('-')[0]}",
        f"* Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit()}",
    ])  # fmt: skip


def cores() -> str:
    known = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*:\s*(.+)", known.read_text()) if known.exists() else []
    return f"{psutil.cpu_count()} cores" + (f" ({names[0]})" if names else "")


def commit() -> str:
    """Marked where the tree has changes that are not committed; those of the page itself are no news."""

    def said(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=PAGE.parent, capture_output=True, text=True, check=False).stdout

    dirty = said("status", "--porcelain", "--untracked-files=no", ":/", f":(exclude){PAGE}").strip()
    return (said("rev-parse", "--short=10", "HEAD").strip() or "unknown") + (" and changes" if dirty else "")
