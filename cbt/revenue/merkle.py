"""A hash tree over statements, as in RFC 6962: one root vouches for all of them. Pure.

A leaf is hashed with 0x00 before it and a node with 0x01, so that neither can pass for the other. The
proof that a leaf is in the tree is a hash a level: seven for 128 households.
"""

from collections.abc import Sequence
from hashlib import sha256


def leaf_hash(leaf: bytes) -> bytes:
    """SHA-256 of 0x00 and the leaf."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of 0x01 and both children."""
    return sha256(b"\x01" + left + right).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes, in their order; that of no leaf is SHA-256 of nothing."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    cut = _cut(len(leaves))
    return node_hash(root_of(leaves[:cut]), root_of(leaves[cut:]))


def prove(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The hashes beside the way from leaf `index` up to the root, the lowest first.

    Raises IndexError for a leaf that is not there.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    if len(leaves) == 1:
        return ()
    cut = _cut(len(leaves))
    if index < cut:
        return (*prove(leaves[:cut], index), root_of(leaves[cut:]))
    return (*prove(leaves[cut:], index - cut), root_of(leaves[:cut]))


def climb(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """The root that a proof leads to from leaf hash number `index` of `size`, or None.

    None: there is no such place in a tree of that size, or the proof is too long or too short. The
    leaf is proved when the result is the root that somebody signed.
    """
    if not 0 <= index < size:
        return None
    at, last, found = index, size - 1, leaf
    for beside in proof:
        if last == 0:
            return None
        if at % 2 or at == last:
            found = node_hash(beside, found)
            while at % 2 == 0 and at:
                at, last = at // 2, last // 2
        else:
            found = node_hash(found, beside)
        at, last = at // 2, last // 2
    return found if last == 0 else None


def _cut(size: int) -> int:
    """The largest power of two below `size` (> 1): so many leaves stand left."""
    return 1 << ((size - 1).bit_length() - 1)
