"""Checks of closed months: snapshots, chain, statements, roots, rules and signatures, all anew."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from sqlalchemy.orm import Session

from cbt.audit.findings import Check, Fault, Finding, Outcome
from cbt.clock import next_month
from cbt.communities import chart
from cbt.communities.records import CommunityCard
from cbt.ledger import queries as ledger
from cbt.ledger.models import Entry
from cbt.revenue import merkle, period_queries
from cbt.revenue.close_rules import answers_text
from cbt.revenue.period_queries import PeriodCard, closing_of
from cbt.revenue.periods import Close, Span, span_of
from cbt.revenue.signing import SignerRole, is_signed, key_text
from cbt.revenue.statement_text import (
    Balance,
    PeriodFacts,
    digest_of,
    head_of,
    leaf_of,
    record_text,
    seal_text,
    statement_text,
)

_FAR = date(9000, 1, 1)
_RECEIVABLE = period_queries.RECEIVABLES


def check_periods(session: Session, community: CommunityCard) -> Outcome:
    """Each closed month's accounts are what its entries sum to, each opens with what the one before
    closed with, its record and rules are what was signed, and what is open leads to today's balances."""
    findings: list[Finding] = []
    closed = _in_order(session, community)
    closes = _closes(closed)
    held: dict[str, int] = {}
    looked_at = 0
    previous = "-"
    for number, period in enumerate(closed, start=1):
        findings += _misplaced(closed, number, period)
        findings += _chain_of(session, community, period)
        balances = _recomputed(session, community, span_of(period.month, closes), held)
        snapshot = period_queries.list_snapshot(session, period.id)
        findings += _snapshot_faults(period, snapshot, balances, held)
        findings += _record_faults(session, community, period, previous)
        held = closing_of(snapshot)
        previous = period.record_digest
        looked_at += len(balances)
    running = ledger.balances(session, community.book_id)
    for each in _recomputed(session, community, _all_open(closes), held):
        looked_at += 1
        if running.get(each.account, 0) != each.closing_satang:
            values = {
                "stated_satang": running.get(each.account, 0),
                "summed_satang": each.closing_satang,
            }
            findings.append(Finding(Fault.OPEN_DIFFERS, f"account:{each.account}", values))
    return Outcome(Check.PERIODS, looked_at, tuple(findings))


def check_statements(session: Session, community: CommunityCard) -> Outcome:
    """Each closed statement says what the books say and is in the root that was signed; every signature
    verifies by a key that the platform took in; what households have is what open months lead to."""
    findings: list[Finding] = list(_key_faults(session, community))
    closed = _in_order(session, community)
    closes = _closes(closed)
    looked_at = 0
    for period in closed:
        statements = period_queries.list_statements(session, period.id)
        looked_at += len(statements)
        findings += _statement_faults(session, community, period, closes)
        findings += _signature_faults(session, period)
    held: Mapping[str, int] = {}
    if closed:
        held = closing_of(period_queries.list_snapshot(session, closed[-1].id))
    running = ledger.balances(session, community.book_id)
    items = period_queries.list_items(session, community.book_id, _all_open(closes))
    for account, balance in running.items():
        if account.startswith(period_queries.HOUSEHOLDS):
            looked_at += 1
            code = account.removeprefix(period_queries.HOUSEHOLDS)
            lines = sum(item.amount_satang for item in items.get(code, ()))
            if held.get(account, 0) + lines != balance:
                values = {
                    "stated_satang": balance,
                    "summed_satang": held.get(account, 0) + lines,
                }
                findings.append(Finding(Fault.OPEN_DIFFERS, f"account:{account}", values))
    return Outcome(Check.STATEMENTS, looked_at, tuple(findings))


# --- periods -------------------------------------------------------------------------------------


def _in_order(session: Session, community: CommunityCard) -> list[PeriodCard]:
    return list(reversed(period_queries.list_periods(session, community.id)))


def _closes(closed: Sequence[PeriodCard]) -> tuple[Close, ...]:
    return tuple(Close(period.month, period.closing_seq) for period in closed)


