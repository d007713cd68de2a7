"""The hosts' pages of the booking engine: each action, each refusal, and nothing written on refusal."""

import re
from contextlib import contextmanager
from datetime import date, time, timedelta

import pytest
import time_machine
from sqlalchemy import event, func, select

from cbt.bookings import arrivals, departures, shared, waitlist
from cbt.bookings import hold as holding
from cbt.bookings.hold import Details, HoldRequest
from cbt.bookings.models import Booking, Departure, Need, NoShow, Slot, Thing
from cbt.bookings.queries import get_booking, get_departure
from cbt.bookings.records import DepartureCard
from cbt.bookings.shared import NewThing
from cbt.bookings.states import BookingState, DepartureState
from cbt.bookings.things import ThingKind
from cbt.communities.models import RestDay
from cbt.db import db
from cbt.experiences import services as experiences
from cbt.experiences.models import PromoCode, ScheduleException, ScheduleRule, Season
from cbt.experiences.pricing import CostRate, Discount, OutsideCost
from cbt.experiences.records import AddOnCard
from cbt.experiences.schedule import Rule
from cbt.i18n import use_language
from cbt.people import services as people
from cbt.people.roles import Grant, Role
from cbt.revenue.models import Preparation
from cbt.web.host.words import bearer_words, passed_words, rule_words, skill_words
from tests import factories
from tests.factories import TOMORROW, book, hold, make_departure, make_option, make_village, text
from tests.site import NOW
from tests.web.forms import a_browser, sign_in, token

PASSWORD = "long enough"
SATURDAY = date(2026, 11, 28)
SUNDAY = date(2026, 11, 29)


@pytest.fixture(autouse=True)
def at_noon():
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture
def village(sqlite_app):
    return make_village(on=TOMORROW)


@pytest.fixture
def host(village, sqlite_app):
    """A treasurer's browser without script."""
    return a_browser(sqlite_app, "the-host", Grant(Role.TREASURER, village.id))


@contextmanager
def later(client, moment):
    """Some time on, when the host has signed in again."""
    with time_machine.travel(moment, tick=True):
        assert sign_in(client, "the-host", PASSWORD).status_code == 303
        yield


def at(village, page=""):
    return f"/en/host/{village.slug}{page}"


def send(client, village, page, form_at="", **fields):
    """Send a form of the page it stands on."""
    shown = client.get(at(village, form_at or page)).text
    return client.post(at(village, page), data={"csrf_token": token(shown), **fields})


def count(model, *conditions):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model).where(*conditions))


def departure(village) -> DepartureCard:
    db.session.rollback()
    return get_departure(db.session(), village.departure_id)


def state_of(reference):
    db.session.rollback()
    return get_booking(db.session(), reference).state


# --- who may -------------------------------------------------------------------------------------

_PAGES = (
    "/calendar",
    "/day",
    "/book",
    "/more",
    "/rules",
    "/rest",
    "/things",
    "/seasons",
    "/codes",
    "/departures/{departure}",
    "/departures/{departure}/book",
    "/departures/{departure}/call-off",
    "/options/{option}/needs",
)


def in_full(village, page):
    return page.format(departure=village.departure_id, option=village.option_id)


@pytest.mark.parametrize("page", _PAGES)
@pytest.mark.parametrize("language", ["en", "th"])
def test_each_page_opens_for_its_hosts(host, village, page, language):
    address = in_full(village, page)
    assert host.get(f"/{language}/host/{village.slug}{address}").status_code == 200


@pytest.mark.parametrize("page", _PAGES)
def test_a_host_of_another_community_is_refused(sqlite_app, host, village, page):
    other = make_village()
    stranger = a_browser(sqlite_app, "stranger", Grant(Role.COORDINATOR, other.id))
    assert stranger.get(at(village, in_full(village, page))).status_code == 403
    if "{" in page:  # nor through the door of the own community
        assert stranger.get(at(other, in_full(village, page))).status_code == 404


_ACTS = (
    "/departures/{departure}/capacity",
    "/departures/{departure}/sales",
    "/departures/{departure}/call-off",
    "/departures/{departure}/prepared",
    "/departures/{departure}/book",
    "/bookings/{reference}/agree",
    "/bookings/{reference}/decline",
    "/bookings/{reference}/no-show",
    "/rules/{rule}",
    "/rules/{rule}/end",
    "/rules/{rule}/days",
    "/rest/{rest}/end",
    "/things/{thing}/capacity",
    "/things/{thing}/slots",
    "/options/{option}/needs",
)


@pytest.mark.parametrize("page", _ACTS)
def test_nobody_acts_in_another_community(sqlite_app, host, village, page):
    reference = book(village)
    rule_id = experiences.add_rule(village.id, village.option_id, weekends())
    thing_id = shared.add_thing(village.id, a_boat())
    departures.add_rest_days(village.id, SUNDAY, SUNDAY, text("rest"), NOW)
    rest_id = db.session.scalar(select(RestDay.id))
    other = make_village()
    stranger = a_browser(sqlite_app, "stranger", Grant(Role.COORDINATOR, other.id))
    page = page.format(
        departure=village.departure_id,
        reference=reference,
        rule=rule_id,
        rest=rest_id,
        thing=thing_id,
        option=village.option_id,
    )
    fields = {
        "capacity": "3",
        "reason": "weather",
        "prepared-0-household": "H01",
        "prepared-0-what": "rice",
        "prepared-0-cost": "100",
        "day": SATURDAY.isoformat(),
        "part": "morning",
        "do": "stop" if page.endswith("/sales") else "change",
        "weekdays": ["5"],
        "starts_at": "10:00",
        "first_on": "2026-12-01",
        "once": "x",
        "ADULT": "2",
        "name": "Ann",
        "phone": "0812345678",
        "language": "en",
    }
    before = departure(village), state_of(reference), count(Booking), count(Preparation)
    page_with_form = stranger.get(at(other, "/rest")).text
    data = {"csrf_token": token(page_with_form), **fields}
    assert stranger.post(at(village, page), data=data).status_code == 403
    assert stranger.post(at(other, page), data=data).status_code == 404
    assert before == (departure(village), state_of(reference), count(Booking), count(Preparation))
    assert count(Slot, Slot.is_closed.is_(True)) == 0
    assert count(ScheduleRule, ScheduleRule.ended.is_(True)) == 0
    assert count(RestDay) == 1


