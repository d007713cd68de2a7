"""A guest's own pages: choosing, waiting, holding, changing, cancelling; refusals write nothing."""

import re
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser

import pytest
import time_machine
from sqlalchemy import func, select

from cbt.bookings import arrivals, departures
from cbt.bookings import hold as holding
from cbt.bookings.models import Booking, WaitingParty
from cbt.bookings.queries import get_booking, get_departure, list_departures
from cbt.bookings.references import BookingLinks
from cbt.bookings.states import BookingState, EndReason, WaitState
from cbt.db import db, transaction
from cbt.experiences import services as experiences
from cbt.experiences.models import Experience, Option
from cbt.experiences.pricing import (
    Discount,
    GroupRate,
    SeasonPrices,
    Unit,
    UnitPrice,
)
from cbt.experiences.records import AddOnCard
from cbt.payments import accounts, queries
from cbt.payments.credits import issue_credit, return_stranded_credit, use_credit
from cbt.payments.models import Attempt, Capture, Credit
from tests import factories
from tests.factories import (
    book,
    call_off_departure,
    cancel_booking,
    change_booking,
    hold,
    join_line,
    make_departure,
    make_option,
    make_village,
    offer_places,
    pay_by_demo,
    text,
)
from tests.site import NOW, SECRET

FAR = date(2027, 1, 10)  # a Sunday, more than 30 days ahead
NEXT = FAR + timedelta(days=1)
LUNCH = AddOnCard("lunch", text("lunch"), 12_000, per_guest=True, most=1)
KAYAK = AddOnCard("kayak", text("kayak"), 30_000, per_guest=False, most=2)


@pytest.fixture(autouse=True)
def at_noon():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def guest(sqlite_app):
    return sqlite_app.test_client()


# --- reading pages like a browser without script -------------------------------------------------


class _Forms(HTMLParser):
    """The fields of every form of a page, by the path of its address."""

    def __init__(self, page):
        super().__init__()
        self.forms, self.now, self.area = {}, None, None
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        own = dict(attributes)
        if tag == "form":
            self.now = self.forms.setdefault(own["action"].split("#")[0], {})
        elif self.now is None or "name" not in own:
            return
        elif tag == "textarea":
            self.area = own["name"]
            self.now[self.area] = ""
        elif tag == "input" and (own.get("type") not in ("radio", "checkbox") or "checked" in own):
            self.now[own["name"]] = own.get("value") or ""

    def handle_data(self, data):
        if self.area:
            self.now[self.area] += data.strip()

    def handle_endtag(self, tag):
        if tag == "form":
            self.now = None
        self.area = None


def send(client, page_at, action, **changes):
    """Load a page and send its form to `action` as it stands, but for some fields."""
    page = client.get(page_at, follow_redirects=True).text
    return send_from(client, page, action, **changes)


def send_from(client, page, action, **changes):
    forms = _Forms(page).forms
    fields = next(fields for address, fields in forms.items() if address.endswith(action))
    address = next(address for address in forms if address.endswith(action))
    return client.post(address, data={**fields, **changes})


def form_of(page, action):
    return next(fields for at, fields in _Forms(page).forms.items() if at.endswith(action))


def experience_at(village, language="en"):
    return f"/{language}/c/{village.slug}/{slug_of(village.option_id)}"


def slug_of(option_id):
    query = select(Experience.slug).join(Option, Option.experience_id == Experience.id)
    return db.session.scalar(query.where(Option.id == option_id))


def link_of(reference, language="en"):
    booking = get_booking(db.session(), reference)
    token = BookingLinks(SECRET).sign(reference, booking.trip.ends_at)
    db.session.rollback()
    return f"/{language}/b/{token}"


def fresh(reference):
    db.session.rollback()
    return get_booking(db.session(), reference)


def kept(reference):
    booking = fresh(reference)
    return queries.get_money(db.session(), booking.id).kept_satang


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def hold_by_page(client, address, **fields):
    page = client.get(address).text
    path = address.split("?")[0]
    return send_from(client, page, path, do="hold", **fields)


def cell_of(page, day):
    """What stands in a day's place of the calendar."""
    found = re.search(
        rf'<(a|span) class="day ([a-z_ ]+)"[^>]*>\s*<b>{day}</b>(.*?)</\1>', page, re.S
    )
    return found[2].strip(), re.sub(r"<[^>]+>", " ", found[3]).split()


# --- the calendar --------------------------------------------------------------------------------


def test_the_calendar_tells_by_word_what_each_day_offers(guest):
    village = make_village(on=FAR, capacity=6)
    full, few, closed, off = (
        make_departure(village.option_id, FAR + timedelta(n)) for n in range(1, 5)
    )
    hold(replace(village, departure_id=full), {"ADULT": 6})
    hold(replace(village, departure_id=few), {"ADULT": 4})
    departures.set_sales(village.id, closed, is_open=False)
    call_off_departure(replace(village, departure_id=off))
    page = guest.get(f"{experience_at(village)}?month=2027-01").text
    assert cell_of(page, 10) == ("free", ["6", "free", "450"])
    assert cell_of(page, 11) == ("waiting", ["waiting", "list", "450"])
    assert cell_of(page, 12) == ("few", ["2", "left", "450"])
    assert cell_of(page, 13) == ("closed", ["closed"])
    assert cell_of(page, 14) == ("called_off", ["called", "off"])
    assert cell_of(page, 15) == ("none", ["no", "trip"])
    larger = guest.get(f"{experience_at(village)}?month=2027-01&ADULT=7").text
    assert cell_of(larger, 10) == ("full", ["full"])


def test_the_calendar_speaks_thai(guest):
    village = make_village(on=FAR, capacity=6)
    page = guest.get(f"{experience_at(village, 'th')}?month=2027-01").text
    assert "มกราคม 2570" in page
    assert cell_of(page, 10)[0] == "free"


def test_a_day_past_its_cut_off_is_closed_and_says_why(guest):
    village = make_village(on=date(2026, 11, 24), cutoff_minutes=24 * 60)
    page = guest.get(f"{experience_at(village)}?on=2026-11-24")
    assert page.status_code == 422
    assert "Booking for this departure has closed" in page.text
    assert cell_of(page.text, 24) == ("closed", ["closed"])
    before = count(Booking)
    answer = hold_by_page(guest, experience_at(village), on="2026-11-24")
    assert answer.status_code == 422
    assert count(Booking) == before


