"""A finding in words: what of the machine's it came of, and what it is about."""

from cbt.audit.case_work import CaseCard, answer_of, finding_of, risk_of
from cbt.audit.findings import Check
from cbt.web.audit_labels import risk_words
from cbt.web.labels import finding_words, label
from cbt.web.period_words import answer_words, rule_title


def case_words(case: CaseCard) -> str:
    """What of the machine's a finding came of, as a sentence in the reader's language; "" for none."""
    told, title = case.told, ""
    if "check" in told:
        title, words = label(Check(told["check"])), finding_words(finding_of(told))
    elif "rule" in told:
        answer = answer_of(told)
        title, words = f"{answer.rule} {rule_title(answer.rule)}", answer_words(answer)
    elif "risk" in told:
        risk = risk_of(told)
        title, words = label(risk.code), risk_words(risk)
    return f"{title}: {words}" if title else ""
