"""The audit names the culprit after each kind of tampering, on both databases.

The tamperer owns the database: triggers are dropped, and the chain is recomputed where it helps.
"""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from cbt.audit.findings import Check, Fault, is_clean
from cbt.audit.verify import verify
from cbt.db import db, transaction
from cbt.ledger import entries, queries, services
from cbt.ledger.entries import Draft, Leg
from cbt.ledger.models import Book, Entry
from cbt.payments import accounts, cash, cash_box, give_back, take_in
from cbt.payments import credits as credits_
from cbt.payments.account_posting import Clearing
from cbt.payments.disputes import take_in_dispute
from cbt.payments.models import Attempt, Capture, CashBanked, Credit, Refund
from cbt.payments.provider import DisputeState, NormalisedDispute, RefundState
from cbt.payments.reconcile import reconcile
from cbt.payments.reported import ProviderPayout, ProviderTransaction
from cbt.payments.transactions import clear_suspense
from cbt.revenue.policy import DEFAULT, canonical, identity
from tests import factories
from tests.payments.telling import Telling, start
from tests.scripted import Scripted
from tests.site import NOW
from tests.tamper import drop_triggers, tamper

EVENING = NOW + timedelta(days=2)
FAR = factories.TOMORROW + timedelta(days=60)
TABLES = (
    *("entry", "leg", "ledger_account", "policy_version"),
    *("capture", "capture_fee", "settlement", "refund_return"),
    *("provider_transaction", "suspense_move", "credit_use", "cash_banked", "cash_cleared"),
)


@pytest.fixture
def village(app):
    """A settled departure of three bookings and three households."""
    village = factories.make_village()
    for party in ({"ADULT": 2}, {"ADULT": 1, "CHILD": 1}, {"ADULT": 3}):
        factories.book(village, party)
    factories.record_work(village, ("H01", "boat", 1), ("H02", "guide", 1), ("H03", "cook", 1))
    factories.settle(village, EVENING)
    assert is_clean(verify(db.session(), village.card))
    drop_triggers(*TABLES)
    return village


def rebuild_chain(village):
    """Recompute every hash, as somebody who knows the format would."""
    book_id = village.card.book_id
    db.session.rollback()
    book = queries.get_book(db.session(), book_id)
    posted = list(queries.stream_entries(db.session(), book_id))
    previous = book.genesis_hash
    with transaction() as session:
        for entry in posted:
            wording = entries.canonical(
                book.code, entry.seq, entry.recorded_at, entry.draft, previous
            )
            digest = entries.digest(wording)
            session.execute(
                Entry.__table__.update()
                .where(Entry.book_id == book_id, Entry.seq == entry.seq)
                .values(
                    previous_hash=previous,
                    hash=digest,
                    amount_satang=entries.total(entry.draft.legs),
                )
            )
            previous = digest
        session.execute(
            Book.__table__.update()
            .where(Book.id == book_id)
            .values(head_hash=previous, head_seq=posted[-1].seq)
        )


def found(village):
    """{check: [(fault, subject)]} of everything that the audit finds."""
    db.session.rollback()
    outcomes = verify(db.session(), village.card)
    return {
        outcome.check: [(finding.fault, finding.subject) for finding in outcome.findings]
        for outcome in outcomes
        if outcome.findings
    }


def one(statement):
    db.session.rollback()
    return db.session.execute(statement).first()


SPLIT = select(Entry.id, Entry.seq, Entry.subject).where(Entry.kind == "split").order_by(Entry.seq)
SHARING = select(Entry.id, Entry.seq, Entry.subject).where(Entry.kind == "sharing_out")


def test_one_leg_altered_behind_the_triggers(village):
    split = one(SPLIT)
    tamper(
        "UPDATE leg SET amount_satang = amount_satang + 1 WHERE entry_id = :id AND line = 2",
        id=split.id,
    )
    faults = found(village)
    assert (Fault.ENTRY_CHANGED, f"entry:{split.seq}") in faults[Check.CHAIN]
    assert (Fault.AMOUNT_DIFFERS, split.subject) in faults[Check.SPLITS]
    assert (Fault.TOTAL_DIFFERS, f"entry:{split.seq}") in faults[Check.LEGS]


