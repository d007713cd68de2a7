"""What visitors type: a search, a party, a sign-in."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from wtforms import IntegerField, PasswordField, SelectField
from wtforms.validators import InputRequired, NumberRange, Optional

from cbt.experiences.pricing import Unit
from cbt.experiences.records import OptionCard
from cbt.i18n import Localized, _, _l, pick
from cbt.web import labels
from cbt.web.forms import REQUIRED, AskForm, DayField, Form, text

MOST_GUESTS = 200


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


def party_form(option: OptionCard, typed: Any) -> AskForm:
    """A form with one count for each kind of guest that the option sells; `typed` may be None."""

    class PartyForm(AskForm):
        pass

    for price in option.prices:
        field = IntegerField(
            labels.label(price.unit),
            [
                Optional(),
                NumberRange(0, MOST_GUESTS, message=_l("Please enter a whole number, 0 or more.")),
            ],
            default=max(2, option.min_party) if typed is None and price.unit == Unit.ADULT else 0,
        )
        setattr(PartyForm, price.unit, field)
    return PartyForm(typed)


def party_of(form: AskForm, option: OptionCard) -> dict[str, int]:
    """{unit: count} as typed, where it could be read."""
    return {price.unit: form[price.unit].data or 0 for price in option.prices}


def request_key(
    visitor: str, once: str, departure_id: int, option: str, party: Mapping[str, int]
) -> str:
    """What makes a double submit one hold: the same visitor, the same form, asking for the same.

    Other content (after going back) is another hold, and nobody else's form can lead to it.
    """
    asked = [f"{unit}={count}" for unit, count in sorted(party.items()) if count]
    parts = [visitor, once, str(departure_id), option, *asked]
    return sha256("\n".join(parts).encode()).hexdigest()
