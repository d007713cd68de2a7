"""The check-in page, the plain form, what devices send, the service worker's route, the day sheet."""

import json
import re
from datetime import date, timedelta

import pytest
import time_machine
from sqlalchemy import func, select, update

from cbt.bookings.arrivals import Scan, take_scans
from cbt.bookings.models import Booking, CheckIn
from cbt.bookings.queries import get_booking
from cbt.bookings.vouchers import Voucher, Vouchers, make_key
from cbt.db import db, transaction
from cbt.people import services as people
from cbt.people.roles import Grant, Role
from tests.factories import book, hold, make_departure, make_person, make_village
from tests.reading import foreign_words
from tests.site import NOW
from tests.web.forms import sign_in, token
from tests.web.test_budgets import counted, reading

MORNING = NOW + timedelta(hours=20)  # Tuesday, eight o'clock in the village
TODAY = date(2026, 11, 24)


@pytest.fixture(autouse=True)
def in_the_morning():
    with time_machine.travel(MORNING, tick=True):
        yield


@pytest.fixture
def village(sample_app):
    return make_village()


@pytest.fixture
def host(sample_app, village):
    """The browser of a coordinator of the village."""
    person = make_person("the-host", "long enough")
    people.grant_role(person, Grant(Role.COORDINATOR, village.id), NOW)
    client = sample_app.test_client()
    assert sign_in(client, "the-host", "long enough").status_code == 303
    return client


def give_needs(reference, **needs):
    with transaction() as session:
        session.execute(update(Booking).where(Booking.reference == reference).values(**needs))


def page_of(village, on=""):
    return f"/en/host/{village.slug}/check-in" + (f"?on={on}" if on else "")


def check_in(host, village, code, on="", **fields):
    page = host.get(page_of(village, on)).text
    once = re.search(r'name="once" value="([^"]+)"', page)[1]
    data = {"csrf_token": token(page), "once": once, "code": code, **fields}
    return host.post(page_of(village, on), data=data)


def code_of(app, reference, **changes):
    shown = get_booking(db.session(), reference)
    facts = {"departure_id": shown.trip.id, "starts_on": shown.trip.starts_on, **changes}
    return app.extensions["vouchers"].sign(Voucher(reference, places=shown.places, **facts))


def count():
    db.session.rollback()  # see what others wrote meanwhile
    return db.session.scalar(select(func.count()).select_from(CheckIn))


# --- the list ------------------------------------------------------------------------------------


def test_the_list_names_the_party_its_needs_and_that_it_is_paid(host, village):
    reference = book(village, {"ADULT": 2, "CHILD": 1})
    give_needs(reference, guest_name="Ann <b>", food_needs="no pork", access_needs="a ramp")
    page = host.get(page_of(village)).text
    for words in (reference, "Ann &lt;b&gt;", "no pork", "a ramp", "Paid", "08:30", "0 of 1"):
        assert words in page
    assert "To collect" not in page


def test_what_is_still_due_is_to_be_collected(host, village):
    reference = book(village)
    with transaction() as session:
        more = Booking.price_satang + 12_350
        own = Booking.reference == reference
        session.execute(update(Booking).where(own).values(price_satang=more))
    page = host.get(page_of(village)).text
    assert "To collect: ฿123.50" in page


def test_unpaid_and_other_days_bookings_are_not_on_the_list(host, village):
    unpaid = hold(village)
    page = host.get(page_of(village)).text
    assert unpaid not in page
    assert "Nobody is booked for this day." in page


def test_without_a_day_it_is_today_in_the_village(host, village):
    reference = book(village)
    assert reference in host.get(page_of(village)).text
    assert reference in host.get(page_of(village, "2569-11-24")).text
    assert reference not in host.get(page_of(village, "2026-11-25")).text


@pytest.mark.parametrize("on", ["tomorrow", "2026-13-01", "9999-01-01", "-"])
def test_what_is_no_day_is_not_found(host, village, on):
    assert host.get(page_of(village, on)).status_code == 404
    assert host.get(f"/en/host/{village.slug}/day-sheet?on={on}").status_code == 404


@pytest.mark.parametrize("language", ["th", "en"])
@pytest.mark.parametrize("path", ["check-in", "day-sheet"])
def test_each_page_speaks_one_language(client, language, path):
    sign_in(client, "host.buna-dara")
    page = client.get(f"/{language}/host/buna-dara/{path}").text
    assert foreign_words(page, language) == []