# --- the calendar --------------------------------------------------------------------------------


def test_the_week_shows_how_full_each_departure_is(host, village):
    book(village)
    page = host.get(at(village, "/calendar")).text
    assert "2 / 12" in page
    assert "10 places free" in page
    assert f"/departures/{village.departure_id}" in page


def test_the_weeks_are_walked_by_links_and_by_a_day(host, village):
    assert "2 / 12" not in host.get(at(village, "/calendar?on=2026-12-01")).text
    page = host.get(at(village, "/calendar?on=2569-11-24")).text
    assert f"/departures/{village.departure_id}" in page
    assert "on=2026-11-16" in page
    assert "on=2026-11-30" in page


@pytest.mark.parametrize("page", ["/calendar", "/day", "/book"])
@pytest.mark.parametrize("on", ["yesterday", "2026-02-30", "9999-99-99", "2026-11"])
def test_a_day_that_is_none_is_refused(host, village, page, on):
    answer = host.get(at(village, f"{page}?on={on}"))
    assert answer.status_code == 422
    assert "Please enter a day as year-month-day." in answer.text
    assert f'value="{on}"' in answer.text


def test_a_departure_counts_free_places_by_the_things_it_shares(host, village):
    boat = shared.add_thing(village.id, a_boat(capacity=1))
    departures.set_needs(village.id, village.option_id, [(boat, 6, 1, "")], NOW)
    book(village)
    assert "4 places free" in host.get(at(village, "/day?on=2026-11-24")).text


def test_rest_days_and_called_off_departures_are_marked(host, village):
    departures.add_rest_days(village.id, SATURDAY, SUNDAY, text("harvest"), NOW)
    send(host, village, departure_page(village, "/call-off"), reason="weather")
    page = host.get(at(village, "/calendar")).text
    assert page.count("Rest day: English harvest") == 2
    assert "called off" in page


def test_too_few_guests_are_marked_before_and_on_the_day_to_decide(host, village):
    option = make_option(village.id, code="evening", min_to_run=4, decide_hours=24)
    on = TOMORROW + timedelta(days=1)
    few = make_departure(option, on)
    hold_on(village, few)
    assert "Goes with 4 guests; decide on" in host.get(at(village, "/calendar")).text
    with later(host, NOW + timedelta(days=1)):
        for page in ("/calendar", f"/day?on={on}", ""):
            assert "Decide now: 2 of at least 4 guests." in host.get(at(village, page)).text


def hold_on(village, departure_id, now=NOW, **changes):
    request = HoldRequest(
        departure_id=departure_id,
        party={"ADULT": 2},
        policy_version_id=village.policy_id,
        language="en",
        request_key=f"on-{departure_id}-{now}-{changes}",
        hold_for=timedelta(days=3),
        **changes,
    )
    reference = holding.hold(request, now)
    details = Details(
        name="Nok", email="", phone="0812345678", food_needs="", access_needs="", consent=False
    )
    holding.save_details(reference, details, now)
    return reference


def test_the_calendar_costs_the_same_however_much_is_booked(host, village):
    def statements(page):
        sent = []

        def note(_connection, _cursor, statement, *_rest):
            sent.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        assert host.get(at(village, page)).status_code == 200
        event.remove(db.engine, "before_cursor_execute", note)
        return len([each for each in sent if not each.startswith(("BEGIN", "PRAGMA"))])

    pages = ("/calendar", "/day?on=2026-11-24", "")
    host.get(at(village))
    before = [statements(page) for page in pages]
    assert max(before) <= 10
    for number in range(3):
        make_departure(make_option(village.id, code=f"more-{number}"))
        book(village, {"ADULT": 1})
    assert [statements(page) for page in pages] == before


# --- a departure's page --------------------------------------------------------------------------


def departure_page(village, page=""):
    return f"/departures/{village.departure_id}{page}"


def test_the_places_of_one_departure_are_changed(host, village):
    answer = send(
        host, village, departure_page(village, "/capacity"), departure_page(village), capacity="20"
    )
    assert answer.status_code == 303
    assert departure(village).capacity == 20


def test_places_below_what_is_sold_are_refused_and_the_form_keeps_them(host, village):
    book(village, {"ADULT": 3})
    answer = send(
        host, village, departure_page(village, "/capacity"), departure_page(village), capacity="2"
    )
    assert answer.status_code == 409
    assert "3 places are sold already; it cannot be less." in answer.text
    assert re.search(r'name="capacity"[^>]*value="2"', answer.text)
    assert departure(village).capacity == 12


@pytest.mark.parametrize("capacity", ["", "-1", "many", "10001", "9" * 40, "<b>", "1e3"])
def test_places_that_are_no_number_are_refused(host, village, capacity):
    answer = send(
        host,
        village,
        departure_page(village, "/capacity"),
        departure_page(village),
        capacity=capacity,
    )
    assert answer.status_code == 422
    assert departure(village).capacity == 12


def test_sales_stop_and_go_on_and_who_is_booked_stays(host, village):
    reference = book(village)
    for do, state in (("stop", "closed"), ("stop", "closed"), ("resume", "open")):
        answer = send(
            host, village, departure_page(village, "/sales"), departure_page(village), do=do
        )
        assert answer.status_code == 303
        assert departure(village).state == state
    assert state_of(reference) == BookingState.CONFIRMED
    odd = send(host, village, departure_page(village, "/sales"), departure_page(village), do="odd")
    assert odd.status_code == 422
    assert departure(village).state == DepartureState.OPEN


