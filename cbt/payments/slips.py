"""The small code on a Thai bank's transfer slip. Pure.

It is no proof of a payment: it is not signed, anybody can draw one, and it holds neither amount nor
day nor receiver. It names the sending bank and that bank's reference of the transfer, and so makes
the reference that we keep unique: one slip cannot prove two payments. Whether the money arrived,
only the account says.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

from cbt.errors import SlipUnreadable
from cbt.payments.promptpay import checksum

_LONGEST = 200
_CODE = re.compile(r"([!-~]+)91(?:0[34])([0-9A-Fa-f]{1,4})")
_TAG = re.compile(r"([0-9]{2})([0-9]{2})")


class SlipProblem(StrEnum):
    """Why the text of a code was not taken for a slip's."""

    TEXT = "text"  # no such code at all
    CHECKSUM = "checksum"
    FIELDS = "fields"  # another kind of code, such as one to pay with


@dataclass(frozen=True)
class Slip:
    """The sending bank's three digits, and its reference of the transfer."""

    bank: str
    reference: str


def read_slip(text: str) -> Slip:
    """The slip of a scanned code, whose checksum some banks print without its leading zeros.

    Raises SlipUnreadable.
    """
    text = text.strip()
    match = _CODE.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        _refuse(SlipProblem.TEXT)
    body, printed = match.groups()
    if checksum(f"{body}9104") != int(printed, 16):
        _refuse(SlipProblem.CHECKSUM)
    tags = _tags(body)
    inner = _tags(tags.get("00", ""))
    bank, reference = inner.get("01", ""), inner.get("02", "")
    is_slip = inner.get("00") == "000001" and tags.get("51") == "TH"
    if not (
        is_slip and re.fullmatch(r"[0-9]{3}", bank) and re.fullmatch(r"[0-9A-Za-z]+", reference)
    ):
        _refuse(SlipProblem.FIELDS)
    return Slip(bank, reference)


def _tags(text: str) -> dict[str, str]:
    """Tags of two digits, each with its length in two digits and then its value. Each stands once."""
    tags: dict[str, str] = {}
    while text:
        head = _TAG.match(text)
        if head is None:
            _refuse(SlipProblem.FIELDS)
        end = 4 + int(head[2])
        if len(text) < end or head[1] in tags:
            _refuse(SlipProblem.FIELDS)
        tags[head[1]], text = text[4:end], text[end:]
    return tags


def _refuse(problem: SlipProblem) -> NoReturn:
    raise SlipUnreadable(problem=problem)
