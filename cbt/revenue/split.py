"""One booking's money into costs, fees and buckets. Pure; worked numbers in docs/algorithms/split.md.

This one function is what a guest is shown, what the receipt prints, what the ledger posts and what
the auditor recomputes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from cbt.errors import AmountInvalid, CostsExceedIncome, DiscountTooLarge
from cbt.money import bp_of
from cbt.revenue.policy import Bucket, Policy


class PartKind(StrEnum):
    PREPARATION = "preparation"
    COST = "cost"
    PAYMENT_FEE = "payment_fee"
    INTERMEDIARY = "intermediary"
    FIXED = "fixed"
    BUCKET = "bucket"


class Bound(StrEnum):
    """What decided a part's amount in place of its basis points or its full amount."""

    CAP = "cap"
    FLOOR = "floor"
    SHORT = "short"


@dataclass(frozen=True)
class Cost:
    """What a booking owes to somebody outside: a supplier's code and satang."""

    code: str
    amount_satang: int


@dataclass(frozen=True)
class Part:
    """One share of a booking's money. `bp` of `base_satang` is its exact claim; 0 bp: at cost.

    `bound` says what decided instead: the most or the least that the policy allows, or that there
    was not enough.
    """

    kind: PartKind
    code: str
    amount_satang: int
    bp: int = 0
    base_satang: int = 0
    bound: Bound | None = None


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
    Of what is left, fixed amounts are taken; the rest is distributable income: every bucket takes
    its basis points rounded *down*, within its limits, and what remains flows to the households'
    pool. With a discount that a bucket bears, the shares are those of the full price and that bucket
    gives the discount. Raises AmountInvalid, or CostsExceedIncome or DiscountTooLarge before any
    part exists. Source: design of the default policy, rules PRD-01 and PRD-03.
    """
    if min(net_satang, payment_fee_satang, preparation_satang) < 0 or any(
        cost.amount_satang < 0 for cost in costs
    ):
        raise AmountInvalid(amount=net_satang)
    before = [Part(PartKind.COST, cost.code, cost.amount_satang) for cost in costs]
    before.append(Part(PartKind.PAYMENT_FEE, PartKind.PAYMENT_FEE, payment_fee_satang))
    before.append(_intermediary(net_satang, policy))
    if preparation_satang:
        before.append(Part(PartKind.PREPARATION, PartKind.PREPARATION, preparation_satang))
    taken = sum(part.amount_satang for part in before)
    if taken > net_satang:
        raise CostsExceedIncome(net=net_satang, costs=taken)
    return (*before, *_buckets(net_satang - taken, policy, discount))


def intermediary_satang(net_satang: int, policy: Policy) -> int:
    """The intermediary's share of so much, at most what the policy allows for one booking."""
    return _intermediary(net_satang, policy).amount_satang


def _intermediary(net: int, policy: Policy) -> Part:
    share, bp = bp_of(net, policy.intermediary_bp), policy.intermediary_bp
    cap = policy.intermediary_cap_satang
    bound = Bound.CAP if cap is not None and share > cap else None
    amount = cap if bound and cap is not None else share
    return Part(PartKind.INTERMEDIARY, PartKind.INTERMEDIARY, amount, bp, net, bound)


def _buckets(received: int, policy: Policy, discount: Borne | None) -> list[Part]:
    """Fixed amounts, then the buckets, served in this order as far as the money goes.

    The households' least, the fixed amounts, the funds' basis points (at most their caps), what
    lifts funds to their floors, each in the order of the buckets; the rest goes to the households.
    Whatever stands later in this order gives way first.
    """
    money = received + (discount.amount_satang if discount else 0)
    wanted = policy.limits_of(Bucket.PROVIDER).floor_satang or 0
    least = min(wanted, money)
    left = money - least
    fixed = [
        Part(PartKind.FIXED, bucket, policy.fixed[bucket])
        for bucket in policy.buckets
        if bucket in policy.fixed
    ]
    for number, part in enumerate(fixed):
        fixed[number], left = _serve(part, left)
    base = money - sum(part.amount_satang for part in fixed)
    funds = [_share(bucket, base, policy) for bucket in policy.buckets if bucket != Bucket.PROVIDER]
    for number, part in enumerate(funds):
        funds[number], left = _serve(part, left)
    for number, part in enumerate(funds):
        funds[number], left = _lift(part, policy, left)
    pool = Part(
        PartKind.BUCKET,
        Bucket.PROVIDER,
        least + left,
        policy.shares[Bucket.PROVIDER],
        base,
        (Bound.SHORT if least < wanted else Bound.FLOOR) if wanted and not left else None,
    )
    return _give([*fixed, pool, *funds], discount)


def _share(bucket: Bucket, base: int, policy: Policy) -> Part:
    """A fund's basis points of the distributable income, at most its cap."""
    amount, cap = bp_of(base, policy.shares[bucket]), policy.limits_of(bucket).cap_satang
    bound = Bound.CAP if cap is not None and amount > cap else None
    amount = amount if cap is None else min(amount, cap)
    return Part(PartKind.BUCKET, bucket, amount, policy.shares[bucket], base, bound)


def _serve(part: Part, left: int) -> tuple[Part, int]:
    """A part with as much of its amount as there is, and what is left after it."""
    if part.amount_satang <= left:
        return part, left - part.amount_satang
    return replace(part, amount_satang=left, bound=Bound.SHORT), 0


def _lift(part: Part, policy: Policy, left: int) -> tuple[Part, int]:
    """A fund's part lifted towards its floor out of what is left for the households."""
    floor = policy.limits_of(Bucket(part.code)).floor_satang
    if floor is None or part.amount_satang >= floor:
        return part, left
    more = min(floor - part.amount_satang, left)
    amount = part.amount_satang + more
    bound = Bound.FLOOR if amount == floor else Bound.SHORT
    return replace(part, amount_satang=amount, bound=bound), left - more


def _give(parts: list[Part], discount: Borne | None) -> list[Part]:
    """Let the bearer of a discount give it out of its own share. Raises DiscountTooLarge."""
    if discount is None:
        return parts
    for number, part in enumerate(parts):
        if part.kind == PartKind.BUCKET and part.code == discount.bearer:
            amount = part.amount_satang - discount.amount_satang
            if amount >= 0:
                parts[number] = replace(part, amount_satang=amount)
                return parts
    raise DiscountTooLarge(bearer=discount.bearer)
