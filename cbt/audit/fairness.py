"""How evenly income reached the households of a community. Pure; worked numbers in docs/algorithms/evenness.md.

Equality is not the goal by itself: who has more rooms may earn more. A number that stands out asks for
an explanation, not for a correction. No float: every measure is a fraction, or None where there is too
little to measure, which is never the same as nought.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median_low

from cbt.revenue.fairness import gini, largest_share, lowest_share, participation
from cbt.revenue.rulebook import LEAST_HOUSEHOLDS

SMALL_SAMPLE = 20
"""Below this number of households the small-sample form of the Gini coefficient is shown as well."""

GOAL, START = Fraction(31, 100), Fraction(41, 100)
"""DASTA's plan of 2016 for the country: from 0.410 down to 0.310 by 2037."""

MEASURED_BY_DASTA = (
    ("mai_rut", Fraction(283, 1000)),
    ("u_thong", Fraction(319, 1000)),
    ("koh_chang", Fraction(543, 1000)),
)
"""What DASTA published of communities, to compare with."""


@dataclass(frozen=True)
class Earner:
    """An active member household: what it earned in the window (satang), and its recorded minutes."""

    code: str
    income_satang: int
    minutes: int = 0


@dataclass(frozen=True)
class Hourly:
    """What an hour of recorded work brought, in satang rounded down: least, middle and most."""

    least_satang: int
    middle_satang: int
    most_satang: int
    households: int


@dataclass(frozen=True, kw_only=True)
class Fairness:
    """Every measure over a window of closed months. Fractions are of 1; None: not enough data.

    `gini_small` is the small-sample form, given below SMALL_SAMPLE households.
    """

    households: int
    income_satang: int
    gini: Fraction | None
    gini_small: Fraction | None
    gini_earners: Fraction | None
    hoover: Fraction | None
    jain: Fraction | None
    largest: Fraction | None
    participation: Fraction | None
    bottom_40: Fraction | None
    to_households: Fraction | None
    retention: Fraction | None
    hourly: Hourly | None

    @property
    def leakage(self) -> Fraction | None:
        """The part of the net income that leaves the community."""
        return None if self.retention is None else 1 - self.retention


def measure(earners: Sequence[Earner], net_satang: int, local_satang: int) -> Fairness:
    """All measures. `net_satang` is what the trips brought in, `local_satang` what of it stayed with
    households and funds of the community.

    Below LEAST_HOUSEHOLDS households nothing is said about how they compare.
    """
    incomes = [each.income_satang for each in earners]
    shown = incomes if len(incomes) >= LEAST_HOUSEHOLDS else []
    earning = [each for each in shown if each > 0]
    exact = gini(shown)
    number = len(shown)
    is_small = exact is not None and 1 < number < SMALL_SAMPLE
    return Fairness(
        households=len(incomes),
        income_satang=sum(incomes),
        gini=exact,
        gini_small=exact * Fraction(number, number - 1) if exact is not None and is_small else None,
        gini_earners=gini(earning) if len(earning) >= LEAST_HOUSEHOLDS else None,
        hoover=hoover(shown),
        jain=jain(shown),
        largest=largest_share(shown),
        participation=participation(shown) if any(shown) else None,
        bottom_40=lowest_share(shown),
        to_households=_part(sum(incomes), net_satang),
        retention=_part(local_satang, net_satang),
        hourly=hourly(earners),
    )


def hoover(incomes: Sequence[int]) -> Fraction | None:
    """The part of the money that would have to move for all to have the same."""
    total, number = sum(incomes), len(incomes)
    if total <= 0:
        return None
    return Fraction(sum(abs(number * each - total) for each in incomes), 2 * number * total)


def jain(incomes: Sequence[int]) -> Fraction | None:
    """Jain's index: 1 where all have the same, 1/n where one has everything."""
    squares = sum(each * each for each in incomes)
    return Fraction(sum(incomes) ** 2, len(incomes) * squares) if squares else None


def hourly(earners: Sequence[Earner]) -> Hourly | None:
    """What an hour of work brought to those households whose minutes are recorded.

    Unequal pay for unequal work is not unfair: this is the measure that takes effort into account.
    """
    paid = [
        each.income_satang * 60 // each.minutes
        for each in earners
        if each.minutes > 0 and each.income_satang > 0
    ]
    if len(paid) < LEAST_HOUSEHOLDS:
        return None
    return Hourly(min(paid), median_low(paid), max(paid), len(paid))


def lorenz(incomes: Sequence[int], steps: int = 0) -> tuple[tuple[Fraction, Fraction], ...]:
    """The Lorenz curve: (part of the households, part of the income they have), poorest first.

    From (0, 0) to (1, 1); () where nobody earned. With `steps` the curve is read at so many even
    steps, so that no single household stands out of it.
    """
    if sum(incomes) <= 0:
        return ()
    number = steps or len(incomes)
    parts = [Fraction(step, number) for step in range(number + 1)]
    return tuple((part, lowest_share(incomes, part) or Fraction(0)) for part in parts)


def _part(some: int, whole: int) -> Fraction | None:
    return Fraction(some, whole) if whole > 0 else None
