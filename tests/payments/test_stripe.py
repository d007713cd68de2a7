"""Paying at Stripe, against a double that behaves as Stripe does and checks every request."""

import logging
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from cbt.audit.verify import verify
from cbt.bookings.queries import get_booking
from cbt.bookings.states import BookingState
from cbt.clock import utc_now
from cbt.db import db
from cbt.errors import AnswerWrong, MethodClosed, ProviderDown
from cbt.experiences.pricing import Unit, UnitPrice
from cbt.ledger.queries import balances
from cbt.payments import account_changes, queries
from cbt.payments.models import Attempt, Capture, CaptureFee
from cbt.payments.pay import start_attempt
from cbt.payments.provider import AttemptState, Failure, PayMethod
from cbt.payments.providers.cash import CashProvider
from cbt.payments.reported import WorkKind
from cbt.payments.take_in import look_up_unpaid_attempts, take_in
from cbt.payments.work import list_open_work
from tests import factories
from tests.payments.stripe_village import stripe_village
from tests.stripe_double.faults import Fault

DECLINED, NO_FUNDS = "4000000000000002", "4000000000009995"


@pytest.fixture(params=["connected", "own"])
def place(app, request):
    with stripe_village(connected=request.param == "connected") as found:
        yield found


@pytest.fixture
def connected(app):
    with stripe_village() as found:
        yield found


def booking(reference):
    db.session.rollback()
    return get_booking(db.session(), reference)


def faults(place):
    db.session.rollback()
    outcomes = verify(db.session(), place.village.card)
    return [finding for each in outcomes for finding in each.findings]


def pay(place, reference, number="4242424242424242"):
    attempt = place.start(reference)
    assert place.double.pay_by_card(attempt.provider_ref, number)
    take_in(attempt.id, place.providers, utc_now())
    return attempt


def test_a_card_payment_confirms_with_the_fee_and_its_tax_as_reported(place):
    reference = place.hold()
    attempt = pay(place, reference)
    assert booking(reference).state == BookingState.CONFIRMED
    capture = place.capture(reference)
    fee = db.session.get(CaptureFee, capture.id)
    # 3.65 % of 900.00 and 10.00, and 7 % tax on that
    assert (capture.amount_satang, capture.method) == (90_000, PayMethod.CARD)
    assert (fee.amount_satang, fee.vat_satang) == (4_285 + 300, 300)
    books = balances(db.session(), place.village.card.book_id)
    assert books["payment:stripe"] == 90_000 - 4_585
    assert books["guest_deposit"] == 90_000
    assert place.attempt(attempt).state == AttemptState.PAID
    assert faults(place) == []


def test_a_promptpay_payment_is_known_as_one(place):
    reference = place.hold()
    attempt = place.start(reference)
    place.double.pay_promptpay(attempt.provider_ref)
    take_in(attempt.id, place.providers, utc_now())
    assert place.capture(reference).method == PayMethod.PROMPTPAY
    assert booking(reference).state == BookingState.CONFIRMED
    assert faults(place) == []


def test_the_page_at_stripe_asks_for_what_is_due_in_the_guests_language(connected):
    reference = connected.hold()
    session = connected.double.get(connected.start(reference).provider_ref)
    assert (session["amount_total"], session["currency"]) == (90_000, "thb")
    assert session["locale"] == "en"
    assert session["customer_email"] == "guest@example.org"
    assert session["client_reference_id"] == reference
    assert session["success_url"].endswith("/pay/1")


def test_the_page_stays_open_as_long_as_the_hold_and_keeps_it(connected):
    reference = connected.hold()
    attempt = connected.start(reference)
    assert booking(reference).held_until >= attempt.expires_at > utc_now() + timedelta(minutes=29)


def test_asking_again_gives_the_same_page(connected):
    reference = connected.hold()
    first = connected.start(reference)
    assert connected.start(reference).provider_ref == first.provider_ref
    assert db.session.scalar(select(func.count()).select_from(Attempt)) == 1


def test_an_answer_lost_on_the_way_opens_no_second_page(connected):
    reference = connected.hold()
    connected.double.fail_next("POST /v1/checkout/sessions", Fault.DROP_AFTER)
    attempt = connected.start(reference)
    assert connected.double.get(attempt.provider_ref)["status"] == "open"
    connected.double.pay_by_card(attempt.provider_ref)
    connected.hear()
    assert booking(reference).state == BookingState.CONFIRMED
    assert db.session.scalar(select(func.count()).select_from(Capture)) == 1


def test_stripe_out_of_reach_charges_nothing_and_can_be_tried_again(connected):
    reference = connected.hold()
    connected.double.fail_next("POST /v1/checkout/sessions", Fault.ERROR_BEFORE, times=3)
    with pytest.raises(ProviderDown):
        connected.start(reference)
    assert booking(reference).state == BookingState.HELD
    attempt = connected.start(reference)
    assert attempt.number == 1
    assert attempt.page_url


