"""Rounding is counted exactly, household by household, and what is more than rounding is found."""

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from cbt.audit.drift import Drift, drift_of, exact_shares
from cbt.audit.findings import Check, Fault, Result
from cbt.audit.rounding import check_drift, words_of
from cbt.audit.verify import verify
from cbt.db import db
from cbt.ledger.models import Entry
from cbt.people.roles import Grant, Role
from cbt.revenue.policy import DEFAULT, Bucket, DividendRule, ProviderRule
from cbt.revenue.posting import SharingFacts, household_totals
from cbt.revenue.sharing import Work
from tests import factories
from tests.site import NOW
from tests.tamper import drop_triggers, tamper
from tests.web.forms import a_browser

ON = date(2026, 10, 3)
EVENING = NOW + timedelta(days=2)
REGISTER = ("H1", "H2", "H3")
THREE = tuple(Work(code, "cook", 1, 60) for code in REGISTER)


def shared(*pools, work=THREE, **changes):
    return SharingFacts(1, ON, 1, pools, work, REGISTER, **changes)


def test_a_third_of_a_hundred_satang_is_an_exact_third():
    facts = shared((DEFAULT, 100))
    assert exact_shares(facts) == dict.fromkeys(REGISTER, Fraction(100, 3))
    found = {each.household: each.satang for each in drift_of([(facts, household_totals(facts))])}
    assert sorted(found.values()) == [Fraction(-1, 3), Fraction(-1, 3), Fraction(2, 3)]


def test_agreed_rates_are_exact_and_a_surplus_of_work_is_shared_by_the_weights():
    """Two pools of one departure owe the rates in proportion to their money."""
    rates = {**DEFAULT.rates, "cook": 50}
    to_fund = replace(
        DEFAULT, provider_rule=ProviderRule.RATES_FIRST, surplus=Bucket.DEVELOP, rates=rates
    )
    to_work = replace(to_fund, surplus=Bucket.PROVIDER)
    assert exact_shares(shared((to_fund, 1_000))) == dict.fromkeys(REGISTER, Fraction(50))
    assert exact_shares(shared((to_work, 1_000))) == dict.fromkeys(REGISTER, Fraction(1_000, 3))
    both = exact_shares(shared((to_fund, 700), (to_work, 300)))
    assert both == dict.fromkeys(REGISTER, Fraction(50 * 700, 1_000) + Fraction(300, 3))
    too_little = exact_shares(shared((to_fund, 100)))
    assert too_little == dict.fromkeys(REGISTER, Fraction(100, 3))


def test_dividends_and_what_was_prepared_count_as_well():
    policy = replace(DEFAULT, dividend_rule=DividendRule.BY_SHARES)
    facts = shared(
        (policy, 0),
        prepared=(("H2", 40),),
        dividends=((policy, 100),),
        shares=(("H1", 2), ("H3", 1)),
        members=REGISTER,
    )
    assert exact_shares(facts) == {
        "H1": Fraction(200, 3),
        "H2": Fraction(40),
        "H3": Fraction(100, 3),
    }


