"""Goodwill: more than the terms ask, by persons or by amount; above a limit by two people."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from cbt.audit.verify import verify
from cbt.bookings.queries import get_booking
from cbt.db import db
from cbt.errors import (
    AmountInvalid,
    BookingChanged,
    GoodwillWaits,
    NotFound,
    RefundTooLarge,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.experiences.pricing import AddOnLine, PriceLine, Unit
from cbt.ledger.queries import balances
from cbt.notices.models import Notice
from cbt.payments import give_back, goodwill, queries
from cbt.payments.goodwill import Goodwill
from cbt.payments.models import Capture, CaptureBalance, Refund
from cbt.payments.provider import RefundState
from cbt.payments.refund_rules import goodwill_satang
from tests import factories
from tests.concurrency import run_together
from tests.factories import PROVIDERS, TOMORROW
from tests.site import NOW

FAR = TOMORROW + timedelta(days=60)
EVENING = NOW + timedelta(days=2)


@pytest.fixture
def village(app):
    return factories.make_village(on=FAR)


def give(village, reference, wanted, person_id=None):
    agreed = goodwill.quote_goodwill(village.id, reference, wanted, NOW)
    goodwill.ask_goodwill(
        village.id, reference, wanted, agreed, person_id or village.person_id, NOW
    )
    return agreed


def money(reference):
    db.session.rollback()
    return queries.get_money(db.session(), get_booking(db.session(), reference).id)


def refunds():
    db.session.rollback()
    return db.session.scalars(select(Refund).order_by(Refund.id)).all()


def mails(kind):
    db.session.rollback()
    return db.session.scalar(select(func.count()).where(Notice.kind == kind))


def faults(village):
    db.session.rollback()
    return [each for outcome in verify(db.session(), village.card) for each in outcome.findings]


def written():
    db.session.rollback()
    rows = [(each.id, each.state, each.amount_satang) for each in refunds()]
    return rows, db.session.scalars(select(CaptureBalance.returning_satang)).all()


# --- below the limit -----------------------------------------------------------------------------


def test_a_small_goodwill_is_sent_at_once_and_leaves_nothing_to_pay_again(village):
    reference = factories.book(village)
    agreed = give(village, reference, Goodwill(amount_satang=20_050))
    assert (agreed.kept_satang, agreed.left_satang, agreed.waits) == (90_000, 69_950, False)
    [refund] = refunds()
    assert (refund.state, refund.reason) == (RefundState.APPROVED, "goodwill")
    assert refund.requested_by == village.person_id
    assert mails("refund_coming") == 1
    after = money(reference)
    assert (after.kept_satang, after.paid_satang) == (69_950, 90_000)
    with pytest.raises(StateForbids):
        factories.start(reference)
    give_back.send_refunds(PROVIDERS, NOW)
    assert refunds()[0].state == RefundState.SUCCEEDED
    assert faults(village) == []


def test_what_some_of_the_party_paid_goes_back(village):
    reference = factories.book(village, {"ADULT": 2, "CHILD": 1})
    agreed = give(village, reference, Goodwill(persons={"ADULT": 1, "CHILD": 1}))
    assert agreed.amount_satang == 45_000 + 22_550
    assert faults(village) == []


def test_a_cancellation_after_goodwill_gives_back_the_rest_and_no_more(village):
    reference = factories.book(village)
    give(village, reference, Goodwill(amount_satang=20_000))
    assert factories.cancel_booking(reference) == 70_000
    give_back.send_refunds(PROVIDERS, NOW)
    assert balances(db.session(), village.card.book_id)["guest_deposit"] == 0
    assert faults(village) == []


def test_a_lower_price_after_goodwill_never_draws_out_more_than_is_there(village):
    reference = factories.book(village, {"ADULT": 4})
    give(village, reference, Goodwill(amount_satang=150_000))
    assert factories.change_booking(reference, party={"ADULT": 1}).refund_satang == 0
    assert money(reference).kept_satang == 30_000  # less than the new price: goodwill gave the rest
    assert faults(village) == []


def test_goodwill_for_two_who_then_stay_away_gives_their_money_back_once(village):
    reference = factories.book(village, {"ADULT": 4})
    give(village, reference, Goodwill(amount_satang=90_000))
    assert factories.change_booking(reference, party={"ADULT": 2}).refund_satang == 0
    assert money(reference).kept_satang == 90_000
    assert faults(village) == []


def test_goodwill_to_a_guest_who_cancelled_late_lowers_what_was_retained(app):
    village = factories.make_village()
    reference = factories.book(village)
    assert factories.cancel_booking(reference) == 0
    give(village, reference, Goodwill(amount_satang=40_000))
    assert money(reference).kept_satang == 50_000
    assert faults(village) == []


def test_goodwill_lowers_what_is_split(app):
    village = factories.make_village()
    reference = factories.book(village)
    give(village, reference, Goodwill(amount_satang=40_000))
    give_back.send_refunds(PROVIDERS, NOW)
    factories.record_work(village, ("H01", "boat", 1), now=EVENING)
    factories.settle(village, EVENING)
    books = balances(db.session(), village.card.book_id)
    assert books["guest_deposit"] == 0
    shared = [code for code in books if code.startswith(("fund:", "household:", "outside:"))]
    fee = balances(db.session(), village.card.book_id)["payment_fee"]
    assert sum(books[code] for code in shared) + books["pool:provider"] - fee == 50_000 - 1_589
    assert faults(village) == []


@pytest.mark.parametrize("back", [90_000, 89_000, 86_500])
def test_goodwill_that_leaves_less_than_outside_costs_does_not_block_the_settlement(app, back):
    village = factories.make_village()
    reference = factories.book(village)
    give(village, reference, Goodwill(amount_satang=back))
    factories.book(village)
    factories.record_work(village, ("H01", "boat", 1), now=EVENING)
    factories.settle(village, EVENING)
    give_back.send_refunds(PROVIDERS, EVENING)
    assert balances(db.session(), village.card.book_id)["guest_deposit"] == 0
    assert faults(village) == []


# --- two people ----------------------------------------------------------------------------------


def test_a_large_goodwill_is_asked_by_one_person_and_approved_by_another(village):
    reference = factories.book(village, {"ADULT": 6})
    assert give(village, reference, Goodwill(amount_satang=200_000)).waits
    [refund] = refunds()
    assert refund.state == RefundState.REQUESTED
    assert mails("refund_coming") == 0  # nobody has promised it yet
    assert money(reference).kept_satang == 70_000
    before = written()
    with pytest.raises(SecondPersonNeeded):
        give_back.approve_refund(village.id, refund.id, village.person_id, NOW)
    assert written() == before
    other = factories.make_person()
    give_back.approve_refund(village.id, refund.id, other, NOW)
    assert mails("refund_coming") == 1
    assert give_back.send_refunds(PROVIDERS, NOW) == 1
    assert (refunds()[0].requested_by, refunds()[0].approved_by) == (village.person_id, other)
    assert faults(village) == []


def test_many_small_goodwills_are_a_large_one(village):
    reference = factories.book(village, {"ADULT": 6})
    assert not give(village, reference, Goodwill(amount_satang=150_000)).waits
    assert give(village, reference, Goodwill(amount_satang=50_000)).waits
    assert [each.state for each in refunds()] == [RefundState.APPROVED, RefundState.REQUESTED]


def test_refused_goodwill_stays_with_the_booking(village):
    reference = factories.book(village, {"ADULT": 6})
    give(village, reference, Goodwill(amount_satang=200_000))
    refund_id = refunds()[0].id
    give_back.cancel_refund(village.id, refund_id, village.person_id)
    assert refunds()[0].state == RefundState.CANCELLED
    assert money(reference).kept_satang == 270_000
    assert queries.list_refunds(db.session(), get_booking(db.session(), reference).id) == []
    before = written()
    for act in (
        lambda: give_back.approve_refund(village.id, refund_id, factories.make_person(), NOW),
        lambda: give_back.cancel_refund(village.id, refund_id, village.person_id),
    ):
        with pytest.raises(StateForbids):
            act()
    assert written() == before
    assert faults(village) == []
    assert factories.cancel_booking(reference) == 270_000  # the whole can go back again
    assert faults(village) == []


def test_goodwill_that_waits_holds_the_settlement_up_until_a_second_person_decides(app):
    village = factories.make_village()
    give(village, factories.book(village, {"ADULT": 6}), Goodwill(amount_satang=200_000))
    factories.record_work(village, ("H01", "boat", 1), now=EVENING)
    with pytest.raises(GoodwillWaits):
        factories.settle(village, EVENING)
    refund_id = refunds()[0].id
    give_back.approve_refund(village.id, refund_id, factories.make_person(), EVENING)
    factories.settle(village, EVENING)
    give_back.send_refunds(PROVIDERS, EVENING)
    assert balances(db.session(), village.card.book_id)["guest_deposit"] == 0
    assert faults(village) == []


# --- refusals ------------------------------------------------------------------------------------


def test_more_than_is_left_is_refused(village):
    reference = factories.book(village)
    give(village, reference, Goodwill(amount_satang=50_000))
    before = written()
    with pytest.raises(RefundTooLarge):
        goodwill.quote_goodwill(village.id, reference, Goodwill(amount_satang=40_001), NOW)
    assert goodwill.quote_goodwill(village.id, reference, Goodwill(amount_satang=40_000), NOW)
    assert written() == before


def test_one_payment_gives_back_no_more_than_it_brought(village):
    reference = factories.book(village)
    factories.change_booking(reference, party={"ADULT": 3})
    factories.pay_by_demo(reference)
    first, second = db.session.scalars(select(Capture.id).order_by(Capture.id))
    with pytest.raises(RefundTooLarge):
        goodwill.quote_goodwill(
            village.id, reference, Goodwill(amount_satang=45_001, capture_id=second), NOW
        )
    give(village, reference, Goodwill(amount_satang=10_000, capture_id=first))
    assert refunds()[0].capture_id == first
    give(village, reference, Goodwill(amount_satang=50_000))
    assert [(each.capture_id, each.amount_satang) for each in refunds()[1:]] == [
        (second, 45_000),
        (first, 5_000),
    ]
    assert faults(village) == []


@pytest.mark.parametrize(
    "wanted",
    [
        Goodwill(),
        Goodwill(amount_satang=-1),
        Goodwill(persons={"ADULT": 3}),
        Goodwill(persons={"ADULT": -1}),
        Goodwill(persons={"SENIOR": 1}),
        Goodwill(extras={"kayak": 1}),
        Goodwill(persons={"ADULT": 0}),
    ],
)
def test_what_was_not_booked_is_refused(village, wanted):
    reference = factories.book(village)
    with pytest.raises(AmountInvalid):
        goodwill.quote_goodwill(village.id, reference, wanted, NOW)
    assert refunds() == []


def test_a_double_submit_and_a_stale_page_write_nothing(village):
    reference = factories.book(village)
    wanted = Goodwill(amount_satang=10_000)
    agreed = give(village, reference, wanted)
    before = written()
    for stale in (agreed, replace(agreed, kept_satang=80_000, amount_satang=9_999)):
        with pytest.raises(BookingChanged):
            goodwill.ask_goodwill(village.id, reference, wanted, stale, village.person_id, NOW)
    assert written() == before


def test_unpaid_bookings_and_those_of_others_give_no_goodwill(village):
    held = factories.hold(village)
    with pytest.raises(StateForbids):
        goodwill.quote_goodwill(village.id, held, Goodwill(amount_satang=1), NOW)
    with pytest.raises(NotFound):
        goodwill.quote_goodwill(factories.make_village().id, held, Goodwill(amount_satang=1), NOW)


def test_of_two_who_agree_to_the_same_quote_one_gives(app, village):
    reference = factories.book(village)
    wanted = Goodwill(amount_satang=60_000)
    agreed = goodwill.quote_goodwill(village.id, reference, wanted, NOW)
    db.session.rollback()
    results = run_together(
        app,
        lambda _: goodwill.ask_goodwill(
            village.id, reference, wanted, agreed, village.person_id, NOW
        ),
        2,
    )
    assert sorted(type(each).__name__ for each in results) == ["BookingChanged", "NoneType"]
    assert [each.amount_satang for each in refunds()] == [60_000]


# --- the rule ------------------------------------------------------------------------------------

LINES = (PriceLine(Unit.ADULT, 3, 45_000, 1), PriceLine(Unit.CHILD, 1, 22_550, 1))
KAYAK = (AddOnLine("kayak", 2, 30_000),)


@pytest.mark.parametrize(
    ("discount", "persons", "extras", "satang"),
    [
        pytest.param(0, {"ADULT": 1}, {}, 45_000, id="one"),
        pytest.param(0, {"ADULT": 1}, {"kayak": 1}, 75_000, id="with-an-extra"),
        pytest.param(
            21_755, {"ADULT": 3, "CHILD": 1}, {"kayak": 2}, 195_795, id="all-less-discount"
        ),
        pytest.param(21_755, {"ADULT": 1}, {}, 40_500, id="a-tenth-less"),
        pytest.param(1, {"CHILD": 1}, {}, 22_549, id="rounded-down"),
    ],
)
def test_what_persons_paid(discount, persons, extras, satang):
    assert goodwill_satang(LINES, KAYAK, discount, persons, extras) == satang


def test_the_dearest_of_a_ladder_come_first():
    ladder = (PriceLine(Unit.ADULT, 2, 40_000, 1), PriceLine(Unit.ADULT, 2, 50_000, 1))
    assert goodwill_satang(ladder, (), 0, {"ADULT": 3}, {}) == 140_000
