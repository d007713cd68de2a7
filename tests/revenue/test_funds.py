"""Funds: money leaves for a request that two people approved, loans come back, nothing goes below zero."""

from datetime import date, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text

from cbt.audit.findings import Fault
from cbt.audit.verify import verify
from cbt.db import db, transaction
from cbt.errors import (
    AmountInvalid,
    CeilingExceeded,
    EvidenceInvalid,
    EvidenceMissing,
    FreeTooLow,
    FundDayInvalid,
    FundUseInvalid,
    LoanInvalid,
    NoteMissing,
    NotFound,
    ReferenceUsed,
    SaidAlready,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.ledger.models import Entry
from cbt.ledger.queries import balances
from cbt.revenue import fund_queries, fund_use
from cbt.revenue.fund_models import Contribution, FundClaim, Loan, Repayment
from cbt.revenue.funds import (
    MOST_BYTES,
    Ceiling,
    Evidence,
    Instalment,
    LoanStanding,
    exceeds,
    schedule,
    standing,
)
from tests import factories
from tests.concurrency import run_together
from tests.site import NOW
from tests.tamper import drop_triggers, tamper

EVENING = NOW + timedelta(days=2)
LATER = EVENING + timedelta(days=1)
DAY = LATER.date()
PAPER = Evidence("certificate.pdf", b"%PDF-1.7 certificate")
_NUMBERS = count(1)


# --- rules ---------------------------------------------------------------------------------------


def test_a_loan_is_paid_back_in_equal_months_the_odd_satang_first():
    assert schedule(100_001, 3, date(2026, 1, 31)) == (
        Instalment(date(2026, 1, 31), 33_334),
        Instalment(date(2026, 2, 28), 33_334),
        Instalment(date(2026, 3, 31), 33_333),
    )


@given(st.integers(60, 10**9), st.integers(1, 60), st.dates(date(2020, 1, 1), date(2090, 1, 1)))
def test_instalments_sum_to_the_loan_and_fall_in_as_many_months(amount, number, first):
    plan = schedule(amount, number, first)
    assert sum(each.amount_satang for each in plan) == amount
    assert len({(each.due_on.year, each.due_on.month) for each in plan}) == number
    assert max(e.amount_satang for e in plan) - min(e.amount_satang for e in plan) <= 1


@pytest.mark.parametrize(("amount", "number"), [(0, 1), (100, 0), (100, 61), (5, 6), (-1, 1)])
def test_a_loan_that_cannot_be_paid_back_so_is_refused(amount, number):
    with pytest.raises(LoanInvalid):
        schedule(amount, number, DAY)


@pytest.mark.parametrize(
    ("repaid", "on", "expected"),
    [
        (0, date(2026, 1, 31), LoanStanding(100_001, 0, None)),
        (0, date(2026, 2, 1), LoanStanding(100_001, 33_334, date(2026, 1, 31))),
        (33_334, date(2026, 2, 28), LoanStanding(66_667, 0, None)),
        (40_000, date(2026, 3, 1), LoanStanding(60_001, 26_668, date(2026, 2, 28))),
        (100_001, date(2027, 1, 1), LoanStanding(0, 0, None)),
    ],
)
def test_what_is_paid_covers_the_earliest_instalment_first(repaid, on, expected):
    assert standing(schedule(100_001, 3, date(2026, 1, 31)), repaid, on) == expected


@pytest.mark.parametrize(
    ("amount", "before", "ceiling", "broken"),
    [
        (100, 0, None, None),
        (100, 0, Ceiling(100, 300), None),
        (101, 0, Ceiling(100, 300), "once"),
        (100, 200, Ceiling(100, 300), None),
        (100, 201, Ceiling(100, 300), "yearly"),
    ],
)
def test_a_ceiling_holds_to_the_satang(amount, before, ceiling, broken):
    assert exceeds(amount, before, ceiling) == broken


# --- use -----------------------------------------------------------------------------------------


@pytest.fixture
def village(app):
    village = factories.make_village()
    for party in ({"ADULT": 2}, {"ADULT": 3}):
        factories.book(village, party)
    factories.record_work(village, ("H01", "boat", 1), ("H02", "guide", 1))
    factories.settle(village, EVENING)
    return village


@pytest.fixture
def two(village):
    return factories.make_person(), factories.make_person()


def give(village, satang=100_000, fund="welfare", reference="GOV-1", **changes):
    values = {"giver": "local_government", "household": "", "account": "promptpay", "on": DAY}
    values |= changes
    return fund_use.contribute(
        village.id,
        fund,
        values["giver"],
        values["household"],
        satang,
        values["account"],
        reference,
        "yearly grant",
        values["on"],
        village.person_id,
        LATER,
    )


def ask(village, satang=1_000, fund="welfare", purpose="illness", household="H01", **changes):
    values = {
        "payee": "Ms H01",
        "what": f"three nights in hospital, {next(_NUMBERS)}",
        "evidence": "certificate",
        "file": PAPER,
    }
    values |= changes
    return fund_use.request_claim(
        village.id,
        fund,
        purpose,
        household,
        values["payee"],
        values["what"],
        satang,
        values["evidence"],
        values["file"],
        village.person_id,
        LATER,
    )


def approve(village, claim_id, people):
    return [fund_use.approve_claim(village.id, claim_id, each, LATER) for each in people]


def pay(village, claim_id, reference="KTB-9", paid_from="promptpay", on=DAY):
    fund_use.pay_claim(village.id, claim_id, paid_from, reference, on, village.person_id, LATER)


def books(village):
    db.session.rollback()
    return balances(db.session(), village.card.book_id)


def faults(village):
    db.session.rollback()
    return [each for outcome in verify(db.session(), village.card) for each in outcome.findings]


def written():
    db.session.rollback()
    models = (Entry, Contribution, FundClaim, Loan, Repayment)
    counts = [db.session.scalar(select(func.count()).select_from(model)) for model in models]
    return counts, db.session.scalars(select(FundClaim.state)).all()


def test_a_contribution_goes_into_its_fund_beside_tourisms_share(village):
    before = books(village)
    give(village)
    after = books(village)
    assert after["fund:welfare"] - before["fund:welfare"] == 100_000
    assert after["payment:promptpay"] - before["payment:promptpay"] == 100_000
    assert faults(village) == []


def test_a_welfare_request_is_paid_once_two_others_approved_it(village, two):
    give(village)
    before = books(village)
    claim_id = ask(village)
    assert approve(village, claim_id, two) == [False, True]
    assert books(village) == before
    pay(village, claim_id)
    after = books(village)
    assert before["fund:welfare"] - after["fund:welfare"] == 1_000
    household = db.session.scalar(select(FundClaim.household_id))
    db.session.rollback()
    fund_use.confirm_claim(village.id, household, claim_id, two[0], LATER)
    fund_use.confirm_claim(village.id, household, claim_id, two[0], LATER)
    assert faults(village) == []


def test_who_asked_or_approved_before_is_no_second_person(village, two):
    claim_id = ask(village)
    with pytest.raises(SecondPersonNeeded):
        approve(village, claim_id, [village.person_id])
    with pytest.raises(SecondPersonNeeded):
        approve(village, claim_id, [two[0], two[0]])
    with pytest.raises(StateForbids):
        pay(village, claim_id)
    assert written()[1] == ["requested"]


def test_two_who_approve_at_once_are_two(app, village, two):
    claim_id = ask(village)
    results = run_together(
        app, lambda each: fund_use.approve_claim(village.id, claim_id, two[each], LATER), 2
    )
    assert sorted(results) == [False, True]


def test_a_fund_promises_no_more_than_it_has(village, two):
    have = books(village)["fund:welfare"]
    with pytest.raises(FreeTooLow):
        ask(village, have + 1)
    first, second = ask(village, have), ask(village, have)
    approve(village, first, two)
    with pytest.raises(FreeTooLow):
        approve(village, second, two)
    pay(village, first)
    assert books(village)["fund:welfare"] == 0
    assert faults(village) == []


def test_a_ceiling_is_kept_once_and_over_the_year(village):
    give(village)
    fund_use.set_ceiling(
        village.id, "welfare", "illness", 2_000, 3_000, "meeting 1/2569", village.person_id, LATER
    )
    with pytest.raises(CeilingExceeded) as once:
        ask(village, 2_001)
    assert once.value.facts == {"which": "once", "most_satang": 2_000}
    ask(village, 2_000)
    with pytest.raises(CeilingExceeded) as yearly:
        ask(village, 1_001)
    assert yearly.value.facts == {"which": "yearly", "most_satang": 1_000}
    ask(village, 1_001, household="H02")
    ask(village, 5_000, purpose="education")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"satang": 0}, AmountInvalid),
        ({"satang": -1}, AmountInvalid),
        ({"fund": "revolve", "purpose": "illness"}, FundUseInvalid),
        ({"fund": "treasure"}, FundUseInvalid),
        ({"purpose": "works"}, FundUseInvalid),
        ({"household": ""}, FundUseInvalid),
        ({"household": "H99"}, NotFound),
        ({"evidence": " "}, EvidenceMissing),
        ({"file": Evidence("empty.pdf", b"")}, EvidenceMissing),
        ({"file": Evidence("page.pdf", b"<html>")}, EvidenceInvalid),
        ({"file": Evidence("film.pdf", b"%PDF-" + b"x" * MOST_BYTES)}, EvidenceInvalid),
        ({"what": ""}, NoteMissing),
        ({"payee": "a\x00b"}, NoteMissing),
        ({"what": "x" * 301}, NoteMissing),
    ],
)
def test_a_request_that_cannot_be_is_refused_and_nothing_is_written(village, changes, error):
    before = written()
    with pytest.raises(error):
        ask(village, **changes)
    assert written() == before


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"satang": 0}, AmountInvalid),
        ({"fund": "treasure"}, FundUseInvalid),
        ({"giver": "nobody"}, FundUseInvalid),
        ({"account": "stripe"}, FundUseInvalid),
        ({"reference": ""}, NoteMissing),
        ({"on": DAY + timedelta(days=1)}, FundDayInvalid),
        ({"on": DAY - timedelta(days=400)}, FundDayInvalid),
        ({"household": "H99"}, NotFound),
    ],
)
def test_a_contribution_that_cannot_be_is_refused_and_nothing_is_written(village, changes, error):
    before = written()
    with pytest.raises(error):
        give(village, **changes)
    assert written() == before


