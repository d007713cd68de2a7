"""Money as the treasurer sees it: what came in, where it lies, payouts, and what a person must look at."""

import csv
import io
from collections.abc import Iterable
from datetime import date

from flask import Response, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cbt.audit.case_work import count_waiting
from cbt.clock import month_before, month_of, next_month, to_village, utc_now, village_day
from cbt.communities import chart
from cbt.db import db
from cbt.errors import FundTooLow, Invalid, NotByNote, NoteMissing
from cbt.i18n import _
from cbt.ledger.queries import balances
from cbt.money import to_baht
from cbt.payments import inbox, work
from cbt.payments.account_posting import Clearing
from cbt.payments.bank_csv import safe_cell
from cbt.payments.bank_matching import list_lines_of
from cbt.payments.money_in import (
    PaymentCard,
    get_month,
    list_payments,
    stream_payments,
)
from cbt.payments.payouts import count_payouts, list_payouts
from cbt.payments.queries import list_waiting_proposals
from cbt.payments.reported import WorkKind
from cbt.payments.transactions import clear_suspense as clear
from cbt.payments.work import WorkCard, can_be_noted
from cbt.people.roles import Role, is_allowed
from cbt.web.access import only, the_community, the_reader
from cbt.web.errors import message_for
from cbt.web.forms import Form, whole
from cbt.web.host.money_words import work_place, work_words
from cbt.web.host.views import HOSTS, bp
from cbt.web.labels import label, provider_words
from cbt.web.layout import LANG

_MONEY = f"/{LANG}/host/<slug>/money"
_WORK = f"{_MONEY}/work"
_ON_A_PAGE = 30
_PASSING = (chart.CASH_ON_THE_WAY, chart.SUSPENSE)
BOM = "\ufeff"  # by which spreadsheets know that Thai letters follow


# --- what came in --------------------------------------------------------------------------------


