"""The pages as a visitor without script meets them: refusals keep what was typed, nothing half-written."""

import re

import pytest
import time_machine
from sqlalchemy import func, select

from cbt.bookings.hold import lapse_overdue_holds
from cbt.bookings.models import Booking, Departure
from cbt.bookings.references import BookingLinks
from cbt.bookings.vouchers import Voucher
from cbt.communities.queries import get_community
from cbt.db import db
from cbt.ledger.models import Entry
from cbt.notices.models import Notice
from cbt.payments import give_back, transfers
from cbt.payments.models import Attempt, Capture
from cbt.revenue.models import ServiceRecord
from cbt.revenue.work import MOST_ROWS
from tests.site import NOW, SECRET
from tests.web.forms import post, sign_in, token

BOAT = "/en/c/buna-dara/mangrove-boat"
HOMESTAY = "/en/c/buna-dara/homestay"


@pytest.fixture(autouse=True)
def at_noon():
    with time_machine.travel(NOW, tick=True):
        yield


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def hold(client, address=HOMESTAY, on="2026-12-24", **party):
    """Choose a day and hold places; returns the address of the booking's page."""
    page = client.get(address).text
    once = re.search(r'name="once"[^>]*value="([^"]+)"', page)[1]
    data = {
        "csrf_token": token(page),
        "once": once,
        "on": on,
        "do": "hold",
        **(party or {"ADULT": 2}),
    }
    return client.post(address, data=data)


def hold_as_sent(client, address, on="2026-12-24", **fields):
    """Send a hold with exactly these fields, whatever the page offered."""
    page = client.get(address).text
    once = re.search(r'name="once"[^>]*value="([^"]+)"', page)[1]
    data = {"csrf_token": token(page), "once": once, "on": on, "do": "hold", **fields}
    return client.post(address, data=data)


def give_details(client, link, **changes):
    values = {"name": "Ann", "email": "ann@example.org", "phone": "", "food_needs": ""}
    return post(client, link, f"{link}?change=1", **{**values, **changes})


# --- finding -------------------------------------------------------------------------------------


def test_the_search_finds_what_has_room_on_a_day_in_a_province(client):
    page = client.get("/en/?on=2026-11-28&guests=2&province=94").text
    assert "Mangrove boat and the crab bank" in page
    assert "mudmee" not in page
    both_eras = client.get("/en/?on=2569-11-28&guests=2").text
    assert "Mangrove boat and the crab bank" in both_eras


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("on=2020-01-01", "This day has passed"),
        ("on=yesterday", "Please enter a day as year-month-day"),
        ("guests=0", "a number of guests from 1 to 200"),
        ("guests=-3", "a number of guests from 1 to 200"),
        ("guests=9999", "a number of guests from 1 to 200"),
        ("guests=two", "Not a valid integer value"),
    ],
)
def test_a_search_that_cannot_be_right_says_why_and_keeps_what_was_typed(client, query, message):
    answer = client.get(f"/en/?{query}")
    assert answer.status_code == 422
    assert message in answer.text
    assert f'value="{query.partition("=")[2]}"' in answer.text


def test_an_empty_search_says_so(client):
    page = client.get("/en/?guests=150").text
    assert "Nothing has room for this search." in page


@pytest.mark.parametrize(
    "address",
    [
        "/en/c/nowhere",
        "/en/c/buna-dara/nothing",
        "/en/c/nowhere/homestay",
        "/xx/",
        "/en/host/nowhere",
    ],
)
def test_an_unknown_address_is_not_found_in_the_readers_language(client, address):
    if "host" in address:
        sign_in(client, "host.buna-dara")
    answer = client.get(address, headers={"Accept-Language": "en"})
    assert answer.status_code == 404
    assert "There is nothing at this address." in answer.text


# --- choosing and holding ------------------------------------------------------------------------


