"""A payment provider of which tests decide what it answers; payments themselves are the demo's."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from cbt.errors import AnswerWrong, ProviderDown
from cbt.payments.provider import (
    AskedRefund,
    Capabilities,
    NormalisedRefund,
    Providers,
    RefundState,
)
from cbt.payments.providers.demo import DemoProvider
from cbt.payments.providers.promptpay import PromptPayProvider


class Scripted(DemoProvider):
    """`first` is how a new refund stands; `tell` changes how one stands from then on.

    The same key is the same refund. While `is_down` it does not answer; with `loses_answers` it does
    what it is asked and the answer never arrives; what it `refuses` it does not do.
    """

    capabilities = Capabilities(
        refunds_itself=True, is_pretended=True, starts_alone=True, tells_us=True
    )

    def __init__(self) -> None:
        self.first = RefundState.SENT
        self.is_down = False
        self.loses_answers = False
        self.refuses = ""
        self.asked: list[AskedRefund] = []
        self.refunds: dict[str, NormalisedRefund] = {}
        self.evidence: list[tuple[str, Mapping[str, str]]] = []

    @property
    def among(self) -> Providers:
        return {"demo": self, "promptpay": PromptPayProvider()}

    def refund(self, asked: AskedRefund, now: datetime) -> NormalisedRefund:
        if self.is_down:
            raise ProviderDown(method="demo")
        self.asked.append(asked)
        if self.refuses:
            raise AnswerWrong(problem=self.refuses)
        ref = f"re-{asked.key}"
        if ref not in self.refunds:
            self.tell(ref, self.first, now)
        if self.loses_answers:
            raise ConnectionError
        return self.refunds[ref]

    def find_refund(self, asked: AskedRefund, now: datetime) -> NormalisedRefund | None:
        if self.is_down:
            raise ProviderDown(method="demo")
        return self.refunds.get(f"re-{asked.key}")

    def tell(self, ref: str, state: RefundState, now: datetime, failure: str = "") -> None:
        until = now + timedelta(days=10) if state == RefundState.ACTION_REQUIRED else None
        self.refunds[ref] = NormalisedRefund(state, 0, ref, until, failure)

    def tell_all(self, state: RefundState, now: datetime, failure: str = "") -> None:
        for ref in self.refunds:
            self.tell(ref, state, now, failure)

    def fetch_refund(
        self, receiver: Mapping[str, str], provider_ref: str, now: datetime
    ) -> NormalisedRefund:
        if self.is_down:
            raise ProviderDown(method="demo")
        return self.refunds[provider_ref]

    def submit_evidence(
        self, receiver: Mapping[str, str], provider_ref: str, evidence: Mapping[str, str]
    ) -> None:
        if self.is_down:
            raise ProviderDown(method="demo")
        self.evidence.append((provider_ref, evidence))
