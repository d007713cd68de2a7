"""What a work record may say, what it is confirmed by, what it asks to look at again. Pure.

See docs/decisions/017-work-turns-and-shares.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from cbt.revenue.policy import Task
from cbt.revenue.sharing import Work

MINUTES_OF_DAY = 24 * 60
WAIT_UNCONFIRMED = timedelta(days=2)
"""How long what nobody confirmed lies open before it may be settled."""

ANSWER_WITHIN = timedelta(days=7)
"""A dispute is answered within the time of rule GOV-06."""

_MEALS_OF_DAY = 3


class WorkProblem(StrEnum):
    """What a row of a work record can be refused for."""

    ROWS = "rows"
    HOUSEHOLD = "household"
    INACTIVE = "inactive"
    TASK = "task"
    UNITS = "units"
    MINUTES = "minutes"
    DAY = "day"
    COST = "cost"


class TurnProblem(StrEnum):
    """What something written down of turns can be refused for."""

    CAPACITY = "capacity"
    DAY = "day"
    LONG = "long"
    PARTNER = "partner"
    WORDS = "words"


# --- the content that is confirmed ---------------------------------------------------------------


def part_hash(departure_id: int, household: str, work: Iterable[Work]) -> str:
    """SHA-256 of a household's part of a departure's record, in whatever order its rows stand."""
    rows = sorted((each.task, each.units, each.minutes) for each in work)
    lines = ["cbt-work/1", f"departure:{departure_id}", f"household:{household}"]
    lines += [f"work:{task}:{units}:{minutes}" for task, units, minutes in rows]
    return sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def record_hash(parts: Iterable[str]) -> str:
    """SHA-256 of a whole record, from the hashes of its parts."""
    return sha256("".join(f"{part}\n" for part in sorted(parts)).encode()).hexdigest()


def by_household(work: Iterable[Work]) -> dict[str, list[Work]]:
    """The parts of a record, in the order in which the households first stand there."""
    parts: dict[str, list[Work]] = {}
    for each in work:
        parts.setdefault(each.household, []).append(each)
    return parts


# --- not more than a day has ---------------------------------------------------------------------


@dataclass(frozen=True)
class Worked:
    """Minutes that a household worked on a departure that lasted from a day to another."""

    household: str
    first_on: date
    last_on: date
    minutes: int


def minutes_by_day(worked: Iterable[Worked]) -> dict[tuple[str, date], int]:
    """{(household, day): minutes}: those of a departure evenly over its days, spare ones first."""
    total: dict[tuple[str, date], int] = {}
    for each in worked:
        days = (each.last_on - each.first_on).days + 1
        whole, spare = divmod(each.minutes, days)
        for number in range(days):
            key = each.household, each.first_on + timedelta(days=number)
            total[key] = total.get(key, 0) + whole + (number < spare)
    return total


def find_too_long(rows: Sequence[Worked], others: Iterable[Worked]) -> int | None:
    """The first row (from 0) with which a household worked more than a day's minutes; None if none.

    `others` are the same households' other departures.
    """
    known = list(others)
    for number, row in enumerate(rows):
        known.append(row)
        own = [each for each in known if each.household == row.household]
        if max(minutes_by_day(own).values()) > MINUTES_OF_DAY:
            return number
    return None


# --- to look at again ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Size:
    """How large a departure is: guests, nights, and the boats that it holds (0: not known)."""

    guests: int
    nights: int
    boats: int


def most_units(size: Size) -> dict[Task, int]:
    """How many units of each task a departure of a size can have had at most."""
    guests = max(size.guests, 1)
    nights = max(size.nights, 1)
    days = size.nights + 1
    return {
        Task.BOAT: size.boats * days if size.boats else guests * days,
        Task.GUIDE: guests * days,
        Task.COOK: guests * days * _MEALS_OF_DAY,
        Task.HOST: guests * nights,
        Task.CRAFT: guests * days,
        Task.CRAB_BANK: guests * days,
        Task.PREPARE: guests * days,
    }


def find_excess(work: Iterable[Work], size: Size) -> dict[Task, tuple[int, int]]:
    """{task: (recorded, most)} where a record has more units than the party can have had."""
    recorded: dict[Task, int] = {}
    for each in work:
        recorded[each.task] = recorded.get(each.task, 0) + each.units
    most = most_units(size)
    return {task: (units, most[task]) for task, units in recorded.items() if units > most[task]}


# --- waiting for a second look -------------------------------------------------------------------


def settle_from(recorded_at: datetime, ends_at: datetime) -> datetime:
    """From when on a part that nobody confirmed may be settled: two days after it could be seen."""
    return max(recorded_at, ends_at) + WAIT_UNCONFIRMED


def choose_answerer(people: Iterable[int], recorder: int | None, raiser: int) -> int | None:
    """Who answers a dispute: the first of `people` who neither recorded nor disputes; None if none."""
    return next((each for each in people if each not in (recorder, raiser)), None)


# --- what a trip needs ---------------------------------------------------------------------------


@dataclass(frozen=True)
class LastTime:
    """What was recorded of an option the last time: its guests then, and units by task."""

    guests: int
    units: Mapping[Task, int]


def turns_needed(held: Mapping[Task, int], last: LastTime | None, guests: int) -> dict[Task, int]:
    """How many turns of each task a departure of `guests` (> 0) needs.

    What it holds of shared things says it (`held`: a turn for each boat, room, guide); the other
    tasks are those of the last time, grown with the guests where there were several of them.
    """
    needed = {task: units for task, units in held.items() if units}
    if last is not None:
        for task, units in last.units.items():
            grown = -(-units * guests // last.guests) if units > 1 and last.guests else units
            needed.setdefault(task, grown)
    return {task: needed[task] for task in Task if task in needed}
