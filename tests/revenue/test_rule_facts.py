"""What the rules of a close see of a community: turns, consents, wages, and uses of the funds."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from cbt.communities import vulnerable, wages
from cbt.communities.models import MinimumWage, VulnerableHousehold
from cbt.communities.queries import get_household, list_register
from cbt.db import db
from cbt.errors import CloseBlocked, ConsentInvalid, WageInvalid
from cbt.revenue import fund_use, turns
from cbt.revenue.funds import Evidence
from cbt.revenue.period_queries import list_answers, list_periods
from cbt.revenue.policy import Task
from cbt.revenue.policy_rules import Severity, Verdict
from cbt.revenue.rule_facts import list_pay
from cbt.revenue.turns import NewTurn
from tests import factories
from tests.revenue.closing import (
    AFTER,
    NOVEMBER,
    VOUCHED,
    close_month,
    looked,
    make_office,
    prepare,
    worked_month,
)
from tests.site import NOW
from tests.tamper import drop_triggers, tamper

PAPER = Evidence("certificate.pdf", b"%PDF-1.7 certificate")
LATER = NOW + timedelta(days=3)


@pytest.fixture
def office(app):
    office = make_office()
    worked_month(office)
    return office


def answer(office, rule, **changes):
    db.session.rollback()
    [found] = [each for each in looked(office, **changes).answers if each.rule == rule]
    return found


# --- turns: PRD-08 -------------------------------------------------------------------------------


def test_tasks_without_turns_are_not_judged_and_few_turns_are_too_few(office):
    assert answer(office, "PRD-08").verdict == Verdict.NOT_APPLICABLE
    for code in office.village.households[:2]:
        new = NewTurn(task=Task.BOAT, household=code, first_on=factories.SPRING)
        turns.set_terms(office.id, new, 1, range(7), office.coordinator, NOW)
    found = answer(office, "PRD-08")
    assert found.verdict == Verdict.NO_DATA
    assert (found.values["tasks"], found.values["judged"]) == (1, 0)


@pytest.mark.parametrize(
    ("served", "verdict", "spread"),
    [
        (("H01", "H02", "H01", "H02"), Verdict.PASS, 0),
        (("H01", "H01", "H01", "H02"), Verdict.FAIL, 10_000),
    ],
    ids=["in-turn", "one-three-times"],
)
def test_turns_are_judged_by_who_worked_until_the_months_end(app, served, verdict, spread):
    office = make_office()
    for code in office.village.households[:2]:
        new = NewTurn(task=Task.BOAT, household=code, first_on=factories.SPRING)
        turns.set_terms(office.id, new, 1, range(7), office.coordinator, NOW)
    for number, code in enumerate(served):
        _trip(office, code, NOW.date() + timedelta(days=number + 1))
    found = answer(office, "PRD-08")
    assert (found.verdict, found.values["spread_bp"]) == (verdict, spread)


def _trip(office, code, day):
    departure = factories.make_departure(office.village.option_id, day)
    village = replace(office.village, departure_id=departure)
    factories.book(village)
    factories.record_work(village, (code, "boat", 1))


# --- vulnerable households: PRD-07 ---------------------------------------------------------------


def agree(office, *codes, until=date(2026, 12, 31), now=NOW):
    for code in codes:
        household = get_household(db.session(), office.id, code)
        vulnerable.agree(office.id, household.id, until, office.coordinator, now)


def test_a_households_consent_counts_from_five_on_until_its_day_and_never_by_name(office):
    codes = office.village.households
    agree(office, *codes[:4])
    assert "vulnerable_bp" not in answer(office, "PRD-07").values
    agree(office, codes[4])
    assert answer(office, "PRD-07").values["vulnerable_bp"] == 10_000, "all five are the village"
    agree(office, codes[0], until=NOW.date())
    assert "vulnerable_bp" not in answer(office, "PRD-07").values, "it had ended at month's end"


def test_a_consent_is_set_anew_taken_back_and_forgotten(office):
    agree(office, "H01")
    agree(office, "H01", until=date(2027, 1, 31))
    household = get_household(db.session(), office.id, "H01")
    assert vulnerable.find_consent(db.session(), household.id) == date(2027, 1, 31)
    vulnerable.take_back(office.id, household.id)
    vulnerable.take_back(office.id, household.id)
    assert _consents() == 0
    agree(office, "H01", "H02", until=NOW.date() + timedelta(days=1))
    agree(office, "H02", until=NOW.date() + timedelta(days=9))
    assert vulnerable.forget_ended(NOW + timedelta(days=63)) == 0
    assert vulnerable.forget_ended(NOW + timedelta(days=64)) == 1
    assert _consents() == 1


def _consents():
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(VulnerableHousehold))


@pytest.mark.parametrize("days", [-1, 367])
def test_a_consent_ends_within_a_year_and_not_before_today(office, days):
    with pytest.raises(ConsentInvalid):
        agree(office, "H01", until=NOW.date() + timedelta(days=days))
    assert _consents() == 0


def test_a_closed_month_keeps_no_trace_of_who_agreed(office):
    agree(office, *office.village.households)
    close_month(office)
    stored = str(list_answers(db.session(), list_periods(db.session(), office.id)[0].id))
    assert "vulnerable_bp" in stored
    assert not any(each.code in stored for each in list_register(db.session(), office.id))


# --- wages: PRD-12 -------------------------------------------------------------------------------


def wage(satang, on=date(2026, 1, 1), province="94", source="notice 13"):
    return wages.record_wage(province, satang, on, source, factories.make_person(), NOW)


def test_pay_by_the_hour_is_compared_with_the_provinces_wage_of_the_day(office):
    """Three households had an hour each of boat, guide and cook, out of three bookings' pool."""
    assert answer(office, "PRD-12").verdict == Verdict.NO_DATA
    wage(60_000)
    found = answer(office, "PRD-12")
    assert (found.verdict, found.values["records"], found.values["low"]) == (Verdict.PASS, 3, 0)
    pay = min(each.amount_satang for each in _wages(office))
    wage(int(pay * 8))
    assert answer(office, "PRD-12").verdict == Verdict.PASS
    wage(int(pay * 8) + 8)
    found = answer(office, "PRD-12")
    assert (found.verdict, found.severity) == (Verdict.FAIL, Severity.WARNING)
    wage(60_000)
    assert answer(office, "PRD-12").verdict == Verdict.PASS, "of one day the later one counts"
    wage(500_000, on=factories.TOMORROW + timedelta(days=1))
    assert answer(office, "PRD-12").verdict == Verdict.PASS, "it began after the trip"


