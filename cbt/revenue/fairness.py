"""How fairly income, turns and pay are spread: the measures, and rules PRD-04 to 08 and 12. Pure.

Source: the rule catalogue, section 2.2; thresholds marked [P] there are planning values. Worked numbers
in docs/algorithms/fairness.md.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from fractions import Fraction

from cbt.communities.rotation import MOST_SPREAD, MOST_UNEXPLAINED
from cbt.revenue.policy import Task
from cbt.revenue.policy_rules import Severity, Verdict
from cbt.revenue.posting import SharingFacts, share_out
from cbt.revenue.rulebook import (
    LEAST_HOUSEHOLDS,
    LEAST_MONTHS,
    Answer,
    CloseFacts,
    TaskTurns,
    Wage,
    graded,
    in_bp,
    incomes_of,
)
from cbt.revenue.sharing import weigh

PAID_BY_THE_HOUR = (Task.GUIDE, Task.COOK, Task.BOAT)
HOURS_A_DAY = 8
LOWEST = Fraction(2, 5)

# --- measures ------------------------------------------------------------------------------------


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


def lowest_share(incomes: Sequence[int], part: Fraction = LOWEST) -> Fraction | None:
    """What the lowest `part` of households has of all income; the border household by its fraction.

    None where there is no income.
    """
    total = sum(incomes)
    if total <= 0:
        return None
    left, sum_ = part * len(incomes), Fraction(0)
    for income in sorted(incomes):
        counted = min(left, Fraction(1))
        sum_ += counted * income
        left -= counted
    return Fraction(sum_, total)


def times_even(group: Sequence[int], incomes: Sequence[int]) -> Fraction | None:
    """A group's part of all income over its part of all households: 1 where it has its even share."""
    total = sum(incomes)
    if total <= 0 or not group:
        return None
    return Fraction(sum(group) * len(incomes), total * len(group))


def pay_of(
    shared: Iterable[SharingFacts], wage_on: Callable[[date], int | None]
) -> tuple[Wage, ...]:
    """What each household got for its hours at the tasks that are paid by the hour.

    A household's part of a pool goes to its tasks by their weights, exactly. Work is summed over the
    departures whose days had the same wage.
    """
    paid: dict[tuple[str, Task, int | None], tuple[Fraction, int]] = {}
    for facts in shared:
        pools = [
            (policy, each, weigh(facts.work, policy.rates)) for policy, each in share_out(facts)
        ]
        for work in facts.work:
            if work.task not in PAID_BY_THE_HOUR:
                continue
            got = sum(
                (
                    Fraction(
                        pool.parts.get(work.household, 0)
                        * work.units
                        * policy.rates.get(work.task, 0),
                        weights[work.household] or 1,
                    )
                    for policy, pool, weights in pools
                ),
                Fraction(0),
            )
            key = (work.household, work.task, wage_on(facts.service_on))
            before, minutes = paid.get(key, (Fraction(0), 0))
            paid[key] = (before + got, minutes + work.minutes)
    return tuple(
        Wage(household, str(task), amount, minutes, wage)
        for (household, task, wage), (amount, minutes) in paid.items()
    )


# --- the rules -----------------------------------------------------------------------------------


def prd_04(facts: CloseFacts) -> Answer:
    """How unequal households' incomes are. Never an error: unequal work is allowed."""
    incomes = incomes_of(facts)
    enough = incomes is not None and facts.closed_months >= LEAST_MONTHS
    value = gini(incomes) if enough and incomes else None
    values = {"households": len(facts.households), "months": facts.closed_months}
    if value is not None:
        values["gini_bp"] = in_bp(value)
    return graded(
        "PRD-04",
        value,
        ("0.41", value is not None and value > Fraction(41, 100)),
        ("0.31", value is not None and value > Fraction(31, 100)),
        values,
    )


def prd_05(facts: CloseFacts) -> Answer:
    """No household takes more than three times its even share, or a fifth where that is more."""
    incomes = incomes_of(facts)
    value = largest_share(incomes) if incomes else None
    number = max(1, len(facts.households))
    limit = max(Fraction(1, 5), Fraction(3, number))
    values = {"households": len(facts.households), "limit_bp": in_bp(limit)}
    if value is not None:
        values["largest_bp"] = in_bp(value)
    return graded(
        "PRD-05", value, ("max(20 %, 3/n)", value is not None and value > limit), None, values
    )


