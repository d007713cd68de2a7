"""Totals over communities: closed months, small numbers hidden, nothing to be had by subtraction."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.audit.fair_year import find_year
from cbt.audit.total_queries import list_totals
from cbt.audit.totals import CommunityTotals, add_up, by_province
from cbt.db import db
from tests import factories
from tests.revenue.closing import NOVEMBER, close_month, make_office, worked_month
from tests.web.test_budgets import counted, reading

FIRST = date(2025, 12, 1)


def totals(*incomes, province="94", slug="x", months=3, **changes):
    given_ = {"bookings": 4, "net_satang": 2 * sum(incomes), "funds": {"welfare": 7}} | changes
    name = {"th": slug, "en": slug}
    return CommunityTotals(
        slug, name, province, {"th": province}, False, months, NOVEMBER, incomes=incomes, **given_
    )


@pytest.mark.parametrize(("earning", "is_hidden"), [(0, True), (4, True), (5, False), (6, False)])
def test_fewer_than_five_earning_households_are_hidden(earning, is_hidden):
    shown = totals(*[100] * earning, 0, 0, 0)
    assert shown.is_hidden == is_hidden
    assert (shown.gini is None) == is_hidden


@pytest.mark.parametrize(("months", "is_judged"), [(2, False), (3, True)])
def test_a_gini_takes_three_closed_months(months, is_judged):
    assert (totals(1, 2, 3, 4, 5, months=months).gini == Fraction(4, 15)) == is_judged


def test_a_sum_leaves_out_whoever_is_hidden():
    open_, hidden = totals(1, 2, 3, 4, 5), totals(1_000, 0, 0, 0, 0, slug="y")
    [sums] = by_province([open_, hidden])
    assert (sums.communities, sums.hidden) == (2, 1)
    assert (sums.income_satang, sums.earning, sums.funds) == (15, 5, {"welfare": 7})


def test_provinces_stand_in_the_order_of_their_codes():
    found = by_province([totals(1, province="94"), totals(2, province="10")])
    assert [each.code for each in found] == ["10", "94"]


@given(st.lists(st.lists(st.integers(0, 100), min_size=1, max_size=9), max_size=8))
def test_what_is_shown_of_each_sums_to_what_is_shown_of_all(groups):
    every = [totals(*each) for each in groups]
    shown = [each for each in every if not each.is_hidden]
    sums = add_up("", {}, every)
    assert sums.income_satang == sum(each.income_satang for each in shown)
    assert sums.bookings == sum(each.bookings for each in shown)


# --- from the books ------------------------------------------------------------------------------


def find(slug):
    found = list_totals(db.session(), FIRST, NOVEMBER)
    return next(each for each in found if each.slug == slug)


def test_an_open_month_counts_for_nothing(app):
    office = make_office()
    worked_month(office)
    before = find(office.card.slug)
    assert (before.months, before.net_satang, before.incomes) == (0, 0, ())


def test_a_closed_month_counts_as_its_own_page_says(app):
    office = make_office()
    worked_month(office)
    close_month(office)
    year = find_year(db.session(), office.card)
    shown = find(office.card.slug)
    assert (shown.months, shown.last_month, shown.bookings) == (1, NOVEMBER, 3)
    assert shown.net_satang == year.net_satang
    assert sorted(shown.incomes) == sorted(each.income_satang for each in year.earners)
    assert shown.funds["welfare"] > 0


def test_other_months_are_not_in_the_window(app):
    office = make_office()
    worked_month(office)
    close_month(office)
    earlier = list_totals(db.session(), date(2024, 11, 1), date(2025, 10, 1))
    assert {each.months for each in earlier} == {0}


def test_a_hundred_communities_cost_as_many_statements_as_one(sqlite_app):
    factories.make_village()
    with counted() as few:
        list_totals(db.session(), FIRST, NOVEMBER)
    for _each in range(10):
        factories.make_community()
    with counted() as many:
        list_totals(db.session(), FIRST, NOVEMBER)
    assert len(reading(few)) == len(reading(many)) <= 5
