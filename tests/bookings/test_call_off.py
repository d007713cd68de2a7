"""A departure called off: everybody told once, each guest's choice, and nobody left behind."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event, select, update

from cbt.audit.verify import verify
from cbt.bookings.models import Departure
from cbt.bookings.proof import prove_places, prove_slots
from cbt.bookings.queries import get_booking, get_departure
from cbt.bookings.states import EndReason
from cbt.bookings.terms import Terms, Tier, canonical
from cbt.bookings.waitlist import get_waiting
from cbt.db import db, transaction
from cbt.errors import DepartureCalledOff, DepartureGone, DepartureUnknown, StateForbids
from cbt.notices.models import Notice
from cbt.payments import call_off, give_back, queries
from cbt.payments import credits as credit
from cbt.payments.call_off import CHOOSE_WITHIN, CalledOff, refund_undecided
from cbt.payments.models import Credit, Refund
from tests import factories
from tests.factories import PROVIDERS, TOMORROW
from tests.site import NOW

NOTHING_BACK = canonical(Terms("Strict", (Tier(700, 10_000),)))
SECOND = timedelta(seconds=1)


@pytest.fixture
def fleet(app):
    return factories.make_fleet(terms=NOTHING_BACK)


def booking(reference):
    db.session.rollback()
    return get_booking(db.session(), reference)


def notices(kind):
    db.session.rollback()
    return [
        each.facts["reference"]
        for each in db.session.scalars(select(Notice).where(Notice.kind == kind))
    ]


def amounts(table, reference):
    query = select(table.amount_satang).where(table.booking_id == booking(reference).id)
    return list(db.session.scalars(query))


def assert_sound(fleet):
    db.session.rollback()
    assert prove_places(db.session(), fleet.mangrove.id) == []
    assert prove_slots(db.session(), fleet.mangrove.id).wrong == ()
    outcomes = verify(db.session(), fleet.mangrove.card)
    assert [finding for each in outcomes for finding in each.findings] == []


def test_everybody_is_told_once_and_nobody_is_left(fleet):
    paid = [factories.book(fleet.mangrove, add_ons={"kayak": 1}) for _ in range(2)]
    held = factories.hold(fleet.mangrove, {"ADULT": 1})
    over = factories.hold(fleet.mangrove, {"ADULT": 1})
    factories.cancel_booking(over)
    assert factories.call_off_departure(fleet.mangrove) == CalledOff(parties=3, paid=2)
    assert sorted(notices("called_off")) == sorted([*paid, held])
    assert [booking(each).state for each in (*paid, held)] == ["choosing", "choosing", "cancelled"]
    assert booking(paid[0]).ended_for == "weather"
    assert get_departure(db.session(), fleet.mangrove.departure_id).claimed == 0
    with pytest.raises(DepartureCalledOff):
        factories.hold(fleet.mangrove)
    with pytest.raises(StateForbids):
        factories.call_off_departure(fleet.mangrove)
    assert len(notices("called_off")) == 3
    factories.hold(fleet.sunrise, {"ADULT": 10}, add_ons={"kayak": 3})  # boats came back
    assert_sound(fleet)


def test_another_community_cannot_call_it_off(fleet):
    stranger = factories.make_village()
    with pytest.raises(DepartureUnknown):
        call_off.call_off(stranger.id, fleet.mangrove.departure_id, EndReason.WEATHER, NOW)


def test_who_chooses_the_money_gets_all_of_it_whatever_the_terms(fleet):
    reference = factories.book(fleet.mangrove)
    factories.call_off_departure(fleet.mangrove)
    assert factories.cancel_booking(reference) == 90_000
    give_back.send_refunds(PROVIDERS, NOW)
    assert amounts(Refund, reference) == [90_000]
    assert queries.get_money(db.session(), booking(reference).id).kept_satang == 0
    assert_sound(fleet)


def test_who_chooses_a_credit_gets_all_of_it(fleet):
    reference = factories.book(fleet.mangrove)
    factories.call_off_departure(fleet.mangrove)
    factories.cancel_booking(reference, as_credit=True)
    assert (amounts(Credit, reference), amounts(Refund, reference)) == ([90_000], [])
    assert booking(reference).ended_for == "weather"  # the choice is theirs, the reason is not
    assert_sound(fleet)


def test_who_chooses_another_day_goes_then_and_its_terms_count_anew(fleet):
    reference = factories.book(fleet.mangrove, {"ADULT": 3})
    factories.call_off_departure(fleet.mangrove)
    opened = factories.make_departure(fleet.sunrise.option_id, TOMORROW + timedelta(days=9))
    later = replace(fleet.sunrise, departure_id=opened)
    quoted = factories.change_booking(
        reference, departure_id=later.departure_id, party={"ADULT": 2}
    )
    assert quoted.refund_satang == 45_000  # all of the difference: nobody holds it against them
    assert booking(reference).state == "confirmed"
    assert booking(reference).counts_from == booking(reference).trip.begins_at
    assert booking(reference).ended_for is None
    assert refund_undecided(NOW + CHOOSE_WITHIN) == 0
    assert_sound(fleet)


def test_the_day_that_was_called_off_is_no_choice(fleet):
    reference = factories.book(fleet.mangrove)
    factories.call_off_departure(fleet.mangrove)
    with pytest.raises(DepartureCalledOff):
        factories.change_booking(reference)


def test_who_does_not_choose_gets_the_money_after_seven_days_once(fleet):
    reference = factories.book(fleet.mangrove)
    factories.call_off_departure(fleet.mangrove)
    assert refund_undecided(NOW + CHOOSE_WITHIN - SECOND) == 0
    assert booking(reference).state == "choosing"
    assert refund_undecided(NOW + CHOOSE_WITHIN) == 1
    assert refund_undecided(NOW + CHOOSE_WITHIN) == 0
    assert booking(reference).state == "cancelled"
    assert amounts(Refund, reference) == [90_000]
    assert notices("refund_coming") == [reference]
    assert_sound(fleet)


def test_what_an_earlier_change_retained_comes_back_too(fleet):
    reference = factories.book(fleet.mangrove, {"ADULT": 3})
    quoted = factories.change_booking(reference, party={"ADULT": 1})
    assert quoted.retained_satang == 90_000
    factories.call_off_departure(fleet.mangrove)
    assert factories.cancel_booking(reference) == 135_000
    assert_sound(fleet)


def test_a_credit_that_was_to_pay_a_part_comes_back(fleet):
    first = factories.book(fleet.mangrove, {"ADULT": 1})
    factories.call_off_departure(fleet.mangrove)
    factories.cancel_booking(first, as_credit=True)
    held = factories.hold(fleet.sunrise)
    code = db.session.scalar(select(Credit.code))
    assert credit.use_credit(held, code, NOW) == 45_000
    factories.call_off_departure(fleet.sunrise)
    assert amounts(Credit, held) == [45_000]
    assert_sound(fleet)


def test_the_book_is_locked_after_the_departure_and_its_slots(fleet):
    """Who pays locks the departure and then the book: the other way round, the two would wait for
    each other. A credit that comes back is what makes a call-off post.
    """
    first = factories.book(fleet.mangrove, {"ADULT": 1})
    factories.call_off_departure(fleet.mangrove)
    factories.cancel_booking(first, as_credit=True)
    held = factories.hold(fleet.sunrise)
    credit.use_credit(held, db.session.scalar(select(Credit.code)), NOW)
    written = []

    def note(_connection, _cursor, statement, *_rest):
        table = re.match(r"UPDATE (\w+) ", statement)
        if table:
            written.append(table[1])

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        factories.call_off_departure(fleet.sunrise)
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    last_claim = max(number for number, table in enumerate(written) if table in CLAIMED)
    assert set(CLAIMED) <= set(written)
    assert written.index("booking") < written.index("book")
    assert last_claim < written.index("book")


CLAIMED = ("departure", "slot")


def test_the_line_is_over_and_told(fleet):
    party = factories.join_line(fleet.mangrove)
    factories.call_off_departure(fleet.mangrove)
    assert get_waiting(db.session(), party).state == "over"
    kinds = list(db.session.scalars(select(Notice.kind).order_by(Notice.id)))
    assert kinds == ["waiting_joined", "waiting_over"]
    assert factories.offer_places(fleet.mangrove) == 0


def test_money_on_its_way_to_a_departure_called_off_goes_back(fleet):
    attempt = factories.start(factories.hold(fleet.mangrove))
    factories.call_off_departure(fleet.mangrove)
    factories.act(attempt.provider_ref, factories.Act.PAY, attempt.amount_satang, NOW, NOW)
    factories.take_in.take_in(attempt.id, PROVIDERS, NOW)
    assert amounts(Refund, attempt.reference) == [90_000]
    assert booking(attempt.reference).state == "cancelled"
    assert_sound(fleet)


def test_too_few_by_the_day_to_decide_are_named(fleet):
    factories.book(fleet.mangrove, {"ADULT": 2})
    with transaction() as session:
        session.execute(
            update(Departure)
            .where(Departure.id == fleet.mangrove.departure_id)
            .values(min_to_run=3, decide_at=NOW)
        )
    few = [fleet.mangrove.departure_id]
    assert call_off.warn_of_too_few(db.session(), fleet.mangrove.id, NOW - SECOND) == []
    assert call_off.warn_of_too_few(db.session(), fleet.mangrove.id, NOW) == few
    factories.book(fleet.mangrove, {"ADULT": 1})
    assert call_off.warn_of_too_few(db.session(), fleet.mangrove.id, NOW) == []


def test_a_settled_departure_is_not_called_off(app):
    village = factories.make_village()
    reference = factories.book(village)
    evening = NOW + timedelta(days=2)
    factories.record_work(village, ("H01", "boat", 1), now=evening)
    with pytest.raises(DepartureGone):  # it is over, settled or not
        factories.call_off_departure(village, evening)
    factories.settle(village, evening)
    with pytest.raises(StateForbids):  # whatever the clock of whoever asks says
        factories.call_off_departure(village, NOW)
    assert booking(reference).state == "settled"
