"""What a provider lists is set beside the books: nothing twice, nothing in silence, and no trace of a
round without news."""

from dataclasses import replace
from datetime import timedelta
from itertools import count
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select

from cbt.audit.verify import verify
from cbt.bookings.queries import get_booking
from cbt.db import Base, db
from cbt.errors import FundTooLow, NoteMissing, NotFound, StateForbids
from cbt.ledger.queries import balances
from cbt.payments import give_back, inbox, take_in
from cbt.payments.account_posting import Clearing
from cbt.payments.models import CaptureFee, Refund
from cbt.payments.payouts import list_payouts
from cbt.payments.provider import (
    About,
    DisputeState,
    Event,
    NormalisedDispute,
    NormalisedRefund,
    PayoutState,
    RefundState,
)
from cbt.payments.reconcile import reconcile, window_start
from cbt.payments.refund_rules import refund_key
from cbt.payments.reported import (
    InboxEvent,
    ProviderTransaction,
    WorkItem,
)
from cbt.payments.transactions import clear_suspense
from cbt.payments.work import list_open_work
from tests import factories
from tests.conftest import DEEP
from tests.payments.telling import FEE, start, telling_village
from tests.site import NOW

LATER = NOW + timedelta(minutes=10)
HOUR = timedelta(hours=1)
PRICE = 90_000
FAR = factories.TOMORROW + timedelta(days=60)


@pytest.fixture
def place(app):
    return telling_village(on=FAR)


def paid(place, now=NOW, **how):
    """A booking paid by the provider and taken in; its attempt."""
    village, provider, providers = place
    attempt = start(village, provider, providers, now)
    provider.pay(attempt, at=now, **how)
    take_in.take_in(attempt.id, providers, now)
    return attempt


def rows():
    """How many rows every table holds."""
    db.session.rollback()
    found = {
        table.name: db.session.scalar(select(func.count()).select_from(table))
        for table in Base.metadata.sorted_tables
    }
    db.session.rollback()
    return found


def written(action):
    """The statements of a call that write, or that begin to."""
    statements = []

    def note(_connection, _cursor, statement, *_rest):
        if statement.startswith(("INSERT", "UPDATE", "DELETE", "BEGIN IMMEDIATE")):
            statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        action()
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    return statements


def books(place):
    db.session.rollback()
    return balances(db.session(), place[0].card.book_id)


def faults(place):
    db.session.rollback()
    outcomes = verify(db.session(), place[0].card)
    return [finding for outcome in outcomes for finding in outcome.findings]


def work(place):
    db.session.rollback()
    return [(str(each.kind), each.facts) for each in list_open_work(db.session(), place[0].id)]


def kinds(place):
    return [kind for kind, _facts in work(place)]


def movements():
    db.session.rollback()
    return {each.transaction_id: each for each in db.session.scalars(select(ProviderTransaction))}


# --- nothing new, nothing written ----------------------------------------------------------------


def test_a_second_round_leaves_no_trace(place):
    _village, provider, providers = place
    attempt = paid(place)
    provider.move("adjustment", "", 500, at=NOW)
    listed = list(provider.transactions)
    provider.pay_out(sum(each.net_satang for each in listed), listed=listed)
    assert reconcile(providers, LATER) == 1
    before = rows()
    assert before["provider_transaction"] == 3
    next_day = LATER + timedelta(days=1)
    assert written(lambda: reconcile(providers, next_day)) == []
    assert written(lambda: reconcile(providers, next_day, full=True)) == []
    assert rows() == before
    assert attempt.provider_ref in provider.payments
    assert faults(place) == []


def test_an_account_that_nobody_ever_used_is_not_asked(place):
    _village, provider, providers = place
    provider.move("charge", "pi_old", 100_000, at=NOW)
    assert reconcile(providers, LATER) == 0
    assert provider.calls == []


# --- payments ------------------------------------------------------------------------------------


