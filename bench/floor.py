"""The floors: the least that the same stack can do, without any of our rules.

A departure, a booking, ten legs and a mail in bare tables, written by SQLAlchemy Core in as many
transactions as a booking needs, and the same behind a Flask application with as many pages.
"""

import os
from typing import Any

from flask import Flask, redirect, render_template_string
from flask.typing import ResponseReturnValue
from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    insert,
    select,
    update,
)

import cbt.db  # noqa: F401  (prepares SQLite's connections just as ours are)

LEGS = 10
_WRITING = {"cbt_writing": True}
_metadata = MetaData()
departure = Table(
    "bare_departure",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("title", Text),
    Column("capacity", Integer),
    Column("claimed", Integer),
    CheckConstraint("claimed <= capacity"),
)
booking = Table(
    "bare_booking",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("reference", Text, unique=True),
    Column("departure_id", Integer, index=True),
    Column("places", Integer),
    Column("price", Integer),
    Column("state", Text),
    Column("guest", Text),
)
leg = Table(
    "bare_leg",
    _metadata,
    Column("booking_id", Integer, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("source", Text),
    Column("target", Text),
    Column("amount", Integer),
)
notice = Table(
    "bare_notice",
    _metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, unique=True),
    Column("facts", Text),
)


def prepare(engine: Engine, departures: int) -> None:
    """Make the bare tables, with so many departures that never fill up."""
    _metadata.create_all(engine)
    rows = [
        {"id": number, "title": f"Trip {number}", "capacity": 10**8, "claimed": 0}
        for number in range(1, departures + 1)
    ]
    with engine.begin() as connection:
        connection.execute(insert(departure), rows)


def hold(engine: Engine, departure_id: int, reference: str) -> int:
    """Guarded update, insert, commit."""
    with engine.connect().execution_options(**_WRITING) as connection, connection.begin():
        taken = connection.execute(
            update(departure)
            .where(departure.c.id == departure_id, departure.c.claimed + 2 <= departure.c.capacity)
            .values(claimed=departure.c.claimed + 2)
        )
        assert taken.rowcount == 1
        return int(
            connection.execute(
                insert(booking).returning(booking.c.id),
                {
                    "reference": reference,
                    "departure_id": departure_id,
                    "places": 2,
                    "price": 90_000,
                    "state": "held",
                    "guest": "",
                },
            ).scalar_one()
        )


def pay(engine: Engine, booking_id: int) -> None:
    """Confirm, ten legs, a mail, commit."""
    with engine.connect().execution_options(**_WRITING) as connection, connection.begin():
        _set(connection, booking_id, state="confirmed")
        connection.execute(
            insert(leg),
            [
                {
                    "booking_id": booking_id,
                    "line": line,
                    "source": "deposit",
                    "target": f"bucket:{line}",
                    "amount": 9_000,
                }
                for line in range(LEGS)
            ],
        )
        connection.execute(insert(notice), {"key": f"confirmed:{booking_id}", "facts": "{}"})


def whole(engine: Engine, departure_id: int, reference: str) -> None:
    """A whole booking: hold, then pay."""
    pay(engine, hold(engine, departure_id, reference))


def _set(connection: Connection, booking_id: int, **values: str) -> None:
    connection.execute(update(booking).where(booking.c.id == booking_id).values(**values))


# --- the same behind a web server ----------------------------------------------------------------

_PAGE = """<!doctype html><title>Bare</title><h1>{{ title }}</h1>
<table>{% for row in rows %}<tr><td>{{ row.id }}<td>{{ row.title }}<td>{{ row.claimed }}{% endfor %}
</table>"""


def make_app(url: str) -> Flask:
    """Twenty rows and a template for each page; each form writes in one transaction."""
    app = Flask("bare")
    engine = create_engine(url)

    def page(title: str) -> str:
        with engine.connect() as connection:
            rows = connection.execute(select(departure).limit(20)).all()
        return render_template_string(_PAGE, title=title, rows=rows)

    def see(title: str = "trip", **_values: Any) -> str:
        return page(title)

    def do_hold(reference: str) -> ResponseReturnValue:
        return redirect(f"/{hold(engine, 1, reference)}", 303)

    def do_details(booking_id: int) -> ResponseReturnValue:
        with engine.connect().execution_options(**_WRITING) as connection, connection.begin():
            _set(connection, booking_id, guest="Ann")
        return redirect(f"/{booking_id}/pay", 303)

    def do_start(booking_id: int) -> ResponseReturnValue:
        with engine.connect().execution_options(**_WRITING) as connection, connection.begin():
            _set(connection, booking_id, state="paying")
        return redirect(f"/{booking_id}/bank", 303)

    def do_pay(booking_id: int) -> ResponseReturnValue:
        pay(engine, booking_id)
        return redirect(f"/{booking_id}", 303)

    app.add_url_rule("/", view_func=see)
    app.add_url_rule("/<int:booking_id>", "booking", see)
    app.add_url_rule("/<int:booking_id>/pay", "methods", see)
    app.add_url_rule("/<int:booking_id>/bank", "bank", see)
    app.add_url_rule("/hold/<reference>", view_func=do_hold, methods=["POST"])
    app.add_url_rule("/<int:booking_id>", view_func=do_details, methods=["POST"])
    app.add_url_rule("/<int:booking_id>/pay", view_func=do_start, methods=["POST"])
    app.add_url_rule("/<int:booking_id>/bank", view_func=do_pay, methods=["POST"])
    return app


def from_environment() -> Flask:
    """For gunicorn."""
    return make_app(os.environ["BARE_URL"])
