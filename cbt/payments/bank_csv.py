"""Bank statements as CSV: which column means what, and reading them. Pure, and wary of its input.

Every bank, and every version of its website, has its own columns, so a community describes them
once (`bank_columns.py`), by the words of the header, so that a changed layout is noticed. One bad
line refuses the file, and where balances are given each must follow from the one before: a line
that somebody left out or changed is found.
"""

import codecs
import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

from cbt.clock import YEARS, read_year
from cbt.errors import StatementUnreadable
from cbt.payments.bank_columns import (
    DELIMITERS,
    MOST_TOP_ROWS,
    ColumnMapping,
    Places,
    guess_mapping,
    places_of,
    require_mapping,
)
from cbt.payments.bank_lines import (
    CURRENCY,
    MOST_BYTES,
    MOST_LINES,
    MOST_SATANG,
    Column,
    Fault,
    Faults,
    Movement,
    Statement,
    StatementProblem,
    clean,
    keyed,
    refuse,
    refuse_lines,
)

_MOST_COLUMNS = 60


@dataclass(frozen=True)
class Preview:
    """The first rows of a file as they were split, for a person to say what they mean."""

    encoding: str
    delimiter: str
    rows: tuple[tuple[str, ...], ...]


def read_csv(content: bytes, mapping: ColumnMapping, zone: str, account: str = "") -> Statement:
    """The lines of a statement of one account, whose hours are those of the time zone.

    Rows that move nothing but tell a balance (brought forward) are no lines. Raises
    StatementUnreadable, or StatementLineUnreadable with up to ten bad lines; then nothing is read.
    """
    require_mapping(mapping)
    text = _decode(content, mapping.encoding)
    rows = list(_rows(text, mapping.delimiter))
    header, body = rows[: mapping.header_row], rows[mapping.header_row :]
    body = [row for row in body if any(row.cells)]
    body = body[: len(body) - mapping.footer_rows]
    if len(body) > MOST_LINES:
        refuse(StatementProblem.TOO_MANY)
    if len(header) < mapping.header_row or not body:
        refuse(StatementProblem.NO_LINES)
    places = places_of(mapping, header[-1].cells if header else None)
    width = len(header[-1].cells) if header else 0
    movements = _movements(body, width, places, mapping, ZoneInfo(zone))
    opening, closing = _balances(movements)
    lines = keyed(each for each in movements if each.amount_satang)
    if not lines:
        refuse(StatementProblem.NO_LINES)
    return Statement(lines, opening, closing, CURRENCY, account)


def preview(content: bytes, encoding: str = "") -> Preview:
    """The first rows, split at the delimiter that splits them best. Raises StatementUnreadable."""
    text = _decode(content, encoding)
    tries = [(delimiter, _try_rows(text, delimiter)) for delimiter in DELIMITERS]
    delimiter, rows = max(tries, key=lambda each: _evenness(each[1]))
    if not any(any(row) for row in rows):
        refuse(StatementProblem.EMPTY if rows else StatementProblem.QUOTES)
    return Preview(encoding or _encoding_of(content), delimiter, rows)


def guess(content: bytes) -> ColumnMapping | None:
    """The layout of a file whose header we know, or None. Raises StatementUnreadable."""
    seen = preview(content)
    for number, row in enumerate(seen.rows, start=1):
        if mapping := guess_mapping(row):
            return replace(mapping, header_row=number, delimiter=seen.delimiter)
    return None


def safe_cell(text: str) -> str:
    """A text for a cell of a CSV that we write: no spreadsheet takes it for a formula.

    A quotation mark goes before what begins like one, also behind spaces; numbers are not for this.
    """
    start = unicodedata.normalize("NFKC", text.lstrip(" \u00a0\u3000\ufeff\n\r")[:1])
    return f"'{text}" if start in {"=", "+", "-", "@", "\t", "|", "%"} else text


# --- from bytes to rows --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Row:
    """The cells of a record, and the line of the file on which it begins."""

    line: int
    cells: list[str]