def prd_06(facts: CloseFacts) -> Answer:
    """How many of the member households earn anything."""
    incomes = incomes_of(facts)
    value = participation(incomes) if incomes and sum(incomes) else None
    values = {"households": len(facts.households)}
    if value is not None:
        values["earning"] = sum(each > 0 for each in incomes or ())
    return graded(
        "PRD-06",
        value,
        ("60 %", value is not None and value < Fraction(60, 100)),
        ("80 %", value is not None and value < Fraction(80, 100)),
        values,
    )


def prd_07(facts: CloseFacts) -> Answer:
    """The lowest two fifths, and the households that agreed to be counted as vulnerable, have their part.

    Of the latter nothing is judged or kept where they are fewer than five, and never their number; their
    part is kept in whole tenths.
    """
    incomes = incomes_of(facts)
    value = lowest_share(incomes) if incomes else None
    group = [each.income_satang for each in facts.households if each.is_vulnerable]
    times = times_even(group, incomes or ()) if len(group) >= LEAST_HOUSEHOLDS else None
    values = {"households": len(facts.households), "is_group_known": int(times is not None)}
    threshold = "15 % / 0.8"
    if value is None:
        return Answer("PRD-07", Verdict.NO_DATA, Severity.ADVICE, threshold, values)
    values["lowest_bp"] = in_bp(value)
    if times is not None:
        values["vulnerable_bp"] = int(times * 10) * 1_000
    is_low = value < Fraction(15, 100) or (times is not None and times < Fraction(8, 10))
    verdict = Verdict.FAIL if is_low else Verdict.PASS
    return Answer("PRD-07", verdict, Severity.ADVICE, threshold, values)


def prd_08(facts: CloseFacts) -> Answer:
    """Turns follow capacity and available days at each task, and few are skipped without a reason."""
    judged = [each for each in facts.turns if each.spread is not None]
    values = {"tasks": len(facts.turns), "judged": len(judged)}
    threshold = "0.5 / 10 %"
    if not facts.turns:
        return Answer("PRD-08", Verdict.NOT_APPLICABLE, Severity.WARNING, threshold, values)
    if not judged:
        return Answer("PRD-08", Verdict.NO_DATA, Severity.WARNING, threshold, values)
    values["spread_bp"] = in_bp(max(each.spread or Fraction(0) for each in judged))
    values["skips"] = sum(each.unexplained for each in judged)
    values["unfair"] = sum(_is_unfair(each) for each in judged)
    verdict = Verdict.FAIL if values["unfair"] else Verdict.PASS
    return Answer("PRD-08", verdict, Severity.WARNING, threshold, values)


def _is_unfair(task: TaskTurns) -> bool:
    is_wide = task.spread is not None and task.spread > MOST_SPREAD
    return is_wide or task.unexplained > MOST_UNEXPLAINED * task.turns


def prd_12(facts: CloseFacts) -> Answer:
    """An hour's pay is not below an eighth of the province's daily minimum wage."""
    timed = [(each, each.daily_wage_satang) for each in facts.wages if each.minutes > 0]
    judged = [(each, wage) for each, wage in timed if wage is not None]
    threshold = "1/8 of the daily wage"
    values = {"records": len(judged)}
    if not facts.wages:
        return Answer("PRD-12", Verdict.NOT_APPLICABLE, Severity.WARNING, threshold, values)
    if not judged:
        return Answer("PRD-12", Verdict.NO_DATA, Severity.WARNING, threshold, values)
    values["low"] = sum(
        each.amount_satang * 60 * HOURS_A_DAY < wage * each.minutes for each, wage in judged
    )
    values["daily_wage_satang"] = max(wage for _each, wage in judged)
    verdict = Verdict.FAIL if values["low"] else Verdict.PASS
    return Answer("PRD-12", verdict, Severity.WARNING, threshold, values)
