"""A month of departures as a grid of weeks. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from cbt.bookings.records import DepartureCard
from cbt.bookings.states import DepartureState
from cbt.clock import next_month


class DayState(StrEnum):
    """What a day offers to a party."""

    NONE = "none"
    FULL = "full"
    FREE = "free"


@dataclass(frozen=True)
class Cell:
    """A day of the grid; `free` is the most places that one of its departures still has."""

    day: date
    in_month: bool
    state: DayState
    free: int


def is_open(departure: DepartureCard, now: datetime) -> bool:
    return departure.begins_at > now and departure.state == DepartureState.OPEN


def month_grid(
    month: date, departures: Iterable[DepartureCard], places: int, today: date, now: datetime
) -> list[list[Cell]]:
    """Weeks from Monday to Sunday that cover the month beginning on `month`, without past weeks."""
    free: dict[date, int] = {}
    for departure in departures:
        if is_open(departure, now):
            free[departure.starts_on] = max(free.get(departure.starts_on, 0), departure.free)
    day = max(month, min(today, next_month(month) - timedelta(days=1)))
    day -= timedelta(days=day.weekday())
    weeks: list[list[Cell]] = []
    while not weeks or (day.year, day.month) == (month.year, month.month):
        weeks.append(
            [_cell(day + timedelta(days=offset), month, free, places) for offset in range(7)]
        )
        day += timedelta(days=7)
    return weeks


def _cell(day: date, month: date, free: dict[date, int], places: int) -> Cell:
    state = DayState.NONE
    if day in free:
        state = DayState.FREE if free[day] >= places else DayState.FULL
    return Cell(day, (day.year, day.month) == (month.year, month.month), state, free.get(day, 0))
