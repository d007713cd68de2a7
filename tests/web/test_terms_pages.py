"""The page on which hosts change what a cancellation gives back, and the deposit."""

import re

import pytest
import time_machine

from cbt.bookings.offered_terms import set_terms
from cbt.bookings.queries import get_booking
from cbt.bookings.terms import DEFAULT, Deposit, Terms, Tier, canonical, parse
from cbt.db import db
from cbt.errors import NotFound, TermsInvalid
from cbt.experiences.queries import list_option_terms
from cbt.people.roles import Grant, Role
from tests import factories
from tests.site import NOW
from tests.web.forms import post
from tests.web.test_money_pages import a_browser, words

STRICT = Terms("strict", (Tier(10, 5_000),), Deposit(3_000, 7))
TYPED = {"days_1": "20", "percent_1": "100", "days_2": "9", "percent_2": "33.33"}
DEPOSIT = {"deposit": "30", "deposit_days": "7"}


@pytest.fixture(autouse=True)
def at_noon():
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture
def village(sqlite_app):
    found = factories.make_village()
    db.session.rollback()
    return found


@pytest.fixture
def host(village, sqlite_app):
    return a_browser(sqlite_app, "the-host", Grant(Role.COORDINATOR, village.id))


def at(village, option_id=None):
    page = f"/en/host/{village.slug}/terms"
    return page if option_id is None else f"{page}/{option_id}"


def send(client, village, do, **fields):
    return post(client, at(village, village.option_id), do=do, **fields)


def offered(village):
    db.session.rollback()
    found = {each.option_id: each.terms for each in list_option_terms(db.session(), village.id)}
    db.session.rollback()
    return found


def kept(page, days):
    """What a page says that is kept of 1,000 baht after so many days before."""
    text = words(page)
    return re.search(rf"cancelled {days} days? before .*?you keep ฿([0-9,.]+)", text)[1]


def test_what_is_typed_is_shown_on_a_thousand_baht_before_it_counts(village, host):
    answer = send(host, village, "look", **TYPED, **DEPOSIT)
    assert answer.status_code == 200
    assert [kept(answer.text, days) for days in (20, 19, 10, 9, 8)] == [
        *("0.00", "666.70", "666.70", "666.70", "1,000.00")
    ]
    assert "To book, a guest pays ฿300.00" in words(answer.text)
    assert "As typed; not in use yet." in answer.text
    assert offered(village) == {village.option_id: ""}


def test_what_is_kept_counts_for_new_bookings_and_not_for_those_sold(village, host):
    sold = factories.book(village, {"ADULT": 1})
    held = factories.hold(village, {"ADULT": 1})
    db.session.rollback()
    assert send(host, village, "save", **TYPED, **DEPOSIT).status_code == 303
    text = offered(village)[village.option_id]
    read = parse(text)
    assert (read.tiers, read.deposit) == ((Tier(20, 10_000), Tier(9, 3_333)), Deposit(3_000, 7))
    new = factories.hold(village, {"ADULT": 1})
    terms = {each: get_booking(db.session(), each).terms for each in (sold, held, new)}
    assert terms == {sold: canonical(DEFAULT), held: canonical(DEFAULT), new: text}
    db.session.rollback()
    page = host.get(at(village, village.option_id)).text
    assert 'value="33.33"' in page
    assert "As it is now." in page


def test_the_usual_terms_are_taken_back(village, host):
    send(host, village, "save", **TYPED)
    assert offered(village)[village.option_id] != ""
    assert send(host, village, "usual").status_code == 303
    assert offered(village) == {village.option_id: ""}
    assert "the usual terms" in host.get(at(village)).text


def test_all_that_is_offered_can_take_the_same_terms(village, host):
    other, elsewhere = factories.make_option(village.id), factories.make_village()
    db.session.rollback()
    send(host, village, "save", **TYPED)
    assert offered(village)[other] == ""
    send(host, village, "save", everywhere="y", **TYPED)
    assert len(set(offered(village).values())) == 1
    assert offered(elsewhere) == {elsewhere.option_id: ""}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param({"days_1": "900", "percent_1": "5"}, "from 0 to 730", id="days"),
        pytest.param({"days_1": "9", "percent_1": "101"}, "from 0 to 100", id="percent"),
        pytest.param({"days_1": "9", "percent_1": "x"}, "from 0 to 100", id="no number"),
        pytest.param({"days_1": "9"}, "from 0 to 100", id="no percent"),
        pytest.param({"percent_1": "9"}, "Please enter the days as well.", id="no days"),
        pytest.param({"deposit": "-1"}, "from 0 to 100", id="deposit"),
        pytest.param({"deposit": "100"}, "less than the whole", id="whole deposit"),
        pytest.param({**TYPED, "days_2": "20"}, "must fall from step to step", id="order"),
        pytest.param({**TYPED, "percent_1": "5"}, "cannot get more back", id="rising"),
    ],
)
@pytest.mark.parametrize("do", ["look", "save"])
def test_terms_that_cannot_be_are_told_beside_the_field_and_change_nothing(
    village, host, fields, told, do
):
    answer = send(host, village, do, **fields)
    assert answer.status_code == 422
    assert told in answer.text
    assert "What that means</h2>" not in answer.text
    assert offered(village) == {village.option_id: ""}


def test_terms_below_the_recommended_least_say_so(village, host):
    below = "Less comes back than"
    assert below not in host.get(at(village, village.option_id)).text
    assert below in send(host, village, "look", days_1="30", percent_1="50").text
    assert below in send(host, village, "look").text  # no step at all: nothing ever comes back
    send(host, village, "save", days_1="30", percent_1="50")
    assert below in host.get(at(village)).text


def test_another_communitys_option_is_not_found_and_stays(village, host):
    other = factories.make_village()
    db.session.rollback()
    page = at(village, other.option_id)
    assert host.get(page).status_code == 404
    sent = post(host, page, form_at=at(village, village.option_id), do="save", **TYPED)
    assert sent.status_code == 404
    assert offered(other) == {other.option_id: ""}
    assert send(host, village, "burn").status_code == 422


def test_nothing_is_written_where_one_of_several_is_anothers(app):
    village, other = factories.make_village(), factories.make_village()
    for options, terms, error in (
        ([village.option_id, other.option_id], STRICT, NotFound),
        ([], STRICT, NotFound),
        ([village.option_id], Terms("", ()), TermsInvalid),
    ):
        with pytest.raises(error):
            set_terms(village.id, options, terms)
    assert set(offered(village).values()) == {""}
    set_terms(village.id, [village.option_id], STRICT)
    assert offered(village) == {village.option_id: canonical(STRICT)}
