"""Slow, exact twins of the money rules, written apart from them with fractions."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor

from cbt.revenue.policy import Policy


def slow_split(
    net: int, costs: Sequence[tuple[str, int]], fee: int, policy: Policy
) -> dict[str, int]:
    """The parts of a booking by name, worked out with exact fractions."""
    parts = {f"cost {number} {code}": amount for number, (code, amount) in enumerate(costs)}
    parts["payment_fee"] = fee
    parts["intermediary"] = floor(Fraction(net) * Fraction(policy.intermediary_bp, 10_000))
    left = Fraction(net) - sum(parts.values())
    assert left >= 0
    given = 0
    for bucket, bp in policy.shares.items():
        if bucket != "provider":
            parts[bucket] = floor(left * Fraction(bp, 10_000))
            given += parts[bucket]
    parts["provider"] = int(left) - given
    return parts


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