@pytest.mark.parametrize(
    ("number", "failure"), [(DECLINED, Failure.DECLINED), (NO_FUNDS, Failure.NO_FUNDS)]
)
def test_a_declined_card_leaves_the_page_open_and_says_why(connected, number, failure):
    reference = connected.hold()
    attempt = connected.start(reference)
    assert not connected.double.pay_by_card(attempt.provider_ref, number)
    receiver = {"account": connected.account}
    answer = connected.providers["stripe"].fetch(receiver, attempt.provider_ref, utc_now())
    assert (answer.state, answer.failure) == (AttemptState.PENDING, failure)
    take_in(attempt.id, connected.providers, utc_now())
    told = connected.attempt(attempt)
    assert (told.state, told.failure) == (AttemptState.PENDING, failure)
    assert booking(reference).state == BookingState.HELD
    assert connected.double.pay_by_card(attempt.provider_ref)
    take_in(attempt.id, connected.providers, utc_now())
    assert booking(reference).state == BookingState.CONFIRMED


def test_money_on_its_way_is_being_checked_until_the_bank_has_paid(connected):
    connected.double.switches.promptpay_is_delayed = True
    reference = connected.hold()
    attempt = connected.start(reference)
    connected.double.show_promptpay(attempt.provider_ref)
    take_in(attempt.id, connected.providers, utc_now())
    assert connected.attempt(attempt).state == AttemptState.REPORTED
    assert connected.capture(reference) is None
    assert connected.start(reference).id == attempt.id  # asking again asks for no second payment
    connected.double.pay_promptpay(attempt.provider_ref)
    take_in(attempt.id, connected.providers, utc_now())
    assert connected.attempt(attempt).state == AttemptState.PAID
    assert booking(reference).state == BookingState.CONFIRMED


def test_money_on_its_way_that_the_bank_refuses_leaves_the_hold_to_be_paid_anew(connected):
    connected.double.switches.promptpay_is_delayed = True
    reference = connected.hold()
    attempt = connected.start(reference)
    connected.double.show_promptpay(attempt.provider_ref)
    take_in(attempt.id, connected.providers, utc_now())
    connected.double.refuse_promptpay(attempt.provider_ref)
    take_in(attempt.id, connected.providers, utc_now())
    assert connected.attempt(attempt).state == AttemptState.FAILED
    assert booking(reference).state == BookingState.HELD
    assert connected.start(reference).number == 2


def test_places_that_are_kept_for_days_are_paid_at_stripe_too(connected):
    """Stripe refuses a page that is open for more than a day."""
    account = connected.village.id, CashProvider(), {"guests": "yes"}, factories.text("receiver")
    account_changes.change_account(*account, connected.village.person_id, utc_now())
    reference = connected.hold()
    start_attempt(reference, "cash", connected.providers, utc_now())
    assert booking(reference).held_until > utc_now() + timedelta(days=30)
    attempt = connected.start(reference)
    assert attempt.expires_at < utc_now() + timedelta(days=1)
    assert connected.double.pay_by_card(attempt.provider_ref)
    take_in(attempt.id, connected.providers, utc_now())
    assert booking(reference).state == BookingState.CONFIRMED
    assert faults(connected) == []


def test_a_page_that_could_not_be_opened_is_asked_for_anew_minutes_later(connected):
    """The first one would be asked for until a time that Stripe no longer gives."""
    reference = connected.hold()
    connected.double.fail_next("POST /v1/checkout/sessions", Fault.ERROR_BEFORE, times=3)
    with pytest.raises(ProviderDown):
        connected.start(reference)
    connected.double.advance(minutes=5)
    attempt = connected.start(reference, utc_now() + timedelta(minutes=5))
    assert (attempt.number, attempt.state) == (2, AttemptState.PENDING)
    assert [each.state for each in connected.attempts(reference)] == ["pending", "cancelled"]


def test_choosing_another_way_closes_the_page(connected):
    reference = connected.hold()
    attempt = connected.start(reference)
    start_attempt(reference, "promptpay", connected.providers, utc_now())
    assert connected.double.get(attempt.provider_ref)["status"] == "expired"
    assert connected.attempt(attempt).state == AttemptState.CANCELLED


