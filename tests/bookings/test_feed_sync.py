"""Outside calendars block slots, and undo nothing: on both databases."""

from datetime import date, timedelta
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from cbt.bookings import hold as holding
from cbt.bookings import shared
from cbt.bookings.feed_lines import Problem
from cbt.bookings.feed_sync import (
    MOST_AT_ONCE,
    READ_EVERY,
    add_feed,
    connect_feed,
    covered,
    refresh_all,
    refresh_feed,
    remove_feed,
    web_address,
)
from cbt.bookings.feed_watch import STALE_AFTER, list_conflicts, list_feeds, list_stale_feeds
from cbt.bookings.feeds import Block
from cbt.bookings.fetch import fetch_calendar
from cbt.bookings.models import Departure, Feed, FeedBlock, Slot
from cbt.bookings.parts import HOURS, Part
from cbt.bookings.queries import get_booking, get_departure
from cbt.db import db
from cbt.errors import FeedInvalid, NotFound, SlotFull, ThingInvalid
from cbt.payments.providers.demo import act
from cbt.payments.queries import list_refunds
from cbt.payments.take_in import take_in
from tests import factories
from tests.concurrency import run_together
from tests.conftest import DEEP
from tests.factories import PROVIDERS, TOMORROW
from tests.outside import calendar, event, serve_calendar
from tests.site import NOW

URL = "https://rooms.example/boat.ics"
ALL_DAY = event("20261124", "20261125")
MORNING = event("20261124T020000Z", "20261124T040000Z")  # 09:00 to 11:00 in the village
AFTERNOON = event("20261124T070000Z", "20261124T080000Z")


@pytest.fixture
def village(app):
    return factories.make_village()


@pytest.fixture
def boat(village):
    """A boat that carries all the guests of one departure."""
    thing_id = factories.make_thing(village.id, "boat")
    factories.set_needs(village, (thing_id, 0, 1, ""))
    return thing_id


def says(*events):
    return lambda _url: calendar(*events)


def refuses(problem):
    def fetch(_url):
        raise FeedInvalid(problem=problem)

    return fetch


def connect(village, thing_id, *events, now=NOW):
    return connect_feed(village.id, thing_id, "Rooms", URL, says(*events), now)


def blocked(thing_id):
    """{(day, part): blocks} of the slots that are blocked."""
    db.session.rollback()
    rows = db.session.execute(
        select(Slot.day, Slot.part, Slot.blocked).where(Slot.thing_id == thing_id, Slot.blocked > 0)
    )
    return {(row.day, row.part): row.blocked for row in rows}


def feed_of(feed_id):
    db.session.rollback()
    return db.session.get(Feed, feed_id)


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def free(village):
    db.session.rollback()
    return get_departure(db.session(), village.departure_id).free


# --- what is blocked -----------------------------------------------------------------------------


def test_an_all_day_event_blocks_every_part_of_its_days(village, boat):
    connect(village, boat, event("20261124", "20261126"))
    days = (TOMORROW, TOMORROW + timedelta(days=1))
    assert blocked(boat) == {(day, part): 1 for day in days for part in HOURS}


def test_an_event_with_hours_blocks_only_the_parts_that_it_touches(village, boat):
    connect(village, boat, MORNING)
    assert blocked(boat) == {(TOMORROW, Part.MORNING): 1}


def test_a_thing_counted_by_days_is_blocked_by_days(village):
    room = factories.make_thing(village.id, "room", per_day=True)
    connect(village, room, MORNING, event("20261201", "20261203", uid="two"))
    days = [TOMORROW, date(2026, 12, 1), date(2026, 12, 2)]
    assert blocked(room) == {(day, Part.DAY): 1 for day in days}


def test_a_night_that_began_yesterday_is_still_blocked(village, boat):
    """At three in the morning the boat is away since eleven."""
    night = event("20261123T160000Z", "20261123T220000Z")
    connect(village, boat, night, now=NOW + timedelta(hours=15))
    assert blocked(boat) == {(date(2026, 11, 23), Part.NIGHT): 1}


