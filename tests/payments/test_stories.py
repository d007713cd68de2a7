"""Whole stories at Stripe, heard of in any order, twice, late or never: the end is always the same.

A story is lived twice, in two villages: one hears every message at once and in order, the other what
hypothesis draws of them, and then reconciles. Both must end alike, to the last entry.
"""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from cbt.audit.verify import verify
from cbt.bookings.hold import lapse_overdue_holds
from cbt.bookings.models import Booking
from cbt.bookings.queries import get_booking
from cbt.bookings.states import BookingState
from cbt.clock import utc_now
from cbt.db import db
from cbt.ledger.models import Entry
from cbt.ledger.queries import balances
from cbt.notices.models import Notice
from cbt.payments import inbox, queries
from cbt.payments.account_posting import Clearing
from cbt.payments.give_back import send_refunds
from cbt.payments.models import Attempt, Capture, CaptureFee, Refund
from cbt.payments.provider import RefundReason
from cbt.payments.reconcile import reconcile
from cbt.payments.reported import (
    Dispute,
    ProviderPayout,
    ProviderTransaction,
    WorkItem,
    WorkKind,
)
from cbt.payments.take_in import take_in
from cbt.payments.transactions import clear_suspense
from cbt.payments.work import list_open_work
from tests import factories
from tests.conftest import DEEP
from tests.payments.stripe_village import stripe_village

GOOD, DECLINED = "4242424242424242", "4000000000000002"
LATER = timedelta(hours=1)


@dataclass(frozen=True)
class Guest:
    """What one guest does, and what comes of the payment afterwards."""

    card: str | None  # None: PromptPay
    declined_first: bool
    scans_again: bool
    brings_fewer: bool
    refund_fails: bool
    disputes: str  # "", "won", "lost", "open" or "reinstated": lost first, and won after all
    cancels_as: str  # "", "money" or "credit"


GUESTS = st.builds(
    Guest,
    card=st.sampled_from([GOOD, None]),
    declined_first=st.booleans(),
    scans_again=st.booleans(),
    brings_fewer=st.booleans(),
    refund_fails=st.booleans(),
    disputes=st.sampled_from(["", "", "won", "lost", "open", "reinstated"]),
    cancels_as=st.sampled_from(["", "", "money", "credit"]),
)


class Life:
    """One village that lives a story; `hear` decides what it is told, and when."""

    def __init__(self, place, hear):
        self.place, self.hear = place, hear
        self.references = []

    def live(self, guests, *, pays_out):
        for guest in guests:
            self._pay(guest)
        self.hear(self.place)
        require_sound(self.place)
        self._settle_down()
        require_sound(self.place)
        for guest, reference in zip(guests, self.references, strict=True):
            if guest.cancels_as:
                as_credit = guest.cancels_as == "credit"
                factories.cancel_booking(reference, now=utc_now(), as_credit=as_credit)
            elif guest.brings_fewer:
                factories.change_booking(reference, now=utc_now(), party={"ADULT": 1})
        send_refunds(self.place.providers, utc_now())
        self._at_the_bank(guests)
        if pays_out:
            self.place.double.advance(days=8)
            with suppress(ValueError):  # nothing is left there to pay out
                self.place.double.pay_out(self.place.account)
        require_sound(self.place)
        self.hear(self.place)
        require_sound(self.place)
        self._settle_down()

    def _pay(self, guest):
        reference = self.place.hold()
        self.references.append(reference)
        session = self.place.start(reference).provider_ref
        double = self.place.double
        if guest.declined_first:
            assert not double.pay_by_card(session, DECLINED)
        if guest.card:
            assert double.pay_by_card(session, guest.card)
            return
        double.pay_promptpay(session)
        if guest.scans_again:
            double.pay_promptpay_again(session)

    def _at_the_bank(self, guests):
        double = self.place.double
        for guest, reference in zip(guests, self.references, strict=True):
            for refund_id in self._refunds_on_their_way(reference):
                fails = guest.refund_fails
                (double.refund_fails if fails else double.refund_arrives)(refund_id)
            if guest.card and guest.disputes:
                payment = double.get(self.place.capture(reference).payment_id)
                dispute = double.open_dispute(payment["latest_charge"], 45_000)["id"]
                if guest.disputes != "open":
                    double.close_dispute(dispute, won=guest.disputes == "won")
                if guest.disputes == "reinstated":
                    double.reinstate_dispute(dispute)

    def _refunds_on_their_way(self, reference):
        db.session.rollback()
        booking_id = get_booking(db.session(), reference).id
        rows = db.session.scalars(
            select(Refund.provider_ref).where(
                Refund.booking_id == booking_id, Refund.provider_ref.is_not(None)
            )
        )
        return [ref for ref in rows if self.place.double.get(ref)["status"] == "requires_action"]

    def _settle_down(self):
        """Reconcile until there is no news, as the worker does."""
        now = utc_now() + LATER
        for number in range(2):
            reconcile(self.place.providers, now + number * LATER, full=True)


