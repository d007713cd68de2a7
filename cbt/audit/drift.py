"""How far rounding carried households from their exact shares. Pure; docs/algorithms/sharing.md.

A share is rounded at each departure, and the satang left over go to the largest remainders in turn. What a
household gets more or less than its exact fraction so adds up over a year; here it is counted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from cbt.revenue.policy import Bucket, Policy, ProviderRule
from cbt.revenue.posting import SharingFacts, share_dividends
from cbt.revenue.sharing import weigh

MOST_SATANG = 200
"""Two baht in twelve months."""


@dataclass(frozen=True)
class Drift:
    """What a household's exact shares come to, in satang, and what was booked for it."""

    household: str
    exact: Fraction
    booked_satang: int

    @property
    def satang(self) -> Fraction:
        """Above zero, rounding gave it more."""
        return self.booked_satang - self.exact

    @property
    def is_large(self) -> bool:
        return abs(self.satang) > MOST_SATANG


def drift_of(shared: Iterable[tuple[SharingFacts, Mapping[str, int]]]) -> tuple[Drift, ...]:
    """Each household's drift over some departures, given with what was booked for each household.

    In the order of households' codes.
    """
    exact: dict[str, Fraction] = {}
    booked: dict[str, int] = {}
    for facts, amounts in shared:
        for code, share in exact_shares(facts).items():
            exact[code] = exact.get(code, Fraction(0)) + share
        for code, amount in amounts.items():
            booked[code] = booked.get(code, 0) + amount
    return tuple(
        Drift(code, exact.get(code, Fraction(0)), booked.get(code, 0))
        for code in sorted({*exact, *booked})
    )


def exact_shares(facts: SharingFacts) -> dict[str, Fraction]:
    """What each household would get of a departure if satang could be divided.

    What was prepared is paid in whole satang as it was agreed, so that its amounts are exact.
    """
    shares = {code: Fraction(amount) for code, amount in facts.prepared}
    whole = sum(pool for _policy, pool in facts.pools)
    for policy, pool in facts.pools:
        weights = {code: each for code, each in weigh(facts.work, policy.rates).items() if each}
        if pool and weights:
            of = _of_pool(policy, pool, whole, sum(weights.values()))
            _add(shares, weights, of)
    for dividend in share_dividends(facts):
        of = Fraction(dividend.pool_satang, sum(dividend.weights.values()))
        _add(shares, dividend.weights, of)
    return shares


def _of_pool(policy: Policy, pool: int, whole: int, weight: int) -> Fraction:
    """What one unit of weight has of a pool. Agreed rates are satang; a surplus may leave for a fund."""
    rates_are_paid = policy.provider_rule == ProviderRule.RATES_FIRST and weight <= whole
    if rates_are_paid and policy.surplus != Bucket.PROVIDER:
        return Fraction(pool, whole)
    return Fraction(pool, weight)


def _add(shares: dict[str, Fraction], weights: Mapping[str, int], of: Fraction) -> None:
    for code, weight in weights.items():
        shares[code] = shares.get(code, Fraction(0)) + weight * of
