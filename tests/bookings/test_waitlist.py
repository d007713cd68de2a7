"""The waiting list: in line, together or by an agreed part, offered while held, told why passed."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from cbt.bookings import hold as holding
from cbt.bookings import waitlist
from cbt.bookings.models import Booking, WaitingParty
from cbt.bookings.proof import prove_places, prove_slots
from cbt.bookings.queries import get_booking, get_departure
from cbt.bookings.waitlist import MOST_OFFERS, OFFER_FOR, get_waiting, list_line
from cbt.db import db
from cbt.errors import (
    DepartureGone,
    DetailsIncomplete,
    NotFound,
    PartyBelowCosts,
    PartyTooLarge,
    UnitNotSold,
)
from cbt.notices.models import Notice
from tests import factories
from tests.concurrency import run_together
from tests.factories import TOMORROW
from tests.site import NOW

FAR = TOMORROW + timedelta(days=30)


@pytest.fixture
def village(app):
    return factories.make_village(capacity=4, on=FAR)


def waiting(party):
    db.session.rollback()
    return get_waiting(db.session(), party)


def offered(party):
    """The reference of the places that a party was offered."""
    card = waiting(party)
    return db.session.scalar(select(Booking.reference).where(Booking.id == card.booking_id))


def taken(village):
    db.session.rollback()
    return get_departure(db.session(), village.departure_id).claimed


def test_a_party_is_offered_its_places_in_line_and_has_twelve_hours(village):
    full = factories.book(village, {"ADULT": 4})
    first, second = factories.join_line(village), factories.join_line(village)
    assert [waiting(each).place for each in (first, second)] == [1, 2]
    assert factories.offer_places(village) == 0
    factories.change_booking(full, party={"ADULT": 2})
    assert factories.offer_places(village) == 1
    booking = get_booking(db.session(), offered(first))
    assert (booking.state, booking.places, booking.held_until) == ("held", 2, NOW + OFFER_FOR)
    assert booking.guest.name == "Waiting"
    assert (waiting(first).state, waiting(first).place) == ("offered", 0)
    assert (waiting(second).state, waiting(second).place) == ("waiting", 1)
    mails = db.session.scalars(select(Notice).where(Notice.kind == "places_offered")).all()
    assert [mail.facts for mail in mails] == [{"reference": booking.reference}]
    assert factories.offer_places(village) == 0  # the offer is held while it is open
    assert prove_places(db.session(), village.id) == []


def test_a_family_is_not_split_unless_it_agreed(village):
    factories.book(village, {"ADULT": 2})
    family = factories.join_line(village, {"ADULT": 2, "CHILD": 2})
    assert factories.offer_places(village) == 0
    assert waiting(family).passed_for == "too_few:2"
    agreed = factories.join_line(village, {"ADULT": 2, "CHILD": 2}, least=2)
    assert factories.offer_places(village) == 1
    assert get_booking(db.session(), offered(agreed)).places == 2
    assert waiting(family).state == "waiting"


def test_a_smaller_party_behind_is_taken_and_the_one_in_front_learns_why(village):
    factories.book(village, {"ADULT": 3})
    big, small = (
        factories.join_line(village, {"ADULT": 3}),
        factories.join_line(village, {"ADULT": 1}),
    )
    assert factories.offer_places(village) == 1
    assert (waiting(big).passed_for, waiting(big).passed_at) == ("too_few:1", NOW)
    assert waiting(small).state == "offered"


def test_an_offer_that_is_paid_ends_the_waiting(village):
    party = factories.join_line(village)
    factories.offer_places(village)
    factories.pay_by_demo(offered(party))
    factories.offer_places(village, NOW + timedelta(days=2))
    assert waiting(party).state == "booked"


def test_an_offer_that_is_let_pass_goes_on_and_its_party_stands_at_the_end(village):
    factories.book(village, {"ADULT": 2})
    first, second = factories.join_line(village), factories.join_line(village)
    factories.offer_places(village)
    later = NOW + OFFER_FOR
    holding.lapse_overdue_holds(later)
    assert factories.offer_places(village, later) == 1
    assert (waiting(first).state, waiting(first).passed_for) == ("waiting", "not_taken")
    assert waiting(second).state == "offered"
    assert [each.id for each in list_line(db.session(), village.departure_id)] == [first]


def test_nobody_is_offered_for_ever(village):
    party = factories.join_line(village)
    now = NOW
    for _ in range(MOST_OFFERS):
        assert factories.offer_places(village, now) == 1
        now += OFFER_FOR
        holding.lapse_overdue_holds(now)
    assert factories.offer_places(village, now) == 0
    assert waiting(party).state == "left"
    assert taken(village) == 0


def test_an_offer_paid_for_late_is_not_offered_again(village):
    party = factories.join_line(village)
    factories.offer_places(village)
    attempt = factories.start(offered(party))
    later = NOW + OFFER_FOR
    holding.lapse_overdue_holds(later)
    factories.book(village, {"ADULT": 1}, later)
    full = factories.hold(village, {"ADULT": 3}, later)
    assert factories.offer_places(village, later) == 0  # in line again
    factories.cancel_booking(full, later)
    factories.act(attempt.provider_ref, factories.Act.PAY, attempt.amount_satang, later, later)
    factories.take_in.take_in(attempt.id, factories.PROVIDERS, later)
    assert factories.offer_places(village, later) == 0
    assert waiting(party).state == "booked"
    assert taken(village) == 3


def test_asking_twice_is_one_place_in_line(app, village):
    parties = run_together(app, lambda _number: factories.join_line(village, request_key="same"), 5)
    assert len(set(parties)) == 1
    db.session.rollback()
    assert db.session.scalar(select(func.count()).select_from(WaitingParty)) == 1


def test_who_left_is_not_offered(village):
    party = factories.join_line(village)
    waitlist.leave(party, NOW)
    assert factories.offer_places(village) == 0
    with pytest.raises(NotFound):
        waitlist.leave(10**6, NOW)
    with pytest.raises(NotFound):
        get_waiting(db.session(), 10**6)


def test_who_leaves_with_an_offer_gives_the_places_back_at_once(village):
    first, second = factories.join_line(village, {"ADULT": 4}), factories.join_line(village)
    factories.offer_places(village)
    reference = offered(first)
    waitlist.leave(first, NOW)
    assert (get_booking(db.session(), reference).state, taken(village)) == ("cancelled", 0)
    assert waiting(first).state == "left"
    assert factories.offer_places(village) == 1
    assert waiting(second).state == "offered"
    assert prove_places(db.session(), village.id) == []


def test_a_party_that_can_not_be_booked_any_more_holds_up_nobody_behind_it(village, monkeypatch):
    """The prices changed while it waited: the others are offered their places all the same."""
    first, second = factories.join_line(village, {"ADULT": 1}), factories.join_line(village)
    hold_places = waitlist.hold_places

    def refuse_one(session, request, now):
        if request.party == {"ADULT": 1}:
            raise PartyBelowCosts(price_satang=1, costs_satang=2)
        return hold_places(session, request, now)

    monkeypatch.setattr(waitlist, "hold_places", refuse_one)
    assert factories.offer_places(village) == 1
    assert [waiting(each).state for each in (first, second)] == ["waiting", "offered"]


def test_a_line_ends_when_sales_close(village):
    party = factories.join_line(village)
    closes_at = get_departure(db.session(), village.departure_id).closes_at
    assert factories.offer_places(village, closes_at) == 0
    assert waiting(party).state == "over"


def test_an_offer_never_outlives_the_start(app):
    village = factories.make_village(capacity=4)
    party = factories.join_line(village)
    begins_at = get_departure(db.session(), village.departure_id).begins_at
    factories.offer_places(village, begins_at - timedelta(hours=1))
    assert get_booking(db.session(), offered(party)).held_until == begins_at


def test_a_shared_thing_without_room_makes_no_offer(app):
    fleet = factories.make_fleet(boats=1, seats=12, on=FAR)
    held = factories.hold(fleet.sunrise)
    party = factories.join_line(fleet.mangrove)
    assert factories.offer_places(fleet.mangrove) == 0
    factories.cancel_booking(held)
    assert factories.offer_places(fleet.mangrove) == 1
    assert waiting(party).state == "offered"
    assert prove_slots(db.session(), fleet.mangrove.id).wrong == ()


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"name": ""}, DetailsIncomplete),
        ({"email": "", "phone": ""}, DetailsIncomplete),
        ({"party": {"ADULT": 11}}, PartyTooLarge),
        ({"party": {"SENIOR": 1}}, UnitNotSold),
    ],
)
def test_a_party_that_cannot_come_cannot_wait(village, changes, refusal):
    with pytest.raises(refusal):
        factories.join_line(village, **changes)
    db.session.rollback()
    assert db.session.scalar(select(func.count()).select_from(WaitingParty)) == 0


def test_nobody_waits_for_what_has_begun(village):
    begins_at = get_departure(db.session(), village.departure_id).begins_at
    with pytest.raises(DepartureGone):
        factories.join_line(village, now=begins_at)
