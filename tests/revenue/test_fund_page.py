"""The worked numbers of the page on funds, and that folding what everybody reads loses nothing."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.revenue.fund_page import LEAST_PAYMENTS, Line, Sum, fold
from cbt.revenue.funds import Ceiling, Giver, Purpose, exceeds, free_satang, schedule, standing
from tests.conventions.test_worked_numbers import tables

CEILINGS, FREE, LOAN, SHOWN = (rows for _heading, rows in tables("funds.md"))


@pytest.mark.parametrize("row", CEILINGS)
def test_a_ceiling_breaks_as_the_page_says(row):
    asked, before, once, yearly, broken = row
    found = exceeds(asked, before, Ceiling(once, yearly))
    assert found == (None if broken == "none" else broken)


@pytest.mark.parametrize("row", FREE)
def test_what_is_free_is_as_the_page_says(row):
    balance, promised, lent, free = row
    assert free_satang(balance, promised, lent) == free


@pytest.mark.parametrize("row", LOAN)
def test_a_loan_stands_as_the_page_says(row):
    repaid, on, left, overdue = row
    found = standing(schedule(100_001, 3, date(2026, 1, 31)), repaid, date.fromisoformat(on))
    assert (found.left_satang, found.overdue_satang) == (left, overdue)


def test_kinds_are_shown_as_the_page_says():
    sums = [Sum(Purpose(kind), amount, payments) for kind, amount, payments, _as in SHOWN]
    shown = {str(each.kind): each.amount_satang for each in fold(sums)}
    expected = {}
    for _kind, amount, _payments, as_ in SHOWN:
        expected[as_] = expected.get(as_, 0) + amount
    assert shown == expected


kinds = st.sampled_from([*Purpose, *Line, *Giver])
ALONE = (Line.OTHER, Line.TRIPS, Giver.LOCAL_GOVERNMENT, Giver.STATE)


@given(st.lists(st.builds(Sum, kinds, st.integers(1, 10**9), st.integers(1, 9)), max_size=12))
def test_nothing_is_lost_and_no_kind_of_few_payments_stands_alone(sums):
    shown = fold(sums)
    assert sum(each.amount_satang for each in shown) == sum(each.amount_satang for each in sums)
    assert sum(each.payments for each in shown) == sum(each.payments for each in sums)
    for each in shown:
        assert each.payments >= LEAST_PAYMENTS or each.kind in ALONE
    assert [each.kind for each in shown].count(Line.OTHER) <= 1
