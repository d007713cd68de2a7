"""The hosts' page of calendars: reading others' and giving out their own, on both databases."""

import re
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import time_machine
from icalendar import Calendar
from sqlalchemy import func, select

from cbt.bookings.feed_lines import Problem
from cbt.bookings.feed_sync import add_feed, connect_feed
from cbt.bookings.feed_watch import STALE_AFTER
from cbt.bookings.models import Feed, FeedBlock, HostFeedKey, Slot
from cbt.db import db
from cbt.i18n import use_language
from cbt.people import services as people
from cbt.people.roles import Grant, Role
from cbt.web.host.feeds import age_words
from tests import factories
from tests.outside import calendar, event, serve_calendar
from tests.reading import foreign_words
from tests.site import NOW
from tests.web.forms import post, sign_in

PASSWORD = "long enough"
ALL_DAY = event("20261124", "20261126")


@pytest.fixture(autouse=True)
def at_noon():
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture
def village(app):
    settings = replace(app.extensions["settings"], feeds_from_private_addresses=True)
    app.extensions["settings"] = settings
    return factories.make_village()


@pytest.fixture
def boat(village):
    thing_id = factories.make_thing(village.id, "boat")
    factories.set_needs(village, (thing_id, 0, 1, ""))
    return thing_id


@pytest.fixture
def host(app, village):
    return a_browser(app, Role.COORDINATOR, village)


@pytest.fixture
def outside():
    with serve_calendar() as served:
        served.body = calendar(ALL_DAY)
        yield served


def a_browser(app, role, village):
    name = f"the-{role}-{village.id}"
    person = factories.make_person(name, PASSWORD)
    people.grant_role(person, Grant(role, village.id), NOW)
    client = app.test_client()
    sign_in(client, name, PASSWORD)
    return client


def page_of(village, language="en"):
    return f"/{language}/host/{village.slug}/feeds"


def add(client, village, thing_id, url, name="Rooms", language="en"):
    page = page_of(village, language)
    return post(client, page, thing=thing_id, name=name, url=url)


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def words(page):
    return " ".join(re.sub("<[^>]+>", " ", page).split())


# --- calendars from elsewhere --------------------------------------------------------------------


def test_a_calendar_is_read_when_it_is_added_and_shown_with_what_it_blocks(
    host, village, boat, outside
):
    answer = add(host, village, boat, outside.url)
    assert answer.status_code == 303
    shown = words(host.get(answer.location).text)
    assert "Rooms → English boat" in shown
    assert "127.0.0.1" in shown
    assert "Last read just now" in shown
    assert "2 days from today on" in shown
    assert count(FeedBlock) == 1


def test_webcal_is_read_as_https(host, village, boat):
    address = "webcal://127.0.0.1:9/rooms.ics"
    answer = add(host, village, boat, address)
    assert answer.status_code == 422  # nobody speaks https there
    assert address in answer.text
    connect_feed(village.id, boat, "Rooms", address, lambda _url: calendar(), NOW)
    db.session.rollback()
    assert db.session.scalar(select(Feed.url)) == "https://127.0.0.1:9/rooms.ics"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b"<html>Sign in</html>", "it is not a calendar", id="a page"),
        pytest.param(b"x" * 10_000_000, "it is too large", id="10 MB"),
        pytest.param(calendar("BEGIN:VEVENT"), "it is damaged", id="cut off"),
        pytest.param(
            calendar(ALL_DAY.replace("SUMMARY:Reserved", "RRULE:FREQ=SECONDLY")),
            "it repeats by a rule that we do not read",
            id="hostile",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_in_words_and_the_form_keeps_what_was_typed(
    host, village, boat, outside, body, message
):
    outside.body = body
    answer = add(host, village, boat, outside.url, name="My rooms")
    assert answer.status_code == 422
    assert f"This calendar cannot be read: {message}." in answer.text
    assert outside.url in answer.text
    assert 'value="My rooms"' in answer.text
    assert (count(Feed), count(FeedBlock)) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"url": "rooms.example"}, "its address cannot be visited"),
        ({"url": "ftp://rooms.example/x"}, "its address cannot be visited"),
        ({"url": ""}, "Please fill this in."),
        ({"name": ""}, "Please fill this in."),
        ({"name": "x" * 81}, "This is too long."),
        ({"url": "https://" + "x" * 2_000}, "This is too long."),
        ({"thing_id": 999_999}, "Not a valid choice."),
        ({"thing_id": "boat"}, "Not a valid choice."),
    ],
)
def test_what_was_typed_wrong_is_said_beside_it(host, village, boat, changes, message):
    given = {"thing_id": boat, "url": "https://rooms.example/a.ics", **changes}
    answer = add(host, village, **given)
    assert answer.status_code == 422
    assert message in answer.text
    assert count(Feed) == 0


def test_without_the_setting_nobody_is_led_into_our_own_net(app, host, village, boat, outside):
    app.extensions["settings"] = replace(
        app.extensions["settings"], feeds_from_private_addresses=False
    )
    answer = add(host, village, boat, outside.url)
    assert "its address cannot be visited" in answer.text
    assert (outside.asked, count(Feed)) == (0, 0)


def test_reading_again_by_hand_shows_what_went_wrong_and_keeps_the_blocks(
    host, village, boat, outside
):
    add(host, village, boat, outside.url)
    feed_id = db.session.scalar(select(Feed.id))
    outside.status = 500
    read = f"{page_of(village)}/{feed_id}/read"
    answer = post(host, read, page_of(village))
    shown = words(host.get(answer.location).text)
    assert "It could not be read: it answers with an error. The blocks from before stay." in shown
    assert "2 days from today on" in shown
    outside.status = 200
    post(host, read, page_of(village))
    assert "It could not be read" not in words(host.get(page_of(village)).text)


