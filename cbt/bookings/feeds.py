"""The village days that an outside iCal feed takes. Pure, and wary of what it is given.

A feed is read line by line with icalendar's lines and values, never as its tree of components: the
tree would turn a stranger's time zones into rules that run on, and keep them for everybody. A rule
of recurrence is asked for one year at a time, so that no rule, however odd, can search for ever.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from enum import StrEnum
from functools import lru_cache
from itertools import groupby, islice
from typing import NoReturn
from zoneinfo import ZoneInfo

from dateutil.rrule import YEARLY, rrule
from dateutil.rrule import weekday as nth_weekday
from icalendar.parser import Contentline
from icalendar.prop import vDDDTypes, vRecur, vUTCOffset
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from cbt.clock import YEARS, village_day
from cbt.errors import FeedInvalid

MOST_BYTES = 1_000_000
MOST_BLOCKS = 2_000
MOST_EVENTS = 3_000
LONGEST = timedelta(days=180)  # what blocks longer is an opening horizon, not a stay
HORIZON = timedelta(days=365)

_MOST_PIECES = 45_000  # of lines that are taken apart; the others are only looked at
_MOST_WORK = 200_000  # candidate days of all rules of a feed
_WORK_OF_A_YEAR = 50
_DEEPEST = 5
_LONGEST_LINE = 100_000
_LONGEST_RULE = 500
_LONGEST_ZONE = 100
_LONGEST_TEXT = 200

_DAY = timedelta(days=1)
_MOMENT = timedelta(microseconds=1)
_EVENT, _ZONE = ["VCALENDAR", "VEVENT"], ["VCALENDAR", "VTIMEZONE"]
_WANTED = {
    "UID",
    "SUMMARY",
    "STATUS",
    "TRANSP",
    "DTSTART",
    "DTEND",
    "DURATION",
    "RRULE",
    "RDATE",
    "EXDATE",
    "RECURRENCE-ID",
}


_line_of: Callable[[str], Contentline] = Contentline
_value_of: Callable[[str], object] = vDDDTypes.from_ical
_offset_of: Callable[[str], timedelta] = vUTCOffset.from_ical


class Problem(StrEnum):
    """Why a feed was not read: the `problem` of FeedInvalid, also while fetching."""

    NOT_A_CALENDAR = "not_a_calendar"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"
    UNREADABLE = "unreadable"
    RULE = "rule"  # a recurrence that we do not follow
    ZONE = "zone"  # hours in a time zone that nobody knows
    ADDRESS = "address"  # an address that we do not visit
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    STATUS = "status"  # the server answered with something other than a file
    REDIRECTS = "redirects"
    ENCODING = "encoding"  # compressed, though we asked for plain


@dataclass(frozen=True)
class Block:
    """Village days, both ends included, that one outside event takes.

    A timed event also has the instants, in UTC, at which it begins and ends; an all-day event has
    neither. The uid is the outside's own, not unique: each day of a recurring event carries it.
    """

    uid: str
    first_on: date
    last_on: date
    summary: str
    begins: datetime | None
    ends: datetime | None


@dataclass(frozen=True)
class Feed:
    """The blocks in order of their days, and how many opening horizons were left out."""

    blocks: tuple[Block, ...]
    rolling: int


def read_blocks(content: bytes, zone: str, since: date, until: date) -> Feed:
    """The blocks that touch the village days `since` to `until`, both included.

    Cancelled and transparent events block nothing. A single event that ends more than HORIZON after
    `since`, and any event longer than LONGEST, is an opening horizon ("not available yet"): left
    out and counted. Hours without a zone are the village's. Raises FeedInvalid.
    """
    try:
        return _read(content, ZoneInfo(zone), since, until)
    except (ValueError, TypeError, OverflowError) as problem:
        raise FeedInvalid(problem=Problem.UNREADABLE) from problem


def _read(content: bytes, village: ZoneInfo, since: date, until: date) -> Feed:
    outline = _outline(_lines(content))
    zones = _Zones(village, outline.offsets)
    events = [_event(lines, zones) for lines in outline.events]
    replaced = defaultdict(set)
    for event in events:
        if event.replaces is not None:
            replaced[event.uid].add(event.replaces)
    blocks: list[Block] = []
    rolling, work = 0, _Work()
    for event in events:
        if event.silent:
            continue
        gone = replaced[event.uid] if event.replaces is None else set()
        touching = [
            block
            for block in _blocks_of(event, gone, village.key, since, until, work)
            if block.last_on >= since and block.first_on <= until
        ]
        if _is_rolling(event, touching, since):
            rolling += 1
        else:
            blocks += touching
        if len(blocks) > MOST_BLOCKS:
            _refuse(Problem.TOO_MANY)
    return Feed(tuple(sorted(blocks, key=_order)), rolling)


def _order(block: Block) -> tuple[date, date, str, str]:
    return block.first_on, block.last_on, str(block.begins or ""), block.uid


def _is_rolling(event: "_Event", touching: list[Block], since: date) -> bool:
    if not touching or event.length > LONGEST:
        return bool(touching)
    return event.is_single and touching[0].last_on > since + HORIZON


def _refuse(problem: Problem) -> NoReturn:
    raise FeedInvalid(problem=problem)


# --- from bytes to the lines of each event -------------------------------------------------------


@dataclass(frozen=True)
class _Line:
    """One property's value and the time zone it names, if any."""

    value: str
    zone: str | None


