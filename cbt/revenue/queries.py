"""Reading policies, work, settlements, and the facts that splits are computed from."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import date
from typing import Any

from sqlalchemy import bindparam, func, select, union_all
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking, BookingCost, Departure
from cbt.bookings.records import BookingCard
from cbt.bookings.states import PAID, BookingState
from cbt.communities.models import Household
from cbt.communities.queries import list_households, list_share_register
from cbt.db import Condition, columns, table_of
from cbt.errors import NoPolicyInForce, NotFound
from cbt.experiences.models import Option
from cbt.experiences.pricing import CostLine
from cbt.payments.models import Capture, CaptureFee, Refund
from cbt.payments.queries import list_money_of_departures
from cbt.payments.records import Money
from cbt.payments.reported import Dispute
from cbt.revenue.models import PolicyVersion, Preparation, ServiceRecord, Settlement
from cbt.revenue.policy import Bucket, Task
from cbt.revenue.posting import (
    BookingFacts,
    SharingFacts,
    dividends_of,
    of_what_is_left,
    pools_of,
)
from cbt.revenue.preparation import allot
from cbt.revenue.records import (
    AdoptedPolicy,
    PreparationRow,
    SettlementCard,
    WorkRow,
    read_policy,
)
from cbt.revenue.sharing import Work
from cbt.revenue.split import Borne, Cost, intermediary_satang

_SETTLEMENT = columns(Settlement, SettlementCard)
_VERSION = table_of(PolicyVersion)
_POLICIES = select(*(_VERSION.c[each.name] for each in fields(AdoptedPolicy))).order_by(
    _VERSION.c.effective_from, _VERSION.c.number
)
_ONE_POLICY = _POLICIES.where(_VERSION.c.id == bindparam("wanted"))
_NEWEST = _VERSION.alias("newest")
_IN_FORCE = _POLICIES.where(
    _VERSION.c.id
    == select(_NEWEST.c.id)
    .where(
        _NEWEST.c.community_id == bindparam("community"),
        _NEWEST.c.effective_from <= bindparam("on"),
    )
    .order_by(_NEWEST.c.effective_from.desc(), _NEWEST.c.number.desc())
    .limit(1)
    .scalar_subquery()
)


def find_policy_in_force(session: Session, community_id: int, on: date) -> AdoptedPolicy | None:
    """The newest version whose first day has come."""
    return _first(session.execute(_IN_FORCE, {"community": community_id, "on": on}))


def get_policy_in_force(session: Session, community_id: int, on: date) -> AdoptedPolicy:
    policy = find_policy_in_force(session, community_id, on)
    if policy is None:
        raise NoPolicyInForce(on=on)
    return policy


def get_policy(session: Session, version_id: int) -> AdoptedPolicy:
    policy = _first(session.execute(_ONE_POLICY, {"wanted": version_id}))
    if policy is None:
        raise NotFound(thing="policy")
    return policy


def list_policies(session: Session, community_id: int) -> list[AdoptedPolicy]:
    rows = session.execute(_POLICIES.where(_VERSION.c.community_id == community_id))
    return [AdoptedPolicy(*row) for row in rows]


def list_policies_of(session: Session, references: Sequence[str]) -> tuple[AdoptedPolicy, ...]:
    """The versions that bookings were sold under, in the order in which they took effect."""
    sold_under = select(Booking.policy_version_id).where(Booking.reference.in_(references))
    rows = session.execute(_POLICIES.where(_VERSION.c.id.in_(sold_under)))
    return tuple(AdoptedPolicy(*row) for row in rows)


def _first(rows: Iterable[Any]) -> AdoptedPolicy | None:
    for row in rows:
        return AdoptedPolicy(*row)
    return None


_CAPTURE, _FEE, _REFUND = table_of(Capture), table_of(CaptureFee), table_of(Refund)
_DISPUTE = table_of(Dispute)
_BOUGHT = (_CAPTURE.c.booking_id == bindparam("booking")) & _CAPTURE.c.buys.is_(True)
_POLICY_AND_FEE = select(
    _VERSION.c.text,
    select(func.coalesce(func.sum(_FEE.c.amount_satang), 0))
    .join(_CAPTURE, _CAPTURE.c.id == _FEE.c.capture_id)
    .where(_BOUGHT)
    .scalar_subquery()
    .label("kept"),
    select(func.coalesce(func.sum(_REFUND.c.fee_returned_satang), 0))
    .join(_CAPTURE, _CAPTURE.c.id == _REFUND.c.capture_id)
    .where(_BOUGHT)
    .scalar_subquery()
    .label("returned"),
    select(func.coalesce(func.sum(_DISPUTE.c.fee_satang), 0))
    .join(_CAPTURE, _CAPTURE.c.id == _DISPUTE.c.capture_id)
    .where(_BOUGHT, _DISPUTE.c.was_split.is_(False))
    .scalar_subquery()
    .label("disputed"),
).where(_VERSION.c.id == bindparam("version"))


def list_booking_facts(
    session: Session, departure_ids: Iterable[int]
) -> dict[int, list[BookingFacts]]:
    """The split facts of some departures' bookings, by departure and booking order.

    Those are the paid ones, and the cancelled ones of which something was retained.
    """
    ids = list(departure_ids)
    rows = session.execute(
        select(
            Booking.id,
            Booking.reference,
            Booking.departure_id,
            Booking.state,
            Booking.price_satang,
            Booking.discount_satang,
            Booking.discount_bearer,
            Departure.starts_on,
            PolicyVersion.text,
        )
        .join(Departure, Departure.id == Booking.departure_id)
        .join(PolicyVersion, PolicyVersion.id == Booking.policy_version_id)
        .where(Booking.departure_id.in_(ids), Booking.state.in_((*PAID, BookingState.CANCELLED)))
        .order_by(Booking.departure_id, Booking.id)
    ).all()
    money = list_money_of_departures(session, ids)
    fees = _fees(session, ids)
    costs = _costs(session, ids)
    facts: dict[int, list[BookingFacts]] = defaultdict(list)
    cancelled: set[str] = set()
    for row in rows:
        kept, fee = money[row.id].kept_satang, fees.get(row.id, 0)
        policy = read_policy(row.text)
        if row.state in PAID:
            about = (tuple(costs[row.id]), policy, _borne(row.discount_satang, row.discount_bearer))
            whole = BookingFacts(row.reference, row.starts_on, max(0, kept), fee, *about)
            facts[row.departure_id].append(_if_short(whole, row.price_satang))
        elif kept > 0:
            cancelled.add(row.reference)
            fee = min(fee, kept - intermediary_satang(kept, policy))  # never more than there is
            facts[row.departure_id].append(
                BookingFacts(row.reference, row.starts_on, kept, fee, (), policy)
            )
    return _with_preparation(session, facts, cancelled) if cancelled else facts


def get_paid_facts(
    session: Session, booking: BookingCard, money: Money, costs: Iterable[CostLine]
) -> BookingFacts:
    """The split facts of one paid booking whose money and costs are known, in one statement."""
    row = session.execute(
        _POLICY_AND_FEE, {"booking": booking.id, "version": booking.policy_version_id}
    ).one()
    whole = BookingFacts(
        booking.reference,
        booking.trip.starts_on,
        max(0, money.kept_satang),
        int(row.kept + row.disputed - row.returned),
        tuple(Cost(each.code, each.amount_satang) for each in costs),
        read_policy(row.text),
        _borne(booking.discount_satang, booking.discount_bearer),
    )
    return _if_short(whole, booking.price_satang)


def _if_short(facts: BookingFacts, price_satang: int) -> BookingFacts:
    """The same facts, or, where less is there than was agreed, those of what is left of it.

    So it is after a lost dispute, after goodwill, and where a rest was never paid; or where the fees
    of a dispute, won or lost, are more than what costs leave of a small payment. Nobody else's
    settlement waits for it.
    """
    kept = facts.captured_satang - intermediary_satang(facts.captured_satang, facts.policy)
    taken = facts.payment_fee_satang + sum(each.amount_satang for each in facts.costs)
    is_whole = facts.captured_satang >= price_satang and taken <= kept
    return facts if is_whole else of_what_is_left(facts)


def _borne(amount_satang: int, bearer: str | None) -> Borne | None:
    """A discount that one bucket bears; one that everybody bears is simply less income."""
    if not amount_satang or bearer not in set(Bucket):
        return None
    return Borne(amount_satang, Bucket(bearer))


def _with_preparation(
    session: Session, facts: dict[int, list[BookingFacts]], cancelled: set[str]
) -> dict[int, list[BookingFacts]]:
    """Let what cancelled bookings left pay first what households had prepared."""
    costs = list_preparation_costs(session, facts)
    for departure_id, group in facts.items():
        left = [_available(each) for each in group if each.reference in cancelled]
        wanted = costs.get(departure_id, {})
        parts = iter(allot(wanted, left, tuple(wanted), 0).by_booking)
        facts[departure_id] = [
            replace(each, preparation_satang=next(parts)) if each.reference in cancelled else each
            for each in group
        ]
    return facts


def _available(facts: BookingFacts) -> int:
    """What a cancelled booking leaves once the fees on it are taken."""
    taken = facts.payment_fee_satang + intermediary_satang(facts.captured_satang, facts.policy)
    return max(0, facts.captured_satang - taken)


def list_preparation(
    session: Session, departure_ids: Iterable[int]
) -> dict[int, list[PreparationRow]]:
    """What households prepared, by departure, in the order it was written down."""
    rows = session.execute(
        select(
            Preparation.departure_id,
            Household.code,
            Household.name,
            Preparation.what,
            Preparation.cost_satang,
        )
        .join(Household, Household.id == Preparation.household_id)
        .where(Preparation.departure_id.in_(list(departure_ids)))
        .order_by(Preparation.departure_id, Preparation.line)
    )
    prepared: dict[int, list[PreparationRow]] = defaultdict(list)
    for row in rows:
        prepared[row.departure_id].append(
            PreparationRow(row.code, row.name, row.what, row.cost_satang)
        )
    return prepared


def list_preparation_costs(
    session: Session, departure_ids: Iterable[int]
) -> dict[int, dict[str, int]]:
    """{household: satang} that was prepared, by departure, in register order."""
    rows = session.execute(
        select(Preparation.departure_id, Household.code, func.sum(Preparation.cost_satang))
        .join(Household, Household.id == Preparation.household_id)
        .where(Preparation.departure_id.in_(list(departure_ids)))
        .group_by(Preparation.departure_id, Household.code, Household.position)
        .order_by(Preparation.departure_id, Household.position)
    )
    costs: dict[int, dict[str, int]] = defaultdict(dict)
    for departure_id, code, cost in rows:
        costs[departure_id][code] = int(cost)
    return costs


def get_booking_facts(session: Session, departure_id: int, reference: str) -> BookingFacts:
    """The split facts of one paid booking. Raises NotFound."""
    for facts in list_booking_facts(session, [departure_id])[departure_id]:
        if facts.reference == reference:
            return facts
    raise NotFound(thing="split")


def _fees(session: Session, departure_ids: Sequence[int]) -> dict[int, int]:
    """What providers kept of what bought each booking, less what they gave back of it.

    What a dispute cost before the split is among them.
    """
    fees: dict[int, int] = defaultdict(int)
    for booking_id, amount in session.execute(_FEES, {"departures": departure_ids}):
        fees[booking_id] += amount
    return fees


_BOOKING, _COST = table_of(Booking), table_of(BookingCost)
_OF_DEPARTURES = _BOOKING.c.departure_id.in_(bindparam("departures", expanding=True))
_BUYS = _CAPTURE.c.buys.is_(True)
_FEES = union_all(
    select(_BOOKING.c.id, _FEE.c.amount_satang)
    .join(_CAPTURE, _CAPTURE.c.booking_id == _BOOKING.c.id)
    .join(_FEE, _FEE.c.capture_id == _CAPTURE.c.id)
    .where(_OF_DEPARTURES, _BUYS),
    select(_BOOKING.c.id, _DISPUTE.c.fee_satang)
    .join(_DISPUTE, _DISPUTE.c.booking_id == _BOOKING.c.id)
    .join(_CAPTURE, _CAPTURE.c.id == _DISPUTE.c.capture_id)
    .where(_OF_DEPARTURES, _BUYS, _DISPUTE.c.was_split.is_(False)),
    select(_BOOKING.c.id, -_REFUND.c.fee_returned_satang)
    .join(_REFUND, _REFUND.c.booking_id == _BOOKING.c.id)
    .join(_CAPTURE, _CAPTURE.c.id == _REFUND.c.capture_id)
    .where(_OF_DEPARTURES, _BUYS),
)
_COSTS = (
    select(_BOOKING.c.id, _COST.c.code, _COST.c.amount_satang)
    .join(_COST, (_COST.c.booking_id == _BOOKING.c.id) & (_COST.c.revision == _BOOKING.c.revision))
    .where(_OF_DEPARTURES)
    .order_by(_COST.c.booking_id, _COST.c.line)
)


def _costs(session: Session, departure_ids: Sequence[int]) -> dict[int, list[Cost]]:
    costs: dict[int, list[Cost]] = defaultdict(list)
    for booking_id, code, amount in session.execute(_COSTS, {"departures": departure_ids}):
        costs[booking_id].append(Cost(code, amount))
    return costs


def list_work(session: Session, departure_ids: Iterable[int]) -> dict[int, list[WorkRow]]:
    """Service records by departure, in the order they were written down."""
    rows = session.execute(
        select(
            ServiceRecord.departure_id,
            Household.code,
            Household.name,
            Household.position,
            ServiceRecord.task,
            ServiceRecord.units,
            ServiceRecord.minutes,
            ServiceRecord.recorded_by,
            ServiceRecord.recorded_at,
        )
        .join(Household, Household.id == ServiceRecord.household_id)
        .where(ServiceRecord.departure_id.in_(list(departure_ids)))
        .order_by(ServiceRecord.departure_id, ServiceRecord.line)
    )
    work: dict[int, list[WorkRow]] = defaultdict(list)
    for row in rows:
        work[row.departure_id].append(
            WorkRow(
                row.code,
                row.name,
                row.position,
                Task(row.task),
                row.units,
                row.minutes,
                row.recorded_by,
                row.recorded_at,
            )
        )
    return work


def list_sharing_facts(
    session: Session, settlements: Mapping[int, tuple[int, date]]
) -> dict[int, SharingFacts]:
    """What sharing-outs are computed from, as it stands now, without looking at any entry.

    `settlements` gives each departure's settlement number and day of service.
    """
    booked = list_booking_facts(session, settlements)
    return sharing_facts_of(session, settlements, booked, list_work(session, settlements))


def sharing_facts_of(
    session: Session,
    settlements: Mapping[int, tuple[int, date]],
    booked: Mapping[int, Sequence[BookingFacts]],
    work: Mapping[int, Sequence[WorkRow]],
) -> dict[int, SharingFacts]:
    """The same where the facts of the departures' bookings, and their work, are read already."""
    prepared = list_preparation_costs(session, settlements)
    return {
        departure_id: with_owners(
            session,
            SharingFacts(
                departure_id=departure_id,
                service_on=service_on,
                number=number,
                pools=pools_of(booked.get(departure_id, ())),
                work=tuple(
                    Work(row.household, row.task, row.units, row.minutes)
                    for row in work.get(departure_id, ())
                ),
                register=_register(work.get(departure_id, ())),
                prepared=paid_for_preparation(
                    booked.get(departure_id, ()), prepared.get(departure_id, {}), number
                ),
                dividends=dividends_of(booked.get(departure_id, ())),
            ),
        )
        for departure_id, (number, service_on) in settlements.items()
    }


