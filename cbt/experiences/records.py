"""What is read of listings. Pure."""

from dataclasses import dataclass
from datetime import date, time

from cbt.communities.records import CommunityCard
from cbt.experiences.pricing import (
    AddOn,
    CostRate,
    GroupRate,
    PriceList,
    SeasonPrices,
    UnitPrice,
    in_season,
)
from cbt.experiences.schedule import Rule
from cbt.i18n import Localized


@dataclass(frozen=True)
class AddOnCard:
    """An extra with its name."""

    code: str
    title: Localized
    price_satang: int
    per_guest: bool
    most: int

    @property
    def priced(self) -> AddOn:
        return AddOn(self.code, self.price_satang, self.per_guest, self.most)


@dataclass(frozen=True)
class OptionCard:
    """An option with its price list, as it stands outside of seasons and in each."""

    id: int
    code: str
    title: Localized
    starts_at: time
    duration_minutes: int
    nights: int
    min_party: int
    max_party: int
    request_hours: int | None
    terms: str
    prices: tuple[UnitPrice, ...]
    costs: tuple[CostRate, ...]
    group_rate: GroupRate | None
    add_ons: tuple[AddOnCard, ...]
    seasons: tuple[SeasonPrices, ...]

    @property
    def price_list(self) -> PriceList:
        return _price_list(self)

    def price_list_on(self, day: date) -> PriceList:
        """The price list of the season that the day lies in."""
        return in_season(self.price_list, self.seasons, day)


@dataclass(frozen=True)
class OptionTerms:
    """What an option's next bookings freeze: `terms` is their canonical text, "" for the usual ones.

    `refund` is what the listing says of it in its own words.
    """

    option_id: int
    experience_title: Localized
    title: Localized
    refund: Localized
    terms: str


@dataclass(frozen=True)
class Texts:
    """What a listing says, in the community's words."""

    id: int
    slug: str
    picture: str
    picture_text: Localized
    title: Localized
    summary: Localized
    description: Localized
    included: Localized
    bring: Localized
    meeting_point: Localized
    safety: Localized
    access: Localized
    food: Localized
    refund: Localized


@dataclass(frozen=True)
class Listing:
    """An experience with everything that its page shows."""

    texts: Texts
    community: CommunityCard
    options: tuple[OptionCard, ...]


@dataclass(frozen=True)
class Teaser:
    """An experience as a card in a list, with its lowest price of an adult."""

    slug: str
    picture: str
    picture_text: Localized
    title: Localized
    summary: Localized
    from_satang: int


@dataclass(frozen=True)
class SeasonCard:
    id: int
    code: str
    title: Localized
    first_on: date
    last_on: date


@dataclass(frozen=True)
class PromoCard:
    """A promotion code, with how often bookings used it."""

    id: int
    code: str
    bp: int
    amount_satang: int
    bearer: str
    first_on: date
    last_on: date
    most_uses: int


@dataclass(frozen=True)
class RuleCard:
    """A schedule rule with its option."""

    id: int
    option_id: int
    option_code: str
    option_title: Localized
    experience_title: Localized
    rule: Rule
    exceptions: dict[date, bool]


# --- what services are given ---------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NewOption:
    """An option to publish; `seasons` prices it in seasons that exist already, by their codes."""

    code: str
    title: Localized
    starts_at: time
    duration_minutes: int
    nights: int
    min_party: int
    max_party: int
    capacity: int
    prices: tuple[UnitPrice, ...]
    costs: tuple[CostRate, ...]
    group_rate: GroupRate | None = None
    add_ons: tuple[AddOnCard, ...] = ()
    seasons: tuple[SeasonPrices, ...] = ()
    cutoff_minutes: int = 0
    min_to_run: int = 1
    decide_hours: int | None = None
    request_hours: int | None = None
    terms: str = ""

    @property
    def price_list(self) -> PriceList:
        return _price_list(self)


@dataclass(frozen=True, kw_only=True)
class NewExperience:
    slug: str
    picture: str
    picture_text: Localized
    title: Localized
    summary: Localized
    description: Localized
    included: Localized
    bring: Localized
    meeting_point: Localized
    safety: Localized
    access: Localized
    food: Localized
    refund: Localized
    options: tuple[NewOption, ...]


def _price_list(option: OptionCard | NewOption) -> PriceList:
    return PriceList(
        option.prices,
        option.costs,
        option.min_party,
        option.max_party,
        per_group=option.group_rate,
        add_ons=tuple(each.priced for each in option.add_ons),
    )
