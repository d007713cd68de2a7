"""Pages and bookings with years of data in the database: no count grows with it.

The full numbers (13,000 departures, 100,000 bookings) under --deep, a tenth of them otherwise.
"""

import shutil
from datetime import timedelta
from itertools import chain, cycle, takewhile

import pytest
import time_machine
from sqlalchemy import func, insert, literal, select, update

from bench.browser import read_forms
from cbt.app import create_app
from cbt.bookings.departures import keep_ready
from cbt.bookings.models import Booking, BookingLine, Departure
from cbt.db import db, transaction
from tests.conftest import DEEP
from tests.databases import Visitor
from tests.site import NOW, make_settings
from tests.web.forms import sign_in
from tests.web.test_budgets import counted, reading

DEPARTURES, BOOKINGS = (13_000, 100_000) if DEEP else (1_300, 10_000)
PAGES = {
    "/en/": (None, 6),
    "/en/?on=2026-11-28&guests=2": (None, 6),
    "/en/c/buna-dara/mangrove-boat": (None, 6),
    "/en/c/buna-dara/mangrove-boat?month=2027-01": (None, 6),
    "/en/c/buna-dara/mangrove-boat?on=2026-12-18&ADULT=2": (None, 6),
    "/en/host/buna-dara": ("host.buna-dara", 10),
    "/en/host/buna-dara/calendar": ("host.buna-dara", 8),
    "/en/host/buna-dara/day?on=2026-11-27": ("host.buna-dara", 10),
}
MOST_STATEMENTS = 50
"""Of a whole booking that takes four shared things: six requests, one try to pay, two entries."""


@pytest.fixture(autouse=True)
def at_noon():
    with time_machine.travel(NOW, tick=True):
        yield


@pytest.fixture(scope="session")
def large_file(sample_instance, tmp_path_factory):
    """The sample communities after years of departures and bookings."""
    folder = tmp_path_factory.mktemp("large")
    shutil.copy(sample_instance / "cbt.db", folder)
    app = create_app(make_settings(folder))
    with app.app_context():
        if DEEP:
            keep_ready(NOW)
        with transaction() as session:
            add_past_departures(session)
            add_bookings(session)
        db.session.remove()
        db.engine.dispose()
    return folder / "cbt.db"


def add_past_departures(session):
    """As many as are missing, day by day back from the first that there is, all of them settled."""
    known = session.scalar(select(func.count(Departure.id)))
    table = Departure.__table__
    options = session.execute(
        select(table).where(
            table.c.id.in_(select(func.min(table.c.id)).group_by(table.c.option_id))
        )
    ).all()
    rows = []
    for days in range(1, 2 + (DEPARTURES - known) // len(options)):
        for option in options:
            row = option._asdict() | {"state": "settled", "claimed": 0, "rule_id": None}
            del row["id"]
            for name in ("begins_at", "ends_at", "closes_at"):
                row[name] -= timedelta(days=days)
            rows.append(row | {"starts_on": row["starts_on"] - timedelta(days=days)})
    session.execute(insert(table), rows[: DEPARTURES - known])


def add_bookings(session):
    """Parties of one in turn on every departure with room, like one that is there already."""
    table = Booking.__table__
    like = session.execute(select(table).where(table.c.state == "settled").limit(1)).one()._asdict()
    del like["id"]
    departures = session.execute(
        select(Departure.id, Departure.community_id, Departure.state)
        .where(Departure.state.in_(("open", "settled")), Departure.starts_on != NOW.date())
        .order_by(Departure.id)
    ).all()
    known = session.scalar(select(func.count(Booking.id)))
    places = takewhile(lambda each: each[0] < BOOKINGS - known, enumerate(cycle(departures)))
    session.execute(
        insert(table),
        [
            like
            | {
                "reference": f"BIG-{number}",
                "request_key": f"big {number}",
                "community_id": departure.community_id,
                "departure_id": departure.id,
                "state": "settled" if departure.state == "settled" else "confirmed",
                "places": 1,
            }
            for number, departure in places
        ],
    )
    session.execute(
        insert(BookingLine.__table__).from_select(
            ["booking_id", "revision", "line", "unit", "quantity", "price_satang", "places"],
            select(Booking.id, Booking.revision, *map(literal, (1, "ADULT", 1, 45_000, 1))).where(
                Booking.reference.startswith("BIG-")
            ),
        )
    )
    new = select(func.count()).where(
        Booking.departure_id == Departure.id, Booking.reference.startswith("BIG-")
    )
    session.execute(
        update(Departure)
        .values(claimed=func.min(Departure.capacity, Departure.claimed + new.scalar_subquery()))
        .where(Departure.state == "open")
        .execution_options(synchronize_session=False)
    )


@pytest.fixture
def large_client(large_file, tmp_path):
    shutil.copy(large_file, tmp_path / "cbt.db")
    app = create_app(make_settings(tmp_path))
    app.test_client_class = Visitor
    with app.app_context():
        yield app.test_client()
        db.session.remove()
        db.engine.dispose()


def count_of(client, address, who):
    if who:
        sign_in(client, who)
    client.get(address)
    with counted() as statements:
        answer = client.get(address)
    assert answer.status_code == 200
    return reading(statements)


def test_the_large_database_is_as_large_as_it_says(large_client):
    assert db.session.scalar(select(func.count(Departure.id))) == DEPARTURES
    assert db.session.scalar(select(func.count(Booking.id))) == BOOKINGS


@pytest.mark.parametrize("address", PAGES)
def test_a_page_costs_as_many_statements_whatever_the_size_of_the_data(
    address, large_client, large_file, sample_instance, tmp_path
):
    who, most = PAGES[address]
    large = count_of(large_client, address, who)
    assert len(large) <= most, "\n".join(large)
    db.session.remove()
    db.engine.dispose()
    shutil.copy(sample_instance / "cbt.db", tmp_path / "cbt.db")
    assert len(count_of(large_client, address, who)) == len(large)


def press(client, page, address, button, **typed):
    """Send the form of a page that has this button (or any) and these fields."""
    form = next(
        each
        for each in read_forms(page)
        if each.method == "post"
        and typed.keys() <= each.fields.keys()
        and (not button or button in {value for _name, value in each.buttons})
    )
    name = next((name for name, value in form.buttons if button and value == button), "")
    return client.post(
        form.action or address, data={**form.fields, **typed, **({name: button} if name else {})}
    )


def test_a_whole_booking_costs_few_statements_and_five_transactions(large_client):
    """Page, hold, details, pay, confirmed; the pages between are not counted, but loaded."""
    client = large_client
    address = "/en/c/buna-dara/mangrove-boat?on=2026-12-18&ADULT=2"
    client.get(address)
    sent = []

    def step(do):
        with counted() as statements:
            answer = do()
        assert answer.status_code in (200, 303), answer.text
        sent.append(statements)
        return answer

    page = step(lambda: client.get(address)).text
    link = step(lambda: press(client, page, address, "hold")).location
    page = client.get(link).text
    details = {"name": "Ann", "email": "ann@example.org"}
    link_to_pay = step(lambda: press(client, page, link, "", **details)).location
    page = client.get(link_to_pay).text
    attempt = step(lambda: press(client, page, link_to_pay, "", method="demo")).location
    page = client.get(attempt).text
    step(lambda: press(client, page, attempt, "pay"))
    assert "confirmed" in step(lambda: client.get(link)).text
    statements = list(chain.from_iterable(sent))
    assert statements.count("BEGIN IMMEDIATE") <= 5
    told = " + ".join(str(len(reading(each))) for each in sent)
    assert len(reading(statements)) <= MOST_STATEMENTS, told