@dataclass
class _Outline:
    """The wanted lines of each event by name, and the UTC offsets that each own zone defines."""

    events: list[dict[str, list[_Line]]] = field(default_factory=list)
    offsets: dict[str, set[timedelta]] = field(default_factory=lambda: defaultdict(set))
    zone: str = ""
    pieces: int = 0


def _lines(content: bytes) -> list[str]:
    """Content lines, unfolded as bytes since some writers fold in the middle of a letter."""
    if len(content) > MOST_BYTES:
        _refuse(Problem.TOO_LARGE)
    unfolded = re.sub(rb"\r?\n[ \t]", b"", content)
    try:
        text = unfolded.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        _refuse(Problem.UNREADABLE)
    if text[:15].upper() != "BEGIN:VCALENDAR":
        _refuse(Problem.NOT_A_CALENDAR)
    if "\x00" in text:
        _refuse(Problem.UNREADABLE)
    return text.split("\n")


def _outline(lines: Iterable[str]) -> _Outline:
    """Walk the nested parts. Raises FeedInvalid where they do not close, also for a cut-off file."""
    outline = _Outline()
    path: list[str] = []
    for line in lines:
        name = re.split("[:;]", line[:20], maxsplit=1)[0].strip().upper()
        if name == "BEGIN":
            _enter(path, line, outline)
        elif name == "END":
            if not path or path.pop() != _part(line):
                _refuse(Problem.UNREADABLE)
        elif path:
            _keep(path, name, line, outline)
        elif name:
            _refuse(Problem.UNREADABLE)
    if path:
        _refuse(Problem.UNREADABLE)
    return outline


def _part(line: str) -> str:
    return line.partition(":")[2].strip().upper()


def _enter(path: list[str], line: str, outline: _Outline) -> None:
    path.append(_part(line))
    if len(path) > _DEEPEST:
        _refuse(Problem.UNREADABLE)
    if path == _EVENT:
        outline.events.append({})
        if len(outline.events) > MOST_EVENTS:
            _refuse(Problem.TOO_MANY)
    elif path == _ZONE:
        outline.zone = ""


def _keep(path: list[str], name: str, line: str, outline: _Outline) -> None:
    if path == _EVENT and name in _WANTED:
        outline.events[-1].setdefault(name, []).append(_take_apart(line, outline))
    elif path == _ZONE and name == "TZID":
        outline.zone = _take_apart(line, outline).value
    elif path[:2] == _ZONE and name == "TZOFFSETTO":
        offset = _offset_of(_take_apart(line, outline).value)
        outline.offsets[outline.zone].add(offset)


def _take_apart(line: str, outline: _Outline) -> _Line:
    outline.pieces += 1 + line.count(";")
    if outline.pieces > _MOST_PIECES:
        _refuse(Problem.TOO_MANY)
    if len(line) > _LONGEST_LINE:
        _refuse(Problem.TOO_LARGE)
    _name, parameters, value = _line_of(line.rstrip("\r")).parts()
    zone = parameters.get("TZID")
    return _Line(value, None if zone is None else str(zone))


# --- from lines to an event ----------------------------------------------------------------------

_When = date | datetime
"""A village day of an all-day event, or an aware instant."""


@dataclass(frozen=True)
class _Zones:
    """The village's zone, and the fixed offsets that the feed itself defines."""

    village: ZoneInfo
    offsets: Mapping[str, set[timedelta]]

    def named(self, name: str | None) -> tzinfo:
        """The zone of that name: as the world knows it, else as the feed fixes it."""
        if name is None:
            return self.village
        if len(name) > _LONGEST_ZONE:
            _refuse(Problem.ZONE)
        for candidate in _candidates(name):
            if zone := _known_zone(candidate):
                return zone
        if len(offsets := self.offsets.get(name, set())) == 1:
            return timezone(next(iter(offsets)))
        _refuse(Problem.ZONE)


