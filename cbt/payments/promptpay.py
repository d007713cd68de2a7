"""PromptPay QR payloads (EMVCo merchant-presented mode with the Thai supplement). Pure.

Tag 29 is a transfer to a telephone number, tax id or e-wallet; it carries no reference back, so
such payments are told apart by their amount. Tag 30 is a bill payment to a biller id that a bank
issued, with two references. Tags stand in EMVCo's order; tag 63 is the checksum, always last.
"""

import re
from binascii import crc_hqx
from dataclasses import dataclass
from enum import StrEnum

from cbt.errors import AmountInvalid, PromptPayIdInvalid

_TRANSFER, _BILL = "A000000677010111", "A000000677010112"
_BAHT, _THAILAND = "764", "TH"
_MOST_SATANG = 99_999_999_99  # the amount field holds 13 characters; no bank comes near


class IdKind(StrEnum):
    PHONE = "phone"
    TAX_ID = "tax_id"
    EWALLET = "ewallet"
    BILLER = "biller"


_SUBTAG = {IdKind.PHONE: "01", IdKind.TAX_ID: "02", IdKind.EWALLET: "03", IdKind.BILLER: "01"}


@dataclass(frozen=True)
class Receiver:
    """Whom to pay: the kind of id and the id as people write it (dashes and spaces allowed)."""

    kind: IdKind
    id: str


def payload(receiver: Receiver, amount_satang: int, ref1: str = "", ref2: str = "") -> str:
    """The text of the QR. References go into bill payments only.

    Raises PromptPayIdInvalid, or AmountInvalid for an amount not above zero.
    """
    if not 0 < amount_satang <= _MOST_SATANG:
        raise AmountInvalid(amount=amount_satang)
    number = normalise(receiver)
    if receiver.kind == IdKind.BILLER:
        account = _tag("30", _tag("00", _BILL) + _tag("01", number) + _references(ref1, ref2))
    else:
        account = _tag("29", _tag("00", _TRANSFER) + _tag(_SUBTAG[receiver.kind], number))
    baht, satang = divmod(amount_satang, 100)
    body = (
        _tag("00", "01")
        + _tag("01", "12")
        + account
        + _tag("53", _BAHT)
        + _tag("54", f"{baht}.{satang:02}")
        + _tag("58", _THAILAND)
        + "6304"
    )
    return f"{body}{checksum(body):04X}"


def normalise(receiver: Receiver) -> str:
    """The id as the QR carries it. Raises PromptPayIdInvalid."""
    digits = re.sub(r"[\s-]", "", receiver.id)
    if receiver.kind == IdKind.PHONE:
        digits = re.sub(r"^\+66", "0", digits)
        if re.fullmatch(r"0[689][0-9]{8}", digits):
            return f"0066{digits[1:]}"
    elif receiver.kind == IdKind.TAX_ID and re.fullmatch(r"[0-9]{13}", digits):
        if int(digits[12]) == check_digit(digits[:12]):
            return digits
    elif receiver.kind in (IdKind.EWALLET, IdKind.BILLER) and re.fullmatch(r"[0-9]{15}", digits):
        return digits
    raise PromptPayIdInvalid(kind=receiver.kind)


def pays(text: str, receiver: Receiver, amount_satang: int) -> bool:
    """Whether the text of a QR, read back as a bank's app does, pays this receiver this amount."""
    body, printed = text[:-4], text[-4:]
    tags = _read(text)
    is_whole = bool(body.endswith("6304")) and f"{checksum(body):04X}" == printed
    tag, bank = ("30", _BILL) if receiver.kind == IdKind.BILLER else ("29", _TRANSFER)
    account = _read(tags.get(tag, ""))
    is_theirs = account.get("00") == bank and account.get(_SUBTAG[receiver.kind]) == normalise(
        receiver
    )
    baht, satang = divmod(amount_satang, 100)
    return is_whole and is_theirs and tags.get("54") == f"{baht}.{satang:02}"


def _read(text: str) -> dict[str, str]:
    """Tags of two digits, each with its length in two digits and then its value."""
    tags = {}
    while re.match(r"[0-9]{4}", text):
        end = 4 + int(text[2:4])
        tags[text[:2]], text = text[4:end], text[end:]
    return tags


def check_digit(twelve: str) -> int:
    """The 13th digit of a Thai citizen or tax id."""
    total = sum(int(digit) * (13 - place) for place, digit in enumerate(twelve))
    return (11 - total % 11) % 10


def checksum(body: str) -> int:
    """CRC-16/CCITT-FALSE: polynomial 1021, start FFFF, not reflected."""
    return crc_hqx(body.encode("ascii"), 0xFFFF)


def _references(*references: str) -> str:
    tags = ""
    for number, reference in enumerate(references, start=2):
        clean = re.sub(r"[^A-Z0-9]", "", reference.upper())[:20]
        tags += _tag(f"{number:02}", clean) if clean else ""
    return tags


def _tag(number: str, value: str) -> str:
    return f"{number}{len(value):02}{value}"
