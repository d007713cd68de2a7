"""A household's own statement, and the way from each line to bookings, rule and work."""

from datetime import date

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import TextAreaField
from wtforms.validators import DataRequired, Length

from cbt.clock import month_before, month_of, next_month, utc_now, village_day
from cbt.db import db
from cbt.errors import NotFound, StateForbids
from cbt.i18n import _, _l
from cbt.people.queries import list_holders_in, list_names
from cbt.people.roles import MONEY_ROLES, Role, is_allowed
from cbt.revenue import line_disputes
from cbt.revenue.line_disputes import DAYS_TO_ANSWER, MOST_WORDS
from cbt.revenue.payout_trace import payout_in
from cbt.revenue.period_queries import find_period, list_signatures
from cbt.revenue.proof_code import encode
from cbt.revenue.proofs import get_proof
from cbt.revenue.statements import Statement, StatementLine, explain, find_line, get_statement
from cbt.web import qr
from cbt.web.access import only, the_community, the_household, the_reader
from cbt.web.forms import REQUIRED, TOO_LONG, Form, trim, typed
from cbt.web.layout import LANG, public_address
from cbt.web.statement_paper import build_paper, send_statement

bp = Blueprint("household", __name__)
READERS = (Role.HOUSEHOLD, Role.TREASURER, Role.MENTOR)
_OWN = f"/{LANG}/household/<slug>/<household>"
_LINE = f"{_OWN}/lines/<int:entry>-<int:leg>"


class DisputeForm(Form):
    what = TextAreaField(
        _l("What is wrong with this line?"),
        [DataRequired(message=REQUIRED), Length(max=MOST_WORDS, message=TOO_LONG)],
        filters=[trim],
    )


@bp.get(_OWN)
@only(*READERS)
def statement(slug: str, household: str) -> ResponseReturnValue:
    community = the_community()
    today = village_day(utc_now(), community.zone)
    try:
        month = month_of(request.args.get("month", ""))
    except ValueError:
        month = today.replace(day=1)
    shown = get_statement(db.session(), community, the_household(), month)
    return render_template(
        "household/statement.html",
        community=community,
        household=the_household(),
        statement=shown,
        earlier=month_before(month),
        later=next_month(month) if next_month(month) <= today else None,
        proof=_proof_address(shown),
        signatures=list_signatures(db.session(), shown.period.id) if shown.period else [],
        payout_in=payout_in,
    )


@bp.get(f"{_OWN}/proof")
@only(*READERS)
def proof(slug: str, household: str) -> ResponseReturnValue:
    """The code that proves a closed statement, big enough for another phone to read."""
    shown = get_statement(db.session(), the_community(), the_household(), _closed_month())
    address = _proof_address(shown)
    return render_template(
        "household/proof.html",
        community=the_community(),
        household=the_household(),
        statement=shown,
        address=address,
        picture=qr.draw(address),
    )


@bp.get(f"{_OWN}/statement.pdf")
@only(*READERS)
def paper(slug: str, household: str) -> Response:
    """The closed statement on paper."""
    shown = get_statement(db.session(), the_community(), the_household(), _closed_month())
    sheet = build_paper(the_community(), the_household(), shown, _proof_address(shown))
    return send_statement(sheet)


@bp.get(f"{_OWN}/statement.txt")
@only(*READERS)
def text_file(slug: str, household: str) -> Response:
    """The closed statement as it was hashed, to check every line of it offline."""
    shown = get_statement(db.session(), the_community(), the_household(), _closed_month())
    answer = Response(shown.text, mimetype="text/plain")
    name = f"{slug}-{household}-{shown.month:%Y-%m}.txt"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _closed_month() -> date:
    """The closed month that the address names. Raises NotFound for any other."""
    try:
        month = month_of(request.args.get("month", ""))
    except ValueError:
        raise NotFound(thing="period") from None
    if find_period(db.session(), the_community().id, month) is None:
        raise NotFound(thing="period")
    return month


def _proof_address(shown: Statement) -> str:
    """The address that opens the check of a closed statement, or nothing for an open one."""
    if shown.period is None or not shown.text:
        return ""
    found = get_proof(db.session(), shown.period, the_household().code)
    address = public_address("public.verify", slug=the_community().slug)
    return f"{address}#{encode(found)}"


@bp.get(f"{_OWN}/departures/<int:departure_id>")
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
        keeps_books=is_allowed(the_reader(), MONEY_ROLES, community.id),
        is_mentor=is_allowed(the_reader(), (Role.MENTOR,), community.id),
    )


# --- a line that is wrong ------------------------------------------------------------------------


@bp.get(_LINE)
@only(*READERS)
def dispute(slug: str, household: str, entry: int, leg: int) -> ResponseReturnValue:
    return _show_line(entry, leg)


@bp.post(_LINE)
@only(Role.HOUSEHOLD)
def send_dispute(slug: str, household: str, entry: int, leg: int) -> ResponseReturnValue:
    form = DisputeForm()
    if not form.validate():
        return _show_line(entry, leg, form=form), 422
    try:
        line_disputes.dispute_line(
            the_community().id,
            household,
            entry,
            leg,
            typed(form.what),
            the_reader().person_id,
            utc_now(),
        )
    except StateForbids as error:
        return _show_line(entry, leg, problem=_("This line was asked about before.")), error.status
    return _to_line(entry, leg)


@bp.post(f"{_LINE}/<answer>")
@only(Role.HOUSEHOLD)
def answer_dispute(
    slug: str, household: str, entry: int, leg: int, answer: str
) -> ResponseReturnValue:
    """The household is content with the answer, or wants the mentor to look."""
    acts = {"accept": line_disputes.accept_answer, "mentor": line_disputes.tell_mentor}
    shown = _line_of(entry, leg)
    if shown.dispute is None or answer not in acts:
        raise NotFound(thing="line")
    act = acts[answer]
    try:
        act(the_community().id, household, shown.dispute.id, utc_now())
    except StateForbids as error:
        return _show_line(entry, leg, problem=_("It stands elsewhere by now.")), error.status
    return _to_line(entry, leg)


def _show_line(entry: int, leg: int, *, form: DisputeForm | None = None, problem: str = "") -> str:
    community = the_community()
    shown = _line_of(entry, leg)
    today = village_day(utc_now(), community.zone)
    answerers = list_holders_in(db.session(), Role.TREASURER, community.id)
    people = [shown.dispute.answered_by, shown.dispute.decided_by] if shown.dispute else []
    return render_template(
        "household/dispute.html",
        community=community,
        household=the_household(),
        line=shown,
        entry=entry,
        leg=leg,
        form=form or DisputeForm(formdata=None),
        problem=problem,
        answerers=[name for _id, name in answerers],
        names=list_names(db.session(), [each for each in people if each is not None]),
        days=DAYS_TO_ANSWER,
        may_tell_mentor=shown.dispute is not None and shown.dispute.may_tell_mentor(today),
        is_own=any(grant.household_id == the_household().id for grant in the_reader().grants),
    )


def _line_of(entry: int, leg: int) -> StatementLine:
    """The line of this household that an address names. Raises NotFound."""
    return find_line(db.session(), the_community(), the_household(), entry, leg)


def _to_line(entry: int, leg: int) -> ResponseReturnValue:
    slug, household = the_community().slug, the_household().code
    address = url_for("household.dispute", slug=slug, household=household, entry=entry, leg=leg)
    return redirect(address, code=303)
