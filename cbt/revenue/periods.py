"""Which month an entry of the books belongs to, and which month may be closed. Pure.

See docs/algorithms/periods.md. A period is a calendar month of a community, named by its first day.
Closing it fixes a number: the last entry that the books held at that moment. So a closed period can
never gain an entry; a fact that comes late lands in the oldest open one and says by its own day
which it concerns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cbt.clock import month_before, next_month
from cbt.errors import NothingToClose, PeriodNotNext, PeriodNotOver

DAYS_TO_CLOSE = 15
"""A period closed later than so many days after its last one is late (rule PRD-13)."""


@dataclass(frozen=True)
class Close:
    """A closed period: the first day of its month, and the number of its last entry."""

    month: date
    closing_seq: int


@dataclass(frozen=True)
class Span:
    """What a period takes in: entries effective by `last_day`, numbered up to `closing_seq`.

    An open period has no closing number. What `before`, the latest close ahead of it, took in already
    is left out; `after`, the last day of the month before, leaves out what belongs to open months
    ahead of it.
    """

    month: date
    last_day: date
    closing_seq: int | None
    before: Close | None
    after: date | None

    def holds(self, effective_on: date, seq: int) -> bool:
        """Whether an entry belongs to this period."""
        if effective_on > self.last_day:
            return False
        if self.closing_seq is not None and seq > self.closing_seq:
            return False
        if self.before is not None and is_within(self.before, effective_on, seq):
            return False
        return self.after is None or effective_on > self.after


def last_day_of(month: date) -> date:
    """The last day of the month that begins on `month`."""
    return next_month(month) - timedelta(days=1)


def is_within(close: Close, effective_on: date, seq: int) -> bool:
    """Whether an entry was in the books when a period was closed, and effective by its last day.

    It then belongs to that period or to one before it.
    """
    return effective_on <= last_day_of(close.month) and seq <= close.closing_seq


def period_of(effective_on: date, seq: int, closes: Sequence[Close]) -> date:
    """The month of the period that an entry belongs to, as its first day.

    `closes` holds the closed periods in their order, month after month. An entry belongs to the first
    period, in order, whose last day is not before the entry's and, where it is closed, whose last entry
    is not before the entry.
    """
    for close in closes:
        if is_within(close, effective_on, seq):
            return close.month
    own = effective_on.replace(day=1)
    return max(own, next_month(closes[-1].month)) if closes else own


def concerns(effective_on: date, period: date) -> date | None:
    """The earlier month that an entry of a period concerns, or None when it is the period's own."""
    own = effective_on.replace(day=1)
    return own if own < period else None


def span_of(month: date, closes: Sequence[Close]) -> Span:
    """What the period of a month takes in, closed or open."""
    last_day = last_day_of(month)
    earlier = [close for close in closes if close.month < month]
    before = earlier[-1] if earlier else None
    for close in closes:
        if close.month == month:
            return Span(month, last_day, close.closing_seq, before, None)
    if closes and month < closes[0].month:
        return Span(month, last_day, 0, None, None)  # its facts came late: they stand in the first
    oldest = next_month(closes[-1].month) if closes else None
    late_facts_land_here = oldest == month
    after = None if late_facts_land_here else last_day_of(month_before(month))
    return Span(month, last_day, None, before, after)


def next_to_close(closes: Sequence[Close], first_on: date | None) -> date | None:
    """The oldest open period: the one after the last closed, or that of the books' first day.

    None while the books hold nothing.
    """
    if closes:
        return next_month(closes[-1].month)
    return first_on.replace(day=1) if first_on else None


def require_closable(
    month: date, closes: Sequence[Close], first_on: date | None, today: date
) -> None:
    """Raise unless `month` may be closed on `today`, a day of the village.

    NothingToClose while the books are empty, PeriodNotNext for any other than the oldest open period,
    PeriodNotOver until its last day is over.
    """
    wanted = next_to_close(closes, first_on)
    if wanted is None:
        raise NothingToClose
    if month != wanted:
        raise PeriodNotNext(next=wanted)
    if today <= last_day_of(month):
        raise PeriodNotOver(last_day=last_day_of(month))


def days_after(month: date, today: date) -> int:
    """How many days after the month's last one `today` is; above DAYS_TO_CLOSE a close is late."""
    return (today - last_day_of(month)).days
