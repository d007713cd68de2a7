"""The sharing-out: a departure's pool into households by their work."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.errors import AmountInvalid, HouseholdUnknown, NoWorkRecorded
from cbt.revenue.policy import DEFAULT, Bucket, ProviderRule, Task
from cbt.revenue.sharing import PoolShare, Work, share, share_pool, spare_order, weigh
from tests.strategies import HOUSEHOLDS, thorough, weights
from tests.twins import slow_rates_first, slow_share

totals = st.integers(0, 10**9)
turns = st.integers(0, 10_000)
ABC = ["a", "b", "c"]


@pytest.mark.parametrize(
    ("total", "given_weights", "turn", "parts"),
    [
        pytest.param(90, {"a": 1, "b": 2}, 1, {"a": 30, "b": 60}, id="exact"),
        pytest.param(100, {"a": 1, "b": 1, "c": 1}, 0, {"a": 34, "b": 33, "c": 33}, id="turn-0"),
        pytest.param(100, {"a": 1, "b": 1, "c": 1}, 1, {"a": 33, "b": 34, "c": 33}, id="turn-1"),
        pytest.param(100, {"a": 1, "b": 1, "c": 1}, 2, {"a": 33, "b": 33, "c": 34}, id="turn-2"),
        pytest.param(100, {"a": 1, "b": 1, "c": 1}, 3, {"a": 34, "b": 33, "c": 33}, id="turn-3"),
        pytest.param(101, {"a": 1, "b": 1, "c": 1}, 2, {"a": 34, "b": 33, "c": 34}, id="two-spare"),
        pytest.param(100, {"a": 0, "b": 1, "c": 1}, 7, {"a": 0, "b": 50, "c": 50}, id="no-work"),
        pytest.param(10, {"a": 3, "b": 3, "c": 1}, 5, {"a": 4, "b": 4, "c": 2}, id="remainders"),
        pytest.param(0, {"a": 3}, 4, {"a": 0}, id="nothing-earned"),
    ],
)
def test_share(total, given_weights, turn, parts):
    assert share(total, given_weights, ABC, turn) == parts


def test_without_work_nothing_is_shared():
    with pytest.raises(NoWorkRecorded):
        share(100, {"a": 0}, ABC, 1)


def test_a_household_outside_the_register_cannot_share():
    with pytest.raises(HouseholdUnknown) as refused:
        share(100, {"a": 1, "stranger": 1}, ABC, 1)
    assert refused.value.facts == {"household": "stranger"}


@pytest.mark.parametrize(("total", "weight"), [(-1, 1), (1, -1)], ids=["total", "weight"])
def test_a_negative_amount_is_refused(total, weight):
    with pytest.raises(AmountInvalid) as refused:
        share(total, {"a": weight, "b": 1}, ABC, 1)
    assert refused.value.facts == {"amount": total}


def test_weight_is_units_times_rate_summed_over_tasks():
    work = [
        Work("a", Task.BOAT, 2, 180),
        Work("a", Task.CRAB_BANK, 1, 60),
        Work("b", Task.GUIDE, 1, 90),
    ]
    assert weigh(work, DEFAULT.rates) == {"a": 2 * 60_000 + 20_000, "b": 40_000}


@thorough
@given(total=totals, given_weights=weights(), turn=turns)
def test_parts_sum_to_the_whole(total, given_weights, turn):
    assert sum(share(total, given_weights, HOUSEHOLDS, turn).values()) == total


@thorough
@given(total=totals, given_weights=weights(), turn=turns)
def test_every_part_is_within_a_satang_of_the_exact_share(total, given_weights, turn):
    whole = sum(given_weights.values())
    for code, part in share(total, given_weights, HOUSEHOLDS, turn).items():
        assert abs(part * whole - total * given_weights[code]) < whole


@thorough
@given(total=totals, given_weights=weights(), turn=turns)
def test_zero_weight_gets_zero(total, given_weights, turn):
    parts = share(total, given_weights, HOUSEHOLDS, turn)
    assert all(parts[code] == 0 for code, weight in given_weights.items() if not weight)


@thorough
@given(total=totals, given_weights=weights(100), turn=turns)
def test_a_heavier_household_never_gets_less(total, given_weights, turn):
    parts = share(total, given_weights, HOUSEHOLDS, turn)
    for one, weight in given_weights.items():
        for other, heavier in given_weights.items():
            if heavier > weight:
                assert parts[other] >= parts[one]


@thorough
@given(total=totals, given_weights=weights(50), turn=turns, data=st.data())
def test_permuting_households_permutes_the_result(total, given_weights, turn, data):
    shuffled = data.draw(st.permutations(HOUSEHOLDS))
    renamed = dict(zip(HOUSEHOLDS, shuffled, strict=True))
    parts = share(total, given_weights, HOUSEHOLDS, turn)
    others = share(total, {renamed[code]: w for code, w in given_weights.items()}, shuffled, turn)
    assert others == {renamed[code]: part for code, part in parts.items()}


@thorough
@given(total=totals, given_weights=weights(20), turn=turns)
def test_equal_to_the_slow_exact_twin(total, given_weights, turn):
    assert share(total, given_weights, HOUSEHOLDS, turn) == slow_share(
        total, given_weights, HOUSEHOLDS, turn
    )


@thorough
@given(n=st.integers(1, 30), total=totals)
def test_equal_weights_each_get_the_same_once_the_circle_is_complete(n, total):
    codes = HOUSEHOLDS[:n]
    sums = dict.fromkeys(codes, 0)
    for turn in range(n):
        for code, part in share(total, dict.fromkeys(codes, 1), HOUSEHOLDS, turn).items():
            sums[code] += part
    assert len(set(sums.values())) == 1


@thorough
@given(total=totals, given_weights=weights(1_000), turn=turns, factor=st.integers(1, 1_000))
def test_scaling_every_weight_changes_nothing(total, given_weights, turn, factor):
    scaled = {code: weight * factor for code, weight in given_weights.items()}
    assert share(total, scaled, HOUSEHOLDS, turn) == share(total, given_weights, HOUSEHOLDS, turn)


# --- agreed rates first ---------------------------------------------------------------------------

RATES = replace(DEFAULT, version=2, provider_rule=ProviderRule.RATES_FIRST)
TO_FUND = replace(RATES, surplus=Bucket.DEVELOP)
pools = st.integers(1, 10**8)


def test_agreed_rates_are_paid_exactly_and_the_surplus_goes_to_its_fund():
    shared = share_pool(120_000, 120_000, TO_FUND, {"a": 60_000, "b": 40_000}, ABC, 1)
    assert shared.parts == {"a": 60_000, "b": 40_000}
    assert (shared.surplus, shared.surplus_satang) == (Bucket.DEVELOP, 20_000)


def test_a_shortfall_is_borne_in_proportion():
    shared = share_pool(50_001, 50_001, TO_FUND, {"a": 60_000, "b": 40_000}, ABC, 1)
    assert shared.parts == {"a": 30_001, "b": 20_000}
    assert (shared.agreed, shared.surplus_satang) == ({}, 0)


def test_no_work_is_paid_twice_out_of_two_pools():
    weights_of = {"a": 60_000, "b": 40_000}
    one = share_pool(90_000, 150_000, TO_FUND, weights_of, ABC, 1)
    other = share_pool(60_000, 150_000, TO_FUND, weights_of, ABC, 1)
    assert {code: one.parts[code] + other.parts[code] for code in weights_of} == weights_of
    assert one.surplus_satang + other.surplus_satang == 50_000


@thorough
@given(
    pool=pools,
    others=st.integers(0, 10**8),
    given_weights=weights(10**6),
    turn=turns,
    to_fund=st.booleans(),
)
def test_rates_first_sums_to_the_pool_and_equals_the_slow_twin(
    pool, others, given_weights, turn, to_fund
):
    policy = TO_FUND if to_fund else RATES
    whole = pool + others
    shared = share_pool(pool, whole, policy, given_weights, HOUSEHOLDS, turn)
    assert sum(shared.parts.values()) + shared.surplus_satang == pool
    assert min(shared.parts.values()) >= 0
    assert all(not shared.parts[code] for code, weight in given_weights.items() if not weight)
    twin = slow_rates_first(pool, whole, given_weights, HOUSEHOLDS, turn, to_fund=to_fund)
    assert (shared.parts, shared.surplus_satang) == twin


@thorough
@given(pool=pools, given_weights=weights(10**6), turn=turns)
def test_a_surplus_shared_by_work_comes_to_the_same_as_by_work(pool, given_weights, turn):
    """The two rules are told differently and give the same satang, of one pool."""
    first = share_pool(pool, pool, RATES, given_weights, HOUSEHOLDS, turn)
    assert first.parts == share(pool, given_weights, HOUSEHOLDS, turn)


@thorough
@given(pool=pools, given_weights=weights(50), turn=turns, data=st.data())
def test_permuting_households_permutes_what_agreed_rates_give(pool, given_weights, turn, data):
    shuffled = data.draw(st.permutations(HOUSEHOLDS))
    renamed = dict(zip(HOUSEHOLDS, shuffled, strict=True))
    parts = share_pool(pool, pool, TO_FUND, given_weights, HOUSEHOLDS, turn).parts
    new = {renamed[code]: weight for code, weight in given_weights.items()}
    others = share_pool(pool, pool, TO_FUND, new, shuffled, turn).parts
    assert others == {renamed[code]: part for code, part in parts.items()}


@pytest.mark.parametrize("policy", [RATES, TO_FUND], ids=["by-work", "to-a-fund"])
def test_without_work_nothing_is_shared_by_rates_either(policy):
    with pytest.raises(NoWorkRecorded):
        share_pool(100, 100, policy, {"a": 0}, ABC, 1)
    with pytest.raises(HouseholdUnknown):
        share_pool(100, 100, policy, {"stranger": 1}, ABC, 1)


def test_work_without_a_rate_weighs_nothing():
    work = [Work("a", Task.COOK, 3, 60), Work("b", Task.BOAT, 2, 60)]
    assert weigh(work, {Task.BOAT: 500}) == {"a": 0, "b": 1_000}


@given(total=totals, given_weights=weights(50), turn=turns)
def test_spare_satang_go_to_the_first_of_the_order_that_is_shown(total, given_weights, turn):
    parts = share(total, given_weights, HOUSEHOLDS, turn)
    whole = sum(given_weights.values())
    spare = {code for code, part in parts.items() if part > total * given_weights[code] // whole}
    order = spare_order(total, given_weights, HOUSEHOLDS, turn)
    assert sorted(order) == sorted(code for code, weight in given_weights.items() if weight)
    assert set(order[: len(spare)]) == spare


@pytest.mark.parametrize(
    ("rule", "surplus", "pool", "shared"),
    [
        pytest.param(
            *(ProviderRule.BY_WORK, Bucket.PROVIDER, 60),
            PoolShare(60, {"a": 20, "b": 40}, {}, Bucket.PROVIDER),
            id="by-work",
        ),
        pytest.param(
            *(ProviderRule.RATES_FIRST, Bucket.DEVELOP, 20),
            PoolShare(20, {"a": 7, "b": 13}, {}, Bucket.PROVIDER),
            id="too-little",
        ),
        pytest.param(
            *(ProviderRule.RATES_FIRST, Bucket.DEVELOP, 30),
            PoolShare(30, {"a": 10, "b": 20}, {"a": 10, "b": 20}, Bucket.DEVELOP),
            id="just-enough",
        ),
        pytest.param(
            *(ProviderRule.RATES_FIRST, Bucket.DEVELOP, 31),
            PoolShare(31, {"a": 10, "b": 20}, {"a": 10, "b": 20}, Bucket.DEVELOP, 1),
            id="to-its-fund",
        ),
        pytest.param(
            *(ProviderRule.RATES_FIRST, Bucket.PROVIDER, 60),
            PoolShare(60, {"a": 20, "b": 40}, {"a": 10, "b": 20}, Bucket.PROVIDER),
            id="back-to-work",
        ),
    ],
)
def test_a_pool_is_told_with_what_was_agreed_of_it(rule, surplus, pool, shared):
    policy = replace(DEFAULT, version=2, provider_rule=rule, surplus=surplus)
    assert share_pool(pool, pool, policy, {"a": 10, "b": 20}, ABC, 0) == shared
