"""What shared-out bookings have lost since, and what households owe: as the records say now."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, literal, select, union_all
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking, Departure
from cbt.bookings.states import PAID, DepartureState
from cbt.clock import village_day
from cbt.communities import chart
from cbt.communities.models import Household
from cbt.db import Condition
from cbt.errors import NotFound
from cbt.i18n import Localized
from cbt.ledger import queries as ledger
from cbt.payments.models import Refund
from cbt.payments.provider import DisputeState, RefundState
from cbt.payments.reported import Dispute
from cbt.revenue import queries
from cbt.revenue.corrections import CorrectionFacts, CorrectionState
from cbt.revenue.frozen import shares_of
from cbt.revenue.models import Correction, Recovery, TakeBack
from cbt.revenue.taking_back import RecoveryFacts, RecoveryKind, TakeBackFacts, bear


@dataclass(frozen=True)
class Loss:
    """What a booking has lost that nobody bears yet: to the guest, and what disputes cost."""

    booking_id: int
    reference: str
    departure_id: int
    lost_satang: int
    cost_satang: int
    is_ready: bool


def list_open_losses(session: Session, *conditions: Condition) -> list[Loss]:
    """Bookings whose losses nobody bears yet, wholly or in part; negative where a loss was undone.

    One that will still be shared out waits for that (`is_ready` is False).
    """
    paid_otherwise = (
        case((Dispute.was_split, 0), else_=Dispute.reserved_satang)
        + Dispute.credit_satang
        + Dispute.covered_satang
    )
    moved = union_all(
        select(
            Refund.booking_id.label("booking_id"),
            Refund.amount_satang.label("lost"),
            literal(0).label("cost"),
        ).where(Refund.was_split.is_(True), Refund.state == RefundState.SUCCEEDED),
        select(Dispute.booking_id, Dispute.amount_satang - paid_otherwise, literal(0)).where(
            Dispute.state == DisputeState.LOST
        ),
        select(Dispute.booking_id, literal(0), Dispute.fee_satang).where(
            Dispute.was_split.is_(True)
        ),
        select(TakeBack.booking_id, -TakeBack.lost_satang, -TakeBack.cost_satang),
    ).subquery()
    sums = (
        select(
            moved.c.booking_id,
            func.sum(moved.c.lost).label("lost"),
            func.sum(moved.c.cost).label("cost"),
        )
        .group_by(moved.c.booking_id)
        .having((func.sum(moved.c.lost) != 0) | (func.sum(moved.c.cost) != 0))
        .subquery()
    )
    is_ready = (Departure.state == DepartureState.SETTLED) | Booking.state.not_in(PAID)
    rows = session.execute(
        select(
            Booking.id, Booking.reference, Booking.departure_id, sums.c.lost, sums.c.cost, is_ready
        )
        .join(sums, sums.c.booking_id == Booking.id)
        .join(Departure, Departure.id == Booking.departure_id)
        .where(*conditions)
        .order_by(Booking.id)
    )
    return [
        Loss(booking_id, reference, departure_id, int(lost_), int(cost), bool(ready))
        for booking_id, reference, departure_id, lost_, cost, ready in rows
    ]


def next_take_back(session: Session, loss: Loss, zone: str, now: datetime) -> TakeBackFacts:
    """The facts of taking a loss back now."""
    before = list_take_backs(session, [loss.booking_id], zone)[loss.booking_id]
    change = (len(before) + 1, loss.lost_satang, loss.cost_satang)
    return _facts(session, loss.departure_id, loss.reference, change, before, zone, now)


def list_take_backs(
    session: Session, booking_ids: Sequence[int], zone: str
) -> dict[int, list[TakeBackFacts]]:
    """What was taken back of some bookings, computed anew from split and sharing-out, in order."""
    rows = session.execute(
        select(
            TakeBack.booking_id,
            Booking.reference,
            Booking.departure_id,
            TakeBack.number,
            TakeBack.lost_satang,
            TakeBack.cost_satang,
            TakeBack.found_at,
        )
        .join(Booking, Booking.id == TakeBack.booking_id)
        .where(TakeBack.booking_id.in_(list(booking_ids)))
        .order_by(TakeBack.booking_id, TakeBack.number)
    )
    taken: dict[int, list[TakeBackFacts]] = defaultdict(list)
    for booking_id, reference, departure_id, *change, found_at in rows:
        before = taken[booking_id]
        before.append(_facts(session, departure_id, reference, change, before, zone, found_at))
    return taken


def _facts(
    session: Session,
    departure_id: int,
    reference: str,
    change: Sequence[int],
    before: Sequence[TakeBackFacts],
    zone: str,
    found_at: datetime,
) -> TakeBackFacts:
    """The facts of a change (its number, lost, cost) of what a booking has lost."""
    number, lost, cost = change
    turn, shares = _shares(session, departure_id, reference, found_at)
    return TakeBackFacts(
        reference=reference,
        number=number,
        lost_satang=lost,
        cost_satang=cost,
        shares=shares,
        earlier=tuple(borne for facts in before for borne in bear(facts)),
        turn=turn,
        found_on=village_day(found_at, zone),
    )


def _shares(
    session: Session, departure_id: int, reference: str, at: datetime
) -> tuple[int, dict[str, int]]:
    """(settlement number, what the booking's split became); nothing before it was shared out."""
    settlement = queries.find_settlement(session, departure_id)
    if settlement is None or settlement.settled_at > at:
        return 0, {}
    about = {departure_id: (settlement.number, settlement.service_on)}
    sharing = queries.list_sharing_facts(session, about)[departure_id]
    try:
        booking = queries.get_booking_facts(session, departure_id, reference)
    except NotFound:  # nothing of it was kept
        return settlement.number, {}
    return settlement.number, shares_of(booking, sharing)


# --- what households owe -------------------------------------------------------------------------


@dataclass(frozen=True)
class Debt:
    """What a household owes, and what it was not paid yet, in satang."""

    household: str
    household_name: Localized
    owed_satang: int
    payable_satang: int

    @property
    def account(self) -> str:
        return chart.receivable(self.household)


def list_debts(session: Session, community_id: int, book_id: int) -> list[Debt]:
    """The households that owe something, in register order."""
    balances = ledger.balances(session, book_id)
    rows = session.execute(
        select(Household.code, Household.name)
        .where(Household.community_id == community_id)
        .order_by(Household.position)
    )
    debts = [
        Debt(
            code,
            name,
            balances.get(chart.receivable(code), 0),
            balances.get(chart.household(code), 0),
        )
        for code, name in rows
    ]
    return [debt for debt in debts if debt.owed_satang]


def list_recovery_facts(session: Session, community_id: int, zone: str) -> list[RecoveryFacts]:
    rows = session.execute(
        select(Recovery, Household.code)
        .join(Household, Household.id == Recovery.household_id)
        .where(Recovery.community_id == community_id)
        .order_by(Recovery.id)
    )
    return [
        RecoveryFacts(
            each.id,
            code,
            RecoveryKind(each.kind),
            each.amount_satang,
            village_day(each.recovered_at, zone),
        )
        for each, code in rows
    ]


# --- corrections ---------------------------------------------------------------------------------


def list_corrections(session: Session, community_id: int) -> list[Correction]:
    """A community's corrections: those that wait first, then the newest."""
    return list(
        session.scalars(
            select(Correction)
            .where(Correction.community_id == community_id)
            .order_by((Correction.state == CorrectionState.ASKED).desc(), Correction.id.desc())
        )
    )


def correction_facts(correction: Correction, zone: str) -> CorrectionFacts:
    """What an agreed correction is posted from."""
    return CorrectionFacts(
        correction.id,
        correction.source,
        correction.target,
        correction.amount_satang,
        correction.reason,
        correction.concerns_on,
        village_day(correction.decided_at or correction.asked_at, zone),
    )
