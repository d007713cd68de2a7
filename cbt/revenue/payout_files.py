"""Files of a payout batch: tables for people, Krungthai's fixed-width text and pain.001 for banks. Pure.

Whatever a person typed stays text: on one line, without marks that cannot be seen, and no spreadsheet takes
it for a formula. Every file names each line by the reference that it keeps for ever, so that a bank which
is handed a copy can see that it was paid.
"""

import csv
import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from xml.etree import ElementTree as ET

import xlsxwriter

from cbt.money import to_baht
from cbt.payments.bank_csv import safe_cell
from cbt.revenue.paying_out import ExportKind, PayeeKind

BOM = "\ufeff"  # by which spreadsheets know that Thai letters follow
KRUNGTHAI = "006"
PAIN = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
_WIDTH = 498
_MOST_NAME = 140
_PROXIES = {PayeeKind.PHONE: "TELE", PayeeKind.TAX_ID: "NIDN", PayeeKind.EWALLET: "EWAL"}


@dataclass(frozen=True)
class FileLine:
    """A payout as a file tells it; `way` and `state` are in the reader's words, amounts in satang.

    Tax is not withheld here; its column is there for a community that must.
    """

    reference: str
    household: str
    household_name: str
    holder: str
    kind: PayeeKind
    way: str
    bank: str
    number: str
    amount_satang: int
    recovered_satang: int
    state: str
    withheld_satang: int = 0


@dataclass(frozen=True)
class FileHead:
    """Whose batch it is, which copy of its file, and from where the bank pays on which day."""

    community: str
    batch: str
    copy: int
    pay_on: date
    made_at: datetime
    company_id: str = ""
    bank: str = ""
    account: str = ""

    @property
    def mark(self) -> str:
        """What a copy carries, in every file; the original carries nothing."""
        return f"COPY {self.copy}" if self.copy > 1 else ""


def plain(text: str) -> str:
    """A text on one line, letters and marks joined, without anything that cannot be seen."""
    seen = (
        " " if letter.isspace() else letter
        for letter in unicodedata.normalize("NFC", text)
        if letter.isspace() or unicodedata.category(letter)[0] != "C"
    )
    return " ".join("".join(seen).split())


def can_carry(kind: ExportKind, line: FileLine) -> bool:
    """Whether a file of this kind can name this payee: banks' files carry no cash."""
    if kind == ExportKind.KRUNGTHAI:
        return line.kind == PayeeKind.BANK and len(line.number) <= 11
    return kind != ExportKind.PAIN001 or line.kind != PayeeKind.CASH


# --- tables for people ---------------------------------------------------------------------------


def _cells(line: FileLine) -> tuple[list[str], list[int], str]:
    """The texts, the amounts and the state of a line, as tables show them."""
    texts = [line.reference, line.household, line.household_name, line.holder]
    texts += [line.way, line.bank, line.number]
    amounts = [line.amount_satang, line.recovered_satang, line.withheld_satang]
    return [plain(each) for each in texts], amounts, plain(line.state)


def write_csv(head: FileHead, headings: Sequence[str], lines: Sequence[FileLine]) -> bytes:
    """UTF-8 with a mark for spreadsheets; amounts in baht, plain. The last column marks a copy."""
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow([safe_cell(plain(each)) for each in headings])
    for line in lines:
        texts, amounts, state = _cells(line)
        baht = [f"{to_baht(each):.2f}" for each in amounts]
        rows.writerow([*map(safe_cell, texts), *baht, safe_cell(state), head.mark])
    return (BOM + text.getvalue()).encode()


def write_xlsx(head: FileHead, headings: Sequence[str], lines: Sequence[FileLine]) -> bytes:
    """The same table as a workbook: texts are texts, amounts are numbers, nothing is a formula."""
    file = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(file, {**options, "strings_to_numbers": False})
    book.set_properties({"title": head.batch, "created": head.made_at.replace(tzinfo=None)})
    sheet = book.add_worksheet()
    bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
    money = book.add_format({"num_format": "#,##0.00"})
    total = book.add_format({"num_format": "#,##0.00", "bold": True})
    for column, heading in enumerate(headings):
        sheet.write_string(0, column, plain(heading), bold)
    sums = [0, 0, 0]
    for row, line in enumerate(lines, start=1):
        texts, amounts, state = _cells(line)
        for column, text in enumerate(texts):
            sheet.write_string(row, column, text)
        for number, amount in enumerate(amounts):
            sums[number] += amount
            sheet.write_number(row, len(texts) + number, to_baht(amount), money)
        sheet.write_string(row, 10, state)
        sheet.write_string(row, 11, head.mark)
    for number, amount in enumerate(sums):
        sheet.write_number(len(lines) + 1, 7 + number, to_baht(amount), total)
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 8)
    sheet.set_column(2, 11, 18)
    sheet.freeze_panes(1, 0)
    book.close()
    return file.getvalue()


# --- Krungthai -----------------------------------------------------------------------------------


