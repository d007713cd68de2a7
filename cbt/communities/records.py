"""What is read of communities. Pure."""

from dataclasses import dataclass

from cbt.i18n import Localized


@dataclass(frozen=True)
class CommunityCard:
    """What every page about a community needs."""

    id: int
    slug: str
    book_id: int
    name: Localized
    summary: Localized
    story: Localized
    picture: str
    tambon: Localized
    district: Localized
    province: Localized
    province_code: str
    contact: Localized
    zone: str
    is_sample: bool
    settlements: int


@dataclass(frozen=True)
class HouseholdCard:
    id: int
    code: str
    name: Localized
    position: int


@dataclass(frozen=True)
class Numbers:
    households: int
    members: int


@dataclass(frozen=True, kw_only=True)
class Founding:
    """What a community says of itself when it joins. Texts are {"th": ..., "en": ...}."""

    slug: str
    name: Localized
    summary: Localized
    story: Localized
    picture: str
    tambon: Localized
    district: Localized
    province: Localized
    province_code: str
    contact: Localized
    zone: str
    is_sample: bool
