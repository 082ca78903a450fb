"""Plots, drawn on the server: where each bar and line goes. How they look is the style's business, and what they say
stands beside them as a table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log10

WIDTH, HEIGHT = 440, 150
LEFT, TOP, BOTTOM = 46, 8, 20
MARKS_ACROSS = 5


@dataclass(frozen=True, slots=True)
class Bar:
    """One above the other, from the bottom: what went well, what did not."""

    x: float
    width: float
    good_y: float
    good_height: float
    bad_y: float
    bad_height: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A line across, or a place on the axis, with its text."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Stamp:
    at: float
    moment: datetime


@dataclass(frozen=True, slots=True)
class Bars:
    bars: Sequence[Bar]
    lines: Sequence[Mark]
    stamps: Sequence[Stamp]


@dataclass(frozen=True, slots=True)
class Lines:
    """`points` as `<polyline>` wants them, one piece for each unbroken stretch."""

    high: Sequence[str]
    low: Sequence[str]
    high_dots: Sequence[tuple[float, float]]
    low_dots: Sequence[tuple[float, float]]
    lines: Sequence[Mark]
    stamps: Sequence[Stamp]


def bars(times: Sequence[datetime], good: Sequence[int], bad: Sequence[int]) -> Bars:
    most = round_up(max([each + other for each, other in zip(good, bad, strict=True)], default=0))
    inner, step = HEIGHT - TOP - BOTTOM, (WIDTH - LEFT) / max(len(times), 1)
    drawn = []
    for place, (well, not_well) in enumerate(zip(good, bad, strict=True)):
        up, over = inner * well / most, inner * not_well / most
        if not_well:  # one that failed among a thousand is still to be seen
            over = max(over, 2.0)
        base = float(TOP + inner)
        drawn.append(
            Bar(
                round(LEFT + place * step + step * 0.12, 1), round(step * 0.76, 1),
                round(base - up, 1), round(up, 1), round(base - up - over, 1), round(over, 1),
            )
        )  # fmt: skip
    lines = [Mark(round(TOP + inner * (1 - share), 1), _count(most * share)) for share in (0.0, 0.5, 1.0)]
    return Bars(drawn, lines, _stamps(times, step))


def times(moments: Sequence[datetime], low: Sequence[float | None], high: Sequence[float | None]) -> Lines:
    """On a scale of powers of ten: what took a second and what took an hour are both to be seen."""
    known = [each for each in (*low, *high) if each]
    floor, top = _powers(known)
    inner, step = HEIGHT - TOP - BOTTOM, (WIDTH - LEFT) / max(len(moments), 1)

    def y(value: float) -> float:
        return round(TOP + inner * (1 - (log10(value) - floor) / (top - floor)), 1)

    def x(place: int) -> float:
        return round(LEFT + (place + 0.5) * step, 1)

    lines = [Mark(y(10.0**power), _seconds(10.0**power)) for power in range(floor, top + 1)]
    return Lines(
        _pieces(high, x, y),
        _pieces(low, x, y),
        [(x(place), y(each)) for place, each in enumerate(high) if each],
        [(x(place), y(each)) for place, each in enumerate(low) if each],
        lines,
        _stamps(moments, step),
    )


def round_up(most: float) -> int:
    """To a number that halves well: 1, 2, 4, 10, 20, 40 ..."""
    if most <= 1:
        return 1
    power = 10 ** int(log10(most))
    return int(next(factor * power for factor in (1, 2, 4, 10) if factor * power >= most))


def _powers(known: Sequence[float]) -> tuple[int, int]:
    floor, top = -2, 0
    for each in known:
        while each < 10.0**floor:
            floor -= 1
        while each > 10.0**top:
            top += 1
    return floor, top


def _pieces(values: Sequence[float | None], x: Callable[[int], float], y: Callable[[float], float]) -> list[str]:
    pieces: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if value:
            pieces[-1].append(f"{x(place)},{y(value)}")
        elif pieces[-1]:
            pieces.append([])
    return [" ".join(piece) for piece in pieces if len(piece) > 1]


def _stamps(moments: Sequence[datetime], step: float) -> list[Stamp]:
    every = max(len(moments) // MARKS_ACROSS, 1)
    return [Stamp(round(LEFT + (place + 0.5) * step, 1), moments[place]) for place in range(0, len(moments), every)]


def _count(value: float) -> str:
    if value >= 1_000_000:
        return f"{value / 1_000_000:g}M"
    return f"{value / 1_000:g}k" if value >= 1_000 else f"{value:g}"


def _seconds(value: float) -> str:
    return f"{value * 1000:g} ms" if value < 1 else f"{value:,g} s"