def test_a_day_that_was_called_off_says_so(guest):
    village = make_village(on=FAR)
    call_off_departure(village)
    answer = guest.get(f"{experience_at(village)}?on={FAR}")
    assert answer.status_code == 422
    assert "The community has called this departure off." in answer.text


def test_a_seasons_price_stands_in_the_calendar_and_in_the_total(guest):
    village = make_village(on=FAR)
    season = ("january", date(2027, 1, 1), date(2027, 1, 31))
    experiences.add_season(village.id, season[0], text("january"), season[1], season[2])
    seasons = (SeasonPrices(*season, {Unit.ADULT: 60_000}),)
    dear = replace(village, option_id=make_option(village.id, seasons=seasons))
    make_departure(dear.option_id, FAR)
    page = guest.get(f"{experience_at(dear)}?on={FAR}&ADULT=2").text
    assert cell_of(page, 10)[1][-1] == "600"
    assert "฿1,200.00" in page


# --- party, extras, codes ------------------------------------------------------------------------


def test_every_kind_of_guest_has_its_ages_and_needs_as_a_hint(guest):
    prices = (
        UnitPrice(Unit.ADULT, 45_000, 1, 12, None),
        UnitPrice(Unit.CHILD, 20_000, 1, 4, 11, needs=(Unit.ADULT, Unit.SENIOR)),
        UnitPrice(Unit.SENIOR, 40_000, 1, 60, None),
        UnitPrice(Unit.FAMILY, 120_000, 4, 0, None),
    )
    village = make_village(on=FAR, prices=prices)
    page = guest.get(experience_at(village)).text
    assert "from 60 years" in page
    assert "4 to 11 years" in page
    assert "only together with: Adults, Seniors" in page
    assert "takes 4 places" in page


def test_a_child_alone_is_refused_and_nothing_is_written(guest):
    prices = (
        UnitPrice(Unit.ADULT, 45_000, 1, 12, None),
        UnitPrice(Unit.CHILD, 20_000, 1, 4, 11, needs=(Unit.ADULT,)),
    )
    village = make_village(on=FAR, prices=prices)
    answer = hold_by_page(guest, f"{experience_at(village)}?on={FAR}", ADULT="0", CHILD="2")
    assert answer.status_code == 422
    assert "This kind of guest cannot come alone" in answer.text
    assert form_of(answer.text, experience_at(village))["CHILD"] == "2"
    assert count(Booking) == 0


@pytest.mark.parametrize(
    ("adults", "message"),
    [("1", "at least 2 people"), ("7", "at most 6 people")],
    ids=["too small", "too large"],
)
def test_a_party_too_small_or_too_large_is_refused(guest, adults, message):
    village = make_village(on=FAR, min_party=2, max_party=6)
    answer = hold_by_page(guest, f"{experience_at(village)}?on={FAR}", ADULT=adults)
    assert answer.status_code == 422
    assert message in answer.text
    assert count(Booking) == 0


def test_boats_follow_from_the_party_as_a_line_of_their_own(guest):
    prices = (UnitPrice(Unit.ADULT, 0, 1, 12, None),)
    village = make_village(on=FAR, prices=prices, costs=(), group_rate=GroupRate(4, 150_000))
    page = guest.get(f"{experience_at(village)}?on={FAR}&ADULT=5").text
    assert "Each boat or group of up to 4: ฿1,500." in page
    assert "2 × ฿1,500" in page
    assert "฿3,000.00" in page
    assert cell_of(page, 10)[1][-1] == "1,500"


def test_extras_are_priced_held_and_split(guest):
    village = make_village(on=FAR, add_ons=(LUNCH, KAYAK))
    address = f"{experience_at(village)}?on={FAR}&ADULT=2&extra-lunch=1&extra-kayak=2"
    page = guest.get(address).text
    assert "฿1,740.00" in page  # 2 x 450, lunch for 2, 2 kayaks
    answer = send_from(guest, page, experience_at(village), do="hold")
    assert answer.status_code == 303
    held = guest.get(answer.location).text
    assert "English lunch" in held
    assert "English kayak" in held
    assert "฿1,740.00" in held


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"extra-kayak": "3"}, "At most 2 of this extra"),
        ({"extra-ghost": "1"}, "This extra is not offered here."),
        ({"extra-kayak": "-1"}, "a whole number, 0 or more"),
    ],
)
def test_an_extra_that_cannot_be_is_refused(guest, fields, message):
    village = make_village(on=FAR, add_ons=(KAYAK,))
    answer = hold_by_page(guest, f"{experience_at(village)}?on={FAR}", **fields)
    assert answer.status_code == 422
    assert message in answer.text
    assert count(Booking) == 0


def offer_code(village, code="SEA", bearer="welfare", *, bp=0, satang=0, uses=5):
    discount = Discount(code, bp, satang, bearer)
    experiences.add_promo_code(village.id, discount, NOW.date(), FAR + timedelta(40), uses)


def amounts_of_flow(page):
    """{name: satang} as the picture of the money says."""
    rows = re.findall(
        r'<span class="flow-name"><i[^>]*></i>([^\n<]+).*?<span class="money">฿([\d,.]+)',
        page,
        re.S,
    )
    return {name.strip(): int(re.sub(r"[,.]", "", amount)) for name, amount in rows}


def test_a_code_says_who_pays_for_the_discount_and_the_split_shows_it(guest):
    village = make_village(on=FAR)
    offer_code(village, satang=4_000)
    plain = amounts_of_flow(guest.get(f"{experience_at(village)}?on={FAR}&ADULT=2").text)
    page = guest.get(f"{experience_at(village)}?on={FAR}&ADULT=2&code=sea").text
    assert "The discount is borne by: Community welfare fund." in page
    assert "฿860.00" in page
    reduced = amounts_of_flow(page)
    # what the fund gives is the discount, but for the fee that a lower payment saves
    assert plain["Community welfare fund"] - reduced["Community welfare fund"] in range(
        3_900, 4_001
    )
    assert abs(plain["Conservation fund"] - reduced["Conservation fund"]) < 10


@pytest.mark.parametrize(
    ("bearer", "words"),
    [("group", "the whole group"), ("provider", "Households that do the work")],
)
def test_the_bearer_is_named_whoever_it_is(guest, bearer, words):
    village = make_village(on=FAR)
    offer_code(village, bearer=bearer, bp=1_000)
    page = guest.get(f"{experience_at(village)}?on={FAR}&ADULT=2&code=SEA").text
    assert f"The discount is borne by: {words}." in page


