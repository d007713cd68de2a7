"""What people type about funds: money put in, requests with their evidence, ceilings, loans."""

from collections.abc import Sequence

from flask import request
from flask_wtf.file import FileField
from wtforms import IntegerField, SelectField
from wtforms.validators import DataRequired, InputRequired

from cbt.i18n import _, _l
from cbt.revenue.funds import Evidence, Giver, Purpose
from cbt.web import labels
from cbt.web.forms import REQUIRED, DayField, Form, text
from cbt.web.money_fields import baht

AROUND_THE_FILE = 64 * 1024  # what a form adds to the file that it carries


def _accounts() -> list[tuple[str, str]]:
    return [("promptpay", _("By bank transfer")), ("cash", _("In cash"))]


class ContributionForm(Form):
    """Money that was put into a fund beside tourism's share; the page offers the households."""

    giver = SelectField(
        _l("Who gave it"), choices=lambda: [(str(each), labels.label(each)) for each in Giver]
    )
    household = SelectField(_l("Household, if a member gave it"), validate_choice=False, default="")
    amount = baht(_l("Amount in baht"))
    account = SelectField(_l("How it came"), choices=_accounts)
    bank_reference = text(_l("Bank reference of the transfer"), most=40)
    given_on = DayField(_l("Day on which it came"), [InputRequired(message=REQUIRED)])
    note = text(_l("Note"), most=300)


class ClaimForm(Form):
    """A request for money out of a fund. A household's own page knows the household."""

    purpose = SelectField(_l("What it is for"), [DataRequired(message=REQUIRED)])
    household = SelectField(_l("For which household"), validate_choice=False, default="")
    amount = baht(_l("Amount in baht"))
    what = text(_l("What happened, or what is bought"), most=300, required=True)
    payee = text(_l("Who gets the money"), most=300, required=True)
    evidence = text(_l("What the evidence is, for example a receipt"), most=300, required=True)
    file = FileField(_l("Photograph or PDF of the evidence"))

    def offer(self, purposes: Sequence[Purpose]) -> None:
        named = [(str(each), labels.label(each)) for each in purposes]
        self.purpose.choices = [("", "–"), *named]  # a birth is not asked for by mistake

    def handed_in(self) -> Evidence:
        """The file that came with the form, whatever it is; nothing where none did."""
        sent = request.files.get(self.file.name)
        return Evidence(sent.filename or "", sent.read()) if sent else Evidence("", b"")


class ConsentForm(Form):
    """A household agrees to be counted as vulnerable until a day."""

    ends_on = DayField(_l("Until this day"), [InputRequired(message=REQUIRED)])


class CeilingForm(Form):
    for_purpose = SelectField(_l("What it is for"))
    once = baht(_l("Most for one request, in baht"))
    yearly = baht(_l("Most for a household in a year, in baht"))
    reason = text(_l("Which meeting decided it"), most=300, required=True)

    def offer(self, purposes: Sequence[Purpose]) -> None:
        self.for_purpose.choices = [(str(each), labels.label(each)) for each in purposes]


class RefuseForm(Form):
    refused_for = text(_l("Why not; the household reads it"), most=300, required=True)


class MoneyOutForm(Form):
    """Money that left for a request or a loan."""

    paid_from = SelectField(_l("How it was paid"), choices=_accounts)
    bank_reference = text(_l("Bank reference of the transfer"), most=40)
    on = DayField(_l("Day on which it was paid"), [InputRequired(message=REQUIRED)])


class LoanForm(Form):
    """A loan out of the revolving fund; the page offers the households, or none for a group."""

    household = SelectField(_l("For which household"), validate_choice=False, default="")
    borrower = text(_l("Who borrows"), most=300, required=True)
    what = text(_l("What the loan is for"), most=300, required=True)
    amount = baht(_l("Amount in baht"))
    instalments = IntegerField(_l("In how many months"), [InputRequired(message=REQUIRED)])
    first_due_on = DayField(_l("First payment due on"), [InputRequired(message=REQUIRED)])


class RepayForm(Form):
    amount = baht(_l("Paid back, in baht"))
    account = SelectField(_l("How it came"), choices=_accounts)
    bank_reference = text(_l("Bank reference of the transfer"), most=40)
    repaid_on = DayField(_l("Day on which it came"), [InputRequired(message=REQUIRED)])
