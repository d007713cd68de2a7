"""The page about what changes after the sharing-out: losses, debts, and corrections by two people."""

from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import func, select

from cbt.bookings.models import Booking
from cbt.db import db
from cbt.ledger.queries import balances
from cbt.people.roles import Grant, Role
from cbt.revenue.models import Correction
from tests import factories
from tests.site import NOW
from tests.web.forms import a_browser, token

PASSWORD = "long enough"
EVENING = NOW + timedelta(days=2)


@pytest.fixture(autouse=True)
def after_the_trip():
    with time_machine.travel(EVENING + timedelta(days=1), tick=True):
        yield


@pytest.fixture
def village(sqlite_app):
    village = factories.make_village()
    factories.book(village)
    factories.record_work(village, ("H01", "boat", 1), ("H02", "guide", 1))
    factories.settle(village, EVENING)
    return village


@pytest.fixture
def host(village, sqlite_app):
    return a_browser(sqlite_app, "the-host", Grant(Role.COORDINATOR, village.id))


@pytest.fixture
def treasurer(village, sqlite_app):
    return a_browser(sqlite_app, "the-treasurer", Grant(Role.TREASURER, village.id))


def at(village, page=""):
    return f"/en/host/{village.slug}/money/losses{page}"


def ask(client, village, **changes):
    page = client.get(at(village)).text
    data = {
        "csrf_token": token(page),
        "source": "household:H01",
        "target": "household:H02",
        "amount": "12.50",
        "concerns_on": "",
        "reason": "the boat was theirs",
    }
    return client.post(at(village), data=data | changes)


def count():
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(Correction))


def books(village):
    db.session.rollback()
    return balances(db.session(), village.card.book_id)


def test_a_correction_is_asked_by_one_and_agreed_by_another(village, host, treasurer):
    before = books(village)["household:H02"]
    assert ask(host, village).status_code == 303
    own = host.get(at(village)).text
    assert "another person has to agree" in own
    assert "I agree" not in own
    page = treasurer.get(at(village)).text
    assert "the boat was theirs" in page
    answer = treasurer.post(at(village, "/1/agree"), data={"csrf_token": token(page)})
    assert answer.status_code == 303
    assert books(village)["household:H02"] == before + 1_250
    assert "agreed" in host.get(at(village)).text


def test_who_asked_is_refused_to_agree_in_words(village, host):
    ask(host, village)
    page = host.get(at(village)).text
    answer = host.post(at(village, "/1/agree"), data={"csrf_token": token(page)})
    assert answer.status_code == 409
    assert "A second person must do this" in answer.text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"amount": "much"}, "Please enter an amount in baht"),
        ({"amount": ""}, "Please fill this in"),
        ({"amount": "0"}, "amount"),
        ({"reason": ""}, "Please fill this in"),
        ({"target": "household:H01"}, "People may move money only"),
        ({"target": "payment:demo"}, "Not a valid choice"),
        ({"concerns_on": "2031-01-01"}, "People may move money only"),
        ({"concerns_on": "yesterday"}, "year-month-day"),
    ],
)
def test_a_wrong_entry_is_answered_keeps_what_was_typed_and_writes_nothing(
    village, host, changes, words
):
    answer = ask(host, village, **changes)
    assert answer.status_code in (409, 422)
    assert words in answer.text
    if "reason" not in changes:
        assert "the boat was theirs" in answer.text
    assert count() == 0


def test_a_fund_with_too_little_says_what_is_free(village, host, treasurer):
    ask(host, village, source="fund:welfare", amount="99999")
    page = treasurer.get(at(village)).text
    answer = treasurer.post(at(village, "/1/agree"), data={"csrf_token": token(page)})
    assert answer.status_code == 409
    assert "The fund has only" in answer.text


def test_the_goodwill_page_of_a_settled_booking_names_who_bears_it(village, host):
    reference = db.session.scalar(select(Booking.reference))
    path = f"/en/host/{village.slug}/bookings/{reference}"
    assert "has been shared out" in host.get(path).text
    page = host.get(f"{path}/goodwill?amount=100").text
    assert "Who bears it" in page
    assert ">English H01<" in page  # by its name, as the village calls it


def test_the_page_is_one_language_and_says_when_there_is_nothing(village, host):
    page = host.get(at(village)).text
    assert "No household owes anything." in page
    assert "Nothing had to be put right yet." in page
