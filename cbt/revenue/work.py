"""Service records: checked, confirmed by somebody else, disputed and answered.

A record falls into parts, one a household; each is confirmed by its content. See
docs/decisions/017-work-turns-and-shares.md.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from cbt.bookings import queries as bookings
from cbt.bookings.models import Departure
from cbt.bookings.records import TripCard
from cbt.bookings.states import DepartureState
from cbt.bookings.things import ThingKind
from cbt.clock import village_day
from cbt.communities.models import Household
from cbt.communities.queries import (
    get_community_by_id,
    get_household,
    list_memberships,
    list_register,
)
from cbt.communities.services import lock_community
from cbt.communities.shares import Membership
from cbt.db import transaction
from cbt.errors import (
    AlreadySettled,
    NotFound,
    NotYetBegun,
    PeriodClosed,
    SecondPersonNeeded,
    StateForbids,
    WordsMissing,
    WorkChanged,
    WorkDisputed,
    WorkInvalid,
    WorkUnconfirmed,
)
from cbt.i18n import Localized
from cbt.people.models import RoleGrant
from cbt.people.roles import Role
from cbt.revenue import queries
from cbt.revenue.models import ServiceRecord
from cbt.revenue.policy import Task
from cbt.revenue.records import NewWork, WorkRow
from cbt.revenue.sharing import Work
from cbt.revenue.turns import held_things
from cbt.revenue.work_models import WorkAnswer, WorkConfirmation, WorkDispute
from cbt.revenue.work_rules import (
    ANSWER_WITHIN,
    Size,
    Worked,
    WorkProblem,
    choose_answerer,
    find_excess,
    find_too_long,
    part_hash,
    record_hash,
    settle_from,
)

MOST_ROWS = 200
MOST_UNITS = 1_000
MOST_MINUTES = 7 * 24 * 60
LONGEST_WORDS = 500
_MONEY = (Role.COORDINATOR, Role.TREASURER)
_LONGEST_TRIP = timedelta(days=60)


# --- reading -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DisputeLine:
    """A household's dispute over its part of a record, and what was answered."""

    id: int
    departure_id: int
    household: str
    reason: str
    recorded_by: int | None
    raised_by: int
    raised_at: datetime
    answerer_id: int | None
    answer_by: date
    words: str | None
    answered_by: int | None
    answered_at: datetime | None

    @property
    def is_open(self) -> bool:
        return self.answered_at is None


@dataclass(frozen=True)
class Part:
    """A household's part of a departure's record, and who confirmed it as it stands now.

    `was_changed`: what somebody confirmed read otherwise.
    """

    household: str
    name: Localized
    rows: tuple[WorkRow, ...]
    content_sha256: str
    recorded_by: int
    recorded_at: datetime
    confirmed_by: int | None
    confirmed_at: datetime | None
    is_own: bool
    was_changed: bool

    @property
    def is_confirmed(self) -> bool:
        return self.confirmed_by is not None


@dataclass(frozen=True)
class Record:
    """A departure's work record with what was said to it."""

    departure_id: int
    parts: tuple[Part, ...]
    disputes: tuple[DisputeLine, ...]

    @property
    def content_sha256(self) -> str:
        return record_hash(each.content_sha256 for each in self.parts)

    @property
    def unconfirmed(self) -> list[Part]:
        return [each for each in self.parts if not each.is_confirmed]

    @property
    def open_disputes(self) -> list[DisputeLine]:
        return [each for each in self.disputes if each.is_open]

    def part_of(self, household: str) -> Part | None:
        return next((each for each in self.parts if each.household == household), None)

    def dispute_of(self, household: str) -> DisputeLine | None:
        return next((each for each in self.open_disputes if each.household == household), None)


def list_records(session: Session, departure_ids: Iterable[int]) -> dict[int, Record]:
    """The work records of some departures, each with confirmations and disputes."""
    return records_of(session, queries.list_work(session, departure_ids), departure_ids)


