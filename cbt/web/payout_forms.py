"""What people type about payouts: how a household is paid, and what became of a line."""

from wtforms import SelectField, StringField
from wtforms.validators import InputRequired, Length

from cbt.i18n import _, _l
from cbt.revenue.paying_out import PayeeKind
from cbt.web import labels
from cbt.web.forms import REQUIRED, TOO_LONG, DayField, Form, text
from cbt.web.money_fields import baht

BANKS = {
    "006": _l("Krungthai Bank"),
    "034": _l("Bank for Agriculture and Agricultural Cooperatives"),
    "030": _l("Government Savings Bank"),
    "002": _l("Bangkok Bank"),
    "004": _l("Kasikornbank"),
    "014": _l("Siam Commercial Bank"),
    "025": _l("Bank of Ayudhya"),
    "011": _l("TMBThanachart Bank"),
    "022": _l("CIMB Thai Bank"),
    "024": _l("United Overseas Bank"),
    "033": _l("Government Housing Bank"),
    "066": _l("Islamic Bank of Thailand"),
    "067": _l("TISCO Bank"),
    "069": _l("Kiatnakin Phatra Bank"),
    "073": _l("Land and Houses Bank"),
}
"""Thai banks by the three digits that their files use; the villages' own first."""


def bank_words(code: str | None) -> str:
    """A bank's name, or its digits where we do not know it."""
    return str(BANKS.get(code or "", code or ""))


def _banks() -> list[tuple[str, str]]:
    return [(code, str(name)) for code, name in BANKS.items()]


def _kinds() -> list[tuple[str, str]]:
    return [(str(each), labels.label(each)) for each in PayeeKind]


class PayeeForm(Form):
    """How a household is paid from now on. The page of hosts offers the households."""

    household = SelectField(_l("Household"), validate_choice=False, default="")
    kind = SelectField(_l("How it is paid"), choices=_kinds)
    number = text(_l("PromptPay number or account number"), most=30)
    bank = SelectField(_l("Bank, for a bank account"), choices=_banks)
    holder = text(_l("Name of the person who is paid"), most=100, required=True)


class LeastForm(Form):
    least = baht(_l("Least amount of a payout, in baht"))


class PaidForm(Form):
    """A payout that was made: by transfer with the bank's reference, or out of the cash box."""

    paid_from = SelectField(
        _l("How it was paid"),
        choices=lambda: [("promptpay", _("By bank transfer")), ("cash", _("In cash"))],
    )
    bank_reference = text(_l("Bank reference of the transfer"), most=40)
    on = DayField(_l("Day on which it was paid"), [InputRequired(message=REQUIRED)])


class StopForm(Form):
    reason = text(_l("Why it is not paid"), most=300, required=True)


class BackForm(Form):
    reason = text(_l("What the bank says"), most=300, required=True)
    back_on = DayField(_l("Day on which it came back"), [InputRequired(message=REQUIRED)])


class FileForm(Form):
    """What a bank's file says of the payer; tables need none of it."""

    pay_on = DayField(_l("Day on which the bank pays"), [InputRequired(message=REQUIRED)])
    bank = SelectField(_l("The community's bank"), choices=_banks)
    account = StringField(
        _l("The community's account number"),
        [Length(max=15, message=TOO_LONG)],
        filters=[lambda typed: (typed or "").replace("-", "").replace(" ", "")],
    )
    company_id = text(_l("Company number that Krungthai gave you"), most=16)
