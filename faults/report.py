"""The published report: docs/reliability.md between its two marks, and the same as lines for a terminal."""

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil

from faults.count import Row
from faults.stage import ROOT

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- written by make faults -->", "<!-- end of what make faults wrote -->"


@dataclass(frozen=True, slots=True)
class Report:
    rows: Sequence[Row]
    left_out: Mapping[str, str]
    """Scenarios that were not played, and why."""
    seed: int
    seconds: float

    @property
    def good(self) -> bool:
        return bool(self.rows) and not any(row.faults for row in self.rows)


def write(report: Report, page: Path = PAGE) -> None:
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{in_markdown(report)}\n\n{END}{after}")


def in_markdown(report: Report) -> str:
    whole = [row for row in report.rows if not row.part_of]
    lines = [
        f"Played on {datetime.now(UTC):%Y-%m-%d} on {machine()}, at commit {commit()}, in"
        f" {report.seconds / 60:.0f} minutes; `make faults ARGS='--seed {report.seed}'` plays the same chances again."
        f" {sum(row.accepted for row in whole):,} events accepted, {sum(row.lost for row in whole)} lost,"
        f" {sum(row.repeated for row in whole)} messages repeated.",
        "",
        "| fault | accepted | delivered | lost | repeated | of at most | recovered in | posts made again | time |",
        "|---|" + "---:|" * 8,
        *map(_line, whole),
        "",
        "What is done in each, and how often:",
        "",
        *(f"* **{row.name}**: {row.says} {row.done or 'Nothing'}." for row in whole),
    ]
    for row in whole:
        lines += _steps(row, [part for part in report.rows if part.part_of == row.name])
    if report.left_out:
        lines += ["", "Not played:", "", *(f"* **{name}**: {why}" for name, why in report.left_out.items())]
    if not report.good:
        faults = [f"* **{row.name}**: {fault}" for row in report.rows for fault in row.faults]
        lines += ["", "**Not as it must be:**", "", *faults]
    return "\n".join(lines)


def _line(row: Row) -> str:
    ended = f" + {row.ended_otherwise} ended otherwise" if row.ended_otherwise else ""
    return (
        f"| {row.name} | {row.accepted:,} | {row.delivered:,}{ended} | {row.lost} | {row.repeated} | {row.at_most} |"
        f" {row.recovered:.1f} s | {row.asked_again:,} | {row.seconds:.0f} s |"
    )


def _steps(whole: Row, parts: Sequence[Row]) -> list[str]:
    """`recovered`: until the last of what was held was delivered."""
    if not any(part.accepted or part.at_most for part in parts):
        return ["", f"Steps of {whole.name}: {'; '.join(part.says for part in parts)}."] if parts else []
    return [
        "",
        f"Steps of {whole.name}:",
        "",
        "| step | where | accepted meanwhile | lost | held | of it repeated | last of it delivered after |",
        "|---|---|" + "---:|" * 5,
        *(
            f"| {part.name} | {part.says} | {part.accepted:,} | {part.lost} | {part.at_most} | {part.repeated} |"
            f" {part.recovered:.1f} s |"
            for part in parts
        ),
    ]


def line(row: Row) -> str:
    """For a terminal, while the others are still played."""
    counts = (
        f"{row.accepted:6} accepted {row.delivered:6} delivered {row.lost} lost {row.repeated:4} of at most"
        f" {row.at_most:4} repeated, recovered in {row.recovered:.1f} s"
    )
    return f"{'ok  ' if not row.faults else 'BAD '} {row.name:<32} {counts}" + "".join(
        f"\n     {each}" for each in row.faults
    )


def machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB, Linux {platform.release().partition('-')[0]},"
        f" Python {platform.python_version()}, load average {os.getloadavg()[2]:.0f} over the last 15 minutes"
    )


def _processor() -> str:
    for text in Path("/proc/cpuinfo").read_text().splitlines():
        if text.startswith("model name"):
            return text.partition(":")[2].strip()
    return platform.machine()


def commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", ROOT, *arguments], capture_output=True, text=True, check=False
        ).stdout.strip()

    changed = " with changes" if git("status", "--porcelain", "--", "src") else ""
    return f"{git('rev-parse', '--short', 'HEAD') or 'unknown'}{changed}"
