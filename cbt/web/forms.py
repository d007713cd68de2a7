"""What all forms share: our language, our wording, and reading what people type."""

import secrets
from datetime import date
from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field, HiddenField, IntegerField, StringField
from wtforms.validators import DataRequired, Length, ValidationError
from wtforms.widgets import TextInput

from cbt import i18n
from cbt.clock import month_of, read_day
from cbt.errors import NotFound
from cbt.i18n import _l

REQUIRED = _l("Please fill this in.")
TOO_LONG = _l("This is too long.")
NOT_A_DAY = _l("Please enter a day as year-month-day.")

# i18n: WTForms' own messages that our forms can show
_WTFORMS_MESSAGES = (_l("Not a valid integer value."), _l("Not a valid choice."))


class _Translations:
    """WTForms asks this object for its own messages."""

    def gettext(self, message: str) -> str:
        return i18n.gettext(message)

    def ngettext(self, singular: str, plural: str, count: int) -> str:
        return i18n.ngettext(singular, plural, count)


class Form(FlaskForm):  # type: ignore[misc]
    """A form that changes something: carries a token, answers in the reader's language."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        def get_translations(self, form: Any) -> _Translations:
            return _Translations()


class AskForm(Form):
    """A form that only asks (GET): no token, since its address may be shared."""

    class Meta(Form.Meta):
        csrf = False


def text(label: Any, *, most: int, required: bool = False, **options: Any) -> StringField:
    """A line of text, trimmed."""
    validators: list[Any] = [DataRequired(message=REQUIRED)] if required else []
    return StringField(
        label, [*validators, Length(max=most, message=TOO_LONG)], filters=[trim], **options
    )


def count(label: Any, **options: Any) -> IntegerField:
    return IntegerField(label, **options)


def whole(text_: str | None) -> int | None:
    """A whole number from an address, or None for anything else."""
    return int(text_) if text_ and text_.isascii() and text_.isdigit() and len(text_) < 10 else None


def read_month(text_: str) -> date:
    """A month (YYYY-MM) from an address, as its first day. Raises NotFound for anything else."""
    try:
        return month_of(text_)
    except ValueError:
        raise NotFound(thing="period") from None


def typed(field: Field) -> str:
    """What was typed into a line of text, or nothing."""
    return str(field.data or "")


def once() -> HiddenField:
    """A random value that makes a double submit recognisable."""
    return HiddenField(default=lambda: secrets.token_urlsafe(12), validators=[Length(12, 64)])


def trim(value: str | None) -> str:
    return (value or "").strip()


class DayField(Field):
    """A day as YYYY-MM-DD, in either era; `data` is a date or None."""

    widget = TextInput()

    def process_formdata(self, valuelist: list[str]) -> None:
        self.typed = valuelist[0] if valuelist else ""
        self.data: date | None = None
        if self.typed:
            try:
                self.data = read_day(self.typed)
            except ValueError:
                raise ValidationError(NOT_A_DAY) from None

    def _value(self) -> str:
        if self.data:
            return self.data.isoformat()
        return getattr(self, "typed", "")


def first_error(form: FlaskForm) -> str:
    """The first thing that is wrong, for a short notice at the top."""
    return _first_of(form.errors)


def _first_of(errors: Any) -> str:
    """The first sentence among errors, which rows of a form nest as mappings in lists."""
    if isinstance(errors, dict):
        errors = list(errors.values())
    if isinstance(errors, list | tuple):
        return next((found for each in errors if (found := _first_of(each))), "")
    return str(errors)


def add_error(field: Field, message: str) -> None:
    """Let a refusal of the domain appear beside the field that caused it."""
    field.errors = (*field.errors, message)


class FindForm(AskForm):
    """Looking a thing up by the code that is printed on it."""

    code = text(_l("Booking code"), most=20, required=True)
