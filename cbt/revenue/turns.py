"""Turns at tasks: what is written down of them, and the queue that follows. See rotation.md.

That a household served is read from the work records, never written down a second time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session, aliased

from cbt.bookings.models import Departure, Slot, SlotClaim, Thing
from cbt.bookings.records import TripCard
from cbt.bookings.things import ThingKind
from cbt.clock import village_day
from cbt.communities.models import Household
from cbt.communities.queries import (
    get_community_by_id,
    get_household,
    list_memberships,
)
from cbt.communities.rotation import (
    ALL_WEEK,
    MOST_CAPACITY,
    MOST_SKIP_DAYS,
    Away,
    Event,
    Member,
    Served,
    Skipped,
    SkipReason,
    Swapped,
    Terms,
    propose,
)
from cbt.communities.services import lock_community
from cbt.db import table_of, transaction
from cbt.errors import NotFound, SecondPersonNeeded, StateForbids, TurnInvalid
from cbt.revenue.models import ServiceRecord
from cbt.revenue.policy import Task
from cbt.revenue.records import NewWork
from cbt.revenue.work_models import RotationEvent, TurnKind
from cbt.revenue.work_rules import LastTime, TurnProblem, turns_needed

LONGEST_WORDS = 200
_NOTED_AFTER = timedelta(days=7)
_MOST_AHEAD = timedelta(days=400)
_MOST_MINUTES = 12 * 60
_LINE: dict[str, Any] = {
    **table_of(RotationEvent).c,
    "household": Household.code.label("household"),
}
_HELD = {ThingKind.BOAT: Task.BOAT, ThingKind.GUIDE: Task.GUIDE, ThingKind.ROOM: Task.HOST}


# --- reading -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TurnLine:
    """Something that was written down of a task's turns, for a page."""

    id: int
    task: Task
    kind: TurnKind
    household: str
    other: str | None
    first_on: date
    last_on: date
    capacity: int | None
    weekdays: int
    reason: SkipReason | None
    words: str
    about_id: int | None
    recorded_by: int
    recorded_at: datetime


@dataclass(frozen=True)
class Rota:
    """All that a task's queue is made from."""

    task: Task
    members: tuple[Member, ...]
    events: tuple[Event, ...]
    lines: tuple[TurnLine, ...]

    @property
    def open_swaps(self) -> list[TurnLine]:
        """Swaps that were asked for and neither agreed to nor withdrawn."""
        answered = {each.about_id for each in self.lines if each.about_id}
        return [
            each
            for each in self.lines
            if each.kind == TurnKind.SWAP_ASKED and each.id not in answered
        ]


def list_tasks(session: Session, community_id: int) -> list[Task]:
    """The tasks that have terms of turns, in their fixed order."""
    found = set(
        session.scalars(
            select(RotationEvent.task)
            .where(RotationEvent.community_id == community_id, RotationEvent.kind == TurnKind.TERMS)
            .distinct()
        )
    )
    return [task for task in Task if task in found]


def get_rota(session: Session, community_id: int, task: Task) -> Rota:
    """What the queue of a task is made from, as it stands now."""
    lines = _list_lines(session, community_id, task)
    withdrawn = {each.about_id for each in lines if each.kind == TurnKind.WITHDRAWN}
    standing = [each for each in lines if each.id not in withdrawn]
    agreed = {each.about_id for each in standing if each.kind == TurnKind.SWAP_AGREED}
    members = _members(session, community_id, standing)
    events: list[Event] = list(_list_served(session, community_id, task, members))
    for each in standing:
        if each.kind == TurnKind.AWAY:
            events.append(Away(each.household, each.first_on, each.last_on))
        elif each.kind == TurnKind.SKIPPED:
            has_reason = each.reason != SkipReason.NONE
            events.append(Skipped(each.household, each.first_on, each.last_on, has_reason))
        elif each.kind == TurnKind.SWAP_ASKED and each.id in agreed:
            assert each.other is not None
            events.append(Swapped(each.household, each.other, each.first_on))
    return Rota(task, members, tuple(events), tuple(lines))


