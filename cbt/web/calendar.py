"""A month of departures as a grid of weeks. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from cbt.bookings.records import DepartureCard
from cbt.bookings.states import DepartureState
from cbt.clock import next_month
from cbt.experiences.pricing import PriceList, Unit
from cbt.experiences.records import OptionCard

FEW = 3
"""So many free places, or fewer, are few."""


class DayState(StrEnum):
    """What a day offers to a party, from the best to nothing."""

    FREE = "free"
    FEW = "few"
    WAITING = "waiting"  # too little room for the party, but it may wait for some
    FULL = "full"  # the party is more than the whole departure
    CLOSED = "closed"
    CALLED_OFF = "called_off"
    NONE = "none"


CHOOSABLE = (DayState.FREE, DayState.FEW, DayState.WAITING)
_ORDER = list(DayState)


@dataclass(frozen=True)
class Cell:
    """A day of the grid; `free` is the most places that one of its departures still has.

    `from_satang` is the lowest price of the day, or None where nobody can choose the day.
    """

    day: date
    in_month: bool
    state: DayState
    free: int
    from_satang: int | None

    @property
    def is_choosable(self) -> bool:
        return self.state in CHOOSABLE


def is_open(departure: DepartureCard, now: datetime) -> bool:
    """Whether guests can still be taken, or wait for room."""
    return departure.closes_at > now and departure.state == DepartureState.OPEN


def day_state(departure: DepartureCard, places: int, now: datetime) -> DayState:
    """What one departure offers to a party that takes so many places."""
    if departure.begins_at <= now or departure.state == DepartureState.SETTLED:
        return DayState.NONE
    if departure.state == DepartureState.CALLED_OFF:
        return DayState.CALLED_OFF
    if not is_open(departure, now):
        return DayState.CLOSED
    if departure.free < places:
        return DayState.WAITING if places <= departure.capacity else DayState.FULL
    return DayState.FEW if departure.free <= FEW else DayState.FREE


def price_from(price_list: PriceList) -> int:
    """The satang that a price list begins with: a boat's, else an adult's, else the first that pays."""
    if price_list.per_group:
        return price_list.per_group.price_satang
    paying = [price for price in price_list.prices if price.price_satang]
    paying.sort(key=lambda price: price.unit != Unit.ADULT)
    return paying[0].price_satang if paying else 0


def month_grid(
    month: date,
    departures: Iterable[DepartureCard],
    options: Mapping[int, OptionCard],
    places: int,
    today: date,
    now: datetime,
) -> list[list[Cell]]:
    """Weeks from Monday to Sunday that cover the month beginning on `month`, without past weeks.

    `options` are those that depart, by id; `places` is what the party takes.
    """
    by_day: dict[date, list[DepartureCard]] = {}
    for departure in departures:
        by_day.setdefault(departure.starts_on, []).append(departure)
    day = max(month, min(today, next_month(month) - timedelta(days=1)))
    day -= timedelta(days=day.weekday())
    weeks: list[list[Cell]] = []
    while not weeks or (day.year, day.month) == (month.year, month.month):
        week = [day + timedelta(days=offset) for offset in range(7)]
        weeks.append(
            [_cell(each, month, by_day.get(each, []), options, places, now) for each in week]
        )
        day += timedelta(days=7)
    return weeks


def _cell(
    day: date,
    month: date,
    departures: list[DepartureCard],
    options: Mapping[int, OptionCard],
    places: int,
    now: datetime,
) -> Cell:
    in_month = (day.year, day.month) == (month.year, month.month)
    states = [day_state(each, places, now) for each in departures]
    state = min(states, key=_ORDER.index, default=DayState.NONE)
    offered = [each for each, own in zip(departures, states, strict=True) if own in CHOOSABLE]
    prices = [price_from(options[each.option_id].price_list_on(day)) for each in offered]
    free = max((each.free for each in offered), default=0)
    return Cell(day, in_month, state, free, min(prices, default=None))
