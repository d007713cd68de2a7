"""What a host types about when things depart: rules of days, single days, days of rest."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from wtforms import SelectField, SelectMultipleField, TimeField
from wtforms.validators import InputRequired, ValidationError
from wtforms.widgets import CheckboxInput, ListWidget

from cbt.bookings.records import OptionName
from cbt.experiences.schedule import Rule
from cbt.i18n import Localized, _, _l, pick
from cbt.web.forms import NOT_A_DAY, REQUIRED, DayField, Form, add_error, typed, whole
from cbt.web.host.forms import required_text, the_day, the_hour
from cbt.web.host.words import WEEKDAYS, month_names

_NOT_AN_HOUR = _l("Please enter an hour as 09:00.")


class _Numbers(SelectMultipleField):
    """Boxes to tick, read as numbers; what is none becomes -1, which every rule refuses."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()

    def __init__(self, label: Any, **options: Any) -> None:
        super().__init__(label, coerce=int, validate_choice=False, **options)

    def process_formdata(self, valuelist: list[str]) -> None:
        numbers = [whole(value) for value in valuelist]
        self.data = [-1 if number is None else number for number in numbers]


class HourField(TimeField):
    """An hour as HH:MM; `data` is a time or None."""

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValidationError(_NOT_AN_HOUR) from None


def option_choices(options: Iterable[OptionName]) -> list[tuple[str, str]]:
    return [
        (str(each.id), f"{pick(each.experience_title)} · {pick(each.title)}") for each in options
    ]


class RuleForm(Form):
    """Every such weekday of such months at one hour; no month chosen is every month."""

    weekdays = _Numbers(_l("Weekdays"))
    months = _Numbers(_l("Months"))
    starts_at = HourField(_l("Hour of departure"), [InputRequired(message=_NOT_AN_HOUR)])
    first_on = DayField(_l("From"), [InputRequired(message=REQUIRED)])
    last_on = DayField(_l("Until"))

    def offer(self) -> None:
        self.weekdays.choices = [(day, str(name)) for day, name in enumerate(WEEKDAYS)]
        self.months.choices = month_names()

    @property
    def rule(self) -> Rule:
        return Rule(
            frozenset(self.weekdays.data or ()),
            frozenset(self.months.data or ()),
            the_hour(self.starts_at),
            the_day(self.first_on),
            self.last_on.data,
        )


class NewRuleForm(RuleForm):
    option = SelectField(_l("What departs"))


def rule_values(rule: Rule) -> dict[str, Any]:
    """A rule as the form's values."""
    return {
        "weekdays": sorted(rule.weekdays),
        "months": sorted(rule.months),
        "starts_at": rule.starts_at,
        "first_on": rule.first_on,
        "last_on": rule.last_on,
    }


class SingleDayForm(Form):
    """One day that a rule leaves out, or adds."""

    day = DayField(_l("Date"), [InputRequired(message=REQUIRED)])

    def is_ahead(self, today: date) -> bool:
        """Whether it holds a day from today on; else the field says why not."""
        if not self.validate():
            return False
        return require_ahead(self.day, today)


class OneDepartureForm(Form):
    """A departure outside of every rule. It stands beside the form of a rule: other ids."""

    option = SelectField(_l("What departs"), id="one-option")
    day = DayField(_l("Date"), [InputRequired(message=REQUIRED)], id="one-day")
    starts_at = HourField(
        _l("Hour of departure"), [InputRequired(message=_NOT_AN_HOUR)], id="one-starts-at"
    )

    def is_ahead(self, today: date) -> bool:
        if not self.validate():
            return False
        return require_ahead(self.day, today)


class RestForm(Form):
    first_on = DayField(_l("First day"), [InputRequired(message=REQUIRED)])
    last_on = DayField(_l("Last day"), [InputRequired(message=REQUIRED)])
    reason_th = required_text(_l("Reason in Thai"), most=120)
    reason_en = required_text(_l("Reason in English"), most=120)

    @property
    def reason(self) -> Localized:
        return {"th": typed(self.reason_th), "en": typed(self.reason_en)}

    def is_ahead(self, today: date) -> bool:
        if not self.validate():
            return False
        return require_ahead(self.last_on, today)


def require_ahead(field: DayField, today: date) -> bool:
    if field.data is None:
        add_error(field, str(NOT_A_DAY))
        return False
    if field.data < today:
        add_error(field, _("This day has passed. Please choose a later one."))
        return False
    return True
