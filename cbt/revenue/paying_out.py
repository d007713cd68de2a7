"""What a household is paid of what it earned, and how a payout moves through the books. Pure.

Worked numbers in docs/algorithms/payouts.md. Nothing is paid twice: a line has one number for ever,
which is also the reference that the bank is given; a payout that came back is a new line the next time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from cbt.communities import chart
from cbt.ledger.entries import Draft, Leg
from cbt.revenue.taking_back import RECOVERY_CAP_BP, recovered_from_payout

LEAST_SATANG = 10_000
"""What a payout is at least by default, 100 baht; less stays payable and is shown."""


class BatchState(StrEnum):
    DRAFTED = "drafted"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"


class LineState(StrEnum):
    """drafted -> ordered (approved) -> paid -> confirmed, or -> returned; ordered -> stopped."""

    DRAFTED = "drafted"
    ORDERED = "ordered"
    PAID = "paid"
    CONFIRMED = "confirmed"
    RETURNED = "returned"
    STOPPED = "stopped"
    WITHDRAWN = "withdrawn"


_MOVES = {
    LineState.DRAFTED: {LineState.ORDERED, LineState.WITHDRAWN},
    LineState.ORDERED: {LineState.PAID, LineState.STOPPED},
    LineState.PAID: {LineState.CONFIRMED, LineState.RETURNED},
    LineState.CONFIRMED: {LineState.RETURNED},
}


def can_move(state: str, wanted: LineState) -> bool:
    return wanted in _MOVES.get(LineState(state), set())


class PayeeKind(StrEnum):
    """How a household is paid: by PromptPay to one of its ids, into an account, or in cash."""

    PHONE = "phone"
    TAX_ID = "tax_id"
    EWALLET = "ewallet"
    BANK = "bank"
    CASH = "cash"


class PayeeState(StrEnum):
    NAMED = "named"
    AGREED = "agreed"
    REPLACED = "replaced"
    REFUSED = "refused"


class ExportKind(StrEnum):
    CSV = "csv"
    XLSX = "xlsx"
    KRUNGTHAI = "krungthai"
    PAIN001 = "pain001"


class Why(StrEnum):
    """Why a household is not paid this time."""

    NOTHING = "nothing"
    HELD = "held"
    TOO_LITTLE = "too_little"
    UNDER_WAY = "under_way"


@dataclass(frozen=True)
class Standing:
    """A household's money: earned and not paid, held back by disputes, and what it owes, in satang."""

    household: str
    payable_satang: int
    held_satang: int
    owed_satang: int


@dataclass(frozen=True)
class PlannedLine:
    """A payout as planned: what is transferred, and what of the earnings goes into a debt before."""

    household: str
    amount_satang: int
    recovered_satang: int


@dataclass(frozen=True)
class Plan:
    """Who is paid how much, and who is not and why."""

    lines: tuple[PlannedLine, ...]
    left_out: tuple[tuple[str, Why, int], ...]

    @property
    def total_satang(self) -> int:
        return sum(line.amount_satang for line in self.lines)


def plan(
    standings: Sequence[Standing], least_satang: int = LEAST_SATANG, cap_bp: int = RECOVERY_CAP_BP
) -> Plan:
    """What each household is paid now: all it earned, less what is held and what goes into its debt.

    Of what is free at most the cap's part (rounded down) goes into a debt. A household whose transfer
    would be below the least amount is left out, and keeps all of it for the next time.
    """
    lines: list[PlannedLine] = []
    left_out: list[tuple[str, Why, int]] = []
    for each in standings:
        free = max(0, each.payable_satang - each.held_satang)
        recovered = recovered_from_payout(free, each.owed_satang, cap_bp)
        amount = free - recovered
        if amount and amount >= least_satang:
            lines.append(PlannedLine(each.household, amount, recovered))
        else:
            left_out.append((each.household, _why(each, free), each.payable_satang))
    return Plan(tuple(lines), tuple(left_out))


def _why(standing: Standing, free_satang: int) -> Why:
    if not standing.payable_satang:
        return Why.NOTHING
    return Why.TOO_LITTLE if free_satang else Why.HELD


# --- the books -----------------------------------------------------------------------------------


class Step(StrEnum):
    """What happens to a payout that the books must know."""

    ORDERED = "ordered"
    PAID = "paid"
    STOPPED = "stopped"
    RETURNED = "returned"


ORDERED_KEY = f"payout_{Step.ORDERED}:"
"""How the key of the entry begins by which a payout leaves what is owed to the household."""


@dataclass(frozen=True)
class PayoutFacts:
    """One step of a payout's line, on a village day; `paid_from` is the provider's account it left."""

    line_id: int
    household: str
    step: Step
    amount_satang: int
    on: date
    paid_from: str = ""


def payout_draft(facts: PayoutFacts, actor: str) -> Draft:
    """From what is owed to the household by way of what is under way to the bank or the cash box."""
    owed, under_way = chart.household(facts.household), chart.PAYOUT_TRANSIT
    account = chart.payment(facts.paid_from) if facts.paid_from else ""
    source, target = {
        Step.ORDERED: (owed, under_way),
        Step.PAID: (under_way, account),
        Step.STOPPED: (under_way, owed),
        Step.RETURNED: (account, owed),
    }[facts.step]
    return Draft(
        kind=f"payout_{facts.step}",
        subject=f"household:{facts.household}",
        effective_on=facts.on,
        legs=(Leg(source, target, facts.amount_satang, f"payout:{facts.line_id}"),),
        key=f"payout_{facts.step}:{facts.line_id}",
        actor=actor,
    )


def end_to_end(community: str, line_id: int) -> str:
    """The reference that a bank is given for a line: the same for ever, at most 35 characters."""
    return f"{community[:20].upper()}-{line_id:08}"


def still_fits(lines: Sequence[PlannedLine], standings: Mapping[str, Standing]) -> bool:
    """Whether drafted lines can still be paid out of what is there and free now."""
    for line in lines:
        now = standings.get(line.household)
        if now is None or line.recovered_satang > now.owed_satang:
            return False
        free = max(0, now.payable_satang - now.held_satang)
        if line.amount_satang + line.recovered_satang > free:
            return False
    return True
