"""The handle a test holds: starts and stops the double, and does what guests, banks and Stripe do."""

import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.stripe_double import accounts, cards, checkout, disputes, payments, payouts, refunds
from tests.stripe_double.faults import Fault, Faults, Planned
from tests.stripe_double.payments import Payer
from tests.stripe_double.server import Server
from tests.stripe_double.state import PLATFORM, Event, Json, Switches, World
from tests.stripe_double.webhooks import Endpoint, Webhooks

_GUEST = Payer("guest@example.com", "A Guest")


class StripeDouble:
    """A double of Stripe on loopback.

    Verbs take the ids that the API gave and return copies of objects. Events go to the webhook
    address as they happen; after `hold()`, or without an address, the test delivers them itself.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        webhook_url: str = "",
        connect_webhook_url: str = "",
        secret_key: str = "",
        webhook_secret: str = "",
        connect_webhook_secret: str = "",
        world: World | None = None,
    ) -> None:
        self.secret_key = secret_key or "sk_test_" + secrets.token_hex(16)
        self.webhook_secret = webhook_secret or "whsec_" + secrets.token_hex(16)
        self.connect_webhook_secret = connect_webhook_secret or self.webhook_secret
        self.world = world or World()
        self._faults = Faults()
        self._port = port
        own = Endpoint(webhook_url, self.webhook_secret)
        connected = Endpoint(connect_webhook_url or webhook_url, self.connect_webhook_secret)
        self.webhooks = Webhooks(self.world, own, connected)
        accounts.add_account(self.world, PLATFORM, self.secret_key, "Platform")
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    # --- running ---

    def start(self) -> "StripeDouble":
        self._server = Server(self._port, self.world, self._faults)
        serve = self._server.serve_forever
        pace = {"poll_interval": 0.01}
        self._thread = threading.Thread(target=serve, kwargs=pace, daemon=True)
        self._thread.start()
        self.webhooks.start()
        return self

    def stop(self) -> None:
        self.webhooks.stop()
        if self._server and self._thread:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def __enter__(self) -> "StripeDouble":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """What STRIPE_API_BASE is set to."""
        return self.world.address

    @property
    def switches(self) -> Switches:
        """How it behaves where Stripe behaves now so, now so."""
        return self.world.switches

    # --- accounts and time ---

    def add_account(self, name: str = "Village", account_id: str = "", **known: object) -> str:
        """Connect a merchant to the platform and give its id, for the header Stripe-Account."""
        with self.world.lock:
            account_id = account_id or self.world.new_id("acct", 16)
            key = "sk_test_" + secrets.token_hex(16)
            accounts.add_account(self.world, account_id, key, name, **known)
            return account_id

    def key_of(self, account_id: str) -> str:
        """A merchant's own secret key."""
        return next(key for key, owner in self.world.keys.items() if owner == account_id)

    def change_account(self, account_id: str = PLATFORM, **changes: object) -> None:
        """Stripe changes fields of an account: `charges_enabled=False`."""
        with self._acting():
            accounts.change_account(self.world, self.world.accounts[account_id], **changes)

    @property
    def now(self) -> int:
        """Stripe's clock, in seconds: what `expires_at` is measured by."""
        return self.world.now()

    def advance(self, seconds: int = 0, *, minutes: int = 0, days: int = 0) -> None:
        """Move the clock forward; what falls due meanwhile happens."""
        with self.world.lock:
            self.world.offset += seconds + 60 * minutes + 86_400 * days
            self.world.catch_up()

    @contextmanager
    def _acting(self) -> Iterator[None]:
        with self.world.lock:
            self.world.catch_up()
            yield

    def get(self, object_id: str) -> Json:
        """A copy of any object of any account."""
        with self._acting():
            return dict(self.world.require(object_id)[1])

    # --- the guest ---

    def pay_by_card(self, session_id: str, number: str = cards.GOOD, payer: Payer = _GUEST) -> bool:
        """Try a card on the hosted page; whether it was taken."""
        with self._acting():
            account, session = self.world.require(session_id)
            card = cards.read(number)
            return checkout.pay_by_card(self.world, account, session, card, payer)

    def show_promptpay(self, session_id: str, payer: Payer = _GUEST) -> Json:
        """Choose PromptPay: the payment intent with its QR, not scanned yet."""
        with self._acting():
            account, session = self.world.require(session_id)
            return dict(checkout.choose_promptpay(self.world, account, session, payer))

    def pay_promptpay(self, session_id: str, payer: Payer = _GUEST) -> None:
        """Choose PromptPay, if that was not done yet, and scan the QR."""
        with self._acting():
            account, session = self.world.require(session_id)
            if session["status"] == "open":
                checkout.choose_promptpay(self.world, account, session, payer)
            checkout.scan(self.world, account, session)

    def refuse_promptpay(self, session_id: str, *, expired: bool = False) -> None:
        """The bank refuses the QR that is shown, or it is left to expire."""
        with self._acting():
            account, session = self.world.require(session_id)
            checkout.refuse(self.world, account, session, expired=expired)

    def pay_promptpay_again(self, session_id: str) -> Json:
        """Scan a QR that was paid, or that died with its session: the unknown charge that comes."""
        with self._acting():
            account, session = self.world.require(session_id)
            return dict(checkout.scan_unasked(self.world, account, session))

    # --- Stripe and the banks ---

    def books_arrive(self, account_id: str = PLATFORM) -> None:
        """The balance transactions that `switches.fees_come_late` kept back are written."""
        with self._acting():
            payments.books_arrive(self.world, self.world.accounts[account_id])

    def refund_arrives(self, refund_id: str) -> None:
        with self._acting():
            account, refund = self.world.require(refund_id)
            refunds.succeed_refund(self.world, account, refund)

    def refund_fails(self, refund_id: str, reason: str = "declined") -> None:
        with self._acting():
            account, refund = self.world.require(refund_id)
            refunds.fail_refund(self.world, account, refund, reason)

    def refund_expires(self, refund_id: str) -> None:
        """The guest never named a bank account."""
        with self._acting():
            account, refund = self.world.require(refund_id)
            refunds.drop_refund(self.world, account, refund)

    def open_dispute(
        self, charge_id: str, amount: int | None = None, reason: str = "fraudulent"
    ) -> Json:
        with self._acting():
            account, charge = self.world.require(charge_id)
            return dict(disputes.open_dispute(self.world, account, charge, amount, reason))

    def close_dispute(self, dispute_id: str, *, won: bool) -> None:
        with self._acting():
            account, dispute = self.world.require(dispute_id)
            disputes.close_dispute(self.world, account, dispute, won=won)

    def reinstate_dispute(self, dispute_id: str, *, renamed: bool = True) -> None:
        """A lost dispute is won after all."""
        with self._acting():
            account, dispute = self.world.require(dispute_id)
            disputes.reinstate(self.world, account, dispute, renamed=renamed)

    def ask_about(self, charge_id: str) -> Json:
        """The guest's bank asks a question, which takes no money yet."""
        with self._acting():
            account, charge = self.world.require(charge_id)
            return dict(disputes.inquire(self.world, account, charge))

    def escalate(self, dispute_id: str) -> None:
        """A question of the bank becomes a dispute."""
        with self._acting():
            account, dispute = self.world.require(dispute_id)
            disputes.escalate(self.world, account, dispute)

    def pay_out(
        self,
        account_id: str = PLATFORM,
        transactions: Sequence[str] = (),
        *,
        arrives: bool = True,
    ) -> Json:
        """Pay out transactions (all that are available) and let the money arrive, or not yet."""
        with self._acting():
            account = self.world.accounts[account_id]
            taken = [account.get("balance_transaction", each) for each in transactions]
            payout = payouts.create_payout(self.world, account, taken)
            if arrives:
                payouts.arrive(self.world, account, payout)
            return dict(payout)

    def payout_arrives(self, payout_id: str) -> None:
        with self._acting():
            payouts.arrive(self.world, *self.world.require(payout_id))

    def payout_fails(self, payout_id: str) -> None:
        with self._acting():
            payouts.fail(self.world, *self.world.require(payout_id))

    def adjust(self, amount: int, told: str, account_id: str = PLATFORM) -> Json:
        """Stripe changes the balance by hand: a transaction without a source."""
        with self._acting():
            account = self.world.accounts[account_id]
            return dict(payments.adjust(self.world, account, amount, told))

    # --- events ---

    def hold(self, *, held: bool = True) -> None:
        """Send no webhooks by itself any more: the test delivers."""
        self.webhooks.held = held

    def events(self, *types: str) -> list[Event]:
        """What the webhook endpoints are registered for, oldest first, of some types or of all."""
        with self._acting():
            known = [e for e in self.world.events if self.webhooks.is_sent(e)]
            return [e for e in known if not types or e.body["type"] in types]

    def deliver(self, event: Event) -> int:
        """Send an event to the webhook address now, and give the answer's status."""
        return self.webhooks.deliver(event)

    def signed(self, event: Event, at: int | None = None) -> tuple[bytes, dict[str, str]]:
        """Body and headers of a delivery, for a test that posts it itself."""
        return self.webhooks.signed(event, at)

    def acknowledge(self, event: Event) -> None:
        """The product took an event that the test posted itself."""
        self.webhooks.acknowledge(event)

    # --- faults ---

    def fail_next(
        self, pattern: str, fault: Fault, times: int = 1, *, seconds: float = 0.0, **lies: Any
    ) -> None:
        """Let the next calls of a pattern go wrong: `fail_next("POST /v1/refunds", Fault.DROP_AFTER)`.

        Lies are fields of the answer: `fail_next(..., Fault.LIE, amount_total=1)`, or by dotted
        path `**{"payment_intent.currency": "usd"}`.
        """
        self._faults.plan(Planned(pattern, fault, times, seconds, lies))

    def heal(self) -> None:
        """Forget the planned faults."""
        self._faults.clear()
