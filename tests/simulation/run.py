"""A run: steps drawn from the seed, deaths among them, and a proof after each death."""

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from random import Random
from unittest import mock

import stripe
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.ledger.models import Book, Entry
from cbt.ledger.queries import balances
from cbt.payments.reported import InboxEvent, InboxState
from cbt.revenue.closed import Period
from tests.simulation import guests, hosts, machine, office
from tests.simulation.death import Plan, Point
from tests.simulation.machine import duty
from tests.simulation.post import ANSWERS, MESSAGES
from tests.simulation.process import End, Outcome, Process
from tests.simulation.proof import OutsideLog, read_rows, require_one_effect, require_sound
from tests.simulation.world import ACCOUNT, KINDS, Step, World

__all__ = ["guests", "hosts", "office"]  # their kinds are registered by being imported

DEATHS_PER_LIFE = 50
"""Of longer runs, each life of a village has so many deaths at most, and a seed of its own."""

MOST_STEPS = 1_500
"""How long a life may go on at least, for what never came yet."""

SOON = timedelta(minutes=1)
RECOVERY = (
    *("end overdue holds", "look up payments", "work off events", "give money back"),
    *("let shares bear losses", "look up refunds", "return stranded credit"),
)
"""What the worker does soon after it was started again; at times it reconciles as well."""

IN_PROCESS, SIGKILL = "in the process", "SIGKILL"


@dataclass(frozen=True)
class Wanted:
    """How long a run is: steps and deaths in all, and how many of the deaths by SIGKILL."""

    steps: int
    deaths: int
    kills: int
    days: int = 100
    is_brief: bool = False  # ends with its steps, whatever has not come by then


