"""Moving a date, changing party and extras, cancelling: quoted first, then exactly that, or nothing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from cbt.audit.verify import verify
from cbt.bookings import departures
from cbt.bookings.models import BookingLine
from cbt.bookings.proof import prove_places, prove_slots
from cbt.bookings.queries import get_booking, get_departure
from cbt.bookings.terms import Terms, Tier, canonical, parse
from cbt.db import db
from cbt.errors import (
    AddOnTooMany,
    BookingChanged,
    DepartureFull,
    DepartureGone,
    DepartureUnknown,
    OnRequestOnly,
    PartyTooLarge,
    PreviewOutdated,
    SalesClosed,
    SlotFull,
    StateForbids,
    UnitNotSold,
)
from cbt.notices.models import Notice
from cbt.payments import change as changing
from cbt.payments import give_back, queries
from cbt.payments.cancel import cancel, quote_cancellation
from cbt.payments.models import Credit, Refund
from tests import factories
from tests.concurrency import run_together
from tests.factories import PROVIDERS, TOMORROW, wanted_of
from tests.site import NOW

FAR = TOMORROW + timedelta(days=60)
TERMS = Terms("Steps", (Tier(45, 9_000), Tier(30, 5_000), Tier(15, 3_333), Tier(1, 1)))
SECOND = timedelta(seconds=1)


@pytest.fixture
def fleet(app):
    return factories.make_fleet(on=FAR)


def booking(reference):
    db.session.rollback()
    return get_booking(db.session(), reference)


def kept(reference):
    return queries.get_money(db.session(), booking(reference).id).kept_satang


def returnable(reference):
    """What a booking's guest gets back, in money or as credit, whether it was sent yet or not."""
    db.session.rollback()
    tables = (Refund, Credit)
    sums = [
        select(func.coalesce(func.sum(each.amount_satang), 0)).where(
            each.booking_id == booking(reference).id
        )
        for each in tables
    ]
    return sum(int(db.session.scalar(each)) for each in sums)


def assert_sound(fleet):
    db.session.rollback()
    assert prove_places(db.session(), fleet.mangrove.id) == []
    assert prove_slots(db.session(), fleet.mangrove.id).wrong == ()
    outcomes = verify(db.session(), fleet.mangrove.card)
    assert [finding for each in outcomes for finding in each.findings] == []


def on_another_day(product, days):
    return replace(
        product,
        departure_id=factories.make_departure(product.option_id, FAR + timedelta(days=days)),
    )


# --- changing ------------------------------------------------------------------------------------


def test_a_date_is_moved_in_one_swap(fleet):
    reference = factories.book(fleet.mangrove, {"ADULT": 5}, add_ons={"kayak": 2})
    later = on_another_day(fleet.sunrise, 3)
    quoted = factories.change_booking(reference, departure_id=later.departure_id)
    assert (quoted.due_satang, quoted.refund_satang) == (0, 0)
    assert booking(reference).trip.id == later.departure_id
    assert get_departure(db.session(), fleet.mangrove.departure_id).claimed == 0
    assert get_departure(db.session(), later.departure_id).claimed == 5
    assert_sound(fleet)


def test_a_swap_into_a_full_departure_leaves_everything_as_it_was(fleet):
    reference = factories.book(fleet.mangrove, {"ADULT": 5}, add_ons={"kayak": 2})
    later = on_another_day(fleet.sunrise, 3)
    factories.hold(later, {"ADULT": 8}, add_ons={"kayak": 2})
    before = booking(reference)
    with pytest.raises(DepartureFull):
        factories.change_booking(reference, departure_id=later.departure_id)
    with pytest.raises(SlotFull):
        factories.change_booking(
            reference, departure_id=later.departure_id, party={"ADULT": 4}, add_ons={"kayak": 3}
        )
    factories.cancel_booking(factories.hold(later, {"ADULT": 1}))
    assert booking(reference) == before
    assert db.session.scalar(select(func.max(BookingLine.revision))) == 1
    assert_sound(fleet)


def test_the_last_places_are_swapped_past_each_other(fleet):
    """A party that fills its departure may grow by what it leaves itself."""
    reference = factories.book(fleet.mangrove, {"ADULT": 8})
    factories.hold(fleet.mangrove, {"ADULT": 4})
    factories.change_booking(reference, party={"ADULT": 6, "CHILD": 2})
    with pytest.raises(DepartureFull):
        factories.change_booking(reference, party={"ADULT": 8, "CHILD": 1})
    assert_sound(fleet)


