"""Saying which column of a statement means what."""

from collections.abc import Sequence
from typing import Any

from wtforms import BooleanField, IntegerField, SelectField
from wtforms.validators import InputRequired, NumberRange, ValidationError

from cbt.i18n import _, _l
from cbt.payments.bank_columns import MOST_TOP_ROWS, ColumnMapping
from cbt.payments.bank_csv import Preview
from cbt.payments.bank_lines import Column
from cbt.web.forms import REQUIRED, Form, whole
from cbt.web.labels import LABELS

_LEAST_COLUMNS = 12
_LONGEST_WORD = 40
_NO_SUCH_ROW = _l("Please enter the number of a row that is shown, or 0 where no row has names.")


def _column(column: Column) -> SelectField:
    return SelectField(LABELS[Column][column], choices=[], validate_choice=False, default="")


class LayoutForm(Form):
    """The columns of one kind of file. Each choice is the column's number in the file, from 1."""

    header_row = IntegerField(
        _l("Row with the names of the columns"),
        [InputRequired(message=REQUIRED), NumberRange(0, MOST_TOP_ROWS, message=_NO_SUCH_ROW)],
    )
    date = _column(Column.DATE)
    time = _column(Column.TIME)
    credit = _column(Column.CREDIT)
    debit = _column(Column.DEBIT)
    amount = _column(Column.AMOUNT)
    balance = _column(Column.BALANCE)
    reference = _column(Column.REFERENCE)
    payer = _column(Column.PAYER)
    text = _column(Column.TEXT)
    month_first = BooleanField(_l("The month stands before the day, as in 11/24/2026"))
    debits_signed = BooleanField(_l("What went out carries a minus although it has its own column"))

    @property
    def columns(self) -> dict[Column, SelectField]:
        names = {column: str(column) for column in Column if column != Column.ID}
        return {column: self[name] for column, name in names.items()}

    def offer(self, rows: Sequence[Sequence[str]]) -> None:
        """Fill the choices with the columns of a file, by number and name."""
        header = self._header(rows)
        width = max([_LEAST_COLUMNS, *(len(row) for row in rows)])
        choices = [("", _("not in this file"))]
        for place in range(1, width + 1):
            name = header[place - 1].strip()[:_LONGEST_WORD] if place <= len(header) else ""
            choices.append((str(place), f"{place}: {name}" if name else str(place)))
        for field in self.columns.values():
            field.choices = choices

    def _header(self, rows: Sequence[Sequence[str]]) -> Sequence[str]:
        number = self.header_row.data or 0
        return rows[number - 1] if 0 < number <= len(rows) else ()

    def validate_date(self, field: Any) -> None:
        if not field.data:
            raise ValidationError(str(REQUIRED))

    def validate_amount(self, field: Any) -> None:
        """Either one column with signs, or two columns for in and out."""
        has_sides = bool(self.credit.data) and bool(self.debit.data)
        has_one_side = bool(self.credit.data) != bool(self.debit.data)
        if has_one_side or has_sides == bool(field.data):
            raise ValidationError(
                _("Choose either the two columns for what came in and went out, or this one.")
            )

    def mapping(self, seen: Preview) -> ColumnMapping:
        """What was chosen, by the words of the header where there is one."""
        header = self._header(seen.rows)
        columns = {}
        for column, field in self.columns.items():
            place = str(whole(field.data) or "")
            if place and header and int(place) <= len(header):
                columns[column] = (header[int(place) - 1],)
            elif place:
                columns[column] = (place,)
        return ColumnMapping(
            columns,
            header_row=self.header_row.data or 0,
            delimiter=seen.delimiter,
            encoding=seen.encoding,
            month_first=bool(self.month_first.data),
            debits_signed=bool(self.debits_signed.data),
        )


def guess_header_row(rows: Sequence[Sequence[str]]) -> int:
    """The first of the rows with the most words: names of columns stand above what they name."""
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows]
    return 1 + filled.index(max(filled)) if filled else 0
