"""Random lives of two products that share boats, jackets, a guide, kayaks and the village's ceiling.

After each step counters equal facts, nothing is over capacity, no satang of a booking is lost, and
the audit finds nothing. What slots must have given away is worked out here once more, by hand.
"""

from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select, update

from cbt.audit.findings import Result
from cbt.audit.verify import verify
from cbt.bookings import departures, shared, waitlist
from cbt.bookings import hold as holding
from cbt.bookings.models import (
    Booking,
    BookingAddOn,
    Departure,
    Slot,
    Thing,
    WaitingParty,
)
from cbt.bookings.parts import Part
from cbt.bookings.proof import prove_places, prove_slots
from cbt.bookings.queries import get_booking, list_departures
from cbt.bookings.states import LIVE, BookingState, EndReason, WaitState
from cbt.bookings.terms import Terms, Tier, canonical
from cbt.db import db, transaction
from cbt.errors import Invalid, NotFound, Refused
from cbt.ledger.queries import stream_entries
from cbt.payments import call_off, give_back, take_in
from cbt.payments import credits as credit
from cbt.payments.models import Capture, Credit, CreditUse, Refund
from cbt.payments.provider import RefundState
from cbt.payments.providers.demo import Act, act
from tests import factories
from tests.conftest import DEEP
from tests.factories import PROVIDERS, TOMORROW
from tests.site import NOW

DAYS = tuple(TOMORROW + timedelta(days=number) for number in (0, 18, 40))
STEPS = tuple(timedelta(minutes=minutes) for minutes in (1, 16, 31, 13 * 60, 24 * 60, 8 * 24 * 60))
TERMS = canonical(Terms("Random", (Tier(30, 10_000), Tier(15, 3_333), Tier(1, 50))))
PARTIES = st.fixed_dictionaries(
    {"ADULT": st.integers(0, 5), "CHILD": st.integers(0, 2), "INFANT": st.integers(0, 1)}
)
EXTRAS = st.fixed_dictionaries({"kayak": st.integers(0, 3)})
PICKS = st.integers(0, 1_000)
EXAMPLES = {"sqlite": 1_000, "postgresql": 1_000} if DEEP else {"sqlite": 8, "postgresql": 4}
LENGTH = 30


@contextmanager
def refusals():
    """What the domain may say to anybody. Everything else is a bug."""
    try:
        yield
    except (Refused, Invalid, NotFound):
        db.session.rollback()


