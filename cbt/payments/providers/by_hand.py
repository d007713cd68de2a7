"""What providers share where a person of the community does what a payment service would."""

from collections.abc import Mapping
from datetime import datetime

from cbt.payments.provider import AskedRefund, NormalisedRefund, RefundState


class ByHand:
    """Money is seen and given back by a person: nobody outside can be asked."""

    def cancel(self, receiver: Mapping[str, str], provider_ref: str, now: datetime) -> None:
        """Nothing outside can be called back; a person still sees what comes of it."""

    def refund(self, asked: AskedRefund, now: datetime) -> NormalisedRefund:
        return NormalisedRefund(RefundState.APPROVED)  # a person gives it back

    def find_refund(self, asked: AskedRefund, now: datetime) -> NormalisedRefund | None:
        return None

    def fetch_refund(
        self, receiver: Mapping[str, str], provider_ref: str, now: datetime
    ) -> NormalisedRefund:
        return NormalisedRefund(RefundState.APPROVED)
