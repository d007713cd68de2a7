"""What people type about turns: terms, absences and skips, swaps. Hosts and households alike."""

from collections.abc import Sequence

from wtforms import IntegerField, SelectField, SelectMultipleField
from wtforms.validators import InputRequired, NumberRange, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from cbt.communities.rotation import MOST_CAPACITY, SkipReason
from cbt.i18n import _l
from cbt.revenue.turns import LONGEST_WORDS
from cbt.web import labels
from cbt.web.forms import REQUIRED, DayField, Form, text

_CAPACITY = _l("Please enter a whole number from 0 to 50.")
WEEKDAYS = (
    _l("Monday"),
    _l("Tuesday"),
    _l("Wednesday"),
    _l("Thursday"),
    _l("Friday"),
    _l("Saturday"),
    _l("Sunday"),
)

Households = Sequence[tuple[str, str]]


def _reasons() -> list[tuple[str, str]]:
    return [(str(each), labels.label(each)) for each in SkipReason]


def _weekdays() -> list[tuple[int, str]]:
    return [(number, str(name)) for number, name in enumerate(WEEKDAYS)]


class TermsForm(Form):
    """On what terms a household takes part; its ids stand beside those of the other forms."""

    household = SelectField(_l("Household"), id="terms-household")
    capacity = IntegerField(
        _l("Turns at once (boats, rooms, people); 0 ends it"),
        [InputRequired(message=REQUIRED), NumberRange(0, MOST_CAPACITY, message=_CAPACITY)],
        default=1,
    )
    weekdays = SelectMultipleField(
        _l("Days of the week"),
        coerce=int,
        choices=_weekdays,
        default=list(range(7)),
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    first_on = DayField(_l("From this day on"), [InputRequired(message=REQUIRED)], id="terms-day")

    def offer(self, households: Households) -> None:
        self.household.choices = list(households)


class AbsenceForm(Form):
    """A turn that is skipped, or days on which a household cannot serve."""

    household = SelectField(_l("Household"), id="absence-household")
    first_on = DayField(_l("First day"), [InputRequired(message=REQUIRED)], id="absence-day")
    last_on = DayField(_l("Last day"), [Optional()], id="absence-last")
    reason = SelectField(_l("Why"), choices=_reasons, default=SkipReason.SICK)
    words = text(_l("In a few words"), most=LONGEST_WORDS, id="absence-words")

    def offer(self, households: Households) -> None:
        self.household.choices = list(households)


class SwapForm(Form):
    """Two households that exchange their places in the queue of one day."""

    household = SelectField(_l("Household"), id="swap-household")
    other = SelectField(_l("Swaps with"), id="swap-other")
    first_on = DayField(_l("On this day"), [InputRequired(message=REQUIRED)], id="swap-day")

    def offer(self, households: Households) -> None:
        self.household.choices = self.other.choices = list(households)