def test_a_blocked_slot_is_not_sold_and_its_departure_shows_no_room(village, boat):
    assert free(village) == 12
    connect(village, boat, MORNING)
    assert free(village) == 0
    with pytest.raises(SlotFull):
        factories.hold(village)
    assert db.session.scalar(select(func.sum(Departure.claimed))) == 0


def test_a_block_at_another_hour_leaves_the_departure_free(village, boat):
    connect(village, boat, AFTERNOON)
    assert factories.hold(village)


def test_blocks_stand_ahead_of_departures_that_are_opened_later(village, boat):
    connect(village, boat, event("20270105", "20270106"))
    later = factories.make_departure(village.option_id, date(2027, 1, 5))
    assert get_departure(db.session(), later).free == 0


def test_two_calendars_of_one_thing_are_counted_together(village, boat):
    first = connect(village, boat, MORNING)
    connect(village, boat, ALL_DAY)
    assert blocked(boat)[TOMORROW, Part.MORNING] == 2
    remove_feed(village.id, first)
    assert blocked(boat)[TOMORROW, Part.MORNING] == 1


def test_a_host_who_closed_a_slot_keeps_it_closed(village, boat):
    feed_id = connect(village, boat, MORNING)
    shared.set_slot(village.id, boat, TOMORROW, Part.MORNING, is_closed=True)
    refresh_feed(feed_id, says(), NOW)
    assert blocked(boat) == {}
    assert free(village) == 0


_BEGINS = st.integers(min_value=0, max_value=60 * 24 * 20)
_LASTS = st.integers(min_value=0, max_value=60 * 24 * 3)


@given(begins=_BEGINS, lasts=_LASTS, per_day=st.booleans())
def test_the_hours_of_a_block_lie_within_what_it_covers(begins, lasts, per_day):
    first = NOW + timedelta(minutes=begins)
    block = Block("u", first.date(), first.date(), "", first, first + timedelta(minutes=lasts))
    keys = covered(block, "Asia/Bangkok", per_day=per_day)
    assert keys
    assert len(keys) == len(set(keys))
    assert {part for _day, part in keys} <= ({Part.DAY} if per_day else set(HOURS))


# --- reading again -------------------------------------------------------------------------------


def test_reading_again_replaces_the_blocks(village, boat):
    feed_id = connect(village, boat, ALL_DAY)
    assert refresh_feed(feed_id, says(event("20261201", "20261202")), NOW + READ_EVERY)
    assert {day for day, _part in blocked(boat)} == {date(2026, 12, 1)}
    assert count(FeedBlock) == 1
    assert factories.hold(village)


def test_reading_the_same_again_changes_nothing(village, boat):
    feed_id = connect(village, boat, ALL_DAY)
    before = blocked(boat)
    slots = count(Slot)
    assert refresh_feed(feed_id, says(ALL_DAY), NOW + READ_EVERY)
    assert (blocked(boat), count(Slot)) == (before, slots)


@pytest.mark.parametrize("problem", [Problem.UNREACHABLE, Problem.TOO_LARGE])
def test_a_calendar_that_cannot_be_fetched_keeps_its_blocks_and_says_why(village, boat, problem):
    feed_id = connect(village, boat, ALL_DAY)
    before = blocked(boat)
    later = NOW + READ_EVERY
    assert not refresh_feed(feed_id, refuses(problem), later)
    assert blocked(boat) == before
    feed = feed_of(feed_id)
    assert (feed.failure, feed.tried_at, feed.fetched_at) == (problem, later, NOW)
    assert refresh_feed(feed_id, says(), later)
    assert feed_of(feed_id).failure is None


def test_something_that_is_no_calendar_keeps_the_blocks(village, boat):
    feed_id = connect(village, boat, ALL_DAY)
    before = blocked(boat)
    assert not refresh_feed(feed_id, lambda _url: b"<html>Sign in</html>", NOW)
    assert blocked(boat) == before
    assert feed_of(feed_id).failure == Problem.NOT_A_CALENDAR


