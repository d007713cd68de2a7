"""One booking's money into costs, fees and buckets. Pure; worked numbers in docs/algorithms/split.md.

This one function is what a guest is shown, what the receipt prints, what the ledger posts and what
the auditor recomputes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

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


class Part(NamedTuple):
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
    if min(net_satang, payment_fee_satang, preparation_satang) < 0:
        raise AmountInvalid(amount=net_satang)
    before = []
    for cost in costs:
        if cost.amount_satang < 0:
            raise AmountInvalid(amount=net_satang)
        before.append(Part(PartKind.COST, cost.code, cost.amount_satang))
    before.append(Part(PartKind.PAYMENT_FEE, PartKind.PAYMENT_FEE, payment_fee_satang))
    before.append(_intermediary(net_satang, policy))
    if preparation_satang:
        before.append(Part(PartKind.PREPARATION, PartKind.PREPARATION, preparation_satang))
    taken = sum([part.amount_satang for part in before])
    if taken > net_satang:
        raise CostsExceedIncome(net=net_satang, costs=taken)
    return (*before, *_buckets(net_satang - taken, policy, discount))


def intermediary_satang(net_satang: int, policy: Policy) -> int:
    """The intermediary's share of so much, at most what the policy allows for one booking."""
    return _intermediary(net_satang, policy).amount_satang


def _intermediary(net: int, policy: Policy) -> Part:
    bp = policy.intermediary_bp
    amount, bound = _capped(bp_of(net, bp), policy.intermediary_cap_satang)
    return Part(PartKind.INTERMEDIARY, PartKind.INTERMEDIARY, amount, bp, net, bound)


def _capped(amount: int, cap: int | None) -> tuple[int, Bound | None]:
    """At most the cap, and whether that decided."""
    return (amount, None) if cap is None or amount <= cap else (cap, Bound.CAP)


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
    fixed = []
    for bucket in policy.buckets if policy.fixed else ():
        if bucket in policy.fixed:
            part = _served(Part(PartKind.FIXED, bucket, policy.fixed[bucket]), left)
            left -= part.amount_satang
            fixed.append(part)
    base = money - sum([part.amount_satang for part in fixed])
    funds = []
    for bucket, bp, limits in policy.funds:
        amount, bound = _capped(bp_of(base, bp), limits.cap_satang)
        part = _served(Part(PartKind.BUCKET, bucket, amount, bp, base, bound), left)
        left -= part.amount_satang
        funds.append(part)
    for number, part in enumerate(funds if policy.limits else ()):
        funds[number] = _lifted(part, policy, left)
        left -= funds[number].amount_satang - part.amount_satang
    pool = Part(
        PartKind.BUCKET,
        Bucket.PROVIDER,
        least + left,
        policy.shares[Bucket.PROVIDER],
        base,
        (Bound.SHORT if least < wanted else Bound.FLOOR) if wanted and not left else None,
    )
    return _give([*fixed, pool, *funds], discount)


def _served(part: Part, left: int) -> Part:
    """A part with as much of its amount as there is."""
    if part.amount_satang <= left:
        return part
    return part._replace(amount_satang=left, bound=Bound.SHORT)


def _lifted(part: Part, policy: Policy, left: int) -> Part:
    """A fund's part lifted towards its floor out of what is left for the households."""
    floor = policy.limits_of(Bucket(part.code)).floor_satang
    if floor is None or part.amount_satang >= floor:
        return part
    amount = min(floor, part.amount_satang + left)
    bound = Bound.FLOOR if amount == floor else Bound.SHORT
    return part._replace(amount_satang=amount, bound=bound)


def _give(parts: list[Part], discount: Borne | None) -> list[Part]:
    """Let the bearer of a discount give it out of its own share. Raises DiscountTooLarge."""
    if discount is None:
        return parts
    for number, part in enumerate(parts):
        if part.kind == PartKind.BUCKET and part.code == discount.bearer:
            amount = part.amount_satang - discount.amount_satang
            if amount >= 0:
                parts[number] = part._replace(amount_satang=amount)
                return parts
    raise DiscountTooLarge(bearer=discount.bearer)
