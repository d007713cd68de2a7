"""Signed webhooks: one delivery an event, repeated when it is not taken, or held for the test."""

import http.client
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from queue import Queue
from urllib.parse import urlsplit

import stripe

from tests.stripe_double.state import PLATFORM, Event, World

# Those that the product's endpoint is registered for; others happen, and are only listed.
EVENT_TYPES = frozenset(
    [
        "account.updated",
        "charge.dispute.closed",
        "charge.dispute.created",
        "charge.dispute.funds_reinstated",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        "charge.refunded",
        "charge.updated",
        "checkout.session.async_payment_failed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.completed",
        "checkout.session.expired",
        "payment_intent.canceled",
        "payment_intent.payment_failed",
        "payment_intent.processing",
        "payment_intent.succeeded",
        "payout.failed",
        "payout.paid",
        "payout.reconciliation_completed",
        "refund.created",
        "refund.failed",
        "refund.updated",
    ]
)
_TIMEOUT = 10


@dataclass
class Endpoint:
    """Where webhooks go, and what signs them. Without a url nothing is sent."""

    url: str = ""
    secret: str = ""


class Webhooks:
    """The endpoint of the platform's own events and that of its connected accounts' (Connect)."""

    def __init__(self, world: World, own: Endpoint, connected: Endpoint) -> None:
        self._world = world
        self.own, self.connected = own, connected
        self.held = False
        self.repeat_after: Sequence[float] = (0.1, 0.4, 1.6)
        self.attempts: list[tuple[str, int]] = []  # event's id, status (0: nobody answered)
        self._queue: Queue[Event | None] = Queue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._world.on_event = self._note
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._queue.put(None)
        self._thread.join()

    def wait_until_sent(self) -> None:
        """Until every event so far was taken or given up."""
        self._queue.join()

    def is_sent(self, event: Event) -> bool:
        """Whether the product's endpoint is registered for events of this type."""
        return event.body["type"] in EVENT_TYPES

    def endpoint(self, event: Event) -> Endpoint:
        return self.own if event.account.id == PLATFORM else self.connected

    def signed(self, event: Event, at: int | None = None) -> tuple[bytes, dict[str, str]]:
        """The body and headers of a delivery, signed now or as of another instant.

        Now is the machine's own, since the product measures the skew by its own clock.
        """
        with self._world.lock:
            body = json.dumps(event.body, indent=2, ensure_ascii=False)
        secret = self.endpoint(event).secret
        header = stripe.WebhookSignature.generate_signature_header(body, secret, at)
        return body.encode(), {"Content-Type": "application/json", "Stripe-Signature": header}

    def deliver(self, event: Event) -> int:
        """Send an event now, and give the status; 0 if nobody answered. A redirect is no success."""
        body, headers = self.signed(event)
        status = _post(self.endpoint(event).url, body, headers)
        self.attempts.append((event.body["id"], status))
        if 200 <= status < 300:
            self.acknowledge(event)
        return status

    def acknowledge(self, event: Event) -> None:
        """The product has taken an event."""
        with self._world.lock:
            event.body["pending_webhooks"] = 0

    def _note(self, event: Event) -> None:
        if not self.is_sent(event):
            self.acknowledge(event)
        elif self.endpoint(event).url and not self.held:
            self._queue.put(event)

    def _run(self) -> None:
        while (event := self._queue.get()) is not None:
            self._try(event)
            self._queue.task_done()
        self._queue.task_done()

    def _try(self, event: Event) -> None:
        for pause in (0.0, *self.repeat_after):
            if self._stopping.wait(pause) or 200 <= self.deliver(event) < 300:
                return


def _post(url: str, body: bytes, headers: dict[str, str]) -> int:
    parts = urlsplit(url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(parts.netloc, timeout=_TIMEOUT)
    try:
        connection.request("POST", parts.path or "/", body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
