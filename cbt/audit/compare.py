"""Setting what was posted beside what the facts call for. Pure."""

from collections import Counter
from dataclasses import dataclass

from cbt.audit.findings import Fault, Finding
from cbt.ledger.entries import Draft, total


@dataclass(frozen=True)
class Row:
    """An account, what the books say flowed into it, and what the facts say ought to. In satang."""

    account: str
    posted_satang: int
    computed_satang: int

    @property
    def is_equal(self) -> bool:
        return self.posted_satang == self.computed_satang


def compare_accounts(posted: Draft | None, computed: Draft | None) -> list[Row]:
    """Posted beside computed, account by account, in the order of the computed legs."""
    left, right = _by_account(posted), _by_account(computed)
    return [
        Row(account, left.get(account, 0), right.get(account, 0)) for account in {**right, **left}
    ]


def compare_entry(posted: Draft | None, computed: Draft) -> list[Finding]:
    """What is wrong with an entry: every field but the actor must be what the facts call for."""
    subject = computed.subject
    if posted is None:
        values = {"kind": computed.kind, "amount_satang": total(computed.legs)}
        return [Finding(Fault.ENTRY_MISSING, subject, values)]
    findings = []
    if posted.policy_hash != computed.policy_hash:
        hashes = {"posted": posted.policy_hash[:12], "sold_under": computed.policy_hash[:12]}
        findings.append(Finding(Fault.POLICY_DIFFERS, subject, hashes))
    if posted.effective_on != computed.effective_on:
        days = {"posted": posted.effective_on, "computed": computed.effective_on}
        findings.append(Finding(Fault.DAY_DIFFERS, subject, days))
    findings += _compare_legs(posted, computed)
    if not findings and posted.input_hash != computed.input_hash:
        findings.append(Finding(Fault.FACTS_UNFIT, subject, {}))
    if (posted.kind, posted.subject) != (computed.kind, computed.subject):
        findings.append(Finding(Fault.ABOUT_DIFFERS, subject, {"about": posted.subject}))
    return findings


def compare_facts(subject: str, settled: str, now: str) -> list[Finding]:
    """Whether the facts that a settlement was made from still read as they did then."""
    before, after = Counter(settled.splitlines()), Counter(now.splitlines())
    if before == after:
        return []
    values = {"changed": ", ".join(before - after), "now": ", ".join(after - before)}
    return [Finding(Fault.FACTS_CHANGED, subject, values)]


def _compare_legs(posted: Draft, computed: Draft) -> list[Finding]:
    differing = [row for row in compare_accounts(posted, computed) if not row.is_equal]
    if not differing and posted.legs != computed.legs:
        return [Finding(Fault.LEGS_DIFFER, computed.subject, {})]
    return [
        Finding(
            Fault.AMOUNT_DIFFERS,
            computed.subject,
            {
                "account": row.account,
                "posted_satang": row.posted_satang,
                "computed_satang": row.computed_satang,
            },
        )
        for row in differing
    ]


def _by_account(draft: Draft | None) -> dict[str, int]:
    amounts: dict[str, int] = {}
    for leg in draft.legs if draft else ():
        amounts[leg.target] = amounts.get(leg.target, 0) + leg.amount_satang
    return amounts