def _candidates(name: str) -> Iterator[str]:
    """What a zone's name may stand for; a name that begins with / carries its maker before it."""
    name = WINDOWS_TO_OLSON.get(name, name)
    yield name
    if name.startswith("/"):
        parts = name.strip("/").split("/")
        yield from ("/".join(parts[skipped:]) for skipped in range(len(parts)))


@lru_cache(maxsize=256)
def _known_zone(name: str) -> ZoneInfo | None:
    if not re.fullmatch(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}", name):
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # OSError: the name of a folder of zones
        return None


@dataclass(frozen=True)
class _Event:
    """One event of the feed. `replaces` is the moment of a series that it stands in for."""

    uid: str
    summary: str
    silent: bool
    start: _When
    length: timedelta
    rules: tuple["_Rule", ...]
    added: tuple[_When, ...]
    left_out: frozenset[_When]
    replaces: _When | None

    @property
    def is_single(self) -> bool:
        return not self.rules and not self.added


def _event(lines: dict[str, list[_Line]], zones: _Zones) -> _Event:
    start = _when(lines["DTSTART"][0], zones) if "DTSTART" in lines else None
    if start is None or not YEARS[0] <= start.year <= YEARS[1]:
        _refuse(Problem.UNREADABLE)
    marks = {_first(lines, "STATUS").upper(), _first(lines, "TRANSP").upper()}
    series = "RECURRENCE-ID" not in lines
    return _Event(
        uid=_clean(_first(lines, "UID")),
        summary=_clean(_first(lines, "SUMMARY")),
        silent=not marks.isdisjoint({"CANCELLED", "TRANSPARENT"}),
        start=start,
        length=_length(start, lines, zones),
        rules=tuple(_rule(line.value, start, zones) for line in lines.get("RRULE", ()) if series),
        added=tuple(_whens(lines.get("RDATE", ()), zones)) if series else (),
        left_out=frozenset(map(_key, _whens(lines.get("EXDATE", ()), zones))),
        replaces=None if series else _key(_when(lines["RECURRENCE-ID"][0], zones)),
    )


def _first(lines: dict[str, list[_Line]], name: str) -> str:
    return lines[name][0].value.strip() if name in lines else ""


