"""Policies as text: what can be adopted, and that nothing else can."""

from dataclasses import replace

import pytest
from hypothesis import given

from cbt.errors import PolicyInvalid
from cbt.revenue.policy import DEFAULT, Bucket, canonical, identity, parse
from tests.strategies import policies


def test_the_default_policy_is_the_one_of_the_rules():
    assert parse(canonical(DEFAULT)) == DEFAULT
    assert list(DEFAULT.shares.values()) == [7_800, 700, 500, 300, 200, 500]
    assert DEFAULT.name == "CBT-Default-1"


@given(policy=policies())
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
    broken = replace(DEFAULT, shares=dict(zip(Bucket, shares, strict=True)))
    with pytest.raises(PolicyInvalid) as refused:
        parse(canonical(broken))
    assert [problem[0] for problem in refused.value.facts["problems"]] == [rule]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cbt-policy/2\n",
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
        *("empty", "version", "extra-line", "missing", "unknown", "zero-padded", "twice"),
        *("other-rule", "greedy-middleman", "zero-rate"),
    ],
)
def test_what_is_not_exactly_a_policy_is_refused(text):
    with pytest.raises(PolicyInvalid):
        parse(text)
