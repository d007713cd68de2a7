"""A bank statement is taken in whole, each line once; a person says what a line is, and the bank is
asked for what it ought to show."""

import time
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from cbt.audit.verify import verify
from cbt.bookings.hold import lapse_overdue_holds
from cbt.bookings.queries import get_booking
from cbt.db import db, transaction
from cbt.errors import (
    LineAmountDiffers,
    NoteMissing,
    NotFound,
    SecondPersonNeeded,
    StateForbids,
    StatementColumnsUnknown,
    StatementKnown,
    StatementLineUnreadable,
    StatementOfSeveral,
    StatementUnreadable,
)
from cbt.ledger.queries import balances
from cbt.payments import (
    bank_matching,
    cash,
    cash_box,
    give_back,
    open_lines,
    pay,
    take_in,
    transfers,
)
from cbt.payments.bank_columns import ColumnMapping
from cbt.payments.bank_lines import Column
from cbt.payments.bank_matching import accept_certain, find_payment, set_aside
from cbt.payments.bank_statements import import_statement, list_covered, list_imports
from cbt.payments.bank_targets import Target, TargetKind, read_target
from cbt.payments.bank_watch import watch
from cbt.payments.matching import Certainty, Why
from cbt.payments.models import (
    Capture,
    CashBanked,
    CashCleared,
    PaymentAccount,
    Refund,
    TransferConfirmation,
    TransferLook,
)
from cbt.payments.open_lines import list_open_lines
from cbt.payments.provider import PayoutState, RefundReason, RefundState
from cbt.payments.reconcile import reconcile
from cbt.payments.reported import (
    ProviderPayout,
    StatementImport,
    StatementLine,
    StatementReopening,
    WorkItem,
)
from cbt.payments.work import count_open_work, list_open_work
from tests import factories
from tests.concurrency import run_together
from tests.factories import PROVIDERS
from tests.site import NOW

TODAY = date(2026, 11, 23)
LATER = NOW + timedelta(hours=5)
PRICE = 45_000
MINE = ColumnMapping({Column.DATE: ("a",), Column.AMOUNT: ("b",), Column.TEXT: ("c",)})


@pytest.fixture
def village(app):
    found = factories.make_village(
        capacity=60, max_party=20, on=factories.TOMORROW + timedelta(days=60)
    )
    db.session.rollback()
    return found


@pytest.fixture
def second(village):
    return factories.make_person()


def row(amount, day=TODAY, hour="12:30", reference="", payer="", text=""):
    return f"{day.isoformat()},{hour},{amount / 100:.2f},{reference},{payer},{text}"


def csv_of(*rows):
    return "\r\n".join(["Date,Time,Amount,Reference,Payer,Details", *rows]).encode()


def bring(village, *rows, now=LATER, name="november.csv"):
    return import_statement(village.id, name, csv_of(*rows), None, village.person_id, now)


def start(village, now=NOW, party=None, **changes):
    """A code that a guest opened."""
    made = factories.start(
        factories.hold(village, party or {"ADULT": 1}, now, **changes), "promptpay", now
    )
    db.session.rollback()
    return made


def lines(village):
    db.session.rollback()
    found = list_open_lines(db.session(), village.card)
    db.session.rollback()
    return found


def accept(village, line_id, target, person_id=None, now=LATER):
    done = bank_matching.accept(village.id, line_id, target, person_id or village.person_id, now)
    for attempt_id in done.attempts:
        take_in.take_in(attempt_id, PROVIDERS, now)
    return done


def of(attempt):
    return Target(TargetKind.ATTEMPT, attempt.id)


def count(model, *conditions):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model).where(*conditions))


def work(village):
    db.session.rollback()
    return [str(each.kind) for each in list_open_work(db.session(), village.id)]


def state(attempt):
    db.session.rollback()
    return get_booking(db.session(), attempt.reference).state


def faults(village):
    db.session.rollback()
    outcomes = verify(db.session(), village.card)
    return [finding for outcome in outcomes for finding in outcome.findings]


# --- reading in ----------------------------------------------------------------------------------


def test_a_statement_is_read_in_and_each_line_is_work(village):
    done = bring(village, row(45_007, payer="Somchai"), row(-20_000, text="rice"))
    assert (done.lines, done.new_lines) == (2, 2)
    db.session.rollback()
    [card] = list_imports(db.session(), village.id, 5)
    assert (card.first_on, card.last_on, card.file_name) == (TODAY, TODAY, "november.csv")
    assert work(village) == ["statement_line", "statement_line"]
    assert [each.line.amount_satang for each in lines(village)] == [45_007, -20_000]


