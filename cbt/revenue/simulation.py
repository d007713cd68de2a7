"""A past month run again under another policy, beside what it was. Pure.

Nothing is posted: the facts of each departure are those that were settled, only the policy differs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from cbt.communities import chart
from cbt.errors import CostsExceedIncome, DiscountTooLarge, NobodyToShare, NoWorkRecorded
from cbt.ledger.entries import Leg
from cbt.revenue.policy import Policy
from cbt.revenue.posting import (
    BookingFacts,
    SharingFacts,
    of_what_is_left,
    sharing_legs,
    split_booking,
    split_draft,
)

_ACTOR = "simulation"


@dataclass(frozen=True)
class Departed:
    """One settled departure: its bookings and what was shared out."""

    bookings: tuple[BookingFacts, ...]
    sharing: SharingFacts


@dataclass(frozen=True)
class Change:
    """An account, what it got and what it would have got. In satang."""

    account: str
    before_satang: int
    after_satang: int

    @property
    def difference_satang(self) -> int:
        return self.after_satang - self.before_satang


@dataclass(frozen=True)
class Simulation:
    """What a policy would have changed.

    `short` are the bookings that it could not have split in full; `waiting` counts the departures
    whose pool nobody's work would have had a rate for, so that it would have waited.
    """

    changes: tuple[Change, ...]
    bookings: int
    departures: int
    short: tuple[str, ...]
    waiting: int

    @property
    def households(self) -> tuple[Change, ...]:
        return tuple(each for each in self.changes if is_household(each.account))

    @property
    def others(self) -> tuple[Change, ...]:
        return tuple(each for each in self.changes if not is_household(each.account))


def is_household(account: str) -> bool:
    return account.startswith(chart.household(""))


def under(facts: BookingFacts, policy: Policy) -> tuple[BookingFacts, bool]:
    """A booking's facts as if it had been sold under a policy, and whether it falls short under it."""
    own = replace(facts, policy=policy)
    try:
        split_booking(own)
    except (CostsExceedIncome, DiscountTooLarge):
        return of_what_is_left(own), True
    return own, False


def compare(
    before: Sequence[Departed], after: Sequence[Departed], short: Iterable[str]
) -> Simulation:
    """What every account got before and after, in the order of the first to name it."""
    old, _waited = _add_up(before)
    new, waiting = _add_up(after)
    return Simulation(
        changes=tuple(
            Change(account, old.get(account, 0), new.get(account, 0))
            for account in sorted({**old, **new}, key=_place)
            if old.get(account) or new.get(account)
        ),
        bookings=sum(len(each.bookings) for each in before),
        departures=len(before),
        short=tuple(short),
        waiting=waiting,
    )


def _place(account: str) -> tuple[int, str]:
    """Households first, in the order of their codes, then funds, then what goes outside."""
    kinds = ("household", "pool", "fund")
    kind = account.partition(":")[0]
    return (kinds.index(kind) if kind in kinds else len(kinds), account)


def _add_up(departed: Sequence[Departed]) -> tuple[dict[str, int], int]:
    """(what each account got altogether, on how many departures a pool would wait)."""
    totals: dict[str, int] = {}
    waiting = 0
    for each in departed:
        for booking in each.bookings:
            _move(totals, split_draft(booking, _ACTOR).legs)
        try:
            _move(totals, sharing_legs(each.sharing))
        except (NoWorkRecorded, NobodyToShare):
            waiting += 1
    totals.pop(chart.GUEST_DEPOSIT, None)
    return totals, waiting


def _move(totals: dict[str, int], legs: Iterable[Leg]) -> None:
    for leg in legs:
        totals[leg.source] = totals.get(leg.source, 0) - leg.amount_satang
        totals[leg.target] = totals.get(leg.target, 0) + leg.amount_satang
