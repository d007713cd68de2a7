"""What is read of policies, work and settlements. Pure."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from hashlib import sha256

from cbt.errors import PolicyInvalid, RecordDamaged
from cbt.i18n import Localized
from cbt.revenue import posting
from cbt.revenue.policy import Bucket, Policy, Task, parse
from cbt.revenue.posting import BookingFacts, SharingFacts


@dataclass(frozen=True)
class AdoptedPolicy:
    """A policy version with the resolution that adopted it."""

    id: int
    community_id: int
    number: int
    text: str
    sha256: str
    recorded_at: datetime
    adopted_on: date
    effective_from: date
    meeting: Localized
    households: int
    present: int
    voted_for: int

    @property
    def name(self) -> str:
        """As the text gives it, even where the text was damaged after adoption."""
        names = [line[6:] for line in self.text.splitlines() if line.startswith("name: ")]
        return names[0] if names else "?"

    @property
    def policy(self) -> Policy:
        return read_policy(self.text)


@lru_cache(maxsize=256)  # an adopted text never changes, and every page of a booking shows it
def read_policy(text: str) -> Policy:
    """An adopted text as a policy. Raises RecordDamaged: it was valid when it was adopted."""
    try:
        return parse(text)
    except PolicyInvalid:
        raise RecordDamaged(record="policy") from None


@dataclass(frozen=True)
class WorkRow:
    """A service record with the names it shows."""

    household: str
    household_name: Localized
    household_position: int
    task: Task
    units: int
    minutes: int
    recorded_by: int
    recorded_at: datetime


@dataclass(frozen=True)
class PreparationRow:
    """What a household bought or prepared for a departure."""

    household: str
    household_name: Localized
    what: str
    cost_satang: int


@dataclass(frozen=True)
class SettlementCard:
    id: int
    departure_id: int
    number: int
    service_on: date
    facts: str
    settled_at: datetime
    settled_by: int


# --- what services are given, and what they show before they post ----------------------------------


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """The members' meeting that adopted a policy: how many households there are, came, and agreed."""

    adopted_on: date
    effective_from: date
    meeting: Localized
    households: int
    present: int
    voted_for: int


@dataclass(frozen=True)
class NewWork:
    """A row of the work record as typed: a household's code, a task, its units and minutes."""

    household: str
    task: str
    units: int
    minutes: int


@dataclass(frozen=True)
class NewPreparation:
    """A row as typed: who bought or prepared what, at which cost in satang."""

    household: str
    what: str
    cost_satang: int


@dataclass(frozen=True)
class Preview:
    """What settling a departure would post."""

    bookings: tuple[BookingFacts, ...]
    sharing: SharingFacts

    @property
    def households(self) -> dict[str, int]:
        """What each household would get, in satang, in register order."""
        return posting.household_totals(self.sharing)

    @property
    def surpluses(self) -> dict[Bucket, int]:
        """What agreed rates would leave to funds, in satang."""
        left: dict[Bucket, int] = {}
        for _policy, shared in posting.share_out(self.sharing):
            if shared.surplus_satang:
                left[shared.surplus] = left.get(shared.surplus, 0) + shared.surplus_satang
        return left

    @property
    def dividend_satang(self) -> int:
        """What of the households' money comes to them as owners."""
        return sum(amount for _policy, amount in self.sharing.dividends)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all facts, so that a person settles what they were shown and nothing else."""
        texts = [posting.split_input(each) for each in self.bookings]
        return sha256("".join([*texts, posting.sharing_input(self.sharing)]).encode()).hexdigest()
