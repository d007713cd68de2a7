"""Findings: told by mentors, answered by the community's people, ended by mentors."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from cbt.audit import cases, run_text
from cbt.audit.cases import Actor, CaseProblem, CaseState, CaseStep, SubjectKind
from cbt.audit.evidence import keep_evidence
from cbt.audit.findings import Check, Finding
from cbt.audit.models import AuditCase, AuditCaseStep
from cbt.audit.risks import Risk, RiskCode
from cbt.bookings.models import Booking, Departure
from cbt.clock import month_of, village_day
from cbt.communities.queries import get_community_by_id
from cbt.communities.services import lock_community
from cbt.db import transaction
from cbt.errors import CaseInvalid, NotAllowed, NotFound, WordsMissing
from cbt.notices.services import queue
from cbt.people.models import Person, RoleGrant
from cbt.people.queries import PersonCard, list_grants_in, list_money_people
from cbt.people.roles import Role
from cbt.revenue.fund_models import FundClaim
from cbt.revenue.funds import Evidence
from cbt.revenue.payout_models import PayoutBatch
from cbt.revenue.period_queries import find_period
from cbt.revenue.policy_rules import Severity, Verdict
from cbt.revenue.rulebook import Answer

_NOTICES = {
    CaseStep.OPENED: "finding_opened",
    CaseStep.ANSWERED: "finding_answered",
    CaseStep.CLOSED: "finding_closed",
    CaseStep.REOPENED: "finding_reopened",
}


@dataclass(frozen=True, kw_only=True)
class NewCase:
    """A finding as it is told. `source` and `told` say what of the machine's it came of."""

    subject: str
    severity: Severity
    words: str = ""
    month: date | None = None
    accused: int | None = None
    days: int = cases.DAYS_TO_ANSWER
    source: str = ""
    told: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class StepCard:
    """A step of a finding: who said what when, and until when an answer is asked for."""

    case_id: int
    number: int
    step: CaseStep
    words: str
    answer_by: date | None
    evidence_id: int | None
    done_by: int
    done_at: datetime


@dataclass(frozen=True)
class CaseCard:
    """A finding with its steps, the first first."""

    id: int
    community_id: int
    number: int
    month: date | None
    subject: str
    severity: Severity
    words: str
    source: str
    told: Mapping[str, Any]
    accused: int | None
    steps: tuple[StepCard, ...] = ()

    @property
    def state(self) -> CaseState:
        return cases.state_after(self.steps[-1].step)

    @property
    def is_closed(self) -> bool:
        return self.state == CaseState.CLOSED

    @property
    def due_on(self) -> date:
        """Until when an answer is, or was last, asked for."""
        return [each.answer_by for each in self.steps if each.answer_by][-1]

    def is_overdue(self, today: date) -> bool:
        return cases.is_overdue(self.state, self.due_on, today)


# --- what the machine said -----------------------------------------------------------------------


def of_check(run_id: int, nth: int, check: Check, found: Finding, month: date | None) -> NewCase:
    """What a check found in a recorded run, to be told as it stands. An error until it is explained."""
    return NewCase(
        subject=cases.subject_of(found.subject),
        severity=Severity.ERROR,
        month=month,
        source=f"check:{check}:{found.fault}:{found.subject}",
        told={"check": check, "run": run_id, "nth": nth, "finding": run_text.plain(found)},
    )


def of_rule(month: date, answer: Answer) -> NewCase:
    """What a rule said at the close of a month."""
    return NewCase(
        subject=f"{SubjectKind.PERIOD}:{month:%Y-%m}",
        severity=answer.severity,
        month=month,
        source=f"rule:{answer.rule}",
        told={
            "rule": answer.rule,
            "verdict": answer.verdict,
            "severity": answer.severity,
            "threshold": answer.threshold,
            "values": dict(answer.values),
        },
    )


def of_risk(month: date | None, risk: Risk) -> NewCase:
    """A number that is beyond its line: a question, so a warning."""
    return NewCase(
        subject=SubjectKind.BOOK,
        severity=Severity.WARNING,
        month=month,
        source=f"risk:{risk.code}",
        told={"risk": risk.code, "verdict": risk.verdict, "values": dict(risk.values)},
    )


def finding_of(told: Mapping[str, Any]) -> Finding:
    """The finding that `of_check` told."""
    return run_text.read_finding(told["finding"])


