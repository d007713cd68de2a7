"""More than fifty rivals at every door for the last places of a boat that two products share.

Exactly as many places are sold as the boat has, nobody waits for ever, and nobody meets anything but
a refusal of the domain. The controls take the guard or the order away, and must see what then happens.
"""

import threading
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from cbt.audit.findings import Result
from cbt.audit.verify import verify
from cbt.bookings import claims
from cbt.bookings import hold as holding
from cbt.bookings.models import Booking, Slot
from cbt.bookings.proof import prove_places, prove_slots
from cbt.bookings.queries import get_booking
from cbt.bookings.states import LIVE, BookingState
from cbt.db import db, transaction
from cbt.errors import (
    CapacityBelowSold,
    DepartureCalledOff,
    DepartureFull,
    DepartureGone,
    SlotFull,
    StateForbids,
)
from cbt.payments import call_off, take_in
from cbt.payments.models import Refund
from cbt.payments.providers.demo import Act, act
from tests import factories
from tests.concurrency import run_together
from tests.conftest import DEEP
from tests.factories import PROVIDERS, TOMORROW
from tests.site import NOW

RUNS = pytest.mark.parametrize("run", range(20 if DEEP else 1))
SEATS, OVERDUE = 5, 2
LATER = NOW + holding.HOLD_FOR + timedelta(minutes=10)
REFUSALS = {DepartureFull, SlotFull}


def one_boat(**changes):
    """A boat of SEATS seats that both products sell one by one."""
    return factories.make_fleet(boats=SEATS, seats=1, households=1, **changes)


def rush(app, doors):
    """Everybody at once; the kinds of errors that they met."""
    results = run_together(app, lambda number: doors[number](), len(doors))
    return {type(each) for each in results if isinstance(each, Exception)}


def live_places(fleet, *states):
    db.session.rollback()
    return db.session.scalar(
        select(func.coalesce(func.sum(Booking.places), 0)).where(
            Booking.departure_id.in_((fleet.mangrove.departure_id, fleet.sunrise.departure_id)),
            Booking.state.in_(states or LIVE),
        )
    )


def assert_proved(fleet):
    db.session.rollback()
    assert prove_places(db.session(), fleet.mangrove.id) == []
    assert prove_slots(db.session(), fleet.mangrove.id).wrong == ()
    outcomes = verify(db.session(), fleet.mangrove.card)
    assert [each for each in outcomes if each.result == Result.FAIL] == []


# --- every door at once --------------------------------------------------------------------------


def ask(product, key, **changes):
    return lambda: factories.hold(product, {"ADULT": 1}, LATER, key, **changes)


def move_in(product, reference):
    return lambda: factories.change_booking(reference, LATER, departure_id=product.departure_id)


def paid_late(product):
    """A hold that lapsed while its guest was at the bank; the money is on its way."""
    reference = factories.hold(product, {"ADULT": 1})
    attempt = factories.start(reference)
    until = get_booking(db.session(), reference).held_until
    act(attempt.provider_ref, Act.PAY_LATE, attempt.amount_satang, until, NOW)
    holding.lapse_overdue_holds(until)
    return lambda: take_in.take_in(attempt.id, PROVIDERS, LATER)


def rivals(fleet):
    """Guests, hosts, the line, changes, late money and the sweeper, all for the same seats."""
    products = (fleet.mangrove, fleet.sunrise)
    doors = [paid_late(product) for product in products for _ in range(4)]
    for product in products:
        tomorrow = factories.make_departure(product.option_id, TOMORROW + timedelta(days=1))
        elsewhere = replace(product, departure_id=tomorrow)
        booked = [factories.book(elsewhere, {"ADULT": 1}) for _ in range(2)]
        doors += [move_in(product, reference) for reference in booked]
        for number in range(12):
            doors.append(ask(product, f"{fleet.mangrove.slug} {product.option_id} {number}"))
        for number in range(6):
            key = f"{fleet.mangrove.slug} {product.option_id} host {number}"
            doors.append(ask(product, key, by_host=True))
        for _ in range(3):
            factories.join_line(product, {"ADULT": 1})
    doors.append(lambda: factories.offer_places(fleet.mangrove, LATER))
    doors += [lambda: holding.lapse_overdue_holds(LATER)] * 2
    factories.hold(fleet.sunrise, {"ADULT": OVERDUE})  # overdue when the rush begins
    assert len(doors) > 50
    return doors


