"""The split: one booking's money into costs, fees and buckets."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.errors import AmountInvalid, CostsExceedIncome, DiscountTooLarge
from cbt.revenue.policy import DEFAULT, Bucket, Limits, Policy
from cbt.revenue.split import Borne, Bound, Cost, Part, PartKind, split
from tests.strategies import every_policy, policies, policies_2, thorough
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


def named(parts):
    """{name: satang}, as the slow twin calls them."""
    costs = (part for part in parts if part.kind == PartKind.COST)
    found = {f"cost {number} {part.code}": part.amount_satang for number, part in enumerate(costs)}
    for part in parts:
        if part.kind != PartKind.COST:
            name = f"fixed {part.code}" if part.kind == PartKind.FIXED else str(part.code)
            assert name not in found
            found[name] = part.amount_satang
    return found


def taken_outside(net, policy):
    share, cap = net * policy.intermediary_bp // 10_000, policy.intermediary_cap_satang
    return share if cap is None else min(share, cap)


@thorough
@given(
    net=st.integers(0, 10**12) | st.integers(0, 10**6),
    cost_bp=st.lists(st.integers(0, 2_000), max_size=3),
    fee_bp=st.integers(0, 1_000),
    policy=every_policy(),
)
def test_parts_sum_to_the_whole_and_equal_the_slow_twin(net, cost_bp, fee_bp, policy):
    costs = [Cost(f"cost{i}", net * bp // 10_000) for i, bp in enumerate(cost_bp)]
    fee = net * fee_bp // 10_000
    taken = sum(cost.amount_satang for cost in costs) + fee + taken_outside(net, policy)
    if taken > net:
        with pytest.raises(CostsExceedIncome):
            split(net, costs, fee, policy)
        return
    parts = split(net, costs, fee, policy)
    assert sum(part.amount_satang for part in parts) == net
    assert all(part.amount_satang >= 0 for part in parts)
    twin = slow_split(net, [(cost.code, cost.amount_satang) for cost in costs], fee, policy)
    assert named(parts) == twin


@thorough
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


@thorough
@given(
    net=st.integers(0, 10**9),
    discount=st.integers(1, 10**8),
    bearer=st.sampled_from(BEARERS),
    fee_bp=st.integers(0, 1_000),
    preparation_bp=st.integers(0, 9_000),
    policy=every_policy(),
)
def test_with_a_discount_or_preparation_parts_sum_to_the_whole_and_equal_the_slow_twin(
    net, discount, bearer, fee_bp, preparation_bp, policy
):
    fee, preparation = net * fee_bp // 10_000, net * preparation_bp // 10_000
    taken = fee + preparation + taken_outside(net, policy)
    given_ = {"discount": Borne(discount, bearer), "preparation_satang": preparation}
    if taken > net:
        with pytest.raises(CostsExceedIncome):
            split(net, [], fee, policy, **given_)
        return
    twin = slow_split(
        net, [], fee, policy, discount=discount, bearer=bearer, preparation=preparation
    )
    if twin[bearer] < 0 or bearer not in policy.shares:
        with pytest.raises(DiscountTooLarge):
            split(net, [], fee, policy, **given_)
        return
    parts = split(net, [], fee, policy, **given_)
    assert sum(part.amount_satang for part in parts) == net
    assert named(parts) == twin


@thorough
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


# --- fixed amounts, caps and floors ---------------------------------------------------------------

LIMITED = replace(
    DEFAULT,
    version=2,
    fixed={Bucket.WELFARE: 2_000, Bucket.CONSERVE: 1_000},
    limits={
        Bucket.PROVIDER: Limits(floor_satang=20_000),
        Bucket.MGMT: Limits(floor_satang=3_000, cap_satang=10_000),
        Bucket.REVOLVE: Limits(cap_satang=4_000),
    },
)


def test_a_cap_leaves_the_rest_to_the_households_and_says_so():
    capped = replace(DEFAULT, version=2, limits={Bucket.REVOLVE: Limits(cap_satang=4_000)})
    parts = {part.code: part for part in split(100_000, [], 0, capped)}
    assert (parts["revolve"].amount_satang, parts["revolve"].bound) == (4_000, Bound.CAP)
    assert parts["provider"].amount_satang == 79_000
    assert all(part.bound is None for part in parts.values() if part.code != "revolve")


def test_a_floor_is_lifted_out_of_the_households_pool():
    lifted = replace(DEFAULT, version=2, limits={Bucket.MGMT: Limits(floor_satang=3_000)})
    parts = {part.code: part for part in split(10_000, [], 0, lifted)}
    assert (parts["mgmt"].amount_satang, parts["mgmt"].bound) == (3_000, Bound.FLOOR)
    assert parts["provider"].amount_satang == 5_500
    assert parts["welfare"].amount_satang == 500


def test_what_the_intermediary_gets_is_capped():
    policy = replace(DEFAULT, version=2, intermediary_bp=2_000, intermediary_cap_satang=15_000)
    part = split(100_000, [], 0, policy)[1]
    assert (part.amount_satang, part.bp, part.bound) == (15_000, 2_000, Bound.CAP)
    assert split(50_000, [], 0, policy)[1].bound is None


@thorough
@given(money=st.integers(0, 10**6), policy=policies_2())
def test_who_stands_later_in_the_order_gives_way_first(money, policy):
    """Whoever got less than wanted left nothing to those behind, but for the households' least."""
    parts = split(money, [], 0, replace(policy, intermediary_bp=0))
    pool = next(part for part in parts if part.code == Bucket.PROVIDER)
    least = policy.limits_of(Bucket.PROVIDER).floor_satang or 0
    assert pool.amount_satang >= min(least, money)
    fixed = [part for part in parts if part.kind == PartKind.FIXED]
    for number, part in enumerate(fixed):
        if part.amount_satang < policy.fixed[Bucket(part.code)]:
            assert part.bound == Bound.SHORT
            assert not any(later.amount_satang for later in fixed[number + 1 :])
            assert pool.amount_satang == min(least, money)