class Engine(RuleBasedStateMachine):
    """Guests, hosts and the worker of one village, in any order."""

    @initialize(
        boats=st.integers(1, 4),
        guides=st.integers(1, 3),
        ceiling=st.integers(4, 20),
        capacity=st.integers(3, 12),
    )
    def found(self, boats, guides, ceiling, capacity):
        self.now = NOW
        self.fleet = factories.make_fleet(
            boats=boats,
            guides=guides,
            ceiling=ceiling,
            capacity=capacity,
            households=3,
            on=DAYS[0],
            terms=TERMS,
        )
        self.id = self.fleet.mangrove.id
        self.trips = []
        for product in (self.fleet.mangrove, self.fleet.sunrise):
            departures.open_departures(product.option_id, DAYS)
            found = list_departures(db.session(), [product.option_id], DAYS[0], date.max)
            self.trips += [replace(product, departure_id=each.id) for each in found]
        self.references = []
        self.waiting = []
        self.codes = []

    def trip(self, pick):
        return self.trips[pick % len(self.trips)]

    def one(self, pick, *states):
        """A booking in one of some states, if there is any."""
        db.session.rollback()
        query = select(Booking.reference).where(Booking.community_id == self.id)
        found = list(
            db.session.scalars(query.where(Booking.state.in_(states)).order_by(Booking.id))
        )
        return found[pick % len(found)] if found else None

    # --- guests ----------------------------------------------------------------------------------

    @rule(pick=PICKS, party=PARTIES, extras=EXTRAS, by_host=st.booleans())
    def hold(self, pick, party, extras, by_host):
        with refusals():
            factories.hold(self.trip(pick), party, self.now, add_ons=extras, by_host=by_host)

    @rule(pick=PICKS, party=PARTIES, extras=EXTRAS)
    def book(self, pick, party, extras):
        with refusals():
            factories.book(self.trip(pick), party, self.now, add_ons=extras)

    @rule(pick=PICKS)
    def extend(self, pick):
        if reference := self.one(pick, BookingState.HELD):
            with refusals():
                holding.extend_once(reference, self.now)

    @rule(pick=PICKS, what=st.sampled_from([Act.PAY, Act.PAY, Act.PAY_TWICE, Act.PAY_LATE]))
    def pay(self, pick, what):
        if reference := self.one(pick, BookingState.HELD, BookingState.CONFIRMED):
            with refusals():
                factories.pay_by_demo(reference, self.now, what)

    @rule(pick=PICKS)
    def pay_after_it_lapsed(self, pick):
        """The guest stays on the bank's page while the hold runs out and somebody sweeps it."""
        if reference := self.one(pick, BookingState.HELD):
            with refusals():
                attempt = factories.start(reference, now=self.now)
                held_until = get_booking(db.session(), reference).held_until
                self.now = max(self.now, held_until + timedelta(minutes=1))
                holding.lapse_overdue_holds(self.now)
                act(attempt.provider_ref, Act.PAY, attempt.amount_satang, held_until, self.now)
                take_in.take_in(attempt.id, PROVIDERS, self.now)

    @rule(pick=PICKS, where=PICKS, party=PARTIES, extras=EXTRAS)
    def change(self, pick, where, party, extras):
        if reference := self.one(pick, BookingState.CONFIRMED, BookingState.CHOOSING):
            to = self.trip(where).departure_id
            with refusals():
                factories.change_booking(
                    reference, self.now, departure_id=to, party=party, add_ons=extras
                )

    @rule(pick=PICKS, where=PICKS)
    def move(self, pick, where):
        if reference := self.one(pick, BookingState.CONFIRMED, BookingState.CHOOSING):
            with refusals():
                to = self.trip(where).departure_id
                factories.change_booking(reference, self.now, departure_id=to)

    @rule(pick=PICKS, as_credit=st.booleans())
    def cancel(self, pick, as_credit):
        states = (BookingState.HELD, BookingState.CONFIRMED, BookingState.CHOOSING)
        if reference := self.one(pick, *states):
            with refusals():
                factories.cancel_booking(reference, self.now, as_credit=as_credit)

    @rule(pick=PICKS, which=PICKS)
    def use_credit(self, pick, which):
        reference = self.one(pick, BookingState.HELD, BookingState.CONFIRMED)
        query = select(Credit.code).where(Credit.community_id == self.id).order_by(Credit.id)
        codes = list(db.session.scalars(query))
        if reference and codes:
            with refusals():
                credit.use_credit(reference, codes[which % len(codes)], self.now)

    @rule(pick=PICKS, party=PARTIES, least=st.integers(1, 5))
    def join(self, pick, party, least):
        with refusals():
            factories.join_line(self.trip(pick), party, self.now, least=least)

    @rule(pick=PICKS)
    def leave(self, pick):
        query = select(WaitingParty.id).where(WaitingParty.community_id == self.id)
        parties = list(db.session.scalars(query.order_by(WaitingParty.id)))
        if parties:
            with refusals():
                waitlist.leave(parties[pick % len(parties)], self.now)

    # --- hosts -----------------------------------------------------------------------------------

    @rule(pick=PICKS, reason=st.sampled_from([EndReason.WEATHER, EndReason.TOO_FEW]))
    def call_off(self, pick, reason):
        if pick % 3 == 0:  # not too often, or nothing is ever sold
            with refusals():
                factories.call_off_departure(self.trip(pick // 3), self.now, reason)

    @rule(pick=PICKS, capacity=st.integers(0, 14))
    def set_capacity(self, pick, capacity):
        with refusals():
            departures.set_capacity(self.id, self.trip(pick).departure_id, capacity)

    @rule(pick=PICKS, is_open=st.booleans())
    def set_sales(self, pick, is_open):
        with refusals():
            departures.set_sales(self.id, self.trip(pick).departure_id, is_open=is_open)

    @rule(
        code=st.sampled_from(["boat", "jacket", "guide", "kayak", "village"]),
        capacity=st.integers(0, 20),
    )
    def set_thing_capacity(self, code, capacity):
        with refusals():
            shared.set_thing_capacity(self.id, self.fleet.things[code], capacity, self.now)

    @rule(
        code=st.sampled_from(["boat", "jacket", "guide", "kayak", "village"]),
        day=st.sampled_from(DAYS),
        is_closed=st.booleans(),
        capacity=st.none() | st.integers(0, 20),
    )
    def set_slot(self, code, day, is_closed, capacity):
        part = Part.DAY if code == "village" else Part.MORNING
        with refusals():
            thing_id = self.fleet.things[code]
            shared.set_slot(self.id, thing_id, day, part, is_closed=is_closed, capacity=capacity)

    @rule(pick=PICKS, cost=st.integers(1, 200_000))
    def settle(self, pick, cost):
        trip = self.trip(pick)
        with refusals():
            factories.record_preparation(trip, ("H02", cost), ("H03", 1 + cost // 3), now=self.now)
            factories.record_work(trip, ("H01", "boat", 1), ("H02", "cook", 2), now=self.now)
            factories.settle(trip, self.now)

    # --- time and the worker ---------------------------------------------------------------------

    @rule(step=st.sampled_from(STEPS))
    def wait(self, step):
        self.now += step

    @rule()
    def sweep(self):
        holding.lapse_overdue_holds(self.now)
        stale = select(func.count()).where(
            Booking.community_id == self.id,
            Booking.state.in_((BookingState.HELD, BookingState.REQUESTED)),
            Booking.held_until <= self.now,
        )
        assert db.session.scalar(stale) == 0

    @rule()
    def work(self):
        take_in.look_up_unpaid_attempts(PROVIDERS, self.now)
        factories.offer_places(self.fleet.mangrove, self.now)
        call_off.refund_undecided(self.now)
        credit.return_stranded_credit(self.now)
        give_back.send_refunds(PROVIDERS, self.now)

    # --- what holds after each step --------------------------------------------------------------

    @invariant()
    def counters_equal_facts(self):
        if not hasattr(self, "trips"):
            return
        db.session.rollback()
        assert prove_places(db.session(), self.id) == []
        assert prove_slots(db.session(), self.id).wrong == ()
        assert claimed_slots(self.id) == needed_slots(self.id, self.fleet.seats)
        over = Slot.claimed > Slot.capacity
        assert db.session.scalar(select(func.count()).select_from(Slot).where(over)) == 0

    @invariant()
    def no_satang_is_lost(self):
        if not hasattr(self, "trips"):
            return
        card = self.fleet.mangrove.card
        for reference, (came, went) in money_by_booking(self.id, card.book_id).items():
            assert came == went, (reference, came, went)

    @invariant()
    def the_audit_finds_nothing(self):
        if not hasattr(self, "trips"):
            return
        outcomes = verify(db.session(), self.fleet.mangrove.card)
        assert [each for each in outcomes if each.result == Result.FAIL] == []

    def teardown(self):
        """Leave nothing for the worker of the next village."""
        if hasattr(self, "id"):
            give_back.send_refunds(PROVIDERS, self.now)
            with transaction() as session:
                session.execute(
                    update(WaitingParty)
                    .where(WaitingParty.community_id == self.id)
                    .values(state=WaitState.LEFT)
                )
                session.execute(
                    update(Booking)
                    .where(Booking.community_id == self.id, Booking.state == BookingState.CHOOSING)
                    .values(state=BookingState.CANCELLED)
                )
                open_ = select(Booking.id).where(Booking.community_id == self.id)
                session.execute(
                    update(take_in.Attempt)
                    .where(take_in.Attempt.booking_id.in_(open_))
                    .values(provider_ref=None)
                )


def claimed_slots(community_id):
    """{(thing, day): units} by the slots' own counts, without zeros."""
    rows = db.session.execute(
        select(Thing.code, Slot.day, Slot.claimed)
        .join(Thing, Thing.id == Slot.thing_id)
        .where(Thing.community_id == community_id, Slot.claimed != 0)
    )
    return {(row.code, row.day): row.claimed for row in rows}


def needed_slots(community_id, seats):
    """The same by hand, from live bookings: all departures lie in one morning of their day."""
    places, kayaks = Counter(), Counter()
    query = select(Booking.id, Booking.departure_id, Booking.places).where(
        Booking.community_id == community_id, Booking.state.in_(LIVE)
    )
    for row in db.session.execute(query):
        places[row.departure_id] += row.places
    extras = (
        select(Booking.departure_id, BookingAddOn.quantity)
        .join(
            BookingAddOn,
            (BookingAddOn.booking_id == Booking.id) & (BookingAddOn.revision == Booking.revision),
        )
        .where(Booking.community_id == community_id, Booking.state.in_(LIVE))
    )
    for departure_id, quantity in db.session.execute(extras):
        kayaks[departure_id] += quantity
    days = dict(
        db.session.execute(
            select(Departure.id, Departure.starts_on).where(Departure.community_id == community_id)
        ).all()
    )
    needed = Counter()
    for departure_id, taken in places.items():
        day = days[departure_id]
        needed["boat", day] += (taken + seats - 1) // seats
        needed["jacket", day] += taken
        needed["village", day] += taken
        needed["guide", day] += 1
        needed["kayak", day] += kayaks[departure_id]
    return {key: units for key, units in needed.items() if units}


def money_by_booking(community_id, book_id):
    """{booking: (captured + credit used, refunded + credited + on deposit + split)} in satang."""
    references = dict(
        db.session.execute(
            select(Booking.id, Booking.reference).where(Booking.community_id == community_id)
        ).all()
    )
    came, went = defaultdict(int), defaultdict(int)
    mine = Booking.community_id == community_id
    sums = (
        (came, Capture, True),
        (came, CreditUse, True),
        (went, Refund, Refund.state == RefundState.SUCCEEDED),
        (went, Credit, True),
    )
    for side, table, condition in sums:
        rows = db.session.execute(
            select(table.booking_id, func.sum(table.amount_satang))
            .join(Booking, Booking.id == table.booking_id)
            .where(mine, condition)
            .group_by(table.booking_id)
        )
        for booking_id, amount in rows:
            side[references[booking_id]] += int(amount)
    for posted in stream_entries(db.session(), book_id):
        reference = posted.draft.subject.removeprefix("booking:")
        for leg in posted.draft.legs:
            if leg.target == "guest_deposit":
                went[reference] += leg.amount_satang
            if leg.source == "guest_deposit":
                went[reference] -= leg.amount_satang
                if posted.draft.kind == "split":
                    went[reference] += leg.amount_satang
    return {each: (came[each], went[each]) for each in came.keys() | went.keys()}


def test_random_lives_never_oversell_nor_lose_a_satang(app):
    run_state_machine_as_test(
        Engine,
        settings=settings(
            max_examples=EXAMPLES[db.engine.dialect.name],
            stateful_step_count=LENGTH,
            deadline=None,
            derandomize=not DEEP,
            suppress_health_check=list(HealthCheck),
        ),
    )
