"""Files of a payout batch: the same money in each, and whatever somebody typed stays a name."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from urllib.request import ProxyHandler, Request, build_opener
from xml.etree import ElementTree as ET

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.revenue.paying_out import ExportKind, PayeeKind
from cbt.revenue.payout_files import (
    PAIN,
    FileHead,
    FileLine,
    can_carry,
    plain,
    write_csv,
    write_krungthai,
    write_pain,
    write_xlsx,
)
from tests.bank import IBAN, open_bank

HEAD = FileHead(
    community="วิสาหกิจชุมชนบุนาดารา",
    batch="BUNA-DARA-B3",
    copy=1,
    pay_on=date(2026, 11, 25),
    made_at=datetime(2026, 11, 24, 3, tzinfo=UTC),
    company_id="9900001",
    bank="006",
    account="9830012345",
)
COLUMNS = ["Reference", "Code", "Household", "Payee", "Way", "Bank", "Number"]
COLUMNS += ["Amount", "Debt", "Tax", "State", "Copy"]


def a_line(line_id=1, **changes):
    line = FileLine(
        reference=f"BUNA-DARA-{line_id:08}",
        household=f"H{line_id:02}",
        household_name="ครัวเรือนนางสาวมะลิ",
        holder="นางสาวมะลิ ใจดี",
        kind=PayeeKind.BANK,
        way="Bank account",
        bank="006",
        number="0123456789",
        amount_satang=46_850,
        recovered_satang=150,
        state="to pay",
    )
    return replace(line, **changes)


TWO = [a_line(1), a_line(2, amount_satang=100_000, recovered_satang=0)]
HOSTILE = [
    '=HYPERLINK("http://x","y")',
    "+66812345678",
    "@SUM(A1)",
    "-2+3",
    ' \t=1+1"',
    "＝1+1",
    "quote \" and ' and ,;",
    "line\r\nbreak\u2028here",
    "right\u202eto-left\u200f mark",
    "<Nm>&amp;</Nm>",
    "null\u0000bell\u0007",
    "นางสาวน้ำผึ้ง ทองคำ",
]


def rows_of(content):
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def cells_of(content):
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    return [list(row) for row in sheet.iter_rows()]


# --- tables --------------------------------------------------------------------------------------


def test_a_table_holds_each_line_once_with_its_amounts_and_no_tax():
    rows = rows_of(write_csv(HEAD, COLUMNS, TWO))
    assert rows[0] == COLUMNS
    assert [row[0] for row in rows[1:]] == ["BUNA-DARA-00000001", "BUNA-DARA-00000002"]
    assert [row[7:] for row in rows[1:]] == [
        ["468.50", "1.50", "0.00", "to pay", ""],
        ["1000.00", "0.00", "0.00", "to pay", ""],
    ]


def test_a_workbook_holds_numbers_as_numbers_and_their_sums():
    rows = cells_of(write_xlsx(HEAD, COLUMNS, TWO))
    assert [cell.value for cell in rows[0]] == COLUMNS
    assert rows[1][6].value == "0123456789"  # the leading zero stays
    assert [cell.value for cell in rows[1][7:10]] == [468.5, 1.5, 0]
    assert [cell.value for cell in rows[3][7:10]] == [1468.5, 1.5, 0]


def test_a_copy_says_so_in_every_file():
    copy = replace(HEAD, copy=2)
    assert {row[11] for row in rows_of(write_csv(copy, COLUMNS, TWO))[1:]} == {"COPY 2"}
    assert [row[11].value for row in cells_of(write_xlsx(copy, COLUMNS, TWO))[1:3]] == [
        "COPY 2"
    ] * 2
    for write in (write_krungthai, write_pain):
        assert b"COPY" not in write(HEAD, TWO)
        assert write(copy, TWO).count(b"COPY 2") == 2


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_becomes_a_formula_a_row_or_a_hidden_mark(name):
    lines = [a_line(holder=name, household_name=name)]
    rows = rows_of(write_csv(HEAD, COLUMNS, lines))
    cells = cells_of(write_xlsx(HEAD, COLUMNS, lines))
    assert len(rows) == 2
    assert len(cells) == 3
    for text in rows[1][2:4]:
        assert text[:1] not in {"=", "+", "-", "@", "＝", "\t"}
        assert text.lstrip("'") == plain(name).lstrip("'")
    for cell in cells[1][2:4]:
        assert cell.data_type == "s"
        assert cell.value == plain(name)


@given(st.text(max_size=40))
def test_a_plain_text_is_one_line_of_what_can_be_seen(text):
    shown = plain(text)
    assert plain(shown) == shown
    assert shown.isprintable() or not shown


# --- Krungthai -----------------------------------------------------------------------------------


def test_each_record_of_krungthai_has_its_fields_in_their_places():
    lines = write_krungthai(HEAD, TWO).decode("cp874").split("\r\n")
    head, first, second, end = lines
    assert end == ""
    assert {len(each) for each in (head, first, second)} == {498}
    assert head[:12] == "101000001006"
    assert head[12:19] == "0000002"
    assert head[19:38] == "0000000000000146850"
    assert head[38:46] == "25112026"
    assert head[55:71].rstrip() == "9900001"
    assert first[:3] == "102"
    assert first[9:12] == "006"
    assert first[16:27] == "00123456789"
    assert first[34:45] == "09830012345"
    assert first[45:53] == "25112026"
    assert first[57:74] == "00000000000046850"
    assert first[92:192].rstrip() == "นางสาวมะลิ ใจดี"
    assert first[352:370] == "BUNA-DARA-00000001"
    assert second[392:400] == "00000209"


@pytest.mark.parametrize("name", [*HOSTILE, "名前", "x" * 300])
def test_no_name_moves_a_field_of_krungthai(name):
    content = write_krungthai(HEAD, [a_line(holder=name)])
    records = content.split(b"\r\n")
    assert [len(each) for each in records] == [498, 498, 0]
    assert records[1][352:370] == b"BUNA-DARA-00000001"


def test_banks_files_carry_no_cash_and_krungthai_only_accounts_that_fit():
    cash = a_line(kind=PayeeKind.CASH, number="")
    phone, long = a_line(kind=PayeeKind.PHONE), a_line(number="020123456789")
    carried = {
        kind: [can_carry(kind, each) for each in (a_line(), phone, long, cash)]
        for kind in ExportKind
    }
    assert carried[ExportKind.CSV] == carried[ExportKind.XLSX] == [True] * 4
    assert carried[ExportKind.PAIN001] == [True, True, True, False]
    assert carried[ExportKind.KRUNGTHAI] == [True, False, False, False]


# --- pain.001 ------------------------------------------------------------------------------------


def at(tree, path):
    return [each.text for each in tree.iterfind(f".//{path}", {"": PAIN})]


def test_a_transfer_message_sums_to_its_lines_and_keeps_their_references():
    tree = ET.fromstring(write_pain(HEAD, TWO))
    assert at(tree, "GrpHdr/CtrlSum") == at(tree, "PmtInf/CtrlSum") == ["1468.50"]
    assert at(tree, "EndToEndId") == ["BUNA-DARA-00000001", "BUNA-DARA-00000002"]
    assert at(tree, "InstdAmt") == ["468.50", "1000.00"]
    assert at(tree, "CdtrAgt/FinInstnId/ClrSysMmbId/MmbId") == ["006", "006"]


def test_a_promptpay_number_stands_as_a_proxy_without_a_bank():
    phone = a_line(kind=PayeeKind.PHONE, bank="", number="0812345678")
    tree = ET.fromstring(write_pain(HEAD, [phone]))
    assert at(tree, "CdtrAcct/Prxy/Tp/Cd") == ["TELE"]
    assert at(tree, "CdtrAcct/Prxy/Id") == ["0812345678"]
    assert at(tree, "CdtrAgt/FinInstnId") == []


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_in_a_message_is_read_back_as_it_was(name):
    tree = ET.fromstring(write_pain(HEAD, [a_line(holder=name)]))
    assert at(tree, "Cdtr/Nm") == [plain(name)]


def test_a_bank_that_knows_nothing_of_us_takes_the_message():
    kinds = [a_line(1), a_line(2, kind=PayeeKind.PHONE, bank="", number="0812345678")]
    kinds += [a_line(3, holder=name) for name in HOSTILE[:1]]
    content = write_pain(replace(HEAD, account=IBAN), kinds)
    with open_bank() as bank:
        answer = hand_in(bank, content)
    assert answer["file"]["message"] == "pain.001.001.09"
    assert answer["findings"] == []


def hand_in(bank, content):
    headers = {"Content-Type": "application/xml", "Accept": "application/json"}
    request = Request(bank._url + "/_mock/validate", content, headers, method="POST")
    with build_opener(ProxyHandler({})).open(request, timeout=10) as answer:
        return json.loads(answer.read())
