"""Reading the books."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import case, func, or_, select, union_all
from sqlalchemy.orm import Session, aliased

from cbt.db import Condition, Query
from cbt.errors import NotFound
from cbt.ledger.entries import Draft, Leg
from cbt.ledger.journal import Format, write
from cbt.ledger.models import CREDIT, AccountBalance, Book, Entry, EntryLeg, LedgerAccount

_From = aliased(LedgerAccount, name="source")
_To = aliased(LedgerAccount, name="target")


@dataclass(frozen=True)
class Posted:
    """An entry as it stands in the books."""

    seq: int
    recorded_at: datetime
    draft: Draft
    amount_satang: int
    leg_count: int
    previous_hash: str
    hash: str


@dataclass(frozen=True)
class BookHead:
    code: str
    genesis_hash: str
    head_seq: int
    head_hash: str


def get_book(session: Session, book_id: int) -> BookHead:
    row = session.execute(
        select(Book.code, Book.genesis_hash, Book.head_seq, Book.head_hash).where(
            Book.id == book_id
        )
    ).one_or_none()
    if row is None:
        raise NotFound(thing="book")
    return BookHead(*row)


def stream_entries(session: Session, book_id: int, *conditions: Condition) -> Iterator[Posted]:
    """Entries of a book in order of their number, with legs, without holding them all in memory."""
    rows = session.execute(_entry_legs(book_id, *conditions).execution_options(yield_per=1000))
    for _seq, lines in groupby(rows, key=itemgetter(0)):
        yield _posted(list(lines))


def list_entries_about(session: Session, book_id: int, *subjects: str) -> list[Posted]:
    return list(stream_entries(session, book_id, Entry.subject.in_(subjects)))


def balances(session: Session, book_id: int) -> dict[str, int]:
    """The running balance of every account of a book on its normal side, in satang."""
    rows = session.execute(
        select(LedgerAccount.code, AccountBalance.balance_satang)
        .join(AccountBalance, AccountBalance.account_id == LedgerAccount.id)
        .where(LedgerAccount.book_id == book_id)
        .order_by(LedgerAccount.code)
    )
    return {row.code: row.balance_satang for row in rows}


def summed_balances(session: Session, book_id: int) -> dict[str, int]:
    """The same, summed anew from the legs."""
    credits_ = select(EntryLeg.to_account_id.label("id"), EntryLeg.amount_satang.label("amount"))
    debits = select(EntryLeg.from_account_id, -EntryLeg.amount_satang)
    moved = credits_.union_all(debits).subquery()
    sums = select(moved.c.id, func.sum(moved.c.amount).label("sum")).group_by(moved.c.id).subquery()
    sign = case((LedgerAccount.normal_side == CREDIT, 1), else_=-1)
    rows = session.execute(
        select(LedgerAccount.code, func.coalesce(sums.c.sum * sign, 0))
        .outerjoin(sums, sums.c.id == LedgerAccount.id)
        .where(LedgerAccount.book_id == book_id)
        .order_by(LedgerAccount.code)
    )
    return {code: int(total) for code, total in rows}


@dataclass(frozen=True)
class Flow:
    """What entries of one kind brought to an account and took from it, in satang, and how many they are."""

    kind: str
    came_satang: int
    left_satang: int
    entries: int


def account_flows(session: Session, book_id: int, account: str) -> list[Flow]:
    """What came to an account of the credit side and left it, by kind of entry."""
    account_id = select(LedgerAccount.id).where(
        LedgerAccount.book_id == book_id, LedgerAccount.code == account
    )
    target = account_id.scalar_subquery()
    came = case((EntryLeg.to_account_id == target, EntryLeg.amount_satang), else_=0)
    left = case((EntryLeg.from_account_id == target, EntryLeg.amount_satang), else_=0)
    rows = session.execute(
        select(Entry.kind, func.sum(came), func.sum(left), func.count(func.distinct(Entry.id)))
        .join(EntryLeg, EntryLeg.entry_id == Entry.id)
        .where(or_(EntryLeg.to_account_id == target, EntryLeg.from_account_id == target))
        .group_by(Entry.kind)
        .order_by(Entry.kind)
    )
    return [Flow(kind, int(came), int(left), count) for kind, came, left, count in rows]


def journal(session: Session, book_id: int, format_: Format) -> Iterator[str]:
    """The lines of a book's plain-text journal, entry by entry. Its balances are our running ones."""
    accounts = select(LedgerAccount.code, LedgerAccount.normal_side).where(
        LedgerAccount.book_id == book_id
    )
    sides: dict[str, str] = {row.code: row.normal_side for row in session.execute(accounts)}
    entries = ((each.seq, each.draft) for each in stream_entries(session, book_id))
    code = get_book(session, book_id).code
    return write(format_, code, entries, sides, balances(session, book_id))


def list_may_go_negative(session: Session, book_id: int) -> set[str]:
    """Accounts whose balance may be below zero for a while."""
    return set(
        session.scalars(
            select(LedgerAccount.code).where(
                LedgerAccount.book_id == book_id, LedgerAccount.may_go_negative.is_(True)
            )
        )
    )


@dataclass(frozen=True)
class StrayLeg:
    """A leg between two books: its entry's book and number, and the account of another book."""

    book_id: int
    seq: int
    account: str


