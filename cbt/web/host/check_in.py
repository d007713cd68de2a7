"""A day's arrivals: a list that works without the network, scans of several devices, the day sheet."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, time, timedelta

from flask import (
    Response,
    current_app,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    send_from_directory,
    url_for,
)
from flask.typing import ResponseReturnValue

from cbt.bookings import queries as bookings
from cbt.bookings.arrivals import Scan, list_arrivals, take_scans
from cbt.bookings.records import ArrivalCard, BookingCard, TripCard
from cbt.bookings.states import BookingState
from cbt.bookings.vouchers import VERSION, find_code, find_reference
from cbt.clock import read_day, to_instant, utc_now, village_day
from cbt.db import db
from cbt.errors import LinkInvalid, NotFound
from cbt.experiences.pricing import PriceLine
from cbt.i18n import _, format_day
from cbt.payments.box import list_promised
from cbt.payments.queries import list_money
from cbt.web.access import only, the_community, the_reader, vouchers
from cbt.web.forms import REQUIRED, first_error, typed
from cbt.web.host.check_in_forms import ArrivalForm, read_sync
from cbt.web.host.views import HOSTS, bp
from cbt.web.layout import LANG

LIST_DAY, LIST_UNTIL = "List-Day", "List-Until"
"""Headers that tell the service worker which day's list it keeps, and until when."""

_CAMERA = "camera=(self), geolocation=(), microphone=()"
_DAY = timedelta(days=1)
_WEB = "web"  # the device of those who check in by the plain form


@dataclass(frozen=True)
class Party:
    """A booking as the host receives it; `due_satang` is still to be collected."""

    booking: BookingCard
    lines: tuple[PriceLine, ...]
    due_satang: int
    arrivals: tuple[ArrivalCard, ...]

    @property
    def missing(self) -> int:
        """How many of the party have not come yet."""
        return max(0, self.booking.places - sum(scan.people for scan in self.arrivals))

    @property
    def is_conflict(self) -> bool:
        """Whether more than one device checked the party in: a person must look who is right."""
        return len({scan.device for scan in self.arrivals}) > 1


@dataclass(frozen=True)
class Arriving:
    """A day's departures with their parties."""

    trips: list[TripCard]
    parties: list[Party]
    promised: list[Party]
    """Those who pay in cash when they come; until then nothing is confirmed."""

    def of(self, trip: TripCard) -> list[Party]:
        return [party for party in self.parties if party.booking.trip.id == trip.id]

    def find(self, reference: str) -> Party | None:
        found = (party for party in self.parties if party.booking.reference == reference)
        return next(found, None)

    def find_named(self, name: str) -> list[Party]:
        wanted = name.casefold()
        return [
            each for each in self.parties if wanted in (each.booking.guest.name or "").casefold()
        ]

    @property
    def here(self) -> int:
        """How many parties have begun to arrive."""
        return sum(bool(party.arrivals) for party in self.parties)


# --- pages ---------------------------------------------------------------------------------------


@bp.get(f"/{LANG}/host/<slug>/check-in")
@only(*HOSTS)
def check_in(slug: str) -> ResponseReturnValue:
    return _show_day(_wanted_day(), ArrivalForm(formdata=None))


@bp.post(f"/{LANG}/host/<slug>/check-in")
@only(*HOSTS)
def check_in_party(slug: str) -> ResponseReturnValue:
    """Check a party in by the plain form, or find it by name; devices with script send scans."""
    form, on = ArrivalForm(), _wanted_day()
    if not form.validate() or not typed(form.code):
        return _show_day(on, form, first_error(form) or str(REQUIRED)), 422
    met = _look_up(_list_arriving(on), typed(form.code), on)
    if met.party is None:
        return _show_day(on, form, met.problem), 422
    if met.is_by_code and met.party.missing:
        _take(met.party, form)
    anchor = met.party.booking.reference
    return redirect(url_for("host.check_in", slug=slug, on=on, _anchor=anchor), code=303)


@bp.get(f"/{LANG}/host/<slug>/day-sheet")
@only(*HOSTS)
def day_sheet(slug: str) -> ResponseReturnValue:
    on = _wanted_day()
    return render_template(
        "host/day_sheet.html",
        community=the_community(),
        on=on,
        arriving=_list_arriving(on),
        now=utc_now(),
    )


def _show_day(on: date, form: ArrivalForm, problem: str = "") -> Response:
    community = the_community()
    today = village_day(utc_now(), community.zone)
    until = to_instant(on + _DAY, time(), community.zone)
    answer = make_response(
        render_template(
            "host/check_in.html",
            community=community,
            on=on,
            today=today,
            tomorrow=today + _DAY,
            until=until,
            is_kept=today <= on <= today + _DAY,
            arriving=_list_arriving(on),
            form=form,
            problem=problem,
            public_key=vouchers().public_key,
        )
    )
    answer.headers["Permissions-Policy"] = _CAMERA
    if today <= on <= today + _DAY:
        answer.headers[LIST_DAY] = on.isoformat()
        answer.headers[LIST_UNTIL] = until.isoformat()
    return answer


def _wanted_day() -> date:
    """The day in the address, or today in the village. Raises NotFound for what is no day."""
    asked = request.args.get("on", "")
    try:
        return read_day(asked) if asked else village_day(utc_now(), the_community().zone)
    except ValueError:
        raise NotFound(thing="day") from None


