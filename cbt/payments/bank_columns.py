"""Which column of a CSV statement means what: a community's mapping, or what header words say. Pure."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cbt.payments.bank_lines import Column, StatementProblem, clean, refuse

ENCODINGS = ("utf-8", "cp874", "utf-16")
"""What Thai banks write, by the names under which a mapping may fix one; cp874 holds TIS-620."""

DELIMITERS = (",", ";", "\t", "|")
MOST_TOP_ROWS = 30  # that a person is shown, and among which a header is looked for


@dataclass(frozen=True)
class ColumnMapping:
    """How one kind of file is laid out.

    `columns` gives, for each column, the words of its header; text and reference may be made of
    several. `header_row` counts the file's rows from 1; with 0 there is no header and a column is
    named by its number, "1" the first. The last `footer_rows` rows (totals) are not lines. Days
    stand before months unless `month_first`; the year may be of either era. Amounts in a debit
    column carry no sign, or all of them a minus when `debits_signed`. An empty encoding is found out.
    """

    columns: Mapping[Column, tuple[str, ...]]
    header_row: int = 1
    footer_rows: int = 0
    delimiter: str = ","
    encoding: str = ""
    month_first: bool = False
    debits_signed: bool = False


def guess_mapping(header: Sequence[str]) -> ColumnMapping | None:
    """What Thai and English header words say, or None unless they say it without a doubt."""
    found: dict[Column, list[str]] = {}
    for name in header:
        if (column := _meaning(name)) is not None:
            found.setdefault(column, []).append(_header_word(name))
    columns = {column: tuple(names) for column, names in found.items()}
    mapping = ColumnMapping(columns)
    words = [_header_word(name) for name in header]
    used = [name for names in columns.values() for name in names]
    if _is_complete(mapping) and all(words.count(name) == 1 for name in used):
        return mapping
    return None


# --- which column is which -----------------------------------------------------------------------

Places = Mapping[Column, tuple[int, ...]]

_SEVERAL = {Column.TEXT, Column.REFERENCE}


def require_mapping(mapping: ColumnMapping) -> None:
    """Raise StatementUnreadable where the mapping could not describe any file."""
    rows = (mapping.header_row, mapping.footer_rows)
    if (
        not _is_complete(mapping)
        or mapping.delimiter not in DELIMITERS
        or mapping.encoding not in ("", *ENCODINGS)
        or not all(0 <= count <= MOST_TOP_ROWS for count in rows)
    ):
        refuse(StatementProblem.MAPPING)


def _is_complete(mapping: ColumnMapping) -> bool:
    """Whether there is a date and either one amount or both sides, and each only once."""
    columns = mapping.columns
    sides = {Column.CREDIT, Column.DEBIT}
    amounts = columns.keys() & {Column.AMOUNT, *sides}
    once = all(len(names) == 1 or column in _SEVERAL for column, names in columns.items())
    return once and Column.DATE in columns and amounts in ({Column.AMOUNT}, sides)


def places_of(mapping: ColumnMapping, header: Sequence[str] | None) -> Places:
    """Where each column stands, from 0. Raises StatementUnreadable for one that is missing."""
    places = {}
    words = None if header is None else [_header_word(name) for name in header]
    for column, names in mapping.columns.items():
        found = tuple(_place(name, words) for name in names)
        if any(place < 0 for place in found):
            refuse(StatementProblem.COLUMN, column)
        places[column] = found
    taken = [place for found in places.values() for place in found]
    if len(taken) != len(set(taken)):
        refuse(StatementProblem.MAPPING)
    return places


def _place(name: str, words: list[str] | None) -> int:
    """Where the column of this name or number stands; -1 if it does not, or stands there twice."""
    if words is None:
        return int(name) - 1 if re.fullmatch(r"[1-9][0-9]?", name) else -1
    word = _header_word(name)
    return words.index(word) if words.count(word) == 1 else -1


def _header_word(name: str) -> str:
    """A header's words as they are compared: case, width and spacing do not matter."""
    return " ".join(unicodedata.normalize("NFKC", clean(name)).casefold().split())


