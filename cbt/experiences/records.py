"""What is read of listings. Pure."""

from dataclasses import dataclass
from datetime import time

from cbt.communities.records import CommunityCard
from cbt.experiences.pricing import CostRate, PriceList, UnitPrice
from cbt.i18n import Localized


@dataclass(frozen=True)
class OptionCard:
    """An option with its price list."""

    id: int
    code: str
    title: Localized
    starts_at: time
    duration_minutes: int
    nights: int
    min_party: int
    max_party: int
    prices: tuple[UnitPrice, ...]
    costs: tuple[CostRate, ...]

    @property
    def price_list(self) -> PriceList:
        return PriceList(self.prices, self.costs, self.min_party, self.max_party)


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


@dataclass(frozen=True, kw_only=True)
class NewOption:
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

    @property
    def price_list(self) -> PriceList:
        return PriceList(self.prices, self.costs, self.min_party, self.max_party)


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
