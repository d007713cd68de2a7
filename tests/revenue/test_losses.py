"""Money back after the sharing-out: shares bear it, households owe, everything stays explained."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from cbt.audit.findings import Check, Fault
from cbt.audit.verify import verify
from cbt.bookings.models import Booking
from cbt.db import db, transaction
from cbt.errors import (
    AccountUnknown,
    AmountInvalid,
    BalanceTooLow,
    ChoiceWaits,
    CorrectionInvalid,
    FreeTooLow,
    NoteMissing,
    NotFound,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.ledger import services as ledger
from cbt.ledger.entries import Draft, Leg
from cbt.ledger.models import Entry
from cbt.ledger.queries import balances
from cbt.payments import give_back, goodwill
from cbt.payments.disputes import take_in_dispute
from cbt.payments.goodwill import Goodwill
from cbt.payments.models import Capture, PaymentAccount, Refund
from cbt.payments.provider import (
    DisputeState,
    NormalisedDispute,
    NormalisedRefund,
    RefundState,
)
from cbt.revenue import fund_use, losses, take_back
from cbt.revenue.funds import Evidence
from cbt.revenue.models import Correction, Recovery, TakeBack
from cbt.revenue.payout_queries import list_standings
from cbt.revenue.taking_back import RecoveryKind
from tests import factories
from tests.concurrency import run_together
from tests.factories import PROVIDERS
from tests.scripted import Scripted
from tests.site import NOW
from tests.tamper import drop_triggers, tamper

EVENING = NOW + timedelta(days=2)
LATER = EVENING + timedelta(days=3)


@pytest.fixture
def village(app):
    """A settled departure of two bookings and three households."""
    village = factories.make_village()
    for party in ({"ADULT": 2}, {"ADULT": 3}):
        factories.book(village, party)
    factories.record_work(village, ("H01", "boat", 1), ("H02", "guide", 1), ("H03", "cook", 1))
    factories.settle(village, EVENING)
    return village


def give(village, satang, reference=None, now=LATER):
    reference = reference or db.session.scalar(select(Booking.reference).order_by(Booking.id))
    wanted = Goodwill(amount_satang=satang)
    agreed = goodwill.quote_goodwill(village.id, reference, wanted, now)
    goodwill.ask_goodwill(village.id, reference, wanted, agreed, village.person_id, now)
    give_back.send_refunds(PROVIDERS, now)


def books(village):
    db.session.rollback()
    return balances(db.session(), village.card.book_id)


def faults(village):
    db.session.rollback()
    return [each for outcome in verify(db.session(), village.card) for each in outcome.findings]


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def move(village, source, target, satang):
    """Money that left or came some other way, so that an account has too little."""
    with transaction() as session:
        key = f"test:{source}:{target}:{satang}"
        leg = Leg(source, target, satang, "test")
        draft = Draft(
            kind="test", subject="test", effective_on=NOW.date(), legs=(leg,), key=key, actor=""
        )
        ledger.post(session, village.card.book_id, draft, LATER)


def test_a_refund_after_the_sharing_out_is_borne_by_fund_and_household_alike(village):
    before = books(village)
    give(village, 40_000)
    paid = books(village)
    assert paid["given_back"] == 40_000
    assert paid["guest_deposit"] == 0
    assert faults(village) == []  # sent, and not borne yet: that is no fault
    assert take_back.take_back_losses(LATER) == 1
    after = books(village)
    assert after["given_back"] == 0
    bore = {code: before[code] - after[code] for code in before if before[code] != after[code]}
    shares = {code: part for code, part in bore.items() if not code.startswith("payment:")}
    assert sum(shares.values()) == 40_000
    assert {"fund:welfare", "household:H01", "household:H02", "household:H03"} <= set(shares)
    assert all(after[f"receivable:{code}"] == 0 for code in ("H01", "H02", "H03"))
    assert faults(village) == []


def test_doing_it_again_changes_nothing(village):
    give(village, 40_000)
    take_back.take_back_losses(LATER)
    before = (books(village), count(Entry), count(TakeBack), count(Recovery))
    assert take_back.take_back_losses(LATER) == 0
    assert (books(village), count(Entry), count(TakeBack), count(Recovery)) == before


def test_eight_workers_at_once_take_back_once(app, village):
    give(village, 40_000)
    [loss] = losses.list_open_losses(db.session())
    db.session.rollback()
    results = run_together(app, lambda _number: take_back.take_back(loss.booking_id, LATER), 8)
    assert sorted(results) == [False] * 7 + [True]
    assert count(TakeBack) == 1
    assert faults(village) == []


def lose(village, state, now):
    """What the bank of the first booking's guest has decided about the whole payment."""
    db.session.rollback()
    paid = db.session.scalars(select(Capture).order_by(Capture.id)).first()
    account = db.session.scalar(
        select(PaymentAccount.id).where(
            PaymentAccount.community_id == village.id, PaymentAccount.provider == "demo"
        )
    )
    fields = (paid.payment_id, paid.amount_satang, 0, state, "fraudulent", NOW, None)
    db.session.rollback()
    take_in_dispute(account, NormalisedDispute("dp_back", *fields), now)