def test_a_held_discount_is_the_one_that_was_shown(guest):
    village = make_village(on=FAR)
    offer_code(village, bearer="mgmt", satang=2_000)
    answer = hold_by_page(guest, f"{experience_at(village)}?on={FAR}&ADULT=2", code="SEA")
    assert answer.status_code == 303
    assert "The discount is borne by: Group management." in guest.get(answer.location).text
    assert count(Booking) == 1
    assert db.session.scalar(select(Booking.discount_satang)) == 2_000


def test_an_unknown_code_is_the_fields_error_and_keeps_the_rest(guest):
    village = make_village(on=FAR)
    answer = hold_by_page(guest, f"{experience_at(village)}?on={FAR}&ADULT=3", code="NOPE")
    assert answer.status_code == 422
    assert "The code NOPE is not valid here" in answer.text
    assert 'id="code-error"' in answer.text
    fields = form_of(answer.text, experience_at(village))
    assert (fields["code"], fields["ADULT"]) == ("NOPE", "3")
    assert count(Booking) == 0


def test_a_code_that_is_used_up_is_refused_when_places_are_held(guest):
    village = make_village(on=FAR)
    offer_code(village, satang=1_000, uses=1)
    hold(village, promo_code="SEA")
    answer = hold_by_page(guest, f"{experience_at(village)}?on={FAR}", code="SEA")
    assert answer.status_code == 409
    assert 'id="code-error"' in answer.text
    assert count(Booking) == 1


def test_a_discount_that_its_bearer_cannot_pay_is_refused_at_the_field(guest):
    village = make_village(on=FAR)
    offer_code(village, bearer="conserve", bp=5_000)
    answer = hold_by_page(guest, f"{experience_at(village)}?on={FAR}", code="SEA")
    assert answer.status_code == 422
    assert "This code cannot be used for a booking of this size." in answer.text
    assert 'id="code-error"' in answer.text
    assert count(Booking) == 0


# --- terms, requests -----------------------------------------------------------------------------


def test_the_terms_stand_there_as_dated_steps(guest):
    village = make_village(on=FAR)
    page = guest.get(f"{experience_at(village)}?on={FAR}").text
    steps = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page[page.index('class="stages"') :]))
    assert "until 11 Dec 2026, 08:30 (Thailand time) everything comes back" in steps
    assert "until 26 Dec 2026, 08:30 (Thailand time) half comes back" in steps
    assert "later nothing comes back" in steps
    thai = guest.get(f"{experience_at(village, 'th')}?on={FAR}").text
    assert "11 ธ.ค. 2569" in thai


def test_an_option_on_request_says_so_and_asks(guest):
    village = make_village(on=FAR, request_hours=48)
    page = guest.get(f"{experience_at(village)}?on={FAR}").text
    assert "The community answers within 48 hours; you pay only afterwards." in page
    assert "Ask for places" in page
    answer = send_from(guest, page, experience_at(village), do="hold")
    asked = guest.get(answer.location).text
    assert "Waiting for the community's answer until 25 Nov 2026, 12:00" in asked
    assert "Withdraw the request" in asked
    assert guest.get(f"{answer.location}/pay").status_code == 303
    saved = send(guest, answer.location, answer.location, name="Ann", phone="081 234 5678")
    assert saved.status_code == 303
    assert saved.location == answer.location
    assert 'value="Ann"' in guest.get(answer.location).text


def test_a_request_is_withdrawn_once(guest):
    village = make_village(on=FAR, request_hours=48)
    reference = hold(village)
    link = link_of(reference)
    page = guest.get(f"{link}/cancel").text
    assert "Nothing was paid, so nothing is kept." in page
    assert send_from(guest, page, "/cancel").status_code == 303
    assert fresh(reference).state == BookingState.CANCELLED
    assert "This booking is cancelled" in guest.get(link).text
    assert send_from(guest, page, "/cancel").status_code == 409
    assert get_departure(db.session(), village.departure_id).claimed == 0


def test_a_declined_request_says_so(guest):
    village = make_village(on=FAR, request_hours=48)
    reference = hold(village)
    holding.decline_request(village.id, reference, NOW)
    page = guest.get(link_of(reference)).text
    assert "The community cannot take your party on this day. Nothing was paid." in page


# --- waiting -------------------------------------------------------------------------------------


@pytest.fixture
def full(sqlite_app):
    """A departure with one place left."""
    village = make_village(on=FAR, capacity=5)
    hold(village, {"ADULT": 4})
    return village


def wait_by_page(client, village, adults=3, **fields):
    address = experience_at(village)
    values = {"name": "Ann", "email": "ann@example.org", **fields}
    return send(client, f"{address}?on={FAR}&ADULT={adults}", f"{address}/wait", **values)


def test_a_party_that_finds_too_little_room_joins_the_line(guest, full):
    page = guest.get(f"{experience_at(full)}?on={FAR}&ADULT=3").text
    assert "Only 1 place is left on this departure, too few for your party." in page
    join_line(full)
    answer = wait_by_page(guest, full, least="2")
    assert answer.status_code == 303
    page = guest.get(answer.location).text
    assert "Your place in line: 2" in page
    assert "you would also come with 2 places" in page


def test_joining_twice_with_one_form_is_one_place_in_line(guest, full):
    address = experience_at(full)
    page = guest.get(f"{address}?on={FAR}&ADULT=3").text
    links = {
        send_from(guest, page, f"{address}/wait", name="Ann", phone="081 234 5678").location
        for _submit in range(2)
    }
    assert len(links) == 1
    assert count(WaitingParty) == 1


@pytest.mark.parametrize(
    "changes",
    [{"name": "Bee"}, {"email": "ann@new.example"}, {"phone": "081 234 5678"}, {"least": "2"}],
)
def test_a_corrected_form_is_a_place_in_line_of_its_own(guest, full, changes):
    address = experience_at(full)
    page = guest.get(f"{address}?on={FAR}&ADULT=3").text
    typed = {"name": "Ann", "email": "ann@example.org"}
    links = {
        send_from(guest, page, f"{address}/wait", **fields).location
        for fields in (typed, {**typed, **changes})
    }
    assert len(links) == 2
    assert count(WaitingParty) == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": ""}, "Please fill this in."),
        ({"email": ""}, "Please give an e-mail address or a telephone number."),
        ({"email": "ann"}, "This does not look like an e-mail address."),
        ({"least": "0"}, "a number of guests from 1 to 200"),
        ({"ADULT": "0"}, "Please enter how many people are coming"),
        ({"on": "2027-02-20"}, "Nothing departs on this day"),
    ],
)
def test_a_place_in_line_that_cannot_be_says_why_and_writes_nothing(guest, full, fields, message):
    answer = wait_by_page(guest, full, **fields)
    assert answer.status_code == 422
    assert message in answer.text
    assert count(WaitingParty) == 0