def test_an_unforeseen_trouble_with_one_calendar_does_not_stop_the_next(village, boat):
    bad = add_feed(village.id, boat, "Bad", "https://bad.example/", NOW)
    good = add_feed(village.id, boat, "Good", URL, NOW)

    def fetch(url):
        if "bad" in url:
            raise RuntimeError("unforeseen")
        return calendar(ALL_DAY)

    assert refresh_all(fetch, NOW) == 1
    assert feed_of(bad).failure == Problem.UNREADABLE
    assert feed_of(good).fetched_at == NOW
    assert len(blocked(boat)) == len(HOURS)


def test_each_calendar_is_read_every_quarter_of_an_hour(village, boat):
    add_feed(village.id, boat, "Rooms", URL, NOW)
    asked = []

    def fetch(url):
        asked.append(url)
        return calendar()

    for minutes in (0, 1, 14, 15, 16, 30):
        refresh_all(fetch, NOW + timedelta(minutes=minutes))
    assert len(asked) == 3


def test_many_calendars_take_turns_and_the_longest_unread_comes_first(village, boat):
    for number in range(MOST_AT_ONCE + 2):
        add_feed(village.id, boat, f"Rooms {number}", f"https://rooms.example/{number}", NOW)
    first, second = [], []
    assert refresh_all(lambda url: first.append(url) or calendar(), NOW) == MOST_AT_ONCE
    assert refresh_all(lambda url: second.append(url) or calendar(), NOW) == 2
    assert len({*first, *second}) == MOST_AT_ONCE + 2


def test_two_workers_read_a_calendar_once(app, village, boat):
    add_feed(village.id, boat, "Rooms", URL, NOW)
    asked = []

    def fetch(url):
        asked.append(url)
        return calendar(ALL_DAY)

    results = run_together(app, lambda _number: refresh_all(fetch, NOW), 4)
    assert sorted(results) == [0, 0, 0, 1]
    assert len(asked) == 1


def test_a_calendar_that_is_removed_while_it_is_read_stays_removed(village, boat):
    feed_id = connect(village, boat, ALL_DAY)

    def fetch(_url):
        remove_feed(village.id, feed_id)
        return calendar(ALL_DAY)

    with pytest.raises(NotFound):
        refresh_feed(feed_id, fetch, NOW)
    assert blocked(boat) == {}
    assert count(FeedBlock) == 0


def test_two_calendars_of_one_thing_read_at_once_are_both_counted(app, village, boat):
    """Each sees the other's blocks only once it has the thing to itself."""
    feeds = [add_feed(village.id, boat, f"{number}", URL, NOW) for number in range(4)]
    results = run_together(
        app, lambda number: refresh_feed(feeds[number], says(ALL_DAY), NOW), len(feeds)
    )
    assert results == [True] * len(feeds)
    assert set(blocked(boat).values()) == {len(feeds)}


