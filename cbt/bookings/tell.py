"""Queueing a message to a booking's guest, or to a party in line. Steps."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking, WaitingParty
from cbt.bookings.records import WaitingCard
from cbt.notices import services as notices


def tell_guest(
    session: Session, booking_id: int, kind: str, key: str, values: dict[str, object], now: datetime
) -> None:
    """Queue a mail to the guest of a booking, if we were given an address."""
    row = session.execute(
        select(Booking.reference, Booking.language, Booking.guest_email).where(
            Booking.id == booking_id
        )
    ).one()
    if row.guest_email:
        notices.queue(
            session,
            key=key,
            kind=kind,
            language=row.language,
            recipient=row.guest_email,
            facts={"reference": row.reference, **values},
            now=now,
        )


def tell_party(
    session: Session,
    party: WaitingParty | WaitingCard,
    kind: str,
    key: str,
    facts: dict[str, object],
    now: datetime,
) -> None:
    """Queue a mail to a party in line, if we were given an address."""
    if party.email:
        notices.queue(
            session,
            key=key,
            kind=kind,
            language=party.language,
            recipient=party.email,
            facts=facts,
            now=now,
        )