def records_of(
    session: Session, work: Mapping[int, Sequence[WorkRow]], departure_ids: Iterable[int]
) -> dict[int, Record]:
    """The same where the rows of the work are read already."""
    ids = list(departure_ids)
    said: dict[tuple[int, str], list[WorkConfirmation]] = {}
    for confirmation, code in session.execute(
        select(WorkConfirmation, Household.code)
        .join(Household, Household.id == WorkConfirmation.household_id)
        .where(WorkConfirmation.departure_id.in_(ids))
        .order_by(WorkConfirmation.id)
    ):
        said.setdefault((confirmation.departure_id, code), []).append(confirmation)
    disputes: dict[int, list[DisputeLine]] = defaultdict(list)
    for each in _list_disputes(session, ids):
        disputes[each.departure_id].append(each)
    return {
        departure_id: Record(
            departure_id,
            tuple(
                _part(departure_id, rows, said.get((departure_id, code), []))
                for code, rows in _by_household(work.get(departure_id, ())).items()
            ),
            tuple(disputes[departure_id]),
        )
        for departure_id in ids
    }


def get_record(session: Session, departure_id: int) -> Record:
    return list_records(session, [departure_id])[departure_id]


def list_departures_of(
    session: Session, household_id: int, first_on: date, last_on: date
) -> list[int]:
    """The departures on which a household's work is recorded or disputed, newest day first."""
    recorded = select(ServiceRecord.departure_id).where(ServiceRecord.household_id == household_id)
    disputed = select(WorkDispute.departure_id).where(WorkDispute.household_id == household_id)
    return list(
        session.scalars(
            select(Departure.id)
            .where(
                Departure.id.in_(recorded.union(disputed)),
                Departure.starts_on.between(first_on, last_on),
            )
            .order_by(Departure.begins_at.desc(), Departure.id.desc())
        )
    )


def list_open_departures(
    session: Session, community_id: int, first_on: date, last_on: date
) -> list[int]:
    """Departures with a record that can still change, the newest first."""
    return list(
        session.scalars(
            select(Departure.id)
            .where(
                Departure.community_id == community_id,
                Departure.state != DepartureState.SETTLED,
                Departure.starts_on.between(first_on, last_on),
                Departure.id.in_(select(ServiceRecord.departure_id)),
            )
            .order_by(Departure.begins_at.desc(), Departure.id.desc())
        )
    )


def list_open_disputes(session: Session, community_id: int) -> list[DisputeLine]:
    """The disputes of a community that nobody answered yet, the first to be answered first."""
    ids = list(
        session.scalars(
            select(WorkDispute.departure_id)
            .join(Departure, Departure.id == WorkDispute.departure_id)
            .outerjoin(WorkAnswer, WorkAnswer.dispute_id == WorkDispute.id)
            .where(Departure.community_id == community_id, WorkAnswer.dispute_id.is_(None))
        )
    )
    found = [each for each in _list_disputes(session, ids) if each.is_open]
    return sorted(found, key=lambda each: (each.answer_by, each.id))


def find_warnings(session: Session, trip: TripCard) -> dict[Task, tuple[int, int]]:
    """{task: (recorded, most)} where more units are recorded than the party can have had."""
    rows = queries.list_work(session, [trip.id])[trip.id]
    boats = held_things(session, trip.id).get(ThingKind.BOAT, 0)
    return find_excess(map(_work_of, rows), Size(trip.claimed, trip.nights, boats))


def _by_household(rows: Iterable[WorkRow]) -> dict[str, list[WorkRow]]:
    parts: dict[str, list[WorkRow]] = {}
    for row in rows:
        parts.setdefault(row.household, []).append(row)
    return parts


def _part(departure_id: int, rows: Sequence[WorkRow], said: Sequence[WorkConfirmation]) -> Part:
    first = rows[0]
    content = part_hash(departure_id, first.household, map(_work_of, rows))
    by = next((each for each in said if each.content_sha256 == content), None)
    return Part(
        household=first.household,
        name=first.household_name,
        rows=tuple(rows),
        content_sha256=content,
        recorded_by=first.recorded_by,
        recorded_at=first.recorded_at,
        confirmed_by=by.confirmed_by if by else None,
        confirmed_at=by.confirmed_at if by else None,
        is_own=by.is_own if by else False,
        was_changed=bool(said) and by is None,
    )


def _work_of(row: WorkRow) -> Work:
    return Work(row.household, row.task, row.units, row.minutes)