def _all_open(closes: Sequence[Close]) -> Span:
    """Everything that belongs to no closed period."""
    return Span(_FAR, _FAR, None, closes[-1] if closes else None, None)


def _misplaced(closed: Sequence[PeriodCard], number: int, period: PeriodCard) -> Iterator[Finding]:
    before = closed[number - 2] if number > 1 else None
    is_next = before is None or (
        period.month == next_month(before.month) and period.closing_seq >= before.closing_seq
    )
    if period.number != number or not is_next:
        yield Finding(Fault.PERIOD_GAP, _name(period), {"number": period.number})
    if period.prepared_by == period.approved_by:
        yield Finding(Fault.ONE_PERSON, _name(period), {})


def _chain_of(session: Session, community: CommunityCard, period: PeriodCard) -> Iterator[Finding]:
    """The chain's head and number at the close are still those of the books."""
    head = ledger.get_book(session, community.book_id).genesis_hash
    seq = 0
    for entry in ledger.stream_entries(session, community.book_id, Entry.seq == period.closing_seq):
        seq, head = entry.seq, entry.hash
    if (seq, head) != (period.closing_seq, period.head_hash):
        yield Finding(Fault.CLOSING_DIFFERS, _name(period), {"entry": period.closing_seq})
    late = ledger.find_late(session, community.book_id, period.closing_seq, period.closed_at)
    if late is not None:
        yield Finding(Fault.LATE_IN_PERIOD, _name(period), {"entry": late})


def _recomputed(
    session: Session, community: CommunityCard, span: Span, held: Mapping[str, int]
) -> list[Balance]:
    balances, _ids = period_queries.list_balances(session, community.book_id, span, held)
    return balances


def _snapshot_faults(
    period: PeriodCard,
    snapshot: Sequence[Balance],
    balances: Sequence[Balance],
    held: Mapping[str, int],
) -> Iterator[Finding]:
    stated = {each.account: each for each in snapshot}
    empty = Balance("", 0, 0, 0, 0)
    for each in balances:
        shown = stated.get(each.account, empty)
        where = {"account": each.account}
        if shown.opening_satang != held.get(each.account, 0):
            values = {
                **where,
                "stated_satang": shown.opening_satang,
                "before_satang": held.get(each.account, 0),
            }
            yield Finding(Fault.OPENING_DIFFERS, _name(period), values)
        moved = (shown.debits_satang, shown.credits_satang, shown.closing_satang)
        if moved != (each.debits_satang, each.credits_satang, each.closing_satang):
            values = {
                **where,
                "stated_satang": shown.closing_satang,
                "summed_satang": each.closing_satang,
            }
            yield Finding(Fault.SNAPSHOT_DIFFERS, _name(period), values)


def _record_faults(
    session: Session,
    community: CommunityCard,
    period: PeriodCard,
    previous: str,
) -> Iterator[Finding]:
    """The record and the seal, written anew from everything beside them."""
    answers = period_queries.list_answers(session, period.id)
    rules = answers_text(
        [answer for answer, _words in answers], {answer.rule: words for answer, words in answers}
    )
    span = span_of(period.month, period_queries.list_closes(session, community.id))
    statements = period_queries.list_statements(session, period.id)
    opened = {line.split(" ")[0] for line in period.record.splitlines()}
    snapshot = period_queries.list_snapshot(session, period.id)
    funds = [chart.fund(each) for each in chart.FUNDS]
    policies = {
        each
        for entry in period_queries.stream_period(session, community.book_id, span)
        for each in entry.draft.policy_hash.split(",")
        if each
    }
    facts = PeriodFacts(
        community=community.slug,
        month=period.month,
        number=period.number,
        closing_seq=period.closing_seq,
        head_hash=period.head_hash,
        previous=previous,
        policies=tuple(sorted(policies)),
        funds=tuple(each for each in snapshot if each.account in funds),
        balances=tuple(snapshot),
        statement_root=period.statement_root,
        statement_count=len(statements),
        rules_digest=digest_of(rules),
        prepared_by=period.prepared_by,
        approved_by=period.approved_by,
    )
    if f"rules:{facts.rules_digest}" not in opened:
        yield Finding(Fault.RULES_CHANGED, _name(period), {})
    elif record_text(facts) != period.record:
        yield Finding(Fault.RECORD_DIFFERS, _name(period), {})
    seal = seal_text(
        *(community.slug, period.month, period.record_digest, period.statement_root),
        len(statements),
    )
    if seal != period.seal:
        yield Finding(Fault.SEAL_DIFFERS, _name(period), {})