def test_the_same_file_again_is_refused_and_one_that_overlaps_brings_only_what_is_new(village):
    first = [row(45_007), row(45_007), row(-20_000)]
    assert bring(village, *first).new_lines == 3
    with pytest.raises(StatementKnown) as refused:
        bring(village, *first)
    assert refused.value.facts == {"day": TODAY}
    assert bring(village, *first, row(100)).new_lines == 1
    assert bring(village, row(45_007)).new_lines == 0
    assert count(StatementLine) == 4
    assert count(WorkItem) == 4


def test_two_who_read_the_same_file_in_at_one_moment_bring_it_once(app, village):
    def bring_it(_number):
        return bring(village, row(45_007))

    results = run_together(app, bring_it, 4)
    assert sum(isinstance(each, StatementKnown) for each in results) == 3
    assert (count(StatementImport), count(StatementLine), count(WorkItem)) == (1, 1, 1)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        pytest.param(csv_of(row(100), "2026-11-23,12:00,x,,,"), StatementLineUnreadable, id="line"),
        pytest.param(b"", StatementUnreadable, id="empty"),
        pytest.param(b"\x89PNG\x00\x00\x00", StatementUnreadable, id="picture"),
        pytest.param(b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", StatementUnreadable, id="entity"),
        pytest.param(b"<html></html>", StatementUnreadable, id="page"),
        pytest.param(b"a,b,c\r\n2026-11-23,1.00,x\r\n", StatementColumnsUnknown, id="columns"),
    ],
)
def test_a_file_that_is_not_read_whole_leaves_nothing(village, content, error):
    with pytest.raises(error):
        import_statement(village.id, "x.csv", content, None, village.person_id, LATER)
    assert (count(StatementImport), count(StatementLine), count(WorkItem)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("nov\x00ember.csv", "november.csv"),
        ("../../etc/passwd.csv", "passwd.csv"),
        ("C:\\Users\\Mali\\Desktop\\november.csv", "november.csv"),
        ("nov\r\nem\u202eber.csv", "november.csv"),
        (
            "\u0e1e\u0e24\u0e28\u0e08\u0e34\u0e01\u0e32\u0e22\u0e19.csv",
            "\u0e1e\u0e24\u0e28\u0e08\u0e34\u0e01\u0e32\u0e22\u0e19.csv",
        ),
        ("/", "statement"),
        ("x" * 300 + ".csv", "x" * 200),
    ],
)
def test_of_a_files_name_only_the_name_is_kept(village, sent, kept):
    assert bring(village, row(100), name=sent).new_lines == 1
    assert db.session.scalars(select(StatementImport.file_name)).all() == [kept]


def test_columns_that_a_person_described_are_known_for_the_next_file(village):
    content = b"a,b,c\r\n2026-11-23,1.00,x\r\n"
    import_statement(village.id, "x.csv", content, MINE, village.person_id, LATER)
    after = b"a,b,c\r\n2026-11-24,2.00,y\r\n"
    done = import_statement(village.id, "y.csv", after, None, village.person_id, LATER)
    assert done.new_lines == 1
    other = factories.make_village()
    with pytest.raises(StatementColumnsUnknown):
        import_statement(other.id, "y.csv", after, None, other.person_id, LATER)


def camt(*accounts_):
    statements = "".join(
        f"<Stmt><Acct><Id><Othr><Id>{account}</Id></Othr></Id></Acct>"
        "<Ntry><Amt Ccy='THB'>450.07</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts>"
        f"<BookgDt><Dt>2026-11-2{number}</Dt></BookgDt></Ntry></Stmt>"
        for number, account in enumerate(accounts_, start=3)
    )
    space = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
    return (
        f'<Document xmlns="{space}"><BkToCstmrStmt>{statements}</BkToCstmrStmt></Document>'
    ).encode()


def test_xml_of_several_days_is_one_statement_but_of_several_accounts_is_refused(village):
    person = village.person_id
    done = import_statement(village.id, "x.xml", camt("1", "1"), None, person, LATER)
    assert done.new_lines == 2
    with pytest.raises(StatementOfSeveral):
        import_statement(village.id, "y.xml", camt("1", "2"), None, person, LATER)
    assert count(StatementImport) == 1


def test_a_hundred_thousand_lines_are_read_in_within_reason(sqlite_app):
    village = factories.make_village()
    rows = [row(100 + number, hour=f"{number % 24:02}:00") for number in range(100_000)]
    began = time.perf_counter()
    assert bring(village, *rows).new_lines == 100_000
    assert time.perf_counter() - began < 120
    assert count_open_work(db.session(), village.id) == 100_000


# --- matching ------------------------------------------------------------------------------------


