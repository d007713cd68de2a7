"""Payouts: what a provider sends on to the community's bank. Their state only moves forward.

The books move the money when the provider says that it arrived, and back when the bank refused it. A
payout that arrived is checked once: the nets of its movements must sum to it.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cbt.clock import village_day
from cbt.db import columns, db, transaction
from cbt.ledger import services as ledger
from cbt.payments import account_posting
from cbt.payments.account_posting import PayoutFacts
from cbt.payments.models import PaymentAccount
from cbt.payments.provider import NormalisedPayout, PayoutState, Providers, TellingProvider
from cbt.payments.reported import ProviderPayout, WorkKind
from cbt.payments.transactions import (
    CURRENCY,
    Account,
    note_wrong_answer,
    take_in_transactions,
)
from cbt.payments.work import close_work_about, open_work

CHECKED_WITHIN = timedelta(days=31)
"""How long a payout is looked at whose movements the provider has not listed yet."""

_ACTOR = "payments"
_EARLIER = {
    PayoutState.ON_THE_WAY: (),
    PayoutState.PAID: (PayoutState.ON_THE_WAY,),
    PayoutState.FAILED: (PayoutState.ON_THE_WAY, PayoutState.PAID),
}
"""From which states each may be reached; a late report of an earlier one is ignored."""


@dataclass(frozen=True)
class PayoutCard:
    """A payout as it is known; `checked_satang` is the sum of its movements, once it was checked."""

    id: int
    payment_account_id: int
    provider: str
    payout_id: str
    amount_satang: int
    state: PayoutState
    created_at: datetime
    arrives_on: date
    checked_satang: int | None
    paid_at: datetime | None
    failed_at: datetime | None

    @property
    def differs_satang(self) -> int:
        """By how much its movements sum to more than it is; 0 also while that is not known."""
        return 0 if self.checked_satang is None else self.checked_satang - self.amount_satang


def count_payouts(session: Session, community_id: int) -> int:
    found = session.scalar(
        select(func.count())
        .select_from(ProviderPayout)
        .join(PaymentAccount, PaymentAccount.id == ProviderPayout.payment_account_id)
        .where(PaymentAccount.community_id == community_id)
    )
    return found or 0


def list_payouts(
    session: Session, community_id: int, most: int, first: int = 0
) -> list[PayoutCard]:
    """A community's payouts, the newest first; `most` of them after the `first` ones."""
    return _cards(
        session.execute(
            select(*columns(ProviderPayout, PayoutCard))
            .join(PaymentAccount, PaymentAccount.id == ProviderPayout.payment_account_id)
            .where(PaymentAccount.community_id == community_id)
            .order_by(ProviderPayout.created_at.desc(), ProviderPayout.id.desc())
            .offset(first)
            .limit(most)
        )
    )


def _cards(rows: Iterable[Sequence[object]]) -> list[PayoutCard]:
    found = [PayoutCard(*row) for row in rows]  # type: ignore[arg-type]  # as the columns stand
    return [PayoutCard(**{**vars(each), "state": PayoutState(each.state)}) for each in found]


def oldest_on_the_way(session: Session, account: Account) -> datetime | None:
    """Since when a payout is on its way whose end is not known."""
    found: datetime | None = session.scalar(
        select(func.min(ProviderPayout.created_at)).where(
            ProviderPayout.payment_account_id == account.id,
            ProviderPayout.state == PayoutState.ON_THE_WAY,
        )
    )
    return found


def list_paid(session: Session, account: Account, ids: Collection[str]) -> list[str]:
    """Which of some payouts are known and not known to have failed."""
    rows = session.scalars(
        select(ProviderPayout.payout_id).where(
            ProviderPayout.payment_account_id == account.id,
            ProviderPayout.payout_id.in_(sorted(ids)),
            ProviderPayout.state != PayoutState.FAILED,
        )
    )
    return list(rows)


def take_in_payouts(account: Account, listed: Sequence[NormalisedPayout], now: datetime) -> int:
    """Write down payouts that are new or moved on, and what they did to the books.

    Returns how many. One in another currency, or of another amount than before, books nothing and
    goes to the work list. One that takes money from the bank is a movement that nothing explains.
    """
    known = {
        each.payout_id: each
        for each in _list_known(db.session(), account, [each.id for each in listed])
    }
    db.session.rollback()
    taken = 0
    for each in sorted(listed, key=lambda payout: (payout.created_at, payout.id)):
        if each.amount_satang <= 0:
            continue
        before = known.get(each.id)
        if each.currency.upper() != CURRENCY or (
            before is not None and before.amount_satang != each.amount_satang
        ):
            problem = "amount" if each.currency.upper() == CURRENCY else "currency"
            facts = {"provider": account.provider, "name": each.id, "problem": problem}
            note_wrong_answer(account, payout_key(account.provider, each.id), facts, now)
        elif before is None or before.state in _EARLIER[each.state]:
            taken += _write_down(account, each, now)
    return taken