def test_the_experience_page_shows_the_price_and_where_each_baht_goes(client):
    page = client.get(f"{HOMESTAY}?on=2026-12-24&ADULT=2&CHILD=1").text
    assert "฿2,125.00" in page  # 2 x 850 + 425
    assert "Community welfare fund" in page
    amounts = re.findall(
        r'<li>\s*<span class="flow-name">.*?</span>\s*<span class="money">฿([\d,.]+)', page, re.S
    )
    assert sum(int(amount.replace(",", "").replace(".", "")) for amount in amounts) == 212_500


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("ADULT=0", "Please enter how many people are coming"),
        ("ADULT=-1", "a whole number, 0 or more"),
        ("ADULT=99", "at most 8 people"),
        ("ADULT=1000000", "a whole number, 0 or more"),
        ("ADULT=x", "Not a valid integer value"),
        ("on=2020-01-01&ADULT=2", "This day has passed"),
        ("on=2026-02-30&ADULT=2", "Please choose a day from the calendar"),
        ("on=2028-12-24&ADULT=2", "Nothing departs on this day"),
        ("INFANT=2", "Please enter how many people are coming"),
    ],
)
def test_a_party_or_day_that_cannot_be_says_why(client, query, message):
    answer = client.get(f"{HOMESTAY}?{query}")
    assert answer.status_code == 422
    assert message in answer.text


def test_a_kind_of_guest_that_is_not_sold_is_refused(client):
    answer = client.get("/en/c/buna-dara/cooking?ADULT=2&INFANT=1")
    assert answer.status_code == 422
    assert "not on the price list" in answer.text


def test_holding_leads_to_the_booking_by_a_signed_link(client):
    answer = hold(client, ADULT="2", CHILD="1")
    assert answer.status_code == 303
    assert answer.location.startswith("/en/b/")
    page = client.get(answer.location).text
    assert "Your places are held until 12:30 (Thailand time)." in page
    assert "฿2,125.00" in page


def test_a_double_submit_holds_once(client):
    page = client.get(HOMESTAY).text
    once = re.search(r'name="once"[^>]*value="([^"]+)"', page)[1]
    data = {"csrf_token": token(page), "once": once, "on": "2026-12-24", "do": "hold", "ADULT": 2}
    before = count(Booking)
    links = {client.post(HOMESTAY, data=data).location for _submit in range(2)}
    assert len(links) == 1
    assert count(Booking) == before + 1


def test_going_back_and_holding_for_another_party_is_another_booking(client):
    page = client.get(HOMESTAY).text
    once = re.search(r'name="once"[^>]*value="([^"]+)"', page)[1]
    data = {"csrf_token": token(page), "once": once, "on": "2026-12-24", "do": "hold"}
    before = count(Booking)
    links = [client.post(HOMESTAY, data={**data, "ADULT": n}).location for n in (2, 5, 2)]
    assert links[0] == links[2] != links[1]
    assert count(Booking) == before + 2
    assert "฿4,250.00" in client.get(links[1]).text  # 5 x 850
    another_day = client.post(HOMESTAY, data={**data, "ADULT": 2, "on": "2026-12-25"}).location
    assert another_day not in links
    assert count(Booking) == before + 3


def test_the_key_of_one_visitors_form_opens_nothing_to_another(client, sample_app):
    links = []
    for visitor in (client, sample_app.test_client()):
        page = visitor.get(HOMESTAY).text
        data = {"csrf_token": token(page), "once": "guessed or copied", "on": "2026-12-24"}
        links.append(visitor.post(HOMESTAY, data={**data, "do": "hold", "ADULT": 2}).location)
    assert len(set(links)) == 2


@pytest.mark.parametrize("once", [None, "", "short", "x" * 11, "x" * 65])
def test_a_hold_without_the_forms_key_is_a_stale_form(client, once):
    before = count(Booking)
    page = client.get(HOMESTAY).text
    data = {"csrf_token": token(page), "on": "2026-12-24", "do": "hold", "ADULT": 2}
    answer = client.post(HOMESTAY, data=data if once is None else {**data, "once": once})
    assert answer.status_code == 400
    assert "This form was open for too long" in answer.text
    assert count(Booking) == before


