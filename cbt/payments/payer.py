"""Who paid: what writing about a booking's money needs to know, and telling its guest. Steps."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking
from cbt.communities.models import Community
from cbt.db import table_of
from cbt.notices import services as notices


@dataclass(frozen=True)
class Payer:
    """A booking's guest and community, as far as posting its money needs them."""

    booking_id: int
    community_id: int
    book_id: int
    zone: str
    reference: str
    language: str
    guest_email: str | None


_BOOKING, _COMMUNITY = table_of(Booking), table_of(Community)
PAYERS = select(
    _BOOKING.c.id,
    _BOOKING.c.community_id,
    _COMMUNITY.c.book_id,
    _COMMUNITY.c.zone,
    _BOOKING.c.reference,
    _BOOKING.c.language,
    _BOOKING.c.guest_email,
).join(_COMMUNITY, _COMMUNITY.c.id == _BOOKING.c.community_id)
"""The fields of `Payer`, for whoever reads more about the booking in the same statement."""

_PAYER = PAYERS.where(_BOOKING.c.id == bindparam("wanted"))


def get_payer(session: Session, booking_id: int) -> Payer:
    return Payer(*session.execute(_PAYER, {"wanted": booking_id}).one())


def notify_guest(
    session: Session,
    payer: Payer,
    kind: str,
    key: str,
    values: dict[str, object],
    now: datetime,
) -> None:
    """Queue a mail to the guest, if we were given an address."""
    if payer.guest_email:
        notices.queue(
            session,
            key=key,
            kind=kind,
            language=payer.language,
            recipient=payer.guest_email,
            facts={"reference": payer.reference, **values},
            now=now,
        )
