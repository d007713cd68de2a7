"""PromptPay straight to the community's own id: we draw the QR, a person of the community confirms.

No bank tells us of the transfer, so a confirmation by the host or treasurer, who saw the money in
the account, is this provider's "present state". A picture of a slip alone never counts.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import select

from cbt.db import db
from cbt.payments.models import Attempt, TransferConfirmation
from cbt.payments.promptpay import IdKind, Receiver, payload
from cbt.payments.provider import (
    Asked,
    AttemptState,
    Capabilities,
    NormalisedPayment,
    PayMethod,
    Received,
    Started,
)
from cbt.payments.providers.by_hand import ByHand

OPEN_FOR = timedelta(minutes=60)


class PromptPayProvider(ByHand):
    name = "promptpay"
    capabilities = Capabilities(
        refunds_itself=False, is_pretended=False, starts_alone=True, confirms=True
    )

    def estimate_fee(self, amount_satang: int) -> int:
        return 0  # transfers between people's and communities' own accounts cost nothing

    def needs_own_amount(self, receiver: Mapping[str, str]) -> bool:
        """Only a bill payment carries a reference; a transfer is told apart by its satang."""
        return receiver["kind"] != IdKind.BILLER

    def start(self, asked: Asked, now: datetime) -> Started:
        receiver = Receiver(IdKind(asked.receiver["kind"]), asked.receiver["id"])
        text = payload(
            receiver, asked.amount_satang, asked.booking_reference, f"A{asked.attempt_id}"
        )
        expires_at = min(now + OPEN_FOR, asked.trip_begins_at)
        return Started(f"promptpay-{asked.attempt_id}", text, expires_at)

    def fetch(
        self, receiver: Mapping[str, str], provider_ref: str, now: datetime
    ) -> NormalisedPayment:
        confirmations = db.session.execute(
            select(TransferConfirmation, Attempt.reported_at)
            .join(Attempt, Attempt.id == TransferConfirmation.attempt_id)
            .where(Attempt.provider_ref == provider_ref)
            .order_by(TransferConfirmation.id)
        ).all()
        received = tuple(
            Received(
                f"transfer-{each.id}",
                each.amount_satang,
                0,
                _paid_at(each, reported_at),
                PayMethod.PROMPTPAY,
            )
            for each, reported_at in confirmations
        )
        return NormalisedPayment(AttemptState.PAID if received else AttemptState.PENDING, received)


def _paid_at(seen: TransferConfirmation, reported_at: datetime | None) -> datetime:
    """When the money came: as the bank says, else when the guest said so, at the latest when it was
    seen. A transfer that was made before the trip is one, however late somebody looks.
    """
    if seen.paid_at is not None:
        return seen.paid_at
    return min(seen.confirmed_at, reported_at or seen.confirmed_at)
