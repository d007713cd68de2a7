"""Days, hours and eras."""

from datetime import UTC, date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt import clock
from cbt.i18n import format_day, format_month, other_era, use_language


def test_an_instant_belongs_to_the_village_day_even_at_new_year():
    instant = datetime(2026, 12, 31, 18, 30, tzinfo=UTC)
    assert clock.village_day(instant, "Asia/Bangkok") == date(2027, 1, 1)


def test_a_village_hour_becomes_the_right_instant():
    instant = clock.to_instant(date(2026, 11, 24), time(8, 30), "Asia/Bangkok")
    assert instant == datetime(2026, 11, 24, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "day"),
    [
        ("2026-11-23", date(2026, 11, 23)),
        ("2569-11-23", date(2026, 11, 23)),
        ("2571-02-29", date(2028, 2, 29)),
    ],
)
def test_a_typed_year_of_either_era_is_read(typed, day):
    assert clock.read_day(typed) == day


@pytest.mark.parametrize("typed", ["", "2026-13-01", "2027-02-29", "23/11/2026", "today", "1-2"])
def test_what_is_no_day_is_refused(typed):
    with pytest.raises(ValueError):  # noqa: PT011
        clock.read_day(typed)


@given(st.dates(date(1, 2, 1), date(9998, 12, 31)))
def test_months_follow_each_other(day):
    first = day.replace(day=1)
    assert clock.month_before(clock.next_month(day)) == first
    assert clock.next_month(clock.month_before(day)) == first


def test_thai_days_carry_the_buddhist_year_and_the_real_weekday():
    with use_language("th"):
        assert format_day(date(2026, 11, 23)) == "23 พ.ย. 2569"
        assert format_day(date(2026, 11, 23), "full") == "วันจันทร์ที่ 23 พฤศจิกายน พ.ศ. 2569"
        assert format_day(date(2028, 2, 29)) == "29 ก.พ. 2571"
        assert format_month(date(2026, 11, 1)) == "พฤศจิกายน 2569"
        assert other_era(date(2026, 11, 23)) == "ค.ศ. 2026"
    with use_language("en"):
        assert format_day(date(2026, 11, 23)) == "23 Nov 2026"
        assert other_era(date(2026, 11, 23)) == "B.E. 2569"