def test_a_refused_place_in_line_keeps_what_was_typed(guest, full):
    answer = wait_by_page(guest, full, email="ann", least="2")
    fields = form_of(answer.text, "/wait")
    assert (fields["name"], fields["email"], fields["least"]) == ("Ann", "ann", "2")


def test_who_finds_room_does_not_wait(guest, full):
    answer = wait_by_page(guest, full, ADULT="1")
    assert answer.status_code == 422
    assert "There is room for your party: you can hold the places now." in answer.text
    assert count(WaitingParty) == 0


def test_a_stale_form_joins_no_line(guest, full):
    assert wait_by_page(guest, full, once="short").status_code == 400
    assert count(WaitingParty) == 0


def waiting_at(village, party_id, language="en"):
    ends_at = get_departure(db.session(), village.departure_id).ends_at
    db.session.rollback()
    return f"/{language}/w/{BookingLinks(SECRET).sign_waiting(party_id, ends_at)}"


def test_a_waiting_party_learns_why_it_was_passed(guest, full):
    party = join_line(full, {"ADULT": 3})
    offer_places(full)
    page = guest.get(waiting_at(full, party)).text
    assert "only 1 place was free, too few for your party" in page
    assert "Your place in line: 1" in page


def test_an_offer_leads_to_its_hold_and_one_not_taken_is_told(guest):
    village = make_village(on=FAR, capacity=2)
    reference = hold(village, {"ADULT": 2})
    party = join_line(village)
    cancel_booking(reference)
    assert offer_places(village) == 1
    at = waiting_at(village, party)
    page = guest.get(at).text
    assert "Places are held for you." in page
    offer = re.search(r'href="(/en/b/[^"]+)"', page)[1]
    assert "Your places are held" in guest.get(f"{offer}?change=1").text
    later = NOW + timedelta(hours=13)
    holding.lapse_overdue_holds(later)
    join_line(village, now=later)
    assert offer_places(village, later) == 1
    page = guest.get(at).text  # the other party was not asked before, so it comes first
    assert "Places were offered to you, but not taken up until 24 Nov 2026, 01:00" in page
    assert "Your place in line: 1" in page


def test_leaving_the_line_twice_is_leaving_once(guest, full):
    party = join_line(full)
    at = waiting_at(full, party)
    page = guest.get(at).text
    for _try in range(2):
        assert send_from(guest, page, "/leave").status_code == 303
    assert "left the line" in guest.get(at).text
    assert db.session.scalar(select(WaitingParty.state)) == WaitState.LEFT


def test_a_waiting_partys_link_opens_nothing_else_and_expires(guest, full):
    party = join_line(full)
    at = waiting_at(full, party)
    assert guest.get(at.replace("/w/", "/b/")).status_code == 404
    assert guest.get(f"{at}x").status_code == 404
    booking = link_of(db.session.scalar(select(Booking.reference)))
    assert guest.get(booking.replace("/b/", "/w/")).status_code == 404
    with time_machine.travel(NOW + timedelta(days=365), tick=False):
        answer = guest.get(at)
    assert answer.status_code == 404
    assert "This link has expired" in answer.text


# --- the hold ------------------------------------------------------------------------------------


def test_a_hold_is_extended_once_and_keeps_what_was_typed(guest):
    village = make_village(on=FAR)
    link = link_of(hold(village))
    page = guest.get(f"{link}?change=1").text
    assert "15 minutes more, once" in page
    details = form_of(page, link)
    more = guest.post(f"{link}/extend", data={**details, "name": "Somebody else"})
    assert more.status_code == 200
    assert "until 12:45 (Thailand time)" in more.text
    assert 'value="Somebody else"' in more.text
    assert "15 minutes more, once" not in more.text
    again = guest.post(f"{link}/extend", data={**details, "name": "Somebody else"})
    assert again.status_code == 409
    assert "The time was extended once already." in again.text
    assert 'value="Somebody else"' in again.text


def test_the_hold_is_extended_from_the_page_of_payment_too(guest):
    reference = hold(make_village(on=FAR))
    link = link_of(reference)
    assert send(guest, f"{link}/pay", "/extend").status_code == 303
    assert fresh(reference).held_until == NOW + timedelta(minutes=45)


def test_a_dead_hold_is_not_extended(guest):
    reference = hold(make_village(on=FAR))
    link = link_of(reference)
    page = guest.get(f"{link}/pay").text
    with time_machine.travel(NOW + timedelta(minutes=31), tick=False):
        answer = send_from(guest, page, "/extend")
    assert answer.status_code == 409
    assert "The hold is over" in answer.text
    assert fresh(reference).held_until == NOW + timedelta(minutes=30)


def test_a_hold_that_was_paid_elsewhere_is_not_said_to_be_over(guest):
    reference = hold(make_village(on=FAR))
    link = link_of(reference)
    page = guest.get(f"{link}/pay").text
    pay_by_demo(reference)
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        answer = send_from(guest, page, "/extend")
    assert (answer.status_code, answer.location) == (303, link)
    assert "Your booking is confirmed" in guest.get(link).text


def test_a_hold_that_was_given_back_elsewhere_is_not_said_to_be_over(guest):
    reference = hold(make_village(on=FAR))
    link = link_of(reference)
    page = guest.get(f"{link}/pay").text
    cancel_booking(reference)
    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        answer = send_from(guest, page, "/credit", code="C-2222-2222")
    assert (answer.status_code, answer.location) == (303, link)
    assert "This booking is cancelled" in guest.get(link).text


def test_below_five_minutes_the_page_warns_in_words(guest):
    link = link_of(hold(make_village(on=FAR)))
    assert re.search(r"data-soon hidden", guest.get(f"{link}/pay").text)
    with time_machine.travel(NOW + timedelta(minutes=26), tick=False):
        page = guest.get(f"{link}/pay").text
    assert not re.search(r"data-soon hidden", page)
    assert "Less than 5 minutes are left." in page


