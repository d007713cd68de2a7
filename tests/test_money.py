"""Amounts as people type and read them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.errors import AmountInvalid
from cbt.i18n import format_baht, use_language
from cbt.money import parse_baht, share_rounded_up_at_half, to_baht


@pytest.mark.parametrize(
    ("typed", "satang"),
    [("0", 0), ("1,234.5", 123_450), ("฿300", 30_000), ("0.07", 7), ("๑๒.๕", 1_250), (" 5 ", 500)],
)
def test_baht_are_read_as_satang(typed, satang):
    assert parse_baht(typed) == satang


@pytest.mark.parametrize("typed", ["", "-1", "1.234", "1,23", "ten", "1e3", "1 000", "0x10", "."])
def test_what_is_no_amount_is_refused(typed):
    with pytest.raises(AmountInvalid) as refused:
        parse_baht(typed)
    assert refused.value.facts == {"text": typed}


@given(st.integers(0, 10**12 - 1))
def test_what_is_shown_reads_back_to_the_same_satang(satang):
    with use_language("en"):
        assert parse_baht(format_baht(satang)) == satang
    assert to_baht(satang) * 100 == satang


def test_each_language_writes_money_its_own_way():
    with use_language("th"):
        assert format_baht(123_457) == "1,234.57 บาท"
        assert format_baht(45_000, exact=False) == "450 บาท"
        assert format_baht(45_050, exact=False) == "450.50 บาท"
    with use_language("en"):
        assert format_baht(123_457) == "฿1,234.57"


def test_fees_are_rounded_up_at_half():
    assert share_rounded_up_at_half(100_000, Decimal("0.0165")) == 1_650
    assert share_rounded_up_at_half(3_030, Decimal("0.0165")) == 50  # 49.995
    assert share_rounded_up_at_half(10, Decimal("0.05")) == 1  # 0.5
