"""A radar picture of domain means: a polygon over as many axes as there are domains. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import cos, pi, sin

MIDDLE = 100
_RADIUS = 88


@dataclass(frozen=True)
class Spoke:
    """An axis: where it ends, and where its number stands."""

    domain: int
    x: int
    y: int
    text_x: int
    text_y: int


def spokes(domains: Sequence[int]) -> tuple[Spoke, ...]:
    return tuple(
        Spoke(domain, *_at(number, len(domains), 1.0), *_at(number, len(domains), 1.1))
        for number, domain in enumerate(domains)
    )


def ring(domains: Sequence[int], part: Fraction) -> str:
    """The path of a ring at a part of the way out."""
    return _path([_at(number, len(domains), float(part)) for number in range(len(domains))])


def shape(domains: Sequence[int], means: Mapping[int, Fraction | None], most: int) -> str:
    """The path of the means; a domain without one lies at the middle. "" where none has one."""
    if not any(means.values()):
        return ""
    points = [
        _at(number, len(domains), float((means.get(domain) or Fraction(0)) * Fraction(1, most)))
        for number, domain in enumerate(domains)
    ]
    return _path(points)


def _at(number: int, of: int, part: float) -> tuple[int, int]:
    angle = 2 * pi * number / of - pi / 2
    return (
        round(MIDDLE + _RADIUS * part * cos(angle)),
        round(MIDDLE + _RADIUS * part * sin(angle)),
    )


def _path(points: Sequence[tuple[int, int]]) -> str:
    return f"M{'L'.join(f'{x} {y}' for x, y in points)}Z"
