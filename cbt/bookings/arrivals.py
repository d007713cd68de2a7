"""Who came: scans that are all kept, and parties that did not come."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cbt.bookings import queries
from cbt.bookings.hold import lock_by_reference
from cbt.bookings.models import Booking, CheckIn, NoShow
from cbt.bookings.records import ArrivalCard, NoShowCard
from cbt.bookings.states import PAID
from cbt.db import columns, transaction
from cbt.errors import DetailsIncomplete, NotFound, NotYetDelivered, StateForbids

LONGEST_WORDS = 500


@dataclass(frozen=True)
class Scan:
    """A check-in as a device made it, perhaps hours ago without the network.

    `key` is the device's own, so that sending it twice is one; `people` is how many came.
    """

    key: str
    reference: str
    device: str
    people: int
    scanned_at: datetime


@dataclass(frozen=True)
class Synced:
    """What became of scans: taken (or known already), and those of no booking of the community."""

    taken: tuple[str, ...]
    unknown: tuple[str, ...]


def take_scans(community_id: int, scans: Sequence[Scan], person_id: int, now: datetime) -> Synced:
    """Write down scans of the community's paid bookings; each key once, every scan kept."""
    taken: list[str] = []
    unknown: list[str] = []
    for scan in scans:
        try:
            is_ours = _take(community_id, scan, person_id, now)
        except IntegrityError:  # the same scan came in twice at once
            is_ours = True
        (taken if is_ours else unknown).append(scan.key)
    return Synced(tuple(taken), tuple(unknown))


def _take(community_id: int, scan: Scan, person_id: int, now: datetime) -> bool:
    with transaction() as session:
        row = session.execute(
            select(Booking.id, Booking.places).where(
                Booking.reference == scan.reference,
                Booking.community_id == community_id,
                Booking.state.in_(PAID),
            )
        ).one_or_none()
        if row is None:
            return False
        if session.scalar(select(CheckIn.id).where(CheckIn.key == scan.key)) is None:
            session.execute(
                insert(CheckIn),
                {
                    "key": scan.key,
                    "booking_id": row.id,
                    "device": scan.device,
                    "people": max(1, min(scan.people, row.places)),
                    "scanned_at": min(scan.scanned_at, now),
                    "received_at": now,
                    "scanned_by": person_id,
                },
            )
        return True


def list_arrivals(session: Session, booking_ids: Iterable[int]) -> dict[int, list[ArrivalCard]]:
    """Every scan of some bookings, the earliest first. More than one is a conflict to look at."""
    rows = session.execute(
        select(*columns(CheckIn, ArrivalCard))
        .where(CheckIn.booking_id.in_(list(booking_ids)))
        .order_by(CheckIn.booking_id, CheckIn.scanned_at, CheckIn.id)
    )
    arrivals: dict[int, list[ArrivalCard]] = {}
    for row in rows:
        card = ArrivalCard(*row)
        arrivals.setdefault(card.booking_id, []).append(card)
    return arrivals


# --- parties that did not come -------------------------------------------------------------------


def note_no_show(
    community_id: int, reference: str, reason: str, person_id: int, now: datetime
) -> None:
    """A party did not come. Its money is split by the rule all the same.

    Raises NotFound for another community's booking, NotYetDelivered before the start, StateForbids
    when it is noted already, was checked in or is not paid, DetailsIncomplete without a reason.
    """
    if not reason.strip():
        raise DetailsIncomplete(missing=("reason",))
    with transaction() as session:
        booking = lock_by_reference(session, reference)
        if booking.community_id != community_id:
            raise NotFound(thing="booking")
        if queries.get_departure(session, booking.departure_id).begins_at > now:
            raise NotYetDelivered
        known = session.get(NoShow, booking.id)
        came = session.scalar(select(CheckIn.id).where(CheckIn.booking_id == booking.id).limit(1))
        if booking.state not in PAID or known or came:
            raise StateForbids(thing="no_show", state=booking.state, wanted="no_show")
        session.add(
            NoShow(
                booking_id=booking.id,
                reason=reason.strip()[:LONGEST_WORDS],
                noted_at=now,
                noted_by=person_id,
            )
        )


def dispute_no_show(reference: str, words: str, now: datetime) -> None:
    """The guest says that they came. Raises NotFound, DetailsIncomplete, StateForbids when disputed."""
    if not words.strip():
        raise DetailsIncomplete(missing=("reason",))
    with transaction() as session:
        booking = lock_by_reference(session, reference)
        disputed = session.scalar(
            update(NoShow)
            .where(NoShow.booking_id == booking.id, NoShow.disputed_at.is_(None))
            .values(disputed_at=now, dispute=words.strip()[:LONGEST_WORDS])
            .returning(NoShow.booking_id)
        )
        if disputed is None:
            raise StateForbids(thing="no_show", state="disputed", wanted="disputed")


def list_no_shows(session: Session, booking_ids: Iterable[int]) -> dict[int, NoShowCard]:
    rows = session.execute(
        select(*columns(NoShow, NoShowCard)).where(NoShow.booking_id.in_(list(booking_ids)))
    )
    return {row[0]: NoShowCard(*row) for row in rows}


def find_no_show(session: Session, booking_id: int) -> NoShowCard | None:
    return list_no_shows(session, [booking_id]).get(booking_id)
