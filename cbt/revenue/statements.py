"""A household's month, and the path from each of its lines back to bookings, rule and work."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from cbt.bookings.queries import get_trip, list_trips
from cbt.bookings.records import TripCard
from cbt.communities import chart
from cbt.communities.records import CommunityCard, HouseholdCard
from cbt.db import Condition
from cbt.errors import NotFound
from cbt.ledger import queries as ledger
from cbt.ledger.models import Entry
from cbt.ledger.queries import Posted
from cbt.revenue import posting, queries
from cbt.revenue.line_disputes import LineCard, list_lines
from cbt.revenue.period_queries import (
    RECEIVABLES,
    PeriodCard,
    entries_of,
    find_sealed,
    list_closes,
    list_items,
)
from cbt.revenue.periods import Span, last_day_of, period_of, span_of
from cbt.revenue.policy import Bucket, Policy
from cbt.revenue.posting import BookingFacts, SharingFacts
from cbt.revenue.records import AdoptedPolicy, SettlementCard, WorkRow
from cbt.revenue.sharing import spare_order, weigh
from cbt.revenue.split import Part
from cbt.revenue.statement_text import Head, Item, head_of, statement_text


@dataclass(frozen=True)
class StatementLine:
    """One leg of the books that moved a household's account, with the trip it is about, if it is."""

    item: Item
    trip: TripCard | None
    dispute: LineCard | None

    @property
    def amount_satang(self) -> int:
        return self.item.amount_satang


@dataclass(frozen=True)
class Statement:
    """A household's period: what stood before, what came and went, what stands after. In satang.

    `period` is there once the month is closed, `text` then as it was hashed.
    """

    month: date
    head: Head
    lines: tuple[StatementLine, ...]
    period: PeriodCard | None
    text: str

    @property
    def opening_satang(self) -> int:
        return self.head.opening_satang

    @property
    def earned_satang(self) -> int:
        return self.head.earned_satang

    @property
    def closing_satang(self) -> int:
        return self.head.closing_satang

    @property
    def is_as_sealed(self) -> bool:
        """Whether the books still say what the closed statement said; an open one has no seal."""
        items = [line.item for line in self.lines]
        return self.period is None or self.text == statement_text(self.head, items)


@dataclass(frozen=True)
class Step:
    """How one pool was divided, seen from one household."""

    policy: Policy
    pool_satang: int
    weight: int
    whole: int
    amount_satang: int
    rounded_down_satang: int
    spare_satang: int
    spare_place: int
    sharers: int
    agreed_satang: int
    agreed_of_all_satang: int
    surplus: Bucket
    surplus_satang: int

    @property
    def divided_satang(self) -> int:
        """What was divided by weight: the pool, or what agreed rates left of it."""
        return self.pool_satang - self.agreed_of_all_satang - self.surplus_satang

    @property
    def is_agreed(self) -> bool:
        """Whether the agreed rates were paid first."""
        return self.agreed_of_all_satang > 0


@dataclass(frozen=True)
class Owning:
    """How one dividend was shared out, seen from one household."""

    policy: Policy
    pool_satang: int
    is_by_shares: bool
    weight: int
    whole: int
    amount_satang: int


@dataclass(frozen=True)
class Explanation:
    """Why a household got what it got from a departure, computed anew from the facts.

    `policies` are the versions that its bookings were sold under.
    """

    trip: TripCard
    settlement: SettlementCard
    bookings: tuple[tuple[BookingFacts, tuple[Part, ...]], ...]
    work: tuple[WorkRow, ...]
    own_work: tuple[WorkRow, ...]
    steps: tuple[Step, ...]
    owned: tuple[Owning, ...]
    posted_satang: int
    computed_satang: int
    policies: tuple[AdoptedPolicy, ...] = ()


def get_statement(
    session: Session, community: CommunityCard, household: HouseholdCard, month: date
) -> Statement:
    """A household's statement of the period that begins on `month`, closed or as it stands now.

    Lines and sums come from the books alike; a closed one also shows what was sealed.
    """
    account = chart.household(household.code)
    span = span_of(month, list_closes(session, community.id))
    items = list_items(session, community.book_id, span, account).get(household.code, [])
    disputes = {
        (each.entry_seq, each.leg): each for each in list_lines(session, community.id, household.id)
    }
    trips = list_trips(session, {found for item in items if (found := departure_in(item.subject))})
    lines = tuple(
        StatementLine(
            item,
            trips.get(departure_in(item.subject) or 0),
            disputes.get((item.entry_seq, item.leg)),
        )
        for item in items
    )
    opening = _opening(session, community, account, span)
    owed = _owed(session, community, household.code, span)
    is_closed = span.closing_seq is not None
    period, text = (
        find_sealed(session, community.id, household.id, month) if is_closed else (None, "")
    )
    head = head_of(community.slug, month, household.code, opening, items, owed)
    return Statement(month, head, lines, period, text)


