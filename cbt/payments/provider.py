"""What every payment provider offers, in one vocabulary. Pure.

Money is whole satang. A provider is called outside of transactions: it is asked, and what it
answers is then written by one use case (`take_in`), which is safe to repeat. Lists of transactions
and signed webhooks join this interface with the first provider that has them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class AttemptState(StrEnum):
    """Normalised states of one try to pay, in the order in which they may follow each other."""

    PENDING = "pending"
    REPORTED = "reported"  # the guest says that the money is on its way
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    PAID = "paid"


_RANK = {
    AttemptState.PENDING: 0,
    AttemptState.REPORTED: 1,
    AttemptState.FAILED: 2,
    AttemptState.EXPIRED: 2,
    AttemptState.CANCELLED: 2,
    AttemptState.PAID: 3,
}


def advance(known: AttemptState, reported: AttemptState) -> AttemptState:
    """The state after a report, which may be late or repeated: it never goes backwards."""
    return reported if _RANK[reported] > _RANK[known] else known


@dataclass(frozen=True)
class Capabilities:
    """What a provider can do by itself; what it cannot, a person does.

    One that starts alone asks nobody outside for it, so an attempt is made and started in one change.
    """

    refunds_itself: bool
    is_pretended: bool
    starts_alone: bool = False


@dataclass(frozen=True)
class Asked:
    """One attempt, as its provider gets it. `receiver` is the community's id there, if any.

    Nothing can be paid for after `trip_begins_at`.
    """

    attempt_id: int
    booking_reference: str
    number: int
    amount_satang: int
    receiver: Mapping[str, str]
    hold_ends_at: datetime
    trip_begins_at: datetime


@dataclass(frozen=True)
class Started:
    """How the guest goes on: by a QR to scan, or on the provider's own page."""

    provider_ref: str
    qr_payload: str
    expires_at: datetime


@dataclass(frozen=True)
class Received:
    """Money that arrived: the provider's own id for it, and when; its fee is None until known."""

    payment_id: str
    amount_satang: int
    fee_satang: int | None
    paid_at: datetime


@dataclass(frozen=True)
class NormalisedPayment:
    """A provider's present answer about an attempt. One QR may be paid more than once."""

    state: AttemptState
    received: tuple[Received, ...] = ()


class RefundState(StrEnum):
    REQUESTED = "requested"
    SUCCEEDED = "succeeded"


class RefundReason(StrEnum):
    """Why money goes back to the guest."""

    NO_PLACE_LEFT = "no_place_left"
    PAID_TWICE = "paid_twice"
    AMOUNT_DIFFERS = "amount_differs"
    CANCELLED = "cancelled"
    CALLED_OFF = "called_off"
    PRICE_LOWERED = "price_lowered"


@dataclass(frozen=True)
class NormalisedRefund:
    """A provider's answer to a refund. `fee_returned_satang`: what it gives back of its fee."""

    state: RefundState
    fee_returned_satang: int = 0


class Provider(Protocol):
    """A way to pay. Each call is safe to repeat with the same attempt or reference."""

    name: str
    capabilities: Capabilities

    def estimate_fee(self, amount_satang: int) -> int:
        """What the provider would keep, before it has said so. Shown as an estimate."""

    def needs_own_amount(self, receiver: Mapping[str, str]) -> bool:
        """Whether payments to this receiver can only be told apart by their amounts."""

    def start(self, asked: Asked, now: datetime) -> Started: ...

    def fetch(self, provider_ref: str, now: datetime) -> NormalisedPayment: ...

    def cancel(self, provider_ref: str, now: datetime) -> None:
        """Ask that an attempt be paid no more. Money may arrive all the same, and is then taken in."""

    def refund(
        self, key: str, payment_id: str, amount_satang: int, now: datetime
    ) -> NormalisedRefund:
        """Ask for money to be given back; the same `key` is the same refund."""


Providers = Mapping[str, Provider]
