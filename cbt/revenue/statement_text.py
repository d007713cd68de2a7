"""The canonical text of a household's statement of a period, and of the period itself. Pure.

A statement's first part, its *head*, is what is hashed as a leaf of the period's tree; it ends with the
hash of the *lines* that follow it, so that a small code can carry the head and prove the whole. The
period's *record* holds everything that its signers vouch for, and the *seal* is the short text that
they sign. No name stands in any of them: communities, households and people are opaque codes.
"""

from base64 import b32encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from hashlib import sha256

from cbt.errors import TextNotCanonical
from cbt.revenue import merkle

STATEMENT, PERIOD, SEAL = "cbt-statement/1", "cbt-period/1", "cbt-seal/1"


class ItemKind(StrEnum):
    """What a line of a statement is: these four add up, with what was there before, to the closing."""

    EARNED = "earned"
    RECOVERED = "recovered"
    PAID_OUT = "paid_out"
    OTHER = "other"


def kind_of(other_account: str, amount_satang: int) -> ItemKind:
    """What a leg between a household's account and another one is to the household."""
    if other_account == "payout_transit":
        return ItemKind.PAID_OUT  # a payout that came back stands among them with the other sign
    if amount_satang > 0:
        is_pool = other_account.startswith("pool:")
        return ItemKind.EARNED if is_pool else ItemKind.OTHER
    return ItemKind.RECOVERED


@dataclass(frozen=True)
class Item:
    """One leg of the books that moved a household's account.

    `amount_satang` is above zero for what it got, below zero for what was taken. `concerns` is the
    earlier month that a late fact is about.
    """

    entry_seq: int
    leg: int
    effective_on: date
    concerns: date | None
    kind: ItemKind
    amount_satang: int
    subject: str
    rule: str


@dataclass(frozen=True)
class Head:
    """A household's period in sums. `owed_satang` is what it was paid beyond what stayed its own."""

    community: str
    month: date
    household: str
    opening_satang: int
    earned_satang: int
    recovered_satang: int
    paid_out_satang: int
    other_satang: int
    owed_satang: int
    line_count: int
    lines_digest: str

    @property
    def closing_satang(self) -> int:
        moved = self.earned_satang + self.recovered_satang
        return self.opening_satang + moved + self.paid_out_satang + self.other_satang


def head_of(
    community: str,
    month: date,
    household: str,
    opening_satang: int,
    items: Sequence[Item],
    owed_satang: int = 0,
) -> Head:
    """Sum a household's lines up. Raises TextNotCanonical for a code that would blur the text."""
    sums = {
        kind: sum(item.amount_satang for item in items if item.kind == kind) for kind in ItemKind
    }
    for code in (community, household):
        if not code or any(sign.isspace() or sign in ".:" for sign in code):
            raise TextNotCanonical(field="code")
    return Head(
        community=community,
        month=month,
        household=household,
        opening_satang=opening_satang,
        earned_satang=sums[ItemKind.EARNED],
        recovered_satang=sums[ItemKind.RECOVERED],
        paid_out_satang=sums[ItemKind.PAID_OUT],
        other_satang=sums[ItemKind.OTHER],
        owed_satang=owed_satang,
        line_count=len(items),
        lines_digest=sha256(lines_text(items).encode()).hexdigest(),
    )


def head_text(head: Head) -> str:
    """What is hashed as the leaf: one field a line."""
    lines = [
        STATEMENT,
        f"community:{head.community}",
        f"period:{head.month:%Y-%m}",
        f"household:{head.household}",
        f"opening:{head.opening_satang}",
        f"earned:{head.earned_satang}",
        f"recovered:{head.recovered_satang}",
        f"paid_out:{head.paid_out_satang}",
        f"other:{head.other_satang}",
        f"closing:{head.closing_satang}",
        f"owed:{head.owed_satang}",
        f"lines:{head.line_count}",
        f"digest:{head.lines_digest}",
    ]
    return _joined(lines)


