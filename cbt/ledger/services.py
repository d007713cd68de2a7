"""Opening books and posting entries. All are steps: the use case that calls them commits."""

from datetime import datetime

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
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


def _accounts(session: Session, book_id: int, draft: Draft) -> dict[str, tuple[int, str]]:
    """The id and normal side of every account that the legs name."""
    codes = {code for leg in draft.legs for code in (leg.source, leg.target)}
    rows = session.execute(
        select(LedgerAccount.code, LedgerAccount.id, LedgerAccount.normal_side).where(
            LedgerAccount.book_id == book_id, LedgerAccount.code.in_(codes)
        )
    )
    found = {row.code: (row.id, row.normal_side) for row in rows}
    for code in sorted(codes - found.keys()):
        raise AccountUnknown(account=code)
    return found


def _insert_legs(
    session: Session, entry_id: int, draft: Draft, accounts: dict[str, tuple[int, str]]
) -> None:
    if draft.legs:
        session.execute(
            insert(EntryLeg),
            [
                {
                    "entry_id": entry_id,
                    "line": line,
                    "from_account_id": accounts[leg.source][0],
                    "to_account_id": accounts[leg.target][0],
                    "amount_satang": leg.amount_satang,
                    "rule": leg.rule,
                }
                for line, leg in enumerate(draft.legs, start=1)
            ],
        )


def _move_balances(session: Session, draft: Draft, accounts: dict[str, tuple[int, str]]) -> None:
    changes: dict[str, int] = {}
    for leg in draft.legs:
        for code, credit in ((leg.source, -leg.amount_satang), (leg.target, leg.amount_satang)):
            sign = 1 if accounts[code][1] == CREDIT else -1
            changes[code] = changes.get(code, 0) + sign * credit
    for code in sorted(changes, key=lambda code: accounts[code][0]):
        try:
            session.execute(_MOVE, {"account": accounts[code][0], "change": changes[code]})
        except IntegrityError:
            raise BalanceTooLow(account=code) from None


_MOVE = (
    update(AccountBalance)
    .where(AccountBalance.account_id == bindparam("account"))
    .values(balance_satang=AccountBalance.balance_satang + bindparam("change"))
    .execution_options(synchronize_session=False)
)