def test_one_satang_moved_between_two_households_with_the_chain_recomputed(village):
    sharing = one(SHARING)
    tamper(
        "UPDATE leg SET amount_satang = amount_satang - 1 WHERE entry_id = :id AND line = 1",
        "UPDATE leg SET amount_satang = amount_satang + 1 WHERE entry_id = :id AND line = 2",
        """UPDATE account_balance SET balance_satang = balance_satang - 1 WHERE account_id =
           (SELECT to_account_id FROM leg WHERE entry_id = :id AND line = 1)""",
        """UPDATE account_balance SET balance_satang = balance_satang + 1 WHERE account_id =
           (SELECT to_account_id FROM leg WHERE entry_id = :id AND line = 2)""",
        id=sharing.id,
    )
    rebuild_chain(village)
    faults = found(village)
    assert faults == {
        Check.SHARING: [
            (Fault.AMOUNT_DIFFERS, sharing.subject),
            (Fault.AMOUNT_DIFFERS, sharing.subject),
        ]
    }


def remove(entry_id):
    tamper("DELETE FROM leg WHERE entry_id = :id", "DELETE FROM entry WHERE id = :id", id=entry_id)


def test_one_entry_removed(village):
    split = one(SPLIT)
    remove(split.id)
    faults = found(village)
    assert (Fault.CHAIN_GAP, f"entry:{split.seq}") in faults[Check.CHAIN]
    assert (Fault.ENTRY_MISSING, split.subject) in faults[Check.SPLITS]


def test_one_entry_removed_and_the_rest_renumbered_and_rechained(village):
    split = one(SPLIT)
    remove(split.id)
    tamper(
        "UPDATE entry SET seq = seq + 100000 WHERE seq > :seq",
        "UPDATE entry SET seq = seq - 100001 WHERE seq > 100000",
        seq=split.seq,
    )
    rebuild_chain(village)
    faults = found(village)
    assert Check.CHAIN not in faults
    assert faults[Check.SPLITS] == [(Fault.ENTRY_MISSING, split.subject)]


def test_the_last_entry_cut_off_with_the_head_put_back(village):
    sharing = one(SHARING)
    remove(sharing.id)
    rebuild_chain(village)
    faults = found(village)
    assert Check.CHAIN not in faults
    assert faults[Check.SHARING] == [(Fault.ENTRY_MISSING, sharing.subject)]


def test_one_split_posted_by_a_wrong_policy_version(village):
    """The books say another policy than the one that the booking was sold under."""
    split = one(SPLIT)
    tamper("UPDATE entry SET policy_hash = :hash WHERE id = :id", id=split.id, hash="f" * 64)
    rebuild_chain(village)
    faults = found(village)
    assert faults == {Check.SPLITS: [(Fault.POLICY_DIFFERS, split.subject)]}


def test_a_booking_moved_to_another_policy_after_it_was_sold(village):
    other = factories.adopt(village.id, effective_from=factories.TOMORROW)
    split = one(SPLIT)
    reference = split.subject.removeprefix("booking:")
    tamper("UPDATE booking SET policy_version_id = :p WHERE reference = :r", p=other, r=reference)
    assert found(village)[Check.POLICIES] == [(Fault.POLICY_NOT_IN_FORCE, split.subject)]


def test_one_service_record_changed_after_settlement(village):
    sharing = one(SHARING)
    tamper("UPDATE service_record SET units = 5 WHERE line = 2")
    faults = found(village)
    # nobody confirmed what stands there now, and exact shares are others by more than two baht
    assert set(faults) == {Check.SHARING, Check.WORK, Check.DRIFT}
    assert (Fault.FACTS_CHANGED, sharing.subject) in faults[Check.SHARING]
    assert (Fault.AMOUNT_DIFFERS, sharing.subject) in faults[Check.SHARING]
    [changed] = [
        finding
        for outcome in verify(db.session(), village.card)
        for finding in outcome.findings
        if finding.fault == Fault.FACTS_CHANGED
    ]
    assert changed.values == {"changed": "work:H02:guide:1:60", "now": "work:H02:guide:5:60"}


def test_a_record_changed_together_with_the_settlements_own_copy(village):
    """Minutes move no money: the fingerprint in the chain tells, and who confirmed other minutes."""
    sharing = one(SHARING)
    tamper(
        "UPDATE service_record SET minutes = 61 WHERE line = 2",
        "UPDATE settlement SET facts = REPLACE(facts, 'work:H02:guide:1:60', 'work:H02:guide:1:61')",
    )
    assert found(village) == {
        Check.SHARING: [(Fault.FACTS_UNFIT, sharing.subject)],
        Check.WORK: [(Fault.WORK_UNSEEN, sharing.subject)],
    }


