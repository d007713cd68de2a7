"""From facts to the entries that must stand in the books. Pure.

Settlement posts what these functions return; the auditor calls them again on the facts alone and
compares. The canonical text of the facts is hashed into each entry, so that a fact changed later
no longer fits the entry that was made from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

from cbt.communities import chart
from cbt.ledger.entries import Draft, Leg
from cbt.revenue.policy import Policy, canonical, identity
from cbt.revenue.sharing import Work, share, weigh
from cbt.revenue.split import Borne, Cost, Part, PartKind, split


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


@dataclass(frozen=True)
class SharingFacts:
    """What a departure's sharing-out is computed from.

    `pools` holds the provider money by policy: bookings sold under different policies are shared
    out under each one's own rates, so that a new policy never touches what was sold before it.
    `prepared` is what households get first, out of what cancelled bookings left for it. `register`
    lists the households that worked or prepared, in the community's register order.
    """

    departure_id: int
    service_on: date
    number: int
    pools: tuple[tuple[Policy, int], ...]
    work: tuple[Work, ...]
    register: tuple[str, ...]
    prepared: tuple[tuple[str, int], ...] = ()


def split_booking(facts: BookingFacts) -> tuple[Part, ...]:
    return split(
        facts.captured_satang,
        facts.costs,
        facts.payment_fee_satang,
        facts.policy,
        discount=facts.discount,
        preparation_satang=facts.preparation_satang,
    )


def provider_satang(parts: Sequence[Part]) -> int:
    """What a split puts into the households' pool."""
    return sum(part.amount_satang for part in parts if part.code == "provider")


def account_of(part: Part) -> str:
    """The ledger account that a part of the split flows into."""
    return {
        PartKind.PREPARATION: chart.PROVIDER_POOL,
        PartKind.COST: chart.outside(part.code),
        PartKind.PAYMENT_FEE: chart.PAYMENT_FEE,
        PartKind.INTERMEDIARY: chart.INTERMEDIARY,
        PartKind.BUCKET: chart.bucket(part.code),
    }[part.kind]


def split_draft(facts: BookingFacts, actor: str) -> Draft:
    """The entry that takes a booking's money from guest deposits into its parts."""
    legs = tuple(
        Leg(chart.GUEST_DEPOSIT, account_of(part), part.amount_satang, _rule(part))
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
        policy_hash=identity(canonical(facts.policy)),
        input_hash=_digest(split_input(facts)),
    )


def _rule(part: Part) -> str:
    return f"{part.kind}:{part.code}:{part.bp}bp" if part.bp else f"{part.kind}:{part.code}"


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
        f"policy:{identity(canonical(facts.policy))}",
    ]
    return "".join(line + "\n" for line in lines)


def _discount_lines(discount: Borne | None) -> list[str]:
    return [f"discount:{discount.bearer}:{discount.amount_satang}"] if discount else []


def share_out(facts: SharingFacts) -> list[tuple[Policy, dict[str, int]]]:
    """What each household gets from each pool that holds money, in register order.

    Raises NoWorkRecorded.
    """
    results = []
    for policy, pool in facts.pools:
        if not pool:
            continue
        parts = share(pool, weigh(facts.work, policy.rates), facts.register, facts.number)
        ordered = {code: parts[code] for code in facts.register if code in parts}
        results.append((policy, ordered))
    return results


def household_totals(facts: SharingFacts) -> dict[str, int]:
    """What each household gets from the departure altogether."""
    totals: dict[str, int] = dict(facts.prepared)
    for _policy, parts in share_out(facts):
        for code, amount in parts.items():
            totals[code] = totals.get(code, 0) + amount
    return totals


def sharing_draft(facts: SharingFacts, actor: str) -> Draft:
    """The entry that takes a departure's pool to its households."""
    prepared = [(code, amount, "preparation") for code, amount in facts.prepared]
    worked = [
        (code, amount, "by_work")
        for _policy, parts in share_out(facts)
        for code, amount in parts.items()
    ]
    legs = tuple(
        Leg(chart.PROVIDER_POOL, chart.household(code), amount, rule)
        for code, amount, rule in (*prepared, *worked)
        if amount
    )
    policies = [identity(canonical(policy)) for policy, _pool in facts.pools]
    return Draft(
        kind="sharing_out",
        subject=departure_subject(facts.departure_id),
        effective_on=facts.service_on,
        legs=legs,
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
        *(f"pool:{identity(canonical(policy))}:{pool}" for policy, pool in facts.pools),
        *(f"prepared:{code}:{amount}" for code, amount in facts.prepared),
        *(f"work:{w.household}:{w.task}:{w.units}:{w.minutes}" for w in facts.work),
        f"register:{','.join(facts.register)}",
    ]
    return "".join(line + "\n" for line in lines)


def pools_of(bookings: Sequence[BookingFacts]) -> tuple[tuple[Policy, int], ...]:
    """Provider money by policy, in the order of the policies' identities."""
    pools: dict[str, tuple[Policy, int]] = {}
    for facts in bookings:
        key = identity(canonical(facts.policy))
        pool = pools[key][1] if key in pools else 0
        pools[key] = (facts.policy, pool + provider_satang(split_booking(facts)))
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
