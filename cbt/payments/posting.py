"""From what providers reported to the entries that must stand in the books. Pure.

Taking money in posts what these functions return; the auditor calls them again on the records of
payments and compares.
"""

from dataclasses import asdict, dataclass
from datetime import date
from hashlib import sha256

from cbt.communities import chart
from cbt.ledger.entries import Draft, Leg


@dataclass(frozen=True)
class CaptureFacts:
    """Money that arrived for a booking: the provider's own id for it, in satang, on a village day."""

    reference: str
    provider: str
    payment_id: str
    amount_satang: int
    paid_on: date


@dataclass(frozen=True)
class FeeFacts:
    """What the provider kept of a payment, as it reported on a village day."""

    reference: str
    provider: str
    payment_id: str
    fee_satang: int
    reported_on: date


@dataclass(frozen=True)
class RefundFacts:
    """Money given back, and what the provider gave back of its fee."""

    reference: str
    provider: str
    payment_id: str
    amount_satang: int
    fee_returned_satang: int
    made_on: date


def capture_draft(facts: CaptureFacts, actor: str) -> Draft:
    """From the payment account to guest deposits: nothing is income yet."""
    account = chart.payment(facts.provider)
    legs = (Leg(account, chart.GUEST_DEPOSIT, facts.amount_satang, "captured"),)
    return _draft("capture", facts, facts.paid_on, legs, actor)


def fee_draft(facts: FeeFacts, actor: str) -> Draft:
    """The fee leaves the payment account; the booking's split pays it back."""
    legs = (Leg(chart.PAYMENT_FEE, chart.payment(facts.provider), facts.fee_satang, "fee"),)
    return _draft("fee", facts, facts.reported_on, legs, actor)


def refund_draft(facts: RefundFacts, actor: str) -> Draft:
    """From guest deposits back to where the money came from."""
    account = chart.payment(facts.provider)
    legs = [Leg(chart.GUEST_DEPOSIT, account, facts.amount_satang, "refunded")]
    if facts.fee_returned_satang:
        legs.append(Leg(account, chart.PAYMENT_FEE, facts.fee_returned_satang, "fee_returned"))
    return _draft("refund", facts, facts.made_on, tuple(legs), actor)


def _draft(
    kind: str,
    facts: CaptureFacts | FeeFacts | RefundFacts,
    on: date,
    legs: tuple[Leg, ...],
    actor: str,
) -> Draft:
    return Draft(
        kind=kind,
        subject=f"booking:{facts.reference}",
        effective_on=on,
        legs=legs,
        key=f"{kind}:{facts.provider}:{facts.payment_id}",
        actor=actor,
        input_hash=sha256(facts_text(kind, facts).encode()).hexdigest(),
    )


def facts_text(kind: str, facts: CaptureFacts | FeeFacts | RefundFacts) -> str:
    """The facts as the text whose hash the entry carries: one a line, days as YYYY-MM-DD."""
    lines = [f"cbt-{kind}/1", *(f"{name}:{value}" for name, value in asdict(facts).items())]
    return "".join(line + "\n" for line in lines)
