"""The tree over statements, by the vectors of Certificate Transparency and by properties."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.audit import verify_statement as twin
from cbt.revenue.merkle import climb, leaf_hash, node_hash, prove, root_of

LEAVES = [
    bytes.fromhex(each)
    for each in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


@pytest.mark.parametrize("size", range(1, 9))
def test_the_roots_are_those_of_certificate_transparency(size):
    hashes = [leaf_hash(leaf) for leaf in LEAVES[:size]]
    assert root_of(hashes).hex() == ROOTS[size - 1]


def test_no_leaf_has_the_root_of_nothing():
    assert root_of([]) == sha256(b"").digest()


def test_a_leaf_cannot_pass_for_a_node():
    left, right = leaf_hash(b"left"), leaf_hash(b"right")
    assert leaf_hash(left + right) != node_hash(left, right)


def test_two_hundred_households_need_eight_hashes():
    hashes = [leaf_hash(str(number).encode()) for number in range(200)]
    assert max(len(prove(hashes, index)) for index in range(200)) == 8


def test_a_place_outside_the_tree_proves_nothing():
    hashes = [leaf_hash(leaf) for leaf in LEAVES]
    path = prove(hashes, 3)
    assert climb(hashes[3], -1, 8, path) is None
    assert climb(hashes[3], 8, 8, path) is None
    assert climb(hashes[3], 0, 0, ()) is None
    with pytest.raises(IndexError):
        prove(hashes, 8)


SIZES = st.integers(1, 140)


@given(SIZES, st.data())
def test_every_leaf_is_proved_and_nothing_else_by_its_path(size, data):
    hashes = [leaf_hash(str(number).encode()) for number in range(size)]
    index = data.draw(st.integers(0, size - 1))
    path, root = prove(hashes, index), root_of(hashes)
    assert climb(hashes[index], index, size, path) == root
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        assert climb(hashes[other], index, size, path) != root
        assert climb(hashes[index], other, size, path) != root
    assert climb(hashes[index], index, size, (*path, root)) is None
    if path:
        assert climb(hashes[index], index, size, path[:-1]) is None


@given(SIZES, st.data())
def test_the_verifier_written_apart_climbs_to_the_same_root(size, data):
    hashes = [leaf_hash(str(number).encode()) for number in range(size)]
    index = data.draw(st.integers(0, size - 1))
    path = prove(hashes, index)
    assert twin.climb(hashes[index], index, size, list(path)) == root_of(hashes)
    assert twin.climb(hashes[index], index, size, [*path, path[0] if path else b"x"]) is None
