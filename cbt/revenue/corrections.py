"""Money that people move between accounts, since something that was posted turned out wrong. Pure.

What was posted stays; a correction says which day it concerns and why, and two people stand for it.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from hashlib import sha256

from cbt.communities import chart
from cbt.ledger.entries import Draft, Leg


class CorrectionState(StrEnum):
    ASKED = "asked"
    AGREED = "agreed"
    REFUSED = "refused"


@dataclass(frozen=True)
class CorrectionFacts:
    """`amount_satang` (> 0) from one account to another, for a day whose figures were wrong."""

    correction_id: int
    source: str
    target: str
    amount_satang: int
    reason: str
    concerns_on: date
    decided_on: date


def may_be_corrected(source: str, target: str) -> bool:
    """Whether people may move money so: between funds and households, and to end a difference.

    A difference of the cash box goes to a fund or is borne by one; what a household owes may only be
    waived, at a fund's cost. Everything else has its own way into the books.
    """
    if source == target:
        return False
    given = {"fund", "household", chart.CASH_DIFFERENCE}
    taken = {*given, "receivable"}
    kinds = source.partition(":")[0], target.partition(":")[0]
    if kinds[0] not in given or kinds[1] not in taken:
        return False
    odd = {chart.CASH_DIFFERENCE, "receivable"} & set(kinds)
    return not odd or "fund" in kinds


def correction_draft(facts: CorrectionFacts, actor: str) -> Draft:
    """The entry of a correction that was agreed. What is taken from a household, it owes first."""
    code = chart.household_of(facts.source)
    source = chart.receivable(code) if code else facts.source
    return Draft(
        kind="correction",
        subject=f"correction:{facts.correction_id}",
        effective_on=facts.decided_on,
        legs=(Leg(source, facts.target, facts.amount_satang, "corrected"),),
        key=f"correction:{facts.correction_id}",
        actor=actor,
        input_hash=sha256(correction_input(facts).encode()).hexdigest(),
    )


def correction_input(facts: CorrectionFacts) -> str:
    """The facts as text, one a line; the reason by its own hash, since people write freely."""
    lines = [
        "cbt-correction/1",
        f"correction:{facts.correction_id}",
        f"from:{facts.source}",
        f"to:{facts.target}",
        f"amount:{facts.amount_satang}",
        f"reason:{sha256(facts.reason.encode()).hexdigest()}",
        f"concerns_on:{facts.concerns_on.isoformat()}",
    ]
    return "".join(line + "\n" for line in lines)
