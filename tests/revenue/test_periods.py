"""What belongs to which month, and which month may be closed; worked numbers of docs/algorithms/periods.md."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.clock import next_month
from cbt.errors import NothingToClose, PeriodNotNext, PeriodNotOver
from cbt.revenue.periods import (
    Close,
    concerns,
    days_after,
    last_day_of,
    next_to_close,
    period_of,
    require_closable,
    span_of,
)

SEPTEMBER, OCTOBER, NOVEMBER, DECEMBER = (date(2026, month, 1) for month in (9, 10, 11, 12))
CLOSES = (Close(SEPTEMBER, 40), Close(OCTOBER, 90))


@pytest.mark.parametrize(
    ("effective_on", "seq", "period"),
    [
        pytest.param(date(2026, 9, 30), 40, SEPTEMBER, id="the last of September"),
        pytest.param(date(2026, 9, 30), 41, OCTOBER, id="September's, told after its close"),
        pytest.param(date(2026, 10, 31), 90, OCTOBER, id="the last of October"),
        pytest.param(date(2026, 10, 31), 91, NOVEMBER, id="October's, told after its close"),
        pytest.param(date(2026, 9, 1), 95, NOVEMBER, id="September's, told after both closes"),
        pytest.param(
            date(2026, 11, 2), 60, NOVEMBER, id="posted before the close, later by its day"
        ),
        pytest.param(date(2026, 12, 5), 99, DECEMBER, id="a month that lies ahead"),
        pytest.param(date(2026, 8, 3), 7, SEPTEMBER, id="older than the first period"),
    ],
)
def test_an_entry_belongs_to_the_first_period_that_can_hold_it(effective_on, seq, period):
    assert period_of(effective_on, seq, CLOSES) == period


def test_a_late_fact_says_which_month_it_concerns():
    assert concerns(date(2026, 10, 31), NOVEMBER) == OCTOBER
    assert concerns(date(2026, 11, 1), NOVEMBER) is None


def test_without_a_close_every_month_stands_for_itself():
    assert period_of(date(2026, 10, 9), 3, ()) == OCTOBER


def test_only_the_oldest_open_month_can_be_closed_and_only_when_it_is_over():
    assert next_to_close(CLOSES, date(2026, 9, 4)) == NOVEMBER
    assert next_to_close((), date(2026, 9, 4)) == SEPTEMBER
    assert next_to_close((), None) is None
    require_closable(NOVEMBER, CLOSES, None, date(2026, 12, 1))
    with pytest.raises(PeriodNotOver):
        require_closable(NOVEMBER, CLOSES, None, date(2026, 11, 30))
    for wrong in (SEPTEMBER, OCTOBER, DECEMBER, date(2026, 11, 2)):
        with pytest.raises(PeriodNotNext) as refused:
            require_closable(wrong, CLOSES, None, date(2027, 6, 1))
        assert refused.value.facts == {"next": NOVEMBER}
    with pytest.raises(NothingToClose):
        require_closable(NOVEMBER, (), None, date(2027, 6, 1))


def test_a_close_is_late_from_the_sixteenth_day_on():
    assert days_after(OCTOBER, date(2026, 11, 15)) == 15
    assert days_after(OCTOBER, date(2026, 11, 16)) == 16


def test_february_of_a_leap_year_ends_on_its_29th():
    assert last_day_of(date(2028, 2, 1)) == date(2028, 2, 29)


# --- properties ----------------------------------------------------------------------------------

DAYS = st.dates(date(2026, 1, 1), date(2027, 12, 31))
ENTRIES = st.lists(DAYS, min_size=1, max_size=30)


@st.composite
def histories(draw):
    """Entries in the order of their numbers, and the closes that fell between them."""
    days = draw(ENTRIES)
    month = min(days).replace(day=1)
    seqs = sorted(draw(st.lists(st.integers(0, len(days)), max_size=5)))
    closes = []
    for seq in seqs:
        closes.append(Close(month, seq))
        month = next_month(month)
    return list(enumerate(days, start=1)), tuple(closes)


@given(histories())
def test_each_entry_belongs_to_exactly_one_period(history):
    entries, closes = history
    first = min(day for _seq, day in entries).replace(day=1)
    months, month = [], first
    while month <= date(2028, 6, 1):
        months.append(month)
        month = next_month(month)
    spans = [span_of(each, closes) for each in months]
    for seq, day in entries:
        holding = [span.month for span in spans if span.holds(day, seq)]
        assert holding == [period_of(day, seq, closes)]


@given(histories(), DAYS)
def test_a_closed_period_never_gains_an_entry(history, day):
    _entries, closes = history
    for close in closes:
        seq = close.closing_seq + 1  # whatever is told after the close
        assert period_of(day, seq, closes) != close.month


@given(histories())
def test_closing_one_more_month_moves_no_entry_out_of_a_closed_one(history):
    entries, closes = history
    for kept in range(len(closes)):
        before = closes[: kept + 1]
        for seq, day in entries:
            owner = period_of(day, seq, before)
            if owner <= before[-1].month and seq <= before[-1].closing_seq:
                assert period_of(day, seq, closes) == owner


@given(histories())
def test_no_entry_belongs_to_a_period_that_ends_before_its_day(history):
    entries, closes = history
    for seq, day in entries:
        period = period_of(day, seq, closes)
        assert last_day_of(period) >= day
        about = concerns(day, period)
        assert about is None or about < period


@given(DAYS)
def test_a_month_ends_the_day_before_the_next_begins(day):
    month = day.replace(day=1)
    assert last_day_of(month) + timedelta(days=1) == next_month(month)
