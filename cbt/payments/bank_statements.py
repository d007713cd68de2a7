"""Bank statements: reading one in, each line once, and what the bank ought to show but does not.

A statement is taken in whole or not at all. Every line that is new is work until a person has said
what it is (`bank_matching.py`).
"""

import logging
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from cbt.clock import village_day
from cbt.communities.queries import get_zone
from cbt.communities.services import lock_community
from cbt.db import columns, db, transaction
from cbt.errors import (
    StatementColumnsUnknown,
    StatementKnown,
    StatementOfSeveral,
    StatementUnreadable,
)
from cbt.payments.bank_camt import read_camt
from cbt.payments.bank_columns import ColumnMapping
from cbt.payments.bank_csv import guess, read_csv
from cbt.payments.bank_lines import BankLine, Column, Statement, StatementProblem
from cbt.payments.reported import (
    LineState,
    StatementImport,
    StatementLine,
    WorkItem,
    WorkKind,
)

log = logging.getLogger("cbt.payments")

_LAYOUTS_TRIED = 10
_LONGEST_NAME = 200
_AT_ONCE = 5_000
_OTHER_LAYOUT = (StatementProblem.COLUMN, StatementProblem.MAPPING)


@dataclass(frozen=True)
class Imported:
    """What reading a statement in brought."""

    import_id: int
    lines: int
    new_lines: int


@dataclass(frozen=True)
class ImportCard:
    """A statement that was read in."""

    id: int
    file_name: str
    lines: int
    new_lines: int
    first_on: date | None
    last_on: date | None
    imported_at: datetime


def import_statement(
    community_id: int,
    file_name: str,
    content: bytes,
    mapping: ColumnMapping | None,
    person_id: int,
    now: datetime,
) -> Imported:
    """Read a statement in (camt XML or CSV), and put each line that is new on the work list.

    Without a `mapping` the columns are found by their words, or as an earlier file of the community
    had them. Raises StatementUnreadable and its kinds (StatementColumnsUnknown where a person must
    say what the columns mean), or StatementKnown for the same file again; then nothing is taken in.
    """
    digest = sha256(content).hexdigest()
    zone = _zone(db.session(), community_id)
    _require_unknown(db.session(), community_id, digest, zone)
    layouts = _list_layouts(db.session(), community_id)
    db.session.rollback()  # reading a large file takes a while
    statement, layout = read_statement(content, mapping, layouts, zone)
    days = [line.booked_on for line in statement.lines]
    with transaction() as session:
        lock_community(session, community_id)
        _require_unknown(session, community_id, digest, zone)
        new = _new_lines(session, community_id, statement.lines)
        made = StatementImport(
            community_id=community_id,
            file_name=clean_name(file_name),
            sha256=digest,
            lines=len(statement.lines),
            new_lines=len(new),
            first_on=min(days, default=None),
            last_on=max(days, default=None),
            opening_satang=statement.opening_satang,
            closing_satang=statement.closing_satang,
            layout=as_json(layout) if layout else None,
            imported_by=person_id,
            imported_at=now,
        )
        session.add(made)
        session.flush()
        _store_lines(session, community_id, made.id, new, now)
        return Imported(made.id, made.lines, made.new_lines)


def clean_name(sent: str) -> str:
    """The name of a file as its reader may keep it: without folders and what no name shows."""
    last = re.split(r"[/\\]", sent)[-1]
    shown = "".join(each for each in last if unicodedata.category(each)[0] != "C")
    return " ".join(shown.split())[:_LONGEST_NAME] or "statement"


def list_imports(session: Session, community_id: int, most: int) -> list[ImportCard]:
    """The newest first."""
    rows = session.execute(
        select(*columns(StatementImport, ImportCard))
        .where(StatementImport.community_id == community_id)
        .order_by(StatementImport.id.desc())
        .limit(most)
    )
    return [ImportCard(*row) for row in rows]


def _zone(session: Session, community_id: int) -> str:
    return get_zone(session, community_id)


def _require_unknown(session: Session, community_id: int, digest: str, zone: str) -> None:
    at = session.scalar(
        select(StatementImport.imported_at).where(
            StatementImport.community_id == community_id, StatementImport.sha256 == digest
        )
    )
    if at is not None:
        raise StatementKnown(day=village_day(at, zone))


# --- reading -------------------------------------------------------------------------------------


def read_statement(
    content: bytes, mapping: ColumnMapping | None, layouts: Iterable[ColumnMapping], zone: str
) -> tuple[Statement, ColumnMapping | None]:
    """The statement in a file, and how its columns were read (None where XML names them itself)."""
    if is_xml(content):
        return _one_account(read_camt(content, zone)), None
    if mapping is not None:
        return read_csv(content, mapping, zone), mapping
    guessed = guess(content)
    if guessed is not None:
        return read_csv(content, guessed, zone), guessed
    for layout in layouts:
        try:
            return read_csv(content, layout, zone), layout
        except StatementUnreadable as error:
            if error.facts.get("problem") not in _OTHER_LAYOUT:
                raise
    raise StatementColumnsUnknown


