"""Checks of the facts that the books rest on: money that came, policies, places, receipts."""

from datetime import date

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from cbt.audit.findings import Check, Fault, Finding, Outcome
from cbt.bookings.models import Booking, Departure
from cbt.bookings.states import LIVE, BookingState
from cbt.clock import village_day
from cbt.communities import chart
from cbt.communities.queries import CommunityCard
from cbt.ledger.models import Entry, EntryLeg, LedgerAccount
from cbt.ledger.queries import stream_entries
from cbt.payments.models import Capture, Refund
from cbt.payments.provider import RefundState
from cbt.revenue.policy import identity
from cbt.revenue.queries import AdoptedPolicy, list_policies


def check_captures(session: Session, community: CommunityCard) -> Outcome:
    """Each payment and refund stands in the books once with its amount, and nothing else does."""
    expected = _expected_money(session, community.id)
    findings = []
    posted: set[str] = set()
    for entry in stream_entries(session, community.book_id, Entry.kind.in_(("capture", "refund"))):
        key = entry.draft.key
        posted.add(key)
        first = entry.draft.legs[0].amount_satang if entry.draft.legs else 0
        if key not in expected:
            findings.append(Finding(Fault.MONEY_WITHOUT_CAPTURE, entry.draft.subject, {"key": key}))
        elif first != expected[key]:
            values = {"posted": first, "received": expected[key]}
            findings.append(Finding(Fault.CAPTURE_DIFFERS, entry.draft.subject, values))
    for key in sorted(expected.keys() - posted):
        findings.append(Finding(Fault.CAPTURE_NOT_POSTED, key, {"amount": expected[key]}))
    return Outcome(Check.CAPTURES, len(expected), tuple(findings))


def _expected_money(session: Session, community_id: int) -> dict[str, int]:
    """What the records of payments and refunds say must stand in the books, by entry key."""
    captures = session.execute(
        select(Capture.provider, Capture.payment_id, Capture.amount_satang).where(
            Capture.community_id == community_id
        )
    )
    expected = {f"capture:{row[0]}:{row[1]}": row[2] for row in captures}
    refunds = session.execute(
        select(Refund.capture_id, Refund.amount_satang).where(
            Refund.community_id == community_id, Refund.state == RefundState.SUCCEEDED
        )
    )
    expected.update({f"refund:{row[0]}": row[1] for row in refunds})
    return expected


def check_deposits(session: Session, community: CommunityCard) -> Outcome:
    """Per booking: captured = refunded + still on deposit + split."""
    on_deposit = _deposits(session, community.book_id)
    refunds = (
        select(Refund.capture_id, Refund.amount_satang)
        .where(Refund.state == RefundState.SUCCEEDED)
        .subquery()
    )
    rows = session.execute(
        select(
            Booking.reference,
            Booking.state,
            Capture.amount_satang,
            Capture.buys,
            func.coalesce(refunds.c.amount_satang, 0),
        )
        .join(Capture, Capture.booking_id == Booking.id)
        .outerjoin(refunds, refunds.c.capture_id == Capture.id)
        .where(Booking.community_id == community.id)
    )
    expected: dict[str, int] = {}
    for reference, state, captured, buys, refunded in rows:
        split = captured if buys and state == BookingState.SETTLED else 0
        subject = f"booking:{reference}"
        expected[subject] = expected.get(subject, 0) + captured - refunded - split
    findings = [
        Finding(
            Fault.DEPOSIT_DIFFERS,
            subject,
            {"posted": on_deposit.get(subject, 0), "computed": expected.get(subject, 0)},
        )
        for subject in sorted(expected.keys() | on_deposit.keys())
        if on_deposit.get(subject, 0) != expected.get(subject, 0)
    ]
    return Outcome(Check.DEPOSITS, len(expected), tuple(findings))


def _deposits(session: Session, book_id: int) -> dict[str, int]:
    """What is on deposit by the books, by subject."""
    deposit = (
        select(LedgerAccount.id)
        .where(LedgerAccount.book_id == book_id, LedgerAccount.code == chart.GUEST_DEPOSIT)
        .scalar_subquery()
    )
    signed = case((EntryLeg.to_account_id == deposit, 1), else_=-1) * EntryLeg.amount_satang
    rows = session.execute(
        select(Entry.subject, func.sum(signed))
        .join(EntryLeg, EntryLeg.entry_id == Entry.id)
        .where(or_(EntryLeg.to_account_id == deposit, EntryLeg.from_account_id == deposit))
        .group_by(Entry.subject)
    )
    return {subject: int(total) for subject, total in rows}


def check_policies(session: Session, community: CommunityCard) -> Outcome:
    """Each policy still hashes to its identity, and each booking carries the one then in force."""
    policies = list_policies(session, community.id)
    findings = [
        Finding(Fault.POLICY_CHANGED, f"policy:{policy.number}", {})
        for policy in policies
        if identity(policy.text) != policy.sha256
    ]
    rows = session.execute(
        select(Booking.reference, Booking.created_at, Booking.policy_version_id).where(
            Booking.community_id == community.id
        )
    ).all()
    for reference, created_at, version_id in rows:
        in_force = _in_force(policies, village_day(created_at, community.zone))
        if in_force is None or in_force.id != version_id:
            findings.append(Finding(Fault.POLICY_NOT_IN_FORCE, f"booking:{reference}", {}))
    return Outcome(Check.POLICIES, len(policies) + len(rows), tuple(findings))


def _in_force(policies: list[AdoptedPolicy], day: date) -> AdoptedPolicy | None:
    begun = [policy for policy in policies if policy.effective_from <= day]
    return begun[-1] if begun else None


def check_places(session: Session, community: CommunityCard) -> Outcome:
    """Each departure's count of claimed places is what its live bookings take, within capacity."""
    rows = session.execute(
        select(
            Departure.id,
            Departure.claimed,
            Departure.capacity,
            func.coalesce(func.sum(Booking.places), 0),
        )
        .outerjoin(Booking, (Booking.departure_id == Departure.id) & Booking.state.in_(LIVE))
        .where(Departure.community_id == community.id)
        .group_by(Departure.id, Departure.claimed, Departure.capacity)
    ).all()
    findings = []
    for departure_id, claimed, capacity, booked in rows:
        subject = f"departure:{departure_id}"
        if claimed != booked:
            values = {"claimed": claimed, "booked": int(booked)}
            findings.append(Finding(Fault.PLACES_DIFFER, subject, values))
        if booked > capacity:
            values = {"booked": int(booked), "capacity": capacity}
            findings.append(Finding(Fault.OVERSOLD, subject, values))
    return Outcome(Check.PLACES, len(rows), tuple(findings))


def check_receipts(session: Session, community: CommunityCard) -> Outcome:
    """Receipt numbers run from 1 without a gap: a missing one would be money that vanished."""
    numbers = list(
        session.scalars(
            select(Capture.receipt_number)
            .where(Capture.community_id == community.id)
            .order_by(Capture.receipt_number)
        )
    )
    gaps = sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers))
    findings = tuple(Finding(Fault.RECEIPT_GAP, f"receipt:{number}", {}) for number in gaps)
    return Outcome(Check.RECEIPTS, len(numbers), findings)
