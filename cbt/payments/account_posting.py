"""The entries about a community's account at a provider: payouts, and money that nothing explains. Pure.

What posts an entry calls the same function as the auditor, who calls it again on the records.
"""

from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from hashlib import sha256
from typing import Any

from cbt.communities import chart
from cbt.ledger.entries import Draft, Leg

MANAGEMENT_FUND = chart.fund("mgmt")
"""Whose gain or cost money becomes that nobody can be found for."""


class Clearing(StrEnum):
    """How money that nothing explained was cleared."""

    RETURNED = "returned"  # given back to its payer from the bank, or given back to us into it
    FUND = "fund"  # the management fund's gain or cost


@dataclass(frozen=True)
class PayoutFacts:
    """Money that arrived at the community's bank, or that its bank refused afterwards."""

    provider: str
    payout_id: str
    amount_satang: int
    on: date


@dataclass(frozen=True)
class SuspenseFacts:
    """What of a movement nothing explains: above zero it came, below it left. On a village day."""

    provider: str
    transaction_id: str
    amount_satang: int
    moved_on: date


@dataclass(frozen=True)
class ClearingFacts:
    """How a movement that nothing explained was cleared; the amount is the whole of it."""

    provider: str
    transaction_id: str
    amount_satang: int
    how: str
    cleared_on: date


def payout_draft(facts: PayoutFacts, actor: str) -> Draft:
    """From the provider to the community's bank."""
    account = chart.payment(facts.provider)
    legs = (Leg(chart.BANK, account, facts.amount_satang, "paid_out"),)
    return _draft("payout", facts, facts.payout_id, facts.on, legs, actor)


def payout_failed_draft(facts: PayoutFacts, actor: str) -> Draft:
    """The bank refused what was paid out: it is at the provider again."""
    account = chart.payment(facts.provider)
    legs = (Leg(account, chart.BANK, facts.amount_satang, "payout_returned"),)
    return _draft("payout_failed", facts, facts.payout_id, facts.on, legs, actor)


def suspense_draft(facts: SuspenseFacts, actor: str) -> Draft:
    """Between the provider and suspense, so that the books equal what the provider holds."""
    legs = _moved(chart.payment(facts.provider), chart.SUSPENSE, facts.amount_satang, "unexplained")
    return _draft("suspense", facts, facts.transaction_id, facts.moved_on, legs, actor)


def clearing_draft(facts: ClearingFacts, actor: str) -> Draft:
    """Out of suspense: to the bank from which it was returned, or to the management fund."""
    how = Clearing(facts.how)
    other = chart.BANK if how == Clearing.RETURNED else MANAGEMENT_FUND
    legs = _moved(chart.SUSPENSE, other, facts.amount_satang, f"suspense_{how}")
    return _draft("suspense_cleared", facts, facts.transaction_id, facts.cleared_on, legs, actor)


def payout_subject(payout_id: str) -> str:
    return f"payout:{payout_id}"


def transaction_subject(transaction_id: str) -> str:
    return f"transaction:{transaction_id}"


def _moved(source: str, target: str, amount: int, rule: str) -> tuple[Leg, ...]:
    """A leg of a signed amount: below zero it goes the other way."""
    if amount < 0:
        source, target = target, source
    return (Leg(source, target, abs(amount), rule),)


def _draft(
    kind: str,
    facts: PayoutFacts | SuspenseFacts | ClearingFacts,
    name: str,
    on: date,
    legs: tuple[Leg, ...],
    actor: str,
) -> Draft:
    is_payout = isinstance(facts, PayoutFacts)
    return Draft(
        kind=kind,
        subject=payout_subject(name) if is_payout else transaction_subject(name),
        effective_on=on,
        legs=legs,
        key=f"{kind}:{facts.provider}:{name}",
        actor=actor,
        input_hash=sha256(_text(kind, facts).encode()).hexdigest(),
    )


def _text(kind: str, facts: Any) -> str:
    """The facts as the text whose hash the entry carries, as `posting.facts_text` writes them."""
    lines = [f"cbt-{kind}/1", *(f"{name}:{value}" for name, value in asdict(facts).items())]
    return "".join(line + "\n" for line in lines)
