"""The words for states, kinds and purposes of payouts and funds; `labels.py` holds them all."""

from enum import StrEnum
from typing import Any

from cbt.i18n import _l
from cbt.revenue.fund_page import Line
from cbt.revenue.funds import ClaimState, Giver, LoanState, Purpose
from cbt.revenue.paying_out import (
    BatchState,
    ExportKind,
    LineState,
    PayeeKind,
    PayeeState,
    Why,
)

FUND_LABELS: dict[type[StrEnum], dict[Any, Any]] = {
    BatchState: {
        BatchState.DRAFTED: _l("waiting for a second person"),
        BatchState.APPROVED: _l("approved"),
        BatchState.WITHDRAWN: _l("given up"),
    },
    LineState: {
        LineState.DRAFTED: _l("planned"),
        LineState.ORDERED: _l("to be paid"),
        LineState.PAID: _l("paid out"),
        LineState.CONFIRMED: _l("arrived"),
        LineState.RETURNED: _l("came back"),
        LineState.STOPPED: _l("stopped"),
        LineState.WITHDRAWN: _l("given up"),
    },
    PayeeKind: {
        PayeeKind.PHONE: _l("PromptPay to a telephone number"),
        PayeeKind.TAX_ID: _l("PromptPay to a citizen or tax number"),
        PayeeKind.EWALLET: _l("PromptPay to an e-wallet"),
        PayeeKind.BANK: _l("Bank account"),
        PayeeKind.CASH: _l("In cash"),
    },
    PayeeState: {
        PayeeState.NAMED: _l("waiting for a second person"),
        PayeeState.AGREED: _l("in use"),
        PayeeState.REPLACED: _l("replaced"),
        PayeeState.REFUSED: _l("not agreed"),
    },
    ExportKind: {
        ExportKind.CSV: _l("Table (CSV)"),
        ExportKind.XLSX: _l("Table (Excel)"),
        ExportKind.KRUNGTHAI: _l("Krungthai bank's text file"),
        ExportKind.PAIN001: _l("ISO 20022 file (pain.001)"),
    },
    Why: {
        Why.NOTHING: _l("has earned nothing that is not paid yet"),
        Why.HELD: _l("all of it is held back while a bank decides a dispute"),
        Why.TOO_LITTLE: _l("less than the least amount; it is kept for the next time"),
        Why.UNDER_WAY: _l("is under way already"),
    },
    Purpose: {
        Purpose.BIRTH: _l("Childbirth"),
        Purpose.ILLNESS: _l("Illness"),
        Purpose.OLD_AGE: _l("Old age"),
        Purpose.DEATH: _l("Death"),
        Purpose.EDUCATION: _l("Education"),
        Purpose.DISASTER: _l("Disaster"),
        Purpose.NATURE: _l("Care of nature"),
        Purpose.WORKS: _l("Building and repair"),
        Purpose.SUPPLIES: _l("Supplies"),
        Purpose.MEETING: _l("Meetings"),
        Purpose.PAY: _l("Pay for the group's work"),
    },
    Giver: {
        Giver.MEMBER: _l("Members"),
        Giver.LOCAL_GOVERNMENT: _l("Local government"),
        Giver.STATE: _l("The state"),
        Giver.OTHER: _l("Others"),
    },
    ClaimState: {
        ClaimState.REQUESTED: _l("waits for two people"),
        ClaimState.APPROVED: _l("approved, to be paid"),
        ClaimState.PAID: _l("paid out"),
        ClaimState.CONFIRMED: _l("arrived"),
        ClaimState.REFUSED: _l("not agreed"),
    },
    LoanState: {
        LoanState.REQUESTED: _l("waits for two people"),
        LoanState.APPROVED: _l("approved, to be paid"),
        LoanState.LENT: _l("being paid back"),
        LoanState.REPAID: _l("paid back"),
        LoanState.WAIVED: _l("rest waived"),
        LoanState.REFUSED: _l("not agreed"),
    },
    Line: {
        Line.TRIPS: _l("Share of the trips' income"),
        Line.LOSSES: _l("Its part of what guests got back"),
        Line.LOANS_WAIVED: _l("Loans that were waived"),
        Line.OTHER: _l("Other"),
    },
}
"""The states' colours are in the pages."""
