"""Asking a provider again after its answer was lost, and leaving one alone that does not answer."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import stripe
from sqlalchemy import select

from cbt.audit.verify import verify
from cbt.clock import utc_now
from cbt.db import db
from cbt.payments import give_back, take_in
from cbt.payments.models import Refund
from cbt.payments.provider import NormalisedRefund, RefundState
from cbt.payments.rounds import in_turn
from cbt.payments.work import list_open_work
from tests import factories
from tests.payments.stripe_village import stripe_village
from tests.payments.telling import start, telling_village
from tests.site import NOW
from tests.stripe_double import Fault

S = RefundState
FAR = factories.TOMORROW + timedelta(days=60)


@pytest.fixture
def place(app):
    with stripe_village() as found:
        yield found


def owes(place, party=2):
    """One of so many persons, paid for by card, stays at home: her price goes back."""
    reference = place.hold(party={"ADULT": party})
    attempt = place.start(reference)
    place.double.pay_by_card(attempt.provider_ref)
    take_in.take_in(attempt.id, place.providers, utc_now())
    factories.change_booking(reference, now=utc_now(), party={"ADULT": party - 1})
    return reference


def the_refund():
    db.session.rollback()
    return db.session.scalars(select(Refund)).one()


def at_stripe(place):
    return place.double.world.accounts[place.account].all_of("refund")


def send(place, days=0):
    """Send what is to be sent, some days later by every clock."""
    place.double.advance(days=days)
    return give_back.send_refunds(place.providers, datetime.fromtimestamp(place.double.now, UTC))


def kinds(place):
    db.session.rollback()
    return [str(each.kind) for each in list_open_work(db.session(), place.village.id)]


def faults(place):
    db.session.rollback()
    return [each.findings for each in verify(db.session(), place.village.card) if each.findings]


@pytest.mark.parametrize("days", [0, 2])
@pytest.mark.parametrize("fault", [Fault.DROP_AFTER, Fault.ERROR_AFTER])
def test_a_refund_whose_answer_was_lost_is_made_once_however_late_it_is_asked_again(
    place, fault, days
):
    """Stripe forgets a key after a day: asked again then, it would pay the other half too."""
    owes(place)
    place.double.fail_next("POST /v1/refunds", fault, times=3)
    assert send(place) == 0
    assert the_refund().state == S.APPROVED
    assert send(place, days) == 1
    assert [each["amount"] for each in at_stripe(place)] == [45_000]
    assert the_refund().provider_ref == at_stripe(place)[0]["id"]
    assert faults(place) == []


@pytest.mark.parametrize("days", [0, 2])
def test_a_refund_that_never_reached_stripe_is_asked_for_again(place, days):
    owes(place)
    place.double.fail_next("POST /v1/refunds", Fault.DROP_BEFORE, times=3)
    assert send(place) == 0
    assert send(place, days) == 1
    assert [each["amount"] for each in at_stripe(place)] == [45_000]


def test_of_several_refunds_of_a_payment_ours_is_found_by_its_key(place):
    reference = owes(place, 3)
    assert send(place) == 1
    factories.change_booking(reference, now=utc_now(), party={"ADULT": 1})
    place.double.fail_next("POST /v1/refunds", Fault.DROP_AFTER, times=3)
    send(place)
    assert send(place, 2) == 1
    assert len(at_stripe(place)) == 2
    db.session.rollback()
    known = set(db.session.scalars(select(Refund.provider_ref)))
    assert known == {each["id"] for each in at_stripe(place)}


def test_while_it_cannot_be_looked_up_it_is_not_asked_for(place):
    owes(place)
    place.double.fail_next("POST /v1/refunds", Fault.DROP_BEFORE, times=3)
    send(place)
    place.double.fail_next("GET /v1/refunds", Fault.ERROR_BEFORE, times=3)
    assert send(place, 2) == 0
    assert at_stripe(place) == []
    assert send(place) == 1


def test_a_key_that_was_used_for_something_else_parks_the_refund_for_a_person(place):
    """Whether it was made cannot be told: a person must not transfer it as well."""
    owes(place)
    refund = the_refund()
    [due] = give_back.list_due(Refund.id == refund.id)
    client = stripe.StripeClient(
        place.double.secret_key,
        stripe_version="2026-10-28.endive",
        base_addresses={"api": place.double.address},
    )
    options = {"stripe_account": place.account, "idempotency_key": due.asked.key}
    client.v1.refunds.create({"payment_intent": due.asked.payment_id, "amount": 1}, options)
    for _ in range(2):
        assert send(place) == 0
        assert (the_refund().state, the_refund().failure) == (S.APPROVED, None)
        assert kinds(place) == ["answer_wrong"]
    assert send(place, 2) == 1  # the key is free again, and nothing was made by it
    assert [each["amount"] for each in at_stripe(place)] == [1, 45_000]


def test_an_answer_that_lies_about_the_amount_is_looked_up_and_no_persons_to_make(place):
    owes(place)
    place.double.fail_next("POST /v1/refunds", Fault.LIE, amount=1)
    assert send(place) == 0
    assert the_refund().state == S.APPROVED
    assert kinds(place) == ["answer_wrong"]
    assert send(place) == 1
    assert len(at_stripe(place)) == 1


def test_neither_key_nor_metadata_of_a_refund_tells_who_the_guest_is(place):
    reference = owes(place)
    send(place)
    [made] = at_stripe(place)
    account = place.double.world.accounts[place.account]
    told = json.dumps([made["metadata"], list(account.answers)])
    assert reference in told
    for personal in ("guest@example.org", "Guest", "@", "example.org"):
        assert personal not in told


# --- one that does not answer --------------------------------------------------------------------


@pytest.fixture
def two(app):
    """Two villages, each with three payments by a provider of its own."""
    first, second = telling_village("stripe", on=FAR), telling_village("other", on=FAR)
    providers = {**first[2], **second[2]}
    attempts = []
    for village, provider, _ in (first, second):
        for _ in range(3):
            attempt = start(village, provider, providers, party={"ADULT": 1})
            provider.pay(attempt)
            attempts.append(attempt)
    return first[1], second[1], providers, attempts


def times(provider, what):
    return provider.calls.count(what)


def test_a_round_of_look_ups_leaves_a_provider_alone_that_does_not_answer(two):
    broken, sound, providers, _attempts = two
    broken.down.add("fetch")
    later = NOW + timedelta(minutes=30)
    take_in.look_up_unpaid_attempts(providers, later, old=True)
    assert (times(broken, "fetch"), times(sound, "fetch")) == (1, 3)
    broken.down.clear()
    take_in.look_up_unpaid_attempts(providers, later, old=True)
    assert times(broken, "fetch") == 4


def give_all_back(two):
    _broken, _sound, providers, attempts = two
    for attempt in attempts:
        take_in.take_in(attempt.id, providers, NOW)
        factories.cancel_booking(attempt.reference)


def test_a_round_of_refunds_leaves_a_provider_alone_that_does_not_answer(two):
    broken, sound, providers, _attempts = two
    give_all_back(two)
    broken.down.add("refund")
    assert give_back.send_refunds(providers, NOW) == 3
    assert (times(broken, "refund"), times(sound, "refund")) == (1, 3)
    broken.down.clear()
    assert give_back.send_refunds(providers, NOW) == 3


def test_a_round_about_refunds_leaves_a_provider_alone_that_does_not_answer(two):
    broken, sound, providers, _attempts = two
    give_all_back(two)
    for provider in (broken, sound):
        provider.refund_answer = NormalisedRefund(S.SENT)
    give_back.send_refunds(providers, NOW)
    broken.down.add("fetch_refund")
    assert give_back.look_up_refunds(providers, NOW) == 4
    assert (times(broken, "fetch_refund"), times(sound, "fetch_refund")) == (1, 3)


def test_one_that_can_never_be_answered_does_not_hold_up_the_others_for_good():
    """A round ends at the first that is not answered; so each round begins elsewhere."""
    firsts = {in_turn(range(5), NOW + timedelta(seconds=30 * n))[0] for n in range(5)}
    assert len(firsts) > 1
    for n in range(5):
        assert sorted(in_turn(range(5), NOW + timedelta(seconds=n))) == list(range(5))
    assert in_turn([], NOW) == []