def test_buyers_and_calendars_at_once_never_sell_a_slot_that_stood_blocked(app, village, boat):
    feed_id = add_feed(village.id, boat, "Rooms", URL, NOW)

    def rival(number):
        if number == 0:
            return refresh_feed(feed_id, says(ALL_DAY), NOW)
        return factories.hold(village, {"ADULT": 1})

    results = run_together(app, rival, 6)
    assert results[0] is True
    sold = [each for each in results[1:] if isinstance(each, str)]
    refused = [each for each in results[1:] if isinstance(each, SlotFull)]
    assert len(sold) + len(refused) == 5
    assert len(blocked(boat)) == len(HOURS)
    assert bool(list_conflicts(db.session(), village.id, NOW)) == bool(sold)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=15 if DEEP else 5,
    deadline=None,
)
@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 2), st.lists(st.tuples(st.integers(0, 9), st.integers(1, 3)), max_size=4)
        ),
        min_size=1,
        max_size=6,
    )
)
def test_the_count_of_blocks_is_always_what_the_calendars_say(app, steps):
    village = factories.make_village()
    thing_id = factories.make_thing(village.id, "room", per_day=True)
    feeds = [add_feed(village.id, thing_id, f"{number}", URL, NOW) for number in range(3)]
    said = {}
    for number, spans in steps:
        days = [(TOMORROW + timedelta(days=first), length) for first, length in spans]
        events = [
            event(f"{day:%Y%m%d}", f"{day + timedelta(days=length):%Y%m%d}", uid=f"{index}")
            for index, (day, length) in enumerate(days)
        ]
        assert refresh_feed(feeds[number], says(*events), NOW)
        said[number] = [day + timedelta(days=n) for day, length in days for n in range(length)]
        taken = [day for each in said.values() for day in each]
        assert blocked(thing_id) == {(day, Part.DAY): taken.count(day) for day in taken}


# --- a block can block, and undoes nothing -------------------------------------------------------


def test_a_block_on_what_is_sold_is_listed_and_cancels_nothing(village, boat):
    reference = factories.book(village)
    assert list_conflicts(db.session(), village.id, NOW) == []
    connect(village, boat, ALL_DAY)
    booking = get_booking(db.session(), reference)
    assert booking.is_paid
    [conflict] = list_conflicts(db.session(), village.id, NOW)
    assert (conflict.departure_id, conflict.claimed) == (village.departure_id, 2)
    assert conflict.things == (factories.text("boat"),)
    assert list_conflicts(db.session(), factories.make_village().id, NOW) == []
    assert list_conflicts(db.session(), village.id, NOW + timedelta(days=3)) == []


def test_a_hold_that_was_blocked_before_it_is_paid_is_confirmed_all_the_same(village, boat):
    reference = factories.hold(village)
    connect(village, boat, ALL_DAY)
    factories.pay_by_demo(reference)
    assert get_booking(db.session(), reference).is_paid
    assert list_refunds(db.session(), get_booking(db.session(), reference).id) == []


def test_a_lapsed_booking_that_is_paid_late_does_not_take_a_blocked_slot(village, boat):
    reference = factories.hold(village)
    attempt = factories.start(reference)
    late = NOW + timedelta(hours=1)
    holding.lapse_overdue_holds(late)
    connect(village, boat, ALL_DAY)
    act(str(attempt.provider_ref), factories.Act.PAY, attempt.amount_satang, late, late)
    take_in(attempt.id, PROVIDERS, late)
    booking = get_booking(db.session(), reference)
    assert booking.state == "lapsed"
    [refund] = list_refunds(db.session(), booking.id)
    assert (refund.amount_satang, refund.reason) == (90_000, "no_place_left")
    assert db.session.scalar(select(func.sum(Slot.claimed))) == 0


def test_the_same_booking_takes_the_slot_again_once_the_block_is_gone(village, boat):
    reference = factories.hold(village)
    attempt = factories.start(reference)
    late = NOW + timedelta(hours=1)
    holding.lapse_overdue_holds(late)
    remove_feed(village.id, connect(village, boat, ALL_DAY))
    act(str(attempt.provider_ref), factories.Act.PAY, attempt.amount_satang, late, late)
    take_in(attempt.id, PROVIDERS, late)
    assert get_booking(db.session(), reference).is_paid


# --- adding, and how fresh they are --------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("webcal://rooms.example/a.ics", "https://rooms.example/a.ics"),
        ("WEBCAL://rooms.example/a.ics?s=1", "https://rooms.example/a.ics?s=1"),
        (" https://rooms.example/A.ics ", "https://rooms.example/A.ics"),
        ("http://rooms.example", "http://rooms.example"),
    ],
)
def test_an_address_is_read_as_one_on_the_web(typed, address):
    assert web_address(typed) == address


