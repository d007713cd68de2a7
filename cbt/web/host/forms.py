"""What a host types about money, and reading what was typed once it was found right."""

from datetime import date, time
from typing import Any

from wtforms import IntegerField, StringField, TimeField
from wtforms.validators import DataRequired, Length

from cbt.i18n import _l
from cbt.web.forms import REQUIRED, TOO_LONG, DayField, Form, text, trim


class TransferForm(Form):
    bank_reference = text(_l("Bank reference, or the text of the slip's code"), most=200)


class RefundForm(Form):
    """How a person gave money back: out of which account, and what proves it."""

    paid_from = text(_l("Where did the money come from?"), most=20, required=True)
    proof = text(
        _l("Bank reference, or the number of the paper that the guest signed"),
        most=60,
        required=True,
    )


def required_text(label: Any, *, most: int) -> StringField:
    """A line of text that must say something: blanks alone do not."""
    return StringField(
        label,
        [DataRequired(message=REQUIRED), Length(max=most, message=TOO_LONG)],
        filters=[trim],
    )


def the_day(field: DayField) -> date:
    """The day of a required field, after its form was found right."""
    assert field.data is not None
    return field.data


def the_hour(field: TimeField) -> time:
    assert field.data is not None
    return field.data


def the_number(field: IntegerField) -> int:
    assert field.data is not None
    return int(field.data)