def test_calling_off_first_says_who_is_told_and_what_becomes_of_the_money(host, village):
    paid, unpaid = book(village), hold(village, {"ADULT": 1})
    join(village, "Somchai")
    page = host.get(at(village, departure_page(village, "/call-off?reason=weather"))).text
    assert paid in page or "Guest" in page
    assert "฿900.00" in page
    assert "Who does not choose within 7 days gets the money back." in page
    assert "Somchai" in page
    assert '<option selected value="weather">' in page
    assert state_of(paid) == BookingState.CONFIRMED
    answer = send(host, village, departure_page(village, "/call-off"), reason="weather")
    assert answer.status_code == 303
    assert departure(village).state == DepartureState.CALLED_OFF
    assert state_of(paid) == BookingState.CHOOSING
    assert state_of(unpaid) == BookingState.CANCELLED
    assert "called off" in host.get(at(village, departure_page(village))).text


def test_calling_off_twice_is_refused(host, village):
    page = host.get(at(village, departure_page(village, "/call-off"))).text
    data = {"csrf_token": token(page), "reason": "too_few"}
    address = at(village, departure_page(village, "/call-off"))
    assert host.post(address, data=data).status_code == 303
    assert host.post(address, data=data).status_code == 409
    assert host.get(address).status_code == 409


@pytest.mark.parametrize("reason", ["", "guest", "boredom"])
def test_calling_off_needs_a_reason_of_the_community(host, village, reason):
    book(village)
    answer = send(host, village, departure_page(village, "/call-off"), reason=reason)
    assert answer.status_code == 422
    assert departure(village).state == DepartureState.OPEN


def join(village, name, places=2, least=2):
    joining = waitlist.Joining(
        departure_id=village.departure_id,
        party={"ADULT": places},
        least=least,
        language="en",
        request_key=f"wait-{name}",
        name=name,
        email="",
        phone="0812345678",
    )
    return waitlist.join(joining, NOW)


def test_the_line_is_shown_in_order_with_why_somebody_was_passed(host, village):
    village_full = make_village(capacity=2)
    client = a_browser_of(host, village_full)
    book(village_full)
    join(village_full, "Somchai", 2)
    join(village_full, "Malee", 3, least=1)
    page = client.get(at(village_full, departure_page(village_full))).text
    assert page.index("Somchai") < page.index("Malee")
    assert "only together" in page
    assert "1 of them would also come alone" in page


def a_browser_of(host, village):
    person = factories.make_person(f"host-of-{village.slug}", PASSWORD)
    people.grant_role(person, Grant(Role.COORDINATOR, village.id), NOW)
    client = host.application.test_client()
    sign_in(client, f"host-of-{village.slug}", PASSWORD)
    return client


# --- what was prepared ---------------------------------------------------------------------------


def prepare(host, village, *rows, **more):
    fields = {
        f"prepared-{number}-{name}": value
        for number, row in enumerate(rows)
        for name, value in zip(("household", "what", "cost"), row, strict=True)
    }
    return send(
        host,
        village,
        departure_page(village, "/prepared"),
        departure_page(village),
        **fields,
        **more,
    )


def test_what_households_prepared_is_written_down_and_shown(host, village):
    answer = prepare(
        host, village, ("H01", "Rice and fish", "350.50"), ("", "", ""), ("H02", "ice", "40")
    )
    assert answer.status_code == 303
    db.session.rollback()
    rows = db.session.execute(select(Preparation.what, Preparation.cost_satang)).all()
    assert [tuple(row) for row in rows] == [("Rice and fish", 35_050), ("ice", 4_000)]
    page = host.get(at(village, departure_page(village))).text
    assert 'value="350.50"' in page
    prepare(host, village, ("H01", "Rice", "10"))
    assert count(Preparation) == 1


@pytest.mark.parametrize(
    "row",
    [
        ("H01", "rice", ""),
        ("H01", "rice", "0"),
        ("H01", "rice", "-5"),
        ("H01", "rice", "much"),
        ("H01", "rice", "100000.01"),
        ("H01", "rice", "9999999999"),
        ("H01", "", "10"),
        ("H99", "rice", "10"),
    ],
)
def test_a_line_of_preparation_that_cannot_be_is_named_and_kept(host, village, row):
    answer = prepare(host, village, ("", "", ""), ("H02", "ice", "40"), row)
    assert answer.status_code == 422
    assert "Row 3: please choose a household" in answer.text
    assert 'value="ice"' in answer.text
    assert count(Preparation) == 0


def test_too_long_words_of_preparation_are_refused(host, village):
    assert prepare(host, village, ("H01", "x" * 201, "10")).status_code == 422
    assert count(Preparation) == 0


def test_more_lines_keep_what_was_typed(host, village):
    answer = prepare(host, village, ("H01", "rice", "typed"), do="more")
    assert answer.status_code == 200
    assert 'value="typed"' in answer.text
    assert 'name="prepared-2-what"' in answer.text


def test_very_many_lines_keep_the_page_open(host, village):
    rows = [("H01", "rice", "1")] * 60
    assert prepare(host, village, *rows, do="more").status_code == 200


# --- settling ------------------------------------------------------------------------------------


def test_a_party_that_owes_more_than_its_costs_stops_neither_settling_nor_a_page(sqlite_app, host):
    dear = make_village(costs=(CostRate(OutsideCost.INSURANCE, True, 20_000),))
    client = a_browser_of(host, dear)
    reference = book(dear)
    factories.change_booking(reference, party={"ADULT": 10})
    factories.record_work(dear, ("H01", "boat", 1))
    shown = client.get(at(dear, f"/bookings/{reference}"))
    assert shown.status_code == 200
    assert "To collect" in shown.text
    assert 'class="flow' in shown.text  # what is there pays what it can
    after = departure(dear).ends_at + timedelta(minutes=1)
    with time_machine.travel(after, tick=True):
        sign_in(client, f"host-of-{dear.slug}", PASSWORD)
        page = client.get(at(dear, departure_page(dear)))
    assert page.status_code == 200
    assert "Outside costs and fees are more than what was paid." not in page.text


# --- who did not come ----------------------------------------------------------------------------


