"""A village's month, ready to be settled: bookings as the use cases write them, copied by the thousand.

A few parties book, pay and are taken into the books through the use cases; every other booking is one of
them on another departure, with rows and entries of its own. So the audit finds the month clean.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count, cycle, islice
from typing import Any

from sqlalchemy import Table, func, insert, select, update
from sqlalchemy.orm import Session

from cbt.bookings import departures
from cbt.bookings.models import Booking, BookingCost, BookingLine, Departure
from cbt.clock import village_day
from cbt.communities.models import Household
from cbt.db import table_of, transaction
from cbt.ledger import services as ledger
from cbt.payments import posting
from cbt.payments.models import Attempt, Capture, CaptureBalance, CaptureFee
from cbt.payments.posting import CaptureFacts, FeeFacts
from cbt.revenue.models import ServiceRecord
from cbt.revenue.policy import DEFAULT, Policy
from tests import factories

MONTH = date(2026, 11, 1)
BOOKED = datetime(2026, 11, 1, 1, tzinfo=UTC)
RECORDED = datetime(2026, 11, 30, 15, tzinfo=UTC)
SETTLED = datetime(2026, 12, 3, 4, tzinfo=UTC)
CAPACITY = 60
_DAYS = [MONTH + timedelta(days=number) for number in range(2, 30)]
_PARTIES = (
    *({"ADULT": 2}, {"ADULT": 1}, {"ADULT": 2, "CHILD": 1}),
    *({"ADULT": 3}, {"ADULT": 1, "CHILD": 2}, {"ADULT": 2, "INFANT": 1}),
)
_TASKS = ("boat", "guide", "cook", "host")
_AT_ONCE = 500
_ZONE = "Asia/Bangkok"
_numbers = count(1)


@dataclass(frozen=True)
class Month:
    """A village and its departures of `MONTH`, none of them settled."""

    village: factories.Village
    departure_ids: tuple[int, ...]
    bookings: int


def fill(bookings: int, to_a_trip: int, households: int, policy: Policy = DEFAULT) -> Month:
    """A new village whose guests of a month came, paid and were looked after by four households each time."""
    village = factories.make_village(
        capacity=CAPACITY, households=households, on=_DAYS[0], policy=policy
    )
    trips = -(-bookings // to_a_trip)
    options = [village.option_id]
    options += [
        factories.make_option(village.id, capacity=CAPACITY)
        for _ in range((trips - 1) // len(_DAYS))
    ]
    for option_id in options:
        departures.open_departures(option_id, _DAYS)
    like = [factories.book(village, party, BOOKED) for party in _PARTIES]
    with transaction() as session:
        ids = list(
            session.scalars(
                select(Departure.id)
                .where(Departure.community_id == village.id)
                .order_by(Departure.starts_on, Departure.id)
                .limit(trips)
            )
        )
        _copy_bookings(session, village, like, ids, bookings - len(like))
        _record_work(session, village, ids)
    return Month(village, tuple(ids), bookings)


def _copy_bookings(
    session: Session,
    village: factories.Village,
    like: Iterable[str],
    departure_ids: Iterable[int],
    number: int,
) -> None:
    known = [_Known(session, reference) for reference in like]
    places = islice(zip(cycle(departure_ids), cycle(known)), number)
    while chosen := list(islice(places, _AT_ONCE)):
        _write(session, village, chosen)
    claimed = (
        select(func.sum(Booking.places))
        .where(Booking.departure_id == Departure.id)
        .scalar_subquery()
    )
    session.execute(
        update(Departure)
        .where(Departure.id.in_(select(Booking.departure_id)), Departure.community_id == village.id)
        .values(claimed=claimed)
        .execution_options(synchronize_session=False)
    )


class _Known:
    """A booking that the use cases made, with the rows beside it."""

    def __init__(self, session: Session, reference: str) -> None:
        self.booking = _rows(session, Booking, Booking.reference == reference)[0]
        own = self.booking["id"]
        self.lines = _rows(session, BookingLine, BookingLine.booking_id == own)
        self.costs = _rows(session, BookingCost, BookingCost.booking_id == own)
        [self.attempt] = _rows(session, Attempt, Attempt.booking_id == own)
        [self.capture] = _rows(session, Capture, Capture.booking_id == own)
        taken = self.capture["id"]
        [self.fee] = _rows(session, CaptureFee, CaptureFee.capture_id == taken)
        [self.balance] = _rows(session, CaptureBalance, CaptureBalance.capture_id == taken)


def _rows(session: Session, model: Any, condition: Any) -> list[dict[str, Any]]:
    return [row._asdict() for row in session.execute(select(table_of(model)).where(condition))]


def _write(session: Session, village: factories.Village, chosen: list[tuple[int, _Known]]) -> None:
    """Bookings like known ones, each on a departure, with what stands beside them in the database."""
    named = [(f"C-{village.id}-{next(_numbers)}", trip, known) for trip, known in chosen]
    booked = _add(
        session,
        Booking,
        (
            known.booking | {"reference": name, "request_key": name, "departure_id": trip}
            for name, trip, known in named
        ),
    )
    for model, rows_of in ((BookingLine, "lines"), (BookingCost, "costs")):
        session.execute(
            insert(table_of(model)),
            [
                row | {"booking_id": booking_id}
                for booking_id, (_name, _trip, known) in zip(booked, named, strict=True)
                for row in getattr(known, rows_of)
            ],
        )
    attempts = _add(
        session,
        Attempt,
        (
            known.attempt | {"booking_id": booking_id, "provider_ref": name}
            for booking_id, (name, _trip, known) in zip(booked, named, strict=True)
        ),
    )
    _write_money(session, village, named, booked, attempts)


def _write_money(
    session: Session,
    village: factories.Village,
    named: list[tuple[str, int, _Known]],
    booked: list[int],
    attempts: list[int],
) -> None:
    first = 1 + (
        session.scalar(
            select(func.max(Capture.receipt_number)).where(Capture.community_id == village.id)
        )
        or 0
    )
    captures = _add(
        session,
        Capture,
        (
            known.capture
            | {"booking_id": booking_id, "attempt_id": attempt_id, "payment_id": name}
            | {"receipt_number": first + place}
            for place, (booking_id, attempt_id, (name, _trip, known)) in enumerate(
                zip(booked, attempts, named, strict=True)
            )
        ),
    )
    for model, beside in ((CaptureFee, "fee"), (CaptureBalance, "balance")):
        session.execute(
            insert(table_of(model)),
            [
                getattr(known, beside) | {"capture_id": capture_id}
                for capture_id, (_name, _trip, known) in zip(captures, named, strict=True)
            ],
        )
    drafts = [draft for name, _trip, known in named for draft in _entries(name, known)]
    ledger.post_all(session, village.card.book_id, drafts, BOOKED)


def _entries(name: str, known: _Known) -> Iterator[Any]:
    about = (name, known.capture["provider"], name)
    paid_on = village_day(known.capture["paid_at"], _ZONE)
    yield posting.capture_draft(
        CaptureFacts(*about, known.capture["amount_satang"], paid_on), "bench"
    )
    told_on = village_day(known.fee["reported_at"], _ZONE)
    yield posting.fee_draft(FeeFacts(*about, known.fee["amount_satang"], told_on), "bench")


def _add(session: Session, model: Any, rows: Iterable[Mapping[str, Any]]) -> list[int]:
    """Insert rows without their ids; give the new ids in the rows' order."""
    table: Table = table_of(model)
    statement = insert(table).returning(table.c.id, sort_by_parameter_order=True)
    own = [{name: value for name, value in row.items() if name != "id"} for row in rows]
    return [row.id for row in session.execute(statement, own)]


def _record_work(
    session: Session, village: factories.Village, departure_ids: Iterable[int]
) -> None:
    """Four households in turn work on each departure; nobody objects."""
    ids = list(
        session.scalars(
            select(Household.id)
            .where(Household.community_id == village.id)
            .order_by(Household.position)
        )
    )
    turn = cycle(ids)
    session.execute(
        insert(table_of(ServiceRecord)),
        [
            {
                "departure_id": departure_id,
                "line": line,
                "household_id": next(turn),
                "task": task,
                "units": 1,
                "minutes": 90,
                "recorded_by": village.person_id,
                "recorded_at": RECORDED,
            }
            for departure_id in departure_ids
            for line, task in enumerate(_TASKS, start=1)
        ],
    )