@RUNS
def test_more_than_fifty_rivals_at_every_door_sell_exactly_the_seats_of_the_boat(app, run):
    fleet = one_boat()
    doors = rivals(fleet)
    errors = rush(app, doors)
    assert errors <= REFUSALS, errors
    assert live_places(fleet) <= SEATS
    assert_proved(fleet)
    for number in range(OVERDUE):  # whoever was refused while the sweep ran asks again
        try:
            ask(fleet.mangrove, f"{fleet.mangrove.slug} again {number}")()
        except SlotFull:
            break
    assert live_places(fleet) == SEATS
    assert_proved(fleet)
    assert late_money_bought_or_goes_back(fleet)


def late_money_bought_or_goes_back(fleet):
    """No late payment is passed over: a confirmed booking, or a refund that is on its way."""
    bookings = select(Booking.id).where(
        Booking.community_id == fleet.mangrove.id, Booking.state == BookingState.LAPSED
    )
    lapsed_and_paid = set(
        db.session.scalars(
            select(take_in.Capture.booking_id).where(take_in.Capture.booking_id.in_(bookings))
        )
    )
    refunds = select(Refund.booking_id).where(Refund.reason == "no_place_left")
    return lapsed_and_paid == set(
        db.session.scalars(refunds.where(Refund.community_id == fleet.mangrove.id))
    )


@RUNS
def test_rivals_that_must_sweep_each_others_holds_first_never_wait_in_a_circle(app, run):
    """The ceiling is full of overdue holds of the later product: who sweeps it comes back for less."""
    fleet = factories.make_fleet(
        boats=40, seats=1, jackets=40, guides=9, ceiling=SEATS, households=1
    )
    for number in range(SEATS):
        factories.hold(fleet.sunrise, {"ADULT": 1}, NOW + timedelta(seconds=number))
    doors = [
        ask((fleet.mangrove, fleet.sunrise)[number % 5 == 0], f"{fleet.mangrove.slug} {number}")
        for number in range(24)
    ]
    errors = rush(app, doors)
    assert errors <= REFUSALS, errors
    assert_proved(fleet)


@RUNS
def test_nobody_stays_booked_on_a_departure_that_was_called_off_meanwhile(app, run):
    fleet = one_boat()
    tomorrow = factories.make_departure(fleet.sunrise.option_id, TOMORROW + timedelta(days=1))
    booked = [
        factories.book(replace(fleet.sunrise, departure_id=tomorrow), {"ADULT": 1})
        for _ in range(3)
    ]
    doors = [move_in(fleet.mangrove, reference) for reference in booked]
    doors += [ask(fleet.mangrove, f"{fleet.mangrove.slug} {number}") for number in range(9)]
    doors.insert(4, lambda: factories.call_off_departure(fleet.mangrove, LATER))
    errors = rush(app, doors)
    too_late = {DepartureCalledOff, DepartureGone, StateForbids}  # the last: before it was named
    assert errors <= {*REFUSALS, *too_late}, errors
    assert live_places(fleet) == 0
    assert_proved(fleet)


def test_who_came_at_the_last_moment_and_is_busy_is_called_off_too(postgresql_app, monkeypatch):
    """A party holds between the two looks of a call-off and types its details during the second."""
    fleet = one_boat()
    mark, done = call_off._mark, threading.Event()
    busy: list[threading.Thread] = []

    def come_and_be_busy(is_locked):
        with postgresql_app.app_context():
            reference = factories.hold(fleet.mangrove, {"ADULT": 1})
            with transaction() as session:
                holding.lock_by_reference(session, reference)
                is_locked.set()
                done.wait(1)

    def mark_late(*args):
        if not busy:
            is_locked = threading.Event()
            busy.append(threading.Thread(target=come_and_be_busy, args=(is_locked,)))
            busy[0].start()
            assert is_locked.wait(10)
        mark(*args)

    monkeypatch.setattr(call_off, "_mark", mark_late)
    factories.call_off_departure(fleet.mangrove)
    done.set()
    busy[0].join()
    assert live_places(fleet) == 0
    assert_proved(fleet)