def test_a_refused_hold_keeps_the_choice_and_writes_nothing(client):
    free = select(Departure).where(Departure.starts_on == "2026-12-24", Departure.capacity == 16)
    departure = db.session.scalars(free).one()
    before = count(Booking)
    for _party in range(2):
        assert hold(client, ADULT=8).status_code == 303
    refused = hold(client, ADULT=3, CHILD=1)
    assert refused.status_code == 409
    assert "this departure has 0 left." in refused.text
    assert re.search(r'name="ADULT"[^>]*value="3"', refused.text)
    assert re.search(r'name="CHILD"[^>]*value="1"', refused.text)
    assert count(Booking) == before + 2
    db.session.refresh(departure)
    assert departure.claimed == 16


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"on": ""}, 404),
        ({"on": "2020-01-01"}, 422),
        ({"ADULT": "-1"}, 422),
        ({"ADULT": "0"}, 422),
        ({"ADULT": "99"}, 422),
    ],
)
def test_a_hold_that_cannot_be_is_refused_and_writes_nothing(client, changes, status):
    before = count(Booking)
    answer = hold(client, **{"ADULT": "2", **changes})
    assert answer.status_code == status
    assert count(Booking) == before
    assert 'class="notice bad"' in answer.text


@pytest.mark.parametrize(
    ("party", "message"),
    [
        ({}, "Please enter how many people are coming"),
        ({"SENIOR": "2"}, "This kind of guest is not on the price list."),
        ({"ADULT": "2", "SENIOR": "1"}, "This kind of guest is not on the price list."),
        ({"adult": "2"}, "This kind of guest is not on the price list."),
        ({"INFANT": "1"}, "This kind of guest is not on the price list."),
    ],
)
def test_a_hold_books_nobody_whom_it_did_not_name(client, party, message):
    before = count(Booking)
    answer = hold_as_sent(client, "/en/c/buna-dara/cooking", option="lunch", **party)
    assert answer.status_code == 422
    assert message in answer.text
    assert count(Booking) == before


def test_a_kind_of_guest_that_is_not_sold_may_be_sent_as_nobody(client):
    """Without script a party typed for one round can be sent with another that sells fewer kinds."""
    address = "/en/c/buna-dara/cooking"
    answer = hold_as_sent(client, address, option="lunch", ADULT="2", INFANT="0")
    assert answer.status_code == 303


@pytest.mark.parametrize(
    ("on", "option", "message"),
    [
        ("2026-12-26", "evening", "This round does not depart on this day. Please choose another."),
        (
            "2026-12-25",
            "afternoon",
            "This round does not depart on this day. Please choose another.",
        ),
        ("2026-12-26", "", "Please choose a round."),  # a Saturday, when both depart
    ],
)
def test_a_hold_books_no_other_round_than_the_one_it_named(client, on, option, message):
    before = count(Booking)
    answer = hold_as_sent(client, BOAT, on, option=option, ADULT="2")
    assert answer.status_code == 422
    assert message in answer.text
    assert count(Booking) == before


def test_without_script_the_price_is_worked_out_by_a_button(client):
    page = client.get(HOMESTAY).text
    data = {
        "csrf_token": token(page),
        "on": "2026-12-24",
        "option": "night",
        "ADULT": 3,
        "do": "quote",
    }
    answer = client.post(HOMESTAY, data=data)
    assert answer.status_code == 303
    assert "ADULT=3" in answer.location
    assert "฿2,550.00" in client.get(answer.location).text


def test_many_holds_from_one_address_are_slowed_down(client):
    statuses = [hold(client, on="2020-01-01").status_code for _try in range(21)]
    assert set(statuses[:20]) == {422}
    assert statuses[20] == 429


# --- the guest -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "Please fill this in."),
        ({"email": "", "phone": ""}, "Please give an e-mail address or a telephone number."),
        ({"email": "ann"}, "This does not look like an e-mail address."),
        ({"phone": "12"}, "This does not look like a telephone number."),
        ({"food_needs": "no pork"}, "Please allow the hosts to read these needs"),
        ({"name": "x" * 121}, "This is too long."),
    ],
)
def test_incomplete_details_say_what_is_missing_and_keep_the_rest(client, changes, message):
    link = hold(client).location
    answer = (
        give_details(client, link, **{"access_needs": "a hand", "consent": "y", **changes})
        if "food_needs" not in changes
        else give_details(client, link, **changes)
    )
    assert answer.status_code == 422
    assert message in answer.text
    kept = "a hand" if "food_needs" not in changes else "no pork"
    assert kept in answer.text
    booking = db.session.scalars(select(Booking).order_by(Booking.id.desc())).first()
    assert booking.guest_name is None


