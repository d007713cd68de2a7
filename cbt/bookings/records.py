"""What is read of departures and bookings. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, time

from cbt.bookings.states import PAID, BookingState
from cbt.communities.records import CommunityCard
from cbt.experiences.pricing import CostLine, PriceLine
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
    capacity: int
    claimed: int
    state: str

    @property
    def free(self) -> int:
        return self.capacity - self.claimed


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


@dataclass(frozen=True)
class BookingCard:
    """A booking with its trip and guest."""

    guest: Guest
    trip: TripCard
    id: int
    reference: str
    state: BookingState
    held_until: datetime
    created_at: datetime
    confirmed_at: datetime | None
    language: str
    places: int
    price_satang: int
    policy_version_id: int
    community_id: int

    @property
    def is_paid(self) -> bool:
        return self.state in PAID


@dataclass(frozen=True)
class PriceParts:
    """What a booking's price is made of."""

    lines: tuple[PriceLine, ...]
    costs: tuple[CostLine, ...]


@dataclass(frozen=True)
class Found:
    """An experience that a search found, with how many of its departures have room."""

    community: CommunityCard
    teaser: Teaser
    departures: int
    next_on: date
