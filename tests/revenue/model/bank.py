"""A payment service of a model life: what it holds, keeps and gives back is worked out on its side."""

from cbt.errors import AnswerWrong
from cbt.payments.provider import NormalisedRefund, RefundState
from tests.payments.telling import Telling

BACK_BP = 100
"""What of a refund it gives back of its fee."""


class Bank(Telling):
    """The same key is the same refund; with another content it is refused, as services do.

    `fails` makes new refunds fail, and of its fee it gives back only while it `gives_fee_back`; `balance` is what it holds for the community.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fails = False
        self.gives_fee_back = True
        self.returned: set[str] = set()
        self.keys: dict[str, tuple[tuple[str, int], NormalisedRefund]] = {}

    def refund(self, asked, now):
        self._asked("refund")
        content = (asked.payment_id, asked.amount_satang)
        if asked.key not in self.keys:
            self.keys[asked.key] = (content, self._refund(asked, now))
        known, answer = self.keys[asked.key]
        if known != content:
            raise AnswerWrong(problem="the same key with another content")
        return answer

    def _refund(self, asked, now):
        ref = f"re_{asked.key}"
        if self.fails:
            return NormalisedRefund(RefundState.FAILED, 0, ref)
        fee = self.fee_back(asked.amount_satang)
        self.move("refund", ref, -asked.amount_satang, -fee, now)
        return NormalisedRefund(RefundState.SUCCEEDED, fee, ref)

    def fetch_refund(self, receiver, provider_ref, now):
        self._asked("fetch_refund")
        came_back = provider_ref in self.returned
        return NormalisedRefund(
            RefundState.FAILED if came_back else RefundState.SUCCEEDED, 0, provider_ref
        )

    def find_refund(self, asked, now):
        return None

    def fee_back(self, satang):
        return satang * BACK_BP // 10_000 if self.gives_fee_back else 0
