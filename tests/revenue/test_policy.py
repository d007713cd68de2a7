"""Policies as text: what can be adopted, and that nothing else can."""

from dataclasses import replace

import pytest
from hypothesis import given

from cbt.errors import PolicyInvalid
from cbt.revenue.policy import (
    ALWAYS,
    DEFAULT,
    LONGEST_NAME,
    MOST_SATANG,
    Bucket,
    DividendRule,
    Limits,
    Policy,
    ProviderRule,
    Task,
    canonical,
    identity,
    is_plain,
    parse,
    read,
)
from tests.strategies import every_policy, thorough


def test_the_default_policy_is_the_one_of_the_rules():
    assert parse(canonical(DEFAULT)) == DEFAULT
    assert list(DEFAULT.shares.values()) == [7_800, 700, 500, 300, 200, 500]
    assert DEFAULT.name == "CBT-Default-1"


@thorough
@given(policy=every_policy())
def test_a_text_reads_back_to_the_same_policy_and_the_same_text(policy):
    text = canonical(policy)
    assert parse(text) == policy
    assert canonical(parse(text)) == text
    assert len(identity(text)) == 64


@pytest.mark.parametrize(
    ("bucket", "bp", "rule"),
    [
        pytest.param(Bucket.WELFARE, 501, "POL-01", id="sums-to-10001"),
        pytest.param(Bucket.WELFARE, 499, "POL-01", id="sums-to-9999"),
        pytest.param(Bucket.WELFARE, -500, "POL-01", id="negative-share"),
    ],
)
def test_a_policy_whose_parts_do_not_sum_to_10000_is_refused(bucket, bp, rule):
    with pytest.raises(PolicyInvalid) as refused:
        parse(canonical(replace(DEFAULT, shares={**DEFAULT.shares, bucket: bp})))
    assert rule in [problem[0] for problem in refused.value.facts["problems"]]


@pytest.mark.parametrize(
    ("shares", "rule"),
    [
        ((4_999, 2_500, 2_501, 0, 0, 0), "POL-02"),
        ((9_000, 1_000, 0, 0, 0, 0), "POL-03"),
        ((6_000, 2_501, 1_499, 0, 0, 0), "POL-06"),
    ],
    ids=["too-little-to-households", "no-common-fund", "too-much-management"],
)
def test_a_policy_that_breaks_a_rule_names_the_rule(shares, rule):
    broken = replace(DEFAULT, shares=dict(zip(ALWAYS, shares, strict=True)))
    with pytest.raises(PolicyInvalid) as refused:
        parse(canonical(broken))
    assert [problem[0] for problem in refused.value.facts["problems"]] == [rule]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cbt-policy/3\n",
        canonical(DEFAULT).replace("cbt-policy/1", "cbt-policy/2").replace("by_work", "by_luck"),
        canonical(DEFAULT).replace(
            "bucket: revolve 500", "bucket: revolve 500\nbucket: dividend 0"
        ),
        canonical(DEFAULT).replace("bucket: revolve 500", "bucket: revolve 500 cap 100"),
        canonical(DEFAULT) + "\n",
        canonical(DEFAULT).replace("bucket: welfare 500\n", ""),
        canonical(DEFAULT).replace("welfare", "wellness"),
        canonical(DEFAULT).replace("500", "0500"),
        canonical(DEFAULT).replace("bucket: mgmt 700\n", "bucket: mgmt 700\nbucket: mgmt 700\n"),
        canonical(DEFAULT).replace("by_work", "by_luck"),
        canonical(DEFAULT).replace("intermediary: 0", "intermediary: 3001"),
        canonical(DEFAULT).replace("rate: boat 60000", "rate: boat 0"),
    ],
    ids=[
        *(
            "empty",
            "version",
            "second-rule",
            "first-dividend",
            "first-cap",
            "extra-line",
            "missing",
            "unknown",
            "zero-padded",
            "twice",
        ),
        *("other-rule", "greedy-middleman", "zero-rate"),
    ],
)
def test_what_is_not_exactly_a_policy_is_refused(text):
    with pytest.raises(PolicyInvalid):
        parse(text)


# --- the second version ---------------------------------------------------------------------------

