"""Refunds on their way: approved, sent, waiting for the guest, failed, made by hand, come back."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from cbt.audit.verify import verify
from cbt.bookings.queries import get_booking
from cbt.db import db, transaction
from cbt.errors import (
    AmountInvalid,
    BalanceTooLow,
    MethodClosed,
    NoteMissing,
    NotFound,
    StateForbids,
)
from cbt.ledger.models import Entry
from cbt.ledger.queries import balances
from cbt.notices.models import Notice
from cbt.payments import cash, give_back, queries
from cbt.payments.models import CaptureBalance, PaymentAccount, Refund, RefundReturn
from cbt.payments.money_rules import MoneyRules, get_money_rules, set_money_rules
from cbt.payments.provider import NormalisedRefund, RefundState, can_refund_move
from cbt.payments.refund_rules import is_reminder_due, state_at_birth
from cbt.payments.reported import WorkItem
from tests import factories
from tests.concurrency import run_together
from tests.factories import PROVIDERS, TOMORROW
from tests.scripted import Scripted
from tests.site import NOW

FAR = TOMORROW + timedelta(days=60)
LATER = NOW + timedelta(days=3)
S = RefundState
COLUMNS = [column.key for column in Refund.__table__.columns]


@pytest.fixture
def village(app):
    return factories.make_village(on=FAR)


@pytest.fixture
def bank():
    return Scripted()


def cancelled(village, party=None):
    """A paid booking that its guest cancelled in time: all of it goes back."""
    reference = factories.book(village, party)
    factories.cancel_booking(reference)
    return reference


def the_refund():
    db.session.rollback()
    return db.session.scalars(select(Refund).order_by(Refund.id)).one()


def faults(village):
    db.session.rollback()
    return [each for outcome in verify(db.session(), village.card) for each in outcome.findings]


def mails(kind):
    db.session.rollback()
    return db.session.scalars(select(Notice).where(Notice.kind == kind)).all()


def work():
    db.session.rollback()
    return db.session.scalars(select(WorkItem).order_by(WorkItem.id)).all()


def in_books(village):
    db.session.rollback()
    return balances(db.session(), village.card.book_id)


def snapshot():
    """Everything that a refused act must leave as it was."""
    refund = the_refund()
    state = {name: getattr(refund, name) for name in COLUMNS}
    entries = db.session.scalars(select(Entry.hash).order_by(Entry.id)).all()
    balance = db.session.scalars(select(CaptureBalance.returning_satang)).all()
    return state, entries, balance, len(db.session.scalars(select(Notice.id)).all())


# --- from the provider ---------------------------------------------------------------------------


def test_a_refund_that_is_sent_is_done_once_the_provider_says_so(village, bank):
    cancelled(village)
    assert give_back.send_refunds(bank.among, NOW) == 0
    refund = the_refund()
    assert (refund.state, refund.sent_at, refund.done_at) == (S.SENT, NOW, None)
    assert in_books(village)["guest_deposit"] == 90_000
    assert give_back.look_up_refunds(bank.among, NOW) == 1
    assert the_refund().state == S.SENT
    bank.tell_all(S.SUCCEEDED, LATER)
    give_back.look_up_refunds(bank.among, LATER)
    refund = the_refund()
    assert (refund.state, refund.done_at, refund.done_by) == (S.SUCCEEDED, LATER, "demo")
    assert refund.paid_from == "demo"
    assert in_books(village)["guest_deposit"] == 0
    assert len(mails("refund_done")) == 1
    assert give_back.look_up_refunds(bank.among, LATER) == 0
    assert faults(village) == []


def test_the_provider_gets_a_key_that_never_changes_and_where_to_reach_the_guest(village, bank):
    reference = cancelled(village)
    bank.is_down = True
    before = snapshot()
    assert give_back.send_refunds(bank.among, NOW) == 0
    assert the_refund().asked_at == NOW  # it may have been made
    assert snapshot() == ({**before[0], "asked_at": NOW}, *before[1:])
    bank.is_down = False
    bank.loses_answers = True  # it was done there, and we do not know
    assert give_back.send_refunds(bank.among, LATER) == 0
    assert (the_refund().state, the_refund().asked_at) == (S.APPROVED, NOW)
    bank.loses_answers = False
    give_back.send_refunds(bank.among, LATER)
    give_back.send_refunds(bank.among, LATER)
    assert the_refund().state == S.SENT
    [first] = bank.asked  # then it was looked up
    payment_id = queries.list_captures(db.session(), [the_refund().booking_id])[0].payment_id
    assert first.key == f"refund-{reference}-{payment_id}-1"
    assert first.guest_email == "guest@example.org"
    assert len(bank.refunds) == 1


def test_reports_that_are_late_or_repeated_change_nothing(village, bank):
    cancelled(village)
    bank.first = S.SUCCEEDED
    assert give_back.send_refunds(bank.among, NOW) == 1
    before = snapshot()
    for state in (S.SENT, S.ACTION_REQUIRED, S.APPROVED, S.SUCCEEDED, S.REQUESTED):
        bank.tell_all(state, LATER)
        give_back.take_in_refund(the_refund().id, bank.among, LATER)
        assert snapshot() == before


def test_every_step_that_the_rule_forbids_is_ignored(village, bank):
    """Each state against each answer: what may not follow leaves the refund as it stood."""
    cancelled(village)
    bank.first = S.ACTION_REQUIRED
    give_back.send_refunds(bank.among, NOW)
    for told in S:
        if told not in (S.CANCELLED, S.ACTION_REQUIRED) and not can_refund_move(
            S.ACTION_REQUIRED, told
        ):
            bank.tell_all(told, NOW)
            before = snapshot()
            give_back.look_up_refunds(bank.among, NOW)
            assert snapshot() == before, told


def test_what_the_provider_gives_up_a_person_must_do(village, bank):
    cancelled(village)
    bank.first = S.ACTION_REQUIRED
    give_back.send_refunds(bank.among, NOW)
    bank.tell_all(S.CANCELLED, LATER)
    give_back.look_up_refunds(bank.among, LATER)
    assert the_refund().state == S.FAILED


def test_a_refund_is_found_by_the_name_that_the_provider_gives_it(village, bank):
    cancelled(village)
    give_back.send_refunds(bank.among, NOW)
    refund = the_refund()
    find = queries.find_refund_by_ref
    assert find(db.session(), "demo", str(refund.provider_ref)) == refund.id
    assert find(db.session(), "stripe", str(refund.provider_ref)) is None
    with pytest.raises(NotFound):
        give_back.take_in_refund(999, bank.among, NOW)


# --- the guest must act --------------------------------------------------------------------------


def test_a_guest_who_must_name_an_account_is_asked_at_once_and_reminded_twice(village, bank):
    cancelled(village)
    bank.first = S.ACTION_REQUIRED
    give_back.send_refunds(bank.among, NOW)
    refund = the_refund()
    assert (refund.state, refund.action_until) == (S.ACTION_REQUIRED, NOW + timedelta(days=10))
    assert len(mails("refund_needs_bank")) == 1
    days = []
    for hour in range(24 * 12):
        at = NOW + timedelta(hours=hour)
        if give_back.remind_refunds(at):
            days.append((at - NOW).days)
    assert days == [3, 9]
    assert len(mails("refund_needs_bank")) == 3
    assert [each.facts["until"] for each in mails("refund_needs_bank")] == [
        (NOW + timedelta(days=10)).isoformat()
    ] * 3


DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("until", "reminded", "now", "is_due"),
    [
        pytest.param(10, 0, 2.9, False, id="too-soon"),
        pytest.param(10, 0, 3, True, id="after-three-days"),
        pytest.param(10, 3, 8.9, False, id="between"),
        pytest.param(10, 3, 9, True, id="a-day-before-the-end"),
        pytest.param(10, 9, 9.5, False, id="both-said"),
        pytest.param(10, 0, 10, False, id="over"),
        pytest.param(3, 0, 2, True, id="short-time-the-last-day-only"),
        pytest.param(3, 2, 2.9, False, id="short-time-said"),
        pytest.param(None, 0, 3, True, id="no-end-known"),
        pytest.param(None, 3, 90, False, id="no-end-known-said"),
    ],
)
def test_when_a_reminder_is_due(until, reminded, now, is_due):
    end = None if until is None else NOW + until * DAY
    assert is_reminder_due(NOW, end, NOW + reminded * DAY, NOW + now * DAY) is is_due


# --- failed, and by hand -------------------------------------------------------------------------


def failed(village, bank):
    reference = cancelled(village)
    bank.first = S.FAILED
    give_back.send_refunds(bank.among, NOW)
    return reference


def test_a_refund_that_failed_is_made_by_hand_out_of_the_bank(village, bank):
    reference = failed(village, bank)
    refund = the_refund()
    assert refund.state == S.FAILED
    [item] = work()
    assert (item.kind, item.facts["reference"]) == ("refund_failed", reference)
    assert len(mails("refund_delayed")) == 1
    assert in_books(village)["guest_deposit"] == 90_000
    give_back.note_refund_made(
        village.id, refund.id, " KTB-77 ", village.person_id, bank.among, LATER
    )
    refund = the_refund()
    assert (refund.state, refund.proof, refund.paid_from) == (S.SUCCEEDED, "KTB-77", "promptpay")
    assert refund.done_by == f"person:{village.person_id}"
    books = in_books(village)
    assert (books["guest_deposit"], books["payment:promptpay"]) == (0, -90_000)
    assert work()[0].note == "KTB-77"
    assert len(mails("refund_done")) == 1
    assert faults(village) == []


def test_a_refund_that_the_provider_refuses_for_good_is_a_persons_to_make(village, bank):
    reference = cancelled(village)
    bank.refuses = "charge_disputed"
    assert give_back.send_refunds(bank.among, NOW) == 0
    give_back.send_refunds(bank.among, NOW)
    assert len(bank.asked) == 1
    assert (the_refund().state, the_refund().failure) == (S.FAILED, "charge_disputed")
    [item] = work()
    assert (item.kind, item.facts["problem"]) == ("refund_failed", "charge_disputed")
    assert item.facts["reference"] == reference
    assert faults(village) == []


def test_what_the_provider_says_after_a_person_has_to_act_moves_nothing(village, bank):
    failed(village, bank)
    bank.tell_all(S.SUCCEEDED, LATER)
    give_back.take_in_refund(the_refund().id, bank.among, LATER)
    assert the_refund().state == S.FAILED
    assert [each.kind for each in work()] == ["refund_failed", "answer_wrong"]
    refund_id = the_refund().id
    give_back.note_refund_made(village.id, refund_id, "A1", village.person_id, bank.among, LATER)
    before = snapshot()
    bank.tell_all(S.FAILED, LATER)
    give_back.take_in_refund(refund_id, bank.among, LATER)
    assert snapshot() == before
    assert faults(village) == []


def test_money_that_a_bank_sends_back_days_later_is_owed_again(village, bank):
    reference = cancelled(village)
    bank.first = S.SUCCEEDED
    give_back.send_refunds(bank.among, NOW)
    assert in_books(village)["guest_deposit"] == 0
    bank.tell_all(S.FAILED, LATER, "closed account")
    give_back.take_in_refund(the_refund().id, bank.among, LATER)
    give_back.take_in_refund(the_refund().id, bank.among, LATER)
    refund = the_refund()
    assert (refund.state, refund.done_at, refund.paid_from) == (S.FAILED, None, None)
    assert refund.failure == "closed account"
    [returned] = db.session.scalars(select(RefundReturn)).all()
    assert (returned.number, returned.paid_from, returned.made_at) == (1, "demo", NOW)
    assert in_books(village)["guest_deposit"] == 90_000
    assert [each.kind for each in work()] == ["refund_failed"]
    assert queries.get_money(db.session(), refund.booking_id).kept_satang == 0
    assert faults(village) == []
    give_back.note_refund_made(village.id, refund.id, "B2", village.person_id, bank.among, LATER)
    assert in_books(village)["guest_deposit"] == 0
    kinds = db.session.scalars(
        select(Entry.kind).where(Entry.subject == f"booking:{reference}").order_by(Entry.seq)
    ).all()
    assert kinds == ["capture", "fee", "refund", "refund_return", "refund"]
    assert len(mails("refund_done")) == 2
    assert faults(village) == []


def fill_cash_box(village):
    """A guest pays 900 baht in cash."""
    reference = factories.hold(village)
    cash.take_cash(village.id, reference, village.person_id, LATER - timedelta(days=3), PROVIDERS)


def test_by_hand_money_comes_from_the_bank_or_from_a_cash_box_that_holds_it(village, bank):
    failed(village, bank)
    refund_id = the_refund().id
    before = snapshot()
    for other, error in (
        ("cash", BalanceTooLow),
        ("stripe", MethodClosed),
        ("demo", MethodClosed),
        ("", MethodClosed),
    ):
        with pytest.raises(error):
            give_back.note_refund_made(
                village.id, refund_id, "C3", village.person_id, bank.among, LATER, other
            )
    assert snapshot() == before
    fill_cash_box(village)
    give_back.note_refund_made(
        village.id, refund_id, "C3", village.person_id, bank.among, LATER, "cash"
    )
    assert in_books(village)["payment:cash"] == 0
    assert faults(village) == []


def test_who_takes_no_cash_gives_none_back(village, bank):
    failed(village, bank)
    with transaction() as session:
        session.execute(delete(PaymentAccount).where(PaymentAccount.provider == "cash"))
    assert give_back.list_by_hand_from(db.session(), village.id) == ["promptpay"]
    before = snapshot()
    with pytest.raises(MethodClosed):
        give_back.note_refund_made(
            village.id, the_refund().id, "C3", village.person_id, bank.among, LATER, "cash"
        )
    assert snapshot() == before


def test_noting_a_refund_by_hand_needs_a_proof_and_the_right_moment(village, bank):
    cancelled(village)
    refund_id = the_refund().id
    before = snapshot()
    refused = (
        (NoteMissing, village.id, "  ", PROVIDERS),
        (MethodClosed, village.id, "D4", bank.among),  # the provider returns it by itself
        (NotFound, factories.make_village().id, "D4", bank.among),
    )
    for error, community_id, proof, providers in refused:
        with pytest.raises(error):
            give_back.note_refund_made(
                community_id, refund_id, proof, village.person_id, providers, NOW
            )
    assert snapshot() == before
    give_back.send_refunds(bank.among, NOW)
    with pytest.raises(MethodClosed):
        give_back.note_refund_made(village.id, refund_id, "D4", village.person_id, bank.among, NOW)
    bank.tell_all(S.SUCCEEDED, NOW)
    give_back.look_up_refunds(bank.among, NOW)
    before = snapshot()
    with pytest.raises(StateForbids):
        give_back.note_refund_made(village.id, refund_id, "D4", village.person_id, bank.among, NOW)
    assert snapshot() == before


# --- approval above a limit ----------------------------------------------------------------------


def test_from_the_limit_on_what_is_owed_waits_for_anybody_of_the_community(village, bank):
    cancelled(village, {"ADULT": 5})  # 2,250 baht
    assert the_refund().state == S.REQUESTED
    assert len(mails("refund_coming")) == 1  # it is owed whatever they say
    assert give_back.send_refunds(bank.among, NOW) == 0
    assert bank.asked == []
    refund_id, person_id = the_refund().id, village.person_id
    before = snapshot()
    with pytest.raises(StateForbids):
        give_back.note_refund_made(village.id, refund_id, "E5", person_id, PROVIDERS, NOW)
    with pytest.raises(StateForbids):
        give_back.cancel_refund(village.id, refund_id, person_id)
    with pytest.raises(NotFound):
        give_back.approve_refund(factories.make_village().id, refund_id, person_id, NOW)
    assert snapshot() == before
    give_back.approve_refund(village.id, refund_id, person_id, LATER)
    refund = the_refund()
    assert (refund.state, refund.approved_by, refund.approved_at) == (S.APPROVED, person_id, LATER)
    before = snapshot()
    with pytest.raises(StateForbids):
        give_back.approve_refund(village.id, refund_id, person_id, LATER)
    assert snapshot() == before
    give_back.send_refunds(bank.among, NOW)
    assert the_refund().state == S.SENT
    assert len(mails("refund_coming")) == 1
    assert faults(village) == []


def test_parts_below_the_limit_wait_where_their_sum_is_above(village):
    reference = factories.book(village, {"ADULT": 3})
    factories.change_booking(reference, party={"ADULT": 5})
    factories.pay_by_demo(reference)
    factories.cancel_booking(reference)
    db.session.rollback()
    amounts = db.session.execute(select(Refund.amount_satang, Refund.state)).all()
    assert [tuple(row) for row in amounts] == [(90_000, S.REQUESTED), (135_000, S.REQUESTED)]


@pytest.mark.parametrize(
    ("satang", "state"), [(199_999, S.APPROVED), (200_000, S.REQUESTED), (1, S.APPROVED)]
)
def test_the_limit_itself_waits(satang, state):
    assert state_at_birth(satang, MoneyRules().approve_from_satang) == state


def test_a_community_sets_its_own_limits(village):
    assert get_money_rules(db.session(), village.id, NOW) == MoneyRules(500_000, 200_000)
    for wrong in (MoneyRules(0, 1), MoneyRules(1, -5)):
        with pytest.raises(AmountInvalid):
            set_money_rules(village.id, wrong, village.person_id, NOW)
    assert get_money_rules(db.session(), village.id, NOW) == MoneyRules()
    rules = MoneyRules(100_000, 50_000)
    set_money_rules(village.id, rules, village.person_id, NOW)
    assert get_money_rules(db.session(), village.id, NOW) == rules
    assert get_money_rules(db.session(), factories.make_village().id, NOW) == MoneyRules()
    cancelled(village)
    assert the_refund().state == S.REQUESTED


# --- rivals --------------------------------------------------------------------------------------


def outcomes(results):
    return sorted(
        type(each).__name__ if isinstance(each, Exception) else "done" for each in results
    )


def test_of_two_approvals_at_once_one_counts(app, village):
    cancelled(village, {"ADULT": 5})
    refund_id = the_refund().id
    people = [village.person_id, factories.make_person()]
    db.session.rollback()
    results = run_together(
        app, lambda n: give_back.approve_refund(village.id, refund_id, people[n], NOW), 2
    )
    assert outcomes(results) == ["StateForbids", "done"]
    assert the_refund().approved_by in people


def test_money_that_two_people_note_at_once_left_once(app, village, bank):
    failed(village, bank)
    refund_id = the_refund().id
    db.session.rollback()
    results = run_together(
        app,
        lambda n: give_back.note_refund_made(
            village.id, refund_id, f"F{n}", village.person_id, bank.among, LATER
        ),
        3,
    )
    assert outcomes(results) == ["StateForbids", "StateForbids", "done"]
    assert in_books(village)["guest_deposit"] == 0
    assert faults(village) == []


def test_workers_that_send_at_once_give_back_once(app, village, bank):
    cancelled(village)
    bank.first = S.SUCCEEDED
    db.session.rollback()
    run_together(app, lambda _: give_back.send_refunds(bank.among, NOW), 3)
    assert the_refund().state == S.SUCCEEDED
    assert len(bank.refunds) == 1
    assert in_books(village)["guest_deposit"] == 0
    assert len(mails("refund_done")) == 1
    assert faults(village) == []


def test_a_return_reported_twice_at_once_is_undone_once(app, village, bank):
    cancelled(village)
    bank.first = S.SUCCEEDED
    give_back.send_refunds(bank.among, NOW)
    bank.tell_all(S.FAILED, LATER)
    refund_id = the_refund().id
    db.session.rollback()
    run_together(app, lambda _: give_back.take_in_refund(refund_id, bank.among, LATER), 3)
    assert len(db.session.scalars(select(RefundReturn)).all()) == 1
    assert in_books(village)["guest_deposit"] == 90_000
    assert faults(village) == []


def test_a_refund_that_waited_before_the_states_came_is_done_as_ever(village):
    """A record of the time before: paid from nothing that was written down."""
    cancelled(village)
    give_back.send_refunds(PROVIDERS, NOW)
    with transaction() as session:
        session.execute(update(Refund).values(paid_from=None))
    assert faults(village) == []


def test_a_fee_that_came_back_with_a_refund_stays_when_the_refund_comes_back(app):
    """The demo returns its fee with the whole; a split may rest on that by the time it fails."""
    village = factories.make_village(on=FAR)
    reference = cancelled(village)
    give_back.send_refunds(PROVIDERS, NOW)
    fee = the_refund().fee_returned_satang
    assert fee > 0
    bank = Scripted()
    ref = str(the_refund().provider_ref)
    bank.refunds[ref] = NormalisedRefund(S.FAILED, 0, ref)
    give_back.take_in_refund(the_refund().id, bank.among, LATER)
    assert faults(village) == []
    refund_id = the_refund().id
    give_back.note_refund_made(village.id, refund_id, "G6", village.person_id, PROVIDERS, LATER)
    assert the_refund().fee_returned_satang == fee
    assert in_books(village)["payment_fee"] == 0
    assert get_booking(db.session(), reference).state == "cancelled"
    assert faults(village) == []
