"""Statements as ISO 20022 XML: an outside bank's, hand-made ones, and what is refused."""

import time
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.errors import StatementCurrency, StatementLineUnreadable, StatementUnreadable
from cbt.payments.bank_camt import read_camt
from cbt.payments.bank_lines import MOST_BYTES, Column, Fault, StatementProblem
from cbt.payments.matching import Certainty, OpenPayment, Why, match_payments
from tests.bank import ACCOUNT, IBAN, open_bank

BANGKOK = "Asia/Bangkok"
DAY = date(2026, 11, 24)


def tag(name, *content, **attributes):
    given_ = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f"<{name}{given_}>{''.join(content)}</{name}>"


def down(path, content):
    for name in reversed(path.split("/")):
        content = tag(name, content)
    return content


def money(amount, side="CRDT", currency="THB"):
    return tag("Amt", amount, Ccy=currency) + tag("CdtDbtInd", side)


def transfer(*content, amount=None):
    own = money(amount) if amount else ""
    return tag("TxDtls", own, *content)


def entry(amount="100.00", side="CRDT", *transfers, status="<Cd>BOOK</Cd>", **more):
    """An entry; `currency`, `day` (what stands in BookgDt) and `also` (what follows) may be given."""
    return tag(
        "Ntry",
        money(amount, side, more.get("currency", "THB")),
        tag("Sts", status) if status else "",
        tag("BookgDt", more.get("day", "<Dt>2026-11-24</Dt>")),
        more.get("also", ""),
        tag("NtryDtls", *transfers) if transfers else "",
    )


def balance(code, amount, side="CRDT", currency="THB"):
    return tag("Bal", down("Tp/CdOrPrtry/Cd", code), money(amount, side, currency))


def statement(*content, account="1234567890"):
    return tag("Stmt", down("Acct/Id/Othr/Id", account), *content)


def document(*statements, message="BkToCstmrStmt", version="camt.053.001.08", prefix=""):
    space = f"urn:iso:std:iso:20022:tech:xsd:{version}"
    return tag("Document", tag(message, "<GrpHdr/>", *statements), xmlns=space).encode()


def read_one(*content):
    [read] = read_camt(document(statement(*content)), BANGKOK)
    return read


def line_of(*given_, **more):
    [line] = read_one(entry(*given_, **more)).lines
    return line


def facts_of(content, kind=StatementUnreadable):
    with pytest.raises(kind) as refused:
        read_camt(content, BANGKOK)
    return refused.value.facts


def outcome_of(content):
    try:
        return read_camt(content, BANGKOK)
    except StatementUnreadable as refused:
        return StatementProblem(refused.facts["problem"])


# --- an outside bank -----------------------------------------------------------------------------


def opened(*parts):
    return datetime(*parts, tzinfo=UTC)


OPEN = [
    OpenPayment(
        17,
        "B-7K2M9Q",
        3_000_00,
        opened(2026, 11, 24, 1),
        opened(2026, 11, 24, 2),
        ("B-7K2M9Q", "A17"),
        needs_own_amount=False,
    ),
    OpenPayment(18, "B-AAAAAA", 1_500_07, opened(2026, 11, 24, 1), opened(2026, 11, 24, 2)),
    OpenPayment(19, "B-BBBBBB", 1_500_08, opened(2026, 11, 24, 1), opened(2026, 11, 24, 2)),
    OpenPayment(20, "B-CCCCCC", 2_400_00, opened(2026, 11, 24, 1), opened(2026, 11, 24, 2)),
    OpenPayment(21, "B-DDDDDD", 1_200_00, opened(2026, 11, 24, 1), opened(2026, 11, 24, 2),
                guest_name="มาลี สุขใจ"),
]  # fmt: skip