# --- what header words mean ----------------------------------------------------------------------

_PHRASES: tuple[tuple[str, Column | None], ...] = (
    # The first that stands in the header decides. None: known, and nothing that we read.
    ("ผู้รับ", None),
    ("วันที่มีผล", None),
    ("value date", None),
    ("effective date", None),
    ("ยอดยกมา", None),
    ("เลขที่รายการ", None),  # often counted anew in each file
    ("ผู้โอน", Column.PAYER),
    ("ผู้จ่าย", Column.PAYER),
    ("ผู้ชำระ", Column.PAYER),
    ("คงเหลือ", Column.BALANCE),
    ("balance", Column.BALANCE),
    ("วันที่", Column.DATE),
    ("วันเดือนปี", Column.DATE),
    ("เวลา", Column.TIME),
    ("transaction id", Column.ID),
    ("อ้างอิง", Column.REFERENCE),
    ("ถอน", Column.DEBIT),
    ("เงินออก", Column.DEBIT),
    ("จ่ายเงิน", Column.DEBIT),
    ("รายจ่าย", Column.DEBIT),
    ("เดบิต", Column.DEBIT),
    ("paid out", Column.DEBIT),
    ("money out", Column.DEBIT),
    ("ฝาก", Column.CREDIT),
    ("เงินเข้า", Column.CREDIT),
    ("รับเงิน", Column.CREDIT),
    ("รายรับ", Column.CREDIT),
    ("เครดิต", Column.CREDIT),
    ("paid in", Column.CREDIT),
    ("money in", Column.CREDIT),
    ("จำนวนเงิน", Column.AMOUNT),
    ("รายละเอียด", Column.TEXT),
    ("คำอธิบาย", Column.TEXT),
    ("หมายเหตุ", Column.TEXT),
    ("บันทึก", Column.TEXT),
    ("รายการ", Column.TEXT),
)
_WORDS: dict[str, Column] = {
    # Whole words only, and after all phrases: the earlier in this order decides.
    "payer": Column.PAYER,
    "sender": Column.PAYER,
    "date": Column.DATE,
    "time": Column.TIME,
    "withdrawal": Column.DEBIT,
    "withdrawals": Column.DEBIT,
    "withdraw": Column.DEBIT,
    "debit": Column.DEBIT,
    "จ่าย": Column.DEBIT,
    "deposit": Column.CREDIT,
    "deposits": Column.CREDIT,
    "credit": Column.CREDIT,
    "รับ": Column.CREDIT,
    "amount": Column.AMOUNT,
    "reference": Column.REFERENCE,
    "ref": Column.REFERENCE,
    "ref1": Column.REFERENCE,
    "ref2": Column.REFERENCE,
    "description": Column.TEXT,
    "descriptions": Column.TEXT,
    "details": Column.TEXT,
    "detail": Column.TEXT,
    "particulars": Column.TEXT,
    "remark": Column.TEXT,
    "remarks": Column.TEXT,
    "note": Column.TEXT,
    "memo": Column.TEXT,
}
_KNOWN_PHRASES = tuple(
    (unicodedata.normalize("NFKC", phrase), column) for phrase, column in _PHRASES
)
_BOTH_SIDES = {Column.DEBIT, Column.CREDIT}


def _meaning(name: str) -> Column | None:
    """What a header means; None also where it names both sides, such as "debit/credit"."""
    word = _header_word(name)
    parts = set(re.split(r"[\s/().,:_-]+", word))
    meant = [column for phrase, column in _KNOWN_PHRASES if phrase in word]
    meant += [column for each, column in _WORDS.items() if each in parts]
    if not meant or _BOTH_SIDES.issubset(meant):
        return None
    return meant[0]
