"""What the QR on a statement holds: its sums, its way up to the root, and who signed that. Pure.

One line of text that stands in an address as it is, its fields between dots:

    version, community, month, household, opening, earned, recovered, paid out, other, owed,
    number of lines, digest of the lines, place in the tree, size of the tree, hashes of the proof,
    digest of the period's record, then a letter, key and signature for each signer

Whoever reads it writes the statement's head anew from the sums, climbs to the root and checks the
signatures over the seal: no network is needed, only the signers' public keys.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from cbt.errors import LinkInvalid
from cbt.revenue import merkle
from cbt.revenue.signing import SignerRole, from_text, is_signed, to_text
from cbt.revenue.statement_text import Head, leaf_of, seal_text

VERSION = "s1"
_LETTERS = {"p": SignerRole.PLATFORM, "t": SignerRole.TREASURER, "m": SignerRole.MENTOR}
_HASH = 32
_SIGNED = re.compile(r"([ptm])([0-9a-f]{12})([A-Za-z0-9_-]{86})")
_FIXED = 16
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})")


@dataclass(frozen=True)
class Signed:
    """A signer's role, their key's id (12 hex digits), and the signature of the seal."""

    role: SignerRole
    key: str
    signature: str


@dataclass(frozen=True)
class Proof:
    """Everything that a code says."""

    head: Head
    index: int
    size: int
    path: tuple[bytes, ...]
    record_digest: str
    signed: tuple[Signed, ...]

    @property
    def root(self) -> str | None:
        """The root that the path leads to, in hex, or None for a path that leads nowhere."""
        found = merkle.climb(leaf_of(self.head), self.index, self.size, self.path)
        return found.hex() if found is not None else None

    @property
    def seal(self) -> str:
        """The text that the signatures must be over."""
        head = self.head
        return seal_text(
            head.community, head.month, self.record_digest, self.root or "-", self.size
        )


def encode(proof: Proof) -> str:
    head = proof.head
    letters = {role: letter for letter, role in _LETTERS.items()}
    fields = [
        VERSION,
        head.community,
        f"{head.month:%Y-%m}",
        head.household,
        head.opening_satang,
        head.earned_satang,
        head.recovered_satang,
        head.paid_out_satang,
        head.other_satang,
        head.owed_satang,
        head.line_count,
        to_text(bytes.fromhex(head.lines_digest)),
        proof.index,
        proof.size,
        to_text(b"".join(proof.path)),
        to_text(bytes.fromhex(proof.record_digest)),
        *(f"{letters[each.role]}{each.key}{each.signature}" for each in proof.signed),
    ]
    return ".".join(str(field) for field in fields)


def decode(code: str) -> Proof:
    """Read a code. Raises LinkInvalid for anything that is not exactly one."""
    fields = code.split(".")
    try:
        if len(fields) < _FIXED or fields[0] != VERSION:
            raise ValueError(code[:20])
        numbers = [_number(field) for field in (*fields[4:11], *fields[12:14])]
        head = Head(
            community=fields[1],
            month=date.fromisoformat(f"{fields[2]}-01"),
            household=fields[3],
            opening_satang=numbers[0],
            earned_satang=numbers[1],
            recovered_satang=numbers[2],
            paid_out_satang=numbers[3],
            other_satang=numbers[4],
            owed_satang=numbers[5],
            line_count=numbers[6],
            lines_digest=_digest(fields[11]),
        )
        path = from_text(fields[14])
        if len(path) % _HASH:
            raise ValueError("path")
        return Proof(
            head=head,
            index=numbers[7],
            size=numbers[8],
            path=tuple(path[at : at + _HASH] for at in range(0, len(path), _HASH)),
            record_digest=_digest(fields[15]),
            signed=tuple(_signed(field) for field in fields[_FIXED:]),
        )
    except ValueError:
        raise LinkInvalid from None


def check(proof: Proof, keys: Mapping[tuple[SignerRole, str], str]) -> tuple[SignerRole, ...]:
    """Whose signatures hold, in the code's order; none at all where the path leads nowhere.

    `keys` holds those that may sign for this community: {(role, key id): public key}.
    """
    if proof.root is None:
        return ()
    return tuple(
        each.role
        for each in proof.signed
        if (each.role, each.key) in keys
        and is_signed(proof.seal, each.signature, keys[each.role, each.key])
    )


def prove(heads: Sequence[Head], index: int, record_digest: str, signed: Sequence[Signed]) -> Proof:
    """The proof of one of a period's statements, `heads` being all of them in their order."""
    leaves = [leaf_of(head) for head in heads]
    path = merkle.prove(leaves, index)
    return Proof(heads[index], index, len(heads), path, record_digest, tuple(signed))


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _digest(text: str) -> str:
    digest = from_text(text)
    if len(digest) != _HASH:
        raise ValueError(text)
    return digest.hex()


def _signed(text: str) -> Signed:
    found = _SIGNED.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return Signed(_LETTERS[found[1]], found[2], found[3])