def test_a_certain_line_is_accepted_and_its_booking_confirmed(village):
    attempt = start(village)
    bring(village, row(attempt.amount_satang, hour="12:10"))
    [line] = lines(village)
    assert (line.why, line.target.reference) == (Why.UNIQUE_AMOUNT, attempt.reference)
    done = accept(village, line.id, line.target.target)
    assert (done.lines, done.waiting) == (1, 0)
    assert state(attempt) == "confirmed"
    assert (lines(village), work(village)) == ([], [])
    stored = db.session.scalars(select(StatementLine)).one()
    assert (stored.state, stored.matched_to) == ("matched", f"attempt:{attempt.id}")
    assert stored.decided_by == village.person_id
    assert faults(village) == []


@pytest.mark.parametrize("hour", ["12:10", ""])
def test_a_transfer_counts_from_the_hour_of_its_line_though_read_in_after_the_trip(app, hour):
    """Where the bank tells only the day, from when the code was opened on it."""
    village = factories.make_village()
    attempt = start(village)
    trip = get_booking(db.session(), attempt.reference).trip
    lapse_overdue_holds(trip.begins_at)
    after = trip.ends_at + timedelta(days=3)
    bring(village, row(attempt.amount_satang, hour=hour), now=after)
    [line] = lines(village)
    accept(village, line.id, of(attempt), now=after)
    assert state(attempt) == "confirmed"
    paid_at = NOW + timedelta(minutes=10) if hour else NOW
    assert db.session.scalars(select(Capture.paid_at)).all() == [paid_at]
    assert faults(village) == []


def test_a_line_from_after_the_trip_began_buys_nothing_whatever_the_guest_said(app):
    village = factories.make_village()
    attempt = start(village)
    pay.report_transfer(attempt.id, NOW)
    trip = get_booking(db.session(), attempt.reference).trip
    lapse_overdue_holds(trip.begins_at)
    day, after = trip.starts_on + timedelta(days=1), trip.ends_at + timedelta(days=3)
    bring(village, row(attempt.amount_satang, day), now=after)
    [line] = lines(village)
    accept(village, line.id, of(attempt), now=after)
    assert (state(attempt), count(Refund)) == ("lapsed", 1)


def test_a_line_is_accepted_once_by_rivals(app, village):
    attempt = start(village)
    bring(village, row(attempt.amount_satang))
    [line] = lines(village)
    results = run_together(app, lambda _n: accept(village, line.id, of(attempt)), 4)
    assert sum(isinstance(each, StateForbids) for each in results) == 3
    assert (count(TransferConfirmation), count(Capture)) == (1, 1)


def test_a_line_for_a_transfer_that_was_confirmed_by_hand_confirms_nothing_more(village):
    attempt = start(village)
    transfers.confirm_transfer(village.id, attempt.id, "REF1", village.person_id, NOW)
    take_in.take_in(attempt.id, PROVIDERS, NOW)
    bring(village, row(attempt.amount_satang))
    [line] = lines(village)
    accept(village, line.id, of(attempt))
    assert (count(TransferConfirmation), count(Capture), count(Refund)) == (1, 1, 0)
    assert lines(village) == []


def test_a_second_line_for_a_paid_code_is_money_to_give_back(village):
    attempt = start(village)
    bring(village, row(attempt.amount_satang), row(attempt.amount_satang, hour="12:40"))
    first, again = lines(village)
    accept(village, first.id, of(attempt))
    [line] = lines(village)
    assert (line.id, line.why) == (again.id, Why.PAID_TWICE)
    accept(village, again.id, of(attempt))
    db.session.rollback()
    assert db.session.scalars(select(Refund.reason)).all() == [RefundReason.PAID_TWICE]
    names = db.session.scalars(select(StatementLine.matched_to).order_by(StatementLine.id)).all()
    assert names == [f"attempt:{attempt.id}", f"attempt:{attempt.id}:2"]
    assert faults(village) == []


def test_another_amount_than_was_asked_is_taken_in_and_given_back(village):
    attempt = start(village)
    bring(village, row(10_000))
    [line] = lines(village)
    assert (line.why, line.target) == (None, None)
    accept(village, line.id, of(attempt))
    db.session.rollback()
    refund = db.session.scalars(select(Refund)).one()
    assert (refund.amount_satang, refund.reason) == (10_000, RefundReason.AMOUNT_DIFFERS)


def test_a_line_of_another_amount_than_was_confirmed_is_refused(village):
    attempt = start(village)
    transfers.confirm_transfer(village.id, attempt.id, "", village.person_id, NOW)
    bring(village, row(10_000))
    [line] = lines(village)
    with pytest.raises(LineAmountDiffers):
        accept(village, line.id, of(attempt))
    assert work(village) == ["statement_line"]
    assert count(TransferConfirmation) == 1


