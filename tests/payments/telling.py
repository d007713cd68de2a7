"""A provider that tells us, played from lists: what it answers is what a test has put there."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count

from cbt.db import db
from cbt.errors import ProviderDown
from cbt.payments import accounts, pay, queries
from cbt.payments.provider import (
    AttemptState,
    Capabilities,
    NormalisedPayment,
    NormalisedPayout,
    NormalisedRefund,
    PayMethod,
    PayoutState,
    Received,
    RefundState,
    Started,
    Transaction,
)
from tests import factories
from tests.factories import PROVIDERS, text
from tests.site import NOW

FEE = 3_500
HOUR = timedelta(hours=1)
_numbers = count(1)


@dataclass
class Telling:
    """`payments` by attempt reference; `calls` tells what was asked, in order."""

    name: str = "stripe"
    payments: dict[str, NormalisedPayment] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    events: list = field(default_factory=list)
    transactions: list = field(default_factory=list)
    payouts: dict[str, NormalisedPayout] = field(default_factory=dict)
    paid_out: dict[str, list] = field(default_factory=dict)
    disputes: list = field(default_factory=list)
    refund_answer: NormalisedRefund | None = None
    calls: list = field(default_factory=list)
    down: set = field(default_factory=set)

    capabilities = Capabilities(
        refunds_itself=True, is_pretended=False, tells_us=True, fixes_amount=True
    )

    def _asked(self, what):
        self.calls.append(what)
        assert not db.session().in_transaction(), f"{what} was asked inside a transaction"
        if what in self.down:
            raise ProviderDown(method=self.name)

    def estimate_fee(self, amount_satang):
        return FEE

    def needs_own_amount(self, receiver):
        return False

    def start(self, asked, now):
        ref = f"cs_{asked.attempt_id}"
        return Started(ref, "", now + HOUR, "https://pay.example/1")

    def fetch(self, receiver, provider_ref, now):
        self._asked("fetch")
        return self.payments.get(provider_ref, NormalisedPayment(AttemptState.PENDING))

    def cancel(self, receiver, provider_ref, now):
        self._asked("cancel")

    def refund(self, asked, now):
        self._asked("refund")
        answer = self.refund_answer or NormalisedRefund(RefundState.SUCCEEDED)
        return replace(answer, provider_ref=f"re_{asked.key}")

    def find_refund(self, asked, now):
        self._asked("find_refund")

    def fetch_refund(self, receiver, provider_ref, now):
        self._asked("fetch_refund")
        answer = self.refund_answer or NormalisedRefund(RefundState.SUCCEEDED)
        return replace(answer, provider_ref=provider_ref)

    def list_undelivered(self, receiver, since):
        self._asked("list_undelivered")
        return [each for each in self.events if each[0].created_at >= since]

    def list_transactions(self, receiver, since, until):
        self._asked("list_transactions")
        return [each for each in self.transactions if since <= each.created_at < until]

    def list_payouts(self, receiver, since):
        self._asked("list_payouts")
        return [each for each in self.payouts.values() if each.created_at >= since]

    def fetch_payout(self, receiver, payout_id):
        self._asked("fetch_payout")
        return self.payouts[payout_id]

    def list_transactions_of(self, receiver, payout_id):
        self._asked("list_transactions_of")
        return list(self.paid_out.get(payout_id, []))

    def list_disputes(self, receiver, since):
        self._asked("list_disputes")
        return [each for each in self.disputes if each.opened_at >= since]

    def fetch_dispute(self, receiver, provider_ref):
        self._asked("fetch_dispute")
        return next(each for each in self.disputes if each.provider_ref == provider_ref)

    def attempt_ref_of(self, receiver, payment_id):
        self._asked("attempt_ref_of")
        return self.refs.get(payment_id)

    def check(self, receiver):
        return ""

    # --- what happens at it ----------------------------------------------------------------------

    def move(self, kind, source, amount, fee=0, at=NOW, payout_id=None, currency="thb"):
        """A movement on its account."""
        made = Transaction(
            f"txn_{next(_numbers)}",
            kind,
            source,
            amount,
            fee,
            amount - fee,
            currency,
            at,
            payout_id,
        )
        self.transactions.append(made)
        return made

    def pay(self, attempt, fee=FEE, at=NOW, payment_id=""):
        """The guest pays, and the provider knows the fee at once unless it is None."""
        payment_id = payment_id or f"pi_{attempt.id}"
        received = Received(payment_id, attempt.amount_satang, fee, at, PayMethod.CARD)
        self.payments[attempt.provider_ref] = NormalisedPayment(AttemptState.PAID, (received,))
        self.refs[payment_id] = attempt.provider_ref
        return self.move("charge", payment_id, attempt.amount_satang, fee or FEE, at)

    def pay_out(self, amount, at=NOW, state=PayoutState.PAID, listed=()):
        """It sends money on to the bank, as the sum of some movements."""
        payout_id = f"po_{next(_numbers)}"
        arrives_on = (at + timedelta(days=2)).date()
        self.payouts[payout_id] = NormalisedPayout(payout_id, amount, "thb", state, at, arrives_on)
        self.paid_out[payout_id] = list(listed)
        self.move("payout", payout_id, -amount, at=at)
        return payout_id

    @property
    def balance(self):
        return sum(each.net_satang for each in self.transactions)


def telling_village(name="stripe", **changes):
    """A village that is paid by such a provider as well; and the provider, and all providers."""
    village = factories.make_village(capacity=40, **changes)
    provider = Telling(name)
    accounts.open_payment_account(village.id, provider, {}, text("receiver"))
    return village, provider, {**PROVIDERS, provider.name: provider}


def start(village, provider, providers, now=NOW, **changes):
    """An attempt to pay by it."""
    reference = factories.hold(village, now=now, **changes)
    number = pay.start_attempt(reference, provider.name, providers, now)
    found = queries.get_attempt_of(db.session(), reference, number)
    db.session.rollback()
    return found
