"""The split: one booking's money into costs, fees and buckets."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.errors import AmountInvalid, CostsExceedIncome
from cbt.revenue.policy import DEFAULT, Bucket, Policy
from cbt.revenue.split import Cost, PartKind, split
from tests.strategies import policies
from tests.twins import slow_split


@pytest.mark.parametrize(
    ("net", "amounts"),
    [
        pytest.param(100_000, (78_000, 7_000, 5_000, 3_000, 2_000, 5_000), id="V1"),
        pytest.param(123_457, (96_300, 8_641, 6_172, 3_703, 2_469, 6_172), id="V2"),
        pytest.param(7, (7, 0, 0, 0, 0, 0), id="V3"),
        pytest.param(0, (0, 0, 0, 0, 0, 0), id="nothing"),
    ],
)
def test_the_default_policy_splits_as_the_vectors_say(net, amounts):
    parts = split(net, [], 0, DEFAULT)
    buckets = [part.amount_satang for part in parts if part.kind == PartKind.BUCKET]
    assert tuple(buckets) == amounts
    assert sum(buckets) == net


def test_costs_and_fees_go_out_before_the_buckets():
    policy = replace(DEFAULT, intermediary_bp=300)
    parts = {part.code: part for part in split(100_000, [Cost("insurance", 4_000)], 1_766, policy)}
    assert parts["insurance"].amount_satang == 4_000
    assert parts["payment_fee"].amount_satang == 1_766
    assert parts["intermediary"].amount_satang == 3_000
    assert parts["welfare"].base_satang == 91_234
    assert parts["welfare"].amount_satang == 4_561  # 4,561.70 rounded down


def test_costs_above_the_income_are_refused_before_any_part_exists():
    with pytest.raises(CostsExceedIncome) as refused:
        split(3_999, [Cost("insurance", 4_000)], 0, DEFAULT)
    assert refused.value.facts == {"net": 3_999, "costs": 4_000}


@pytest.mark.parametrize(
    ("net", "cost", "fee"), [(-1, 0, 0), (100, -1, 0), (100, 0, -1)], ids=["net", "cost", "fee"]
)
def test_a_negative_amount_is_refused(net, cost, fee):
    with pytest.raises(AmountInvalid):
        split(net, [Cost("insurance", cost)], fee, DEFAULT)


@given(
    net=st.integers(0, 10**12),
    cost_bp=st.lists(st.integers(0, 2_000), max_size=3),
    fee_bp=st.integers(0, 1_000),
    policy=policies(),
)
def test_parts_sum_to_the_whole_and_equal_the_slow_twin(net, cost_bp, fee_bp, policy):
    costs = [Cost(f"cost{i}", net * bp // 10_000) for i, bp in enumerate(cost_bp)]
    fee = net * fee_bp // 10_000
    taken = sum(cost.amount_satang for cost in costs) + fee + net * policy.intermediary_bp // 10_000
    if taken > net:
        with pytest.raises(CostsExceedIncome):
            split(net, costs, fee, policy)
        return
    parts = split(net, costs, fee, policy)
    assert sum(part.amount_satang for part in parts) == net
    assert all(part.amount_satang >= 0 for part in parts)
    twin = slow_split(net, [(cost.code, cost.amount_satang) for cost in costs], fee, policy)
    assert sorted(part.amount_satang for part in parts) == sorted(twin.values())
    for part in parts:
        if part.kind == PartKind.BUCKET:
            assert part.amount_satang == twin[part.code]


@given(net=st.integers(0, 10**9), policy=policies())
def test_every_bucket_is_within_a_satang_of_its_exact_share_and_the_pool_takes_the_rest(
    net: int, policy: Policy
):
    for part in split(net, [], 0, policy):
        if part.kind != PartKind.BUCKET:
            continue
        exact_times_10000 = part.base_satang * part.bp
        over = part.amount_satang * 10_000 - exact_times_10000
        if part.code == Bucket.PROVIDER:
            assert 0 <= over < 10_000 * (len(policy.shares) - 1)
        else:
            assert -10_000 < over <= 0