def answer_of(told: Mapping[str, Any]) -> Answer:
    """The rule's answer that `of_rule` told."""
    return Answer(
        told["rule"],
        Verdict(told["verdict"]),
        Severity(told["severity"]),
        told["threshold"],
        told["values"],
    )


def risk_of(told: Mapping[str, Any]) -> Risk:
    """The number that `of_risk` told."""
    return Risk(RiskCode(told["risk"]), Verdict(told["verdict"]), told["values"])


# --- use cases -----------------------------------------------------------------------------------


def open_case(community_id: int, new: NewCase, person_id: int, now: datetime) -> int:
    """Raise a finding; return its number. One that stands open with the same source is that one.

    Raises NotAllowed for anybody but a mentor of the community, WordsMissing, CaseInvalid for a thing
    that is not the community's, for the days, or for a person who is not of it; and then writes nothing.
    """
    with transaction() as session:
        lock_community(session, community_id)
        return add_case(session, community_id, new, person_id, now)


def add_case(
    session: Session, community_id: int, new: NewCase, person_id: int, now: datetime
) -> int:
    """Raise a finding, in the transaction of what it came of. A step; see `open_case`."""
    actor = get_actor(session, community_id, person_id)
    if Role.MENTOR not in actor.roles:
        raise NotAllowed
    words = _words(new.words, required=not new.source)
    _require_thing(session, community_id, new)
    known = _find_open(session, community_id, new)
    if known is not None:
        return known
    month = new.month or _month_of(session, new.subject)
    community = get_community_by_id(session, community_id)
    due = cases.answer_by(village_day(now, community.zone), new.days)
    last = select(func.coalesce(func.max(AuditCase.number), 0)).where(
        AuditCase.community_id == community_id
    )
    number = session.scalars(last).one() + 1
    case_id = session.execute(
        insert(AuditCase).returning(AuditCase.id),
        {
            "community_id": community_id,
            "number": number,
            "month": month,
            "subject": new.subject,
            "severity": new.severity,
            "words": words,
            "source": new.source,
            "told": dict(new.told or {}),
            "accused": new.accused,
        },
    ).scalar_one()
    first = StepCard(case_id, 1, CaseStep.OPENED, words, due, None, person_id, now)
    _write(session, community_id, first)
    return number


def answer_case(
    community_id: int,
    number: int,
    words: str,
    file: Evidence | None,
    person_id: int,
    now: datetime,
) -> None:
    """A treasurer or coordinator answers, with a file where there is one to show.

    Raises NotFound, NotAllowed, WordsMissing, EvidenceInvalid, or StateForbids once it is ended.
    """
    _take_step(community_id, number, CaseStep.ANSWERED, words, person_id, now, file=file)


def close_case(community_id: int, number: int, words: str, person_id: int, now: datetime) -> None:
    """A mentor ends a finding and says why. Raises AccusedCloses for whoever it is about."""
    _take_step(community_id, number, CaseStep.CLOSED, words, person_id, now)


def reopen_case(
    community_id: int,
    number: int,
    words: str,
    person_id: int,
    now: datetime,
    days: int = cases.DAYS_TO_ANSWER,
) -> None:
    """A mentor is not content with an answer, or takes up what was ended: a new day is set."""
    _take_step(community_id, number, CaseStep.REOPENED, words, person_id, now, days=days)


def _take_step(
    community_id: int,
    number: int,
    step: CaseStep,
    words: str,
    person_id: int,
    now: datetime,
    *,
    file: Evidence | None = None,
    days: int = cases.DAYS_TO_ANSWER,
) -> None:
    said = _words(words)
    with transaction() as session:
        lock_community(session, community_id)
        case = get_case(session, community_id, number)
        actor = get_actor(session, community_id, person_id)
        cases.require_step(case.state, step, actor, case.accused)
        due = None
        if step == CaseStep.REOPENED:
            zone = get_community_by_id(session, community_id).zone
            due = cases.answer_by(village_day(now, zone), days)
        kept = keep_evidence(session, community_id, file, person_id, now)
        nth = case.steps[-1].number + 1
        own = StepCard(case.id, nth, step, said, due, kept, person_id, now)
        _write(session, community_id, own)


def _write(session: Session, community_id: int, step: StepCard) -> None:
    session.execute(insert(AuditCaseStep), vars(step))
    for person in _whom_it_concerns(session, community_id, step):
        if person.mail:
            queue(
                session,
                key=f"finding:{step.case_id}:{step.number}:{person.id}",
                kind=_NOTICES[step.step],
                language=person.language,
                recipient=person.mail,
                facts={
                    "case_id": step.case_id,
                    "step": step.number,
                    "in_language": person.language,
                    "to_mentor": step.step == CaseStep.ANSWERED,
                },
                now=step.done_at,
            )


