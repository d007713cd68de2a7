"""Cancelling: quoted to the satang, agreed to, done. And the choice after the community called off."""

from datetime import datetime

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from cbt.bookings.states import BookingState, EndReason
from cbt.bookings.terms import RefundQuote
from cbt.clock import utc_now
from cbt.db import db
from cbt.errors import BookingChanged, DepartureGone, PreviewOutdated, Refused
from cbt.i18n import _
from cbt.payments import cancel as cancelling
from cbt.payments import queries
from cbt.payments.call_off import CHOOSE_WITHIN
from cbt.payments.cancel import CancelQuote
from cbt.web.access import by_link, the_booking
from cbt.web.errors import message_for
from cbt.web.guest.base import bp, common, refuse, reload_booking
from cbt.web.guest.forms import AgreedCancelForm, numbers
from cbt.web.labels import label
from cbt.web.layout import LANG
from cbt.web.stages import dated

_CANCELLABLE = (
    BookingState.REQUESTED,
    BookingState.HELD,
    BookingState.CONFIRMED,
    BookingState.CHOOSING,
)


@bp.get(f"/{LANG}/b/<token>/cancel")
@by_link
def cancel(token: str) -> ResponseReturnValue:
    if the_booking().state not in _CANCELLABLE:
        return redirect(url_for("guest.booking", token=token), code=303)
    return show_quote(token)


@bp.post(f"/{LANG}/b/<token>/cancel")
@by_link
def make_cancellation(token: str) -> ResponseReturnValue:
    form = AgreedCancelForm()
    try:
        agreed = _read_agreed(form)
        as_credit = form.back_as.data == "credit"
        cancelling.cancel(the_booking().reference, agreed, utc_now(), as_credit=as_credit)
    except (BookingChanged, PreviewOutdated) as error:
        reload_booking()
        return show_quote(token, error, form.back_as.data, status=409)
    except DepartureGone:
        return _refuse_begun()
    return redirect(url_for("guest.booking", token=token), code=303)


def _read_agreed(form: AgreedCancelForm) -> CancelQuote:
    """What the guest saw; figures that are no figures are outdated ones."""
    if not form.validate():
        raise PreviewOutdated
    shown = numbers(form)
    paid, refund = shown["paid_satang"], shown["refund_satang"]
    return CancelQuote(paid, RefundQuote(refund, paid - refund, 0, None), shown["version"])


def show_quote(
    token: str,
    problem: Refused | None = None,
    back_as: str | None = None,
    *,
    status: int = 200,
) -> ResponseReturnValue:
    """What cancelling gives back now; after a call-off, the three ways that the guest has."""
    now = utc_now()
    try:
        quoted = cancelling.quote_cancellation(the_booking().reference, now)
    except DepartureGone:
        return _refuse_begun()
    shown = the_booking()
    called_off = shown.state == BookingState.CHOOSING
    page = render_template(
        "guest/choosing.html" if called_off else "guest/cancel.html",
        quote=quoted,
        form=_agreed_form(quoted, back_as),
        until=_until(quoted, now),
        captures=queries.list_captures(db.session(), [shown.id]) if called_off else [],
        stages=dated(shown.cancellation_terms, shown.counts_from, now),
        why=_why(),
        problem=problem_words(problem) if problem else "",
        **common(token),
    )
    return page, status


def _agreed_form(quoted: CancelQuote, back_as: str | None) -> AgreedCancelForm:
    return AgreedCancelForm(
        formdata=None,
        paid_satang=quoted.paid_satang,
        refund_satang=quoted.refund.refund_satang,
        version=quoted.version,
        back_as="credit" if back_as == "credit" else "money",
    )


def _until(quoted: CancelQuote, now: datetime) -> datetime | None:
    """How long the quote holds."""
    ended_at = the_booking().ended_at
    if the_booking().state == BookingState.CHOOSING and ended_at:
        return ended_at + CHOOSE_WITHIN
    until = quoted.refund.until
    return until if quoted.paid_satang and until and until > now else None


def problem_words(problem: Refused) -> str:
    """Why a quote is shown again instead of being carried out."""
    if isinstance(problem, PreviewOutdated):
        return _("The figures have changed since you looked. Please read them again and confirm.")
    return message_for(problem)


def _refuse_begun() -> ResponseReturnValue:
    return refuse(_("The trip has begun, so it can no longer be cancelled here."))


def _why() -> str:
    """Why the booking ended, in words."""
    reason = the_booking().ended_for
    return label(EndReason(reason)) if reason else ""


# --- after the end -------------------------------------------------------------------------------


def show_ended(token: str) -> ResponseReturnValue:
    """A booking that was cancelled or declined, and what became of its money."""
    booking_id = the_booking().id
    return render_template(
        "guest/ended.html",
        captures=queries.list_captures(db.session(), [booking_id]),
        refunds=queries.list_refunds(db.session(), booking_id),
        credits=queries.list_credits_of(db.session(), booking_id),
        why=_why(),
        **common(token),
    )