def test_a_payment_that_no_event_told_of_is_taken_in_by_its_movement(place):
    village, provider, providers = place
    attempt = start(village, provider, providers)
    provider.pay(attempt, at=NOW)
    reconcile(providers, NOW + timedelta(minutes=1))  # too young to be looked up for its age alone
    assert get_booking(db.session(), attempt.reference).state == "confirmed"
    assert books(place)["payment:stripe"] == provider.balance == PRICE - FEE
    assert [each.is_expected for each in movements().values()] == [True]
    assert kinds(place) == []
    assert faults(place) == []


def test_a_fee_that_was_not_known_yet_is_taken_in(place):
    village, provider, providers = place
    attempt = start(village, provider, providers)
    provider.pay(attempt, fee=None)
    take_in.take_in(attempt.id, providers, NOW)
    provider.transactions.clear()
    provider.pay(attempt, fee=FEE)
    reconcile(providers, LATER)
    db.session.rollback()
    assert db.session.scalar(select(CaptureFee.amount_satang)) == FEE
    assert books(place)["payment:stripe"] == provider.balance
    assert faults(place) == []


def test_a_payment_whose_fee_stays_unknown_waits_and_is_not_lost(place):
    village, provider, providers = place
    attempt = start(village, provider, providers)
    provider.pay(attempt, fee=None)
    take_in.take_in(attempt.id, providers, NOW)
    other = paid(place, NOW + timedelta(minutes=5))
    for days in (1, 5, 12):
        reconcile(providers, NOW + timedelta(days=days))
        assert [each.source_id for each in movements().values()] == [f"pi_{other.id}"]
    provider.payments[attempt.provider_ref] = provider.payments[other.provider_ref]
    received = provider.payments[other.provider_ref].received[0]
    own = replace(received, payment_id=f"pi_{attempt.id}")
    provider.payments[attempt.provider_ref] = replace(
        provider.payments[other.provider_ref], received=(own,)
    )
    reconcile(providers, NOW + timedelta(days=13))
    assert len(movements()) == 2
    assert books(place)["payment:stripe"] == provider.balance
    assert kinds(place) == []


def test_a_fee_that_differs_is_told_and_the_books_still_equal_the_providers_balance(place):
    village, provider, providers = place
    attempt = start(village, provider, providers)
    provider.pay(attempt, fee=FEE - 100)
    take_in.take_in(attempt.id, providers, NOW)
    provider.transactions.clear()
    provider.move("charge", f"pi_{attempt.id}", PRICE, FEE)
    reconcile(providers, LATER)
    [(kind, facts)] = work(place)
    assert (kind, facts["amount_satang"], facts["reference"]) == (
        "fee_differs",
        -100,
        attempt.reference,
    )
    assert books(place)["payment:stripe"] == provider.balance
    assert books(place)["suspense"] == -100
    assert faults(place) == []


@pytest.mark.parametrize("full", [True, False])
def test_the_first_round_looks_back_to_the_first_payment_however_long_ago(full):
    first = NOW - timedelta(days=90)
    account = SimpleNamespace(reconciled_until=None, first_attempt_at=first)
    assert window_start(account, NOW, full=full) == first


def test_a_second_scan_of_one_code_is_money_that_nothing_explains(place):
    _village, provider, providers = place
    attempt = paid(place)
    provider.move("charge", f"pi_{attempt.id}", PRICE, FEE)
    provider.move("other", "", 45_000)
    provider.move("fee", "", -200)
    reconcile(providers, LATER)
    assert kinds(place) == ["unknown_money"] * 3
    amounts = {facts["amount_satang"] for _kind, facts in work(place)}
    assert amounts == {PRICE - FEE, 45_000, -200}
    assert books(place)["suspense"] == PRICE - FEE + 45_000 - 200
    assert books(place)["payment:stripe"] == provider.balance
    assert faults(place) == []


def test_a_payment_that_its_look_up_does_not_tell_waits_a_day_and_is_then_told(place):
    village, provider, providers = place
    attempt = start(village, provider, providers)
    provider.pay(attempt, at=NOW)
    provider.payments.clear()
    reconcile(providers, LATER)
    assert (movements(), work(place)) == ({}, [])
    reconcile(providers, NOW + timedelta(hours=25))
    [(kind, facts)] = work(place)
    assert (kind, facts["reference"]) == ("unknown_money", attempt.reference)
    assert books(place)["payment:stripe"] == provider.balance


