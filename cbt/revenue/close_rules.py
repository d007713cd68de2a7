"""The rules of a period's close, PRD-01 to PRD-15, over a frozen record of facts. Pure.

Each returns what it found, by which threshold and from which numbers. An error stops the close; a
warning passes with a written explanation that is kept with it; advice is only shown. Where the facts
are too few the answer is "not enough data", which is never a pass. No float: shares are fractions.
Source: the rule catalogue, section 2.2; thresholds marked [P] there are planning values.

PRD-07 and PRD-08 are not here yet: who is vulnerable by consent is not recorded, and turns are counted
where turns are kept.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from cbt.revenue.periods import DAYS_TO_CLOSE
from cbt.revenue.policy_rules import Severity, Verdict
from cbt.revenue.statement_text import digest_of

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

    `on_committee`: one of its people keeps an office.
    """

    code: str
    income_satang: int
    on_committee: bool = False


@dataclass(frozen=True)
class Fund:
    code: str
    opening_satang: int
    in_satang: int
    out_satang: int
    closing_satang: int


@dataclass(frozen=True)
class Wage:
    """Work of one household at a task that is paid by the hour: satang and minutes."""

    household: str
    task: str
    amount_satang: int
    minutes: int


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
    net_satang: int
    kept_satang: int
    """What the splits of the period brought in, and what of it went to members and local funds."""
    wages: tuple[Wage, ...]
    daily_wage_satang: int | None
    statements_days: int | None
    unpaid_days: int | None
    """Days from the last close to its statements; age of the oldest unpaid payout. None: no such yet."""
    gross_year_satang: int
    exemption_until: date | None


def judge(facts: CloseFacts) -> tuple[Answer, ...]:
    """Every rule's answer, in their order."""
    return tuple(rule(facts) for rule in RULES)


# --- numbers -------------------------------------------------------------------------------------


def gini(incomes: Sequence[int]) -> Fraction | None:
    """The Gini coefficient of incomes >= 0: half the mean absolute difference over the mean.

    0 where all have the same, (n-1)/n where one has everything. None where there is no income: nothing
    is not equality. The small-sample form is this times n/(n-1).
    """
    total = sum(incomes)
    if total <= 0 or min(incomes) < 0:
        return None
    number = len(incomes)
    ranked = sum((2 * rank - number - 1) * each for rank, each in enumerate(sorted(incomes), 1))
    return Fraction(ranked, number * total)


def largest_share(incomes: Sequence[int]) -> Fraction | None:
    """The largest income's part of all, or None where there is none."""
    total = sum(incomes)
    return Fraction(max(incomes), total) if total > 0 else None


def participation(incomes: Sequence[int]) -> Fraction | None:
    """The part of households that earned anything."""
    return Fraction(sum(each > 0 for each in incomes), len(incomes)) if incomes else None


def _bp(part: Fraction) -> int:
    """A fraction in basis points, rounded down; only for showing, never for judging."""
    return int(part * 10_000)