def test_an_outside_cost_changed_after_settlement(village):
    if db.engine.dialect.name == "postgresql":
        tamper("DROP TRIGGER booking_cost_refuses_change ON booking_cost")
    else:
        tamper("DROP TRIGGER booking_cost_refuses_update")
    split = one(SPLIT)
    reference = split.subject.removeprefix("booking:")
    tamper(
        """UPDATE booking_cost SET amount_satang = amount_satang + 10000 WHERE booking_id =
           (SELECT id FROM booking WHERE reference = :reference)""",
        reference=reference,
    )
    faults = found(village)
    assert (Fault.AMOUNT_DIFFERS, split.subject) in faults[Check.SPLITS]


def test_a_payment_taken_out_of_the_records(village):
    """Skimming: the capture's row is deleted, the money stays in the books."""
    first = db.session.scalar(select(Entry.seq).where(Entry.kind == "capture").order_by(Entry.seq))
    tamper(
        "DELETE FROM capture_fee WHERE capture_id = (SELECT MIN(id) FROM capture)",
        "DELETE FROM capture_balance WHERE capture_id = (SELECT MIN(id) FROM capture)",
        "DELETE FROM capture WHERE id = (SELECT MIN(id) FROM capture)",
    )
    faults = found(village)
    assert (Fault.ENTRY_UNEXPLAINED, f"entry:{first}") in faults[Check.ENTRIES]
    assert [fault for fault, _subject in faults[Check.RECEIPTS]] == [Fault.RECEIPT_GAP]
    assert Fault.AMOUNT_DIFFERS in {fault for fault, _subject in faults[Check.SPLITS]}


def take_out_payment(reference):
    """Take a booking's money out of the records and out of the books, as if it had never come."""
    tamper(
        """DELETE FROM capture_fee WHERE capture_id IN (SELECT id FROM capture WHERE booking_id =
           (SELECT id FROM booking WHERE reference = :reference))""",
        """DELETE FROM capture_balance WHERE capture_id IN (SELECT id FROM capture WHERE booking_id =
           (SELECT id FROM booking WHERE reference = :reference))""",
        "DELETE FROM capture WHERE booking_id = (SELECT id FROM booking WHERE reference = :reference)",
        reference=reference,
    )
    for kind in ("capture", "fee"):
        about = Entry.subject == f"booking:{reference}"
        remove(one(select(Entry.id).where(Entry.kind == kind, about)).id)


def test_a_payment_taken_out_of_the_records_and_of_the_books(village):
    """Nothing is left of the money but a booking that somebody holds a voucher for."""
    later = factories.make_departure(village.option_id, factories.TOMORROW + timedelta(days=3))
    reference = factories.book(replace(village, departure_id=later))
    take_out_payment(reference)
    rebuild_chain(village)
    assert (Fault.PAYMENT_MISSING, f"booking:{reference}") in found(village)[Check.DEPOSITS]


def test_a_booking_called_paid_without_money(village):
    later = factories.make_departure(village.option_id, factories.TOMORROW + timedelta(days=3))
    reference = factories.hold(replace(village, departure_id=later))
    tamper("UPDATE booking SET state = 'confirmed' WHERE reference = :r", r=reference)
    assert found(village) == {Check.DEPOSITS: [(Fault.PAYMENT_MISSING, f"booking:{reference}")]}


def test_a_paid_booking_called_unpaid(village):
    """The guest's places are sold again, and the money stays on deposit for good."""
    later = factories.make_departure(village.option_id, factories.TOMORROW + timedelta(days=3))
    reference = factories.book(replace(village, departure_id=later))
    tamper(
        "UPDATE booking SET state = 'lapsed' WHERE reference = :r",
        "UPDATE departure SET claimed = claimed - 2 WHERE id = :id",
        r=reference,
        id=later,
    )
    assert found(village) == {Check.DEPOSITS: [(Fault.PAYMENT_UNUSED, f"booking:{reference}")]}


def test_a_price_that_is_not_the_sum_of_its_lines(village):
    split = one(SPLIT)
    reference = split.subject.removeprefix("booking:")
    tamper("UPDATE booking SET price_satang = price_satang - 1 WHERE reference = :r", r=reference)
    assert found(village) == {Check.DEPOSITS: [(Fault.PRICE_DIFFERS, split.subject)]}


def test_a_settlement_counted_that_has_no_record(village):
    tamper("UPDATE community SET settlements = settlements + 1")
    assert found(village) == {Check.RECEIPTS: [(Fault.SETTLEMENT_GAP, "settlement:2")]}


def test_a_settlement_recorded_that_is_not_counted(village):
    tamper("UPDATE community SET settlements = 0")
    assert found(village) == {Check.RECEIPTS: [(Fault.SETTLEMENT_UNCOUNTED, "settlement:1")]}


