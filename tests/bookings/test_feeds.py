"""Outside calendars as blocks: what they mean, and what is refused before it can do harm."""

import time
from datetime import UTC, date, datetime, timedelta

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from cbt.bookings.feed_lines import MOST_BYTES, Problem
from cbt.bookings.feeds import HORIZON, MOST_BLOCKS, Block, Feed, read_blocks
from cbt.errors import FeedInvalid

BANGKOK = "Asia/Bangkok"
SINCE, UNTIL = date(2026, 11, 1), date(2027, 4, 30)


def calendar(*parts: str) -> bytes:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//somebody//else//EN", *parts]
    return ("\r\n".join([*lines, "END:VCALENDAR"]) + "\r\n").encode()


def event(*lines: str, uid: str = "one@else", summary: str = "Reserved") -> str:
    named = ["BEGIN:VEVENT", f"UID:{uid}", f"SUMMARY:{summary}", *lines, "END:VEVENT"]
    return "\r\n".join(named)


def read(*parts: str, since: date = SINCE, until: date = UNTIL) -> Feed:
    return read_blocks(calendar(*parts), BANGKOK, since, until)


def days(*parts: str) -> list[str]:
    """First and last day of each block, as text that is easy to compare."""
    return [
        block.first_on.isoformat()
        if block.first_on == block.last_on
        else f"{block.first_on}/{block.last_on}"
        for block in read(*parts).blocks
    ]


def problem_of(content: bytes) -> str:
    with pytest.raises(FeedInvalid) as caught:
        read_blocks(content, BANGKOK, SINCE, UNTIL)
    return str(caught.value.facts["problem"])


def outcome(content: bytes) -> Feed | str:
    """What was read, or why it was not."""
    try:
        return read_blocks(content, BANGKOK, SINCE, UNTIL)
    except FeedInvalid as refused:
        return Problem(refused.facts["problem"])


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


# --- single events -------------------------------------------------------------------------------


def test_an_all_day_event_takes_its_days_without_the_end():
    lines = ("DTSTART;VALUE=DATE:20261124", "DTEND;VALUE=DATE:20261127")
    block = Block("one@else", date(2026, 11, 24), date(2026, 11, 26), "Reserved", None, None)
    assert read(event(*lines)) == Feed((block,), rolling=0)


@pytest.mark.parametrize(
    ("lines", "taken"),
    [
        (["DTSTART;VALUE=DATE:20261124"], ["2026-11-24"]),
        (["DTSTART:20261124"], ["2026-11-24"]),
        (["DTSTART:20261124", "DTEND:20261124"], ["2026-11-24"]),
        (["DTSTART:20261124", "DTEND:20261125"], ["2026-11-24"]),
        (["DTSTART:20261124", "DURATION:P2D"], ["2026-11-24/2026-11-25"]),
        (["DTSTART:20261124", "DURATION:PT36H"], ["2026-11-24/2026-11-25"]),
        (["DTSTART:20261124T090000Z"], ["2026-11-24"]),
        (["DTSTART:20261124T160000Z", "DTEND:20261124T170000Z"], ["2026-11-24"]),
        (["DTSTART:20261124T160000Z", "DTEND:20261124T170001Z"], ["2026-11-24/2026-11-25"]),
        (["DTSTART:20261124T170000Z", "DURATION:PT1H"], ["2026-11-25"]),
        (["DTSTART:20261124T000000", "DTEND:20261125T000000"], ["2026-11-24"]),
        (["DTSTART;TZID=Asia/Tokyo:20261125T013000", "DURATION:PT15M"], ["2026-11-24"]),
    ],
)
def test_the_village_days_an_event_touches(lines, taken):
    assert days(event(*lines)) == taken


