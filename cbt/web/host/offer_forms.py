"""What a host types about seasons and promotion codes."""

from typing import Any

from wtforms import IntegerField, RadioField, SelectField, StringField
from wtforms.validators import InputRequired, NumberRange, Regexp

from cbt.errors import AmountInvalid
from cbt.experiences.pricing import BEARERS, Discount
from cbt.i18n import Localized, _, _l
from cbt.money import BP_WHOLE, parse_baht
from cbt.web.forms import REQUIRED, DayField, Form, add_error, trim, typed
from cbt.web.host.forms import required_text, the_day
from cbt.web.host.words import bearer_words

MOST_USES = 100_000
_USES = _l("Please enter a whole number from 1 to 100,000.")
_CODE = Regexp(
    r"[A-Za-z0-9][A-Za-z0-9-]{2,19}$",
    message=_l("Please use 3 to 20 letters without accents, numbers or hyphens."),
)


def _code(label: Any) -> StringField:
    return StringField(label, [InputRequired(message=REQUIRED), _CODE], filters=[trim])


class SpanForm(Form):
    """Days from one to another, both included."""

    first_on = DayField(_l("First day"), [InputRequired(message=REQUIRED)])
    last_on = DayField(_l("Last day"), [InputRequired(message=REQUIRED)])

    def ends_after_start(self) -> bool:
        """Whether the fields hold days in order; else the last one says why not."""
        if the_day(self.last_on) < the_day(self.first_on):
            add_error(self.last_on, _("It ends before it begins."))
            return False
        return True


class SeasonForm(SpanForm):
    title_th = required_text(_l("Name in Thai"), most=80)
    title_en = required_text(_l("Name in English"), most=80)
    code = _code(_l("Short code"))

    @property
    def title(self) -> Localized:
        return {"th": typed(self.title_th), "en": typed(self.title_en)}


def _measures() -> list[tuple[str, str]]:
    return [("percent", _("percent of the price")), ("baht", _("baht"))]


class CodeForm(SpanForm):
    code = _code(_l("Code"))
    measure = RadioField(
        _l("What it takes off"),
        choices=_measures,
        default="percent",
    )
    amount = required_text(_l("How much"), most=20)
    bearer = SelectField(_l("Who pays for it"))
    most_uses = IntegerField(
        _l("How often it can be used"),
        [InputRequired(message=REQUIRED), NumberRange(1, MOST_USES, message=_USES)],
        default=20,
    )

    def offer(self) -> None:
        self.bearer.choices = [(bearer, bearer_words(bearer)) for bearer in BEARERS]

    def discount(self) -> Discount | None:
        """What was typed, or None with the field of the amount saying what is wrong."""
        try:
            hundredths = parse_baht(typed(self.amount))  # of a baht or of a percent: basis points
            if self.measure.data == "percent":
                if hundredths > BP_WHOLE:
                    add_error(self.amount, _("A discount is at most 100 percent."))
                    return None
                return Discount(typed(self.code).upper(), hundredths, 0, self.bearer.data)
            return Discount(typed(self.code).upper(), 0, hundredths, self.bearer.data)
        except AmountInvalid:
            add_error(self.amount, _("Please enter a number above zero, for example 10 or 12.50."))
            return None
