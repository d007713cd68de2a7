"""Holding places, losing them, and forgetting guests, on both databases."""

from datetime import timedelta
from itertools import islice

import pytest
from sqlalchemy import func, select, update

from cbt.bookings import forget
from cbt.bookings import hold as services
from cbt.bookings.hold import HOLD_FOR, Details, HoldRequest
from cbt.bookings.models import Booking, BookingLine, Departure
from cbt.bookings.queries import get_booking, get_price_parts
from cbt.bookings.references import references
from cbt.db import db, transaction
from cbt.errors import (
    DepartureFull,
    DepartureGone,
    DepartureUnknown,
    DetailsIncomplete,
    HoldLapsed,
    PartyTooLarge,
    UnitNotSold,
)
from tests import factories
from tests.concurrency import run_together
from tests.site import NOW

AFTER = NOW + HOLD_FOR


@pytest.fixture
def village(app):
    return factories.make_village(capacity=5)


def claimed(village):
    db.session.rollback()
    return db.session.scalar(select(Departure.claimed).where(Departure.id == village.departure_id))


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def ask(village, key="k", **changes):
    values = {
        "departure_id": village.departure_id,
        "party": {"ADULT": 2},
        "policy_version_id": village.policy_id,
        "language": "th",
        "request_key": key,
    }
    return HoldRequest(**{**values, **changes})


def test_a_hold_claims_places_and_freezes_price_costs_and_policy(village):
    reference = services.hold(ask(village, party={"ADULT": 2, "CHILD": 1}), NOW)
    booking = get_booking(db.session(), reference)
    assert booking.state == "held"
    assert booking.held_until == AFTER
    assert booking.price_satang == 2 * 45_000 + 22_550
    assert booking.policy_version_id == village.policy_id
    assert [cost.amount_satang for cost in get_price_parts(db.session(), booking.id).costs] == [
        6_000
    ]
    assert claimed(village) == 3


def test_a_double_submit_is_one_hold(village):
    assert services.hold(ask(village), NOW) == services.hold(ask(village), NOW)
    assert claimed(village) == 2
    assert count(Booking) == 1


def test_a_double_submit_of_what_is_sold_out_by_now_is_still_the_first_hold(village):
    first = services.hold(ask(village, party={"ADULT": 5}), NOW)
    assert services.hold(ask(village, party={"ADULT": 5}), NOW) == first
    assert claimed(village) == 5


def test_a_reference_that_another_request_has_by_chance_is_passed_over(village):
    first, second = islice(references("k"), 2)
    other = services.hold(ask(village, "other"), NOW)
    with transaction() as session:
        session.execute(update(Booking).where(Booking.reference == other).values(reference=first))
    assert services.hold(ask(village), NOW) == second
    assert services.hold(ask(village), NOW) == second
    assert claimed(village) == 4


def test_a_double_submit_at_the_same_moment_is_one_hold(app, village):
    results = run_together(app, lambda _number: services.hold(ask(village), NOW), 6)
    assert len(set(results)) == 1
    assert isinstance(results[0], str)
    assert claimed(village) == 2


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"departure_id": 999_999}, DepartureUnknown),
        ({"party": {"ADULT": 11}}, PartyTooLarge),
        ({"party": {"GROUP": 1}}, UnitNotSold),
        ({"party": {"ADULT": 6}}, DepartureFull),
    ],
    ids=["unknown-departure", "huge-party", "unit-not-sold", "more-than-fit"],
)
def test_a_refused_hold_writes_nothing(village, changes, error):
    with pytest.raises(error):
        services.hold(ask(village, **changes), NOW)
    assert claimed(village) == 0
    assert count(Booking) == 0
    assert count(BookingLine) == 0


def test_a_departure_that_has_begun_cannot_be_held(village):
    begins_at = db.session.scalar(select(Departure.begins_at))
    with pytest.raises(DepartureGone):
        services.hold(ask(village), begins_at)
    assert count(Booking) == 0


def test_a_full_departure_says_how_many_places_are_left(village):
    services.hold(ask(village, "first", party={"ADULT": 4}), NOW)
    with pytest.raises(DepartureFull) as refused:
        services.hold(ask(village, "second"), NOW)
    assert refused.value.facts == {"left": 1, "wanted": 2}