def _list_disputes(session: Session, departure_ids: Iterable[int]) -> list[DisputeLine]:
    rows = session.execute(
        select(
            WorkDispute.id,
            WorkDispute.departure_id,
            Household.code,
            WorkDispute.reason,
            WorkDispute.recorded_by,
            WorkDispute.raised_by,
            WorkDispute.raised_at,
            WorkDispute.answerer_id,
            WorkDispute.answer_by,
            WorkAnswer.words,
            WorkAnswer.answered_by,
            WorkAnswer.answered_at,
        )
        .join(Household, Household.id == WorkDispute.household_id)
        .outerjoin(WorkAnswer, WorkAnswer.dispute_id == WorkDispute.id)
        .where(WorkDispute.departure_id.in_(list(departure_ids)))
        .order_by(WorkDispute.id)
    )
    return [DisputeLine(*tuple(row)) for row in rows]


# --- writing down --------------------------------------------------------------------------------


def replace_rows(
    session: Session,
    community_id: int,
    trip: TripCard,
    rows: Sequence[NewWork],
    person_id: int,
    now: datetime,
) -> None:
    """Put the rows of a work record in place of those that stood there. A step.

    A part whose content is the same keeps who wrote it down and when: saving a record again takes
    no confirmation away and makes nobody its recorder. Raises WorkInvalid naming the row.
    """
    _require_valid(session, community_id, trip, rows)
    before = {each.household: each for each in get_record(session, trip.id).parts}
    ids = {each.code: each.id for each in list_register(session, community_id)}
    parts: dict[str, list[Work]] = {}
    for row in rows:
        parts.setdefault(row.household, []).append(
            Work(row.household, Task(row.task), row.units, row.minutes)
        )
    kept = {
        code: before[code]
        for code, work in parts.items()
        if code in before and before[code].content_sha256 == part_hash(trip.id, code, work)
    }
    session.execute(delete(ServiceRecord).where(ServiceRecord.departure_id == trip.id))
    if rows:
        session.execute(
            insert(ServiceRecord),
            [
                {
                    "departure_id": trip.id,
                    "line": number,
                    "household_id": ids[row.household],
                    "task": row.task,
                    "units": row.units,
                    "minutes": row.minutes,
                    "recorded_by": kept[row.household].recorded_by
                    if row.household in kept
                    else person_id,
                    "recorded_at": kept[row.household].recorded_at
                    if row.household in kept
                    else now,
                }
                for number, row in enumerate(rows, start=1)
            ],
        )


def require_open(trip: TripCard, closed_until: date | None) -> None:
    """Raise AlreadySettled or PeriodClosed where a departure's record cannot be changed any more."""
    if trip.state == DepartureState.SETTLED:
        raise AlreadySettled
    if closed_until is not None and trip.starts_on <= closed_until:
        raise PeriodClosed(on=closed_until)


def require_member(members: dict[str, Membership], code: str, on: date, row: int) -> None:
    """Raise WorkInvalid unless a household is a member on a day."""
    if code not in members:
        raise WorkInvalid(row=row, problem=WorkProblem.HOUSEHOLD)
    if not members[code].is_active(on):
        raise WorkInvalid(row=row, problem=WorkProblem.INACTIVE)


def _require_valid(
    session: Session, community_id: int, trip: TripCard, rows: Sequence[NewWork]
) -> None:
    if len(rows) > MOST_ROWS:
        raise WorkInvalid(row=MOST_ROWS + 1, problem=WorkProblem.ROWS)
    members = list_memberships(session, community_id)
    for number, row in enumerate(rows, start=1):
        require_member(members, row.household, trip.starts_on, number)
        if row.task not in set(Task):
            raise WorkInvalid(row=number, problem=WorkProblem.TASK)
        if not 0 < row.units <= MOST_UNITS:
            raise WorkInvalid(row=number, problem=WorkProblem.UNITS)
        if not 0 <= row.minutes <= MOST_MINUTES:
            raise WorkInvalid(row=number, problem=WorkProblem.MINUTES)
    _require_possible_days(session, community_id, trip, rows)


