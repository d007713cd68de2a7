"""What a host types: a bank reference, and who worked."""

from collections.abc import Iterable
from typing import Any

from wtforms import FieldList, FormField, HiddenField, IntegerField, SelectField
from wtforms import Form as PlainForm
from wtforms.validators import NumberRange, Optional

from cbt.i18n import _l
from cbt.revenue.policy import Task
from cbt.revenue.records import NewWork
from cbt.revenue.services import MOST_MINUTES, MOST_ROWS, MOST_UNITS
from cbt.web import labels
from cbt.web.forms import Form, text

_WHOLE = _l("Please enter a whole number from 1 to 1,000.")
_MINUTES = _l("Please enter minutes from 0 to 10,080.")

_MOST_LINES = MOST_ROWS + 5  # blank lines of the form beside those that may be written


class TransferForm(Form):
    bank_reference = text(_l("Bank reference (if shown)"), most=60)


class RefundForm(Form):
    proof = text(_l("Bank reference of the transfer"), most=60, required=True)


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


def work_rows(rows: list[Any]) -> list[dict[str, Any]]:
    """Recorded work as the form's rows, with empty ones to go on."""
    filled = [
        {"household": row.household, "task": row.task, "units": row.units, "minutes": row.minutes}
        for row in rows
    ]
    return [*filled, *({"household": "", "units": 1, "minutes": 60} for _more in range(2))]
