"""A task's turns as pages show them to hosts, households and mentors alike: queue, balance, events."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from sqlalchemy.orm import Session

from cbt.communities.queries import list_register
from cbt.communities.rotation import (
    Balance,
    NotNow,
    Place,
    balance,
    not_now,
    queue,
)
from cbt.i18n import Localized
from cbt.people.queries import list_names
from cbt.revenue.policy import Task
from cbt.revenue.turns import Rota, TurnLine, get_rota, list_tasks
from cbt.revenue.work_models import TurnKind

_LATEST = 40


@dataclass(frozen=True)
class Turns:
    """What a page shows of a task's turns on a day."""

    task: Task
    day: date
    places: tuple[Place, ...]
    absent: tuple[tuple[str, NotNow], ...]
    balance: Balance
    lines: tuple[TurnLine, ...]
    withdrawn: frozenset[int]
    open_swaps: tuple[TurnLine, ...]
    households: dict[str, Localized]
    people: dict[int, str]

    @property
    def spread(self) -> str:
        return decimal(self.balance.spread) if self.balance.spread is not None else ""

    def can_withdraw(self, line: TurnLine) -> bool:
        kinds = (TurnKind.AWAY, TurnKind.SKIPPED, TurnKind.SWAP_ASKED)
        return line.kind in kinds and line.id not in self.withdrawn and line.last_on >= self.day

    @property
    def takers(self) -> frozenset[str]:
        return frozenset(each.household for each in self.balance.shares)

    @staticmethod
    def tenths(value: Fraction) -> str:
        return decimal(value)

    def place_of(self, household: str) -> int | None:
        names = [each.household for each in self.places]
        return names.index(household) + 1 if household in names else None


def show_turns(session: Session, community_id: int, task: Task, day: date) -> Turns:
    rota = get_rota(session, community_id, task)
    latest = tuple(reversed(rota.lines))[:_LATEST]
    return Turns(
        task=task,
        day=day,
        places=queue(rota.events, rota.members, day),
        absent=tuple(_absent(rota, day)),
        balance=balance(rota.events, rota.members, day),
        lines=latest,
        withdrawn=frozenset(
            each.about_id
            for each in rota.lines
            if each.kind == TurnKind.WITHDRAWN and each.about_id is not None
        ),
        open_swaps=tuple(each for each in rota.open_swaps if each.first_on >= day),
        households={each.code: each.name for each in list_register(session, community_id)},
        people=list_names(session, [each.recorded_by for each in latest]),
    )


def list_turns(session: Session, community_id: int, day: date) -> list[Turns]:
    """Every task that has turns."""
    return [
        show_turns(session, community_id, task, day) for task in list_tasks(session, community_id)
    ]


def _absent(rota: Rota, day: date) -> Iterable[tuple[str, NotNow]]:
    for member in rota.members:
        why = not_now(member, rota.events, day)
        if why is not None and member.terms_on(day):
            yield member.household, why


def decimal(value: Fraction) -> str:
    """A fraction with one decimal place, rounded half up: 4/3 is 1.3."""
    tenths = (value.numerator * 20 + value.denominator) // (2 * value.denominator)
    return f"{tenths // 10}.{tenths % 10}"
