"""One village's money life: what people and services may do next, done by the program and on paper.

Each deed is done through the use cases and written into the notebook (`paper.py`) beside it; then both
are compared and every invariant is looked at (`invariants.py`).
"""

from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

import pytest
from flask import Flask
from hypothesis import strategies as st
from sqlalchemy import select

from cbt.bookings import departures
from cbt.bookings.models import Booking
from cbt.bookings.queries import list_departures
from cbt.bookings.terms import Deposit, Terms, Tier, canonical
from cbt.db import db
from cbt.ledger.queries import balances
from cbt.payments import accounts
from cbt.payments.models import PaymentAccount, Refund
from cbt.payments.money_rules import MoneyRules, set_money_rules
from cbt.revenue.policy import Bucket, DividendRule, Limits, Policy, ProviderRule, Task
from tests import factories
from tests.factories import PROVIDERS, SPRING, TOMORROW
from tests.revenue.closing import Office, make_office
from tests.revenue.model.bank import Bank
from tests.revenue.model.invariants import Evidence, look
from tests.revenue.model.paper import FUNDS, Agreed, Paper
from tests.site import NOW

EVERY, TRIPS = 3, 40
TIERS = ((30, 10_000), (8, 5_000), (4, 3_333))
DEPOSIT_BP = 3_000
APPROVE_FROM = 60_000
TERMS = canonical(Terms("Model", tuple(Tier(*each) for each in TIERS), Deposit(DEPOSIT_BP, 3)))
ADULT, CHILD, COST = 45_000, 22_550, 2_000

RATES = {"boat": 60_000, "guide": 40_000, "cook": 15_000, "prepare": 10_000}
AGREED = (
    Agreed(
        "Model-1",
        7_800,
        {"mgmt": 700, "welfare": 500, "conserve": 300, "develop": 200, "revolve": 500},
        RATES,
    ),
    Agreed(
        "Model-2",
        7_400,
        {"mgmt": 600, "welfare": 800, "conserve": 400, "develop": 300, "revolve": 500},
        RATES,
        intermediary=500,
        fixed={"welfare": 1_000},
        caps={"mgmt": 5_000},
    ),
    Agreed(
        "Model-3",
        8_000,
        {"mgmt": 600, "welfare": 400, "conserve": 200, "develop": 300, "revolve": 500},
        {"cook": 15_000, "prepare": 7_777},
        rates_first=True,
        surplus="develop",
    ),
    Agreed(
        "Model-4",
        7_000,
        {"mgmt": 700, "welfare": 500, "conserve": 300, "develop": 200, "revolve": 500},
        RATES,
        dividend=800,
    ),
)


def policy_of(agreed: Agreed) -> Policy:
    """The same policy in the program's own words."""
    shares = {Bucket.PROVIDER: agreed.provider} | {Bucket(f): agreed.funds[f] for f in FUNDS}
    if agreed.dividend:
        shares[Bucket.DIVIDEND] = agreed.dividend
    return Policy(
        name=agreed.name,
        intermediary_bp=agreed.intermediary,
        shares={bucket: shares[bucket] for bucket in Bucket if bucket in shares},
        rates={Task(task): rate for task, rate in agreed.rates.items()},
        version=2,
        fixed={Bucket(code): satang for code, satang in agreed.fixed.items()},
        limits={Bucket(code): Limits(cap_satang=most) for code, most in agreed.caps.items()},
        provider_rule=ProviderRule.RATES_FIRST if agreed.rates_first else ProviderRule.BY_WORK,
        surplus=Bucket(agreed.surplus),
        dividend_rule=DividendRule.BY_SHARES if agreed.dividend else None,
    )


@dataclass(frozen=True)
class Founded:
    """A village ready to sell: its people, and its trips (departure, day)."""

    office: Office
    trips: tuple[tuple[int, date], ...]
    account: int
    helpers: tuple[int, int]


