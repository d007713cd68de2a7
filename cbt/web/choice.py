"""A day, a round, a party and its extras, as an address or a form names them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from wtforms import IntegerField
from wtforms.validators import NumberRange, Optional

from cbt.bookings.queries import list_departures
from cbt.bookings.records import DepartureCard
from cbt.bookings.states import DepartureState
from cbt.clock import month_before, month_of, next_month, read_day, village_day
from cbt.db import db
from cbt.errors import AddOnUnknown, DepartureCalledOff, SalesClosed, UnitNotSold
from cbt.experiences.pricing import SEVERAL, PriceList, Unit
from cbt.experiences.records import Listing, OptionCard
from cbt.i18n import Localized, _, _l, pick
from cbt.web import labels
from cbt.web.calendar import Cell, is_open, month_grid
from cbt.web.errors import message_for
from cbt.web.forms import AskForm, first_error, text, typed

MOST_GUESTS = 200
EXTRA = "extra-"
"""What the names of fields for extras begin with, before the extra's code."""

_WHOLE = _l("Please enter a whole number, 0 or more.")
_FIELDS = {"csrf_token", "once", "on", "month", "option", "do", "code"}
"""What a form sends beside its party and extras; anything else counts guests."""


# --- the form ------------------------------------------------------------------------------------


def party_form(option: OptionCard, given: Any) -> AskForm:
    """A form with a count for each kind of guest and extra that the option sells.

    `given` is what was typed; with None the form shows a usual party.
    """

    class PartyForm(AskForm):
        code = text(_l("Promotion code"), most=40)

    usual = _usual_party(option) if given is None else {}
    for price in option.prices:
        field = _count(labels.label(price.unit), MOST_GUESTS, usual.get(price.unit, 0))
        setattr(PartyForm, price.unit, field)
    for extra in option.add_ons:
        setattr(PartyForm, EXTRA + extra.code, _count(pick(extra.title), MOST_GUESTS, 0))
    return PartyForm(given)


def _count(label: str, most: int, default: int) -> IntegerField:
    return IntegerField(label, [Optional(), NumberRange(0, most, message=_WHOLE)], default=default)