def test_credits_of_an_outside_bank_find_their_bookings():
    with open_bank() as bank:
        bank.arrive(3_000_00, payer="MR. SOMCHAI J", reference="B7K2M9Q", note="A17")
        bank.arrive(1_500_07, payer="นาย สมชาย ใจดี", note="พร้อมเพย์")
        bank.arrive(2_000_00, payer="Anna Schmidt", note="trip B-CCC CCC thanks")
        bank.arrive(1_200_00, payer="น.ส. มาลี ส***")
        bank.arrive(99_00, payer="วัดบุนาดารา", note="เงินบริจาค")
        bank.arrive(1_500_07, payer="นาย สมชาย ใจดี", note="พร้อมเพย์")
        bank.pass_days(1)
        [content] = bank.messages("camt.053")
        notifications = bank.messages("camt.054")
    [read] = read_camt(content, BANGKOK)
    assert (read.account, read.currency) == (IBAN, "THB")
    assert (read.opening_satang, read.closing_satang) == (5_000_00, 5_000_00 + 9_299_14)
    assert {line.booked_on for line in read.lines} == {DAY}
    assert read.lines[1].payer == "นาย สมชาย ใจดี"
    assert read.lines[1].text == "พร้อมเพย์"

    told = [line for each in notifications for line in read_camt(each, BANGKOK)[0].lines]
    assert sorted(line.bank_key for line in told) == sorted(line.bank_key for line in read.lines)

    matching = match_payments(read.lines, OPEN, BANGKOK)
    found = {
        each.line.number: (each.target_id, each.why, each.certainty) for each in matching.proposals
    }
    assert found.pop(1) == (17, Why.REFERENCE_AND_AMOUNT, Certainty.CERTAIN)
    assert found.pop(3) == (20, Why.REFERENCE_ONLY, Certainty.LIKELY)
    assert found.pop(4) == (21, Why.UNIQUE_AMOUNT, Certainty.CERTAIN)
    assert sorted(found.values()) == [
        (18, Why.PAID_TWICE, Certainty.UNSURE),
        (18, Why.UNIQUE_AMOUNT, Certainty.LIKELY),
    ]
    assert [line.text for line in matching.unmatched] == ["เงินบริจาค"]


@pytest.mark.parametrize("width", [35, 70])
def test_a_reference_that_the_bank_cuts_in_two_is_found(width):
    with open_bank() as bank:
        for shift in range(1, 12):
            note = "x" * (width - shift) + " B-7K2M9Q " + "y" * 20
            bank.arrive(3_000_00 + shift, note=note, wrap=width)
        bank.pass_days(1)
        [content] = bank.messages("camt.053")
    [read] = read_camt(content, BANGKOK)
    proposals = match_payments(read.lines, OPEN[:1], BANGKOK).proposals
    assert len(proposals) == 11
    assert {each.candidates for each in proposals} == {(17,)}


def test_two_statements_of_an_outside_bank_share_no_line():
    with open_bank() as bank:
        for _day in range(2):
            bank.arrive(500_00, note="same")
            bank.arrive(500_00, note="same")
            bank.pass_days(1)
        contents = bank.messages("camt.053")
    lines = [line for content in contents for line in read_camt(content, BANGKOK)[0].lines]
    assert len({line.bank_key for line in lines}) == len(lines) == 4
    again = [line for content in contents for line in read_camt(content, BANGKOK)[0].lines]
    assert again == lines


def test_a_statement_with_a_hole_is_refused():
    with open_bank() as bank:
        bank.ask("PATCH", f"/_mock/accounts/{ACCOUNT}", {"behaviour": "statement-gap"})
        bank.arrive(500_00)
        bank.arrive(700_00)
        bank.pass_days(1)
        [content] = bank.messages("camt.053")
    assert facts_of(content)["problem"] == StatementProblem.BALANCE


def test_a_day_without_entries_is_a_statement_without_lines():
    with open_bank() as bank:
        bank.pass_days(1)
        [content] = bank.messages("camt.053")
    [read] = read_camt(content, BANGKOK)
    assert (read.lines, read.opening_satang, read.closing_satang) == ((), 5_000_00, 5_000_00)


# --- what entries say ----------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(2, 14))
@pytest.mark.parametrize("message", ["053", "054"])
def test_every_version_by_its_local_names(number, message):
    name = tag("Nm", "สมชาย") if number < 8 else down("Pty/Nm", "สมชาย")
    status = "BOOK" if number < 3 else "<Cd>BOOK</Cd>"
    details = transfer(down("RltdPties/Dbtr", name), down("RmtInf/Ustrd", "B-7K2M9Q"))
    body = entry("1.5", "CRDT", details, status=status)
    if message == "053":
        content = document(statement(body), version=f"camt.053.001.{number:02}")
    else:
        content = document(
            tag("Ntfctn", body),
            message="BkToCstmrDbtCdtNtfctn",
            version=f"camt.054.001.{number:02}",
        )
    [read] = read_camt(content, BANGKOK)
    [line] = read.lines
    assert (line.amount_satang, line.payer, line.text) == (1_50, "สมชาย", "B-7K2M9Q")