def test_from_the_limit_on_a_second_person_accepts_the_line_too(village, second):
    party = {"ADULT": 12}  # 5,400 baht
    attempt = start(village, party=party)
    bring(village, row(attempt.amount_satang))
    [line] = lines(village)
    assert accept(village, line.id, of(attempt)).waiting == 1
    assert (count(TransferLook), count(TransferConfirmation)) == (1, 0)
    assert state(attempt) == "held"
    assert lines(village)[0].target.seen_by == village.person_id
    with pytest.raises(SecondPersonNeeded):
        accept(village, line.id, of(attempt))
    assert accept(village, line.id, of(attempt), second).lines == 1
    assert state(attempt) == "confirmed"
    db.session.rollback()
    made = db.session.scalars(select(TransferConfirmation)).one()
    assert (made.seen_by, made.confirmed_by) == (village.person_id, second)


def test_a_second_large_payment_of_one_code_needs_two_people_again(village, second):
    attempt = start(village, party={"ADULT": 12})
    bring(village, row(attempt.amount_satang), row(attempt.amount_satang, hour="13:00"))
    first, again = lines(village)
    accept(village, first.id, of(attempt))
    accept(village, first.id, of(attempt), second)
    after = LATER + timedelta(minutes=1)
    assert accept(village, again.id, of(attempt), second, after).waiting == 1
    with pytest.raises(SecondPersonNeeded):
        accept(village, again.id, of(attempt), second, after)
    assert accept(village, again.id, of(attempt), village.person_id, after).lines == 1
    assert (count(TransferConfirmation), count(Refund)) == (2, 1)


def test_all_certain_lines_are_accepted_in_one_go_and_the_others_wait(village):
    small = [start(village, key=f"small-{number}") for number in range(3)]
    large = start(village, party={"ADULT": 12})
    rows = [row(each.amount_satang, payer="Guest") for each in (*small, large)]
    bring(village, *rows, row(77_700, payer="A donor"))
    certain = [each for each in lines(village) if each.is_certain]
    assert {each.target.target for each in certain} == {of(each) for each in (*small, large)}
    db.session.rollback()
    ids = [each.id for each in certain]
    done = accept_certain(village.card, ids, village.person_id, LATER)
    for attempt_id in done.attempts:
        take_in.take_in(attempt_id, PROVIDERS, LATER)
    assert (done.lines, done.waiting) == (3, 1)
    assert [state(each) for each in (*small, large)] == ["confirmed"] * 3 + ["held"]
    assert len(lines(village)) == 2
    db.session.rollback()
    again = accept_certain(village.card, ids, village.person_id, LATER)
    assert (again.lines, again.waiting) == (0, 1)


def test_what_was_confirmed_but_cut_off_before_the_books_is_taken_in_by_the_worker(village):
    attempt = start(village)
    bring(village, row(attempt.amount_satang), row(attempt.amount_satang, hour="12:50"))
    for line in lines(village):
        bank_matching.accept(village.id, line.id, of(attempt), village.person_id, LATER)
    assert count(Capture) == 0
    reconcile(PROVIDERS, LATER)
    assert (count(Capture), count(Refund), state(attempt)) == (2, 1, "confirmed")


def test_a_booking_is_found_by_its_reference_for_a_line_that_matches_nothing(village):
    attempt = start(village)
    db.session.rollback()
    found = find_payment(db.session(), village.card, f" {attempt.reference.lower()} ")
    assert found.target == of(attempt)
    other = factories.make_village()
    assert find_payment(db.session(), other.card, attempt.reference) is None


def test_a_target_that_is_none_or_elsewhere_is_refused(village):
    attempt = start(village)
    other = factories.make_village()
    foreign = start(other)
    bring(village, row(attempt.amount_satang))
    [line] = lines(village)
    for target in (of(foreign), Target(TargetKind.PAYOUT, 1), Target(TargetKind.CASH, 1)):
        with pytest.raises(NotFound):
            accept(village, line.id, target)
    with pytest.raises(NotFound):
        accept(other, line.id, of(foreign))
    for text in ("attempt", "attempt:x", "loan:1", "attempt:" + "9" * 30, ""):
        with pytest.raises(NotFound):
            read_target(text)
    assert work(village) == ["statement_line"]
    assert count(TransferConfirmation) == 0


def test_a_reversal_pays_nothing(village):
    attempt = start(village)
    bring(village, row(attempt.amount_satang))
    with transaction() as session:
        session.scalars(select(StatementLine)).one().is_reversal = True
    [line] = lines(village)
    assert line.target is None
    with pytest.raises(LineAmountDiffers):
        accept(village, line.id, of(attempt))


# --- payouts, refunds, cash ----------------------------------------------------------------------


def make_payout(village, amount=300_000, arrives_on=TODAY, state_=PayoutState.PAID):
    with transaction() as session:
        account_id = session.scalars(
            select(PaymentAccount.id).where(
                PaymentAccount.community_id == village.id, PaymentAccount.provider == "demo"
            )
        ).one()
        made = ProviderPayout(
            payment_account_id=account_id,
            provider="demo",
            payout_id="po_1",
            amount_satang=amount,
            state=state_,
            created_at=NOW - timedelta(days=2),
            arrives_on=arrives_on,
            checked_satang=None,
        )
        session.add(made)
        session.flush()
        return made.id