def test_a_name_that_looks_like_markup_stays_text(client):
    link = hold(client).location
    give_details(client, link, name="<b>Ann</b>")
    page = client.get(f"{link}?change=1").text
    assert "<b>Ann" not in page
    assert "&lt;b&gt;Ann" in page


def test_the_whole_way_of_a_guest(client):
    link = hold(client).location
    assert give_details(client, link).location == f"{link}/pay"
    page = client.get(f"{link}/pay").text
    assert "PromptPay QR" in page
    attempt = post(client, f"{link}/pay", method="demo").location
    post(client, f"{attempt}/act", attempt, act="pay")
    assert client.get(attempt).location == link
    voucher = client.get(link).text
    assert "Your booking is confirmed" in voucher
    receipt = client.get(f"{link}/receipt").text
    assert "฿1,700.00" in receipt
    calendar = client.get(f"{link}/trip.ics")
    assert calendar.mimetype == "text/calendar"
    assert "DTSTART;TZID=Asia/Bangkok:20261224T140000" in calendar.text
    code = re.search(r'href="?(/en/v/[^"\s]+)', voucher)
    assert code is None  # the code is drawn, not linked
    assert count(Notice) == 1


def test_pressing_pay_twice_pays_once(client):
    link = hold(client).location
    give_details(client, link)
    attempts = {post(client, f"{link}/pay", method="demo").location for _press in range(2)}
    assert len(attempts) == 1
    [attempt] = attempts
    page = client.get(attempt).text
    before = count(Capture)
    for _press in range(2):
        client.post(f"{attempt}/act", data={"csrf_token": token(page), "act": "pay"})
    assert count(Capture) == before + 1


@pytest.mark.parametrize("method", ["", "bitcoin", "stripe"])
def test_a_way_to_pay_that_is_not_offered_is_refused(client, method):
    link = hold(client).location
    give_details(client, link)
    answer = post(client, f"{link}/pay", method=method)
    assert answer.status_code in (409, 422)
    assert (
        db.session.scalar(
            select(func.count()).select_from(Attempt).where(Attempt.provider == method)
        )
        == 0
    )


def test_after_the_hold_every_page_says_so_and_offers_the_same_again(client):
    link = hold(client, ADULT=3).location
    give_details(client, link)
    with time_machine.travel("2026-11-23 05:31 +0000"):
        lapse_overdue_holds(NOW.replace(minute=31))
        for answer in (
            client.get(link),
            post(client, f"{link}/pay", "/en/sign-in", method="demo"),
            post(client, link, "/en/sign-in", name="Ann", email="a@example.org"),
        ):
            assert "The hold is over" in answer.text
            assert "ADULT=3" in answer.text
    booking = db.session.scalars(select(Booking).order_by(Booking.id.desc())).first()
    assert booking.state == "lapsed"


def start_paying(client, method, **party):
    """Hold places and begin to pay; returns the addresses of the booking and of the attempt."""
    link = hold(client, **party).location
    give_details(client, link)
    return link, post(client, f"{link}/pay", method=method).location