def find_line(
    session: Session, community: CommunityCard, household: HouseholdCard, entry_seq: int, leg: int
) -> StatementLine:
    """One line of a household, whatever period it belongs to. Raises NotFound."""
    for entry in ledger.stream_entries(session, community.book_id, Entry.seq == entry_seq):
        period = period_of(entry.draft.effective_on, entry.seq, list_closes(session, community.id))
        for line in get_statement(session, community, household, period).lines:
            if (line.item.entry_seq, line.item.leg) == (entry_seq, leg):
                return line
    raise NotFound(thing="line")


def _opening(session: Session, community: CommunityCard, account: str, span: Span) -> int:
    """What an account held when a period began: all that belongs to the periods before it."""
    if span.closing_seq == 0:  # before the first period there was none
        return 0
    book_id, before = community.book_id, span.before
    closed = (
        ledger.account_movement(
            session,
            book_id,
            account,
            Entry.effective_on <= last_day_of(before.month),
            Entry.seq <= before.closing_seq,
        )
        if before
        else 0
    )
    if span.after is None:
        return closed
    earlier = Span(span.month, span.after, None, before, None)
    return closed + ledger.account_movement(session, book_id, account, *entries_of(earlier))


def _owed(session: Session, community: CommunityCard, code: str, span: Span) -> int:
    """What a household was paid beyond what stayed its own, at the end of a period."""
    if span.closing_seq is None:
        ends: list[Condition] = [Entry.effective_on <= span.last_day]
    else:
        ends = [Entry.effective_on <= span.last_day, Entry.seq <= span.closing_seq]
    account = f"{RECEIVABLES}{code}"
    return -ledger.account_movement(session, community.book_id, account, *ends)


def explain(
    session: Session, community_id: int, book_id: int, household: str, departure_id: int
) -> Explanation:
    """Run the rule again on the facts and set it beside what was posted. Raises NotFound."""
    settlement = queries.find_settlement(session, departure_id)
    trip = get_trip(session, community_id, departure_id)
    if settlement is None:
        raise NotFound(thing="settlement")
    facts = queries.list_sharing_facts(
        session, {departure_id: (settlement.number, settlement.service_on)}
    )[departure_id]
    rows = queries.list_work(session, [departure_id])[departure_id]
    account = chart.household(household)
    posted = sum(
        _received(entry, account)
        for entry in ledger.list_entries_about(
            session, book_id, posting.departure_subject(departure_id)
        )
    )
    own = tuple(row for row in rows if row.household == household)
    if not own and not posted:
        raise NotFound(thing="line")
    booked = queries.list_booking_facts(session, [departure_id])[departure_id]
    return Explanation(
        trip=trip,
        settlement=settlement,
        bookings=tuple((each, posting.split_booking(each)) for each in booked),
        work=tuple(rows),
        own_work=own,
        steps=tuple(_steps(facts, household)),
        owned=tuple(_owned(facts, household)),
        posted_satang=posted,
        computed_satang=posting.household_totals(facts).get(household, 0),
        policies=queries.list_policies_of(session, [each.reference for each in booked]),
    )


def _steps(facts: SharingFacts, household: str) -> list[Step]:
    steps = []
    for policy, shared in posting.share_out(facts):
        weights = weigh(facts.work, policy.rates)
        if not weights.get(household):
            continue
        agreed = sum(shared.agreed.values())
        divided = shared.pool_satang - agreed - shared.surplus_satang
        order = spare_order(divided, weights, facts.register, facts.number)
        own, whole = shared.agreed.get(household, 0), sum(weights.values())
        amount = shared.parts[household]
        rounded_down = divided * weights[household] // whole
        steps.append(
            Step(
                policy=policy,
                pool_satang=shared.pool_satang,
                weight=weights[household],
                whole=whole,
                amount_satang=amount,
                rounded_down_satang=rounded_down,
                spare_satang=amount - own - rounded_down,
                spare_place=order.index(household) + 1,
                sharers=len(order),
                agreed_satang=own,
                agreed_of_all_satang=agreed,
                surplus=shared.surplus,
                surplus_satang=shared.surplus_satang,
            )
        )
    return steps


def _owned(facts: SharingFacts, household: str) -> list[Owning]:
    return [
        Owning(
            policy=each.policy,
            pool_satang=each.pool_satang,
            is_by_shares=each.is_by_shares,
            weight=each.weights[household],
            whole=sum(each.weights.values()),
            amount_satang=each.parts[household],
        )
        for each in posting.share_dividends(facts)
        if household in each.weights
    ]


def departure_in(subject: str) -> int | None:
    """The departure that an entry is about, or None when it is about something else."""
    about, _colon, number = subject.partition(":")
    return int(number) if about == "departure" and number.isdigit() else None


def _received(entry: Posted, account: str) -> int:
    return sum(
        (leg.amount_satang if leg.target == account else 0)
        - (leg.amount_satang if leg.source == account else 0)
        for leg in entry.draft.legs
    )


def list_settled_trips(
    session: Session, community_id: int, limit: int, before: int | None = None
) -> list[tuple[SettlementCard, TripCard]]:
    """Settlements with their trips, the newest first, optionally only those numbered below."""
    settlements = queries.list_latest_settlements(session, community_id, limit, before)
    trips = list_trips(session, [settlement.departure_id for settlement in settlements])
    return [(settlement, trips[settlement.departure_id]) for settlement in settlements]