def test_a_party_that_did_not_come_is_noted_with_a_reason_and_once(host, village):
    reference = book(village)
    with later(host, NOW + timedelta(days=1)):
        page = f"/bookings/{reference}/no-show"
        answer = send(host, village, page, departure_page(village), reason="Nobody at the pier")
        assert answer.status_code == 303
        shown = host.get(at(village, departure_page(village))).text
        assert "Did not come: Nobody at the pier" in shown
        again = send(host, village, page, departure_page(village), reason="again")
        assert again.status_code == 409
        arrivals.dispute_no_show(reference, "We were there", NOW + timedelta(days=1))
        assert (
            "The guest says: We were there" in host.get(at(village, f"/bookings/{reference}")).text
        )
    assert count(NoShow) == 1


def test_a_no_show_needs_a_reason(host, village):
    reference = book(village)
    with later(host, NOW + timedelta(days=1)):
        page = f"/bookings/{reference}/no-show"
        answer = send(host, village, page, departure_page(village), reason="  ")
        assert answer.status_code == 422
        assert "Please fill this in." in answer.text
        assert (
            send(host, village, page, departure_page(village), reason="x" * 501).status_code == 422
        )
    assert count(NoShow) == 0


def test_nobody_fails_to_come_before_the_start(host, village):
    reference = book(village)
    answer = send(
        host, village, f"/bookings/{reference}/no-show", departure_page(village), reason="late"
    )
    assert answer.status_code == 409
    assert count(NoShow) == 0


# --- requests to answer --------------------------------------------------------------------------


@pytest.fixture
def request_(village):
    """A party that asked for places of an option that is booked on request."""
    option = make_option(village.id, code="asked", request_hours=20)
    asked = holding.hold(
        HoldRequest(
            departure_id=make_departure(option, SATURDAY),
            party={"ADULT": 2},
            policy_version_id=village.policy_id,
            language="en",
            request_key="asked",
        ),
        NOW,
    )
    details = Details(
        name="Somsri",
        email="s@example.org",
        phone="",
        food_needs="",
        access_needs="",
        consent=False,
    )
    holding.save_details(asked, details, NOW)
    return asked


def test_requests_stand_on_todays_list_with_their_deadline(host, village, request_):
    page = host.get(at(village)).text
    assert re.search(r"Answer a request: <span[^>]*>Somsri</span>", page)
    assert "24 Nov 2026, 08:00" in page
    assert f"/bookings/{request_}" in page
    with later(host, NOW + timedelta(hours=21)):
        assert "Answer a request" not in host.get(at(village)).text


@pytest.mark.parametrize(("act", "state"), [("agree", "held"), ("decline", "declined")])
def test_a_request_is_answered_once(host, village, request_, act, state):
    page = f"/bookings/{request_}"
    assert "Can you take this party?" in host.get(at(village, page)).text
    assert send(host, village, f"{page}/{act}", page).status_code == 303
    assert state_of(request_) == state
    assert "Can you take this party?" not in host.get(at(village, page)).text
    form_at = departure_page(village)
    assert send(host, village, f"{page}/{act}", form_at).status_code == 409
    assert state_of(request_) == state


def test_a_request_that_lapsed_cannot_be_agreed_to(host, village, request_):
    page = f"/bookings/{request_}"
    with later(host, NOW + timedelta(hours=21)):
        assert "Can you take this party?" not in host.get(at(village, page)).text
        answer = send(host, village, f"{page}/agree", "/rest")
        assert answer.status_code == 409
        assert "The time to answer is over" in answer.text
    assert state_of(request_) == BookingState.REQUESTED


# --- guests at the pier --------------------------------------------------------------------------


def note(client, village, **changes):
    page = departure_page(village, "/book")
    shown = client.get(at(village, page)).text
    once = re.search(r'name="once"[^>]*value="([^"]+)"', shown)[1]
    fields = {
        "once": once,
        "do": "hold",
        "ADULT": "2",
        "name": "Walk In",
        "phone": "081-234-5678",
        "language": "en",
    }
    data = {"csrf_token": token(shown), **fields, **changes}
    return client.post(at(village, page), data=data)


def test_the_departures_of_a_day_are_offered_for_booking(host, village):
    page = host.get(at(village, "/book?on=2026-11-24")).text
    assert f"/departures/{village.departure_id}/book" in page
    assert "Nothing can be booked on this day." in host.get(at(village, "/book?on=2026-11-30")).text


def test_a_guest_at_the_pier_is_booked_by_the_same_claim(host, village):
    answer = note(host, village, CHILD="1")
    assert answer.status_code == 303
    assert departure(village).claimed == 3
    page = host.get(answer.location).text
    assert "Walk In" in page
    assert "To collect" in page
    assert "฿1,125.50" in page
    link = re.search(r'href="(http[^"]*/en/b/[^"]+)"', page)[1]
    assert host.get(link[link.index("/en/b/") :], follow_redirects=True).status_code == 200


def test_a_host_books_after_the_cut_off_and_the_guest_cannot(host, village):
    with later(host, departure(village).begins_at - timedelta(minutes=5)):
        assert note(host, village).status_code == 303
    with later(host, departure(village).ends_at + timedelta(minutes=5)):
        refused = note(host, village)
        assert refused.status_code == 409
        assert 'value="Walk In"' in refused.text
    assert departure(village).claimed == 2


def test_a_double_submit_books_once(host, village):
    answers = [note(host, village, once="the same form") for _submit in range(2)]
    assert answers[0].location == answers[1].location
    assert count(Booking) == 1
    note(host, village, once="the same form", ADULT="3")
    assert count(Booking) == 2


@pytest.mark.parametrize(
    "changes", [{"name": "Second Family"}, {"phone": "089-999-9999"}, {"language": "th"}]
)
def test_a_second_family_from_the_same_form_is_a_booking_of_its_own(host, village, changes):
    first = note(host, village, once="the same form")
    second = note(host, village, once="the same form", **changes)
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.location != second.location
    assert count(Booking) == 2
    assert departure(village).claimed == 4