def test_a_leg_moved_to_the_account_of_the_same_name_in_other_books(village):
    """Every name and amount still reads the same; the money is another community's."""
    stranger = factories.make_village()
    sharing = one(SHARING)
    tamper(
        """UPDATE leg SET to_account_id =
           (SELECT id FROM ledger_account WHERE book_id = :book AND code = 'household:H01')
           WHERE entry_id = :id AND line = 1""",
        """UPDATE account_balance SET balance_satang = balance_satang -
           (SELECT amount_satang FROM leg WHERE entry_id = :id AND line = 1) WHERE account_id =
           (SELECT id FROM ledger_account WHERE book_id = :own AND code = 'household:H01')""",
        """UPDATE account_balance SET balance_satang = balance_satang +
           (SELECT amount_satang FROM leg WHERE entry_id = :id AND line = 1) WHERE account_id =
           (SELECT id FROM ledger_account WHERE book_id = :book AND code = 'household:H01')""",
        id=sharing.id,
        book=stranger.card.book_id,
        own=village.card.book_id,
    )
    rebuild_chain(village)
    household = "account:household:H01"
    differs = [(Fault.OPEN_DIFFERS, household)]
    assert found(village) == {
        Check.LEGS: [(Fault.LEG_ELSEWHERE, f"entry:{sharing.seq}")],
        Check.STATEMENTS: differs,
    }
    assert found(stranger) == {
        Check.LEGS: [(Fault.LEG_ELSEWHERE, household)],
        Check.PERIODS: differs,
        Check.STATEMENTS: differs,
    }


@pytest.mark.parametrize("change", [1, -1])
def test_a_book_whose_head_counts_other_than_its_entries(village, change):
    tamper("UPDATE book SET head_seq = head_seq + :change", change=change)
    assert found(village) == {Check.CHAIN: [(Fault.HEAD_DIFFERS, "book")]}


def test_a_running_balance_changed(village):
    tamper("UPDATE account_balance SET balance_satang = balance_satang + 1")
    faults = found(village)
    beside_them = {Check.DEPOSITS, Check.PERIODS, Check.STATEMENTS}  # they read balances as well
    assert set(faults) == {Check.BALANCES, *beside_them}


def test_the_text_of_an_adopted_policy_changed(village):
    text_ = canonical(DEFAULT).replace("welfare 500", "welfare 400").replace("mgmt 700", "mgmt 800")
    tamper("UPDATE policy_version SET text = :text", text=text_)
    faults = found(village)
    assert (Fault.POLICY_CHANGED, "policy:1") in faults[Check.POLICIES]
    assert Fault.POLICY_DIFFERS in [fault for fault, _subject in faults[Check.SPLITS]]


def test_a_policy_text_made_unreadable_is_named_and_stops_no_other_check(village):
    tamper("UPDATE policy_version SET text = 'rubbish'")
    faults = found(village)
    assert faults[Check.SPLITS] == [(Fault.UNREADABLE, "book")]
    assert faults[Check.POLICIES] == [(Fault.POLICY_CHANGED, "policy:1")]
    assert Check.CHAIN not in faults


def test_places_counted_wrongly(village):
    tamper("UPDATE departure SET claimed = claimed + 1")
    faults = found(village)
    assert faults == {Check.PLACES: [(Fault.PLACES_DIFFER, f"departure:{village.departure_id}")]}


def test_a_slot_counted_wrongly(app):
    fleet = factories.make_fleet()
    factories.book(fleet.mangrove)
    tamper(
        "UPDATE slot SET claimed = claimed + 1 WHERE thing_id = :boat", boat=fleet.things["boat"]
    )
    slot = f"slot:boat:{factories.TOMORROW.isoformat()}:morning"
    assert found(fleet.mangrove) == {Check.SLOTS: [(Fault.SLOT_DIFFERS, slot)]}


def test_a_claim_noted_for_another_departure(app):
    """The slot's own count still sums up, but two departures were told apart wrongly."""
    fleet = factories.make_fleet()
    factories.book(fleet.mangrove)
    factories.book(fleet.sunrise, {"ADULT": 1})
    tamper(
        "UPDATE slot_claim SET units = 3 - units WHERE slot_id = (SELECT id FROM slot WHERE thing_id = :id)",
        id=fleet.things["jacket"],
    )
    slot = f"slot:jacket:{factories.TOMORROW.isoformat()}:morning"
    assert found(fleet.mangrove) == {Check.SLOTS: [(Fault.SLOT_DIFFERS, slot)]}


