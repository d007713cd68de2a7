"""On which days an option departs, and what a changed rule means for departures that exist. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from dateutil.rrule import rrulestr

from cbt.errors import ScheduleInvalid

LONGEST = timedelta(days=3_653)  # ten years with their leap days
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


class ScheduleProblem(StrEnum):
    """What a rule of days, or the wish to expand one, can be refused for."""

    TEXT = "text"  # not a rule as it is stored
    NO_WEEKDAY = "no_weekday"
    WEEKDAY = "weekday"  # outside 0 (Monday) to 6
    MONTH = "month"  # outside 1 to 12
    ENDS_BEFORE_START = "ends_before_start"
    TOO_LONG = "too_long"  # reaches over ten years
    WINDOW_TOO_LONG = "window_too_long"  # asks for the days of more than ten years
    REST_TOO_LONG = "rest_too_long"  # more than a year of rest days at once
    STANDS = "stands"  # the option departs at that hour already


@dataclass(frozen=True)
class Rule:
    """Every such weekday (0 = Monday) of such months (none: all), at one village hour.

    Both ends are included; without `last_on` the rule goes on.
    """

    weekdays: frozenset[int]
    months: frozenset[int]
    starts_at: time
    first_on: date
    last_on: date | None


@dataclass(frozen=True)
class Span:
    """Days of rest in a row, both ends included."""

    first_on: date
    last_on: date


@dataclass(frozen=True)
class Existing:
    """A departure that stands, with its places taken and whether a person changed it alone."""

    departure_id: int
    on: date
    claimed: int
    is_edited: bool


@dataclass(frozen=True)
class Change:
    """What a new rule does: days to open, departures to close, and those kept against the rule."""

    to_open: tuple[date, ...]
    to_close: tuple[int, ...]
    kept: tuple[int, ...]


def to_rrule_text(rule: Rule) -> str:
    """The weekdays and months as the RRULE value of RFC 5545. Raises ScheduleInvalid."""
    require_valid(rule)
    fields = ["FREQ=WEEKLY", "BYDAY=" + ",".join(WEEKDAYS[day] for day in sorted(rule.weekdays))]
    if rule.months:
        fields.append("BYMONTH=" + ",".join(str(month) for month in sorted(rule.months)))
    return ";".join(fields)


def from_rrule_text(text: str, starts_at: time, first_on: date, last_on: date | None) -> Rule:
    """Read what `to_rrule_text` wrote. Raises ScheduleInvalid for anything else."""
    try:
        weekdays, months = _read(text)
    except (ValueError, KeyError):
        raise ScheduleInvalid(problem=ScheduleProblem.TEXT) from None
    rule = Rule(weekdays, months, starts_at, first_on, last_on)
    if to_rrule_text(rule) != text:
        raise ScheduleInvalid(problem=ScheduleProblem.TEXT)
    return rule


def _read(text: str) -> tuple[frozenset[int], frozenset[int]]:
    fields = dict(field.split("=") for field in text.split(";"))
    weekdays = frozenset(WEEKDAYS.index(name) for name in fields["BYDAY"].split(","))
    months = fields["BYMONTH"].split(",") if "BYMONTH" in fields else []
    return weekdays, frozenset(int(month) for month in months)


def require_valid(rule: Rule) -> None:
    """Raise ScheduleInvalid for a rule that cannot be, or that reaches over ten years."""
    for problem in _problems(rule):
        raise ScheduleInvalid(problem=problem)


def _problems(rule: Rule) -> Iterator[ScheduleProblem]:
    if not rule.weekdays:
        yield ScheduleProblem.NO_WEEKDAY
    if not rule.weekdays <= set(range(7)):
        yield ScheduleProblem.WEEKDAY
    if not rule.months <= set(range(1, 13)):
        yield ScheduleProblem.MONTH
    if rule.last_on and rule.last_on < rule.first_on:
        yield ScheduleProblem.ENDS_BEFORE_START
    if rule.last_on and rule.last_on - rule.first_on > LONGEST:
        yield ScheduleProblem.TOO_LONG


def days(
    rule: Rule, since: date, until: date, rest: Sequence[Span], exceptions: Mapping[date, bool]
) -> list[date]:
    """The days, in order, on which the rule departs from `since` to `until`, both included.

    An exception adds a day (True), even one of rest, or takes it away (False); outside the rule's
    own span it says nothing. Raises ScheduleInvalid for a rule that cannot be, or more than ten
    years at once: a rule without end is only ever looked at through a window.
    """
    require_valid(rule)
    if until - since > LONGEST:
        raise ScheduleInvalid(problem=ScheduleProblem.WINDOW_TOO_LONG)
    first, last = max(rule.first_on, since), min(rule.last_on or until, until)
    if last < first:
        return []
    working = {day for day in _regular(rule, first, last) if not is_rest(day, rest)}
    added = {day for day, runs in exceptions.items() if runs and first <= day <= last}
    dropped = {day for day, runs in exceptions.items() if not runs}
    return sorted((working | added) - dropped)


def _regular(rule: Rule, first: date, last: date) -> Iterator[date]:
    """The rule's days without rest and exceptions, expanded from the very text that is stored."""
    begin, end = datetime.combine(first, time.min), datetime.combine(last, time.min)
    for moment in rrulestr(to_rrule_text(rule), dtstart=begin).between(begin, end, inc=True):
        yield moment.date()


def is_rest(day: date, rest: Sequence[Span]) -> bool:
    """Whether the village rests on a day."""
    return any(span.first_on <= day <= span.last_on for span in rest)


def change_of(
    planned: Sequence[date],
    existing: Sequence[Existing],
    since: date = date.min,
    until: date = date.max,
) -> Change:
    """Compare the days of a rule with the departures made from it, from `since` to `until`.

    A departure that is not planned any more is closed only if nobody has claimed a place and
    nobody edited it; otherwise it is kept and listed for a person to decide. What lies outside the
    window is left alone. Everything is in order of days.
    """
    inside = sorted(
        (each for each in existing if since <= each.on <= until),
        key=lambda each: (each.on, each.departure_id),
    )
    wanted = {day for day in planned if since <= day <= until}
    unplanned = [each for each in inside if each.on not in wanted]
    return Change(
        to_open=tuple(sorted(wanted - {each.on for each in inside})),
        to_close=tuple(each.departure_id for each in unplanned if not _is_held_on_to(each)),
        kept=tuple(each.departure_id for each in unplanned if _is_held_on_to(each)),
    )


def _is_held_on_to(departure: Existing) -> bool:
    return departure.claimed > 0 or departure.is_edited
