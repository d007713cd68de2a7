"""One booking's money into costs, fees and buckets. Pure; worked numbers in docs/algorithms/split.md.

This one function is what a guest is shown, what the receipt prints, what the ledger posts and what
the auditor recomputes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cbt.errors import AmountInvalid, CostsExceedIncome, DiscountTooLarge
from cbt.money import bp_of
from cbt.revenue.policy import Bucket, Policy


class PartKind(StrEnum):
    PREPARATION = "preparation"
    COST = "cost"
    PAYMENT_FEE = "payment_fee"
    INTERMEDIARY = "intermediary"
    BUCKET = "bucket"


@dataclass(frozen=True)
class Cost:
    """What a booking owes to somebody outside: a supplier's code and satang."""

    code: str
    amount_satang: int


@dataclass(frozen=True)
class Part:
    """One share of a booking's money. `bp` of `base_satang` is its exact claim; 0 bp: at cost."""

    kind: PartKind
    code: str
    amount_satang: int
    bp: int = 0
    base_satang: int = 0


@dataclass(frozen=True)
class Borne:
    """A discount that one bucket pays for, so that every other gets what it would have had."""

    amount_satang: int
    bearer: Bucket


def split(
    net_satang: int,
    costs: Sequence[Cost],
    payment_fee_satang: int,
    policy: Policy,
    *,
    discount: Borne | None = None,
    preparation_satang: int = 0,
) -> tuple[Part, ...]:
    """Divide what a booking brought in (>= 0 satang, refunds taken off). The parts sum to it.

    First what goes outside at cost, the payment provider's fee, and the intermediary's share of
    the net; for a trip that was cancelled, next what households had bought or prepared for it.
    What is left is distributable income: every bucket takes its basis points rounded *down*, and
    the rest flows to the households' pool. With a discount that a bucket bears, the shares are those
    of the full price and that bucket gives the discount. Raises AmountInvalid, or CostsExceedIncome
    or DiscountTooLarge before any part exists. Source: design of the default policy, rules PRD-01
    and PRD-03.
    """
    if min(net_satang, payment_fee_satang, preparation_satang) < 0 or any(
        cost.amount_satang < 0 for cost in costs
    ):
        raise AmountInvalid(amount=net_satang)
    before = [Part(PartKind.COST, cost.code, cost.amount_satang) for cost in costs]
    before.append(Part(PartKind.PAYMENT_FEE, PartKind.PAYMENT_FEE, payment_fee_satang))
    before.append(
        Part(
            PartKind.INTERMEDIARY,
            PartKind.INTERMEDIARY,
            bp_of(net_satang, policy.intermediary_bp),
            policy.intermediary_bp,
            net_satang,
        )
    )
    if preparation_satang:
        before.append(Part(PartKind.PREPARATION, PartKind.PREPARATION, preparation_satang))
    taken = sum(part.amount_satang for part in before)
    if taken > net_satang:
        raise CostsExceedIncome(net=net_satang, costs=taken)
    return (*before, *_buckets(net_satang - taken, policy, discount))


def _buckets(received: int, policy: Policy, discount: Borne | None) -> list[Part]:
    distributable = received + (discount.amount_satang if discount else 0)
    amounts: dict[Bucket, int] = {
        bucket: bp_of(distributable, policy.shares[bucket])
        for bucket in Bucket
        if bucket != Bucket.PROVIDER
    }
    amounts[Bucket.PROVIDER] = distributable - sum(amounts.values())
    if discount:
        amounts[discount.bearer] -= discount.amount_satang
        if amounts[discount.bearer] < 0:
            raise DiscountTooLarge(bearer=discount.bearer)
    return [
        Part(PartKind.BUCKET, bucket, amounts[bucket], policy.shares[bucket], distributable)
        for bucket in Bucket
    ]
