"""The world outside of the product: a village, its people, its guests, the provider and the clock.

People look at the database as at a page, and then do a step. Nothing about the product is remembered
here; what the bank has taken is.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from itertools import count
from random import Random
from typing import Any, TypeVar
from unittest import mock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from sqlalchemy.orm import Session

from cbt.bookings import departures
from cbt.clock import village_day
from cbt.communities.records import CommunityCard
from cbt.db import db
from cbt.payments import accounts
from cbt.payments.money_rules import MoneyRules, set_money_rules
from cbt.payments.provider import Providers
from cbt.payments.providers.stripe import StripeProvider
from cbt.people import services as people
from cbt.people.roles import Grant, Role
from cbt.revenue.signing import PlatformKey
from tests import factories
from tests.factories import Village
from tests.revenue.closing import Office
from tests.simulation.post import Postman
from tests.simulation.process import Deed
from tests.site import NOW
from tests.stripe_double import StripeDouble
from tests.stripe_double.state import World as StripeWorld

T = TypeVar("T")

ZONE = "Asia/Bangkok"
TRIPS_EVERY = 2
APPROVED_FROM = 40_000
"""From which amount on money goes back only if a second person agrees, in satang."""
ACCOUNT = "acct_1Simulated0001"
Effects = Callable[[Session], int]


@dataclass(frozen=True)
class Step:
    """What somebody does next. Run again with the same input it must not take effect twice.

    `effects` counts how often it has taken effect: 0 before, 1 once it was acknowledged. Without
    effect nothing at all is written, but of what is done in more than one change (`in_parts`).
    """

    kind: str
    do: Deed
    effects: Effects | None = None
    in_parts: bool = False


@dataclass(frozen=True)
class Kind:
    """A kind of event: how often it comes, and how it is made from what the world looks like now.

    One that happens wholly outside of the product gives no step, but a word about what happened.
    """

    name: str
    weight: int
    offer: Callable[["World", Session], Step | str | None]


KINDS: dict[str, Kind] = {}
Offer = Callable[["World", Session], Step | str | None]


def kind(name: str, weight: int) -> Callable[[Offer], Offer]:
    """Register a kind of event."""

    def register(offer: Offer) -> Offer:
        KINDS[name] = Kind(name, weight, offer)
        return offer

    return register


class World:
    """One village over some months."""

    def __init__(self, app: Flask, seed: str, days: int) -> None:
        self.app, self.days = app, days
        self.chance = Random(seed)
        self.now = NOW
        self.ends_at = NOW + timedelta(days=days)
        self.fees_late_until: datetime | None = None
        self.soon: deque[str] = deque()
        self.mischief: Counter[str] = Counter()
        self.numbers = count(1)
        self._key = PlatformKey(Ed25519PrivateKey.from_private_bytes(_digest(seed)))
        clock = StripeWorld(self._clock, Random(f"{seed}/stripe"))
        self.double = StripeDouble(secret_key="sk_test_s", webhook_secret="whsec_s", world=clock)
        self.postman = Postman(self.double, Random(f"{seed}/post"), self.mischief)

    @contextmanager
    def founded(self) -> Iterator["World"]:
        """The village with its people, and the provider at work."""
        with self.double, mock.patch.object(factories, "_numbers", count(1)):
            self.double.hold()
            self.double.add_account(account_id=ACCOUNT)
            with self.app.app_context():
                self._found()
            yield self

    def _found(self) -> None:
        stripe = StripeProvider("sk_test_s", ("whsec_s",), self.double.address)
        kept = self.app.extensions["providers"]
        self.providers: Providers = {**kept, **factories.PROVIDERS, "stripe": stripe}
        self.app.extensions["providers"] = self.providers
        first_on = NOW.date() + timedelta(days=2)
        self.village: Village = factories.make_village(on=first_on, households=5, max_party=8)
        receiver = {"account": ACCOUNT}
        accounts.open_payment_account(self.village.id, stripe, receiver, factories.text("receiver"))
        days = [
            first_on + timedelta(days=n) for n in range(TRIPS_EVERY, 2 * self.days, TRIPS_EVERY)
        ]
        departures.open_departures(self.village.option_id, days)
        self.coordinator = self.village.person_id
        self.treasurer = self._person(Role.TREASURER)
        self.second = self._person(Role.COORDINATOR)
        self.mentor = self._person(Role.MENTOR)
        self.member = factories.make_person()
        rules = MoneyRules(two_people_from_satang=150_000, approve_from_satang=APPROVED_FROM)
        set_money_rules(self.village.id, rules, self.coordinator, NOW)
        self.office = Office(self.village, self.treasurer, self.coordinator, self.mentor)

    def _person(self, role: Role) -> int:
        person_id = factories.make_person()
        people.grant_role(person_id, Grant(role, self.village.id), NOW)
        return person_id

    def _clock(self) -> float:
        return self.now.timestamp()

    # --- looking ---

    @contextmanager
    def looking(self) -> Iterator[Session]:
        """Look at the database as it is now."""
        with self.app.app_context():
            yield db.session()
            db.session.remove()

    @property
    def card(self) -> CommunityCard:
        return self.village.card

    @property
    def today(self) -> date:
        return village_day(self.now, ZONE)

    @property
    def key(self) -> PlatformKey:
        return self._key

    # --- chance ---

    def pick(self, among: Sequence[T]) -> T | None:
        return self.chance.choice(among) if among else None

    def happens(self, probability: float) -> bool:
        return self.chance.random() < probability

    def soon_perhaps(self, name: str) -> None:
        """Mostly this comes next; sometimes nobody has time for it."""
        if self.happens(0.4):
            self.soon.append(name)

    def name(self, what: str) -> str:
        """A name that was never used before, as a bank's reference is."""
        return f"{what}-{next(self.numbers)}"

    def other_than(self, person_id: Any) -> int:
        return self.treasurer if person_id != self.treasurer else self.second

    # --- time ---

    def pass_time(self, per_step: timedelta) -> None:
        """Minutes while somebody is in the midst of something, else now and then a day or more."""
        if self.soon:
            self.now += timedelta(seconds=self.chance.randint(5, 300))
        elif self.happens(0.6):
            self.now += timedelta(minutes=self.chance.randint(1, 25))
        else:
            self.now += per_step * self.chance.uniform(0.5, 5)


def _digest(seed: str) -> bytes:
    return sha256(seed.encode()).digest()
