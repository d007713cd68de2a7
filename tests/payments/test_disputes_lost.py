"""What a lost dispute leaves: refunds that the bank has made, credits, work, and money that came back."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from cbt.bookings.queries import get_booking
from cbt.bookings.terms import Terms, Tier, canonical
from cbt.db import db
from cbt.errors import CreditSpent, StateForbids
from cbt.payments import give_back, queries
from cbt.payments.credits import use_credit
from cbt.payments.models import Credit, Refund
from cbt.payments.provider import RefundState
from cbt.payments.reported import WorkItem
from cbt.revenue.receipts import list_receipts
from tests import factories
from tests.concurrency import run_together
from tests.factories import PROVIDERS
from tests.payments.test_disputes import (
    EVENING,
    FAR,
    FEE,
    LOST,
    OPEN,
    WON,
    books,
    faults,
    money,
    settle,
    take_in,
    the_dispute,
    told,
    work,
    written,
)
from tests.scripted import Scripted
from tests.site import NOW

S = RefundState
LATER = EVENING + timedelta(days=1)


@pytest.fixture
def village(app):
    return factories.make_village()


@pytest.fixture
def far(app):
    return factories.make_village(on=FAR)


@pytest.fixture
def bank():
    return Scripted()


def cancelled(village, party=None):
    reference = factories.book(village, party)
    factories.cancel_booking(reference)
    return reference


def refunds():
    db.session.rollback()
    found = db.session.execute(select(Refund.amount_satang, Refund.state).order_by(Refund.id))
    return [(row.amount_satang, row.state) for row in found]


def facts_of(kind):
    db.session.rollback()
    return db.session.scalars(select(WorkItem.facts).where(WorkItem.kind == kind)).all()


# --- refunds that wait ---------------------------------------------------------------------------


def waits_for_approval(village, _bank):
    return cancelled(village, {"ADULT": 5})  # 2,250 baht


def failed(village, bank):
    reference = cancelled(village)
    bank.first = S.FAILED
    give_back.send_refunds(bank.among, NOW)
    return reference


def is_to_be_sent(village, _bank):
    return cancelled(village)


@pytest.mark.parametrize(
    ("waiting", "before"),
    [(waits_for_approval, S.REQUESTED), (failed, S.FAILED), (is_to_be_sent, S.APPROVED)],
)
def test_what_the_bank_gave_the_guest_is_not_given_back_again(far, bank, waiting, before):
    reference = waiting(far, bank)
    [(amount, state)] = refunds()
    assert state == before
    take_in(far, told())
    take_in(far, told(LOST), EVENING)
    assert refunds() == [(amount, "by_bank")]
    after = books(far)
    assert (after["guest_deposit"], after["given_back"], after["disputed"]) == (0, 0, 0)
    kept = money(reference)
    assert (kept.kept_satang, kept.returning_satang, kept.disputed_satang) == (0, amount, 0)
    assert give_back.returnable(db.session(), get_booking(db.session(), reference).id)[0][1] == 0
    assert queries.list_refunds_to_make(db.session(), far.id) == []
    assert work(is_open=True) == []
    assert faults(far) == []


def test_nobody_can_approve_send_or_make_by_hand_what_the_guest_has_by_the_bank(far, bank):
    waits_for_approval(far, bank)
    take_in(far, told(LOST), EVENING)
    [refund_id] = db.session.scalars(select(Refund.id)).all()
    before = written()
    by_hand = (far.id, refund_id, "A1", far.person_id, PROVIDERS, LATER)
    for act in (
        lambda: give_back.approve_refund(far.id, refund_id, far.person_id, LATER),
        lambda: give_back.cancel_refund(far.id, refund_id, far.person_id),
        lambda: give_back.note_refund_made(*by_hand),
    ):
        with pytest.raises(StateForbids):
            act()
    assert give_back.send_refunds(bank.among, LATER) == 0
    assert bank.asked == []
    assert written() == before


def test_of_a_larger_refund_the_guest_still_gets_what_the_bank_did_not_give(far):
    cancelled(far)
    take_in(far, told(LOST, amount=60_000), EVENING)
    assert refunds() == [(60_000, "by_bank"), (30_000, S.APPROVED)]
    give_back.send_refunds(PROVIDERS, LATER)
    assert refunds() == [(60_000, "by_bank"), (30_000, S.SUCCEEDED)]
    after = books(far)
    assert (after["guest_deposit"], after["given_back"]) == (0, 0)
    assert faults(far) == []


def test_what_is_owed_is_taken_before_what_pays_for_the_trip(far):
    """One of two persons stays at home; the bank gives the guest that person's price."""
    reference = factories.book(far, {"ADULT": 2})
    factories.change_booking(reference, party={"ADULT": 1})
    take_in(far, told(amount=45_000))
    assert the_dispute().reserved_satang == 45_000
    take_in(far, told(LOST, amount=45_000), EVENING)
    assert refunds() == [(45_000, "by_bank")]
    assert money(reference).kept_satang == 45_000
    assert (books(far)["guest_deposit"], books(far)["given_back"]) == (45_000, 0)
    assert work(is_open=True) == []
    assert faults(far) == []