@pytest.mark.parametrize(
    ("currency", "changes", "problem"),
    [("usd", 0, "currency"), ("thb", 1, "net")],
)
def test_another_currency_or_a_wrong_sum_books_nothing_and_is_told_once(
    place, currency, changes, problem
):
    _village, provider, providers = place
    paid(place)
    made = provider.move("charge", "pi_x", 5_000, currency=currency)
    provider.transactions[-1] = replace(made, net_satang=made.net_satang + changes)
    before = books(place)
    for _again in range(2):
        reconcile(providers, LATER)
    [(kind, facts)] = work(place)
    assert (kind, facts["problem"], facts["name"]) == ("answer_wrong", problem, made.id)
    assert books(place) == before
    assert made.id not in movements()


# --- refunds -------------------------------------------------------------------------------------


def test_a_refund_is_expected_and_its_own_fee_is_the_communitys_cost(place):
    _village, provider, providers = place
    attempt = paid(place)
    factories.cancel_booking(attempt.reference)
    give_back.send_refunds(providers, NOW)
    db.session.rollback()
    refund = db.session.scalars(select(Refund)).one()
    provider.move("refund", refund.provider_ref, -refund.amount_satang, 1_070)
    reconcile(providers, LATER)
    [(kind, facts)] = work(place)
    assert (kind, facts["amount_satang"]) == ("fee_differs", -1_070)
    assert books(place)["payment:stripe"] == provider.balance
    assert faults(place) == []


def test_a_refund_whose_answer_was_lost_is_not_taken_for_unknown_money(place):
    _village, provider, providers = place
    attempt = paid(place)
    factories.cancel_booking(attempt.reference)
    db.session.rollback()
    refund = db.session.scalars(select(Refund)).one()
    key = refund_key(attempt.reference, f"pi_{attempt.id}", refund.number)
    provider.move("refund", f"re_{key}", -refund.amount_satang)
    reconcile(providers, LATER)
    assert len(movements()) == 1
    assert work(place) == []
    give_back.send_refunds(providers, LATER)
    reconcile(providers, LATER)
    assert len(movements()) == 2
    assert books(place)["payment:stripe"] == provider.balance
    assert work(place) == []


def test_a_refund_that_somebody_made_at_the_provider_itself_is_told(place):
    _village, provider, providers = place
    paid(place)
    provider.move("refund", "re_by_hand", -20_000)
    reconcile(providers, LATER)
    [(kind, facts)] = work(place)
    assert (kind, facts["amount_satang"]) == ("unknown_money", -20_000)
    assert books(place)["payment:stripe"] == provider.balance


def refunded(place):
    """A refund that the provider has made and listed; the provider's name for it."""
    _village, provider, providers = place
    attempt = paid(place)
    factories.cancel_booking(attempt.reference)
    give_back.send_refunds(providers, NOW)
    db.session.rollback()
    refund = db.session.scalars(select(Refund)).one()
    provider.move("refund", refund.provider_ref, -refund.amount_satang)
    reconcile(providers, LATER)
    assert kinds(place) == []
    return refund.provider_ref


def test_a_refund_that_came_back_is_heard_of_by_its_movement(place):
    """No message told of it, and a refund that was made is not looked up again."""
    _village, provider, providers = place
    ref = refunded(place)
    provider.refund_answer = NormalisedRefund(RefundState.FAILED, failure="closed account")
    provider.move("refund_failure", ref, PRICE, at=LATER)
    reconcile(providers, LATER + HOUR)
    db.session.rollback()
    refund = db.session.scalars(select(Refund)).one()
    assert (refund.state, refund.failure) == ("failed", "closed account")
    assert kinds(place) == ["refund_failed"]
    assert books(place)["guest_deposit"] == PRICE
    assert books(place)["payment:stripe"] == provider.balance
    assert faults(place) == []


