"""A disputed amount's part of each share: sums, bounds and ties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.revenue.frozen import add_up, frozen_parts


@pytest.mark.parametrize(
    ("amount", "shares", "parts"),
    [
        pytest.param(30, {"a": 10, "b": 20, "c": 30}, {"a": 5, "b": 10, "c": 15}, id="exact"),
        pytest.param(10, {"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 1, "c": 1}, id="no-more-than-got"),
        pytest.param(2, {"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 1}, id="ties-to-the-first"),
        pytest.param(5, {"a": 0, "b": 9}, {"b": 5}, id="nothing-got-nothing-held"),
        pytest.param(0, {"a": 3}, {}, id="nothing-disputed"),
        pytest.param(7, {}, {}, id="nobody"),
    ],
)
def test_frozen_parts(amount, shares, parts):
    assert frozen_parts(amount, shares) == parts


@given(
    amount=st.integers(0, 10**9),
    got=st.lists(st.integers(0, 10**7), max_size=30),
)
def test_parts_sum_to_what_can_be_held_and_take_from_none_more_than_it_got(amount, got):
    shares = {f"household:H{number:02}": share for number, share in enumerate(got)}
    parts = frozen_parts(amount, shares)
    whole = sum(got)
    held = min(amount, whole)
    assert sum(parts.values()) == held
    for code, share in shares.items():
        part = parts.get(code, 0)
        assert part <= share
        assert abs(part * whole - held * share) < max(whole, 1)


def test_what_several_disputes_hold_adds_up():
    assert add_up([{"a": 1, "b": 2}, {"b": 3}]) == {"a": 1, "b": 5}
