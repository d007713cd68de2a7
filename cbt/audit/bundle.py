"""The auditor's bundle: everything that is needed to recompute a period elsewhere, and nothing personal.

docs/bundle.md describes the format; `python -m cbt.audit.offline` verifies it. People are numbers in it,
households codes, bookings references; what people wrote freely stays out, or stands there as its hash.
"""

from collections.abc import Iterator
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from cbt.audit.bundle_files import Cell, Folder
from cbt.audit.bundle_money import (
    AT_ONCE,
    Money,
    booking_ids,
    list_sold,
    needed_bookings,
)
from cbt.audit.bundle_people import write_workbook
from cbt.audit.bundle_scope import Numbers, Scope, read_scope
from cbt.audit.facts import list_deposits
from cbt.audit.offline_format import FORMAT, JOURNAL, WORKBOOK
from cbt.bookings.models import Departure
from cbt.clock import village_day
from cbt.communities.queries import (
    list_assets,
    list_memberships,
    list_share_lines,
    list_uses,
)
from cbt.communities.records import CommunityCard
from cbt.experiences.models import Option
from cbt.ledger import queries as ledger
from cbt.ledger.journal import Format, write
from cbt.ledger.models import CREDIT, Entry
from cbt.payments.models import CashBanked, CashCleared, CashCount, PaymentAccount
from cbt.payments.reported import ProviderPayout, ProviderTransaction, SuspenseMove
from cbt.revenue import period_queries, queries
from cbt.revenue.corrections import CorrectionState
from cbt.revenue.fund_models import FundApproval, FundClaim, Loan
from cbt.revenue.fund_queries import list_fund_facts
from cbt.revenue.funds import FundEvent
from cbt.revenue.losses import list_recovery_facts
from cbt.revenue.models import (
    Correction,
    MinutesFile,
    PolicyProposal,
    PolicyResolution,
    PolicyVersion,
)
from cbt.revenue.payout_models import PayoutBatch, PayoutLine
from cbt.revenue.payout_queries import list_payout_facts
from cbt.revenue.period_queries import StatementCard
from cbt.revenue.posting import sharing_key, split_key
from cbt.revenue.records import SettlementCard


def write_bundle(
    session: Session, community: CommunityCard, first_day: date, last_day: date, out: Path
) -> str:
    """Write the bundle of whole months to a file; returns the SHA-256 of its manifest.

    Reads one state of the database (hand in a `snapshot`). Raises BundleSpanInvalid, BundleCell.
    """
    scope = read_scope(session, community, first_day, last_day)
    with Folder() as folder:
        _write_books(session, scope, folder)
        _write_policies(session, scope, folder)
        _write_trips(session, scope, folder)
        _write_register(session, scope, folder)
        _write_accounts_outside(session, scope, folder)
        _write_after(session, scope, folder)
        _write_payouts(session, scope, folder)
        _write_funds(session, scope, folder)
        _write_months(session, scope, folder)
        folder.write_lines(JOURNAL, _journal(session, scope))
        write_workbook(
            folder.path.joinpath(WORKBOOK),
            scope,
            _balances(session, scope),
            _statements(session, scope),
            _stretch(session, scope),
        )
        return folder.pack(out, _head(scope))


def _head(scope: Scope) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "community": scope.community.slug,
        "book": scope.book,
        "founding": scope.founding,
        "zone": scope.community.zone,
        "from": scope.first_day.isoformat(),
        "to": scope.last_day.isoformat(),
        "months": [f"{period.month:%Y-%m}" for period in scope.periods],
        "first_entry": scope.first_seq,
        "last_entry": scope.last_seq,
        "head_before": scope.head_before,
        "head_after": scope.head_after,
    }


# --- the books -----------------------------------------------------------------------------------


def _stretch(session: Session, scope: Scope) -> Iterator[ledger.Posted]:
    within = Entry.seq.between(scope.first_seq, scope.last_seq)
    return ledger.stream_entries(session, scope.community.book_id, within)


