"""Single stories in a sample community's past, so that every page has something to show.

A file names the option in which each of them plays, as `experience/option`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from cbt.bookings.arrivals import note_no_show
from cbt.bookings.queries import get_booking, get_departure, list_bookings
from cbt.bookings.records import BookingCard, DepartureCard
from cbt.bookings.states import PAID, EndReason
from cbt.bookings.waitlist import Joining, join
from cbt.db import db
from cbt.demo.extras import options_of
from cbt.errors import SlotFull
from cbt.payments.call_off import call_off
from cbt.payments.cancel import cancel, quote_cancellation
from cbt.payments.cash import take_cash
from cbt.payments.cash_box import count_cash
from cbt.payments.give_back import send_refunds
from cbt.payments.pay import start_attempt
from cbt.payments.provider import Providers
from cbt.payments.records import CASH

Party = dict[str, int]
Deed = Callable[[datetime], object]


class Taking(Protocol):
    """Hold places for a sample guest, or book and pay them; returns the booking's reference."""

    def __call__(
        self,
        departure_id: int,
        party: Party,
        key: str,
        at: datetime,
        *,
        add_ons: Party | None = None,
        promo_code: str = "",
    ) -> str: ...


@dataclass(frozen=True)
class Stage:
    """Where the stories of one community play; `departures` are in the order of their days.

    `over` are those that guests booked and that have been; `party` tells who may come, or None.
    """

    slug: str
    community_id: int
    host_id: int
    departures: list[DepartureCard]
    over: list[DepartureCard]
    options: dict[int, dict[str, Any]]
    promo_code: str
    providers: Providers
    party: Callable[[DepartureCard], Party | None]
    hold: Taking
    book: Taking
    now: datetime

    def key(self, scene: str, number: int = 0) -> str:
        return f"sample {self.slug} {scene} {number}"

    def ahead(self, option_id: int, days: int) -> list[DepartureCard]:
        """Departures of an option at least so many days from now."""
        first = self.now + timedelta(days=days)
        mine = (each for each in self.departures if each.option_id == option_id)
        return [each for each in mine if each.begins_at >= first]

    def find_room(
        self, option_id: int, days: int
    ) -> tuple[DepartureCard, Party] | tuple[None, None]:
        """The first such departure as it is now that has room, with a party for it."""
        for each in self.ahead(option_id, days):
            current = get_departure(db.session(), each.id)
            party = self.party(current)
            if party:
                return current, party
        return None, None


def require_known(plan: dict[str, Any]) -> None:
    """Raise ValueError for a story that nobody knows, or that cannot play where a file says."""
    options = dict(options_of(plan))
    for name, code in plan.get("scenes", {}).items():
        if name not in _SCENES or code not in options:
            raise ValueError(f"no such scene: {name} in {code}")
        if name == "extra" and not options[code].get("add_ons"):
            raise ValueError(f"{code} sells nothing extra")
        if name == "code" and not plan.get("promos"):
            raise ValueError("there is no promotion code")


def deeds(scenes: dict[str, int], stage: Stage) -> Iterator[tuple[datetime, Deed]]:
    """What happens in the stories {name: option} of a file, each deed with its instant."""
    for name, option_id in scenes.items():
        yield from _SCENES[name](stage, option_id)


# --- the stories ---------------------------------------------------------------------------------

Story = Iterator[tuple[datetime, Deed]]


def _full(stage: Stage, option_id: int) -> Story:
    """A departure is sold out, and a party waits for it."""

    def fill(at: datetime) -> None:
        departure, party = stage.find_room(option_id, days=3)
        number = 0
        while departure and party:
            number += 1
            stage.book(departure.id, party, stage.key("full", number), at)
            departure = get_departure(db.session(), departure.id)
            party = stage.party(departure)
            found.append(departure.id)

    def wait(at: datetime) -> None:
        if found:
            join(_joining(stage, found[0]), at)

    found: list[int] = []
    yield stage.now - timedelta(hours=5), fill
    yield stage.now - timedelta(hours=4), wait


def _joining(stage: Stage, departure_id: int) -> Joining:
    return Joining(
        departure_id=departure_id,
        party={"ADULT": 2},
        least=2,
        language="th",
        request_key=stage.key("waiting"),
        name="นักท่องเที่ยวตัวอย่าง 7",
        email="",
        phone="000-000-0000",
    )