def _require_possible_days(
    session: Session, community_id: int, trip: TripCard, rows: Sequence[NewWork]
) -> None:
    """Nobody works more than 24 hours on a day, over all trips."""
    zone = get_community_by_id(session, community_id).zone
    first, last = trip.starts_on, _last_day(trip.ends_at, trip.starts_on, zone)
    own = [Worked(row.household, first, last, row.minutes) for row in rows]
    names = {row.household for row in rows}
    others = [
        each
        for each in list_worked(session, community_id, first, last, zone, but=trip.id)
        if each.household in names
    ]
    number = find_too_long(own, others)
    if number is not None:
        raise WorkInvalid(row=number + 1, problem=WorkProblem.DAY)


def list_worked(
    session: Session, community_id: int, first: date, last: date, zone: str, *, but: int = 0
) -> list[Worked]:
    """What is recorded of departures that begin by `last` and reach into `first`, but of one."""
    rows = session.execute(
        select(
            Household.code,
            Departure.starts_on,
            Departure.ends_at,
            func.sum(ServiceRecord.minutes),
        )
        .join(ServiceRecord, ServiceRecord.departure_id == Departure.id)
        .join(Household, Household.id == ServiceRecord.household_id)
        .where(
            Departure.community_id == community_id,
            Departure.id != but,
            Departure.starts_on.between(_before(first), last),
        )
        .group_by(Household.code, Departure.id, Departure.starts_on, Departure.ends_at)
    )
    worked = [
        Worked(code, starts_on, _last_day(ends_at, starts_on, zone), int(minutes))
        for code, starts_on, ends_at, minutes in rows
    ]
    return [each for each in worked if each.last_on >= first]


def _before(first: date) -> date:
    """The earliest start of a trip that can still reach into a day."""
    return max(first, date.min + _LONGEST_TRIP) - _LONGEST_TRIP


def _last_day(ends_at: datetime, starts_on: date, zone: str) -> date:
    """The last day of a trip; one that ends at midnight does not touch the day after."""
    return max(starts_on, village_day(ends_at - timedelta(seconds=1), zone))


# --- confirming ----------------------------------------------------------------------------------


def confirm(
    community_id: int,
    departure_id: int,
    shown: str,
    person_id: int,
    now: datetime,
    household: str | None = None,
) -> None:
    """Say that a record (or, by a household itself, its own part) is right as it was shown.

    `shown` is the hash of what the person read. A second member confirms every part that somebody
    else recorded. Raises DepartureUnknown, AlreadySettled, NotYetBegun, NotFound for a household
    without a part, WorkChanged, SecondPersonNeeded for who recorded it, WorkDisputed for a part whose
    household disputes it, or StateForbids when all is confirmed; and then writes nothing.
    """
    with transaction() as session:
        lock_community(session, community_id)
        trip = bookings.get_trip(session, community_id, departure_id)
        require_open(trip, None)
        if trip.begins_at > now:
            raise NotYetBegun
        record = get_record(session, departure_id)
        parts = _to_confirm(record, shown, person_id, household)
        ids = {each.code: each.id for each in list_register(session, community_id)}
        session.execute(
            insert(WorkConfirmation),
            [
                {
                    "departure_id": departure_id,
                    "household_id": ids[each.household],
                    "content_sha256": each.content_sha256,
                    "recorded_by": each.recorded_by,
                    "is_own": household is not None,
                    "confirmed_by": person_id,
                    "confirmed_at": now,
                }
                for each in parts
            ],
        )


def _to_confirm(record: Record, shown: str, person_id: int, household: str | None) -> list[Part]:
    """The parts that a person's word confirms; at least one."""
    parts = [each for each in record.parts if household in (None, each.household)]
    if not parts:
        raise NotFound(thing="work")
    content = record.content_sha256 if household is None else parts[0].content_sha256
    if content != shown:
        raise WorkChanged
    waiting = [each for each in parts if not each.is_confirmed]
    if not waiting:
        raise StateForbids(thing="work", state="confirmed", wanted="confirmed")
    others = [each for each in waiting if each.recorded_by != person_id]
    if not others:
        raise SecondPersonNeeded
    undisputed = [each for each in others if record.dispute_of(each.household) is None]
    if not undisputed:
        raise _disputed(record.open_disputes[0])
    return undisputed


# --- disputing -----------------------------------------------------------------------------------


