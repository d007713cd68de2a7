"""Opening books and posting entries. All are steps: the use case that calls them commits."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, insert, select, update
from sqlalchemy.orm import Session

from cbt.errors import AccountUnknown, BalanceTooLow, EntryConflict
from cbt.ledger import entries
from cbt.ledger.entries import Draft
from cbt.ledger.models import CREDIT, AccountBalance, Book, Entry, EntryLeg, LedgerAccount


def open_book(session: Session, code: str, founding: str) -> int:
    """Open empty books bound to `founding` (for instance the community's code)."""
    start = entries.genesis(code, founding)
    book = Book(code=code, genesis_hash=start, head_seq=0, head_hash=start)
    session.add(book)
    session.flush()
    return book.id


def open_account(
    session: Session, book_id: int, code: str, side: str, *, may_go_negative: bool = False
) -> None:
    """Open an account; `side` is ledger.models.DEBIT (owned) or CREDIT (owed)."""
    account = LedgerAccount(
        book_id=book_id, code=code, normal_side=side, may_go_negative=may_go_negative
    )
    session.add(account)
    session.flush()
    session.add(
        AccountBalance(account_id=account.id, may_go_negative=may_go_negative, balance_satang=0)
    )
    session.flush()


def post(session: Session, book_id: int, draft: Draft, now: datetime) -> int:
    """Append an entry to a book and return its sequence number.

    Posting the same key with the same content again returns the first entry's number and writes
    nothing. Raises EntryConflict (same key, other content), AccountUnknown, BalanceTooLow, or what
    `entries.require_valid` raises.
    """
    entries.require_valid(draft)
    code, seq, previous = _lock(session, book_id)
    earlier = _find_by_key(session, book_id, draft)
    if earlier:
        return earlier
    accounts = _accounts(session, book_id, draft)
    seq += 1
    digest = entries.digest(entries.canonical(code, seq, now, draft, previous))
    entry_id = session.execute(
        insert(Entry).returning(Entry.id),
        {
            "book_id": book_id,
            "seq": seq,
            "kind": draft.kind,
            "subject": draft.subject,
            "recorded_at": now,
            "effective_on": draft.effective_on,
            "policy_hash": draft.policy_hash,
            "input_hash": draft.input_hash,
            "reverses": draft.reverses,
            "key": draft.key,
            "fingerprint": entries.fingerprint(draft),
            "actor": draft.actor,
            "amount_satang": entries.total(draft.legs),
            "leg_count": len(draft.legs),
            "previous_hash": previous,
            "hash": digest,
        },
    ).scalar_one()
    _insert_legs(session, entry_id, draft, accounts)
    _move_balances(session, draft, accounts)
    session.execute(update(Book).where(Book.id == book_id).values(head_seq=seq, head_hash=digest))
    return seq


def _lock(session: Session, book_id: int) -> tuple[str, int, str]:
    """Lock the book by writing first; only then is its head read, so that the chain cannot fork."""
    row = session.execute(
        update(Book)
        .where(Book.id == book_id)
        .values(head_seq=Book.head_seq)
        .returning(Book.code, Book.head_seq, Book.head_hash)
    ).one()
    return row.code, row.head_seq, row.head_hash


def _find_by_key(session: Session, book_id: int, draft: Draft) -> int | None:
    entry = session.execute(
        select(Entry.seq, Entry.fingerprint).where(Entry.book_id == book_id, Entry.key == draft.key)
    ).one_or_none()
    if entry is None:
        return None
    if entry.fingerprint != entries.fingerprint(draft):
        raise EntryConflict(key=draft.key)
    return int(entry.seq)


@dataclass(frozen=True)
class _Account:
    """An account that an entry touches, as it stands under the book's lock."""

    id: int
    code: str
    side: str
    may_go_negative: bool
    balance_satang: int


def _accounts(session: Session, book_id: int, draft: Draft) -> dict[str, _Account]:
    """Every account that the legs name, by code."""
    codes = {code for leg in draft.legs for code in (leg.source, leg.target)}
    rows = session.execute(
        select(
            LedgerAccount.id,
            LedgerAccount.code,
            LedgerAccount.normal_side,
            LedgerAccount.may_go_negative,
            AccountBalance.balance_satang,
        )
        .join(AccountBalance, AccountBalance.account_id == LedgerAccount.id)
        .where(LedgerAccount.book_id == book_id, LedgerAccount.code.in_(codes))
    )
    found = {row.code: _Account(*row) for row in rows}
    for code in sorted(codes - found.keys()):
        raise AccountUnknown(account=code)
    return found


def _insert_legs(
    session: Session, entry_id: int, draft: Draft, accounts: dict[str, _Account]
) -> None:
    if draft.legs:
        session.execute(
            insert(EntryLeg),
            [
                {
                    "entry_id": entry_id,
                    "line": line,
                    "from_account_id": accounts[leg.source].id,
                    "to_account_id": accounts[leg.target].id,
                    "amount_satang": leg.amount_satang,
                    "rule": leg.rule,
                }
                for line, leg in enumerate(draft.legs, start=1)
            ],
        )


def _move_balances(session: Session, draft: Draft, accounts: dict[str, _Account]) -> None:
    """Move the running balances in one statement; a CHECK constraint stands behind the refusal."""
    after = {code: account.balance_satang for code, account in accounts.items()}
    for leg in draft.legs:
        after[leg.source] -= leg.amount_satang * _sign(accounts[leg.source])
        after[leg.target] += leg.amount_satang * _sign(accounts[leg.target])
    for code in sorted(after):
        if after[code] < 0 and not accounts[code].may_go_negative:
            raise BalanceTooLow(account=code)
    if after:
        balances = {accounts[code].id: balance for code, balance in after.items()}
        session.execute(
            update(AccountBalance)
            .where(AccountBalance.account_id.in_(balances))
            .values(balance_satang=case(balances, value=AccountBalance.account_id))
            .execution_options(synchronize_session=False)
        )


def _sign(account: _Account) -> int:
    """What being credited does to an account: what is owed grows, what is owned shrinks."""
    return 1 if account.side == CREDIT else -1