def test_a_partial_refund_altered(app):
    """One satang more is noted as given back than the books say."""
    village = factories.make_village(on=factories.TOMORROW + timedelta(days=60))
    reference = factories.book(village, {"ADULT": 3})
    factories.change_booking(reference, party={"ADULT": 2})
    give_back.send_refunds(factories.PROVIDERS, NOW)
    assert found(village) == {}
    tamper("UPDATE refund SET amount_satang = amount_satang + 1")
    faults = found(village)
    assert (Fault.AMOUNT_DIFFERS, f"booking:{reference}") in faults[Check.MONEY]
    assert faults[Check.DEPOSITS] == [
        (Fault.DEPOSIT_DIFFERS, f"booking:{reference}"),
        (Fault.RETURNING_DIFFERS, f"booking:{reference}"),
    ]


def refunded(app):
    """A village whose guest got money back by hand, after it had come back from the bank."""
    village = factories.make_village(on=factories.TOMORROW + timedelta(days=60))
    reference = factories.book(village)
    factories.cancel_booking(reference)
    bank = Scripted()
    bank.first = RefundState.SUCCEEDED
    give_back.send_refunds(bank.among, NOW)
    bank.tell_all(RefundState.FAILED, NOW)
    refund_id = db.session.scalar(select(Refund.id))
    give_back.take_in_refund(refund_id, bank.among, NOW)
    person_id = village.person_id
    give_back.note_refund_made(village.id, refund_id, "KTB1", person_id, bank.among, EVENING)
    assert found(village) == {}
    drop_triggers(*TABLES)
    return village, f"booking:{reference}"


def test_a_refund_said_to_have_left_another_account(app):
    """Somebody took the money out of the cash box, and the bank is said to have paid."""
    village, subject = refunded(app)
    tamper("UPDATE refund SET paid_from = 'demo'")
    faults = found(village)
    assert set(faults) == {Check.MONEY}
    assert {fault for fault, _subject in faults[Check.MONEY]} == {Fault.AMOUNT_DIFFERS}
    assert (Fault.AMOUNT_DIFFERS, subject) in faults[Check.MONEY]


def test_a_refund_moved_to_another_day(app):
    village, subject = refunded(app)
    tamper("UPDATE refund SET done_at = :at", at="2026-12-01 00:00:00+00:00")
    assert found(village) == {Check.MONEY: [(Fault.DAY_DIFFERS, subject)]}


def test_a_return_of_a_refund_taken_out_of_the_records(app):
    """Without it, the money would look given back once and the second time be nobody's."""
    village, subject = refunded(app)
    tamper("DELETE FROM refund_return")
    faults = found(village)
    unexplained = [fault for fault, _subject in faults[Check.ENTRIES]]
    assert unexplained == [Fault.ENTRY_UNEXPLAINED] * 2
    assert (Fault.AMOUNT_DIFFERS, subject) in faults[Check.MONEY]


def test_a_forged_return_of_a_refund(app):
    """A refund that the guest has is said to have come back, to be taken out a second time."""
    village, subject = refunded(app)
    tamper(
        """INSERT INTO refund_return (refund_id, number, amount_satang, fee_returned_satang,
           paid_from, made_at, made_by, returned_at)
           SELECT refund_id, 2, amount_satang, 0, 'promptpay', made_at, made_by, returned_at
           FROM refund_return"""
    )
    faults = found(village)
    assert (Fault.ENTRY_MISSING, subject) in faults[Check.MONEY]


def test_a_refund_that_was_made_called_cancelled(app):
    village, subject = refunded(app)
    tamper("UPDATE refund SET state = 'cancelled', done_at = NULL")
    faults = found(village)
    assert (Fault.DEPOSIT_DIFFERS, subject) in faults[Check.DEPOSITS]
    assert (Fault.RETURNING_DIFFERS, subject) in faults[Check.DEPOSITS]
    assert [fault for fault, _subject in faults[Check.ENTRIES]] == [Fault.ENTRY_UNEXPLAINED]


def test_more_counted_as_going_back_than_does(app):
    """The guest of a booking could not get back what is hidden so."""
    village = factories.make_village()
    reference = factories.book(village)
    tamper("UPDATE capture_balance SET returning_satang = 1")
    assert found(village) == {Check.DEPOSITS: [(Fault.RETURNING_DIFFERS, f"booking:{reference}")]}


