"""What a mentor looks at first in a month: numbers with the line beyond which they ask for a look. Pure.

None of these is a fault. One household may well have earned most of a quiet month; what is beyond its
line asks for an explanation, and for the sample to be read with that in mind. Where there is nothing to
count the answer is "not enough data", never a pass. No float: shares are in basis points.
The lines are planning values but that of skipped turns, which is the one of rule PRD-08.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from cbt.revenue.policy_rules import Verdict

_WHOLE = 10_000
HALF = 5_000
MOST_SKIPPED = 1_000
"""Turns passed on without a reason, in basis points of all turns (PRD-08)."""


class RiskCode(StrEnum):
    """In the order in which they weigh."""

    DUTIES = "duties"
    LATE_CHANGES = "late_changes"
    REFUNDS_AFTER = "refunds_after"
    WORK_ALONE = "work_alone"
    ONE_HOUSEHOLD = "one_household"
    CASH = "cash"
    SKIPS = "skips"


@dataclass(frozen=True)
class Risk:
    """One answer: the numbers that it was judged by (counts, satang or basis points, as named)."""

    code: RiskCode
    verdict: Verdict
    values: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class RiskFacts:
    """What is counted of one community's month. Money in satang."""

    entries: int
    late: int
    """Entries of the month that concern an earlier, closed one."""
    corrections: int
    earned: Mapping[str, int]
    """What each household earned in the month, by code."""
    captured_satang: int
    cash_satang: int
    settled: int
    """Bookings split in the month."""
    refunds_after: int
    refunded_after_satang: int
    turns: int
    skipped: int
    approvals: int
    """Steps of money that two people take: closes, payout batches, requests, corrections."""
    same_person: int
    """How many of those one person took alone, by what is written down."""
    two_offices: int
    """People who are treasurer and coordinator at once, so that nobody of the office looks at them."""
    trips: int
    """Departures of the month that were settled with work recorded."""
    alone: int
    """How many of them one person recorded, and nobody confirmed any part of."""


def judge(facts: RiskFacts) -> tuple[Risk, ...]:
    """Every answer, riskiest first: what is beyond its line, then what cannot be told, then the rest."""
    found = [_RULES[code](facts) for code in RiskCode]
    order = (Verdict.FAIL, Verdict.NO_DATA)
    return tuple(
        sorted(found, key=lambda each: order.index(each.verdict) if each.verdict in order else 2)
    )


def _answer(code: RiskCode, counted: int, values: Mapping[str, int], *, asks: bool) -> Risk:
    """`counted` is how many things there were to look at: with none, nothing was shown."""
    if not counted:
        return Risk(code, Verdict.NO_DATA, values)
    return Risk(code, Verdict.FAIL if asks else Verdict.PASS, values)


def _duties(facts: RiskFacts) -> Risk:
    """The same person on both sides of a step for two, or in both offices."""
    values = {
        "looked_at": facts.approvals,
        "same_person": facts.same_person,
        "two_offices": facts.two_offices,
    }
    asks = facts.same_person > 0 or facts.two_offices > 0
    return _answer(RiskCode.DUTIES, facts.approvals + facts.two_offices, values, asks=asks)


def _late_changes(facts: RiskFacts) -> Risk:
    """Entries of closed months that came late, and what two people corrected by hand."""
    values = {"looked_at": facts.entries, "late": facts.late, "corrections": facts.corrections}
    asks = facts.late + facts.corrections > 0
    return _answer(RiskCode.LATE_CHANGES, facts.entries, values, asks=asks)


def _refunds_after(facts: RiskFacts) -> Risk:
    """Money that went back to guests when it had been shared out."""
    values = {
        "looked_at": facts.settled,
        "refunds": facts.refunds_after,
        "refunded_satang": facts.refunded_after_satang,
    }
    counted = facts.settled + facts.refunds_after
    return _answer(RiskCode.REFUNDS_AFTER, counted, values, asks=facts.refunds_after > 0)


def _work_alone(facts: RiskFacts) -> Risk:
    """Trips of which one person wrote down who worked, and nobody else said that it is so."""
    values = {"looked_at": facts.trips, "alone": facts.alone}
    return _answer(RiskCode.WORK_ALONE, facts.trips, values, asks=facts.alone > 0)


def _one_household(facts: RiskFacts) -> Risk:
    """One household with more than half of what all of them earned."""
    earned = {code: amount for code, amount in facts.earned.items() if amount > 0}
    whole = sum(earned.values())
    largest = max(earned.values(), default=0)
    share = largest * _WHOLE // whole if whole else 0
    values = {"looked_at": len(earned), "share_bp": share, "largest_satang": largest}
    return _answer(RiskCode.ONE_HOUSEHOLD, whole, values, asks=2 * largest > whole)


def _cash(facts: RiskFacts) -> Risk:
    """More than half of what guests paid was cash."""
    whole, cash = facts.captured_satang, facts.cash_satang
    values = {"share_bp": cash * _WHOLE // whole if whole else 0, "cash_satang": cash}
    return _answer(RiskCode.CASH, whole, values, asks=2 * cash > whole)


def _skips(facts: RiskFacts) -> Risk:
    """More than one turn in ten passed on without a reason."""
    turns, skipped = facts.turns, facts.skipped
    values = {"looked_at": turns, "skipped": skipped}
    asks = skipped * _WHOLE > turns * MOST_SKIPPED
    return _answer(RiskCode.SKIPS, turns, values, asks=asks)


_RULES: dict[RiskCode, Callable[[RiskFacts], Risk]] = {
    RiskCode.DUTIES: _duties,
    RiskCode.LATE_CHANGES: _late_changes,
    RiskCode.REFUNDS_AFTER: _refunds_after,
    RiskCode.WORK_ALONE: _work_alone,
    RiskCode.ONE_HOUSEHOLD: _one_household,
    RiskCode.CASH: _cash,
    RiskCode.SKIPS: _skips,
}