def test_the_page_costs_no_more_than_eight_statements_however_many_come(host, village):
    for _each in range(2):
        book(village)
    host.get(page_of(village))
    for _more in range(2):
        with counted() as statements:
            assert host.get(page_of(village)).status_code == 200
        assert len(reading(statements)) <= 8, "\n".join(statements)
        reference = book(village)
        for device in ("7K2M", "9QRS"):
            new = Scan(f"{device}-{reference}", reference, device, 1, MORNING)
            take_scans(village.id, [new], village.person_id, MORNING)


# --- the plain form ------------------------------------------------------------------------------


@pytest.mark.parametrize("spell", [str, str.lower, lambda code: code[2:], lambda c: f" {c} "])
def test_a_typed_short_code_checks_the_whole_party_in(host, village, spell):
    reference = book(village)
    answer = check_in(host, village, spell(reference))
    assert (answer.status_code, count()) == (303, 1)
    page = host.get(answer.location).text
    assert answer.location.endswith(f"#{reference}")
    assert "2 came, at 08:00, device" in page
    assert "1 of 1 parties are here" in page


def test_a_part_of_the_party_leaves_the_rest_to_come(host, village):
    reference = book(village, {"ADULT": 4})
    check_in(host, village, reference, people=1)
    assert 'max="4" value="3"' in host.get(page_of(village)).text
    check_in(host, village, reference)
    people = db.session.scalars(select(CheckIn.people).order_by(CheckIn.id)).all()
    assert people == [1, 3]
    check_in(host, village, reference)
    assert count() == 2  # all of it is here


def test_the_same_form_sent_twice_is_one_scan(host, village):
    reference = book(village, {"ADULT": 4})
    page = host.get(page_of(village)).text
    once = re.search(r'name="once" value="([^"]+)"', page)[1]
    data = {"csrf_token": token(page), "once": once, "code": reference, "people": 1}
    for _each in range(2):
        assert host.post(page_of(village), data=data).status_code == 303
    assert count() == 1


def test_the_signed_code_of_the_voucher_checks_in_also_as_an_address(sample_app, host, village):
    one, other = book(village), book(village)
    assert check_in(host, village, code_of(sample_app, one)).status_code == 303
    address = f"https://village.example/th/v/{code_of(sample_app, other)}"
    assert check_in(host, village, address).status_code == 303
    assert count() == 2


def test_a_name_finds_the_party_and_does_not_check_it_in(host, village):
    reference = book(village)
    give_needs(reference, guest_name="Ann Example")
    answer = check_in(host, village, "ann")
    assert answer.location.endswith(f"#{reference}")
    assert count() == 0


def refusals(app, village):
    """What is typed, and the words that refuse it."""
    here = book(village)
    later = make_departure(village.option_id, TODAY + timedelta(days=4))
    other_day = book(village.__class__(**{**vars(village), "departure_id": later}))
    foreign = book(make_village())
    shown = get_booking(db.session(), here)
    stranger = Vouchers(make_key()).sign(Voucher(here, shown.trip.id, TODAY, 2))
    changed = code_of(app, here).replace(here, other_day)
    old = code_of(app, here, departure_id=later)
    return {
        code_of(app, other_day): "This voucher is for another day: 28 Nov 2026.",
        other_day: "This booking is for another day: 28 Nov 2026.",
        stranger: "This is not a voucher of ours, or it was changed.",
        changed: "This is not a voucher of ours, or it was changed.",
        old: "This voucher is old: its booking was moved to another departure.",
        foreign: "There is no paid booking with this code in this community.",
        code_of(app, foreign): "There is no paid booking with this code in this community.",
        hold(village): "There is no paid booking with this code in this community.",
        "B-222222": "There is no paid booking with this code in this community.",
        "   ": "Please fill this in.",
        "x" * 401: "This is too long.",
    }


def test_every_other_code_is_refused_in_plain_words_and_nothing_is_written(
    sample_app, host, village
):
    for typed, words in refusals(sample_app, village).items():
        answer = check_in(host, village, typed)
        assert answer.status_code == 422, typed
        assert words in answer.text, typed
    assert count() == 0


@pytest.mark.parametrize("people", ["0", "-1", "1000", "two", "9" * 30])
def test_a_number_that_cannot_have_come_is_refused_and_the_code_stays(host, village, people):
    reference = book(village)
    answer = check_in(host, village, reference, people=people)
    assert answer.status_code == 422
    assert f'name="code" value="{reference}"' in answer.text
    assert count() == 0