def test_a_borne_loss_that_the_bank_gives_back_goes_back_to_those_who_bore_it(village):
    """The books hold it for them until then: no provider's news is refused for it."""
    before = books(village)
    lose(village, DisputeState.LOST, LATER)
    assert take_back.take_back_losses(LATER) == 1
    assert books(village)["given_back"] == 0
    lose(village, DisputeState.WON, LATER + timedelta(days=30))
    assert books(village)["given_back"] == -90_000
    assert faults(village) == []
    assert take_back.take_back_losses(LATER + timedelta(days=30)) == 1
    after = books(village)
    shares = ("fund:", "household:", "receivable:", "given_back")
    assert {each: after[each] for each in after if each.startswith(shares)} == {
        each: before[each] for each in before if each.startswith(shares)
    }
    assert faults(village) == []


def test_a_borne_refund_that_comes_back_from_the_bank_is_taken_in(village):
    give(village, 40_000)
    take_back.take_back_losses(LATER)
    db.session.rollback()
    [refund] = db.session.scalars(select(Refund)).all()
    bank = Scripted()
    ref = str(refund.provider_ref)
    bank.refunds[ref] = NormalisedRefund(RefundState.FAILED, 0, ref)
    give_back.take_in_refund(refund.id, bank.among, LATER)
    db.session.rollback()
    assert db.session.scalar(select(Refund.state)) == RefundState.FAILED
    assert books(village)["given_back"] == -40_000
    assert faults(village) == []


def test_a_whole_refund_in_steps_leaves_no_share_of_the_booking(app):
    village = factories.make_village()
    factories.book(village, {"ADULT": 2})
    factories.record_work(village, ("H01", "boat", 1), ("H02", "guide", 1))
    factories.settle(village, EVENING)
    move(village, "payment:demo", "fund:mgmt", 10_000)  # it must bear costs and fee as well
    for satang in (1, 33_333, 20_000, 36_666):
        give(village, satang)
        take_back.take_back_losses(LATER)
    after = books(village)
    shares = {
        code: after[code]
        for code in after
        if code.startswith(("household:", "receivable:", "fund:")) and code != "fund:mgmt"
    }
    assert set(shares.values()) == {0}
    assert after["given_back"] == 0


def test_a_household_that_was_paid_out_owes_its_part_and_never_goes_below_zero(village):
    paid = books(village)["household:H01"]
    move(village, "household:H01", "payment:promptpay", paid)
    give(village, 40_000)
    take_back.take_back_losses(LATER)
    after = books(village)
    assert after["household:H01"] == 0
    assert after["receivable:H01"] > 0
    [debt] = losses.list_debts(db.session(), village.id, village.card.book_id)
    assert (debt.household, debt.owed_satang) == ("H01", after["receivable:H01"])


def test_a_payout_pays_a_debt_back_and_never_more_than_is_owed(village):
    paid = books(village)["household:H01"]
    move(village, "household:H01", "payment:promptpay", paid)
    give(village, 40_000)
    take_back.take_back_losses(LATER)
    owed = books(village)["receivable:H01"]
    move(village, "payment:demo", "household:H01", 100_000)
    book_id = village.card.book_id
    with pytest.raises(BalanceTooLow), transaction() as session:
        kind = RecoveryKind.PAYOUT
        take_back.recover(session, village.id, book_id, "H01", kind, owed + 1, "payout:1", LATER)
    assert count(Recovery) == 2  # what the two others paid out of their unpaid earnings
    with transaction() as session:
        kind = RecoveryKind.PAYOUT
        take_back.recover(session, village.id, book_id, "H01", kind, owed, "payout:1", LATER)
    assert books(village)["receivable:H01"] == 0