def found() -> Founded:
    """Found the village of every example; a database of it is kept and copied."""
    village = factories.make_village(
        capacity=40, households=5, terms=TERMS, policy=policy_of(AGREED[0])
    )
    accounts.open_payment_account(village.id, Bank(), {}, factories.text("receiver"))
    set_money_rules(
        village.id, MoneyRules(approve_from_satang=APPROVE_FROM), village.person_id, NOW
    )
    days = [TOMORROW + timedelta(days=EVERY * number) for number in range(TRIPS)]
    departures.open_departures(village.option_id, days)
    listed = list_departures(db.session(), [village.option_id], days[0], date.max)
    account = select(PaymentAccount.id).where(
        PaymentAccount.community_id == village.id, PaymentAccount.provider == "stripe"
    )
    return Founded(
        make_office(village),
        tuple((each.id, each.starts_on) for each in listed),
        db.session.scalar(account),
        (factories.make_person(), factories.make_person()),
    )


class Drawn:
    """Chance as hypothesis draws it, which makes what fails small."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data

    def amount(self, least: int, most: int, label: str) -> int:
        return self.data.draw(st.integers(least, most), label)

    def one(self, things: list, label: str):
        return self.data.draw(st.sampled_from(things), label)

    def some(self, things: list, most: int, label: str) -> list:
        several = st.lists(st.sampled_from(things), min_size=1, max_size=most, unique=True)
        return self.data.draw(several, label)


class Seeded:
    """Chance by a seed: the same life every time."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def amount(self, least: int, most: int, _label: str) -> int:
        return self.random.randint(least, most)

    def one(self, things: list, _label: str):
        return self.random.choice(things)

    def some(self, things: list, most: int, _label: str) -> list:
        return self.random.sample(things, self.random.randint(1, min(most, len(things))))


Chance = Drawn | Seeded


@dataclass(frozen=True)
class Deed:
    """A kind of event: how likely, about what it can be now (a list), and doing it with one of these."""

    name: str
    weight: int
    about: Callable
    do: Callable


DEEDS: dict[str, Deed] = {}
LEADS_TO = {
    "cancel": ("retain_fee",),
    "cancel_as_credit": ("issue_credit",),
    "settle_for_nothing": ("zero_price_trip",),
    "close_month": ("two_closes_at_once",),
    "draft_payout": ("payout_above_payable", "order_payout", "recover_from_payout"),
    "approve_payout": ("order_payout", "recover_from_payout"),
    "correct": ("payout_above_payable", "recover_from_payout"),
}
"""Kinds of events that happen within a deed, or after it."""


def deed(weight: int, about: Callable):
    """Declare a method of a life as a kind of event."""

    def declare(do: Callable) -> Callable:
        DEEDS[do.__name__] = Deed(do.__name__, weight, about, do)
        return do

    return declare


def always(_life) -> list:
    return [None]