def test_late_money_that_bought_nothing_is_acknowledged_and_its_way_back_shown(client, sample_app):
    link, attempt = start_paying(client, "demo")
    post(client, f"{attempt}/act", attempt, act="pay_late")
    with time_machine.travel("2026-11-23 05:32 +0000"):
        lapse_overdue_holds(NOW.replace(minute=32))
        for _party in range(2):
            assert hold(client, ADULT=8).status_code == 303
        page = client.get(attempt, follow_redirects=True).text
        assert "The hold is over" in page
        assert "nothing was paid" not in page
        assert "The community received ฿1,700.00 from you." in page
        assert "฿1,700.00 will be returned to you: paid late, when no place was left." in page
        give_back.send_refunds(sample_app.extensions["providers"], NOW.replace(minute=32))
        page = client.get(link).text
        assert "nothing was paid" not in page
        assert "฿1,700.00 was returned to you." in page
        refused = post(client, f"{link}/pay", "/en/sign-in", method="demo")
        assert refused.status_code == 409
        assert "฿1,700.00 was returned to you." in refused.text


@pytest.mark.parametrize("method", ["promptpay", "demo"])
def test_a_code_cannot_be_paid_when_its_hold_is_over(client, method):
    _link, attempt = start_paying(client, method)
    wanted = {"promptpay": "I have made the transfer", "demo": "Pay twice"}[method]
    assert wanted in client.get(attempt).text
    with time_machine.travel("2026-11-23 06:01 +0000"):
        page = client.get(attempt).text  # nobody swept the hold yet
        assert "The hold is over" in page
        assert wanted not in page
        lapse_overdue_holds(NOW.replace(hour=6, minute=1))
        page = client.get(attempt).text
        assert "The hold is over" in page
        assert "qr-code" not in page


def test_a_reported_transfer_is_still_looked_for_when_its_hold_is_over(client):
    _link, attempt = start_paying(client, "promptpay")
    post(client, f"{attempt}/report", attempt)
    page = client.get(attempt).text
    assert "Your places stay held" in page
    assert "qr-code" in page
    with time_machine.travel("2026-11-24 05:01 +0000"):
        page = client.get(attempt).text
    assert "still looking for your transfer" in page
    assert "Your places stay held" not in page
    assert "qr-code" not in page


@pytest.mark.parametrize("page", ["", "/pay", "/receipt", "/trip.ics", "/pay/1"])
def test_a_forged_or_expired_link_opens_nothing(client, page):
    booking = db.session.scalars(select(Booking).where(Booking.state == "settled")).first()
    departure = db.session.get(Departure, booking.departure_id)
    token_ = BookingLinks(SECRET).sign(booking.reference, departure.ends_at)
    forged = client.get(f"/th/b/{token_[:-2]}xx{page}")
    assert forged.status_code == 404
    assert "ลิงก์นี้ไม่ครบหรือถูกแก้ไข" in forged.text
    with time_machine.travel("2027-06-01"):
        expired = client.get(f"/th/b/{token_}{page}")
    assert expired.status_code == 404
    assert "ลิงก์นี้หมดอายุแล้ว" in expired.text


def test_an_unpaid_booking_has_no_voucher_receipt_or_calendar(client):
    link = hold(client).location
    assert client.get(f"{link}/receipt").status_code == 404
    assert client.get(f"{link}/trip.ics").status_code == 404


def test_the_vouchers_code_tells_strangers_nothing_private(sample_app, client):
    booking = db.session.scalars(select(Booking).where(Booking.state == "settled")).first()
    shown = Voucher(booking.reference, booking.departure_id, NOW.date(), booking.places)
    code = sample_app.extensions["vouchers"].sign(shown)
    page = client.get(f"/en/v/{code}").text
    assert "This voucher is good." in page
    assert booking.guest_name not in page
    assert "Open the booking" not in page
    assert client.get(f"/en/v/{code}x").status_code == 404
    sign_in(client, "host.buna-dara")
    assert "Open the booking" in client.get(f"/en/v/{code}").text


# --- the host ------------------------------------------------------------------------------------


@pytest.fixture
def host(client):
    sign_in(client, "host.buna-dara")
    return client


def unsettled(host):
    page = host.get("/en/host/buna-dara").text
    return re.search(r'href="(/en/host/buna-dara/departures/\d+)"', page)[1]