def test_a_payout_is_matched_with_its_line_once(village):
    payout = Target(TargetKind.PAYOUT, make_payout(village))
    bring(village, row(300_000, hour="09:00"), row(300_000, hour="10:00"))
    first, again = lines(village)
    assert {each.target.target for each in (first, again) if each.target} == {payout}
    accept(village, first.id, payout)
    with pytest.raises(StateForbids):
        accept(village, again.id, payout)
    assert work(village) == ["statement_line"]


def test_a_payout_of_another_amount_or_refused_by_the_bank_is_not_matched(village):
    payout = Target(TargetKind.PAYOUT, make_payout(village))
    bring(village, row(299_999))
    [line] = lines(village)
    with pytest.raises(LineAmountDiffers):
        accept(village, line.id, payout)
    with transaction() as session:
        session.get_one(ProviderPayout, payout.id).state = PayoutState.FAILED
    with pytest.raises(NotFound):
        accept(village, line.id, payout)


def test_a_refund_made_by_hand_is_seen_leaving_the_account(village):
    attempt = start(village)
    transfers.confirm_transfer(village.id, attempt.id, "", village.person_id, NOW)
    take_in.take_in(attempt.id, PROVIDERS, NOW)
    factories.cancel_booking(attempt.reference)
    with transaction() as session:
        refund = session.scalars(select(Refund)).one()
        refund.state, refund.done_at, refund.proof = RefundState.SUCCEEDED, NOW, "KTB88812"
        refund.done_by = f"person:{village.person_id}"
        refund_id, amount = refund.id, refund.amount_satang
    bring(village, row(-amount, hour="12:20", reference="KTB88812"))
    [line] = lines(village)
    assert line.target.target == Target(TargetKind.REFUND, refund_id)
    accept(village, line.id, line.target.target)
    assert work(village) == []


def bring_cash(village, satang=120_000, now=NOW, reference="DEP-44521"):
    """Cash was taken, and one person says that they brought it to the bank; its id."""
    taken = factories.hold(village, {"ADULT": 15}, key=f"cash {reference}")
    cash.take_cash(village.id, taken, village.person_id, NOW, PROVIDERS)
    cash_box.bank_cash(village.id, satang, reference, village.person_id, now)
    db.session.rollback()
    return db.session.scalar(select(CashBanked.id).where(CashBanked.bank_reference == reference))


def in_the_bank(village):
    db.session.rollback()
    found = balances(db.session(), village.card.book_id)
    return found["payment:promptpay"], found["cash_on_the_way"]


def test_cash_that_was_carried_to_the_bank_is_seen_arriving(village):
    banked_id = bring_cash(village)
    assert (work(village), in_the_bank(village)) == (["cash_on_the_way"], (0, 120_000))
    bring(village, row(120_000, hour="12:20", reference="DEP-44521"))
    [line] = lines(village)
    assert (line.target.target.kind, line.certainty) == (TargetKind.CASH, Certainty.CERTAIN)
    accept(village, line.id, line.target.target)
    assert (work(village), in_the_bank(village)) == ([], (120_000, 0))
    [cleared] = db.session.scalars(select(CashCleared))
    assert (cleared.banked_id, cleared.line_id) == (banked_id, line.id)
    assert faults(village) == []


def test_from_the_limit_on_whoever_brought_the_cash_does_not_accept_its_line(village, second):
    """Who reads a file in could have changed it."""
    banked_id = bring_cash(village, 500_000)
    bring(village, row(500_000, hour="12:20", reference="DEP-44521"))
    [line] = lines(village)
    target = Target(TargetKind.CASH, banked_id)
    with pytest.raises(SecondPersonNeeded):
        accept(village, line.id, target)
    assert (count(CashCleared), len(lines(village))) == (0, 1)
    accept(village, line.id, target, second)
    assert (work(village), in_the_bank(village)) == ([], (500_000, 0))


def test_a_line_of_cash_that_a_second_person_saw_before_moves_nothing_more(village, second):
    banked_id = bring_cash(village, 500_000)
    cash_box.decide_banked(village.id, banked_id, second, LATER, is_back=False)
    bring(village, row(500_000, hour="12:20", reference="DEP-44521"))
    [line] = lines(village)
    accept(village, line.id, line.target.target)
    assert (work(village), in_the_bank(village)) == ([], (500_000, 0))
    assert (count(CashCleared), faults(village)) == (1, [])