def _write_books(session: Session, scope: Scope, folder: Folder) -> None:
    for entry in _stretch(session, scope):
        draft = entry.draft
        folder.add(
            "entries.csv",
            *(entry.seq, entry.recorded_at, draft.kind, draft.subject, draft.effective_on),
            *(draft.policy_hash or None, draft.input_hash or None, draft.reverses, draft.key),
            *(draft.actor or None, entry.amount_satang, entry.leg_count, entry.previous_hash),
            entry.hash,
        )
        for line, leg in enumerate(draft.legs, start=1):
            folder.add(
                "legs.csv", entry.seq, line, leg.source, leg.target, leg.amount_satang, leg.rule
            )
    for account in _balances(session, scope):
        folder.add("accounts.csv", *account)
    held = list_deposits(session, scope.community.book_id, scope.first_seq - 1)
    for subject, amount in sorted(held.items()):
        if amount:
            folder.add("deposits.csv", subject.removeprefix("booking:"), amount)


def _balances(session: Session, scope: Scope) -> list[tuple[str, str, bool, int, int]]:
    """(account, side, may go below zero, before the first entry, after the last) of what was used so far.

    Of a closed month also what its snapshot holds at nothing.
    """
    book_id = scope.community.book_id
    below = ledger.list_may_go_negative(session, book_id)
    before = ledger.list_movements(session, book_id, Entry.seq < scope.first_seq)
    after = ledger.list_movements(session, book_id, Entry.seq <= scope.last_seq)
    known = set[str]()
    if scope.moment is not None:
        known = {
            each.account for each in period_queries.list_snapshot(session, scope.periods[-1].id)
        }
    rows = []
    for first, last in zip(before, after, strict=True):
        is_used = last.debits_satang or last.credits_satang or last.account in known
        if is_used or scope.moment is None:
            rows.append((last.account, last.side, last.account in below, _held(first), _held(last)))
    return sorted(rows)


def _held(moved: ledger.Movement) -> int:
    gained = moved.credits_satang - moved.debits_satang
    return gained if moved.side == CREDIT else -gained


def _journal(session: Session, scope: Scope) -> Iterator[str]:
    accounts = _balances(session, scope)
    return write(
        Format.HLEDGER,
        scope.book,
        ((each.seq, each.draft) for each in _stretch(session, scope)),
        {account: side for account, side, *_rest in accounts},
        {account: closing for account, _side, _below, _opening, closing in accounts},
        {account: opening for account, _side, _below, opening, _closing in accounts},
    )


# --- what was agreed -----------------------------------------------------------------------------


def _write_policies(session: Session, scope: Scope, folder: Folder) -> None:
    rows = session.execute(
        select(PolicyVersion, PolicyResolution, PolicyProposal.text, MinutesFile.sha256)
        .outerjoin(PolicyResolution, PolicyResolution.policy_version_id == PolicyVersion.id)
        .outerjoin(PolicyProposal, PolicyProposal.id == PolicyResolution.proposal_id)
        .outerjoin(MinutesFile, MinutesFile.id == PolicyResolution.minutes_id)
        .where(PolicyVersion.community_id == scope.community.id)
        .order_by(PolicyVersion.number)
    )
    for policy, resolution, proposed, minutes in rows:
        if scope.is_over(policy.recorded_at):
            continue
        folder.add(
            "policies.jsonl",
            *(policy.number, policy.sha256, policy.text, policy.recorded_at, policy.adopted_on),
            *(policy.effective_from, policy.meeting.get("th", ""), policy.meeting.get("en", "")),
            *(policy.households, policy.present, policy.voted_for),
            *(
                (resolution.voted_against, resolution.abstained, resolution.quorum_bp)
                if resolution
                else (None, None, None)
            ),
            sha256(proposed.encode()).hexdigest() if proposed is not None else None,
            minutes,
        )


def _write_register(session: Session, scope: Scope, folder: Folder) -> None:
    """Households and what they own together, as far as it was so within the bundle's days."""
    members = list_memberships(session, scope.community.id)
    for place, (code, days) in enumerate(members.items()):
        if days.active_from <= scope.last_day:
            until = days.active_until
            left = until if until is not None and until <= scope.last_day else None
            folder.add("households.csv", code, place, days.active_from, left)
    for asset in list_assets(session, scope.community.id):
        if scope.is_over(asset.recorded_at):
            continue
        folder.add("assets.csv", asset.id, asset.experience_id)
        for line in list_share_lines(session, asset.id):
            if not scope.is_over(line.recorded_at):
                parties = (line.from_household, line.to_household, line.shares)
                folder.add(
                    "shares.csv",
                    *(asset.id, line.kind, *parties, line.effective_on, line.document_sha256),
                    *(line.recorded_by, *_decided(scope, line)),
                )
    for use in list_uses(session, scope.community.id):
        if not scope.is_over(use.recorded_at):
            what = (use.experience_id, use.asset_id, use.effective_on, use.recorded_by)
            folder.add("uses.csv", *what, *_decided(scope, use))