def test_places_are_given_back_before_paying(guest):
    village = make_village(on=FAR)
    reference = hold(village)
    assert send(guest, f"{link_of(reference)}/cancel", "/cancel").status_code == 303
    assert get_departure(db.session(), village.departure_id).claimed == 0


# --- changing ------------------------------------------------------------------------------------


@pytest.fixture
def booked(sqlite_app):
    """A village with two days, and a paid booking of two adults on the first."""
    village = make_village(on=FAR, capacity=6, add_ons=(LUNCH, KAYAK))
    make_departure(village.option_id, NEXT)
    return village, book(village)


def quote_at(link, on=FAR, **party):
    fields = {"ADULT": 2, "CHILD": 0, "INFANT": 0, **party}
    query = "&".join(f"{name}={value}" for name, value in fields.items())
    return f"{link}/change/quote?on={on}&option=morning&{query}"


def test_the_change_begins_with_the_booking_as_it_stands(guest, booked):
    _village, reference = booked
    page = guest.get(f"{link_of(reference)}/change").text
    fields = form_of(page, "/change")
    assert (fields["on"], fields["ADULT"], fields["CHILD"]) == (str(FAR), "2", "0")
    assert cell_of(page, 10)[1][:2] == ["6", "free"]  # its own places are free for itself


def test_a_larger_party_is_quoted_and_leaves_something_to_pay(guest, booked):
    _village, reference = booked
    link = link_of(reference)
    page = guest.get(quote_at(link, ADULT=4, **{"extra-lunch": 1})).text
    assert "฿2,280.00" in page  # 4 x 450 and 4 lunches
    assert "Still to pay" in page
    assert "฿1,380.00" in page
    answer = send_from(guest, page, "/change")
    assert answer.status_code == 303
    voucher = guest.get(answer.location).text
    assert "Still to pay:" in voucher
    assert (fresh(reference).places, fresh(reference).price_satang) == (4, 228_000)
    pay = guest.get(f"{answer.location}/pay").text
    assert "Pay ฿1,380.00" in pay
    attempt = send_from(guest, pay, "/pay", method="demo").location
    act = guest.get(attempt).text
    assert "฿1,380.00" in act
    assert send_from(guest, act, "/act", act="pay").status_code == 303
    assert kept(reference) == 228_000
    assert "Still to pay" not in guest.get(answer.location).text
    receipt = guest.get(f"{answer.location}/receipt").text
    assert "฿900.00" in receipt
    assert "฿1,380.00" in receipt


def test_a_code_that_was_opened_before_a_change_is_not_offered_any_more(guest, booked):
    _village, reference = booked
    change_booking(reference, party={"ADULT": 3})
    link = link_of(reference)
    attempt = send(guest, f"{link}/pay", "/pay", method="demo").location
    change_booking(reference, party={"ADULT": 4})
    assert guest.get(attempt).status_code == 303
    assert "Pay ฿900.00" in guest.get(f"{link}/pay").text


def test_a_smaller_party_gets_back_what_the_terms_say(guest, booked):
    _village, reference = booked
    with time_machine.travel(NOW + timedelta(days=30), tick=False):  # between 30 and 15 days before
        page = guest.get(quote_at(link_of(reference), ADULT=1)).text
        assert "Comes back to you" in page
        assert page.count("฿225.00") == 2  # half comes back, half is kept
        assert "These figures hold until 26 Dec 2026, 08:30 (Thailand time)." in page
        assert send_from(guest, page, "/change").status_code == 303
        assert kept(reference) == 67_500


def test_another_day_is_a_new_link_that_lives_as_long_as_the_trip(guest, booked):
    _village, reference = booked
    link = link_of(reference)
    answer = send(guest, quote_at(link, on=NEXT), "/change")
    assert answer.status_code == 303
    assert fresh(reference).trip.starts_on == NEXT
    assert answer.location == link_of(reference) != link


def test_a_change_to_nothing_else_says_so(guest, booked):
    _village, reference = booked
    answer = guest.get(quote_at(link_of(reference)))
    assert answer.status_code == 422
    assert "This is your booking as it stands." in answer.text


@pytest.mark.parametrize(
    ("fields", "message", "status"),
    [
        ({"ADULT": 0}, "Please enter how many people are coming", 422),
        ({"ADULT": 11}, "this departure has 6 left", 409),
        ({"ADULT": 2, "SENIOR": 1}, "This kind of guest is not on the price list.", 422),
        ({"ADULT": 2, "extra-kayak": 3}, "At most 2 of this extra", 422),
        ({"on": "2027-03-01"}, "Nothing departs on this day", 422),
        ({"on": "2020-01-01"}, "This day has passed", 422),
    ],
)
def test_a_change_that_cannot_be_says_why_and_changes_nothing(
    guest, booked, fields, message, status
):
    _village, reference = booked
    before = fresh(reference)
    answer = guest.get(quote_at(link_of(reference), **fields))
    assert answer.status_code == status
    assert message in answer.text
    assert fresh(reference) == before


def test_a_change_to_a_full_day_is_refused_and_the_old_day_stays(guest, booked):
    village, reference = booked
    page = guest.get(quote_at(link_of(reference), on=NEXT)).text
    [other] = list_departures(db.session(), [village.option_id], NEXT, NEXT + timedelta(1))
    hold(replace(village, departure_id=other.id), {"ADULT": 5})
    before = fresh(reference)
    answer = send_from(guest, page, "/change")
    assert answer.status_code == 409
    assert "this departure has 1 left." in answer.text
    assert form_of(answer.text, "/change")["on"] == str(NEXT)
    assert fresh(reference) == before


def test_two_tabs_cannot_both_change_one_booking(guest, booked):
    _village, reference = booked
    link = link_of(reference)
    first = guest.get(quote_at(link, ADULT=3)).text
    second = guest.get(quote_at(link, ADULT=4)).text
    assert send_from(guest, first, "/change").status_code == 303
    answer = send_from(guest, second, "/change")
    assert answer.status_code == 409
    assert "This booking was changed elsewhere" in answer.text
    assert fresh(reference).places == 3
    assert "฿1,350.00" in answer.text  # the price so far is the fresh one
    assert send_from(guest, answer.text, "/change").status_code == 303
    assert fresh(reference).places == 4


