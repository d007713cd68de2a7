"""What is read of payments. Pure."""

from dataclasses import dataclass
from datetime import datetime

from cbt.i18n import Localized
from cbt.payments.provider import AttemptState, RefundReason, RefundState


@dataclass(frozen=True)
class Method:
    """A way in which a community can be paid."""

    id: int
    provider: str
    receiver: dict[str, str]
    receiver_name: Localized


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
    created_at: datetime
    expires_at: datetime
    reported_at: datetime | None
    receiver_name: Localized


@dataclass(frozen=True)
class CaptureCard:
    """Money that arrived; its fee is None until the provider reports it."""

    id: int
    booking_id: int
    provider: str
    payment_id: str
    amount_satang: int
    fee_satang: int | None
    paid_at: datetime
    recorded_at: datetime
    receipt_number: int
    buys: bool


@dataclass(frozen=True)
class RefundCard:
    """Money to give back, with what is needed to reach the guest."""

    id: int
    reference: str
    provider: str
    amount_satang: int
    reason: RefundReason
    requested_at: datetime
    guest_name: str | None
    guest_email: str | None
    guest_phone: str | None


@dataclass(frozen=True)
class RefundedCard:
    """Money of a booking that goes or went back to its guest."""

    amount_satang: int
    reason: RefundReason
    state: RefundState
