"""What the rules POL-01 to POL-09 say of a policy."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.errors import PolicyInvalid
from cbt.revenue.adoption import UsesNature
from cbt.revenue.policy import ALWAYS, DEFAULT, Bucket, Limits, find_problems
from cbt.revenue.policy_rules import (
    PolicyRule,
    Severity,
    Situation,
    Verdict,
    check,
    provider_bp_at,
    require_no_error,
)
from cbt.revenue.templates import TEMPLATES
from tests.strategies import every_policy

TODAY = date(2026, 11, 24)
SITUATION = Situation(TODAY, UsesNature.YES, "แฟ้ม 2", smallest_satang=22_550)
BASE = replace(DEFAULT, version=2)


def shares(*given_bp):
    return dict(zip(ALWAYS, given_bp, strict=True))


def said(policy, rule, situation=SITUATION):
    ruling = next(each for each in check(policy, situation) if each.rule == rule)
    return ruling.severity or ruling.verdict


ERROR, WARNING, ADVICE = Severity.ERROR, Severity.WARNING, Severity.ADVICE
PASS, NO_DATA, NONE = Verdict.PASS, Verdict.NO_DATA, Verdict.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("changes", "rule", "expected"),
    [
        pytest.param({}, "POL-01", PASS, id="01-whole"),
        pytest.param({"shares": shares(7_800, 700, 500, 300, 200, 499)}, "POL-01", ERROR, id="01"),
        pytest.param(
            {"shares": shares(4_999, 1, 2_000, 1_000, 1_500, 500)}, "POL-02", ERROR, id="02-half"
        ),
        pytest.param(
            {"shares": shares(6_999, 1_501, 500, 300, 200, 500)}, "POL-02", WARNING, id="02-70"
        ),
        pytest.param(
            {"shares": shares(7_000, 1_500, 500, 300, 200, 500)}, "POL-02", PASS, id="02-at-70"
        ),
        pytest.param({"fixed": {Bucket.WELFARE: 5_000}}, "POL-02", WARNING, id="02-smallest"),
        pytest.param({"shares": shares(8_500, 1_500, 0, 0, 0, 0)}, "POL-03", ERROR, id="03-none"),
        pytest.param(
            {"shares": shares(8_500, 1_500, 0, 0, 0, 0), "fixed": {Bucket.WELFARE: 1}},
            "POL-03",
            WARNING,
            id="03-fixed-only",
        ),
        pytest.param(
            {"shares": shares(8_700, 801, 499, 0, 0, 0)}, "POL-03", WARNING, id="03-little"
        ),
        pytest.param({"shares": shares(8_700, 800, 500, 0, 0, 0)}, "POL-03", PASS, id="03-at-5"),
        pytest.param({"shares": shares(6_999, 0, 3_001, 0, 0, 0)}, "POL-03", ADVICE, id="03-much"),
        pytest.param(
            {"shares": shares(8_001, 700, 500, 300, 200, 299)}, "POL-04", ADVICE, id="04-low"
        ),
        pytest.param(
            {"shares": shares(8_000, 700, 500, 300, 200, 300)}, "POL-04", PASS, id="04-at-3"
        ),
        pytest.param(
            {"shares": shares(7_599, 700, 500, 300, 200, 702)}, "POL-04", ADVICE, id="04-high"
        ),
        pytest.param(
            {"shares": shares(8_100, 700, 500, 0, 200, 500)}, "POL-05", WARNING, id="05-none"
        ),
        pytest.param(
            {"shares": shares(7_901, 700, 500, 199, 200, 500)}, "POL-05", ADVICE, id="05-little"
        ),
        pytest.param({}, "POL-05", PASS, id="05"),
        pytest.param(
            {"shares": shares(7_000, 1_501, 499, 300, 200, 500)}, "POL-06", WARNING, id="06"
        ),
        pytest.param(
            {"shares": shares(6_500, 2_501, 199, 300, 0, 500)}, "POL-06", ERROR, id="06-much"
        ),
        pytest.param({}, "POL-07", NONE, id="07-nobody"),
        pytest.param({"intermediary_bp": 1_500}, "POL-07", PASS, id="07-at-15"),
        pytest.param({"intermediary_bp": 1_501}, "POL-07", WARNING, id="07"),
        pytest.param({"intermediary_bp": 3_001}, "POL-07", ERROR, id="07-much"),
        pytest.param({}, "POL-08", NO_DATA, id="08-before-the-meeting"),
        pytest.param({}, "POL-09", NONE, id="09-only-proposed"),
        pytest.param({"fixed": {Bucket.PROVIDER: 5}}, "FIXED", ERROR, id="fixed"),
        pytest.param({"limits": {Bucket.MGMT: Limits(9, 8)}}, "LIMITS", ERROR, id="limits"),
    ],
)
def test_each_rule_at_its_thresholds(changes, rule, expected):
    assert said(replace(BASE, **changes), rule) == expected


def test_where_the_data_is_not_there_the_answer_is_that_and_no_pass():
    unknown = replace(SITUATION, uses_nature=UsesNature.UNKNOWN)
    assert said(BASE, "POL-05", unknown) == NO_DATA
    assert said(BASE, "POL-05", replace(SITUATION, uses_nature=UsesNature.NO)) == NONE
    unlisted = replace(SITUATION, smallest_satang=None)
    assert said(replace(BASE, fixed={Bucket.WELFARE: 5_000}), "POL-02", unlisted) == PASS


def test_an_intermediary_without_a_written_agreement_is_an_error():
    policy = replace(BASE, intermediary_bp=100)
    assert said(policy, "POL-07", replace(SITUATION, agreement=" ")) == ERROR


@pytest.mark.parametrize(("days", "expected"), [(365, PASS), (366, WARNING)])
def test_a_policy_is_reviewed_every_year(days, expected):
    situation = replace(SITUATION, adopted_on=TODAY - timedelta(days=days))
    assert said(BASE, "POL-09", situation) == expected


@pytest.mark.parametrize("name", list(TEMPLATES))
def test_nothing_is_wrong_with_a_template(name):
    rulings = check(TEMPLATES[name], SITUATION)
    assert [each for each in rulings if each.severity] == []


def test_what_the_households_get_of_a_booking_counts_fixed_amounts():
    """Of 225.50 baht 10 are fixed: 78 percent of 215.50, rounding included, are 168.11."""
    policy = replace(BASE, fixed={Bucket.WELFARE: 1_000})
    assert provider_bp_at(policy, 22_550) == 16_811 * 10_000 // 22_550


@given(policy=every_policy(), agreement=st.sampled_from(["", "แฟ้ม"]))
def test_what_may_be_adopted_has_no_error_but_a_missing_agreement(policy, agreement):
    situation = replace(SITUATION, agreement=agreement)
    errors = {each.rule for each in check(policy, situation) if each.is_error}
    wanting = {PolicyRule.POL_07} if policy.intermediary_bp and not agreement else set()
    assert not find_problems(policy)
    assert errors == wanting
    if wanting:
        with pytest.raises(PolicyInvalid):
            require_no_error(check(policy, situation))


@given(
    given_bp=st.lists(st.integers(-1, 10_001), min_size=6, max_size=6),
    middleman=st.integers(-1, 3_100),
)
def test_whatever_the_text_refuses_a_rule_calls_an_error(given_bp, middleman):
    policy = replace(BASE, shares=shares(*given_bp), intermediary_bp=middleman)
    errors = {str(each.rule) for each in check(policy, SITUATION) if each.is_error}
    assert {name for name, _values in find_problems(policy)} <= errors
