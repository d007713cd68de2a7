"""Slow, exact twins of the money rules, written apart from them with fractions."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor

from cbt.revenue.policy import Policy


def slow_split(
    net: int,
    costs: Sequence[tuple[str, int]],
    fee: int,
    policy: Policy,
    *,
    discount: int = 0,
    bearer: str = "",
    preparation: int = 0,
) -> dict[str, int]:
    """The parts of a booking by name, worked out with exact fractions.

    With a bearer the buckets are those of the full price, and the discount is taken from one.
    """
    parts = {f"cost {number} {code}": amount for number, (code, amount) in enumerate(costs)}
    parts["payment_fee"] = fee
    parts["intermediary"] = floor(Fraction(net) * Fraction(policy.intermediary_bp, 10_000))
    if preparation:
        parts["preparation"] = preparation
    left = Fraction(net) - sum(parts.values())
    assert left >= 0
    full = left + discount
    given = 0
    for bucket, bp in policy.shares.items():
        if bucket != "provider":
            parts[bucket] = floor(full * Fraction(bp, 10_000))
            given += parts[bucket]
    parts["provider"] = int(full) - given
    if bearer:
        parts[bearer] -= discount
    return parts


def slow_allot(
    costs: Mapping[str, int], available: Sequence[int], register: Sequence[str], turn: int
) -> tuple[list[int], dict[str, int]]:
    """Preparation paid satang by satang: the first booking that still has one gives it."""
    wanted = sum(costs.values())
    left = list(available)
    drawn = [0] * len(left)
    paid = 0
    while paid < wanted and any(left):
        number = next(number for number, each in enumerate(left) if each)
        left[number] -= 1
        drawn[number] += 1
        paid += 1
    if not paid:
        return drawn, {}
    parts = dict(costs) if paid == wanted else slow_share(paid, costs, register, turn)
    return drawn, {code: amount for code, amount in parts.items() if amount}


def slow_share(
    total: int, weights: Mapping[str, int], register: Sequence[str], turn: int
) -> dict[str, int]:
    """Hamilton's method, one satang at a time, with the circle of ties walked step by step."""
    sharers = [code for code in register if weights.get(code, 0) > 0]
    whole = sum(weights[code] for code in sharers)
    exact = {code: Fraction(total * weights[code], whole) for code in sharers}
    parts = {code: floor(exact[code]) for code in sharers}
    start = turn % len(sharers)
    circle = sharers[start:] + sharers[:start]
    waiting = list(circle)
    while sum(parts.values()) < total:
        biggest = max(exact[code] - floor(exact[code]) for code in waiting)
        lucky = next(code for code in waiting if exact[code] - floor(exact[code]) == biggest)
        parts[lucky] += 1
        waiting.remove(lucky)
    return {code: parts.get(code, 0) for code in weights}
