"""Rules of days against a twin that asks of each day alone, and what a changed rule may do."""

import re
from datetime import date, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.config import ROOT
from cbt.errors import ScheduleInvalid
from cbt.experiences.schedule import (
    LONGEST,
    Change,
    Existing,
    Rule,
    ScheduleProblem,
    Span,
    change_of,
    days,
    from_rrule_text,
    to_rrule_text,
)

TEXT = "FREQ=WEEKLY;BYDAY=SA,SU;BYMONTH=1,2,6,7,8,9,10,11,12"
WEEKENDS = Rule(
    weekdays=frozenset({5, 6}),
    months=frozenset({6, 7, 8, 9, 10, 11, 12, 1, 2}),
    starts_at=time(9),
    first_on=date(2026, 1, 1),
    last_on=None,
)
FIRST = date(2026, 6, 1)
LAST = date(2026, 6, 30)


def rows(heading):
    """The rows of the page's table with this heading, as lists of texts."""
    page = (ROOT / "docs" / "algorithms" / "schedule.md").read_text()
    [table] = [
        block for block in re.findall(r"(?:^\|.*\n)+", page, re.M) if block.startswith(heading)
    ]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in table.splitlines()[2:]]


def make_rule(weekdays=(5, 6), months=(), first_on=date(2026, 1, 1), last_on=None):
    return Rule(frozenset(weekdays), frozenset(months), time(9), first_on, last_on)


# --- as text -------------------------------------------------------------------------------------


def test_weekends_from_june_to_february_are_stored_as_the_standard_writes_them():
    assert to_rrule_text(WEEKENDS) == TEXT
    assert TEXT in (ROOT / "docs" / "algorithms" / "schedule.md").read_text()


def test_a_rule_for_every_month_names_none():
    assert to_rrule_text(make_rule(weekdays=range(7))) == "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU"


NEAR = st.dates(date(2026, 1, 1), date(2028, 12, 31))


@st.composite
def rules(draw):
    """Any rule, with and without an end."""
    first = draw(NEAR)
    return make_rule(
        weekdays=draw(st.sets(st.integers(0, 6), min_size=1)),
        months=draw(st.sets(st.integers(1, 12))),
        first_on=first,
        last_on=draw(st.none() | st.dates(first, first + timedelta(days=600))),
    )


@given(rule=rules())
def test_a_text_reads_back_to_the_same_rule(rule):
    text = to_rrule_text(rule)
    assert from_rrule_text(text, rule.starts_at, rule.first_on, rule.last_on) == rule


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("every weekend", id="words"),
        pytest.param("FREQ=WEEKLY", id="no-weekday"),
        pytest.param("FREQ=WEEKLY;BYDAY=", id="empty-weekday"),
        pytest.param("FREQ=DAILY;BYDAY=SA", id="other-frequency"),
        pytest.param("FREQ=WEEKLY;BYDAY=SU,SA", id="other-order"),
        pytest.param("FREQ=WEEKLY;BYDAY=SA,SA", id="twice"),
        pytest.param("FREQ=WEEKLY;BYDAY=+1SA", id="first-of-the-month"),
        pytest.param("FREQ=WEEKLY;BYDAY=sa", id="lower-case"),
        pytest.param("FREQ=WEEKLY;BYDAY=SA;BYMONTH=", id="empty-month"),
        pytest.param("FREQ=WEEKLY;BYDAY=SA;BYMONTH=06", id="zero-padded"),
        pytest.param("FREQ=WEEKLY;BYDAY=SA;BYMONTH=june", id="month-in-words"),
        pytest.param("FREQ=WEEKLY;BYDAY=SA;COUNT=9", id="more-than-we-write"),
        pytest.param("FREQ=WEEKLY;BYDAY=SA\nFREQ=WEEKLY;BYDAY=SU", id="two-lines"),
        pytest.param("RRULE:FREQ=WEEKLY;BYDAY=SA", id="with-its-name"),
    ],
)
def test_what_is_not_exactly_a_stored_rule_is_refused(text):
    with pytest.raises(ScheduleInvalid) as refused:
        from_rrule_text(text, time(9), FIRST, None)
    assert refused.value.facts == {"problem": ScheduleProblem.TEXT}


# --- rules that cannot be ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        pytest.param(make_rule(weekdays=()), "no_weekday", id="no-weekday"),
        pytest.param(make_rule(weekdays=(7,)), "weekday", id="an-eighth-weekday"),
        pytest.param(make_rule(weekdays=(-1,)), "weekday", id="weekday-below-monday"),
        pytest.param(make_rule(months=(13,)), "month", id="a-thirteenth-month"),
        pytest.param(make_rule(months=(0, 1)), "month", id="month-zero"),
        pytest.param(make_rule(last_on=date(2025, 12, 31)), "ends_before_start", id="backwards"),
        pytest.param(make_rule(last_on=date(2036, 1, 3)), "too_long", id="over-ten-years"),
        pytest.param(make_rule(last_on=date.max), "too_long", id="to-the-end-of-time"),
    ],
)
def test_a_rule_that_cannot_be_is_neither_stored_nor_expanded(rule, problem):
    with pytest.raises(ScheduleInvalid) as unstored:
        to_rrule_text(rule)
    with pytest.raises(ScheduleInvalid) as unexpanded:
        days(rule, FIRST, LAST, [], {})
    assert unstored.value.facts == unexpanded.value.facts == {"problem": problem}