def test_a_higher_price_leaves_something_to_pay_and_its_payment_buys(fleet):
    reference = factories.book(fleet.mangrove, {"ADULT": 2})
    quoted = factories.change_booking(reference, party={"ADULT": 3}, add_ons={"kayak": 1})
    assert (quoted.old_satang, quoted.new_satang) == (90_000, 165_000)
    assert (quoted.due_satang, quoted.refund_satang, quoted.retained_satang) == (75_000, 0, 0)
    assert booking(reference).state == "confirmed"
    factories.pay_by_demo(reference)
    assert kept(reference) == 165_000
    with pytest.raises(StateForbids):
        factories.start(reference)
    assert_sound(fleet)


def test_money_that_a_change_added_is_not_taken_once_the_trip_is_settled(app):
    village = factories.make_village()
    reference = factories.book(village)
    factories.change_booking(reference, party={"ADULT": 3})
    attempt = factories.start(reference)
    evening = NOW + timedelta(days=2)
    factories.record_work(village, ("H01", "boat", 1), now=evening)
    factories.settle(village, evening)
    factories.act(attempt.provider_ref, factories.Act.PAY, attempt.amount_satang, evening, evening)
    factories.take_in.take_in(attempt.id, PROVIDERS, evening)
    assert returnable(reference) == 45_000
    with pytest.raises(StateForbids):
        factories.start(reference, now=evening)
    give_back.send_refunds(PROVIDERS, evening)
    outcomes = verify(db.session(), village.card)
    assert [finding for each in outcomes for finding in each.findings] == []


def test_of_a_lower_price_the_terms_decide(app):
    fleet = factories.make_fleet(on=FAR, terms=canonical(TERMS))
    reference = factories.book(fleet.mangrove, {"ADULT": 4})
    late = booking(reference).trip.begins_at - timedelta(days=20)
    quoted = factories.change_booking(reference, late, party={"ADULT": 2})
    assert (quoted.refund_satang, quoted.retained_satang) == (29_997, 60_003)  # 33.33 % of 90,000
    assert returnable(reference) == 29_997
    assert_sound(fleet)


def test_asking_again_and_again_gets_nothing_of_what_was_retained(app):
    fleet = factories.make_fleet(on=FAR, terms=canonical(TERMS))
    reference = factories.book(fleet.mangrove, {"ADULT": 4})
    late = booking(reference).trip.begins_at - timedelta(days=20)
    factories.change_booking(reference, late, party={"ADULT": 2})
    for _ in range(3):
        quoted = factories.change_booking(reference, late, party={"ADULT": 2})
        assert (quoted.due_satang, quoted.refund_satang) == (0, 0)
    whole = 4 * 45_000 * 3_333 // 10_000
    assert returnable(reference) + factories.cancel_booking(reference, late) <= whole
    assert_sound(fleet)


def test_shrinking_and_growing_again_draws_out_nothing_of_what_was_retained(app):
    """What the terms kept buys nothing any more: each time round the guest pays it anew."""
    fleet = factories.make_fleet(on=FAR, terms=canonical(TERMS))
    reference = factories.book(fleet.mangrove, {"ADULT": 4})
    late = booking(reference).trip.begins_at - timedelta(days=20)
    came = 4 * 45_000
    for _ in range(2):
        assert factories.change_booking(reference, late, party={"ADULT": 1}).refund_satang == 44_995
        grown = factories.change_booking(reference, late, party={"ADULT": 4})
        assert (grown.paid_satang, grown.due_satang) == (45_000, 135_000)
        factories.pay_by_demo(reference, late)
        came += 135_000
    assert kept(reference) == came - 2 * 44_995
    assert factories.cancel_booking(reference, late) == 4 * 45_000 * 3_333 // 10_000
    assert_sound(fleet)


def test_after_a_call_off_what_an_earlier_change_retained_counts_again(app):
    fleet = factories.make_fleet(on=FAR, terms=canonical(TERMS))
    reference = factories.book(fleet.mangrove, {"ADULT": 4})
    late = booking(reference).trip.begins_at - timedelta(days=20)
    factories.change_booking(reference, late, party={"ADULT": 2})  # 60,003 satang are retained
    factories.call_off_departure(fleet.mangrove, late)
    other = on_another_day(fleet.mangrove, 2)
    moved = factories.change_booking(reference, late, departure_id=other.departure_id)
    assert (moved.paid_satang, moved.refund_satang, moved.retained_satang) == (150_003, 60_003, 0)
    assert queries.get_money(db.session(), booking(reference).id).paid_satang == 90_000
    assert_sound(fleet)


