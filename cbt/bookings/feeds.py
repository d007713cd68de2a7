"""The village days that an outside iCal feed takes. Pure, and wary of what it is given."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from icalendar.prop import vDDDTypes
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from cbt.bookings.feed_lines import Line, Problem, read_outline, refuse
from cbt.bookings.feed_rules import Rule, When, Work, day_of, read_rule, rule_starts
from cbt.clock import YEARS, village_day
from cbt.errors import FeedInvalid

MOST_BLOCKS = 2_000
LONGEST = timedelta(days=180)  # what blocks longer is an opening horizon, not a stay
HORIZON = timedelta(days=365)

_LONGEST_ZONE = 100
_LONGEST_TEXT = 200

_DAY = timedelta(days=1)
_MOMENT = timedelta(microseconds=1)
_value_of: Callable[[str], object] = vDDDTypes.from_ical


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
    outline = read_outline(content)
    zones = _Zones(village, outline.offsets)
    events = [_event(lines, zones) for lines in outline.events]
    replaced = defaultdict(set)
    for event in events:
        if event.replaces is not None:
            replaced[event.uid].add(event.replaces)
    blocks: list[Block] = []
    rolling, work = 0, Work()
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
            refuse(Problem.TOO_MANY)
    return Feed(tuple(sorted(blocks, key=_order)), rolling)


def _order(block: Block) -> tuple[date, date, str, str]:
    return block.first_on, block.last_on, str(block.begins or ""), block.uid


def _is_rolling(event: "_Event", touching: list[Block], since: date) -> bool:
    if not touching or event.length > LONGEST:
        return bool(touching)
    return event.is_single and touching[0].last_on > since + HORIZON


# --- from lines to an event ----------------------------------------------------------------------


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
            refuse(Problem.ZONE)
        for candidate in _candidates(name):
            if zone := _known_zone(candidate):
                return zone
        if len(offsets := self.offsets.get(name, set())) == 1:
            return timezone(next(iter(offsets)))
        raise FeedInvalid(problem=Problem.ZONE)


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
    start: When
    length: timedelta
    rules: tuple[Rule, ...]
    added: tuple[When, ...]
    left_out: frozenset[When]
    replaces: When | None

    @property
    def is_single(self) -> bool:
        return not self.rules and not self.added


def _event(lines: dict[str, list[Line]], zones: _Zones) -> _Event:
    start = _when(lines["DTSTART"][0], zones) if "DTSTART" in lines else None
    if start is None or not YEARS[0] <= start.year <= YEARS[1]:
        refuse(Problem.UNREADABLE)
    marks = {_first(lines, "STATUS").upper(), _first(lines, "TRANSP").upper()}
    series = "RECURRENCE-ID" not in lines
    return _Event(
        uid=_clean(_first(lines, "UID")),
        summary=_clean(_first(lines, "SUMMARY")),
        silent=not marks.isdisjoint({"CANCELLED", "TRANSPARENT"}),
        start=start,
        length=_length(start, lines, zones),
        rules=tuple(
            read_rule(line.value, start, zones.village) for line in lines.get("RRULE", ()) if series
        ),
        added=tuple(_whens(lines.get("RDATE", ()), zones)) if series else (),
        left_out=frozenset(map(_key, _whens(lines.get("EXDATE", ()), zones))),
        replaces=None if series else _key(_when(lines["RECURRENCE-ID"][0], zones)),
    )


def _first(lines: dict[str, list[Line]], name: str) -> str:
    return lines[name][0].value.strip() if name in lines else ""


def _clean(text: str) -> str:
    """One line of printable text."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text[:1_000])
    return " ".join(printable.split())[:_LONGEST_TEXT]


def _key(when: When) -> When:
    """The same moment always reads the same, whatever zone it was written in."""
    return when.astimezone(UTC) if isinstance(when, datetime) else when


def _whens(lines: Iterable[Line], zones: _Zones) -> Iterator[When]:
    for line in lines:
        for value in line.value.split(","):
            if value:
                yield _when(Line(value, line.zone), zones)


def _when(line: Line, zones: _Zones) -> When:
    value = _value_of(line.value.strip())
    if not isinstance(value, date):
        refuse(Problem.UNREADABLE)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=zones.named(line.zone))
    return value


def _length(start: When, lines: dict[str, list[Line]], zones: _Zones) -> timedelta:
    """How long the event lasts: whole days, at least one, for an all-day event."""
    timed = isinstance(start, datetime)
    length: object = timedelta(0)
    if "DTEND" in lines:
        end = _when(lines["DTEND"][0], zones)
        if isinstance(end, datetime) != timed:
            refuse(Problem.UNREADABLE)
        length = _key(end) - _key(start)
    elif "DURATION" in lines:
        length = _value_of(_first(lines, "DURATION"))
    if not isinstance(length, timedelta) or length < timedelta(0):
        refuse(Problem.UNREADABLE)
    return length if timed else max(_DAY, _DAY * -(-length // _DAY))


# --- from an event to its blocks -----------------------------------------------------------------


def _blocks_of(
    event: _Event, gone: set[When], zone: str, since: date, until: date, work: Work
) -> Iterator[Block]:
    """The event's blocks that may touch the days asked for, and a few beside them."""
    starts = {event.start, *event.added}
    if event.length <= LONGEST:
        low = since - _DAY * (event.length // _DAY + 2)
        for rule in event.rules:
            starts |= rule_starts(rule, event.start, low, until + _DAY, work)
    for start in starts:
        if not {_key(start), day_of(start)} & (event.left_out | gone):
            yield _block(event, start, zone)


def _block(event: _Event, start: When, zone: str) -> Block:
    if not isinstance(start, datetime):
        last = start + event.length - _DAY
        return Block(event.uid, start, last, event.summary, begins=None, ends=None)
    begins = start.astimezone(UTC)
    ends = begins + event.length
    last = village_day(max(begins, ends - _MOMENT), zone)
    return Block(event.uid, village_day(begins, zone), last, event.summary, begins, ends)