@pytest.fixture(params=["won", "lost"])
def decided(app, request):
    """A dispute that was decided; which one is its state."""
    village = factories.make_village()
    reference = factories.book(village)
    capture = db.session.scalars(select(Capture)).one()
    account = db.session.scalar(
        select(Attempt.payment_account_id).where(Attempt.id == capture.attempt_id)
    )
    for state in (DisputeState.OPEN, DisputeState(request.param)):
        said = NormalisedDispute(
            "dp_1", capture.payment_id, 90_000, 50_000, state, "fraudulent", NOW, None
        )
        take_in_dispute(account, said, NOW)
    assert found(village) == {}
    drop_triggers(*TABLES)
    return village, f"booking:{reference}", request.param


def test_a_dispute_taken_out_of_the_records(decided):
    village, subject, state = decided
    tamper("DELETE FROM dispute")
    faults = found(village)
    unexplained = [fault for fault, _subject in faults[Check.ENTRIES]]
    assert unexplained == [Fault.ENTRY_UNEXPLAINED] * 3  # opened, its fee, how it ended
    if state == "lost":
        assert (Fault.DEPOSIT_DIFFERS, subject) in faults[Check.DEPOSITS]


def test_a_dispute_said_to_have_ended_otherwise(decided):
    """A won dispute called lost hides money that came back; a lost one called won invents some."""
    village, subject, state = decided
    other = {"won": "lost", "lost": "won"}[state]
    tamper("UPDATE dispute SET state = :other", other=other)
    faults = found(village)
    assert (Fault.ENTRY_MISSING, subject) in faults[Check.MONEY]
    assert [fault for fault, _subject in faults[Check.ENTRIES]] == [Fault.ENTRY_UNEXPLAINED]
    assert (Fault.DEPOSIT_DIFFERS, subject) in faults[Check.DEPOSITS]


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("amount_satang", "90001", Fault.AMOUNT_DIFFERS),
        ("fee_satang", "49999", Fault.AMOUNT_DIFFERS),
        ("fee_satang", "0", None),
        ("was_split", "true", Fault.LEGS_DIFFER),
    ],
)
def test_a_figure_of_a_dispute_altered(decided, column, value, fault):
    village, subject, _state = decided
    tamper(f"UPDATE dispute SET {column} = {value}")
    faults = found(village)
    if fault:
        assert (fault, subject) in faults[Check.MONEY]
    else:  # the fee's own entry has lost its reason
        assert [each for each, _subject in faults[Check.ENTRIES]] == [Fault.ENTRY_UNEXPLAINED]


def test_a_credit_raised(app):
    village = factories.make_village(on=factories.TOMORROW + timedelta(days=60))
    reference = factories.book(village)
    factories.cancel_booking(reference, as_credit=True)
    assert found(village) == {}
    tamper("UPDATE credit SET amount_satang = amount_satang + 100")
    faults = found(village)
    assert (Fault.AMOUNT_DIFFERS, f"booking:{reference}") in faults[Check.MONEY]
    assert (Fault.CREDITS_DIFFER, "account:guest_credit") in faults[Check.DEPOSITS]


@pytest.fixture
def credited(app):
    """A village whose guest used a part of a credit for another trip; the credit's subject."""
    village = factories.make_village(on=factories.TOMORROW + timedelta(days=60))
    factories.cancel_booking(factories.book(village, {"ADULT": 2}), as_credit=True)
    credit = one(select(Credit.id, Credit.code))
    credits_.use_credit(factories.hold(village, {"ADULT": 1}), credit.code, NOW)
    assert one(select(Credit.used_satang)).used_satang == 45_000
    assert found(village) == {}
    drop_triggers(*TABLES)
    return village, f"credit:{credit.id}"


LEFT = (Fault.CREDITS_DIFFER, "account:guest_credit")


@pytest.mark.parametrize("change", [1, -45_000])
def test_another_amount_of_a_credit_noted_as_used(credited, change):
    """A guest would have less left than is owed to them, or could use it twice."""
    village, subject = credited
    tamper("UPDATE credit SET used_satang = used_satang + :change", change=change)
    assert found(village)[Check.DEPOSITS] == [(Fault.CREDIT_USE_DIFFERS, subject), LEFT]


def test_a_use_of_a_credit_taken_out_of_the_records(credited):
    village, subject = credited
    tamper("DELETE FROM credit_use")
    faults = found(village)
    assert (Fault.CREDIT_USE_DIFFERS, subject) in faults[Check.DEPOSITS]
    assert LEFT not in faults[Check.DEPOSITS]


def test_a_credit_and_its_use_taken_out_together(credited):
    """What is left of it stays owed in the books."""
    village, _subject = credited
    tamper("DELETE FROM credit_use", "DELETE FROM credit")
    assert LEFT in found(village)[Check.DEPOSITS]