def test_a_fund_with_too_little_lets_the_loss_wait_and_nothing_is_half_written(village):
    move(village, "fund:welfare", "payment:promptpay", books(village)["fund:welfare"])
    give(village, 40_000)
    before = books(village)
    assert take_back.take_back_losses(LATER) == 0
    assert (books(village), count(TakeBack), count(Recovery)) == (before, 0, 0)
    assert len(losses.list_open_losses(db.session())) == 1
    move(village, "payment:demo", "fund:welfare", 50_000)
    assert take_back.take_back_losses(LATER) == 1


def test_the_split_of_the_booking_stays_what_it_was(village):
    db.session.rollback()
    splits = select(Entry.hash).where(Entry.kind.in_(("split", "sharing_out")))
    before = db.session.scalars(splits).all()
    give(village, 40_000)
    take_back.take_back_losses(LATER)
    assert db.session.scalars(splits).all() == before
    assert faults(village) == []


def test_never_more_goes_back_than_was_paid(village):
    give(village, 90_000)
    with pytest.raises(goodwill.RefundTooLarge):
        give(village, 1)
    assert count(Refund) == 1


def dispute(village, state, fee=53_500):
    db.session.rollback()
    paid = db.session.scalars(select(Capture).order_by(Capture.id)).first()
    account = db.session.scalar(
        select(PaymentAccount.id).where(PaymentAccount.provider == paid.provider)
    )
    told = NormalisedDispute(
        provider_ref="dp_1",
        payment_id=paid.payment_id,
        amount_satang=paid.amount_satang,
        fee_satang=fee,
        state=state,
        reason="general",
        opened_at=LATER,
        evidence_until=None,
    )
    db.session.rollback()
    take_in_dispute(account, told, LATER)


def test_a_lost_dispute_is_borne_by_the_shares_and_its_cost_by_the_group(village):
    move(village, "payment:demo", "fund:mgmt", 100_000)
    before = books(village)
    dispute(village, DisputeState.OPEN)
    take_back.take_back_losses(LATER)
    opened = books(village)
    assert before["fund:mgmt"] - opened["fund:mgmt"] == 53_500
    dispute(village, DisputeState.LOST)
    take_back.take_back_losses(LATER)
    after = books(village)
    assert after["given_back"] == 0
    owns = ("fund:", "household:", "receivable:")
    lost = sum(before[code] - after[code] for code in before if code.startswith(owns))
    assert lost == 90_000 + 53_500
    assert after["household:H01"] < before["household:H01"]


def test_a_won_dispute_costs_its_fee_alone(village):
    move(village, "payment:demo", "fund:mgmt", 100_000)
    before = books(village)
    dispute(village, DisputeState.OPEN)
    dispute(village, DisputeState.WON)
    take_back.take_back_losses(LATER)
    after = books(village)
    assert before["fund:mgmt"] - after["fund:mgmt"] == 53_500
    assert before["household:H01"] == after["household:H01"]
    assert after["given_back"] == 0


# --- corrections ---------------------------------------------------------------------------------


def ask(village, source="household:H01", target="household:H02", satang=500, **changes):
    values = {"reason": "the boat was H02's", "concerns_on": NOW.date()} | changes
    return take_back.ask_correction(
        village.id,
        source,
        target,
        satang,
        values["reason"],
        values["concerns_on"],
        village.person_id,
        LATER,
    )


def decide(village, correction_id, person_id=None, agree=True):
    person_id = person_id or factories.make_person()
    take_back.decide_correction(village.id, correction_id, person_id, LATER, agree=agree)


def test_a_correction_moves_money_once_a_second_person_agreed(village):
    before = books(village)
    number = ask(village)
    assert books(village) == before
    decide(village, number)
    after = books(village)
    assert before["household:H01"] - after["household:H01"] == 500
    assert after["household:H02"] - before["household:H02"] == 500
    assert after["receivable:H01"] == 0
    assert faults(village) == []