@dataclass
class Report:
    """What happened, counted."""

    seed: str
    events: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    mischief: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    points: Counter[Point] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    entries: int = 0
    months: int = 0
    heads: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    @property
    def died(self) -> int:
        return self.ways.total()

    @property
    def fingerprint(self) -> str:
        """Of the whole sequence of events."""
        return sha256("\n".join(self.told).encode()).hexdigest()

    def add(self, other: "Report") -> None:
        for name in ("events", "refusals", "mischief", "deaths", "ways", "points", "again"):
            getattr(self, name).update(getattr(other, name))
        for name in ("steps", "entries", "months", "heads", "told"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def missing(self) -> list[str]:
        """Kinds of events, mischief and deaths that never came."""
        return [
            *(each for each in KINDS if not self.events[each]),
            *(each for each in (*MESSAGES, *ANSWERS.values()) if not self.mischief[each]),
            *(each for each in Point if not self.points[each]),
            *(each for each in (IN_PROCESS, SIGKILL) if not self.ways[each]),
        ]

    def __str__(self) -> str:
        lines = [
            f"seed {self.seed}: {self.steps} steps, {self.entries} entries, {self.months} months "
            f"closed, {self.died} deaths",
            f"events: {_counts({each: self.events[each] for each in KINDS})}",
            f"refused: {_counts(self.refusals)}",
            f"mischief: {_counts({e: self.mischief[e] for e in (*MESSAGES, *ANSWERS.values())})}",
            f"deaths by the step they hit: {_counts(self.deaths)}",
            f"deaths by way: {_counts({e: self.ways[e] for e in (IN_PROCESS, SIGKILL)})}",
            f"deaths by point: {_counts({e: self.points[e] for e in Point})}",
            f"the step after a death: {_counts(self.again)}",
            f"sequence of events: {self.fingerprint}",
            *(f"head of the chain: {head}" for head in self.heads),
        ]
        return "\n".join(lines)


def _counts(counted: object) -> str:
    assert isinstance(counted, dict)
    return ", ".join(f"{name} {number}" for name, number in counted.items())


NewApp = Callable[[], AbstractContextManager[Flask]]


def simulate(
    seed: str,
    wanted: Wanted,
    new_app: NewApp,
    after_life: Callable[[Report], None] = lambda _: None,
) -> Report:
    """Live as many lives as the deaths ask for, each on a fresh database; return what happened.

    `after_life` is told what happened so far. Raises AssertionError, with the seed and the step, for
    whatever is lost, torn or doubled.
    """
    report = Report(seed)
    lives = max(1, -(-wanted.deaths // DEATHS_PER_LIFE))
    for number in range(lives):
        share = Wanted(
            _share(wanted.steps, lives, number),
            _share(wanted.deaths, lives, number),
            _share(wanted.kills, lives, number),
            wanted.days,
        )
        own = f"{seed}/{number}"
        with new_app() as app, _without_pauses():
            world = World(app, own, wanted.days)
            with world.founded():
                gc.collect()
                gc.freeze()  # what is there by now stays: a death looks for its own garbage alone
                until = report if number == lives - 1 and not wanted.is_brief else None
                report.add(Life(world, share, own, until).live())
        after_life(report)
    return report


def _share(whole: int, parts: int, number: int) -> int:
    return whole // parts + (number < whole % parts)


@contextmanager
def _without_pauses() -> Iterator[None]:
    """Stripe's library asks again after half a second; here time is no matter."""
    with (
        mock.patch.object(stripe.HTTPClient, "INITIAL_DELAY", 0.0),
        mock.patch.object(stripe.HTTPClient, "MAX_DELAY", 0.0),
    ):
        yield


class Life:
    """One village's life under a seed.

    `before` is what the lives before it saw; it then goes on until every kind of event has come.
    """

    def __init__(
        self, world: World, wanted: Wanted, seed: str, before: Report | None = None
    ) -> None:
        self.before = before
        self.world, self.wanted, self.seed = world, wanted, seed
        self.report = Report(seed)
        self.log = OutsideLog()
        self.process = Process(world.app)
        self.chance = Random(f"{seed}/death")
        self.lasts: dict[str, int] = {}
        self.runs = 0

    def live(self) -> Report:
        try:
            self._live()
        except BaseException as error:
            error.add_note(f"seed {self.seed}, step {self.report.steps}: {self.report.told[-3:]}")
            raise
        finally:
            self.process.let_go()
        self.report.mischief.update(self.world.mischief)
        return self.report

    def _live(self) -> None:
        per_step = timedelta(days=self.wanted.days) / self.wanted.steps
        most = max(MOST_STEPS, 4 * self.wanted.steps)
        while self.report.steps < most and self._is_wanted():
            self.report.steps += 1
            self.world.pass_time(per_step)
            guests.let_fees_come(self.world)
            self.world.postman.collect(self.world.now)
            step = self._draw()
            if step is not None:
                self._do(step)
        self._settle_down()

    def _is_wanted(self) -> bool:
        too_few = self.report.died < self.wanted.deaths or self.report.steps < self.wanted.steps
        return too_few or (self.before is not None and bool(self._never()))

    def _never(self) -> list[str]:
        """The kinds of events that never came yet."""
        before = self.before.events if self.before else {}
        return [each for each in KINDS if not self.report.events[each] + before.get(each, 0)]

    # --- what comes next ---

    def _draw(self) -> Step | None:
        """Somebody's next step; what never came yet is drawn more often."""
        with self.world.looking() as session:
            for name in self._names():
                found = KINDS[name].offer(self.world, session)
                if isinstance(found, str):
                    self._tell(name, f"outside: {found}")
                    self.report.events[name] += 1
                    return None
                if found is not None:
                    return found
        return None

    def _names(self) -> Iterator[str]:
        while self.world.soon:
            yield self.world.soon.popleft()
        if self.world.happens(0.4):
            never = self._never()
            yield from self.world.chance.sample(never, len(never))
        weights = {name: each.weight for name, each in KINDS.items()}
        while weights:
            [name] = self.world.chance.choices(list(weights), list(weights.values()))
            del weights[name]
            yield name

    # --- doing it ---

    def _do(self, step: Step) -> None:
        is_spoilt = self.world.happens(0.12)
        if is_spoilt:
            self.world.postman.spoil_answers()
        plan = self._plan(step)
        if plan is not None:
            with self.world.looking() as session:
                self.log.keep(session)
        outcome = self._run(step, plan, self._is_real())
        self.world.double.heal()
        if outcome.end == End.DIED:
            self._after_death(step)
        else:
            self._heard(step, outcome)

    def _run(self, step: Step, plan: Plan | None, is_real: bool = False) -> Outcome:
        self.runs += 1
        chance = f"{self.seed}/{self.runs}"
        if plan is not None and is_real:
            outcome = self.process.run_apart(step.do, self.world.now, chance, plan)
        else:
            outcome = self.process.run(step.do, self.world.now, chance, plan)
        self._tell(step.kind, f"{outcome.end} {outcome.refusal}{outcome.point or ''}")
        if outcome.end == End.DIED:
            assert outcome.point is not None
            self.report.deaths[step.kind] += 1
            self.report.ways[SIGKILL if is_real else IN_PROCESS] += 1
            self.report.points[outcome.point] += 1
        else:
            self.lasts[step.kind] = outcome.passed
        return outcome

    def _heard(self, step: Step, outcome: Outcome) -> None:
        """Whoever waited got an answer."""
        if outcome.end == End.REFUSED:
            self.report.refusals[f"{step.kind}: {outcome.refusal}"] += 1
            if step.kind == "approves a payout":  # what was drafted does not fit any more
                self.world.soon.append("withdraws a payout")
            return
        self.report.events[step.kind] += 1
        with self.world.looking() as session:
            require_one_effect(session, [step], self._expected(step))
        self.log.note(step)

    def _expected(self, step: Step) -> tuple[int, ...]:
        """What comes of what a provider has to say may be nothing yet."""
        return (0, 1) if step.kind == "comes back" else (1,)

    # --- death ---

    def _plan(self, step: Step) -> Plan | None:
        left = self.wanted.deaths - self.report.died
        steps_left = max(1, self.wanted.steps - self.report.steps)
        if left <= 0 or self.chance.random() > 1.3 * left / steps_left:
            return None
        return self._drawn_plan(step)

    def _drawn_plan(self, step: Step) -> Plan:
        lasts = max(2, self.lasts.get(step.kind, 12))
        if self.chance.random() < 0.6:
            return Plan(self.chance.randint(1, lasts))
        usual = (Point.BEFORE_COMMIT, Point.AFTER_COMMIT, Point.AFTER_COMMIT)
        kind = self.chance.choice([each for each in Point if not self.report.points[each]] or usual)
        return Plan(1 + int(self.chance.random() < 0.3), kind)

    def _is_real(self) -> bool:
        """Whether the next death is by SIGKILL: as many as are wanted, spread over the run."""
        left = self.wanted.deaths - self.report.died
        return self.chance.random() * max(1, left) < self.wanted.kills - self.report.ways[SIGKILL]

    def _after_death(self, step: Step) -> None:
        """Start again, do what is due, prove; then the step once more, as nobody answered."""
        self.world.now += SOON
        with self.world.looking() as session:
            rows = read_rows(session)
            self.log.require_all_there(rows)
            require_one_effect(session, self.log.recent, (0, 1))
            had = step.effects(session) if step.effects else 0
            if step.effects and not had and not step.in_parts:
                self.log.require_untouched(rows)
        self._recover()
        self._prove()
        outcome = self._run(step, self._maybe_plan(step))
        if outcome.end == End.DIED:
            self._recover()
            self._prove()
            outcome = self._run(step, None)
        self._heard_again(step, outcome, had)

    def _maybe_plan(self, step: Step) -> Plan | None:
        return self._drawn_plan(step) if self.chance.random() < 0.1 else None

    def _recover(self) -> None:
        """The worker's duties; now and then it dies over one of them, and begins once more."""
        also = ("reconcile",) if self.chance.random() < 0.3 else ()
        for name in (*RECOVERY, *also):
            step = duty(self.world, name)
            outcome = self._run(step, self._maybe_plan(step) if self._may_die_more() else None)
            if outcome.end == End.DIED:
                self._run(step, None)

    def _may_die_more(self) -> bool:
        return self.report.died < self.wanted.deaths and self.chance.random() < 0.2

    def _prove(self) -> None:
        with self.world.looking() as session:
            require_sound(session, self.world.card)
            self.log.require_all_there(read_rows(session))

    def _heard_again(self, step: Step, outcome: Outcome, had: int) -> None:
        """The effect is there once if it was there or was acknowledged now, and never twice."""
        done = outcome.end == End.DONE
        expected = self._expected(step) if done else (0, 1)
        with self.world.looking() as session:
            require_one_effect(session, [step], (1,) if had else expected)
            seen = step.effects(session) if step.effects else 0
        if done or seen:
            self.report.events[step.kind] += 1
            self.log.note(step)
        before = "it had taken effect" if had else "it had not"
        self.report.again[f"{before}, {'done' if done else 'refused'}"] += 1

    # --- the end ---

    def _settle_down(self) -> None:
        """All messages arrive or are listed, the worker works until there is no news; then the proof."""
        world = self.world
        for _ in range(4):
            world.now += timedelta(hours=25)
            guests.let_fees_come(world)
            for name in machine.DUTIES:
                outcome = self._run(duty(world, name), None)
                assert outcome.end == End.DONE, outcome
        self._prove()
        with world.looking() as session:
            waiting = select(func.count()).where(InboxEvent.state == InboxState.RECEIVED)
            assert session.scalar(waiting) == 0
            require_one_effect(session, self.log.steps, (0, 1))
            self._require_what_the_provider_holds(session)
            self.report.entries = session.scalar(select(func.count()).select_from(Entry)) or 0
            self.report.months = session.scalar(select(func.count()).select_from(Period)) or 0
            self.report.heads = list(session.scalars(select(Book.head_hash)))

    def _require_what_the_provider_holds(self, session: Session) -> None:
        """The books hold what the provider holds, with the payouts that have not arrived yet."""
        account = self.world.double.world.accounts[ACCOUNT]
        there = sum(each["net"] for each in account.all_of("balance_transaction"))
        payouts = account.all_of("payout")
        on_the_way = sum(each["amount"] for each in payouts if each["status"] == "in_transit")
        books = balances(session, self.world.card.book_id)["payment:stripe"]
        assert books == there + on_the_way, (books, there, on_the_way)

    def _tell(self, kind: str, what: str) -> None:
        self.report.told.append(f"{self.world.now.isoformat()} {kind}: {what}")
