"""Counting what the riskiest-first list of a month is judged by."""

from collections.abc import Iterable
from datetime import date, datetime, time

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from cbt.audit.risks import RiskFacts
from cbt.bookings.models import Booking, Departure
from cbt.clock import next_month, to_instant
from cbt.communities.records import CommunityCard
from cbt.communities.rotation import SkipReason
from cbt.ledger.models import Entry
from cbt.payments.models import Capture, Refund
from cbt.payments.provider import PayMethod, RefundState
from cbt.people.queries import list_grants_in
from cbt.people.roles import Role
from cbt.revenue.close_facts import get_figures
from cbt.revenue.corrections import CorrectionState
from cbt.revenue.fund_models import FundApproval, FundClaim
from cbt.revenue.models import Correction, ServiceRecord, Settlement
from cbt.revenue.paying_out import BatchState
from cbt.revenue.payout_models import PayoutBatch
from cbt.revenue.period_queries import (
    entries_of,
    find_period,
    list_closes,
    list_statements,
)
from cbt.revenue.periods import Span, last_day_of, span_of
from cbt.revenue.turns import list_tasks
from cbt.revenue.work import list_records
from cbt.revenue.work_models import RotationEvent, TurnKind

_AT_ONCE = 200
_NEITHER = (RefundState.CANCELLED, RefundState.FAILED)


def get_risk_facts(session: Session, community: CommunityCard, month: date) -> RiskFacts:
    """What is counted of a month, closed or open. Work is counted by the day of service."""
    span = span_of(month, list_closes(session, community.id))
    begins = to_instant(month, time(0), community.zone)
    ends = to_instant(next_month(month), time(0), community.zone)
    entries, late, corrections, settled = _entries(session, community, span)
    captured, cash = _captured(session, community, span)
    refunds, refunded = _refunds_after(session, community.id, begins, ends)
    turns, skipped = _turns(session, community.id, month)
    pairs = _pairs(session, community.id, month, begins, ends)
    trips, alone = _work(session, community.id, month)
    return RiskFacts(
        entries=entries,
        late=late,
        corrections=corrections,
        earned=_earned(session, community, month),
        captured_satang=captured,
        cash_satang=cash,
        settled=settled,
        refunds_after=refunds,
        refunded_after_satang=refunded,
        turns=turns,
        skipped=skipped,
        approvals=len(pairs),
        same_person=sum(1 for first, second in pairs if first == second),
        two_offices=_two_offices(session, community.id),
        trips=trips,
        alone=alone,
    )


def _entries(session: Session, community: CommunityCard, span: Span) -> tuple[int, int, int, int]:
    """(entries, of earlier closed months, corrections by hand, splits) of a period."""
    is_late = Entry.effective_on < span.month if span.before else Entry.id.is_(None)
    row = session.execute(
        select(
            func.count(),
            func.count(case((is_late, 1))),
            func.count(case((Entry.kind == "correction", 1))),
            func.count(case((Entry.kind == "split", 1))),
        )
        .select_from(Entry)
        .where(Entry.book_id == community.book_id, *entries_of(span))
    ).one()
    return row[0], row[1], row[2], row[3]


def _earned(session: Session, community: CommunityCard, month: date) -> dict[str, int]:
    """{household: what it earned}; of a closed month as its statements say."""
    period = find_period(session, community.id, month)
    if period is not None:
        return {each.household: each.earned_satang for each in list_statements(session, period.id)}
    heads = get_figures(session, community, month).heads
    return {head.household: head.earned_satang for head in heads}


def _captured(session: Session, community: CommunityCard, span: Span) -> tuple[int, int]:
    """(what guests of the bookings split in the period had paid, how much of it in cash), satang."""
    split = select(Entry.subject).where(
        Entry.book_id == community.book_id, Entry.kind == "split", *entries_of(span)
    )
    is_cash = Capture.method == PayMethod.CASH
    row = session.execute(
        select(
            func.coalesce(func.sum(Capture.amount_satang), 0),
            func.coalesce(func.sum(case((is_cash, Capture.amount_satang), else_=0)), 0),
        )
        .join(Booking, Booking.id == Capture.booking_id)
        .where(
            Booking.community_id == community.id,
            Capture.buys.is_(True),
            ("booking:" + Booking.reference).in_(split),
        )
    ).one()
    return int(row[0]), int(row[1])


