"""The rules of a close, by the vectors of the rule catalogue."""

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.revenue.close_rules import answers_text, faults_of, judge
from cbt.revenue.fairness import (
    gini,
    largest_share,
    lowest_share,
    participation,
    pay_of,
    times_even,
)
from cbt.revenue.policy import DEFAULT
from cbt.revenue.policy_rules import Severity, Verdict
from cbt.revenue.posting import SharingFacts
from cbt.revenue.rulebook import CloseFacts, Fund, FundUse, Household, TaskTurns, Wage
from cbt.revenue.sharing import Work

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
    fund_uses=(),
    unasked=(),
    net_satang=1_000,
    kept_satang=900,
    turns=(),
    wages=(),
    statements_days=0,
    unpaid_days=None,
    gross_year_satang=100,
    exemption_until=None,
)


def answer_of(rule, **changes):
    found = {each.rule: each for each in judge(replace(CLEAN, **changes))}[rule]
    return found.verdict, found.severity


def earning(*incomes, vulnerable=0):
    """Households with these incomes, the first ones of which agreed to be counted as vulnerable."""
    return tuple(
        Household(f"H{number}", each, is_vulnerable=number < vulnerable)
        for number, each in enumerate(incomes)
    )


def wage(satang, minutes=60, daily=40_000):
    return Wage("H1", "cook", Fraction(satang), minutes, daily)