@pytest.mark.parametrize(
    "lie",
    [
        {"amount_total": 1},
        {"currency": "usd"},
        {"livemode": True},
        {"payment_intent.amount_received": 1},
        {"payment_intent.latest_charge.amount": 1},
        {"payment_intent.latest_charge.balance_transaction.net": 1},
    ],
    ids=str,
)
def test_an_answer_that_contradicts_what_was_asked_books_nothing(connected, lie):
    reference = connected.hold()
    attempt = connected.start(reference)
    connected.double.pay_by_card(attempt.provider_ref)
    connected.double.fail_next("GET /v1/checkout/sessions/*", Fault.LIE, **lie)
    take_in(attempt.id, connected.providers, utc_now())
    assert connected.capture(reference) is None
    assert booking(reference).state == BookingState.HELD
    work = list_open_work(db.session(), connected.village.id)
    assert [each.kind for each in work] == [WorkKind.ANSWER_WRONG]
    take_in(attempt.id, connected.providers, utc_now())  # the truth, at the next look
    assert booking(reference).state == BookingState.CONFIRMED
    assert faults(connected) == []


def test_a_lie_about_the_amount_of_a_new_page_opens_no_way_to_it(connected):
    reference = connected.hold()
    connected.double.fail_next("POST /v1/checkout/sessions", Fault.LIE, amount_total=1)
    with pytest.raises(ProviderDown):
        connected.start(reference)
    attempt = connected.start(reference)
    assert attempt.number == 2
    assert connected.double.get(attempt.provider_ref)["amount_total"] == 90_000


def test_a_fee_that_comes_late_is_booked_once(connected):
    connected.double.switches.fees_come_late = True
    reference = connected.hold()
    attempt = pay(connected, reference)
    assert db.session.scalar(select(func.count()).select_from(CaptureFee)) == 0
    connected.double.books_arrive(connected.account)
    for _ in range(2):
        take_in(attempt.id, connected.providers, utc_now())
    assert db.session.scalars(select(CaptureFee.amount_satang)).all() == [4_585]
    assert faults(connected) == []


def test_an_amount_below_what_stripe_takes_is_not_offered_there(app):
    cheap = (UnitPrice(Unit.ADULT, 900, 1, 12, None),)
    with stripe_village(prices=cheap, costs=()) as place:
        reference = place.hold(party={"ADULT": 1})
        with pytest.raises(MethodClosed):
            place.start(reference)


def test_old_attempts_are_looked_up_and_young_ones_left_to_the_messages(connected):
    reference = connected.hold()
    attempt = connected.start(reference)
    connected.double.pay_by_card(attempt.provider_ref)
    now = utc_now()
    assert look_up_unpaid_attempts(connected.providers, now) == 0
    assert look_up_unpaid_attempts(connected.providers, now, old=True) == 0
    assert look_up_unpaid_attempts(connected.providers, now + timedelta(minutes=6), old=True) == 1
    assert booking(reference).state == BookingState.CONFIRMED


def test_paid_after_the_hold_lives_while_places_are_left(connected):
    reference = connected.hold()
    attempt = connected.start(reference)
    connected.double.pay_by_card(attempt.provider_ref)
    late = utc_now() + timedelta(hours=3)
    from cbt.bookings.hold import lapse_overdue_holds

    assert lapse_overdue_holds(late) == 1
    take_in(attempt.id, connected.providers, late)
    assert booking(reference).state == BookingState.CONFIRMED
    assert faults(connected) == []


def test_nothing_secret_or_of_the_guest_is_logged_when_stripe_refuses(connected, caplog):
    caplog.set_level(logging.DEBUG, "cbt")
    reference = connected.hold()
    connected.double.fail_next("POST /v1/checkout/sessions", Fault.ERROR_BEFORE, times=3)
    with pytest.raises(ProviderDown):
        connected.start(reference)
    wrong = {"account": "acct_nobody"}
    with pytest.raises(AnswerWrong):
        connected.providers["stripe"].fetch(wrong, "cs_test_nothing", utc_now())
    assert connected.providers["stripe"].check(wrong) == "unknown"
    text = caplog.text
    assert "Stripe" in text
    for secret in (connected.double.secret_key, "guest@example.org", "Guest", "4242"):
        assert secret not in text


def test_a_check_says_whether_the_account_takes_money(connected):
    stripe, receiver = connected.providers["stripe"], {"account": connected.account}
    assert stripe.check(receiver) == ""
    connected.double.change_account(connected.account, charges_enabled=False)
    assert stripe.check(receiver) == "closed"
    assert stripe.check({"account": "acct_nobody"}) == "unknown"


def test_the_estimate_is_what_is_reported(connected):
    estimates = connected.providers["stripe"].estimates(300_000)
    assert estimates == {PayMethod.CARD: 11_950 + 837, PayMethod.PROMPTPAY: 4_950 + 347}
    reference = connected.hold(party={"ADULT": 4})
    pay(connected, reference)
    fee = db.session.scalar(select(CaptureFee.amount_satang))
    assert fee == connected.providers["stripe"].estimate_fee(180_000)
    assert queries.get_money(db.session(), booking(reference).id).paid_satang == 180_000
