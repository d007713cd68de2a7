"""The split of a booking and the sharing-out of a departure, once more. Standard library alone.

Written apart from the program that is checked, slowly and with exact fractions, for an auditor who
knows a little Python to read beside docs/algorithms. Amounts are whole satang; what a rule refuses raises
CannotCompute.
"""

from __future__ import annotations

from fractions import Fraction
from hashlib import sha256
from math import floor
from typing import NamedTuple

WHOLE = 10_000  # basis points in the whole
ORDER = ("provider", "mgmt", "welfare", "conserve", "develop", "revolve", "dividend")
TASKS = ("boat", "guide", "cook", "host", "craft", "crab_bank", "prepare")

Leg = tuple[str, str, int, str]
"""(from account, to account, satang, rule)."""
Amounts = dict[str, int]


class CannotCompute(Exception):
    """The facts allow no result: nobody worked, or costs are more than there is."""


# --- the policy as text --------------------------------------------------------------------------


class Bucket(NamedTuple):
    bp: int
    least: int | None
    most: int | None


class Policy(NamedTuple):
    """An adopted text, taken apart. `sha` is its identity."""

    sha: str
    intermediary: Bucket
    fixed: Amounts
    buckets: dict[str, Bucket]
    rule: str
    surplus: str
    dividend: str
    rates: Amounts


def read_policy(text: str) -> Policy:
    """Take a policy's text apart. Raises CannotCompute for one that is not written as policies are."""
    lines = text.split("\n")
    if lines.pop() or lines[:1] not in (["cbt-policy/1"], ["cbt-policy/2"]):
        raise CannotCompute("policy")
    said: dict[str, list[str]] = {}
    names: list[str] = []
    for line in lines[1:]:
        name, colon, value = line.partition(": ")
        if not colon:
            raise CannotCompute("policy")
        names.append(name)
        said.setdefault(name, []).append(value)
    order = ["name", "intermediary", "fixed", "bucket", "provider_rule", "surplus", "dividend_rule"]
    order.append("rate")
    places = [order.index(name) if name in order else -1 for name in names]
    if -1 in places or places != sorted(places):
        raise CannotCompute("policy")
    single = [len(said.get(name, [])) for name in ("name", "intermediary", "provider_rule")]
    if single != [1, 1, 1]:
        raise CannotCompute("policy")
    return Policy(
        sha=sha256(text.encode()).hexdigest(),
        intermediary=_bucket(said["intermediary"][0].split(" ")),
        fixed={words[0]: int(words[1]) for words in _rows(said, "fixed", ORDER)},
        buckets={words[0]: _bucket(words[1:]) for words in _rows(said, "bucket", ORDER)},
        rule=said["provider_rule"][0],
        surplus=said.get("surplus", ["provider"])[0],
        dividend=said.get("dividend_rule", [""])[0],
        rates={words[0]: int(words[1]) for words in _rows(said, "rate", TASKS)},
    )


def _rows(said: dict[str, list[str]], name: str, known: tuple[str, ...]) -> list[list[str]]:
    """The words of each line of one name; every one known, each once, in the known order."""
    rows = [value.split(" ") for value in said.get(name, [])]
    codes = [words[0] for words in rows]
    if [code for code in known if code in codes] != codes or any(len(row) < 2 for row in rows):
        raise CannotCompute("policy")
    return rows


def _bucket(words: list[str]) -> Bucket:
    limits = dict(zip(words[1::2], words[2::2]))  # noqa: B905  (older Pythons lack `strict`)
    if not set(limits) <= {"floor", "cap"} or len(words) != 1 + 2 * len(limits):
        raise CannotCompute("policy")
    least, most = limits.get("floor"), limits.get("cap")
    return Bucket(int(words[0]), int(least) if least else None, int(most) if most else None)


# --- dividing in proportion ----------------------------------------------------------------------