def test_a_correction_that_takes_from_a_household_paid_out_becomes_its_debt(village):
    move(village, "household:H01", "payment:promptpay", books(village)["household:H01"])
    decide(village, ask(village))
    after = books(village)
    assert (after["household:H01"], after["receivable:H01"]) == (0, 500)


def test_a_debt_is_waived_at_a_funds_cost_by_two_people(village):
    move(village, "household:H01", "payment:promptpay", books(village)["household:H01"])
    decide(village, ask(village))
    decide(village, ask(village, "fund:mgmt", "receivable:H01"))
    assert books(village)["receivable:H01"] == 0


def test_who_asked_cannot_agree_but_may_withdraw(village):
    number = ask(village)
    before = books(village)
    with pytest.raises(SecondPersonNeeded):
        decide(village, number, village.person_id)
    decide(village, number, village.person_id, agree=False)
    with pytest.raises(StateForbids):
        decide(village, number)
    assert books(village) == before


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"satang": 0}, AmountInvalid),
        ({"satang": -5}, AmountInvalid),
        ({"reason": "  "}, NoteMissing),
        ({"reason": "a\x00b"}, NoteMissing),
        ({"reason": "x" * 501}, NoteMissing),
        ({"source": "guest_deposit"}, CorrectionInvalid),
        ({"target": "payment:promptpay"}, CorrectionInvalid),
        ({"source": "household:H99"}, AccountUnknown),
        ({"concerns_on": LATER.date() + timedelta(days=1)}, CorrectionInvalid),
    ],
)
def test_a_correction_that_cannot_be_is_refused_and_nothing_is_written(village, changes, error):
    with pytest.raises(error):
        ask(village, **changes)
    assert count(Correction) == 0


def test_another_communitys_correction_is_not_found(village):
    number = ask(village)
    other = factories.make_village()
    with pytest.raises(NotFound):
        take_back.decide_correction(other.id, number, factories.make_person(), LATER, agree=True)


def test_two_who_agree_at_once_move_it_once(app, village):
    number, before = ask(village), books(village)
    people = [factories.make_person() for _ in range(4)]

    results = run_together(app, lambda each: decide(village, number, people[each]), 4)
    assert sorted(type(each).__name__ for each in results) == ["NoneType", *["StateForbids"] * 3]
    assert before["household:H01"] - books(village)["household:H01"] == 500


# --- the audit sees it ---------------------------------------------------------------------------


@pytest.fixture
def borne(village):
    give(village, 40_000)
    take_back.take_back_losses(LATER)
    decide(village, ask(village))
    assert faults(village) == []
    drop_triggers("take_back", "recovery", "leg")
    return village


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE take_back SET lost_satang = lost_satang + 1", Fault.LOSS_DIFFERS),
        ("UPDATE take_back SET facts = facts || 'x'", Fault.FACTS_CHANGED),
        ("DELETE FROM take_back", Fault.ENTRY_UNEXPLAINED),
        ("DELETE FROM recovery", Fault.ENTRY_UNEXPLAINED),
        ("UPDATE recovery SET amount_satang = amount_satang - 1", Fault.AMOUNT_DIFFERS),
        ("UPDATE correction SET amount_satang = 501", Fault.AMOUNT_DIFFERS),
        ("UPDATE correction SET reason = 'another'", Fault.FACTS_UNFIT),
        ("UPDATE correction SET state = 'refused'", Fault.ENTRY_UNEXPLAINED),
        ("UPDATE refund SET was_split = false", Fault.AMOUNT_DIFFERS),
    ],
)
def test_the_audit_names_what_was_altered(borne, statement, fault):
    tamper(statement)
    assert fault in {each.fault for each in faults(borne)}


def test_a_loss_is_looked_at_where_something_was_settled(village):
    outcomes = {outcome.check: outcome for outcome in verify(db.session(), village.card)}
    assert outcomes[Check.LOSSES].looked_at > 0


def test_facts_of_losses_cannot_be_changed(village):
    give(village, 40_000)
    take_back.take_back_losses(LATER)
    for statement in ("UPDATE take_back SET lost_satang = 1", "DELETE FROM recovery"):
        with pytest.raises(Exception, match="append-only"), transaction() as session:
            session.execute(text(statement))


def test_a_booking_that_is_still_to_be_shared_out_waits(app):
    village = factories.make_village()
    factories.book(village)
    dispute(village, DisputeState.LOST, fee=0)
    db.session.rollback()
    assert db.session.scalar(select(Booking.state)) == "confirmed"
    assert take_back.take_back_losses(NOW) == 0


