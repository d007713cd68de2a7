"""How households of a sample community are paid, a batch that waits, and a request to the welfare fund.

Nothing of it moves the books: what was planned or asked for waits for a second person.
"""

from collections.abc import Sequence
from datetime import datetime

from cbt.db import db
from cbt.errors import FreeTooLow, NothingToPay
from cbt.people.queries import find_sign_in
from cbt.revenue import fund_use, pay_out
from cbt.revenue.funds import Evidence, Purpose
from cbt.revenue.paying_out import LEAST_SATANG, PayeeKind
from cbt.revenue.policy import Bucket

_HOLDER = "ตัวแทนครัวเรือน {code} (ตัวอย่าง)"
_MEETING = "มติที่ประชุมสมาชิกครั้งที่ 2 (ตัวอย่าง)"
_WHAT = "นอนโรงพยาบาล 3 คืน (ตัวอย่าง)"
_PAPER = "ใบรับรองแพทย์ (ตัวอย่าง)"
_ASKED_SATANG = 60_000
_NUMBERS = ("0800000001", "0800000002", "0800000003")  # nobody's


def name_payees(
    community_id: int, codes: Sequence[str], people: tuple[int, int], at: datetime
) -> None:
    """A few households are paid by PromptPay, as two people agreed; the others in cash."""
    first, second = people
    for code, number in zip(codes, _NUMBERS, strict=False):
        holder = _HOLDER.format(code=code)
        payee_id = pay_out.name_payee(
            community_id, code, PayeeKind.PHONE, "", number, holder, first, at
        )
        pay_out.agree_payee(community_id, payee_id, second, at)


def leave_a_batch(community_id: int, treasurer_id: int, at: datetime) -> None:
    """The treasurer planned a batch; the coordinator has not looked at it yet."""
    try:
        pay_out.draft_batch(community_id, LEAST_SATANG, treasurer_id, at)
    except NothingToPay:
        return


def leave_a_request(
    community_id: int, slug: str, code: str, treasurer_id: int, at: datetime
) -> None:
    """A household asks for a benefit under the ceiling; nobody has decided yet."""
    fund, purpose = Bucket.WELFARE, Purpose.ILLNESS
    most = (100_000, 300_000)
    fund_use.set_ceiling(community_id, fund, purpose, *most, _MEETING, treasurer_id, at)
    asking = find_sign_in(db.session(), f"{code.lower()}.{slug}")
    if asking is None:
        return
    paper = Evidence("certificate.pdf", _certificate())
    payee = _HOLDER.format(code=code)
    try:
        fund_use.request_claim(
            community_id,
            fund,
            purpose,
            code,
            payee,
            _WHAT,
            _ASKED_SATANG,
            _PAPER,
            paper,
            asking.person_id,
            at,
        )
    except FreeTooLow:
        return


def _certificate() -> bytes:
    """A page that says that it is a sample, as a PDF."""
    words = b"BT /F 18 Tf 60 760 Td (Sample certificate, made up) Tj ET"
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(words), words),
    ]
    file, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, start=1):
        places.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (1 + len(parts))
    end = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        1 + len(parts),
        len(file),
    )
    return file + head + table + end
