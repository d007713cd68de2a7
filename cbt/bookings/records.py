"""What is read of departures and bookings. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from cbt.bookings.availability import Limit, free_places
from cbt.bookings.parts import Part
from cbt.bookings.states import PAID, BookingState, WaitState
from cbt.bookings.terms import Terms, deposit_satang, parse
from cbt.bookings.things import ThingKind
from cbt.communities.records import CommunityCard
from cbt.experiences.pricing import AddOnLine, CostLine, PriceLine
from cbt.experiences.records import Teaser
from cbt.i18n import Localized


@dataclass(frozen=True)
class DepartureCard:
    """A departure as a calendar shows it."""

    id: int
    option_id: int
    community_id: int
    starts_on: date
    starts_at: time
    begins_at: datetime
    ends_at: datetime
    closes_at: datetime
    decide_at: datetime | None
    min_to_run: int
    capacity: int
    claimed: int
    state: str
    limits: tuple[Limit, ...] = ()

    @property
    def free(self) -> int:
        """Places that can still be taken, by its own count and by the things it shares."""
        return free_places(self.capacity, self.claimed, self.limits)


@dataclass(frozen=True)
class OptionHours:
    """What a departure of an option is made from."""

    option_id: int
    community_id: int
    zone: str
    starts_at: time
    duration_minutes: int
    capacity: int
    cutoff_minutes: int
    min_to_run: int
    decide_hours: int | None


@dataclass(frozen=True)
class TripCard:
    """A departure with the names of what departs."""

    id: int
    starts_on: date
    starts_at: time
    begins_at: datetime
    ends_at: datetime
    capacity: int
    claimed: int
    state: str
    min_to_run: int
    decide_at: datetime | None
    called_off_for: str | None
    option_id: int
    nights: int
    option_title: Localized
    experience_slug: str
    experience_title: Localized
    meeting_point: Localized
    picture: str


@dataclass(frozen=True)
class Guest:
    """Who to reach, and what they need. Empty where not given or already forgotten."""

    name: str | None
    email: str | None
    phone: str | None
    food_needs: str | None
    access_needs: str | None
    follow_up_agreed_at: datetime | None


@dataclass(frozen=True)
class BookingCard:
    """A booking with its trip and guest."""

    guest: Guest
    trip: TripCard
    id: int
    reference: str
    state: BookingState
    version: int
    revision: int
    held_until: datetime
    is_extended: bool
    created_at: datetime
    confirmed_at: datetime | None
    ended_at: datetime | None
    ended_for: str | None
    language: str
    places: int
    price_satang: int
    discount_satang: int
    discount_bearer: str | None
    promo_code_id: int | None
    terms: str
    counts_from: datetime
    policy_version_id: int
    community_id: int

    @property
    def is_paid(self) -> bool:
        return self.state in PAID

    def waits_for_answer(self, now: datetime) -> bool:
        return self.state == BookingState.REQUESTED and self.held_until > now

    @property
    def cancellation_terms(self) -> Terms:
        return parse(self.terms)

    @property
    def needed_satang(self) -> int:
        """What must be paid before it is confirmed, as of the same booking when it is locked."""
        return deposit_satang(self.cancellation_terms, self.price_satang)


@dataclass(frozen=True)
class PriceParts:
    """What a booking's price is made of."""

    lines: tuple[PriceLine, ...]
    costs: tuple[CostLine, ...]
    add_ons: tuple[AddOnLine, ...] = ()


@dataclass(frozen=True)
class Found:
    """An experience that a search found, with how many of its departures have room."""

    community: CommunityCard
    teaser: Teaser
    departures: int
    next_on: date


# --- shared things -------------------------------------------------------------------------------


@dataclass(frozen=True)
class ThingCard:
    id: int
    code: str
    kind: ThingKind
    title: Localized
    capacity: int
    per_day: bool
    cutoff_minutes: int
    skills: dict[str, Any]


@dataclass(frozen=True)
class SlotCard:
    """The room of a thing on one date and part of day."""

    id: int
    thing_id: int
    day: date
    part: Part
    capacity: int
    claimed: int
    blocked: int
    is_closed: bool


@dataclass(frozen=True)
class NeedCard:
    """What an option takes of a thing."""

    option_id: int
    thing_id: int
    add_on: str
    per_places: int
    units: int


@dataclass(frozen=True)
class FeedCard:
    """An outside calendar, how fresh it is and how much it blocks."""

    id: int
    thing_id: int
    name: str
    url: str
    added_at: datetime
    tried_at: datetime | None
    fetched_at: datetime | None
    failure: str | None
    rolling: int


# --- who waits, who came -------------------------------------------------------------------------


@dataclass(frozen=True)
class WaitingCard:
    """A party in line; `place` counts from 1 among those who still wait."""

    id: int
    departure_id: int
    community_id: int
    party: dict[str, int]
    places: int
    least: int
    state: WaitState
    language: str
    name: str | None
    email: str | None
    phone: str | None
    joined_at: datetime
    booking_id: int | None
    passed_at: datetime | None
    passed_for: str | None
    place: int = 0


@dataclass(frozen=True)
class ArrivalCard:
    """A check-in as it was scanned."""

    key: str
    booking_id: int
    device: str
    people: int
    scanned_at: datetime
    received_at: datetime
    scanned_by: int


@dataclass(frozen=True)
class NoShowCard:
    booking_id: int
    reason: str
    noted_at: datetime
    noted_by: int
    disputed_at: datetime | None
    dispute: str | None


# --- what hosts arrange --------------------------------------------------------------------------


@dataclass(frozen=True)
class RestCard:
    """Days on which the village takes no guests, both ends included."""

    id: int
    first_on: date
    last_on: date
    reason: Localized


@dataclass(frozen=True)
class OptionName:
    """An option by its names, for lists to choose from."""

    id: int
    title: Localized
    experience_title: Localized
    starts_at: time
