"""What a guest types after holding places."""

from wtforms import BooleanField, EmailField, RadioField, TelField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional, Regexp

from cbt.i18n import _l
from cbt.web.forms import REQUIRED, TOO_LONG, Form, text, trim

_MAIL = Regexp(
    r"[^@\s]+@[^@\s]+\.[^@\s]+$", message=_l("This does not look like an e-mail address.")
)
_PHONE = Regexp(
    r"[+0-9][0-9 ()-]{6,24}$", message=_l("This does not look like a telephone number.")
)


class DetailsForm(Form):
    name = text(_l("Name"), most=120, required=True)
    email = EmailField(
        _l("E-mail"), [Optional(), Length(max=200, message=TOO_LONG), _MAIL], filters=[trim]
    )
    phone = TelField(_l("Telephone"), [Optional(), _PHONE], filters=[trim])
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


class MethodForm(Form):
    method = RadioField(
        _l("How would you like to pay?"), [InputRequired(message=REQUIRED)], validate_choice=False
    )


class ReportForm(Form):
    """The guest says that the transfer was made: nothing to type."""
