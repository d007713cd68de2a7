"""From facts to the entries that must stand in the books. Pure.

Settlement posts what these functions return; the auditor calls them again on the facts alone and
compares. The canonical text of the facts is hashed into each entry, so that a fact changed later
no longer fits the entry that was made from it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, lru_cache
from hashlib import sha256

from cbt.communities import chart
from cbt.errors import DiscountTooLarge, NobodyToShare
from cbt.ledger.entries import Draft, Leg
from cbt.revenue.policy import Bucket, DividendRule, Policy
from cbt.revenue.sharing import PoolShare, Work, share, share_pool, weigh
from cbt.revenue.split import Borne, Bound, Cost, Part, PartKind, intermediary_satang, split


@dataclass(frozen=True)
class BookingFacts:
    """What a booking's split is computed from."""

    reference: str
    service_on: date
    captured_satang: int
    payment_fee_satang: int
    costs: tuple[Cost, ...]
    policy: Policy
    discount: Borne | None = None
    preparation_satang: int = 0

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """What the split makes of it, worked out once. Raises what `split` raises."""
        return split(
            self.captured_satang,
            self.costs,
            self.payment_fee_satang,
            self.policy,
            discount=self.discount,
            preparation_satang=self.preparation_satang,
        )


@dataclass(frozen=True)
class SharingFacts:
    """What a departure's sharing-out is computed from.

    `pools` holds the provider money by policy: bookings sold under different policies are shared
    out under each one's own rates, so that a new policy never touches what was sold before it.
    `prepared` is what households get first, out of what cancelled bookings left for it. `register`
    lists the households that worked or prepared, in the community's register order. `dividends` holds
    the dividend money by policy; `shares` (household, shares held) and `members`, in register order,
    say among whom it is shared on that day, and are empty where there is none.
    """

    departure_id: int
    service_on: date
    number: int
    pools: tuple[tuple[Policy, int], ...]
    work: tuple[Work, ...]
    register: tuple[str, ...]
    prepared: tuple[tuple[str, int], ...] = ()
    dividends: tuple[tuple[Policy, int], ...] = ()
    shares: tuple[tuple[str, int], ...] = ()
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dividend:
    """How one policy's dividend was shared out: by which weights, and what each household gets.

    `is_by_shares`: by shares held; else alike, among `weights`' households.
    """

    policy: Policy
    pool_satang: int
    is_by_shares: bool
    weights: dict[str, int]
    parts: dict[str, int]


def split_booking(facts: BookingFacts) -> tuple[Part, ...]:
    return facts.parts


def of_what_is_left(facts: BookingFacts) -> BookingFacts:
    """The split facts of a booking with less than was agreed: what is there pays what it can.

    First the intermediary's share of it, then outside costs in their order, then fees, then what was
    prepared; and a bucket bears a discount only out of what it has.
    """
    left = facts.captured_satang - intermediary_satang(facts.captured_satang, facts.policy)
    costs = []
    for cost in facts.costs:
        part = min(cost.amount_satang, left)
        left -= part
        if part:
            costs.append(replace(cost, amount_satang=part))
    fee = min(facts.payment_fee_satang, left)
    prepared = min(facts.preparation_satang, left - fee)
    own = replace(facts, costs=tuple(costs), payment_fee_satang=fee, preparation_satang=prepared)
    try:
        split_booking(own)
    except DiscountTooLarge:
        return replace(own, discount=None)
    return own


def provider_satang(parts: Sequence[Part]) -> int:
    """What a split puts into the households' pool."""
    return sum(part.amount_satang for part in parts if part.code == Bucket.PROVIDER)


def dividend_satang(parts: Sequence[Part]) -> int:
    """What a split puts into the owners' pool."""
    return sum(part.amount_satang for part in parts if part.code == Bucket.DIVIDEND)


def account_of(part: Part) -> str:
    """The ledger account that a part of the split flows into."""
    return _account(part.kind, part.code)