def divide(total: int, weights: Amounts, circle: list[str]) -> Amounts:
    """`total` in proportion to weights: exact shares rounded down, then a satang each to the largest
    remainders; among equal ones whoever comes first on the circle. Nobody without weight gets any."""
    whole = sum(weights.values())
    if whole <= 0:
        raise CannotCompute("nobody")
    exact = {name: Fraction(total * weight, whole) for name, weight in weights.items()}
    parts = {name: floor(share) for name, share in exact.items()}
    waiting = [name for name in circle if weights.get(name)]
    for _satang in range(total - sum(parts.values())):
        largest = max(exact[name] - parts[name] for name in waiting)
        lucky = next(name for name in waiting if exact[name] - parts[name] == largest)
        parts[lucky] += 1
        waiting.remove(lucky)
    return parts


def circle_from(names: list[str], turn: int) -> list[str]:
    """The same names in their order, beginning with number `turn`, round the circle."""
    start = turn % len(names) if names else 0
    return names[start:] + names[:start]


def by_weight(total: int, weights: Amounts, register: list[str], turn: int) -> Amounts:
    """A community's way to divide: ties go round those who have weight, in the register's order."""
    sharers = [code for code in register if weights.get(code)]
    return divide(total, weights, circle_from(sharers, turn))


def by_part(amount: int, shares: Amounts) -> Amounts:
    """At most what all shares are, in proportion to them; ties to whoever is named first."""
    amount = min(amount, sum(shares.values()))
    if not amount:
        return {}
    parts = divide(amount, shares, list(shares))
    return {name: part for name, part in parts.items() if part}


# --- the split -----------------------------------------------------------------------------------


class Booking(NamedTuple):
    """What a booking's split is computed from."""

    reference: str
    service_on: str
    captured: int
    fee: int
    costs: list[tuple[str, int]]
    policy: Policy
    discount: int = 0
    bearer: str = ""
    preparation: int = 0


class Part(NamedTuple):
    kind: str
    code: str
    amount: int
    bp: int = 0
    bound: str = ""


def intermediary_of(net: int, policy: Policy) -> Part:
    share, most = floor(Fraction(net * policy.intermediary.bp, WHOLE)), policy.intermediary.most
    bound = "cap" if most is not None and share > most else ""
    amount = most if bound and most is not None else share
    return Part("intermediary", "intermediary", amount, policy.intermediary.bp, bound)


def split(booking: Booking) -> list[Part]:
    """The parts of a booking's money, in the order in which the books name them."""
    policy = booking.policy
    before = [Part("cost", code, amount) for code, amount in booking.costs]
    before.append(Part("payment_fee", "payment_fee", booking.fee))
    before.append(intermediary_of(booking.captured, policy))
    if booking.preparation:
        before.append(Part("preparation", "preparation", booking.preparation))
    received = booking.captured - sum(part.amount for part in before)
    if received < 0:
        raise CannotCompute("costs")
    parts = _buckets(received + booking.discount, policy)
    if booking.bearer:
        parts = _bearing(parts, booking.bearer, booking.discount)
    return before + parts


def _buckets(money: int, policy: Policy) -> list[Part]:
    """Everybody stands in one line and takes what they want of what is left: the households' least
    amount, fixed amounts, the funds' shares, what lifts funds to their least. Households get the rest."""
    provider = policy.buckets["provider"]
    wanted = provider.least or 0
    least = min(wanted, money)
    left = money - least
    fixed = []
    for code, amount in policy.fixed.items():
        taken = min(amount, left)
        left -= taken
        fixed.append(Part("fixed", code, taken, 0, "short" if taken < amount else ""))
    base = money - sum(part.amount for part in fixed)
    funds = []
    for code, bucket in policy.buckets.items():
        if code == "provider":
            continue
        share = floor(Fraction(base * bucket.bp, WHOLE))
        capped = share if bucket.most is None else min(share, bucket.most)
        taken = min(capped, left)
        left -= taken
        bound = "short" if taken < capped else "cap" if capped < share else ""
        funds.append(Part("bucket", code, taken, bucket.bp, bound))
    for number, part in enumerate(funds):
        floor_ = policy.buckets[part.code].least
        if floor_ is not None and part.amount < floor_:
            more = min(floor_ - part.amount, left)
            left -= more
            bound = "floor" if part.amount + more == floor_ else "short"
            funds[number] = part._replace(amount=part.amount + more, bound=bound)
    bound = ""
    if wanted and not left:
        bound = "short" if least < wanted else "floor"
    return [*fixed, Part("bucket", "provider", least + left, provider.bp, bound), *funds]


