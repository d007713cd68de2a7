"""The totals as files: CSV and a workbook, one row a community, nothing that a spreadsheet could run."""

import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import xlsxwriter

from cbt.audit.totals import CommunityTotals
from cbt.communities import chart
from cbt.i18n import _, pick
from cbt.money import to_baht
from cbt.payments.bank_csv import safe_cell
from cbt.revenue.policy import Bucket
from cbt.web.fairness_words import decimal
from cbt.web.labels import label

_BOM = "\ufeff"
Cell = str | int | Decimal | None


def headings() -> list[str]:
    """The columns, in the reader's language."""
    return [
        _("Province code"),
        _("Province"),
        _("Community"),
        _("Sample data"),
        _("Closed months"),
        _("Bookings"),
        _("Came in (baht)"),
        _("Households' income (baht)"),
        _("Member households"),
        _("Households that earned"),
        _("Gini"),
        *(f"{label(Bucket(code))} ({_('baht')})" for code in chart.FUNDS),
    ]


def cells(each: CommunityTotals) -> list[Cell]:
    """A community's row: None for what is hidden or not known, exact baht for money."""
    is_hidden = each.is_hidden
    return [
        each.province_code,
        pick(each.province),
        pick(each.name),
        _("yes") if each.is_sample else "",
        each.months,
        None if is_hidden else each.bookings,
        None if is_hidden else to_baht(each.net_satang),
        None if is_hidden else to_baht(each.income_satang),
        len(each.incomes),
        None if is_hidden else each.earning,
        _gini(each.gini),
        *(
            None if is_hidden or code not in each.funds else to_baht(each.funds[code])
            for code in chart.FUNDS
        ),
    ]


def _gini(value: Fraction | None) -> Decimal | None:
    return Decimal(decimal(value)) if value is not None else None


def write_csv(totals: Sequence[CommunityTotals]) -> bytes:
    """UTF-8 with a mark for spreadsheets; what is hidden or unknown is an empty cell."""
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow([safe_cell(each) for each in headings()])
    for each in totals:
        rows.writerow([safe_cell(cell) if isinstance(cell, str) else cell for cell in cells(each)])
    return (_BOM + text.getvalue()).encode()


def write_xlsx(totals: Sequence[CommunityTotals], title: str) -> bytes:
    """The same as a workbook: texts are texts, numbers are numbers, nothing is a formula."""
    file = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(file, {**options, "strings_to_numbers": False})
    book.set_properties({"title": title})
    sheet = book.add_worksheet()
    bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
    money = book.add_format({"num_format": "#,##0.00"})
    for column, heading in enumerate(headings()):
        sheet.write_string(0, column, heading, bold)
    for row, each in enumerate(totals, start=1):
        for column, cell in enumerate(cells(each)):
            if isinstance(cell, str):
                sheet.write_string(row, column, cell)
            elif isinstance(cell, Decimal) and column != _GINI_COLUMN:
                sheet.write_number(row, column, cell, money)
            elif cell is not None:
                sheet.write_number(row, column, cell)
    sheet.set_column(1, 2, 22)
    sheet.set_column(6, 7, 16)
    sheet.freeze_panes(1, 3)
    book.close()
    return file.getvalue()


_GINI_COLUMN = 10
