"""What the rules of a close judge, read from bookings, work, turns, funds, payouts and the books."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking, Departure
from cbt.bookings.states import DepartureState
from cbt.clock import month_before, village_day
from cbt.communities import chart
from cbt.communities.models import Household
from cbt.communities.queries import list_households
from cbt.communities.records import CommunityCard
from cbt.communities.rotation import balance
from cbt.communities.vulnerable import list_vulnerable
from cbt.communities.wages import list_wages, wage_on
from cbt.ledger import queries as ledger
from cbt.ledger.models import Entry
from cbt.payments.models import Capture
from cbt.people.queries import list_grants_in
from cbt.people.roles import Role
from cbt.revenue import close_rules, periods, queries, rulebook
from cbt.revenue import paying_out as payouts
from cbt.revenue.close_facts import AuditFacts, Figures, People
from cbt.revenue.fairness import PAID_BY_THE_HOUR, pay_of
from cbt.revenue.fund_facts import list_fund_uses
from cbt.revenue.fund_models import FundClaim
from cbt.revenue.funds import Purpose
from cbt.revenue.payout_models import PayoutLine, PayoutStep
from cbt.revenue.period_queries import (
    closing_of,
    entries_of,
    get_period,
    list_closes,
    list_earned,
    list_snapshot,
    stream_period,
)
from cbt.revenue.periods import Span
from cbt.revenue.policy import Bucket
from cbt.revenue.rulebook import Answer, CloseFacts, Fund, TaskTurns, Wage
from cbt.revenue.statement_text import Balance, Item
from cbt.revenue.turns import get_rota, list_tasks

_WORKED = ("by_work", "preparation")
_COMMITTEE = (Role.COORDINATOR, Role.TREASURER)
_IS_LOCAL = ("fund:", "pool:")
_SPLIT = "split"
_RECOMPUTED = (_SPLIT, "sharing_out")
"""Entries that the audit computes anew: no use of a fund hides behind one while the audit is clean."""


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
    others = stream_period(session, community.book_id, figures.span, Entry.kind.not_in(_RECOMPUTED))
    grants = list_grants_in(session, community.id)
    seats = _committee(session, community, grants)
    households = _households(session, community, figures, seats)
    closes = list_closes(session, community.id)
    fund_uses, unasked = list_fund_uses(session, community.id, others)
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
        closed_months=min(rulebook.WINDOW_MONTHS, len(closes) + 1),
        committee_known=bool(seats),
        mgmt_paid=_management_paid(session, community, _window(month)),
        funds=tuple(_fund(each) for each in figures.funds),
        fund_uses=fund_uses,
        unasked=unasked,
        net_satang=sum(splits.values()),
        kept_satang=_kept(session, community, figures.span),
        turns=_turns(session, community.id, figures.span.last_day),
        wages=list_pay(session, community, figures),
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
    earned = _earned(figures)
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


def _earned(figures: Figures) -> list[tuple[str, Item]]:
    """(household, line) of what came out of a departure's sharing-out."""
    return [
        (code, item)
        for code, items in figures.items.items()
        for item in items
        if item.subject.startswith("departure:")
    ]


def _turns(session: Session, community_id: int, last_day: date) -> tuple[TaskTurns, ...]:
    """How turns stand at each task that has any, at the end of the month."""
    found = []
    for task in list_tasks(session, community_id):
        rota = get_rota(session, community_id, task)
        stands = balance(rota.events, rota.members, last_day)
        found.append(TaskTurns(str(task), stands.spread, stands.unexplained, stands.turns))
    return tuple(found)


def list_pay(session: Session, community: CommunityCard, figures: Figures) -> tuple[Wage, ...]:
    """What the departures that the period shares out paid for an hour's work.

    Without any wage for the province no pay is worked out: the rule then says that it knows none.
    """
    wages = list_wages(session, community.province_code)
    ids = {int(item.subject.removeprefix("departure:")) for _code, item in _earned(figures)}
    if not wages:
        return tuple(
            Wage(row.household, str(row.task), Fraction(0), row.minutes, None)
            for rows in queries.list_work(session, ids).values()
            for row in rows
            if row.task in PAID_BY_THE_HOUR
        )
    settled = {
        each.departure_id: (each.number, each.service_on)
        for each in queries.list_settlements(session, community.id)
        if each.departure_id in ids
    }
    shared = queries.list_sharing_facts(session, settled)
    return pay_of(shared.values(), lambda day: wage_on(wages, day))


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
) -> tuple[rulebook.Household, ...]:
    """The active households with what they earned over twelve months, this one counted in."""
    since = _window(figures.span.month)
    agreed = list_vulnerable(session, community.id, figures.span.last_day)
    before = list_earned(session, community.id, since)
    now = {head.household: head.earned_satang for head in figures.heads}
    return tuple(
        rulebook.Household(
            each.code,
            before.get(each.code, 0) + now.get(each.code, 0),
            each.code in seats,
            each.code in agreed,
        )
        for each in list_households(session, community.id, figures.span.last_day)
    )


def _window(month: date) -> date:
    """The first month of the twelve that end with this one."""
    for _ in range(rulebook.WINDOW_MONTHS - 1):
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
