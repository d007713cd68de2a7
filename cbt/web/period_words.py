"""What the rules of a close are called and what they found, in the reader's language."""

from typing import Any

from cbt.i18n import _, _l, format_baht, format_bp, format_number
from cbt.revenue.policy_rules import Verdict
from cbt.revenue.rulebook import Answer
from cbt.revenue.statement_text import Item, ItemKind
from cbt.web.labels import label

_TITLES = {
    "PRD-01": _l("Every satang is accounted for"),
    "PRD-02": _l("Every line leads back to its booking and work"),
    "PRD-03": _l("Money was shared as the policy says"),
    "PRD-04": _l("How evenly income is spread over households"),
    "PRD-05": _l("No household takes too large a part"),
    "PRD-06": _l("How many member households earn"),
    "PRD-07": _l("Households with little income have their part"),
    "PRD-08": _l("Turns go round fairly"),
    "PRD-09": _l("What the committee's households earn"),
    "PRD-10": _l("The funds' accounts are right"),
    "PRD-11": _l("Income stays in the community"),
    "PRD-12": _l("An hour's work is paid no less than the minimum wage"),
    "PRD-13": _l("Three different people, and closed in time"),
    "PRD-14": _l("Statements and payouts came in time"),
    "PRD-15": _l("Sales beside the limits of tax"),
}
_FOUND: dict[str, Any] = {
    "PRD-01": _l("%(looked_at)s bookings looked at, %(faults)s that do not add up."),
    "PRD-02": _l("%(looked_at)s lines looked at, %(faults)s that lead nowhere."),
    "PRD-03": _l("%(looked_at)s computed anew, %(faults)s that differ."),
    "PRD-04": _l(
        "%(gini)s over %(households)s households and %(months)s months:"
        " 0 when all earn alike, 1 when one earns everything (Gini)."
    ),
    "PRD-05": _l("The largest part is %(largest)s percent, of %(limit)s percent allowed."),
    "PRD-06": _l("%(earning)s of %(households)s households earned."),
    "PRD-07": _l(
        "The two fifths of households with the least income have %(lowest)s percent of all."
    ),
    "PRD-08": _l(
        "%(judged)s of %(tasks)s tasks have enough turns; the largest spread is %(spread)s (at most 0.5),"
        " skips without a reason: %(skips)s."
    ),
    "PRD-09": _l("%(committee)s committee households earn %(times)s times their even share."),
    "PRD-10": _l(
        "%(looked_at)s funds and uses of them looked at, %(faults)s with a fault: sums, two approvers,"
        " payee, evidence, purpose, ceiling."
    ),
    "PRD-11": _l("%(kept)s percent of the net income stays with members and local funds."),
    "PRD-12": _l(
        "%(low)s of %(records)s are below an eighth of %(daily_wage_satang)s: a household's hours at one"
        " task each."
    ),
    "PRD-13": _l("%(days)s days after the month's last one; %(most)s are in time."),
    "PRD-14": _l("Statements after %(statements_days)s days; oldest unpaid: %(unpaid_days)s days."),
    "PRD-15": _l("Twelve months' sales: %(gross_satang)s."),
}
_GROUP = _l(
    "Households that agreed to be counted as vulnerable earn %(vulnerable)s times their even share"
    " (at least 0.8)."
)
_NO_GROUP = _l(
    "Vulnerable households are not looked at: fewer than five agreed to be counted, so nothing is shown"
    " of them."
)
_DECIMAL = ("gini_bp", "times_bp", "spread_bp", "vulnerable_bp")
_TOO_FEW = _l("There are too few figures to judge this yet. That is not a pass.")
_NO_WAGE = _l(
    "No minimum wage is recorded for the province, or no minutes of work. The platform's caretaker"
    " records it. That is not a pass."
)
_NOTHING = _l("There was nothing of the kind this month.")
_EXEMPTION = _l("The tax exemption in the settings has ended. Ask the Revenue Department.")

_RULES = {
    "by_work": _l("by the work done"),
    "preparation": _l("for what was prepared"),
    "by_shares": _l("by the shares held"),
    "equal": _l("in equal parts"),
}


def rule_title(rule: str) -> str:
    return str(_TITLES[rule])


def answer_words(answer: Answer) -> str:
    """What a rule found, with its numbers."""
    if answer.verdict == Verdict.NO_DATA:
        return str(_NO_WAGE if answer.rule == "PRD-12" else _TOO_FEW)
    if answer.verdict == Verdict.NOT_APPLICABLE:
        return str(_NOTHING)
    values: dict[str, Any] = {}
    for name, value in answer.values.items():
        if name.endswith("_satang"):
            values[name] = format_baht(value)
        elif name in _DECIMAL:
            values[name.removesuffix("_bp")] = f"{value // 10_000}.{value % 10_000 // 100:02}"
        elif name.endswith("_bp"):
            values[name.removesuffix("_bp")] = format_bp(value)
        else:
            values[name] = format_number(value)
    words = str(_FOUND[answer.rule]) % values
    if answer.rule == "PRD-07":
        group = str(_GROUP) % values if "vulnerable" in values else str(_NO_GROUP)
        return f"{words} {group}"
    return f"{words} {_EXEMPTION}" if answer.values.get("exemption_over") else words


def line_rule(item: Item) -> str:
    """By which rule a household got a line, or what it is."""
    name = item.rule.partition(":")[0]
    if name in _RULES:
        return str(_RULES[name])
    return label(item.kind)


def line_title(item: Item) -> str:
    """What a line is about that belongs to no trip."""
    if item.kind == ItemKind.PAID_OUT:
        return _("Payout") if item.amount_satang < 0 else _("A payout that came back")
    if item.rule.startswith("recovered:"):
        return _("Our part of what guests got back")
    return _("Correction") if item.kind == ItemKind.RECOVERED else _("Entry of the books")
