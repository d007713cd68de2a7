"""The ways in which the community is paid, and its limits: arranged by its treasurer, read by others."""

from contextlib import suppress
from datetime import datetime

from flask import current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cbt.clock import utc_now
from cbt.db import db
from cbt.errors import (
    AccountInUse,
    AccountTaken,
    AmountInvalid,
    Invalid,
    NotFound,
    PromptPayIdInvalid,
    ProposalWaits,
    ProviderDown,
)
from cbt.i18n import _
from cbt.payments import account_changes, accounts, queries
from cbt.payments.account_rules import ProposalState, lapses_at, takes_effect_alone_at
from cbt.payments.accounts import PROMPTPAY, TRIED_WITH_SATANG, AccountProblem
from cbt.payments.money_rules import (
    MoneyRules,
    get_money_rules,
    get_wanted_rules,
    set_money_rules,
)
from cbt.payments.promptpay import IdKind, Receiver, payload
from cbt.payments.provider import Provider, Providers
from cbt.payments.records import CASH, AccountCard, ProposalCard
from cbt.people.queries import get_mail, list_money_people, list_names
from cbt.people.roles import Role, is_allowed
from cbt.web import qr
from cbt.web.access import only, the_community, the_reader
from cbt.web.errors import message_for
from cbt.web.forms import Form, add_error
from cbt.web.host.money_forms import (
    CashForm,
    LimitsForm,
    MailForm,
    PretendedForm,
    PromptPayForm,
    ReasonForm,
    ServiceForm,
)
from cbt.web.host.views import HOSTS, bp
from cbt.web.labels import LABELS, label, receiver_words
from cbt.web.layout import LANG
from cbt.web.money_fields import the_amount

_ACCOUNTS = f"/{LANG}/host/<slug>/money/accounts"
_ACCOUNT = f"{_ACCOUNTS}/<provider>"
_LATEST = 5
AccountForm = PretendedForm | PromptPayForm | CashForm | ServiceForm


def _providers() -> Providers:
    found: Providers = current_app.extensions["providers"]
    return found


@bp.get(_ACCOUNTS)
@only(*HOSTS)
def account_list(slug: str) -> ResponseReturnValue:
    return show_accounts()


def show_accounts(
    limits: LimitsForm | None = None,
    refused: tuple[int, ReasonForm] | None = None,
    mail: MailForm | None = None,
    problem: str = "",
) -> str:
    """The page, with what was typed into one of its forms: `refused` names a proposal's."""
    community, now = the_community(), utc_now()
    waiting = queries.list_waiting_proposals(db.session(), community.id)
    decided = queries.list_decided_proposals(db.session(), community.id, _LATEST)
    return render_template(
        "host/accounts.html",
        community=community,
        accounts=queries.list_accounts(db.session(), community.id),
        changes=queries.list_last_changes(db.session(), community.id),
        offered=_providers(),
        not_yet=_not_yet(),
        receiver_words=receiver_words,
        waiting=waiting,
        decided=decided,
        names=_names([*waiting, *decided]),
        alone_at=_alone_at,
        lapses_at=lapses_at,
        now=now,
        own_id=the_reader().person_id,
        reasons={each.id: _reason_form(each.id, refused) for each in waiting},
        states=LABELS[ProposalState],
        mail=mail or _filled_mail(),
        problem_words=_problem_words,
        tried=_draw_trial,
        tried_with=TRIED_WITH_SATANG,
        can_change=_can_change(),
        rules=get_money_rules(db.session(), community.id, now),
        wanted=get_wanted_rules(db.session(), community.id),
        limits=limits or _filled_limits(),
        problem=problem,
        action=Form(formdata=None),
    )


def _names(proposals: list[ProposalCard]) -> dict[int, str]:
    ids = {each.proposed_by for each in proposals} | {each.decided_by for each in proposals}
    return list_names(db.session(), [each for each in ids if each])


def _alone_at(proposal: ProposalCard) -> datetime | None:
    """When it takes effect without a second person, where nobody else could agree."""
    people = [each.id for each in list_money_people(db.session(), proposal.community_id)]
    return takes_effect_alone_at(proposal.proposed_at, proposal.proposed_by, people)


def _reason_form(proposal_id: int, refused: tuple[int, ReasonForm] | None) -> ReasonForm:
    typed_into = refused[1] if refused and refused[0] == proposal_id else None
    form = typed_into or ReasonForm(formdata=None)
    form.reason.id = f"reason-{proposal_id}"  # several stand on one page
    return form


def _filled_mail() -> MailForm:
    form = MailForm(formdata=None)
    form.mail.data = get_mail(db.session(), the_reader().person_id)
    return form


def _can_change() -> bool:
    return is_allowed(the_reader(), (Role.TREASURER,), the_community().id)


def _not_yet() -> list[str]:
    """Ways that this installation offers and the community does not use yet."""
    community = the_community()
    used = {each.provider for each in queries.list_accounts(db.session(), community.id)}
    return [
        name
        for name, provider in _providers().items()
        if name not in used and (community.is_sample or not provider.capabilities.is_pretended)
    ]


def _problem_words(problem: str) -> str:
    """What a check found; a payment service's own word stays as it is."""
    if problem in set(AccountProblem):
        return label(AccountProblem(problem))
    return _("the payment service says: %(word)s", word=problem)


