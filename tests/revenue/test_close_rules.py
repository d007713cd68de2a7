"""The rules of a close, by the vectors of the rule catalogue."""

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.revenue.close_rules import (
    CloseFacts,
    Fund,
    Household,
    Severity,
    Verdict,
    Wage,
    answers_text,
    gini,
    judge,
    largest_share,
    participation,
)

CLEAN = CloseFacts(
    month=date(2026, 10, 1),
    closed_on=date(2026, 11, 5),
    days_after=5,
    preparer=1,
    approver=2,
    auditors=frozenset({9}),
    bookings=(("B-1", 100, 100), ("B-2", 0, 0)),
    household_lines=4,
    untraced=(),
    recomputed=3,
    differing=0,
    changed_entries=0,
    households=tuple(Household(f"H{number}", 100) for number in range(10)),
    closed_months=3,
    committee_known=False,
    mgmt_paid=(),
    funds=(Fund("welfare", 5, 10, 3, 12),),
    net_satang=1_000,
    kept_satang=900,
    wages=(),
    daily_wage_satang=None,
    statements_days=0,
    unpaid_days=None,
    gross_year_satang=100,
    exemption_until=None,
)


def answer_of(rule, **changes):
    found = {each.rule: each for each in judge(replace(CLEAN, **changes))}[rule]
    return found.verdict, found.severity


def earning(*incomes):
    return tuple(Household(f"H{number}", each) for number, each in enumerate(incomes))


PASS, FAIL = Verdict.PASS, Verdict.FAIL
ERROR, WARNING, ADVICE = Severity.ERROR, Severity.WARNING, Severity.ADVICE
V7 = (1_200, 1_500, 1_800, 2_400, 3_600, 0, 0, 900)


@pytest.mark.parametrize(
    ("incomes", "coefficient"),
    [
        pytest.param([100] * 4, Fraction(0), id="V4"),
        pytest.param([0, 0, 0, 100], Fraction(3, 4), id="V5"),
        pytest.param([10, 20, 30, 40], Fraction(1, 4), id="V6"),
        pytest.param(list(V7), Fraction(4408, 10_000), id="V7"),
        pytest.param([0, 0, 0], None, id="V9"),
        pytest.param([], None, id="nobody"),
    ],
)
def test_the_gini_coefficient(incomes, coefficient):
    found = gini(incomes)
    if coefficient is None:
        assert found is None
    else:
        assert round(found, 4) == coefficient


def test_the_small_sample_forms_of_the_vectors():
    assert gini([0, 0, 0, 100]) * Fraction(4, 3) == 1
    assert gini([10, 20, 30, 40]) * Fraction(4, 3) == Fraction(1, 3)
    assert round(gini(V7) * Fraction(8, 7), 4) == Fraction(5038, 10_000)


def test_vector_seven_warns_of_inequality_but_not_of_one_household():
    of = {"households": earning(*V7)}
    assert answer_of("PRD-04", **of) == (FAIL, WARNING)
    assert largest_share(V7) == Fraction(3_600, 11_400)
    assert answer_of("PRD-05", **of) == (PASS, WARNING)
    assert participation(V7) == Fraction(3, 4)
    assert answer_of("PRD-06", **of) == (FAIL, ADVICE)


