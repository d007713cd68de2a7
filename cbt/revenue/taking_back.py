"""Money that guests got back after it was shared out: whose shares it comes from. Pure.

Worked numbers in docs/algorithms/taking-back.md. A booking's loss is borne in proportion to what is
still left of each share, of fund and household alike, so that a whole refund ends exactly at zero
whatever the steps it came in. What no share covers (outside costs, providers' fees, what a dispute
cost) the group's management money bears. A household owes its part; what it has not been paid yet
pays for that first, later payouts do so little by little.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from hashlib import sha256

from cbt.communities import chart
from cbt.ledger.entries import Draft, Leg
from cbt.money import bp_of
from cbt.revenue.frozen import frozen_parts

BEARER = chart.fund("mgmt")
"""Who bears what no share covers: the group, which took the payment or chose to give it back."""

RECOVERY_CAP_BP = 2_500
"""At most this part of a payout goes into what a household owes."""


class Why(StrEnum):
    """Why an account bears something of a loss."""

    SHARE = "share"
    UNCOVERED = "uncovered"
    COST = "cost"


@dataclass(frozen=True)
class Borne:
    """What an account bears of a loss (> 0), or gets back of it (< 0), in satang."""

    account: str
    why: Why
    amount_satang: int


@dataclass(frozen=True)
class TakeBackFacts:
    """One change of what a shared-out booking has lost, numbered from 1 within the booking.

    `lost_satang` went back to the guest and is borne by the shares, `cost_satang` (what disputes
    cost) by the group; both are negative where a loss was undone. `shares` is what the booking's
    split made of its money, {ledger account: satang}; `earlier` what was borne before; `turn` the
    departure's settlement number; `found_on` the village day on which the change was seen.
    """

    reference: str
    number: int
    lost_satang: int
    cost_satang: int
    shares: Mapping[str, int]
    earlier: tuple[Borne, ...]
    turn: int
    found_on: date


def bear(facts: TakeBackFacts) -> tuple[Borne, ...]:
    """Who bears how much of the change; the amounts sum to lost plus cost.

    Each exact part is rounded down and the satang left over go to the largest remainders, ties in
    the community's turn. Nobody ever bears more than its share, or gets more back than it bore.
    """
    taken: dict[tuple[str, Why], int] = {}
    for each in facts.earlier:
        key = (each.account, each.why)
        taken[key] = taken.get(key, 0) + each.amount_satang
    borne = _bear_loss(facts, taken) if facts.lost_satang > 0 else _undo_loss(facts, taken)
    if facts.cost_satang:
        borne[BEARER, Why.COST] = facts.cost_satang
    return tuple(Borne(*key, amount) for key, amount in borne.items())


def _bear_loss(
    facts: TakeBackFacts, taken: Mapping[tuple[str, Why], int]
) -> dict[tuple[str, Why], int]:
    left = {
        account: share - taken.get((account, Why.SHARE), 0)
        for account, share in facts.shares.items()
    }
    parts = frozen_parts(facts.lost_satang, _in_turn(left, facts.turn))
    borne = {(account, Why.SHARE): part for account, part in parts.items()}
    uncovered = facts.lost_satang - sum(parts.values())
    if uncovered:
        borne[BEARER, Why.UNCOVERED] = uncovered
    return borne


def _undo_loss(
    facts: TakeBackFacts, taken: Mapping[tuple[str, Why], int]
) -> dict[tuple[str, Why], int]:
    bore = {
        f"{why} {account}": amount
        for (account, why), amount in taken.items()
        if why != Why.COST and amount
    }
    parts = frozen_parts(-facts.lost_satang, _in_turn(bore, facts.turn))
    undone = {}
    for name, part in parts.items():
        why, account = name.split(" ", 1)
        undone[account, Why(why)] = -part
    return undone


def _in_turn(amounts: Mapping[str, int], turn: int) -> dict[str, int]:
    """The same amounts, beginning at another place each time: ties go round the circle."""
    names = list(amounts)
    start = turn % len(names) if names else 0
    return {name: amounts[name] for name in [*names[start:], *names[:start]]}


# --- the books -----------------------------------------------------------------------------------


def take_back_draft(facts: TakeBackFacts, actor: str) -> Draft:
    """The entry by which the shares bear a loss. A household's part becomes what it owes."""
    legs = tuple(_leg(each) for each in bear(facts))
    return Draft(
        kind="take_back",
        subject=f"booking:{facts.reference}",
        effective_on=facts.found_on,
        legs=legs,
        key=f"take_back:{facts.reference}:{facts.number}",
        actor=actor,
        input_hash=sha256(take_back_input(facts).encode()).hexdigest(),
    )


def _leg(borne: Borne) -> Leg:
    rule = f"taken_back:{borne.why}"
    code = chart.household_of(borne.account)
    if borne.amount_satang > 0:
        source = chart.receivable(code) if code else borne.account
        return Leg(source, chart.GIVEN_BACK, borne.amount_satang, rule)
    return Leg(chart.GIVEN_BACK, borne.account, -borne.amount_satang, rule)


def take_back_input(facts: TakeBackFacts) -> str:
    """The facts as text, one a line."""
    lines = [
        "cbt-take-back/1",
        f"booking:{facts.reference}",
        f"number:{facts.number}",
        f"lost:{facts.lost_satang}",
        f"cost:{facts.cost_satang}",
        *(f"share:{account}:{share}" for account, share in facts.shares.items()),
        *(f"earlier:{each.account}:{each.why}:{each.amount_satang}" for each in facts.earlier),
        f"turn:{facts.turn}",
        f"found_on:{facts.found_on.isoformat()}",
    ]
    return "".join(line + "\n" for line in lines)


# --- what a household owes -----------------------------------------------------------------------


class RecoveryKind(StrEnum):
    """How a household's debt shrinks: out of what it was not paid yet, or out of a payout."""

    UNPAID = "unpaid"
    PAYOUT = "payout"


@dataclass(frozen=True)
class RecoveryFacts:
    """Some of what a household owes was paid back."""

    recovery_id: int
    household: str
    kind: RecoveryKind
    amount_satang: int
    recovered_on: date


def recovery_draft(facts: RecoveryFacts, actor: str) -> Draft:
    """Out of what the household has earned into what it owes."""
    source, target = chart.household(facts.household), chart.receivable(facts.household)
    return Draft(
        kind="recovery",
        subject=f"household:{facts.household}",
        effective_on=facts.recovered_on,
        legs=(Leg(source, target, facts.amount_satang, f"recovered:{facts.kind}"),),
        key=f"recovery:{facts.recovery_id}",
        actor=actor,
    )


def recovered_from_unpaid(payable_satang: int, owed_satang: int) -> int:
    """What is taken at once out of what a household was not paid yet."""
    return min(payable_satang, owed_satang)


def recovered_from_payout(
    payout_satang: int, owed_satang: int, cap_bp: int = RECOVERY_CAP_BP
) -> int:
    """What a payout may lose to a debt: never more than the cap's part of it, rounded down."""
    return min(owed_satang, bp_of(payout_satang, cap_bp))