def test_cash_that_is_back_in_the_box_is_no_line_of_the_bank(village, second):
    banked_id = bring_cash(village)
    cash_box.decide_banked(village.id, banked_id, second, LATER, is_back=True)
    bring(village, row(120_000, hour="12:20", reference="DEP-44521"))
    [line] = lines(village)
    assert line.target is None
    with pytest.raises(NotFound):
        accept(village, line.id, Target(TargetKind.CASH, banked_id))
    with pytest.raises(NotFound):
        accept(village, line.id, Target(TargetKind.CASH, banked_id + 1))


def test_a_line_of_another_amount_than_was_brought_is_refused(village):
    banked_id = bring_cash(village)
    bring(village, row(119_900))
    [line] = lines(village)
    with pytest.raises(LineAmountDiffers):
        accept(village, line.id, Target(TargetKind.CASH, banked_id))
    assert count(CashCleared) == 0


def test_lines_that_concern_no_booking_are_set_aside_with_a_word(village):
    bring(village, row(-5_000, text="rice"), row(-6_000, text="petrol"), row(77_700))
    ids = [each.id for each in lines(village)]
    with pytest.raises(NoteMissing):
        set_aside(village.id, ids, " ", village.person_id, LATER)
    other = factories.make_village()
    assert set_aside(other.id, ids, "mine", other.person_id, LATER) == 0
    assert set_aside(village.id, ids[:2], "for the kitchen", village.person_id, LATER) == 2
    assert set_aside(village.id, ids[:2], "again", village.person_id, LATER) == 0
    assert work(village) == ["statement_line"]
    db.session.rollback()
    notes = db.session.scalars(select(WorkItem.note).order_by(WorkItem.id)).all()
    assert notes == ["for the kitchen", "for the kitchen", None]


# --- set aside, and taken back -------------------------------------------------------------------


def test_a_line_that_was_set_aside_is_opened_again_and_what_was_said_is_kept(village, second):
    attempt = start(village)
    bring(village, row(attempt.amount_satang))
    [line] = lines(village)
    set_aside(village.id, [line.id], "a donation", village.person_id, LATER)
    assert (lines(village), work(village)) == ([], [])
    [aside] = bank_matching.list_aside(db.session(), village.id, 0, 5)
    assert (aside.note, aside.decided_by) == ("a donation", village.person_id)
    after = LATER + timedelta(hours=1)
    bank_matching.reopen(village.id, line.id, " it was  Mali's ", second, after)
    assert work(village) == ["statement_line"]
    [kept] = db.session.scalars(select(StatementReopening))
    assert (kept.said, kept.said_by, kept.said_at) == ("a donation", village.person_id, LATER)
    assert (kept.reason, kept.reopened_by, kept.reopened_at) == ("it was Mali's", second, after)
    accept(village, line.id, of(attempt), now=after)
    assert (state(attempt), work(village)) == ("confirmed", [])


def test_a_line_is_opened_again_with_a_reason_and_only_where_it_was_set_aside(village):
    attempt = start(village)
    bring(village, row(attempt.amount_satang), row(-100, text="rice"))
    matched, rice = (each.id for each in lines(village))
    accept(village, matched, of(attempt))
    set_aside(village.id, [rice], "rice", village.person_id, LATER)
    other = factories.make_village()
    for community_id, line_id, reason, error in (
        (village.id, rice, "  ", NoteMissing),
        (village.id, matched, "why", StateForbids),
        (other.id, rice, "why", NotFound),
        (village.id, rice + 1, "why", NotFound),
    ):
        with pytest.raises(error):
            bank_matching.reopen(community_id, line_id, reason, village.person_id, LATER)
    assert (work(village), count(StatementReopening)) == ([], 0)
    bank_matching.reopen(village.id, rice, "why", village.person_id, LATER)
    with pytest.raises(StateForbids):
        bank_matching.reopen(village.id, rice, "why", village.person_id, LATER)
    assert count(StatementReopening) == 1


def test_a_line_goes_aside_and_comes_back_as_often_as_people_change_their_mind(village):
    bring(village, row(-100, text="rice"))
    [line] = lines(village)
    for number in range(3):
        set_aside(village.id, [line.id], f"{number}", village.person_id, LATER)
        bank_matching.reopen(village.id, line.id, "no", village.person_id, LATER)
    assert work(village) == ["statement_line"]
    said = db.session.scalars(select(StatementReopening.said).order_by(StatementReopening.id))
    assert list(said) == ["0", "1", "2"]


# --- a page of lines -----------------------------------------------------------------------------


def test_lines_come_page_by_page_the_oldest_first(village):
    days = [TODAY - timedelta(days=each) for each in range(7)]
    bring(village, *(row(100 + n, day) for n, day in enumerate(days)))
    everything = lines(village)
    assert [each.line.booked_on for each in everything] == sorted(days)
    shown = [
        each
        for first in (0, 3, 6)
        for each in list_open_lines(db.session(), village.card, first, 3)
    ]
    assert shown == everything
    assert open_lines.count_open_lines(db.session(), village.id) == 7
    places = [open_lines.find_place(db.session(), village.id, each.id) for each in everything]
    assert places == list(range(7))
    assert open_lines.find_place(db.session(), village.id, 999) is None