def list_stray_legs(session: Session, book_id: int) -> list[StrayLeg]:
    """Legs that tie a book to another, whichever of the two the entry stands in."""
    queries = [
        select(Entry.book_id, Entry.seq, LedgerAccount.code)
        .join(EntryLeg, EntryLeg.entry_id == Entry.id)
        .join(LedgerAccount, LedgerAccount.id == side)
        .where(one_of_the_two == book_id, Entry.book_id != LedgerAccount.book_id)
        for side in (EntryLeg.from_account_id, EntryLeg.to_account_id)
        for one_of_the_two in (Entry.book_id, LedgerAccount.book_id)
    ]
    return [StrayLeg(*row) for row in session.execute(union_all(*queries))]


def account_movement(session: Session, book_id: int, account: str, *conditions: Condition) -> int:
    """What an account gained (credits minus debits) by the entries that fit, in satang."""
    account_id = select(LedgerAccount.id).where(
        LedgerAccount.book_id == book_id, LedgerAccount.code == account
    )
    target = account_id.scalar_subquery()
    signed = case((EntryLeg.to_account_id == target, 1), else_=-1) * EntryLeg.amount_satang
    total = session.scalar(
        select(func.coalesce(func.sum(signed), 0))
        .join(Entry, Entry.id == EntryLeg.entry_id)
        .where(
            or_(EntryLeg.from_account_id == target, EntryLeg.to_account_id == target), *conditions
        )
    )
    return int(total or 0)


@dataclass(frozen=True)
class Movement:
    """What some entries moved on an account: satang on either side, and which side it grows on."""

    account_id: int
    account: str
    side: str
    debits_satang: int
    credits_satang: int


def list_movements(session: Session, book_id: int, *conditions: Condition) -> list[Movement]:
    """What the entries that fit moved on each account of a book, in the order of the codes.

    Accounts that nothing moved are there with nothing.
    """
    sums = []
    for side in (EntryLeg.from_account_id, EntryLeg.to_account_id):
        moved = (
            select(side.label("id"), func.sum(EntryLeg.amount_satang).label("sum"))
            .join(Entry, Entry.id == EntryLeg.entry_id)
            .where(Entry.book_id == book_id, *conditions)
            .group_by(side)
        )
        sums.append(moved.subquery())
    debits, credits_ = sums
    rows = session.execute(
        select(
            LedgerAccount.id,
            LedgerAccount.code,
            LedgerAccount.normal_side,
            func.coalesce(debits.c.sum, 0),
            func.coalesce(credits_.c.sum, 0),
        )
        .outerjoin(debits, debits.c.id == LedgerAccount.id)
        .outerjoin(credits_, credits_.c.id == LedgerAccount.id)
        .where(LedgerAccount.book_id == book_id)
        .order_by(LedgerAccount.code)
    )
    return [Movement(row[0], row[1], row[2], int(row[3]), int(row[4])) for row in rows]


def find_late(session: Session, book_id: int, up_to: int, moment: datetime) -> int | None:
    """The first entry numbered up to `up_to` that was recorded after a moment, if there is one."""
    return session.scalar(
        select(func.min(Entry.seq)).where(
            Entry.book_id == book_id, Entry.seq <= up_to, Entry.recorded_at > moment
        )
    )


def find_first_day(session: Session, book_id: int) -> date | None:
    """The earliest day that any entry of a book is effective on."""
    return session.scalar(select(func.min(Entry.effective_on)).where(Entry.book_id == book_id))


def is_touching(book_id: int, prefix: str) -> Condition:
    """That an entry moves an account of a book whose code begins with `prefix`."""
    accounts = select(LedgerAccount.id).where(
        LedgerAccount.book_id == book_id, LedgerAccount.code.startswith(prefix, autoescape=True)
    )
    touched = select(EntryLeg.entry_id).where(
        or_(EntryLeg.from_account_id.in_(accounts), EntryLeg.to_account_id.in_(accounts))
    )
    return Entry.id.in_(touched)


def _entry_legs(book_id: int, *conditions: Condition) -> Query:
    """A row for each leg, and one for an entry without any, as `_posted` reads them."""
    return (
        select(
            Entry.seq,
            Entry.recorded_at,
            Entry.amount_satang,
            Entry.leg_count,
            Entry.previous_hash,
            Entry.hash,
            Entry.kind,
            Entry.subject,
            Entry.effective_on,
            Entry.key,
            Entry.actor,
            Entry.policy_hash,
            Entry.input_hash,
            Entry.reverses,
            _From.code.label("source"),
            _To.code.label("target"),
            EntryLeg.amount_satang.label("leg_satang"),
            EntryLeg.rule,
        )
        .outerjoin(EntryLeg, EntryLeg.entry_id == Entry.id)
        .outerjoin(_From, _From.id == EntryLeg.from_account_id)
        .outerjoin(_To, _To.id == EntryLeg.to_account_id)
        .where(Entry.book_id == book_id, *conditions)
        .order_by(Entry.seq, EntryLeg.line)
    )


def _posted(lines: list[Any]) -> Posted:
    seq, recorded_at, amount, leg_count, previous_hash, hash_, *about = lines[0][:14]
    kind, subject, effective_on, key, actor, policy_hash, input_hash, reverses = about
    draft = Draft(
        kind=kind,
        subject=subject,
        effective_on=effective_on,
        legs=tuple([Leg(*line[14:]) for line in lines if line[14] is not None]),
        key=key,
        actor=actor,
        policy_hash=policy_hash,
        input_hash=input_hash,
        reverses=reverses,
    )
    return Posted(seq, recorded_at, draft, amount, leg_count, previous_hash, hash_)
