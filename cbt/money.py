"""Money as whole satang. One baht is 100 satang; no float touches money."""

import re
from decimal import ROUND_HALF_UP, Decimal

from cbt.errors import AmountInvalid

BP_WHOLE = 10_000  # basis points in the whole: 100 per cent

_BAHT = re.compile(r"(?:฿\s*)?(\d{1,3}(?:,\d{3})+|\d{1,10})(?:\.(\d{1,2}))?")


def parse_baht(text: str) -> int:
    """Read what a person typed ("1,234.5", "฿300", Thai digits too) as satang.

    Raises AmountInvalid for anything else, negative amounts included.
    """
    match = _BAHT.fullmatch(text.strip())
    if match is None:
        raise AmountInvalid(text=text)
    baht, satang = match.groups()
    return int(baht.replace(",", "")) * 100 + int((satang or "").ljust(2, "0"))


def to_baht(satang: int) -> Decimal:
    """The same amount in baht, exactly, for display."""
    return Decimal(satang).scaleb(-2)


def share_rounded_up_at_half(amount_satang: int, rate: Decimal) -> int:
    """`rate` of an amount, rounded half up: how Thai price lists of fees and VAT are meant."""
    return int((amount_satang * rate).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def bp_of(amount_satang: int, bp: int) -> int:
    """`bp` basis points of an amount of at least 0, rounded down to the satang."""
    return amount_satang * bp // BP_WHOLE


def bp_near(part_satang: int, whole_satang: int) -> int:
    """The part in basis points of the whole, rounded half up; for showing. 0 of nothing."""
    return (2 * part_satang * BP_WHOLE + whole_satang) // (2 * whole_satang) if whole_satang else 0
