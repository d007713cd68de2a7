"""What a guest types after holding places."""

from wtforms import BooleanField, IntegerField, RadioField, TextAreaField
from wtforms.validators import InputRequired, Length
from wtforms.widgets import HiddenInput

from cbt.i18n import _l
from cbt.web import contact
from cbt.web.forms import REQUIRED, TOO_LONG, Form, text, trim


class DetailsForm(Form):
    name = text(_l("Name"), most=120, required=True)
    email = contact.email()
    phone = contact.phone()
    food_needs = TextAreaField(
        _l("Food needs"), [Length(max=500, message=TOO_LONG)], filters=[trim]
    )
    access_needs = TextAreaField(
        _l("Help with walking, boarding, seeing or hearing"),
        [Length(max=500, message=TOO_LONG)],
        filters=[trim],
    )
    consent = BooleanField(
        _l("The hosts of this trip may read these needs. They are erased 7 days after the trip.")
    )
    follow_up = BooleanField(
        _l("Send me one e-mail later about what my visit paid for in the community.")
    )


class MethodForm(Form):
    method = RadioField(
        _l("How would you like to pay?"), [InputRequired(message=REQUIRED)], validate_choice=False
    )
    part = RadioField(_l("How much now?"), validate_choice=False, default="whole")


class CreditForm(Form):
    code = text(_l("Credit code"), most=40, required=True)


class ReportForm(Form):
    """The guest says that the transfer was made: nothing to type."""


class DisputeForm(Form):
    words = TextAreaField(
        _l("What happened?"),
        [InputRequired(message=REQUIRED), Length(max=500, message=TOO_LONG)],
        filters=[trim],
    )


# --- what the guest agreed to --------------------------------------------------------------------


def _shown() -> IntegerField:
    """A number that the page showed and that comes back with the form."""
    return IntegerField(widget=HiddenInput(), validators=[InputRequired()])


class AgreedChangeForm(Form):
    """The quote of a change as the guest saw it, in satang, and the booking's version."""

    old_satang = _shown()
    new_satang = _shown()
    paid_satang = _shown()
    due_satang = _shown()
    refund_satang = _shown()
    retained_satang = _shown()
    version = _shown()


class AgreedCancelForm(Form):
    """The quote of a cancellation as the guest saw it, and what to do with the money."""

    paid_satang = _shown()
    refund_satang = _shown()
    version = _shown()
    back_as = RadioField(_l("How shall it come back?"), validate_choice=False, default="money")


def numbers(form: Form) -> dict[str, int]:
    """The numbers of a valid form that the page showed, by name."""
    return {field.name: field.data or 0 for field in form if isinstance(field, IntegerField)}