def test_money_of_a_refund_that_is_said_to_have_arrived_is_unknown_when_it_comes(place):
    _village, provider, providers = place
    ref = refunded(place)
    provider.move("refund_failure", ref, PRICE, at=LATER)  # and the provider says nothing new
    reconcile(providers, LATER + HOUR)
    assert kinds(place) == ["unknown_money"]
    assert books(place)["suspense"] == PRICE
    assert books(place)["payment:stripe"] == provider.balance
    assert faults(place) == []


@pytest.mark.parametrize("amount", [-PRICE + 1, -PRICE - 1, -1])
def test_a_movement_of_another_amount_is_not_the_refund_that_it_names(place, amount):
    _village, provider, providers = place
    attempt = paid(place)
    factories.cancel_booking(attempt.reference)
    give_back.send_refunds(providers, NOW)
    db.session.rollback()
    ref = db.session.scalars(select(Refund.provider_ref)).one()
    provider.move("refund", ref, amount)
    reconcile(providers, LATER)
    [(kind, facts)] = work(place)
    assert (kind, facts["amount_satang"], facts["reference"]) == (
        "unknown_money",
        amount,
        attempt.reference,
    )
    provider.move("refund", ref, -PRICE, at=LATER)  # the one that it is
    reconcile(providers, LATER + HOUR)
    assert kinds(place) == ["unknown_money"]
    assert books(place)["payment:stripe"] == provider.balance
    assert faults(place) == []


def test_a_movement_of_another_amount_is_not_the_payment_that_it_names(place):
    village, provider, providers = place
    attempt = start(village, provider, providers)
    provider.pay(attempt)
    take_in.take_in(attempt.id, providers, NOW)
    provider.transactions.clear()
    provider.move("charge", f"pi_{attempt.id}", PRICE - 100, FEE)
    reconcile(providers, LATER)
    assert kinds(place) == ["unknown_money"]
    provider.move("charge", f"pi_{attempt.id}", PRICE, FEE, at=LATER)
    reconcile(providers, LATER + HOUR)
    assert kinds(place) == ["unknown_money"]
    assert books(place)["payment:stripe"] == provider.balance


# --- disputes ------------------------------------------------------------------------------------


def disputed(place, attempt, state=DisputeState.OPEN, fee=1_605):
    told = NormalisedDispute(
        "dp_1", f"pi_{attempt.id}", PRICE, fee, state, "fraudulent", NOW, NOW + timedelta(days=7)
    )
    place[1].disputes[:] = [told]
    return told


def test_a_dispute_is_taken_in_before_its_movement_which_it_explains(place):
    _village, provider, providers = place
    attempt = paid(place)
    disputed(place, attempt)
    provider.move("dispute", "dp_1", -PRICE, 1_605)
    reconcile(providers, LATER)
    assert kinds(place) == ["dispute_opened"]
    assert books(place)["payment:stripe"] == provider.balance
    assert written(lambda: reconcile(providers, LATER)) == []
    assert faults(place) == []


def test_a_dispute_that_is_decided_long_after_it_was_opened_is_followed(place):
    _village, provider, providers = place
    attempt = paid(place)
    disputed(place, attempt)
    provider.move("dispute", "dp_1", -PRICE, 1_605)
    reconcile(providers, LATER)
    decided = NOW + timedelta(days=60)
    disputed(place, attempt, DisputeState.WON)
    provider.move("dispute_reversal", "dp_1", PRICE, at=decided)
    reconcile(providers, decided + timedelta(minutes=1))
    assert kinds(place) == []
    assert books(place)["payment:stripe"] == provider.balance
    assert written(lambda: reconcile(providers, decided + timedelta(minutes=2), full=True)) == []
    assert faults(place) == []


def test_money_that_comes_for_a_dispute_that_is_lost_is_unknown(place):
    _village, provider, providers = place
    attempt = paid(place)
    disputed(place, attempt, DisputeState.LOST)
    provider.move("dispute", "dp_1", -PRICE, 1_605)
    reconcile(providers, LATER)
    provider.move("dispute_reversal", "dp_1", 20_000, at=LATER)  # a part of it only
    reconcile(providers, LATER + HOUR)
    assert "unknown_money" in kinds(place)
    assert books(place)["suspense"] == 20_000
    assert books(place)["payment:stripe"] == provider.balance
    assert faults(place) == []