def test_two_names_that_fit_are_left_to_the_list(host, village):
    for _each in range(2):
        book(village)
    assert "Several parties fit this name" in check_in(host, village, "guest").text


# --- what devices send ---------------------------------------------------------------------------


def scan(reference, key="7K2M-key-of-the-scan", **changes):
    facts = {"device": "7K2M", "people": 2, "scanned_at": "2026-11-24T00:55:00.000Z", **changes}
    return {"key": key, "reference": reference, **facts}


def send(host, village, *scans, on="2026-11-24", **changes):
    page = host.get(page_of(village)).text
    return host.post(
        f"/en/host/{village.slug}/check-in/scans",
        json={"on": on, "scans": list(scans), **changes},
        headers={"X-CSRFToken": token(page)},
    )


def test_scans_are_taken_once_and_answered_with_what_every_device_did(host, village):
    reference = book(village)
    for _each in range(2):
        answer = send(host, village, scan(reference)).json
        assert (answer["taken"], answer["refused"]) == (["7K2M-key-of-the-scan"], [])
        assert answer["references"] == [reference]
        [arrival] = answer["arrivals"]
        assert arrival == {**scan(reference), "scanned_at": "2026-11-24T00:55:00+00:00"}
    assert count() == 1


def test_two_devices_that_scanned_one_party_are_both_kept_and_both_shown(host, village):
    reference = book(village)
    send(host, village, scan(reference))
    other = scan(reference, "9QRS-key-of-the-scan", device="9QRS")
    answer = send(host, village, {**other, "scanned_at": "2026-11-24T01:00:00+00:00"}).json
    assert [each["device"] for each in answer["arrivals"]] == ["7K2M", "9QRS"]
    page = host.get(page_of(village)).text
    assert re.search(r"data-conflict\s*>.*Checked in on two devices", page)
    assert "at 07:55, device" in page
    assert "at 08:00, device" in page


def test_scans_of_nobody_and_of_other_communities_are_refused(host, village):
    foreign = book(make_village())
    scans = [scan(foreign, "key-of-foreign"), scan("B-222222", "key-of-nobody")]
    answer = send(host, village, *scans).json
    assert answer["taken"] == []
    assert answer["refused"] == ["key-of-foreign", "key-of-nobody"]
    assert answer["elsewhere"] == {}
    assert count() == 0


def test_a_scan_of_a_booking_for_another_day_is_refused_and_says_which(host, village):
    reference = book(village)
    answer = send(host, village, scan(reference), on="2026-11-23").json
    assert (answer["taken"], answer["refused"]) == ([], ["7K2M-key-of-the-scan"])
    assert answer["elsewhere"] == {reference: "2026-11-24"}
    assert count() == 0


def test_nothing_sent_asks_only_for_the_news(host, village):
    reference = book(village)
    send(host, village, scan(reference))
    assert len(send(host, village).json["arrivals"]) == 1


BAD = {
    "no-list": {"scans": None},
    "a-word": {"scans": "scan"},
    "no-day": {"on": "today"},
    "day-is-a-number": {"on": 5},
    "not-a-scan": {"scans": [1]},
    "nothing-in-it": {"scans": [{}]},
    "too-many": {"scans": [scan("B-222222", f"key-number-{n}") for n in range(101)]},
    **{
        f"{name}-{number}": {"scans": [scan("B-222222"), scan("B-222222", **{name: value})]}
        for name, values in {
            "key": ["short", "x" * 65, "with space here", "nul\x00nul\x00", 5, None],
            "device": ["", "x" * 13, "<b>", "ก", 5, None],
            "people": [0, -1, 1000, 1.5, "2", True, None],
            "scanned_at": ["", "yesterday", "2026-11-24T08:00:00", "1969-12-31T00:00:00Z", 5, None],
        }.items()
        for number, value in enumerate(values)
    },
    "reference": {"scans": [scan("b-7k2m9q; DROP")]},
}


@pytest.mark.parametrize("sent", BAD.values(), ids=list(BAD))
def test_what_is_no_list_of_scans_is_refused_as_a_whole(host, village, sent):
    assert send(host, village, **sent).status_code == 422
    assert count() == 0


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59-23:59", "2300-01-01T00:00:00Z"])
def test_a_device_whose_clock_is_far_ahead_is_taken_as_now(host, village, at):
    reference = book(village)
    answer = send(host, village, scan(reference, scanned_at=at)).json
    assert answer["arrivals"][0]["scanned_at"].startswith("2026-11-24T01:00:")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", json.dumps({"on": 1}).encode()])