# --- statements and signatures -------------------------------------------------------------------


def _statement_faults(
    session: Session, community: CommunityCard, period: PeriodCard, closes: Sequence[Close]
) -> Iterator[Finding]:
    statements = period_queries.list_statements(session, period.id)
    items = period_queries.list_items(session, community.book_id, span_of(period.month, closes))
    snapshot = {each.account: each for each in period_queries.list_snapshot(session, period.id)}
    leaves = []
    for each in statements:
        account = chart.household(each.household)
        owed = snapshot.get(f"{_RECEIVABLE}{each.household}")
        own = items.get(each.household, [])
        head = head_of(
            community.slug,
            period.month,
            each.household,
            snapshot[account].opening_satang if account in snapshot else 0,
            own,
            owed.closing_satang if owed else 0,
        )
        subject = f"statement:{period.month:%Y-%m}/{each.household}"
        leaves.append(leaf_of(head))
        if each.text != statement_text(head, own):
            yield Finding(Fault.STATEMENT_DIFFERS, subject, {})
        if each.leaf_hash != leaf_of(head).hex() or each.earned_satang != head.earned_satang:
            yield Finding(Fault.LEAF_DIFFERS, subject, {})
        if account in snapshot and head.closing_satang != snapshot[account].closing_satang:
            values = {
                "account": account,
                "stated_satang": snapshot[account].closing_satang,
                "summed_satang": head.closing_satang,
            }
            yield Finding(Fault.SNAPSHOT_DIFFERS, _name(period), values)
    if merkle.root_of(leaves).hex() != period.statement_root:
        yield Finding(Fault.ROOT_DIFFERS, _name(period), {})


def _signature_faults(session: Session, period: PeriodCard) -> Iterator[Finding]:
    signatures = period_queries.list_signatures(session, period.id)
    if SignerRole.PLATFORM not in {each.role for each in signatures}:
        yield Finding(Fault.SIGNATURE_MISSING, _name(period), {})
    for each in signatures:
        who = {"role": each.role}
        if not is_signed(period.seal, each.signature, each.public_key):
            yield Finding(Fault.SIGNATURE_INVALID, _name(period), who)
        is_part = each.signed_by in (period.prepared_by, period.approved_by)
        if each.role == SignerRole.MENTOR and is_part:
            yield Finding(Fault.ONE_PERSON, _name(period), {})


def _key_faults(session: Session, community: CommunityCard) -> Iterator[Finding]:
    """Every person's key was taken in by one of the platform's."""
    keys = period_queries.list_keys(session, community.id)
    by_id = {key.id: key for key in keys}
    platform = [key.public_key for key in keys if key.role == SignerRole.PLATFORM]
    for key in keys:
        if key.role == SignerRole.PLATFORM:
            text = key.public_key
            trusted = [key.public_key]
        else:
            old = by_id.get(key.follows or 0)
            follows = old.public_key if old else ""
            text = key_text(
                *(community.slug, SignerRole(key.role), key.person_id or 0),
                *(key.public_key, follows, key.recorded_at),
            )
            trusted = platform
        if not any(is_signed(text, key.endorsement, public) for public in trusted):
            yield Finding(Fault.KEY_NOT_ENDORSED, f"key:{key.id}", {})


def _name(period: PeriodCard) -> str:
    return f"period:{period.month:%Y-%m}"