@pytest.mark.parametrize(
    "start",
    [
        "DTSTART:20261124T020000Z",
        "DTSTART:20261124T090000",
        "DTSTART;TZID=Asia/Bangkok:20261124T090000",
        'DTSTART;TZID="Asia/Bangkok":20261124T090000',
        "DTSTART;TZID=SE Asia Standard Time:20261124T090000",
        "DTSTART;TZID=/somebody.example/Tables/Asia/Bangkok:20261124T090000",
        "DTSTART;TZID=Europe/Berlin:20261124T030000",
        "DTSTART;VALUE=DATE-TIME:20261124T020000Z",
        "dtstart:20261124T020000Z",
    ],
)
def test_hours_are_read_in_the_zone_they_name(start):
    [block] = read(event(start, "DURATION:PT3H")).blocks
    assert (block.begins, block.ends) == (utc(2026, 11, 24, 2), utc(2026, 11, 24, 5))
    assert block.begins.tzinfo is UTC


def zone(name: str, *offsets: str) -> str:
    parts = [
        f"BEGIN:STANDARD\r\nDTSTART:16010101T000000\r\nTZOFFSETFROM:+0000\r\nTZOFFSETTO:{offset}\r\n"
        "END:STANDARD"
        for offset in offsets
    ]
    return "\r\n".join(["BEGIN:VTIMEZONE", f"TZID:{name}", *parts, "END:VTIMEZONE"])


def test_a_zone_of_the_feed_itself_counts_when_it_never_changes():
    own = "(UTC+08:00) Our office"
    timed = event(f'DTSTART;TZID="{own}":20261124T100000')
    assert read(zone(own, "+0800"), timed).blocks[0].begins == utc(2026, 11, 24, 2)
    assert problem_of(calendar(zone(own, "+0800", "+0900"), timed)) == "zone"
    assert problem_of(calendar(timed)) == "zone"


def test_a_feed_cannot_change_a_zone_for_itself_or_for_others():
    bent = zone("Asia/Bangkok", "-1100")
    timed = event("DTSTART;TZID=Asia/Bangkok:20261124T090000")
    assert read(bent, timed).blocks[0].begins == utc(2026, 11, 24, 2)
    read(zone("Ours", "+0100"), event("DTSTART;TZID=Ours:20261124T090000"))
    assert problem_of(calendar(event("DTSTART;TZID=Ours:20261124T090000"))) == "zone"


@pytest.mark.parametrize("name", ["", "Europe", "../../etc/passwd", "/etc/passwd", "a" * 5_000])
def test_a_zone_that_is_none_is_refused(name):
    assert problem_of(calendar(event(f'DTSTART;TZID="{name}":20261124T090000'))) == "zone"


@pytest.mark.parametrize(
    "line", ["STATUS:CANCELLED", "TRANSP:TRANSPARENT", "status:cancelled", "TRANSP:transparent "]
)
def test_cancelled_and_transparent_events_block_nothing(line):
    assert days(event("DTSTART:20261124", line)) == []


@pytest.mark.parametrize("line", ["STATUS:TENTATIVE", "STATUS:CONFIRMED", "TRANSP:OPAQUE"])
def test_other_events_block(line):
    assert days(event("DTSTART:20261124", line)) == ["2026-11-24"]


def test_only_events_block():
    task = "BEGIN:VTODO\r\nDTSTART:20261124\r\nEND:VTODO"
    alarm = "BEGIN:VALARM\r\nTRIGGER:-PT15M\r\nSUMMARY:Wake up\r\nDURATION:P9D\r\nEND:VALARM"
    assert days(task) == []
    [block] = read(event("DTSTART:20261124", alarm)).blocks
    assert (block.summary, block.last_on) == ("Reserved", date(2026, 11, 24))


def test_blocks_are_those_that_touch_the_days_asked_for_in_their_order():
    feed = read_blocks(
        calendar(
            event("DTSTART:20261103", uid="last"),
            event("DTSTART:20261030", "DTEND:20261101", uid="before"),
            event("DTSTART:20261030", "DTEND:20261102", uid="touches"),
            event("DTSTART:20261104", uid="after"),
            event("DTSTART:20261101T050000Z", uid="first"),
        ),
        BANGKOK,
        date(2026, 11, 1),
        date(2026, 11, 3),
    )
    assert [block.uid for block in feed.blocks] == ["touches", "first", "last"]