def test_a_stale_calendar_is_an_alarm_with_its_age(host, village, boat, outside):
    add(host, village, boat, outside.url)
    assert "may be outdated" not in host.get(page_of(village)).text
    with time_machine.travel(NOW + STALE_AFTER + timedelta(minutes=90), tick=True):
        shown = words(host.get(page_of(village)).text)
    assert "may be outdated" in shown
    assert "Last read 7 hours ago" in shown


def test_removing_a_calendar_frees_its_days(host, village, boat, outside):
    add(host, village, boat, outside.url)
    feed_id = db.session.scalar(select(Feed.id))
    answer = post(host, f"{page_of(village)}/{feed_id}/remove", page_of(village))
    assert answer.status_code == 303
    assert "No calendar from elsewhere is read." in host.get(page_of(village)).text
    assert count(Feed) == 0
    assert db.session.scalar(select(func.sum(Slot.blocked))) == 0


def test_what_is_sold_and_blocked_is_listed_and_nothing_is_cancelled(host, village, boat, outside):
    factories.book(village)
    add(host, village, boat, outside.url)
    page = host.get(page_of(village)).text
    assert "Sold here, and taken elsewhere" in page
    assert "Nothing was cancelled." in page
    assert f"/en/host/{village.slug}/departures/{village.departure_id}" in page


def test_another_communitys_calendar_cannot_be_read_or_removed(app, host, village, boat):
    other = factories.make_village()
    theirs = add_feed(
        other.id, factories.make_thing(other.id, "boat"), "Theirs", "https://x.example/", NOW
    )
    for verb in ("read", "remove"):
        answer = post(host, f"{page_of(village)}/{theirs}/{verb}", page_of(village))
        assert answer.status_code == 404
    assert (
        add(host, village, factories.make_thing(other.id, "two"), "https://x/").status_code == 422
    )
    assert count(Feed) == 1
    assert "Theirs" not in host.get(page_of(village)).text


@pytest.mark.parametrize("language", ["th", "en"])
def test_the_page_speaks_one_language_in_every_state(host, village, boat, outside, language):
    factories.book(village)
    address = page_of(village, language)
    own = re.compile("ไทย [a-z_]+")
    pages = [host.get(address).text]
    pages.append(add(host, village, boat, "ftp://x", language=language).text)
    add(host, village, boat, outside.url)
    post(host, f"{address}/address", address)
    feed = db.session.scalars(select(Feed)).one()
    for number, problem in enumerate([None, *Problem]):
        with factories.shared.transaction() as session:
            session.get(Feed, feed.id).failure = problem
            session.get(Feed, feed.id).rolling = number
        pages.append(host.get(address).text)
    with time_machine.travel(NOW + STALE_AFTER + timedelta(hours=1), tick=True):
        pages.append(host.get(address).text)
    for page in pages:
        assert "own-address" in page or "/feeds/address" in page
        assert foreign_words(own.sub("", page), language) == []


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        (None, "not read yet"),
        (0, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (3_599, "59 minutes ago"),
        (3_600, "1 hour ago"),
        (2 * 86_400 - 1, "47 hours ago"),
        (2 * 86_400, "2 days ago"),
        (-5, "just now"),
    ],
)
def test_an_age_is_said_in_words(client, ago, said):

    then = None if ago is None else NOW - timedelta(seconds=ago)
    with use_language("en"):
        assert age_words(then, NOW) == said


# --- the host's own calendar ---------------------------------------------------------------------


def make_address(host, village):
    answer = post(host, f"{page_of(village)}/address", page_of(village))
    assert answer.status_code == 303
    found = re.search(r'id="own-address" value="([^"]+)"', host.get(page_of(village)).text)
    return urlsplit(found[1]).path


def test_the_secret_address_opens_the_departures_without_signing_in(app, host, village):
    factories.book(village)
    address = make_address(host, village)
    answer = app.test_client().get(address)
    assert answer.status_code == 200
    assert answer.mimetype == "text/calendar"
    assert "private" in answer.headers["Cache-Control"]
    [found] = Calendar.from_ical(answer.data).walk("VEVENT")
    assert found["SUMMARY"].startswith("2/12")
    assert b"Guest" not in answer.data


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_nothing_new_is_told_without_sending_it_again(app, host, village, encoding):
    address = make_address(host, village)
    program = app.test_client()
    headers = {"Accept-Encoding": encoding}
    etag = program.get(address, headers=headers).headers["ETag"]
    again = program.get(address, headers={**headers, "If-None-Match": etag})
    assert (again.status_code, again.data) == (304, b"")
    factories.book(village)
    changed = program.get(address, headers={**headers, "If-None-Match": etag})
    assert changed.status_code == 200


def test_an_ended_address_opens_nothing(app, host, village):
    address = make_address(host, village)
    answer = post(host, f"{page_of(village)}/address/end", page_of(village))
    assert answer.status_code == 303
    assert app.test_client().get(address).status_code == 404
    assert "own-address" not in host.get(page_of(village)).text
    assert make_address(host, village) != address


def test_a_forged_address_is_a_page_that_says_so(app, village):
    answer = app.test_client().get("/feeds/forged.ics")
    assert answer.status_code == 404
    assert count(HostFeedKey) == 0


def test_a_host_ends_only_the_own_address(app, host, village):
    address = make_address(host, village)
    treasurer = a_browser(app, Role.TREASURER, village)
    assert "own-address" not in treasurer.get(page_of(village)).text
    post(treasurer, f"{page_of(village)}/address/end", page_of(village))
    assert app.test_client().get(address).status_code == 200