def test_a_replayed_change_changes_nothing_more(guest, booked):
    _village, reference = booked
    page = guest.get(quote_at(link_of(reference), ADULT=3)).text
    assert send_from(guest, page, "/change").status_code == 303
    before = fresh(reference)
    assert send_from(guest, page, "/change").status_code == 409
    assert fresh(reference) == before


def test_a_quote_of_a_change_holds_to_the_second_and_not_longer(guest, booked):
    _village, reference = booked
    boundary = get_departure(db.session(), fresh(reference).trip.id).begins_at - timedelta(days=30)
    with time_machine.travel(boundary, tick=False):
        page = guest.get(quote_at(link_of(reference), ADULT=1)).text
    before = fresh(reference)
    with time_machine.travel(boundary + timedelta(seconds=1), tick=False):
        answer = send_from(guest, page, "/change")
    assert answer.status_code == 409
    assert "The figures have changed since you looked." in answer.text
    assert "฿225.00" in answer.text
    assert fresh(reference) == before
    with time_machine.travel(boundary, tick=False):
        assert send_from(guest, page, "/change").status_code == 303


@pytest.mark.parametrize("figure", ["new_satang", "refund_satang", "version"])
@pytest.mark.parametrize("value", ["", "x", "1", "-1"])
def test_figures_that_were_not_shown_are_not_agreed_to(guest, booked, figure, value):
    _village, reference = booked
    page = guest.get(quote_at(link_of(reference), ADULT=3)).text
    before = fresh(reference)
    if (figure, value) == ("version", str(before.version)):
        value = "99"
    answer = send_from(guest, page, "/change", **{figure: value})
    assert answer.status_code == 409
    assert fresh(reference) == before


def test_it_is_too_late_to_change_once_the_hosts_prepare(guest):
    village = make_village(on=FAR, cutoff_minutes=24 * 60)
    reference = book(village)
    link = link_of(reference)
    before = fresh(reference)
    closes_at = before.trip.begins_at - timedelta(days=1)
    with time_machine.travel(closes_at - timedelta(seconds=1), tick=False):
        page = guest.get(quote_at(link, ADULT=3)).text
    with time_machine.travel(closes_at, tick=False):
        for address in (f"{link}/change", quote_at(link, ADULT=3)):
            answer = guest.get(address)
            assert answer.status_code == 409
            assert "It is too late to change this booking here" in answer.text
        assert send_from(guest, page, "/change").status_code == 409
    assert fresh(reference) == before


def test_the_party_keeps_its_discount_or_is_told_that_it_cannot(guest):
    village = make_village(on=FAR)
    offer_code(village, satang=6_000, bearer="welfare")
    reference = hold(village, {"ADULT": 4}, promo_code="SEA")
    pay_by_demo(reference)
    link = link_of(reference)
    page = guest.get(quote_at(link, ADULT=5)).text
    assert "The discount is borne by: Community welfare fund." in page
    assert "฿2,190.00" in page
    answer = guest.get(quote_at(link, ADULT=1))
    assert answer.status_code == 422
    assert "This code cannot be used for a booking of this size." in answer.text


def test_a_cancelled_booking_offers_no_change(guest, booked):
    _village, reference = booked
    link = link_of(reference)
    page = guest.get(quote_at(link, ADULT=3)).text
    cancel_booking(reference)
    assert guest.get(f"{link}/change").status_code == 303
    assert guest.get(quote_at(link, ADULT=3)).status_code == 303
    assert send_from(guest, page, "/change").status_code == 409
    assert fresh(reference).state == BookingState.CANCELLED


# --- names and needs -----------------------------------------------------------------------------


def test_names_and_needs_can_be_changed_until_the_trip(guest, booked):
    _village, reference = booked
    link = link_of(reference)
    page = guest.get(f"{link}?change=1").text
    assert "Names and needs" in page
    answer = send_from(guest, page, link, food_needs="no pork", consent="y")
    assert (answer.status_code, answer.location) == (303, link)
    assert fresh(reference).guest.food_needs == "no pork"
    refused = send_from(guest, page, link, food_needs="no pork")
    assert refused.status_code == 422
    begins_at = fresh(reference).trip.begins_at
    with time_machine.travel(begins_at - timedelta(seconds=1), tick=False):
        page = guest.get(f"{link}?change=1").text
    with time_machine.travel(begins_at, tick=False):
        assert guest.get(f"{link}?change=1").status_code == 409
        late = send_from(guest, page, link, name="Too late")
    assert late.status_code == 409
    assert "The trip has begun" in late.text
    assert fresh(reference).guest.name == "Guest"


# --- cancelling ----------------------------------------------------------------------------------


def test_a_cancellation_gives_back_what_it_quoted(guest, booked):
    village, reference = booked
    link = link_of(reference)
    with time_machine.travel(NOW + timedelta(days=30), tick=False):
        page = guest.get(f"{link}/cancel").text
        assert page.count("฿450.00") == 2  # half comes back, half is kept
        assert "These figures hold until 26 Dec 2026, 08:30 (Thailand time)." in page
        assert send_from(guest, page, "/cancel").status_code == 303
        ended = guest.get(link).text
    assert "This booking is cancelled" in ended
    assert "฿450.00 will be returned to you: the booking was cancelled." in ended
    assert kept(reference) == 45_000
    assert get_departure(db.session(), village.departure_id).claimed == 0


def test_a_cancellation_as_credit_shows_a_code_that_pays_for_another_trip(guest, booked):
    village, reference = booked
    link = link_of(reference)
    assert send(guest, f"{link}/cancel", "/cancel", back_as="credit").status_code == 303
    code = db.session.scalar(select(Credit.code))
    page = guest.get(link).text
    assert code in page
    assert "Left: ฿900.00." in page
    second = hold(village, {"ADULT": 3})
    pay = f"{link_of(second)}/pay"
    used = send(guest, pay, "/credit", code=code.lower())
    assert used.status_code == 303
    rest = guest.get(pay).text
    assert "Paid so far" in rest
    assert "Pay ฿450.00" in rest
    pay_by_demo(second)
    assert fresh(second).state == BookingState.CONFIRMED
    assert "Paid by credit" in guest.get(f"{link_of(second)}/receipt").text


def test_a_credit_that_covers_everything_confirms_and_needs_no_receipt(guest, booked):
    village, reference = booked
    cancel_booking(reference, as_credit=True)
    second = hold(village, {"ADULT": 2})
    link = link_of(second)
    code = db.session.scalar(select(Credit.code))
    answer = send(guest, f"{link}/pay", "/credit", code=code)
    assert answer.status_code == 303
    page = guest.get(link).text
    assert "Your booking is confirmed" in page
    assert f"{link}/receipt" not in page
    assert guest.get(f"{link}/receipt").status_code == 404