def test_a_folded_line_is_one_even_where_a_letter_was_cut():
    content = calendar(event("DTSTART:20261124", summary="วันหยุด\\, ปิด"))
    cut = content.index("หยุด".encode()) + 1
    folded = content[:cut] + b"\r\n " + content[cut:]
    for written in (folded, folded.replace(b"\r\n", b"\n"), b"\xef\xbb\xbf" + folded):
        [block] = read_blocks(written, BANGKOK, SINCE, UNTIL).blocks
        assert block.summary == "วันหยุด, ปิด"


def test_a_summary_is_one_short_printable_line():
    [block] = read(event("DTSTART:20261124", summary="a\\nb\x07\u202e  " + "c" * 9_000)).blocks
    assert block.summary.startswith("a b cc")
    assert len(block.summary) == 200


def test_an_event_without_a_name_or_uid_blocks_all_the_same():
    [block] = read("BEGIN:VEVENT\r\nDTSTART:20261124\r\nEND:VEVENT").blocks
    assert (block.uid, block.summary) == ("", "")


def test_a_calendar_without_events_is_a_calendar():
    assert read() == Feed((), rolling=0)


# --- opening horizons ----------------------------------------------------------------------------


def test_an_opening_horizon_is_left_out_and_counted():
    last = SINCE + HORIZON
    near = event("DTSTART:20270420", f"DTEND:{last + timedelta(1):%Y%m%d}", uid="a stay of months")
    beyond = event("DTSTART:20270620", f"DTEND:{last + timedelta(2):%Y%m%d}", uid="not open yet")
    feed = read(near, beyond, until=last)
    assert (feed.blocks, feed.rolling) == ((), 2)  # the first is longer than a stay
    stay = event("DTSTART:20270520", f"DTEND:{last + timedelta(1):%Y%m%d}")
    assert [b.last_on for b in read(stay, beyond, until=last).blocks] == [last]
    assert read(stay, beyond, until=last).rolling == 1


@pytest.mark.parametrize(("length", "rolling"), [(180, 0), (181, 1), (3_000, 1)])
def test_longer_than_half_a_year_is_an_opening_horizon(length, rolling):
    feed = read(event("DTSTART:20261101", f"DURATION:P{length}D"))
    assert (len(feed.blocks), feed.rolling) == (1 - rolling, rolling)


def test_what_is_beyond_the_days_asked_for_or_silent_is_not_counted():
    far = event("DTSTART:20290101", "DTEND:20300101")
    past = event("DTSTART:20200101", "DTEND:20210101")
    silent = event("DTSTART:20261101", "DTEND:20300101", "TRANSP:TRANSPARENT")
    assert read(far, past, silent) == Feed((), rolling=0)


def test_a_series_that_goes_on_is_no_opening_horizon():
    feed = read(event("DTSTART:20261101", "RRULE:FREQ=MONTHLY"), until=SINCE + HORIZON * 2)
    assert (len(feed.blocks), feed.rolling) == (24, 0)