def _bearing(parts: list[Part], bearer: str, discount: int) -> list[Part]:
    """One bucket gives the whole discount out of its own share."""
    for number, part in enumerate(parts):
        if part.kind == "bucket" and part.code == bearer and part.amount >= discount:
            given = part._replace(amount=part.amount - discount)
            return [*parts[:number], given, *parts[number + 1 :]]
    raise CannotCompute("discount")


def of_what_is_left(booking: Booking) -> Booking:
    """A booking with less money than was agreed: costs in their order, fee and preparation get what is
    there, after the intermediary; a bucket bears its discount only if it can."""
    left = booking.captured - intermediary_of(booking.captured, booking.policy).amount
    costs = []
    for code, amount in booking.costs:
        taken = min(amount, left)
        left -= taken
        if taken:
            costs.append((code, taken))
    fee = min(booking.fee, left)
    prepared = min(booking.preparation, left - fee)
    own = booking._replace(costs=costs, fee=fee, preparation=prepared)
    try:
        split(own)
    except CannotCompute:
        return own._replace(discount=0, bearer="")
    return own


def if_short(booking: Booking, price: int) -> Booking:
    """The same, or that of what is left where less is there than the price, or costs eat it up."""
    kept = booking.captured - intermediary_of(booking.captured, booking.policy).amount
    taken = booking.fee + sum(amount for _code, amount in booking.costs)
    return booking if booking.captured >= price and taken <= kept else of_what_is_left(booking)


def account_of(part: Part) -> str:
    """The account that a part flows into."""
    if part.kind == "cost":
        return f"outside:{part.code}"
    if part.kind in ("payment_fee", "preparation"):
        return {"payment_fee": "payment_fee", "preparation": "pool:provider"}[part.kind]
    if part.kind == "intermediary":
        return "outside:intermediary"
    return f"pool:{part.code}" if part.code in ("provider", "dividend") else f"fund:{part.code}"


def split_legs(booking: Booking) -> list[Leg]:
    legs = []
    for part in split(booking):
        words = [part.kind, part.code, f"{part.bp}bp" if part.bp else "", part.bound]
        rule = ":".join(word for word in words if word)
        if part.amount:
            legs.append(("guest_deposit", account_of(part), part.amount, rule))
    return legs


def split_text(booking: Booking) -> str:
    """The facts of a split as the text whose SHA-256 its entry carries."""
    lines = ["cbt-split/1", f"booking:{booking.reference}", f"service_on:{booking.service_on}"]
    lines += [f"captured:{booking.captured}", f"payment_fee:{booking.fee}"]
    lines += [f"cost:{code}:{amount}" for code, amount in booking.costs]
    lines += [f"discount:{booking.bearer}:{booking.discount}"] if booking.bearer else []
    lines += [f"preparation:{booking.preparation}", f"policy:{booking.policy.sha}"]
    return "".join(line + "\n" for line in lines)


# --- preparation for guests who cancelled --------------------------------------------------------


def draw(wanted: int, available: list[int]) -> list[int]:
    """How much of each cancelled booking goes into preparation, the first one first."""
    drawn = []
    for amount in available:
        drawn.append(min(wanted, amount))
        wanted -= drawn[-1]
    return drawn


def pay_preparation(costs: Amounts, paid: int, turn: int) -> Amounts:
    """What each household gets of it: its costs, or its share of what there was."""
    if not paid:
        return {}
    parts = costs if paid == sum(costs.values()) else by_weight(paid, costs, list(costs), turn)
    return {code: parts[code] for code in costs if parts.get(code)}


# --- the sharing-out -----------------------------------------------------------------------------


class Departure(NamedTuple):
    """What a departure's sharing-out is computed from. Households stand in the register's order."""

    departure: int
    service_on: str
    number: int
    pools: list[tuple[Policy, int]]
    work: list[tuple[str, str, int, int]]
    register: list[str]
    prepared: Amounts
    dividends: list[tuple[Policy, int]]
    shares: Amounts
    members: list[str]


