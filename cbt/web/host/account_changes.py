"""Deciding where the community's money shall go, and where its people are told of it."""

from flask import current_app, redirect, url_for
from flask.typing import ResponseReturnValue

from cbt.clock import utc_now
from cbt.errors import (
    AccountChanged,
    AccountInUse,
    AccountTaken,
    ReasonMissing,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.payments import account_changes
from cbt.people.services import set_mail
from cbt.web.access import only, the_community, the_reader
from cbt.web.errors import message_for
from cbt.web.forms import add_error, typed
from cbt.web.host.accounts import show_accounts
from cbt.web.host.money_forms import MailForm, ReasonForm
from cbt.web.host.views import HOSTS, bp
from cbt.web.layout import LANG

_CHANGE = f"/{LANG}/host/<slug>/money/account-changes/<int:proposal_id>"


@bp.post(f"{_CHANGE}/approve")
@only(*HOSTS)
def approve_account(slug: str, proposal_id: int) -> ResponseReturnValue:
    try:
        account_changes.approve_change(
            the_community().id,
            proposal_id,
            the_reader().person_id,
            current_app.extensions["providers"],
            utc_now(),
        )
    except (AccountChanged, AccountInUse, AccountTaken, SecondPersonNeeded, StateForbids) as error:
        return show_accounts(problem=message_for(error)), error.status
    return _to_list(slug)


@bp.post(f"{_CHANGE}/refuse")
@only(*HOSTS)
def refuse_account(slug: str, proposal_id: int) -> ResponseReturnValue:
    form = ReasonForm()
    if not form.validate():
        return show_accounts(refused=(proposal_id, form)), 422
    about = (the_community().id, proposal_id, typed(form.reason))
    try:
        account_changes.refuse_change(*about, the_reader().person_id, utc_now())
    except ReasonMissing as error:
        add_error(form.reason, message_for(error))
        return show_accounts(refused=(proposal_id, form)), error.status
    except (SecondPersonNeeded, StateForbids) as error:
        return show_accounts(problem=message_for(error)), error.status
    return _to_list(slug)


@bp.post(f"{_CHANGE}/withdraw")
@only(*HOSTS)
def withdraw_account(slug: str, proposal_id: int) -> ResponseReturnValue:
    form = ReasonForm()
    if not form.validate():
        return show_accounts(refused=(proposal_id, form)), 422
    about = (the_community().id, proposal_id, typed(form.reason))
    try:
        account_changes.withdraw_change(*about, the_reader().person_id, utc_now())
    except StateForbids as error:
        return show_accounts(problem=message_for(error)), error.status
    return _to_list(slug)


@bp.post(f"/{LANG}/host/<slug>/money/mail")
@only(*HOSTS)
def save_mail(slug: str) -> ResponseReturnValue:
    form = MailForm()
    if not form.validate():
        return show_accounts(mail=form), 422
    set_mail(the_reader().person_id, typed(form.mail))
    return redirect(url_for("host.account_list", slug=slug, _anchor="mail"), code=303)


def _to_list(slug: str) -> ResponseReturnValue:
    return redirect(url_for("host.account_list", slug=slug), code=303)