def _refunds_after(
    session: Session, community_id: int, begins: datetime, ends: datetime
) -> tuple[int, int]:
    """(how many refunds of what was shared out already, satang) were asked for in a month."""
    row = session.execute(
        select(func.count(), func.coalesce(func.sum(Refund.amount_satang), 0)).where(
            Refund.community_id == community_id,
            Refund.was_split.is_(True),
            Refund.state.not_in(_NEITHER),
            Refund.requested_at >= begins,
            Refund.requested_at < ends,
        )
    ).one()
    return int(row[0]), int(row[1])


def _turns(session: Session, community_id: int, month: date) -> tuple[int, int]:
    """(turns taken, turns passed on without a reason) of the tasks that go in turns."""
    tasks = list_tasks(session, community_id)
    if not tasks:
        return 0, 0
    served = (
        select(ServiceRecord.departure_id, ServiceRecord.household_id, ServiceRecord.task)
        .join(Departure, Departure.id == ServiceRecord.departure_id)
        .where(
            Departure.community_id == community_id,
            Departure.starts_on >= month,
            Departure.starts_on <= last_day_of(month),
            ServiceRecord.task.in_(tasks),
        )
        .distinct()
        .subquery()
    )
    withdrawn = select(RotationEvent.about_id).where(RotationEvent.kind == TurnKind.WITHDRAWN)
    skipped = select(func.count(RotationEvent.id)).where(
        RotationEvent.community_id == community_id,
        RotationEvent.kind == TurnKind.SKIPPED,
        RotationEvent.reason == SkipReason.NONE,
        RotationEvent.first_on >= month,
        RotationEvent.first_on <= last_day_of(month),
        RotationEvent.id.not_in(withdrawn),
    )
    turns = session.scalar(select(func.count()).select_from(served)) or 0
    return turns, session.scalar(skipped) or 0


def _pairs(
    session: Session, community_id: int, month: date, begins: datetime, ends: datetime
) -> list[tuple[int, int]]:
    """(who began, who agreed) of each step of money for two people in a month."""
    pairs: list[tuple[int, int]] = []
    period = find_period(session, community_id, month)
    if period is not None:
        pairs.append((period.prepared_by, period.approved_by))
    batches = select(PayoutBatch.drafted_by, PayoutBatch.decided_by).where(
        PayoutBatch.community_id == community_id,
        PayoutBatch.state == BatchState.APPROVED,
        PayoutBatch.decided_at >= begins,
        PayoutBatch.decided_at < ends,
    )
    claims = (
        select(FundClaim.requested_by, FundApproval.person_id)
        .join(FundApproval, FundApproval.claim_id == FundClaim.id)
        .where(
            FundClaim.community_id == community_id,
            FundApproval.approved_at >= begins,
            FundApproval.approved_at < ends,
        )
    )
    corrections = select(Correction.asked_by, Correction.decided_by).where(
        Correction.community_id == community_id,
        Correction.state == CorrectionState.AGREED,
        Correction.decided_at >= begins,
        Correction.decided_at < ends,
    )
    for asked in (batches, claims, corrections):
        pairs += [(first, second) for first, second in session.execute(asked) if second]
    return pairs


def _two_offices(session: Session, community_id: int) -> int:
    """How many people hold both offices of the community's money."""
    held: dict[int, set[Role]] = {}
    for person_id, role, _household in list_grants_in(session, community_id):
        held.setdefault(person_id, set()).add(role)
    return sum(1 for roles in held.values() if {Role.TREASURER, Role.COORDINATOR} <= roles)


def _work(session: Session, community_id: int, month: date) -> tuple[int, int]:
    """(settled trips with work recorded, those that one person recorded and nobody confirmed)."""
    ids = list(
        session.scalars(
            select(Settlement.departure_id).where(
                Settlement.community_id == community_id,
                Settlement.service_on >= month,
                Settlement.service_on <= last_day_of(month),
            )
        )
    )
    trips = alone = 0
    for some in _in_parts(ids):
        for record in list_records(session, some).values():
            trips += bool(record.parts)
            recorders = {part.recorded_by for part in record.parts}
            alone += len(recorders) == 1 and len(record.unconfirmed) == len(record.parts)
    return trips, alone


def _in_parts(ids: list[int]) -> Iterable[list[int]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]