def test_extras_and_a_code_count_and_nothing_is_half_written(sqlite_app):
    village = make_village()
    boat = AddOnCard("boat", text("a boat"), 30_000, False, 2)
    option = make_option(village.id, code="with-extra", add_ons=(boat,))
    there = factories.replace(village, departure_id=make_departure(option, SATURDAY))
    client = a_browser(sqlite_app, "host-2", Grant(Role.COORDINATOR, village.id))
    experiences.add_promo_code(
        village.id, Discount("TEN", 1_000, 0, "welfare"), TOMORROW, SUNDAY, 1
    )
    too_many = note(client, there, **{"extra-boat": "3"})
    assert too_many.status_code == 422
    assert re.search(r'name="extra-boat"[^>]*value="3"', too_many.text)
    assert note(client, there, code="NONE").status_code == 409
    assert count(Booking) == 0
    asked = {"extra-boat": "1", "code": "ten", "do": "quote"}
    assert "฿1,080.00" in note(client, there, **asked).text
    assert count(Booking) == 0
    booked = note(client, there, **{**asked, "do": "hold"})
    assert "฿1,080.00" in client.get(booked.location).text
    assert "used 1 of 1 times" in client.get(at(village, "/codes")).text


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"name": ""}, 422),
        ({"name": "   "}, 422),
        ({"name": "x" * 121}, 422),
        ({"phone": "   "}, 422),
        ({"phone": ""}, 422),
        ({"phone": "12"}, 422),
        ({"language": "xx"}, 422),
        ({"ADULT": "0"}, 422),
        ({"ADULT": "-1"}, 422),
        ({"ADULT": "two"}, 422),
        ({"ADULT": "99999999999999999999"}, 422),
        ({"ADULT": "0", "CHILD": "0", "INFANT": "2"}, 422),
        ({"ADULT": "11"}, 422),
        ({"once": ""}, 400),
        ({"once": "x" * 65}, 422),
    ],
)
def test_a_booking_by_a_host_that_cannot_be_is_refused(host, village, changes, status):
    answer = note(host, village, **changes)
    assert answer.status_code == status
    assert count(Booking) == 0
    assert departure(village).claimed == 0


def test_a_full_departure_is_refused_to_hosts_as_well(host, village):
    book(village, {"ADULT": 10})
    answer = note(host, village, ADULT="3")
    assert answer.status_code == 409
    assert "this departure has 2 left." in answer.text
    assert re.search(r'name="ADULT"[^>]*value="3"', answer.text)
    assert count(Booking) == 1


# --- rules of days -------------------------------------------------------------------------------


def weekends(starts_at=time(9)):
    return Rule(frozenset({5, 6}), frozenset(), starts_at, TOMORROW, date(2026, 12, 31))


def rule_fields(**changes):
    fields = {
        "weekdays": ["5", "6"],
        "starts_at": "09:00",
        "first_on": "2026-11-24",
        "last_on": "2026-12-31",
    }
    return {**fields, **changes}


def add_rule(host, village, **changes):
    fields = rule_fields(option=str(village.option_id), **changes)
    return send(host, village, "/rules", **fields)


def planned(rule_id, state="open"):
    return count(Departure, Departure.rule_id == rule_id, Departure.state == state)


def test_a_rule_is_added_and_said_in_words(host, village):
    answer = add_rule(host, village)
    assert answer.status_code == 303
    rule_id = db.session.scalar(select(ScheduleRule.id))
    assert planned(rule_id) == 10
    page = host.get(at(village, "/rules")).text
    assert "Saturdays and Sundays at 09:00, from 24 Nov 2026, until 31 Dec 2026" in page


def test_the_same_rule_sent_twice_stands_once(host, village):
    assert {add_rule(host, village).status_code for _submit in range(2)} == {303}
    assert count(ScheduleRule) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weekdays": []}, "no weekday is chosen"),
        ({"weekdays": ["7"]}, "there is no such weekday"),
        ({"weekdays": ["monday"]}, "there is no such weekday"),
        ({"months": ["13"]}, "there is no such month"),
        ({"last_on": "2026-11-01"}, "it ends before it begins"),
        ({"last_on": "2036-12-31"}, "it reaches over ten years"),
        ({"starts_at": "25:00"}, "Please enter an hour as 09:00."),
        ({"starts_at": ""}, "Please enter an hour as 09:00."),
        ({"first_on": ""}, "Please fill this in."),
        ({"first_on": "soon"}, "Please enter a day as year-month-day."),
        ({"option": "999999"}, "Not a valid choice."),
        ({"option": "<script>"}, "Not a valid choice."),
    ],
)
def test_a_rule_that_cannot_be_says_why_and_keeps_what_was_typed(host, village, changes, message):
    before = count(Departure)
    fields = rule_fields(option=str(village.option_id)) | changes
    answer = send(host, village, "/rules", **fields)
    assert answer.status_code == 422
    assert message in answer.text
    assert count(ScheduleRule) == 0
    assert count(Departure) == before
    assert "<script>" not in answer.text.replace("<script src", "")


@pytest.fixture
def rule_id(host, village):
    add_rule(host, village)
    return db.session.scalar(select(ScheduleRule.id))


def book_on(village, rule_id, day):
    departure_id = db.session.scalar(
        select(Departure.id).where(Departure.rule_id == rule_id, Departure.starts_on == day)
    )
    db.session.rollback()
    return departure_id, hold_on(village, departure_id)


def test_a_change_is_first_looked_at_and_keeps_who_is_booked(host, village, rule_id):
    kept, reference = book_on(village, rule_id, SUNDAY)
    fields = rule_fields(weekdays=["4", "5"], do="preview")
    page = send(host, village, f"/rules/{rule_id}", **fields)
    assert page.status_code == 200
    assert "5 departures open" in page.text
    assert "4 departures close" in page.text
    assert "1 departure is kept all the same" in page.text
    assert f"/departures/{kept}" in page.text
    assert planned(rule_id) == 10
    data = {
        name: re.findall(rf'name="{name}" value="([^"]*)"', page.text)
        for name in ("csrf_token", "weekdays", "starts_at", "first_on", "last_on")
    }
    answer = host.post(at(village, f"/rules/{rule_id}"), data={**data, "do": "change"})
    assert answer.status_code == 303
    assert planned(rule_id) == 11
    assert planned(rule_id, "closed") == 4
    assert state_of(reference) == BookingState.HELD
    shown = host.get(answer.location).text
    assert "Kept outside of this rule" in shown
    assert f"/departures/{kept}" in shown
    assert (
        host.post(at(village, f"/rules/{rule_id}"), data={**data, "do": "change"}).status_code
        == 303
    )
    assert planned(rule_id) == 11


