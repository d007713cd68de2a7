"""Cash on arrival: the guest's promise, until a person of the community has taken the money.

Nobody outside tells of cash, so what people of the community wrote down as taken is this provider's
"present state".
"""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select

from cbt.db import db
from cbt.payments.models import Attempt, CashTaken
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
from cbt.payments.records import CASH


class CashProvider(ByHand):
    name = CASH
    capabilities = Capabilities(
        refunds_itself=False, is_pretended=False, starts_alone=True, confirms=True, on_arrival=True
    )

    def estimate_fee(self, amount_satang: int) -> int:
        return 0

    def needs_own_amount(self, receiver: Mapping[str, str]) -> bool:
        return False  # whoever takes the money knows whose it is

    def start(self, asked: Asked, now: datetime) -> Started:
        return Started(cash_ref(asked.attempt_id), "", asked.trip_begins_at)

    def fetch(
        self, receiver: Mapping[str, str], provider_ref: str, now: datetime
    ) -> NormalisedPayment:
        taken = db.session.scalars(
            select(CashTaken)
            .join(Attempt, Attempt.id == CashTaken.attempt_id)
            .where(Attempt.provider_ref == provider_ref)
            .order_by(CashTaken.id)
        ).all()
        received = tuple(
            Received(f"cash-{each.id}", each.amount_satang, 0, each.taken_at, PayMethod.CASH)
            for each in taken
        )
        return NormalisedPayment(AttemptState.PAID if received else AttemptState.PENDING, received)


def cash_ref(attempt_id: int) -> str:
    """How an attempt to pay in cash is named."""
    return f"cash-{attempt_id}"
