"""Checks of the facts that the books rest on: deposits, policies, places, receipts."""

from datetime import date
from hashlib import sha256

from sqlalchemy import ColumnElement, case, func, or_, select, true, union_all
from sqlalchemy.orm import Session

from cbt.audit.findings import Check, Fault, Finding, Outcome
from cbt.bookings.models import Booking, BookingAddOn, BookingLine, Departure
from cbt.bookings.proof import prove_slots
from cbt.bookings.states import BOUGHT, LIVE, PAID, BookingState, DepartureState
from cbt.clock import village_day
from cbt.communities import chart
from cbt.communities.models import Community
from cbt.communities.records import CommunityCard
from cbt.ledger.models import Entry, EntryLeg, LedgerAccount
from cbt.ledger.queries import balances
from cbt.payments.models import Capture, CaptureBalance, Credit, CreditUse, Refund
from cbt.payments.provider import DisputeState, RefundState
from cbt.payments.queries import list_money
from cbt.payments.reported import Dispute
from cbt.revenue.models import (
    MinutesFile,
    PolicyProposal,
    PolicyResolution,
    PolicyVersion,
    Settlement,
)
from cbt.revenue.policy import identity
from cbt.revenue.queries import list_policies
from cbt.revenue.records import AdoptedPolicy


def check_deposits(session: Session, community: CommunityCard) -> Outcome:
    """Per booking: captured and credit used = refunded + lost + credited + still on deposit + split.

    Of each payment goes back what its refunds and disputes say, and never more than came; of each credit
    is used what went into bookings. What counts as paid was bought, and its price is the sum of what
    its party pays.
    """
    on_deposit = list_deposits(session, community.book_id)
    expected = _expected_deposits(session, community.id)
    findings = [
        Finding(
            Fault.DEPOSIT_DIFFERS,
            subject,
            {
                "posted_satang": on_deposit.get(subject, 0),
                "computed_satang": expected.get(subject, 0),
            },
        )
        for subject in sorted(expected.keys() | on_deposit.keys())
        if on_deposit.get(subject, 0) != expected.get(subject, 0)
    ]
    findings += [
        *_unlike_their_refunds(session, community),
        *_unlike_their_uses(session, community),
        *_unlike_their_payments(session, community),
        *_unlike_their_lines(session, community),
    ]
    count = session.scalar(select(func.count()).where(Booking.community_id == community.id))
    return Outcome(Check.DEPOSITS, count or 0, tuple(findings))


def _unlike_their_refunds(session: Session, community: CommunityCard) -> list[Finding]:
    """Payments of which another amount is counted as going back than refunds and disputes take."""
    taken = union_all(
        select(Refund.capture_id.label("capture_id"), Refund.amount_satang.label("amount")).where(
            Refund.state != RefundState.CANCELLED
        ),
        select(Dispute.capture_id, _held_by_dispute()),
    ).subquery()
    summed = func.coalesce(func.sum(taken.c.amount), 0)
    rows = session.execute(
        select(Booking.reference, CaptureBalance.returning_satang, summed)
        .join(Capture, Capture.id == CaptureBalance.capture_id)
        .join(Booking, Booking.id == Capture.booking_id)
        .outerjoin(taken, taken.c.capture_id == CaptureBalance.capture_id)
        .where(Capture.community_id == community.id)
        .group_by(CaptureBalance.capture_id, Booking.reference, CaptureBalance.returning_satang)
        .having(CaptureBalance.returning_satang != summed)
        .order_by(CaptureBalance.capture_id)
    )
    return [
        Finding(
            Fault.RETURNING_DIFFERS,
            f"booking:{reference}",
            {"noted_satang": noted, "summed_satang": int(total)},
        )
        for reference, noted, total in rows
    ]


def _unlike_their_uses(session: Session, community: CommunityCard) -> list[Finding]:
    """Credits of which another amount counts as used than went into bookings; and all that guests
    have left of them beside the books."""
    summed = func.coalesce(func.sum(CreditUse.amount_satang), 0)
    rows = session.execute(
        select(Credit.id, Credit.used_satang, summed)
        .outerjoin(CreditUse, CreditUse.credit_id == Credit.id)
        .where(Credit.community_id == community.id)
        .group_by(Credit.id, Credit.used_satang)
        .having(Credit.used_satang != summed)
        .order_by(Credit.id)
    )
    findings = [
        Finding(
            Fault.CREDIT_USE_DIFFERS,
            f"credit:{credit_id}",
            {"noted_satang": noted, "summed_satang": int(total)},
        )
        for credit_id, noted, total in rows
    ]
    left = session.scalar(
        select(func.coalesce(func.sum(Credit.amount_satang - Credit.used_satang), 0)).where(
            Credit.community_id == community.id
        )
    )
    lost = session.scalar(
        select(func.coalesce(func.sum(Dispute.credit_satang), 0)).where(
            Dispute.community_id == community.id, Dispute.state == DisputeState.LOST
        )
    )
    computed = int(left or 0) - int(lost or 0)
    posted = balances(session, community.book_id).get(chart.GUEST_CREDIT, 0)
    if posted != computed:
        values = {"posted_satang": posted, "computed_satang": computed}
        findings.append(Finding(Fault.CREDITS_DIFFER, f"account:{chart.GUEST_CREDIT}", values))
    return findings