def test_the_fields_can_be_gone_back_to(host, village, rule_id):
    page = send(host, village, f"/rules/{rule_id}", **rule_fields(starts_at="10:30", do="edit"))
    assert 'value="10:30"' in page.text
    assert planned(rule_id) == 10


@pytest.mark.parametrize("do", ["preview", "change"])
def test_a_change_that_cannot_be_changes_nothing(host, village, rule_id, do):
    for changes in ({"weekdays": []}, {"last_on": "2040-01-01"}, {"starts_at": "x"}):
        answer = send(host, village, f"/rules/{rule_id}", **rule_fields(do=do, **changes))
        assert answer.status_code == 422
    db.session.rollback()
    assert db.session.get(ScheduleRule, rule_id).recurrence == "FREQ=WEEKLY;BYDAY=SA,SU"


def test_a_rule_ends_after_a_look_and_keeps_who_is_booked(host, village, rule_id):
    kept, reference = book_on(village, rule_id, SUNDAY)
    page = host.get(at(village, f"/rules/{rule_id}/end")).text
    assert "9 departures close" in page
    assert f"/departures/{kept}" in page
    assert send(host, village, f"/rules/{rule_id}/end").status_code == 303
    assert planned(rule_id) == 1
    assert state_of(reference) == BookingState.HELD
    again = send(host, village, f"/rules/{rule_id}/end", "/rules")
    assert again.status_code == 404


def test_a_single_day_is_left_out_and_added(host, village, rule_id):
    page = f"/rules/{rule_id}/days"
    at_rule = f"/rules/{rule_id}"
    left = send(host, village, page, at_rule, day=SUNDAY.isoformat(), do="leave_out")
    assert left.status_code == 303
    assert planned(rule_id) == 9
    added = send(host, village, page, at_rule, day="2026-11-27", do="add")
    assert added.status_code == 303
    assert planned(rule_id) == 10
    shown = host.get(at(village, at_rule)).text
    assert "left out" in shown
    assert "added" in shown


def test_a_booked_day_is_not_left_out(host, village, rule_id):
    book_on(village, rule_id, SUNDAY)
    answer = send(
        host, village, f"/rules/{rule_id}/days", f"/rules/{rule_id}", day=SUNDAY.isoformat()
    )
    assert answer.status_code == 409
    assert "Guests are booked on this day, so it stays." in answer.text
    assert count(ScheduleException) == 0


@pytest.mark.parametrize(
    ("day", "message"),
    [
        ("2020-01-01", "This day has passed."),
        ("", "Please fill this in."),
        ("x", "Please enter a day as year-month-day."),
    ],
)
@pytest.mark.parametrize("do", ["add", "leave_out"])
def test_a_single_day_that_cannot_be_is_refused(host, village, rule_id, day, message, do):
    answer = send(host, village, f"/rules/{rule_id}/days", f"/rules/{rule_id}", day=day, do=do)
    assert answer.status_code == 422
    assert message in answer.text
    assert count(ScheduleException) == 0
    assert planned(rule_id) == 10


def test_one_departure_is_added_without_a_rule_and_once(host, village):
    fields = {"option": str(village.option_id), "day": "2026-11-27", "starts_at": "16:00"}
    assert send(host, village, "/rules/one-departure", "/rules", **fields).status_code == 303
    again = send(host, village, "/rules/one-departure", "/rules", **fields)
    assert again.status_code == 422
    assert "there is one at this hour already" in again.text
    past = send(host, village, "/rules/one-departure", "/rules", **{**fields, "day": "2026-11-22"})
    assert past.status_code == 422
    assert count(Departure) == 2


# --- rest days -----------------------------------------------------------------------------------


def rest_fields(**changes):
    fields = {
        "first_on": TOMORROW.isoformat(),
        "last_on": SUNDAY.isoformat(),
        "reason_th": "วันพระ",
        "reason_en": "Holy day",
    }
    return {**fields, **changes}


def test_the_village_rests_and_who_is_booked_is_listed(host, village):
    book(village)
    assert send(host, village, "/rest", **rest_fields()).status_code == 303
    page = host.get(at(village, "/rest")).text
    assert "Holy day" in page
    assert "Guests are booked on 1 departure" in page
    assert f"/departures/{village.departure_id}" in page
    assert "วันพระ" in host.get(f"/th/host/{village.slug}/rest").text
    assert send(host, village, "/rest", **rest_fields()).status_code == 303
    assert count(RestDay) == 1


def test_empty_departures_close_and_open_again_when_the_rest_ends(host, village):
    send(host, village, "/rest", **rest_fields())
    assert departure(village).state == DepartureState.CLOSED
    rest_id = db.session.scalar(select(RestDay.id))
    assert send(host, village, f"/rest/{rest_id}/end", "/rest").status_code == 303
    assert departure(village).state == DepartureState.OPEN
    assert send(host, village, f"/rest/{rest_id}/end", "/rest").status_code == 404


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"last_on": "2026-11-23", "first_on": "2026-11-25"}, "it ends before it begins"),
        ({"last_on": "2029-01-01"}, "more than a year of rest days at once"),
        ({"first_on": "2020-01-01", "last_on": "2020-01-02"}, "This day has passed."),
        ({"first_on": ""}, "Please fill this in."),
        ({"reason_th": "  "}, "Please fill this in."),
        ({"reason_en": ""}, "Please fill this in."),
        ({"reason_en": "x" * 121}, "This is too long."),
    ],
)
def test_rest_days_that_cannot_be_are_refused(host, village, changes, message):
    answer = send(host, village, "/rest", **rest_fields(**changes))
    assert answer.status_code == 422
    assert message in answer.text
    assert count(RestDay) == 0
    assert departure(village).state == DepartureState.OPEN


# --- shared things -------------------------------------------------------------------------------


def a_boat(capacity=2, code="boat"):
    return NewThing(code=code, kind=ThingKind.BOAT, title=text("boat"), capacity=capacity)