def test_a_whole_payment_that_is_lost_takes_refund_and_trip_alike(far):
    reference = factories.book(far, {"ADULT": 2})
    factories.change_booking(reference, party={"ADULT": 1})
    take_in(far, told(LOST), EVENING)
    assert refunds() == [(45_000, "by_bank")]
    assert money(reference).kept_satang == 0
    assert (books(far)["guest_deposit"], books(far)["given_back"]) == (0, 0)
    assert faults(far) == []


@pytest.mark.parametrize("end", [S.SUCCEEDED, S.FAILED])
def test_a_refund_on_its_way_is_left_alone_and_put_on_the_work_list(far, bank, end):
    reference = cancelled(far)
    give_back.send_refunds(bank.among, NOW)
    assert refunds() == [(90_000, S.SENT)]
    take_in(far, told(LOST), EVENING)
    assert refunds() == [(90_000, S.SENT)]
    assert books(far)["given_back"] == 90_000
    assert [each["why"] for each in facts_of("dispute_lost")] == [["in_flight"]]
    assert faults(far) == []
    bank.tell_all(end, LATER)
    give_back.look_up_refunds(bank.among, LATER)
    after = books(far)
    assert after["guest_deposit"] == 0
    if end == S.SUCCEEDED:  # the guest has it twice: that is for a person
        assert refunds() == [(90_000, S.SUCCEEDED)]
        assert after["given_back"] == 90_000
        assert work(is_open=True) == ["dispute_lost"]
    else:  # the bank alone has given it
        assert refunds() == [(90_000, "by_bank")]
        assert after["given_back"] == 0
        assert work(is_open=True) == []
    assert money(reference).kept_satang == 0
    assert faults(far) == []


def test_a_refund_whose_answer_was_lost_may_have_been_made(far, bank):
    cancelled(far)
    bank.loses_answers = True
    give_back.send_refunds(bank.among, NOW)
    take_in(far, told(LOST), EVENING)
    assert refunds() == [(90_000, S.APPROVED)]
    assert [each["why"] for each in facts_of("dispute_lost")] == [["in_flight"]]
    bank.loses_answers, bank.first = False, S.SUCCEEDED
    bank.tell_all(S.SUCCEEDED, LATER)
    assert give_back.send_refunds(bank.among, LATER) == 1
    assert len(bank.asked) == 1  # it was looked up, not asked for again
    assert faults(far) == []


def test_a_provider_that_says_paid_after_all_is_told_to_a_person(far, bank):
    failed(far, bank)
    take_in(far, told(LOST), EVENING)
    bank.tell_all(S.SUCCEEDED, LATER)
    [refund_id] = db.session.scalars(select(Refund.id)).all()
    give_back.take_in_refund(refund_id, bank.among, LATER)
    assert refunds() == [(90_000, "by_bank")]
    assert work(is_open=True) == ["answer_wrong"]
    assert faults(far) == []


def test_after_the_split_a_waiting_refund_is_covered_too(app):
    terms = canonical(Terms("Half", (Tier(1, 5_000),)))
    village = factories.make_village(terms=terms)
    gone = factories.book(village, {"ADULT": 4})
    assert factories.cancel_booking(gone, now=NOW - timedelta(days=1)) == 90_000
    factories.book(village)
    bank = Scripted()
    bank.first = S.FAILED
    give_back.send_refunds(bank.among, NOW)
    settle(village)
    take_in(village, told(capture=0), EVENING)
    assert the_dispute().was_split
    take_in(village, told(LOST, capture=0), LATER)
    assert refunds() == [(90_000, "by_bank")]
    after = books(village)
    assert (after["guest_deposit"], after["given_back"]) == (0, FEE + 90_000)
    assert [each["why"] for each in facts_of("dispute_lost")] == [["split"]]
    assert faults(village) == []


# --- credits -------------------------------------------------------------------------------------


def credit_of(reference):
    db.session.rollback()
    [found] = queries.list_credits_of(db.session(), get_booking(db.session(), reference).id)
    return found


def as_credit(village, party=None):
    reference = factories.book(village, party)
    factories.cancel_booking(reference, as_credit=True)
    return reference


def test_a_credit_out_of_disputed_money_waits_for_the_decision(far):
    reference = as_credit(far)
    code = credit_of(reference).code
    take_in(far, told())
    assert credit_of(reference).left_satang == 0
    assert books(far)["guest_credit"] == 90_000
    other = factories.hold(far)
    with pytest.raises(CreditSpent):
        use_credit(other, code, NOW)
    take_in(far, told(WON), EVENING)
    assert credit_of(reference).left_satang == 90_000
    assert use_credit(factories.hold(far), code, NOW) == 90_000
    assert faults(far) == []