def write_krungthai(head: FileHead, lines: Sequence[FileLine]) -> bytes:
    """Krungthai's bulk text: 498 places a record, Thai in the bank's old encoding, CR LF.

    A letter that the encoding lacks becomes a question mark. As the bank's public profile has it; to be
    tried with the bank before the first real use.
    """
    day = f"{head.pay_on:%d%m%Y}"
    count, total = len(lines), sum(line.amount_satang for line in lines)
    records = [
        _left("101", 3)
        + _right("1", 6)
        + KRUNGTHAI
        + _right(str(count), 7)
        + _right(str(total), 19)
        + day
        + "C"
        + _right("", 8)
        + _left(head.company_id, 16)
        + _left("", 427)
    ]
    records += [_krungthai_line(head, number, line, day) for number, line in enumerate(lines, 1)]
    assert all(len(each) == _WIDTH for each in records)
    return "".join(f"{each}\r\n" for each in records).encode("cp874", "replace")


def _krungthai_line(head: FileHead, number: int, line: FileLine, day: str) -> str:
    own = _right(head.account, 11)
    return (
        "102"
        + _right("1", 6)
        + _right(line.bank, 3)
        + _right("", 1)
        + _right(line.number[:3], 3)
        + _right(line.number, 11)
        + KRUNGTHAI
        + _right("", 1)
        + _right(head.account[:3], 3)
        + own
        + day
        + "04"
        + "00"
        + _right(str(line.amount_satang), 17)
        + _left("", 8)
        + _right("", 10)
        + _left(line.holder, 100)
        + _left(head.community, 100)
        + _left(head.mark, 40)
        + _left("", 20)
        + _left(line.reference[-18:], 18)
        + _left("", 22)
        + _right(str(number), 6)
        + "09"
        + _left("", 60)
        + _right("", 4)
        + _left("", 34)
    )


def _left(text: str, width: int) -> str:
    """A text in its places. A place is a byte: what the encoding lacks is one question mark."""
    known = plain(text).encode("cp874", "replace").decode("cp874")
    return known[:width].ljust(width)


def _right(digits: str, width: int) -> str:
    assert len(digits) <= width
    return digits.rjust(width, "0")


# --- pain.001 ------------------------------------------------------------------------------------


def write_pain(head: FileHead, lines: Sequence[FileLine]) -> bytes:
    """A credit transfer of ISO 20022 as banks take it from 2019 on (pain.001.001.09).

    Thai accounts have no IBAN: account numbers stand in `Othr`, banks by their three digits; a PromptPay
    number stands in `Prxy` as well. A copy has the message's number of the original.
    """
    ET.register_namespace("", PAIN)
    document = ET.Element(f"{{{PAIN}}}Document")
    message = _add(document, "CstmrCdtTrfInitn")
    count, total = str(len(lines)), _amount(sum(line.amount_satang for line in lines))
    group = _add(message, "GrpHdr")
    _add(group, "MsgId", head.batch[:35])
    _add(group, "CreDtTm", f"{head.made_at:%Y-%m-%dT%H:%M:%S}Z")
    _add(group, "NbOfTxs", count)
    _add(group, "CtrlSum", total)
    _add(_add(group, "InitgPty"), "Nm", _name(head.community))
    batch = _add(message, "PmtInf")
    _add(batch, "PmtInfId", head.batch[:35])
    _add(batch, "PmtMtd", "TRF")
    _add(batch, "NbOfTxs", count)
    _add(batch, "CtrlSum", total)
    _add(_add(batch, "ReqdExctnDt"), "Dt", head.pay_on.isoformat())
    _add(_add(batch, "Dbtr"), "Nm", _name(head.community))
    _account(batch, "DbtrAcct", head.account)
    _agent(batch, "DbtrAgt", head.bank)
    _add(batch, "ChrgBr", "SHAR")
    for line in lines:
        _transfer(batch, head, line)
    ET.indent(document)
    return bytes(ET.tostring(document, encoding="UTF-8", xml_declaration=True))


def _transfer(batch: ET.Element, head: FileHead, line: FileLine) -> None:
    transfer = _add(batch, "CdtTrfTxInf")
    _add(_add(transfer, "PmtId"), "EndToEndId", line.reference)
    amount = _add(_add(transfer, "Amt"), "InstdAmt", _amount(line.amount_satang))
    amount.set("Ccy", "THB")
    if line.kind == PayeeKind.BANK:
        _agent(transfer, "CdtrAgt", line.bank)
    _add(_add(transfer, "Cdtr"), "Nm", _name(line.holder))
    account = _account(transfer, "CdtrAcct", line.number)
    if line.kind in _PROXIES:
        proxy = _add(account, "Prxy")
        _add(_add(proxy, "Tp"), "Cd", _PROXIES[line.kind])
        _add(proxy, "Id", line.number)
    _add(_add(transfer, "RmtInf"), "Ustrd", f"{line.reference} {head.mark}".strip())


def _add(parent: ET.Element, name: str, text: str = "") -> ET.Element:
    child = ET.SubElement(parent, f"{{{PAIN}}}{name}")
    child.text = text or None
    return child


def _account(parent: ET.Element, name: str, number: str) -> ET.Element:
    account = _add(parent, name)
    _add(_add(_add(account, "Id"), "Othr"), "Id", number)
    _add(account, "Ccy", "THB")
    return account


def _agent(parent: ET.Element, name: str, bank: str) -> None:
    institution = _add(_add(parent, name), "FinInstnId")
    _add(_add(institution, "ClrSysMmbId"), "MmbId", bank)


def _name(text: str) -> str:
    return plain(text)[:_MOST_NAME]


def _amount(satang: int) -> str:
    return f"{to_baht(satang):.2f}"
