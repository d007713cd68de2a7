"""The twelve closed months behind the measures of fairness: what came in, and whom it reached."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.audit.fairness import Earner, Fairness, measure
from cbt.communities import chart
from cbt.communities.models import Household
from cbt.communities.queries import list_memberships
from cbt.communities.records import CommunityCard
from cbt.communities.shares import Membership
from cbt.ledger import queries as ledger
from cbt.ledger.models import Entry
from cbt.money import bp_near
from cbt.revenue.closed import HouseholdStatement, Period
from cbt.revenue.fairness import gini
from cbt.revenue.models import ServiceRecord, Settlement
from cbt.revenue.period_queries import entries_of, list_closes
from cbt.revenue.periods import Close, Span, last_day_of
from cbt.revenue.policy import Bucket
from cbt.revenue.rulebook import LEAST_HOUSEHOLDS, LEAST_MONTHS, WINDOW_MONTHS
from cbt.revenue.split import Part, PartKind

_TREND_MONTHS = 24
_LOCAL = ("fund:", "pool:")
_Earned = Mapping[date, Mapping[str, int]]


@dataclass(frozen=True)
class Year:
    """A window of closed months, the newest of them `months[-1]`.

    `parts` is where the money of its trips went; `given_back_satang` what guests got back of it after
    it was shared out. `trend` holds the Gini coefficient over the window that ended with each month.
    """

    months: tuple[date, ...]
    earners: tuple[Earner, ...]
    fairness: Fairness
    parts: tuple[Part, ...]
    net_satang: int
    given_back_satang: int
    trips: int
    trend: tuple[tuple[date, Fraction | None], ...]

    @property
    def is_enough(self) -> bool:
        """Whether the measures may be judged: five households, three closed months."""
        return len(self.earners) >= LEAST_HOUSEHOLDS and len(self.months) >= LEAST_MONTHS


def find_year(session: Session, community: CommunityCard, until: date | None = None) -> Year | None:
    """The twelve closed months that end with `until`, or with the last closed one.

    None where no month was closed, or not that one.
    """
    closes = list_closes(session, community.id)
    ends = [number for number, each in enumerate(closes, 1) if until in (None, each.month)]
    if not ends:
        return None
    closes = closes[: ends[-1]]
    window = closes[-WINDOW_MONTHS:]
    members = list_memberships(session, community.id)
    first = closes[-(WINDOW_MONTHS + _TREND_MONTHS) :][0].month
    earned = _list_earned(session, community.id, first)
    sums = _sums(_active(members, window), earned, window)
    minutes = _list_minutes(session, community.id, window)
    earners = tuple(Earner(code, sums[code], minutes.get(code, 0)) for code in sums)
    parts, given_back = _list_parts(session, community, closes)
    net = sum(part.amount_satang for part in parts)
    local = sum(part.amount_satang for part in parts if part.kind == PartKind.BUCKET)
    return Year(
        months=tuple(each.month for each in window),
        earners=earners,
        fairness=measure(earners, net, local),
        parts=parts,
        net_satang=net,
        given_back_satang=given_back,
        trips=_count_trips(session, community.id, window),
        trend=_trend(members, earned, closes),
    )


def _active(members: Mapping[str, Membership], window: Sequence[Close]) -> list[str]:
    """The households that are members on the window's last day, by code."""
    return [code for code, days in members.items() if days.is_active(last_day_of(window[-1].month))]


def _list_earned(session: Session, community_id: int, since: date) -> _Earned:
    """{closed month from `since` on: {household: satang earned}}."""
    rows = session.execute(
        select(Period.month, Household.code, HouseholdStatement.earned_satang)
        .join(Household, Household.id == HouseholdStatement.household_id)
        .join(Period, Period.id == HouseholdStatement.period_id)
        .where(Period.community_id == community_id, Period.month >= since)
    )
    earned: dict[date, dict[str, int]] = defaultdict(dict)
    for month, code, amount in rows:
        earned[month][code] = amount
    return earned


def _sums(active: Sequence[str], earned: _Earned, window: Sequence[Close]) -> dict[str, int]:
    """{active household: what it earned over the window}, in register order."""
    return {code: sum(earned[each.month].get(code, 0) for each in window) for code in active}


def _trend(
    members: Mapping[str, Membership], earned: _Earned, closes: Sequence[Close]
) -> tuple[tuple[date, Fraction | None], ...]:
    """The Gini coefficient of the rolling twelve months, for each of the last two years' months."""
    points = []
    for end in range(max(1, len(closes) - _TREND_MONTHS + 1), len(closes) + 1):
        window = closes[max(0, end - WINDOW_MONTHS) : end]
        incomes = _sums(_active(members, window), earned, window).values()
        is_enough = len(incomes) >= LEAST_HOUSEHOLDS and len(window) >= LEAST_MONTHS
        points.append((window[-1].month, gini(list(incomes)) if is_enough else None))
    return tuple(points)


def _list_minutes(session: Session, community_id: int, window: Sequence[Close]) -> dict[str, int]:
    """{household: minutes of work recorded for the window's settled trips}."""
    rows = session.execute(
        select(Household.code, func.sum(ServiceRecord.minutes))
        .join(Household, Household.id == ServiceRecord.household_id)
        .join(Settlement, Settlement.departure_id == ServiceRecord.departure_id)
        .where(
            Settlement.community_id == community_id,
            Settlement.service_on >= window[0].month,
            Settlement.service_on <= last_day_of(window[-1].month),
        )
        .group_by(Household.code)
    )
    return {code: int(minutes) for code, minutes in rows}


def _count_trips(session: Session, community_id: int, window: Sequence[Close]) -> int:
    return (
        session.scalar(
            select(func.count(Settlement.id)).where(
                Settlement.community_id == community_id,
                Settlement.service_on >= window[0].month,
                Settlement.service_on <= last_day_of(window[-1].month),
            )
        )
        or 0
    )


def _list_parts(
    session: Session, community: CommunityCard, closes: Sequence[Close]
) -> tuple[tuple[Part, ...], int]:
    """(where the window's trips' money went, what guests got back of it afterwards)."""
    last, earlier = closes[-1], closes[:-WINDOW_MONTHS]
    before = earlier[-1] if earlier else None
    held = entries_of(Span(last.month, last_day_of(last.month), last.closing_seq, before, None))
    moved = ledger.list_movements(session, community.book_id, *held, Entry.kind == "split")
    sums = {each.account: each.credits_satang for each in moved if each.credits_satang}
    local = sum(amount for account, amount in sums.items() if account.startswith(_LOCAL))
    parts = [_part(account, amount, local) for account, amount in sums.items()]
    back = ledger.account_movement(
        session, community.book_id, chart.GIVEN_BACK, *held, Entry.kind == "take_back"
    )
    return tuple(sorted(parts, key=_place)), back


def _part(account: str, amount: int, local: int) -> Part:
    """What flowed to an account as a part of the whole; a bucket's basis points rounded half up."""
    code = account.partition(":")[2]
    if account.startswith(_LOCAL):
        return Part(PartKind.BUCKET, code, amount, bp_near(amount, local), local)
    if account == chart.PAYMENT_FEE:
        return Part(PartKind.PAYMENT_FEE, PartKind.PAYMENT_FEE, amount)
    if account == chart.INTERMEDIARY:
        return Part(PartKind.INTERMEDIARY, PartKind.INTERMEDIARY, amount)
    return Part(PartKind.COST, code, amount)


def _place(part: Part) -> int:
    return list(Bucket).index(Bucket(part.code)) if part.kind == PartKind.BUCKET else len(Bucket)