def test_moving_away_is_no_way_around_the_terms_and_moving_nearer_counts(app):
    fleet = factories.make_fleet(on=FAR, terms=canonical(TERMS))
    reference = factories.book(fleet.mangrove)
    first = booking(reference).trip.begins_at
    assert booking(reference).counts_from == first
    late = first - timedelta(days=10)
    factories.change_booking(
        reference, late, departure_id=on_another_day(fleet.mangrove, 90).departure_id
    )
    assert booking(reference).counts_from == first
    assert quote_cancellation(reference, late).refund.refund_bp == 1
    nearer = on_another_day(fleet.sunrise, -5)
    factories.change_booking(reference, late, departure_id=nearer.departure_id)
    assert booking(reference).counts_from == booking(reference).trip.begins_at < first


def test_two_tabs_change_one_booking_once(fleet):
    reference = factories.book(fleet.mangrove)
    wanted = wanted_of(reference, party={"ADULT": 3})
    quoted = changing.quote_change(reference, wanted, NOW)
    withdrawn = quote_cancellation(reference, NOW)
    changing.change(reference, wanted, quoted, NOW)
    with pytest.raises(BookingChanged):
        changing.change(reference, wanted, quoted, NOW)
    with pytest.raises(BookingChanged):
        cancel(reference, withdrawn, NOW)
    assert booking(reference).revision == 2
    assert booking(reference).state == "confirmed"


def test_tabs_at_the_same_moment_change_one_booking_once(app, fleet):
    reference = factories.book(fleet.mangrove)
    wanted = wanted_of(reference, party={"ADULT": 1})
    quoted = changing.quote_change(reference, wanted, NOW)
    results = run_together(app, lambda _number: changing.change(reference, wanted, quoted, NOW), 6)
    assert sorted(type(each).__name__ for each in results) == [*["BookingChanged"] * 5, "NoneType"]
    assert returnable(reference) == 45_000
    assert_sound(fleet)


def test_a_quote_that_ran_out_meanwhile_is_refused(app):
    fleet = factories.make_fleet(on=FAR, terms=canonical(TERMS))
    reference = factories.book(fleet.mangrove)
    boundary = booking(reference).trip.begins_at - timedelta(days=30)
    wanted = wanted_of(reference, party={"ADULT": 1})
    quoted = changing.quote_change(reference, wanted, boundary)
    withdrawn = quote_cancellation(reference, boundary)
    with pytest.raises(PreviewOutdated):
        changing.change(reference, wanted, quoted, boundary + SECOND)
    with pytest.raises(PreviewOutdated):
        cancel(reference, withdrawn, boundary + SECOND)
    assert booking(reference).revision == 1
    assert returnable(reference) == 0


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"party": {"ADULT": 11}}, PartyTooLarge),
        ({"party": {"SENIOR": 1}}, UnitNotSold),
        ({"add_ons": {"kayak": 4}}, AddOnTooMany),
        ({"departure_id": 10**6}, DepartureUnknown),
    ],
)
def test_what_cannot_be_booked_cannot_be_changed_to(fleet, changes, refusal):
    reference = factories.book(fleet.mangrove)
    before = booking(reference)
    with pytest.raises(refusal):
        factories.change_booking(reference, **changes)
    assert booking(reference) == before


def test_a_trip_that_is_asked_for_first_is_no_place_to_move_to(app):
    village = factories.make_village()
    reference = factories.book(village)
    asked_for = factories.make_departure(factories.make_option(village.id, request_hours=24))
    before = booking(reference)
    with pytest.raises(OnRequestOnly):
        factories.change_booking(reference, departure_id=asked_for)
    assert booking(reference) == before


def test_another_communitys_departure_is_unknown(fleet):
    reference = factories.book(fleet.mangrove)
    with pytest.raises(DepartureUnknown):
        factories.change_booking(reference, departure_id=factories.make_village().departure_id)


def test_a_departure_that_is_not_sold_is_no_place_to_move_to_but_to_stay_on(fleet):
    reference = factories.book(fleet.mangrove, {"ADULT": 3})
    other = on_another_day(fleet.mangrove, 1)
    for product in (fleet.mangrove, other):
        departures.set_sales(product.id, product.departure_id, is_open=False)
    with pytest.raises(DepartureGone):
        factories.change_booking(reference, departure_id=other.departure_id)
    with pytest.raises(DepartureGone):
        factories.change_booking(reference, party={"ADULT": 4})
    factories.change_booking(reference, party={"ADULT": 2})
    assert_sound(fleet)


