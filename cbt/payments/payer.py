"""Who paid: what writing about a booking's money needs to know, and telling its guest. Steps."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking
from cbt.communities.models import Community
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


_PAYER = (
    select(
        Booking.id,
        Community.id,
        Community.book_id,
        Community.zone,
        Booking.reference,
        Booking.language,
        Booking.guest_email,
    )
    .join(Booking, Booking.community_id == Community.id)
    .where(Booking.id == bindparam("wanted"))
)


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