@given(
    st.lists(
        st.tuples(
            st.integers(1, 10**7),
            st.integers(0, 10**6),
            st.lists(st.integers(1, 9), min_size=3, max_size=3),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_what_rounding_gives_one_it_takes_from_another_and_never_a_satang_a_pool(year):
    """Each departure moves each household by less than one satang a pool."""
    rows = []
    for number, (pool, owned, units) in enumerate(year, 1):
        work = tuple(
            Work(code, "cook", each, 60) for code, each in zip(REGISTER, units, strict=True)
        )
        facts = replace(
            shared((DEFAULT, pool), work=work, dividends=((DEFAULT, owned),), members=REGISTER),
            number=number,
        )
        rows.append((facts, household_totals(facts)))
    drifts = drift_of(rows)
    assert sum(each.satang for each in drifts) == 0
    assert all(abs(each.satang) < 2 * len(year) for each in drifts)


@pytest.mark.parametrize(
    ("exact", "booked", "words", "is_large"),
    [
        (Fraction(100, 3), 33, "−0.33", False),
        (Fraction(100, 3), 34, "+0.66", False),
        (Fraction(5), 5, "0.00", False),
        (Fraction(0), 200, "+200.00", False),
        (Fraction(-1, 100), 200, "+200.01", True),
        (Fraction(201), 0, "−201.00", True),
    ],
)
def test_a_drift_says_how_far_and_whether_it_is_more_than_rounding(exact, booked, words, is_large):
    drift = Drift("H1", exact, booked)
    assert (words_of(drift), drift.is_large) == (words, is_large)


# --- in the audit --------------------------------------------------------------------------------


@pytest.fixture
def village(app):
    village = factories.make_village()
    for party in ({"ADULT": 2}, {"ADULT": 1, "CHILD": 1}):
        factories.book(village, party)
    factories.record_work(village, ("H01", "boat", 1), ("H02", "guide", 1), ("H03", "cook", 1))
    factories.settle(village, EVENING)
    return village


def test_the_audit_measures_every_household_that_shares(village):
    outcome = check_drift(db.session(), village.card)
    assert (outcome.result, outcome.looked_at) == (Result.PASS, 1)
    assert [each.household for each in outcome.drifts] == ["H01", "H02", "H03"]
    assert sum(each.satang for each in outcome.drifts) == 0
    assert all(abs(each.satang) < 1 for each in outcome.drifts)
    assert all(each.booked_satang > 10_000 for each in outcome.drifts)


def test_nothing_shared_out_is_nothing_measured(app):
    outcome = check_drift(db.session(), factories.make_village().card)
    assert (outcome.result, outcome.drifts) == (Result.NO_DATA, ())


@pytest.mark.parametrize(("moved", "is_found"), [(199, False), (201, True)])
def test_money_that_was_moved_from_one_household_to_another_is_more_than_rounding(
    village, moved, is_found
):
    sharing = db.session.execute(select(Entry.id).where(Entry.kind == "sharing_out")).scalar_one()
    db.session.rollback()
    drop_triggers("leg")
    tamper(
        "UPDATE leg SET amount_satang = amount_satang - :moved WHERE entry_id = :id AND line = 1",
        "UPDATE leg SET amount_satang = amount_satang + :moved WHERE entry_id = :id AND line = 2",
        id=sharing,
        moved=moved,
    )
    outcomes = {each.check: each for each in verify(db.session(), village.card)}
    found = [(each.fault, each.subject) for each in outcomes[Check.DRIFT].findings]
    wanted = [(Fault.DRIFT_LARGE, "household:H01"), (Fault.DRIFT_LARGE, "household:H02")]
    assert found == (wanted if is_found else [])
    assert outcomes[Check.SHARING].findings, "a satang is enough for this check"


def test_trips_of_more_than_twelve_months_ago_do_not_count(village):
    later = factories.make_departure(village.option_id, factories.TOMORROW + timedelta(days=400))
    again = replace(village, departure_id=later)
    now = NOW + timedelta(days=390)
    factories.book(again, now=now)
    factories.record_work(again, ("H04", "boat", 1), now=now)
    factories.settle(again, NOW + timedelta(days=403))
    outcome = check_drift(db.session(), village.card)
    assert (outcome.looked_at, [each.household for each in outcome.drifts]) == (1, ["H04"])


def test_the_mentor_reads_each_households_drift(app, village):
    mentor = a_browser(app, "mentor-of-drift", Grant(Role.MENTOR, village.id))
    page = mentor.get(f"/en/mentor/{village.slug}").text
    assert "Rounding, household by household" in page
    for drift in check_drift(db.session(), village.card).drifts:
        assert f"{words_of(drift)} satang" in page
