"""What becomes of a finding, and who may take which step. Pure.

A finding is told by a mentor, answered by the community's people, and ended by a mentor, who may take
it up again. Nobody ends a finding that is about themselves: neither whoever it names, nor anybody who
has a part in the community beside auditing it. A finding is a row with steps, all of them facts.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from cbt.errors import AccusedCloses, CaseInvalid, NotAllowed, StateForbids
from cbt.people.roles import MONEY_ROLES, Role
from cbt.revenue.policy_rules import Severity

DAYS_TO_ANSWER = 30
MOST_DAYS = 90
MOST_WORDS = 2_000


class CaseState(StrEnum):
    """asked -> answered -> closed; a mentor may ask again from either."""

    ASKED = "asked"
    ANSWERED = "answered"
    CLOSED = "closed"


class CaseStep(StrEnum):
    OPENED = "opened"
    ANSWERED = "answered"
    CLOSED = "closed"
    REOPENED = "reopened"


class SubjectKind(StrEnum):
    """What a finding can be about."""

    BOOKING = "booking"
    DEPARTURE = "departure"
    PAYOUT = "payout"
    CLAIM = "claim"
    PERIOD = "period"
    RULE = "rule"
    BOOK = "book"


class CaseProblem(StrEnum):
    """Why a finding cannot be raised so."""

    SUBJECT = "subject"
    DAYS = "days"
    ACCUSED = "accused"


_AFTER = {
    CaseStep.OPENED: CaseState.ASKED,
    CaseStep.ANSWERED: CaseState.ANSWERED,
    CaseStep.CLOSED: CaseState.CLOSED,
    CaseStep.REOPENED: CaseState.ASKED,
}
_FROM = {
    CaseStep.ANSWERED: (CaseState.ASKED, CaseState.ANSWERED),
    CaseStep.CLOSED: (CaseState.ASKED, CaseState.ANSWERED),
    CaseStep.REOPENED: (CaseState.ANSWERED, CaseState.CLOSED),
}
_WEIGHT = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.ADVICE: 2}


@dataclass(frozen=True)
class Actor:
    """Who takes a step, with every role that they hold in the community."""

    person_id: int
    roles: frozenset[Role]


def state_after(step: CaseStep) -> CaseState:
    return _AFTER[step]


def require_step(state: CaseState, step: CaseStep, actor: Actor, accused: int | None) -> None:
    """Raise unless `actor` may take `step` from `state`; `accused` is whom the finding names.

    NotAllowed for the wrong role, AccusedCloses for who would end (or take up again) what is about
    themselves, StateForbids for a step that does not follow. Opening has no state to follow.
    """
    answers = step == CaseStep.ANSWERED
    if actor.roles.isdisjoint(MONEY_ROLES if answers else {Role.MENTOR}):
        raise NotAllowed
    if not answers and (actor.person_id == accused or actor.roles - {Role.MENTOR}):
        raise AccusedCloses
    if state not in _FROM[step]:
        raise StateForbids(thing="case", state=state, wanted=state_after(step))


def answer_by(asked_on: date, days: int = DAYS_TO_ANSWER) -> date:
    """The last day for an answer. Raises CaseInvalid for no time at all, or for a season."""
    if not 1 <= days <= MOST_DAYS:
        raise CaseInvalid(problem=CaseProblem.DAYS)
    return asked_on + timedelta(days=days)


def is_overdue(state: CaseState, due_on: date, today: date) -> bool:
    """Whether the community owes an answer since `due_on`."""
    return state == CaseState.ASKED and today > due_on


def urgency(
    state: CaseState, severity: Severity, due_on: date, today: date
) -> tuple[bool, bool, int, date]:
    """What findings are sorted by: overdue ones first, ended ones last; the grave before the light."""
    return (
        state == CaseState.CLOSED,
        not is_overdue(state, due_on, today),
        _WEIGHT[severity],
        due_on,
    )


def read_subject(text: str) -> tuple[SubjectKind, str]:
    """("booking", "B-7K2M9A") of "booking:B-7K2M9A". Raises CaseInvalid for anything else."""
    kind, _colon, name = text.partition(":")
    try:
        return SubjectKind(kind), name
    except ValueError:
        raise CaseInvalid(problem=CaseProblem.SUBJECT) from None


def subject_of(found: str) -> str:
    """What a case is about that comes from a finding of the machine, which may name finer things.

    An entry, an account or a slot is not a thing that people answer for by itself: it is the books.
    """
    kind, _colon, name = found.partition(":")
    known: Iterable[str] = (SubjectKind.BOOKING, SubjectKind.DEPARTURE, SubjectKind.PERIOD)
    return f"{kind}:{name}" if kind in known and name else SubjectKind.BOOK.value
