"""What a period's close looks at: the checklist and the figures. What rules judge: `rule_facts.py`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking, Departure
from cbt.bookings.states import PAID, BookingState, DepartureState
from cbt.clock import next_month, to_instant, village_day
from cbt.communities import chart
from cbt.communities.queries import list_register
from cbt.communities.records import CommunityCard
from cbt.ledger import queries as ledger
from cbt.ledger.models import Entry
from cbt.payments.models import Capture, CaptureFee, CashCount
from cbt.payments.work import count_open_work
from cbt.revenue import periods, queries
from cbt.revenue.closed import LineDispute
from cbt.revenue.losses import list_open_losses
from cbt.revenue.period_queries import (
    RECEIVABLES,
    closing_of,
    entries_of,
    get_period,
    list_balances,
    list_closes,
    list_items,
    list_snapshot,
)
from cbt.revenue.periods import Span
from cbt.revenue.statement_text import (
    Balance,
    Head,
    Item,
    balances_text,
    digest_of,
    head_of,
    head_text,
)


class StepCode(StrEnum):
    """What must be done before a month can be closed, in the order in which it is done."""

    MONTH_OVER = "month_over"
    TRIPS_SETTLED = "trips_settled"
    FEES_KNOWN = "fees_known"
    NOTHING_OPEN = "nothing_open"
    CASH_COUNTED = "cash_counted"
    DISPUTES_ANSWERED = "disputes_answered"
    LOSSES_BORNE = "losses_borne"
    AUDIT_CLEAN = "audit_clean"


@dataclass(frozen=True)
class Step:
    """One step, whether it is done, and how much is left."""

    code: StepCode
    is_done: bool
    left: int = 0


@dataclass(frozen=True)
class AuditFacts:
    """What the audit said, handed in by the door: this room does not know it.

    `audited_seq` is the last entry that it saw. `changed` counts faults in the chain of entries.
    """

    is_clean: bool
    audited_seq: int
    faults: int = 0
    recomputed: int = 0
    differing: int = 0
    changed: int = 0


@dataclass(frozen=True)
class People:
    """Who prepares and, once known, who confirms."""

    preparer: int
    approver: int | None = None


@dataclass(frozen=True)
class Figures:
    """Everything a close would fix: every account, every household's statement."""

    span: Span
    balances: tuple[Balance, ...]
    account_ids: Mapping[str, int]
    heads: tuple[Head, ...]
    items: Mapping[str, Sequence[Item]]
    household_ids: Mapping[str, int]

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all of it, so that a second person confirms what the first one saw."""
        texts = [balances_text(self.balances), *(head_text(head) for head in self.heads)]
        return digest_of("".join(texts))

    @property
    def funds(self) -> tuple[Balance, ...]:
        wanted = [chart.fund(each) for each in chart.FUNDS]
        return tuple(each for each in self.balances if each.account in wanted)


# --- figures -------------------------------------------------------------------------------------


def get_figures(session: Session, community: CommunityCard, month: date) -> Figures:
    """A period as it stands."""
    span = periods.span_of(month, list_closes(session, community.id))
    opening = opening_balances(session, community, span)
    balances, ids = list_balances(session, community.book_id, span, opening)
    items = list_items(session, community.book_id, span)
    register = list_register(session, community.id)
    closing = closing_of(balances)
    heads = tuple(
        head_of(
            community.slug,
            month,
            household.code,
            opening.get(chart.household(household.code), 0),
            items.get(household.code, ()),
            closing.get(f"{RECEIVABLES}{household.code}", 0),
        )
        for household in register
    )
    return Figures(
        span, tuple(balances), ids, heads, items, {each.code: each.id for each in register}
    )


def opening_balances(session: Session, community: CommunityCard, span: Span) -> dict[str, int]:
    """{account: what it held when the period began}: the closing of the one before.

    Open months ahead of an open one count as they stand.
    """
    opening: dict[str, int] = {}
    if span.before is not None:
        before = get_period(session, community.id, span.before.month)
        opening = closing_of(list_snapshot(session, before.id))
    if span.after is None:
        return opening
    earlier = Span(span.month, span.after, None, span.before, None)
    balances, _ids = list_balances(session, community.book_id, earlier, opening)
    return closing_of(balances)


# --- the checklist -------------------------------------------------------------------------------


def list_steps(
    session: Session, community: CommunityCard, month: date, audit: AuditFacts, now: datetime
) -> tuple[Step, ...]:
    """What is done and what is left before `month` can be closed."""
    last_day = periods.last_day_of(month)
    ends_at = to_instant(next_month(month), time(0), community.zone)
    trips = list_unsettled(session, community, month)
    disputes = list_unanswered(session, community.id, ends_at)
    open_work = count_open_work(session, community.id)
    fees = _count_unknown_fees(session, community.id, ends_at)
    counted = _is_cash_counted(session, community, month, ends_at)
    open_losses = list_open_losses(session, Booking.community_id == community.id)
    losses = [each for each in open_losses if each.is_ready]
    latest = _latest_entry(session, community, month)
    is_audited = audit.is_clean and audit.audited_seq >= latest
    return (
        Step(StepCode.MONTH_OVER, village_day(now, community.zone) > last_day),
        Step(StepCode.TRIPS_SETTLED, not trips, len(trips)),
        Step(StepCode.FEES_KNOWN, not fees, fees),
        Step(StepCode.NOTHING_OPEN, not open_work, open_work),
        Step(StepCode.CASH_COUNTED, counted),
        Step(StepCode.DISPUTES_ANSWERED, not disputes, len(disputes)),
        Step(StepCode.LOSSES_BORNE, not losses, len(losses)),
        Step(StepCode.AUDIT_CLEAN, is_audited, audit.faults),
    )


def list_unsettled(session: Session, community: CommunityCard, month: date) -> list[int]:
    """Departures of the month, or of open months before it, whose money is not shared out yet."""
    closes = list_closes(session, community.id)
    conditions = [
        Departure.community_id == community.id,
        Departure.state != DepartureState.SETTLED,
        Departure.starts_on <= periods.last_day_of(month),
        Booking.state.in_((*PAID, BookingState.CANCELLED)),
    ]
    if closes:
        conditions.append(Departure.starts_on > periods.last_day_of(closes[-1].month))
    ids = list(
        session.scalars(
            select(Departure.id)
            .join(Booking, Booking.departure_id == Departure.id)
            .where(*conditions)
            .distinct()
            .order_by(Departure.id)
        )
    )
    facts = queries.list_booking_facts(session, ids) if ids else {}
    return [departure_id for departure_id in ids if facts.get(departure_id)]


def list_unanswered(session: Session, community_id: int, before: datetime) -> list[int]:
    """Disputed lines that wait for an answer, said before a moment."""
    return list(
        session.scalars(
            select(LineDispute.id)
            .where(
                LineDispute.community_id == community_id,
                LineDispute.answered_at.is_(None),
                LineDispute.decided_at.is_(None),
                LineDispute.opened_at < before,
            )
            .order_by(LineDispute.id)
        )
    )


def _count_unknown_fees(session: Session, community_id: int, before: datetime) -> int:
    return (
        session.scalar(
            select(func.count(Capture.id))
            .outerjoin(CaptureFee, CaptureFee.capture_id == Capture.id)
            .where(
                Capture.community_id == community_id,
                Capture.paid_at < before,
                CaptureFee.capture_id.is_(None),
            )
        )
        or 0
    )


def _is_cash_counted(
    session: Session, community: CommunityCard, month: date, after: datetime
) -> bool:
    """Whether two people counted the box after the month's last day; without cash there is nothing to."""
    until = Entry.effective_on <= periods.last_day_of(month)
    moved = any(
        each.debits_satang or each.credits_satang
        for each in ledger.list_movements(session, community.book_id, until)
        if each.account == chart.CASH_BOX
    )
    counted = select(CashCount.id).where(
        CashCount.community_id == community.id, CashCount.agreed_at >= after
    )
    return not moved or session.scalar(counted.limit(1)) is not None


def _latest_entry(session: Session, community: CommunityCard, month: date) -> int:
    """The number of the newest entry that the open period of a month holds."""
    span = periods.span_of(month, list_closes(session, community.id))
    newest = select(func.max(Entry.seq)).where(
        Entry.book_id == community.book_id, *entries_of(span)
    )
    return session.scalar(newest) or 0