@pytest.mark.parametrize(
    ("code", "message", "status"),
    [
        ("C-2222-2222", "There is no credit C-2222-2222 here", 409),
        ("", "Please fill this in.", 422),
    ],
)
def test_a_wrong_credit_is_the_fields_error(guest, code, message, status):
    reference = hold(make_village(on=FAR))
    answer = send(guest, f"{link_of(reference)}/pay", "/credit", code=code)
    assert answer.status_code == status
    assert message in answer.text
    assert kept(reference) == 0


def test_a_credit_in_a_hold_that_lapsed_is_not_lost_from_sight(guest, booked):
    village, reference = booked
    cancel_booking(reference, as_credit=True)
    second = hold(village, {"ADULT": 3})
    use_credit(second, db.session.scalar(select(Credit.code)), NOW)
    link = link_of(second)
    later = NOW + timedelta(minutes=31)
    with time_machine.travel(later, tick=False):
        page = guest.get(link).text
        assert "The hold is over" in page
        assert "nothing was paid" not in page
        assert "You used ฿900.00 of credit." in page
        holding.lapse_overdue_holds(later)
        return_stranded_credit(later)
        page = guest.get(link).text
    assert "nothing was paid" not in page
    assert "You used ฿900.00 of credit." not in page
    [credit] = queries.list_credits_of(db.session(), fresh(second).id)
    assert credit.code in page
    assert "Left: ฿900.00." in page


def test_a_voucher_shows_the_credit_that_the_booking_left(guest, booked):
    _village, reference = booked
    booking_id = fresh(reference).id
    with transaction() as session:
        code = issue_credit(session, booking_id, 10_000, NOW)
    page = guest.get(link_of(reference)).text
    assert "Your booking is confirmed" in page
    assert code in page
    assert "Left: ฿100.00." in page


def test_credit_codes_are_not_guessed_at_length(guest):
    link = link_of(hold(make_village(on=FAR)))
    page = guest.get(f"{link}/pay").text
    statuses = [
        send_from(guest, page, "/credit", code=f"C-2222-22{number}").status_code
        for number in range(20, 31)
    ]
    assert statuses == [409] * 10 + [429]


def test_a_stale_quote_cancels_nothing_and_shows_the_fresh_one(guest, booked):
    _village, reference = booked
    link = link_of(reference)
    boundary = fresh(reference).trip.begins_at - timedelta(days=30)
    with time_machine.travel(boundary, tick=False):
        page = guest.get(f"{link}/cancel").text
    with time_machine.travel(boundary + timedelta(seconds=1), tick=False):
        answer = send_from(guest, page, "/cancel", back_as="credit")
    assert answer.status_code == 409
    assert "The figures have changed since you looked." in answer.text
    assert "฿450.00" in answer.text
    assert form_of(answer.text, "/cancel")["back_as"] == "credit"
    assert fresh(reference).state == BookingState.CONFIRMED


def test_a_cancellation_does_not_undo_a_change_of_another_tab(guest, booked):
    _village, reference = booked
    page = guest.get(f"{link_of(reference)}/cancel").text
    change_booking(reference, party={"ADULT": 3})
    answer = send_from(guest, page, "/cancel")
    assert answer.status_code == 409
    assert "This booking was changed elsewhere" in answer.text
    assert fresh(reference).state == BookingState.CONFIRMED
    assert send_from(guest, answer.text, "/cancel").status_code == 303


def test_a_replayed_cancellation_gives_nothing_back_twice(guest, booked):
    _village, reference = booked
    link = link_of(reference)
    page = guest.get(f"{link}/cancel").text
    assert send_from(guest, page, "/cancel").status_code == 303
    assert send_from(guest, page, "/cancel").status_code == 409
    refunds = queries.list_refunds(db.session(), fresh(reference).id)
    assert [refund.amount_satang for refund in refunds] == [90_000]
    assert guest.get(f"{link}/cancel").status_code == 303


@pytest.mark.parametrize("figure", ["paid_satang", "refund_satang", "version"])
@pytest.mark.parametrize("value", ["", "x", "999999"])
def test_a_cancellation_agrees_only_to_what_was_shown(guest, booked, figure, value):
    _village, reference = booked
    answer = send(guest, f"{link_of(reference)}/cancel", "/cancel", **{figure: value})
    assert answer.status_code == 409
    assert fresh(reference).state == BookingState.CONFIRMED


def test_a_trip_that_has_begun_is_not_cancelled(guest, booked):
    _village, reference = booked
    link = link_of(reference)
    begins_at = fresh(reference).trip.begins_at
    with time_machine.travel(begins_at - timedelta(seconds=1), tick=False):
        page = guest.get(f"{link}/cancel").text
    with time_machine.travel(begins_at, tick=False):
        for answer in (guest.get(f"{link}/cancel"), send_from(guest, page, "/cancel")):
            assert answer.status_code == 409
            assert "it can no longer be cancelled here" in answer.text
    assert fresh(reference).state == BookingState.CONFIRMED


# --- called off ----------------------------------------------------------------------------------


def test_after_a_call_off_the_guest_has_three_ways_and_seven_days(guest, booked):
    village, reference = booked
    call_off_departure(village, reason=EndReason.WEATHER)
    page = guest.get(link_of(reference)).text
    assert "The community called this trip off" in page
    assert "for the weather" in page
    assert "Please choose until 30 Nov 2026, 12:00 (Thailand time)." in page
    for way in ("Choose another day", "Keep ฿900.00 as credit", "Get ฿900.00 back"):
        assert way in page
    thai = guest.get(link_of(reference, "th")).text
    assert "30 พ.ย. 2569" in thai


@pytest.mark.parametrize("way", ["money", "credit"])
def test_what_was_paid_comes_back_as_the_guest_chooses(guest, booked, way):
    village, reference = booked
    call_off_departure(village)
    link = link_of(reference)
    page = guest.get(link).text
    assert send_from(guest, page, "/cancel", back_as=way).status_code == 303
    assert fresh(reference).state == BookingState.CANCELLED
    assert count(Credit) == (way == "credit")
    assert "฿900.00" in guest.get(link).text
    assert send_from(guest, page, "/cancel", back_as="money").status_code == 409
    assert kept(reference) == 0