def _held_by_dispute() -> ColumnElement[int]:
    """What a dispute keeps from going back; of one that was won, what came too late for its booking."""
    return case(
        (Dispute.state == DisputeState.WON, Dispute.fund_satang), else_=Dispute.reserved_satang
    )


def _unlike_their_payments(session: Session, community: CommunityCard) -> list[Finding]:
    """Bookings that count as paid without money that bought them, and the reverse."""
    captured = select(Capture.booking_id).where(
        Capture.community_id == community.id, Capture.buys.is_(True)
    )
    credited = (
        select(CreditUse.booking_id)
        .join(Credit, Credit.id == CreditUse.credit_id)
        .where(Credit.community_id == community.id)
    )
    missing = Booking.state.in_(PAID) & Booking.id.not_in(captured) & Booking.id.not_in(credited)
    unused = Booking.state.not_in(BOUGHT) & Booking.id.in_(captured)
    rows = session.execute(
        select(Booking.reference, missing)
        .where(Booking.community_id == community.id, missing | unused)
        .order_by(Booking.id)
    )
    return [
        Finding(
            Fault.PAYMENT_MISSING if is_missing else Fault.PAYMENT_UNUSED,
            f"booking:{reference}",
            {},
        )
        for reference, is_missing in rows
    ]


def _unlike_their_lines(session: Session, community: CommunityCard) -> list[Finding]:
    """Bookings whose price and discount are not the sum of what their party pays."""
    summed = _sum_of(BookingLine) + _sum_of(BookingAddOn)
    rows = session.execute(
        select(Booking.reference, Booking.price_satang, summed - Booking.discount_satang)
        .where(
            Booking.community_id == community.id,
            Booking.price_satang + Booking.discount_satang != summed,
        )
        .order_by(Booking.id)
    )
    return [
        Finding(
            Fault.PRICE_DIFFERS,
            f"booking:{reference}",
            {"stated_satang": price, "summed_satang": int(total)},
        )
        for reference, price, total in rows
    ]


def _sum_of(table: type[BookingLine] | type[BookingAddOn]) -> ColumnElement[int]:
    """What a booking's lines of one kind amount to, as it stands now, as a column beside Booking."""
    amount = func.coalesce(func.sum(table.quantity * table.price_satang), 0)
    return (
        select(amount)
        .where(table.booking_id == Booking.id, table.revision == Booking.revision)
        .correlate(Booking)
        .scalar_subquery()
    )


def _expected_deposits(session: Session, community_id: int) -> dict[str, int]:
    """What the records of money leave on deposit, by subject, once what is settled was split."""
    moved = union_all(
        select(Capture.booking_id.label("booking_id"), Capture.amount_satang.label("amount")),
        select(Refund.booking_id, -Refund.amount_satang).where(
            Refund.state.in_((RefundState.SUCCEEDED, RefundState.BY_BANK)),
            Refund.was_split.is_(False),
        ),
        select(Dispute.booking_id, -_held_by_dispute()).where(
            Dispute.state != DisputeState.OPEN, Dispute.was_split.is_(False)
        ),
        select(Credit.booking_id, -Credit.amount_satang),
        select(CreditUse.booking_id, CreditUse.amount_satang),
    ).subquery()
    rows = session.execute(
        select(
            Booking.id, Booking.reference, Booking.state, Departure.state, func.sum(moved.c.amount)
        )
        .join(moved, moved.c.booking_id == Booking.id)
        .join(Departure, Departure.id == Booking.departure_id)
        .where(Booking.community_id == community_id)
        .group_by(Booking.id, Booking.reference, Booking.state, Departure.state)
    ).all()
    split = [
        row.id
        for row in rows
        if row[3] == DepartureState.SETTLED
        and row[2] in (BookingState.SETTLED, BookingState.CANCELLED)
    ]
    money = list_money(session, split)
    return {
        f"booking:{row.reference}": int(row[4])
        - (max(0, money[row.id].kept_satang) if row.id in money else 0)
        for row in rows
    }


