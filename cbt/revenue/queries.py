"""Reading policies, work, settlements, and the facts that splits are computed from."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking, BookingCost, Departure
from cbt.bookings.states import PAID
from cbt.communities.models import Household
from cbt.db import Condition, columns
from cbt.errors import NoPolicyInForce, NotFound
from cbt.payments.models import Capture, CaptureFee
from cbt.revenue.models import PolicyVersion, ServiceRecord, Settlement
from cbt.revenue.policy import Task
from cbt.revenue.posting import BookingFacts, SharingFacts, pools_of
from cbt.revenue.records import AdoptedPolicy, SettlementCard, WorkRow, read_policy
from cbt.revenue.sharing import Work
from cbt.revenue.split import Cost

_SETTLEMENT = columns(Settlement, SettlementCard)


def find_policy_in_force(session: Session, community_id: int, on: date) -> AdoptedPolicy | None:
    """The newest version whose first day has come."""
    newest = (
        select(PolicyVersion.id)
        .where(PolicyVersion.community_id == community_id, PolicyVersion.effective_from <= on)
        .order_by(PolicyVersion.effective_from.desc(), PolicyVersion.number.desc())
        .limit(1)
    )
    policies = _policies(session, PolicyVersion.id == newest.scalar_subquery())
    return policies[0] if policies else None


def get_policy_in_force(session: Session, community_id: int, on: date) -> AdoptedPolicy:
    policy = find_policy_in_force(session, community_id, on)
    if policy is None:
        raise NoPolicyInForce(on=on)
    return policy


def get_policy(session: Session, version_id: int) -> AdoptedPolicy:
    policies = _policies(session, PolicyVersion.id == version_id)
    if not policies:
        raise NotFound(thing="policy")
    return policies[0]


def list_policies(session: Session, community_id: int) -> list[AdoptedPolicy]:
    return _policies(session, PolicyVersion.community_id == community_id)


def _policies(session: Session, *conditions: Condition) -> list[AdoptedPolicy]:
    rows = session.execute(
        select(*columns(PolicyVersion, AdoptedPolicy))
        .where(*conditions)
        .order_by(PolicyVersion.effective_from, PolicyVersion.number)
    )
    return [AdoptedPolicy(*row) for row in rows]


def list_booking_facts(
    session: Session, departure_ids: Iterable[int]
) -> dict[int, list[BookingFacts]]:
    """The split facts of the paid bookings of some departures, by departure and booking order."""
    bookings = session.execute(
        select(
            Booking.id,
            Booking.reference,
            Booking.departure_id,
            Departure.starts_on,
            PolicyVersion.text,
        )
        .join(Departure, Departure.id == Booking.departure_id)
        .join(PolicyVersion, PolicyVersion.id == Booking.policy_version_id)
        .where(Booking.departure_id.in_(list(departure_ids)), Booking.state.in_(PAID))
        .order_by(Booking.departure_id, Booking.id)
    ).all()
    ids = [row.id for row in bookings]
    captured = _captured(session, ids)
    costs = _costs(session, ids)
    facts: dict[int, list[BookingFacts]] = defaultdict(list)
    for row in bookings:
        amount, fee = captured.get(row.id, (0, 0))
        facts[row.departure_id].append(
            BookingFacts(
                row.reference,
                row.starts_on,
                amount,
                fee,
                tuple(costs[row.id]),
                read_policy(row.text),
            )
        )
    return facts


def get_booking_facts(session: Session, departure_id: int, reference: str) -> BookingFacts:
    """The split facts of one paid booking. Raises NotFound."""
    for facts in list_booking_facts(session, [departure_id])[departure_id]:
        if facts.reference == reference:
            return facts
    raise NotFound(thing="split")


def _captured(session: Session, booking_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """(amount, fee) of what bought each booking; surplus goes back and is not income."""
    rows = session.execute(
        select(
            Capture.booking_id,
            func.sum(Capture.amount_satang),
            func.sum(func.coalesce(CaptureFee.amount_satang, 0)),
        )
        .outerjoin(CaptureFee, CaptureFee.capture_id == Capture.id)
        .where(Capture.booking_id.in_(booking_ids), Capture.buys.is_(True))
        .group_by(Capture.booking_id)
    )
    return {booking_id: (int(amount), int(fee)) for booking_id, amount, fee in rows}


def _costs(session: Session, booking_ids: Sequence[int]) -> dict[int, list[Cost]]:
    costs: dict[int, list[Cost]] = defaultdict(list)
    for row in session.execute(
        select(BookingCost.booking_id, BookingCost.code, BookingCost.amount_satang)
        .where(BookingCost.booking_id.in_(booking_ids))
        .order_by(BookingCost.booking_id, BookingCost.line)
    ):
        costs[row.booking_id].append(Cost(row.code, row.amount_satang))
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
    work = list_work(session, settlements)
    return {
        departure_id: SharingFacts(
            departure_id=departure_id,
            service_on=service_on,
            number=number,
            pools=pools_of(booked[departure_id]),
            work=tuple(
                Work(row.household, row.task, row.units, row.minutes) for row in work[departure_id]
            ),
            register=_register(work[departure_id]),
        )
        for departure_id, (number, service_on) in settlements.items()
    }


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
