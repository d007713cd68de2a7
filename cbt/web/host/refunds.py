"""Money that goes back: what waits for approval, what is on its way, what a person must transfer."""

from flask import current_app, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from cbt.clock import utc_now
from cbt.db import db
from cbt.errors import BalanceTooLow, DisputeOpen
from cbt.i18n import _, format_baht
from cbt.payments import give_back, queries
from cbt.payments.box import get_box
from cbt.payments.disputes import list_disputes
from cbt.payments.provider import Providers, RefundReason, RefundState
from cbt.payments.records import RefundCard
from cbt.people.queries import list_names
from cbt.web.access import only, the_community, the_reader
from cbt.web.errors import message_for
from cbt.web.forms import Form, add_error, typed
from cbt.web.host.forms import RefundForm
from cbt.web.host.views import HOSTS, bp
from cbt.web.layout import LANG

_AT = f"/{LANG}/host/<slug>/money/refunds"
_LATEST = 20
_ON_THEIR_WAY = (RefundState.SENT, RefundState.ACTION_REQUIRED)


@bp.get(_AT)
@only(*HOSTS)
def refund_list(slug: str) -> ResponseReturnValue:
    return _show(None, None)


@bp.post(f"{_AT}/<int:refund_id>/approve")
@only(*HOSTS)
def approve_refund(slug: str, refund_id: int) -> ResponseReturnValue:
    give_back.approve_refund(the_community().id, refund_id, the_reader().person_id, utc_now())
    return redirect(url_for("host.refund_list", slug=slug), code=303)


@bp.post(f"{_AT}/<int:refund_id>/refuse")
@only(*HOSTS)
def refuse_refund(slug: str, refund_id: int) -> ResponseReturnValue:
    give_back.cancel_refund(the_community().id, refund_id, the_reader().person_id)
    return redirect(url_for("host.refund_list", slug=slug), code=303)


@bp.post(f"{_AT}/<int:refund_id>/made")
@only(*HOSTS)
def note_refund(slug: str, refund_id: int) -> ResponseReturnValue:
    form = RefundForm()
    if not form.validate():
        return _show(form, refund_id), 422
    try:
        give_back.note_refund_made(
            the_community().id,
            refund_id,
            typed(form.proof),
            the_reader().person_id,
            current_app.extensions["providers"],
            utc_now(),
            typed(form.paid_from),
        )
    except DisputeOpen as error:
        add_error(form.proof, message_for(error))
        return _show(form, refund_id), error.status
    except BalanceTooLow as error:  # of the accounts that it can leave, the box alone may refuse
        holds = get_box(db.session(), the_community()).holds_satang
        words = _("The box holds only %(amount)s.", amount=format_baht(holds))
        add_error(form.proof, words)
        return _show(form, refund_id), error.status
    return redirect(url_for("host.refund_list", slug=slug), code=303)


def _show(form: RefundForm | None, form_for: int | None) -> str:
    community = the_community()
    session = db.session()
    waiting = queries.list_refunds_to_make(session, community.id)
    done = queries.list_refunds_done(session, community.id, _LATEST)
    by_hand = [each for each in waiting if _is_by_hand(each)]
    return render_template(
        "host/refunds.html",
        community=community,
        to_approve=[each for each in waiting if each.state == RefundState.REQUESTED],
        by_hand=by_hand,
        on_their_way=[
            each for each in waiting if each not in by_hand and each.state != RefundState.REQUESTED
        ],
        done=done,
        disputes=list_disputes(session, community.id, _LATEST),
        has_cash_box="cash" in give_back.list_by_hand_from(session, community.id),
        names=_names([*waiting, *done]),
        reader_id=the_reader().person_id,
        goodwill=RefundReason.GOODWILL,
        form=form or RefundForm(formdata=None),
        form_for=form_for,
        action=Form(formdata=None),
        now=utc_now(),
    )


def _is_by_hand(refund: RefundCard) -> bool:
    """Whether a person transfers it: where the provider failed, or returns nothing by itself."""
    if refund.state != RefundState.APPROVED:
        return refund.state == RefundState.FAILED
    providers: Providers = current_app.extensions["providers"]
    provider = providers.get(refund.provider)
    return provider is None or not provider.capabilities.refunds_itself


def _names(refunds: list[RefundCard]) -> dict[str, str]:
    """{"person:7": name} of everybody who asked for, approved, made or refused some refunds."""
    ids = {each.requested_by for each in refunds} | {each.approved_by for each in refunds}
    done = [each.done_by or "" for each in refunds]
    ids |= {int(each.partition(":")[2]) for each in done if each.startswith("person:")}
    found = list_names(db.session(), [each for each in ids if each])
    return {f"person:{person_id}": name for person_id, name in found.items()}
