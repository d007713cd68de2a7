"""The split: one booking's money into costs, fees and buckets."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.errors import AmountInvalid, CostsExceedIncome, DiscountTooLarge
from cbt.revenue.policy import DEFAULT, Bucket, Policy
from cbt.revenue.split import Borne, Cost, PartKind, split
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


# --- discounts that one bucket bears, and preparation --------------------------------------------

BEARERS = list(Bucket)


@given(
    net=st.integers(0, 10**9),
    discount=st.integers(1, 10**8),
    bearer=st.sampled_from(BEARERS),
    fee_bp=st.integers(0, 1_000),
    preparation_bp=st.integers(0, 9_000),
    policy=policies(),
)
def test_with_a_discount_or_preparation_parts_sum_to_the_whole_and_equal_the_slow_twin(
    net, discount, bearer, fee_bp, preparation_bp, policy
):
    fee, preparation = net * fee_bp // 10_000, net * preparation_bp // 10_000
    taken = fee + preparation + net * policy.intermediary_bp // 10_000
    given_ = {"discount": Borne(discount, bearer), "preparation_satang": preparation}
    if taken > net:
        with pytest.raises(CostsExceedIncome):
            split(net, [], fee, policy, **given_)
        return
    twin = slow_split(
        net, [], fee, policy, discount=discount, bearer=bearer, preparation=preparation
    )
    if twin[bearer] < 0:
        with pytest.raises(DiscountTooLarge):
            split(net, [], fee, policy, **given_)
        return
    parts = split(net, [], fee, policy, **given_)
    assert sum(part.amount_satang for part in parts) == net
    assert {str(part.code): part.amount_satang for part in parts} == {
        str(code): amount for code, amount in twin.items()
    }


@given(net=st.integers(10**6, 10**9), policy=policies())
def test_nobody_but_the_bearer_gets_less_for_a_discount(net, policy):
    discount = net // 100
    with_it = split(net - discount, [], 0, policy, discount=Borne(discount, Bucket.PROVIDER))
    without = split(net, [], 0, replace(policy))
    if policy.intermediary_bp:
        return  # the intermediary's share is of what came in
    for less, full in zip(with_it, without, strict=True):
        if less.code == Bucket.PROVIDER:
            assert full.amount_satang - less.amount_satang == discount
        else:
            assert less.amount_satang == full.amount_satang


def test_preparation_comes_before_the_funds():
    parts = {
        part.code: part.amount_satang
        for part in split(50_000, [], 885, DEFAULT, preparation_satang=40_000)
    }
    assert parts["preparation"] == 40_000
    assert parts["welfare"] == (50_000 - 885 - 40_000) * 500 // 10_000
    assert sum(parts.values()) == 50_000


def test_more_preparation_than_there_is_is_refused():
    with pytest.raises(CostsExceedIncome):
        split(50_000, [], 885, DEFAULT, preparation_satang=49_116)
    with pytest.raises(AmountInvalid):
        split(50_000, [], 0, DEFAULT, preparation_satang=-1)