def _decided(scope: Scope, line: Any) -> tuple[str | None, int | None]:
    if line.decided_at is None or scope.is_over(line.decided_at):
        return None, None
    return str(line.decision), line.decided_by


# --- trips and bookings --------------------------------------------------------------------------


def _write_trips(session: Session, scope: Scope, folder: Folder) -> None:
    numbers = Numbers(session, scope.community.book_id)
    every = queries.list_settlements(session, scope.community.id)
    numbers.look(sharing_key(each.departure_id) for each in every)
    settled = {
        each.departure_id: each
        for each in every
        if not scope.is_later(numbers.of(sharing_key(each.departure_id)))
    }
    ids, whole = needed_bookings(session, scope, numbers, settled)
    money = Money(session, scope, folder, numbers)
    departures = set(whole)
    for chunk in booking_ids(session, scope.community.id):
        sold = [
            each
            for each in list_sold(session, chunk)
            if each.row.id in ids or each.row.departure_id in whole
        ]
        splits = (split_key(each.reference) for each in sold)
        numbers.look([*splits, *(key for each in sold for key in each.entry_keys())])
        money.write(sold, settled)
        departures.update(each.row.departure_id for each in sold)
        session.expunge_all()
    ordered = sorted(departures)
    for start in range(0, len(ordered), AT_ONCE):
        _write_departures(
            session, money, numbers, folder, ordered[start : start + AT_ONCE], settled
        )


def _write_departures(
    session: Session,
    money: Money,
    numbers: Numbers,
    folder: Folder,
    ids: list[int],
    settled: dict[int, SettlementCard],
) -> None:
    rows = session.execute(
        select(Departure.id, Option.experience_id, Departure.starts_on)
        .join(Option, Option.id == Departure.option_id)
        .where(Departure.id.in_(ids))
        .order_by(Departure.id)
    )
    for row in rows:
        own = settled.get(row.id)
        about: tuple[Cell, ...] = (
            (own.number, own.settled_at, own.settled_by) if own else (None, None, None)
        )
        folder.add("departures.csv", *row, *about)
    done = [each for each in ids if each in settled]
    numbers.look(map(sharing_key, done))
    money.note_earlier(*map(sharing_key, done))
    work = queries.list_work(session, done)
    prepared = queries.list_preparation(session, done)
    for departure_id in done:
        for each in work.get(departure_id, []):
            folder.add(
                "work.csv", departure_id, each.household, each.task, each.units, each.minutes
            )
        for cost in prepared.get(departure_id, []):
            folder.add("preparation.csv", departure_id, cost.household, cost.cost_satang)


# --- money that is no booking's ------------------------------------------------------------------


class _Rows:
    """Rows whose facts call for entries of some keys: which of them belong, and which came earlier."""

    def __init__(self, session: Session, scope: Scope, folder: Folder) -> None:
        self.numbers = Numbers(session, scope.community.book_id)
        self.scope = scope
        self.folder = folder

    def takes(self, *keys: str) -> bool:
        """Whether any of a row's keys belongs to the bundle; tells of those that came earlier."""
        self.numbers.look(keys)
        if not any(self.scope.has(self.numbers.of(key)) for key in keys):
            return False
        for key in keys:
            seq = self.numbers.of(key)
            if seq is not None and seq < self.scope.first_seq:
                self.folder.add("earlier.csv", key, seq)
        return True

    def is_later(self, key: str) -> bool:
        return self.scope.is_later(self.numbers.of(key))


