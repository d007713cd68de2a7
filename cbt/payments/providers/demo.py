"""A pretended provider for sample communities: deterministic, without keys, never real money.

Its own side (what the "bank" did) is kept in `demo_event`, apart from our attempts and captures,
so that our side has to learn of a payment in the same way as from a real provider.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import bindparam, insert, select
from sqlalchemy.exc import IntegrityError

from cbt.db import db, table_of, transaction
from cbt.money import share_rounded_up_at_half
from cbt.payments.models import DemoEvent
from cbt.payments.provider import (
    Asked,
    AskedRefund,
    AttemptState,
    Capabilities,
    Failure,
    NormalisedPayment,
    NormalisedRefund,
    PayMethod,
    Received,
    RefundState,
    Started,
)

_FEE = Decimal("0.0165")  # a Thai price list for PromptPay at a provider
_VAT_ON_FEE = Decimal("0.07")
LATE_BY = timedelta(minutes=1)
_CANCEL = "cancel"
_EVENT = table_of(DemoEvent)
_INSERT = insert(_EVENT)
_HAPPENED = (
    select(_EVENT.c.number, _EVENT.c.kind, _EVENT.c.amount_satang, _EVENT.c.happens_at)
    .where(_EVENT.c.provider_ref == bindparam("wanted"), _EVENT.c.happens_at <= bindparam("now"))
    .order_by(_EVENT.c.number)
)


class Act(StrEnum):
    """What the guest can make the pretended bank do."""

    PAY = "pay"
    DECLINE = "decline"
    EXPIRE = "expire"
    PAY_LATE = "pay_late"
    PAY_TWICE = "pay_twice"


PAYING = (Act.PAY, Act.PAY_TWICE)
"""What pays at once."""


class DemoProvider:
    name = "demo"
    capabilities = Capabilities(refunds_itself=True, is_pretended=True, starts_alone=True)

    def estimate_fee(self, amount_satang: int) -> int:
        fee = _fee(amount_satang)
        return fee + _vat(fee)

    def needs_own_amount(self, receiver: Mapping[str, str]) -> bool:
        return False

    def start(self, asked: Asked, now: datetime) -> Started:
        return Started(f"demo-{asked.attempt_id}", "", asked.hold_ends_at)

    def fetch(
        self, receiver: Mapping[str, str], provider_ref: str, now: datetime
    ) -> NormalisedPayment:
        events = db.session.execute(_HAPPENED, {"wanted": provider_ref, "now": now}).all()
        paid = tuple(
            Received(
                f"{provider_ref}-{event.number}",
                event.amount_satang,
                self.estimate_fee(event.amount_satang),
                event.happens_at,
                PayMethod.DEMO,
                _vat(_fee(event.amount_satang)),
            )
            for event in events
            if event.kind == Act.PAY
        )
        if paid:
            return NormalisedPayment(AttemptState.PAID, paid)
        kinds = {event.kind for event in events}
        if _CANCEL in kinds:
            return NormalisedPayment(AttemptState.CANCELLED)
        if Act.DECLINE in kinds:
            return NormalisedPayment(AttemptState.FAILED, failure=Failure.DECLINED)
        if Act.EXPIRE in kinds:
            return NormalisedPayment(AttemptState.EXPIRED)
        return NormalisedPayment(AttemptState.PENDING)

    def cancel(self, receiver: Mapping[str, str], provider_ref: str, now: datetime) -> None:
        _happen(provider_ref, [_CANCEL], 0, now)

    def refund(self, asked: AskedRefund, now: datetime) -> NormalisedRefund:
        """Money goes back at once; the fee does only with the whole of a payment."""
        provider_ref, _dash, number = asked.payment_id.rpartition("-")
        paid = db.session.scalar(
            select(DemoEvent.amount_satang).where(
                DemoEvent.provider_ref == provider_ref, DemoEvent.number == int(number)
            )
        )
        fee = self.estimate_fee(asked.amount_satang) if paid == asked.amount_satang else 0
        return NormalisedRefund(RefundState.SUCCEEDED, fee, asked.key)

    def find_refund(self, asked: AskedRefund, now: datetime) -> NormalisedRefund | None:
        return None  # asking it again is harmless

    def fetch_refund(
        self, receiver: Mapping[str, str], provider_ref: str, now: datetime
    ) -> NormalisedRefund:
        return NormalisedRefund(RefundState.SUCCEEDED)  # `refund` answers with the end at once


def _fee(amount_satang: int) -> int:
    return share_rounded_up_at_half(amount_satang, _FEE)


def _vat(fee_satang: int) -> int:
    return share_rounded_up_at_half(fee_satang, _VAT_ON_FEE)


def act(
    provider_ref: str, act_: Act, amount_satang: int, hold_ends_at: datetime, now: datetime
) -> None:
    """Let the pretended bank do something with an attempt. Nothing on our side changes yet.

    Doing the same again changes nothing, as a bank that has taken the money once keeps it at that.
    """
    at = {Act.PAY_LATE: max(now, hold_ends_at + LATE_BY)}.get(act_, now)
    kinds = {Act.PAY_LATE: [Act.PAY], Act.PAY_TWICE: [Act.PAY, Act.PAY]}.get(act_, [act_])
    _happen(provider_ref, kinds, amount_satang, at)


def _happen(provider_ref: str, kinds: Sequence[str], amount_satang: int, at: datetime) -> None:
    """Write down what the bank did, unless it did something with this attempt before."""
    try:
        with transaction() as session:
            session.execute(
                _INSERT,
                [
                    {
                        "provider_ref": provider_ref,
                        "number": number,
                        "kind": kind,
                        "amount_satang": amount_satang,
                        "happens_at": at,
                    }
                    for number, kind in enumerate(kinds, start=1)
                ],
            )
    except IntegrityError:
        return