def test_a_dispute_that_is_won_after_all_is_heard_of_by_its_movement(place):
    """Nobody looks at a lost one any more, and no message told."""
    _village, provider, providers = place
    attempt = paid(place)
    disputed(place, attempt, DisputeState.LOST)
    provider.move("dispute", "dp_1", -PRICE, 1_605)
    reconcile(providers, LATER)
    later = NOW + timedelta(days=90)
    disputed(place, attempt, DisputeState.WON)
    provider.move("dispute_reversal", "dp_1", PRICE, at=later)
    reconcile(providers, later + HOUR)
    assert kinds(place) == []
    assert books(place)["guest_deposit"] == PRICE
    assert books(place)["payment:stripe"] == provider.balance
    assert written(lambda: reconcile(providers, later + 2 * HOUR, full=True)) == []
    assert faults(place) == []


def test_a_question_that_becomes_a_dispute_after_months_is_heard_of_by_its_movement(place):
    """It was opened when the bank asked, so it stands in no list of what is new."""
    _village, provider, providers = place
    attempt = paid(place)
    later = NOW + timedelta(days=45)
    for at in (NOW + HOUR, later - HOUR):
        reconcile(providers, at)
    disputed(place, attempt)
    provider.move("dispute", "dp_1", -PRICE, 1_605, at=later)
    reconcile(providers, later + HOUR)
    assert kinds(place) == ["dispute_opened"]
    assert books(place)["disputed"] == PRICE
    assert books(place)["payment:stripe"] == provider.balance
    assert faults(place) == []


# --- payouts -------------------------------------------------------------------------------------


def test_a_payout_enters_the_books_when_it_arrives_and_leaves_them_when_it_fails(place):
    village, provider, providers = place
    paid(place)
    listed = list(provider.transactions)
    payout_id = provider.pay_out(PRICE - FEE, state=PayoutState.ON_THE_WAY, listed=listed)
    reconcile(providers, LATER)
    assert books(place)["payment:stripe"] == PRICE - FEE
    set_state(provider, payout_id, PayoutState.PAID)
    reconcile(providers, LATER)
    assert (books(place)["payment:stripe"], books(place)["payment:promptpay"]) == (0, PRICE - FEE)
    assert kinds(place) == []
    set_state(provider, payout_id, PayoutState.ON_THE_WAY)  # an answer from before
    assert written(lambda: reconcile(providers, LATER)) == []
    set_state(provider, payout_id, PayoutState.FAILED)
    provider.move("payout_reversal", payout_id, PRICE - FEE, at=LATER)
    after = LATER + timedelta(minutes=10)
    reconcile(providers, after)
    assert (books(place)["payment:stripe"], books(place)["payment:promptpay"]) == (PRICE - FEE, 0)
    assert books(place)["payment:stripe"] == provider.balance
    assert kinds(place) == ["payout_failed"]
    set_state(provider, payout_id, PayoutState.PAID)
    reconcile(providers, after)
    assert list_payouts(db.session(), village.id, 5)[0].state == PayoutState.FAILED
    assert faults(place) == []


def set_state(provider, payout_id, state):
    provider.payouts[payout_id] = replace(provider.payouts[payout_id], state=state)


def test_a_payout_that_fails_before_it_arrived_moves_nothing(place):
    _village, provider, providers = place
    paid(place)
    payout_id = provider.pay_out(PRICE - FEE, state=PayoutState.ON_THE_WAY)
    reconcile(providers, LATER)
    set_state(provider, payout_id, PayoutState.FAILED)
    reconcile(providers, LATER)
    assert books(place)["payment:promptpay"] == 0
    assert kinds(place) == ["payout_failed"]
    assert faults(place) == []


def test_a_payout_that_is_not_the_sum_of_its_movements_is_told(place):
    village, provider, providers = place
    paid(place)
    provider.pay_out(PRICE, listed=list(provider.transactions))
    reconcile(providers, LATER)
    [(kind, facts)] = work(place)
    assert (kind, facts["amount_satang"], facts["summed_satang"]) == (
        "payout_differs",
        PRICE,
        PRICE - FEE,
    )
    assert list_payouts(db.session(), village.id, 5)[0].differs_satang == -FEE


