"""Checks that need the books alone: the chain, the shape of entries, balances."""

from sqlalchemy.orm import Session

from cbt.audit.findings import Check, Fault, Finding, Outcome
from cbt.ledger import entries, queries
from cbt.ledger.queries import Posted


def check_chain(session: Session, book_id: int) -> Outcome:
    """Every entry follows the one before it and still hashes to what it says."""
    book = queries.get_book(session, book_id)
    findings: list[Finding] = []
    seq, previous, count = 0, book.genesis_hash, 0
    for entry in queries.stream_entries(session, book_id):
        count += 1
        subject = _name(entry)
        if entry.seq != seq + 1:
            missing = {"first": seq + 1, "last": entry.seq - 1}
            findings.append(Finding(Fault.CHAIN_GAP, f"entry:{seq + 1}", missing))
        elif entry.previous_hash != previous:
            findings.append(Finding(Fault.CHAIN_LINK, subject, {}))
        text = entries.canonical(
            book.code, entry.seq, entry.recorded_at, entry.draft, entry.previous_hash
        )
        if entries.digest(text) != entry.hash:
            findings.append(Finding(Fault.ENTRY_CHANGED, subject, _about(entry)))
        seq, previous = entry.seq, entry.hash
    if (book.head_seq, book.head_hash) != (seq, previous):
        values = {"head": book.head_seq, "last": seq}
        findings.append(Finding(Fault.HEAD_DIFFERS, "book", values))
    return Outcome(Check.CHAIN, count, tuple(findings))


def check_legs(session: Session, book_id: int) -> Outcome:
    """Each leg moves a positive amount between two accounts of its own book, and an entry's total
    is its legs'."""
    findings: list[Finding] = []
    count = 0
    for entry in queries.stream_entries(session, book_id):
        count += max(1, len(entry.draft.legs))
        total = entries.total(entry.draft.legs)
        if (entry.amount_satang, entry.leg_count) != (total, len(entry.draft.legs)):
            values = {"stated_satang": entry.amount_satang, "summed_satang": total}
            findings.append(Finding(Fault.TOTAL_DIFFERS, _name(entry), values))
        for leg in entry.draft.legs:
            if leg.amount_satang <= 0 or leg.source == leg.target:
                values = {"amount_satang": leg.amount_satang}
                findings.append(Finding(Fault.LEG_INVALID, _name(entry), values))
    for stray in queries.list_stray_legs(session, book_id):
        subject = f"entry:{stray.seq}" if stray.book_id == book_id else f"account:{stray.account}"
        where = {"account": stray.account, "entry": stray.seq}
        findings.append(Finding(Fault.LEG_ELSEWHERE, subject, where))
    return Outcome(Check.LEGS, count, tuple(findings))


def check_balances(session: Session, book_id: int) -> Outcome:
    """Each account's running balance is the sum of its legs, and only what may be is below zero."""
    may_go_negative = queries.list_may_go_negative(session, book_id)
    running = queries.balances(session, book_id)
    summed = queries.summed_balances(session, book_id)
    findings = []
    for account, total in summed.items():
        if running.get(account) != total:
            values = {"running_satang": running.get(account, 0), "summed_satang": total}
            findings.append(Finding(Fault.BALANCE_DIFFERS, f"account:{account}", values))
        if total < 0 and account not in may_go_negative:
            values = {"summed_satang": total}
            findings.append(Finding(Fault.BALANCE_BELOW_ZERO, f"account:{account}", values))
    return Outcome(Check.BALANCES, len(summed), tuple(findings))


def _name(entry: Posted) -> str:
    return f"entry:{entry.seq}"


def _about(entry: Posted) -> dict[str, object]:
    return {"kind": entry.draft.kind, "about": entry.draft.subject}
