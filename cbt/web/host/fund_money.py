"""What the pages of funds, requests and loans share: refusals beside their fields, two people, paying."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial

from flask import redirect
from flask.typing import ResponseReturnValue
from wtforms import Field

from cbt.clock import utc_now, village_day
from cbt.communities.queries import list_register
from cbt.db import db
from cbt.errors import (
    AmountInvalid,
    BalanceTooLow,
    CbtError,
    CeilingExceeded,
    EvidenceInvalid,
    EvidenceMissing,
    FreeTooLow,
    FundDayInvalid,
    FundUseInvalid,
    LoanInvalid,
    NoteMissing,
    ReferenceUsed,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.i18n import _, pick
from cbt.web.access import the_community, the_reader
from cbt.web.errors import message_for
from cbt.web.forms import Form, add_error, typed
from cbt.web.fund_forms import (
    MoneyOutForm,
    RefuseForm,
)
from cbt.web.host.forms import the_day

FUND_ERRORS = (
    AmountInvalid,
    CeilingExceeded,
    EvidenceInvalid,
    EvidenceMissing,
    FreeTooLow,
    FundDayInvalid,
    FundUseInvalid,
    LoanInvalid,
    NoteMissing,
    ReferenceUsed,
)


def mark(form: Form, error: CbtError) -> None:
    """Show a refusal beside the field that it is about."""
    words = message_for(error)
    names = {
        AmountInvalid: ("amount", "once"),
        CeilingExceeded: ("amount",),
        FreeTooLow: ("amount",),
        EvidenceMissing: ("file",),
        EvidenceInvalid: ("file",),
        FundDayInvalid: ("given_on", "on", "repaid_on"),
        FundUseInvalid: ("purpose", "giver", "household"),
        LoanInvalid: ("instalments",),
        NoteMissing: ("bank_reference", "refused_for", "reason", "what"),
        ReferenceUsed: ("bank_reference",),
    }[type(error)]
    if isinstance(error, LoanInvalid) and error.facts["problem"] == "first_due_on":
        names = ("first_due_on",)
    if isinstance(error, NoteMissing) and "bank_reference" in form:
        words = _("Please enter the bank's reference.")
    field: Field = next(form[name] for name in names if name in form)
    add_error(field, words)


def households() -> list[tuple[str, str]]:
    found = list_register(db.session(), the_community().id)
    return [("", "-"), *((each.code, pick(each.name)) for each in found)]


def the_today() -> date:
    """The community's day."""
    return village_day(utc_now(), the_community().zone)


@dataclass(frozen=True)
class Asked:
    """A request or a loan: its number, what shows it, and the address of that page."""

    number: int
    show: Callable[..., str]
    back: str


def agree(use_case: Callable[..., object], asked: Asked) -> ResponseReturnValue:
    return _do(partial(use_case, *_who(asked), utc_now()), asked)


def refuse(use_case: Callable[..., object], asked: Asked) -> ResponseReturnValue:
    form = RefuseForm()
    if not form.validate():
        return asked.show(refusing=form), 422
    community_id, number, person_id = _who(asked)
    reason = typed(form.refused_for)
    return _do(
        partial(use_case, community_id, number, reason, person_id, utc_now()), asked, refusing=form
    )


def pay(use_case: Callable[..., object], asked: Asked) -> ResponseReturnValue:
    form = MoneyOutForm()
    if not form.validate():
        return asked.show(paying=form), 422
    community_id, number, person_id = _who(asked)
    proof = (form.paid_from.data, typed(form.bank_reference), the_day(form.on))
    return _do(
        partial(use_case, community_id, number, *proof, person_id, utc_now()), asked, paying=form
    )


def _who(asked: Asked) -> tuple[int, int, int]:
    return the_community().id, asked.number, the_reader().person_id


def _do(act: Callable[[], object], asked: Asked, **forms: Form) -> ResponseReturnValue:
    """Do it and show it; a refusal is told beside its field, or else above everything."""
    try:
        act()
    except (FundDayInvalid, NoteMissing, ReferenceUsed) as error:
        for form in forms.values():
            mark(form, error)
        return asked.show(**forms), error.status
    except (BalanceTooLow, FreeTooLow, SecondPersonNeeded, StateForbids) as error:
        return asked.show(too_little(error), **forms), error.status
    return redirect(asked.back, code=303)


def too_little(error: CbtError) -> str:
    if isinstance(error, BalanceTooLow):
        return _("By the books there is less money than that. Nothing was written down.")
    return message_for(error)