class Life:
    """What every deed works with: the village, the bank, the notebook, and the day."""

    def __init__(self, founded: Founded, done: Counter, app: Flask, *, seeks: bool) -> None:
        self.seeks, self.told = seeks, list[str]()
        self.app = app
        self.founded, self.office = founded, founded.office
        self.village, self.id = founded.office.village, founded.office.id
        self.trips = dict(founded.trips)
        self.bank = Bank()
        self.providers = {**PROVIDERS, "stripe": self.bank}
        self.paper = Paper(self.village.households, AGREED[0], SPRING, APPROVE_FROM)
        self.versions = [(SPRING, self.village.policy_id)]
        self.now = NOW
        self.work: dict[int, list[tuple[str, str, int]]] = {}
        self.settled: dict[int, int] = {}
        self.attempts: dict[str, int] = {}
        self.untold: dict[str, int] = {}
        self.no_shows: set[str] = set()
        self.closed: list[date] = []
        self.batch: tuple[int, list] | None = None
        self.lines: list[tuple[int, object]] = []
        self.banked: list[tuple[int, int]] = []
        self.cleared, self.first_banked = 0, 0
        self.signed: list[date] = []
        self.closed_at: dict[date, date] = {}
        self.references: list[str] = []
        self.claims: list[dict] = []
        self.done, self.here = done, Counter()
        self.number = 0
        self.called_off: set[int] = set()
        self.line_disputes: list[dict] = []

    # --- one step --------------------------------------------------------------------------------

    def step(self, chance: Chance) -> None:
        """Do one thing that is possible now, drawn by weight: what has not been yet, rather."""
        self.chance = chance
        self.now += timedelta(minutes=1)
        possible = {
            name: about for name, each in DEEDS.items() if (about := list(each.about(self)))
        }
        bag = [name for name in possible for _ in range(self._weight(name))]
        name = self.one(bag, "deed")
        about = possible[name][self.amount(0, len(possible[name]) - 1, "about")]
        try:
            DEEDS[name].do(self, about)
            self.count(name)
            self.check()
        except BaseException as error:
            error.add_note("\n".join(self.told))
            raise

    def _weight(self, name: str) -> int:
        """What this life did not do yet it does rather; a seeking one, what none did."""
        weight = DEEDS[name].weight
        if self.seeks and not all(self.done[kind] for kind in (name, *LEADS_TO.get(name, ()))):
            return 20 * weight
        return weight if self.here[name] else 3 * weight

    def count(self, name: str) -> None:
        self.here[name] += 1
        self.done[name] += 1

    def check(self) -> None:
        """The books are the notebook's to the satang, and every invariant holds."""
        db.session.rollback()
        session, card = db.session(), self.village.card
        books = {code: held for code, held in balances(session, card.book_id).items() if held}
        noted = self.paper.balances()
        unlike = {
            code: (books.get(code, 0), noted.get(code, 0))
            for code in books.keys() | noted.keys()
            if books.get(code, 0) != noted.get(code, 0)
        }
        assert unlike == {}, unlike
        owed = self.bank.balance + sum(self.untold.values())
        assert owed == self.paper.held["payment:stripe"]
        look(session, card, Evidence(self.paper, self.work, self.settled, self.trips))
        db.session.rollback()

    # --- what deeds need -------------------------------------------------------------------------

    @property
    def today(self) -> date:
        return self.now.date()

    def amount(self, least: int, most: int, label: str = "satang") -> int:
        return self._tell(label, self.chance.amount(least, most, label))

    def one(self, things, label: str):
        return self._tell(label, self.chance.one(list(things), label))

    def some(self, things, most: int, label: str) -> list:
        """Between one and so many of some things, in any order."""
        return self._tell(label, self.chance.some(list(things), most, label))

    def _tell(self, label: str, drawn):
        self.told.append(f"{self.now:%d %b %H:%M} {label}: {drawn}")
        return drawn

    def key(self) -> str:
        self.number += 1
        return f"model-{self.number}"

    def bookings(self, *states: str) -> list:
        return [each for each in self.paper.bookings.values() if each.state in states]

    def day_of(self, booking) -> date:
        return self.trips[booking.trip]

    def trip(self, departure_id: int):
        return replace(self.village, departure_id=departure_id)

    def refund_id(self, booking, refund) -> int:
        """The program's number of a refund: both count a booking's in the same order."""
        db.session.rollback()
        ids = db.session.scalars(
            select(Refund.id)
            .join(Booking, Booking.id == Refund.booking_id)
            .where(Booking.reference == booking.reference)
            .order_by(Refund.id)
        ).all()
        db.session.rollback()
        place = next(n for n, each in enumerate(booking.refunds) if each is refund)
        return ids[place]

    @contextmanager
    def refused(self, *errors: type[Exception]):
        """What is done here is refused with one of these errors, and nothing is written."""
        before = written()
        with pytest.raises(errors):
            yield
        assert written() == before


def written() -> dict[str, list[str]]:
    """Every row of every table, so that nothing can be half-written unseen."""
    db.session.rollback()
    rows = {
        name: sorted(map(repr, db.session.execute(table.select()).all()))
        for name, table in db.metadata.tables.items()
    }
    db.session.rollback()
    return rows