@pytest.mark.parametrize(
    ("rule", "changes", "found"),
    [
        pytest.param(
            "PRD-01", {"bookings": (("B-1", 100, 99),)}, (FAIL, ERROR), id="a satang lost"
        ),
        pytest.param(
            "PRD-01",
            {"bookings": (("B-1", 100, 99), ("B-2", 99, 100))},
            (FAIL, ERROR),
            id="two that make up for each other",
        ),
        pytest.param("PRD-01", {"bookings": ()}, (Verdict.NOT_APPLICABLE, ERROR), id="no booking"),
        pytest.param("PRD-02", {"untraced": ("4.1",)}, (FAIL, ERROR), id="a line from nowhere"),
        pytest.param("PRD-03", {"differing": 1}, (FAIL, ERROR), id="another split than the rule's"),
        pytest.param("PRD-04", {"closed_months": 2}, (Verdict.NO_DATA, WARNING), id="two months"),
        pytest.param(
            "PRD-04",
            {"households": earning(0, 0, 0, 0, 0)},
            (Verdict.NO_DATA, WARNING),
            id="no income is not equality",
        ),
        pytest.param(
            "PRD-04", {"households": earning(9, 9, 9, 9)}, (Verdict.NO_DATA, WARNING), id="four"
        ),
        pytest.param(
            "PRD-05",
            {"households": earning(*[100] * 19, 700)},
            (FAIL, WARNING),
            id="one takes 27 per cent of twenty",
        ),
        pytest.param(
            "PRD-06", {"households": earning(1, 1, 0, 0, 0)}, (FAIL, WARNING), id="two of five"
        ),
        pytest.param(
            "PRD-06", {"households": earning(1, 1, 1, 1, 0)}, (PASS, WARNING), id="four of five"
        ),
        pytest.param(
            "PRD-09",
            {
                "committee_known": True,
                "households": (
                    Household("H1", 500, on_committee=True),
                    *earning(100, 100, 100, 100),
                ),
            },
            (FAIL, WARNING),
            id="the committee earns most",
        ),
        pytest.param("PRD-09", {}, (Verdict.NO_DATA, WARNING), id="nobody says who is on it"),
        pytest.param(
            "PRD-10", {"funds": (Fund("welfare", 5, 10, 3, 11),)}, (FAIL, ERROR), id="a fund short"
        ),
        pytest.param(
            "PRD-10", {"funds": (Fund("welfare", 0, 0, 1, -1),)}, (FAIL, ERROR), id="below zero"
        ),
        pytest.param("PRD-11", {"kept_satang": 699}, (FAIL, WARNING), id="under 70 per cent stays"),
        pytest.param("PRD-11", {"kept_satang": 700}, (FAIL, ADVICE), id="70 per cent stays"),
        pytest.param("PRD-11", {"kept_satang": 800}, (PASS, WARNING), id="80 per cent stays"),
        pytest.param(
            "PRD-11",
            {"net_satang": 0, "kept_satang": 0},
            (Verdict.NO_DATA, WARNING),
            id="no income",
        ),
        pytest.param("PRD-12", {}, (Verdict.NO_DATA, WARNING), id="no table of wages"),
        pytest.param(
            "PRD-12",
            {"daily_wage_satang": 40_000, "wages": (Wage("H1", "cook", 4_999, 60),)},
            (FAIL, WARNING),
            id="a satang under fifty baht an hour",
        ),
        pytest.param(
            "PRD-12",
            {"daily_wage_satang": 40_000, "wages": (Wage("H1", "cook", 5_000, 60),)},
            (PASS, WARNING),
            id="fifty baht an hour",
        ),
        pytest.param("PRD-13", {"approver": 1}, (FAIL, ERROR), id="one person twice"),
        pytest.param("PRD-13", {"approver": 9}, (FAIL, ERROR), id="the auditor approves"),
        pytest.param("PRD-13", {"preparer": 9}, (FAIL, ERROR), id="the auditor prepares"),
        pytest.param("PRD-13", {"changed_entries": 1}, (FAIL, ERROR), id="an entry changed"),
        pytest.param("PRD-13", {"days_after": 16}, (FAIL, WARNING), id="on the sixteenth day"),
        pytest.param("PRD-13", {"days_after": 15}, (PASS, WARNING), id="on the fifteenth day"),
        pytest.param("PRD-14", {"statements_days": None}, (Verdict.NO_DATA, WARNING), id="first"),
        pytest.param("PRD-14", {"unpaid_days": 16}, (FAIL, WARNING), id="unpaid 16 days"),
        pytest.param("PRD-14", {"unpaid_days": 46}, (FAIL, ERROR), id="unpaid 46 days"),
        pytest.param("PRD-15", {"gross_year_satang": 150_000_000}, (FAIL, ADVICE), id="1.5 M"),
        pytest.param("PRD-15", {"gross_year_satang": 180_000_000}, (FAIL, WARNING), id="1.8 M"),
        pytest.param(
            "PRD-15", {"exemption_until": date(2025, 12, 31)}, (FAIL, WARNING), id="exemption over"
        ),
        pytest.param(
            "PRD-15", {"exemption_until": date(2026, 11, 5)}, (PASS, WARNING), id="its last day"
        ),
    ],
)
def test_a_rule_at_its_threshold(rule, changes, found):
    assert answer_of(rule, **changes) == found


def test_a_clean_month_stops_nothing_and_asks_nothing():
    assert not [each.rule for each in judge(CLEAN) if each.stops or each.asks]


def test_what_is_bound_into_the_record_holds_no_word_that_somebody_wrote():
    answers = judge(replace(CLEAN, days_after=20))
    text = answers_text(answers, {"PRD-13": "นางสาวเอ was ill"})
    assert "was ill" not in text
    assert text != answers_text(answers, {"PRD-13": "she was ill"})


INCOMES = st.lists(st.integers(0, 10**9), min_size=1, max_size=40)


@given(INCOMES, st.integers(2, 1_000))
def test_the_gini_lies_between_equality_and_one_taking_all_and_knows_no_unit(incomes, times):
    found = gini(incomes)
    if sum(incomes) == 0:
        assert found is None
        return
    assert 0 <= found <= Fraction(len(incomes) - 1, len(incomes))
    assert gini([each * times for each in incomes]) == found
    assert gini(list(reversed(incomes))) == found


@given(INCOMES)
def test_the_gini_is_half_the_mean_difference_over_the_mean(incomes):
    total, number = sum(incomes), len(incomes)
    if total:
        apart = sum(abs(one - other) for one in incomes for other in incomes)
        assert gini(incomes) == Fraction(apart, 2 * number * total)
