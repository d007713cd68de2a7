"""What departures share, and how much of it a number of guests takes. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from cbt.bookings import parts
from cbt.bookings.parts import Part
from cbt.clock import to_village


class ThingKind(StrEnum):
    BOAT = "boat"
    KITCHEN = "kitchen"
    ROOM = "room"
    GUIDE = "guide"
    LIFE_JACKET = "life_jacket"
    VILLAGE = "village"
    OTHER = "other"


class ThingProblem(StrEnum):
    """What a shared thing can be refused for."""

    CAPACITY = "capacity"
    NAME = "name"
    CODE = "code"


@dataclass(frozen=True)
class NeedOf:
    """What an option takes of a thing; see the table's words for `per_places` and `add_on`."""

    thing_id: int
    per_day: bool
    per_places: int
    units: int
    add_on: str


@dataclass(frozen=True)
class Hours:
    """When a departure occupies what it needs: instants, the village's zone, nights of a stay."""

    begins_at: datetime
    ends_at: datetime
    zone: str
    nights: int


def slots_of(hours: Hours, *, per_day: bool) -> list[tuple[date, Part]]:
    """The dates and parts of day that a departure occupies; a stay occupies its nights."""
    begins, ends = to_village(hours.begins_at, hours.zone), to_village(hours.ends_at, hours.zone)
    if per_day:
        return [(day, Part.DAY) for day in parts.dates(begins, ends)]
    if hours.nights:
        return parts.nights(begins.date(), hours.nights)
    return parts.occupied(begins, ends)


def units_for(need: NeedOf, places: int, add_ons: Mapping[str, int]) -> int:
    """How much of a thing a departure takes with so many places and extras claimed."""
    if need.add_on:
        return need.units * add_ons.get(need.add_on, 0)
    if not places:
        return 0
    return need.units * (-(-places // need.per_places) if need.per_places else 1)


def claims_for(
    needs: Iterable[NeedOf], hours: Hours, places: int, add_ons: Mapping[str, int]
) -> dict[tuple[int, date, Part], int]:
    """{(thing, date, part): units} that a departure must hold, without zeros."""
    wanted: dict[tuple[int, date, Part], int] = {}
    for need in needs:
        units = units_for(need, places, add_ons)
        if not units:
            continue
        for day, part in slots_of(hours, per_day=need.per_day):
            key = (need.thing_id, day, part)
            wanted[key] = wanted.get(key, 0) + units
    return wanted