def test_a_lost_dispute_takes_an_unused_credit_back(far):
    reference = as_credit(far)
    take_in(far, told())
    take_in(far, told(LOST), EVENING)
    assert credit_of(reference).left_satang == 0
    after = books(far)
    assert (after["guest_credit"], after["guest_deposit"], after["given_back"]) == (0, 0, 0)
    with pytest.raises(CreditSpent):
        use_credit(factories.hold(far), credit_of(reference).code, NOW)
    assert work(is_open=True) == []
    assert faults(far) == []


def test_what_of_a_credit_was_used_is_for_a_person(far):
    reference = as_credit(far)
    use_credit(factories.hold(far, {"ADULT": 1}), credit_of(reference).code, NOW)
    take_in(far, told(LOST), EVENING)
    after = books(far)
    assert (after["guest_credit"], after["given_back"]) == (0, 45_000)
    assert after["guest_deposit"] == 45_000  # the trip that it paid for
    assert credit_of(reference).left_satang == 0
    [facts] = facts_of("dispute_lost")
    assert (facts["why"], facts["loss_satang"]) == (["loss"], 45_000)
    assert faults(far) == []


def test_a_partial_dispute_takes_the_credit_before_what_the_terms_kept(app):
    village = factories.make_village(on=FAR, terms=canonical(Terms("Half", (Tier(1, 5_000),))))
    reference = as_credit(village)
    assert credit_of(reference).left_satang == 45_000
    take_in(village, told(LOST, amount=45_000), EVENING)
    assert credit_of(reference).left_satang == 0
    assert money(reference).kept_satang == 45_000
    assert (books(village)["guest_credit"], books(village)["given_back"]) == (0, 0)
    assert work(is_open=True) == []
    assert faults(village) == []


def test_a_credit_is_spent_or_taken_back_never_both(app, far):
    reference = as_credit(far)
    code, other = credit_of(reference).code, factories.hold(far)
    said = told(LOST)
    db.session.rollback()
    acts = [lambda: use_credit(other, code, NOW), lambda: take_in(far, said, EVENING)]
    run_together(app, lambda n: acts[n](), 2)
    db.session.rollback()
    [credit] = db.session.scalars(select(Credit)).all()
    assert credit.used_satang + credit.frozen_satang == 90_000
    after = books(far)
    assert after["guest_credit"] == 0
    assert after["guest_deposit"] == after["given_back"] == credit.used_satang
    assert faults(far) == []


# --- what a person has to do ---------------------------------------------------------------------


def test_a_party_that_still_holds_its_places_is_work(far):
    factories.book(far)
    take_in(far, told(LOST), EVENING)
    [facts] = facts_of("dispute_lost")
    assert facts["why"] == ["ahead"]
    assert work(is_open=True) == ["dispute_lost"]


def test_a_loss_that_nothing_covers_is_work(far):
    """Half went back already, and then the bank took the whole."""
    reference = factories.book(far, {"ADULT": 2})
    factories.change_booking(reference, party={"ADULT": 1})
    give_back.send_refunds(PROVIDERS, NOW)
    take_in(far, told(LOST), EVENING + timedelta(days=90))
    [facts] = facts_of("dispute_lost")
    assert (facts["why"], facts["loss_satang"]) == (["loss"], 45_000)


@pytest.mark.parametrize("waits", [True, False])
def test_a_lost_dispute_that_leaves_nothing_to_do_is_no_work(far, waits):
    reference = factories.book(far)
    if waits:
        factories.cancel_booking(reference)
        take_in(far, told(LOST), EVENING)
    else:
        take_in(far, told(), NOW)
        factories.cancel_booking(reference, now=NOW + timedelta(minutes=1))
        take_in(far, told(LOST), EVENING)
    assert work(is_open=True) == []
    assert facts_of("dispute_lost") == []


# --- given back by the bank after all ------------------------------------------------------------


def test_a_lost_dispute_that_is_won_after_all_brings_the_money_back(village):
    reference = factories.book(village)
    before = books(village)
    take_in(village, told(LOST))
    assert money(reference).kept_satang == 0
    take_in(village, told(WON), EVENING)
    after = books(village)
    assert after["payment:demo"] == before["payment:demo"] - FEE
    assert (after["guest_deposit"], after["disputed"], after["given_back"]) == (90_000, 0, 0)
    assert (money(reference).kept_satang, money(reference).returnable_satang) == (90_000, 90_000)
    assert work(is_open=True) == []
    dispute = the_dispute()
    assert (dispute.state, dispute.closed_at, dispute.reinstated_at) == (WON, NOW, EVENING)
    before = written()
    for state in (OPEN, LOST, WON):
        take_in(village, told(state), LATER)
        assert written() == before
    settle(village)
    assert faults(village) == []


