"""A departure's money into households, by work and by ownership. Pure; docs/algorithms/sharing.md."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cbt.errors import AmountInvalid, HouseholdUnknown, NoWorkRecorded
from cbt.revenue.policy import Bucket, Policy, ProviderRule, Task


@dataclass(frozen=True)
class Work:
    """What a household did on a departure: units of a task (trips, meals, guest-nights)."""

    household: str
    task: Task
    units: int
    minutes: int


def weigh(work: Iterable[Work], rates: Mapping[Task, int]) -> dict[str, int]:
    """Each household's weight: the sum of units x rate over its work. Unrated tasks weigh 0."""
    weights: dict[str, int] = {}
    for each in work:
        weight = each.units * rates.get(each.task, 0)
        weights[each.household] = weights.get(each.household, 0) + weight
    return weights


def share(
    total_satang: int, weights: Mapping[str, int], register: Sequence[str], turn: int
) -> dict[str, int]:
    """Divide `total_satang` (>= 0) among households in proportion to weights (>= 0).

    Each gets its exact share rounded down; the satang left over go one each to the largest
    remainders (Hamilton's method). Ties go round the circle: those who share are numbered 0 to
    n-1 in register order, and the lowest (number - turn) mod n comes first, `turn` being the
    community's settlement number. Zero weight gets zero. Raises AmountInvalid for a negative
    total or weight, HouseholdUnknown for a code outside the register, NoWorkRecorded when nobody
    has weight.
    """
    if total_satang < 0 or min(weights.values(), default=0) < 0:
        raise AmountInvalid(amount=total_satang)
    if not weights.keys() <= set(register):
        raise HouseholdUnknown(household=min(weights.keys() - set(register)))
    whole = sum(weights.values())
    if not whole:
        raise NoWorkRecorded
    parts = dict.fromkeys(weights, 0)
    remainders = {}
    for code in register:
        if weight := weights.get(code):
            parts[code], remainders[code] = divmod(total_satang * weight, whole)
    left_over = total_satang - sum(parts.values())
    for code in _round_the_circle(remainders, turn)[:left_over]:
        parts[code] += 1
    return parts


def spare_order(
    total_satang: int, weights: Mapping[str, int], register: Sequence[str], turn: int
) -> list[str]:
    """The households that share, in the order in which spare satang are given out."""
    whole = sum(weights.values())
    remainders = {
        code: total_satang * weights[code] % whole for code in register if weights.get(code)
    }
    return _round_the_circle(remainders, turn)


def _round_the_circle(remainders: Mapping[str, int], turn: int) -> list[str]:
    """The largest remainder first; of equal ones whoever comes first, counted from `turn` on."""
    sharers = list(remainders)
    start = turn % len(sharers)
    circle = sharers[start:] + sharers[:start]
    return sorted(circle, key=remainders.__getitem__, reverse=True)


@dataclass(frozen=True)
class PoolShare:
    """How a pool was shared out: what each household gets, and of it what its agreed rates come to.

    `pool_satang` is the whole of it; `surplus_satang` of it goes to the fund `surplus` instead. `agreed` is empty where rates
    are not paid first, or where there is too little to pay them.
    """

    pool_satang: int
    parts: dict[str, int]
    agreed: dict[str, int]
    surplus: Bucket
    surplus_satang: int = 0


def share_pool(
    pool_satang: int,
    whole_satang: int,
    policy: Policy,
    weights: Mapping[str, int],
    register: Sequence[str],
    turn: int,
) -> PoolShare:
    """Share a pool (>= 0 satang) out by its policy's provider rule.

    `by_work`: in proportion to the weights. `rates_first`: each household gets exactly its agreed
    rates, which are its weight in satang; what is left goes to the surplus fund, or by the weights to
    those who worked; where the pool is too small, everybody gets the same part of the agreed rates,
    so that it is shared by the weights. Of several pools of one departure (`whole_satang` together)
    each owes the agreed rates in proportion to its money, rounded down, so that no work is paid
    twice. Raises what `share` raises.
    """
    agreed = {code: weight * pool_satang // whole_satang for code, weight in weights.items()}
    left = pool_satang - sum(agreed.values())
    if policy.provider_rule == ProviderRule.BY_WORK or left < 0:
        parts = share(pool_satang, weights, register, turn)
        return PoolShare(pool_satang, parts, {}, Bucket.PROVIDER)
    if policy.surplus != Bucket.PROVIDER:
        share(0, weights, register, turn)  # refuses what cannot be shared, as everywhere
        return PoolShare(pool_satang, agreed, agreed, policy.surplus, left)
    more = share(left, weights, register, turn)
    parts = {code: amount + more[code] for code, amount in agreed.items()}
    return PoolShare(pool_satang, parts, agreed, Bucket.PROVIDER)
