"""What a period's close looks at: the checklist, the figures, and the facts that the rules judge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking, Departure
from cbt.bookings.states import PAID, BookingState, DepartureState
from cbt.clock import month_before, next_month, to_instant, village_day
from cbt.communities import chart
from cbt.communities.models import Household
from cbt.communities.queries import list_households, list_register
from cbt.communities.records import CommunityCard
from cbt.ledger import queries as ledger
from cbt.ledger.models import Entry
from cbt.payments.models import Capture, CaptureFee, CashCount
from cbt.payments.work import count_open_work
from cbt.people.queries import list_grants_in
from cbt.people.roles import Role
from cbt.revenue import close_rules, periods, queries
from cbt.revenue import paying_out as payouts
from cbt.revenue.close_rules import Answer, CloseFacts, Fund
from cbt.revenue.closed import LineDispute
from cbt.revenue.fund_models import FundClaim
from cbt.revenue.funds import Purpose
from cbt.revenue.losses import list_open_losses
from cbt.revenue.payout_models import PayoutLine, PayoutStep
from cbt.revenue.period_queries import (
    RECEIVABLES,
    closing_of,
    entries_of,
    get_period,
    list_balances,
    list_closes,
    list_earned,
    list_items,
    list_snapshot,
)
from cbt.revenue.periods import Span
from cbt.revenue.policy import Bucket
from cbt.revenue.statement_text import (
    Balance,
    Head,
    Item,
    balances_text,
    digest_of,
    head_of,
    head_text,
)

_WORKED = ("by_work", "preparation")
_COMMITTEE = (Role.COORDINATOR, Role.TREASURER)
_IS_LOCAL = ("fund:", "pool:")
_SPLIT = "split"


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


# --- facts for the rules -------------------------------------------------------------------------


def get_answers(
    session: Session,
    community: CommunityCard,
    figures: Figures,
    audit: AuditFacts,
    people: People,
    exemption_until: date | None,
    now: datetime,
) -> tuple[Answer, ...]:
    """What every rule says of a period as it would be closed now."""
    month = figures.span.month
    closed_on = village_day(now, community.zone)
    splits = _splits(session, community, figures.span)
    grants = list_grants_in(session, community.id)
    seats = _committee(session, community, grants)
    households = _households(session, community, figures, seats)
    closes = list_closes(session, community.id)
    facts = CloseFacts(
        month=month,
        closed_on=closed_on,
        days_after=max(0, periods.days_after(month, closed_on)),
        preparer=people.preparer,
        approver=people.approver,
        auditors=frozenset(person for person, role, _ in grants if role == Role.MENTOR),
        bookings=_bookings(session, splits),
        household_lines=sum(len(items) for items in figures.items.values()),
        untraced=_untraced(session, community, figures),
        recomputed=audit.recomputed,
        differing=audit.differing,
        changed_entries=audit.changed,
        households=households,
        closed_months=min(close_rules.WINDOW_MONTHS, len(closes) + 1),
        committee_known=bool(seats),
        mgmt_paid=_management_paid(session, community, _window(month)),
        funds=tuple(_fund(each) for each in figures.funds),
        net_satang=sum(splits.values()),
        kept_satang=_kept(session, community, figures.span),
        wages=(),
        daily_wage_satang=None,
        statements_days=0 if closes else None,
        unpaid_days=_unpaid_days(session, community, closes[-1], now) if closes else None,
        gross_year_satang=_gross(session, community, month),
        exemption_until=exemption_until,
    )
    return close_rules.judge(facts)


def _splits(session: Session, community: CommunityCard, span: Span) -> dict[str, int]:
    """{subject: satang} of each booking that was split in a period, in the order of the entries."""
    rows = session.execute(
        select(Entry.subject, Entry.amount_satang)
        .where(Entry.book_id == community.book_id, Entry.kind == _SPLIT, *entries_of(span))
        .order_by(Entry.seq)
    )
    return {row.subject: row.amount_satang for row in rows}


def _kept(session: Session, community: CommunityCard, span: Span) -> int:
    """What the splits of a period brought to funds and pools of the community."""
    conditions = (Entry.kind == _SPLIT, *entries_of(span))
    return sum(
        each.credits_satang
        for each in ledger.list_movements(session, community.book_id, *conditions)
        if each.account.startswith(_IS_LOCAL)
    )


def _bookings(session: Session, split: Mapping[str, int]) -> tuple[tuple[str, int, int], ...]:
    """(reference, what it brought in by the facts, sum of its posted parts) of each split booking."""
    references = {subject.removeprefix("booking:"): amount for subject, amount in split.items()}
    rows = session.execute(
        select(Booking.departure_id).where(Booking.reference.in_(list(references))).distinct()
    )
    net = {
        facts.reference: facts.captured_satang
        for group in queries.list_booking_facts(session, [row[0] for row in rows]).values()
        for facts in group
    }
    return tuple(
        (reference, net.get(reference, 0), amount) for reference, amount in references.items()
    )


def _untraced(session: Session, community: CommunityCard, figures: Figures) -> tuple[str, ...]:
    """Earned lines that lead to no settlement, or to none of that household's work."""
    earned = [
        (code, item)
        for code, items in figures.items.items()
        for item in items
        if item.subject.startswith("departure:")
    ]
    ids = {int(item.subject.removeprefix("departure:")) for _code, item in earned}
    settled = {each.departure_id for each in queries.list_settlements(session, community.id)} & ids
    work = queries.list_work(session, ids)
    prepared = queries.list_preparation_costs(session, ids)
    lost = []
    for code, item in earned:
        departure_id = int(item.subject.removeprefix("departure:"))
        workers = {row.household for row in work[departure_id]} | set(
            prepared.get(departure_id, ())
        )
        needs_work = item.rule.startswith(_WORKED) and item.amount_satang > 0
        if departure_id not in settled or (needs_work and code not in workers):
            lost.append(f"{item.entry_seq}.{item.leg}")
    return tuple(lost)


