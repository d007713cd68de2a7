"""What Stripe keeps in Thailand, by its public price list. Pure. Amounts are whole satang.

Read in autumn 2026 by other projects, never on a real account: the product must book what a balance
transaction says, not this.
"""

from dataclasses import dataclass

DOMESTIC, FOREIGN, PROMPTPAY = "domestic card", "foreign card", "promptpay"
_BASIS_POINTS = {DOMESTIC: 365, FOREIGN: 475, PROMPTPAY: 165}
_FIXED = {DOMESTIC: 1000, FOREIGN: 1000, PROMPTPAY: 0}
PROMPTPAY_REFUND = 1000
DISPUTE = 40000  # not verified: only its being there matters
VAT_PERCENT = 7


@dataclass(frozen=True)
class FeeLine:
    """One line of a balance transaction's fees: `stripe_fee`, `tax` or `application_fee`."""

    kind: str
    amount: int
    description: str


def payment_fee(amount: int, method: str) -> list[FeeLine]:
    """The fee on a payment of `amount`, and the tax on the fee, each rounded half up."""
    fee = _part(amount, _BASIS_POINTS[method], 10_000) + _FIXED[method]
    return with_tax(fee, "Stripe processing fees")


def with_tax(fee: int, description: str) -> list[FeeLine]:
    tax = _part(fee, VAT_PERCENT, 100)
    return [FeeLine("stripe_fee", fee, description), FeeLine("tax", tax, "VAT")]


def _part(amount: int, of: int, whole: int) -> int:
    return (2 * amount * of + whole) // (2 * whole)