def _usual_party(option: OptionCard) -> dict[Unit, int]:
    """Two adults, or as many as it takes; else one of the first kind that comes alone."""
    for price in sorted(option.prices, key=lambda price: price.unit != Unit.ADULT):
        if price.places and not price.needs:
            least = -(-option.min_party // price.places)
            return {price.unit: max(1 if price.unit in SEVERAL else 2, least)}
    return {}


# --- the choice ----------------------------------------------------------------------------------


@dataclass
class Choice:
    """What was chosen so far, and what is wrong with it."""

    listing: Listing
    month: date
    departures: list[DepartureCard]
    on: date | None
    on_day: list[DepartureCard]
    departure: DepartureCard | None
    option: OptionCard
    form: AskForm
    problem: str = ""

    @property
    def party(self) -> dict[str, int]:
        """{unit: count} as typed, where it could be read."""
        return {price.unit: self.form[price.unit].data or 0 for price in self.option.prices}

    @property
    def add_ons(self) -> dict[str, int]:
        """{extra: count} as typed, where it could be read."""
        return {each.code: self.form[EXTRA + each.code].data or 0 for each in self.option.add_ons}

    @property
    def titles(self) -> dict[str, Localized]:
        """The names of extras, by code."""
        return {each.code: each.title for each in self.option.add_ons}

    @property
    def code(self) -> str:
        return typed(self.form["code"])

    @property
    def price_list(self) -> PriceList:
        """What is charged on the chosen day."""
        return self.option.price_list_on(self.on) if self.on else self.option.price_list

    @property
    def places(self) -> int:
        """Places that the party typed so far would take, to mark days that are too full."""
        party = self.party
        return sum(party[price.unit] * price.places for price in self.option.prices)

    @property
    def lacks_room(self) -> bool:
        """Whether the chosen departure has fewer free places than the party takes."""
        return self.departure is not None and self.departure.free < max(1, self.places)

    def values(self) -> dict[str, Any]:
        """The choice as an address carries it, without its day and month."""
        extras = {EXTRA + code: count for code, count in self.add_ons.items() if count}
        return {"option": self.option.code, **self.party, **extras, "code": self.code or None}


def read_choice(
    listing: Listing,
    given: Any,
    now: datetime,
    *,
    is_exact: bool = False,
    own: Mapping[int, int] | None = None,
    beside: Collection[str] = (),
) -> Choice:
    """Read day, option, party and extras; what is wrong becomes a problem.

    Who looks around is shown a usual party and the first round. With `is_exact` nothing is made up:
    what was sent counts, or nothing. `own` gives the places that a booking holds already, by
    departure: they are free for itself. `beside` names the form's other fields.
    """
    own = own or {}
    today = village_day(now, listing.community.zone)
    on, problem = _read_day(given.get("on", ""), today)
    month = _read_month(given.get("month", ""), on or today)
    departures = [
        replace(each, claimed=each.claimed - own.get(each.id, 0))
        for each in list_departures(
            db.session(), [option.id for option in listing.options], month, next_month(month)
        )
    ]
    that_day = [each for each in departures if each.starts_on == on]
    on_day = [each for each in that_day if is_open(each, now) or each.id in own]
    option = _option(listing, given.get("option", ""), on_day)
    departure = next((each for each in on_day if each.option_id == option.id), None)
    if on and not problem and departure is None:
        problem = _day_problem(that_day, now)
    if is_exact and departure is not None:
        problem = problem or _option_problem(option, given.get("option", ""), len(on_day))
    is_given = is_exact or any(price.unit in given for price in option.prices)
    form = party_form(option, given if is_given else None)
    if is_given and not form.validate():
        problem = problem or first_error(form)
    problem = problem or _unknown_problem(
        option, set(given) - set(beside), given, is_exact=is_exact
    )
    return Choice(listing, month, departures, on, on_day, departure, option, form, problem)


def _read_day(text_: str, today: date) -> tuple[date | None, str]:
    if not text_:
        return None, ""
    try:
        day = read_day(text_)
    except ValueError:
        return None, _("Please choose a day from the calendar.")
    if day < today:
        return None, _("This day has passed. Please choose a later one.")
    return day, ""


def _read_month(text_: str, otherwise: date) -> date:
    try:
        return month_of(text_)
    except ValueError:
        return otherwise.replace(day=1)


def _option(listing: Listing, code: str, on_day: list[DepartureCard]) -> OptionCard:
    """The option asked for, else the first that departs on the day, else the first."""
    by_id = {option.id: option for option in listing.options}
    departing = [by_id[each.option_id] for each in on_day]
    for option in departing or listing.options:
        if option.code == code:
            return option
    return departing[0] if departing else listing.options[0]


def _day_problem(that_day: list[DepartureCard], now: datetime) -> str:
    """Why nobody can be taken on a day."""
    ahead = [each for each in that_day if each.begins_at > now]
    if any(each.state == DepartureState.CALLED_OFF for each in ahead):
        return message_for(DepartureCalledOff())
    if ahead:
        return message_for(SalesClosed())
    return _("Nothing departs on this day. Please choose another.")


def _option_problem(option: OptionCard, asked: str, rounds: int) -> str:
    """What is wrong when `option` would be booked though `asked` was; nothing is ever swapped."""
    if asked and asked != option.code:
        return _("This round does not depart on this day. Please choose another.")
    return _("Please choose a round.") if not asked and rounds > 1 else ""


def _unknown_problem(option: OptionCard, names: set[str], given: Any, *, is_exact: bool) -> str:
    """What is wrong with guests or extras that the option does not sell."""
    wanted = {name for name in names if given.get(name) not in ("", "0")}
    extras = {name for name in wanted if name.startswith(EXTRA)}
    others = wanted - extras - _FIELDS if is_exact else wanted & set(Unit)
    if others - {price.unit.value for price in option.prices}:
        return message_for(UnitNotSold())
    if is_exact and extras - {EXTRA + each.code for each in option.add_ons}:
        return message_for(AddOnUnknown())
    return ""


# --- showing it ----------------------------------------------------------------------------------


def calendar_of(choice: Choice, now: datetime) -> dict[str, Any]:
    """What public/_calendar.html and the choice of a round are drawn from."""
    options = {option.id: option for option in choice.listing.options}
    today = village_day(now, choice.listing.community.zone)
    weeks: list[list[Cell]] = month_grid(
        choice.month, choice.departures, options, max(1, choice.places), today, now
    )
    return {
        "choice": choice,
        "weeks": weeks,
        "options_on_day": [(each, options[each.option_id]) for each in choice.on_day],
        "earlier": month_before(choice.month) if choice.month > today.replace(day=1) else None,
        "later": next_month(choice.month),
        "extra": EXTRA,
    }
