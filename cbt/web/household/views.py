"""A household's own statement, and the way from each line to bookings, rule and work."""

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from cbt.clock import month_before, month_of, next_month, utc_now, village_day
from cbt.db import db
from cbt.people.roles import Role
from cbt.revenue.statements import explain, get_statement
from cbt.web.access import only, the_community, the_household
from cbt.web.layout import LANG

bp = Blueprint("household", __name__)
READERS = (Role.HOUSEHOLD, Role.TREASURER, Role.MENTOR)


@bp.get(f"/{LANG}/household/<slug>/<household>")
@only(*READERS)
def statement(slug: str, household: str) -> ResponseReturnValue:
    community = the_community()
    today = village_day(utc_now(), community.zone)
    try:
        month = month_of(request.args.get("month", ""))
    except ValueError:
        month = today.replace(day=1)
    return render_template(
        "household/statement.html",
        community=community,
        household=the_household(),
        statement=get_statement(db.session(), community.book_id, the_household().code, month),
        earlier=month_before(month),
        later=next_month(month) if next_month(month) <= today else None,
    )


@bp.get(f"/{LANG}/household/<slug>/<household>/departures/<int:departure_id>")
@only(*READERS)
def line(slug: str, household: str, departure_id: int) -> ResponseReturnValue:
    community = the_community()
    return render_template(
        "household/line.html",
        community=community,
        household=the_household(),
        why=explain(
            db.session(), community.id, community.book_id, the_household().code, departure_id
        ),
    )