def _whom_it_concerns(session: Session, community_id: int, step: StepCard) -> list[PersonCard]:
    """An answer is for the mentors; everything else for who answers. Nobody is told of their own."""
    found = (
        list_mentors(session, community_id)
        if step.step == CaseStep.ANSWERED
        else list_money_people(session, community_id)
    )
    return [each for each in found if each.id != step.done_by]


# --- reading -------------------------------------------------------------------------------------


def get_actor(session: Session, community_id: int, person_id: int) -> Actor:
    """A person with every role that they hold in a community now."""
    held = list_grants_in(session, community_id)
    return Actor(person_id, frozenset(role for person, role, _ in held if person == person_id))


def list_mentors(session: Session, community_id: int) -> list[PersonCard]:
    """The mentors that a community is assigned to."""
    rows = session.execute(
        select(Person.id, Person.name, Person.language, Person.mail)
        .join(RoleGrant, RoleGrant.person_id == Person.id)
        .where(
            RoleGrant.community_id == community_id,
            RoleGrant.role == Role.MENTOR,
            RoleGrant.ended_at.is_(None),
        )
        .order_by(Person.id)
    )
    return [PersonCard(*row) for row in rows]


def list_people(session: Session, community_id: int) -> list[tuple[int, str, Role]]:
    """(person id, name, role) of those whom a finding can name: offices and mentors."""
    rows = session.execute(
        select(Person.id, Person.name, RoleGrant.role)
        .join(RoleGrant, RoleGrant.person_id == Person.id)
        .where(
            RoleGrant.community_id == community_id,
            RoleGrant.role.in_((Role.TREASURER, Role.COORDINATOR, Role.MENTOR)),
            RoleGrant.ended_at.is_(None),
        )
        .order_by(Person.name, Person.id)
    )
    return [(row[0], row[1], Role(row[2])) for row in rows]


def list_cases(
    session: Session, community_id: int, today: date, month: date | None = None
) -> list[CaseCard]:
    """The findings of a community, or of one month of it: overdue ones first, ended ones last."""
    conditions = [AuditCase.community_id == community_id]
    if month is not None:
        conditions.append(AuditCase.month == month)
    found = _cards(session, *conditions)
    return sorted(
        found,
        key=lambda each: (
            *cases.urgency(each.state, each.severity, each.due_on, today),
            -each.number,
        ),
    )


def get_case(session: Session, community_id: int, number: int) -> CaseCard:
    """A finding by its number in the community. Raises NotFound."""
    found = _cards(session, AuditCase.community_id == community_id, AuditCase.number == number)
    if not found:
        raise NotFound(thing="case")
    return found[0]


def get_case_by_id(session: Session, case_id: int) -> CaseCard:
    return _cards(session, AuditCase.id == case_id)[0]


@dataclass(frozen=True)
class Waiting:
    """Findings that wait for the community's answer, and how many of them are overdue."""

    open: int
    overdue: int


def count_waiting(session: Session, community_id: int, today: date) -> Waiting:
    """What a community owes answers to. One statement."""
    newest = (
        select(AuditCaseStep.case_id, func.max(AuditCaseStep.number).label("number"))
        .join(AuditCase, AuditCase.id == AuditCaseStep.case_id)
        .where(AuditCase.community_id == community_id)
        .group_by(AuditCaseStep.case_id)
        .subquery()
    )
    asked = session.scalars(
        select(AuditCaseStep.answer_by)
        .join(
            newest,
            (newest.c.case_id == AuditCaseStep.case_id) & (newest.c.number == AuditCaseStep.number),
        )
        .where(AuditCaseStep.answer_by.is_not(None))
    ).all()
    return Waiting(len(asked), sum(1 for day in asked if day and day < today))


def list_open_cases(session: Session, community_ids: list[int]) -> list[CaseCard]:
    """The findings of some communities that are not ended. Two statements."""
    newest = (
        select(AuditCaseStep.case_id, func.max(AuditCaseStep.number).label("number"))
        .group_by(AuditCaseStep.case_id)
        .subquery()
    )
    ended = (
        select(AuditCaseStep.case_id)
        .join(
            newest,
            (newest.c.case_id == AuditCaseStep.case_id) & (newest.c.number == AuditCaseStep.number),
        )
        .where(AuditCaseStep.step == CaseStep.CLOSED)
    )
    return _cards(session, AuditCase.community_id.in_(community_ids), AuditCase.id.not_in(ended))