# --- series --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "rule", "taken"),
    [
        ("20261124", "FREQ=DAILY;COUNT=3", ["2026-11-24", "2026-11-25", "2026-11-26"]),
        ("20261030", "FREQ=DAILY;COUNT=3", ["2026-11-01"]),
        ("20261124", "FREQ=DAILY;INTERVAL=3;UNTIL=20261130", ["24", "27", "30"]),
        ("20201129", "FREQ=YEARLY", ["2026-11-29"]),
        ("20201129", "FREQ=YEARLY;COUNT=6", []),
        ("20201129", "FREQ=YEARLY;COUNT=7", ["2026-11-29"]),
        ("20261124", "FREQ=WEEKLY;COUNT=2", ["2026-11-24", "2026-12-01"]),
        ("20261124", "FREQ=WEEKLY;BYDAY=TU,TH;COUNT=3", ["24", "26", "2026-12-01"]),
        ("20261124", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=MO;COUNT=3", ["24", "29", "12-08"]),
        (
            "20261124",
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU;COUNT=3",
            ["24", "12-06", "12-08"],
        ),
        ("20261130", "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=2", ["30", "2026-12-31"]),
        ("20261131", "FREQ=MONTHLY;COUNT=2", None),
        ("20261231", "FREQ=MONTHLY;COUNT=3", ["12-31", "01-31", "03-31"]),
        ("20261127", "FREQ=MONTHLY;BYDAY=-1FR;COUNT=2", ["27", "2026-12-25"]),
        ("20261130", "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1;COUNT=2", ["30", "2026-12-29"]),
        ("20261102", "FREQ=YEARLY;BYWEEKNO=45;COUNT=1", ["2026-11-02"]),
        ("20261124", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", ["2026-11-24"]),
        ("20261125", "FREQ=WEEKLY;BYDAY=TU;COUNT=2", ["2026-11-25", "2026-12-01"]),
        ("20261124", "FREQ=DAILY;UNTIL=20261125T170000Z", ["24", "25", "26"]),
        ("20261124", "FREQ=DAILY;UNTIL=20201125", ["2026-11-24"]),
        ("20261124", "FREQ=DAILY;COUNT=2;BYHOUR=9", None),
        ("20261124", "FREQ=YEARLY;UNTIL=99991231", ["2026-11-24"]),
        ("20261124", "freq=daily;count=2;", ["24", "25"]),
    ],
)
def test_a_rule_gives_the_days_it_means(start, rule, taken):
    written = event(f"DTSTART;VALUE=DATE:{start}", f"RRULE:{rule}")
    if taken is None:
        assert problem_of(calendar(written)) in ("rule", "unreadable")
    else:
        found = days(written)
        assert len(found) == len(taken)
        assert all(day.endswith(end) for day, end in zip(found, taken, strict=True))


def test_a_series_keeps_its_hour_when_the_clocks_of_its_zone_change():
    lines = ("DTSTART;TZID=Europe/Berlin:20270327T100000", "DURATION:PT2H")
    feed = read(event(*lines, "RRULE:FREQ=DAILY;COUNT=2;BYHOUR=10;BYMINUTE=0"))
    assert [block.begins for block in feed.blocks] == [utc(2027, 3, 27, 9), utc(2027, 3, 28, 8)]
    assert [block.ends for block in feed.blocks] == [utc(2027, 3, 27, 11), utc(2027, 3, 28, 10)]


def test_the_end_of_a_series_of_hours_is_an_instant():
    lines = ("DTSTART;TZID=Asia/Bangkok:20261124T090000", "DURATION:PT1H")
    for until, count in [("20261126T020000Z", 3), ("20261126T015959Z", 2), ("20261126", 3)]:
        assert len(read(event(*lines, f"RRULE:FREQ=DAILY;UNTIL={until}")).blocks) == count
    floating = event("DTSTART:20261124T090000", "RRULE:FREQ=DAILY;UNTIL=20261126T085959")
    assert len(read(floating).blocks) == 2


def test_days_taken_out_of_a_series_are_free():
    rule = "RRULE:FREQ=DAILY;COUNT=5"
    whole = event("DTSTART:20261124", rule, "EXDATE:20261124,20261126", "EXDATE:20261128")
    assert days(whole) == ["2026-11-25", "2026-11-27"]
    timed = ("DTSTART;TZID=Asia/Bangkok:20261124T010000", rule)
    out = ("EXDATE:20261123T180000Z", "EXDATE;TZID=Asia/Bangkok:20261125T010000,20261125T020000")
    assert days(event(*timed, *out, "EXDATE;VALUE=DATE:20261126")) == ["2026-11-27", "2026-11-28"]


def test_days_added_to_a_series_block_once():
    added = event("DTSTART:20261124", "RRULE:FREQ=WEEKLY;COUNT=2", "RDATE:20261201,20261203")
    assert days(added) == ["2026-11-24", "2026-12-01", "2026-12-03"]
    assert days(event("DTSTART:20261124", "RDATE;VALUE=DATE:20261126")) == [
        "2026-11-24",
        "2026-11-26",
    ]


def test_a_moved_or_cancelled_date_of_a_series_replaces_its_own():
    series = event("DTSTART:20261124T020000Z", "RRULE:FREQ=DAILY;COUNT=4")
    moved = event("RECURRENCE-ID;TZID=Asia/Bangkok:20261125T090000", "DTSTART:20261210T020000Z")
    cancelled = event(
        "RECURRENCE-ID:20261126T020000Z", "DTSTART:20261126T020000Z", "STATUS:CANCELLED"
    )
    other = event("RECURRENCE-ID:20261127T020000Z", "DTSTART:20261127T020000Z", uid="another")
    taken = ["2026-11-24", "2026-11-27", "2026-11-27", "2026-12-10"]
    assert days(moved, series, cancelled, other) == taken


def test_a_long_date_of_a_series_counts_though_it_began_before():
    assert days(event("DTSTART:20240930", "DURATION:P40D", "RRULE:FREQ=YEARLY")) == [
        "2026-09-30/2026-11-08"
    ]


def test_a_series_without_end_stops_with_the_days_asked_for():
    feed = read(event("DTSTART:19700101", "RRULE:FREQ=WEEKLY;BYDAY=MO"))
    assert len(feed.blocks) == 26
    assert feed.blocks[-1].first_on == date(2027, 4, 26)


FIRST = st.dates(date(2015, 1, 1), date(2026, 12, 31))
WEEKDAYS = st.lists(
    st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]), min_size=1, unique=True
)
DAY_RULES = st.one_of(
    st.builds("FREQ=DAILY;INTERVAL={}".format, st.integers(1, 40)),
    st.builds("FREQ=DAILY;BYMONTH={};BYDAY={}".format, st.integers(1, 12), WEEKDAYS.map(",".join)),
    st.builds(
        "FREQ=WEEKLY;INTERVAL={};WKST={};BYDAY={}".format,
        st.integers(1, 5),
        st.sampled_from(["MO", "SU", "TH"]),
        WEEKDAYS.map(",".join),
    ),
    st.builds(
        "FREQ=MONTHLY;INTERVAL={};BYMONTHDAY={}".format,
        st.integers(1, 5),
        st.integers(-28, 28).filter(bool),
    ),
    st.builds(
        "FREQ=MONTHLY;BYDAY={}{}".format,
        st.sampled_from([1, 2, 3, 4, -1, -2]),
        st.sampled_from(["MO", "FR"]),
    ),
    st.builds(
        "FREQ=MONTHLY;BYDAY={};BYSETPOS={}".format,
        WEEKDAYS.map(",".join),
        st.sampled_from([1, 2, -1]),
    ),
    st.builds("FREQ=YEARLY;INTERVAL={};BYMONTH={}".format, st.integers(1, 3), st.integers(1, 12)),
    st.builds(
        "FREQ=YEARLY;BYDAY={}{}".format,
        st.sampled_from([1, 20, 52, -1]),
        st.sampled_from(["TU", "SU"]),
    ),
    st.builds("FREQ=YEARLY;BYYEARDAY={}".format, st.sampled_from([1, 60, 366, -1])),
)


