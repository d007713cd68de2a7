"""Reading totals of all communities at once: as many statements for one as for thousands."""

from collections import defaultdict
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.audit.totals import CommunityTotals
from cbt.communities import chart
from cbt.communities.models import Community, Household
from cbt.ledger.models import Entry, EntryLeg, LedgerAccount
from cbt.revenue.closed import HouseholdStatement, Period, PeriodBalance
from cbt.revenue.periods import last_day_of


def list_totals(session: Session, first: date, last: date) -> list[CommunityTotals]:
    """Every community over the closed months from `first` to `last` (each a month's first day).

    What trips brought in is counted by their day; what was booked after the last of these closes is not in.
    """
    closed = _closed(session, first, last)
    net = _net(session, first, last)
    incomes = _incomes(session, first, last)
    funds = _funds(session, first, last)
    rows = session.execute(
        select(
            Community.id,
            Community.slug,
            Community.name,
            Community.province_code,
            Community.province,
            Community.is_sample,
        ).order_by(Community.province_code, Community.slug)
    )
    return [
        CommunityTotals(
            *(slug, name, code, province, is_sample),
            *closed.get(id_, (0, None)),
            *net.get(id_, (0, 0)),
            tuple(incomes.get(id_, ())),
            funds.get(id_, {}),
        )
        for id_, slug, name, code, province, is_sample in rows
    ]


def _closed(session: Session, first: date, last: date) -> dict[int, tuple[int, date | None]]:
    """{community: (closed months, the last of them)}."""
    rows = session.execute(
        select(Period.community_id, func.count(Period.id), func.max(Period.month))
        .where(Period.month >= first, Period.month <= last)
        .group_by(Period.community_id)
    )
    return {row[0]: (int(row[1]), row[2]) for row in rows}


def _net(session: Session, first: date, last: date) -> dict[int, tuple[int, int]]:
    """{community: (bookings split, satang that they brought in)} in closed months."""
    ends = (
        select(Period.community_id, func.max(Period.closing_seq).label("seq"))
        .where(Period.month >= first, Period.month <= last)
        .group_by(Period.community_id)
        .subquery()
    )
    rows = session.execute(
        select(Community.id, func.count(func.distinct(Entry.id)), func.sum(EntryLeg.amount_satang))
        .join(ends, ends.c.community_id == Community.id)
        .join(Entry, (Entry.book_id == Community.book_id) & (Entry.seq <= ends.c.seq))
        .join(EntryLeg, EntryLeg.entry_id == Entry.id)
        .where(
            Entry.kind == "split",
            Entry.effective_on >= first,
            Entry.effective_on <= last_day_of(last),
        )
        .group_by(Community.id)
    )
    return {row[0]: (int(row[1]), int(row[2])) for row in rows}


def _incomes(session: Session, first: date, last: date) -> dict[int, list[int]]:
    """{community: what each household earned that is a member on the last day}."""
    day = last_day_of(last)
    rows = session.execute(
        select(Period.community_id, func.sum(HouseholdStatement.earned_satang))
        .join(HouseholdStatement, HouseholdStatement.period_id == Period.id)
        .join(Household, Household.id == HouseholdStatement.household_id)
        .where(
            Period.month >= first,
            Period.month <= last,
            Household.active_from <= day,
            Household.active_until.is_(None) | (Household.active_until > day),
        )
        .group_by(Period.community_id, Household.id)
    )
    incomes: dict[int, list[int]] = defaultdict(list)
    for community_id, amount in rows:
        incomes[community_id].append(int(amount))
    return incomes


def _funds(session: Session, first: date, last: date) -> dict[int, dict[str, int]]:
    """{community: {fund: what it held at the end of the last closed month}}."""
    newest = (
        select(Period.community_id, func.max(Period.number).label("number"))
        .where(Period.month >= first, Period.month <= last)
        .group_by(Period.community_id)
        .subquery()
    )
    held = {chart.fund(code): code for code in chart.FUNDS}
    rows = session.execute(
        select(Period.community_id, LedgerAccount.code, PeriodBalance.closing_satang)
        .join(
            newest,
            (newest.c.community_id == Period.community_id) & (newest.c.number == Period.number),
        )
        .join(PeriodBalance, PeriodBalance.period_id == Period.id)
        .join(LedgerAccount, LedgerAccount.id == PeriodBalance.account_id)
        .where(LedgerAccount.code.in_(list(held)))
    )
    funds: dict[int, dict[str, int]] = defaultdict(dict)
    for community_id, account, amount in rows:
        funds[community_id][held[account]] = amount
    return funds
