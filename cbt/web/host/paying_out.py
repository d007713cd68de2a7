"""Paying households: how each is paid, planning a batch, a second person's word, and what became of it."""

from collections.abc import Sequence
from datetime import date

from flask import Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cbt.clock import utc_now, village_day
from cbt.communities.queries import list_register
from cbt.db import db
from cbt.errors import (
    AmountInvalid,
    BalanceTooLow,
    BatchOpen,
    CbtError,
    NoteMissing,
    NotFound,
    NothingToExport,
    NothingToPay,
    PayeeInvalid,
    PayoutDayInvalid,
    PreviewOutdated,
    ReferenceUsed,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.i18n import _, pick
from cbt.payments.promptpay import IdKind, Receiver, payload
from cbt.people.queries import list_names
from cbt.people.roles import Role, is_allowed
from cbt.revenue import pay_out, payout_queries
from cbt.revenue.paying_out import (
    LEAST_SATANG,
    BatchState,
    ExportKind,
    LineState,
    PayeeKind,
    Why,
    end_to_end,
)
from cbt.revenue.payout_files import (
    FileHead,
    FileLine,
    can_carry,
    write_csv,
    write_krungthai,
    write_pain,
    write_xlsx,
)
from cbt.revenue.payout_models import PayoutBatch, PayoutLine
from cbt.revenue.payout_queries import BatchCard, LineCard
from cbt.web.access import only, the_community, the_reader
from cbt.web.errors import message_for
from cbt.web.forms import Form, add_error, typed, whole
from cbt.web.host.forms import the_day
from cbt.web.host.views import HOSTS, bp
from cbt.web.labels import label
from cbt.web.layout import LANG
from cbt.web.money_fields import NOT_AN_AMOUNT, the_amount
from cbt.web.payout_forms import (
    BackForm,
    FileForm,
    LeastForm,
    PaidForm,
    PayeeForm,
    StopForm,
    bank_words,
)
from cbt.web.qr import draw

_AT = f"/{LANG}/host/<slug>/money/batches"
_ONE = f"{_AT}/<int:number>"
_LINE = f"{_ONE}/lines/<int:line_id>"
_PAYEES = f"/{LANG}/host/<slug>/money/payees"
_ON_A_PAGE = 20
_TYPES = {
    ExportKind.CSV: ("csv", "text/csv"),
    ExportKind.XLSX: ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ExportKind.KRUNGTHAI: ("txt", "text/plain; charset=tis-620"),
    ExportKind.PAIN001: ("xml", "application/xml"),
}


# --- planning ------------------------------------------------------------------------------------


@bp.get(_AT)
@only(*HOSTS)
def batch_list(slug: str) -> ResponseReturnValue:
    """Batches, and who would be paid what now; `?least=` tries another least amount."""
    form = LeastForm(request.args, meta={"csrf": False}) if "least" in request.args else None
    if form is not None and not form.validate():
        return _show_batches(form), 422
    return _show_batches(form)


@bp.post(_AT)
@only(*HOSTS)
def draft_batch(slug: str) -> ResponseReturnValue:
    form = LeastForm()
    if not form.validate():
        return _show_batches(form), 422
    try:
        number = pay_out.draft_batch(
            the_community().id, the_amount(form.least), the_reader().person_id, utc_now()
        )
    except AmountInvalid as error:
        add_error(form.least, str(NOT_AN_AMOUNT))
        return _show_batches(form), error.status
    except (BatchOpen, NothingToPay) as error:
        return _show_batches(form, message_for(error)), error.status
    return redirect(url_for("host.batch", slug=slug, number=number), code=303)


def _show_batches(form: LeastForm | None = None, problem: str = "") -> str:
    session, community = db.session(), the_community()
    least = form.least.data if form is not None and form.least.data else LEAST_SATANG
    standings = payout_queries.list_standings(session, community.id, community.book_id)
    before = whole(request.args.get("before"))
    batches = payout_queries.list_batches(session, community.id, _ON_A_PAGE + 1, before)
    plan = pay_out.plan_now(session, community.id, community.book_id, least)
    payees = payout_queries.list_payees(session, community.id)
    return render_template(
        "host/payout_batches.html",
        community=community,
        form=form or LeastForm(formdata=None, least=LEAST_SATANG),
        problem=problem,
        plan=plan,
        standings={each.household: each for each in standings},
        left_out=[each for each in plan.left_out if each[1] != Why.NOTHING],
        household_names=_household_names(),
        unnamed=[
            each.household
            for each in plan.lines
            if not any(payee.state == "agreed" for payee in payees.get(each.household, []))
        ],
        drafted=payout_queries.find_drafted(session, community.id),
        batches=batches[:_ON_A_PAGE],
        older=batches[_ON_A_PAGE - 1].number if len(batches) > _ON_A_PAGE else None,
        states=BatchState,
    )


def _household_names() -> dict[str, str]:
    return {each.code: pick(each.name) for each in list_register(db.session(), the_community().id)}


# --- a batch -------------------------------------------------------------------------------------


@bp.get(_ONE)
@only(*HOSTS)
def batch(slug: str, number: int) -> ResponseReturnValue:
    return _show_batch(number)


@bp.post(f"{_ONE}/approve")
@only(*HOSTS)
def approve_batch(slug: str, number: int) -> ResponseReturnValue:
    """The total that this person saw is sent along; another one by now is refused."""
    typed_total = request.form.get("total_satang", "")
    is_total = typed_total.isascii() and typed_total.isdigit() and len(typed_total) < 16
    total = int(typed_total) if is_total else 0
    person_id = the_reader().person_id
    try:
        pay_out.approve_batch(the_community().id, number, total, person_id, utc_now())
    except PreviewOutdated as error:
        problem = _(
            "What households earned, owe or what is held back changed since it was planned. Please"
            " give this batch up and plan it again."
        )
        return _show_batch(number, problem), error.status
    except (SecondPersonNeeded, StateForbids) as error:
        return _show_batch(number, message_for(error)), error.status
    return redirect(url_for("host.batch", slug=slug, number=number), code=303)


@bp.post(f"{_ONE}/withdraw")
@only(*HOSTS)
def withdraw_batch(slug: str, number: int) -> ResponseReturnValue:
    try:
        pay_out.withdraw_batch(the_community().id, number, the_reader().person_id, utc_now())
    except StateForbids as error:
        return _show_batch(number, message_for(error)), error.status
    return redirect(url_for("host.batch_list", slug=slug), code=303)


@bp.get(f"{_ONE}/sheet")
@only(*HOSTS)
def payout_sheet(slug: str, number: int) -> ResponseReturnValue:
    """What is still to be paid, on paper: each with its code to scan and a line to sign."""
    found = _batch(number)
    lines = [each for each in _lines(found) if each.state == LineState.ORDERED]
    return render_template(
        "host/payout_sheet.html",
        community=the_community(),
        batch=found,
        lines=lines,
        codes={each.id: _code_of(each) for each in lines},
        reference=_reference,
        bank_words=bank_words,
        kinds=PayeeKind,
        now=utc_now(),
    )


def _show_batch(number: int, problem: str = "", files: FileForm | None = None) -> str:
    session, found = db.session(), _batch(number)
    exports = payout_queries.list_exports(session, found.id)
    people = [found.drafted_by, *([found.decided_by] if found.decided_by else [])]
    people += [by for _kind, by, _at in exports]
    lines = _lines(found)
    return render_template(
        "host/payout_batch.html",
        community=the_community(),
        batch=found,
        lines=lines,
        recovered_satang=sum(each.recovered_satang for each in lines),
        own_id=the_reader().person_id,
        names=list_names(session, sorted(set(people))),
        exports=[(ExportKind(kind), by, at) for kind, by, at in exports],
        files=files or FileForm(formdata=None, pay_on=_today()),
        kinds=list(ExportKind),
        states=BatchState,
        line_states=LineState,
        payee_kinds=PayeeKind,
        bank_words=bank_words,
        problem=problem,
    )


def _batch(number: int) -> BatchCard:
    return payout_queries.get_batch(db.session(), the_community().id, number)


def _lines(found: BatchCard) -> list[LineCard]:
    return payout_queries.list_lines(db.session(), PayoutLine.batch_id == found.id)


def _today() -> date:
    return village_day(utc_now(), the_community().zone)


def _reference(line: LineCard) -> str:
    return end_to_end(the_community().slug, line.id)


def _code_of(line: LineCard) -> str | None:
    """The drawing that a bank's app scans, with the amount in it; None where there is none."""
    if line.kind not in (PayeeKind.PHONE, PayeeKind.TAX_ID, PayeeKind.EWALLET):
        return None
    receiver = Receiver(IdKind(line.kind), line.number or "")
    return draw(payload(receiver, line.amount_satang))


# --- files ---------------------------------------------------------------------------------------


@bp.post(f"{_ONE}/files")
@only(*HOSTS)
def payout_file(slug: str, number: int) -> ResponseReturnValue:
    """A file of an approved batch. Who took it is written down; every one but the first is a copy."""
    form, asked = FileForm(), request.form.get("kind", "")
    if not form.validate() or asked not in set(ExportKind):
        return _show_batch(number, files=form), 422
    kind, found = ExportKind(asked), _batch(number)
    if not _is_told(form, kind):
        return _show_batch(number, files=form), 422
    lines = [each for each in map(_file_line, _lines(found)) if can_carry(kind, each)]
    if kind in (ExportKind.KRUNGTHAI, ExportKind.PAIN001):
        to_pay = label(LineState.ORDERED)
        lines = [each for each in lines if each.state == to_pay]
    try:
        if not lines:
            raise NothingToExport
        copy = pay_out.note_export(
            the_community().id, number, kind, the_reader().person_id, utc_now()
        )
    except (NothingToExport, StateForbids) as error:
        return _show_batch(number, message_for(error), form), error.status
    head = FileHead(
        community=pick(the_community().name),
        batch=f"{the_community().slug[:20].upper()}-B{number}",
        copy=copy,
        pay_on=the_day(form.pay_on),
        made_at=utc_now(),
        company_id=typed(form.company_id),
        bank=form.bank.data,
        account=typed(form.account),
    )
    return _send(head, kind, _write(head, kind, lines))


def _is_told(form: FileForm, kind: ExportKind) -> bool:
    """Whether a bank's file has what it must say of the payer; what is missing is marked."""
    if kind in (ExportKind.CSV, ExportKind.XLSX):
        return True
    account = typed(form.account)
    most = 11 if kind == ExportKind.KRUNGTHAI else 15
    if not (account.isascii() and account.isdigit() and 10 <= len(account) <= most):
        add_error(form.account, _("Please enter the account's digits."))
    if kind == ExportKind.KRUNGTHAI and not typed(form.company_id):
        add_error(form.company_id, _("Please fill this in."))
    return not form.errors and not form.account.errors and not form.company_id.errors


def _file_line(line: LineCard) -> FileLine:
    kind = PayeeKind(line.kind or PayeeKind.CASH)
    return FileLine(
        reference=_reference(line),
        household=line.household,
        household_name=pick(line.household_name),
        holder=line.holder or pick(line.household_name),
        kind=kind,
        way=label(kind),
        bank=line.bank or "",
        number=line.number or "",
        amount_satang=line.amount_satang,
        recovered_satang=line.recovered_satang,
        state=label(LineState(line.state)),
    )


def _write(head: FileHead, kind: ExportKind, lines: Sequence[FileLine]) -> bytes:
    if kind == ExportKind.KRUNGTHAI:
        return write_krungthai(head, lines)
    if kind == ExportKind.PAIN001:
        return write_pain(head, lines)
    headings = [
        *(_("Reference"), _("Code"), _("Household"), _("Payee"), _("How it is paid"), _("Bank")),
        *(_("Number"), _("Paid out"), _("Into its debt"), _("Withholding tax"), _("State")),
        _("Copy"),
    ]
    return (write_csv if kind == ExportKind.CSV else write_xlsx)(head, headings, lines)


def _send(head: FileHead, kind: ExportKind, content: bytes) -> Response:
    ending, mimetype = _TYPES[kind]
    mark = f"-copy-{head.copy}" if head.copy > 1 else ""
    name = f"{head.batch.lower()}{mark}.{ending}"
    answer = Response(content, content_type=mimetype)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


# --- a line --------------------------------------------------------------------------------------


@bp.get(_LINE)
@only(*HOSTS)
def payout_line(slug: str, number: int, line_id: int) -> ResponseReturnValue:
    return _show_line(number, line_id)


@bp.post(f"{_LINE}/paid")
@only(*HOSTS)
def note_payout(slug: str, number: int, line_id: int) -> ResponseReturnValue:
    form = PaidForm()
    if not form.validate():
        return _show_line(number, line_id, paid=form), 422
    _line(number, line_id)
    try:
        pay_out.note_paid(
            the_community().id,
            line_id,
            form.paid_from.data,
            typed(form.bank_reference) if form.paid_from.data != "cash" else "",
            the_day(form.on),
            the_reader().person_id,
            utc_now(),
        )
    except (NoteMissing, ReferenceUsed) as error:
        missing = isinstance(error, NoteMissing)
        words = _("Please enter the bank's reference.") if missing else message_for(error)
        add_error(form.bank_reference, words)
        return _show_line(number, line_id, paid=form), error.status
    except PayoutDayInvalid as error:
        add_error(form.on, message_for(error))
        return _show_line(number, line_id, paid=form), error.status
    except (BalanceTooLow, StateForbids) as error:
        return _show_line(number, line_id, _too_little(error), paid=form), error.status
    return redirect(url_for("host.batch", slug=slug, number=number, _anchor="lines"), code=303)


def _too_little(error: CbtError) -> str:
    if isinstance(error, BalanceTooLow):
        return _("By the books there is less money than that. Nothing was written down.")
    return message_for(error)


@bp.post(f"{_LINE}/stop")
@only(*HOSTS)
def stop_payout(slug: str, number: int, line_id: int) -> ResponseReturnValue:
    form = StopForm()
    if not form.validate():
        return _show_line(number, line_id, stop=form), 422
    _line(number, line_id)
    person_id = the_reader().person_id
    try:
        pay_out.stop_line(the_community().id, line_id, typed(form.reason), person_id, utc_now())
    except NoteMissing as error:
        add_error(form.reason, message_for(error))
        return _show_line(number, line_id, stop=form), error.status
    except StateForbids as error:
        return _show_line(number, line_id, message_for(error), stop=form), error.status
    return redirect(url_for("host.batch", slug=slug, number=number, _anchor="lines"), code=303)


@bp.post(f"{_LINE}/returned")
@only(*HOSTS)
def return_payout(slug: str, number: int, line_id: int) -> ResponseReturnValue:
    form = BackForm()
    if not form.validate():
        return _show_line(number, line_id, back=form), 422
    _line(number, line_id)
    reason, on = typed(form.reason), the_day(form.back_on)
    person_id = the_reader().person_id
    try:
        pay_out.note_returned(the_community().id, line_id, reason, on, person_id, utc_now())
    except NoteMissing as error:
        add_error(form.reason, message_for(error))
        return _show_line(number, line_id, back=form), error.status
    except PayoutDayInvalid as error:
        add_error(form.back_on, message_for(error))
        return _show_line(number, line_id, back=form), error.status
    except StateForbids as error:
        return _show_line(number, line_id, message_for(error), back=form), error.status
    return redirect(url_for("host.batch", slug=slug, number=number, _anchor="lines"), code=303)


def _line(number: int, line_id: int) -> LineCard:
    """A line of this batch of this community. Raises NotFound."""
    found = payout_queries.list_lines(
        db.session(),
        PayoutBatch.community_id == the_community().id,
        PayoutBatch.number == number,
        PayoutLine.id == line_id,
    )
    if not found:
        raise NotFound(thing="payout line")
    return found[0]


def _show_line(
    number: int,
    line_id: int,
    problem: str = "",
    *,
    paid: PaidForm | None = None,
    stop: StopForm | None = None,
    back: BackForm | None = None,
) -> str:
    line = _line(number, line_id)
    is_cash = line.is_cash
    return render_template(
        "host/payout_line.html",
        community=the_community(),
        line=line,
        reference=_reference(line),
        code=_code_of(line),
        bank_words=bank_words,
        state=LineState(line.state),
        states=LineState,
        kind=PayeeKind(line.kind or PayeeKind.CASH),
        kinds=PayeeKind,
        names=list_names(db.session(), [line.paid_by] if line.paid_by else []),
        paid=paid
        or PaidForm(formdata=None, on=_today(), paid_from="cash" if is_cash else "promptpay"),
        stop=stop or StopForm(formdata=None),
        back=back or BackForm(formdata=None, back_on=_today()),
        problem=problem,
        may_trace=is_allowed(the_reader(), (Role.TREASURER,), the_community().id)
        and line.state not in (LineState.DRAFTED, LineState.WITHDRAWN),
    )


# --- how households are paid ---------------------------------------------------------------------


@bp.get(_PAYEES)
@only(*HOSTS)
def payee_list(slug: str) -> ResponseReturnValue:
    return _show_payees()


@bp.post(_PAYEES)
@only(*HOSTS)
def name_payee(slug: str) -> ResponseReturnValue:
    form = PayeeForm()
    if not form.validate():
        return _show_payees(form), 422
    try:
        pay_out.name_payee(
            the_community().id,
            typed(form.household),
            form.kind.data,
            form.bank.data,
            typed(form.number),
            typed(form.holder),
            the_reader().person_id,
            utc_now(),
        )
    except PayeeInvalid as error:
        add_error(getattr(form, str(error.facts["field"])), message_for(error))
        return _show_payees(form), error.status
    except NotFound as error:
        add_error(form.household, _("Please choose a household."))
        return _show_payees(form), error.status
    return redirect(url_for("host.payee_list", slug=slug), code=303)


@bp.post(f"{_PAYEES}/<int:payee_id>/agree")
@only(*HOSTS)
def agree_payee(slug: str, payee_id: int) -> ResponseReturnValue:
    return _decide_payee(slug, payee_id, agree=True)


@bp.post(f"{_PAYEES}/<int:payee_id>/refuse")
@only(*HOSTS)
def refuse_payee(slug: str, payee_id: int) -> ResponseReturnValue:
    return _decide_payee(slug, payee_id, agree=False)


def _decide_payee(slug: str, payee_id: int, *, agree: bool) -> ResponseReturnValue:
    person_id = the_reader().person_id
    try:
        pay_out.agree_payee(the_community().id, payee_id, person_id, utc_now(), agree=agree)
    except (SecondPersonNeeded, StateForbids) as error:
        return _show_payees(problem=message_for(error)), error.status
    return redirect(url_for("host.payee_list", slug=slug), code=303)


def _show_payees(form: PayeeForm | None = None, problem: str = "") -> str:
    session, community = db.session(), the_community()
    form = form or PayeeForm(formdata=None)
    names = _household_names()
    form.household.choices = list(names.items())
    payees = payout_queries.list_payees(session, community.id)
    people = sorted({each.named_by for found in payees.values() for each in found})
    return render_template(
        "host/payees.html",
        community=community,
        own_id=the_reader().person_id,
        payees=payees,
        household_names=names,
        names=list_names(session, people),
        bank_words=bank_words,
        kinds=PayeeKind,
        form=form,
        action=Form(formdata=None),
        problem=problem,
    )
