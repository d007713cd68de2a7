"""How evenly income reached the households: worked numbers, properties, and the closed months."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.audit.fair_year import find_year
from cbt.audit.fairness import Earner, hoover, hourly, jain, lorenz, measure
from cbt.db import db
from cbt.money import bp_near
from cbt.revenue.fairness import gini, lowest_share
from tests.conventions.test_worked_numbers import tables
from tests.revenue.closing import (
    AFTER_NEXT,
    DECEMBER,
    NOVEMBER,
    close_month,
    make_office,
    worked_month,
)

[ROWS] = (rows for _heading, rows in tables("evenness.md"))
INCOMES = st.lists(st.integers(0, 10**9), min_size=5, max_size=40).filter(any)


def measured(*incomes, minutes=0):
    earners = [Earner(f"H{n:02}", each, minutes) for n, each in enumerate(incomes)]
    return measure(earners, 2 * sum(incomes), sum(incomes))


def shown(value):
    return "-" if value is None else bp_near(value.numerator, value.denominator)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_worked_numbers(row):
    fair = measured(*map(int, str(row[0]).split()))
    assert [
        shown(each)
        for each in (
            fair.gini,
            fair.gini_small,
            fair.gini_earners,
            fair.hoover,
            fair.jain,
            fair.largest,
            fair.participation,
            fair.bottom_40,
        )
    ] == row[1:]


@pytest.mark.parametrize(
    ("incomes", "plain", "small"),
    [
        ((100, 100, 100, 100), Fraction(0), Fraction(0)),
        ((0, 0, 0, 100), Fraction(3, 4), Fraction(1)),
        ((10, 20, 30, 40), Fraction(1, 4), Fraction(1, 3)),
    ],
)
def test_the_catalogues_vectors_of_four_households(incomes, plain, small):
    assert gini(incomes) == plain
    assert plain * Fraction(4, 3) == small


def test_no_income_is_no_equality():
    fair = measured(0, 0, 0, 0, 0)
    assert (fair.gini, fair.participation, fair.to_households) == (None, None, None)


def test_four_households_are_described_and_not_compared():
    fair = measured(1, 2, 3, 4)
    assert fair.households == 4
    assert (fair.gini, fair.largest, fair.bottom_40) == (None, None, None)
    assert fair.to_households == Fraction(1, 2)


def test_the_small_form_ends_at_twenty_households():
    assert measured(*range(1, 20)).gini_small is not None
    assert measured(*range(1, 21)).gini_small is None


def test_what_leaves_is_what_does_not_stay():
    fair = measured(10, 20, 30, 40, 50)
    assert fair.retention == Fraction(1, 2) == fair.leakage


@given(INCOMES)
def test_every_measure_stays_in_its_bounds(incomes):
    number = len(incomes)
    assert 0 <= gini(incomes) <= Fraction(number - 1, number)
    assert 0 <= hoover(incomes) <= gini(incomes)  # the curve lies above the chord's triangle
    assert Fraction(1, number) <= jain(incomes) <= 1
    assert 0 <= lowest_share(incomes, Fraction(2, 5)) <= Fraction(2, 5)


@given(INCOMES, st.integers(1, 1000))
def test_neither_scale_nor_order_changes_a_measure(incomes, times):
    other = [each * times for each in reversed(incomes)]
    for rule in (gini, hoover, jain, lorenz):
        assert rule(incomes) == rule(other)


@given(INCOMES)
def test_gini_is_twice_the_area_between_the_curve_and_the_diagonal(incomes):
    points = lorenz(incomes)
    below = sum((right[0] - left[0]) * (left[1] + right[1]) / 2 for left, right in pairwise(points))
    assert gini(incomes) == 1 - 2 * below


@given(INCOMES, st.integers(2, 10))
def test_a_coarser_curve_begins_at_nothing_and_ends_at_everything(incomes, steps):
    points = lorenz(incomes, steps)
    assert (points[0], points[-1]) == ((0, 0), (1, 1))
    assert len(points) == steps + 1
    assert list(points) == sorted(points)


def test_pay_by_the_hour_needs_five_households_with_hours():
    earners = [Earner(f"H{n}", n * 1000, 60) for n in range(1, 6)]
    assert hourly(earners[:4]) is None
    found = hourly([*earners, Earner("idle", 0, 60), Earner("unrecorded", 500, 0)])
    assert (found.least_satang, found.middle_satang, found.most_satang) == (1000, 3000, 5000)
    assert found.households == 5


# --- from the closed months ----------------------------------------------------------------------


def test_before_the_first_close_there_is_no_year(app):
    office = make_office()
    worked_month(office)
    assert find_year(db.session(), office.card) is None


def test_a_closed_month_gives_its_figures(app):
    office = make_office()
    worked_month(office)
    close_month(office)
    year = find_year(db.session(), office.card)
    assert year.months == (NOVEMBER,)
    assert year.trips == 1
    assert not year.is_enough
    assert [each.code for each in year.earners] == ["H01", "H02", "H03", "H04", "H05"]
    assert [each.income_satang > 0 for each in year.earners] == [True, True, True, False, False]
    assert [each.minutes for each in year.earners] == [60, 60, 60, 0, 0]
    pool = next(part for part in year.parts if part.code == "provider")
    assert year.fairness.income_satang == pool.amount_satang
    assert year.net_satang == sum(part.amount_satang for part in year.parts) > 0
    assert year.fairness.participation == Fraction(3, 5)


def test_an_open_month_adds_nothing(app):
    office = make_office()
    worked_month(office)
    close_month(office)
    before = find_year(db.session(), office.card)
    close_month(office, DECEMBER, AFTER_NEXT)
    after = find_year(db.session(), office.card)
    assert after.months == (NOVEMBER, DECEMBER)
    assert after.net_satang == before.net_satang
    assert find_year(db.session(), office.card, NOVEMBER).months == (NOVEMBER,)
    assert find_year(db.session(), office.card, date_of_no_close()) is None


def date_of_no_close():
    return NOVEMBER.replace(year=2025)
