"""A dispute: what the guest's bank took back, what it is told, and whose shares wait meanwhile."""

from typing import Any

from flask import current_app, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from wtforms import TextAreaField
from wtforms.validators import Length

from cbt.clock import utc_now
from cbt.db import db
from cbt.errors import ProviderDown
from cbt.i18n import _l
from cbt.payments import disputes
from cbt.payments.disputes import DisputeCard
from cbt.payments.provider import DisputeState, Providers
from cbt.people.queries import list_names
from cbt.revenue.disputed import frozen_shares
from cbt.web.access import only, the_community, the_reader
from cbt.web.errors import message_for
from cbt.web.forms import TOO_LONG, Form, trim, typed
from cbt.web.host.views import HOSTS, bp
from cbt.web.layout import LANG

_AT = f"/{LANG}/host/<slug>/money/disputes/<int:dispute_id>"
_MOST_WORDS = 5_000

_FIELDS: dict[str, Any] = {
    "product_description": _l("What was sold"),
    "customer_name": _l("The guest's name"),
    "customer_email_address": _l("The guest's e-mail"),
    "service_date": _l("Day of the trip"),
    "cancellation_policy_disclosure": _l("Cancellation terms, as the guest saw them"),
    "refund_policy_disclosure": _l("Refund terms, as the guest saw them"),
    "refund_refusal_explanation": _l("What was cancelled and returned"),
    "access_activity_log": _l("Check-in on arrival"),
    "uncategorized_text": _l("Payment, mails and the rest"),
}


_REASONS: dict[str, Any] = {
    "fraudulent": _l("The guest says that somebody else paid"),
    "unrecognized": _l("The guest does not recognise the payment"),
    "product_not_received": _l("The guest says that the trip did not take place"),
    "product_unacceptable": _l("The guest says that the trip was not what was sold"),
    "credit_not_processed": _l("The guest says that a refund is missing"),
    "duplicate": _l("The guest says that it was paid twice"),
    "subscription_canceled": _l("The guest says that it had been cancelled"),
    "general": _l("No reason is given"),
}
"""The reasons that banks give, by Stripe's words for them; another is shown as it comes."""


class EvidenceForm(Form):
    words = TextAreaField(
        _l("In your own words"), [Length(max=_MOST_WORDS, message=TOO_LONG)], filters=[trim]
    )


@bp.get(_AT)
@only(*HOSTS)
def dispute(slug: str, dispute_id: int) -> ResponseReturnValue:
    return _show(dispute_id, EvidenceForm(formdata=None), "")


@bp.post(f"{_AT}/evidence")
@only(*HOSTS)
def send_evidence(slug: str, dispute_id: int) -> ResponseReturnValue:
    form = EvidenceForm()
    if not form.validate():
        return _show(dispute_id, form, ""), 422
    try:
        disputes.submit_evidence(
            the_community().id,
            dispute_id,
            typed(form.words),
            current_app.extensions["providers"],
            the_reader().person_id,
            utc_now(),
        )
    except ProviderDown as error:  # what was typed must not be lost
        return _show(dispute_id, form, message_for(error)), error.status
    return redirect(url_for("host.dispute", slug=slug, dispute_id=dispute_id), code=303)


def _show(dispute_id: int, form: EvidenceForm, problem: str) -> str:
    session = db.session()
    shown = disputes.get_dispute(session, the_community().id, dispute_id)
    evidence = disputes.evidence(session, dispute_id)
    return render_template(
        "host/dispute.html",
        community=the_community(),
        dispute=shown,
        evidence=_named(evidence),
        reason=_REASONS.get(shown.reason, shown.reason),
        shares=frozen_shares(session, shown),
        sender=_sender(shown),
        may_send=_may_send(shown),
        form=form,
        problem=problem,
        now=utc_now(),
    )


def _named(evidence: dict[str, str]) -> list[tuple[str, str]]:
    """The texts under their names; one that is sent in two fields stands once, under both names."""
    names: dict[str, list[str]] = {}
    for field, text in evidence.items():
        names.setdefault(text, []).append(str(_FIELDS[field]))
    return [(" · ".join(each), text) for text, each in names.items()]


def _may_send(shown: DisputeCard) -> bool:
    providers: Providers = current_app.extensions["providers"]
    provider = providers.get(shown.provider)
    is_waiting = shown.state == DisputeState.OPEN and shown.submitted_at is None
    return is_waiting and provider is not None and provider.capabilities.tells_us


def _sender(shown: DisputeCard) -> str:
    if shown.submitted_by is None:
        return ""
    return list_names(db.session(), [shown.submitted_by]).get(shown.submitted_by, "")