def test_a_rival_on_another_page_leaves_nothing_certain(village):
    """Two lines of a code's amount, far apart in the list: who paid is for a person to say."""
    attempt = start(village)
    fillers = [row(1_000 + each, hour="12:15") for each in range(30)]
    paid = attempt.amount_satang
    one, other = (row(paid, hour=hour, payer="Guest") for hour in ("12:05", "12:40"))
    bring(village, one, *fillers, other)
    first = list_open_lines(db.session(), village.card, 0, 10)
    own = next(each for each in first if each.line.amount_satang == paid)
    assert own.target.target == of(attempt)
    assert own == next(each for each in lines(village) if each.id == own.id)
    assert not own.is_certain


def test_a_code_that_a_line_on_another_page_names_is_not_certain_here(village):
    attempt = start(village)
    fillers = [row(1_000 + each, hour="12:15") for each in range(30)]
    bring(
        village,
        row(attempt.amount_satang, hour="12:05"),
        *fillers,
        row(33_300, hour="12:50", text=f"trip {attempt.reference.replace('-', '')}"),
    )
    [own] = [
        each
        for each in list_open_lines(db.session(), village.card, 0, 10)
        if each.line.amount_satang == attempt.amount_satang
    ]
    assert own == next(each for each in lines(village) if each.id == own.id)
    assert not own.is_certain


def test_a_page_of_tens_of_thousands_of_lines_costs_no_more(sqlite_app):
    village = factories.make_village(capacity=60, on=factories.TOMORROW + timedelta(days=60))
    attempt = start(village)
    others = [row(100 + number, hour="12:15") for number in range(30_000)]
    bring(village, row(attempt.amount_satang, hour="12:05"), *others)
    began = time.perf_counter()
    shown = list_open_lines(db.session(), village.card, 0, 25)
    assert time.perf_counter() - began < 2
    assert len(shown) == 25
    [own] = [each for each in shown if each.target]
    assert (own.target.target, own.line.amount_satang) == (of(attempt), attempt.amount_satang)


# --- what the bank ought to show -----------------------------------------------------------------


def confirmed(village, now=NOW, **changes):
    attempt = start(village, now, **changes)
    transfers.confirm_transfer(village.id, attempt.id, "", village.person_id, now)
    take_in.take_in(attempt.id, PROVIDERS, now)
    return attempt


def test_a_confirmed_transfer_that_no_line_shows_is_told_once(village):
    attempt = confirmed(village)
    db.session.rollback()
    assert watch(village.card, LATER) == 0  # nobody has brought a statement
    bring(village, row(-100, TODAY), row(-100, TODAY + timedelta(days=1)))
    set_aside(village.id, [each.id for each in lines(village)], "x", village.person_id, LATER)
    assert watch(village.card, LATER) == 1
    assert watch(village.card, LATER) == 0
    db.session.rollback()
    [item] = list_open_work(db.session(), village.id)
    assert (str(item.kind), item.facts["reference"]) == ("transfer_not_seen", attempt.reference)


def test_a_transfer_that_an_undecided_line_could_be_is_not_missed_and_accepting_it_settles_that(
    village,
):
    attempt = confirmed(village)
    bring(village, row(attempt.amount_satang), row(-100, TODAY + timedelta(days=1)))
    db.session.rollback()
    assert watch(village.card, LATER) == 0
    assert "transfer_not_seen" not in work(village)


def test_a_missed_transfer_that_a_later_statement_shows_is_settled(village):
    attempt = confirmed(village)
    bring(village, row(-100), row(-100, TODAY + timedelta(days=1)))
    db.session.rollback()
    assert watch(village.card, LATER) == 1
    bring(village, row(attempt.amount_satang))
    line = next(each for each in lines(village) if each.line.amount_satang > 0)
    accept(village, line.id, of(attempt))
    assert "transfer_not_seen" not in work(village)


def given_back(village, now=NOW):
    """A refund that a person says they transferred from the bank account; its id."""
    attempt = confirmed(village, now)
    factories.cancel_booking(attempt.reference)
    refund_id = db.session.scalar(select(Refund.id))
    give_back.note_refund_made(village.id, refund_id, "KTB88812", village.person_id, PROVIDERS, now)
    db.session.rollback()
    return attempt, refund_id


def kinds_missing(village, now=LATER):
    db.session.rollback()
    watch(village.card, now)
    return [each for each in work(village) if each.endswith("not_seen")]


