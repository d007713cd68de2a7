"""Settling departures, one or a hundred of them in as many statements: what each waits for, what it posts.

All are steps or read within them: the use cases in `services.py` lock, and commit.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import bindparam, insert, select
from sqlalchemy.orm import Session

from cbt.bookings.hold import close_departures
from cbt.bookings.models import Departure
from cbt.bookings.states import DepartureState
from cbt.communities.queries import get_community_by_id
from cbt.communities.services import lock_community, next_settlement_numbers
from cbt.db import table_of
from cbt.errors import (
    AlreadySettled,
    CbtError,
    ChoiceWaits,
    CostsExceedIncome,
    DepartureUnknown,
    DiscountTooLarge,
    DisputeOpen,
    FeeNotReported,
    GoodwillWaits,
    NothingToSettle,
    NotYetDelivered,
    NoWorkRecorded,
    PreviewOutdated,
    PromiseWaits,
)
from cbt.ledger import services as ledger
from cbt.payments import queries as payments
from cbt.revenue import posting, queries, work
from cbt.revenue.models import Settlement
from cbt.revenue.posting import BookingFacts
from cbt.revenue.records import Preview, WorkRow
from cbt.revenue.work import Record

_INSERT = insert(table_of(Settlement))
MOST_AT_ONCE = 100
"""So many departures are settled by one transaction: nobody else waits long for the community."""


class _Trip(NamedTuple):
    """A departure with its hours and state."""

    id: int
    starts_on: date
    ends_at: datetime
    state: str


_DEPARTURE = table_of(Departure)
_TRIPS = (
    select(*(_DEPARTURE.c[name] for name in _Trip._fields))
    .where(
        _DEPARTURE.c.id.in_(bindparam("departures", expanding=True)),
        _DEPARTURE.c.community_id == bindparam("community"),
    )
    .order_by(_DEPARTURE.c.begins_at, _DEPARTURE.c.id)
)


@dataclass(frozen=True)
class Outlook:
    """Departures before they are settled, by id in the order of settling: what those that can be would
    post, and what the others wait for.
    """

    previews: Mapping[int, Preview]
    obstacles: Mapping[int, CbtError]


def get_outlook(
    session: Session,
    community_id: int,
    departure_ids: Collection[int],
    now: datetime | None = None,
) -> Outlook:
    """What settling departures would post now; without `now`, as if they were over and seen by all.

    Raises DepartureUnknown.
    """
    community = get_community_by_id(session, community_id)
    trips = _list_trips(session, community_id, departure_ids)
    rows = queries.list_work(session, [trip.id for trip in trips])
    records = work.records_of(session, rows, [trip.id for trip in trips])
    waits = _list_waits(session, trips, records, community.zone, now) if now else {}
    rest = [trip for trip in trips if trip.id not in waits]
    found = _look(session, rest, rows, records, 1 + community.settlements)
    return Outlook(found.previews, {**waits, **found.obstacles})


def settle_departures(
    session: Session,
    community_id: int,
    previewed: Mapping[int, str],
    person_id: int,
    now: datetime,
) -> dict[int, int]:
    """Split the bookings of delivered departures and share their pools out; give {id: settlement number}.

    `previewed` is {departure: the fingerprint of the preview that the person agreed to}. Raises what
    the first departure that cannot be settled waits for.
    """
    book_id = lock_community(session, community_id)
    trips = _list_trips(session, community_id, previewed)
    zone = get_community_by_id(session, community_id).zone
    rows = queries.list_work(session, [trip.id for trip in trips])
    records = work.records_of(session, rows, [trip.id for trip in trips])
    _raise_first(trips, _list_waits(session, trips, records, zone, now))
    numbers = next_settlement_numbers(session, community_id, len(trips))
    close_departures(session, [trip.id for trip in trips])
    found = _look(session, trips, rows, records, numbers[0])
    _raise_first(trips, found.obstacles)
    for departure_id, preview in found.previews.items():
        if preview.fingerprint != previewed[departure_id]:
            raise PreviewOutdated
    _post(session, community_id, book_id, found.previews, person_id, now)
    return dict(zip(found.previews, numbers, strict=True))


def _list_trips(session: Session, community_id: int, departure_ids: Collection[int]) -> list[_Trip]:
    """The departures in the order in which they are settled. Raises DepartureUnknown."""
    wanted = {"departures": list(departure_ids), "community": community_id}
    trips = [_Trip(*row) for row in session.execute(_TRIPS, wanted)]
    if len(trips) < len(set(departure_ids)):
        raise DepartureUnknown
    return trips


def _raise_first(trips: Sequence[_Trip], obstacles: Mapping[int, CbtError]) -> None:
    for trip in trips:
        if trip.id in obstacles:
            raise obstacles[trip.id]


# --- what a departure waits for ------------------------------------------------------------------


def _list_waits(
    session: Session,
    trips: Sequence[_Trip],
    records: Mapping[int, Record],
    zone: str,
    now: datetime,
) -> dict[int, CbtError]:
    """What departures wait for whose preview can be shown all the same."""
    promised = payments.list_open_promises(session, [trip.id for trip in trips], now)
    found: dict[int, CbtError | None] = {}
    for trip in trips:
        if trip.state == DepartureState.SETTLED:
            found[trip.id] = AlreadySettled()
        elif trip.ends_at > now:
            found[trip.id] = NotYetDelivered()
        elif unseen := work.find_unseen(records[trip.id], trip.ends_at, zone, now):
            found[trip.id] = unseen
        elif trip.id in promised:  # cash written down after the split could never enter it
            found[trip.id] = PromiseWaits(reference=promised[trip.id])
    return {departure_id: error for departure_id, error in found.items() if error}


def _look(
    session: Session,
    trips: Sequence[_Trip],
    rows: Mapping[int, Sequence[WorkRow]],
    records: Mapping[int, Record],
    first_number: int,
) -> Outlook:
    """What departures would post, numbered from `first_number` on, or what keeps them from it."""
    ids = [trip.id for trip in trips]
    booked = queries.list_booking_facts(session, ids)
    obstacles = _list_obstacles(session, ids, records, booked)
    ready = [trip for trip in trips if trip.id not in obstacles]
    numbered = {
        trip.id: (number, trip.starts_on) for number, trip in enumerate(ready, start=first_number)
    }
    sharing = queries.sharing_facts_of(session, numbered, booked, rows)
    previews = {each: Preview(tuple(booked[each]), sharing[each]) for each in numbered}
    return Outlook(previews, obstacles)


def _list_obstacles(
    session: Session,
    departure_ids: Collection[int],
    records: Mapping[int, Record],
    booked: Mapping[int, Sequence[BookingFacts]],
) -> dict[int, CbtError]:
    waiting = (
        # money of one who still chooses is not shared out, and would look so afterwards
        (ChoiceWaits, payments.list_choosing(session, departure_ids)),
        # settling would decide over what a second person has not agreed to
        (GoodwillWaits, payments.list_waiting_goodwill(session, departure_ids)),
        # what the booking brought in is not known before
        (DisputeOpen, payments.list_open_disputes(session, departure_ids)),
        # a split without the fee could never be put right afterwards
        (FeeNotReported, payments.list_unreported_fees(session, departure_ids)),
    )
    found: dict[int, CbtError] = {}
    for each in departure_ids:
        own = _find_obstacle(booked.get(each, ()), records[each])
        said = [error(reference=about[each]) for error, about in waiting if each in about]
        for obstacle in (own, *said):
            if obstacle is not None:
                found.setdefault(each, obstacle)
    return found


def _find_obstacle(booked: Sequence[BookingFacts], record: Record) -> CbtError | None:
    if not booked:
        return NothingToSettle()
    try:
        pools = posting.pools_of(booked)
    except (CostsExceedIncome, DiscountTooLarge) as error:
        return error
    if not record.parts and any(pool for _policy, pool in pools):
        return NoWorkRecorded()
    return work.find_dispute(record)


# --- posting -------------------------------------------------------------------------------------


def _post(
    session: Session,
    community_id: int,
    book_id: int,
    previews: Mapping[int, Preview],
    person_id: int,
    now: datetime,
) -> None:
    """An entry for each booking and one for each sharing-out, departure by departure."""
    actor = f"person:{person_id}"
    drafts = []
    for preview in previews.values():
        drafts += [posting.split_draft(facts, actor) for facts in preview.bookings]
        drafts.append(posting.sharing_draft(preview.sharing, actor))
    ledger.post_all(session, book_id, drafts, now)
    session.execute(
        _INSERT,
        [
            {
                "community_id": community_id,
                "departure_id": departure_id,
                "number": preview.sharing.number,
                "service_on": preview.sharing.service_on,
                "facts": posting.sharing_input(preview.sharing),
                "settled_at": now,
                "settled_by": person_id,
            }
            for departure_id, preview in previews.items()
        ],
    )
