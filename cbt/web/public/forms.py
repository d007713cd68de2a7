"""What visitors type: a search, a party, a sign-in."""

from collections.abc import Mapping, Sequence
from hashlib import sha256

from wtforms import IntegerField, PasswordField, SelectField
from wtforms.validators import InputRequired, NumberRange, Optional

from cbt.i18n import Localized, _, _l, pick
from cbt.web import contact
from cbt.web.choice import MOST_GUESTS
from cbt.web.forms import REQUIRED, AskForm, DayField, Form, once, text


class SearchForm(AskForm):
    on = DayField(_l("Day"))
    guests = IntegerField(
        _l("Guests"),
        [
            Optional(),
            NumberRange(
                1, MOST_GUESTS, message=_l("Please enter a number of guests from 1 to 200.")
            ),
        ],
        default=2,
    )
    province = SelectField(_l("Province"), validate_choice=False, default="")

    def offer(self, provinces: Sequence[tuple[str, Localized]]) -> None:
        every = [("", _("All provinces"))]
        self.province.choices = every + [(code, pick(name)) for code, name in provinces]


class SignInForm(Form):
    sign_in_name = text(_l("Sign-in name"), most=120, required=True)
    password = PasswordField(_l("Password"), [InputRequired(message=REQUIRED)])


class HoldForm(Form):
    once = once()


class WaitForm(Form):
    """A party that would wait for places: who it is, and whether a part of it would come."""

    once = once()
    name = text(_l("Name"), most=120, required=True)
    email = contact.email()
    phone = contact.phone()
    least = IntegerField(
        _l("We would also come if there is room for only so many of us"),
        [
            Optional(),
            NumberRange(
                1, MOST_GUESTS, message=_l("Please enter a number of guests from 1 to 200.")
            ),
        ],
    )


def request_key(
    visitor: str,
    once: str,
    departure_id: int,
    option: str,
    party: Mapping[str, int],
    words: Sequence[str] = (),
) -> str:
    """What makes a double submit one hold: the same visitor, the same form, asking for the same.

    Other content (after going back) is another hold, and nobody else's form can lead to it. `words`
    is what else was typed, in the order of the form.
    """
    asked = [f"{unit}={count}" for unit, count in sorted(party.items()) if count]
    parts = [visitor, once, str(departure_id), option, *asked, *words]
    return sha256("\n".join(parts).encode()).hexdigest()
