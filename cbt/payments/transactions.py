"""Movements on a community's account at a provider: each stored once, and none passed over in silence.

The books' balance of a provider shall equal what the provider holds. So of every movement that it
lists, what our records explain is in the books already (a payment and its fee, a refund, a dispute, a
payout), and the rest is posted to suspense, where it waits on the work list until a person clears it.
What is explained only in part - a fee that differs, the provider's own fee for a refund - leaves the
difference there: no booking's split can bear a fee that comes after it, so the management fund does.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any, Protocol, TypeVar

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking
from cbt.clock import village_day
from cbt.communities.models import Community
from cbt.db import db, transaction
from cbt.errors import (
    AnswerWrong,
    BalanceTooLow,
    FundTooLow,
    NoteMissing,
    NotFound,
    StateForbids,
)
from cbt.ledger import services as ledger
from cbt.ledger.entries import Draft
from cbt.payments import account_posting
from cbt.payments.account_posting import Clearing, ClearingFacts, SuspenseFacts
from cbt.payments.disputes import take_in_dispute
from cbt.payments.give_back import take_in_refund
from cbt.payments.models import Attempt, Capture, CaptureFee, PaymentAccount, Refund
from cbt.payments.provider import (
    DisputeState,
    PayoutState,
    Providers,
    RefundState,
    TellingProvider,
    Transaction,
)
from cbt.payments.queries import find_refund_by_ref
from cbt.payments.reported import (
    Dispute,
    ProviderPayout,
    ProviderTransaction,
    SuspenseMove,
    WorkKind,
)
from cbt.payments.take_in import take_in
from cbt.payments.work import close_work_about, is_on_list, open_work

CURRENCY = "THB"
DISPUTED = "dispute"
"""How the kinds of movements begin that are about disputes."""

CAPTURED_WITHIN = timedelta(days=1)
"""How long a payment to an attempt of ours may be listed before its look-up tells of it as well."""

_ACTOR = "payments"
_AT_ONCE = 500
_UNANSWERED = (RefundState.APPROVED, RefundState.SENT)
_BACK = (RefundState.FAILED, RefundState.BY_BANK, RefundState.CANCELLED)
"""States in which a refund's money is not with the guest by the provider, if it ever left."""

T = TypeVar("T")


@dataclass(frozen=True)
class Account:
    """A payment account at a provider that lists what happens on it, and its community's book."""

    id: int
    community_id: int
    book_id: int
    zone: str
    provider: str
    receiver: dict[str, str]
    reconciled_until: datetime | None
    first_attempt_at: datetime


class Place(Protocol):
    """A payment account, as far as what moves there is found by it."""

    @property
    def id(self) -> int: ...
    @property
    def community_id(self) -> int: ...
    @property
    def provider(self) -> str: ...


def list_accounts(providers: Providers) -> list[Account]:
    """The accounts at providers that list what happens on them, once anybody tried to pay there.

    Also those that take no new payments: what was paid before still moves.
    """
    telling = [name for name, each in providers.items() if each.capabilities.tells_us]
    rows = db.session.execute(
        select(
            PaymentAccount.id,
            PaymentAccount.community_id,
            Community.book_id,
            Community.zone,
            PaymentAccount.provider,
            PaymentAccount.receiver,
            PaymentAccount.reconciled_until,
            func.min(Attempt.created_at),
        )
        .join(Community, Community.id == PaymentAccount.community_id)
        .join(Attempt, Attempt.payment_account_id == PaymentAccount.id)
        .where(PaymentAccount.provider.in_(telling))
        .group_by(PaymentAccount.id, Community.id)
        .order_by(PaymentAccount.id)
    ).all()
    db.session.rollback()
    return [Account(*row) for row in rows]


# --- what a movement is --------------------------------------------------------------------------


class SourceKind(StrEnum):
    CAPTURE = "capture"
    REFUND = "refund"
    DISPUTE = "dispute"
    PAYOUT = "payout"


@dataclass(frozen=True)
class Source:
    """What our records say of the payment, refund, dispute or payout that a movement is about.

    The fee is what the provider kept of a payment (None: not known yet) or took for a dispute.
    `is_back`: our records know that what had left the account came back to it, or never left it.
    """

    kind: SourceKind
    amount_satang: int
    fee_satang: int | None = 0
    reference: str = ""
    attempt_id: int = 0
    is_back: bool = False


