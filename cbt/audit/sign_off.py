"""A mentor signs a closed month off: after the audit, the findings, the sample, and from outside alone."""

from dataclasses import dataclass
from datetime import date, datetime, time

from sqlalchemy import insert, or_, select
from sqlalchemy.orm import Session

from cbt.audit import sign_off_rules as rules
from cbt.audit.case_work import get_actor, list_cases
from cbt.audit.models import MentorTie, SignOff
from cbt.audit.run_text import Run
from cbt.audit.runs import keep_run, look
from cbt.audit.samples import find_sample, list_population
from cbt.audit.sampling import sample_size
from cbt.audit.sign_off_rules import Obstacle, SignOffFacts
from cbt.clock import to_instant, village_day
from cbt.communities.models import Household
from cbt.communities.queries import get_community_by_id, get_household
from cbt.communities.records import CommunityCard
from cbt.communities.services import lock_community
from cbt.db import snapshot, transaction
from cbt.errors import NotAllowed, NoteMissing, SignOffBlocked, StateForbids
from cbt.payments.payer_names import is_same_name
from cbt.people.models import RoleGrant
from cbt.people.queries import list_names
from cbt.people.roles import Role
from cbt.revenue import keys
from cbt.revenue.fund_models import FundClaim
from cbt.revenue.payout_models import Payee
from cbt.revenue.period_queries import PeriodCard
from cbt.revenue.policy_rules import Severity
from cbt.revenue.signing import PlatformKey, SignerRole

MOST_WORDS = 1_000


@dataclass(frozen=True)
class SignOffCard:
    """What a mentor's signature rests on."""

    run_id: int
    warnings: tuple[Obstacle, ...]
    explanation: str
    sample_size: int
    looked_at: int
    signed_by: int
    signed_at: datetime


@dataclass(frozen=True)
class TieCard:
    """A household that the mentor is related to, by their own word."""

    household: str
    words: str
    told_at: datetime


def sign_month(
    community_id: int,
    shown: PeriodCard,
    password: str,
    explanation: str,
    key: PlatformKey,
    person_id: int,
    now: datetime,
) -> None:
    """Sign a closed month as its mentor; the audit runs anew, and its run is kept with the signature.

    Raises SignOffBlocked with every obstacle that refuses, NoteMissing when what is not as it should be
    is not explained, and what `keys.sign_period` raises; and then writes nothing.
    """
    words = explanation.strip()[:MOST_WORDS]
    with snapshot() as reading:
        community = get_community_by_id(reading, community_id)
        run = look(reading, community, shown.month, person_id, now)
        _require_free_way(find_facts(reading, community, shown, run, person_id, now), words)
    prepared = keys.prepare_signature(community_id, shown, SignerRole.MENTOR, password, person_id)
    with transaction() as session:
        lock_community(session, community_id)
        facts = find_facts(session, community, shown, run, person_id, now)
        warnings = _require_free_way(facts, words)
        keys.add_signature(
            session, community_id, shown, SignerRole.MENTOR, prepared, key, person_id, now
        )
        session.execute(
            insert(SignOff),
            {
                "period_id": shown.id,
                "run_id": keep_run(session, community_id, run),
                "warnings": [str(each) for each in warnings],
                "explanation": words if warnings else "",
                "sample_size": facts.sample_size,
                "looked_at": facts.looked_at,
                "signed_by": person_id,
                "signed_at": now,
            },
        )


def _require_free_way(facts: SignOffFacts, words: str) -> tuple[Obstacle, ...]:
    """What must be explained, and is. Raises SignOffBlocked or NoteMissing."""
    obstacles = rules.find_obstacles(facts)
    if refusing := rules.refusing(obstacles):
        raise SignOffBlocked(obstacles=refusing)
    warnings = rules.to_explain(obstacles)
    if warnings and not words:
        raise NoteMissing
    return warnings