def test_two_entries_swapped(village):
    tamper(
        "UPDATE entry SET seq = 1000 WHERE seq = 1",
        "UPDATE entry SET seq = 1 WHERE seq = 2",
        "UPDATE entry SET seq = 2 WHERE seq = 1000",
    )
    assert {fault for fault, _subject in found(village)[Check.CHAIN]} >= {
        Fault.CHAIN_LINK,
        Fault.ENTRY_CHANGED,
    }


def test_a_split_posted_for_a_booking_that_is_not_settled(village):
    later = factories.make_departure(village.option_id, factories.TOMORROW + timedelta(days=3))
    reference = factories.book(replace(village, departure_id=later))
    draft = Draft(
        kind="split",
        subject=f"booking:{reference}",
        effective_on=factories.TOMORROW,
        legs=(Leg("guest_deposit", "fund:mgmt", 90_000, "bucket:mgmt"),),
        key=f"split:{reference}",
        actor="thief",
        policy_hash=identity(canonical(DEFAULT)),
    )
    with transaction() as session:
        services.post(session, village.card.book_id, draft, EVENING)
    faults = found(village)
    [unexplained] = faults[Check.ENTRIES]
    assert unexplained[0] == Fault.ENTRY_UNEXPLAINED
    assert faults[Check.DEPOSITS] == [(Fault.DEPOSIT_DIFFERS, f"booking:{reference}")]


def test_a_community_without_bookings_has_nothing_to_check_and_is_not_called_clean(app):
    village = factories.make_village()
    outcomes = verify(db.session(), village.card)
    assert {outcome.check for outcome in outcomes if outcome.result == "no_data"} >= {
        Check.CHAIN,
        Check.SPLITS,
        Check.SHARING,
    }
    assert not is_clean(outcomes)


# --- cash on its way to the bank ------------------------------------------------------------------


@pytest.fixture(params=[False, True], ids=["arrived", "back"])
def banked(app, request):
    """Cash that was brought to the bank, and what a second person said of it; its subject."""
    village = factories.make_village(on=factories.TOMORROW + timedelta(days=60))
    cash.take_cash(village.id, factories.hold(village), village.person_id, NOW, factories.PROVIDERS)
    cash_box.bank_cash(village.id, 60_000, "BR1", village.person_id, NOW)
    banked_id = one(select(CashBanked.id)).id
    second = factories.make_person()
    cash_box.decide_banked(village.id, banked_id, second, NOW, is_back=request.param)
    assert found(village) == {}
    drop_triggers(*TABLES)
    return village, banked_id, request.param


def test_cash_brought_to_the_bank_altered(banked):
    village, banked_id, _is_back = banked
    tamper("UPDATE cash_banked SET amount_satang = 59000")
    assert found(village) == {
        Check.MONEY: [
            (Fault.AMOUNT_DIFFERS, f"cash_banked:{banked_id}"),
            (Fault.AMOUNT_DIFFERS, f"cash_cleared:{banked_id}"),
        ]
    }


def test_cash_said_to_have_arrived_that_went_back_or_the_reverse(banked):
    village, banked_id, is_back = banked
    tamper("UPDATE cash_cleared SET is_back = :other", other=not is_back)
    assert found(village) == {Check.MONEY: [(Fault.LEGS_DIFFER, f"cash_cleared:{banked_id}")]}


def test_what_became_of_cash_taken_out_of_the_records(banked):
    village, _banked_id, _is_back = banked
    tamper("DELETE FROM cash_cleared")
    faults = found(village)
    assert [fault for fault, _subject in faults[Check.ENTRIES]] == [Fault.ENTRY_UNEXPLAINED]


# --- what providers list and pay out -------------------------------------------------------------


@pytest.fixture
def listed(village):
    """The same village with a payout that arrived, and money that nothing explained, one part cleared."""
    provider = Telling()
    accounts.open_payment_account(village.id, provider, {}, factories.text("receiver"))
    providers = {**factories.PROVIDERS, provider.name: provider}
    later = replace(village, departure_id=factories.make_departure(village.option_id, FAR))
    attempt = start(later, provider, providers)
    provider.pay(attempt)
    take_in.take_in(attempt.id, providers, NOW)
    provider.pay_out(50_000)
    for amount in (7_000, -300):
        provider.move("other", "", amount)
    reconcile(providers, NOW + timedelta(minutes=10))
    row = one(select(ProviderTransaction.id).where(ProviderTransaction.net_satang == 7_000))
    clear_suspense(village.id, row.id, Clearing.FUND, "found", village.person_id, NOW)
    assert is_clean(verify_now(village))
    return village