def _wages(office):
    return list_pay(db.session(), office.card, looked(office).figures)


@pytest.mark.parametrize(
    "changes",
    [
        {"satang": 9_999},
        {"satang": 500_001},
        {"on": date(1999, 12, 31)},
        {"on": NOW.date() + timedelta(days=400)},
        {"source": "  "},
        {"source": "x" * 201},
        {"source": "a\u202eb"},
        {"province": "10"},
    ],
    ids=["low", "high", "old", "far", "none", "long", "turned-round", "nobody-there"],
)
def test_a_wage_that_nobody_can_mean_is_refused_and_nothing_is_written(office, changes):
    with pytest.raises(WageInvalid):
        wage(**{"satang": 40_000, **changes})
    assert db.session.scalar(select(func.count()).select_from(MinimumWage)) == 0


def test_wages_of_another_province_do_not_count(office):
    wage(40_000)
    tamper("UPDATE community SET province_code = '55'")
    assert answer(office, "PRD-12").verdict == Verdict.NO_DATA


# --- uses of the funds: PRD-10 -------------------------------------------------------------------


@pytest.fixture
def used(office):
    """A welfare request and a loan, both asked for, approved by two others, and paid."""
    two = factories.make_person(), factories.make_person()
    for fund in ("welfare", "revolve"):
        fund_use.contribute(
            office.id,
            *(fund, "state", "", 100_000, "promptpay", f"GOV-{fund}", "grant"),
            *(LATER.date(), office.treasurer, LATER),
        )
    fund_use.set_ceiling(
        office.id, "welfare", "illness", 5_000, 8_000, "meeting 2", office.treasurer, LATER
    )
    claim = fund_use.request_claim(
        office.id,
        *("welfare", "illness", "H01", "Ms H01", "three nights", 5_000, "certificate"),
        *(PAPER, office.coordinator, LATER),
    )
    loan = fund_use.request_loan(
        office.id,
        *("H02", "Ms H02", "nets", 60_000, 6, date(2027, 1, 31)),
        *(office.coordinator, LATER),
    )
    for person in two:
        fund_use.approve_claim(office.id, claim, person, LATER)
        fund_use.approve_loan(office.id, loan, person, LATER)
    fund_use.pay_claim(
        office.id, claim, "promptpay", "KTB-1", LATER.date(), office.treasurer, LATER
    )
    fund_use.pay_loan(office.id, loan, "promptpay", "KTB-2", LATER.date(), office.treasurer, LATER)
    return office