def explained_satang(each: Transaction, source: Source) -> int:
    """How much of a movement's net our books hold already; of a fee given back, what it says itself."""
    came = each.amount_satang > 0
    fee = source.fee_satang or 0
    if source.kind == SourceKind.CAPTURE:
        return source.amount_satang - fee
    if source.kind == SourceKind.DISPUTE:
        return source.amount_satang if came else -source.amount_satang - fee
    moved = source.amount_satang if came else -source.amount_satang
    return moved + max(0, -each.fee_satang)


def is_about(each: Transaction, source: Source) -> bool:
    """Whether a movement is the one that its source explains: of its whole amount, and the right way.

    A payment only ever brings money; all else takes it, and brings it back where our records say so.
    """
    if abs(each.amount_satang) != source.amount_satang:
        return False
    if source.kind == SourceKind.CAPTURE:
        return each.amount_satang > 0
    return each.amount_satang < 0 or source.is_back


def problem_of(each: Transaction) -> str:
    """Why a movement cannot be taken in at all, or ""."""
    if each.currency.upper() != CURRENCY:
        return "currency"
    if each.amount_satang - each.fee_satang != each.net_satang:
        return "net"
    return ""


# --- taking in -----------------------------------------------------------------------------------


def take_in_transactions(
    account: Account,
    listed: Sequence[Transaction],
    provider: TellingProvider,
    providers: Providers,
    now: datetime,
    *,
    is_window: bool = True,
) -> int:
    """Store the movements that are new, and post what nothing explains. Returns how many were stored.

    A payment to an attempt of ours that we have not taken in is first looked up. One that cannot be
    told yet (its fee is not known, its refund's answer was lost) waits for a later round: the account
    is then known only up to it. Where nothing is new, nothing is written. Raises ProviderDown.
    """
    new = _new_ones(account, listed)
    if not new:
        return 0
    sound = [each for each in new if not problem_of(each)]
    _note_wrong(account, [each for each in new if problem_of(each)], now)
    references = _learn(account, sound, provider, providers, now)
    sources = list_sources(db.session(), account, {each.source_id for each in sound})
    unanswered = _list_unanswered(db.session(), account)
    db.session.rollback()
    waiting = {
        each.id
        for each in sound
        if _must_wait(each, sources.get(each.source_id), references, unanswered, now)
    }
    ready = [each for each in sound if each.id not in waiting]
    if ready:
        until = min([now, *(each.created_at for each in sound if each.id in waiting)])
        _store(account, ready, sources, references, until if is_window else None, now)
    return len(ready)


def _new_ones(account: Account, listed: Iterable[Transaction]) -> list[Transaction]:
    """Those that are not stored yet, each once, the earliest first."""
    by_id = {each.id: each for each in listed}
    known: set[str] = set()
    for ids in _chunks(by_id):
        found = select(ProviderTransaction.transaction_id).where(
            ProviderTransaction.provider == account.provider,
            ProviderTransaction.transaction_id.in_(ids),
        )
        known.update(db.session.scalars(found))
    db.session.rollback()
    new = [each for transaction_id, each in by_id.items() if transaction_id not in known]
    return sorted(new, key=lambda each: (each.created_at, each.id))