def test_who_comes_another_day_pays_nothing_more(guest, booked):
    village, reference = booked
    call_off_departure(village)
    link = link_of(reference)
    assert "called off" in guest.get(f"{link}/change").text
    page = guest.get(quote_at(link, on=NEXT)).text
    assert "These figures hold until 30 Nov 2026, 12:00 (Thailand time)." in page
    assert send_from(guest, page, "/change").status_code == 303
    assert (fresh(reference).state, fresh(reference).trip.starts_on) == ("confirmed", NEXT)
    assert kept(reference) == 90_000


@pytest.mark.parametrize("end", ["cancelled", "called off"])
def test_a_trip_that_ended_is_taken_out_of_the_calendar(guest, booked, end):
    village, reference = booked
    link = link_of(reference)
    assert "STATUS:CONFIRMED" in guest.get(f"{link}/trip.ics").text
    if end == "cancelled":
        cancel_booking(reference)
    else:
        call_off_departure(village)
    answer = guest.get(f"{link}/trip.ics")
    assert answer.status_code == 200
    assert "STATUS:CANCELLED" in answer.text


def test_a_trip_that_was_never_booked_has_no_calendar_file(guest):
    reference = hold(make_village(on=FAR))
    link = link_of(reference)
    assert guest.get(f"{link}/trip.ics").status_code == 404
    cancel_booking(reference)
    assert guest.get(f"{link}/trip.ics").status_code == 404


# --- not come ------------------------------------------------------------------------------------


def test_a_guest_objects_once_to_a_no_show(guest, booked):
    village, reference = booked
    after = fresh(reference).trip.begins_at + timedelta(hours=1)
    arrivals.note_no_show(village.id, reference, "nobody at the pier", village.person_id, after)
    link = link_of(reference)
    with time_machine.travel(after, tick=False):
        page = guest.get(link).text
        assert "nobody at the pier" in page
        assert send_from(guest, page, "/no-show", words=" ").status_code == 422
        assert send_from(guest, page, "/no-show", words="We were there").status_code == 303
        shown = guest.get(link).text
        again = send_from(guest, page, "/no-show", words="Something else")
    assert "We were there" in shown
    assert "I object" not in shown
    assert again.status_code == 409
    noted = arrivals.list_no_shows(db.session(), [fresh(reference).id])
    assert noted[fresh(reference).id].dispute == "We were there"


# --- who may -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "page", ["", "/change", "/change/quote?on=2027-01-10", "/cancel", "/pay", "/receipt"]
)
def test_a_link_that_was_cut_off_opens_no_page(guest, booked, page):
    _village, reference = booked
    answer = guest.get(f"{link_of(reference)[:-2]}{page}")
    assert answer.status_code == 404
    assert "This link is incomplete or was changed." in answer.text


@pytest.mark.parametrize("page", ["/cancel", "/change", "/extend", "/credit", "/no-show"])
def test_nothing_is_changed_without_the_forms_token(guest, booked, page):
    _village, reference = booked
    before = fresh(reference)
    assert guest.post(f"{link_of(reference)}{page}", data={}).status_code == 400
    assert fresh(reference) == before
    assert count(Capture) == 1


# --- paying when something is gone meanwhile -----------------------------------------------------

CLOSED = {
    "en": "This way to pay is not open at the moment. Please choose another.",
    "th": "วิธีจ่ายนี้ยังไม่เปิดใช้ในขณะนี้ โปรดเลือกวิธีอื่น",
}
TOO_MANY = {"en": "Please wait a moment", "th": "โปรดรอสักครู่"}


@pytest.mark.parametrize("language", ["th", "en"])
def test_an_attempt_whose_provider_is_gone_says_so_and_keeps_the_hold(
    sqlite_app, guest, language, monkeypatch
):
    reference = hold(make_village())
    factories.start(reference)
    monkeypatch.delitem(sqlite_app.extensions["providers"], "demo")
    page = link_of(reference, language)
    answer = guest.get(f"{page}/pay/1")
    assert answer.status_code == 409
    assert CLOSED[language] in answer.text
    for ask in ("", "?ask=1"):
        watched = guest.get(f"{page}/pay/1/state{ask}")
        assert watched.json == {"state": "pending", "booking": "held"}
    assert 'value="demo"' not in guest.get(f"{page}/pay").text
    assert fresh(reference).state == "held"
    assert (count(Attempt), count(Capture)) == (1, 0)


@pytest.mark.parametrize("language", ["th", "en"])
def test_a_way_that_was_closed_while_its_page_stood_open_is_refused_there(guest, language):
    village = make_village()
    reference = hold(village)
    page = f"{link_of(reference, language)}/pay"
    shown = guest.get(page).text
    accounts.set_open(village.id, "demo", village.person_id, NOW, is_open=False)
    db.session.rollback()
    answer = send_from(guest, shown, "/pay", method="demo")
    assert answer.status_code == 409
    assert CLOSED[language] in answer.text
    assert 'value="promptpay"' in answer.text  # what is left can be chosen at once
    assert 'value="demo"' not in answer.text
    assert (count(Attempt), fresh(reference).state) == (0, "held")


@pytest.mark.parametrize("language", ["th", "en"])
def test_a_page_that_watches_a_payment_may_look_sixty_times_a_minute(guest, language):
    reference = hold(make_village())
    factories.start(reference)
    page = f"{link_of(reference, language)}/pay/1/state"
    statuses = [guest.get(page).status_code for _ in range(61)]
    assert statuses == [200] * 60 + [429]
    assert TOO_MANY[language] in guest.get(page).text
    assert guest.get(page.removesuffix("/state")).status_code == 200


@pytest.mark.parametrize("language", ["th", "en"])
@pytest.mark.parametrize("name", ["endpoint", "lang", "token", "values"])
def test_a_parameter_named_like_ours_leads_to_the_same_page_in_the_other_language(
    guest, language, name
):
    link = link_of(hold(make_village()), language)
    other = {"en": "th", "th": "en"}[language]
    for page in (f"/{language}/", f"{link}/pay"):
        answer = guest.get(f"{page}?{name}=public.home&{name}=x%26y")
        assert answer.status_code == 200
        there = page.replace(f"/{language}/", f"/{other}/", 1)
        address = f"{there}?{name}=public.home&amp;{name}=x%26y"
        assert f'href="{address}"' in answer.text or f'{address}"' in answer.text