@bp.get(_MONEY)
@only(*HOSTS)
def money_page(slug: str) -> ResponseReturnValue:
    community = the_community()
    today = village_day(utc_now(), community.zone)
    month = _month(today)
    page = _page()
    shown = list_payments(db.session(), community, month, (page - 1) * _ON_A_PAGE, _ON_A_PAGE)
    summed = get_month(db.session(), community, month)
    books = balances(db.session(), community.book_id)
    return render_template(
        "host/money.html",
        community=community,
        month=month,
        earlier=month_before(month),
        later=next_month(month) if next_month(month) <= today else None,
        summed=summed,
        by_day=_by_day(shown, community.zone),
        page=page,
        pages=-(-summed.whole.payments // _ON_A_PAGE),
        lies=[
            (code, amount)
            for code, amount in books.items()
            if code.startswith("payment:") or (code in _PASSING and amount)
        ],
        owed=[(code, books.get(code, 0)) for code in (chart.GUEST_DEPOSIT, chart.GUEST_CREDIT)],
        to_agree=list_waiting_proposals(db.session(), community.id),
        findings=count_waiting(db.session(), community.id, today),
        to_do=sum(work.count_open_kinds(db.session(), community.id).values()),
    )


def _page() -> int:
    return max(1, whole(request.args.get("page")) or 1)


def _month(today: date) -> date:
    try:
        return month_of(request.args.get("month", ""))
    except ValueError:
        return today.replace(day=1)


def _by_day(shown: Iterable[PaymentCard], zone: str) -> dict[date, list[PaymentCard]]:
    days: dict[date, list[PaymentCard]] = {}
    for each in shown:
        days.setdefault(village_day(each.paid_at, zone), []).append(each)
    return days


@bp.get(f"{_MONEY}/money-in.csv")
@only(*HOSTS)
def money_file(slug: str) -> ResponseReturnValue:
    """A month's payments for a spreadsheet: numbers plain, texts so that none is taken for a formula."""
    community = the_community()
    month = _month(village_day(utc_now(), community.zone))
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(
        [
            *(_("Receipt"), _("Day"), _("Hour"), _("Booking"), _("Way"), _("Service")),
            *(_("Paid"), _("Fee"), _("VAT in the fee"), _("Left"), _("Payment's number")),
        ]
    )
    for each in stream_payments(db.session(), community, month):
        at = to_village(each.paid_at, community.zone)
        rows.writerow(
            [
                each.receipt_number,
                at.date().isoformat(),
                at.strftime("%H:%M"),
                safe_cell(each.reference),
                safe_cell(label(each.method)),
                safe_cell(provider_words(each.provider)),
                *map(_baht, (each.amount_satang, each.fee_satang)),
                *map(_baht, (each.vat_satang, each.net_satang)),
                safe_cell(each.payment_id),
            ]
        )
    name = f"money-in-{community.slug}-{month:%Y-%m}.csv"
    return Response(
        (BOM + text.getvalue()).encode(),
        mimetype="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _baht(satang: int | None) -> str:
    return "" if satang is None else f"{to_baht(satang):.2f}"


# --- payouts -------------------------------------------------------------------------------------


@bp.get(f"{_MONEY}/payouts")
@only(*HOSTS)
def payout_list(slug: str) -> ResponseReturnValue:
    community = the_community()
    pages = max(1, -(-count_payouts(db.session(), community.id) // _ON_A_PAGE))
    page = min(_page(), pages)
    found = list_payouts(db.session(), community.id, _ON_A_PAGE, (page - 1) * _ON_A_PAGE)
    names = [f"payout:{each.id}" for each in found]
    return render_template(
        "host/money_payouts.html",
        community=community,
        payouts=found,
        seen=list_lines_of(db.session(), community.id, names),
        page=page,
        pages=pages,
    )


# --- what a person must look at ------------------------------------------------------------------


@bp.get(_WORK)
@only(*HOSTS)
def work_list(slug: str) -> ResponseReturnValue:
    return _show_work()


@bp.post(f"{_WORK}/<int:item_id>")
@only(Role.TREASURER)
def close_work(slug: str, item_id: int) -> ResponseReturnValue:
    note = request.form.get("note", "")[:500]
    now = utc_now()
    try:
        work.close_work(the_community().id, item_id, note, the_reader().person_id, now)
    except (NoteMissing, NotByNote) as error:
        return _show_work(item_id, message_for(error)), error.status
    return redirect(url_for("host.work_list", slug=slug), code=303)


@bp.post(f"{_WORK}/<int:item_id>/again")
@only(*HOSTS)
def try_event_again(slug: str, item_id: int) -> ResponseReturnValue:
    """A payment service's message that was given up is worked off once more."""
    community = the_community()
    cards = work.list_open_work(db.session(), community.id, without=[WorkKind.STATEMENT_LINE])
    key = next((each.key for each in cards if each.id == item_id), "")
    event_id = whole(key.removeprefix("event:")) if key.startswith("event:") else None
    if event_id is None:
        raise Invalid
    providers = current_app.extensions["providers"]
    if not inbox.try_again(community.id, event_id, providers, utc_now()):
        return _show_work(item_id, _("It could not be worked off this time either.")), 409
    return redirect(url_for("host.work_list", slug=slug), code=303)


@bp.post(f"{_MONEY}/suspense/<int:transaction_id>")
@only(Role.TREASURER)
def clear_suspense(slug: str, transaction_id: int) -> ResponseReturnValue:
    how, proof = request.form.get("how", ""), request.form.get("proof", "")[:200]
    if how not in list(Clearing):
        problem = _("Please choose what was done with the money.")
        return _show_work(problem=problem, transaction_id=transaction_id, proof=proof), 422
    community = the_community()
    person_id = the_reader().person_id
    try:
        clear(community.id, transaction_id, Clearing(how), proof, person_id, utc_now())
    except (NoteMissing, FundTooLow) as error:
        problem = message_for(error)
        return _show_work(
            problem=problem, transaction_id=transaction_id, proof=proof, how=how
        ), error.status
    return redirect(url_for("host.work_list", slug=slug), code=303)


def _show_work(
    item_id: int | None = None,
    problem: str = "",
    *,
    transaction_id: int | None = None,
    proof: str = "",
    how: str = "",
) -> str:
    community = the_community()
    counts = work.count_open_kinds(db.session(), community.id)
    cards = work.list_open_work(db.session(), community.id, without=[WorkKind.STATEMENT_LINE])
    return render_template(
        "host/money_work.html",
        community=community,
        cards=cards,
        lines=counts.get(WorkKind.STATEMENT_LINE, 0),
        words=work_words,
        place=lambda card: work_place(card, community.slug),
        can_be_noted=lambda card: can_be_noted(card.kind, card.facts),
        may_close=_is_treasurer(),
        problem=problem,
        item_id=item_id or _item_of(cards, transaction_id),
        typed=request.form.get("note", ""),
        proof=proof,
        how=how,
        ways=list(Clearing),
        action=Form(formdata=None),
    )


def _item_of(cards: Iterable[WorkCard], transaction_id: int | None) -> int | None:
    """The item that a movement which nothing explains is on."""
    if transaction_id is None:
        return None
    return next(
        (each.id for each in cards if each.facts.get("transaction") == transaction_id), None
    )


def _is_treasurer() -> bool:
    return is_allowed(the_reader(), {Role.TREASURER}, the_community().id)
