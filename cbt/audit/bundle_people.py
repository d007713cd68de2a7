"""The workbook in a bundle, for people: the same month as tables, in both languages. Nothing is recomputed from it.

Written row by row, so that a year of a large community needs no more memory than a month of a small one.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import xlsxwriter

from cbt.audit.bundle_scope import Scope
from cbt.i18n import _, _l, use_language
from cbt.ledger.queries import Posted
from cbt.money import to_baht
from cbt.revenue.period_queries import StatementCard, read_head

Cell = str | int | Decimal
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def write_workbook(
    path: Path,
    scope: Scope,
    accounts: Iterable[tuple[str, str, bool, int, int]],
    statements: Iterable[tuple[str, StatementCard]],
    entries: Iterable[Posted],
) -> None:
    """`accounts` as (code, side, may go below zero, opening, closing), `statements` with their months."""
    with TemporaryDirectory(prefix="cbt-people-") as folder:
        book = xlsxwriter.Workbook(str(path), {**_OPTIONS, "tmpdir": folder})
        made = datetime(scope.last_day.year, scope.last_day.month, scope.last_day.day)  # noqa: DTZ001  (a workbook knows no zone)
        book.set_properties({"title": f"{scope.community.slug} {scope.last_day}", "created": made})
        styles = _Styles(book)
        _about(styles, scope)
        _statements(styles, statements)
        _accounts(styles, accounts)
        _entries(styles, entries)
        book.close()


class _Styles:
    """A workbook with the few ways in which its cells look."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self.book = book
        self.bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        self.money = book.add_format({"num_format": "#,##0.00"})
        self.wrapped = book.add_format({"text_wrap": True, "valign": "top"})

    def table(self, title: str, headings: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
        """A sheet: texts are texts, amounts are numbers, nothing is a formula."""
        sheet = self.book.add_worksheet(title[:31])
        sheet.set_column(0, len(headings) - 1, 18)
        sheet.freeze_panes(1, 0)
        for column, heading in enumerate(headings):
            sheet.write_string(0, column, heading, self.bold)
        for number, row in enumerate(rows, start=1):
            for column, cell in enumerate(row):
                if isinstance(cell, str):
                    sheet.write_string(number, column, cell)
                elif isinstance(cell, Decimal):
                    sheet.write_number(number, column, cell, self.money)
                else:
                    sheet.write_number(number, column, cell)


def _both(*messages: object) -> list[str]:
    """Each message in Thai and English; once where they are the same."""
    spoken = []
    for language in ("th", "en"):
        with use_language(language):
            spoken.append([str(message) for message in messages])
    return [
        thai if thai == english else f"{thai} · {english}"
        for thai, english in zip(*spoken, strict=True)
    ]


def _about(styles: _Styles, scope: Scope) -> None:
    sheet = styles.book.add_worksheet(_both(_l("About"))[0][:31])
    sheet.set_column(0, 0, 100)
    days = f"{scope.first_day.isoformat()} - {scope.last_day.isoformat()}"
    sheet.write_string(0, 0, f"{scope.community.slug}, {days}", styles.bold)
    place = 1
    for language in ("th", "en"):
        with use_language(language):
            sheet.write_string(
                place,
                0,
                _(
                    "These tables are for reading. What proves the month are the other files of the"
                    " bundle, and the program that recomputes them. Amounts are in baht."
                ),
                styles.wrapped,
            )
        place += 1


def _statements(styles: _Styles, statements: Iterable[tuple[str, StatementCard]]) -> None:
    def rows() -> Iterable[Sequence[Cell]]:
        for month, statement in statements:
            head = read_head(statement.text)
            amounts = (
                *(head.opening_satang, head.earned_satang, head.recovered_satang),
                *(head.other_satang, head.paid_out_satang, head.closing_satang, head.owed_satang),
            )
            yield [month, statement.household, *map(to_baht, amounts)]

    headings = _both(
        *(_l("Month"), _l("Household"), _l("Brought forward"), _l("Earned this month")),
        *(_l("Taken back"), _l("Other entries"), _l("Paid out"), _l("Carried forward"), _l("Owes")),
    )
    styles.table(_both(_l("Households"))[0], headings, rows())


def _accounts(styles: _Styles, accounts: Iterable[tuple[str, str, bool, int, int]]) -> None:
    def rows() -> Iterable[Sequence[Cell]]:
        for code, side, _below, opening, closing in accounts:
            yield [code, side, to_baht(opening), to_baht(closing)]

    headings = _both(_l("Account"), _l("Side"), _l("Brought forward"), _l("Carried forward"))
    styles.table(_both(_l("Accounts"))[0], headings, rows())


def _entries(styles: _Styles, entries: Iterable[Posted]) -> None:
    def rows() -> Iterable[Sequence[Cell]]:
        for entry in entries:
            draft = entry.draft
            about = [draft.effective_on.isoformat(), draft.kind, draft.subject]
            for leg in draft.legs:
                amount = to_baht(leg.amount_satang)
                yield [entry.seq, *about, leg.source, leg.target, amount, leg.rule]

    headings = _both(
        *(_l("Number"), _l("Day"), _l("Kind"), _l("About what")),
        *(_l("From the account"), _l("To the account"), _l("Amount (baht)"), _l("Reason")),
    )
    styles.table(_both(_l("Entries"))[0], headings, rows())
