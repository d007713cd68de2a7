"""Which parts of which days a departure or a stay occupies, by the village's clock. Pure."""

from datetime import date, datetime, time, timedelta
from enum import StrEnum


class Part(StrEnum):
    """A part of a day. DAY is the whole date, for what is counted per day."""

    MORNING = "morning"
    AFTERNOON = "afternoon"
    EVENING = "evening"
    NIGHT = "night"
    DAY = "day"


HOURS = {
    Part.MORNING: (6, 12),
    Part.AFTERNOON: (12, 17),
    Part.EVENING: (17, 21),
    Part.NIGHT: (21, 30),  # to 06:00 of the next day: a night belongs to the day it begins on
}
"""From and to, in hours since the midnight with which the date begins."""


def occupied(begins: datetime, ends: datetime) -> list[tuple[date, Part]]:
    """The parts that the hours from `begins` up to, not including, `ends` touch, in order.

    Both are village times: naive, or aware in one zone, whose wall clock counts. No time at all
    still touches the part it lies in. Raises ValueError if the end lies before the beginning.
    """
    first, last = _wall_times(begins, ends)
    night_before = first.date() - timedelta(days=1)
    return [
        (day, part)
        for day in _days_between(night_before, last.date())
        for part in HOURS
        if _touches(day, part, first, last)
    ]


def _touches(day: date, part: Part, first: datetime, last: datetime) -> bool:
    midnight = datetime.combine(day, time.min)
    part_begins, part_ends = (midnight + timedelta(hours=hour) for hour in HOURS[part])
    return first < part_ends and (part_begins < last or part_begins <= first)


def dates(begins: datetime, ends: datetime) -> list[date]:
    """The dates that the same hours touch; an end at midnight does not touch the next date.

    Raises ValueError if the end lies before the beginning.
    """
    first, last = _wall_times(begins, ends)
    last_on = (last - datetime.resolution).date()
    return _days_between(first.date(), max(first.date(), last_on))


def nights(first: date, count: int) -> list[tuple[date, Part]]:
    """What a stay of `count` nights from `first` occupies: each evening and night, in order.

    Raises ValueError for fewer than no nights.
    """
    if count < 0:
        raise ValueError(count)
    stay = [first + timedelta(days=number) for number in range(count)]
    return [(day, part) for day in stay for part in (Part.EVENING, Part.NIGHT)]


def _wall_times(begins: datetime, ends: datetime) -> tuple[datetime, datetime]:
    first, last = begins.replace(tzinfo=None), ends.replace(tzinfo=None)
    if begins.tzinfo != ends.tzinfo or last < first:
        raise ValueError(begins, ends)
    return first, last


def _days_between(first: date, last: date) -> list[date]:
    """Every date from `first` to `last`, both included."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