def _cancelled(stage: Stage, option_id: int) -> Story:
    """A guest cancels between two tiers of the terms; half goes back, half is kept."""

    def book(at: datetime) -> None:
        departure, party = stage.find_room(option_id, days=18)
        if departure and party:
            references.append(stage.book(departure.id, party, stage.key("cancelled"), at))

    def give_up(at: datetime) -> None:
        for reference in references:
            cancel(reference, quote_cancellation(reference, at), at)
            send_refunds(stage.providers, at)

    references: list[str] = []
    yield stage.now - timedelta(days=3), book
    yield stage.now - timedelta(days=1), give_up


def _called_off(stage: Stage, option_id: int) -> Story:
    """Bad weather: who had booked is asked to choose."""

    def book(at: datetime) -> None:
        departure, party = stage.find_room(option_id, days=2)
        if departure and party:
            stage.book(departure.id, party, stage.key("called_off"), at)
            found.append(departure.id)

    def end(at: datetime) -> None:
        for departure_id in found:
            call_off(stage.community_id, departure_id, EndReason.WEATHER, at)

    found: list[int] = []
    yield stage.now - timedelta(days=2), book
    yield stage.now - timedelta(hours=3), end


def _no_show(stage: Stage, option_id: int) -> Story:
    """A paid party did not come, and the host noted it."""

    def note(at: datetime) -> None:
        bookings = list_bookings(db.session(), stage.community_id, [departure.id], PAID)
        if bookings:
            reason = "รอสามสิบนาที โทรศัพท์แล้วไม่มีผู้รับ (ตัวอย่าง)"
            note_no_show(stage.community_id, bookings[-1].reference, reason, stage.host_id, at)

    over = [each for each in stage.over if each.option_id == option_id]
    if over:
        departure = over[-1]
        yield departure.begins_at + timedelta(minutes=30), note


def _requested(stage: Stage, option_id: int) -> Story:
    """A request waits for the community's answer."""

    def ask(at: datetime) -> None:
        departure, party = stage.find_room(option_id, days=9)
        if departure and party:
            stage.hold(departure.id, party, stage.key("requested"), at)

    yield stage.now - timedelta(hours=2), ask


def _extra(stage: Stage, option_id: int) -> Story:
    """A party takes an extra, on the first day that has room for it."""
    code = stage.options[option_id]["add_ons"][0]["code"]

    def book(at: datetime) -> None:
        for departure in stage.ahead(option_id, days=3):
            party = stage.party(get_departure(db.session(), departure.id))
            try:
                if party:
                    stage.book(departure.id, party, stage.key("extra"), at, add_ons={code: 1})
                    return
            except SlotFull:
                continue

    yield stage.now - timedelta(hours=30), book


def _code(stage: Stage, option_id: int) -> Story:
    """A party that has come used the community's promotion code."""

    def book(at: datetime) -> None:
        current = get_departure(db.session(), departure.id)
        party = stage.party(current)
        if party:
            stage.book(departure.id, party, stage.key("code"), at, promo_code=stage.promo_code)

    over = [each for each in stage.over if each.option_id == option_id]
    if over:
        departure = over[0]
        yield departure.begins_at - timedelta(days=3), book


def _cash(stage: Stage, option_id: int) -> Story:
    """A party paid in cash when it came, another has promised to; the box waits to be counted again."""

    def promise(at: datetime, departure_id: int, party: Party, number: int) -> str:
        reference = stage.hold(departure_id, party, stage.key("cash", number), at)
        start_attempt(reference, CASH, stage.providers, at)
        return reference

    def book(at: datetime) -> None:
        party = stage.party(get_departure(db.session(), gone.id))
        if party:
            references.append(promise(at, gone.id, party, 0))

    def take(at: datetime) -> None:
        for reference in references:
            take_cash(stage.community_id, reference, stage.host_id, at, stage.providers)

    def count(at: datetime) -> None:
        departure, party = stage.find_room(option_id, days=2)
        if departure and party:
            promise(at, departure.id, party, 1)
        note = "เหรียญยังไม่ได้นับ (ตัวอย่าง)"
        held = sum(each.price_satang for each in map(_booking, references))
        count_cash(stage.community_id, held, note, stage.host_id, at)

    references: list[str] = []
    over = [each for each in stage.over if each.option_id == option_id]
    if over:
        gone = over[-1]
        yield gone.begins_at - timedelta(days=2), book
        yield gone.begins_at, take
        yield stage.now - timedelta(hours=1), count


def _booking(reference: str) -> BookingCard:
    return get_booking(db.session(), reference)


_SCENES: dict[str, Callable[[Stage, int], Story]] = {
    "full": _full,
    "cancelled": _cancelled,
    "called_off": _called_off,
    "no_show": _no_show,
    "requested": _requested,
    "extra": _extra,
    "code": _code,
    "cash": _cash,
}
