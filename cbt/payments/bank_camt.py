"""Bank statements as ISO 20022 XML: camt.053 (a day's statement) and camt.054 (a notification).

Pure, and wary of its input. Versions 02 to 13 differ in where names and states stand, not in what
they are called, so elements are known by their local names. A document type is refused before
anything is parsed: with it go entities, which XML of a bank never needs.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

from cbt.clock import YEARS
from cbt.errors import StatementCurrency
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
    keyed,
    refuse,
    require_balance,
)

_MOST_TAGS = 2_000_000
_STATEMENTS = {"BkToCstmrStmt": "Stmt", "BkToCstmrDbtCdtNtfctn": "Ntfctn"}
_OPENING, _CLOSING = ("OPBD", "PRCD"), ("CLBD",)
_NO_REFERENCE = {"", "NOTPROVIDED", "NONREF", "NOTAVAILABLE"}
_AMOUNT = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,2})0*)?")
_SIGN = {"CRDT": 1, "DBIT": -1}


def read_camt(content: bytes, zone: str) -> tuple[Statement, ...]:
    """The booked entries of every statement or notification in the file, each with its account.

    An entry of several transfers, each with its amount, is as many lines. Pending entries are left
    for the day on which they are booked. Hours without a zone are those of `zone`. Raises
    StatementUnreadable, also where entries do not lead from the opening balance to the closing;
    StatementCurrency for anything but baht; StatementLineUnreadable with up to ten bad entries.
    """
    root = _parse(content)
    message = next((child for child in root if _name(child) in _STATEMENTS), None)
    if message is None:
        refuse(StatementProblem.MESSAGE)
    numbers = iter(range(1, MOST_LINES + 1))
    faults = Faults()
    parts = _children(message, _STATEMENTS[_name(message)])
    statements = tuple(_statement(part, numbers, ZoneInfo(zone), faults) for part in parts)
    faults.refuse_any()
    if not statements:
        refuse(StatementProblem.NO_LINES)
    for statement in statements:
        require_balance(statement)
    return statements


def _parse(content: bytes) -> ET.Element:
    """The root of the document. Raises StatementUnreadable."""
    if len(content) > MOST_BYTES:
        refuse(StatementProblem.TOO_LARGE)
    if not content.strip():
        refuse(StatementProblem.EMPTY)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        refuse(StatementProblem.ENCODING)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        refuse(StatementProblem.DOCTYPE)
    if text.count("<") > _MOST_TAGS:
        refuse(StatementProblem.TOO_MANY)
    try:
        return ET.fromstring(text)  # noqa: S314 (see above; a text's own encoding mark is not followed)
    except (ET.ParseError, ValueError):
        refuse(StatementProblem.XML)


# --- statements and their balances ---------------------------------------------------------------


def _statement(
    part: ET.Element, numbers: Iterator[int], zone: ZoneInfo, faults: Faults
) -> Statement:
    _require_baht(_text(part, "Acct", "Ccy") or CURRENCY)
    movements: list[Movement] = []
    for entry in _children(part, "Ntry"):
        number = next(numbers, 0)
        if not number:
            refuse(StatementProblem.TOO_MANY)
        found = _movements(entry, number, zone)
        if isinstance(found, Fault):
            faults.add(found)
        else:
            movements += found
    return Statement(
        lines=keyed(movements),
        opening_satang=_balance(part, _OPENING),
        closing_satang=_balance(part, _CLOSING),
        currency=CURRENCY,
        account=_account(part),
    )


def _account(part: ET.Element) -> str:
    account = _text(part, "Acct", "Id", "IBAN") or _text(part, "Acct", "Id", "Othr", "Id")
    return account[:100]


def _balance(part: ET.Element, codes: tuple[str, ...]) -> int | None:
    """The balance of the first of these codes that the statement tells."""
    told = {_text(each, "Tp", "CdOrPrtry", "Cd"): each for each in _children(part, "Bal")}
    for code in codes:
        if code in told:
            amount = _signed(told[code])
            if amount is None:
                refuse(StatementProblem.BALANCE)
            return amount
    return None


# --- entries -------------------------------------------------------------------------------------


def _movements(entry: ET.Element, number: int, zone: ZoneInfo) -> list[Movement] | Fault:
    """What one entry moved: nothing while it is not booked, several when it says so in full."""
    status = _text(entry, "Sts", "Cd") or _text(entry, "Sts", "Prtry") or _text(entry, "Sts")
    if not status:
        return Fault(StatementProblem.STATUS, number)
    if status != "BOOK":
        return []
    amount = _signed(entry)
    if amount is None:
        return Fault(StatementProblem.AMOUNT, number, Column.AMOUNT)
    when = _when(entry, zone)
    if when is None:
        return Fault(StatementProblem.DATE, number, Column.DATE)
    transfers = [
        transfer
        for details in _children(entry, "NtryDtls")
        for transfer in _children(details, "TxDtls")
    ]
    parts = [_part(transfer, amount) for transfer in transfers]
    if len(parts) > 1 and None not in parts and sum(filter(None, parts)) == amount:
        pairs = zip(transfers, parts, strict=True)
        return [_movement(entry, [tx], part, number, when) for tx, part in pairs if part]
    return [_movement(entry, transfers, amount, number, when)] if amount else []


def _part(transfer: ET.Element, whole: int) -> int | None:
    """The part of an entry that one of its transfers moved, or None where it does not say."""
    own = _child(transfer, "Amt")
    if own is None:
        own = _child(transfer, "AmtDtls", "TxAmt", "Amt")
    if own is None or own.get("Ccy", CURRENCY) != CURRENCY:
        return None
    amount = _satang(own)
    default = "CRDT" if whole >= 0 else "DBIT"
    sign = _SIGN.get(_text(transfer, "CdtDbtInd") or default)
    return None if amount is None or sign is None else sign * amount


def _movement(
    entry: ET.Element,
    transfers: list[ET.Element],
    amount: int,
    number: int,
    when: tuple[date, datetime | None],
) -> Movement:
    """One line: what its transfers say, and what the entry adds."""
    other = "Dbtr" if amount > 0 else "Cdtr"
    references = [ref for each in transfers for ref in _references(each)]
    notes = [note for each in transfers for note in _notes(each)]
    names = [_text(each, "RltdPties", other, "Pty", "Nm") for each in transfers]
    names += [_text(each, "RltdPties", other, "Nm") for each in transfers]
    returned = any(_child(each, "RtrInf") is not None for each in transfers)
    return Movement(
        number=number,
        booked_on=when[0],
        amount_satang=amount,
        reference=" ".join(references),
        payer=next(filter(None, names), ""),
        text=" ".join([*notes, *filter(None, [_text(entry, "AddtlNtryInf")])]),
        booked_at=when[1],
        bank_id=_bank_id(entry, transfers),
        is_reversal=returned or _text(entry, "RvslInd") in ("true", "1"),
    )


def _bank_id(entry: ET.Element, transfers: list[ET.Element]) -> str:
    """The bank's own number. `NtryRef` is none: many banks count it from 1 in each statement."""
    numbers = [_text(each, "Refs", "AcctSvcrRef") for each in transfers if len(transfers) == 1]
    numbers.append(_text(entry, "AcctSvcrRef"))
    found = [each for each in numbers if each.upper() not in _NO_REFERENCE]
    return found[0] if found else ""