def test_a_rule_may_reach_ten_years_and_not_a_day_further():
    ten_years = make_rule(weekdays=range(7), last_on=date(2026, 1, 1) + LONGEST)
    assert len(days(ten_years, ten_years.first_on, ten_years.last_on, [], {})) == LONGEST.days + 1


def test_a_rule_without_end_is_not_expanded_over_ten_years():
    with pytest.raises(ScheduleInvalid) as refused:
        days(WEEKENDS, FIRST, FIRST + LONGEST + timedelta(days=1), [], {})
    assert refused.value.facts == {"problem": ScheduleProblem.WINDOW_TOO_LONG}


# --- days ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", rows("| since"), ids=str)
def test_a_row_of_the_page(row):
    since, until, expected = row
    rest = [Span(date(2026, 6, 6), date(2026, 6, 7))]
    exceptions = {date(2026, 6, 14): False, date(2026, 6, 7): True, date(2026, 6, 17): True}
    found = days(WEEKENDS, date.fromisoformat(since), date.fromisoformat(until), rest, exceptions)
    assert [str(day) for day in found] == expected.split()


def slow_days(rule, since, until, rest, exceptions):
    """Each day of the window is asked alone, by the words of the rule."""
    found = []
    for number in range((until - since).days + 1):
        day = since + timedelta(days=number)
        if day < rule.first_on or (rule.last_on is not None and day > rule.last_on):
            continue
        runs = day.weekday() in rule.weekdays and (not rule.months or day.month in rule.months)
        for span in rest:
            if span.first_on <= day <= span.last_on:
                runs = False
        if exceptions.get(day, runs):
            found.append(day)
    return found


@st.composite
def spans(draw):
    first = draw(NEAR)
    return Span(first, first + timedelta(days=draw(st.integers(0, 40))))


@given(
    rule=rules(),
    since=NEAR,
    length=st.integers(-3, 500),
    rest=st.lists(spans(), max_size=4),
    shifts=st.dictionaries(st.integers(-5, 60), st.booleans(), max_size=8),
)
def test_the_days_are_those_of_the_slow_twin(rule, since, length, rest, shifts):
    until = since + timedelta(days=length)
    exceptions = {since + timedelta(days=shift): runs for shift, runs in shifts.items()}
    found = days(rule, since, until, rest, exceptions)
    assert found == slow_days(rule, since, until, rest, exceptions)


def test_a_day_added_outside_the_rules_span_says_nothing():
    rule = make_rule(first_on=date(2026, 6, 6), last_on=date(2026, 6, 14))
    exceptions = {date(2026, 6, 5): True, date(2026, 6, 15): True, date(2026, 6, 10): True}
    found = days(rule, FIRST, LAST, [], exceptions)
    assert [day.day for day in found] == [6, 7, 10, 13, 14]


# --- a rule that changes -------------------------------------------------------------------------


@pytest.mark.parametrize("row", rows("| departure"), ids=str)
def test_a_row_of_the_page_on_a_changed_rule(row):
    stands, planned, claimed, edited, becomes = row
    departure = Existing(7, FIRST, int(claimed), edited == "yes")
    found = change_of(
        [FIRST] if planned == "yes" else [],
        [departure] if stands == "stands" else [],
        FIRST,
        LAST,
    )
    assert found == Change(
        to_open=(FIRST,) if becomes == "opened" else (),
        to_close=(7,) if becomes == "closed" else (),
        kept=(7,) if becomes == "kept" else (),
    )


def test_what_lies_outside_the_window_is_left_alone():
    before, after = FIRST - timedelta(days=1), LAST + timedelta(days=1)
    existing = [Existing(1, before, 0, False), Existing(2, after, 0, False)]
    assert change_of([before, after], existing, FIRST, LAST) == Change((), (), ())
    assert change_of([], existing, FIRST, LAST) == Change((), (), ())
    assert change_of([], existing) == Change((), (1, 2), ())


DAYS_AROUND = st.integers(-3, 33).map(lambda number: FIRST + timedelta(days=number))


@given(
    planned=st.lists(DAYS_AROUND, max_size=20),
    made=st.lists(st.tuples(DAYS_AROUND, st.integers(0, 2), st.booleans()), max_size=20),
)
def test_a_change_is_that_of_the_slow_twin_and_never_drops_a_booking(planned, made):
    existing = [Existing(number, *each) for number, each in enumerate(made)]
    to_open, to_close, kept = [], [], []
    for number in range((LAST - FIRST).days + 1):
        day = FIRST + timedelta(days=number)
        there = [each for each in existing if each.on == day]
        if day in planned and not there:
            to_open.append(day)
        for each in there:
            if day not in planned:
                (kept if each.claimed or each.is_edited else to_close).append(each.departure_id)
    found = change_of(planned, existing, FIRST, LAST)
    assert found == Change(tuple(to_open), tuple(to_close), tuple(kept))
    assert not any(existing[closed].claimed for closed in found.to_close)
