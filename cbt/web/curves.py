"""The pictures of fairness as points of a drawing: the Lorenz curve and the months' line. Pure.

A drawing is SIDE units wide and high, y downwards, with whole units: nothing finer can be seen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

SIDE = 200
_LEAST_TOP = Fraction(60, 100)


@dataclass(frozen=True)
class Dot:
    """A month's value with its place in the drawing."""

    month: date
    value: Fraction
    x: int
    y: int


@dataclass(frozen=True)
class Line:
    """The months' values as dots, `path` through them; a gap is left where a month has none.

    `marks` are the places of the values to compare with, by value.
    """

    dots: tuple[Dot, ...]
    path: str
    marks: tuple[tuple[Fraction, int], ...]


def lorenz_path(points: Sequence[tuple[Fraction, Fraction]]) -> str:
    """The curve's path through its points, closed along the line of equality; "" where there is none."""
    if not points:
        return ""
    places = [f"{round(x * SIDE)} {SIDE - round(y * SIDE)}" for x, y in points]
    return f"M{'L'.join(places)}Z"


def draw_line(
    values: Sequence[tuple[date, Fraction | None]], marks: Iterable[Fraction] = ()
) -> Line:
    """Months from left to right, values from 0 at the foot to the highest (at least 0.60) at the top."""
    compared = tuple(marks)
    found = [value for _month, value in values if value is not None]
    top = max([_LEAST_TOP, *found, *compared])

    def height(value: Fraction) -> int:
        return SIDE - round(value / top * SIDE)

    steps = max(1, len(values) - 1)
    dots, path, pen = [], [], "M"
    for place, (month, value) in enumerate(values):
        if value is None:
            pen = "M"
            continue
        dot = Dot(month, value, round(Fraction(place * SIDE, steps)), height(value))
        dots.append(dot)
        path.append(f"{pen}{dot.x} {dot.y}")
        pen = "L"
    return Line(tuple(dots), "".join(path), tuple((each, height(each)) for each in compared))