def _chunks(ids: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(ids)
    while chunk := list(islice(rest, _AT_ONCE)):
        yield chunk


def _note_wrong(account: Account, wrong: Sequence[Transaction], now: datetime) -> None:
    """What contradicts itself, or is in another currency, books nothing: a person must look."""
    for each in wrong:
        facts = {"provider": account.provider, "name": each.id, "problem": problem_of(each)}
        note_wrong_answer(account, f"transaction:{account.provider}:{each.id}", facts, now)


def note_wrong_answer(account: Account, about: str, facts: dict[str, Any], now: datetime) -> None:
    """Put a provider's answer that cannot be right on the work list, once."""
    key = f"answer:{about}"
    if not is_on_list(db.session(), key):
        with transaction() as session:
            open_work(session, WorkKind.ANSWER_WRONG, key, account.community_id, facts, now)
    db.session.rollback()


def _learn(
    account: Account,
    new: Sequence[Transaction],
    provider: TellingProvider,
    providers: Providers,
    now: datetime,
) -> dict[str, str]:
    """Look up the attempts that new payments belong to, where a payment or its fee is not known.

    Returns the references of the bookings that payments we had not taken in are for, by movement.
    """
    sources = list_sources(db.session(), account, {each.source_id for each in new})
    db.session.rollback()
    references = {}
    for each in new:
        source = sources.get(each.source_id)
        if source is not None and source.fee_satang is None:
            take_in(source.attempt_id, providers, now)
        elif source is not None and source.kind == SourceKind.REFUND and each.amount_satang > 0:
            _hear_of_refund(account, each, providers, now)  # no message may have told of it
        elif _tells_of_dispute(each, source):
            _hear_of_dispute(account, each, provider, now)
        elif source is None and each.amount_satang > 0 and each.source_id:
            found = _find_attempt(account, provider, each.source_id)
            if found is not None:
                take_in(found[0], providers, now)
                references[each.id] = found[1]
    return references


def _hear_of_refund(
    account: Account, movement: Transaction, providers: Providers, now: datetime
) -> None:
    refund_id = find_refund_by_ref(db.session(), account.provider, movement.source_id)
    db.session.rollback()
    if refund_id is not None:
        take_in_refund(refund_id, providers, now)


def _tells_of_dispute(each: Transaction, source: Source | None) -> bool:
    """Whether a movement shows a dispute that is not known, as where it was a mere question of the bank
    for long, or that was decided otherwise than is known.
    """
    if source is None:
        return each.kind.startswith(DISPUTED) and bool(each.source_id)
    return source.kind == SourceKind.DISPUTE and each.amount_satang > 0 and not source.is_back


def _hear_of_dispute(
    account: Account, movement: Transaction, provider: TellingProvider, now: datetime
) -> None:
    try:
        told = provider.fetch_dispute(account.receiver, movement.source_id)
    except AnswerWrong:  # not a dispute that it knows: the movement stays unexplained
        return
    if told is not None:
        take_in_dispute(account.id, told, now)


def _find_attempt(
    account: Account, provider: TellingProvider, payment_id: str
) -> tuple[int, str] | None:
    """The attempt that a payment belongs to, and its booking's reference, as the provider knows."""
    wanted = provider.attempt_ref_of(account.receiver, payment_id)
    if wanted is None:
        return None
    row = db.session.execute(
        select(Attempt.id, Booking.reference)
        .join(Booking, Booking.id == Attempt.booking_id)
        .where(Attempt.provider_ref == wanted, Attempt.payment_account_id == account.id)
    ).one_or_none()
    db.session.rollback()
    return (row.id, row.reference) if row else None


def _must_wait(
    each: Transaction,
    source: Source | None,
    references: dict[str, str],
    unanswered: Sequence[int],
    now: datetime,
) -> bool:
    """Whether what a movement is cannot be told yet, though it will be."""
    if source is not None:
        return source.fee_satang is None
    if each.id in references:
        return each.created_at > now - CAPTURED_WITHIN
    return -each.amount_satang in unanswered


def _list_unanswered(session: Session, account: Account) -> list[int]:
    """The amounts of refunds that the provider may have made without our having its answer."""
    rows = session.scalars(
        select(Refund.amount_satang)
        .join(Capture, Capture.id == Refund.capture_id)
        .where(
            Refund.community_id == account.community_id,
            Capture.provider == account.provider,
            Refund.state.in_(_UNANSWERED),
            Refund.provider_ref.is_(None),
        )
    )
    return list(rows)


def list_sources(session: Session, account: Place, ids: set[str]) -> dict[str, Source]:
    """What our records say of some payments, refunds, disputes and payouts, by the provider's id."""
    found: dict[str, Source] = {}
    for chunk in _chunks(sorted(ids - {""})):
        for name, source in _read_sources(session, account, chunk):
            found[name] = source
    return found


def _read_sources(session: Session, account: Place, ids: list[str]) -> Iterator[tuple[str, Source]]:
    of = (Capture.community_id == account.community_id, Capture.provider == account.provider)
    captures = session.execute(
        select(
            Capture.payment_id,
            Capture.amount_satang,
            CaptureFee.amount_satang.label("fee_satang"),
            Booking.reference,
            Capture.attempt_id,
        )
        .join(Booking, Booking.id == Capture.booking_id)
        .outerjoin(CaptureFee, CaptureFee.capture_id == Capture.id)
        .where(*of, Capture.payment_id.in_(ids))
    )
    for capture in captures:
        money = (capture.amount_satang, capture.fee_satang)
        yield (
            capture.payment_id,
            Source(SourceKind.CAPTURE, *money, capture.reference, capture.attempt_id),
        )
    refunds = session.execute(
        select(
            *(Refund.provider_ref, Refund.amount_satang, Refund.state, Refund.paid_from),
            Booking.reference,
        )
        .join(Booking, Booking.id == Refund.booking_id)
        .join(Capture, Capture.id == Refund.capture_id)
        .where(*of, Refund.provider_ref.in_(ids))
    )
    for refund in refunds:
        left_by_it = refund.paid_from in (None, account.provider)
        is_back = refund.state in _BACK or (
            refund.state == RefundState.SUCCEEDED and not left_by_it
        )
        yield (
            str(refund.provider_ref),
            Source(
                SourceKind.REFUND,
                refund.amount_satang,
                reference=refund.reference,
                is_back=is_back,
            ),
        )
    disputes = session.execute(
        select(
            *(Dispute.provider_ref, Dispute.amount_satang, Dispute.fee_satang, Dispute.state),
            Booking.reference,
        )
        .join(Booking, Booking.id == Dispute.booking_id)
        .where(Dispute.community_id == account.community_id, Dispute.provider_ref.in_(ids))
    )
    for dispute in disputes:
        money = (dispute.amount_satang, dispute.fee_satang)
        is_back = dispute.state == DisputeState.WON
        yield (
            dispute.provider_ref,
            Source(SourceKind.DISPUTE, *money, dispute.reference, is_back=is_back),
        )
    payouts = session.execute(
        select(ProviderPayout.payout_id, ProviderPayout.amount_satang, ProviderPayout.state).where(
            ProviderPayout.payment_account_id == account.id, ProviderPayout.payout_id.in_(ids)
        )
    )
    for payout in payouts:
        is_back = payout.state == PayoutState.FAILED
        yield (
            payout.payout_id,
            Source(SourceKind.PAYOUT, payout.amount_satang, is_back=is_back),
        )


# --- storing -------------------------------------------------------------------------------------


def _store(
    account: Account,
    ready: Sequence[Transaction],
    sources: dict[str, Source],
    references: dict[str, str],
    until: datetime | None,
    now: datetime,
) -> None:
    """Write movements down, post what nothing explains of them, and open its work: all or nothing."""
    with transaction() as session:
        if until is not None:
            session.execute(
                update(PaymentAccount)
                .where(PaymentAccount.id == account.id)
                .values(reconciled_until=until)
            )
        taken = _taken(session, account, {each.source_id for each in ready})
        rows = []
        for each in ready:
            source = sources.get(each.source_id)
            side = (each.source_id, each.amount_satang > 0)
            is_expected = source is not None and is_about(each, source) and side not in taken
            if is_expected:
                taken.add(side)
            explained = explained_satang(each, source) if source and is_expected else 0
            judged = {
                "is_expected": is_expected,
                "suspense_satang": each.net_satang - explained,
            }
            rows.append({**_facts(account, each, now), **judged})
        ids = {
            row.transaction_id: row.id
            for row in session.execute(
                insert(ProviderTransaction).returning(
                    ProviderTransaction.id, ProviderTransaction.transaction_id
                ),
                rows,
            )
        }
        unexplained = [row for row in rows if row["suspense_satang"]]
        ledger.post_all(
            session, account.book_id, [_draft(account, each) for each in unexplained], now
        )
        for each_row in unexplained:
            name = each_row["transaction_id"]
            source = sources.get(each_row["source_id"])
            reference = source.reference if source else references.get(name, "")
            _open_unexplained(session, account, each_row, ids[name], reference, now)


def _taken(session: Session, account: Account, ids: set[str]) -> set[tuple[str, bool]]:
    """Which sources are explained by a stored movement already, and in which direction."""
    found: set[tuple[str, bool]] = set()
    for chunk in _chunks(sorted(ids)):
        rows = session.execute(
            select(ProviderTransaction.source_id, ProviderTransaction.amount_satang).where(
                ProviderTransaction.payment_account_id == account.id,
                ProviderTransaction.source_id.in_(chunk),
                ProviderTransaction.is_expected.is_(True),
            )
        )
        found.update((row.source_id, row.amount_satang > 0) for row in rows)
    return found


def _facts(account: Account, each: Transaction, now: datetime) -> dict[str, Any]:
    """A movement as its provider lists it."""
    return {
        "payment_account_id": account.id,
        "provider": account.provider,
        "transaction_id": each.id,
        "kind": each.kind,
        "source_id": each.source_id,
        "amount_satang": each.amount_satang,
        "fee_satang": each.fee_satang,
        "net_satang": each.net_satang,
        "created_at": each.created_at,
        "payout_id": each.payout_id,
        "recorded_at": now,
    }


def _draft(account: Account, row: dict[str, Any]) -> Draft:
    on = village_day(row["created_at"], account.zone)
    facts = SuspenseFacts(account.provider, row["transaction_id"], row["suspense_satang"], on)
    return account_posting.suspense_draft(facts, _ACTOR)


def _open_unexplained(
    session: Session,
    account: Account,
    row: dict[str, Any],
    row_id: int,
    reference: str,
    now: datetime,
) -> None:
    facts = {
        "transaction": row_id,
        "provider": account.provider,
        "name": row["transaction_id"],
        "kind": row["kind"],
        "amount_satang": row["suspense_satang"],
        "on": village_day(row["created_at"], account.zone).isoformat(),
        "reference": reference,
    }
    kind = WorkKind.FEE_DIFFERS if row["is_expected"] else WorkKind.UNKNOWN_MONEY
    key = work_key(account.provider, row["transaction_id"])
    open_work(session, kind, key, account.community_id, facts, now)


def work_key(provider: str, transaction_id: str) -> str:
    return f"transaction:{provider}:{transaction_id}"


# --- clearing ------------------------------------------------------------------------------------


def clear_suspense(
    community_id: int,
    transaction_id: int,
    how: Clearing,
    proof: str,
    person_id: int,
    now: datetime,
) -> None:
    """Clear what nothing explained of a movement (the row's id), and take it off the work list.

    Returned: money that came was given back from the bank, or money that left came back into it;
    `proof` is the bank's reference. Fund: the management fund's gain or cost; `proof` says why.
    Raises NoteMissing, NotFound, StateForbids when it was cleared before, and FundTooLow for a cost
    that the management fund does not hold; and then writes nothing.
    """
    proof = " ".join(proof.split())
    if not proof:
        raise NoteMissing
    with transaction() as session:
        row = session.execute(
            select(
                ProviderTransaction.provider,
                ProviderTransaction.transaction_id,
                ProviderTransaction.suspense_satang,
                Community.book_id,
                Community.zone,
            )
            .join(PaymentAccount, PaymentAccount.id == ProviderTransaction.payment_account_id)
            .join(Community, Community.id == PaymentAccount.community_id)
            .where(
                ProviderTransaction.id == transaction_id,
                PaymentAccount.community_id == community_id,
                ProviderTransaction.suspense_satang != 0,
            )
        ).one_or_none()
        if row is None:
            raise NotFound(thing="transaction")
        _move(session, transaction_id, row.suspense_satang, how, proof, person_id, now)
        facts = ClearingFacts(
            row.provider,
            row.transaction_id,
            row.suspense_satang,
            how,
            village_day(now, row.zone),
        )
        draft = account_posting.clearing_draft(facts, f"person:{person_id}")
        try:
            ledger.post(session, row.book_id, draft, now)
        except BalanceTooLow:
            raise FundTooLow(amount_satang=-row.suspense_satang) from None
        key = work_key(row.provider, row.transaction_id)
        close_work_about(session, key, proof, now, person_id)


def _move(
    session: Session,
    transaction_id: int,
    amount_satang: int,
    how: Clearing,
    proof: str,
    person_id: int,
    now: datetime,
) -> None:
    """Write down how a movement was cleared, once. Raises StateForbids."""
    values = {"amount_satang": amount_satang, "how": str(how), "proof": proof}
    try:
        with session.begin_nested():
            session.execute(
                insert(SuspenseMove),
                {
                    "transaction_id": transaction_id,
                    **values,
                    "moved_by": person_id,
                    "moved_at": now,
                },
            )
    except IntegrityError:
        raise StateForbids(thing="transaction", state="cleared", wanted="cleared") from None
