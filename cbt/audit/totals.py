"""Totals over communities for those who may read no single household. Pure.

Small numbers are hidden: where fewer than five households earned, neither income nor Gini coefficient is
shown, and no sum takes the community in, so that nothing can be had by subtraction.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from cbt.revenue.fairness import gini
from cbt.revenue.rulebook import LEAST_HOUSEHOLDS, LEAST_MONTHS


@dataclass(frozen=True)
class CommunityTotals:
    """A community over a window of months. Money in satang; only closed months are in it.

    `incomes` are those of the member households, who earned nothing with 0; `funds` what each fund held
    at the end of the last closed month.
    """

    slug: str
    name: dict[str, str]
    province_code: str
    province: dict[str, str]
    is_sample: bool
    months: int
    last_month: date | None
    bookings: int
    net_satang: int
    incomes: tuple[int, ...]
    funds: Mapping[str, int] = field(default_factory=dict)

    @property
    def earning(self) -> int:
        return sum(each > 0 for each in self.incomes)

    @property
    def is_hidden(self) -> bool:
        """Whether so few households earned that sums would tell of one of them."""
        return self.earning < LEAST_HOUSEHOLDS

    @property
    def income_satang(self) -> int:
        return sum(self.incomes)

    @property
    def gini(self) -> Fraction | None:
        """None where it is not to be judged: too few households or closed months, or hidden."""
        is_enough = len(self.incomes) >= LEAST_HOUSEHOLDS and self.months >= LEAST_MONTHS
        return gini(self.incomes) if is_enough and not self.is_hidden else None


@dataclass(frozen=True)
class Sums:
    """Several communities together; `hidden` of them are in no figure."""

    code: str
    name: dict[str, str]
    communities: int
    hidden: int
    bookings: int
    net_satang: int
    income_satang: int
    earning: int
    funds: Mapping[str, int]


def add_up(code: str, name: dict[str, str], totals: Iterable[CommunityTotals]) -> Sums:
    """The sums over those communities that are not hidden."""
    every = list(totals)
    shown = [each for each in every if not each.is_hidden]
    funds: dict[str, int] = {}
    for each in shown:
        for fund, amount in each.funds.items():
            funds[fund] = funds.get(fund, 0) + amount
    return Sums(
        code,
        name,
        len(every),
        len(every) - len(shown),
        sum(each.bookings for each in shown),
        sum(each.net_satang for each in shown),
        sum(each.income_satang for each in shown),
        sum(each.earning for each in shown),
        funds,
    )


def by_province(totals: Sequence[CommunityTotals]) -> list[Sums]:
    """The sums of each province, in the order of their codes."""
    names = {each.province_code: each.province for each in totals}
    return [
        add_up(code, names[code], (each for each in totals if each.province_code == code))
        for code in sorted(names)
    ]