def dispute(
    community_id: int,
    departure_id: int,
    household: str,
    reason: str,
    person_id: int,
    now: datetime,
) -> int:
    """A household says that a record is wrong about it; return the dispute's id.

    A coordinator or treasurer who did not record it has a week to answer. Raises DepartureUnknown,
    AlreadySettled, NotYetBegun, NotFound, WordsMissing, or StateForbids while it disputes already.
    """
    words = _words(reason)
    with transaction() as session:
        lock_community(session, community_id)
        trip = bookings.get_trip(session, community_id, departure_id)
        require_open(trip, None)
        if trip.begins_at > now:
            raise NotYetBegun
        own = get_household(session, community_id, household)
        record = get_record(session, departure_id)
        if record.dispute_of(household) is not None:
            raise StateForbids(thing="work", state="disputed", wanted="disputed")
        part = record.part_of(household)
        about = part or (record.parts[0] if record.parts else None)
        recorder = about.recorded_by if about else None
        zone = get_community_by_id(session, community_id).zone
        made = WorkDispute(
            departure_id=departure_id,
            household_id=own.id,
            content_sha256=part.content_sha256 if part else part_hash(departure_id, household, ()),
            reason=words,
            recorded_by=recorder,
            raised_by=person_id,
            raised_at=now,
            answerer_id=choose_answerer(_money_people(session, community_id), recorder, person_id),
            answer_by=village_day(now + ANSWER_WITHIN, zone),
        )
        session.add(made)
        session.flush()
        return made.id


def answer(community_id: int, dispute_id: int, words: str, person_id: int, now: datetime) -> None:
    """Close a dispute with an answer that the household reads.

    Raises NotFound, StateForbids when it was answered before, WordsMissing, or SecondPersonNeeded
    for who recorded the disputed part and for who disputes it.
    """
    said = _words(words)
    with transaction() as session:
        lock_community(session, community_id)
        departure_id = session.scalar(
            select(WorkDispute.departure_id)
            .join(Departure, Departure.id == WorkDispute.departure_id)
            .where(WorkDispute.id == dispute_id, Departure.community_id == community_id)
        )
        if departure_id is None:
            raise NotFound(thing="dispute")
        [about] = [
            each for each in _list_disputes(session, [departure_id]) if each.id == dispute_id
        ]
        if not about.is_open:
            raise StateForbids(thing="dispute", state="answered", wanted="answered")
        if person_id in (about.recorded_by, about.raised_by):
            raise SecondPersonNeeded
        session.execute(
            insert(WorkAnswer),
            {
                "dispute_id": dispute_id,
                "words": said,
                "answered_by": person_id,
                "answered_at": now,
            },
        )


def _words(typed: str) -> str:
    words = " ".join(typed.split())
    if not 0 < len(words) <= LONGEST_WORDS:
        raise WordsMissing
    return words


def _money_people(session: Session, community_id: int) -> list[int]:
    """The coordinators and treasurers of a community, by how long they are."""
    return list(
        dict.fromkeys(
            session.scalars(
                select(RoleGrant.person_id)
                .where(
                    RoleGrant.community_id == community_id,
                    RoleGrant.role.in_(_MONEY),
                    RoleGrant.ended_at.is_(None),
                )
                .order_by(RoleGrant.id)
            )
        )
    )


def _disputed(line: DisputeLine) -> WorkDisputed:
    return WorkDisputed(household=line.household, day=line.answer_by)


# --- before settling -----------------------------------------------------------------------------


def find_dispute(record: Record) -> WorkDisputed | None:
    """What to say while a household's dispute over a record has no answer."""
    return _disputed(record.open_disputes[0]) if record.open_disputes else None


def find_wait(record: Record, ends_at: datetime) -> datetime | None:
    """From when on a record may be settled that is not confirmed as a whole; None where it is.

    `ends_at` is when its trip ends.
    """
    return max(
        (settle_from(each.recorded_at, ends_at) for each in record.unconfirmed), default=None
    )


def find_unseen(
    record: Record, ends_at: datetime, zone: str, now: datetime
) -> WorkUnconfirmed | None:
    """What to say while a part that nobody confirmed has not lain open for two days."""
    until = find_wait(record, ends_at)
    if until is None or until <= now:
        return None
    names = ", ".join(each.household for each in record.unconfirmed)
    return WorkUnconfirmed(households=names, day=village_day(until, zone))