def test_a_hold_ends_by_itself_and_its_places_come_back(village):
    reference = services.hold(ask(village), NOW)
    assert services.lapse_overdue_holds(AFTER - timedelta(seconds=1)) == 0
    assert services.lapse_overdue_holds(AFTER) == 1
    assert get_booking(db.session(), reference).state == "lapsed"
    assert claimed(village) == 0
    assert services.lapse_overdue_holds(AFTER) == 0
    assert claimed(village) == 0


def test_an_overdue_hold_that_nobody_swept_does_not_block_the_next_guest(village):
    services.hold(ask(village, "first", party={"ADULT": 5}), NOW)
    reference = services.hold(ask(village, "second", party={"ADULT": 5}), AFTER)
    assert get_booking(db.session(), reference).state == "held"
    assert claimed(village) == 5


def test_a_hold_never_lives_longer_than_until_the_trip(village):
    begins_at = db.session.scalar(select(Departure.begins_at))
    reference = services.hold(ask(village), begins_at - timedelta(minutes=5))
    assert get_booking(db.session(), reference).held_until == begins_at


def test_the_same_sweep_by_two_workers_gives_places_back_once(app, village):
    for number in range(2):
        services.hold(ask(village, f"key{number}"), NOW)
    results = run_together(app, lambda _number: services.lapse_overdue_holds(AFTER), 4)
    assert sum(results) == 2
    assert claimed(village) == 0


# --- details -------------------------------------------------------------------------------------


def details(**changes):
    values = {"name": "Ann", "email": "a@example.org", "phone": "", "food_needs": ""}
    return Details(**{**values, "access_needs": "", "consent": False, **changes})


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"name": ""}, ("name",)),
        ({"email": ""}, ("contact",)),
        ({"food_needs": "no pork"}, ("consent",)),
        ({"access_needs": "wheelchair"}, ("consent",)),
        ({"name": "", "email": "", "food_needs": "x"}, ("name", "contact", "consent")),
    ],
    ids=["no-name", "no-contact", "food-without-consent", "access-without-consent", "all"],
)
def test_incomplete_details_are_refused_and_not_written(village, changes, missing):
    reference = services.hold(ask(village), NOW)
    with pytest.raises(DetailsIncomplete) as refused:
        services.save_details(reference, details(**changes), NOW)
    assert refused.value.facts["missing"] == missing
    assert get_booking(db.session(), reference).guest.name is None


def test_details_after_the_hold_has_ended_are_refused(village):
    reference = services.hold(ask(village), NOW)
    with pytest.raises(HoldLapsed):
        services.save_details(reference, details(), AFTER)
    assert get_booking(db.session(), reference).guest.name is None


def test_needs_are_forgotten_a_week_after_the_trip_and_the_guest_half_a_year_later(village):
    reference = services.hold(ask(village), NOW)
    full = details(food_needs="no pork", access_needs="a hand", consent=True)
    services.save_details(reference, full, NOW)
    ends_at = db.session.scalar(select(Departure.ends_at))
    forget.forget_guests(ends_at + timedelta(days=6))
    assert get_booking(db.session(), reference).guest.food_needs == "no pork"
    forget.forget_guests(ends_at + timedelta(days=7, minutes=1))
    guest = get_booking(db.session(), reference).guest
    assert (guest.food_needs, guest.access_needs, guest.name) == (None, None, "Ann")
    forget.forget_guests(ends_at + timedelta(days=181))
    guest = get_booking(db.session(), reference).guest
    assert (guest.name, guest.email, guest.phone) == (None, None, None)


# --- use cases -----------------------------------------------------------------------------------


def test_a_use_case_cannot_call_another(app):
    with pytest.raises(RuntimeError, match="never another use case"), transaction():
        services.lapse_overdue_holds(NOW)


def test_what_a_use_case_wrote_before_it_failed_is_undone(village):
    with pytest.raises(ZeroDivisionError), transaction() as session:
        session.execute(Departure.__table__.update().values(claimed=1))
        raise ZeroDivisionError
    assert claimed(village) == 0