USE = FundUse(
    key="claim_paid:1",
    fund="welfare",
    booked_fund="welfare",
    booked_satang=5_000,
    amount_satang=5_000,
    is_loan=False,
    approvers=frozenset({3, 4}),
    payee="Clinic",
    has_evidence=True,
    fits=True,
    breaks=None,
)
LOAN = replace(USE, key="loan_paid:1", fund="revolve", booked_fund="revolve", is_loan=True)
LOAN = replace(LOAN, has_evidence=False)


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
        pytest.param(
            "PRD-07",
            {"households": earning(10, 5, 15, 35, 35)},
            (PASS, ADVICE),
            id="15 per cent",
        ),
        pytest.param(
            "PRD-07",
            {"households": earning(9, 5, 16, 35, 35)},
            (FAIL, ADVICE),
            id="14 per cent",
        ),
        pytest.param(
            "PRD-07",
            {"households": earning(*[80] * 5, *[120] * 5, vulnerable=5)},
            (PASS, ADVICE),
            id="five earn 0.8 times their even share",
        ),
        pytest.param(
            "PRD-07",
            {"households": earning(*[79] * 5, *[121] * 5, vulnerable=5)},
            (FAIL, ADVICE),
            id="five earn 0.79 times it",
        ),
        pytest.param(
            "PRD-07",
            {"households": earning(*[79] * 5, *[121] * 5, vulnerable=4)},
            (PASS, ADVICE),
            id="four are not looked at",
        ),
        pytest.param(
            "PRD-07", {"households": earning(9, 9, 9, 9)}, (Verdict.NO_DATA, ADVICE), id="four"
        ),
        pytest.param(
            "PRD-07",
            {"households": earning(0, 0, 0, 0, 0, vulnerable=5)},
            (Verdict.NO_DATA, ADVICE),
            id="nobody earned",
        ),
        pytest.param("PRD-08", {}, (Verdict.NOT_APPLICABLE, WARNING), id="no task goes by turns"),
        pytest.param(
            "PRD-08",
            {"turns": (TaskTurns("boat", None, 9, 9),)},
            (Verdict.NO_DATA, WARNING),
            id="not two whole cycles",
        ),
        pytest.param(
            "PRD-08",
            {"turns": (TaskTurns("boat", Fraction(1, 2), 1, 10),)},
            (PASS, WARNING),
            id="a spread of 0.5, a tenth skipped",
        ),
        pytest.param(
            "PRD-08",
            {"turns": (TaskTurns("boat", Fraction(51, 100), 0, 10),)},
            (FAIL, WARNING),
            id="a spread of 0.51",
        ),
        pytest.param(
            "PRD-08",
            {"turns": (TaskTurns("boat", Fraction(0), 2, 19),)},
            (FAIL, WARNING),
            id="two of nineteen skipped",
        ),
        pytest.param(
            "PRD-08",
            {
                "turns": (
                    TaskTurns("boat", Fraction(0), 0, 10),
                    TaskTurns("guide", Fraction(2, 3), 0, 9),
                )
            },
            (FAIL, WARNING),
            id="one task of two",
        ),
        pytest.param("PRD-12", {}, (Verdict.NOT_APPLICABLE, WARNING), id="nobody worked by hours"),
        pytest.param(
            "PRD-12",
            {"wages": (wage(1, daily=None),)},
            (Verdict.NO_DATA, WARNING),
            id="no wage for the province",
        ),
        pytest.param(
            "PRD-12",
            {"wages": (wage(0, minutes=0),)},
            (Verdict.NO_DATA, WARNING),
            id="no minutes recorded",
        ),
        pytest.param(
            "PRD-12", {"wages": (wage(5_000), wage(4_999))}, (FAIL, WARNING), id="49.99 an hour"
        ),
        pytest.param("PRD-12", {"wages": (wage(5_000),)}, (PASS, WARNING), id="50 an hour"),
        pytest.param(
            "PRD-12",
            {"wages": (wage(4_999, daily=39_992),)},
            (PASS, WARNING),
            id="the wage of its own day",
        ),
        pytest.param("PRD-10", {"fund_uses": (USE, LOAN)}, (PASS, ERROR), id="asked and agreed"),
        pytest.param("PRD-10", {"unasked": ("claim_paid:9",)}, (FAIL, ERROR), id="never asked for"),
        pytest.param(
            "PRD-10",
            {"fund_uses": (USE, replace(USE, approvers=frozenset({3})))},
            (FAIL, ERROR),
            id="one approver",
        ),
        pytest.param(
            "PRD-10", {"funds": ()}, (Verdict.NOT_APPLICABLE, ERROR), id="no fund, no use"
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


@pytest.mark.parametrize(
    ("use", "fault"),
    [
        (replace(USE, booked_satang=5_001), "amount"),
        (replace(USE, booked_fund="develop"), "fund"),
        (replace(USE, fund="revolve", booked_fund="revolve"), "fund"),
        (replace(LOAN, fund="welfare", booked_fund="welfare"), "fund"),
        (replace(USE, approvers=frozenset({3})), "approvals"),
        (replace(USE, payee=" "), "payee"),
        (replace(USE, has_evidence=False), "evidence"),
        (replace(USE, fits=False), "purpose"),
        (replace(USE, breaks="once"), "ceiling"),
        (replace(USE, breaks="yearly"), "ceiling"),
    ],
)
def test_what_is_wrong_with_a_use_of_a_fund_is_named(use, fault):
    assert faults_of(use) == (fault,)


def test_a_loan_needs_two_approvers_but_neither_evidence_nor_purpose():
    assert faults_of(USE) == faults_of(LOAN) == ()
    assert faults_of(replace(LOAN, approvers=frozenset())) == ("approvals",)


def test_the_lowest_two_fifths_count_the_border_household_by_its_fraction():
    assert lowest_share(V7) == Fraction(1, 10)
    assert lowest_share([0, 0]) is None
    assert lowest_share([7]) == Fraction(2, 5)


def test_of_fewer_than_five_vulnerable_households_nothing_is_kept():
    kept = {}
    for number in (4, 5):
        households = earning(*[77] * number, *[120] * (10 - number), vulnerable=number)
        answers = judge(replace(CLEAN, households=households))
        [answer] = [each for each in answers if each.rule == "PRD-07"]
        kept[number] = answer.values
    assert set(kept[4]) == {"households", "is_group_known", "lowest_bp"}
    assert kept[4]["is_group_known"] == 0
    assert set(kept[5]) == {*kept[4], "vulnerable_bp"}
    assert kept[5]["vulnerable_bp"] == 7_000, "in whole tenths, so that nobody is worked out of it"


def sharing(number, *work, pool=90_000, on=date(2026, 10, 3)):
    rows = tuple(Work(*each) for each in work)
    register = tuple(sorted({each.household for each in rows}))
    return SharingFacts(number, on, number, ((DEFAULT, pool),), rows, register)


def test_a_households_part_goes_to_its_hours_by_the_weights_of_its_tasks():
    """H1 did two tasks: its part is divided by units and rates; carrying is not paid by the hour."""
    rates = DEFAULT.rates
    both = rates["boat"] + rates["cook"] * 2
    shared = sharing(1, ("H1", "boat", 1, 120), ("H1", "cook", 2, 60), ("H2", "craft", 1, 60))
    weight = both + rates["craft"]
    found = {each.task: each for each in pay_of([shared], lambda _day: 36_000)}
    assert set(found) == {"boat", "cook"}
    part = 90_000 * both // weight + (90_000 * both % weight * 2 > weight)
    assert found["boat"].amount_satang == Fraction(part * rates["boat"], both)
    assert found["boat"].amount_satang + found["cook"].amount_satang == part
    assert (found["boat"].minutes, found["cook"].minutes) == (120, 60)


def test_hours_of_days_with_another_wage_are_judged_apart():
    early = sharing(1, ("H1", "boat", 1, 60))
    late = sharing(2, ("H1", "boat", 1, 60), on=date(2026, 10, 20))
    wages = pay_of([early, late, late], lambda day: 36_000 if day.day < 15 else 40_000)
    assert [(each.daily_wage_satang, each.minutes) for each in wages] == [
        (36_000, 60),
        (40_000, 120),
    ]
    assert [each.amount_satang for each in wages] == [90_000, 180_000]


def test_work_that_brought_no_money_was_paid_nothing():
    [nothing] = pay_of([sharing(1, ("H1", "guide", 1, 60), pool=0)], lambda _day: 36_000)
    assert nothing.amount_satang == 0


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


@given(INCOMES)
def test_the_lowest_part_is_at_most_its_even_share_and_all_of_them_have_all(incomes):
    if sum(incomes):
        assert 0 <= lowest_share(incomes) <= Fraction(2, 5)
        assert lowest_share(incomes, Fraction(1)) == 1
        assert times_even(incomes, incomes) == 1