class Shared(NamedTuple):
    """How one pool went: to whom how much, and what of it to a fund."""

    policy: Policy
    parts: Amounts
    surplus: int
    rule: str


def money_by_policy(bookings: list[Booking], code: str) -> list[tuple[Policy, int]]:
    """What the splits put into a bucket, by policy, in the order of the policies' identities."""
    found: dict[str, tuple[Policy, int]] = {}
    for booking in bookings:
        if code not in booking.policy.buckets:
            continue
        amount = sum(part.amount for part in split(booking) if part.code == code)
        before = found[booking.policy.sha][1] if booking.policy.sha in found else 0
        found[booking.policy.sha] = (booking.policy, before + amount)
    return [found[sha] for sha in sorted(found)]


def share_pools(facts: Departure) -> list[Shared]:
    """How each provider pool is shared out among those who worked."""
    together = sum(pool for _policy, pool in facts.pools)
    return [_share_pool(policy, pool, together, facts) for policy, pool in facts.pools if pool]


def _share_pool(policy: Policy, pool: int, together: int, facts: Departure) -> Shared:
    weights: Amounts = {}
    for household, task, units, _minutes in facts.work:
        weights[household] = weights.get(household, 0) + units * policy.rates.get(task, 0)
    if not sum(weights.values()) or not set(weights) <= set(facts.register):
        raise CannotCompute("nobody")
    agreed = {
        code: floor(Fraction(weight) * Fraction(pool, together)) for code, weight in weights.items()
    }
    left, surplus = pool - sum(agreed.values()), 0
    if policy.rule == "by_work" or left < 0:
        parts = by_weight(pool, weights, facts.register, facts.number)
    elif policy.surplus != "provider":
        parts, surplus = agreed, left
    else:
        more = by_weight(left, weights, facts.register, facts.number)
        parts = {code: agreed[code] + more[code] for code in agreed}
    ordered = {code: parts[code] for code in facts.register if code in parts}
    return Shared(policy, ordered, surplus, policy.rule)


def share_dividends(facts: Departure) -> list[Shared]:
    """How each policy's dividend is shared out: by shares held that day, or alike among members."""
    results = []
    for policy, pool in facts.dividends:
        held = {code: number for code, number in facts.shares.items() if number}
        by_shares = policy.dividend == "by_shares" and bool(held)
        weights = held if by_shares else dict.fromkeys(facts.members, 1)
        if pool:
            parts = by_weight(pool, weights, list(weights), facts.number)
            rule = "dividend:by_shares" if by_shares else "dividend:equal"
            results.append(Shared(policy, parts, 0, rule))
    return results


def sharing_legs(facts: Departure) -> list[Leg]:
    legs = _to_households("pool:provider", facts.prepared, "preparation")
    for shared in share_pools(facts):
        legs += _to_households("pool:provider", shared.parts, shared.rule)
        if shared.surplus:
            fund = f"fund:{shared.policy.surplus}"
            legs.append(("pool:provider", fund, shared.surplus, "surplus"))
    for shared in share_dividends(facts):
        legs += _to_households("pool:dividend", shared.parts, shared.rule)
    return legs


def _to_households(pool: str, parts: Amounts, rule: str) -> list[Leg]:
    return [(pool, f"household:{code}", amount, rule) for code, amount in parts.items() if amount]


def sharing_text(facts: Departure) -> str:
    """The facts of a sharing-out as the text whose SHA-256 its entry carries."""
    lines = ["cbt-sharing/1", f"departure:{facts.departure}", f"service_on:{facts.service_on}"]
    lines.append(f"number:{facts.number}")
    lines += [f"pool:{policy.sha}:{pool}" for policy, pool in facts.pools]
    lines += [f"prepared:{code}:{amount}" for code, amount in facts.prepared.items()]
    lines += [f"work:{who}:{task}:{units}:{spent}" for who, task, units, spent in facts.work]
    lines.append(f"register:{','.join(facts.register)}")
    paid = [(policy, amount) for policy, amount in facts.dividends if amount]
    if paid:
        lines += [f"dividend:{policy.sha}:{amount}" for policy, amount in paid]
        lines += [f"share:{code}:{number}" for code, number in facts.shares.items()]
        lines.append(f"members:{','.join(facts.members)}")
    return "".join(line + "\n" for line in lines)