def test_uses_that_were_asked_for_and_agreed_pass(used):
    found = answer(used, "PRD-10")
    assert (found.verdict, found.values["uses"], found.values["use_faults"]) == (Verdict.PASS, 2, 0)


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("fund_approval", "DELETE FROM fund_approval WHERE claim_id IS NOT NULL"),
        ("fund_approval", "UPDATE fund_approval SET person_id = {coordinator} WHERE id = {first}"),
        ("fund_approval", "DELETE FROM fund_approval WHERE loan_id IS NOT NULL"),
        ("fund_evidence", "UPDATE fund_evidence SET body = evidence_of_nothing"),
        ("fund_evidence", "DELETE FROM fund_evidence"),
        ("fund_ceiling", "UPDATE fund_ceiling SET once_satang = 4999"),
        ("", "UPDATE fund_claim SET payee = ' '"),
        ("", "UPDATE fund_claim SET purpose = 'meeting'"),
        ("", "UPDATE fund_claim SET amount_satang = 4999"),
        ("", "UPDATE fund_claim SET fund = 'develop'"),
        ("", "UPDATE loan SET amount_satang = 59999"),
    ],
    ids=[
        *("no-approver", "asker-approves", "loan-unapproved", "other-evidence", "no-evidence"),
        *("above-ceiling", "no-payee", "other-purpose", "other-amount", "other-fund", "other-loan"),
    ],
)
def test_a_use_that_is_not_as_it_must_be_stops_the_close(used, table, statement):
    if table:
        drop_triggers(table)
    first = "(SELECT min(id) FROM fund_approval WHERE claim_id IS NOT NULL)"
    nothing = "decode('00', 'hex')" if db.engine.dialect.name == "postgresql" else "x'00'"
    told = statement.replace("evidence_of_nothing", nothing)
    tamper(told.format(coordinator=used.coordinator, first=first))
    found = answer(used, "PRD-10", audit=VOUCHED)
    assert (found.verdict, found.severity) == (Verdict.FAIL, Severity.ERROR)
    assert found.values["use_faults"] == 1


def test_an_entry_that_takes_from_a_fund_without_a_request_stops_the_close(used):
    drop_triggers("fund_approval", "fund_evidence")
    tamper("DELETE FROM fund_approval WHERE claim_id IS NOT NULL", "DELETE FROM fund_evidence")
    tamper("DELETE FROM fund_claim")
    found = answer(used, "PRD-10", audit=VOUCHED)
    assert (found.verdict, found.values["use_faults"]) == (Verdict.FAIL, 1)
    with pytest.raises(CloseBlocked):
        prepare(used, NOVEMBER, AFTER)


def test_a_ceiling_set_later_does_not_touch_what_was_asked_before(used):
    later = LATER + timedelta(hours=1)
    fund_use.set_ceiling(
        used.id, "welfare", "illness", 100, 100, "meeting 3", used.treasurer, later
    )
    assert answer(used, "PRD-10").verdict == Verdict.PASS
