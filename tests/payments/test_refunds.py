"""Money given back in parts: never more than came, each part in the books, the fee with it."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from cbt.audit.verify import verify
from cbt.bookings.queries import get_booking
from cbt.bookings.terms import Terms, Tier, canonical
from cbt.db import db, transaction
from cbt.errors import RefundTooLarge
from cbt.experiences.pricing import Unit, UnitPrice
from cbt.ledger.queries import balances
from cbt.payments import give_back, queries
from cbt.payments.models import Capture, CaptureBalance, CaptureFee, Refund
from cbt.payments.payer import get_payer
from cbt.payments.provider import RefundReason
from tests import factories
from tests.conftest import DEEP
from tests.factories import PROVIDERS, TOMORROW
from tests.site import NOW

FAR = TOMORROW + timedelta(days=60)
EVENING = NOW + timedelta(days=2)


@pytest.fixture
def village(app):
    return factories.make_village(on=FAR)


def booking(reference):
    db.session.rollback()
    return get_booking(db.session(), reference)


def faults(village):
    db.session.rollback()
    outcomes = verify(db.session(), village.card)
    return [finding for each in outcomes for finding in each.findings]


def refunds(reference):
    query = select(Refund.capture_id, Refund.number, Refund.amount_satang).order_by(Refund.id)
    return list(db.session.execute(query.where(Refund.booking_id == booking(reference).id)))


def test_parts_by_several_changes_and_the_rest_by_cancelling_are_what_came(village):
    reference = factories.book(village, {"ADULT": 6})
    for adults in (5, 3, 2):
        factories.change_booking(reference, party={"ADULT": adults})
    assert factories.cancel_booking(reference) == 90_000
    numbered = [(number, amount) for _capture, number, amount in refunds(reference)]
    assert numbered == [(1, 45_000), (2, 90_000), (3, 45_000), (4, 90_000)]
    give_back.send_refunds(PROVIDERS, NOW)
    books = balances(db.session(), village.card.book_id)
    assert books["guest_deposit"] == 0
    assert books["payment_fee"] + books["payment:demo"] == 0  # a fee comes back with the whole only
    assert faults(village) == []


def test_the_newest_payment_goes_back_first(village):
    reference = factories.book(village, {"ADULT": 2})
    factories.change_booking(reference, party={"ADULT": 3})
    factories.pay_by_demo(reference)
    factories.change_booking(reference, party={"ADULT": 1})
    first, second = db.session.scalars(select(Capture.id).order_by(Capture.id))
    assert refunds(reference) == [(second, 1, 45_000), (first, 1, 45_000)]
    assert faults(village) == []


def test_more_than_came_is_refused_by_the_rule_and_by_the_database(village):
    reference = factories.book(village)
    capture_id = db.session.scalar(select(Capture.id))
    with pytest.raises(RefundTooLarge), transaction() as session:
        payer = get_payer(session, booking_id_of(session))
        reason = RefundReason.CANCELLED
        give_back.request_refund(session, capture_id, 90_001, reason, payer, NOW)
    assert refunds(reference) == []
    with pytest.raises(Exception, match="never_more_than_came"), transaction() as session:
        session.execute(update(CaptureBalance).values(returning_satang=90_001))
    with pytest.raises(Exception, match="never_more_than_came"), transaction() as session:
        session.execute(update(CaptureBalance).values(returning_satang=-1))


def booking_id_of(session):
    return session.scalar(select(Capture.booking_id))


def test_a_full_refund_leaves_nothing_for_another(village):
    reference = factories.book(village)
    factories.cancel_booking(reference)
    capture_id = db.session.scalar(select(Capture.id))
    with pytest.raises(RefundTooLarge), transaction() as session:
        payer = get_payer(session, booking_id_of(session))
        give_back.request_refund(session, capture_id, 1, RefundReason.CANCELLED, payer, NOW)
    assert len(refunds(reference)) == 1


PRICES = (UnitPrice(Unit.ADULT, 33, 1, 12, None), UnitPrice(Unit.CHILD, 61, 1, 4, 11))
BOOKED = st.integers(2, 9)


@settings(
    max_examples=300 if DEEP else 8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=not DEEP,
)
@given(
    first=BOOKED,
    parties=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=5),
    bp=st.integers(0, 10_000),
    does_cancel=st.booleans(),
)
def test_no_order_of_parts_returns_more_than_came_or_more_fee_than_was_kept(
    sqlite_app, first, parties, bp, does_cancel
):
    """Prices of a few satang, so that every part is rounded."""
    village = factories.make_village(
        capacity=40,
        max_party=20,
        households=1,
        costs=(),
        prices=PRICES,
        on=FAR,
        terms=canonical(Terms("Random", (Tier(1, bp),))),
    )
    reference = factories.book(village, {"ADULT": first})
    for adults, children in parties:
        if adults + children:
            factories.change_booking(reference, party={"ADULT": adults, "CHILD": children})
            give_back.send_refunds(PROVIDERS, NOW)
    if does_cancel:
        factories.cancel_booking(reference)
    give_back.send_refunds(PROVIDERS, NOW)
    db.session.rollback()
    assert queries.list_refunds_to_make(db.session(), village.id) == []
    for capture_id, came in db.session.execute(select(Capture.id, Capture.amount_satang)).all():
        went, fee_back = db.session.execute(
            select(
                func.coalesce(func.sum(Refund.amount_satang), 0),
                func.coalesce(func.sum(Refund.fee_returned_satang), 0),
            ).where(Refund.capture_id == capture_id)
        ).one()
        fee = db.session.scalar(
            select(CaptureFee.amount_satang).where(CaptureFee.capture_id == capture_id)
        )
        assert went <= came
        assert fee_back <= (fee or 0)
    assert queries.get_money(db.session(), booking(reference).id).kept_satang >= 0
    assert faults(village) == []


def test_money_that_goes_back_after_the_settlement_leaves_the_split_as_it_was(app):
    """The refund was asked for before, and made after: its fee had been borne by the booking."""
    village = factories.make_village()
    with transaction() as session:
        session.execute(
            update(factories.departures.Departure).values(
                closes_at=factories.departures.Departure.begins_at
            )
        )
    reference = factories.book(village, {"ADULT": 4})
    with transaction() as session:
        give_back.return_money(
            session, booking_id_of(session), 90_000, RefundReason.PRICE_LOWERED, NOW
        )
    factories.record_work(village, ("H01", "boat", 1), now=EVENING)
    factories.settle(village, EVENING)
    assert faults(village) == []
    assert give_back.send_refunds(PROVIDERS, EVENING) == 1
    assert booking(reference).state == "settled"
    assert balances(db.session(), village.card.book_id)["guest_deposit"] == 0
    assert faults(village) == []


def test_a_cancelled_booking_that_keeps_less_than_its_fee_can_be_settled(app):
    """The provider's fee is known and not given back yet; the intermediary takes its share too."""
    policy = factories.replace(factories.DEFAULT, intermediary_bp=3_000)
    village = factories.make_village(
        policy=policy, terms=canonical(Terms("Kind", (Tier(0, 9_990),)))
    )
    factories.book(village, {"ADULT": 1})
    factories.cancel_booking(factories.book(village))
    factories.record_work(village, ("H01", "boat", 1), now=EVENING)
    factories.settle(village, EVENING)
    give_back.send_refunds(PROVIDERS, EVENING)
    assert faults(village) == []