def test_a_dispute_over_a_booking_of_which_nothing_was_kept_stops_no_payout(app):
    village = factories.make_village(on=factories.TOMORROW + timedelta(days=60))
    gone = factories.book(village, {"ADULT": 2})
    factories.cancel_booking(gone)
    give_back.send_refunds(PROVIDERS, NOW)
    dispute(village, DisputeState.LOST, fee=0)
    take_back.take_back_losses(NOW)  # before anything was shared out: the group bears it
    factories.book(village, {"ADULT": 3})
    evening = NOW + timedelta(days=63)
    factories.record_work(village, ("H01", "boat", 1), now=evening)
    factories.settle(village, evening)
    assert faults(village) == []
    standings = list_standings(db.session(), village.id, village.card.book_id)
    assert standings[0].payable_satang > 0


def test_nothing_is_shared_out_while_a_party_chooses(app):
    village = factories.make_village()
    factories.cancel_booking(factories.book(village))  # a part of it is retained
    factories.book(village)
    factories.call_off_departure(village)
    factories.record_work(village, ("H01", "boat", 1))
    with pytest.raises(ChoiceWaits):
        factories.settle(village, EVENING)


def test_what_a_fund_promised_is_not_moved(village):
    have = books(village)["fund:welfare"]
    claim = fund_use.request_claim(
        village.id,
        *("welfare", "illness", "H01", "Ms H01", "hospital", have, "a bill"),
        Evidence("bill.pdf", b"%PDF-1.7 bill"),
        village.person_id,
        LATER,
    )
    for _ in range(2):
        fund_use.approve_claim(village.id, claim, factories.make_person(), LATER)
    before = books(village)
    with pytest.raises(FreeTooLow):
        decide(village, ask(village, "fund:welfare", "household:H02", 1))
    assert books(village) == before


def test_goodwill_after_the_sharing_out_that_the_bank_gave_is_not_sent_too(village):
    """A lost dispute pays what the guest was promised and did not get; the shares bear it once."""
    reference = db.session.scalar(select(Booking.reference).order_by(Booking.id))
    wanted = Goodwill(amount_satang=20_000)
    agreed = goodwill.quote_goodwill(village.id, reference, wanted, LATER)
    goodwill.ask_goodwill(village.id, reference, wanted, agreed, village.person_id, LATER)
    dispute(village, DisputeState.OPEN, fee=0)
    dispute(village, DisputeState.LOST, fee=0)
    db.session.rollback()
    refund = db.session.scalars(select(Refund)).one()
    assert (refund.state, refund.by_bank_at) == (RefundState.CANCELLED, LATER)
    assert give_back.send_refunds(PROVIDERS, LATER) == 0
    take_back.take_back_losses(LATER)
    lost, cost = db.session.execute(select(TakeBack.lost_satang, TakeBack.cost_satang)).one()
    assert (lost, cost) == (90_000, 0)
    assert faults(village) == []


def test_what_the_bank_took_back_of_such_a_dispute_is_owed_to_the_guest_again(village):
    reference = db.session.scalar(select(Booking.reference).order_by(Booking.id))
    wanted = Goodwill(amount_satang=20_000)
    agreed = goodwill.quote_goodwill(village.id, reference, wanted, LATER)
    goodwill.ask_goodwill(village.id, reference, wanted, agreed, village.person_id, LATER)
    for state in (DisputeState.OPEN, DisputeState.LOST, DisputeState.WON):
        dispute(village, state, fee=0)
    db.session.rollback()
    states = [each.state for each in db.session.scalars(select(Refund).order_by(Refund.id))]
    assert states == [RefundState.CANCELLED, RefundState.APPROVED]
    give_back.send_refunds(PROVIDERS, LATER)
    take_back.take_back_losses(LATER)
    assert db.session.scalar(select(func.sum(TakeBack.lost_satang))) == 20_000
    assert faults(village) == []


def test_a_correction_that_was_sent_twice_is_asked_for_once(village):
    first = ask(village)
    assert ask(village) == first
    assert ask(village, reason="the net was H02's") != first
    assert count(Correction) == 2
    decide(village, first)
    assert ask(village) not in (None, first)
