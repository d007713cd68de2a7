"""Opening books and posting entries. All are steps: the use case that calls them commits."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Update, bindparam, case, insert, null, select, union_all, update
from sqlalchemy.orm import Session

from cbt.db import WholeNumber, table_of
from cbt.errors import AccountUnknown, BalanceTooLow, EntryConflict
from cbt.ledger import entries
from cbt.ledger.entries import Draft, Leg
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


def lock_book(session: Session, book_id: int) -> tuple[str, int, str]:
    """Lock a book and tell its code, last number and hash: nothing is posted until we commit."""
    code, seq, digest = session.execute(_LOCK, {"of_book": book_id}).one()
    return code, seq, digest


def lock_balance(session: Session, book_id: int, account: str) -> int:
    """Lock a book and tell an account's balance, in satang: nothing is posted until we commit."""
    session.execute(_LOCK, {"of_book": book_id})
    values = {"of_book": book_id, "keys": [], "codes": [account]}
    for row in session.execute(_ACCOUNTS_AND_EARLIER, values):
        return int(row.balance_satang)
    raise AccountUnknown(account=account)


def post(session: Session, book_id: int, draft: Draft, now: datetime) -> int:
    """Append an entry to a book and return its sequence number.

    Posting the same key with the same content again returns the first entry's number and writes
    nothing. Raises EntryConflict (same key, other content), AccountUnknown, BalanceTooLow, or what
    `entries.require_valid` raises.
    """
    return post_all(session, book_id, [draft], now)[0]


def post_all(session: Session, book_id: int, drafts: Sequence[Draft], now: datetime) -> list[int]:
    """Append several entries, with different keys, in their order and in as few statements as one."""
    for draft in drafts:
        entries.require_valid(draft)
    code, head, digest = session.execute(_LOCK, {"of_book": book_id}).one()
    earlier, known = _look(session, book_id, drafts)
    new = [draft for draft in drafts if draft.key not in earlier]
    if not new:
        return [earlier[draft.key] for draft in drafts]
    accounts = _accounts(new, known)
    rows = []
    for seq, draft in enumerate(new, start=head + 1):
        rows.append(_row(book_id, code, seq, draft, digest, now))
        digest = rows[-1]["hash"]
    ids = {row.seq: row.id for row in session.execute(_INSERT, rows)}
    _insert_legs(
        session, [(ids[row["seq"]], each) for row, each in zip(rows, new, strict=True)], accounts
    )
    _move_balances(session, new, accounts)
    session.execute(
        _MOVE_HEAD, {"of_book": book_id, "head_seq": head + len(new), "head_hash": digest}
    )
    numbers = earlier | {draft.key: row["seq"] for draft, row in zip(new, rows, strict=True)}
    return [numbers[draft.key] for draft in drafts]


_BOOK, _ENTRY = table_of(Book), table_of(Entry)
_ACCOUNT, _BALANCE = table_of(LedgerAccount), table_of(AccountBalance)

_LOCK = (  # by writing first: only then is its head read, so that the chain cannot fork
    update(_BOOK)
    .where(_BOOK.c.id == bindparam("of_book"))
    .values(head_seq=_BOOK.c.head_seq)
    .returning(_BOOK.c.code, _BOOK.c.head_seq, _BOOK.c.head_hash)
)
_MOVE_HEAD = update(_BOOK).where(_BOOK.c.id == bindparam("of_book"))
_ACCOUNTS_AND_EARLIER = union_all(
    select(
        _ACCOUNT.c.id,
        _ACCOUNT.c.code,
        _ACCOUNT.c.normal_side,
        _ACCOUNT.c.may_go_negative,
        _BALANCE.c.balance_satang,
        *(null().label("key"), null().label("seq"), null().label("fingerprint")),
    )
    .join(_BALANCE, _BALANCE.c.account_id == _ACCOUNT.c.id)
    .where(
        _ACCOUNT.c.book_id == bindparam("of_book"),
        _ACCOUNT.c.code.in_(bindparam("codes", expanding=True)),
    ),
    select(*(null(),) * 5, _ENTRY.c.key, _ENTRY.c.seq, _ENTRY.c.fingerprint).where(
        _ENTRY.c.book_id == bindparam("of_book"),
        _ENTRY.c.key.in_(bindparam("keys", expanding=True)),
    ),
)
_INSERT = insert(_ENTRY).returning(_ENTRY.c.id, _ENTRY.c.seq)
_INSERT_LEGS = insert(table_of(EntryLeg))


