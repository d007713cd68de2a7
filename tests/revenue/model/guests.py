"""What guests do, and what payment services tell of them."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select

from cbt.bookings import arrivals
from cbt.bookings.models import Booking
from cbt.bookings.states import EndReason
from cbt.db import db
from cbt.payments import call_off, cancel, cash, pay, queries, take_in
from cbt.payments import credits as credit_notes
from cbt.payments.models import Credit
from tests import factories
from tests.payments.telling import FEE
from tests.revenue.model.life import (
    ADULT,
    CHILD,
    COST,
    DEPOSIT_BP,
    TIERS,
    always,
    deed,
)

SOON, LATER = timedelta(days=9), timedelta(days=34)


def ahead(life):
    """Trips that can be sold now: soon, or so early that terms give everything back."""
    return [
        trip
        for trip, on in life.trips.items()
        if (life.today < on <= life.today + SOON or on == life.today + LATER)
        and trip not in life.called_off
    ]


def payments(life):
    return [(b, p) for b in life.paper.bookings.values() for p in b.payments]


def credits_left(life):
    found = [
        (b, n) for b in life.paper.bookings.values() for n, c in enumerate(b.credits) if c.left
    ]
    return found if ahead(life) else []


def unpaid(life):
    return [
        each
        for each in life.bookings("booked")
        if each.paid < each.price and life.today < life.day_of(each) and not each.disputes
    ]


def cancellable(life):
    own = [each for each in life.bookings("booked") if life.today < life.day_of(each)]
    return [each for each in (*own, *life.bookings("choosing")) if is_quiet(each)]


def is_quiet(booking):
    """Whether no dispute stands over it that is open, or took more than was kept for it: what else
    goes back meanwhile has stories of its own (tests/payments/test_stories.py).
    """
    return all(
        each.state == "won" or (each.state == "lost" and each.kept + each.credit == each.satang)
        for each in booking.disputes
    )


def callable_off(life):
    """Trips ahead that somebody booked and over which nothing is disputed."""
    own = [each for each in life.bookings("booked") if life.today < life.day_of(each)]
    noisy = {e.trip for e in life.paper.bookings.values() if not is_quiet(e)}
    return sorted({each.trip for each in own} - noisy)


def undecided(life):
    return [
        each
        for each in life.bookings("choosing")
        if each.ended_at <= life.now - call_off.CHOOSE_WITHIN
    ]


class Guests:
    """Deeds of guests."""

    @deed(18, always)
    def wait(self, _about):
        self.now += timedelta(days=self.amount(2, 9, "days"))

    def hold(self, trip):
        adults, children = self.amount(1, 4, "adults"), self.amount(0, 2, "children")
        policy_id = [each for since, each in self.versions if since <= self.today][-1]
        reference = factories.hold(
            self.trip(trip),
            {"ADULT": adults, "CHILD": children},
            self.now,
            key=self.key(),
            policy_version_id=policy_id,
        )
        price = adults * ADULT + children * CHILD
        costs = (adults + children) * COST
        return self.paper.book(reference, trip, price, costs, self.today)

    def pay(self, booking, *, whole, told):
        """By the service, which names its fee at once or (`told` is False) some time later."""
        wanted = booking.price
        if not whole:
            wanted = min(booking.price, -(-booking.price * DEPOSIT_BP // 1_000_000) * 100)
        due = wanted - booking.paid
        due = due if due > 0 else booking.price - booking.paid
        reference = booking.reference
        number = pay.start_attempt(reference, "stripe", self.providers, self.now, whole=whole)
        attempt = queries.get_attempt_of(db.session(), reference, number)
        assert attempt.amount_satang == due
        self.bank.pay(attempt, FEE if told else None, self.now)
        take_in.take_in(attempt.id, self.providers, self.now)
        payment_id = f"pi_{attempt.id}"
        self.attempts[payment_id] = attempt.id
        if not told:
            self.untold[payment_id] = FEE
        fee = FEE if told else None
        self.paper.pay(booking, payment_id, "stripe", due, fee, self.today)

    @deed(8, ahead)
    def pay_whole(self, trip):
        self.pay(self.hold(trip), whole=True, told=self.one([True, True, False], "told"))

    @deed(4, ahead)
    def pay_deposit(self, trip):
        self.pay(self.hold(trip), whole=False, told=True)

    @deed(3, unpaid)
    def pay_rest(self, booking):
        self.pay(booking, whole=True, told=True)

    @deed(2, lambda life: [p for _b, p in payments(life) if p.number in life.attempts])
    def hear_again(self, payment):
        """The same message once more: nothing moves."""
        take_in.take_in(self.attempts[payment.number], self.providers, self.now)

    @deed(4, lambda life: [p for _b, p in payments(life) if p.number in life.untold])
    def tell_fee(self, payment):
        """The service names its fee, late; how much it is, it always knew."""
        attempt = queries.get_attempt(db.session(), self.attempts[payment.number])
        known = self.bank.payments[attempt.provider_ref]
        fee = self.untold.pop(payment.number)
        self.bank.payments[attempt.provider_ref] = told_of(known, fee)
        take_in.take_in(attempt.id, self.providers, self.now)
        self.paper.tell_fee(payment, fee, self.today)

    @deed(4, ahead)
    def take_cash(self, trip):
        booking = self.hold(trip)
        cash.take_cash(
            self.id, booking.reference, self.office.coordinator, self.now, self.providers
        )
        self.paper.pay(
            booking, f"cash of {booking.reference}", "cash", booking.price, 0, self.today
        )

    def _cancel(self, booking, *, as_credit):
        before = (self.day_of(booking) - self.today).days
        bp = next((bp for days, bp in TIERS if days <= before), 0)
        if before in {days for days, _bp in TIERS}:  # the trip begins at 08:30, and it is noon
            bp = next((bp for days, bp in TIERS if days <= before - 1), 0)
        if booking.state == "choosing":
            bp = 10_000
        quoted = cancel.quote_cancellation(booking.reference, self.now)
        cancel.cancel(booking.reference, quoted, self.now, as_credit=as_credit)
        back = self.paper.cancel(booking, bp, self.today, as_credit=as_credit)
        assert quoted.refund.refund_satang == back
        if booking.kept > 0:
            self.count("retain_fee")

    @deed(4, cancellable)
    def cancel(self, booking):
        self._cancel(booking, as_credit=False)

    @deed(3, cancellable)
    def cancel_as_credit(self, booking):
        self._cancel(booking, as_credit=True)
        self.count("issue_credit") if booking.credits else None

    @deed(2, callable_off)
    def call_off(self, trip):
        """Bad weather: everybody who paid may have all of it back, as money or credit."""
        call_off.call_off(self.id, trip, EndReason.WEATHER, self.now)
        self.called_off.add(trip)
        for booking in self.bookings("booked"):
            if booking.trip == trip:
                booking.state = "choosing"
                booking.ended_at = self.now

    @deed(4, undecided)
    def choose_nothing(self, _about):
        """Who did not choose within a week has the money back."""
        own = undecided(self)
        assert call_off.refund_undecided(self.now) == len(own)
        for booking in own:
            self.paper.cancel(booking, 10_000, self.today, as_credit=False)

    @deed(4, credits_left)
    def use_credit(self, about):
        source, place = about
        booking = self.hold(self.one(ahead(self), "trip"))
        db.session.rollback()
        codes = db.session.scalars(
            select(Credit.code)
            .join(Booking, Booking.id == Credit.booking_id)
            .where(Booking.reference == source.reference)
            .order_by(Credit.id)
        ).all()
        db.session.rollback()
        used = credit_notes.use_credit(booking.reference, codes[place], self.now)
        assert used == self.paper.use_credit(booking, source.credits[place], self.today)
        if booking.paid < booking.price:
            self.pay(booking, whole=True, told=True)

    @deed(
        4,
        lambda life: [
            each
            for each in life.bookings("booked")
            if life.day_of(each) <= life.today and each.reference not in life.no_shows
        ],
    )
    def note_no_show(self, booking):
        """The party did not come: its money is split by the rule all the same."""
        person = self.office.coordinator
        arrivals.note_no_show(self.id, booking.reference, "nobody came", person, self.now)
        self.no_shows.add(booking.reference)


def told_of(known, fee):
    """A payment as its service tells it once it has worked out its fee."""

    return replace(known, received=tuple(replace(each, fee_satang=fee) for each in known.received))