def test_after_the_split_the_loss_is_taken_back(village):
    reference = factories.book(village, {"ADULT": 3})
    settle(village)
    before = books(village)
    take_in(village, told(LOST), EVENING)
    assert work(is_open=True) == ["dispute_lost"]
    take_in(village, told(WON), LATER)
    after = books(village)
    assert (after["given_back"], after["disputed"]) == (FEE, 0)
    assert after["payment:demo"] == before["payment:demo"] - FEE
    assert work(is_open=True) == []
    assert money(reference).kept_satang == 135_000
    assert faults(village) == []


def test_money_of_a_booking_that_was_split_without_it_goes_to_the_management_fund(village):
    """Nobody's share is paid again: what the bank returns so late is the community's to decide on."""
    reference = factories.book(village, {"ADULT": 4})
    take_in(village, told(LOST, amount=50_000))
    settle(village)
    before = books(village)
    take_in(village, told(WON, amount=50_000), LATER)
    after = books(village)
    assert after["fund:mgmt"] == before["fund:mgmt"] + 50_000
    assert (after["guest_deposit"], after["given_back"], after["disputed"]) == (0, 0, 0)
    assert all(after[each] == before[each] for each in before if each.startswith("household:"))
    assert money(reference).kept_satang == 130_000  # as it was split
    [facts] = [each for each in facts_of("dispute_lost") if each["why"] == ["back"]]
    assert facts["amount_satang"] == 50_000
    assert faults(village) == []


def test_what_the_guest_had_by_the_bank_is_owed_again(far, bank):
    reference = failed(far, bank)
    take_in(far, told(LOST), EVENING)
    assert refunds() == [(90_000, "by_bank")]
    take_in(far, told(WON), LATER)
    assert refunds() == [(90_000, S.CANCELLED), (90_000, S.APPROVED)]
    [receipt] = list_receipts(db.session(), reference)
    assert [each.state for each in receipt.returned] == [
        S.APPROVED
    ]  # what was cancelled is not told
    assert books(far)["guest_deposit"] == 90_000
    assert faults(far) == []
    give_back.send_refunds(PROVIDERS, LATER)
    assert books(far)["guest_deposit"] == 0
    assert money(reference).kept_satang == 0
    assert faults(far) == []


def test_a_credit_that_was_taken_back_is_there_again(far):
    reference = as_credit(far)
    take_in(far, told(LOST), EVENING)
    take_in(far, told(WON), LATER)
    assert credit_of(reference).left_satang == 90_000
    assert books(far)["guest_credit"] == 90_000
    assert use_credit(factories.hold(far), credit_of(reference).code, NOW) == 90_000
    assert faults(far) == []


def test_who_cancelled_meanwhile_gets_the_terms_part_of_what_came_back(app):
    village = factories.make_village(on=FAR, terms=canonical(Terms("Half", (Tier(1, 5_000),))))
    reference = factories.book(village)
    take_in(village, told(LOST), EVENING)
    assert factories.cancel_booking(reference, now=EVENING + timedelta(hours=1)) == 0
    take_in(village, told(WON), LATER)
    assert refunds() == [(45_000, S.APPROVED)]
    assert work(is_open=True) == []
    assert faults(village) == []


def test_two_who_hear_at_once_that_it_came_back_write_it_once(app, far):
    cancelled(far)
    take_in(far, told(LOST), EVENING)
    said = told(WON)
    db.session.rollback()
    run_together(app, lambda _: take_in(far, said, LATER), 3)
    assert [state for _amount, state in refunds()] == [S.CANCELLED, S.APPROVED]
    assert books(far)["guest_deposit"] == 90_000
    assert faults(far) == []


# --- won, and the terms --------------------------------------------------------------------------


def test_winning_gives_a_cancelled_guest_no_more_than_the_terms(app):
    """A change had retained half a person's price before: that stays retained."""
    village = factories.make_village(on=FAR, terms=canonical(Terms("Half", (Tier(1, 5_000),))))
    reference = factories.book(village, {"ADULT": 4})
    factories.change_booking(reference, party={"ADULT": 2})
    retained = money(reference).retained_satang
    assert retained == 45_000
    give_back.send_refunds(PROVIDERS, NOW)
    take_in(village, told())
    factories.cancel_booking(reference, now=NOW + timedelta(minutes=1))
    take_in(village, told(WON), EVENING)
    kept = 180_000 - 45_000  # of four persons, less what the change gave back
    owed = (kept - retained) // 2
    assert [amount for amount, state in refunds() if state == S.APPROVED] == [owed]
    assert money(reference).kept_satang == kept - owed
    assert faults(village) == []
