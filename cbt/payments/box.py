"""Reading the cash box: what it should hold, who took what, what was counted and banked."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking, Departure
from cbt.bookings.states import BookingState, DepartureState
from cbt.communities import chart
from cbt.communities.records import CommunityCard
from cbt.db import columns
from cbt.ledger.queries import balances
from cbt.payments.models import (
    Attempt,
    CashBanked,
    CashCleared,
    CashCount,
    CashTaken,
    PaymentAccount,
)
from cbt.payments.provider import AttemptState
from cbt.payments.records import CASH, RECORDED_WITHIN

MOST_SHOWN = 50


@dataclass(frozen=True)
class TakenCard:
    """A guest's cash, and who took it."""

    reference: str
    guest_name: str | None
    amount_satang: int
    taken_by: int
    taken_at: datetime


@dataclass(frozen=True)
class CountCard:
    """What was counted, beside what the books said."""

    id: int
    expected_satang: int
    counted_satang: int
    note: str
    counted_by: int
    counted_at: datetime
    agreed_by: int | None
    agreed_at: datetime | None

    @property
    def difference_satang(self) -> int:
        return self.counted_satang - self.expected_satang


@dataclass(frozen=True)
class BankedCard:
    """Cash that was carried to the bank, and what became of it; `is_back` is None until it is known.

    `line_id` is the line of the bank's statement that shows it.
    """

    id: int
    amount_satang: int
    bank_reference: str
    banked_by: int
    banked_at: datetime
    is_back: bool | None
    line_id: int | None
    cleared_by: int | None
    cleared_at: datetime | None


@dataclass(frozen=True)
class Box:
    """A community's cash box. `taken` is since the `last` count that two people agreed on.

    What is on its way to the bank has left the box, and nobody else has seen it arrive.
    """

    holds_satang: int
    last: CountCard | None
    taken: list[TakenCard]
    waiting: list[CountCard]
    agreed: list[CountCard]
    on_the_way: list[BankedCard] = field(default_factory=list)
    banked: list[BankedCard] = field(default_factory=list)

    @property
    def people(self) -> set[int]:
        """Everybody who did something with it."""
        brought = [*self.on_the_way, *self.banked]
        ids = {each.taken_by for each in self.taken} | {each.banked_by for each in brought}
        ids |= {each.cleared_by for each in brought if each.cleared_by is not None}
        counts = [*self.waiting, *self.agreed]
        ids |= {each.counted_by for each in counts}
        return ids | {each.agreed_by for each in counts if each.agreed_by is not None}


def get_box(session: Session, community: CommunityCard) -> Box:
    """The newest first; at most MOST_SHOWN of each."""
    own = CashCount.community_id == community.id
    agreed = _counts(session, own, CashCount.agreed_at.is_not(None))
    last = agreed[0] if agreed else None
    return Box(
        holds_satang=balances(session, community.book_id).get(chart.CASH_BOX, 0),
        last=last,
        taken=_taken(session, community.id, last.agreed_at if last else None),
        waiting=_counts(
            session, own, CashCount.agreed_at.is_(None), CashCount.dismissed_at.is_(None)
        ),
        agreed=agreed,
        on_the_way=_banked(session, community.id, CashCleared.banked_id.is_(None)),
        banked=_banked(session, community.id, CashCleared.banked_id.is_not(None)),
    )


_BANKED = (
    *(CashBanked.id, CashBanked.amount_satang, CashBanked.bank_reference),
    *(CashBanked.banked_by, CashBanked.banked_at),
    *(CashCleared.is_back, CashCleared.line_id, CashCleared.cleared_by, CashCleared.cleared_at),
)


def _banked(session: Session, community_id: int, *conditions: Any) -> list[BankedCard]:
    rows = session.execute(
        select(*_BANKED)
        .outerjoin(CashCleared, CashCleared.banked_id == CashBanked.id)
        .where(CashBanked.community_id == community_id, *conditions)
        .order_by(CashBanked.id.desc())
        .limit(MOST_SHOWN)
    )
    return [BankedCard(*row) for row in rows]


def _counts(session: Session, *conditions: Any) -> list[CountCard]:
    rows = session.execute(
        select(*columns(CashCount, CountCard))
        .where(*conditions)
        .order_by(CashCount.id.desc())
        .limit(MOST_SHOWN)
    )
    return [CountCard(*row) for row in rows]


def _taken(session: Session, community_id: int, since: datetime | None) -> list[TakenCard]:
    rows = session.execute(
        select(
            Booking.reference,
            Booking.guest_name,
            CashTaken.amount_satang,
            CashTaken.taken_by,
            CashTaken.taken_at,
        )
        .join(Attempt, Attempt.id == CashTaken.attempt_id)
        .join(Booking, Booking.id == Attempt.booking_id)
        .join(PaymentAccount, PaymentAccount.id == CashTaken.payment_account_id)
        .where(
            PaymentAccount.community_id == community_id,
            *((CashTaken.taken_at > since,) if since else ()),
        )
        .order_by(CashTaken.id.desc())
        .limit(MOST_SHOWN)
    )
    return [TakenCard(*row) for row in rows]


@dataclass(frozen=True)
class LatePromise:
    """Cash that was promised for a trip that is over, and that nobody has written down yet.

    It can be until `until`.
    """

    reference: str
    guest_name: str | None
    amount_satang: int
    ended_at: datetime
    until: datetime


def list_late_promises(
    session: Session, community_id: int, now: datetime, *conditions: Any
) -> list[LatePromise]:
    """What may still be written down, the most urgent first."""
    rows = session.execute(
        select(Booking.reference, Booking.guest_name, Attempt.amount_satang, Departure.ends_at)
        .join(Attempt, Attempt.booking_id == Booking.id)
        .join(Departure, Departure.id == Booking.departure_id)
        .where(
            Booking.community_id == community_id,
            Booking.state.in_((BookingState.HELD, BookingState.LAPSED)),
            Departure.state.in_((DepartureState.OPEN, DepartureState.CLOSED)),
            Departure.ends_at <= now,
            Departure.ends_at > now - RECORDED_WITHIN,
            Attempt.provider == CASH,
            Attempt.state == AttemptState.REPORTED,
            *conditions,
        )
        .order_by(Departure.ends_at, Booking.id)
    )
    return [LatePromise(*row, until=row.ends_at + RECORDED_WITHIN) for row in rows]


def find_late_promise(
    session: Session, community_id: int, booking_id: int, now: datetime
) -> LatePromise | None:
    found = list_late_promises(session, community_id, now, Booking.id == booking_id)
    return found[0] if found else None


def list_promised(session: Session, booking_ids: Iterable[int]) -> set[int]:
    """Those of some bookings whose places are kept for a promise of cash."""
    rows = session.scalars(
        select(Booking.id)
        .join(Attempt, Attempt.booking_id == Booking.id)
        .where(
            Booking.id.in_(list(booking_ids)),
            Booking.state == BookingState.HELD,
            Attempt.provider == CASH,
            Attempt.state == AttemptState.REPORTED,
        )
    )
    return set(rows)