def verify_now(village):
    db.session.rollback()
    return verify(db.session(), village.card)


def transaction_of(amount):
    wanted = select(ProviderTransaction.transaction_id).where(
        ProviderTransaction.net_satang == amount
    )
    return f"transaction:{one(wanted).transaction_id}"


def test_a_payouts_amount_altered(listed):
    subject = f"payout:{one(select(ProviderPayout.payout_id)).payout_id}"
    movement = transaction_of(-50_000)
    tamper("UPDATE provider_payout SET amount_satang = 49000")
    assert found(listed) == {
        Check.MONEY: [(Fault.AMOUNT_DIFFERS, subject), (Fault.MOVEMENT_DIFFERS, movement)]
    }


def test_a_payout_said_to_have_failed_or_never_to_have_arrived(listed):
    tamper("UPDATE provider_payout SET state = 'failed', failed_at = paid_at")
    assert found(listed)[Check.MONEY][0][0] == Fault.ENTRY_MISSING
    assert CLEARING in found(listed)[Check.MONEY]
    tamper("UPDATE provider_payout SET state = 'on_the_way', failed_at = NULL, paid_at = NULL")
    faults = found(listed)
    assert [fault for fault, _subject in faults[Check.ENTRIES]] == [Fault.ENTRY_UNEXPLAINED]
    assert faults[Check.MONEY] == [CLEARING]


CLEARING = (Fault.CLEARING_DIFFERS, "account:payment:stripe")


@pytest.mark.parametrize("kind", ["payment", "payout"])
def test_a_movement_of_something_known_altered(listed, kind):
    """The service is made to have listed what our records do not say."""
    net = (
        -50_000
        if kind == "payout"
        else one(
            select(ProviderTransaction.net_satang).where(
                ProviderTransaction.is_expected.is_(True), ProviderTransaction.net_satang > 0
            )
        ).net_satang
    )
    subject = transaction_of(net)
    tamper(
        "UPDATE provider_transaction SET amount_satang = amount_satang - 100,"
        " net_satang = net_satang - 100 WHERE net_satang = :net",
        net=net,
    )
    assert found(listed) == {Check.MONEY: [(Fault.MOVEMENT_DIFFERS, subject), CLEARING]}


def test_a_movement_that_nothing_explains_taken_out_of_the_records(listed):
    tamper("DELETE FROM provider_transaction WHERE net_satang = -300")
    faults = found(listed)
    assert [fault for fault, _subject in faults[Check.ENTRIES]] == [Fault.ENTRY_UNEXPLAINED]
    assert faults[Check.MONEY] == [CLEARING]


def test_a_payment_that_the_service_does_not_list(listed):
    """Its movement is gone, or it never came: a payment made up, and the days are known by now."""
    known = one(
        select(Capture.payment_id, Capture.provider).where(
            Capture.payment_id.in_(select(ProviderTransaction.source_id))
        )
    )
    tamper("DELETE FROM provider_transaction WHERE source_id = :id", id=known.payment_id)
    assert found(listed) == {}  # it may be listed yet
    tamper(
        "UPDATE payment_account SET reconciled_until = :until WHERE provider = :provider",
        until=str(NOW + timedelta(days=3)),
        provider=known.provider,
    )
    subject = f"capture:{known.payment_id}"
    assert found(listed) == {Check.MONEY: [(Fault.MOVEMENT_MISSING, subject)]}


def test_a_providers_movement_altered(listed):
    subject = transaction_of(-300)
    tamper(
        "UPDATE provider_transaction SET amount_satang = -200, net_satang = -200,"
        " suspense_satang = -200 WHERE net_satang = -300"
    )
    assert found(listed) == {Check.MONEY: [(Fault.AMOUNT_DIFFERS, subject), CLEARING]}


def test_a_providers_movement_said_to_be_explained(listed):
    tamper(
        "UPDATE provider_transaction SET suspense_satang = 0, is_expected = :yes"
        " WHERE net_satang = -300",
        yes=True,
    )
    faults = found(listed)
    assert faults[Check.MONEY] == [CLEARING]
    assert [fault for fault, _subject in faults[Check.ENTRIES]] == [Fault.ENTRY_UNEXPLAINED]


def test_cleared_money_said_to_have_been_returned(listed):
    subject = transaction_of(7_000)
    tamper("UPDATE suspense_move SET how = 'returned'")
    assert {fault for fault, about in found(listed)[Check.MONEY] if about == subject} == {
        Fault.AMOUNT_DIFFERS
    }