def _clean(text: str) -> str:
    """One line of printable text."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text[:1_000])
    return " ".join(printable.split())[:_LONGEST_TEXT]


def _key(when: _When) -> _When:
    """The same moment always reads the same, whatever zone it was written in."""
    return when.astimezone(UTC) if isinstance(when, datetime) else when


def _whens(lines: Iterable[_Line], zones: _Zones) -> Iterator[_When]:
    for line in lines:
        for value in line.value.split(","):
            if value:
                yield _when(_Line(value, line.zone), zones)


def _when(line: _Line, zones: _Zones) -> _When:
    value = _value_of(line.value.strip())
    if not isinstance(value, date):
        _refuse(Problem.UNREADABLE)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=zones.named(line.zone))
    return value


def _length(start: _When, lines: dict[str, list[_Line]], zones: _Zones) -> timedelta:
    """How long the event lasts: whole days, at least one, for an all-day event."""
    timed = isinstance(start, datetime)
    length: object = timedelta(0)
    if "DTEND" in lines:
        end = _when(lines["DTEND"][0], zones)
        if isinstance(end, datetime) != timed:
            _refuse(Problem.UNREADABLE)
        length = _key(end) - _key(start)
    elif "DURATION" in lines:
        length = _value_of(_first(lines, "DURATION"))
    if not isinstance(length, timedelta) or length < timedelta(0):
        _refuse(Problem.UNREADABLE)
    return length if timed else max(_DAY, _DAY * -(-length // _DAY))


# --- from a rule of recurrence to days -----------------------------------------------------------

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
class _Rule:
    frequency: str
    interval: int
    count: int  # 0 where it has no count
    until: _When | None
    positions: tuple[int, ...]
    filter: _Filter


class _Work:
    """What reading a feed may cost, counted in candidate days."""

    def __init__(self) -> None:
        self.left = _MOST_WORK

    def year(self, wanted: _Filter, year: int) -> tuple[date, ...]:
        days = _days_of_year(wanted, year)
        self.left -= _WORK_OF_A_YEAR + len(days)
        if self.left < 0:
            _refuse(Problem.TOO_MANY)
        return days


def _rule(text: str, start: _When, zones: _Zones) -> _Rule:
    """Read an RRULE. Raises FeedInvalid for rules by the hour or less, and ones not followed."""
    if len(text) > _LONGEST_RULE:
        _refuse(Problem.RULE)
    parts = {name.upper(): values for name, values in vRecur.from_ical(text).items()}
    frequency = str(parts.get("FREQ", [""])[0]).upper()
    if frequency not in _PERIOD_OF or not _is_clock_kept(parts, start):
        _refuse(Problem.RULE)
    interval, count = int(parts.get("INTERVAL", [1])[0]), int(parts.get("COUNT", [0])[0])
    until = _end(parts["UNTIL"][0], start, zones.village) if "UNTIL" in parts else None
    positions = tuple(map(int, parts.get("BYSETPOS", ())))
    if interval < 1 or count < 0 or 0 in positions:
        _refuse(Problem.RULE)
    if positions and frequency not in ("YEARLY", "MONTHLY"):
        _refuse(Problem.RULE)
    return _Rule(frequency, interval, count, until, positions, _filter(frequency, parts, start))


def _end(until: _When, start: _When, village: ZoneInfo) -> _When:
    """A rule's last moment: the village's day for whole days, an aware instant where it has one."""
    if not isinstance(until, datetime):
        return until
    if isinstance(start, datetime):
        return until if until.tzinfo else until.replace(tzinfo=start.tzinfo)
    return village_day(until, village.key) if until.tzinfo else until.date()


def _is_clock_kept(parts: Mapping[str, list[int]], start: _When) -> bool:
    """Whether the rule says nothing new about the hour, and nothing that we do not follow."""
    for name in parts.keys() - _FOLLOWED:
        if name not in _CLOCK or parts[name] != [getattr(start, _CLOCK[name], None)]:
            return False
    return True


def _filter(frequency: str, parts: Mapping[str, list[int]], start: _When) -> _Filter:
    """What the rule leaves out is taken from the day on which it starts."""
    week_days = tuple(_week_day(text) for text in map(str, parts.get("BYDAY", ())))
    month_days, year_days, weeks, months = (
        tuple(map(int, parts.get(name, ())))
        for name in ("BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH")
    )
    if len({which == 0 for _day, which in week_days}) > 1:
        _refuse(Problem.RULE)
    if any(which for _day, which in week_days) and frequency in ("WEEKLY", "DAILY"):
        _refuse(Problem.RULE)
    if weeks and frequency != "YEARLY":
        _refuse(Problem.RULE)
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


def _rule_days(rule: _Rule, first: date, low: date, high: date, work: _Work) -> Iterator[date]:
    """Days of the rule after `first`, which counts as one, that lie from `low` to `high`."""
    begin = first if rule.count else max(first, low)
    later = (day for day in _matching(rule, first, begin, high, work) if first < day <= high)
    counted = islice(later, rule.count - 1) if rule.count else later
    return (day for day in counted if day >= low)


def _matching(rule: _Rule, first: date, begin: date, end: date, work: _Work) -> Iterator[date]:
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


# --- from an event to its blocks -----------------------------------------------------------------


def _blocks_of(
    event: _Event, gone: set[_When], zone: str, since: date, until: date, work: _Work
) -> Iterator[Block]:
    """The event's blocks that may touch the days asked for, and a few beside them."""
    starts = {event.start, *event.added}
    if event.length <= LONGEST:
        low = since - _DAY * (event.length // _DAY + 2)
        for rule in event.rules:
            starts |= _rule_starts(rule, event.start, low, until + _DAY, work)
    for start in starts:
        if not {_key(start), _day(start)} & (event.left_out | gone):
            yield _block(event, start, zone)


def _rule_starts(rule: _Rule, start: _When, low: date, high: date, work: _Work) -> set[_When]:
    """When the rule begins anew: the same hour of the day by the clocks of the event's own zone."""
    if rule.until is not None:
        high = min(high, _day(rule.until)) + _DAY
    days = _rule_days(rule, _day(start), low, high, work)
    starts: Iterator[_When] = days
    if isinstance(start, datetime):
        clock: time = start.timetz()
        starts = (datetime.combine(day, clock) for day in days)
    return {when for when in starts if _is_before_end(when, rule.until)}


def _is_before_end(when: _When, until: _When | None) -> bool:
    if isinstance(when, datetime) and isinstance(until, datetime):
        return when <= until
    return until is None or _day(when) <= _day(until)


def _day(when: _When) -> date:
    return when.date() if isinstance(when, datetime) else when


def _block(event: _Event, start: _When, zone: str) -> Block:
    if not isinstance(start, datetime):
        last = start + event.length - _DAY
        return Block(event.uid, start, last, event.summary, begins=None, ends=None)
    begins = start.astimezone(UTC)
    ends = begins + event.length
    last = village_day(max(begins, ends - _MOMENT), zone)
    return Block(event.uid, village_day(begins, zone), last, event.summary, begins, ends)
