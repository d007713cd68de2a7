"""What a host types about shared things: what there is, what options take, one part of a day."""

from collections.abc import Sequence
from typing import Any

from wtforms import BooleanField, FieldList, FormField, IntegerField, SelectField
from wtforms import Form as PlainForm
from wtforms.validators import InputRequired, NumberRange, Optional

from cbt.bookings.parts import Part
from cbt.bookings.records import NeedCard, ThingCard
from cbt.bookings.shared import MOST_CAPACITY, NewThing
from cbt.bookings.things import ThingKind
from cbt.experiences.records import AddOnCard
from cbt.i18n import Localized, _, _l, pick
from cbt.web import labels
from cbt.web.forms import REQUIRED, DayField, Form, text, typed, whole
from cbt.web.host.departure_forms import PLACES
from cbt.web.host.forms import required_text, the_number

MOST_NEEDS = 30
_MOST_HOURS = 24 * 60
_HOURS = _l("Please enter a whole number of hours from 0 to 1,440.")
_UNITS = _l("Please enter a whole number from 1 to 1,000.")
_PER_PLACES = _l("Please enter a whole number from 0 to 1,000.")
_MOST = 1_000


def _capacity(label: Any, *validators: Any, **options: Any) -> IntegerField:
    checked = [*validators, NumberRange(0, MOST_CAPACITY, message=PLACES)]
    return IntegerField(label, checked, **options)


def _kinds() -> list[tuple[str, str]]:
    return [(str(kind), labels.label(kind)) for kind in ThingKind]


class ThingForm(Form):
    kind = SelectField(_l("What it is"), choices=_kinds)
    title_th = required_text(_l("Name in Thai"), most=80)
    title_en = text(_l("Name in English"), most=80)
    capacity = _capacity(_l("How many there are"), InputRequired(message=REQUIRED))
    per_day = BooleanField(_l("It is counted by the whole day, not by parts of a day"))
    cutoff_hours = IntegerField(
        _l("Hours it needs to be asked before"),
        [Optional(), NumberRange(0, _MOST_HOURS, message=_HOURS)],
        default=0,
    )
    languages = text(_l("Languages it or they speak, with commas between"), most=120)
    licence = text(_l("Licence or number"), most=80)

    def thing(self) -> NewThing:
        """What was typed. The Thai name is the code as well, so that one thing is added once."""
        name = " ".join(typed(self.title_th).split())
        return NewThing(
            code=name,
            kind=ThingKind(self.kind.data),
            title=self._title(name),
            capacity=the_number(self.capacity),
            per_day=self.per_day.data,
            cutoff_minutes=60 * (self.cutoff_hours.data or 0),
            skills=self._skills(),
        )

    def _title(self, name: str) -> Localized:
        english = typed(self.title_en)
        return {"th": name, "en": english} if english else {"th": name}

    def _skills(self) -> dict[str, Any]:
        spoken = [each.strip() for each in typed(self.languages).split(",") if each.strip()]
        skills = {"languages": spoken, "licence": typed(self.licence)}
        return {name: what for name, what in skills.items() if what}


class ThingCapacityForm(Form):
    """It stands beside the form of one part of a day: another id."""

    capacity = _capacity(
        _l("How many there are"), InputRequired(message=REQUIRED), id="usual-capacity"
    )


class SlotForm(Form):
    """One part of one day: open or closed, and how many there are if other than usual."""

    day = DayField(_l("Date"), [InputRequired(message=REQUIRED)])
    part = SelectField(_l("Part of day"))
    capacity = _capacity(_l("How many there are then"), Optional())
    is_closed = BooleanField(_l("Closed: nothing new can be booked with it"))

    def offer(self, parts: Sequence[Part]) -> None:
        self.part.choices = [(str(part), labels.label(part)) for part in parts]


class NeedRow(PlainForm):
    """One line: without a thing it is not used."""

    class Meta(Form.Meta):
        csrf = False

    thing = SelectField(_l("What it takes"))
    units = IntegerField(
        _l("How many"), [Optional(), NumberRange(1, _MOST, message=_UNITS)], default=1
    )
    per_places = IntegerField(
        _l("For each so many guests (0: once)"),
        [Optional(), NumberRange(0, _MOST, message=_PER_PLACES)],
        default=0,
    )
    add_on = SelectField(_l("Only with the extra"))


class NeedsForm(Form):
    needs = FieldList(FormField(NeedRow), min_entries=1, max_entries=MOST_NEEDS)

    def offer(self, things: Sequence[ThingCard], add_ons: Sequence[AddOnCard]) -> None:
        """Give every row its lists of things and extras."""
        extras = [(each.code, pick(each.title)) for each in add_ons]
        names = [(str(each.id), pick(each.title)) for each in things]
        for row in self.needs:
            row.form.thing.choices = [("", "–"), *names]
            row.form.add_on.choices = [("", _("always")), *extras]

    def add_lines(self, wanted: int) -> None:
        """Add empty lines while there is room."""
        for _more in range(min(wanted, MOST_NEEDS - len(self.needs))):
            self.needs.append_entry(_EMPTY)

    def wanted(self) -> list[tuple[int, int, int, str]]:
        """The lines that are used, as `departures.set_needs` takes them."""
        rows = [entry.form for entry in self.needs]
        return [
            (
                whole(row.thing.data) or 0,
                row.per_places.data or 0,
                row.units.data or 1,
                row.add_on.data or "",
            )
            for row in rows
            if row.thing.data
        ]

    def says_twice(self) -> bool:
        """Whether two lines speak of the same thing and extra."""
        keys = [(need[0], need[3]) for need in self.wanted()]
        return len(keys) != len(set(keys))


_EMPTY = {"thing": "", "units": 1, "per_places": 0, "add_on": ""}


def need_rows(needs: Sequence[NeedCard]) -> list[dict[str, Any]]:
    """Needs as the form's rows, with an empty one to go on."""
    filled = [
        {
            "thing": str(need.thing_id),
            "units": need.units,
            "per_places": need.per_places,
            "add_on": need.add_on,
        }
        for need in needs
    ]
    return [*filled, _EMPTY]