def test_a_bank_reference_counts_once(village, two):
    give(village)
    with pytest.raises(ReferenceUsed):
        give(village)
    first, second = ask(village), ask(village)
    for claim_id in (first, second):
        approve(village, claim_id, two)
    pay(village, first)
    before = written()
    with pytest.raises(ReferenceUsed):
        pay(village, second)
    with pytest.raises(StateForbids):
        pay(village, first, "KTB-10")
    assert written() == before


def test_a_refused_request_frees_what_was_promised(village, two):
    have = books(village)["fund:welfare"]
    claim_id = ask(village, have)
    approve(village, claim_id, two)
    fund_use.refuse_claim(village.id, claim_id, "paid by the insurance", two[0], LATER)
    with pytest.raises(StateForbids):
        pay(village, claim_id)
    ask(village, have)


def test_another_community_or_household_finds_nothing(village, two):
    claim_id = ask(village)
    elsewhere = factories.make_village()
    with pytest.raises(NotFound):
        fund_use.approve_claim(elsewhere.id, claim_id, two[0], LATER)
    approve(village, claim_id, two)
    pay(village, claim_id)
    with pytest.raises(NotFound):
        fund_use.confirm_claim(village.id, 999, claim_id, two[0], LATER)


# --- loans ---------------------------------------------------------------------------------------