def in_order(place):
    place.hear()


def as_drawn(data, label):
    """Any of the messages, in any order, any number of times."""

    def hear(place):
        told = place.double.events()
        chosen = data.draw(st.lists(st.integers(0, len(told) - 1), max_size=20), label)
        for number in chosen:
            place.receive(told[number])
            if data.draw(st.booleans(), "works off"):
                inbox.work_off(place.providers, utc_now())

    return hear


def nothing(_place):
    """Every message is lost."""


def end_of(life):
    """All that a village knows at the end, without what differs by nature (ids, instants)."""
    db.session.rollback()
    community_id = life.place.village.id
    bookings = select(Booking.id).where(Booking.community_id == community_id)

    def rows(*columns, of):
        return sorted(map(tuple, db.session.execute(select(*columns).where(of))), key=str)

    session = db.session()
    book_id = life.place.village.card.book_id
    names = {reference: number for number, reference in enumerate(life.references)}
    return {
        "bookings": [
            (
                get_booking(session, reference).state,
                queries.get_money(session, get_booking(session, reference).id),
            )
            for reference in life.references
        ],
        "attempts": rows(Attempt.number, Attempt.state, of=Attempt.booking_id.in_(bookings)),
        "captures": rows(
            *(Capture.amount_satang, Capture.method, Capture.buys),
            *(CaptureFee.amount_satang, CaptureFee.vat_satang),
            of=(Capture.community_id == community_id) & (CaptureFee.capture_id == Capture.id),
        ),
        "refunds": rows(
            *(Refund.amount_satang, Refund.state, Refund.reason),
            of=Refund.community_id == community_id,
        ),
        "disputes": rows(
            *(Dispute.amount_satang, Dispute.fee_satang, Dispute.state),
            of=Dispute.community_id == community_id,
        ),
        "payouts": rows(
            *(ProviderPayout.amount_satang, ProviderPayout.state, ProviderPayout.checked_satang),
            of=ProviderPayout.payment_account_id.in_(
                select(Attempt.payment_account_id).where(Attempt.booking_id.in_(bookings))
            ),
        ),
        "balances": balances(session, book_id),
        "entries": Counter(
            (
                kind,
                names.get(subject.partition(":")[2], subject.partition(":")[0]),
                amount,
            )
            for kind, subject, amount in session.execute(
                select(Entry.kind, Entry.subject, Entry.amount_satang).where(
                    Entry.book_id == book_id
                )
            )
        ),
        "work": sorted(
            session.scalars(
                select(WorkItem.kind).where(
                    WorkItem.community_id == community_id, WorkItem.closed_at.is_(None)
                )
            )
        ),
    }


def require_sound(place):
    """At every step: captured = refunded + on deposit + split, and all else that the audit checks."""
    db.session.rollback()
    outcomes = verify(db.session(), place.village.card)
    assert [each.findings for each in outcomes if each.findings] == []


def require_true(place):
    """Sound books, and they hold exactly what Stripe holds."""
    require_sound(place)
    receiver = {"account": place.account}
    began = utc_now() - timedelta(days=1)
    until = utc_now() + timedelta(days=60)
    listed = place.providers["stripe"].list_transactions(receiver, began, until)
    books = balances(db.session(), place.village.card.book_id)
    assert books["payment:stripe"] == sum(each.net_satang for each in listed)


def clear(place):
    """A person empties the work list of money that nothing explains; nothing is left over then."""
    unexplained = db.session.scalars(
        select(ProviderTransaction.id).where(ProviderTransaction.suspense_satang != 0)
    ).all()
    db.session.rollback()
    for row_id in unexplained:
        person_id = place.village.person_id
        how = Clearing.RETURNED
        clear_suspense(place.village.id, row_id, how, f"slip {row_id}", person_id, utc_now())
    db.session.rollback()
    assert balances(db.session(), place.village.card.book_id)["suspense"] == 0