def _draw_trial(account: AccountCard) -> str:
    """A code over one baht, to see in a bank's app whose account it reaches; "" where none is drawn."""
    if account.provider != PROMPTPAY:
        return ""
    whom = Receiver(IdKind(account.receiver["kind"]), account.receiver["id"])
    try:
        return qr.draw(payload(whom, TRIED_WITH_SATANG))
    except PromptPayIdInvalid:
        return ""


# --- one way to be paid --------------------------------------------------------------------------


@bp.get(_ACCOUNT)
@only(Role.TREASURER)
def account(slug: str, provider: str) -> ResponseReturnValue:
    """Its receiver and name, to be added or changed."""
    form = _form_for(_offered(provider), blank=True)
    known = _find(provider)
    if known:
        form.fill(known.receiver, known.receiver_name)
    else:
        form.fill({}, the_community().name)
    return _show_account(provider, form)


@bp.post(_ACCOUNT)
@only(Role.TREASURER)
def save_account(slug: str, provider: str) -> ResponseReturnValue:
    offered = _offered(provider)
    form = _form_for(offered)
    if not form.validate():
        return _show_account(provider, form), 422
    about = (the_community().id, offered, form.receiver, form.name)
    try:
        if _find(provider):
            is_done = account_changes.change_account(*about, the_reader().person_id, utc_now())
        else:
            is_done = account_changes.open_account(*about, the_reader().person_id, utc_now())
    except PromptPayIdInvalid as error:
        assert isinstance(form, PromptPayForm)
        add_error(form.number, message_for(error))
        return _show_account(provider, form), error.status
    except (AccountInUse, AccountTaken) as error:
        assert isinstance(form, ServiceForm)
        add_error(form.account, message_for(error))
        return _show_account(provider, form), error.status
    except ProposalWaits as error:
        return _show_account(provider, form, message_for(error)), error.status
    if not is_done:
        return redirect(url_for("host.account_list", slug=slug, _anchor="waiting"), code=303)
    with suppress(ProviderDown):  # saved it is; the page says that it was not tried yet
        accounts.check_account(the_community().id, provider, _providers(), utc_now())
    return _to_list(slug, provider)


def _offered(provider: str) -> Provider:
    """Raises NotFound for what this installation or this kind of community does not offer."""
    found = _providers().get(provider)
    if found is None or (found.capabilities.is_pretended and not the_community().is_sample):
        raise NotFound(thing="provider")
    return found


def _find(provider: str) -> AccountCard | None:
    known = queries.list_accounts(db.session(), the_community().id)
    return next((each for each in known if each.provider == provider), None)


def _form_for(provider: Provider, *, blank: bool = False) -> AccountForm:
    kinds: dict[str, type[AccountForm]] = {PROMPTPAY: PromptPayForm, CASH: CashForm}
    usual = ServiceForm if provider.capabilities.tells_us else PretendedForm
    kind = kinds.get(provider.name, usual)
    return kind(formdata=None) if blank else kind()


def _show_account(provider: str, form: AccountForm, problem: str = "") -> str:
    community = the_community()
    return render_template(
        "host/account.html",
        community=community,
        provider=provider,
        form=form,
        is_new=_find(provider) is None,
        problem=problem,
        needs_second=not account_changes.stays_here(_offered(provider)),
        open_attempts=queries.list_open_attempts(db.session(), community.id, provider, utc_now()),
    )


@bp.post(f"{_ACCOUNT}/do")
@only(Role.TREASURER)
def arrange_account(slug: str, provider: str) -> ResponseReturnValue:
    """Open it to guests, close it, offer it earlier, or try it out."""
    community_id, wanted = the_community().id, request.form.get("do")
    if wanted in ("open", "close"):
        person_id = the_reader().person_id
        accounts.set_open(community_id, provider, person_id, utc_now(), is_open=wanted == "open")
    elif wanted == "up":
        accounts.move_up(community_id, provider)
    elif wanted == "check":
        accounts.check_account(community_id, provider, _providers(), utc_now())
    else:
        raise Invalid
    return _to_list(slug, provider)


def _to_list(slug: str, provider: str) -> ResponseReturnValue:
    return redirect(url_for("host.account_list", slug=slug, _anchor=provider), code=303)


# --- from where on two people --------------------------------------------------------------------


@bp.post(f"/{LANG}/host/<slug>/money/limits")
@only(Role.TREASURER)
def set_limits(slug: str) -> ResponseReturnValue:
    form = LimitsForm()
    if not form.validate():
        return show_accounts(form), 422
    rules = MoneyRules(the_amount(form.two_people), the_amount(form.approve))
    try:
        set_money_rules(the_community().id, rules, the_reader().person_id, utc_now())
    except AmountInvalid as error:
        for field in (form.two_people, form.approve):
            if not field.data:
                add_error(field, message_for(error))
        return show_accounts(form), error.status
    return redirect(url_for("host.account_list", slug=slug, _anchor="limits"), code=303)


def _filled_limits() -> LimitsForm:
    rules = get_wanted_rules(db.session(), the_community().id)
    form = LimitsForm(formdata=None)
    form.two_people.data = rules.two_people_from_satang
    form.approve.data = rules.approve_from_satang
    return form