def _graded(
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


def _exact(rule: str, threshold: str, looked_at: int, faults: int, **values: int) -> Answer:
    """A rule whose every exception is an error, and which says nothing when it saw nothing."""
    verdict = Verdict.FAIL if faults else Verdict.PASS if looked_at else Verdict.NOT_APPLICABLE
    counts = {"looked_at": looked_at, "faults": faults, **values}
    return Answer(rule, verdict, Severity.ERROR, threshold, counts)


def _incomes(facts: CloseFacts) -> list[int] | None:
    """Incomes over the window, or None while households or closed months are too few to judge."""
    if len(facts.households) < LEAST_HOUSEHOLDS:
        return None
    return [each.income_satang for each in facts.households]


# --- the rules -----------------------------------------------------------------------------------


def prd_01(facts: CloseFacts) -> Answer:
    """Each booking's parts sum to its net, and so does the period."""
    gaps = [net - parts for _reference, net, parts in facts.bookings]
    faults = sum(gap != 0 for gap in gaps)
    return _exact("PRD-01", "0 satang", len(gaps), faults, difference_satang=sum(gaps))


def prd_02(facts: CloseFacts) -> Answer:
    """Each line of a household leads back to a booking, its policy and a record of work."""
    return _exact("PRD-02", "100 %", facts.household_lines, len(facts.untraced))


def prd_03(facts: CloseFacts) -> Answer:
    """What was posted is what the policies give when they are computed anew."""
    return _exact("PRD-03", "0 satang", facts.recomputed, facts.differing)


def prd_04(facts: CloseFacts) -> Answer:
    """How unequal households' incomes are. Never an error: unequal work is allowed."""
    incomes = _incomes(facts)
    enough = incomes is not None and facts.closed_months >= LEAST_MONTHS
    value = gini(incomes) if enough and incomes else None
    values = {"households": len(facts.households), "months": facts.closed_months}
    if value is not None:
        values["gini_bp"] = _bp(value)
    return _graded(
        "PRD-04",
        value,
        ("0.41", value is not None and value > Fraction(41, 100)),
        ("0.31", value is not None and value > Fraction(31, 100)),
        values,
    )


def prd_05(facts: CloseFacts) -> Answer:
    """No household takes more than three times its even share, or a fifth where that is more."""
    incomes = _incomes(facts)
    value = largest_share(incomes) if incomes else None
    number = max(1, len(facts.households))
    limit = max(Fraction(1, 5), Fraction(3, number))
    values = {"households": len(facts.households), "limit_bp": _bp(limit)}
    if value is not None:
        values["largest_bp"] = _bp(value)
    return _graded(
        "PRD-05", value, ("max(20 %, 3/n)", value is not None and value > limit), None, values
    )


def prd_06(facts: CloseFacts) -> Answer:
    """How many of the member households earn anything."""
    incomes = _incomes(facts)
    value = participation(incomes) if incomes and sum(incomes) else None
    values = {"households": len(facts.households)}
    if value is not None:
        values["earning"] = sum(each > 0 for each in incomes or ())
    return _graded(
        "PRD-06",
        value,
        ("60 %", value is not None and value < Fraction(60, 100)),
        ("80 %", value is not None and value < Fraction(80, 100)),
        values,
    )


def prd_09(facts: CloseFacts) -> Answer:
    """The committee's households earn about their share, and none takes most of what management pays."""
    all_ = len(facts.households)
    seats = [each.income_satang for each in facts.households if each.on_committee]
    total = sum(each.income_satang for each in facts.households)
    threshold = "1.5 / 50 %"
    values = {"committee": len(seats), "households": all_}
    if not facts.committee_known or not seats or total <= 0:
        return Answer("PRD-09", Verdict.NO_DATA, Severity.WARNING, threshold, values)
    times = Fraction(sum(seats) * all_, total * len(seats))
    paid = sum(amount for _household, amount in facts.mgmt_paid)
    most = max((amount for _household, amount in facts.mgmt_paid), default=0)
    values |= {"times_bp": _bp(times), "mgmt_bp": _bp(Fraction(most, paid)) if paid else 0}
    is_broken = times > Fraction(3, 2) or 2 * most > paid > 0
    return _graded("PRD-09", times, (threshold, is_broken), None, values)


def prd_10(facts: CloseFacts) -> Answer:
    """Each fund: opening and what came in, less what went out, is the closing, and not below zero."""
    faults = sum(
        fund.opening_satang + fund.in_satang - fund.out_satang != fund.closing_satang
        or fund.closing_satang < 0
        for fund in facts.funds
    )
    return _exact("PRD-10", "0 satang", len(facts.funds), faults)


def prd_11(facts: CloseFacts) -> Answer:
    """How much of the net income stays with members and local funds."""
    value = Fraction(facts.kept_satang, facts.net_satang) if facts.net_satang > 0 else None
    values = {"net_satang": facts.net_satang, "kept_satang": facts.kept_satang}
    if value is not None:
        values["kept_bp"] = _bp(value)
    return _graded(
        "PRD-11",
        value,
        ("70 %", value is not None and value < Fraction(70, 100)),
        ("80 %", value is not None and value < Fraction(80, 100)),
        values,
    )


def prd_12(facts: CloseFacts) -> Answer:
    """An hour's pay is not below an eighth of the province's daily minimum wage."""
    timed = [each for each in facts.wages if each.minutes > 0]
    threshold = "1/8 of the daily wage"
    if facts.daily_wage_satang is None or not timed:
        return Answer(
            "PRD-12", Verdict.NO_DATA, Severity.WARNING, threshold, {"records": len(timed)}
        )
    low = sum(
        each.amount_satang * 60 * 8 < facts.daily_wage_satang * each.minutes for each in timed
    )
    values = {"records": len(timed), "low": low, "daily_wage_satang": facts.daily_wage_satang}
    verdict = Verdict.FAIL if low else Verdict.PASS
    return Answer("PRD-12", verdict, Severity.WARNING, threshold, values)


def prd_13(facts: CloseFacts) -> Answer:
    """Preparer, approver and auditor are three people; closed entries are untouched; not late."""
    people = {facts.preparer} | ({facts.approver} if facts.approver is not None else set())
    is_one = facts.approver == facts.preparer or bool(people & facts.auditors)
    values = {"days": facts.days_after, "most": DAYS_TO_CLOSE, "faults": facts.changed_entries}
    if is_one or facts.changed_entries:
        return Answer("PRD-13", Verdict.FAIL, Severity.ERROR, "3 people, 0 changed", values)
    is_late = facts.days_after > DAYS_TO_CLOSE
    verdict = Verdict.FAIL if is_late else Verdict.PASS
    return Answer("PRD-13", verdict, Severity.WARNING, f"{DAYS_TO_CLOSE} days", values)


def prd_14(facts: CloseFacts) -> Answer:
    """Statements are out within 7 days after the close before, and its payouts paid within 15."""
    threshold = "7 / 15 / 45 days"
    if facts.statements_days is None:
        return Answer("PRD-14", Verdict.NO_DATA, Severity.WARNING, threshold, {})
    unpaid = facts.unpaid_days or 0
    values = {"statements_days": facts.statements_days, "unpaid_days": unpaid}
    if unpaid > 45:
        return Answer("PRD-14", Verdict.FAIL, Severity.ERROR, threshold, values)
    is_late = facts.statements_days > 7 or unpaid > 15
    verdict = Verdict.FAIL if is_late else Verdict.PASS
    return Answer("PRD-14", verdict, Severity.WARNING, threshold, values)


def prd_15(facts: CloseFacts) -> Answer:
    """Twelve months' sales beside the limit of exemption and VAT; the exemption's own end."""
    gross = facts.gross_year_satang
    values = {"gross_satang": gross}
    until = facts.exemption_until
    is_over = until is not None and facts.closed_on > until
    values["exemption_over"] = int(is_over)
    return _graded(
        "PRD-15",
        Fraction(gross),
        ("1,800,000 baht", gross >= 180_000_000 or is_over),
        ("1,500,000 baht", gross >= 150_000_000),
        values,
    )


RULES: tuple[Callable[[CloseFacts], Answer], ...] = (
    *(prd_01, prd_02, prd_03, prd_04, prd_05, prd_06),
    *(prd_09, prd_10, prd_11, prd_12, prd_13, prd_14, prd_15),
)


def answers_text(answers: Sequence[Answer], explanations: Mapping[str, str]) -> str:
    """All answers as text, one a line, as they are bound into the period's record.

    Explanations enter as their digest alone: people write names into them.
    """
    lines = ["cbt-rules/1"]
    for each in answers:
        values = ",".join(f"{name}={value}" for name, value in sorted(each.values.items()))
        said = explanations.get(each.rule, "")
        lines.append(
            f"{each.rule} {each.verdict} {each.severity} {values or '-'}"
            f" {digest_of(said) if said else '-'} {each.threshold}"
        )
    return "".join(line + "\n" for line in lines)