# --- what guests got back afterwards -------------------------------------------------------------


class Loss(NamedTuple):
    """A change of what a shared-out booking has lost. `earlier`: (account, why, satang) borne before."""

    reference: str
    number: int
    lost: int
    cost: int
    shares: Amounts
    earlier: list[tuple[str, str, int]]
    turn: int
    found_on: str


def shares_of(booking: Booking, facts: Departure) -> Amounts:
    """What a booking's split became: as much in its funds, and its part of what households got."""
    shares: Amounts = {}
    for part in split(booking):
        if part.kind in ("fixed", "bucket", "preparation") and part.amount:
            for account, amount in _became(part, booking, facts).items():
                shares[account] = shares.get(account, 0) + amount
    return shares


def _became(part: Part, booking: Booking, facts: Departure) -> Amounts:
    if part.kind == "preparation":
        return by_part(part.amount, _accounts(facts.prepared))
    if part.code not in ("provider", "dividend"):
        return {account_of(part): part.amount}
    pools = share_pools(facts) if part.code == "provider" else share_dividends(facts)
    for shared in pools:
        if shared.policy.sha == booking.policy.sha:
            held = _accounts(shared.parts)
            if shared.surplus:
                held[f"fund:{shared.policy.surplus}"] = shared.surplus
            return by_part(part.amount, held)
    return {}


def _accounts(parts: Amounts) -> Amounts:
    return {f"household:{code}": amount for code, amount in parts.items()}


def bear(loss: Loss) -> list[tuple[str, str, int]]:
    """(account, why, satang) of a change: in proportion to what each share has left; what no share
    covers, and what a dispute cost, the management fund bears. A loss undone goes back as it was borne."""
    taken: dict[tuple[str, str], int] = {}
    for account, why, amount in loss.earlier:
        taken[account, why] = taken.get((account, why), 0) + amount
    borne: list[tuple[str, str, int]] = []
    if loss.lost > 0:
        left = {name: all_ - taken.get((name, "share"), 0) for name, all_ in loss.shares.items()}
        parts = by_part(loss.lost, _turned(left, loss.turn))
        borne += [(account, "share", part) for account, part in parts.items()]
        if sum(parts.values()) < loss.lost:
            borne.append(("fund:mgmt", "uncovered", loss.lost - sum(parts.values())))
    else:
        bore = {
            f"{why} {account}": amount
            for (account, why), amount in taken.items()
            if why != "cost" and amount
        }
        for name, part in by_part(-loss.lost, _turned(bore, loss.turn)).items():
            why, _space, account = name.partition(" ")
            borne.append((account, why, -part))
    if loss.cost:
        borne.append(("fund:mgmt", "cost", loss.cost))
    return borne


def _turned(amounts: Amounts, turn: int) -> Amounts:
    return {name: amounts[name] for name in circle_from(list(amounts), turn)}


def loss_legs(loss: Loss) -> list[Leg]:
    legs = []
    for account, why, amount in bear(loss):
        kind, _colon, code = account.partition(":")
        if amount > 0:
            source = f"receivable:{code}" if kind == "household" else account
            legs.append((source, "given_back", amount, f"taken_back:{why}"))
        else:
            legs.append(("given_back", account, -amount, f"taken_back:{why}"))
    return legs


def loss_text(loss: Loss) -> str:
    lines = ["cbt-take-back/1", f"booking:{loss.reference}", f"number:{loss.number}"]
    lines += [f"lost:{loss.lost}", f"cost:{loss.cost}"]
    lines += [f"share:{account}:{amount}" for account, amount in loss.shares.items()]
    lines += [f"earlier:{account}:{why}:{amount}" for account, why, amount in loss.earlier]
    lines += [f"turn:{loss.turn}", f"found_on:{loss.found_on}"]
    return "".join(line + "\n" for line in lines)