def test_money_from_before_the_account_was_connected_is_taken_in_with_its_payout(place):
    _village, provider, providers = place
    paid(place)
    listed = list(provider.transactions)
    old = provider.move("charge", "pi_before", 70_000, at=NOW - timedelta(days=3))
    provider.pay_out(PRICE - FEE + 70_000, listed=[*listed, old])
    reconcile(providers, LATER)
    assert kinds(place) == ["unknown_money"]
    assert books(place)["payment:stripe"] == provider.balance == 0


def test_a_payout_that_is_on_its_way_for_long_is_still_followed(place):
    village, provider, providers = place
    paid(place)
    payout_id = provider.pay_out(PRICE - FEE, state=PayoutState.ON_THE_WAY)
    reconcile(providers, LATER)
    paid(place, NOW + timedelta(days=4))
    reconcile(providers, NOW + timedelta(days=4, hours=1))
    set_state(provider, payout_id, PayoutState.PAID)
    reconcile(providers, NOW + timedelta(days=6))
    assert list_payouts(db.session(), village.id, 5)[0].state == PayoutState.PAID


def test_a_payout_that_a_bank_refuses_long_after_it_was_paid_is_heard_of_by_its_movement(place):
    _village, provider, providers = place
    paid(place)
    payout_id = provider.pay_out(PRICE - FEE, listed=list(provider.transactions))
    reconcile(providers, LATER)
    later = NOW + timedelta(days=20)
    paid(place, later - timedelta(days=1))
    reconcile(providers, later - HOUR)
    set_state(provider, payout_id, PayoutState.FAILED)
    provider.move("payout_reversal", payout_id, PRICE - FEE, at=later)
    reconcile(providers, later + HOUR)
    assert kinds(place) == ["payout_failed"]
    assert books(place)["payment:stripe"] == provider.balance == 2 * (PRICE - FEE)
    assert faults(place) == []


# --- events --------------------------------------------------------------------------------------


def test_an_event_that_did_not_reach_us_is_fetched_and_worked_off_once(place):
    village, provider, providers = place
    attempt = start(village, provider, providers)
    provider.pay(attempt)
    provider.transactions.clear()
    told = Event(
        "evt_1",
        "",
        "checkout.session.completed",
        About.ATTEMPT,
        attempt.provider_ref,
        "v",
        NOW,
        False,
    )
    provider.events.append((told, b"{}"))
    reconcile(providers, NOW + timedelta(minutes=1))
    assert get_booking(db.session(), attempt.reference).state == "confirmed"
    db.session.rollback()
    assert db.session.scalars(select(InboxEvent.state)).all() == ["done"]
    assert inbox.store_event("stripe", told, b"{}", NOW) is False
    assert written(lambda: reconcile(providers, NOW + timedelta(minutes=2))) == []


# --- trouble -------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["list_undelivered", "list_payouts", "list_transactions"])
def test_one_accounts_trouble_does_not_stop_the_next(app, what, caplog):
    first, second = telling_village(), telling_village("other")
    broken, sound = first[1], second[1]
    providers = {**first[2], **second[2]}
    for place, provider in ((first, broken), (second, sound)):
        attempt = start(place[0], provider, providers)
        provider.pay(attempt)
    broken.down.add(what)
    assert reconcile(providers, LATER) == 1
    assert len(movements()) == 1
    assert "Guest" not in caplog.text
    assert "guest@" not in caplog.text
    broken.down.clear()
    assert reconcile(providers, LATER) == 2
    assert len(movements()) == 2


# --- clearing ------------------------------------------------------------------------------------


def unexplained(place, amount):
    _village, provider, providers = place
    paid(place)
    made = provider.move("adjustment", "", amount)
    reconcile(providers, LATER)
    return movements()[made.id].id