def _references(transfer: ET.Element) -> Iterator[str]:
    """What the payer's side gave as references, the structured one first."""
    for structured in _children(_child(transfer, "RmtInf"), "Strd"):
        yield _text(structured, "CdtrRefInf", "Ref")
    for name in ("EndToEndId", "InstrId", "TxId"):
        reference = _text(transfer, "Refs", name)
        if reference.upper() not in _NO_REFERENCE:
            yield reference


def _notes(transfer: ET.Element) -> Iterator[str]:
    for note in _children(_child(transfer, "RmtInf"), "Ustrd"):
        yield (note.text or "").strip()
    yield _text(transfer, "AddtlTxInf")


def _when(entry: ET.Element, zone: ZoneInfo) -> tuple[date, datetime | None] | None:
    """The day on which an entry was booked, else that of its value, and the instant if it is told."""
    for name in ("BookgDt", "ValDt"):
        day, instant = _text(entry, name, "Dt"), _text(entry, name, "DtTm")
        if day or instant:
            return _read_when(day, instant, zone)
    return None


def _read_when(day: str, instant: str, zone: ZoneInfo) -> tuple[date, datetime | None] | None:
    try:
        if day:
            on, at = date.fromisoformat(re.sub(r"(?<=^.{10})(Z|[+-]\d\d:\d\d)$", "", day)), None
        else:
            told = datetime.fromisoformat(instant)
            at = (told if told.tzinfo else told.replace(tzinfo=zone)).astimezone(UTC)
            on = at.astimezone(zone).date()
    except (ValueError, OverflowError):
        return None
    return (on, at) if YEARS[0] <= on.year <= YEARS[1] else None


# --- amounts and elements ------------------------------------------------------------------------


def _signed(holder: ET.Element) -> int | None:
    """The amount of an entry or balance with its sign, or None where it cannot be read."""
    amount, sign = _child(holder, "Amt"), _SIGN.get(_text(holder, "CdtDbtInd"))
    if amount is None or sign is None:
        return None
    _require_baht(amount.get("Ccy", ""))
    satang = _satang(amount)
    return None if satang is None else sign * satang


def _require_baht(currency: str) -> None:
    if currency != CURRENCY:
        raise StatementCurrency(
            problem=StatementProblem.CURRENCY, column=None, currency=currency[:10]
        )


def _satang(amount: ET.Element) -> int | None:
    match = _AMOUNT.fullmatch((amount.text or "").strip())
    if match is None:
        return None
    baht, satang = match.groups()
    whole = int(baht) * 100 + int((satang or "").ljust(2, "0"))
    return whole if whole <= MOST_SATANG else None


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _children(parent: ET.Element | None, name: str) -> list[ET.Element]:
    return [] if parent is None else [child for child in parent if _name(child) == name]


def _child(parent: ET.Element, *path: str) -> ET.Element | None:
    """The first element down this path of local names."""
    found: ET.Element | None = parent
    for name in path:
        if found is None:
            return None
        found = next((child for child in found if _name(child) == name), None)
    return found


def _text(parent: ET.Element, *path: str) -> str:
    """The text at the end of a path, without its outer spaces; empty where there is none."""
    found = _child(parent, *path)
    return "" if found is None else (found.text or "").strip()
