"""Amounts that people type, and reading them once their form was found right."""

from typing import Any

from wtforms import Field
from wtforms.validators import InputRequired, ValidationError
from wtforms.widgets import TextInput

from cbt.errors import AmountInvalid
from cbt.i18n import _l
from cbt.money import parse_baht, to_baht
from cbt.web.forms import REQUIRED

NOT_AN_AMOUNT = _l("Please enter an amount in baht, for example 1,250.50.")
_MOST_SATANG = 99_999_999_99


class BahtField(Field):
    """An amount as people write it; `data` is satang or None."""

    widget = TextInput()

    def process_formdata(self, valuelist: list[str]) -> None:
        self.typed = valuelist[0].strip() if valuelist else ""
        self.data: int | None = None
        if self.typed:
            try:
                self.data = parse_baht(self.typed)
            except AmountInvalid:
                raise ValidationError(str(NOT_AN_AMOUNT)) from None
            if self.data > _MOST_SATANG:
                raise ValidationError(str(NOT_AN_AMOUNT))

    def _value(self) -> str:
        if self.data is None:
            return getattr(self, "typed", "")
        return f"{to_baht(self.data):,.2f}"


def baht(label: Any) -> BahtField:
    return BahtField(label, [InputRequired(message=REQUIRED)])


def the_amount(field: BahtField) -> int:
    """The satang of a required field, after its form was found right."""
    assert field.data is not None
    return field.data
