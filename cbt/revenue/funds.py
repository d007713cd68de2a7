"""The community's funds: what may leave them, lending and paying back, and how the books move. Pure.

Worked numbers in docs/algorithms/funds.md. Money leaves a fund only for a request with evidence that two
people approved, and within the ceiling that the community set. Loans come from the revolving fund only and
bear no interest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from cbt.communities import chart
from cbt.errors import LoanInvalid
from cbt.ledger.entries import Draft, Leg
from cbt.revenue.policy import Bucket

APPROVERS = 2
MOST_INSTALMENTS = 60
REVOLVING = chart.fund(Bucket.REVOLVE)


class Purpose(StrEnum):
    """What money of a fund is for. The first six are the welfare fund's benefits."""

    BIRTH = "birth"
    ILLNESS = "illness"
    OLD_AGE = "old_age"
    DEATH = "death"
    EDUCATION = "education"
    DISASTER = "disaster"
    NATURE = "nature"
    WORKS = "works"
    SUPPLIES = "supplies"
    MEETING = "meeting"
    PAY = "pay"


OF_FUND: Mapping[Bucket, tuple[Purpose, ...]] = {
    Bucket.WELFARE: (
        Purpose.BIRTH,
        Purpose.ILLNESS,
        Purpose.OLD_AGE,
        Purpose.DEATH,
        Purpose.EDUCATION,
        Purpose.DISASTER,
    ),
    Bucket.CONSERVE: (Purpose.NATURE, Purpose.SUPPLIES),
    Bucket.DEVELOP: (Purpose.WORKS, Purpose.SUPPLIES, Purpose.EDUCATION),
    Bucket.MGMT: (Purpose.PAY, Purpose.SUPPLIES, Purpose.MEETING),
}
"""For what each fund may be used. The revolving fund only lends."""


class Giver(StrEnum):
    """Who puts money into a fund beside tourism."""

    MEMBER = "member"
    LOCAL_GOVERNMENT = "local_government"
    STATE = "state"
    OTHER = "other"


class ClaimState(StrEnum):
    """requested -> approved (by two people) -> paid -> confirmed; or refused, or withdrawn."""

    REQUESTED = "requested"
    APPROVED = "approved"
    PAID = "paid"
    CONFIRMED = "confirmed"
    REFUSED = "refused"


class LoanState(StrEnum):
    """requested -> approved (by two people) -> lent -> repaid or waived; or refused."""

    REQUESTED = "requested"
    APPROVED = "approved"
    LENT = "lent"
    REPAID = "repaid"
    WAIVED = "waived"
    REFUSED = "refused"


# --- ceilings ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ceiling:
    """The most for one request of a purpose, and for one household in a calendar year, in satang."""

    once_satang: int
    yearly_satang: int


def exceeds(amount_satang: int, this_year_satang: int, ceiling: Ceiling | None) -> str | None:
    """Which ceiling a request breaks ("once" or "yearly"), or None. Without a ceiling none is broken."""
    if ceiling is None:
        return None
    if amount_satang > ceiling.once_satang:
        return "once"
    if this_year_satang + amount_satang > ceiling.yearly_satang:
        return "yearly"
    return None


def free_satang(balance_satang: int, promised_satang: int, lent_satang: int = 0) -> int:
    """What a fund can still promise: its balance less what was approved and what is lent out."""
    return max(0, balance_satang - promised_satang - lent_satang)


# --- loans ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Instalment:
    due_on: date
    amount_satang: int


def schedule(amount_satang: int, instalments: int, first_due_on: date) -> tuple[Instalment, ...]:
    """Equal monthly instalments that sum to the loan; the odd satang are paid first.

    A day that a month does not have becomes its last. Raises LoanInvalid.
    """
    if amount_satang <= 0 or not 1 <= instalments <= min(MOST_INSTALMENTS, amount_satang):
        raise LoanInvalid(problem="instalments")
    each, odd = divmod(amount_satang, instalments)
    return tuple(
        Instalment(_months_later(first_due_on, number), each + (number < odd))
        for number in range(instalments)
    )


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month + 1, min(day.day, last))
        except ValueError:
            continue
    raise AssertionError("every month has 28 days")


@dataclass(frozen=True)
class LoanStanding:
    """What of a loan is left, what of that is overdue, and since when."""

    left_satang: int
    overdue_satang: int
    overdue_since: date | None


def standing(plan: Sequence[Instalment], repaid_satang: int, on: date) -> LoanStanding:
    """Where a loan stands on a day: what was paid covers the earliest instalments first."""
    left, covered, since = 0, repaid_satang, None
    overdue = 0
    for each in plan:
        part = min(covered, each.amount_satang)
        covered -= part
        missing = each.amount_satang - part
        left += missing
        if missing and each.due_on < on:
            overdue += missing
            since = since or each.due_on
    return LoanStanding(left, overdue, since)


# --- the books -----------------------------------------------------------------------------------


class FundEvent(StrEnum):
    CONTRIBUTION = "contribution"
    CLAIM_PAID = "claim_paid"
    LOAN_PAID = "loan_paid"
    LOAN_REPAID = "loan_repaid"
    LOAN_WAIVED = "loan_waived"


@dataclass(frozen=True)
class FundFacts:
    """Money into or out of a fund on a village day, by way of a provider's account (empty: by none)."""

    event: FundEvent
    number: int
    fund: Bucket
    amount_satang: int
    account: str
    on: date


def fund_draft(facts: FundFacts, actor: str) -> Draft:
    """The entry of an event. Lending swaps money for a debt: the fund itself stays what it was."""
    fund = chart.fund(facts.fund)
    money = chart.payment(facts.account) if facts.account else ""
    source, target = {
        FundEvent.CONTRIBUTION: (money, fund),
        FundEvent.CLAIM_PAID: (fund, money),
        FundEvent.LOAN_PAID: (chart.LOANS, money),
        FundEvent.LOAN_REPAID: (money, chart.LOANS),
        FundEvent.LOAN_WAIVED: (fund, chart.LOANS),
    }[facts.event]
    return Draft(
        kind=str(facts.event),
        subject=f"fund:{facts.fund}",
        effective_on=facts.on,
        legs=(Leg(source, target, facts.amount_satang, f"fund:{facts.event}"),),
        key=f"{facts.event}:{facts.number}",
        actor=actor,
    )