def thing_fields(**changes):
    fields = {
        "kind": "boat",
        "title_th": "เรือหางยาว",
        "title_en": "Longtail boat",
        "capacity": "3",
        "cutoff_hours": "2",
        "languages": "Thai, English",
        "licence": "12/3456",
    }
    return {**fields, **changes}


def test_a_thing_is_added_with_its_skills_and_once(host, village):
    answer = send(host, village, "/things", **thing_fields())
    assert answer.status_code == 303
    page = host.get(at(village, "/things")).text
    assert "Longtail boat" in page
    assert "speaks: Thai, English" in page
    assert "licence: 12/3456" in page
    assert "asked for 2 hours before" in page
    again = send(host, village, "/things", **thing_fields())
    assert again.status_code == 422
    assert "there is one of this name already" in again.text
    assert count(Thing) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "ship"},
        {"title_th": " "},
        {"title_th": "x" * 81},
        {"capacity": "-1"},
        {"capacity": "10001"},
        {"capacity": ""},
        {"capacity": "x"},
        {"cutoff_hours": "-1"},
        {"cutoff_hours": "99999"},
        {"languages": "x" * 121},
    ],
)
def test_a_thing_that_cannot_be_is_refused(host, village, changes):
    answer = send(host, village, "/things", **thing_fields(**changes))
    assert answer.status_code == 422
    assert 'value="12/3456"' in answer.text
    assert count(Thing) == 0


@pytest.fixture
def boat(village):
    """One boat for each six guests of the village's departure, two in all."""
    thing_id = shared.add_thing(village.id, a_boat())
    departures.set_needs(village.id, village.option_id, [(thing_id, 6, 1, "")], NOW)
    return thing_id


def slot(host, village, boat, **changes):
    fields = {"day": TOMORROW.isoformat(), "part": "morning", **changes}
    return send(host, village, f"/things/{boat}/slots", f"/things/{boat}", **fields)


def test_a_week_shows_what_is_taken_by_part_of_day(host, village, boat):
    book(village, {"ADULT": 7})
    page = host.get(at(village, f"/things/{boat}?on=2026-11-24")).text
    assert "<b>2/2</b>" in page
    assert "full" in page
    assert "<b>2/2</b>" not in host.get(at(village, f"/things/{boat}?on=2026-12-24")).text
    assert host.get(at(village, f"/things/{boat}?on=never")).status_code == 422


def test_a_part_of_a_day_is_closed_and_opened_again(host, village, boat):
    assert slot(host, village, boat, is_closed="y").status_code == 303
    assert departure(village).free == 0
    chosen = host.get(at(village, f"/things/{boat}?on=2026-11-24&part=morning")).text
    assert re.search(r'<input checked[^>]*name="is_closed"', chosen)
    assert slot(host, village, boat).status_code == 303
    assert departure(village).free == 12


def test_a_part_of_a_day_has_another_number_but_not_below_what_is_taken(host, village, boat):
    assert slot(host, village, boat, capacity="1").status_code == 303
    assert departure(village).free == 6
    book(village, {"ADULT": 2})
    answer = slot(host, village, boat, capacity="0")
    assert answer.status_code == 409
    assert "1 places are sold already" in answer.text
    db.session.rollback()
    assert db.session.scalar(select(Slot.capacity).where(Slot.claimed > 0)) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"part": "day"},
        {"part": "dawn"},
        {"part": ""},
        {"day": ""},
        {"day": "x"},
        {"day": "2026-11-22"},
        {"capacity": "-1"},
        {"capacity": "10001"},
        {"capacity": "x"},
    ],
)
def test_a_part_of_a_day_that_cannot_be_is_refused(host, village, boat, changes):
    before = count(Slot)
    answer = slot(host, village, boat, **{"is_closed": "y", **changes})
    assert answer.status_code == 422
    assert count(Slot) == before
    assert count(Slot, Slot.is_closed.is_(True)) == 0


def test_there_are_more_or_fewer_of_a_thing_but_not_below_what_is_taken(host, village, boat):
    page, form_at = f"/things/{boat}/capacity", f"/things/{boat}"
    assert send(host, village, page, form_at, capacity="5").status_code == 303
    book(village, {"ADULT": 7})
    answer = send(host, village, page, form_at, capacity="1")
    assert answer.status_code == 409
    assert "2 places are sold already" in answer.text
    for wrong in ("", "-1", "x", "10001"):
        assert send(host, village, page, form_at, capacity=wrong).status_code == 422
    db.session.rollback()
    assert db.session.get(Thing, boat).capacity == 5


def need(host, village, *rows, **more):
    names = ("thing", "units", "per_places", "add_on")
    fields = {
        f"needs-{number}-{name}": value
        for number, row in enumerate(rows)
        for name, value in zip(names, row, strict=True)
    }
    return send(host, village, f"/options/{village.option_id}/needs", **fields, **more)


def test_what_an_option_takes_is_said_in_full(host, village, boat):
    answer = need(host, village, (str(boat), "1", "4", ""), ("", "1", "0", ""))
    assert answer.status_code == 303
    assert departure(village).free == 8
    page = host.get(at(village, f"/options/{village.option_id}/needs")).text
    assert re.search(r'name="needs-0-per_places"[^>]*value="4"', page)
    assert need(host, village, ("", "1", "0", "")).status_code == 303
    assert count(Need) == 0


def test_more_lines_of_needs_keep_what_was_typed(host, village, boat):
    answer = need(host, village, (str(boat), "1", "4", ""), do="more")
    assert answer.status_code == 200
    assert 'name="needs-2-thing"' in answer.text
    assert count(Need, Need.per_places == 4) == 0


@pytest.mark.parametrize(
    "row",
    [
        ("999", "1", "0", ""),
        ("<b>", "1", "0", ""),
        ("{boat}", "0", "0", ""),
        ("{boat}", "-1", "0", ""),
        ("{boat}", "x", "0", ""),
        ("{boat}", "1", "-1", ""),
        ("{boat}", "1", "9999999999999999999999", ""),
        ("{boat}", "1", "0", "dragon"),
    ],
)
def test_a_need_that_cannot_be_is_refused(host, village, boat, row):
    answer = need(host, village, tuple(value.format(boat=boat) for value in row))
    assert answer.status_code == 422
    assert count(Need, Need.per_places == 6) == 1