def is_xml(content: bytes) -> bool:
    return content[:200].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def _one_account(statements: Sequence[Statement]) -> Statement:
    """The statements of one account, as of several days, as one. Raises StatementOfSeveral."""
    accounts = {each.account for each in statements}
    if len(accounts) > 1:
        raise StatementOfSeveral(accounts=len(accounts))
    first, last = statements[0], statements[-1]
    return Statement(
        lines=tuple(line for each in statements for line in each.lines),
        opening_satang=first.opening_satang,
        closing_satang=last.closing_satang,
        currency=first.currency,
        account=first.account,
    )


def as_json(mapping: ColumnMapping) -> dict[str, Any]:
    """How a file's columns were read, to be kept."""
    return {
        "columns": {str(column): list(names) for column, names in mapping.columns.items()},
        "header_row": mapping.header_row,
        "footer_rows": mapping.footer_rows,
        "delimiter": mapping.delimiter,
        "encoding": mapping.encoding,
        "month_first": mapping.month_first,
        "debits_signed": mapping.debits_signed,
    }


def from_json(kept: Mapping[str, Any]) -> ColumnMapping:
    named = {Column(column): tuple(names) for column, names in kept["columns"].items()}
    return ColumnMapping(**{**kept, "columns": named})


def _list_layouts(session: Session, community_id: int) -> list[ColumnMapping]:
    """How the community's last files were read: those that name their columns, the newest first."""
    rows = session.scalars(
        select(StatementImport.layout)
        .where(StatementImport.community_id == community_id, StatementImport.layout.is_not(None))
        .order_by(StatementImport.id.desc())
        .limit(_LAYOUTS_TRIED)
    )
    found: list[ColumnMapping] = []
    for kept in rows:
        layout = from_json(kept) if kept else None
        if layout is not None and layout.header_row and layout not in found:
            found.append(layout)
    return found


# --- storing -------------------------------------------------------------------------------------


def _new_lines(session: Session, community_id: int, lines: Sequence[BankLine]) -> list[BankLine]:
    """Those that are not known yet. A key holds the line's day, so only those days are looked at."""
    if not lines:
        return []
    days = [line.booked_on for line in lines]
    known = set(
        session.scalars(
            select(StatementLine.bank_key).where(
                StatementLine.community_id == community_id,
                StatementLine.booked_on >= min(days),
                StatementLine.booked_on <= max(days),
            )
        )
    )
    return [line for line in lines if line.bank_key not in known]


def _store_lines(
    session: Session, community_id: int, import_id: int, lines: Sequence[BankLine], now: datetime
) -> None:
    """Insert lines and the work that they are, thousands at a time."""
    shared = {"community_id": community_id, "import_id": import_id, "state": LineState.OPEN}
    for start in range(0, len(lines), _AT_ONCE):
        session.execute(
            insert(StatementLine),
            [
                {**shared, "note": "", **columns_of(line)}
                for line in lines[start : start + _AT_ONCE]
            ],
        )
    stored = session.execute(
        select(StatementLine.id, StatementLine.amount_satang, StatementLine.booked_on)
        .where(StatementLine.import_id == import_id)
        .order_by(StatementLine.id)
    ).all()
    work = [
        {
            "community_id": community_id,
            "kind": WorkKind.STATEMENT_LINE,
            "key": line_key(line_id),
            "facts": {"line": line_id, "amount_satang": amount, "on": day.isoformat()},
            "opened_at": now,
        }
        for line_id, amount, day in stored
    ]
    for start in range(0, len(work), _AT_ONCE):
        session.execute(insert(WorkItem), work[start : start + _AT_ONCE])


def columns_of(line: BankLine) -> dict[str, Any]:
    return {
        "number": line.number,
        "bank_key": line.bank_key,
        "booked_on": line.booked_on,
        "booked_at": line.booked_at,
        "amount_satang": line.amount_satang,
        "reference": line.reference,
        "payer": line.payer,
        "text": line.text,
        "is_reversal": line.is_reversal,
    }


def line_key(line_id: int) -> str:
    """What the work that an open line is goes by."""
    return f"line:{line_id}"


# --- days that statements cover ------------------------------------------------------------------


@dataclass(frozen=True)
class Covered:
    """Days of which the bank has shown everything, both included."""

    first_on: date
    last_on: date


def list_covered(session: Session, community_id: int, since: date) -> list[Covered]:
    """Days that statements cover without a gap, from some day on, in their order."""
    rows = session.execute(
        select(StatementImport.first_on, StatementImport.last_on)
        .where(StatementImport.community_id == community_id, StatementImport.last_on >= since)
        .order_by(StatementImport.first_on, StatementImport.last_on)
    )
    joined: list[Covered] = []
    for first_on, last_on in rows:
        if first_on is None or last_on is None:
            continue
        before = joined[-1] if joined else None
        if before is not None and first_on <= before.last_on + timedelta(days=1):
            joined[-1] = Covered(before.first_on, max(before.last_on, last_on))
        else:
            joined.append(Covered(first_on, last_on))
    return joined