@given(FIRST, DAY_RULES, st.none() | st.integers(1, 200))
def test_a_rule_asked_year_by_year_gives_what_it_gives_at_once(first, rule, count):
    if count:
        rule += f";COUNT={count}"
    start = next(iter(rrulestr(rule, dtstart=datetime.combine(first, datetime.min.time()))))
    since, until = datetime(2026, 11, 1), datetime(2027, 4, 30)
    expected = rrulestr(rule, dtstart=start).between(since, until, inc=True)
    found = read(event(f"DTSTART:{start:%Y%m%d}", f"RRULE:{rule}")).blocks
    assert [block.first_on for block in found] == [day.date() for day in expected]


@given(
    st.datetimes(datetime(2026, 10, 1), datetime(2027, 6, 1)),
    st.integers(0, 200 * 24 * 60),
    st.sampled_from(["Asia/Bangkok", "America/New_York", "Pacific/Apia"]),
)
def test_a_block_holds_every_moment_of_its_event_and_no_day_more(start, minutes, village):
    written = event(f"DTSTART:{start:%Y%m%dT%H%M%SZ}", f"DURATION:PT{minutes}M")
    feed = read_blocks(calendar(written), village, date(2026, 1, 1), date(2028, 1, 1))
    if minutes > 180 * 24 * 60 or not feed.blocks:
        assert feed.rolling == 1
        return
    [block] = feed.blocks
    assert block.ends - block.begins == timedelta(minutes=minutes)
    again = event(
        f"DTSTART;VALUE=DATE:{block.first_on:%Y%m%d}",
        f"DTEND:{block.last_on + timedelta(1):%Y%m%d}",
    )
    [whole] = read_blocks(calendar(again), village, date(2026, 1, 1), date(2028, 1, 1)).blocks
    assert (whole.first_on, whole.last_on) == (block.first_on, block.last_on)
    whole_minutes = (block.last_on - block.first_on).days * 24 * 60
    assert whole_minutes - 24 * 60 - 60 <= minutes <= whole_minutes + 25 * 60


