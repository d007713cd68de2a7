"""The picture of where each baht goes: streams that part from one, and the rows they lead to. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from cbt.money import bp_near
from cbt.revenue.split import Part, PartKind

ROW = 40  # height of a row in the picture's own units; the page stretches rows and picture alike
WIDTH = 100
_THINNEST = 1.2
_SHARES = (PartKind.BUCKET, PartKind.FIXED)


@dataclass(frozen=True)
class Stream:
    """One part of the money: its row beside the picture and its path in it ("" for nothing)."""

    part: Part
    style: str
    path: str


@dataclass(frozen=True)
class Flow:
    streams: tuple[Stream, ...]
    total_satang: int
    height: int


def add_up(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Parts of several bookings as one for each kind and code, in the order of first appearance.

    A sum keeps its parts' basis points; under policies that differ they are what the amounts come
    to, rounded half up.
    """
    alike: dict[tuple[PartKind, str], list[Part]] = {}
    for part in parts:
        alike.setdefault((part.kind, part.code), []).append(part)
    return tuple(_sum(each) for each in alike.values())


def _sum(parts: Sequence[Part]) -> Part:
    amount = sum(part.amount_satang for part in parts)
    base = sum(part.base_satang for part in parts)
    bp = parts[0].bp
    if any(part.bp != bp for part in parts):
        bp = bp_near(amount, base)
    bounds = {part.bound for part in parts}
    bound = bounds.pop() if len(bounds) == 1 else None
    return Part(parts[0].kind, parts[0].code, amount, bp, base, bound)


def draw(parts: Sequence[Part]) -> Flow:
    """Rows in the order of the parts, households first; parts of nothing at the end keep no stream.

    On the left each stream is as thick as its amount; it narrows to its row on the right.
    """
    ordered = sorted(parts, key=_row)
    shown = [part for part in ordered if part.amount_satang or part.kind != PartKind.COST]
    total = sum(part.amount_satang for part in shown)
    height = ROW * len(shown)
    streams = []
    top = 0.0
    for number, part in enumerate(shown):
        path = ""
        if part.amount_satang:
            thick = height * part.amount_satang / total
            path = _path(top, thick, ROW * (number + 0.5))
            top += thick
        streams.append(Stream(part, _style(part), path))
    return Flow(tuple(streams), total, height)


def _row(part: Part) -> int:
    """Shares first, households at the top, then fixed amounts, then what goes outside."""
    return {PartKind.BUCKET: 0, PartKind.FIXED: 1}.get(part.kind, 2)


def _style(part: Part) -> str:
    return part.code if part.kind in _SHARES else part.kind


def _path(top: float, thick: float, middle: float) -> str:
    end = min(max(thick, _THINNEST), ROW * 0.5) / 2
    bend = WIDTH / 2
    points = [
        f"M0 {top:.1f}",
        f"C{bend:.0f} {top:.1f} {bend:.0f} {middle - end:.1f} {WIDTH} {middle - end:.1f}",
        f"V{middle + end:.1f}",
        f"C{bend:.0f} {middle + end:.1f} {bend:.0f} {top + thick:.1f} 0 {top + thick:.1f}",
        "Z",
    ]
    return "".join(points)