def test_elements_may_carry_a_prefix():
    content = document(statement(entry())).replace(b"xmlns=", b"xmlns:c=")
    prefixed = content.replace(b"</", b"\x01").replace(b"<", b"<c:").replace(b"\x01", b"</c:")
    assert len(read_camt(prefixed, BANGKOK)[0].lines) == 1


def test_several_statements_each_with_its_account():
    both = document(
        statement(entry("1"), entry("2", "DBIT"), account="111"),
        statement(entry("3"), account="222"),
    )
    one, other = read_camt(both, BANGKOK)
    assert (one.account, [line.amount_satang for line in one.lines]) == ("111", [1_00, -2_00])
    assert (other.account, [line.number for line in other.lines]) == ("222", [3])


def test_only_booked_entries_are_lines():
    read = read_one(
        balance("OPBD", "0"),
        balance("CLBD", "100"),
        entry(status="<Cd>PDNG</Cd>"),
        entry(status="INFO"),
        entry(status="<Prtry>OWN</Prtry>"),
        entry(),
    )
    assert [line.number for line in read.lines] == [4]


def test_references_texts_and_names():
    details = transfer(
        tag("Refs", tag("EndToEndId", "E2E-1"), tag("TxId", "NOTPROVIDED")),
        tag(
            "RmtInf",
            tag("Ustrd", "one"),
            tag("Ustrd", "two"),
            down("Strd/CdtrRefInf/Ref", "REF9"),
        ),
        tag("RltdPties", down("Cdtr/Nm", "us"), down("Dbtr/Nm", "them")),
        tag("AddtlTxInf", "three"),
    )
    line = line_of("1", "CRDT", details, also=tag("AddtlNtryInf", "four"))
    assert (line.reference, line.text, line.payer) == ("REF9 E2E-1", "one two three four", "them")
    assert line_of("1", "DBIT", details).payer == "us"


@pytest.mark.parametrize(
    ("day", "booked_on", "booked_at"),
    [
        ("<Dt>2026-11-24</Dt>", DAY, None),
        ("<Dt>2026-11-24Z</Dt>", DAY, None),
        ("<Dt>2026-11-24+07:00</Dt>", DAY, None),
        ("<DtTm>2026-11-24T14:05:00</DtTm>", DAY, opened(2026, 11, 24, 7, 5)),
        ("<DtTm>2026-11-23T17:00:00Z</DtTm>", DAY, opened(2026, 11, 23, 17)),
        ("<DtTm>2026-11-24T00:30:00+07:00</DtTm>", DAY, opened(2026, 11, 23, 17, 30)),
    ],
)
def test_the_day_is_the_accounts(day, booked_on, booked_at):
    line = line_of(day=day)
    assert (line.booked_on, line.booked_at) == (booked_on, booked_at)


def test_without_a_booking_day_that_of_the_value_counts():
    line = line_of(day="", also=tag("ValDt", "<Dt>2026-11-25</Dt>"))
    assert line.booked_on == date(2026, 11, 25)


@pytest.mark.parametrize(
    ("also", "transfers", "is_reversal"),
    [
        ("", [], False),
        ("<RvslInd>false</RvslInd>", [], False),
        ("<RvslInd>true</RvslInd>", [], True),
        ("<RvslInd>1</RvslInd>", [], True),
        ("", [transfer("<RtrInf/>")], True),
    ],
)
def test_what_takes_an_earlier_line_back_is_a_reversal(also, transfers, is_reversal):
    assert line_of("1", "CRDT", *transfers, also=also).is_reversal is is_reversal


def test_an_entry_of_several_transfers_is_as_many_lines():
    parts = [
        transfer(down("RltdPties/Dbtr/Nm", name), amount=amount)
        for name, amount in [("a", "30.00"), ("b", "70.00")]
    ]
    number = tag("AcctSvcrRef", "N1")
    read = read_one(entry("100.00", "CRDT", *parts, also=number))
    assert [(line.amount_satang, line.payer) for line in read.lines] == [(30_00, "a"), (70_00, "b")]
    assert len({line.bank_key for line in read.lines}) == 2


@pytest.mark.parametrize(
    "parts",
    [
        [transfer(amount="30.00"), transfer(amount="60.00")],
        [transfer(amount="30.00"), transfer()],
        [transfer(), transfer()],
        [transfer(amount="x"), transfer(amount="100.00")],
    ],
)
def test_transfers_that_do_not_add_up_stay_one_line(parts):
    assert line_of("100.00", "CRDT", *parts).amount_satang == 100_00


