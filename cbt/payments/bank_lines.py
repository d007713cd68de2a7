"""The lines of a bank statement, from whatever file they came. Pure.

A line has a key by which it is known within its account, so that statements which overlap never
bring one in twice. Where the bank gives a number, the key is made of it; else of all that the file
says about the line. Lines that are alike in all of that get numbers in the order of the file: two
equal transfers of one day are `1` and `2` in every file that holds the day, and both count.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from hashlib import sha256
from typing import NoReturn

from cbt.errors import StatementLineUnreadable, StatementUnreadable

MOST_BYTES = 10_000_000
MOST_LINES = 100_000
MOST_SATANG = 10**14  # a trillion baht: no account of ours, and it fits every database
CURRENCY = "THB"

_MOST_FAULTS = 10
_LONGEST_REFERENCE = 200
_LONGEST_TEXT = 500


class Column(StrEnum):
    """What a statement says about a line. ID is the bank's own number of the line."""

    DATE = "date"
    TIME = "time"
    AMOUNT = "amount"  # with its sign
    CREDIT = "credit"  # what came in
    DEBIT = "debit"  # what went out
    BALANCE = "balance"  # after the line
    ID = "id"
    REFERENCE = "reference"
    PAYER = "payer"
    TEXT = "text"


class StatementProblem(StrEnum):
    """Why a statement, or a line of it, was not read."""

    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"
    EMPTY = "empty"
    NO_LINES = "no_lines"
    ENCODING = "encoding"
    CHARACTERS = "characters"  # such as no text holds: not a text file
    MAPPING = "mapping"  # the description of the columns contradicts itself
    COLUMN = "column"  # a described column is missing, or stands there twice
    QUOTES = "quotes"  # a quotation mark that is not closed, or closed too early
    CELLS = "cells"  # a row with too few cells, or with more than the header
    DATE = "date"
    TIME = "time"
    AMOUNT = "amount"
    SIDES = "sides"  # both in and out, or neither
    STATUS = "status"  # an entry that does not say whether it was booked
    CURRENCY = "currency"
    BALANCE = "balance"  # the lines do not lead from one balance to the next
    XML = "xml"
    DOCTYPE = "doctype"
    MESSAGE = "message"  # XML, but no statement or notification of entries


@dataclass(frozen=True, slots=True)
class BankLine:
    """One movement of the account: a credit is above zero, a debit below.

    `number` is where it stands in its file, from 1. `booked_on` is the bank's day; `booked_at` the
    instant in UTC, where the file gives the hour. `payer` is the other side, also of a debit. A
    reversal takes an earlier line back, so it pays for nothing.
    """

    number: int
    booked_on: date
    amount_satang: int
    reference: str
    payer: str
    text: str
    bank_key: str
    booked_at: datetime | None = None
    is_reversal: bool = False


@dataclass(frozen=True)
class Statement:
    """The lines of one account in the order of the file, and the balances around them, if given."""

    lines: tuple[BankLine, ...]
    opening_satang: int | None
    closing_satang: int | None
    currency: str
    account: str


@dataclass(frozen=True, slots=True)
class Movement:
    """A line as a reader finds it, before it has its key."""

    number: int
    booked_on: date
    amount_satang: int
    reference: str = ""
    payer: str = ""
    text: str = ""
    booked_at: datetime | None = None
    bank_id: str = ""
    balance_satang: int | None = None
    is_reversal: bool = False


@dataclass(frozen=True)
class Fault:
    """What is wrong with one line. `column` is None where it is not about a single one."""

    problem: StatementProblem
    line: int
    column: Column | None = None


def keyed(movements: Iterable[Movement]) -> tuple[BankLine, ...]:
    """The lines of one account and file with their keys: 32 hexadecimal digits each."""
    alike: Counter[str] = Counter()
    lines = []
    for each in movements:
        identity = _identity(each)
        alike[identity] += 1
        key = sha256(f"{identity}\n{alike[identity]}".encode()).hexdigest()[:32]
        lines.append(
            BankLine(
                each.number,
                each.booked_on,
                each.amount_satang,
                clean(each.reference, _LONGEST_REFERENCE),
                clean(each.payer, _LONGEST_REFERENCE),
                clean(each.text, _LONGEST_TEXT),
                key,
                each.booked_at,
                each.is_reversal,
            )
        )
    return tuple(lines)


def _identity(each: Movement) -> str:
    """What two statements say alike about one line, a fact a row.

    The day and the amount belong to it even beside a bank's own number: some banks number each day
    anew, or give a transfer and its fee one number.
    """
    facts = [each.booked_on.isoformat(), str(each.amount_satang)]
    if each.bank_id:
        return "\n".join(["id", *facts, _squeezed(each.bank_id)])
    facts.append(each.booked_at.isoformat() if each.booked_at else "")
    facts.append("" if each.balance_satang is None else str(each.balance_satang))
    return "\n".join(["line", *facts, *map(_squeezed, (each.reference, each.payer, each.text))])


def _squeezed(text: str) -> str:
    """A text without what banks write differently from file to file: case, width and spaces."""
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return "".join(plain.casefold().split())


def clean(text: str, longest: int = _LONGEST_TEXT) -> str:
    """One line of printable text: line breaks become spaces, marks that cannot be seen go."""
    if not text.isprintable():
        text = "".join(each for each in text if each.isprintable() or each.isspace())
    return " ".join(text.split())[:longest]


def require_balance(statement: Statement) -> None:
    """Raise StatementUnreadable where the lines do not lead from the opening balance to the closing."""
    opening, closing = statement.opening_satang, statement.closing_satang
    moved = sum(line.amount_satang for line in statement.lines)
    if opening is not None and closing is not None and opening + moved != closing:
        refuse(StatementProblem.BALANCE)


def refuse(problem: StatementProblem, column: Column | None = None) -> NoReturn:
    raise StatementUnreadable(problem=problem, column=column)


class Faults:
    """The faults of a file's lines, up to ten. With the first beyond them reading ends."""

    def __init__(self) -> None:
        self._found: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._found.append(fault)
        if len(self._found) > _MOST_FAULTS:
            self.refuse_any()

    def refuse_any(self) -> None:
        """Raise StatementLineUnreadable if there is a fault."""
        if self._found:
            refuse_lines(self._found)


def refuse_lines(faults: Sequence[Fault]) -> NoReturn:
    first = faults[0]
    raise StatementLineUnreadable(
        problem=first.problem,
        line=first.line,
        column=first.column,
        faults=tuple(faults[:_MOST_FAULTS]),
        more=len(faults) > _MOST_FAULTS,
    )
