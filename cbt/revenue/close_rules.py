"""The rules of a month's close, PRD-01 to PRD-15, over a frozen record of facts. Pure.

Each returns what it found, by which threshold and from which numbers (`rulebook.py`). Those about how
fairly income, turns and pay are spread stand in `fairness.py`. Source: the rule catalogue, section
2.2; thresholds marked [P] there are planning values.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from cbt.revenue.fairness import prd_04, prd_05, prd_06, prd_07, prd_08, prd_12, times_even
from cbt.revenue.funds import APPROVERS
from cbt.revenue.periods import DAYS_TO_CLOSE
from cbt.revenue.policy import Bucket
from cbt.revenue.policy_rules import Severity, Verdict
from cbt.revenue.rulebook import Answer, CloseFacts, FundUse, exact, graded, in_bp
from cbt.revenue.statement_text import digest_of


def judge(facts: CloseFacts) -> tuple[Answer, ...]:
    """Every rule's answer, in their order."""
    return tuple(rule(facts) for rule in RULES)


# --- the rules -----------------------------------------------------------------------------------


def prd_01(facts: CloseFacts) -> Answer:
    """Each booking's parts sum to its net, and so does the period."""
    gaps = [net - parts for _reference, net, parts in facts.bookings]
    faults = sum(gap != 0 for gap in gaps)
    return exact("PRD-01", "0 satang", len(gaps), faults, difference_satang=sum(gaps))


def prd_02(facts: CloseFacts) -> Answer:
    """Each line of a household leads back to a booking, its policy and a record of work."""
    return exact("PRD-02", "100 %", facts.household_lines, len(facts.untraced))


def prd_03(facts: CloseFacts) -> Answer:
    """What was posted is what the policies give when they are computed anew."""
    return exact("PRD-03", "0 satang", facts.recomputed, facts.differing)


def prd_09(facts: CloseFacts) -> Answer:
    """The committee's households earn about their share, and none takes most of what management pays."""
    all_ = len(facts.households)
    seats = [each.income_satang for each in facts.households if each.on_committee]
    total = sum(each.income_satang for each in facts.households)
    threshold = "1.5 / 50 %"
    values = {"committee": len(seats), "households": all_}
    if not facts.committee_known or not seats or total <= 0:
        return Answer("PRD-09", Verdict.NO_DATA, Severity.WARNING, threshold, values)
    times = times_even(seats, [each.income_satang for each in facts.households])
    assert times is not None
    paid = sum(amount for _household, amount in facts.mgmt_paid)
    most = max((amount for _household, amount in facts.mgmt_paid), default=0)
    values |= {"times_bp": in_bp(times), "mgmt_bp": in_bp(Fraction(most, paid)) if paid else 0}
    is_broken = times > Fraction(3, 2) or 2 * most > paid > 0
    return graded("PRD-09", times, (threshold, is_broken), None, values)


def prd_10(facts: CloseFacts) -> Answer:
    """Each fund adds up and is not below zero, and whatever left one was asked for and agreed to."""
    sums = sum(
        fund.opening_satang + fund.in_satang - fund.out_satang != fund.closing_satang
        or fund.closing_satang < 0
        for fund in facts.funds
    )
    uses = sum(bool(faults_of(each)) for each in facts.fund_uses) + len(facts.unasked)
    looked_at = len(facts.funds) + len(facts.fund_uses) + len(facts.unasked)
    values = {"uses": len(facts.fund_uses), "use_faults": uses}
    return exact("PRD-10", "0 satang, 2 approvers", looked_at, sums + uses, **values)


def faults_of(use: FundUse) -> tuple[str, ...]:
    """What is wrong with a use of a fund; nothing where it is as it must be."""
    is_of_its_fund = (use.fund == Bucket.REVOLVE) == use.is_loan and use.booked_fund == use.fund
    broken = (
        ("amount", use.booked_satang != use.amount_satang),
        ("fund", not is_of_its_fund),
        ("approvals", len(use.approvers) < APPROVERS),
        ("payee", not use.payee.strip()),
        ("evidence", not use.is_loan and not use.has_evidence),
        ("purpose", not use.is_loan and not use.fits),
        ("ceiling", use.breaks is not None),
    )
    return tuple(name for name, is_broken in broken if is_broken)


def prd_11(facts: CloseFacts) -> Answer:
    """How much of the net income stays with members and local funds."""
    value = Fraction(facts.kept_satang, facts.net_satang) if facts.net_satang > 0 else None
    values = {"net_satang": facts.net_satang, "kept_satang": facts.kept_satang}
    if value is not None:
        values["kept_bp"] = in_bp(value)
    return graded(
        "PRD-11",
        value,
        ("70 %", value is not None and value < Fraction(70, 100)),
        ("80 %", value is not None and value < Fraction(80, 100)),
        values,
    )


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
    if facts.statements_days is None or facts.unpaid_days is None:
        return Answer("PRD-14", Verdict.NO_DATA, Severity.WARNING, threshold, {})
    unpaid = facts.unpaid_days
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
    return graded(
        "PRD-15",
        Fraction(gross),
        ("1,800,000 baht", gross >= 180_000_000 or is_over),
        ("1,500,000 baht", gross >= 150_000_000),
        values,
    )


RULES: tuple[Callable[[CloseFacts], Answer], ...] = (
    *(prd_01, prd_02, prd_03, prd_04, prd_05, prd_06, prd_07, prd_08),
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