def test_a_refund_by_hand_that_no_line_shows_is_told_until_a_statement_shows_it(village):
    attempt, refund_id = given_back(village)
    amount = attempt.amount_satang
    bring(village, row(amount), row(-100, TODAY + timedelta(days=1)))
    accept(village, next(each.id for each in lines(village) if each.target), of(attempt))
    assert kinds_missing(village) == ["refund_not_seen"]
    assert kinds_missing(village) == ["refund_not_seen"]
    [item] = [
        each for each in list_open_work(db.session(), village.id) if each.kind == "refund_not_seen"
    ]
    assert (item.key, item.facts["reference"]) == (
        f"not_seen:refund:{refund_id}",
        attempt.reference,
    )
    bring(village, row(-amount, hour="13:00", reference="KTB88812"))
    line = next(each for each in lines(village) if each.target)
    accept(village, line.id, Target(TargetKind.REFUND, refund_id))
    assert kinds_missing(village) == []


def test_a_refund_that_a_line_could_be_or_that_is_noted_on_the_last_day_is_not_missed(village):
    attempt, _refund_id = given_back(village)
    bring(village, row(attempt.amount_satang))
    accept(village, next(each.id for each in lines(village) if each.target), of(attempt))
    assert kinds_missing(village) == []  # the bank may book it tomorrow
    bring(village, row(-attempt.amount_satang, TODAY + timedelta(days=1)))
    assert kinds_missing(village) == []


def test_cash_that_no_line_shows_is_told_though_two_people_vouch_for_it(village, second):
    banked_id = bring_cash(village)
    cash_box.decide_banked(village.id, banked_id, second, LATER, is_back=False)
    bring(village, row(-100), row(-100, TODAY + timedelta(days=2)))
    assert kinds_missing(village) == []
    bring(village, row(-100, TODAY + timedelta(days=3)))
    assert kinds_missing(village) == ["cash_not_seen"]
    bring(village, row(120_000, TODAY + timedelta(days=1), reference="DEP-44521"))
    line = next(each for each in lines(village) if each.target)
    accept(village, line.id, line.target.target)
    assert kinds_missing(village) == []
    assert faults(village) == []


def test_cash_that_is_back_in_the_box_is_missed_no_more(village, second):
    banked_id = bring_cash(village)
    bring(village, row(-100), row(-100, TODAY + timedelta(days=3)))
    assert kinds_missing(village) == ["cash_not_seen"]
    cash_box.decide_banked(village.id, banked_id, second, LATER, is_back=True)
    assert kinds_missing(village) == []


def test_what_was_brought_or_given_back_out_of_the_box_is_not_looked_for_in_the_bank(village):
    attempt = confirmed(village)
    factories.cancel_booking(attempt.reference)
    taken = factories.hold(village, {"ADULT": 3}, key="cash")
    cash.take_cash(village.id, taken, village.person_id, NOW, PROVIDERS)
    refund_id = db.session.scalar(select(Refund.id))
    give_back.note_refund_made(
        village.id, refund_id, "by hand", village.person_id, PROVIDERS, NOW, paid_from="cash"
    )
    bring(village, row(attempt.amount_satang), row(-100, TODAY + timedelta(days=5)))
    accept(village, next(each.id for each in lines(village) if each.target), of(attempt))
    assert kinds_missing(village) == []


def test_days_that_no_statement_covers_are_held_against_nothing(village):
    confirmed(village)
    before = TODAY - timedelta(days=9)
    bring(village, row(-100, before), row(-100, before + timedelta(days=3)))
    db.session.rollback()
    assert watch(village.card, LATER) == 0


def test_statements_that_follow_each_other_cover_their_days_without_a_gap(village):
    for first, last in ((1, 5), (6, 8), (12, 14)):
        days = (date(2026, 11, first), date(2026, 11, last))
        bring(village, *(row(-100, day) for day in days))
    db.session.rollback()
    found = list_covered(db.session(), village.id, date(2026, 11, 1))
    assert [(each.first_on.day, each.last_on.day) for each in found] == [(1, 8), (12, 14)]


def test_a_payout_that_the_bank_does_not_show_is_told_after_three_days(village):
    make_payout(village)
    bring(village, row(-100), row(-100, TODAY + timedelta(days=2)))
    db.session.rollback()
    assert watch(village.card, LATER) == 0
    bring(village, row(-100, TODAY + timedelta(days=3)))
    assert watch(village.card, LATER) == 1
    assert watch(village.card, LATER) == 0
    assert "payout_not_seen" in work(village)
    bring(village, row(300_000))
    line = next(each for each in lines(village) if each.line.amount_satang > 0)
    accept(village, line.id, line.target.target)
    assert "payout_not_seen" not in work(village)


def test_the_worker_watches_the_statements_too(village):
    confirmed(village)
    bring(village, row(-100), row(-100, TODAY + timedelta(days=1)))
    reconcile(PROVIDERS, LATER)
    assert "transfer_not_seen" in work(village)