def lines_text(items: Sequence[Item]) -> str:
    """The lines below the head, one a leg: entry and leg, day, month concerned, kind, satang, about
    what, rule. Raises TextNotCanonical where two lines could read alike."""
    for item in items:
        if " " in item.subject or "\n" in item.subject + item.rule:
            raise TextNotCanonical(field="subject")
    return _joined(
        [
            f"line:{item.entry_seq}.{item.leg} {item.effective_on.isoformat()}"
            f" {item.concerns.strftime('%Y-%m') if item.concerns else '-'}"
            f" {item.kind} {item.amount_satang} {item.subject} {item.rule}"
            for item in items
        ]
    )


def statement_text(head: Head, items: Sequence[Item]) -> str:
    """The whole statement: head and lines."""
    return head_text(head) + lines_text(items)


def leaf_of(head: Head) -> bytes:
    """The hash of a statement's head as a leaf of its period's tree."""
    return merkle.leaf_hash(head_text(head).encode())


# --- the period ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Balance:
    """An account over a period, on its normal side: what it held, what moved, what it holds."""

    account: str
    opening_satang: int
    debits_satang: int
    credits_satang: int
    closing_satang: int


@dataclass(frozen=True, kw_only=True)
class PeriodFacts:
    """What a period's signers vouch for. `previous` is the digest of the record before, or "-"."""

    community: str
    month: date
    number: int
    closing_seq: int
    head_hash: str
    previous: str
    policies: tuple[str, ...]
    funds: tuple[Balance, ...]
    balances: tuple[Balance, ...]
    statement_root: str
    statement_count: int
    rules_digest: str
    prepared_by: int
    approved_by: int


def record_text(facts: PeriodFacts) -> str:
    """The period's record: chain head and count, policies used, funds, snapshot, statement root."""
    lines = [
        PERIOD,
        f"community:{facts.community}",
        f"period:{facts.month:%Y-%m}",
        f"number:{facts.number}",
        f"entries:{facts.closing_seq}",
        f"head:{facts.head_hash}",
        f"previous:{facts.previous}",
        *(f"policy:{digest}" for digest in facts.policies),
        *(f"fund:{_balance(each)}" for each in facts.funds),
        f"balances:{sha256(balances_text(facts.balances).encode()).hexdigest()}",
        f"statements:{facts.statement_root}",
        f"households:{facts.statement_count}",
        f"rules:{facts.rules_digest}",
        f"prepared_by:person:{facts.prepared_by}",
        f"approved_by:person:{facts.approved_by}",
    ]
    return _joined(lines)


def balances_text(balances: Sequence[Balance]) -> str:
    """Every account's line of the snapshot, in the order of their codes."""
    return _joined([f"balance:{_balance(each)}" for each in balances])


def _balance(each: Balance) -> str:
    return (
        f"{each.account} {each.opening_satang} {each.debits_satang} {each.credits_satang}"
        f" {each.closing_satang}"
    )


def seal_text(community: str, month: date, record_digest: str, root: str, count: int) -> str:
    """The short text that is signed: it binds the record, and the tree of statements beside it."""
    lines = [
        SEAL,
        f"community:{community}",
        f"period:{month:%Y-%m}",
        f"record:{record_digest}",
        f"statements:{root}",
        f"households:{count}",
    ]
    return _joined(lines)


def digest_of(text: str) -> str:
    """SHA-256 as 64 hex digits."""
    return sha256(text.encode()).hexdigest()


def short_code(record_digest: str) -> str:
    """The record's digest as sixteen letters in four groups, to be read aloud from a notice board.

    The first 80 bits of it in base 32 (RFC 4648: A to Z and 2 to 7).
    """
    letters = b32encode(bytes.fromhex(record_digest)[:10]).decode()
    return "-".join(letters[at : at + 4] for at in range(0, 16, 4))


def _joined(lines: Sequence[str]) -> str:
    return "".join(line + "\n" for line in lines)
