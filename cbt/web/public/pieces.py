"""Made-up values for the living page that shows every shared piece."""

from datetime import date
from typing import Any

from wtforms import BooleanField, IntegerField, SelectField

from cbt.audit.findings import Result
from cbt.bookings.states import BookingState
from cbt.i18n import _l
from cbt.payments.provider import AttemptState
from cbt.revenue.policy import DEFAULT
from cbt.revenue.split import Cost, split
from cbt.web.flow import draw
from cbt.web.forms import AskForm, add_error, text

ICONS = (
    *("calendar", "clock", "people", "pin", "moon", "house", "key", "check", "cross", "warn"),
    *("receipt", "arrow", "back", "plus", "minus", "food", "shield", "step", "bag", "qr"),
)
COLOURS = ("ink", "stone", "mangrove", "lagoon", "sand", "paper", "line", "clay", "sun", "tide")


class SampleForm(AskForm):
    name = text(_l("Name"), most=40)
    wrong = text(_l("A field with an error"), most=40)
    province = SelectField(_l("Province"), choices=[("", "–")])
    adults = IntegerField(_l("Adults"), default=2)
    consent = BooleanField(
        _l("A longer sentence beside a box, which may wrap over several lines on a small screen.")
    )


def sample_pieces() -> dict[str, Any]:
    form = SampleForm(None)
    form.validate()
    add_error(form.wrong, str(_l("Please fill this in.")))
    return {
        "form": form,
        "flow": draw(split(123_457, [Cost("insurance", 4_000)], 2_179, DEFAULT)),
        "icons": ICONS,
        "colours": COLOURS,
        "states": [*BookingState, *AttemptState, *Result],
        "day": date(2028, 2, 29),
        "amounts": (0, 7, 100, 123_457, 1_234_567_89),
    }
