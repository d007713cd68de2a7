"""Payouts: what is planned, by whom it is approved, and that nothing is ever paid twice."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from cbt.audit.findings import Fault
from cbt.audit.verify import verify
from cbt.db import db, transaction
from cbt.errors import (
    AmountInvalid,
    BatchOpen,
    NoteMissing,
    NotFound,
    NothingToPay,
    PayeeInvalid,
    PayoutDayInvalid,
    PreviewOutdated,
    ReferenceUsed,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.ledger import services as ledger
from cbt.ledger.entries import Draft, Leg
from cbt.ledger.models import Entry
from cbt.ledger.queries import balances
from cbt.revenue import fund_use, pay_out, payout_queries
from cbt.revenue.paying_out import LineState, PlannedLine, Standing, Why, end_to_end, plan
from cbt.revenue.payout_models import Payee, PayoutBatch, PayoutLine, PayoutStep
from cbt.revenue.taking_back import RECOVERY_CAP_BP
from tests import factories
from tests.concurrency import run_together
from tests.site import NOW
from tests.tamper import drop_triggers, tamper

PAGE = Path(__file__).parents[2] / "docs" / "algorithms" / "payouts.md"
EVENING = NOW + timedelta(days=2)
LATER = EVENING + timedelta(days=1)
DAY = LATER.date()


# --- the rule ------------------------------------------------------------------------------------


def rows_of_the_page():
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and cells[0].isdigit():
            yield (*(int(cell) for cell in cells[:5]), cells[5])


@pytest.mark.parametrize("row", list(rows_of_the_page()))
def test_the_worked_numbers_of_the_page_hold(row):
    earned, held, owed, into_debt, paid, why = row
    planned = plan([Standing("H01", earned, held, owed)])
    if why:
        assert planned.lines == ()
        assert planned.left_out == (("H01", Why(why), earned),)
    else:
        assert planned.lines == (PlannedLine("H01", paid, into_debt),)
        assert planned.left_out == ()


amounts = st.integers(0, 10**9)


@given(
    standings=st.lists(st.builds(Standing, st.just("H"), amounts, amounts, amounts), max_size=20),
    least=st.integers(1, 10**6),
)
def test_nobody_is_paid_more_than_is_free_and_no_debt_takes_more_than_the_cap(standings, least):
    for number, standing in enumerate(standings):
        standings[number] = replace(standing, household=f"H{number:02}")
    planned = plan(standings, least)
    by_code = {each.household: each for each in standings}
    for line in planned.lines:
        own = by_code[line.household]
        free = own.payable_satang - own.held_satang
        assert line.amount_satang + line.recovered_satang == free
        assert line.amount_satang >= least
        assert line.recovered_satang <= own.owed_satang
        assert line.recovered_satang * 10_000 <= free * RECOVERY_CAP_BP
    left_out = {each[0] for each in planned.left_out}
    assert left_out | {line.household for line in planned.lines} == set(by_code)
    assert planned.total_satang == sum(line.amount_satang for line in planned.lines)


def test_a_banks_reference_is_the_same_for_ever_and_short_enough():
    assert end_to_end("buna-dara", 42) == "BUNA-DARA-00000042"
    assert len(end_to_end("x" * 60, 10**8 - 1)) <= 35


# --- the books -----------------------------------------------------------------------------------


@pytest.fixture
def village(app):
    village = factories.make_village()
    for party in ({"ADULT": 2}, {"ADULT": 3}):
        factories.book(village, party)
    factories.record_work(village, ("H01", "boat", 1), ("H02", "guide", 1), ("H03", "cook", 1))
    factories.settle(village, EVENING)
    return village


@pytest.fixture
def other(village):
    return factories.make_person()


def draft(village, least=10_000, now=LATER):
    return pay_out.draft_batch(village.id, least, village.person_id, now)


def approve(village, number, person_id, total=None, now=LATER):
    db.session.rollback()
    if total is None:
        total = payout_queries.get_batch(db.session(), village.id, number).total_satang
        db.session.rollback()
    pay_out.approve_batch(village.id, number, total, person_id, now)


def ordered(village, person_id):
    number = draft(village)
    approve(village, number, person_id)
    return lines(village)


def lines(village):
    db.session.rollback()
    return payout_queries.list_lines(db.session(), PayoutBatch.community_id == village.id)


def pay(village, line, reference="KTB-1", paid_from="promptpay", on=DAY):
    pay_out.note_paid(village.id, line.id, paid_from, reference, on, village.person_id, LATER)


def books(village):
    db.session.rollback()
    return balances(db.session(), village.card.book_id)


def faults(village):
    db.session.rollback()
    return [each for outcome in verify(db.session(), village.card) for each in outcome.findings]


def written():
    db.session.rollback()
    counts = [
        db.session.scalar(select(func.count()).select_from(model))
        for model in (Entry, PayoutBatch, PayoutLine, PayoutStep)
    ]
    return counts, db.session.scalars(select(PayoutLine.state).order_by(PayoutLine.id)).all()


def test_a_batch_moves_nothing_until_a_second_person_approved_it(village, other):
    before = books(village)
    number = draft(village)
    assert books(village) == before
    approve(village, number, other)
    after = books(village)
    earned = sum(before[f"household:{code}"] for code in ("H01", "H02", "H03"))
    assert after["payout_transit"] == earned
    assert all(after[f"household:{code}"] == 0 for code in ("H01", "H02", "H03"))
    assert faults(village) == []


def test_paid_lines_leave_the_bank_and_are_confirmed_by_their_household(village, other):
    first, *_rest = ordered(village, other)
    pay(village, first)
    after = books(village)
    assert after["payment:promptpay"] == -first.amount_satang
    pay_out.confirm_line(village.id, first.household_id, first.id, other, LATER)
    pay_out.confirm_line(village.id, first.household_id, first.id, other, LATER)
    assert lines(village)[0].state == LineState.CONFIRMED
    assert faults(village) == []


def test_what_the_bank_sent_back_is_owed_again_and_paid_by_a_new_line(village, other):
    first, *rest = ordered(village, other)
    for number, line in enumerate((first, *rest)):
        pay(village, line, f"KTB-{number}")
    pay_out.note_returned(village.id, first.id, "account closed", DAY, village.person_id, LATER)
    after = books(village)
    assert after[f"household:{first.household}"] == first.amount_satang
    again = [line for line in ordered(village, other) if line.state == LineState.ORDERED]
    assert [(line.household, line.amount_satang) for line in again] == [
        (first.household, first.amount_satang)
    ]
    assert again[0].id != first.id
    assert faults(village) == []


def test_a_stopped_line_makes_the_earnings_whole(village, other):
    before = books(village)
    for line in ordered(village, other):
        pay_out.stop_line(village.id, line.id, "the app was down", village.person_id, LATER)
    assert books(village) == before
    assert faults(village) == []


def test_cash_leaves_the_box_and_never_more_than_it_holds(village, other):
    first, *_rest = ordered(village, other)
    before = written()
    with pytest.raises(Exception) as caught:  # noqa: PT011  (no box, or too little in it)
        pay(village, first, "", "cash")
    assert type(caught.value).__name__ in ("AccountUnknown", "BalanceTooLow")
    assert written() == before


def test_who_drafted_a_batch_cannot_approve_it(village):
    number = draft(village)
    before = written()
    with pytest.raises(SecondPersonNeeded):
        approve(village, number, village.person_id)
    assert written() == before


def test_a_batch_whose_figures_changed_is_not_approved(village, other):
    number = draft(village)
    before = written()
    with pytest.raises(PreviewOutdated):
        approve(village, number, other, total=1)
    move(village, "household:H01", "fund:mgmt", 1)
    with pytest.raises(PreviewOutdated):
        approve(village, number, other)
    assert written()[1] == before[1]


def move(village, source, target, satang):
    with transaction() as session:
        leg = Leg(source, target, satang, "test")
        entry = Draft(
            kind="test",
            subject="test",
            effective_on=NOW.date(),
            legs=(leg,),
            key=f"test:{source}:{target}:{satang}",
            actor="",
        )
        ledger.post(session, village.card.book_id, entry, LATER)


def test_only_one_batch_is_open_at_a_time(village):
    number = draft(village)
    with pytest.raises(BatchOpen):
        draft(village)
    pay_out.withdraw_batch(village.id, number, village.person_id, LATER)
    assert draft(village) == number + 1


def test_a_batch_is_decided_once(village, other):
    number = draft(village)
    approve(village, number, other)
    before = written()
    with pytest.raises(StateForbids):
        approve(village, number, other)
    with pytest.raises(StateForbids):
        pay_out.withdraw_batch(village.id, number, village.person_id, LATER)
    assert written() == before


def test_four_who_approve_at_once_order_it_once(app, village):
    number = draft(village)
    people = [factories.make_person() for _ in range(4)]
    total = payout_queries.get_batch(db.session(), village.id, number).total_satang
    db.session.rollback()
    results = run_together(
        app, lambda each: pay_out.approve_batch(village.id, number, total, people[each], LATER), 4
    )
    assert sorted(type(each).__name__ for each in results) == ["NoneType", *["StateForbids"] * 3]
    assert books(village)["payout_transit"] == total
    assert faults(village) == []


def test_two_who_draft_at_once_leave_one_batch(app, village):
    results = run_together(app, lambda _each: draft(village), 4)
    assert sorted(type(each).__name__ for each in results) == [*["BatchOpen"] * 3, "int"]


@pytest.mark.parametrize("least", [0, -1, 1_000_001])
def test_a_least_amount_out_of_bounds_is_refused(village, least):
    before = written()
    with pytest.raises(AmountInvalid):
        draft(village, least)
    assert written() == before


def test_without_earnings_nothing_is_drafted(app):
    village = factories.make_village()
    with pytest.raises(NothingToPay):
        draft(village)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"reference": ""}, NoteMissing),
        ({"reference": "x" * 41}, NoteMissing),
        ({"paid_from": "stripe"}, PayeeInvalid),
        ({"on": DAY + timedelta(days=1)}, PayoutDayInvalid),
        ({"on": DAY - timedelta(days=1)}, PayoutDayInvalid),
    ],
)
def test_a_payment_that_cannot_be_is_refused_and_nothing_is_written(village, other, changes, error):
    first, *_rest = ordered(village, other)
    before = written()
    with pytest.raises(error):
        pay(village, first, **changes)
    assert written() == before


def test_a_bank_reference_pays_one_line_only(village, other):
    first, second, *_rest = ordered(village, other)
    pay(village, first, "KTB-1")
    before = written()
    with pytest.raises(ReferenceUsed):
        pay(village, second, " KTB-1 ")
    assert written() == before


def test_a_line_is_paid_once_however_often_it_is_said(village, other):
    first, *_rest = ordered(village, other)
    pay(village, first)
    before = written()
    with pytest.raises(StateForbids):
        pay(village, first, "KTB-2")
    assert written() == before


def test_another_household_or_community_confirms_nothing(village, other):
    first, second, *_rest = ordered(village, other)
    pay(village, first)
    with pytest.raises(NotFound):
        pay_out.confirm_line(village.id, second.household_id, first.id, other, LATER)
    elsewhere = factories.make_village()
    with pytest.raises(NotFound):
        pay_out.stop_line(elsewhere.id, second.id, "no", other, LATER)


def test_files_are_numbered_the_first_is_the_original(village, other):
    number = draft(village)
    with pytest.raises(StateForbids):
        pay_out.note_export(village.id, number, "csv", other, LATER)
    approve(village, number, other)
    assert [
        pay_out.note_export(village.id, number, kind, other, LATER) for kind in ("csv", "xlsx")
    ] == [1, 2]


# --- payees --------------------------------------------------------------------------------------


def name(village, kind="phone", bank="", number="081-234-5678", holder="Ms Example"):
    return pay_out.name_payee(village.id, "H01", kind, bank, number, holder, village.person_id, NOW)


def test_a_payee_is_used_once_a_second_person_agreed(village, other):
    payee_id = name(village)
    with pytest.raises(SecondPersonNeeded):
        pay_out.agree_payee(village.id, payee_id, village.person_id, NOW)
    draft_before = draft(village)
    assert lines(village)[0].number is None
    pay_out.withdraw_batch(village.id, draft_before, village.person_id, LATER)
    pay_out.agree_payee(village.id, payee_id, other, NOW)
    draft(village)
    assert lines(village)[0].number == "0812345678"


def test_a_new_payee_replaces_the_old_one_only_when_agreed(village, other):
    pay_out.agree_payee(village.id, name(village), other, NOW)
    newer = name(village, "bank", "006", "123-4-56789-0")
    in_use = payout_queries.list_payees(db.session(), village.id)["H01"]
    assert [each.state for each in in_use] == ["agreed", "named"]
    db.session.rollback()
    pay_out.agree_payee(village.id, newer, other, NOW)
    db.session.rollback()
    [left] = payout_queries.list_payees(db.session(), village.id)["H01"]
    assert (left.kind, left.bank, left.number, left.masked) == (
        "bank",
        "006",
        "1234567890",
        "••••••7890",
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "cheque"}, "kind"),
        ({"holder": "  "}, "holder"),
        ({"holder": "a\nb"}, "holder"),
        ({"number": "12"}, "number"),
        ({"kind": "tax_id", "number": "1101700203451"}, "number"),
        ({"kind": "bank", "bank": "006", "number": "=1+1"}, "number"),
        ({"kind": "bank", "bank": "6", "number": "1234567890"}, "bank"),
    ],
)
def test_a_payee_that_cannot_be_is_refused(village, changes, field):
    with pytest.raises(PayeeInvalid) as caught:
        name(village, **changes)
    assert caught.value.facts["field"] == field
    assert db.session.scalar(select(func.count()).select_from(Payee)) == 0


# --- debts ---------------------------------------------------------------------------------------


def test_a_payout_pays_a_debt_back_by_at_most_a_quarter(village, other):
    earned = books(village)["household:H01"]
    move(village, "receivable:H01", "fund:mgmt", 5_000_000)
    first = next(line for line in ordered(village, other) if line.household == "H01")
    assert first.recovered_satang == earned // 4
    assert first.amount_satang == earned - earned // 4
    assert books(village)["receivable:H01"] == 5_000_000 - earned // 4


# --- the audit -----------------------------------------------------------------------------------


@pytest.fixture
def paid(village, other):
    for number, line in enumerate(ordered(village, other)):
        if number:
            pay(village, line, f"KTB-{number}")
    assert faults(village) == []
    drop_triggers("payout_step")
    return village


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE payout_step SET amount_satang = 1 WHERE step = 'paid'", Fault.AMOUNT_DIFFERS),
        ("DELETE FROM payout_step WHERE step = 'paid'", Fault.ENTRY_UNEXPLAINED),
        ("UPDATE payout_line SET state = 'paid'", Fault.PAYOUT_STATE),
        ("UPDATE payout_line SET state = 'returned' WHERE state = 'paid'", Fault.PAYOUT_STATE),
        ("UPDATE payout_line SET state = 'confirmed' WHERE state = 'paid'", Fault.PAYOUT_STATE),
        (
            "UPDATE payout_line SET state = 'withdrawn' WHERE state = 'ordered'",
            Fault.TRANSIT_DIFFERS,
        ),
        ("UPDATE payout_line SET amount_satang = amount_satang + 1", Fault.PAYOUT_STATE),
    ],
)
def test_the_audit_names_what_was_altered(paid, statement, fault):
    tamper(statement)
    assert fault in {each.fault for each in faults(paid)}


def test_the_database_itself_refuses_one_person_for_two(village):
    draft(village)
    with pytest.raises(Exception, match="two_people"), transaction() as session:
        session.execute(
            text(
                "UPDATE payout_batch SET state = 'approved', decided_by = drafted_by,"
                " decided_at = drafted_at"
            )
        )


def test_steps_of_payouts_cannot_be_changed(village, other):
    ordered(village, other)
    for statement in ("UPDATE payout_step SET amount_satang = 1", "DELETE FROM payout_step"):
        with pytest.raises(Exception, match="append-only"), transaction() as session:
            session.execute(text(statement))


def test_a_payee_that_changed_after_drafting_is_not_paid_unseen(village, other):
    pay_out.agree_payee(village.id, name(village), other, NOW)
    number = draft(village)
    pay_out.agree_payee(village.id, name(village, number="082-345-6789"), other, NOW)
    before = written()
    with pytest.raises(PreviewOutdated):
        approve(village, number, other)
    assert written() == before


def test_whoever_took_the_banks_file_does_not_stop_a_line_alone(village, other):
    first, *_rest = ordered(village, other)
    pay_out.note_export(village.id, 1, "pain001", other, LATER)
    with pytest.raises(SecondPersonNeeded):
        pay_out.stop_line(village.id, first.id, "not taken", other, LATER)
    pay_out.stop_line(village.id, first.id, "not taken", village.person_id, LATER)


def test_a_reference_of_a_fund_pays_no_household(village, other):
    first, *_rest = ordered(village, other)
    fund_use.contribute(
        village.id, "welfare", "state", "", 100, "promptpay", "KTB-1", "", DAY, other, LATER
    )
    before = written()
    with pytest.raises(ReferenceUsed):
        pay(village, first, "KTB-1")
    assert written() == before