def _list_arriving(on: date) -> Arriving:
    """Who comes on a day and has paid, or promised to, in five statements."""
    session = db.session()
    live = bookings.list_arriving(session, the_community().id, on, on + _DAY)
    held = [each.id for each in live if each.state == BookingState.HELD]
    promised = list_promised(session, held)
    booked = [each for each in live if each.is_paid or each.id in promised]
    ids = [booking.id for booking in booked]
    lines = bookings.list_price_lines(session, ids)
    money = list_money(session, ids)
    arrivals = list_arrivals(session, ids)
    parties = [
        Party(
            booking=each,
            lines=lines[each.id],
            due_satang=max(0, each.price_satang - money[each.id].paid_satang),
            arrivals=tuple(arrivals.get(each.id, ())),
        )
        for each in booked
    ]
    return Arriving(
        list({each.trip.id: each.trip for each in booked if each.is_paid}.values()),
        [each for each in parties if each.booking.is_paid],
        [each for each in parties if not each.booking.is_paid],
    )


# --- the plain form ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Met:
    """Whom a typed text means; a name only finds a party, a code checks it in."""

    party: Party | None
    problem: str = ""
    is_by_code: bool = True


def _look_up(arriving: Arriving, text: str, on: date) -> Met:
    """The party that a scanned or typed text means, or why there is none."""
    code = find_code(text)
    if code.startswith(f"{VERSION}."):
        return _look_up_voucher(arriving, code, on)
    reference = find_reference(text)
    if party := arriving.find(reference):
        return Met(party)
    named = arriving.find_named(text)
    if len(named) == 1:
        return Met(named[0], is_by_code=False)
    if named:
        return Met(None, _("Several parties fit this name. Please choose from the list."))
    return Met(None, _why_absent(reference))


def _look_up_voucher(arriving: Arriving, code: str, on: date) -> Met:
    try:
        voucher = vouchers().read(code)
    except LinkInvalid:
        return Met(None, _("This is not a voucher of ours, or it was changed."))
    if voucher.starts_on != on:
        day = format_day(voucher.starts_on)
        return Met(None, _("This voucher is for another day: %(day)s.", day=day))
    party = arriving.find(voucher.reference)
    if party is None:
        return Met(None, _why_absent(voucher.reference))
    if party.booking.trip.id != voucher.departure_id:
        return Met(None, _("This voucher is old: its booking was moved to another departure."))
    return Met(party)


def _why_absent(reference: str) -> str:
    """Why a booking is not on the day's list, as far as the community may know."""
    try:
        booking = bookings.get_booking_of(db.session(), the_community().id, reference)
    except NotFound:
        return _("There is no paid booking with this code in this community.")
    if not booking.is_paid:
        return _("There is no paid booking with this code in this community.")
    return _("This booking is for another day: %(day)s.", day=format_day(booking.trip.starts_on))


def _take(party: Party, form: ArrivalForm) -> None:
    reference, now = party.booking.reference, utc_now()
    scan = Scan(
        key=f"{typed(form.once)}-{reference}",
        reference=reference,
        device=_WEB,
        people=form.people.data or party.missing,
        scanned_at=now,
    )
    take_scans(the_community().id, [scan], the_reader().person_id, now)


# --- devices that were without the network -------------------------------------------------------


@bp.post(f"/{LANG}/host/<slug>/check-in/scans")
@only(*HOSTS)
def sync_check_ins(slug: str) -> ResponseReturnValue:
    """Take a device's scans and tell it what every device did on its day, as JSON."""
    on, scans = read_sync(request.get_json(silent=True))
    elsewhere = _list_elsewhere(on, scans)
    fitting = [scan for scan in scans if scan.reference not in elsewhere]
    synced = take_scans(the_community().id, fitting, the_reader().person_id, utc_now())
    arriving = _list_arriving(on)
    return jsonify(
        taken=synced.taken,
        refused=[*synced.unknown, *(scan.key for scan in scans if scan.reference in elsewhere)],
        elsewhere=elsewhere,
        references=[each.booking.reference for each in arriving.parties],
        arrivals=[
            {
                "key": scan.key,
                "reference": each.booking.reference,
                "device": scan.device,
                "people": scan.people,
                "scanned_at": scan.scanned_at.isoformat(),
            }
            for each in arriving.parties
            for scan in each.arrivals
        ],
    )


def _list_elsewhere(on: date, scans: Sequence[Scan]) -> dict[str, str]:
    """The days of paid bookings that were scanned on a day for which they are not booked."""
    arriving = _list_arriving(on)
    session, community_id = db.session(), the_community().id
    days = {}
    for reference in {scan.reference for scan in scans if not arriving.find(scan.reference)}:
        with suppress(NotFound):  # such a scan is refused as one of nobody
            booking = bookings.get_booking_of(session, community_id, reference)
            if booking.is_paid and booking.trip.starts_on != on:
                days[reference] = booking.trip.starts_on.isoformat()
    return days


@bp.get(f"/{LANG}/host/<slug>/check-in/worker.js")
@only(*HOSTS)
def check_in_worker(slug: str) -> ResponseReturnValue:
    """The service worker, allowed to answer for the check-in page of this community alone."""
    answer = send_from_directory(
        str(current_app.static_folder),
        "check-in-worker.js",
        mimetype="text/javascript",
        max_age=0,
    )
    answer.headers["Service-Worker-Allowed"] = url_for("host.check_in", slug=slug)
    return answer
