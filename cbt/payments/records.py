"""What is read of payments. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cbt.bookings.states import PAID, BookingState
from cbt.i18n import Localized
from cbt.payments.provider import (
    AttemptState,
    DisputeState,
    Failure,
    PayMethod,
    RefundReason,
    RefundState,
)

CASH = "cash"
"""The name of the provider that is a cash box: its account's receiver says whether guests may choose it."""


RECORDED_WITHIN = timedelta(days=7)
"""How long after a trip people may write down cash that was promised for it."""


def allows_guests(receiver: Mapping[str, str]) -> bool:
    """Whether guests may promise cash themselves; people of the community may always take it."""
    return receiver.get("guests") == "yes"


@dataclass(frozen=True)
class Method:
    """A way in which a community can be paid."""

    id: int
    provider: str
    receiver: dict[str, str]
    receiver_name: Localized
    is_open: bool
    problem: str

    @property
    def is_for_guests(self) -> bool:
        """Whether guests may choose it: cash only where the community has said so."""
        return self.is_open and (self.provider != CASH or allows_guests(self.receiver))


@dataclass(frozen=True)
class AccountCard:
    """A way to be paid, as those who arrange it see it."""

    id: int
    provider: str
    receiver: dict[str, str]
    receiver_name: Localized
    is_open: bool
    checked_at: datetime | None
    problem: str


@dataclass(frozen=True)
class ProposalCard:
    """A proposed change of where the money goes: {"receiver": ..., "receiver_name": ...} each.

    `before` is {} for a way to be paid that is new.
    """

    id: int
    community_id: int
    provider: str
    before: dict[str, Any]
    after: dict[str, Any]
    proposed_by: int
    proposed_at: datetime
    state: str
    decided_by: int | None
    decided_at: datetime | None
    reason: str


@dataclass(frozen=True)
class LastChange:
    """Who changed an account last and who agreed (None: nobody had to)."""

    name: str
    agreed: str | None
    at: datetime


@dataclass(frozen=True)
class AttemptCard:
    id: int
    booking_id: int
    reference: str
    number: int
    provider: str
    state: AttemptState
    amount_satang: int
    provider_ref: str | None
    qr_payload: str
    page_url: str
    failure: Failure | None
    created_at: datetime
    expires_at: datetime
    reported_at: datetime | None
    receiver: dict[str, str]
    receiver_name: Localized


@dataclass(frozen=True)
class TransferCard:
    """A code that a transfer may have paid, and whose booking it is for."""

    attempt: AttemptCard
    departure_id: int
    guest_name: str | None
    booking_state: BookingState
    confirmed_at: datetime | None

    @property
    def is_of_paid_booking(self) -> bool:
        """Whether the booking was paid otherwise; a code opened afterwards is for what a change added."""
        paid_before = self.confirmed_at is not None and self.attempt.created_at <= self.confirmed_at
        return self.booking_state in PAID and paid_before


@dataclass(frozen=True)
class LookCard:
    """What the first of two people saw of a transfer; the second one confirms it."""

    id: int
    attempt_id: int
    bank: str
    bank_reference: str | None
    looked_by: int
    looked_at: datetime


@dataclass(frozen=True)
class CaptureCard:
    """Money that arrived; its fee is None until the provider reports it."""

    id: int
    booking_id: int
    provider: str
    payment_id: str
    amount_satang: int
    fee_satang: int | None
    method: PayMethod
    paid_at: datetime
    recorded_at: datetime
    receipt_number: int
    buys: bool


@dataclass(frozen=True)
class RefundCard:
    """Money that goes or went back, with what is needed to reach the guest."""

    id: int
    reference: str
    provider: str
    amount_satang: int
    reason: RefundReason
    state: RefundState
    requested_at: datetime
    requested_by: int | None
    approved_by: int | None
    action_until: datetime | None
    failure: str | None
    paid_from: str | None
    done_at: datetime | None
    done_by: str | None
    proof: str | None
    guest_name: str | None
    guest_email: str | None
    guest_phone: str | None
    dispute: DisputeState | None
    """Of the same payment: nothing is sent while one is open; after a lost one a person decides."""


@dataclass(frozen=True)
class RefundedCard:
    """Money of a booking that goes or went back to its guest."""

    amount_satang: int
    reason: RefundReason
    state: RefundState


@dataclass(frozen=True)
class Money:
    """What was taken for a booking, in satang.

    `captured` bought it, `from_credit` came out of credits; `returning` goes or went back to the
    guest and `credited` became a credit. `retained` is what the terms kept of a price that fell: it
    stays with the community and buys nothing else. `goodwill` of what goes back the community gives
    beyond its terms. `disputed` went back by a dispute that was lost; `frozen` may still. `given_later`
    goes or went back after the booking's money was shared out, and `lost_later` a bank took then: its
    split stays, its shares bear that.
    """

    captured_satang: int = 0
    from_credit_satang: int = 0
    returning_satang: int = 0
    credited_satang: int = 0
    retained_satang: int = 0
    goodwill_satang: int = 0
    disputed_satang: int = 0
    frozen_satang: int = 0
    given_later_satang: int = 0
    lost_later_satang: int = 0

    @property
    def kept_satang(self) -> int:
        """What is there for the trip."""
        came = self.captured_satang + self.from_credit_satang
        return came - self.returning_satang - self.credited_satang - self.disputed_satang

    @property
    def paid_satang(self) -> int:
        """What counts towards the price: that much is paid. Goodwill leaves nothing to pay again."""
        return self.kept_satang - self.retained_satang + self.goodwill_satang

    @property
    def returnable_satang(self) -> int:
        """What is there and in no dispute: that much at most can go back."""
        later = self.given_later_satang + self.lost_later_satang
        return max(0, self.kept_satang - self.frozen_satang - later)

    @property
    def of_terms_satang(self) -> int:
        """What a cancellation is reckoned from: what is there, less what was retained before."""
        return max(0, self.kept_satang - self.retained_satang - self.frozen_satang)


@dataclass(frozen=True)
class CreditCard:
    """Money that a guest left with the community for another trip."""

    id: int
    code: str
    community_id: int
    booking_id: int
    amount_satang: int
    used_satang: int
    frozen_satang: int
    issued_at: datetime

    @property
    def left_satang(self) -> int:
        """What can be used: neither was before, nor is held or taken back by a dispute."""
        return self.amount_satang - self.used_satang - self.frozen_satang