SECOND = Policy(
    name="นโยบายสวัสดิการ 2569",
    intermediary_bp=1_000,
    shares={**DEFAULT.shares, Bucket.PROVIDER: 7_000, Bucket.DIVIDEND: 800},
    rates=DEFAULT.rates,
    version=2,
    intermediary_cap_satang=20_000,
    fixed={Bucket.WELFARE: 2_000},
    limits={Bucket.PROVIDER: Limits(50_000), Bucket.MGMT: Limits(1_000, 30_000)},
    provider_rule=ProviderRule.RATES_FIRST,
    surplus=Bucket.DEVELOP,
    dividend_rule=DividendRule.BY_SHARES,
)
TEXT = """cbt-policy/2
name: นโยบายสวัสดิการ 2569
intermediary: 1000 cap 20000
fixed: welfare 2000
bucket: provider 7000 floor 50000
bucket: mgmt 700 floor 1000 cap 30000
bucket: welfare 500
bucket: conserve 300
bucket: develop 200
bucket: revolve 500
bucket: dividend 800
provider_rule: rates_first
surplus: develop
dividend_rule: by_shares
rate: boat 60000
rate: guide 40000
rate: cook 15000
rate: host 30000
rate: craft 30000
rate: crab_bank 20000
rate: prepare 10000
"""


def test_the_text_of_the_second_version_reads_as_it_is_documented():
    assert canonical(SECOND) == TEXT
    assert parse(TEXT) == SECOND


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        pytest.param({"name": "two\nlines"}, "POL-00", id="line-break-in-the-name"),
        pytest.param({"name": "turned \u202e round"}, "NAME", id="right-to-left-mark"),
        pytest.param({"name": " "}, "NAME", id="blank-name"),
        pytest.param({"name": "x" * 81}, "NAME", id="long-name"),
        pytest.param({"fixed": {Bucket.PROVIDER: 100}}, "FIXED", id="fixed-for-households"),
        pytest.param({"fixed": {Bucket.WELFARE: 0}}, "FIXED", id="fixed-nothing"),
        pytest.param({"fixed": {Bucket.WELFARE: 10**12}}, "FIXED", id="fixed-beyond-all"),
        pytest.param({"limits": {Bucket.MGMT: Limits(200, 100)}}, "LIMITS", id="floor-above-cap"),
        pytest.param({"limits": {Bucket.MGMT: Limits(0)}}, "LIMITS", id="floor-of-nothing"),
        pytest.param({"limits": {Bucket.PROVIDER: Limits(None, 9)}}, "LIMITS", id="capped-pool"),
        pytest.param({"intermediary_cap_satang": 0}, "LIMITS", id="intermediary-capped-at-nothing"),
        pytest.param({"surplus": Bucket.DIVIDEND}, "SURPLUS", id="surplus-to-the-dividend"),
        pytest.param({"dividend_rule": None}, "DIVIDEND", id="dividend-without-a-rule"),
    ],
)
def test_a_second_version_that_breaks_a_rule_is_refused_at_adoption(changes, rule):
    with pytest.raises(PolicyInvalid) as refused:
        parse(canonical(replace(SECOND, **changes)))
    assert [problem[0] for problem in refused.value.facts["problems"]] == [rule]


def test_a_dividend_rule_without_a_dividend_is_refused():
    shares = {bucket: bp for bucket, bp in SECOND.shares.items() if bucket != Bucket.DIVIDEND}
    shares[Bucket.PROVIDER] += 800
    with pytest.raises(PolicyInvalid) as refused:
        parse(canonical(replace(SECOND, shares=shares)))
    assert [problem[0] for problem in refused.value.facts["problems"]] == ["DIVIDEND"]


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("floor 1000 cap 30000", "cap 30000 floor 1000"),
        TEXT.replace("floor 1000 cap 30000", "floor 1000 cap 30000 cap 30000"),
        TEXT.replace("floor 1000 cap 30000", "roof 1000"),
        TEXT.replace("floor 1000 cap 30000", "floor"),
        TEXT.replace("surplus: develop\n", ""),
        TEXT.replace("surplus: develop", "surplus: wellness"),
        TEXT.replace("dividend_rule: by_shares", "dividend_rule: by_luck"),
        TEXT.replace("fixed: welfare 2000\n", "fixed: welfare 2000\nfixed: welfare 2000\n"),
        TEXT.replace("fixed: welfare", "fixed: wellness"),
        TEXT.replace("cbt-policy/2", "cbt-policy/1"),
        TEXT.replace("\n", "\r\n"),
        TEXT + "note: hidden\n",
    ],
    ids=[
        *("other-order", "twice", "unknown-limit", "limit-of-nothing", "no-surplus"),
        *("unknown-surplus", "unknown-dividend", "fixed-twice", "unknown-fund", "older-version"),
        *("line-ends", "something-more"),
    ],
)
def test_what_is_not_exactly_a_second_version_is_refused(text):
    with pytest.raises(PolicyInvalid):
        parse(text)


