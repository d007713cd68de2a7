"""From a rule of recurrence of an outside feed to the days that it means. Pure.

A rule is asked for one year at a time, so that no rule, however odd, can search for ever.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import groupby, islice
from zoneinfo import ZoneInfo

from dateutil.rrule import YEARLY, rrule
from dateutil.rrule import weekday as nth_weekday
from icalendar.prop import vRecur

from cbt.bookings.feed_lines import Problem, refuse
from cbt.clock import village_day
from cbt.errors import FeedInvalid

_MOST_WORK = 200_000  # candidate days of all rules of a feed
_WORK_OF_A_YEAR = 50
_LONGEST_RULE = 500
_DAY = timedelta(days=1)

When = date | datetime
"""A village day of an all-day event, or an aware instant."""

_PERIOD_OF: dict[str, Callable[[date, int], int]] = {
    "YEARLY": lambda day, _week_start: day.year,
    "MONTHLY": lambda day, _week_start: day.year * 12 + day.month,
    "WEEKLY": lambda day, week_start: (day.toordinal() - 1 - week_start) // 7,
    "DAILY": lambda day, _week_start: day.toordinal(),
}
"""The number of the year, month, week or day in which a day lies."""

_FOLLOWED = {
    "FREQ",
    "INTERVAL",
    "COUNT",
    "UNTIL",
    "WKST",
    "BYMONTH",
    "BYMONTHDAY",
    "BYYEARDAY",
    "BYWEEKNO",
    "BYDAY",
    "BYSETPOS",
}
_CLOCK = {"BYHOUR": "hour", "BYMINUTE": "minute", "BYSECOND": "second"}
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@dataclass(frozen=True)
class _Filter:
    """Which days of a year a rule means, before its interval, its count and its end."""

    months: tuple[int, ...]
    month_days: tuple[int, ...]
    year_days: tuple[int, ...]
    weeks: tuple[int, ...]
    week_days: tuple[tuple[int, int], ...]  # (day, which of its month or year; 0 is each)
    week_start: int


@dataclass(frozen=True)
class Rule:
    frequency: str
    interval: int
    count: int  # 0 where it has no count
    until: When | None
    positions: tuple[int, ...]
    filter: _Filter


class Work:
    """What reading a feed may cost, counted in candidate days."""

    def __init__(self) -> None:
        self.left = _MOST_WORK

    def year(self, wanted: _Filter, year: int) -> tuple[date, ...]:
        days = _days_of_year(wanted, year)
        self.left -= _WORK_OF_A_YEAR + len(days)
        if self.left < 0:
            refuse(Problem.TOO_MANY)
        return days


def read_rule(text: str, start: When, village: ZoneInfo) -> Rule:
    """Read an RRULE. Raises FeedInvalid for rules by the hour or less, and ones not followed."""
    if len(text) > _LONGEST_RULE:
        refuse(Problem.RULE)
    parts = {name.upper(): values for name, values in vRecur.from_ical(text).items()}
    frequency = str(parts.get("FREQ", [""])[0]).upper()
    if frequency not in _PERIOD_OF or not _is_clock_kept(parts, start):
        refuse(Problem.RULE)
    interval, count = int(parts.get("INTERVAL", [1])[0]), int(parts.get("COUNT", [0])[0])
    until = _end(parts["UNTIL"][0], start, village) if "UNTIL" in parts else None
    positions = tuple(map(int, parts.get("BYSETPOS", ())))
    if interval < 1 or count < 0 or 0 in positions:
        refuse(Problem.RULE)
    if positions and frequency not in ("YEARLY", "MONTHLY"):
        refuse(Problem.RULE)
    return Rule(frequency, interval, count, until, positions, _filter(frequency, parts, start))


def _end(until: When, start: When, village: ZoneInfo) -> When:
    """A rule's last moment: the village's day for whole days, an aware instant where it has one."""
    if not isinstance(until, datetime):
        return until
    if isinstance(start, datetime):
        return until if until.tzinfo else until.replace(tzinfo=start.tzinfo)
    return village_day(until, village.key) if until.tzinfo else until.date()


def _is_clock_kept(parts: Mapping[str, list[int]], start: When) -> bool:
    """Whether the rule says nothing new about the hour, and nothing that we do not follow."""
    for name in parts.keys() - _FOLLOWED:
        if name not in _CLOCK or parts[name] != [getattr(start, _CLOCK[name], None)]:
            return False
    return True


def _filter(frequency: str, parts: Mapping[str, list[int]], start: When) -> _Filter:
    """What the rule leaves out is taken from the day on which it starts."""
    week_days = tuple(_week_day(text) for text in map(str, parts.get("BYDAY", ())))
    month_days, year_days, weeks, months = (
        tuple(map(int, parts.get(name, ())))
        for name in ("BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH")
    )
    if len({which == 0 for day_of, which in week_days}) > 1:
        refuse(Problem.RULE)
    if any(which for day_of, which in week_days) and frequency in ("WEEKLY", "DAILY"):
        refuse(Problem.RULE)
    if weeks and frequency != "YEARLY":
        refuse(Problem.RULE)
    if not (week_days or month_days or year_days):
        if frequency == "DAILY":
            week_days = tuple((day, 0) for day in range(7))
        elif frequency == "WEEKLY" or weeks:
            week_days = ((start.weekday(), 0),)
        else:
            month_days = (start.day,)
            months = months or ((start.month,) if frequency == "YEARLY" else ())
    if frequency == "MONTHLY":
        months = months or tuple(range(1, 13))
    week_start = _WEEKDAYS.index(str(parts.get("WKST", ["MO"])[0]).upper())
    return _Filter(months, month_days, year_days, weeks, week_days, week_start)


def _week_day(text: str) -> tuple[int, int]:
    return _WEEKDAYS.index(text[-2:].upper()), int(text[:-2] or 0)


@lru_cache(maxsize=256)
def _days_of_year(wanted: _Filter, year: int) -> tuple[date, ...]:
    """The days of one year that the filter means; a rule that finds none ends with the year."""
    try:
        rule = rrule(
            YEARLY,
            dtstart=datetime(year, 1, 1),  # noqa: DTZ001 (days only)
            interval=10_000,
            wkst=wanted.week_start,
            bymonth=wanted.months or None,
            bymonthday=wanted.month_days or None,
            byyearday=wanted.year_days or None,
            byweekno=wanted.weeks or None,
            byweekday=[nth_weekday(day, which or None) for day, which in wanted.week_days] or None,
        )
        return tuple(day.date() for day in rule)
    except (ValueError, IndexError) as problem:
        raise FeedInvalid(problem=Problem.RULE) from problem


def _rule_days(rule: Rule, first: date, low: date, high: date, work: Work) -> Iterator[date]:
    """Days of the rule after `first`, which counts as one, that lie from `low` to `high`."""
    begin = first if rule.count else max(first, low)
    later = (day for day in _matching(rule, first, begin, high, work) if first < day <= high)
    counted = islice(later, rule.count - 1) if rule.count else later
    return (day for day in counted if day >= low)


def _matching(rule: Rule, first: date, begin: date, end: date, work: Work) -> Iterator[date]:
    def period(day: date) -> int:
        return _PERIOD_OF[rule.frequency](day, rule.filter.week_start)

    offset = period(first) % rule.interval
    for year in range(begin.year, end.year + 1):
        days = [d for d in work.year(rule.filter, year) if period(d) % rule.interval == offset]
        if not rule.positions:
            yield from days
        for _period, members in groupby(days if rule.positions else (), key=period):
            yield from _at_positions(list(members), rule.positions)


def _at_positions(days: list[date], positions: tuple[int, ...]) -> list[date]:
    places = {place - 1 if place > 0 else len(days) + place for place in positions}
    return [day for place, day in enumerate(days) if place in places]


def rule_starts(rule: Rule, start: When, low: date, high: date, work: Work) -> set[When]:
    """When the rule begins anew: the same hour of the day by the clocks of the event's own zone."""
    if rule.until is not None:
        high = min(high, day_of(rule.until)) + _DAY
    days = _rule_days(rule, day_of(start), low, high, work)
    starts: Iterator[When] = days
    if isinstance(start, datetime):
        clock: time = start.timetz()
        starts = (datetime.combine(day, clock) for day in days)
    return {when for when in starts if _is_before_end(when, rule.until)}


def _is_before_end(when: When, until: When | None) -> bool:
    if isinstance(when, datetime) and isinstance(until, datetime):
        return when <= until
    return until is None or day_of(when) <= day_of(until)


def day_of(when: When) -> date:
    return when.date() if isinstance(when, datetime) else when