def _write_accounts_outside(session: Session, scope: Scope, folder: Folder) -> None:
    """The cash box, what providers sent on, and what nothing explained."""
    rows, zone = _Rows(session, scope, folder), scope.community.zone
    for count in session.scalars(
        select(CashCount)
        .where(
            CashCount.community_id == scope.community.id,
            CashCount.agreed_at.is_not(None),
            CashCount.counted_satang != CashCount.expected_satang,
        )
        .order_by(CashCount.id)
    ):
        if rows.takes(f"cash_count:{count.id}"):
            on = village_day(count.agreed_at or count.counted_at, zone)
            figures = (count.id, count.expected_satang, count.counted_satang, on)
            folder.add("cash_counts.csv", *figures, count.counted_by, count.agreed_by)
    for banked, cleared in session.execute(
        select(CashBanked, CashCleared)
        .outerjoin(CashCleared, CashCleared.banked_id == CashBanked.id)
        .where(CashBanked.community_id == scope.community.id)
        .order_by(CashBanked.id)
    ):
        keys = [f"cash_banked:{banked.id}"] + [f"cash_cleared:{banked.id}"] * (cleared is not None)
        if not rows.takes(*keys):
            continue
        is_clear = cleared is not None and not rows.is_later(f"cash_cleared:{banked.id}")
        folder.add(
            "cash_banked.jsonl",
            *(banked.id, banked.amount_satang, banked.bank_reference),
            village_day(banked.banked_at, zone),
            cleared.is_back if is_clear else None,
            village_day(cleared.cleared_at, zone) if is_clear else None,
        )
    _write_provider_payouts(session, scope, folder, rows)
    _write_unexplained(session, scope, folder, rows)


def _write_provider_payouts(session: Session, scope: Scope, folder: Folder, rows: _Rows) -> None:
    for each in session.scalars(
        select(ProviderPayout)
        .join(PaymentAccount, PaymentAccount.id == ProviderPayout.payment_account_id)
        .where(
            PaymentAccount.community_id == scope.community.id, ProviderPayout.paid_at.is_not(None)
        )
        .order_by(ProviderPayout.id)
    ):
        name = f"{each.provider}:{each.payout_id}"
        failed = each.failed_at
        keys = [f"payout:{name}"] + [f"payout_failed:{name}"] * (failed is not None)
        if rows.takes(*keys):
            is_failed = failed is not None and not rows.is_later(f"payout_failed:{name}")
            folder.add(
                "provider_payouts.csv",
                *(each.provider, each.payout_id, each.amount_satang, each.arrives_on),
                village_day(failed, scope.community.zone) if failed and is_failed else None,
            )


def _write_unexplained(session: Session, scope: Scope, folder: Folder, rows: _Rows) -> None:
    zone = scope.community.zone
    for each, move in session.execute(
        select(ProviderTransaction, SuspenseMove)
        .join(PaymentAccount, PaymentAccount.id == ProviderTransaction.payment_account_id)
        .outerjoin(SuspenseMove, SuspenseMove.transaction_id == ProviderTransaction.id)
        .where(
            PaymentAccount.community_id == scope.community.id,
            ProviderTransaction.suspense_satang != 0,
        )
        .order_by(ProviderTransaction.id)
    ):
        name = f"{each.provider}:{each.transaction_id}"
        keys = [f"suspense:{name}"] + [f"suspense_cleared:{name}"] * (move is not None)
        if rows.takes(*keys):
            is_clear = move is not None and not rows.is_later(f"suspense_cleared:{name}")
            folder.add(
                "unexplained.csv",
                *(each.provider, each.transaction_id, each.suspense_satang),
                village_day(each.created_at, zone),
                *(
                    (move.amount_satang, move.how, village_day(move.moved_at, zone))
                    if is_clear
                    else (None, None, None)
                ),
            )


# --- after the sharing-out -----------------------------------------------------------------------


def _write_after(session: Session, scope: Scope, folder: Folder) -> None:
    rows, zone = _Rows(session, scope, folder), scope.community.zone
    for each in list_recovery_facts(session, scope.community.id, zone):
        if rows.takes(f"recovery:{each.recovery_id}"):
            what = (each.recovery_id, each.household, each.kind, each.amount_satang)
            folder.add("recoveries.csv", *what, each.recovered_on)
    for agreed in session.scalars(
        select(Correction)
        .where(
            Correction.community_id == scope.community.id,
            Correction.state == CorrectionState.AGREED,
        )
        .order_by(Correction.id)
    ):
        if rows.takes(f"correction:{agreed.id}"):
            folder.add(
                "corrections.csv",
                *(agreed.id, agreed.source, agreed.target, agreed.amount_satang),
                *(sha256(agreed.reason.encode()).hexdigest(), agreed.concerns_on),
                village_day(agreed.decided_at or agreed.asked_at, zone),
                *(agreed.asked_by, agreed.decided_by),
            )