def _list_lines(session: Session, community_id: int, task: Task) -> list[TurnLine]:
    other = aliased(Household)
    shown: list[Any] = [_LINE[each.name] for each in fields(TurnLine) if each.name in _LINE]
    rows = session.execute(
        select(*shown, other.code.label("other"))
        .join(Household, Household.id == RotationEvent.household_id)
        .outerjoin(other, other.id == RotationEvent.other_household_id)
        .where(RotationEvent.community_id == community_id, RotationEvent.task == task)
        .order_by(RotationEvent.id)
    )
    return [_line(dict(row._mapping)) for row in rows]


def _line(values: dict[str, Any]) -> TurnLine:
    kind, reason, about = values.pop("kind"), values.pop("reason"), values.pop("task")
    return TurnLine(
        task=Task(about),
        kind=TurnKind(kind),
        reason=SkipReason(reason) if reason else None,
        **values,
    )


def _members(session: Session, community_id: int, lines: Iterable[TurnLine]) -> tuple[Member, ...]:
    """The households with terms, in register order. Of two terms of one day the later one holds."""
    terms: dict[str, dict[date, Terms]] = {}
    for each in lines:
        if each.kind == TurnKind.TERMS:
            given = Terms(each.first_on, each.capacity or 0, each.weekdays)
            terms.setdefault(each.household, {})[each.first_on] = given
    memberships = list_memberships(session, community_id)
    return tuple(
        Member(code, position, memberships[code], tuple(terms[code].values()))
        for position, code in enumerate(memberships)
        if code in terms
    )


def _list_served(
    session: Session, community_id: int, task: Task, members: Iterable[Member]
) -> list[Served]:
    """Who served by the work records: at one departure never more turns than the capacity."""
    rows = session.execute(
        select(Departure.starts_on, Household.code, func.sum(ServiceRecord.units))
        .join(Departure, Departure.id == ServiceRecord.departure_id)
        .join(Household, Household.id == ServiceRecord.household_id)
        .where(Departure.community_id == community_id, ServiceRecord.task == task)
        .group_by(Departure.starts_on, Departure.id, Household.code)
        .order_by(Departure.starts_on, Departure.id, Household.code)
    )
    by_code = {member.household: member for member in members}
    served = []
    for on, code, units in rows:
        terms = by_code[code].terms_on(on) if code in by_code else None
        if terms is not None:
            served.append(Served(code, on, min(int(units), terms.capacity)))
    return served


# --- what a trip needs, filled in from the queues ------------------------------------------------