def test_a_transfer_is_confirmed_once_and_reaches_the_books(host):
    page = host.get("/en/host/buna-dara/transfers").text
    address = re.search(r'action="(/en/host/buna-dara/transfers/\d+)"', page)[1]
    before = count(Entry)
    answer = post(host, address, "/en/host/buna-dara/transfers", bank_reference="BANK1")
    assert answer.status_code == 303
    assert count(Entry) == before + 1
    again = post(host, address, "/en/sign-in", bank_reference="BANK1")
    assert again.status_code == 409
    assert count(Entry) == before + 1


def test_a_transfer_to_look_for_names_guest_trip_and_state_of_its_booking(host):
    start_paying(host, "promptpay", ADULT=3)
    page = host.get("/en/host/buna-dara/transfers").text
    [card] = [each for each in re.findall(r"<article.*?</article>", page, re.S) if "Ann" in each]
    assert "฿2,550.00" in card
    assert "One night in a homestay by the bay" in card
    assert "24 Dec 2026" in card
    assert "held, not paid yet" in card


def test_codes_of_paid_bookings_stand_apart_behind_a_warning(host):
    before = host.get("/en/host/buna-dara").text
    link, _code = start_paying(host, "promptpay")
    waiting = host.get("/en/host/buna-dara").text
    attempt = post(host, f"{link}/pay", method="demo").location
    post(host, f"{attempt}/act", attempt, act="pay")
    page = host.get("/en/host/buna-dara/transfers").text
    to_look_for, _details, paid = page.partition("<details")
    assert "Ann" not in to_look_for
    paid, _end, _rest = paid.partition("</details>")
    assert "Ann" in paid
    assert "confirmed" in paid
    assert "given up for another way" in paid
    assert "These bookings are paid already." in paid
    assert "The money is in the account" in paid  # it may have been paid twice all the same
    number = r"(\d+) transfers? to look for"
    counts = [re.search(number, each)[1] for each in (before, waiting)]
    assert int(counts[1]) == int(counts[0]) + 1
    assert re.search(number, host.get("/en/host/buna-dara").text)[1] == counts[0]


def test_a_refused_reference_for_a_paid_bookings_code_is_shown_where_it_was_typed(host):
    link, _code = start_paying(host, "promptpay")
    attempt = post(host, f"{link}/pay", method="demo").location
    post(host, f"{attempt}/act", attempt, act="pay")
    page = host.get("/en/host/buna-dara/transfers").text
    address = re.search(
        r'action="(/en/host/buna-dara/transfers/\d+)"', page.partition("<details")[2]
    )[1]
    refused = post(host, address, "/en/host/buna-dara/transfers", bank_reference="x" * 201)
    assert refused.status_code == 422
    assert "This is too long." in refused.text.partition('<details class="paid-already" open>')[2]


def test_confirming_again_brings_in_what_a_crash_left_out_of_the_books(host):
    """The confirmation was written, then the process died; the host presses the button again."""
    page = host.get("/en/host/buna-dara/transfers").text
    address = re.search(r'action="(/en/host/buna-dara/transfers/(\d+))"', page)
    community = get_community(db.session(), "buna-dara")
    transfers.confirm_transfer(community.id, int(address[2]), "BANK1", 1, NOW)
    before = count(Entry)
    again = post(host, address[1], "/en/host/buna-dara/transfers", bank_reference="BANK1")
    assert again.status_code == 409
    assert count(Entry) == before + 1


def test_a_work_record_that_cannot_be_right_names_the_row_and_keeps_what_was_typed(host):
    address = unsettled(host)
    rows = {
        "rows-0-household": "H01",
        "rows-0-task": "boat",
        "rows-0-units": "0",
        "rows-0-minutes": "77",
        "do": "save",
    }
    answer = post(host, address, **rows)
    assert answer.status_code == 422
    assert "a whole number from 1 to 1,000" in answer.text
    assert 'value="77"' in answer.text
    answer = post(host, address, **{**rows, "rows-0-units": "1", "rows-0-household": "H99"})
    assert answer.status_code == 422
    assert "Row 1: please choose a household. Nothing was saved." in answer.text


