"""Reconciliation through the Stripe adapter against the double: no event arrives, and all is known."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from cbt.audit.verify import verify
from cbt.bookings.queries import get_booking
from cbt.db import db
from cbt.ledger.queries import balances
from cbt.payments import give_back
from cbt.payments.models import Refund
from cbt.payments.payouts import list_payouts
from cbt.payments.provider import DisputeState
from cbt.payments.reconcile import reconcile
from cbt.payments.reported import Dispute, ProviderTransaction
from cbt.payments.work import list_open_work
from tests import factories
from tests.payments.stripe_village import StripeVillage, stripe_village


@pytest.fixture
def place(sqlite_app):
    with stripe_village() as found:
        yield found


def go_on(place: StripeVillage, minutes: int = 10) -> None:
    """Some time passes at Stripe, and the worker comes round."""
    place.double.advance(minutes=minutes)
    reconcile(place.providers, the_time(place) + timedelta(seconds=2))


def the_time(place: StripeVillage) -> datetime:
    return datetime.fromtimestamp(place.double.now, UTC)


def books(place):
    db.session.rollback()
    return balances(db.session(), place.village.card.book_id)


def held(place):
    """What the double holds for the account, by the nets of its movements."""
    world = place.double.world
    account = world.accounts[place.account]
    return sum(each["net"] for each in account.all_of("balance_transaction"))


def kinds(place):
    db.session.rollback()
    return sorted(str(each.kind) for each in list_open_work(db.session(), place.village.id))


def faults(place):
    db.session.rollback()
    outcomes = verify(db.session(), place.village.card)
    return [finding for outcome in outcomes for finding in outcome.findings]


def pay(place, *, by_card=True):
    attempt = place.start(place.hold())
    if by_card:
        place.double.pay_by_card(attempt.provider_ref)
    else:
        place.double.pay_promptpay(attempt.provider_ref)
    return attempt


def state(attempt):
    db.session.rollback()
    return get_booking(db.session(), attempt.reference).state


def test_a_story_without_a_single_event_ends_with_equal_books(place):
    card, qr = pay(place), pay(place, by_card=False)
    go_on(place)
    assert (state(card), state(qr)) == ("confirmed", "confirmed")
    assert books(place)["payment:stripe"] == held(place)
    assert kinds(place) == []

    place.double.pay_promptpay_again(qr.provider_ref)
    place.double.adjust(-1_000, "by hand", place.account)
    go_on(place)
    assert kinds(place) == ["unknown_money", "unknown_money"]
    assert books(place)["payment:stripe"] == held(place)

    factories.cancel_booking(qr.reference)
    give_back.send_refunds(place.providers, the_time(place))
    db.session.rollback()
    refund = db.session.scalars(select(Refund)).one()
    place.double.refund_arrives(refund.provider_ref)
    give_back.look_up_refunds(place.providers, the_time(place))
    go_on(place)
    assert books(place)["payment:stripe"] == held(place)

    place.double.advance(days=10)  # until then the payments are not available
    payout = place.double.pay_out(place.account)
    go_on(place)
    found = list_payouts(db.session(), place.village.id, 5)
    assert [(each.payout_id, each.state, each.differs_satang) for each in found] == [
        (payout["id"], "paid", 0)
    ]
    assert books(place)["payment:stripe"] == held(place)
    assert faults(place) == []
    before = rows()
    go_on(place)
    assert rows() == before


def rows():
    db.session.rollback()
    return list(db.session.scalars(select(ProviderTransaction.transaction_id)))


def test_a_dispute_is_followed_to_its_end_without_events(place):
    attempt = pay(place)
    go_on(place)
    intent = place.double.get(place.capture(attempt.reference).payment_id)
    dispute = place.double.open_dispute(intent["latest_charge"])
    go_on(place)
    assert kinds(place) == ["dispute_opened"]
    assert books(place)["payment:stripe"] == held(place)
    place.double.close_dispute(dispute["id"], won=True)
    go_on(place)
    db.session.rollback()
    assert db.session.scalars(select(Dispute.state)).all() == [DisputeState.WON]
    assert books(place)["payment:stripe"] == held(place)
    assert faults(place) == []


def test_a_payout_that_the_bank_refuses_is_at_the_provider_again(place):
    pay(place)
    go_on(place)
    place.double.advance(days=10)
    payout = place.double.pay_out(place.account)
    go_on(place)
    assert books(place)["payment:stripe"] == held(place) == 0
    place.double.payout_fails(payout["id"])
    go_on(place)
    assert kinds(place) == ["payout_failed"]
    assert books(place)["payment:stripe"] == held(place) > 0
    assert faults(place) == []