@RUNS
def test_how_many_there_are_is_never_changed_past_a_claim(app, run):
    """The host takes seats away while guests claim slots that did not exist before."""
    fleet = factories.make_fleet(boats=8, seats=1, households=1)
    extra = factories.make_thing(fleet.mangrove.id, "lunch", capacity=8)
    needs = ((fleet.things["boat"], 1, 1, ""), (extra, 0, 1, "kayak"))
    factories.set_needs(fleet.mangrove, *needs)
    doors = [
        ask(fleet.mangrove, f"{fleet.mangrove.slug} {number}", add_ons={"kayak": 1})
        for number in range(8)
    ]

    def fewer():
        factories.shared.set_thing_capacity(fleet.mangrove.id, extra, 3, LATER)

    doors.insert(2, fewer)
    assert rush(app, doors) <= {*REFUSALS, CapacityBelowSold}
    db.session.rollback()
    capacities = db.session.execute(
        select(Slot.capacity, factories.shared.Thing.capacity)
        .join(factories.shared.Thing, factories.shared.Thing.id == Slot.thing_id)
        .where(Slot.thing_id == extra)
    ).all()
    assert {row[0] for row in capacities} <= {row[1] for row in capacities}
    assert_proved(fleet)


# --- controls: what the guard and the order are for ----------------------------------------------


def test_without_the_guard_the_boat_is_oversold(app, monkeypatch):
    """Looking first and writing what was seen afterwards, as many booking systems do."""
    fleet = one_boat(on=TOMORROW)
    seen = threading.local()
    boat = Slot.thing_id == fleet.things["boat"]

    def look():
        seen.claimed = db.session.scalar(select(Slot.claimed).where(boat))
        db.session.rollback()
        time.sleep(0.05)

    move_slots = claims._move_slots

    def write_what_was_seen(session, moves):
        for slot_id, units in moves.items():
            if session.get_one(Slot, slot_id).thing_id != fleet.things["boat"]:
                move_slots(session, {slot_id: units})
            elif seen.claimed + units > SEATS:
                raise SlotFull(thing="boat")
            else:
                session.execute(update(Slot).where(boat).values(claimed=seen.claimed + units))

    monkeypatch.setattr(claims, "_move_slots", write_what_was_seen)

    def attempt(number):
        look()
        product = (fleet.mangrove, fleet.sunrise)[number % 2]
        return ask(product, f"{fleet.mangrove.slug} {number}")()

    results = run_together(app, attempt, 20)
    assert sum(isinstance(each, str) for each in results) > SEATS
    assert live_places(fleet) > SEATS
    assert prove_slots(db.session(), fleet.mangrove.id).wrong != ()


@pytest.mark.parametrize("in_order", [True, False], ids=["in order", "in opposite orders"])
def test_slots_locked_in_opposite_orders_end_in_a_deadlock(postgresql_app, monkeypatch, in_order):
    """The order of locks is what keeps rivals of two products from waiting in a circle."""
    fleet = factories.make_fleet(boats=40, jackets=40, ceiling=40, households=1)
    turned = threading.local()
    move_slots = claims._move_slots

    def one_by_one(session, moves):
        for slot_id in sorted(moves, reverse=turned.round and not in_order):
            move_slots(session, {slot_id: moves[slot_id]})
            time.sleep(0.05)

    monkeypatch.setattr(claims, "_move_slots", one_by_one)

    def attempt(number):
        turned.round = number % 2 == 1
        product = (fleet.mangrove, fleet.sunrise)[number % 2]
        return ask(product, f"{fleet.mangrove.slug} {number}")()

    results = run_together(postgresql_app, attempt, 8)
    met = [str(each) for each in results if isinstance(each, Exception)]
    assert any("deadlock detected" in each for each in met) != in_order, met


def test_one_statement_locks_its_slots_in_the_order_of_their_ids(postgresql_app):
    """Each rival waits for the one before; whoever has the lowest slot gets all the others."""
    fleet = factories.make_fleet(boats=40, jackets=40, ceiling=40, households=1)
    factories.hold(fleet.mangrove, {"ADULT": 1})
    first, *others = db.session.scalars(select(Slot.id).order_by(Slot.id)).all()
    db.session.rollback()
    assert others
    waiting, done = threading.Event(), threading.Event()

    def take_all():
        with postgresql_app.app_context(), transaction() as session:
            waiting.set()
            claims._move_slots(session, dict.fromkeys([*reversed(others), first], 1))
        done.set()

    with transaction() as session:
        claims._move_slots(session, {first: 1})
        rival = threading.Thread(target=take_all)
        rival.start()
        waiting.wait()
        time.sleep(0.2)
        session.execute(  # would raise, had the rival locked any of them before the first
            select(Slot.id).where(Slot.id.in_(others)).with_for_update(nowait=True)
        )
        assert not done.is_set()
    rival.join()
    assert done.is_set()
