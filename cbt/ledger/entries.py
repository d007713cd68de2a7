"""What an entry is, when it is valid, and the canonical text that its hash covers. Pure.

A leg moves a positive amount *from* one account *to* another, so that every entry balances by its
shape. From is the debit side and to the credit side: what the community owes (deposits, funds,
households) grows by being the target, what it owns (bank, cash) grows by being the source.

The chain: hash(n) = SHA-256 of the canonical text of entry n, which ends with hash(n-1). Names,
telephone numbers and bank accounts never enter it, only opaque references.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import NamedTuple

from cbt.errors import AmountNotPositive, SameAccount, TextNotCanonical

VERSION = "cbt-entry/1"


class Leg(NamedTuple):
    """`amount_satang` (> 0) from one account to another, for the reason that `rule` names."""

    source: str
    target: str
    amount_satang: int
    rule: str


@dataclass(frozen=True, kw_only=True)
class Draft:
    """One economic event, ready to be posted.

    `key` makes posting repeatable: the same key with the same content is the same entry.
    `subject` says what it is about ("booking:B-7K2M"); `policy_hash` and `input_hash` (hex, or
    empty) tie it to the rule and the facts from which its legs were computed.
    """

    kind: str
    subject: str
    effective_on: date
    legs: tuple[Leg, ...]
    key: str
    actor: str
    policy_hash: str = ""
    input_hash: str = ""
    reverses: int = 0


def require_valid(draft: Draft) -> None:
    """Raise AmountNotPositive, SameAccount or TextNotCanonical; an entry without legs is allowed."""
    for leg in draft.legs:
        if type(leg.amount_satang) is not int or leg.amount_satang <= 0:
            raise AmountNotPositive(amount=leg.amount_satang)
        if leg.source == leg.target:
            raise SameAccount(account=leg.source)
    for field, text in _texts(draft):
        if "\n" in text or "\r" in text:
            raise TextNotCanonical(field=field)
    for leg in draft.legs:
        if " " in leg.source + leg.target:
            raise TextNotCanonical(field="account")


def _texts(draft: Draft) -> list[tuple[str, str]]:
    fields = ["kind", "subject", "key", "actor", "policy_hash", "input_hash"]
    texts = [(name, getattr(draft, name)) for name in fields]
    for leg in draft.legs:
        texts += [("account", leg.source), ("account", leg.target), ("rule", leg.rule)]
    return texts


def content(draft: Draft) -> str:
    """What the event says, apart from its place in the chain: one line a field, one a leg."""
    return _content(draft, draft.actor)


def _content(draft: Draft, actor: str) -> str:
    lines = [
        f"kind:{draft.kind}",
        f"subject:{draft.subject}",
        f"effective_on:{draft.effective_on.isoformat()}",
        f"policy:{draft.policy_hash}",
        f"input:{draft.input_hash}",
        f"reverses:{draft.reverses}",
        f"key:{draft.key}",
        f"actor:{actor}",
    ]
    for line, (source, target, amount, rule) in enumerate(draft.legs, start=1):
        lines.append(f"leg:{line} {source} {target} {amount} {rule}")
    lines.append("")
    return "\n".join(lines)


def fingerprint(draft: Draft) -> str:
    """Tells whether two drafts of one key mean the same event, whoever brought them."""
    return digest(_content(draft, ""))


def canonical(book: str, seq: int, recorded_at: datetime, draft: Draft, previous: str) -> str:
    """The whole text that entry `seq` of a book is hashed over. `recorded_at` is UTC."""
    stamp = recorded_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    head = f"{VERSION}\nbook:{book}\nseq:{seq}\nrecorded_at:{stamp}\n"
    return f"{head}{content(draft)}previous:{previous}\n"


def digest(text: str) -> str:
    """SHA-256 as 64 hex digits."""
    return sha256(text.encode()).hexdigest()


def genesis(book: str, founding: str) -> str:
    """What stands before the first entry; binds the book to what it was founded on."""
    return digest(f"cbt-genesis/1\nbook:{book}\nfounding:{founding}\n")


def total(legs: Sequence[Leg]) -> int:
    return sum(leg.amount_satang for leg in legs)