def with_owners(session: Session, facts: SharingFacts) -> SharingFacts:
    """The same facts with those among whom a dividend is shared out, where there is one.

    Those are the holders in the share register of the departure's experience on the day of service,
    and the households that were members that day.
    """
    if not any(amount for _policy, amount in facts.dividends):
        return facts
    experience_id, community_id = session.execute(
        select(Option.experience_id, Departure.community_id)
        .join(Departure, Departure.option_id == Option.id)
        .where(Departure.id == facts.departure_id)
    ).one()
    members = list_households(session, community_id, facts.service_on)
    return replace(
        facts,
        shares=list_share_register(session, experience_id, facts.service_on),
        members=tuple(each.code for each in members),
    )


def paid_for_preparation(
    booked: Sequence[BookingFacts], costs: dict[str, int], number: int
) -> tuple[tuple[str, int], ...]:
    """What each household gets for what it prepared, out of what the bookings leave for it."""
    left = [each.preparation_satang for each in booked if each.preparation_satang]
    return tuple(allot(costs, left, tuple(costs), number).by_household.items())


def _register(rows: Iterable[WorkRow]) -> tuple[str, ...]:
    """The households of some work, in the community's register order."""
    positions = {row.household: row.household_position for row in rows}
    return tuple(sorted(positions, key=lambda code: positions[code]))


def find_settlement(session: Session, departure_id: int) -> SettlementCard | None:
    found = _settlements(session, Settlement.departure_id == departure_id)
    return found[0] if found else None


def list_settlements(session: Session, community_id: int) -> list[SettlementCard]:
    """All settlements of a community, by number."""
    return _settlements(session, Settlement.community_id == community_id)


def list_latest_settlements(
    session: Session, community_id: int, limit: int, before: int | None = None
) -> list[SettlementCard]:
    """The newest settlements, or the newest of those numbered below `before`."""
    condition = Settlement.community_id == community_id
    if before is not None:
        condition &= Settlement.number < before
    rows = session.execute(
        select(*_SETTLEMENT).where(condition).order_by(Settlement.number.desc()).limit(limit)
    )
    return [SettlementCard(*row) for row in rows]


def _settlements(session: Session, condition: Condition) -> list[SettlementCard]:
    rows = session.execute(select(*_SETTLEMENT).where(condition).order_by(Settlement.number))
    return [SettlementCard(*row) for row in rows]
