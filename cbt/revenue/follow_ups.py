"""Telling guests once, if they agreed, what their visit paid for."""

from datetime import date, datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking, Departure
from cbt.bookings.states import BookingState
from cbt.communities.queries import get_community_by_id
from cbt.communities.records import CommunityCard
from cbt.db import db, transaction
from cbt.ledger import queries as ledger
from cbt.ledger.models import Entry
from cbt.notices.services import queue
from cbt.revenue import fund_queries
from cbt.revenue.follow_up import FollowUp, Use, gifts_of, use_of
from cbt.revenue.fund_models import FundClaim
from cbt.revenue.policy import Bucket
from cbt.revenue.posting import booking_subject

_AT_ONCE = 50


def find_follow_up(
    session: Session, community: CommunityCard, reference: str, service_on: date
) -> FollowUp | None:
    """What a booking gave to the funds, and a use of one of them after its day; None before its split."""
    about = Entry.subject == booking_subject(reference)
    drafts = [each.draft for each in ledger.stream_entries(session, community.book_id, about)]
    gifts = gifts_of(drafts)
    if not gifts:
        return None
    pages = {
        fund: fund_queries.public_page(session, community.id, community.book_id, fund)
        for fund in _used_since(session, community.id, service_on)
    }
    return FollowUp(gifts, use_of(gifts, pages))


def _used_since(session: Session, community_id: int, day: date) -> list[Bucket]:
    rows = session.scalars(
        select(FundClaim.fund)
        .where(FundClaim.community_id == community_id, FundClaim.paid_on > day)
        .distinct()
        .order_by(FundClaim.fund)
    )
    return [Bucket(fund) for fund in rows]


def tell_what_visits_paid_for(now: datetime) -> int:
    """Write one mail to each guest who agreed and whose gift's fund was used since; return how many.

    With it the guest's wish is over and forgotten, so that no second mail can follow.
    """
    told = 0
    for reference in _list_waiting(db.session()):
        with transaction() as session:
            told += _tell(session, reference, now)
    return told


def _list_waiting(session: Session) -> list[str]:
    """Bookings whose guests wait for a line, of communities that used a fund after the trip."""
    rows = session.scalars(
        select(Booking.reference)
        .join(Departure, Departure.id == Booking.departure_id)
        .where(
            Booking.follow_up_agreed_at.is_not(None),
            Booking.guest_email.is_not(None),
            Booking.state == BookingState.SETTLED,
            select(FundClaim.id)
            .where(
                FundClaim.community_id == Booking.community_id,
                FundClaim.paid_on > Departure.starts_on,
            )
            .exists(),
        )
        .order_by(Booking.id)
        .limit(_AT_ONCE)
    )
    found = list(rows)
    session.rollback()
    return found


def _tell(session: Session, reference: str, now: datetime) -> int:
    row = session.execute(
        update(Booking)
        .where(Booking.reference == reference, Booking.follow_up_agreed_at.is_not(None))
        .values(version=Booking.version)
        .returning(
            Booking.id,
            Booking.community_id,
            Booking.departure_id,
            Booking.language,
            Booking.guest_email,
        )
    ).one_or_none()
    if row is None or row.guest_email is None:
        return 0
    community = get_community_by_id(session, row.community_id)
    service_on = session.get_one(Departure, row.departure_id).starts_on
    found = find_follow_up(session, community, reference, service_on)
    if found is None or found.use is None:
        return 0
    queue(
        session,
        key=f"follow_up:{reference}",
        kind="follow_up",
        language=row.language,
        recipient=row.guest_email,
        facts={"reference": reference, **facts_of(found, found.use)},
        now=now,
    )
    session.execute(update(Booking).where(Booking.id == row.id).values(follow_up_agreed_at=None))
    return 1


def facts_of(found: FollowUp, use: Use) -> dict[str, object]:
    """What the mail says, in codes and satang; the worker puts it into the guest's language."""
    return {
        "gifts": [[str(fund), amount] for fund, amount in found.gifts],
        "use": [str(use.fund), str(use.line.kind), use.line.amount_satang, use.line.payments],
    }
