"""Parts of days against a twin that walks minute by minute."""

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbt.bookings.parts import HOURS, Part, dates, nights, occupied
from cbt.config import ROOT

BANGKOK = ZoneInfo("Asia/Bangkok")
MINUTE = timedelta(minutes=1)


def at(day, hour, minute=0):
    return datetime(2026, 11, day, hour, minute)


def on(day):
    return date(2026, 11, day)


def rows(heading):
    """The rows of the page's table with this heading, as lists of texts."""
    page = (ROOT / "docs" / "algorithms" / "schedule.md").read_text()
    [table] = [
        block for block in re.findall(r"(?:^\|.*\n)+", page, re.M) if block.startswith(heading)
    ]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in table.splitlines()[2:]]


def test_the_hours_of_the_parts_are_those_of_the_page_and_leave_no_gap():
    assert [[part, *map(str, hours)] for part, hours in HOURS.items()] == rows("| part")
    assert sorted(hour % 24 for hours in HOURS.values() for hour in range(*hours)) == [*range(24)]


@pytest.mark.parametrize("row", rows("| begins"), ids=str)
def test_a_row_of_the_page(row):
    begins, ends = datetime.fromisoformat(row[0]), datetime.fromisoformat(row[1])
    found = ", ".join(f"{day.day} {part}" for day, part in occupied(begins, ends))
    assert [found, " ".join(str(day.day) for day in dates(begins, ends))] == row[2:]


@pytest.mark.parametrize(
    ("begins", "ends", "parts"),
    [
        pytest.param(at(24, 6), at(24, 12), [(24, "morning")], id="a-whole-morning"),
        pytest.param(at(24, 12), at(24, 17), [(24, "afternoon")], id="a-whole-afternoon"),
        pytest.param(at(24, 17), at(24, 21), [(24, "evening")], id="a-whole-evening"),
        pytest.param(at(24, 21), at(25, 6), [(24, "night")], id="a-whole-night"),
        pytest.param(
            at(24, 5, 59), at(24, 6, 1), [(23, "night"), (24, "morning")], id="over-daybreak"
        ),
        pytest.param(at(24, 5), at(24, 6), [(23, "night")], id="until-daybreak"),
        pytest.param(at(24, 0), at(24, 1), [(23, "night")], id="after-midnight"),
        pytest.param(
            at(24, 6),
            at(25, 6),
            [(24, "morning"), (24, "afternoon"), (24, "evening"), (24, "night")],
            id="a-day-and-a-night",
        ),
        pytest.param(at(24, 0), at(24, 0), [(23, "night")], id="no-time-at-midnight"),
        pytest.param(at(24, 21), at(24, 21), [(24, "night")], id="no-time-at-a-boundary"),
        pytest.param(at(24, 20, 59), at(24, 20, 59), [(24, "evening")], id="no-time-before-one"),
    ],
)
def test_the_parts_that_hours_touch(begins, ends, parts):
    assert occupied(begins, ends) == [(on(day), part) for day, part in parts]


@pytest.mark.parametrize(
    ("begins", "ends", "expected"),
    [
        pytest.param(at(24, 8), at(24, 9), [24], id="within-a-day"),
        pytest.param(at(24, 8), at(25, 0), [24], id="until-midnight"),
        pytest.param(at(24, 8), at(25, 0, 1), [24, 25], id="a-minute-past-midnight"),
        pytest.param(at(24, 8), at(26, 11), [24, 25, 26], id="two-nights"),
        pytest.param(at(24, 0), at(24, 0), [24], id="no-time-at-midnight"),
        pytest.param(at(24, 3), at(24, 4), [24], id="in-the-night"),
    ],
)
def test_the_dates_that_hours_touch(begins, ends, expected):
    assert dates(begins, ends) == [on(day) for day in expected]


MINUTES = st.integers(0, 3 * 24 * 60).map(lambda number: at(1, 0) + number * MINUTE)


@given(begins=MINUTES, length=st.integers(0, 3 * 24 * 60))
def test_parts_and_dates_are_those_of_the_slow_twin(begins, length):
    parts, touched = [], []
    for number in range(max(length, 1)):
        moment = begins + number * MINUTE
        part = slow_part(moment)
        if part not in parts:
            parts.append(part)
        if moment.date() not in touched:
            touched.append(moment.date())
    ends = begins + length * MINUTE
    assert occupied(begins, ends) == parts
    assert dates(begins, ends) == touched


def slow_part(moment):
    """The part that one minute lies in, hour by hour."""
    if moment.hour < 6:
        return (moment.date() - timedelta(days=1), Part.NIGHT)
    if moment.hour < 12:
        return (moment.date(), Part.MORNING)
    if moment.hour < 17:
        return (moment.date(), Part.AFTERNOON)
    if moment.hour < 21:
        return (moment.date(), Part.EVENING)
    return (moment.date(), Part.NIGHT)


@given(begins=MINUTES, length=st.integers(0, 3 * 24 * 60))
def test_the_clock_on_the_wall_counts_in_any_zone(begins, length):
    ends = begins + length * MINUTE
    for zone in (BANGKOK, UTC, ZoneInfo("America/New_York")):
        aware = begins.replace(tzinfo=zone), ends.replace(tzinfo=zone)
        assert occupied(*aware) == occupied(begins, ends)
        assert dates(*aware) == dates(begins, ends)


@pytest.mark.parametrize("rule", [occupied, dates])
@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        pytest.param(at(24, 9), at(24, 8, 59), id="ends-before-it-begins"),
        pytest.param(at(24, 9, 0).replace(tzinfo=BANGKOK), at(24, 11), id="one-without-a-zone"),
        pytest.param(
            at(24, 9).replace(tzinfo=BANGKOK), at(24, 11).replace(tzinfo=UTC), id="two-zones"
        ),
    ],
)
def test_hours_that_cannot_be_are_refused(rule, begins, ends):
    with pytest.raises(ValueError):  # noqa: PT011
        rule(begins, ends)


def test_a_stay_occupies_the_evening_and_night_of_each_of_its_nights():
    assert nights(on(24), 2) == [
        (on(24), Part.EVENING),
        (on(24), Part.NIGHT),
        (on(25), Part.EVENING),
        (on(25), Part.NIGHT),
    ]
    assert nights(on(24), 0) == []
    with pytest.raises(ValueError):  # noqa: PT011
        nights(on(24), -1)
