"""Things that departures share: what there is, what options take of them, how they are taken each day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from cbt.bookings import departures, shared
from cbt.bookings import queries as bookings
from cbt.bookings.parts import HOURS, Part
from cbt.bookings.records import NeedCard, OptionName, SlotCard, ThingCard
from cbt.clock import utc_now, village_day
from cbt.db import db
from cbt.errors import CapacityBelowSold, NotFound, SlotFull, ThingInvalid
from cbt.experiences.queries import get_option
from cbt.i18n import _
from cbt.web.access import only, the_community
from cbt.web.errors import message_for
from cbt.web.forms import add_error, first_error
from cbt.web.host.calendar import OnForm
from cbt.web.host.forms import the_day, the_number
from cbt.web.host.schedule_forms import require_ahead
from cbt.web.host.thing_forms import (
    NeedsForm,
    SlotForm,
    ThingCapacityForm,
    ThingForm,
    need_rows,
)
from cbt.web.host.views import HOSTS, bp
from cbt.web.host.words import skill_words
from cbt.web.layout import LANG

_THINGS = f"/{LANG}/host/<slug>/things"
_THING = f"{_THINGS}/<int:thing_id>"
_NEEDS = f"/{LANG}/host/<slug>/options/<int:option_id>/needs"
_WEEK = timedelta(days=7)


# --- what there is -------------------------------------------------------------------------------


@bp.get(_THINGS)
@only(*HOSTS)
def thing_list(slug: str) -> ResponseReturnValue:
    return _show_things(ThingForm(formdata=None))


@bp.post(_THINGS)
@only(*HOSTS)
def add_thing(slug: str) -> ResponseReturnValue:
    form = ThingForm()
    if not form.validate():
        return _show_things(form), 422
    try:
        thing_id = shared.add_thing(the_community().id, form.thing())
    except ThingInvalid as error:
        add_error(form.title_th, message_for(error))
        return _show_things(form), error.status
    return redirect(url_for("host.thing", slug=slug, thing_id=thing_id), code=303)


def _show_things(form: ThingForm) -> str:
    community = the_community()
    needs = bookings.list_needs(db.session(), community.id)
    return render_template(
        "host/things.html",
        community=community,
        things=bookings.list_things(db.session(), community.id),
        options=[
            (option, [need for need in needs if need.option_id == option.id])
            for option in bookings.list_option_names(db.session(), community.id)
        ],
        skill_words=skill_words,
        form=form,
    )


# --- a thing, week by week -----------------------------------------------------------------------


@dataclass(frozen=True)
class Room:
    """A part of a day of a thing: what the slot says, or what is usual where none was asked for."""

    part: Part
    capacity: int
    claimed: int = 0
    blocked: int = 0
    is_closed: bool = False

    @property
    def state(self) -> str:
        """How the page draws it."""
        if self.is_closed or self.blocked:
            return "shut"
        return "full" if self.claimed >= self.capacity else "free"


@bp.get(_THING)
@only(*HOSTS)
def thing(slug: str, thing_id: int) -> ResponseReturnValue:
    shown = _thing(thing_id)
    week = OnForm(request.args)
    if not week.validate():
        return _show_thing(shown, _today(), problem=first_error(week)), 422
    on = week.on.data or _today()
    form = SlotForm(formdata=None, day=on, part=request.args.get("part", ""))
    room = _rooms(shown, on, 1)[0][1]
    for each in room:
        if each.part == request.args.get("part"):
            form.capacity.data, form.is_closed.data = each.capacity, each.is_closed
    return _show_thing(shown, on, slot=form)


@bp.post(f"{_THING}/capacity")
@only(*HOSTS)
def set_thing_capacity(slug: str, thing_id: int) -> ResponseReturnValue:
    shown = _thing(thing_id)
    form = ThingCapacityForm()
    if not form.validate():
        return _show_thing(shown, _today(), capacity=form), 422
    try:
        shared.set_thing_capacity(
            the_community().id, thing_id, the_number(form.capacity), utc_now()
        )
    except CapacityBelowSold as error:
        add_error(form.capacity, message_for(error))
        return _show_thing(shown, _today(), capacity=form), error.status
    return redirect(url_for("host.thing", slug=slug, thing_id=thing_id), code=303)


@bp.post(f"{_THING}/slots")
@only(*HOSTS)
def set_slot(slug: str, thing_id: int) -> ResponseReturnValue:
    shown = _thing(thing_id)
    form = SlotForm()
    form.offer(_parts(shown))
    if not form.validate() or not require_ahead(form.day, _today()):
        return _show_thing(shown, form.day.data or _today(), slot=form), 422
    try:
        shared.set_slot(
            the_community().id,
            thing_id,
            the_day(form.day),
            Part(form.part.data),
            is_closed=form.is_closed.data,
            capacity=form.capacity.data,
        )
    except CapacityBelowSold as error:
        add_error(form.capacity, message_for(error))
        return _show_thing(shown, the_day(form.day), slot=form), error.status
    address = url_for(
        "host.thing", slug=slug, thing_id=thing_id, on=the_day(form.day).isoformat(), _anchor="week"
    )
    return redirect(address, code=303)


def _thing(thing_id: int) -> ThingCard:
    """A thing of this community. Raises NotFound."""
    for each in bookings.list_things(db.session(), the_community().id):
        if each.id == thing_id:
            return each
    raise NotFound(thing="thing")


def _parts(shown: ThingCard) -> Sequence[Part]:
    return (Part.DAY,) if shown.per_day else tuple(HOURS)


def _rooms(shown: ThingCard, first: date, days: int) -> list[tuple[date, list[Room]]]:
    slots = bookings.list_slots(db.session(), shown.id, first, first + timedelta(days=days))
    dates = [first + timedelta(days=number) for number in range(days)]
    return [
        (day, [_room(shown, part, slots.get((day, part))) for part in _parts(shown)])
        for day in dates
    ]


def _room(shown: ThingCard, part: Part, slot: SlotCard | None) -> Room:
    if slot is None:
        return Room(part, shown.capacity)
    return Room(part, slot.capacity, slot.claimed, slot.blocked, slot.is_closed)


def _show_thing(
    shown: ThingCard,
    on: date,
    *,
    capacity: ThingCapacityForm | None = None,
    slot: SlotForm | None = None,
    problem: str = "",
) -> str:
    monday = on - timedelta(days=on.weekday())
    slot = slot or SlotForm(formdata=None, day=on)
    slot.offer(_parts(shown))
    return render_template(
        "host/thing.html",
        community=the_community(),
        thing=shown,
        skills=skill_words(shown.skills),
        parts=_parts(shown),
        days=_rooms(shown, monday, 7),
        today=_today(),
        monday=monday,
        earlier=monday - _WEEK,
        later=monday + _WEEK,
        capacity=capacity or ThingCapacityForm(formdata=None, capacity=shown.capacity),
        slot=slot,
        problem=problem,
    )


def _today() -> date:
    return village_day(utc_now(), the_community().zone)


# --- what an option takes ------------------------------------------------------------------------


@bp.get(_NEEDS)
@only(*HOSTS)
def needs(slug: str, option_id: int) -> ResponseReturnValue:
    rows = need_rows(_needs_of(option_id))
    return _show_needs(option_id, NeedsForm(formdata=None, data={"needs": rows}))


@bp.post(_NEEDS)
@only(*HOSTS)
def set_needs(slug: str, option_id: int) -> ResponseReturnValue:
    form = NeedsForm()
    _offer(option_id, form)
    if request.form.get("do") == "more":
        form.add_lines(2)
        return _show_needs(option_id, form)
    if not form.validate():
        return _show_needs(option_id, form, _("Please check the lines below.")), 422
    if form.says_twice():
        return _show_needs(option_id, form, _("Two lines say the same thing.")), 422
    try:
        departures.set_needs(the_community().id, option_id, form.wanted(), utc_now())
    except SlotFull as error:
        return _show_needs(option_id, form, message_for(error)), error.status
    return redirect(url_for("host.thing_list", slug=slug, _anchor="needs"), code=303)


def _needs_of(option_id: int) -> list[NeedCard]:
    found = bookings.list_needs(db.session(), the_community().id)
    return [need for need in found if need.option_id == option_id]


def _offer(option_id: int, form: NeedsForm) -> OptionName:
    """Give a form its lists; returns the option. Raises NotFound for another community's."""
    community_id = the_community().id
    for option in bookings.list_option_names(db.session(), community_id):
        if option.id == option_id:
            add_ons = get_option(db.session(), option_id).add_ons
            form.offer(bookings.list_things(db.session(), community_id), add_ons)
            return option
    raise NotFound(thing="option")


def _show_needs(option_id: int, form: NeedsForm, problem: str = "") -> str:
    return render_template(
        "host/needs.html",
        community=the_community(),
        option=_offer(option_id, form),
        form=form,
        problem=problem,
    )