@thorough
@given(money=st.integers(0, 10**9), policy=policies_2())
def test_no_fund_gets_more_than_its_cap_nor_less_than_its_floor_unless_there_is_too_little(
    money, policy
):
    parts = split(money, [], 0, replace(policy, intermediary_bp=0))
    for part in parts:
        if part.kind != PartKind.BUCKET or part.code == Bucket.PROVIDER:
            continue
        limits = policy.limits_of(Bucket(part.code))
        assert limits.cap_satang is None or part.amount_satang <= limits.cap_satang
        if part.amount_satang < (limits.floor_satang or 0):
            assert part.bound == Bound.SHORT


@thorough
@given(money=st.integers(0, 10**9), policy=policies_2())
def test_a_part_without_a_bound_is_its_exact_share_rounded_down(money, policy):
    for part in split(money, [], 0, replace(policy, intermediary_bp=0)):
        if part.kind == PartKind.BUCKET and part.code != Bucket.PROVIDER and part.bound is None:
            assert 0 <= part.base_satang * part.bp - part.amount_satang * 10_000 < 10_000


@thorough
@given(net=st.integers(0, 10**12), policy=policies())
def test_the_second_version_without_anything_new_is_the_first(net, policy):
    assert split(net, [], 0, replace(policy, version=2)) == split(net, [], 0, policy)


@pytest.mark.parametrize(
    ("money", "amounts"),
    [
        pytest.param(0, (0, 0, 0, 0, 0, 0, 0, 0), id="nothing"),
        pytest.param(15_000, (0, 0, 15_000, 0, 0, 0, 0, 0), id="less-than-the-households-least"),
        pytest.param(21_500, (1_500, 0, 20_000, 0, 0, 0, 0, 0), id="a-fixed-amount-short"),
        pytest.param(24_000, (2_000, 1_000, 20_000, 1_000, 0, 0, 0, 0), id="percent-short"),
        pytest.param(100_000, (2_000, 1_000, 76_510, 6_790, 4_850, 2_910, 1_940, 4_000), id="full"),
        pytest.param(
            200_000, (2_000, 1_000, 163_300, 10_000, 9_850, 5_910, 3_940, 4_000), id="capped"
        ),
    ],
)
def test_the_order_in_which_parts_are_served(money, amounts):
    parts = split(money, [], 0, LIMITED)[2:]
    assert tuple(part.amount_satang for part in parts) == amounts
    assert sum(amounts) == money


@pytest.mark.parametrize(
    ("net", "cost", "amount"), [(-1, 0, -1), (100, -1, 100)], ids=["net", "cost"]
)
def test_a_refused_amount_is_named(net, cost, amount):
    with pytest.raises(AmountInvalid) as refused:
        split(net, [Cost("insurance", cost)], 0, DEFAULT)
    assert refused.value.facts == {"amount": amount}


def test_the_intermediarys_part_says_of_what_it_is():
    policy = replace(DEFAULT, version=2, intermediary_bp=300, intermediary_cap_satang=30)
    assert split(1_000, [], 0, policy)[1] == Part(
        PartKind.INTERMEDIARY, "intermediary", 30, 300, 1_000, None
    )
    assert split(1_100, [], 0, policy)[1].bound == Bound.CAP


@pytest.mark.parametrize(
    ("net", "least", "amount", "bound"),
    [
        pytest.param(1_000, None, 780, None, id="no-least"),
        pytest.param(1_000, 700, 780, None, id="more-than-the-least"),
        pytest.param(1_000, 999, 999, Bound.FLOOR, id="lifted"),
        pytest.param(1_000, 1_000, 1_000, Bound.FLOOR, id="just-enough"),
        pytest.param(1_000, 1_001, 1_000, Bound.SHORT, id="too-little"),
    ],
)
def test_the_households_part_says_what_decided_it(net, least, amount, bound):
    limits = {} if least is None else {Bucket.PROVIDER: Limits(floor_satang=least)}
    parts = split(net, [], 0, replace(DEFAULT, version=2, limits=limits))
    [pool] = [part for part in parts if part.code == Bucket.PROVIDER]
    assert (pool.amount_satang, pool.bound) == (amount, bound)


def test_a_part_that_just_fits_is_not_called_short_nor_lifted():
    fixed = replace(DEFAULT, version=2, fixed={Bucket.WELFARE: 500})
    served = [part for part in split(500, [], 0, fixed) if part.kind == PartKind.FIXED]
    assert [(part.amount_satang, part.bound) for part in served] == [(500, None)]
    limits = {Bucket.WELFARE: Limits(floor_satang=50)}
    parts = split(1_000, [], 0, replace(DEFAULT, version=2, limits=limits))
    assert [part.bound for part in parts if part.code == Bucket.WELFARE] == [None]


def test_a_bearer_may_give_all_that_it_has_and_not_a_satang_more():
    given = {
        part.code: part.amount_satang
        for part in split(930, [], 0, DEFAULT, discount=Borne(70, Bucket.MGMT))
    }
    assert (given["mgmt"], given["provider"], given["welfare"]) == (0, 780, 50)
    with pytest.raises(DiscountTooLarge) as refused:
        split(929, [], 0, DEFAULT, discount=Borne(70, Bucket.MGMT))
    assert refused.value.facts == {"bearer": Bucket.MGMT}