def test_a_text_that_may_not_be_adopted_can_still_be_read_for_its_draft():
    unfinished = replace(SECOND, shares={**SECOND.shares, Bucket.PROVIDER: 0})
    assert read(canonical(unfinished)) == unfinished


def problems_of(policy):
    with pytest.raises(PolicyInvalid) as refused:
        parse(canonical(policy))
    return refused.value.facts["problems"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({Bucket.MGMT: 701}, ("POL-01", {"sum": 10_001})),
        (
            {Bucket.PROVIDER: 8_500, Bucket.MGMT: -1_000, Bucket.WELFARE: 1_500},
            ("POL-01", {"sum": 10_000}),
        ),
        ({Bucket.PROVIDER: 4_999, Bucket.WELFARE: 3_301}, ("POL-02", {"provider": 4_999})),
        ({Bucket.MGMT: 2_501, Bucket.PROVIDER: 5_999}, ("POL-06", {"mgmt": 2_501})),
    ],
)
def test_a_problem_tells_the_number_that_breaks_the_rule(changes, problem):
    broken = replace(DEFAULT, shares={**DEFAULT.shares, **changes})
    assert problems_of(broken) == (problem,)


def test_every_other_problem_tells_its_number_too():
    bare = dict(zip(ALWAYS, (10_000, 0, 0, 0, 0, 0), strict=True))
    assert problems_of(replace(DEFAULT, shares=bare)) == (("POL-03", {"funds": 0}),)
    greedy = replace(DEFAULT, intermediary_bp=3_001)
    assert problems_of(greedy) == (("POL-07", {"intermediary": 3_001}),)
    assert problems_of(replace(DEFAULT, rates={Task.BOAT: 0})) == (("RATES", {}),)
    without = {code: bp for code, bp in DEFAULT.shares.items() if code != Bucket.REVOLVE}
    missing = replace(SECOND, shares={**without, Bucket.WELFARE: 1_000, Bucket.DIVIDEND: 0})
    assert problems_of(missing) == (("POL-01", {"sum": 10_000}),)


def test_a_fixed_satang_for_the_smallest_fund_is_a_fund_and_all_the_rest_may_go_to_households():
    bare = dict(zip(ALWAYS, (10_000, 0, 0, 0, 0, 0), strict=True))
    only = replace(DEFAULT, version=2, shares=bare, fixed={Bucket.REVOLVE: 1})
    assert parse(canonical(only)) == only


def test_each_limit_itself_may_be_adopted():
    most = replace(
        SECOND,
        name="n" * LONGEST_NAME,
        limits={Bucket.MGMT: Limits(MOST_SATANG, MOST_SATANG)},
        intermediary_cap_satang=MOST_SATANG,
        fixed={Bucket.WELFARE: MOST_SATANG},
    )
    assert parse(canonical(most)) == most
    old = replace(DEFAULT, name="n" * (LONGEST_NAME + 1))  # the first version never asked
    assert parse(canonical(old)) == old


def test_a_name_may_hold_what_divides_a_line():
    named = replace(SECOND, name="Rule: boats: 2")
    assert parse(canonical(named)) == named


@pytest.mark.parametrize(
    "hidden", ["\x07", "\u200e", "\u2028", "\u2029", "\ud800", "\ue000", "\u0378"]
)
def test_what_hides_in_a_name_is_not_plain(hidden):
    assert is_plain("a b") is True
    assert is_plain(f"a{hidden}b") is False