def _list_known(session: Session, account: Account, ids: list[str]) -> list[PayoutCard]:
    return _cards(
        session.execute(
            select(*columns(ProviderPayout, PayoutCard)).where(
                ProviderPayout.payment_account_id == account.id, ProviderPayout.payout_id.in_(ids)
            )
        )
    )


def _write_down(account: Account, payout: NormalisedPayout, now: datetime) -> bool:
    """One payout, new or moved on; what was overtaken meanwhile is left alone."""
    with transaction() as session:
        _insert_if_new(session, account, payout)
        earlier = _EARLIER[payout.state]
        stamp = {PayoutState.PAID: "paid_at", PayoutState.FAILED: "failed_at"}.get(payout.state)
        moved = None
        if stamp is not None:
            moved = session.execute(
                update(ProviderPayout)
                .where(
                    ProviderPayout.provider == account.provider,
                    ProviderPayout.payout_id == payout.id,
                    ProviderPayout.state.in_(earlier),
                )
                .values({"state": payout.state, stamp: now})
                .returning(ProviderPayout.paid_at, ProviderPayout.arrives_on)
            ).one_or_none()
        if moved is None:
            return stamp is None
        about = (account.provider, payout.id, payout.amount_satang)
        if payout.state == PayoutState.PAID:
            draft = account_posting.payout_draft(PayoutFacts(*about, moved.arrives_on), _ACTOR)
            ledger.post(session, account.book_id, draft, now)
        else:
            _fail(session, account, payout, was_paid=moved.paid_at is not None, now=now)
    return True


def _insert_if_new(session: Session, account: Account, payout: NormalisedPayout) -> None:
    """A payout's row, on its way; what else the provider says of it follows by its own statement."""
    values = {
        "payment_account_id": account.id,
        "provider": account.provider,
        "payout_id": payout.id,
        "amount_satang": payout.amount_satang,
        "state": PayoutState.ON_THE_WAY,
        "created_at": payout.created_at,
        "arrives_on": payout.arrives_on,
    }
    known = select(ProviderPayout.id).where(
        ProviderPayout.provider == account.provider, ProviderPayout.payout_id == payout.id
    )
    if session.scalar(known) is None:
        try:
            with session.begin_nested():
                session.execute(insert(ProviderPayout), values)
        except IntegrityError:  # somebody else wrote it down at the same moment
            return


def _fail(
    session: Session, account: Account, payout: NormalisedPayout, *, was_paid: bool, now: datetime
) -> None:
    """The bank refused it: the money is at the provider again, and a person must look."""
    if was_paid:
        on = village_day(now, account.zone)
        facts = PayoutFacts(account.provider, payout.id, payout.amount_satang, on)
        ledger.post(
            session, account.book_id, account_posting.payout_failed_draft(facts, _ACTOR), now
        )
    key = payout_key(account.provider, payout.id)
    close_work_about(session, f"not_seen:{key}", str(payout.state), now)
    told = {
        "provider": account.provider,
        "name": payout.id,
        "amount_satang": payout.amount_satang,
        "on": payout.arrives_on.isoformat(),
    }
    open_work(session, WorkKind.PAYOUT_FAILED, f"failed:{key}", account.community_id, told, now)


def payout_key(provider: str, payout_id: str) -> str:
    return f"payout:{provider}:{payout_id}"


# --- the sum -------------------------------------------------------------------------------------


def check_payouts(
    account: Account, provider: TellingProvider, providers: Providers, now: datetime
) -> int:
    """Sum the movements of each payout that arrived, once; return how many were summed.

    A movement that was not known yet, as from before the account was connected, is taken in. A
    payout whose movements the provider does not list (yet) is asked about again at the next round.
    """
    rows = db.session.execute(
        select(ProviderPayout.payout_id, ProviderPayout.amount_satang)
        .where(
            ProviderPayout.payment_account_id == account.id,
            ProviderPayout.state == PayoutState.PAID,
            ProviderPayout.checked_satang.is_(None),
            ProviderPayout.created_at > now - CHECKED_WITHIN,
        )
        .order_by(ProviderPayout.id)
    ).all()
    db.session.rollback()
    checked = 0
    for payout_id, amount in rows:
        listed = provider.list_transactions_of(account.receiver, payout_id)
        own = [each for each in listed if each.source_id != payout_id]
        if not own:
            continue
        take_in_transactions(account, own, provider, providers, now, is_window=False)
        _note_sum(account, payout_id, amount, sum(each.net_satang for each in own), now)
        checked += 1
    return checked


def _note_sum(account: Account, payout_id: str, amount: int, summed: int, now: datetime) -> None:
    with transaction() as session:
        session.execute(
            update(ProviderPayout)
            .where(
                ProviderPayout.provider == account.provider,
                ProviderPayout.payout_id == payout_id,
            )
            .values(checked_satang=summed)
        )
        if summed != amount:
            facts = {
                "provider": account.provider,
                "name": payout_id,
                "amount_satang": amount,
                "summed_satang": summed,
            }
            key = f"sum:{payout_key(account.provider, payout_id)}"
            open_work(session, WorkKind.PAYOUT_DIFFERS, key, account.community_id, facts, now)