def lend(village, two, satang=3_000, instalments=3):
    loan_id = fund_use.request_loan(
        village.id,
        "H02",
        "Mr H02",
        "a net",
        satang,
        instalments,
        DAY + timedelta(days=30),
        village.person_id,
        LATER,
    )
    for each in two:
        fund_use.approve_loan(village.id, loan_id, each, LATER)
    fund_use.pay_loan(
        village.id, loan_id, "promptpay", f"L-{loan_id}", DAY, village.person_id, LATER
    )
    return loan_id


def repay(village, loan_id, satang, reference):
    return fund_use.repay_loan(
        village.id, loan_id, satang, "promptpay", reference, DAY, village.person_id, LATER
    )


def test_a_loan_leaves_the_fund_what_it_was_and_what_is_free_less(village, two):
    give(village, fund="revolve")
    before = books(village)
    lend(village, two)
    after = books(village)
    assert after["fund:revolve"] == before["fund:revolve"]
    assert after["loans"] == 3_000
    db.session.rollback()
    card = fund_queries.get_fund(db.session(), village.id, village.card.book_id, "revolve")
    assert card.free_satang == before["fund:revolve"] - 3_000
    assert faults(village) == []


def test_a_loan_is_repaid_and_never_more_than_is_left(village, two):
    give(village, fund="revolve")
    loan_id = lend(village, two)
    assert repay(village, loan_id, 1_000, "R-1") == 2_000
    before = written()
    with pytest.raises(AmountInvalid):
        repay(village, loan_id, 2_001, "R-2")
    with pytest.raises(ReferenceUsed):
        repay(village, loan_id, 1_000, "R-1")
    assert written() == before
    assert repay(village, loan_id, 2_000, "R-2") == 0
    with pytest.raises(StateForbids):
        repay(village, loan_id, 1, "R-3")
    assert books(village)["loans"] == 0
    assert faults(village) == []


def test_only_what_is_in_the_revolving_fund_is_lent(village, two):
    have = books(village)["fund:revolve"]
    with pytest.raises(FreeTooLow):
        lend(village, two, have + 1)
    lend(village, two, have)
    with pytest.raises(FreeTooLow):
        lend(village, two, 60)