def list_deposits(session: Session, book_id: int, up_to: int | None = None) -> dict[str, int]:
    """What is on deposit by the books, by subject; after entry `up_to`, or after all of them."""
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
        .where(true() if up_to is None else Entry.seq <= up_to)
        .group_by(Entry.subject)
    )
    return {subject: int(total) for subject, total in rows}


def check_policies(session: Session, community: CommunityCard) -> Outcome:
    """Each policy still hashes to its identity, and each booking carries the one then in force.

    Where a meeting's resolution is kept, the policy is what was proposed to it and the minutes are whole.
    """
    policies = list_policies(session, community.id)
    findings = [
        Finding(Fault.POLICY_CHANGED, f"policy:{policy.number}", {})
        for policy in policies
        if identity(policy.text) != policy.sha256
    ]
    findings += _unlike_their_resolutions(session, community.id)
    rows = session.execute(
        select(Booking.reference, Booking.created_at, Booking.policy_version_id).where(
            Booking.community_id == community.id
        )
    ).all()
    for reference, created_at, version_id in rows:
        known = [policy for policy in policies if policy.recorded_at <= created_at]
        in_force = _in_force(known, village_day(created_at, community.zone))
        if in_force is None or in_force.id != version_id:
            findings.append(Finding(Fault.POLICY_NOT_IN_FORCE, f"booking:{reference}", {}))
    return Outcome(Check.POLICIES, len(policies) + len(rows), tuple(findings))


def _unlike_their_resolutions(session: Session, community_id: int) -> list[Finding]:
    """Policies that are not what their meeting was shown, or whose minutes are not as handed in."""
    rows = session.execute(
        select(
            PolicyVersion.number,
            PolicyVersion.text,
            PolicyProposal.text,
            PolicyProposal.sha256,
            MinutesFile.sha256,
            MinutesFile.body,
        )
        .join(PolicyResolution, PolicyResolution.policy_version_id == PolicyVersion.id)
        .join(PolicyProposal, PolicyProposal.id == PolicyResolution.proposal_id)
        .join(MinutesFile, MinutesFile.id == PolicyResolution.minutes_id)
        .where(PolicyVersion.community_id == community_id)
        .order_by(PolicyVersion.number)
    )
    findings = []
    for number, adopted, proposed, digest, minutes_digest, body in rows:
        if adopted != proposed or identity(proposed) != digest:
            findings.append(Finding(Fault.PROPOSAL_DIFFERS, f"policy:{number}", {}))
        if sha256(body).hexdigest() != minutes_digest:
            findings.append(Finding(Fault.MINUTES_CHANGED, f"policy:{number}", {}))
    return findings


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


def check_slots(session: Session, community: CommunityCard) -> Outcome:
    """Each slot's count is what departures claim, and they claim what their live bookings need."""
    faults = prove_slots(session, community.id)
    findings = [
        Finding(
            Fault.SLOT_OVERSOLD if fault.claimed > fault.capacity else Fault.SLOT_DIFFERS,
            f"slot:{fault.thing}:{fault.day.isoformat()}:{fault.part}",
            {"claimed": fault.claimed, "needed": fault.needed, "capacity": fault.capacity},
        )
        for fault in faults.wrong
    ]
    return Outcome(Check.SLOTS, faults.looked_at, tuple(findings))


def check_receipts(session: Session, community: CommunityCard) -> Outcome:
    """Receipt numbers run from 1 without a gap: a missing one would be money that vanished.

    So do settlement numbers, as far as the community has counted them.
    """
    numbers = list(
        session.scalars(
            select(Capture.receipt_number)
            .where(Capture.community_id == community.id)
            .order_by(Capture.receipt_number)
        )
    )
    gaps = sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers))
    findings = [Finding(Fault.RECEIPT_GAP, f"receipt:{number}", {}) for number in gaps]
    findings += _settlement_numbers(session, community)
    return Outcome(Check.RECEIPTS, len(numbers), tuple(findings))


def _settlement_numbers(session: Session, community: CommunityCard) -> list[Finding]:
    counted = session.scalar(select(Community.settlements).where(Community.id == community.id)) or 0
    recorded = set(
        session.scalars(select(Settlement.number).where(Settlement.community_id == community.id))
    )
    expected = set(range(1, counted + 1))
    missing = [
        Finding(Fault.SETTLEMENT_GAP, f"settlement:{number}", {})
        for number in sorted(expected - recorded)
    ]
    beyond = [
        Finding(Fault.SETTLEMENT_UNCOUNTED, f"settlement:{number}", {"counted": counted})
        for number in sorted(recorded - expected)
    ]
    return missing + beyond