def _write_payouts(session: Session, scope: Scope, folder: Folder) -> None:
    rows = _Rows(session, scope, folder)
    steps: dict[int, list[Any]] = {}
    for each in list_payout_facts(session, scope.community.id):
        steps.setdefault(each.line_id, []).append(each)
    lines = session.execute(
        select(PayoutLine, PayoutBatch)
        .join(PayoutBatch, PayoutBatch.id == PayoutLine.batch_id)
        .where(PayoutBatch.community_id == scope.community.id)
        .order_by(PayoutLine.id)
    )
    for line, batch in lines:
        own = steps.get(line.id, [])
        keys = {each.step: f"payout_{each.step}:{line.id}" for each in own}
        if not rows.takes(*keys.values()):
            continue
        about = (line.amount_satang, line.recovered_satang, batch.drafted_by, batch.decided_by)
        folder.add("payouts.csv", line.id, batch.number, own[0].household, *about)
        for each in sorted(own, key=lambda each: (each.on, each.step)):
            if not rows.is_later(keys[each.step]):
                what = (line.id, each.step, each.amount_satang, each.paid_from or None)
                folder.add("payout_steps.csv", *what, each.on)


def _write_funds(session: Session, scope: Scope, folder: Folder) -> None:
    rows = _Rows(session, scope, folder)
    told: dict[str, set[int]] = {"claim": set(), "loan": set()}
    about = {FundEvent.CLAIM_PAID: "claim", FundEvent.LOAN_PAID: "loan"}
    about[FundEvent.LOAN_WAIVED] = "loan"
    facts = list_fund_facts(session, scope.community.id)
    for each in sorted(facts, key=lambda each: (each.event, each.number)):
        if rows.takes(f"{each.event}:{each.number}"):
            what = (each.event, each.number, each.fund, each.amount_satang, each.account or None)
            folder.add("fund_events.csv", *what, each.on)
            if each.event in about:
                told[about[each.event]].add(each.number)
    for claim in session.scalars(
        select(FundClaim).where(FundClaim.id.in_(told["claim"])).order_by(FundClaim.id)
    ):
        folder.add(
            "fund_requests.csv", "claim", claim.id, claim.requested_by, claim.evidence_sha256
        )
    for loan in session.scalars(select(Loan).where(Loan.id.in_(told["loan"])).order_by(Loan.id)):
        folder.add("fund_requests.csv", "loan", loan.id, loan.requested_by, None)
    for approval in session.scalars(
        select(FundApproval)
        .where(
            or_(FundApproval.claim_id.in_(told["claim"]), FundApproval.loan_id.in_(told["loan"]))
        )
        .order_by(FundApproval.id)
    ):
        if not scope.is_over(approval.approved_at):
            what_ = "claim" if approval.claim_id else "loan"
            number = approval.claim_id or approval.loan_id
            folder.add("fund_approvals.csv", what_, number, approval.waives, approval.person_id)


# --- closed months -------------------------------------------------------------------------------


def _write_months(session: Session, scope: Scope, folder: Folder) -> None:
    """What was closed and signed, and the closed month before as it was signed."""
    anchor = [scope.before] if scope.before is not None else []
    for period in (*anchor, *scope.periods):
        month = f"{period.month:%Y-%m}"
        folder.add(
            "periods.jsonl",
            *(month, period.number, period.closing_seq, period.closed_at),
            *(period.prepared_by, period.approved_by, period.record, period.seal),
        )
        for each in period_queries.list_snapshot(session, period.id):
            moved = (each.opening_satang, each.debits_satang, each.credits_satang)
            folder.add("balances.csv", month, each.account, *moved, each.closing_satang)
        for signed in period_queries.list_signatures(session, period.id):
            made = (signed.public_key, signed.signature, signed.signed_by)
            folder.add("signatures.jsonl", month, signed.role, *made)
    for month, statement in _statements(session, scope):
        about = (month, statement.place, statement.household)
        folder.add("statements.jsonl", *about, statement.leaf_hash, statement.text)
    is_signed = bool(scope.periods) or scope.before is not None
    keys = period_queries.list_keys(session, scope.community.id) if is_signed else []
    by_id = {key.id: key.public_key for key in keys}
    for key in keys:
        follows = by_id.get(key.follows or 0, "")
        taken_in = (key.public_key, follows, key.endorsement, key.recorded_at)
        folder.add("keys.jsonl", key.role, key.person_id, *taken_in)


def _statements(session: Session, scope: Scope) -> Iterator[tuple[str, StatementCard]]:
    for period in scope.periods:
        for statement in period_queries.list_statements(session, period.id):
            yield f"{period.month:%Y-%m}", statement