def test_a_wrong_number_in_a_later_line_of_work_is_told_in_words(host):
    answer = post(
        host, unsettled(host), **{**work({0: "H01", 1: "H02"}), "rows-1-units": "0"}, do="save"
    )
    [notice] = re.findall(r'<div class="notice bad".*?</div>\s*</div>', answer.text, re.S)
    assert "Please enter a whole number from 1 to 1,000." in notice
    assert "{" not in notice


def test_more_lines_keep_what_was_typed(host):
    address = unsettled(host)
    rows = {"rows-0-household": "H01", "rows-0-task": "boat", "rows-0-units": "3", "do": "more"}
    page = post(host, address, **rows, **{"rows-0-minutes": "77"}).text
    assert 'value="77"' in page
    assert page.count("-household") >= 4 * 2


def work(rows, **more):
    """Rows of the work form, as {number in the form: household}."""
    fields = dict(more)
    for number, household in rows.items():
        start = f"rows-{number}"
        fields |= {f"{start}-household": household, f"{start}-task": "boat"}
        fields |= {f"{start}-units": str(number + 1), f"{start}-minutes": "1"}
    return fields


def recorded():
    """Units less one of all records of the newest work, by which the tests tell them apart."""
    db.session.rollback()
    latest = select(func.max(ServiceRecord.recorded_at)).scalar_subquery()
    rows = select(ServiceRecord.units).where(ServiceRecord.recorded_at == latest)
    return sorted(units - 1 for units in db.session.scalars(rows))


@pytest.mark.parametrize("most", [58, 59, 60, 61, MOST_ROWS - 1, MOST_ROWS])
def test_as_many_lines_of_work_as_may_be_written_are_shown_again(host, most):
    address = unsettled(host)
    answer = post(host, address, **work(dict.fromkeys(range(most), "H01")), do="save")
    assert answer.status_code == 303
    assert recorded() == list(range(most))
    page = host.get(address)
    assert page.status_code == 200
    assert page.text.count('<option selected value="H01">') == most
    more = post(host, address, **work(dict.fromkeys(range(most), "H01")), do="more")
    assert more.status_code == 200
    assert more.text.count('<fieldset class="work-row">') == most + 3


@pytest.mark.parametrize("do", ["save", "more"])
@pytest.mark.parametrize("rows", [MOST_ROWS + 1, MOST_ROWS + 5, MOST_ROWS + 6, 900])
def test_more_lines_of_work_than_may_be_written_are_refused_and_never_dropped(host, do, rows):
    address = unsettled(host)
    post(host, address, **work({0: "H01"}), do="save")
    answer = post(host, address, **work(dict.fromkeys(range(rows), "H02")), do=do)
    if do == "save" or rows > MOST_ROWS + 2:
        assert answer.status_code == 422
        assert "A departure can hold at most 200 lines of work" in answer.text
    assert recorded() == [0]


def test_blank_lines_at_the_end_may_reach_the_edge_of_the_form(host):
    address = unsettled(host)
    rows = {number: "H01" if number < MOST_ROWS else "" for number in range(MOST_ROWS + 5)}
    assert post(host, address, **work(rows), do="save").status_code == 303
    assert len(recorded()) == MOST_ROWS


def test_the_wrong_line_of_work_is_named_by_its_place_in_the_form(host):
    address = unsettled(host)
    rows = {0: "", 1: "H01", 2: "", 3: "", 4: "H99"}
    answer = post(host, address, **work(rows), do="save")
    assert answer.status_code == 422
    assert "Row 5: please choose a household. Nothing was saved." in answer.text


