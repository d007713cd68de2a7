"""A village that is paid at the double of Stripe, and what its tests do there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update

from cbt.clock import utc_now
from cbt.db import db, transaction
from cbt.payments import accounts, inbox, pay, queries
from cbt.payments.models import Capture, PaymentAccount
from cbt.payments.pay import Errand
from cbt.payments.provider import Provider
from cbt.payments.providers.stripe import StripeProvider
from cbt.payments.records import AttemptCard
from tests import factories
from tests.factories import Village
from tests.stripe_double import StripeDouble
from tests.stripe_double.state import Event
from tests.stripe_double.strict import checking_every_request

ERRAND = Errand("Mangrove boat, 24 January", "https://guests.example.org/en/b/token/pay/{number}")


@dataclass(frozen=True)
class StripeVillage:
    """A village, its connected account ("" for the installation's own) and the double."""

    village: Village
    double: StripeDouble
    providers: dict[str, Provider]
    account: str

    def hold(self, now: datetime | None = None, **changes: object) -> str:
        return factories.hold(self.village, now=now or utc_now(), **changes)

    def start(
        self, reference: str, now: datetime | None = None, *, whole: bool = True
    ) -> AttemptCard:
        """Open a page at Stripe; give the attempt."""
        now = now or utc_now()
        number = pay.start_attempt(reference, "stripe", self.providers, now, ERRAND, whole=whole)
        return queries.get_attempt_of(db.session(), reference, number)

    def attempt(self, attempt: AttemptCard) -> AttemptCard:
        db.session.rollback()
        return queries.get_attempt(db.session(), attempt.id)

    def capture(self, reference: str) -> Capture | None:
        db.session.rollback()
        attempts = {each.id for each in self.attempts(reference)}
        return db.session.scalar(select(Capture).where(Capture.attempt_id.in_(attempts)))

    def attempts(self, reference: str) -> list[AttemptCard]:
        booking = factories.get_booking(db.session(), reference)
        return queries.list_attempts(db.session(), booking.id)

    def receive(self, event: Event, now: datetime | None = None) -> bool:
        """Let an event in by the door that the webhook uses."""
        body, headers = self.double.signed(event)
        return inbox.receive("stripe", body, headers, self.providers, now or utc_now())

    def hear(self, *types: str) -> None:
        """Receive every event so far and work them off."""
        for event in self.double.events(*types):
            self.receive(event)
        inbox.work_off(self.providers, utc_now())


@contextmanager
def stripe_village(*, connected: bool = True, **changes: object) -> Iterator[StripeVillage]:
    """Every request that is made inside is checked strictly against the vendor's own types."""
    with StripeDouble() as double, checking_every_request():
        double.hold()
        account = double.add_account() if connected else ""
        secrets = (double.webhook_secret, double.connect_webhook_secret)
        stripe = StripeProvider(double.secret_key, secrets, double.address)
        day = (utc_now() + timedelta(days=60)).date()
        village = factories.make_village(on=day, **changes)
        receiver = {"account": account} if account else {}
        accounts.open_payment_account(village.id, stripe, receiver, factories.text("receiver"))
        yield StripeVillage(village, double, {**factories.PROVIDERS, "stripe": stripe}, account)
        _retire(village)


def _retire(village: Village) -> None:
    """The double is gone: no later village in the same database shall ask it again and again."""
    db.session.rollback()
    with transaction() as session:
        session.execute(
            update(PaymentAccount)
            .where(PaymentAccount.community_id == village.id, PaymentAccount.provider == "stripe")
            .values(provider=f"gone-{village.id}")
        )
