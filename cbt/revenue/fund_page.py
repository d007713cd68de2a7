"""What everybody may read of a fund: what came in and went out, by kind and never by household. Pure.

A kind with fewer than three payments would tell who was paid, or which member gave, so such kinds stand
together as "other". What offices gave and the trips' share tell of nobody.
Worked numbers in docs/algorithms/funds.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from cbt.revenue.funds import Giver

LEAST_PAYMENTS = 3


class Line(StrEnum):
    """What comes in or goes out beside contributions, which are by giver, and uses, by purpose."""

    TRIPS = "trips"
    LOSSES = "losses"
    LOANS_WAIVED = "loans_waived"
    OTHER = "other"


@dataclass(frozen=True)
class Sum:
    """Money of one kind: a giver, a purpose or a `Line`; `payments` is how many it sums up."""

    kind: StrEnum
    amount_satang: int
    payments: int


@dataclass(frozen=True)
class Page:
    """A fund as the public page shows it. The two sides differ by the balance."""

    trips: int
    came_in: tuple[Sum, ...]
    went_out: tuple[Sum, ...]
    balance_satang: int


_OF_NOBODY = (Line.TRIPS, Giver.LOCAL_GOVERNMENT, Giver.STATE)


def fold(sums: Iterable[Sum], least: int = LEAST_PAYMENTS) -> tuple[Sum, ...]:
    """The sums with those of too few payments together as "other", last; the total stays."""
    shown, other, payments = [], 0, 0
    for each in sums:
        if each.kind != Line.OTHER and (each.payments >= least or each.kind in _OF_NOBODY):
            shown.append(each)
        else:
            other += each.amount_satang
            payments += each.payments
    return (*shown, Sum(Line.OTHER, other, payments)) if payments else tuple(shown)