# --- what is refused -----------------------------------------------------------------------------

LONG = "x" * 70
ONCE = event("DTSTART:20261124")


def many(start: str, rule: str, count: int) -> bytes:
    return calendar(*[event(f"DTSTART:{start}", f"RRULE:{rule}", uid=str(n)) for n in range(count)])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(b"", "not_a_calendar", id="empty"),
        pytest.param(b" \r\n\r\n", "not_a_calendar", id="blank"),
        pytest.param(b"<!doctype html><html>Sign in</html>", "not_a_calendar", id="page"),
        pytest.param(b"date,guests\n2026-11-24,4\n", "not_a_calendar", id="table"),
        pytest.param(ONCE.encode(), "not_a_calendar", id="event-alone"),
        pytest.param(calendar(ONCE)[:-20], "unreadable", id="cut-off"),
        pytest.param(calendar(ONCE)[:-30], "unreadable", id="cut-off-in-an-event"),
        pytest.param(calendar(ONCE) + b"<html>", "unreadable", id="page-after-it"),
        pytest.param(calendar("END:VEVENT"), "unreadable", id="closed-twice"),
        pytest.param(calendar("END:VCALENDAR", "END:VCALENDAR"), "unreadable", id="ends-early"),
        pytest.param(calendar("BEGIN:VEVENT", "END:VTODO"), "unreadable", id="crossed"),
        pytest.param(calendar(*["BEGIN:X"] * 60, *["END:X"] * 60), "unreadable", id="nested"),
        pytest.param(calendar(*["BEGIN:VEVENT"] * 9_000), "unreadable", id="deep"),
        pytest.param(calendar(event("DTSTART:20261124", summary="a\x00b")), "unreadable", id="nul"),
        pytest.param(calendar(ONCE).decode().encode("utf-16"), "unreadable", id="utf-16"),
        pytest.param(
            calendar(event(summary="ปิด")).decode().encode("tis-620"), "unreadable", id="thai-bytes"
        ),
        pytest.param(calendar(ONCE).replace(b"one@", b"\xff"), "unreadable", id="broken-bytes"),
        pytest.param(calendar(event()), "unreadable", id="no-start"),
        pytest.param(calendar(event("DTSTART")), "unreadable", id="no-value"),
        pytest.param(calendar(event("DTSTART:soon")), "unreadable", id="no-date"),
        pytest.param(calendar(event("DTSTART:20261341")), "unreadable", id="no-such-day"),
        pytest.param(calendar(event("DTSTART:20261124T250000")), "unreadable", id="no-such-hour"),
        pytest.param(calendar(event("DTSTART:25691124")), "unreadable", id="buddhist-year"),
        pytest.param(calendar(event("DTSTART:00010101")), "unreadable", id="year-one"),
        pytest.param(calendar(event("DTSTART:P1D")), "unreadable", id="start-is-a-length"),
        pytest.param(calendar(event("DTSTART:20261124/P1D")), "unreadable", id="start-is-a-period"),
        pytest.param(
            calendar(event("DTSTART:20261124", "DTEND:20261123")), "unreadable", id="ends-before"
        ),
        pytest.param(
            calendar(event("DTSTART:20261124", "DTEND:20261125T000000Z")), "unreadable", id="mixed"
        ),
        pytest.param(
            calendar(event("DTSTART:20261124", "DURATION:-P1D")), "unreadable", id="backwards"
        ),
        pytest.param(
            calendar(event("DTSTART:20261124", "DURATION:P" + "9" * 99 + "W")),
            "unreadable",
            id="eternity",
        ),
        pytest.param(
            calendar(event("DTSTART:20261124", "DURATION:P999999999D")), "unreadable", id="ages"
        ),
        pytest.param(
            calendar(event("DTSTART:20261124", "RDATE:20261124/P1D")),
            "unreadable",
            id="added-period",
        ),
        pytest.param(b"a" * (MOST_BYTES + 1), "too_large", id="too-large"),
        pytest.param(
            calendar(event("DTSTART:20261124", summary="a" * 900_000)), "too_large", id="long-line"
        ),
        pytest.param(
            calendar(event("DTSTART:20261124", summary="a" * 10_000_000)),
            "too_large",
            id="ten-megabytes",
        ),
        pytest.param(calendar(*[ONCE] * (MOST_BLOCKS + 1)), "too_many", id="events"),
        pytest.param(
            calendar(*["BEGIN:VEVENT\nEND:VEVENT"] * 30_000), "too_many", id="empty-events"
        ),
        pytest.param(
            calendar(event("DTSTART:20261124", *["UID:"] * 100_000)), "too_many", id="lines"
        ),
        pytest.param(calendar(zone("x", *["+0000"] * 9_000)), "", id="zone-parts"),
        pytest.param(many("20261101", "FREQ=DAILY", 12), "too_many", id="blocks-of-rules"),
        pytest.param(many("19000101", "FREQ=DAILY;COUNT=99999999", 900), "too_many", id="counts"),
        pytest.param(
            many("19000101", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=2", 900),
            "too_many",
            id="vain-counts",
        ),
        pytest.param(many("20261124", "FREQ=SECONDLY", 1), "rule", id="secondly"),
        pytest.param(many("20261124", "FREQ=MINUTELY;COUNT=5", 1), "rule", id="minutely"),
        pytest.param(many("20261124", "FREQ=HOURLY;INTERVAL=24", 1), "rule", id="hourly"),
        pytest.param(many("20261124", "FREQ=NEVER", 1), "unreadable", id="no-frequency"),
        pytest.param(many("20261124", "COUNT=5", 1), "rule", id="frequency-missing"),
        pytest.param(many("20261124", "FREQ=DAILY;INTERVAL=0", 1), "rule", id="interval-nought"),
        pytest.param(many("20261124", "FREQ=DAILY;INTERVAL=-1", 1), "rule", id="interval-below"),
        pytest.param(many("20261124", "FREQ=DAILY;COUNT=-1", 1), "rule", id="count-below"),
        pytest.param(many("20261124", "FREQ=DAILY;COUNT=x", 1), "unreadable", id="count-word"),
        pytest.param(many("20261124T090000", "FREQ=DAILY;BYHOUR=9,10", 1), "rule", id="two-hours"),
        pytest.param(many("20261124T090000", "FREQ=DAILY;BYSECOND=1", 1), "rule", id="seconds"),
        pytest.param(many("20261124", "FREQ=YEARLY;BYEASTER=0", 1), "rule", id="easter"),
        pytest.param(
            many("20261124", "RSCALE=CHINESE;FREQ=YEARLY", 1), "rule", id="other-calendar"
        ),
        pytest.param(
            many("20261124", "FREQ=WEEKLY;BYDAY=TU;BYSETPOS=1", 1), "rule", id="position-in-week"
        ),
        pytest.param(
            many("20261124", "FREQ=MONTHLY;BYDAY=TU;BYSETPOS=0", 1), "rule", id="position-nought"
        ),
        pytest.param(many("20261124", "FREQ=WEEKLY;BYDAY=2TU", 1), "rule", id="second-in-week"),
        pytest.param(many("20261124", "FREQ=MONTHLY;BYDAY=TU,2WE", 1), "rule", id="mixed-days"),
        pytest.param(many("20261124", "FREQ=MONTHLY;BYWEEKNO=4", 1), "rule", id="week-of-month"),
        pytest.param(
            many("20261124", "FREQ=YEARLY;BYMONTH=13;BYDAY=1TU", 1), "rule", id="month-13"
        ),
        pytest.param(many("20261124", "FREQ=YEARLY;BYMONTH=12;BYDAY=53TU", 1), "rule", id="day-53"),
        pytest.param(
            many("20261124", "FREQ=DAILY;BYMONTHDAY=" + "1," * 400 + "1", 1), "rule", id="long-rule"
        ),
        pytest.param(
            many("20261124", "FREQ=DAILY;UNTIL=P1D", 1), "unreadable", id="until-a-length"
        ),
        pytest.param(calendar("X" * 900_000), "", id="one-long-line"),
        pytest.param(
            calendar(event("DTSTART:20261124", summary="\\," * 45_000)), "", id="one-long-text"
        ),
        pytest.param(
            calendar(event('DTSTART;A="' + "b," * 45_000 + '":20261124')),
            "",
            id="one-long-parameter",
        ),
        pytest.param(
            calendar(*[event("DTSTART" + ";A=b" * 2_900 + ":20261124")] * 10),
            "",
            id="many-parameters",
        ),
        pytest.param(
            calendar(*[event("DTSTART" + " " * 95_000 + ":20261124")] * 10), "", id="spaces"
        ),
        pytest.param(
            calendar(*[event("DTSTART;A=b" + " " * 95_000 + "c:20261124")] * 10),
            "",
            id="inner-spaces",
        ),
        pytest.param(calendar(*["\n" * 400_000, ONCE, " \n" * 200_000]), "", id="empty-lines"),
        pytest.param(calendar("\r" * 900_000), "", id="returns"),
        pytest.param(
            calendar(event("DTSTART:20261124", *["EXDATE:" + "20261124," * 11_000] * 10)),
            "",
            id="many-exdates",
        ),
        pytest.param(
            calendar(event('DTSTART;TZID="' + "/a" * 40_000 + '":20261124T090000')),
            "zone",
            id="zone-of-slashes",
        ),
        pytest.param(
            calendar(
                *[
                    event(
                        "DTSTART:19000101",
                        f"RRULE:FREQ=YEARLY;BYMONTH={n % 12 + 1};BYYEARDAY={n % 366 + 1}",
                    )
                    for n in range(2_900)
                ]
            ),
            "",
            id="a-rule-each",
        ),
    ],
)
def test_what_is_hostile_or_broken_is_refused_or_read_within_a_second(content, problem):
    began = time.process_time()
    found = outcome(content)
    assert time.process_time() - began < 3  # a second's work, on a machine that does other things
    assert problem in ("", found)