def _decode(content: bytes, encoding: str) -> str:
    if len(content) > MOST_BYTES:
        refuse(StatementProblem.TOO_LARGE)
    if not content.strip():
        refuse(StatementProblem.EMPTY)
    found = _encoding_of(content)
    if encoding and found != encoding and {found, encoding} != {"utf-8", "cp874"}:
        refuse(StatementProblem.ENCODING)
    try:
        text = content.decode({"utf-8": "utf-8-sig"}.get(encoding or found, encoding or found))
    except UnicodeDecodeError:
        refuse(StatementProblem.ENCODING)
    if encoding == "cp874" and found == "utf-8" and not text.isascii():
        refuse(StatementProblem.ENCODING)  # it would be read as other Thai letters
    if "\x00" in text:
        refuse(StatementProblem.CHARACTERS)
    return text.removeprefix("\ufeff")


def _encoding_of(content: bytes) -> str:
    """UTF-16 by the mark at its beginning, UTF-8 if it can be read as that, else Thai's own."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "cp874"
    return "utf-8"


def _rows(text: str, delimiter: str) -> Iterator[_Row]:
    """The records of the file; blank ones only near its top, where rows are counted.

    Raises StatementUnreadable when they are too many, or a quotation mark stands wrong.
    """
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    line, count = 1, 0
    try:
        for record in reader:
            cells = [cell.strip() for cell in record]
            if any(cells) or reader.line_num <= MOST_TOP_ROWS:
                yield _Row(line, cells)
                count += 1
            line = reader.line_num + 1
            if count > MOST_LINES + 2 * MOST_TOP_ROWS:
                refuse(StatementProblem.TOO_MANY)
    except csv.Error:
        refuse_lines([Fault(StatementProblem.QUOTES, line)])


def _try_rows(text: str, delimiter: str) -> tuple[tuple[str, ...], ...]:
    try:
        rows = islice(_rows(text, delimiter), MOST_TOP_ROWS)
        return tuple(tuple(clean(cell) for cell in row.cells[:_MOST_COLUMNS]) for row in rows)
    except StatementUnreadable:
        return ()


def _evenness(rows: Sequence[Sequence[str]]) -> tuple[int, int]:
    """How many rows have the same number of cells, at least two, and how many cells that is."""
    lengths = Counter(len(row) for row in rows if len(row) > 1)
    return max(((count, length) for length, count in lengths.items()), default=(0, 0))


# --- from rows to lines --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Cells:
    """One row, asked by column. Faults are noted; the first of a row is the one that is told."""

    row: _Row
    places: Places
    faults: list[Fault] = field(default_factory=list)

    def text(self, column: Column) -> str:
        places, cells = self.places.get(column, ()), self.row.cells
        if len(places) == 1:
            return cells[places[0]]
        return " ".join(cells[place] for place in places if cells[place])

    def amount(self, column: Column) -> int | None:
        """Satang, or None where the cell is empty or a dash."""
        text = self.text(column)
        try:
            return read_amount(text) if text.strip("-") else None
        except ValueError:
            self.fault(
                StatementProblem.BALANCE if column == Column.BALANCE else StatementProblem.AMOUNT,
                column,
            )
            return None

    def fault(self, problem: StatementProblem, column: Column | None = None) -> None:
        self.faults.append(Fault(problem, self.row.line, column))


def _movements(
    rows: Sequence[_Row], width: int, places: Places, mapping: ColumnMapping, zone: ZoneInfo
) -> list[Movement]:
    """The movements, balance rows among them. Raises StatementLineUnreadable with what is wrong.

    A row has all the described columns, and nothing beyond the header: an amount whose thousands
    are cut at the delimiter shows in this.
    """
    faults, movements = Faults(), []
    needed = 1 + max(place for found in places.values() for place in found)
    for row in rows:
        if len(row.cells) < needed or any(row.cells[max(width, needed) :] if width else ()):
            faults.add(Fault(StatementProblem.CELLS, row.line))
            continue
        cells = _Cells(row, places)
        movement = _movement(cells, mapping, zone)
        for fault in cells.faults[:1]:
            faults.add(fault)
        movements.append(movement)
    faults.refuse_any()
    return movements


def _movement(cells: _Cells, mapping: ColumnMapping, zone: ZoneInfo) -> Movement:
    """What the row says; meaningless where it noted a fault."""
    balance = cells.amount(Column.BALANCE)
    amount = _signed(cells, mapping, balance)
    day, booked_at = date.min, None
    if amount or balance is None or cells.text(Column.DATE):
        day, booked_at = _when(cells, mapping, zone)
    return Movement(
        number=cells.row.line,
        booked_on=day,
        amount_satang=amount,
        reference=cells.text(Column.REFERENCE),
        payer=cells.text(Column.PAYER),
        text=cells.text(Column.TEXT),
        booked_at=booked_at,
        bank_id=cells.text(Column.ID),
        balance_satang=balance,
    )


def _when(cells: _Cells, mapping: ColumnMapping, zone: ZoneInfo) -> tuple[date, datetime | None]:
    day_text, hour_text = _apart(cells.text(Column.DATE))
    hour_text = cells.text(Column.TIME) or hour_text
    try:
        day = read_bank_day(day_text, month_first=mapping.month_first)
    except ValueError:
        cells.fault(StatementProblem.DATE, Column.DATE)
        return date.min, None
    if not hour_text:
        return day, None
    try:
        return day, datetime.combine(day, _hour(hour_text), zone).astimezone(UTC)
    except ValueError:
        cells.fault(StatementProblem.TIME, Column.TIME)
        return day, None


def _signed(cells: _Cells, mapping: ColumnMapping, balance: int | None) -> int:
    """The amount with its sign, in satang. A row that only tells a balance moves 0."""
    if Column.AMOUNT in cells.places:
        amount = cells.amount(Column.AMOUNT)
    else:
        amount = _of_sides(cells, mapping)
    if amount is None and balance is None:
        cells.fault(StatementProblem.SIDES)
    return amount or 0


def _of_sides(cells: _Cells, mapping: ColumnMapping) -> int | None:
    """What came in less what went out; one of them in each row, or None where both are empty."""
    credit, debit = cells.amount(Column.CREDIT), cells.amount(Column.DEBIT)
    if mapping.debits_signed and debit is not None:
        debit = -debit
    if credit and debit:
        cells.fault(StatementProblem.SIDES)
    for column, side in ((Column.CREDIT, credit), (Column.DEBIT, debit)):
        if side is not None and side < 0:
            cells.fault(StatementProblem.AMOUNT, column)
    return None if credit is debit is None else (credit or 0) - (debit or 0)


def _balances(movements: Sequence[Movement]) -> tuple[int | None, int | None]:
    """The balances before the first and after the last movement, in order of time, if any is told.

    Files run forwards or backwards. Raises StatementLineUnreadable at the first line at which the
    told balance does not follow.
    """
    days = [each.booked_on for each in movements if each.amount_satang]
    newest_first = bool(days) and days[0] > days[-1]
    runs = [_run(movements), _run(movements[::-1])]
    opening, fault = min(runs[::-1] if newest_first else runs, key=lambda run: run[1] is not None)
    if fault is not None:
        refuse_lines([fault])
    if opening is None:
        return None, None
    return opening, opening + sum(each.amount_satang for each in movements)


def _run(movements: Iterable[Movement]) -> tuple[int | None, Fault | None]:
    """The balance before all of them, and the first line whose balance does not follow."""
    opening, moved = None, 0
    for each in movements:
        moved += each.amount_satang
        if each.balance_satang is None:
            continue
        if opening is None:
            opening = each.balance_satang - moved
        elif opening + moved != each.balance_satang:
            return opening, Fault(StatementProblem.BALANCE, each.number, Column.BALANCE)
    return opening, None


# --- from cells to values ------------------------------------------------------------------------

_DIGITS = str.maketrans("๐๑๒๓๔๕๖๗๘๙", "0123456789")
_AMOUNT = re.compile(r"([0-9]{1,3}(?:,[0-9]{3}){1,5}|[0-9]{1,15})(?:\.([0-9]{1,2})0*)?")
_UNIT = re.compile(r"฿|THB|บาท", re.I)
_MINUS = re.compile(r"-(.*)|(.*)-|\((.*)\)", re.S)
_CLOCK = re.compile(r"([0-9]{1,2})[:.]([0-9]{2})(?:[:.]([0-9]{2})(?:\.[0-9]{1,6})?)?(?: ?น\.?)?")
_DAY_AND_HOUR = re.compile(r"(.*?[0-9]{2})(?:[T,]| ) ?([0-9]{1,2}[:.][0-9]{2}.*)", re.S)
_BY_NUMBER = re.compile(r"([0-9]{1,4})[-/. ]([0-9]{1,2})[-/. ]([0-9]{1,4})")
_BY_NAME = re.compile(r"([0-9]{1,2})[-/ ]?([^0-9/-]{2,20}?)[-/ ]?([0-9]{4}|[0-9]{2})")
_MONTHS = (
    ("มค", "มกราคม", "jan", "january"),
    ("กพ", "กุมภาพันธ์", "feb", "february"),
    ("มีค", "มีนาคม", "mar", "march"),
    ("เมย", "เมษายน", "apr", "april"),
    ("พค", "พฤษภาคม", "may", "may"),
    ("มิย", "มิถุนายน", "jun", "june"),
    ("กค", "กรกฎาคม", "jul", "july"),
    ("สค", "สิงหาคม", "aug", "august"),
    ("กย", "กันยายน", "sep", "september"),
    ("ตค", "ตุลาคม", "oct", "october"),
    ("พย", "พฤศจิกายน", "nov", "november"),
    ("ธค", "ธันวาคม", "dec", "december"),
)
_MONTH_OF = {name: month for month, names in enumerate(_MONTHS, start=1) for name in names}
_FIRST_SHORT_BUDDHIST_YEAR = 57
"""Of two digits, 57 to 99 are B.E. 2557 to 2599 (2014 to 2056), and 00 to 56 are 2000 to 2056."""


def read_amount(text: str) -> int:
    """Satang of an amount as banks write it, a minus before, behind or as parentheses.

    Raises ValueError for anything else: nothing in a cell is ever worked out.
    """
    text = _UNIT.sub("", text.translate(_DIGITS).replace("\u2212", "-"))
    text = "".join(text.split())
    minus = _MINUS.fullmatch(text)
    unsigned = next(part for part in minus.groups() if part is not None) if minus else text
    match = _AMOUNT.fullmatch(unsigned if minus else unsigned.removeprefix("+"))
    if match is None:
        raise ValueError(text)
    baht, satang = match.groups()
    amount = int(baht.replace(",", "")) * 100 + int((satang or "").ljust(2, "0"))
    if amount > MOST_SATANG:
        raise ValueError(text)
    return -amount if minus else amount


@lru_cache(maxsize=4_096)
def read_bank_day(text: str, *, month_first: bool = False) -> date:
    """A day as banks write it, in either era, the month also by its name. Raises ValueError."""
    text = text.translate(_DIGITS)
    if match := _BY_NUMBER.fullmatch(text):
        first, second, third = match.groups()
        if len(first) == 4:
            year, month, day = first, int(second), int(third)
        else:
            year, month, day = third, int(second), int(first)
            if month_first:
                month, day = day, month
    elif match := _BY_NAME.fullmatch(text):
        year, day = match[3], int(match[1])
        month = _MONTH_OF.get(re.sub(r"[\s.]", "", match[2]).casefold(), 0)
    else:
        raise ValueError(text)
    return date(_year(year), month, day)


def _year(text: str) -> int:
    year = int(text)
    if len(text) == 2:
        year += 2500 if year >= _FIRST_SHORT_BUDDHIST_YEAR else 2000
    if len(text) not in (2, 4) or not YEARS[0] <= read_year(year) < YEARS[1]:
        raise ValueError(text)
    return read_year(year)


def _apart(text: str) -> tuple[str, str]:
    """A cell's day, and its hour where it holds one too."""
    match = _DAY_AND_HOUR.fullmatch(text.translate(_DIGITS))
    return (match[1], match[2]) if match else (text, "")


def _hour(text: str) -> time:
    match = _CLOCK.fullmatch(text.translate(_DIGITS))
    if match is None:
        raise ValueError(text)
    return time(int(match[1]), int(match[2]), int(match[3] or 0))
