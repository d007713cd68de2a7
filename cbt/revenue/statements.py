"""A household's month, and the path from each of its lines back to bookings, rule and work."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from cbt.bookings.queries import get_trip, list_trips
from cbt.bookings.records import TripCard
from cbt.clock import next_month
from cbt.communities import chart
from cbt.errors import NotFound
from cbt.ledger import queries as ledger
from cbt.ledger.queries import Posted
from cbt.revenue import posting, queries
from cbt.revenue.policy import Bucket, Policy
from cbt.revenue.posting import BookingFacts, SharingFacts
from cbt.revenue.records import SettlementCard, WorkRow
from cbt.revenue.sharing import spare_order, weigh
from cbt.revenue.split import Part


@dataclass(frozen=True)
class StatementLine:
    """Money that one departure brought a household."""

    entry_seq: int
    trip: TripCard
    amount_satang: int


@dataclass(frozen=True)
class Statement:
    """A household's month: what stood before, what came, what stands after. In satang."""

    month: date
    opening_satang: int
    lines: tuple[StatementLine, ...]

    @property
    def earned_satang(self) -> int:
        return sum(line.amount_satang for line in self.lines)

    @property
    def closing_satang(self) -> int:
        return self.opening_satang + self.earned_satang


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
    """Why a household got what it got from a departure, computed anew from the facts."""

    trip: TripCard
    settlement: SettlementCard
    bookings: tuple[tuple[BookingFacts, tuple[Part, ...]], ...]
    work: tuple[WorkRow, ...]
    own_work: tuple[WorkRow, ...]
    steps: tuple[Step, ...]
    owned: tuple[Owning, ...]
    posted_satang: int
    computed_satang: int


def get_statement(session: Session, book_id: int, household: str, month: date) -> Statement:
    """A household's statement for the month that begins on `month`."""
    account = chart.household(household)
    ends_before = next_month(month)
    entries = ledger.list_entries_of_account(session, book_id, account, month, ends_before)
    trips = list_trips(session, {departure_of(entry) for entry in entries})
    lines = tuple(
        StatementLine(entry.seq, trips[departure_of(entry)], _received(entry, account))
        for entry in sorted(entries, key=lambda entry: (entry.draft.effective_on, entry.seq))
    )
    return Statement(month, ledger.account_movement(session, book_id, account, month), lines)


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


def departure_of(entry: Posted) -> int:
    """The departure that a sharing-out entry is about."""
    return int(entry.draft.subject.removeprefix("departure:"))


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