@pytest.mark.parametrize(
    ("amount", "how", "account", "moved"),
    [
        (700, Clearing.RETURNED, "payment:promptpay", -700),
        (-700, Clearing.RETURNED, "payment:promptpay", 700),
        (700, Clearing.FUND, "fund:mgmt", 700),
    ],
)
def test_clearing_moves_money_the_right_way_and_closes_the_work(place, amount, how, account, moved):
    village = place[0]
    row = unexplained(place, amount)
    assert books(place)["suspense"] == amount
    clear_suspense(village.id, row, how, " KTB\n 1234 ", village.person_id, LATER)
    assert books(place)["suspense"] == 0
    assert books(place)[account] == moved
    item = db.session.scalars(select(WorkItem)).one()
    assert (item.closed_by, item.note) == (village.person_id, "KTB 1234")
    assert faults(place) == []


def test_a_cost_that_the_fund_does_not_hold_is_refused(place):
    village = place[0]
    row = unexplained(place, -700)
    before = (books(place), rows())
    with pytest.raises(FundTooLow):
        clear_suspense(village.id, row, Clearing.FUND, "fee", village.person_id, LATER)
    assert (books(place), rows()) == before
    assert kinds(place) == ["unknown_money"]


def test_the_fund_bears_a_cost_that_it_holds(place):
    village, provider, providers = place
    row = unexplained(place, 1_000)
    clear_suspense(village.id, row, Clearing.FUND, "found", village.person_id, LATER)
    made = provider.move("fee", "", -400, at=LATER)
    reconcile(providers, LATER + timedelta(minutes=10))
    cost = movements()[made.id].id
    clear_suspense(village.id, cost, Clearing.FUND, "fee", village.person_id, LATER)
    assert books(place)["fund:mgmt"] == 600
    assert books(place)["suspense"] == 0
    assert faults(place) == []


def test_clearing_twice_without_proof_or_from_elsewhere_is_refused(place):
    village = place[0]
    row = unexplained(place, 700)
    other = factories.make_community()
    with pytest.raises(NoteMissing):
        clear_suspense(village.id, row, Clearing.RETURNED, "  ", village.person_id, LATER)
    with pytest.raises(NotFound):
        clear_suspense(other, row, Clearing.RETURNED, "x", village.person_id, LATER)
    expected = next(each.id for each in movements().values() if each.is_expected)
    with pytest.raises(NotFound):
        clear_suspense(village.id, expected, Clearing.RETURNED, "x", village.person_id, LATER)
    assert rows()["suspense_move"] == 0
    clear_suspense(village.id, row, Clearing.RETURNED, "x", village.person_id, LATER)
    before = (books(place), rows())
    with pytest.raises(StateForbids):
        clear_suspense(village.id, row, Clearing.FUND, "x", village.person_id, LATER)
    assert (books(place), rows()) == before


_numbers = count(1)
ONE = st.tuples(
    st.sampled_from(["charge", "adjustment", "fee"]),
    st.integers(-50_000, 50_000).filter(bool),
    st.integers(0, 500),
    st.sampled_from(list(Clearing)),
)


@settings(
    max_examples=60 if DEEP else 12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(moved=st.lists(ONE, min_size=1, max_size=6))
def test_after_clearing_everything_suspense_is_empty_and_the_books_are_clean(sqlite_app, moved):
    place = telling_village(f"stripe-{next(_numbers)}")  # examples share one database
    village, provider, providers = place
    paid(place)
    wanted = {}
    for kind, amount, fee, how in moved:
        wanted[provider.move(kind, "", amount, fee).id] = how
    reconcile(providers, LATER)
    assert books(place)[f"payment:{provider.name}"] == provider.balance
    stored = movements()
    own = [stored[name] for name in wanted]
    assert books(place)["suspense"] == sum(each.net_satang for each in own)
    for each in sorted(own, key=lambda row: -row.suspense_satang):  # gains first, then costs
        if not each.suspense_satang:
            continue
        how = wanted[each.transaction_id]
        try:
            clear_suspense(village.id, each.id, how, "proof", village.person_id, LATER)
        except FundTooLow:
            how = Clearing.RETURNED
            clear_suspense(village.id, each.id, how, "proof", village.person_id, LATER)
    assert books(place)["suspense"] == 0
    assert work(place) == []
    assert faults(place) == []
