"""An outside iCal feed taken apart: from bytes to the lines of each event. Pure, and wary of what it is given.

A feed is read line by line with icalendar's lines and values, never as its tree of components: the
tree would turn a stranger's time zones into rules that run on, and keep them for everybody.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import NoReturn

from icalendar.parser import Contentline
from icalendar.prop import vUTCOffset

from cbt.errors import FeedInvalid

MOST_BYTES = 1_000_000
MOST_EVENTS = 3_000

_MOST_PIECES = 45_000  # of lines that are taken apart; the others are only looked at
_DEEPEST = 5
_LONGEST_LINE = 100_000

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


def refuse(problem: Problem) -> NoReturn:
    raise FeedInvalid(problem=problem)


@dataclass(frozen=True)
class Line:
    """One property's value and the time zone it names, if any."""

    value: str
    zone: str | None


@dataclass
class Outline:
    """The wanted lines of each event by name, and the UTC offsets that each own zone defines."""

    events: list[dict[str, list[Line]]] = field(default_factory=list)
    offsets: dict[str, set[timedelta]] = field(default_factory=lambda: defaultdict(set))
    zone: str = ""
    pieces: int = 0


def read_outline(content: bytes) -> Outline:
    """Raises FeedInvalid for what is no calendar, too large, or cut off."""
    return _outline(_lines(content))


def _lines(content: bytes) -> list[str]:
    """Content lines, unfolded as bytes since some writers fold in the middle of a letter."""
    if len(content) > MOST_BYTES:
        refuse(Problem.TOO_LARGE)
    unfolded = re.sub(rb"\r?\n[ \t]", b"", content)
    try:
        text = unfolded.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        refuse(Problem.UNREADABLE)
    if text[:15].upper() != "BEGIN:VCALENDAR":
        refuse(Problem.NOT_A_CALENDAR)
    if "\x00" in text:
        refuse(Problem.UNREADABLE)
    return text.split("\n")


def _outline(lines: Iterable[str]) -> Outline:
    """Walk the nested parts. Raises FeedInvalid where they do not close, also for a cut-off file."""
    outline = Outline()
    path: list[str] = []
    for line in lines:
        name = re.split("[:;]", line[:20], maxsplit=1)[0].strip().upper()
        if name == "BEGIN":
            _enter(path, line, outline)
        elif name == "END":
            if not path or path.pop() != _part(line):
                refuse(Problem.UNREADABLE)
        elif path:
            _keep(path, name, line, outline)
        elif name:
            refuse(Problem.UNREADABLE)
    if path:
        refuse(Problem.UNREADABLE)
    return outline


def _part(line: str) -> str:
    return line.partition(":")[2].strip().upper()


def _enter(path: list[str], line: str, outline: Outline) -> None:
    path.append(_part(line))
    if len(path) > _DEEPEST:
        refuse(Problem.UNREADABLE)
    if path == _EVENT:
        outline.events.append({})
        if len(outline.events) > MOST_EVENTS:
            refuse(Problem.TOO_MANY)
    elif path == _ZONE:
        outline.zone = ""


def _keep(path: list[str], name: str, line: str, outline: Outline) -> None:
    if path == _EVENT and name in _WANTED:
        outline.events[-1].setdefault(name, []).append(_take_apart(line, outline))
    elif path == _ZONE and name == "TZID":
        outline.zone = _take_apart(line, outline).value
    elif path[:2] == _ZONE and name == "TZOFFSETTO":
        offset = _offset_of(_take_apart(line, outline).value)
        outline.offsets[outline.zone].add(offset)


def _take_apart(line: str, outline: Outline) -> Line:
    outline.pieces += 1 + line.count(";")
    if outline.pieces > _MOST_PIECES:
        refuse(Problem.TOO_MANY)
    if len(line) > _LONGEST_LINE:
        refuse(Problem.TOO_LARGE)
    _name, parameters, value = _line_of(line.rstrip("\r")).parts()
    zone = parameters.get("TZID")
    return Line(value, None if zone is None else str(zone))