def test_the_banks_number_is_the_key_and_a_number_in_the_statement_is_none():
    def key(also, text="x", amount="1"):
        details = transfer(down("RmtInf/Ustrd", text))
        return line_of(amount, "CRDT", details, also=also).bank_key

    assert key("<AcctSvcrRef>N1</AcctSvcrRef>") == key("<AcctSvcrRef>N1</AcctSvcrRef>", "y")
    assert key("<AcctSvcrRef>N1</AcctSvcrRef>") != key("<AcctSvcrRef>N2</AcctSvcrRef>")
    assert key("<NtryRef>1</NtryRef>") == key("<NtryRef>2</NtryRef>")
    assert key("<AcctSvcrRef>NONREF</AcctSvcrRef>") == key("")
    assert key("", "x") != key("", "y")


def test_two_equal_entries_both_count_and_are_known_again():
    once, twice = read_one(entry()), read_one(entry(), entry())
    assert len({line.bank_key for line in twice.lines}) == 2
    assert once.lines[0].bank_key in {line.bank_key for line in twice.lines}


def test_overdrawn_balances_have_their_sign():
    read = read_one(
        balance("OPBD", "50", "DBIT"), entry("20", "DBIT"), balance("CLBD", "70", "DBIT")
    )
    assert (read.opening_satang, read.closing_satang) == (-50_00, -70_00)
    earlier = read_one(balance("PRCD", "5"), balance("ITBD", "9"))
    assert (earlier.opening_satang, earlier.closing_satang) == (5_00, None)


# --- refusals ------------------------------------------------------------------------------------

LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha">'
    + b"".join(f'<!ENTITY {b} "{f"&{a};" * 10}">'.encode() for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + b"]><Document>&i;</Document>"
)  # fmt: skip
GOOD = document(statement(entry()))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"", StatementProblem.EMPTY, id="empty"),
        pytest.param(b" \n", StatementProblem.EMPTY, id="blank"),
        pytest.param(b"date,amount", StatementProblem.XML, id="csv"),
        pytest.param(GOOD[:-5], StatementProblem.XML, id="cut-off"),
        pytest.param(GOOD + GOOD, StatementProblem.XML, id="two-documents"),
        pytest.param(GOOD.replace(b"100.00", b"&a;"), StatementProblem.XML, id="unknown-entity"),
        pytest.param(GOOD.replace(b"100.00", b"1\x00"), StatementProblem.XML, id="nul"),
        pytest.param(b"\xff\xfe" + GOOD, StatementProblem.ENCODING, id="bytes"),
        pytest.param(GOOD.decode().encode("utf-16"), StatementProblem.ENCODING, id="utf-16"),
        pytest.param(LAUGHS, StatementProblem.DOCTYPE, id="billion-laughs"),
        pytest.param(
            b'<!DOCTYPE x SYSTEM "file:///etc/passwd">' + GOOD,
            StatementProblem.DOCTYPE,
            id="outside",
        ),
        pytest.param(
            b'<!DOCTYPE x [<!ENTITY a SYSTEM "http://127.0.0.1/">]>' + GOOD,
            StatementProblem.DOCTYPE,
            id="entity",
        ),
        pytest.param(b"x" * (MOST_BYTES + 1), StatementProblem.TOO_LARGE, id="too-large"),
        pytest.param(b"<a/>" * 2_100_000, StatementProblem.TOO_MANY, id="too-many-tags"),
        pytest.param(b"<html><body/></html>", StatementProblem.MESSAGE, id="page"),
        pytest.param(
            document(message="CstmrCdtTrfInitn"), StatementProblem.MESSAGE, id="another-message"
        ),
        pytest.param(document(), StatementProblem.NO_LINES, id="no-statement"),
        pytest.param(
            document(statement(balance("OPBD", "x"))), StatementProblem.BALANCE, id="balance"
        ),
        pytest.param(
            document(statement(balance("OPBD", "1"), balance("CLBD", "1"), entry())),
            StatementProblem.BALANCE,
            id="does-not-follow",
        ),
    ],
)
def test_a_file_that_is_no_statement(content, problem):
    assert facts_of(content)["problem"] == problem


