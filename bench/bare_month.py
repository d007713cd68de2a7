"""The floors of `bench.revenue`: the same sums and the same rows, without any of our rules.

A largest remainder of plain whole numbers; and the rows that settling or closing a month writes, kept as
they are and written again by SQLAlchemy Core's executemany into tables of the same columns, keys and
indexes, in as many transactions. Nothing is read, checked, computed or hashed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Any

from sqlalchemy import (
    Column,
    Engine,
    Index,
    MetaData,
    Table,
    UniqueConstraint,
    bindparam,
    insert,
    select,
    update,
)

from cbt.bookings.models import Booking, Departure
from cbt.bookings.states import BookingState, DepartureState
from cbt.db import WholeNumber, table_of
from cbt.ledger.models import AccountBalance, Book, Entry, EntryLeg, LedgerAccount
from cbt.revenue.closed import HouseholdStatement, Period, PeriodBalance, PeriodRule
from cbt.revenue.models import Settlement

Row = dict[str, Any]
_WRITING = {"cbt_writing": True}
_APART = 10_000_000  # between the ids of one round and those of the next
_metadata = MetaData()


def _plain(model: Any) -> Table:
    """A table like one of ours, without its checks, its links to others and its triggers."""
    table = table_of(model)
    columns = [
        Column(
            each.name,
            WholeNumber if each.foreign_keys else each.type,
            primary_key=each.primary_key,
            nullable=each.nullable,
        )
        for each in table.columns
    ]
    keys = [
        UniqueConstraint(*(column.name for column in each.columns))
        for each in table.constraints
        if isinstance(each, UniqueConstraint)
    ]
    indexes = [
        Index(f"plain_{each.name}", *(column.name for column in each.columns))
        for each in table.indexes
    ]
    return Table(f"plain_{table.name}", _metadata, *columns, *keys, *indexes)


_ENTRY, _LEG, _SETTLEMENT = _plain(Entry), _plain(EntryLeg), _plain(Settlement)
_BALANCE, _BOOK = _plain(AccountBalance), _plain(Book)
_DEPARTURE, _BOOKING = _plain(Departure), _plain(Booking)
_PERIOD, _STATEMENT = _plain(Period), _plain(HouseholdStatement)
_SNAPSHOT, _RULE = _plain(PeriodBalance), _plain(PeriodRule)
_MOVE = (
    update(_BALANCE)
    .where(_BALANCE.c.account_id == bindparam("account"))
    .values(balance_satang=bindparam("after"))
)


def largest_remainder(total: int, weights: Sequence[int]) -> list[int]:
    """Divide by weights, rounded down; what is left over goes to the largest remainders."""
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda place: -(total * weights[place] % whole))
    for place in order[: total - sum(parts)]:
        parts[place] += 1
    return parts


# --- settling ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Batch:
    """What one transaction of settling wrote."""

    entries: list[Row]
    legs: list[Row]
    settlements: list[Row]
    departures: list[int]
    bookings: list[int]
    balances: list[Row] = field(default_factory=list)


def prepare(engine: Engine, community_id: int, book_id: int) -> None:
    """Make the plain tables, with the rows that settling changes in place."""
    _metadata.create_all(engine)
    for plain, model, condition in (
        (_BOOK, Book, Book.id == book_id),
        (_DEPARTURE, Departure, Departure.community_id == community_id),
        (_BOOKING, Booking, Booking.community_id == community_id),
        (_BALANCE, AccountBalance, AccountBalance.account_id.in_(_accounts(book_id))),
    ):
        with engine.begin() as connection:
            rows = [
                dict(row._mapping)
                for row in connection.execute(select(table_of(model)).where(condition))
            ]
            connection.execute(insert(plain), rows)


def _accounts(book_id: int) -> Any:
    return select(LedgerAccount.id).where(LedgerAccount.book_id == book_id)


def read_batches(engine: Engine, book_id: int, batches: Iterable[Sequence[int]]) -> list[Batch]:
    """What settling departures wrote, a batch for each transaction."""
    found = []
    for ids in batches:
        with engine.begin() as connection:
            booked = connection.execute(
                select(Booking.id, Booking.reference).where(Booking.departure_id.in_(ids))
            ).all()
            keys = [f"split:{row.reference}" for row in booked]
            keys += [f"sharing_out:{each}" for each in ids]
            entries = connection.execute(
                select(table_of(Entry)).where(Entry.book_id == book_id, Entry.key.in_(keys))
            )
            entries = [dict(row._mapping) for row in entries]
            legs = connection.execute(
                select(table_of(EntryLeg)).where(
                    EntryLeg.entry_id.in_([each["id"] for each in entries])
                )
            )
            legs = [dict(row._mapping) for row in legs]
            settled = connection.execute(
                select(table_of(Settlement)).where(Settlement.departure_id.in_(ids))
            )
            touched = {leg[side] for leg in legs for side in ("from_account_id", "to_account_id")}
            found.append(
                Batch(
                    entries,
                    legs,
                    [dict(row._mapping) for row in settled],
                    list(ids),
                    [row.id for row in booked],
                    [{"account": each, "after": 1} for each in sorted(touched)],
                )
            )
    return found


def shifted(batches: Iterable[Batch], number: int) -> list[Batch]:
    """The same rows under ids and books of their own, so that each round writes new ones."""
    by = number * _APART
    return [
        Batch(
            [row | {"id": row["id"] + by, "book_id": row["book_id"] + by} for row in each.entries],
            [row | {"entry_id": row["entry_id"] + by} for row in each.legs],
            [
                row | {name: row[name] + by for name in ("id", "departure_id", "community_id")}
                for row in each.settlements
            ],
            each.departures,
            each.bookings,
            each.balances,
        )
        for each in batches
    ]


def write(engine: Engine, batches: Iterable[Batch]) -> None:
    """Write the rows of each batch in a transaction of its own."""
    for each in batches:
        with engine.connect().execution_options(**_WRITING) as connection, connection.begin():
            connection.execute(
                update(_DEPARTURE)
                .where(_DEPARTURE.c.id.in_(each.departures))
                .values(state=DepartureState.SETTLED)
            )
            connection.execute(
                update(_BOOKING)
                .where(_BOOKING.c.id.in_(each.bookings))
                .values(state=BookingState.SETTLED)
            )
            connection.execute(insert(_ENTRY), each.entries)
            connection.execute(insert(_LEG), each.legs)
            connection.execute(_MOVE, each.balances)
            connection.execute(update(_BOOK).values(head_seq=_BOOK.c.head_seq + 1))
            connection.execute(insert(_SETTLEMENT), each.settlements)


# --- closing, exporting --------------------------------------------------------------------------


def read_close(engine: Engine, community_id: int) -> dict[str, list[Row]]:
    """What closing a month wrote, by table."""
    with engine.begin() as connection:
        period = connection.execute(
            select(table_of(Period)).where(Period.community_id == community_id)
        ).one()
        found: dict[str, list[Row]] = {_PERIOD.name: [dict(period._mapping)]}
        for plain, model in (
            (_STATEMENT, HouseholdStatement),
            (_SNAPSHOT, PeriodBalance),
            (_RULE, PeriodRule),
        ):
            table = table_of(model)
            rows = connection.execute(select(table).where(table.c.period_id == period.id))
            found[plain.name] = [dict(row._mapping) for row in rows]
    return found


def close(engine: Engine, book_id: int, rows: dict[str, list[Row]], number: int) -> None:
    """Read the month's legs once, and write a close's rows, in one transaction."""
    with engine.connect().execution_options(**_WRITING) as connection, connection.begin():
        for _row in connection.execute(_legs_of(book_id)):
            pass
        for name, kept in rows.items():
            table = _metadata.tables[name]
            shifted_names = [
                each for each in ("id", "period_id", "community_id", "number") if each in table.c
            ]
            connection.execute(
                insert(table),
                [
                    row | {each: row[each] + number * _APART for each in shifted_names}
                    for row in kept
                ],
            )


def journal(engine: Engine, book_id: int) -> int:
    """Read the same rows once and write as many lines; tells how many."""
    out = StringIO()
    seq = lines = 0
    with engine.connect() as connection:
        for row in connection.execute(_legs_of(book_id)):
            if row.seq != seq:
                seq = row.seq
                out.write(f"\n{row.effective_on} {row.kind} {row.subject} {row.key}\n")
                out.write(f"  {row.source}  {row.amount_satang}\n")
                lines += 3
            out.write(f"  {row.target}  {row.amount_satang}\n")
            lines += 1
    return lines


def _legs_of(book_id: int) -> Any:
    entry, leg, account = table_of(Entry), table_of(EntryLeg), table_of(LedgerAccount)
    source, target = account.alias("source"), account.alias("target")
    return (
        select(
            *(entry.c.seq, entry.c.effective_on, entry.c.kind, entry.c.subject, entry.c.key),
            *(source.c.code.label("source"), target.c.code.label("target"), leg.c.amount_satang),
        )
        .join(leg, leg.c.entry_id == entry.c.id)
        .join(source, source.c.id == leg.c.from_account_id)
        .join(target, target.c.id == leg.c.to_account_id)
        .where(entry.c.book_id == book_id)
        .order_by(entry.c.seq, leg.c.line)
    )