def _row(
    book_id: int, code: str, seq: int, draft: Draft, previous: str, now: datetime
) -> dict[str, Any]:
    return {
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
        "hash": entries.digest(entries.canonical(code, seq, now, draft, previous)),
    }


@dataclass(frozen=True)
class _Account:
    """An account that an entry touches, as it stands under the book's lock."""

    id: int
    code: str
    side: str
    may_go_negative: bool
    balance_satang: int


def _look(
    session: Session, book_id: int, drafts: Sequence[Draft]
) -> tuple[dict[str, int], dict[str, _Account]]:
    """(the numbers of entries that were posted before, by key; the accounts of the legs, by code).

    One statement. Raises EntryConflict where an earlier entry says something else.
    """
    by_key = {draft.key: draft for draft in drafts}
    values = {"of_book": book_id, "keys": list(by_key), "codes": sorted(_codes(drafts))}
    earlier: dict[str, int] = {}
    accounts: dict[str, _Account] = {}
    for row in session.execute(_ACCOUNTS_AND_EARLIER, values):
        if row.key is None:
            accounts[row.code] = _Account(*row[:5])
            continue
        if row.fingerprint != entries.fingerprint(by_key[row.key]):
            raise EntryConflict(key=row.key)
        earlier[row.key] = row.seq
    return earlier, accounts


def _accounts(drafts: Sequence[Draft], known: dict[str, _Account]) -> dict[str, _Account]:
    """Every account that the legs name, by code. Raises AccountUnknown."""
    codes = sorted(_codes(drafts))
    for code in codes:
        if code not in known:
            raise AccountUnknown(account=code)
    return {code: known[code] for code in codes}


def _codes(drafts: Sequence[Draft]) -> set[str]:
    return {code for leg in _legs(drafts) for code in (leg.source, leg.target)}


def _legs(drafts: Sequence[Draft]) -> Iterator[Leg]:
    for draft in drafts:
        yield from draft.legs


def _insert_legs(
    session: Session, written: Iterable[tuple[int, Draft]], accounts: dict[str, _Account]
) -> None:
    rows = [
        {
            "entry_id": entry_id,
            "line": line,
            "from_account_id": accounts[leg.source].id,
            "to_account_id": accounts[leg.target].id,
            "amount_satang": leg.amount_satang,
            "rule": leg.rule,
        }
        for entry_id, draft in written
        for line, leg in enumerate(draft.legs, start=1)
    ]
    if rows:
        session.execute(_INSERT_LEGS, rows)


def _move_balances(
    session: Session, drafts: Sequence[Draft], accounts: dict[str, _Account]
) -> None:
    """Move the running balances in one statement; a CHECK constraint stands behind the refusal."""
    after = {code: account.balance_satang for code, account in accounts.items()}
    signs = {code: _sign(account) for code, account in accounts.items()}
    guarded = {code for code, account in accounts.items() if not account.may_go_negative}
    for draft in drafts:
        touched: set[str] = set()
        for source, target, amount, _rule in draft.legs:
            after[source] -= amount * signs[source]
            after[target] += amount * signs[target]
            touched.update((source, target))
        low = [code for code in touched & guarded if after[code] < 0]
        if low:
            raise BalanceTooLow(account=min(low))
    if after:
        values: dict[str, int] = {}
        for number, code in enumerate(after):
            values |= {f"account_{number}": accounts[code].id, f"balance_{number}": after[code]}
        session.execute(_move(len(after)), values)


@lru_cache(maxsize=64)
def _move(number: int) -> Update:
    """The statement that sets so many balances at once."""
    ids = [bindparam(f"account_{each}", type_=WholeNumber) for each in range(number)]
    balances = [bindparam(f"balance_{each}", type_=WholeNumber) for each in range(number)]
    cases = [
        (_BALANCE.c.account_id == account, balance)
        for account, balance in zip(ids, balances, strict=True)
    ]
    return (
        update(_BALANCE).where(_BALANCE.c.account_id.in_(ids)).values(balance_satang=case(*cases))
    )


def _sign(account: _Account) -> int:
    """What being credited does to an account: what is owed grows, what is owned shrinks."""
    return 1 if account.side == CREDIT else -1