@pytest.mark.parametrize(
    "body",
    [
        entry(currency="USD"),
        entry(currency=""),
        balance("OPBD", "1", currency="USD"),
        down("Acct/Ccy", "USD"),
    ],
)
def test_another_currency_is_refused_by_name(body):
    content = document(tag("Stmt", body, entry()))
    assert facts_of(content, StatementCurrency)["currency"] in ("USD", "")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (entry("1.005"), Fault(StatementProblem.AMOUNT, 2, Column.AMOUNT)),
        (entry("-1"), Fault(StatementProblem.AMOUNT, 2, Column.AMOUNT)),
        (entry("1e3"), Fault(StatementProblem.AMOUNT, 2, Column.AMOUNT)),
        (entry("1,000"), Fault(StatementProblem.AMOUNT, 2, Column.AMOUNT)),
        (entry("๑"), Fault(StatementProblem.AMOUNT, 2, Column.AMOUNT)),
        (entry("9" * 15), Fault(StatementProblem.AMOUNT, 2, Column.AMOUNT)),
        (entry("1", "BOTH"), Fault(StatementProblem.AMOUNT, 2, Column.AMOUNT)),
        (entry("1", ""), Fault(StatementProblem.AMOUNT, 2, Column.AMOUNT)),
        (entry(status=""), Fault(StatementProblem.STATUS, 2)),
        (entry(day=""), Fault(StatementProblem.DATE, 2, Column.DATE)),
        (entry(day="<Dt>2026-02-30</Dt>"), Fault(StatementProblem.DATE, 2, Column.DATE)),
        (entry(day="<Dt>0001-01-01</Dt>"), Fault(StatementProblem.DATE, 2, Column.DATE)),
        (
            entry(day="<DtTm>0001-01-01T00:00:00+14:00</DtTm>"),
            Fault(StatementProblem.DATE, 2, Column.DATE),
        ),
    ],
)
def test_a_bad_entry_is_named_and_refuses_them_all(body, fault):
    facts = facts_of(document(statement(entry(), body, entry())), StatementLineUnreadable)
    assert facts["faults"] == (fault,)
    assert (facts["problem"], facts["line"]) == (fault.problem, 2)


def test_up_to_ten_bad_entries_are_listed():
    facts = facts_of(document(statement(*[entry("x")] * 12)), StatementLineUnreadable)
    assert ([each.line for each in facts["faults"]], facts["more"]) == (list(range(1, 11)), True)


def test_amounts_may_have_zeros_behind_the_satang():
    assert line_of("1.50000").amount_satang == 1_50
    assert read_one(entry("0.00")).lines == ()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"<a>" * 900_000 + b"</a>" * 900_000, id="deep"),
        pytest.param(b"<a " + b" ".join(b"a%d='1'" % n for n in range(500_000)) + b"/>", id="wide"),
        pytest.param(document(statement(*[entry()] * 30_000)), id="many"),
    ],
)
def test_a_large_file_costs_little(content):
    began = time.process_time()
    assert outcome_of(content)
    assert time.process_time() - began < 10


@given(content=st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_our_own(content):
    assert outcome_of(content) in StatementProblem


WORDS = st.sampled_from(
    ["", "1", "-1", "x", "THB", "CRDT", "DBIT", "BOOK", "2026-11-24", "&lt;", "0001-01-01T00:00:00"]
)
NAMES = st.sampled_from(
    [
        "Stmt",
        "Ntry",
        "Amt",
        "CdtDbtInd",
        "Sts",
        "Cd",
        "BookgDt",
        "Dt",
        "DtTm",
        "Bal",
        "Tp",
        "CdOrPrtry",
        "NtryDtls",
        "TxDtls",
        "Refs",
        "RmtInf",
        "Ustrd",
    ]
)
TREES = st.recursive(
    WORDS,
    lambda inner: st.builds(
        lambda name, content, ccy: tag(name, *content, **({"Ccy": "THB"} if ccy else {})),
        NAMES,
        st.lists(inner, max_size=4),
        st.booleans(),
    ),
    max_leaves=20,
)


@given(trees=st.lists(TREES, max_size=4))
def test_elements_in_any_order_raise_nothing_but_our_own(trees):
    assert outcome_of(document(statement(entry(), *trees)))
    assert outcome_of(document(statement(tag("Ntry", money("1"), *trees))))


@given(
    satang=st.integers(1, 10**13),
    is_credit=st.booleans(),
    text=st.text("กขคงABCabc0123456789 -/", max_size=40),
)
def test_an_entry_reads_back(satang, is_credit, text):
    details = transfer(down("RmtInf/Ustrd", text))
    amount = f"{satang // 100}.{satang % 100:02}"
    line = line_of(amount, "CRDT" if is_credit else "DBIT", details)
    assert line.amount_satang == (satang if is_credit else -satang)
    assert line.text == " ".join(text.split())