def test_two_lines_of_the_same_thing_are_refused(host, village, boat):
    answer = need(host, village, (str(boat), "1", "4", ""), (str(boat), "2", "0", ""))
    assert answer.status_code == 422
    assert "Two lines say the same thing." in answer.text
    assert count(Need, Need.per_places == 6) == 1


def test_needs_that_would_not_fit_what_is_sold_are_refused(host, village, boat):
    book(village, {"ADULT": 9})
    answer = need(host, village, (str(boat), "1", "2", ""))
    assert answer.status_code == 409
    assert count(Need, Need.per_places == 6) == 1


# --- seasons and codes ---------------------------------------------------------------------------


def span(**fields):
    return {"first_on": "2026-12-01", "last_on": "2027-02-28", **fields}


def test_a_season_is_added_and_once(host, village):
    fields = span(title_th="ฤดูหนาว", title_en="Cool season", code="cool")
    assert send(host, village, "/seasons", **fields).status_code == 303
    again = send(host, village, "/seasons", **fields)
    assert again.status_code == 409
    assert "There is one of this name already: cool." in again.text
    assert "Cool season" in host.get(at(village, "/seasons")).text
    assert count(Season) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"last_on": "2026-11-30"},
        {"first_on": "x"},
        {"last_on": ""},
        {"code": ""},
        {"code": "a b"},
        {"code": "ฤดู"},
        {"code": "x" * 21},
        {"title_th": ""},
        {"title_en": ""},
    ],
)
def test_a_season_that_cannot_be_is_refused(host, village, changes):
    fields = {**span(title_th="ฤดูหนาว", title_en="Cool", code="cool"), **changes}
    assert send(host, village, "/seasons", **fields).status_code == 422
    assert count(Season) == 0


def code_fields(**changes):
    fields = {"code": "rainy10", "measure": "percent", "amount": "10", "bearer": "welfare"}
    return span(**{**fields, "most_uses": "5", **changes})


def test_a_code_says_who_pays_for_it_and_how_often_it_was_used(host, village):
    assert send(host, village, "/codes", **code_fields()).status_code == 303
    page = host.get(at(village, "/codes")).text
    assert "RAINY10" in page
    assert "10 percent" in page
    assert "Paid for by: Community welfare fund" in page
    assert "used 0 of 5 times" in page
    assert send(host, village, "/codes", **code_fields(code="Rainy10")).status_code == 409
    fields = code_fields(code="baht50", measure="baht", amount="50.50", bearer="group")
    assert send(host, village, "/codes", **fields).status_code == 303
    page = host.get(at(village, "/codes")).text
    assert "฿50.50" in page
    assert "Everybody, since the booking brings less to share" in page
    assert count(PromoCode) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"amount": "0"}, "Please enter a number above zero"),
        ({"amount": "-5"}, "Please enter a number above zero"),
        ({"amount": "ten"}, "Please enter a number above zero"),
        ({"amount": "100.01"}, "A discount is at most 100 percent."),
        ({"amount": ""}, "Please fill this in."),
        ({"measure": "free"}, "Not a valid choice."),
        ({"bearer": "guests"}, "Not a valid choice."),
        ({"most_uses": "0"}, "from 1 to 100,000"),
        ({"most_uses": "999999999999"}, "from 1 to 100,000"),
        ({"code": "no"}, "3 to 20 letters"),
        ({"code": "<b>bold</b>"}, "3 to 20 letters"),
        ({"last_on": "2026-01-01"}, "It ends before it begins."),
    ],
)
def test_a_code_that_cannot_be_is_refused_and_the_form_keeps_it(host, village, changes, message):
    answer = send(host, village, "/codes", **code_fields(**changes))
    assert answer.status_code == 422
    assert message in answer.text
    assert count(PromoCode) == 0


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weekdays", "months", "english"),
    [
        (
            {5, 6},
            {6, 7, 8, 9, 10, 11, 12, 1, 2},
            "Saturdays and Sundays at 09:00, June to February",
        ),
        ({0}, {3}, "Mondays at 09:00, March"),
        (
            {0, 2, 4},
            {1, 2, 12, 6},
            "Mondays, Wednesdays and Fridays at 09:00, June and December to February",
        ),
        (set(range(7)), set(), "every day at 09:00"),
        (set(range(7)), set(range(1, 13)), "every day at 09:00"),
    ],
)
def test_a_rule_in_words(weekdays, months, english):
    rule = Rule(frozenset(weekdays), frozenset(months), time(9), date(2026, 6, 1), None)
    with use_language("en"):
        assert rule_words(rule) == f"{english}, from 1 Jun 2026"
    with use_language("th"):
        assert "2569" in rule_words(rule)


def test_every_bearer_skill_and_reason_has_words():
    with use_language("en"):
        assert bearer_words("revolve") == "Revolving fund"
        assert skill_words({"languages": ["th", "Malay"], "seats": 6, "x": "y", "licence": ""}) == [
            "speaks: Thai, Malay",
            "seats: 6",
            "x: y",
        ]
        assert passed_words("too_few:1") == "passed over: only 1 place was free"
        assert passed_words("not_taken") == "passed over: an offer was not taken up in time"
        assert passed_words("something") == "passed over"
        assert passed_words(None) == ""


@pytest.mark.parametrize("page", [*_PAGES, "/things/{thing}", "/rules/{rule}"])
def test_every_id_of_a_page_stands_once_and_every_label_has_its_field(host, village, boat, page):
    rule_id = experiences.add_rule(village.id, village.option_id, weekends())
    book(village)
    page = page.format(
        departure=village.departure_id, option=village.option_id, thing=boat, rule=rule_id
    )
    shown = host.get(at(village, page)).text
    ids = re.findall(r'\sid="([^"]+)"', shown)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'<label for="([^"]+)"', shown)) <= set(ids)