def test_what_is_not_the_json_that_devices_send_is_refused(host, village, body):
    page = host.get(page_of(village)).text
    answer = host.post(
        f"/en/host/{village.slug}/check-in/scans",
        data=body,
        content_type="application/json",
        headers={"X-CSRFToken": token(page)},
    )
    assert answer.status_code == 422


def test_without_the_token_nothing_is_taken(host, village):
    reference = book(village)
    address = f"/en/host/{village.slug}/check-in/scans"
    body = {"on": "2026-11-24", "scans": [scan(reference)]}
    assert host.post(address, json=body).status_code == 400
    assert count() == 0


# --- what stays on a device ----------------------------------------------------------------------


def test_todays_and_tomorrows_list_may_be_kept_until_the_day_is_over(host, village):
    headers = host.get(page_of(village)).headers
    assert headers["List-Day"] == "2026-11-24"
    assert headers["List-Until"] == "2026-11-24T17:00:00+00:00"  # midnight in the village
    assert host.get(page_of(village, "2026-11-25")).headers["List-Day"] == "2026-11-25"


@pytest.mark.parametrize("on", ["2026-11-23", "2026-11-26"])
def test_other_days_lists_are_not_kept(host, village, on):
    answer = host.get(page_of(village, on))
    assert "List-Day" not in answer.headers
    assert "data-worker" not in answer.text


def test_the_page_says_what_stays_on_the_device_and_holds_no_secret(sample_app, host, village):
    page = host.get(page_of(village)).text
    assert "Only the lists of today and tomorrow stay on this device." in page
    assert f'data-key="{sample_app.extensions["vouchers"].public_key}"' in page
    assert "PRIVATE KEY" not in page


def test_the_worker_may_answer_for_this_communitys_check_in_alone(host, village):
    answer = host.get(f"/en/host/{village.slug}/check-in/worker.js")
    assert answer.mimetype == "text/javascript"
    assert answer.headers["Service-Worker-Allowed"] == page_of(village)
    assert "max-age=3" not in answer.headers["Cache-Control"]


def test_only_the_check_in_page_may_use_the_camera(host, village):
    assert host.get(page_of(village)).headers["Permissions-Policy"].startswith("camera=(self)")
    assert host.get("/en/").headers["Permissions-Policy"].startswith("camera=()")
    assert "worker-src 'self'" in host.get("/en/").headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["check-in", "check-in/worker.js", "day-sheet"])
def test_another_communitys_host_sees_nothing(client, village, path):
    sign_in(client, "host.buna-dara")
    assert client.get(f"/en/host/{village.slug}/{path}").status_code == 403
    assert client.get(f"/en/host/buna-dara/{path}").status_code == 200


# --- the voucher's own page ----------------------------------------------------------------------


def test_the_page_behind_the_code_tells_an_old_voucher_from_a_good_one(sample_app, host, village):
    reference = book(village)
    assert "This voucher is good." in host.get(f"/en/v/{code_of(sample_app, reference)}").text
    later = make_departure(village.option_id, TODAY + timedelta(days=4))
    old = host.get(f"/en/v/{code_of(sample_app, reference, departure_id=later)}").text
    assert "its booking was moved" in old
    assert "This voucher is good." not in old
    assert f"check-in?on=2026-11-24#{reference}" in old  # a host goes on from there


# --- the day sheet -------------------------------------------------------------------------------


def test_the_day_sheet_has_all_that_is_needed_on_paper(host, village):
    one, other = book(village, {"ADULT": 1, "CHILD": 2}), book(village)
    give_needs(one, guest_name="Ann", food_needs="no pork", access_needs="a ramp")
    check_in(host, village, other)
    page = host.get(f"/en/host/{village.slug}/day-sheet").text
    for words in (one, other, "Ann", "no pork · a ramp", "08:30", "Who worked:"):
        assert words in page
    assert page.count('class="box "') == 1
    assert page.count('class="box ticked"') == 1


def test_the_day_sheet_of_an_empty_day_says_so(host, village):
    page = host.get(f"/en/host/{village.slug}/day-sheet?on=2026-12-24").text
    assert "Nobody is booked for this day." in page