def declare_tie(
    community_id: int, household: str, words: str, person_id: int, now: datetime
) -> None:
    """A mentor says that they are related to a household: from then on another one signs. For good.

    Raises NotAllowed for anybody but a mentor of the community, NotFound for a household that is not
    there, NoteMissing, or StateForbids when it was said before; and then writes nothing.
    """
    told = words.strip()[:MOST_WORDS]
    if not told:
        raise NoteMissing
    with transaction() as session:
        lock_community(session, community_id)
        if Role.MENTOR not in get_actor(session, community_id, person_id).roles:
            raise NotAllowed
        household_id = get_household(session, community_id, household).id
        if any(each.household == household for each in list_ties(session, community_id, person_id)):
            raise StateForbids(thing="tie", state="told", wanted="told")
        session.execute(
            insert(MentorTie),
            {
                "community_id": community_id,
                "person_id": person_id,
                "household_id": household_id,
                "words": told,
                "told_at": now,
            },
        )


# --- reading -------------------------------------------------------------------------------------


def find_facts(
    session: Session,
    community: CommunityCard,
    period: PeriodCard,
    run: Run,
    person_id: int,
    now: datetime,
) -> SignOffFacts:
    """What the rules of a sign-off look at; `run` was made just before."""
    today = village_day(now, community.zone)
    told = list_cases(session, community.id, today, period.month)
    sample = find_sample(session, community, period)
    population = list_population(session, community, period.month)
    return SignOffFacts(
        held_role=_held_role(session, community, period.month, person_id),
        took_part=person_id in (period.prepared_by, period.approved_by),
        is_payee=_is_payee(session, community.id, person_id),
        is_related=bool(list_ties(session, community.id, person_id)),
        faults=run.faults,
        blind=len(run.blind),
        open_errors=sum(
            1 for each in told if each.severity == Severity.ERROR and not each.is_closed
        ),
        late_answers=sum(1 for each in told if each.is_overdue(today)),
        sample_size=len(sample.items) if sample else sample_size(len(population)),
        looked_at=sample.done if sample else 0,
    )


def find_sign_off(session: Session, period_id: int) -> SignOffCard | None:
    row = session.scalar(select(SignOff).where(SignOff.period_id == period_id))
    if row is None:
        return None
    return SignOffCard(
        row.run_id,
        tuple(Obstacle(each) for each in row.warnings),
        row.explanation,
        row.sample_size,
        row.looked_at,
        row.signed_by,
        row.signed_at,
    )


def list_ties(session: Session, community_id: int, person_id: int) -> list[TieCard]:
    """The households that a mentor said to be related to."""
    rows = session.execute(
        select(Household.code, MentorTie.words, MentorTie.told_at)
        .join(Household, Household.id == MentorTie.household_id)
        .where(MentorTie.community_id == community_id, MentorTie.person_id == person_id)
        .order_by(MentorTie.id)
    )
    return [TieCard(*row) for row in rows]


def _held_role(session: Session, community: CommunityCard, month: date, person_id: int) -> bool:
    """Whether somebody had another part in the community at any time since the month began."""
    begun = to_instant(month, time(0), community.zone)
    held = select(RoleGrant.id).where(
        RoleGrant.person_id == person_id,
        RoleGrant.community_id == community.id,
        RoleGrant.role != Role.MENTOR,
        or_(RoleGrant.ended_at.is_(None), RoleGrant.ended_at >= begun),
    )
    return session.scalar(held.limit(1)) is not None


def _is_payee(session: Session, community_id: int, person_id: int) -> bool:
    """Whether somebody of exactly this name is paid by the community: for a household, or out of a fund."""
    name = list_names(session, [person_id]).get(person_id, "")
    holders = select(Payee.holder).join(Household, Household.id == Payee.household_id)
    paid = [
        *session.scalars(holders.where(Household.community_id == community_id)),
        *session.scalars(select(FundClaim.payee).where(FundClaim.community_id == community_id)),
    ]
    return any(is_same_name(name, each) for each in set(paid))
