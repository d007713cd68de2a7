"""What a host types about one departure: who worked, who prepared, its places, who did not come."""

from collections.abc import Iterable, Sequence
from typing import Any

from wtforms import FieldList, FormField, HiddenField, IntegerField, SelectField, StringField
from wtforms import Form as PlainForm
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from cbt.bookings.arrivals import LONGEST_WORDS
from cbt.bookings.shared import MOST_CAPACITY
from cbt.bookings.states import EndReason
from cbt.errors import AmountInvalid
from cbt.i18n import _l
from cbt.money import parse_baht
from cbt.revenue.policy import Task
from cbt.revenue.records import NewPreparation, NewWork, PreparationRow
from cbt.revenue.services import MOST_COST_SATANG
from cbt.revenue.work import MOST_MINUTES, MOST_ROWS, MOST_UNITS
from cbt.web import labels
from cbt.web.forms import REQUIRED, TOO_LONG, Form, trim
from cbt.web.host.forms import required_text

_WHOLE = _l("Please enter a whole number from 1 to 1,000.")
_MINUTES = _l("Please enter minutes from 0 to 10,080.")
PLACES = _l("Please enter a whole number from 0 to 10,000.")

MINUTES_STEP = 30

_MOST_LINES = MOST_ROWS + 5  # blank lines of the form beside those that may be written
_MOST_PREPARED = 40


class ShownForm(Form):
    """What a person confirms: the hash of the record on their page."""

    shown = HiddenField()


class WordsForm(Form):
    words = required_text(_l("Your answer"), most=LONGEST_WORDS)


class SettleForm(Form):
    """What the person agreed to: the fingerprint of the preview on their page."""

    previewed = HiddenField()


class WorkRow(PlainForm):
    """One line: an empty household means that the line is not used."""

    class Meta(Form.Meta):
        csrf = False

    household = SelectField(_l("Household"), validate_choice=False)
    task = SelectField(_l("Task"), validate_choice=False)
    units = IntegerField(
        _l("Times"), [Optional(), NumberRange(1, MOST_UNITS, message=_WHOLE)], default=1
    )
    minutes = IntegerField(
        _l("Minutes"), [Optional(), NumberRange(0, MOST_MINUTES, message=_MINUTES)], default=60
    )


class WorkForm(Form):
    rows = FieldList(FormField(WorkRow), min_entries=3, max_entries=_MOST_LINES)

    def offer(self, households: list[tuple[str, str]]) -> None:
        """Give every row its lists of households (code, name) and tasks."""
        tasks = [(str(task), labels.label(task)) for task in Task]
        for row in self.rows:
            row.form.household.choices = [("", "–"), *households]
            row.form.task.choices = tasks

    def add_lines(self, wanted: int) -> int:
        """Add empty lines while there is room; returns how many were added."""
        room = min(wanted, _MOST_LINES - len(self.rows))
        for _more in range(room):
            self.rows.append_entry({"household": "", "units": 1, "minutes": 60})
        return room

    def step(self, do: str) -> bool:
        """One step up or down of a count, as its button asks without script; whether it was one."""
        verb, _space, name = do.partition(" ")
        for row in self.rows:
            for field, size in ((row.form.units, 1), (row.form.minutes, MINUTES_STEP)):
                if field.name == name and verb in ("less", "more"):
                    field.data = max(0, (field.data or 0) + (size if verb == "more" else -size))
                    field.raw_data = None
                    return True
        return False

    def work(self) -> dict[int, NewWork]:
        """The lines that are used, by their number in the form, counted from 1."""
        return {
            number: NewWork(
                row.household.data, row.task.data, row.units.data or 0, row.minutes.data or 0
            )
            for number, row in enumerate((entry.form for entry in self.rows), start=1)
            if row.household.data
        }

    def is_too_long(self, sent: Iterable[str]) -> bool:
        """Whether more lines were sent (by the names of the fields) than can be read or written."""
        lines = {name.split("-")[1] for name in sent if name.startswith(f"{self.rows.name}-")}
        return len(lines) > _MOST_LINES or len(self.work()) > MOST_ROWS


def work_rows(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Work as the form's rows, with empty ones to go on."""
    filled = [
        {"household": row.household, "task": row.task, "units": row.units, "minutes": row.minutes}
        for row in rows
    ]
    return [*filled, *({"household": "", "units": 1, "minutes": 60} for _more in range(2))]


# --- what was prepared ---------------------------------------------------------------------------


class PreparedRow(PlainForm):
    """One line: an empty household means that the line is not used."""

    class Meta(Form.Meta):
        csrf = False

    household = SelectField(_l("Household"), validate_choice=False)
    what = StringField(
        _l("What was bought or prepared"), [Length(max=200, message=TOO_LONG)], filters=[trim]
    )
    cost = StringField(_l("Cost in baht"), [Length(max=20, message=TOO_LONG)], filters=[trim])


class PreparedForm(Form):
    prepared = FieldList(FormField(PreparedRow), min_entries=1, max_entries=_MOST_PREPARED)

    def offer(self, households: list[tuple[str, str]]) -> None:
        for row in self.prepared:
            row.form.household.choices = [("", "–"), *households]

    def add_lines(self, wanted: int) -> None:
        """Add empty lines while there is room."""
        for _more in range(min(wanted, _MOST_PREPARED - len(self.prepared))):
            self.prepared.append_entry({"household": "", "what": "", "cost": ""})

    def rows(self) -> dict[int, NewPreparation]:
        """The lines that are used, by their number in the form, counted from 1.

        An amount that cannot be read counts as nothing, which the record refuses.
        """
        return {
            number: NewPreparation(row.household.data, row.what.data or "", _satang(row.cost.data))
            for number, row in enumerate((entry.form for entry in self.prepared), start=1)
            if row.household.data
        }


def _satang(typed: str | None) -> int:
    try:
        amount = parse_baht(typed or "")
    except AmountInvalid:
        return 0
    return min(amount, MOST_COST_SATANG + 1)


def prepared_rows(rows: list[PreparationRow]) -> list[dict[str, str]]:
    """What is written down as the form's rows, with an empty one to go on."""
    filled = [
        {
            "household": row.household,
            "what": row.what,
            "cost": f"{row.cost_satang // 100}.{row.cost_satang % 100:02}",
        }
        for row in rows
    ]
    return [*filled, {"household": "", "what": "", "cost": ""}]


# --- one departure alone -------------------------------------------------------------------------


class CapacityForm(Form):
    capacity = IntegerField(
        _l("Places of this departure"),
        [InputRequired(message=REQUIRED), NumberRange(0, MOST_CAPACITY, message=PLACES)],
    )


class NoShowForm(Form):
    reason = required_text(_l("What happened"), most=LONGEST_WORDS)


def reasons() -> list[tuple[str, str]]:
    """Why a community calls a departure off, in the reader's language."""
    own = (EndReason.WEATHER, EndReason.TOO_FEW, EndReason.COMMUNITY)
    return [(str(each), labels.label(each)) for each in own]


class CallOffForm(Form):
    reason = SelectField(_l("Why"), choices=reasons)
