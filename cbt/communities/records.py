"""What is read of communities. Pure."""

from dataclasses import dataclass
from datetime import date, datetime

from cbt.communities.shares import AssetKind, Decision, ShareEvent, ShareKind
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


# --- what households own together ----------------------------------------------------------------


@dataclass(frozen=True)
class AssetCard:
    """Something that households own together; `experience_id` where it is an experience as such."""

    id: int
    community_id: int
    code: str
    kind: str
    title: Localized
    begins_on: date
    experience_id: int | None
    recorded_by: int
    recorded_at: datetime


@dataclass(frozen=True)
class ShareLine:
    """A recorded share event, and what a second person said to it (None while nobody has)."""

    id: int
    kind: ShareKind
    from_household: str | None
    to_household: str | None
    shares: int
    effective_on: date
    document: str
    document_sha256: str
    recorded_by: int
    recorded_at: datetime
    decision: Decision | None
    decided_by: int | None
    decided_at: datetime | None

    @property
    def event(self) -> ShareEvent:
        return ShareEvent(
            self.kind, self.from_household, self.to_household, self.shares, self.effective_on
        )


@dataclass(frozen=True)
class UseLine:
    """From a day on, an experience earns by an asset's shares (by none with None)."""

    id: int
    experience_id: int
    asset_id: int | None
    effective_on: date
    recorded_by: int
    recorded_at: datetime
    decision: Decision | None
    decided_by: int | None
    decided_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class NewAsset:
    """What is recorded of a co-owned asset."""

    kind: AssetKind
    title: Localized
    begins_on: date
    experience_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class NewShareChange:
    """A share event as recorded, with the document that proves it and that document's SHA-256."""

    asset_id: int
    kind: ShareKind
    from_household: str | None
    to_household: str | None
    shares: int
    effective_on: date
    document: str
    document_sha256: str
