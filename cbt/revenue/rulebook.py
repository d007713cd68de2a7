"""What the rules of a month's close look at, and how they answer. Pure.

An error stops the close; a warning passes with a written explanation that is kept with it; advice is
only shown. Where the facts are too few the answer is "not enough data", which is never a pass. No
float: shares are fractions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from cbt.revenue.policy_rules import Severity, Verdict

LEAST_HOUSEHOLDS = 5
LEAST_MONTHS = 3
WINDOW_MONTHS = 12


@dataclass(frozen=True)
class Answer:
    """What a rule found. `severity` says how much a failure weighs.

    `values` are the numbers it was judged by, ready for a sentence and kept with the close: counts,
    satang, basis points or days, as their names say.
    """

    rule: str
    verdict: Verdict
    severity: Severity
    threshold: str
    values: Mapping[str, int]

    @property
    def stops(self) -> bool:
        return self.verdict == Verdict.FAIL and self.severity == Severity.ERROR

    @property
    def asks(self) -> bool:
        """Whether it passes only with an explanation."""
        return self.verdict == Verdict.FAIL and self.severity == Severity.WARNING


@dataclass(frozen=True)
class Household:
    """An active member household over the window of closed months and this one.

    `on_committee`: one of its people keeps an office. `is_vulnerable`: it agreed to be counted as such.
    """

    code: str
    income_satang: int
    on_committee: bool = False
    is_vulnerable: bool = False


@dataclass(frozen=True)
class Fund:
    code: str
    opening_satang: int
    in_satang: int
    out_satang: int
    closing_satang: int


@dataclass(frozen=True)
class FundUse:
    """Money that left a fund, or was lent out of it, in the period, beside the request it goes back to.

    `booked_satang` left `booked_fund` by the books, the rest is the request's. `approvers` are people
    other than who asked. `is_loan`: a loan needs no evidence and no purpose. `fits`: its purpose is one
    of the fund's. `breaks` names the ceiling that it was above when it was asked for.
    """

    key: str
    fund: str
    booked_fund: str
    booked_satang: int
    amount_satang: int
    is_loan: bool
    approvers: frozenset[int]
    payee: str
    has_evidence: bool
    fits: bool
    breaks: str | None


@dataclass(frozen=True)
class TaskTurns:
    """The balance of turns at a task: its spread (None before two complete cycles), skips, turns."""

    task: str
    spread: Fraction | None
    unexplained: int
    turns: int


@dataclass(frozen=True)
class Wage:
    """What a household got for its hours at a task, and the daily wage in force on those days.

    `daily_wage_satang` is None where none is recorded for the province.
    """

    household: str
    task: str
    amount_satang: Fraction
    minutes: int
    daily_wage_satang: int | None


@dataclass(frozen=True, kw_only=True)
class CloseFacts:
    """Everything the rules look at, for one community and period. Money in satang."""

    month: date
    closed_on: date
    days_after: int
    preparer: int
    approver: int | None
    auditors: frozenset[int]
    bookings: tuple[tuple[str, int, int], ...]
    """(reference, net, sum of its parts as posted) of each booking split in the period."""
    household_lines: int
    untraced: tuple[str, ...]
    """Lines of households whose booking, policy or work record cannot be found."""
    recomputed: int
    differing: int
    """Splits and sharing-outs that the audit computed anew, and how many of them differ."""
    changed_entries: int
    """Faults that the audit found in the chain of entries: closed ones are among them."""
    households: tuple[Household, ...]
    closed_months: int
    """Months of the window that are closed, this one counted in."""
    committee_known: bool
    mgmt_paid: tuple[tuple[str, int], ...]
    """(household, satang) that the management fund paid to households in the window."""
    funds: tuple[Fund, ...]
    fund_uses: tuple[FundUse, ...]
    unasked: tuple[str, ...]
    """Entries of the period that take money out of a fund though no request stands behind them."""
    net_satang: int
    kept_satang: int
    """What the splits of the period brought in, and what of it went to members and local funds."""
    turns: tuple[TaskTurns, ...]
    wages: tuple[Wage, ...]
    statements_days: int | None
    unpaid_days: int | None
    """Days from the last close to its statements; age of the oldest unpaid payout. None: no such yet."""
    gross_year_satang: int
    exemption_until: date | None


# --- answering -----------------------------------------------------------------------------------


def in_bp(part: Fraction) -> int:
    """A fraction in basis points, rounded down; only for showing, never for judging."""
    return int(part * 10_000)


def graded(
    rule: str,
    value: Fraction | None,
    warning: tuple[str, bool],
    advice: tuple[str, bool] | None,
    values: Mapping[str, int],
) -> Answer:
    """A rule with a limit for a warning and a milder one for advice: (threshold, whether it is broken)."""
    threshold, is_broken = warning
    if value is None:
        return Answer(rule, Verdict.NO_DATA, Severity.WARNING, threshold, values)
    if is_broken:
        return Answer(rule, Verdict.FAIL, Severity.WARNING, threshold, values)
    if advice and advice[1]:
        return Answer(rule, Verdict.FAIL, Severity.ADVICE, advice[0], values)
    return Answer(rule, Verdict.PASS, Severity.WARNING, threshold, values)


def exact(rule: str, threshold: str, looked_at: int, faults: int, **values: int) -> Answer:
    """A rule whose every exception is an error, and which says nothing when it saw nothing."""
    verdict = Verdict.FAIL if faults else Verdict.PASS if looked_at else Verdict.NOT_APPLICABLE
    counts = {"looked_at": looked_at, "faults": faults, **values}
    return Answer(rule, verdict, Severity.ERROR, threshold, counts)


def incomes_of(facts: CloseFacts) -> list[int] | None:
    """Incomes over the window, or None while households or closed months are too few to judge."""
    if len(facts.households) < LEAST_HOUSEHOLDS:
        return None
    return [each.income_satang for each in facts.households]