def test_a_departure_is_recorded_confirmed_by_another_one_and_settled_once(host):
    address = unsettled(host)
    rows = {"rows-0-household": "H01", "rows-0-task": "boat", "rows-0-units": "1"}
    assert post(host, address, **rows, **{"rows-0-minutes": "60"}, do="save").status_code == 303
    page = host.get(address).text
    assert "Not confirmed by a second person: H01." in page
    assert "Without a confirmation it can be settled from" in page
    assert "Settle this departure" not in page
    early = re.search(r'name="shown" value="([0-9a-f]{64})"', page)
    assert early is None  # who wrote it down finds no button
    treasurer = host.application.test_client()
    sign_in(treasurer, "treasurer.buna-dara")
    seen = re.search(r'name="shown" value="([0-9a-f]{64})"', treasurer.get(address).text)[1]
    stale = post(treasurer, f"{address}/confirm", address, shown="0" * 64)
    assert stale.status_code == 409
    assert "The work record was changed since you looked." in stale.text
    assert post(treasurer, f"{address}/confirm", address, shown=seen).status_code == 303
    page = host.get(address).text
    assert "confirmed by" in page
    assert "Settle this departure" in page
    seen = re.search(r'name="previewed" value="([0-9a-f]{64})"', page)[1]
    stale = post(host, f"{address}/settle", address, previewed="0" * 64)
    assert stale.status_code == 409
    assert "Something changed since you looked" in stale.text
    assert post(host, f"{address}/settle", address, previewed=seen).status_code == 303
    page = host.get(address).text
    assert "Settled as number" in page
    assert "Settle this departure" not in page
    again = post(host, f"{address}/settle", "/en/sign-in")
    assert again.status_code == 409
    assert "settled already" in again.text


def test_without_service_records_the_page_says_why_it_cannot_be_settled(host):
    address = unsettled(host)
    post(host, address, do="save")
    page = host.get(address).text
    assert "Please record who worked first" in page
    refused = post(host, f"{address}/settle", "/en/sign-in")
    assert refused.status_code == 409


HUGE = 2**63


@pytest.mark.parametrize(
    "page",
    [
        *("/departures/999999", "/bookings/B-222222", "/departures/0"),
        *(f"/departures/{HUGE - 1}", f"/departures/{HUGE}", f"/departures/{'9' * 26}"),
        f"/departures/{'9' * 5000}",
    ],
    ids=lambda page: page[:32],
)
def test_what_is_not_there_is_not_found(host, page):
    assert host.get(f"/en/host/buna-dara{page}").status_code == 404


# --- the household and the mentor ----------------------------------------------------------------


def test_a_statement_opens_down_to_bookings_rule_and_work(client):
    sign_in(client, "h03.buna-dara")
    page = client.get("/en/household/buna-dara/H03?month=2026-10").text
    lines = re.findall(r'href="(/en/household/buna-dara/H03/departures/\d+)"', page)
    assert lines
    why = client.get(lines[0]).text
    for word in ("What came in", "What you did", "How it was divided", "the same to the satang"):
        assert word in why


@pytest.mark.parametrize("month", ["2569-10", "2026-10", "nonsense", "2026-13", ""])
def test_any_month_shows_a_statement(client, month):
    sign_in(client, "h03.buna-dara")
    assert client.get(f"/en/household/buna-dara/H03?month={month}").status_code == 200


def test_an_empty_month_says_so(client):
    sign_in(client, "h03.buna-dara")
    page = client.get("/en/household/buna-dara/H03?month=2025-01").text
    assert "No income was settled for this month." in page


def test_the_audit_page_names_what_was_tampered_with(sample_app):
    from sqlalchemy import text

    from cbt.db import transaction

    client = sample_app.test_client()
    sign_in(client, "mentor")
    assert "Every check passed." in client.get("/en/mentor/buna-dara").text
    with transaction() as session:
        session.execute(text("UPDATE service_record SET units = units + 1 WHERE id = 1"))
    page = client.get("/en/mentor/buna-dara").text
    assert "Not everything passed" in page
    assert "Its record was changed after settlement." in page


def test_a_mentor_finds_any_booking_by_its_code(client):
    sign_in(client, "mentor")
    own = get_community(db.session(), "buna-dara").id
    reference = db.session.scalar(select(Booking.reference).where(Booking.community_id == own))
    found = client.get(f"/en/mentor/buna-dara/bookings?code={reference.lower()}")
    assert found.status_code == 303
    assert found.location.endswith(f"/en/mentor/buna-dara/bookings/{reference}")
    for wrong in ("B-000000", "", "x" * 21):
        refused = client.get(f"/en/mentor/buna-dara/bookings?code={wrong}")
        assert refused.status_code == 422
        assert 'aria-invalid="true"' in refused.text