def test_nothing_is_changed_once_the_trip_is_being_prepared(app):
    fleet = factories.make_fleet(on=FAR, cutoff_minutes=24 * 60)
    reference = factories.book(fleet.mangrove)
    closes_at = booking(reference).trip.begins_at - timedelta(days=1)
    with pytest.raises(SalesClosed):
        factories.change_booking(reference, closes_at, party={"ADULT": 1})
    factories.change_booking(reference, closes_at - SECOND, party={"ADULT": 1})


@pytest.mark.parametrize("end", ["held", "cancelled"])
def test_only_what_was_bought_is_changed(fleet, end):
    reference = factories.hold(fleet.mangrove)
    if end == "cancelled":
        factories.cancel_booking(reference)
    with pytest.raises(StateForbids):
        factories.change_booking(reference, party={"ADULT": 1})


def test_each_change_is_told_once(fleet):
    reference = factories.book(fleet.mangrove)
    for adults in (3, 2):
        factories.change_booking(reference, party={"ADULT": adults})
    db.session.rollback()
    kinds = list(db.session.scalars(select(Notice.kind).order_by(Notice.id)))
    assert kinds.count("booking_changed") == 2


# --- cancelling: every boundary to the second, on clocks that change -----------------------------

CLOCKS = [
    pytest.param(zone, year, month, day, id=f"{zone}-{year}-{month}")
    for zone, year, month, day in (
        ("Asia/Bangkok", 2027, 1, 20),
        ("Europe/London", 2027, 4, 12),  # the boundary of 15 days lies at the change to summer
        ("Europe/London", 2027, 11, 15),
        ("America/New_York", 2027, 3, 29),
        ("America/New_York", 2027, 11, 22),
        ("Australia/Lord_Howe", 2027, 4, 19),  # half an hour
    )
]


@pytest.mark.parametrize(("zone", "year", "month", "day"), CLOCKS)
def test_what_is_quoted_is_what_becomes_refundable_at_every_boundary(
    sqlite_app, zone, year, month, day
):
    """The guest's wall clock gives the instants; one booking is cancelled at each of them."""
    abroad = ZoneInfo(zone)
    begins = datetime(year, month, day, 1, 30, tzinfo=UTC)
    village = factories.make_village(
        capacity=200, max_party=50, on=begins.date(), terms=canonical(TERMS)
    )
    for tier in (*TERMS.tiers, Tier(0, 0)):
        for seconds in (-1, 0, 1):
            instant = begins - timedelta(days=tier.days_before, seconds=-seconds)
            now = instant.astimezone(abroad)  # what the guest's own clock says then
            if instant >= begins:
                continue
            reference = factories.book(village, {"ADULT": 1, "CHILD": 1})
            quoted = quote_cancellation(reference, now)
            expected = 67_550 * refund_bp(begins - instant) // 10_000
            assert quoted.refund.refund_satang == expected
            assert quoted.refund.refund_satang + quoted.refund.retained_satang == 67_550
            cancel(reference, quoted, now, as_credit=seconds == 1)
            assert returnable(reference) == expected
            assert kept(reference) == 67_550 - expected
    outcomes = verify(db.session(), village.card)
    assert [finding for each in outcomes for finding in each.findings] == []


def refund_bp(ahead):
    """The tier by plain counting of seconds, written apart from the rule."""
    best = [
        tier.refund_bp for tier in TERMS.tiers if ahead.total_seconds() >= tier.days_before * 86_400
    ]
    return max(best, default=0)


def test_once_begun_nothing_is_cancelled(fleet):
    reference = factories.book(fleet.mangrove)
    begins_at = booking(reference).trip.begins_at
    with pytest.raises(DepartureGone):
        quote_cancellation(reference, begins_at)
    assert booking(reference).state == "confirmed"


def test_a_hold_that_is_withdrawn_gives_its_places_back_and_costs_nothing(fleet):
    reference = factories.hold(fleet.mangrove, {"ADULT": 5}, add_ons={"kayak": 1})
    assert factories.cancel_booking(reference) == 0
    assert booking(reference).state == "cancelled"
    assert get_departure(db.session(), fleet.mangrove.departure_id).claimed == 0
    assert_sound(fleet)


def test_cancelling_twice_is_refused(fleet):
    reference = factories.book(fleet.mangrove)
    factories.cancel_booking(reference)
    with pytest.raises(StateForbids):
        quote_cancellation(reference, NOW)
    assert returnable(reference) == 90_000


def test_the_terms_of_a_booking_stay_what_they_were(app):
    village = factories.make_village(on=FAR, terms=canonical(TERMS))
    reference = factories.book(village)
    assert parse(booking(reference).terms) == TERMS
