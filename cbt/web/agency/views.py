"""Totals over communities and provinces, as a table, a map and files."""

from datetime import date

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from cbt.audit.total_queries import list_totals
from cbt.audit.totals import CommunityTotals, add_up, by_province
from cbt.clock import month_before, utc_now, village_day
from cbt.communities import chart
from cbt.db import db
from cbt.errors import NotFound
from cbt.people.roles import Role
from cbt.revenue.rulebook import LEAST_HOUSEHOLDS, WINDOW_MONTHS
from cbt.web.access import only
from cbt.web.agency import files
from cbt.web.fairness_words import decimal
from cbt.web.forms import read_month
from cbt.web.layout import LANG
from cbt.web.thailand import HEIGHT, WIDTH, draw

bp = Blueprint("agency", __name__)
_ZONE = "Asia/Bangkok"
_YEARS_BACK = 3
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
READERS = (Role.VIEWER, Role.ADMIN)


@bp.get(f"/{LANG}/agency")
@only(*READERS)
def totals() -> ResponseReturnValue:
    """The twelve months that end with ?until=, or with the last full month."""
    until = _until()
    found = _list(until)
    provinces = by_province(found)
    figures = {each.code: each.income_satang for each in provinces}
    return render_template(
        "agency/totals.html",
        first=_first(until),
        until=until,
        earlier=_earlier(),
        totals=found,
        provinces=provinces,
        sums=add_up("", {}, found),
        spots=draw(figures),
        width=WIDTH,
        height=HEIGHT,
        funds=chart.FUNDS,
        least=LEAST_HOUSEHOLDS,
        decimal=decimal,
    )


@bp.get(f"/{LANG}/agency/totals.csv")
@only(*READERS)
def totals_csv() -> ResponseReturnValue:
    until = _until()
    return _file(files.write_csv(_list(until)), until, "csv", "text/csv; charset=utf-8")


@bp.get(f"/{LANG}/agency/totals.xlsx")
@only(*READERS)
def totals_xlsx() -> ResponseReturnValue:
    until = _until()
    return _file(files.write_xlsx(_list(until), f"{until:%Y-%m}"), until, "xlsx", _XLSX)


def _file(body: bytes, until: date, ending: str, kind: str) -> Response:
    answer = Response(body, content_type=kind)
    name = f"totals-{until:%Y-%m}.{ending}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _list(until: date) -> list[CommunityTotals]:
    return list_totals(db.session(), _first(until), until)


def _until() -> date:
    """The last month of the window. Raises NotFound for one that is none, or not over yet."""
    newest = _newest()
    wanted = read_month(request.args["until"]) if "until" in request.args else newest
    if wanted > newest:
        raise NotFound(thing="period")
    return wanted


def _newest() -> date:
    return month_before(village_day(utc_now(), _ZONE))


def _first(until: date) -> date:
    for _each in range(WINDOW_MONTHS - 1):
        until = month_before(until)
    return until


def _earlier() -> list[date]:
    """The last full month, and Decembers before it: windows that one asks for."""
    newest = _newest()
    years = range(newest.year - 1, newest.year - 1 - _YEARS_BACK, -1)
    return [newest, *(date(year, 12, 1) for year in years)]
