"""Boats, jackets, guides, kayaks and the village's ceiling, shared by two products, on both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from cbt.bookings import departures, shared
from cbt.bookings import hold as holding
from cbt.bookings.models import Slot, SlotClaim, Thing
from cbt.bookings.parts import Part
from cbt.bookings.proof import prove_places, prove_slots
from cbt.bookings.queries import get_booking, get_departure
from cbt.bookings.things import ThingKind
from cbt.db import db, transaction
from cbt.errors import CapacityBelowSold, DepartureFull, NotFound, SlotFull, ThingInvalid
from tests import factories
from tests.factories import TOMORROW
from tests.site import NOW

EVENING = NOW + timedelta(days=2)


@pytest.fixture
def fleet(app):
    return factories.make_fleet(boats=3, seats=4)


def free(product):
    db.session.rollback()
    return get_departure(db.session(), product.departure_id).free


def claimed(fleet, code):
    db.session.rollback()
    query = select(Slot.claimed).where(Slot.thing_id == fleet.things[code])
    return db.session.scalar(query.order_by(Slot.day)) or 0


def wrong(fleet):
    db.session.rollback()
    return prove_slots(db.session(), fleet.mangrove.id).wrong


def test_each_begun_boat_is_taken_and_the_other_product_sees_it(fleet):
    factories.hold(fleet.mangrove, {"ADULT": 5})
    assert claimed(fleet, "boat") == 2
    assert free(fleet.mangrove) == 12 - 5  # three more on the second boat, four on the third
    assert free(fleet.sunrise) == 4
    factories.hold(fleet.sunrise, {"ADULT": 4})
    assert (free(fleet.mangrove), free(fleet.sunrise)) == (3, 0)
    assert (claimed(fleet, "boat"), claimed(fleet, "jacket"), claimed(fleet, "guide")) == (3, 9, 2)
    assert wrong(fleet) == ()


def test_the_same_boat_is_not_sold_through_two_products(fleet):
    factories.hold(fleet.mangrove, {"ADULT": 9})
    with pytest.raises(SlotFull) as refused:
        factories.hold(fleet.sunrise, {"ADULT": 1})
    assert refused.value.facts == {"thing": factories.text("boat")}
    assert prove_places(db.session(), fleet.mangrove.id) == []
    assert wrong(fleet) == ()


def test_a_boat_comes_back_with_the_last_guest_who_needed_it(fleet):
    reference = factories.book(fleet.mangrove, {"ADULT": 5})
    for adults, boats in ((4, 1), (6, 2), (3, 1)):
        factories.change_booking(reference, party={"ADULT": adults})
        assert claimed(fleet, "boat") == boats
    factories.cancel_booking(reference)
    assert [claimed(fleet, code) for code in fleet.things] == [0, 0, 0, 0, 0]
    assert wrong(fleet) == ()


def test_the_calendar_goes_on_knowing_what_a_departure_needs_after_its_last_guest_left(fleet):
    factories.cancel_booking(factories.hold(fleet.mangrove))
    shared.set_thing_capacity(fleet.mangrove.id, fleet.things["jacket"], 3, NOW)
    assert free(fleet.mangrove) == 3


def test_a_guide_goes_with_one_departure_whatever_its_size(app):
    fleet = factories.make_fleet(guides=1)
    factories.hold(fleet.mangrove, {"ADULT": 1})
    assert (free(fleet.mangrove), free(fleet.sunrise)) == (11, 0)
    with pytest.raises(SlotFull):
        factories.hold(fleet.sunrise, {"ADULT": 1})
    factories.hold(fleet.mangrove, {"ADULT": 2})


def test_the_village_takes_no_more_guests_a_day_than_its_ceiling(app):
    fleet = factories.make_fleet(ceiling=6)
    factories.hold(fleet.mangrove, {"ADULT": 4})
    with pytest.raises(SlotFull):
        factories.hold(fleet.sunrise, {"ADULT": 3})
    factories.hold(fleet.sunrise, {"ADULT": 2})
    assert claimed(fleet, "village") == 6


def test_an_infant_on_a_lap_takes_no_jacket(fleet):
    factories.hold(fleet.mangrove, {"ADULT": 1, "INFANT": 1})
    assert claimed(fleet, "jacket") == 1


# --- extras --------------------------------------------------------------------------------------


def test_extras_take_from_the_same_slots_and_come_back(fleet):
    reference = factories.book(fleet.mangrove, add_ons={"kayak": 3})
    assert claimed(fleet, "kayak") == 3
    with pytest.raises(SlotFull):
        factories.hold(fleet.sunrise, add_ons={"kayak": 2})
    assert free(fleet.sunrise) == 8  # kayaks limit nobody who wants none
    factories.change_booking(reference, add_ons={"kayak": 1})
    factories.hold(fleet.sunrise, add_ons={"kayak": 3})
    factories.cancel_booking(reference)
    assert claimed(fleet, "kayak") == 3
    assert wrong(fleet) == ()


def test_a_hold_that_was_paid_late_takes_its_extras_again(fleet):
    reference = factories.hold(fleet.mangrove, add_ons={"kayak": 2})
    attempt = factories.start(reference)
    late = NOW + holding.HOLD_FOR
    holding.lapse_overdue_holds(late)
    assert claimed(fleet, "kayak") == 0
    factories.act(attempt.provider_ref, factories.Act.PAY, attempt.amount_satang, late, late)
    factories.take_in.take_in(attempt.id, factories.PROVIDERS, late)
    assert get_booking(db.session(), reference).state == "confirmed"
    assert claimed(fleet, "kayak") == 2
    assert wrong(fleet) == ()


def test_a_late_payment_without_its_extras_takes_nothing(fleet):
    reference = factories.hold(fleet.mangrove, add_ons={"kayak": 2})
    attempt = factories.start(reference)
    late = NOW + holding.HOLD_FOR
    holding.lapse_overdue_holds(late)
    factories.hold(fleet.sunrise, now=late, add_ons={"kayak": 3})
    factories.hold(fleet.mangrove, {"ADULT": 1}, late - timedelta(minutes=29))  # overdue later on
    later = late + timedelta(minutes=2)
    factories.act(attempt.provider_ref, factories.Act.PAY, attempt.amount_satang, later, later)
    factories.take_in.take_in(attempt.id, factories.PROVIDERS, later)
    assert get_booking(db.session(), reference).state == "lapsed"
    assert claimed(fleet, "kayak") == 3
    assert prove_places(db.session(), fleet.mangrove.id) == []
    assert wrong(fleet) == ()


# --- the host changes what there is --------------------------------------------------------------


def test_a_closed_slot_takes_nobody_and_loses_nobody(fleet):
    factories.hold(fleet.mangrove, {"ADULT": 4})
    close = (fleet.mangrove.id, fleet.things["boat"], TOMORROW, Part.MORNING)
    shared.set_slot(*close, is_closed=True)
    assert (free(fleet.mangrove), free(fleet.sunrise)) == (0, 0)
    with pytest.raises(SlotFull):
        factories.hold(fleet.sunrise)
    assert claimed(fleet, "boat") == 1
    shared.set_slot(*close, is_closed=False)
    factories.hold(fleet.sunrise)
    assert wrong(fleet) == ()


def test_a_slot_on_another_part_of_the_day_is_another_one(fleet):
    shared.set_slot(fleet.mangrove.id, fleet.things["boat"], TOMORROW, Part.EVENING, is_closed=True)
    factories.hold(fleet.mangrove)


def test_a_day_with_a_number_of_its_own_keeps_it_when_there_are_more(fleet):
    """One boat is being mended that day; the village buys another one."""
    boat = fleet.things["boat"]
    day = (fleet.mangrove.id, boat, TOMORROW, Part.MORNING)
    shared.set_slot(*day, is_closed=False, capacity=1)
    shared.set_thing_capacity(fleet.mangrove.id, boat, 9, NOW)
    of_boat = select(Slot.day, Slot.part, Slot.capacity).where(Slot.thing_id == boat)
    found = {(each.day, each.part): each.capacity for each in db.session.execute(of_boat)}
    assert found.pop((TOMORROW, Part.MORNING)) == 1
    assert set(found.values()) <= {9}


def test_fewer_of_a_thing_than_are_sold_is_refused_and_changes_nothing(fleet):
    factories.hold(fleet.mangrove, {"ADULT": 9})
    with pytest.raises(CapacityBelowSold) as refused:
        shared.set_thing_capacity(fleet.mangrove.id, fleet.things["boat"], 2, NOW)
    assert refused.value.facts == {"sold": 3}
    slot = (fleet.mangrove.id, fleet.things["boat"], TOMORROW, Part.MORNING)
    with pytest.raises(CapacityBelowSold):
        shared.set_slot(*slot, is_closed=False, capacity=2)
    db.session.rollback()
    query = select(Slot.capacity, Thing.capacity).join(Thing, Thing.id == Slot.thing_id)
    assert db.session.execute(query.where(Thing.code == "boat")).all() == [(3, 3)]


@pytest.mark.parametrize("capacity", [-1, shared.MOST_CAPACITY + 1])
def test_a_number_of_things_that_cannot_be_is_refused(fleet, capacity):
    with pytest.raises(ThingInvalid):
        shared.set_thing_capacity(fleet.mangrove.id, fleet.things["boat"], capacity, NOW)
    with pytest.raises(ThingInvalid):
        factories.make_thing(fleet.mangrove.id, "raft", ThingKind.BOAT, capacity)


def test_another_community_cannot_touch_a_thing(fleet):
    stranger = factories.make_village()
    with pytest.raises(NotFound):
        shared.set_thing_capacity(stranger.id, fleet.things["boat"], 9, NOW)
    with pytest.raises(NotFound):
        shared.set_slot(stranger.id, fleet.things["boat"], TOMORROW, Part.MORNING, is_closed=True)
    with pytest.raises(NotFound):
        factories.set_needs(stranger, (fleet.things["boat"], 1, 1, ""))


def test_what_is_sold_follows_what_an_option_needs(fleet):
    factories.hold(fleet.mangrove, {"ADULT": 4})
    boat = fleet.things["boat"]
    factories.set_needs(fleet.mangrove, (boat, 2, 1, ""))
    assert (claimed(fleet, "boat"), claimed(fleet, "jacket")) == (2, 0)
    with pytest.raises(SlotFull):
        factories.set_needs(fleet.mangrove, (boat, 1, 1, ""))
    assert claimed(fleet, "boat") == 2
    assert free(fleet.mangrove) == 2  # one boat of two seats is left
    assert wrong(fleet) == ()


def test_other_needs_from_today_on_do_not_make_yesterdays_trips_look_wrong(fleet):
    factories.book(fleet.mangrove)
    boat = fleet.things["boat"]
    factories.set_needs(fleet.mangrove, (boat, 1, 1, ""), now=EVENING)
    assert wrong(fleet) == ()
    factories.record_work(fleet.mangrove, ("H01", "boat", 1), now=EVENING)
    factories.settle(fleet.mangrove, EVENING)
    factories.set_needs(fleet.mangrove, (boat, 0, 1, ""), now=EVENING)
    assert claimed(fleet, "boat") == 2
    assert wrong(fleet) == ()


def test_fewer_places_than_are_sold_on_a_departure_are_refused(fleet):
    factories.hold(fleet.mangrove, {"ADULT": 5})
    with pytest.raises(CapacityBelowSold):
        departures.set_capacity(fleet.mangrove.id, fleet.mangrove.departure_id, 4)
    departures.set_capacity(fleet.mangrove.id, fleet.mangrove.departure_id, 5)
    with pytest.raises(DepartureFull):
        factories.hold(fleet.mangrove, {"ADULT": 1})


# --- the proof -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(update(Slot).values(claimed=Slot.claimed + 1), id="a count"),
        pytest.param(update(SlotClaim).where(SlotClaim.units == 2).values(units=1), id="a claim"),
        pytest.param(SlotClaim.__table__.delete(), id="claims gone"),
    ],
)
def test_the_proof_sees_what_was_counted_wrongly(fleet, statement):
    factories.hold(fleet.mangrove, {"ADULT": 2})
    assert wrong(fleet) == ()
    with transaction() as session:
        session.execute(statement)
    assert wrong(fleet) != ()


def test_the_proof_sees_a_claim_that_vanished_together_with_its_count(fleet):
    factories.hold(fleet.mangrove, {"ADULT": 2})
    with transaction() as session:
        session.execute(SlotClaim.__table__.delete())
        session.execute(update(Slot).values(claimed=0))
    seen = {(drift.thing, drift.claimed, drift.needed) for drift in wrong(fleet)}
    assert seen == {("boat", 0, 1), ("jacket", 0, 2), ("guide", 0, 1), ("village", 0, 2)}


def test_the_database_itself_refuses_more_than_there_are(fleet):
    with pytest.raises(Exception, match="never_oversold"), transaction() as session:
        session.execute(update(Slot).values(claimed=Slot.capacity + 1))


def test_a_departure_of_another_day_shares_nothing(fleet):
    factories.hold(fleet.mangrove, {"ADULT": 9})
    later = factories.make_departure(fleet.sunrise.option_id, TOMORROW + timedelta(days=1))
    factories.hold(replace(fleet.sunrise, departure_id=later), {"ADULT": 9})
    assert wrong(fleet) == ()
