"""What the double remembers: accounts, their objects, their events, and a clock that can be moved.

Everything here is read and written with `World.lock` held. Objects are plain dicts in the shape in
which Stripe answers; money is whole satang, instants are whole seconds.
"""

import copy
import string
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random, SystemRandom
from threading import RLock
from typing import Any

Json = dict[str, Any]

API_VERSION = "2026-10-28.endive"
PLATFORM = "acct_1DoublePlatform"
_SECRET = SystemRandom()
_LETTERS = string.ascii_letters + string.digits


class ApiError(Exception):
    """A refusal in Stripe's shape. One that `was_begun` is kept with its idempotency key."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        was_begun: bool = True,
        **details: str,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.was_begun = was_begun
        self.error: Json = {"type": kind, "message": message, **details}


def missing(what: str, object_id: str, param: str = "id") -> ApiError:
    """No such object in this account."""
    message = f"No such {what}: '{object_id}'"
    return ApiError(message, status=404, code="resource_missing", param=param)


@dataclass
class Account:
    """One merchant at Stripe: what is its own, and nobody else's."""

    id: str
    country: str = "TH"
    objects: dict[str, Json] = field(default_factory=dict)  # by id, oldest first
    answers: dict[str, Any] = field(default_factory=dict)  # by idempotency key
    bundles: dict[str, list[str]] = field(default_factory=dict)  # payout: its transactions
    checkouts: dict[str, str] = field(default_factory=dict)  # payment intent: its session
    orders: dict[str, Json] = field(default_factory=dict)  # session: what was asked for
    late: dict[str, str] = field(default_factory=dict)  # charge without its fee yet: fee method
    fee_parts: dict[str, int] = field(default_factory=dict)  # refund: the platform fee it returns

    def all_of(self, kind: str) -> list[Json]:
        """The objects of one kind, oldest first."""
        return [each for each in self.objects.values() if each["object"] == kind]

    def get(self, kind: str, object_id: str, *, param: str = "id") -> Json:
        """One object, to be read or changed. Raises ApiError resource_missing."""
        found = self.objects.get(object_id)
        if found is None or found["object"] != kind:
            raise missing(kind.replace(".", "_"), object_id, param)
        return found


@dataclass(frozen=True)
class Event:
    """Something that happened, with the account whose it is."""

    account: Account
    body: Json


@dataclass
class Switches:
    """How the double behaves where Stripe behaves now so, now so."""

    promptpay_is_delayed: bool = False  # the page lets the guest go before the money came
    card_refunds_wait: bool = False  # pending first, instead of succeeded at once
    fees_come_late: bool = False  # a charge has no balance transaction until `books_arrive`
    settling_days: int = 7  # until a balance transaction is available


class World:
    """All accounts, the clock, what falls due, and the events that happened."""

    def __init__(self, clock: Callable[[], float] = time.time, chance: Random = _SECRET) -> None:
        self.lock = RLock()
        self.switches = Switches()
        self._clock, self._chance = clock, chance
        self.accounts: dict[str, Account] = {}
        self.keys: dict[str, str] = {}  # secret key: account
        self.events: list[Event] = []
        self.on_event: Callable[[Event], None] | None = None
        self.cause: Json = {"id": None, "idempotency_key": None}  # the request being answered
        self.address = ""
        self.offset = 0
        self._due: list[tuple[int, Callable[[], None]]] = []

    # --- time ---

    def now(self) -> int:
        return int(self._clock()) + self.offset

    def at(self, when: int, happen: Callable[[], None]) -> None:
        """Do something once the clock has reached `when`."""
        self._due.append((when, happen))

    def catch_up(self) -> None:
        """Do what fell due, in its order."""
        while due := [each for each in self._due if each[0] <= self.now()]:
            first = min(due, key=lambda each: each[0])
            self._due.remove(first)
            first[1]()

    # --- objects ---

    def new_id(self, prefix: str, length: int = 24) -> str:
        return f"{prefix}_" + "".join(self._chance.choice(_LETTERS) for _ in range(length))

    def add(self, account: Account, made: Json) -> Json:
        account.objects[made["id"]] = made
        return made

    def locate(self, object_id: str) -> tuple[Account, Json] | None:
        """An object of any account by its id, for pages, whose address names no account."""
        for account in self.accounts.values():
            if found := account.objects.get(object_id):
                return account, found
        return None

    def require(self, object_id: str) -> tuple[Account, Json]:
        """The same for a test's verb. Raises KeyError."""
        if not (found := self.locate(object_id)):
            raise KeyError(object_id)
        return found

    # --- events ---

    def emit(self, account: Account, kind: str, about: Json, before: Json | None = None) -> None:
        """Note that something happened to an object, as it is now; `before`: what changed."""
        data: Json = {"object": copy.deepcopy(about)}
        if before is not None:
            data["previous_attributes"] = before
        body: Json = {
            "id": self.new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now(),
            "data": data,
            "livemode": False,
            "pending_webhooks": 1,
            "request": dict(self.cause),
            "type": kind,
        }
        if account.id != PLATFORM:
            body["account"] = account.id
        event = Event(account, self.add(account, body))
        self.events.append(event)
        if self.on_event:
            self.on_event(event)
