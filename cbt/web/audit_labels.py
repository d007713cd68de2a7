"""The words of the mentor's work: findings, what to look at first, what stands before a signature."""

from enum import StrEnum
from typing import Any

from cbt.audit.cases import CaseProblem, CaseState, CaseStep, SubjectKind
from cbt.audit.risks import Risk, RiskCode
from cbt.audit.sign_off_rules import Obstacle, SignOffFacts
from cbt.i18n import _l, format_baht, format_bp, format_number
from cbt.revenue.policy_rules import Verdict

AUDIT_LABELS: dict[type[StrEnum], dict[Any, Any]] = {
    CaseState: {
        CaseState.ASKED: _l("waits for an answer"),
        CaseState.ANSWERED: _l("answered"),
        CaseState.CLOSED: _l("ended"),
    },
    CaseStep: {
        CaseStep.OPENED: _l("Raised"),
        CaseStep.ANSWERED: _l("Answered"),
        CaseStep.CLOSED: _l("Ended"),
        CaseStep.REOPENED: _l("Asked again"),
    },
    SubjectKind: {
        SubjectKind.BOOKING: _l("A booking (its code)"),
        SubjectKind.DEPARTURE: _l("A departure (its number)"),
        SubjectKind.PAYOUT: _l("A payout (the number of its batch)"),
        SubjectKind.CLAIM: _l("Money out of a fund (the number of its request)"),
        SubjectKind.PERIOD: _l("A closed month (as year-month)"),
        SubjectKind.RULE: _l("A rule (its code)"),
        SubjectKind.BOOK: _l("The books as a whole"),
    },
    CaseProblem: {
        CaseProblem.SUBJECT: _l("this community has no such thing"),
        CaseProblem.DAYS: _l("an answer can be asked for within 1 to 90 days"),
        CaseProblem.ACCUSED: _l("this person has no office here"),
    },
    RiskCode: {
        RiskCode.DUTIES: _l("Two people for each step of money"),
        RiskCode.LATE_CHANGES: _l("Changes to months that were closed"),
        RiskCode.REFUNDS_AFTER: _l("Refunds after the sharing-out"),
        RiskCode.WORK_ALONE: _l("Work that one person wrote down alone"),
        RiskCode.ONE_HOUSEHOLD: _l("One household with most of the income"),
        RiskCode.CASH: _l("How much was paid in cash"),
        RiskCode.SKIPS: _l("Turns passed on without a reason"),
    },
    Obstacle: {
        Obstacle.TIED_ROLE: _l(
            "You have, or had since the month began, another part in this community."
        ),
        Obstacle.TIED_PART: _l("You took part in closing this month."),
        Obstacle.TIED_PAYEE: _l("The community pays somebody of your name."),
        Obstacle.TIED_FAMILY: _l("You said that you are related to a household here."),
        Obstacle.AUDIT_FAULTS: _l("The audit finds faults."),
        Obstacle.AUDIT_BLIND: _l("The audit saw less than the books hold."),
        Obstacle.ERRORS_OPEN: _l("An error of this month is not ended."),
        Obstacle.SAMPLE_UNFINISHED: _l("The sample is not looked through."),
        Obstacle.ANSWERS_LATE: _l("The community owes an answer since its last day."),
    },
}
_ANOTHER = _l("Ask the platform's administrator to assign another mentor for this month.")
_WHAT_TO_DO = {
    Obstacle.TIED_ROLE: _ANOTHER,
    Obstacle.TIED_PART: _ANOTHER,
    Obstacle.TIED_PAYEE: _ANOTHER,
    Obstacle.TIED_FAMILY: _ANOTHER,
    Obstacle.AUDIT_FAULTS: _l(
        "Raise each as a finding, and wait until it is put right in the open month."
    ),
    Obstacle.AUDIT_BLIND: _l("Run the audit anew; if it stays, tell the platform's administrator."),
    Obstacle.ERRORS_OPEN: _l("Read the answers, and end each error with your reason."),
    Obstacle.SAMPLE_UNFINISHED: _l("Look at what is left of it, or explain why you sign without."),
    Obstacle.ANSWERS_LATE: _l("Remind them, or explain why you sign without the answer."),
}
_RISKS = {
    RiskCode.DUTIES: _l(
        "%(looked_at)s steps for two people; %(same_person)s taken by one alone, %(two_offices)s"
        " people hold both offices."
    ),
    RiskCode.LATE_CHANGES: _l(
        "%(looked_at)s entries; %(late)s of them concern closed months, %(corrections)s are"
        " corrections by hand."
    ),
    RiskCode.REFUNDS_AFTER: _l(
        "%(refunds)s refunds after the sharing-out, together %(refunded_satang)s."
    ),
    RiskCode.WORK_ALONE: _l(
        "%(alone)s of %(looked_at)s departures were written down by one person, and nobody else"
        " confirmed them."
    ),
    RiskCode.ONE_HOUSEHOLD: _l(
        "The household that earned most has %(share)s percent of the month's income,"
        " %(largest_satang)s. More than half asks for a look."
    ),
    RiskCode.CASH: _l(
        "%(share)s percent of what guests paid was cash, %(cash_satang)s. More than half asks for a look."
    ),
    RiskCode.SKIPS: _l(
        "%(skipped)s of %(looked_at)s turns were passed on without a reason. More than one in ten asks"
        " for a look."
    ),
}
_TOO_FEW = _l("There was nothing to count. That is not a pass.")


def risk_words(risk: Risk) -> str:
    """The numbers by which something is to be looked at first."""
    if risk.verdict == Verdict.NO_DATA:
        return str(_TOO_FEW)
    values: dict[str, str] = {}
    for name, value in risk.values.items():
        if name.endswith("_satang"):
            values[name] = format_baht(value)
        elif name.endswith("_bp"):
            values[name.removesuffix("_bp")] = format_bp(value)
        else:
            values[name] = format_number(value)
    return str(_RISKS[risk.code]) % values


def what_to_do(obstacle: Obstacle) -> str:
    """What helps against something that stands before a signature."""
    return str(_WHAT_TO_DO[obstacle])


def obstacle_words(obstacle: Obstacle, facts: SignOffFacts) -> str:
    """What stands before a signature, with how many there are of it."""
    counts = {
        Obstacle.AUDIT_FAULTS: str(facts.faults),
        Obstacle.AUDIT_BLIND: str(facts.blind),
        Obstacle.ERRORS_OPEN: str(facts.open_errors),
        Obstacle.ANSWERS_LATE: str(facts.late_answers),
        Obstacle.SAMPLE_UNFINISHED: f"{facts.looked_at}/{facts.sample_size}",
    }
    words = str(AUDIT_LABELS[Obstacle][obstacle])
    return f"{words} ({counts[obstacle]})" if obstacle in counts else words