def propose_work(session: Session, community_id: int, trip: TripCard) -> list[NewWork]:
    """The work record of a departure as the turns would have it, to be looked over by a person.

    Tasks follow from what the departure holds of shared things and from what was recorded the last
    time; households from the queues. A task without turns stands there without a household.
    """
    if not trip.claimed:
        return []
    minutes = min(int((trip.ends_at - trip.begins_at).total_seconds()) // 60, _MOST_MINUTES)
    needed = turns_needed(*_needs(session, trip), trip.claimed)
    kept = set(list_tasks(session, community_id)) & set(needed)
    rows = []
    for task, turns in needed.items():
        taken: dict[str, int] = {}
        if task in kept:
            rota = get_rota(session, community_id, task)
            taken = propose(rota.events, rota.members, trip.starts_on, turns)
        rows += [NewWork(code, task, units, minutes) for code, units in taken.items()]
        if turns > sum(taken.values()):
            rows.append(NewWork("", task, turns - sum(taken.values()), minutes))
    return rows


def held_things(session: Session, departure_id: int) -> dict[ThingKind, int]:
    """How much of each kind of shared thing a departure holds at once."""
    most = (
        select(Thing.kind, Thing.id, func.max(SlotClaim.units).label("units"))
        .join(Slot, Slot.id == SlotClaim.slot_id)
        .join(Thing, Thing.id == Slot.thing_id)
        .where(SlotClaim.departure_id == departure_id)
        .group_by(Thing.kind, Thing.id)
    )
    held: dict[ThingKind, int] = {}
    for kind, _thing, units in session.execute(most):
        held[ThingKind(kind)] = held.get(ThingKind(kind), 0) + int(units)
    return held


def _needs(session: Session, trip: TripCard) -> tuple[dict[Task, int], LastTime | None]:
    things = held_things(session, trip.id)
    held = {task: things[kind] for kind, task in _HELD.items() if things.get(kind)}
    last = _last_time(session, trip)
    if things.get(ThingKind.KITCHEN) and not (last and Task.COOK in last.units):
        held[Task.COOK] = 1
    return held, last


def _last_time(session: Session, trip: TripCard) -> LastTime | None:
    """What was recorded of the same option the last time before."""
    before = session.execute(
        select(Departure.id, Departure.claimed)
        .where(
            Departure.option_id == trip.option_id,
            Departure.begins_at < trip.begins_at,
            Departure.id.in_(select(ServiceRecord.departure_id)),
        )
        .order_by(Departure.begins_at.desc())
        .limit(1)
    ).one_or_none()
    if before is None:
        return None
    rows = session.execute(
        select(ServiceRecord.task, func.sum(ServiceRecord.units))
        .where(ServiceRecord.departure_id == before.id)
        .group_by(ServiceRecord.task)
    )
    return LastTime(before.claimed, {Task(task): int(units) for task, units in rows})


# --- writing -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NewTurn:
    """What is written down of a household's turns at a task."""

    task: Task
    household: str
    first_on: date
    last_on: date | None = None
    words: str = ""


def set_terms(
    community_id: int,
    new: NewTurn,
    capacity: int,
    weekdays: Iterable[int],
    person_id: int,
    now: datetime,
) -> int:
    """From a day on (today or later), a household serves up to `capacity` turns on some weekdays.

    Capacity 0 ends its part. A household's first terms may begin in the past.
    Raises NotFound or TurnInvalid, and then writes nothing.
    """
    bits = sum(1 << day for day in set(weekdays) if 0 <= day < 7)
    if not 0 <= capacity <= MOST_CAPACITY or (capacity and not bits):
        raise TurnInvalid(problem=TurnProblem.CAPACITY)
    with transaction() as session:
        lock_community(session, community_id)
        today = _today(session, community_id, now)
        begun = _has_begun(session, community_id, new.task, new.household)
        if (new.first_on < today and begun) or new.first_on > today + _MOST_AHEAD:
            raise TurnInvalid(problem=TurnProblem.DAY)
        values = {"capacity": capacity, "weekdays": bits or ALL_WEEK}
        return _write(session, community_id, TurnKind.TERMS, new, person_id, now, **values)


def note_away(community_id: int, new: NewTurn, person_id: int, now: datetime) -> int:
    """A household cannot serve on some days, from today on. Raises NotFound or TurnInvalid."""
    with transaction() as session:
        lock_community(session, community_id)
        today = _today(session, community_id, now)
        last = new.last_on or new.first_on
        if not today <= new.first_on <= last <= today + _MOST_AHEAD:
            raise TurnInvalid(problem=TurnProblem.DAY)
        return _write(session, community_id, TurnKind.AWAY, new, person_id, now)


def skip(community_id: int, new: NewTurn, reason: SkipReason, person_id: int, now: datetime) -> int:
    """A household passes its turn on; with a reason, for up to 14 days, it keeps its place.

    It can be written down up to a week afterwards. Raises NotFound or TurnInvalid.
    """
    with transaction() as session:
        lock_community(session, community_id)
        today = _today(session, community_id, now)
        last = new.last_on or new.first_on
        if not today - _NOTED_AFTER <= new.first_on <= last <= today + _MOST_AHEAD:
            raise TurnInvalid(problem=TurnProblem.DAY)
        most = MOST_SKIP_DAYS if reason != SkipReason.NONE else 1
        if (last - new.first_on).days >= most:
            raise TurnInvalid(problem=TurnProblem.LONG)
        values = {"reason": reason}
        return _write(session, community_id, TurnKind.SKIPPED, new, person_id, now, **values)


def ask_swap(community_id: int, new: NewTurn, other: str, person_id: int, now: datetime) -> int:
    """A household asks another one to exchange their places of one day; it counts once agreed to.

    Raises NotFound or TurnInvalid, and then writes nothing.
    """
    with transaction() as session:
        lock_community(session, community_id)
        today = _today(session, community_id, now)
        if not today <= new.first_on <= today + _MOST_AHEAD:
            raise TurnInvalid(problem=TurnProblem.DAY)
        taking = {
            member.household
            for member in get_rota(session, community_id, new.task).members
            if member.terms_on(new.first_on)
        }
        if other == new.household or not {other, new.household} <= taking:
            raise TurnInvalid(problem=TurnProblem.PARTNER)
        other_id = get_household(session, community_id, other).id
        values = {"other_household_id": other_id}
        return _write(session, community_id, TurnKind.SWAP_ASKED, new, person_id, now, **values)


def agree_swap(community_id: int, event_id: int, person_id: int, now: datetime) -> None:
    """The other household agrees to a swap, so that it counts.

    Raises NotFound, StateForbids when it was agreed to or withdrawn, SecondPersonNeeded for who
    asked, or TurnInvalid when its day is over.
    """
    with transaction() as session:
        lock_community(session, community_id)
        line = _open_swap(session, community_id, event_id)
        if line.recorded_by == person_id:
            raise SecondPersonNeeded
        if line.first_on < _today(session, community_id, now):
            raise TurnInvalid(problem=TurnProblem.DAY)
        assert line.other is not None
        new = NewTurn(task=line.task, household=line.other, first_on=line.first_on)
        values = {"about_id": line.id}
        _write(session, community_id, TurnKind.SWAP_AGREED, new, person_id, now, **values)


def withdraw(community_id: int, event_id: int, person_id: int, now: datetime) -> None:
    """Take back an absence, a skip, or a swap whose days are not over, as when it was a mistake.

    Raises NotFound, or StateForbids when it was taken back before or its days are over.
    """
    with transaction() as session:
        lock_community(session, community_id)
        line, lines = _find_line(session, community_id, event_id)
        is_withdrawn = any(
            each.kind == TurnKind.WITHDRAWN and each.about_id == event_id for each in lines
        )
        is_over = line.last_on < _today(session, community_id, now)
        kinds = (TurnKind.AWAY, TurnKind.SKIPPED, TurnKind.SWAP_ASKED)
        if is_withdrawn or is_over or line.kind not in kinds:
            raise StateForbids(thing="turn", state=line.kind, wanted="withdrawn")
        new = NewTurn(task=line.task, household=line.household, first_on=line.first_on)
        values = {"about_id": line.id}
        _write(session, community_id, TurnKind.WITHDRAWN, new, person_id, now, **values)


def find_turn(session: Session, community_id: int, event_id: int) -> TurnLine:
    """One thing that was written down. Raises NotFound."""
    return _find_line(session, community_id, event_id)[0]


def _write(
    session: Session,
    community_id: int,
    kind: TurnKind,
    new: NewTurn,
    person_id: int,
    now: datetime,
    **values: object,
) -> int:
    words = " ".join(new.words.split())
    if len(words) > LONGEST_WORDS:
        raise TurnInvalid(problem=TurnProblem.WORDS)
    return session.execute(
        insert(RotationEvent).returning(RotationEvent.id),
        {
            "community_id": community_id,
            "task": new.task,
            "kind": kind,
            "household_id": get_household(session, community_id, new.household).id,
            "other_household_id": None,
            "first_on": new.first_on,
            "last_on": new.last_on or new.first_on,
            "capacity": None,
            "weekdays": ALL_WEEK,
            "reason": None,
            "words": words,
            "about_id": None,
            "recorded_by": person_id,
            "recorded_at": now,
            **values,
        },
    ).scalar_one()


def _open_swap(session: Session, community_id: int, event_id: int) -> TurnLine:
    line, lines = _find_line(session, community_id, event_id)
    if line.kind != TurnKind.SWAP_ASKED:
        raise NotFound(thing="swap")
    if any(each.about_id == event_id for each in lines):
        raise StateForbids(thing="swap", state="answered", wanted="agreed")
    return line


def _find_line(
    session: Session, community_id: int, event_id: int
) -> tuple[TurnLine, Sequence[TurnLine]]:
    """A line of this community, with all lines of its task. Raises NotFound."""
    task = session.scalar(
        select(RotationEvent.task).where(
            RotationEvent.id == event_id, RotationEvent.community_id == community_id
        )
    )
    if task is None:
        raise NotFound(thing="turn")
    lines = _list_lines(session, community_id, Task(task))
    [line] = [each for each in lines if each.id == event_id]
    return line, lines


def _has_begun(session: Session, community_id: int, task: Task, household: str) -> bool:
    """Whether a household has terms at a task already: they are not changed backwards."""
    return any(
        each.kind == TurnKind.TERMS and each.household == household
        for each in _list_lines(session, community_id, task)
    )


def _today(session: Session, community_id: int, now: datetime) -> date:
    return village_day(now, get_community_by_id(session, community_id).zone)
