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

    With a bearer the buckets are those of the full price, and the discount is taken from one. Of the
    money, everybody in the line gets what those before them have left, up to what they want.
    """
    parts = {f"cost {number} {code}": amount for number, (code, amount) in enumerate(costs)}
    parts["payment_fee"] = fee
    parts["intermediary"] = floor(
        min(
            Fraction(net) * Fraction(policy.intermediary_bp, 10_000),
            Fraction(
                net if policy.intermediary_cap_satang is None else policy.intermediary_cap_satang
            ),
        )
    )
    if preparation:
        parts["preparation"] = preparation
    full = net - sum(parts.values()) + discount
    assert full - discount >= 0
    limits = {str(bucket): each for bucket, each in policy.limits.items()}
    least = (limits["provider"].floor_satang or 0) if "provider" in limits else 0
    line = [("least", min(Fraction(least), full))]
    line += [
        (f"fixed {each}", Fraction(policy.fixed[each]))
        for each in policy.buckets
        if each in policy.fixed
    ]
    taken = _along(full, line)
    base = full - sum(amount for name, amount in taken.items() if name != "least")
    funds = [str(bucket) for bucket in policy.buckets if bucket != "provider"]
    for bucket in funds:
        share = Fraction(base * policy.shares[bucket], 10_000)
        cap = limits[bucket].cap_satang if bucket in limits else None
        line.append((bucket, Fraction(floor(share if cap is None else min(share, cap)))))
    taken = _along(full, line)
    for bucket in funds:
        least_of_it = (limits[bucket].floor_satang or 0) if bucket in limits else 0
        line.append((f"lift {bucket}", Fraction(max(0, least_of_it - taken[bucket]))))
    taken = _along(full, line)
    parts |= {name: amount for name, amount in taken.items() if name.startswith("fixed ")}
    for bucket in funds:
        parts[bucket] = taken[bucket] + taken[f"lift {bucket}"]
    parts["provider"] = full - sum(amount for name, amount in taken.items() if name != "least")
    if bearer:
        parts[bearer] = parts.get(bearer, 0) - discount
    return parts


def _along(money: int, line: Sequence[tuple[str, Fraction]]) -> dict[str, int]:
    """What each in a line gets: what is left when all before have got what they want."""
    before = Fraction(0)
    got = {}
    for name, wanted in line:
        got[name] = int(min(wanted, max(Fraction(0), money - before)))
        before += wanted
    return got


def slow_rates_first(
    pool: int,
    whole: int,
    weights: Mapping[str, int],
    register: Sequence[str],
    turn: int,
    *,
    to_fund: bool,
) -> tuple[dict[str, int], int]:
    """(what households get, what the surplus fund gets) where agreed rates are paid first."""
    agreed = {code: floor(Fraction(weight * pool, whole)) for code, weight in weights.items()}
    rest = pool - sum(agreed.values())
    if rest < 0:
        return slow_share(pool, weights, register, turn), 0
    if to_fund:
        return agreed, rest
    more = slow_share(rest, weights, register, turn)
    return {code: agreed[code] + more[code] for code in weights}, 0


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