def _cards(session: Session, *conditions: Any) -> list[CaseCard]:
    rows = session.execute(
        select(
            AuditCase.id,
            AuditCase.community_id,
            AuditCase.number,
            AuditCase.month,
            AuditCase.subject,
            AuditCase.severity,
            AuditCase.words,
            AuditCase.source,
            AuditCase.told,
            AuditCase.accused,
        )
        .where(*conditions)
        .order_by(AuditCase.id)
    )
    found = [CaseCard(*row) for row in rows]
    found = [replace(each, severity=Severity(each.severity)) for each in found]
    steps: dict[int, list[StepCard]] = {each.id: [] for each in found}
    if found:
        for row in session.execute(
            select(*(getattr(AuditCaseStep, name) for name in StepCard.__dataclass_fields__))
            .where(AuditCaseStep.case_id.in_(select(AuditCase.id).where(*conditions)))
            .order_by(AuditCaseStep.case_id, AuditCaseStep.number)
        ):
            steps[row.case_id].append(StepCard(row[0], row[1], CaseStep(row[2]), *row[3:]))
    return [replace(each, steps=tuple(steps[each.id])) for each in found]


def _find_open(session: Session, community_id: int, new: NewCase) -> int | None:
    """The number of a finding of the same source that is not ended yet."""
    if not new.source:
        return None
    same = _cards(
        session,
        AuditCase.community_id == community_id,
        AuditCase.source == new.source,
        AuditCase.subject == new.subject,
    )
    month = new.month or _month_of(session, new.subject)
    return next((each.number for each in same if not each.is_closed and each.month == month), None)


def _month_of(session: Session, subject: str) -> date | None:
    """The month that a booking, a departure or a month itself belongs to; None for anything else.

    A trip's is that of its first day.
    """
    kind, name = cases.read_subject(subject)
    if kind == SubjectKind.PERIOD:
        return month_of(name)
    day = select(Departure.starts_on)
    if kind == SubjectKind.BOOKING:
        day = day.join(Booking, Booking.departure_id == Departure.id).where(
            Booking.reference == name
        )
    elif kind == SubjectKind.DEPARTURE:
        day = day.where(Departure.id == int(name))
    else:
        return None
    found = session.scalar(day)
    return found.replace(day=1) if found else None


# --- what it is about ----------------------------------------------------------------------------


def _require_thing(session: Session, community_id: int, new: NewCase) -> None:
    """Raise CaseInvalid unless what a finding is about, and whom it names, are of the community."""
    kind, name = cases.read_subject(new.subject)
    if not _is_there(session, community_id, kind, name):
        raise CaseInvalid(problem=CaseProblem.SUBJECT)
    if new.accused is not None:
        people = [person_id for person_id, _name, _role in list_people(session, community_id)]
        if new.accused not in people:
            raise CaseInvalid(problem=CaseProblem.ACCUSED)


def _is_there(session: Session, community_id: int, kind: SubjectKind, name: str) -> bool:
    if kind == SubjectKind.BOOK:
        return not name
    if kind == SubjectKind.RULE:
        return bool(name) and len(name) < 20 and name.isprintable()
    if kind == SubjectKind.PERIOD:
        try:
            return find_period(session, community_id, month_of(name)) is not None
        except ValueError:
            return False
    number = int(name) if name.isascii() and name.isdigit() and len(name) < 10 else -1
    asked = {
        SubjectKind.BOOKING: select(Booking.id).where(
            Booking.community_id == community_id, Booking.reference == name
        ),
        SubjectKind.DEPARTURE: select(Departure.id).where(
            Departure.community_id == community_id, Departure.id == number
        ),
        SubjectKind.PAYOUT: select(PayoutBatch.id).where(
            PayoutBatch.community_id == community_id, PayoutBatch.number == number
        ),
        SubjectKind.CLAIM: select(FundClaim.id).where(
            FundClaim.community_id == community_id, FundClaim.id == number
        ),
    }
    return session.scalar(asked[kind].limit(1)) is not None


def _words(text: str, *, required: bool = True) -> str:
    words = text.strip()
    if len(words) > cases.MOST_WORDS or (required and not words):
        raise WordsMissing
    return words