HOW_MANY = 60 if DEEP else 3
STORIES = settings(
    max_examples=HOW_MANY,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def lived(guests, hear, *, pays_out):
    with stripe_village(capacity=12, max_party=10) as place:
        life = Life(place, hear)
        life.live(guests, pays_out=pays_out)
        require_true(place)
        end = end_of(life)
        waits = any(guest.card and guest.disputes == "open" for guest in guests)
        if not waits and not all(guest.cancels_as for guest in guests):
            after_the_trip = utc_now() + timedelta(days=62)
            factories.record_work(place.village, ("H01", "boat", 2), ("H02", "cook", 3))
            factories.settle(place.village, after_the_trip)
            require_true(place)
            end["shared out"] = balances(db.session(), place.village.card.book_id)
        return end


@STORIES
@given(guests=st.lists(GUESTS, min_size=1, max_size=3), pays_out=st.booleans(), data=st.data())
def test_a_story_ends_the_same_however_it_is_told(app, guests, pays_out, data):
    expected = lived(guests, in_order, pays_out=pays_out)
    assert lived(guests, as_drawn(data, "messages"), pays_out=pays_out) == expected


@STORIES
@given(guests=st.lists(GUESTS, min_size=1, max_size=3), pays_out=st.booleans())
def test_with_every_message_lost_reconciliation_alone_gets_there(app, guests, pays_out):
    expected = lived(guests, in_order, pays_out=pays_out)
    assert lived(guests, nothing, pays_out=pays_out) == expected


def test_a_second_round_without_news_changes_nothing(app):
    guests = [
        Guest(GOOD, True, False, True, False, "won", ""),
        Guest(None, False, True, True, False, "", ""),
    ]
    with stripe_village(capacity=12, max_party=10) as place:
        life = Life(place, in_order)
        life.live(guests, pays_out=True)
        before = end_of(life)
        head = place.village.card
        reconcile(place.providers, utc_now() + 3 * LATER, full=True)
        assert end_of(life) == before
        assert place.village.card == head


# --- money and seat agree ------------------------------------------------------------------------


@pytest.fixture
def place(app):
    with stripe_village(capacity=2) as found:
        yield found


def paid_late(place, *, full):
    """A page at Stripe that is paid after its hold has lapsed, and somebody else's hold by then."""
    reference = place.hold()
    attempt = place.start(reference)
    late = utc_now() + timedelta(hours=3)
    lapse_overdue_holds(late)
    if full:
        factories.book(place.village, now=late)
    place.double.pay_by_card(attempt.provider_ref)
    take_in(attempt.id, place.providers, late)
    db.session.rollback()
    return reference, late


def test_paid_after_the_hold_with_a_free_seat_the_booking_lives(place):
    reference, _late = paid_late(place, full=False)
    assert get_booking(db.session(), reference).state == BookingState.CONFIRMED
    nothing_is_left_over(place)


def test_paid_after_the_hold_when_full_the_money_goes_back_and_the_guest_is_told(place):
    reference, late = paid_late(place, full=True)
    booking = get_booking(db.session(), reference)
    assert booking.state == BookingState.LAPSED
    (refund,) = queries.list_refunds(db.session(), booking.id)
    assert (refund.amount_satang, refund.reason) == (90_000, RefundReason.NO_PLACE_LEFT)
    assert "refund_coming" in letters(reference)
    send_refunds(place.providers, late)
    assert "refund_done" in letters(reference)
    nothing_is_left_over(place)


def letters(reference):
    db.session.rollback()
    return [
        row.kind
        for row in db.session.scalars(select(Notice))
        if row.facts.get("reference") == reference
    ]


def test_paid_at_stripe_and_by_another_way_the_second_goes_back(place):
    reference = place.hold()
    attempt = place.start(reference)
    place.double.pay_by_card(attempt.provider_ref)
    factories.pay_by_demo(reference, now=utc_now())
    take_in(attempt.id, place.providers, utc_now())
    booking = get_booking(db.session(), reference)
    (refund,) = queries.list_refunds(db.session(), booking.id)
    assert (refund.amount_satang, refund.reason) == (90_000, RefundReason.PAID_TWICE)
    send_refunds(place.providers, utc_now())
    nothing_is_left_over(place)


def test_a_code_scanned_twice_is_seen_by_reconciling_and_cleared_by_a_person(place):
    reference = place.hold()
    attempt = place.start(reference)
    place.double.pay_promptpay(attempt.provider_ref)
    place.double.pay_promptpay_again(attempt.provider_ref)
    place.hear()
    reconcile(place.providers, utc_now() + LATER)
    (work,) = list_open_work(db.session(), place.village.id)
    assert work.kind == WorkKind.UNKNOWN_MONEY
    clear(place)
    nothing_is_left_over(place)


def nothing_is_left_over(place):
    """No money without a booking: what did not buy goes or went back, and no work is open."""
    db.session.rollback()
    unbought = db.session.scalars(
        select(Capture).where(Capture.community_id == place.village.id, Capture.buys.is_(False))
    ).all()
    for capture in unbought:
        amount = db.session.scalar(
            select(Refund.amount_satang).where(Refund.capture_id == capture.id)
        )
        assert amount == capture.amount_satang
    assert list_open_work(db.session(), place.village.id) == []
    assert not any(each.findings for each in verify(db.session(), place.village.card))
