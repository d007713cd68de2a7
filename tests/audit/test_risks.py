"""What a mentor looks at first: each number at both sides of its line, and without anything to count."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.audit.risks import RiskCode, RiskFacts, judge
from cbt.revenue.policy_rules import Verdict

PASS, FAIL, NO_DATA = Verdict.PASS, Verdict.FAIL, Verdict.NO_DATA
QUIET = RiskFacts(
    entries=100,
    late=0,
    corrections=0,
    earned={"H01": 30_000, "H02": 40_000, "H03": 30_000},
    captured_satang=100_000,
    cash_satang=20_000,
    settled=20,
    refunds_after=0,
    refunded_after_satang=0,
    turns=40,
    skipped=0,
    approvals=3,
    same_person=0,
    two_offices=0,
    trips=10,
    alone=0,
)
EMPTY = RiskFacts(
    entries=0,
    late=0,
    corrections=0,
    earned={},
    captured_satang=0,
    cash_satang=0,
    settled=0,
    refunds_after=0,
    refunded_after_satang=0,
    turns=0,
    skipped=0,
    approvals=0,
    same_person=0,
    two_offices=0,
    trips=0,
    alone=0,
)
EARNED = {"H01": 50_000, "H02": 30_000, "H03": 20_000}


def verdict(facts, code):
    return {each.code: each for each in judge(facts)}[code].verdict


@pytest.mark.parametrize(
    ("code", "changes", "expected"),
    [
        (RiskCode.ONE_HOUSEHOLD, {"earned": EARNED}, PASS),
        (RiskCode.ONE_HOUSEHOLD, {"earned": {**EARNED, "H01": 50_001}}, FAIL),
        (RiskCode.ONE_HOUSEHOLD, {"earned": {"H01": 1}}, FAIL),
        (RiskCode.ONE_HOUSEHOLD, {"earned": {"H01": 0, "H02": 0}}, NO_DATA),
        (RiskCode.ONE_HOUSEHOLD, {"earned": {"H01": 10, "H02": 10, "H03": -50}}, PASS),
        (RiskCode.CASH, {"cash_satang": 50_000}, PASS),
        (RiskCode.CASH, {"cash_satang": 50_001}, FAIL),
        (RiskCode.CASH, {"captured_satang": 0, "cash_satang": 0}, NO_DATA),
        (RiskCode.SKIPS, {"skipped": 4}, PASS),
        (RiskCode.SKIPS, {"skipped": 5}, FAIL),
        (RiskCode.SKIPS, {"turns": 0}, NO_DATA),
        (RiskCode.LATE_CHANGES, {"late": 1}, FAIL),
        (RiskCode.LATE_CHANGES, {"corrections": 1}, FAIL),
        (RiskCode.LATE_CHANGES, {"entries": 0}, NO_DATA),
        (RiskCode.REFUNDS_AFTER, {"refunds_after": 1, "refunded_after_satang": 5}, FAIL),
        (RiskCode.REFUNDS_AFTER, {"settled": 0, "refunds_after": 1}, FAIL),
        (RiskCode.REFUNDS_AFTER, {"settled": 0}, NO_DATA),
        (RiskCode.DUTIES, {"same_person": 1}, FAIL),
        (RiskCode.DUTIES, {"two_offices": 1}, FAIL),
        (RiskCode.DUTIES, {"approvals": 0, "two_offices": 1}, FAIL),
        (RiskCode.DUTIES, {"approvals": 0}, NO_DATA),
        (RiskCode.WORK_ALONE, {"alone": 1}, FAIL),
        (RiskCode.WORK_ALONE, {"trips": 0}, NO_DATA),
    ],
    ids=str,
)
def test_each_number_on_both_sides_of_its_line(code, changes, expected):
    assert verdict(QUIET, code) == PASS
    assert verdict(replace(QUIET, **changes), code) == expected


def test_a_month_without_anything_passes_nothing():
    assert {each.verdict for each in judge(EMPTY)} == {NO_DATA}


def test_what_is_beyond_its_line_comes_first_and_each_number_once():
    found = judge(replace(QUIET, cash_satang=90_000, late=2, turns=0))
    assert [each.code for each in found][:3] == [
        RiskCode.LATE_CHANGES,
        RiskCode.CASH,
        RiskCode.SKIPS,
    ]
    assert sorted(each.code for each in found) == sorted(RiskCode)


@given(st.dictionaries(st.text("H0123", min_size=1), st.integers(-(10**9), 10**9)))
def test_at_most_one_household_can_have_more_than_half(earned):
    risk = {each.code: each for each in judge(replace(QUIET, earned=earned))}[
        RiskCode.ONE_HOUSEHOLD
    ]
    gained = [amount for amount in earned.values() if amount > 0]
    over = [amount for amount in gained if 2 * amount > sum(gained)]
    assert (risk.verdict == FAIL) == (len(over) == 1)
    assert 0 <= risk.values["share_bp"] <= 10_000