def _committee(
    session: Session, community: CommunityCard, grants: Sequence[tuple[int, Role, int | None]]
) -> frozenset[str]:
    """The households of those who keep an office, by code."""
    officers = {person for person, role, _household in grants if role in _COMMITTEE}
    ids = {
        household
        for person, role, household in grants
        if role == Role.HOUSEHOLD and person in officers and household is not None
    }
    rows = session.scalars(
        select(Household.code).where(Household.community_id == community.id, Household.id.in_(ids))
    )
    return frozenset(rows)


def _households(
    session: Session, community: CommunityCard, figures: Figures, seats: frozenset[str]
) -> tuple[close_rules.Household, ...]:
    """The active households with what they earned over twelve months, this one counted in."""
    since = _window(figures.span.month)
    before = list_earned(session, community.id, since)
    now = {head.household: head.earned_satang for head in figures.heads}
    return tuple(
        close_rules.Household(
            each.code, before.get(each.code, 0) + now.get(each.code, 0), each.code in seats
        )
        for each in list_households(session, community.id, figures.span.last_day)
    )


def _window(month: date) -> date:
    """The first month of the twelve that end with this one."""
    for _ in range(close_rules.WINDOW_MONTHS - 1):
        month = month_before(month)
    return month


def _management_paid(
    session: Session, community: CommunityCard, since: date
) -> tuple[tuple[str, int], ...]:
    """(household, satang) that the management fund paid for work since a day."""
    rows = session.execute(
        select(Household.code, func.sum(FundClaim.amount_satang))
        .join(Household, Household.id == FundClaim.household_id)
        .where(
            FundClaim.community_id == community.id,
            FundClaim.fund == Bucket.MGMT,
            FundClaim.purpose == Purpose.PAY,
            FundClaim.paid_on >= since,
        )
        .group_by(Household.code)
        .order_by(Household.code)
    )
    return tuple((code, int(total)) for code, total in rows)


def _unpaid_days(
    session: Session, community: CommunityCard, close: periods.Close, now: datetime
) -> int:
    """How many days after the close before somebody still waits for a payout of what it closed with.

    Nobody waits who had less than the least payout, or was paid since.
    """
    before = get_period(session, community.id, close.month)
    closing = closing_of(list_snapshot(session, before.id))
    balances = ledger.balances(session, community.book_id)
    paid = set(
        session.scalars(
            select(Household.code)
            .join(PayoutLine, PayoutLine.household_id == Household.id)
            .join(PayoutStep, PayoutStep.line_id == PayoutLine.id)
            .where(
                PayoutStep.community_id == community.id,
                PayoutStep.step == payouts.Step.PAID,
                PayoutStep.done_at >= before.closed_at,
            )
        )
    )
    waiting = [
        account
        for account, amount in closing.items()
        if (code := chart.household_of(account)) is not None
        and code not in paid
        and min(amount, balances.get(account, 0)) >= payouts.LEAST_SATANG
    ]
    closed_on = village_day(before.closed_at, community.zone)
    return (village_day(now, community.zone) - closed_on).days if waiting else 0


def _gross(session: Session, community: CommunityCard, month: date) -> int:
    """What guests paid for services of the twelve months, before anything was given back."""
    return int(
        session.scalar(
            select(func.coalesce(func.sum(Capture.amount_satang), 0))
            .join(Booking, Booking.id == Capture.booking_id)
            .join(Departure, Departure.id == Booking.departure_id)
            .where(
                Capture.community_id == community.id,
                Capture.buys.is_(True),
                Departure.state == DepartureState.SETTLED,
                Departure.starts_on >= _window(month),
                Departure.starts_on <= periods.last_day_of(month),
            )
        )
        or 0
    )


def _fund(balance: Balance) -> Fund:
    return Fund(
        balance.account.removeprefix("fund:"),
        balance.opening_satang,
        balance.credits_satang,
        balance.debits_satang,
        balance.closing_satang,
    )
