"""What a person of the community types about cash and about the ways to be paid."""

from wtforms import BooleanField, SelectField, StringField
from wtforms.validators import DataRequired, InputRequired

from cbt.i18n import Localized, _l
from cbt.payments.promptpay import IdKind
from cbt.web import contact
from cbt.web.forms import REQUIRED, DayField, Form, text, trim, typed
from cbt.web.host.forms import required_text
from cbt.web.labels import label
from cbt.web.money_fields import baht

# --- cash ----------------------------------------------------------------------------------------


class CountForm(Form):
    counted = baht(_l("What we counted, in baht"))
    note = text(_l("Note"), most=200)


class BankedForm(Form):
    amount = baht(_l("Brought to the bank, in baht"))
    bank_reference = text(_l("Bank reference of the deposit"), most=60, required=True)


# --- the ways to be paid -------------------------------------------------------------------------


def _kinds() -> list[tuple[str, str]]:
    return [(str(kind), label(kind)) for kind in IdKind]


class _NamedForm(Form):
    """A way to be paid: the name that payers see."""

    name_th = required_text(_l("Name that payers see, in Thai"), most=80)
    name_en = text(_l("Name in English"), most=80)

    @property
    def name(self) -> Localized:
        names = {"th": typed(self.name_th), "en": typed(self.name_en)}
        return {language: name for language, name in names.items() if name}

    @property
    def receiver(self) -> dict[str, str]:
        return {}

    def fill(self, receiver: dict[str, str], name: Localized) -> None:
        """Show what is kept already."""
        self.name_th.data, self.name_en.data = name.get("th", ""), name.get("en", "")


class PretendedForm(_NamedForm):
    """Nothing but the name."""


class PromptPayForm(_NamedForm):
    kind = SelectField(_l("Kind of PromptPay number"), choices=_kinds)
    number = StringField(_l("PromptPay number"), [InputRequired(message=REQUIRED)], filters=[trim])

    @property
    def receiver(self) -> dict[str, str]:
        return {"kind": self.kind.data, "id": typed(self.number)}

    def fill(self, receiver: dict[str, str], name: Localized) -> None:
        super().fill(receiver, name)
        self.kind.data, self.number.data = receiver.get("kind", ""), receiver.get("id", "")


class CashForm(_NamedForm):
    guests = BooleanField(_l("Guests may choose to pay in cash on arrival"))

    @property
    def receiver(self) -> dict[str, str]:
        return {"guests": "yes" if self.guests.data else "no"}

    def fill(self, receiver: dict[str, str], name: Localized) -> None:
        super().fill(receiver, name)
        self.guests.data = receiver.get("guests") == "yes"


class ServiceForm(_NamedForm):
    """The community's own account at a payment service."""

    account = required_text(_l("Account number at the payment service"), most=80)

    @property
    def receiver(self) -> dict[str, str]:
        return {"account": typed(self.account)}

    def fill(self, receiver: dict[str, str], name: Localized) -> None:
        super().fill(receiver, name)
        self.account.data = receiver.get("account", "")


class ReasonForm(Form):
    reason = text(_l("Why"), most=300)


class MailForm(Form):
    """Where the reader is told of the community's money; left empty, nowhere."""

    mail = contact.email()


class LimitsForm(Form):
    two_people = baht(_l("Two people look for a transfer from, in baht"))
    approve = baht(_l("A second person agrees to giving money back from, in baht"))


# --- after the sharing-out -----------------------------------------------------------------------


class CorrectionForm(Form):
    """Moving money between two accounts of the books; the page fills in which."""

    source = SelectField(_l("Take it from"), [DataRequired(message=REQUIRED)])
    target = SelectField(_l("Give it to"), [DataRequired(message=REQUIRED)])
    amount = baht(_l("Amount in baht"))
    concerns_on = DayField(_l("Day that it concerns"))
    reason = text(_l("What was wrong"), most=500, required=True)