@lru_cache(maxsize=256)
def _account(kind: PartKind, code: str) -> str:
    return {
        PartKind.PREPARATION: chart.PROVIDER_POOL,
        PartKind.COST: chart.outside(code),
        PartKind.PAYMENT_FEE: chart.PAYMENT_FEE,
        PartKind.INTERMEDIARY: chart.INTERMEDIARY,
        PartKind.FIXED: chart.bucket(code),
        PartKind.BUCKET: chart.bucket(code),
    }[kind]


def split_draft(facts: BookingFacts, actor: str) -> Draft:
    """The entry that takes a booking's money from guest deposits into its parts."""
    legs = tuple(
        Leg(
            chart.GUEST_DEPOSIT,
            account_of(part),
            part.amount_satang,
            _rule(part.kind, part.code, part.bp, part.bound),
        )
        for part in split_booking(facts)
        if part.amount_satang
    )
    return Draft(
        kind="split",
        subject=booking_subject(facts.reference),
        effective_on=facts.service_on,
        legs=legs,
        key=split_key(facts.reference),
        actor=actor,
        policy_hash=facts.policy.identity,
        input_hash=_digest(split_input(facts)),
    )


@lru_cache(maxsize=1024)
def _rule(kind: PartKind, code: str, bp: int, bound: Bound | None) -> str:
    words = [kind, code, f"{bp}bp" if bp else "", bound or ""]
    return ":".join(word for word in words if word)


def split_input(facts: BookingFacts) -> str:
    """The facts of a split as text, one a line."""
    lines = [
        "cbt-split/1",
        f"booking:{facts.reference}",
        f"service_on:{facts.service_on.isoformat()}",
        f"captured:{facts.captured_satang}",
        f"payment_fee:{facts.payment_fee_satang}",
        *(f"cost:{cost.code}:{cost.amount_satang}" for cost in facts.costs),
        *_discount_lines(facts.discount),
        f"preparation:{facts.preparation_satang}",
        f"policy:{facts.policy.identity}",
    ]
    return "".join(line + "\n" for line in lines)


def _discount_lines(discount: Borne | None) -> list[str]:
    return [f"discount:{discount.bearer}:{discount.amount_satang}"] if discount else []


def share_out(facts: SharingFacts) -> list[tuple[Policy, PoolShare]]:
    """How each pool that holds money is shared out, households in register order.

    Raises NoWorkRecorded.
    """
    whole = sum(pool for _policy, pool in facts.pools)
    results = []
    for policy, pool in facts.pools:
        if not pool:
            continue
        weights = weigh(facts.work, policy.rates)
        shared = share_pool(pool, whole, policy, weights, facts.register, facts.number)
        ordered = {code: shared.parts[code] for code in facts.register if code in shared.parts}
        results.append((policy, replace(shared, parts=ordered)))
    return results


def share_dividends(facts: SharingFacts) -> list[Dividend]:
    """How each policy's dividend is shared out: by the shares held that day, or alike among members.

    What nobody holds shares of belongs to all member households alike. Raises NobodyToShare.
    """
    return [_dividend(facts, policy, pool) for policy, pool in facts.dividends if pool]


def _dividend(facts: SharingFacts, policy: Policy, pool: int) -> Dividend:
    held = {code: shares for code, shares in facts.shares if shares}
    is_by_shares = policy.dividend_rule == DividendRule.BY_SHARES and bool(held)
    weights = held if is_by_shares else dict.fromkeys(facts.members, 1)
    if not weights:
        raise NobodyToShare
    parts = share(pool, weights, tuple(weights), facts.number)
    return Dividend(policy, pool, is_by_shares, weights, parts)


def household_totals(facts: SharingFacts) -> dict[str, int]:
    """What each household gets from the departure altogether."""
    totals: dict[str, int] = dict(facts.prepared)
    worked = [shared.parts for _policy, shared in share_out(facts)]
    owned = [dividend.parts for dividend in share_dividends(facts)]
    for parts in (*worked, *owned):
        for code, amount in parts.items():
            totals[code] = totals.get(code, 0) + amount
    return totals