@pytest.mark.parametrize(
    "typed",
    ["", "rooms.example/a.ics", "file:///etc/passwd", "ftp://x/y", "https://", "https://[x"],
)
def test_what_is_no_address_is_refused_and_nothing_is_written(village, boat, typed):
    with pytest.raises(FeedInvalid) as refused:
        add_feed(village.id, boat, "Rooms", typed, NOW)
    assert refused.value.facts["problem"] == Problem.ADDRESS
    assert count(Feed) == 0


def test_a_calendar_without_a_name_or_for_anothers_thing_is_refused(village, boat):
    other = factories.make_village()
    with pytest.raises(ThingInvalid):
        add_feed(village.id, boat, "  ", URL, NOW)
    with pytest.raises(ThingInvalid):
        add_feed(village.id, boat, "x" * 81, URL, NOW)
    with pytest.raises(NotFound):
        add_feed(other.id, boat, "Rooms", URL, NOW)
    with pytest.raises(NotFound):
        connect_feed(other.id, boat, "Rooms", URL, says(ALL_DAY), NOW)
    assert count(Feed) == 0


def test_a_calendar_that_cannot_be_read_is_not_connected(village, boat):
    with pytest.raises(FeedInvalid):
        connect_feed(village.id, boat, "Rooms", URL, refuses(Problem.TIMEOUT), NOW)
    with pytest.raises(FeedInvalid):
        connect_feed(village.id, boat, "Rooms", URL, lambda _url: b"no calendar", NOW)
    assert (count(Feed), count(FeedBlock), blocked(boat)) == (0, 0, {})


def test_only_its_own_community_removes_a_calendar(village, boat):
    feed_id = connect(village, boat, ALL_DAY)
    with pytest.raises(NotFound):
        remove_feed(factories.make_village().id, feed_id)
    assert len(blocked(boat)) == len(HOURS)
    remove_feed(village.id, feed_id)
    assert (count(Feed), blocked(boat)) == (0, {})
    with pytest.raises(NotFound):
        remove_feed(village.id, feed_id)


def test_a_calendar_is_stale_six_hours_after_it_was_last_read(village, boat):
    feed_id = connect(village, boat, ALL_DAY)
    before, after = NOW + STALE_AFTER - timedelta(seconds=1), NOW + STALE_AFTER
    refresh_feed(feed_id, refuses(Problem.STATUS), after)
    assert list_stale_feeds(db.session(), village.id, before) == []
    assert [feed.id for feed in list_stale_feeds(db.session(), village.id, after)] == [feed_id]
    assert list_stale_feeds(db.session(), factories.make_village().id, after) == []
    refresh_feed(feed_id, says(), after)
    assert list_stale_feeds(db.session(), village.id, after) == []


def test_the_host_sees_source_days_and_age(village, boat):
    connect(village, boat, event("20261120", "20261126"), event("20261125", "20261127", uid="2"))
    [standing] = list_feeds(db.session(), village.id, NOW)
    assert standing.host == "rooms.example"
    assert standing.blocked_days == 4  # today, the 24th, the 25th and the 26th
    assert standing.thing == factories.text("boat")
    assert (standing.feed.name, standing.is_stale) == ("Rooms", False)


def test_a_real_server_on_loopback_is_read_only_where_that_is_allowed(village, boat):
    with serve_calendar() as outside:
        outside.body = calendar(ALL_DAY)
        feed_id = add_feed(village.id, boat, "Rooms", outside.url, NOW)
        assert refresh_all(fetch_calendar, NOW) == 0
        assert (outside.asked, feed_of(feed_id).failure) == (0, Problem.ADDRESS)
        fetch = partial(fetch_calendar, allow_private=True)
        assert refresh_all(fetch, NOW + READ_EVERY) == 1
        assert len(blocked(boat)) == len(HOURS)
        outside.status = 503
        assert refresh_all(fetch, NOW + 2 * READ_EVERY) == 0
        assert feed_of(feed_id).failure == Problem.STATUS
        assert len(blocked(boat)) == len(HOURS)