def test_the_rest_of_a_loan_is_waived_by_two_people_at_the_funds_cost(village, two):
    give(village, fund="revolve")
    loan_id = lend(village, two)
    repay(village, loan_id, 1_000, "R-1")
    before = books(village)["fund:revolve"]
    assert fund_use.waive_loan(village.id, loan_id, two[0], LATER) is False
    with pytest.raises(SecondPersonNeeded):
        fund_use.waive_loan(village.id, loan_id, two[0], LATER)
    assert fund_use.waive_loan(village.id, loan_id, two[1], LATER) is True
    after = books(village)
    assert (after["loans"], before - after["fund:revolve"]) == (0, 2_000)
    assert faults(village) == []


@pytest.mark.parametrize(("first", "number"), [(DAY, 3), (DAY + timedelta(days=9), 0)])
def test_a_loan_without_a_way_back_is_refused(village, first, number):
    before = written()
    with pytest.raises(LoanInvalid):
        fund_use.request_loan(
            village.id, "H02", "Mr H02", "a net", 1_000, number, first, village.person_id, LATER
        )
    assert written() == before


# --- the audit -----------------------------------------------------------------------------------


@pytest.fixture
def used(village, two):
    give(village)
    give(village, fund="revolve", reference="GOV-2")
    claim_id = ask(village)
    approve(village, claim_id, two)
    pay(village, claim_id)
    repay(village, lend(village, two), 1_000, "R-1")
    assert faults(village) == []
    drop_triggers("contribution", "fund_approval", "repayment")
    return village


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE contribution SET amount_satang = 1", Fault.AMOUNT_DIFFERS),
        ("DELETE FROM contribution WHERE fund = 'welfare'", Fault.ENTRY_UNEXPLAINED),
        ("UPDATE contribution SET fund = 'develop' WHERE fund = 'welfare'", Fault.AMOUNT_DIFFERS),
        ("UPDATE fund_claim SET amount_satang = amount_satang + 1", Fault.AMOUNT_DIFFERS),
        ("DELETE FROM fund_approval WHERE claim_id IS NOT NULL", Fault.APPROVALS_MISSING),
        ("DELETE FROM fund_approval WHERE loan_id IS NOT NULL", Fault.APPROVALS_MISSING),
        ("UPDATE repayment SET amount_satang = 999", Fault.LOANS_DIFFER),
        ("UPDATE loan SET amount_satang = 3001", Fault.LOANS_DIFFER),
    ],
)
def test_the_audit_names_what_was_altered(used, statement, fault):
    tamper(statement)
    assert fault in {each.fault for each in faults(used)}


def test_facts_of_funds_cannot_be_changed(village):
    give(village)
    for statement in ("UPDATE contribution SET amount_satang = 1", "DELETE FROM contribution"):
        with pytest.raises(Exception, match="append-only"), transaction() as session:
            session.execute(text(statement))


# --- forms that are sent once more, as nobody answered -------------------------------------------


def test_a_request_sent_twice_is_one_request(village):
    give(village)
    first = ask(village, what="three nights in hospital")
    assert ask(village, what="three nights in hospital") == first
    assert ask(village, what="three more nights") != first
    assert len(written()[1]) == 2


def test_a_loan_asked_for_twice_is_one_loan(village):
    give(village, fund="revolve")
    asked = ("H01", "Ms H01", "a new net", 9_000, 3, DAY + timedelta(days=30))
    people = (village.person_id, LATER)
    first = fund_use.request_loan(village.id, *asked, *people)
    assert fund_use.request_loan(village.id, *asked, *people) == first
    db.session.rollback()
    assert db.session.scalar(select(func.count()).select_from(Loan)) == 1


def test_cash_given_twice_in_the_same_words_is_asked_about(village):
    give(village, account="cash", reference="")
    before = written()
    with pytest.raises(SaidAlready):
        give(village, account="cash", reference="")
    assert written() == before
    give(village, account="cash", reference="", satang=100_001)


def test_a_repayment_in_cash_that_was_sent_twice_counts_once(village, two):
    give(village, fund="revolve")
    due_on = DAY + timedelta(days=30)
    asked = ("H01", "Ms H01", "a new net", 9_000, 3, due_on, village.person_id, LATER)
    loan_id = fund_use.request_loan(village.id, *asked)
    for each in two:
        fund_use.approve_loan(village.id, loan_id, each, LATER)
    money = ("promptpay", "KTB-11", DAY, village.person_id, LATER)
    fund_use.pay_loan(village.id, loan_id, *money)
    back = (loan_id, 3_000, "cash", "", DAY, village.person_id)
    assert fund_use.repay_loan(village.id, *back, LATER) == 6_000
    before = written()
    with pytest.raises(SaidAlready):
        fund_use.repay_loan(village.id, *back, LATER + timedelta(minutes=9))
    assert written() == before
    assert fund_use.repay_loan(village.id, *back, LATER + timedelta(minutes=11)) == 3_000
    assert faults(village) == []