def sharing_legs(facts: SharingFacts) -> tuple[Leg, ...]:
    """Out of the pools to households and, where rates leave a surplus, to its fund."""
    legs = [*_to_households(chart.PROVIDER_POOL, dict(facts.prepared), "preparation")]
    for policy, shared in share_out(facts):
        legs += _to_households(chart.PROVIDER_POOL, shared.parts, policy.provider_rule)
        if shared.surplus_satang:
            fund = chart.fund(shared.surplus)
            legs.append(Leg(chart.PROVIDER_POOL, fund, shared.surplus_satang, "surplus"))
    for dividend in share_dividends(facts):
        rule = DividendRule.BY_SHARES if dividend.is_by_shares else DividendRule.EQUAL
        legs += _to_households(chart.DIVIDEND_POOL, dividend.parts, f"dividend:{rule}")
    return tuple(legs)


def _to_households(pool: str, parts: Mapping[str, int], rule: str) -> list[Leg]:
    return [
        Leg(pool, chart.household(code), amount, str(rule))
        for code, amount in parts.items()
        if amount
    ]


def sharing_draft(facts: SharingFacts, actor: str) -> Draft:
    """The entry that takes a departure's pools to its households."""
    policies = [policy.identity for policy, _pool in facts.pools]
    return Draft(
        kind="sharing_out",
        subject=departure_subject(facts.departure_id),
        effective_on=facts.service_on,
        legs=sharing_legs(facts),
        key=sharing_key(facts.departure_id),
        actor=actor,
        policy_hash=",".join(policies),
        input_hash=_digest(sharing_input(facts)),
    )


def sharing_input(facts: SharingFacts) -> str:
    """The facts of a sharing-out as text, one a line."""
    lines = [
        "cbt-sharing/1",
        f"departure:{facts.departure_id}",
        f"service_on:{facts.service_on.isoformat()}",
        f"number:{facts.number}",
        *(f"pool:{policy.identity}:{pool}" for policy, pool in facts.pools),
        *(f"prepared:{code}:{amount}" for code, amount in facts.prepared),
        *(f"work:{w.household}:{w.task}:{w.units}:{w.minutes}" for w in facts.work),
        f"register:{','.join(facts.register)}",
        *_owner_lines(facts),
    ]
    return "".join(line + "\n" for line in lines)


def _owner_lines(facts: SharingFacts) -> list[str]:
    """What a dividend is shared out by; nothing where there is none, as it was before there were."""
    paid = [(policy, amount) for policy, amount in facts.dividends if amount]
    if not paid:
        return []
    return [
        *(f"dividend:{policy.identity}:{amount}" for policy, amount in paid),
        *(f"share:{code}:{held}" for code, held in facts.shares),
        f"members:{','.join(facts.members)}",
    ]


def pools_of(bookings: Sequence[BookingFacts]) -> tuple[tuple[Policy, int], ...]:
    """Provider money by policy, in the order of the policies' identities."""
    return _by_policy(bookings, provider_satang)


def dividends_of(bookings: Sequence[BookingFacts]) -> tuple[tuple[Policy, int], ...]:
    """Dividend money by policy, of the policies that pay one, in the order of their identities."""
    paying = [facts for facts in bookings if Bucket.DIVIDEND in facts.policy.shares]
    return _by_policy(paying, dividend_satang)


def _by_policy(
    bookings: Sequence[BookingFacts], amount_of: Callable[[Sequence[Part]], int]
) -> tuple[tuple[Policy, int], ...]:
    pools: dict[str, tuple[Policy, int]] = {}
    for facts in bookings:
        key = facts.policy.identity
        pool = pools[key][1] if key in pools else 0
        pools[key] = (facts.policy, pool + amount_of(split_booking(facts)))
    return tuple(pools[key] for key in sorted(pools))


def split_key(reference: str) -> str:
    return f"split:{reference}"


def sharing_key(departure_id: int) -> str:
    return f"sharing_out:{departure_id}"


def booking_subject(reference: str) -> str:
    return f"booking:{reference}"


def departure_subject(departure_id: int) -> str:
    return f"departure:{departure_id}"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
