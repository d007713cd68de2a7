"""Instants are UTC; a departure's date and start are the village's."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

YEARS = (1900, 2400)  # what people can mean; beyond them dates and calendars run out
BUDDHIST_ERA = 543  # B.E. year = C.E. year + 543, for display only


def utc_now() -> datetime:
    """The only place that asks for the time; everything below the doors is told it."""
    return datetime.now(UTC)


def to_instant(day: date, start: time, zone: str) -> datetime:
    """The instant, in UTC, of a village's day and hour."""
    return datetime.combine(day, start, ZoneInfo(zone)).astimezone(UTC)


def to_village(instant: datetime, zone: str) -> datetime:
    """An instant as the village's clocks show it."""
    return instant.astimezone(ZoneInfo(zone))


def village_day(instant: datetime, zone: str) -> date:
    return to_village(instant, zone).date()


def read_year(typed: int) -> int:
    """A typed year as C.E.: 2400 and above is read as B.E."""
    return typed - BUDDHIST_ERA if typed >= 2400 else typed


def read_day(text: str) -> date:
    """Read `YYYY-MM-DD`, with the year in either era. Raises ValueError, also far from our time."""
    year, month, day = (int(part) for part in text.strip().split("-"))
    if not (YEARS[0] <= read_year(year) <= YEARS[1] and 1 <= month <= 12 and 1 <= day <= 31):
        raise ValueError(text)
    return date(read_year(year), month, day)


def month_of(text: str) -> date:
    """Read `YYYY-MM` as the first day of that month. Raises ValueError."""
    return read_day(f"{text}-01")


def next_month(day: date) -> date:
    """The first day of the month after the one that `day` lies in."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def month_before(day: date) -> date:
    """The first day of the month before the one that `day` lies in."""
    return date(day.year - (day.month == 1), (day.month - 2) % 12 + 1, 1)
