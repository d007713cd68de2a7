"""A deposit now, the rest by link or on arrival; and that its guest is reminded once."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from cbt.audit.verify import verify
from cbt.bookings.queries import get_booking
from cbt.bookings.states import BookingState
from cbt.bookings.terms import DEFAULT, Deposit, Terms, Tier, canonical, deposit_satang, parse
from cbt.db import db, transaction
from cbt.errors import TermsInvalid
from cbt.notices.models import Notice
from cbt.payments import cash, pay, queries, take_in
from cbt.payments.balances import remind_of_balances
from cbt.payments.credits import issue_credit, use_credit
from cbt.payments.provider import AttemptState
from cbt.payments.providers.demo import Act, act
from tests import factories
from tests.factories import PROVIDERS, TOMORROW
from tests.site import NOW

FAR = TOMORROW + timedelta(days=60)
TERMS = canonical(Terms("Deposit", DEFAULT.tiers, Deposit(3000, 7)))


@pytest.fixture
def village(app):
    return factories.make_village(on=FAR, terms=TERMS)


def booking(reference):
    db.session.rollback()
    return get_booking(db.session(), reference)


def pay_part(reference, *, whole, now=NOW):
    number = pay.start_attempt(reference, "demo", PROVIDERS, now, whole=whole)
    attempt = queries.get_attempt_of(db.session(), reference, number)
    until = booking(reference).held_until
    act(str(attempt.provider_ref), Act.PAY, attempt.amount_satang, until, now)
    take_in.take_in(attempt.id, PROVIDERS, now)
    return attempt.amount_satang


def paid(reference):
    db.session.rollback()
    return queries.get_money(db.session(), booking(reference).id).paid_satang


def reminders():
    db.session.rollback()
    return db.session.scalars(select(Notice.key).where(Notice.kind == "balance_due")).all()


def clean(village):
    db.session.rollback()
    assert not any(each.findings for each in verify(db.session(), village.card))


def test_a_deposit_confirms_and_the_rest_is_paid_by_the_link(village):
    reference = factories.hold(village)
    assert pay_part(reference, whole=False) == 27_000
    assert booking(reference).state == BookingState.CONFIRMED
    assert pay_part(reference, whole=True) == 63_000
    assert paid(reference) == 90_000
    clean(village)


def test_whoever_prefers_pays_the_whole_at_once(village):
    reference = factories.hold(village)
    assert pay_part(reference, whole=True) == 90_000
    assert booking(reference).state == BookingState.CONFIRMED
    clean(village)


def test_of_a_confirmed_booking_the_whole_rest_is_asked(village):
    reference = factories.hold(village)
    pay_part(reference, whole=False)
    assert pay_part(reference, whole=False) == 63_000


def test_choosing_the_whole_gives_the_open_deposit_up(village):
    reference = factories.hold(village)
    first = pay.start_attempt(reference, "demo", PROVIDERS, NOW, whole=False)
    second = pay.start_attempt(reference, "demo", PROVIDERS, NOW, whole=True)
    assert first != second
    given_up = queries.get_attempt_of(db.session(), reference, first)
    assert given_up.state == AttemptState.CANCELLED


def test_the_rest_in_cash_on_arrival(village):
    reference = factories.hold(village)
    pay_part(reference, whole=False)
    cash.take_cash(village.id, reference, village.person_id, NOW, PROVIDERS)
    assert paid(reference) == 90_000
    clean(village)


def test_a_credit_of_a_deposits_worth_confirms(village):
    source = factories.book(village)
    with transaction() as session:
        code = issue_credit(session, booking(source).id, 27_000, NOW)
    reference = factories.hold(village)
    assert use_credit(reference, code, NOW) == 27_000
    assert booking(reference).state == BookingState.CONFIRMED
    clean(village)


def test_a_cancellation_gives_back_by_what_was_paid(village):
    reference = factories.hold(village)
    pay_part(reference, whole=False)
    at_half = booking(reference).trip.begins_at - timedelta(days=20)
    assert factories.cancel_booking(reference, now=at_half) == 13_500
    clean(village)


def test_the_guest_is_reminded_once_and_only_of_what_is_left(village):
    reference = factories.hold(village)
    pay_part(reference, whole=False)
    due_at = booking(reference).trip.begins_at - timedelta(days=7)
    assert remind_of_balances(due_at - timedelta(days=3, seconds=1)) == 0
    assert remind_of_balances(due_at - timedelta(days=3)) == 1
    assert remind_of_balances(due_at) == 0
    assert reminders() == [f"balance_due:{reference}"]


def test_who_paid_everything_is_not_reminded(village):
    pay_part(factories.hold(village), whole=True)
    assert remind_of_balances(NOW + timedelta(days=58)) == 0
    assert reminders() == []


@pytest.mark.parametrize("deposit", [Deposit(0, 7), Deposit(10_000, 7), Deposit(3000, -1)], ids=str)
def test_a_deposit_that_is_none_is_refused(deposit):
    with pytest.raises(TermsInvalid):
        canonical(Terms("Deposit", (Tier(0, 10_000),), deposit))


def test_terms_without_a_deposit_read_as_before():
    assert parse(canonical(DEFAULT)) == DEFAULT
    assert deposit_satang(DEFAULT, 90_000) == 90_000
    assert parse(TERMS).deposit == Deposit(3000, 7)