@given(st.binary(max_size=300), st.integers(0, 400))
def test_broken_bytes_never_raise_anything_else(noise, place):
    content = calendar(event("DTSTART:20261124", "RRULE:FREQ=DAILY;COUNT=2"))
    assert outcome(noise) in list(Problem)
    assert outcome(content[:place] + noise + content[place:])


LINES = st.builds(
    "{}:{}".format,
    st.sampled_from(["DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID"]),
    st.text("0123456789TZP/-+,;=:DW ", max_size=20)
    | st.sampled_from(["20261124", "20261124T090000", "99991231T235959Z", "00010101T000000Z"])
    | st.builds(
        "FREQ={};{}={}".format,
        st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY", "HOURLY"]),
        st.sampled_from(
            [
                "COUNT",
                "UNTIL",
                "INTERVAL",
                "BYDAY",
                "BYMONTH",
                "BYMONTHDAY",
                "BYSETPOS",
                "BYWEEKNO",
                "WKST",
                "BYYEARDAY",
            ]
        ),
        st.integers(-400, 400) | st.sampled_from(["MO", "-1SU", "53FR", "", ",", "20261124"]),
    ),
)


@given(st.lists(LINES, max_size=4))
def test_broken_lines_never_raise_anything_else(lines):
    found = outcome(calendar(event("DTSTART:20261124", *lines), event(*lines)))
    assert isinstance(found, Problem) or all(b.first_on <= b.last_on for b in found.blocks)
