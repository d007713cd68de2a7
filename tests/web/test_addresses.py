"""What no database can hold is refused before any view runs, on both databases."""

import pytest
import time_machine

from cbt.bookings.queries import get_booking
from cbt.bookings.references import BookingLinks
from cbt.db import db
from tests import factories
from tests.site import NOW, SECRET
from tests.web.forms import token

NUL = "\0"
HUGE = 2**63


@pytest.fixture(autouse=True)
def at_noon():
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture
def browser(app):
    return app.test_client()


@pytest.fixture
def link(app):
    """The address of a held booking's page."""
    booking = get_booking(db.session(), factories.hold(factories.make_village()))
    return "/en/b/" + BookingLinks(SECRET).sign(booking.reference, booking.trip.ends_at)


@pytest.mark.parametrize("address", ["/en/c/%00", "/en/c/a%00b/c", "/%00", "/static/%00"])
def test_no_address_has_a_nul(browser, address):
    assert browser.get(address).status_code == 404


@pytest.mark.parametrize(
    "query", ["province=%00", "guests=2&province=9%004", "province=94&province=%00"]
)
def test_a_question_with_a_nul_cannot_be_right(browser, query):
    answer = browser.get(f"/en/?{query}")
    assert answer.status_code == 422
    assert "Something in what you entered cannot be right." in answer.text


@pytest.mark.parametrize("name", ["a\0", "\0", "host\0.buna-dara"])
def test_a_sign_in_name_with_a_nul_cannot_be_right(browser, name):
    page = browser.get("/en/sign-in").text
    data = {"csrf_token": token(page), "sign_in_name": name, "password": "long enough"}
    assert browser.post("/en/sign-in", data=data).status_code == 422


@pytest.mark.parametrize("field", ["name", "food_needs", "access_needs", "email"])
def test_details_with_a_nul_are_refused_and_write_nothing(browser, link, field):
    page = browser.get(f"{link}?change=1").text
    details = {"name": "Ann", "email": "ann@example.org", "food_needs": "", "consent": "y"}
    data = {"csrf_token": token(page), **details, field: f"no{NUL}pork@example.org"}
    assert browser.post(link, data=data).status_code == 422
    assert browser.post(link, data={**data, field: details.get(field, "")}).status_code == 303


@pytest.mark.parametrize("number", [HUGE - 1, HUGE, "9" * 26, "9" * 5000])
def test_a_number_that_no_row_can_have_is_not_found(browser, link, number):
    assert browser.get(f"{link}/pay/{number}").status_code == 404
