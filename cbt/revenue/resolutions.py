"""Reading drafts, proposals and resolutions, and running a past month again under a proposal."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Protocol

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking, Departure
from cbt.bookings.states import PAID, BookingState
from cbt.clock import month_before, next_month
from cbt.db import Condition, columns
from cbt.errors import NotFound
from cbt.experiences.models import Experience, Option, OptionPrice
from cbt.people.models import Person
from cbt.revenue import queries
from cbt.revenue.adoption import Signer, UsesNature
from cbt.revenue.models import (
    MinutesFile,
    PolicyDraft,
    PolicyProposal,
    PolicyResolution,
    PolicyVersion,
    Settlement,
)
from cbt.revenue.period_queries import list_closes
from cbt.revenue.policy import Policy, read
from cbt.revenue.policy_rules import PolicyRule, Ruling, Severity, Situation, Verdict
from cbt.revenue.posting import dividends_of, pools_of
from cbt.revenue.records import read_policy
from cbt.revenue.simulation import Departed, Simulation, compare, under

_MONTHS_BACK = 24


class Answered(Protocol):
    """A draft or a proposal: what its author answered to the rules' questions."""

    @property
    def uses_nature(self) -> str: ...
    @property
    def agreement(self) -> str: ...


@dataclass(frozen=True)
class DraftCard:
    id: int
    text: str
    uses_nature: str
    agreement: str
    begun_by: int
    begun_at: datetime

    @property
    def policy(self) -> Policy:
        return read(self.text)


@dataclass(frozen=True)
class ProposalCard:
    """A proposal; `number` is that of the policy it became, and `is_open` while it can become one."""

    id: int
    text: str
    sha256: str
    replaces_id: int | None
    uses_nature: str
    agreement: str
    author: str
    proposed_at: datetime
    number: int | None
    is_open: bool

    @property
    def policy(self) -> Policy:
        return read_policy(self.text)


@dataclass(frozen=True)
class ResolutionCard:
    """What a meeting resolved, beside its policy version."""

    proposal_id: int
    place: str
    voted_against: int
    abstained: int
    quorum_bp: int
    rulings: tuple[Ruling, ...]
    explanations: dict[str, str]
    signers: tuple[Signer, ...]
    minutes_id: int
    minutes_name: str
    minutes_sha256: str
    minutes_size: int


@dataclass(frozen=True)
class MinutesCard:
    name: str
    kind: str
    sha256: str
    body: bytes


# --- drafts and proposals ------------------------------------------------------------------------

_DRAFT = columns(PolicyDraft, DraftCard)


def get_draft(session: Session, community_id: int, draft_id: int) -> DraftCard:
    found = _drafts(
        session, (PolicyDraft.community_id == community_id) & (PolicyDraft.id == draft_id)
    )
    if not found:
        raise NotFound(thing="draft")
    return found[0]


def list_drafts(session: Session, community_id: int) -> list[DraftCard]:
    return _drafts(session, PolicyDraft.community_id == community_id)


def _drafts(session: Session, condition: Condition) -> list[DraftCard]:
    rows = session.execute(select(*_DRAFT).where(condition).order_by(PolicyDraft.id))
    return [DraftCard(*row) for row in rows]


def get_proposal(session: Session, community_id: int, proposal_id: int) -> ProposalCard:
    for proposal in _proposals(session, community_id, PolicyProposal.id == proposal_id):
        return proposal
    raise NotFound(thing="proposal")


def list_proposals(session: Session, community_id: int) -> list[ProposalCard]:
    """All proposals of a community, the newest first."""
    return _proposals(session, community_id, PolicyProposal.id > 0)


def _proposals(session: Session, community_id: int, condition: Condition) -> list[ProposalCard]:
    last_id = session.scalar(
        select(PolicyVersion.id)
        .where(PolicyVersion.community_id == community_id)
        .order_by(PolicyVersion.number.desc())
        .limit(1)
    )
    rows = session.execute(
        select(
            PolicyProposal.id,
            PolicyProposal.text,
            PolicyProposal.sha256,
            PolicyProposal.replaces_id,
            PolicyProposal.uses_nature,
            PolicyProposal.agreement,
            Person.name,
            PolicyProposal.proposed_at,
            PolicyVersion.number,
        )
        .join(Person, Person.id == PolicyProposal.proposed_by)
        .outerjoin(PolicyResolution, PolicyResolution.proposal_id == PolicyProposal.id)
        .outerjoin(PolicyVersion, PolicyVersion.id == PolicyResolution.policy_version_id)
        .where(PolicyProposal.community_id == community_id, condition)
        .order_by(PolicyProposal.id.desc())
    )
    return [
        ProposalCard(*row, is_open=row.number is None and row.replaces_id == last_id)
        for row in rows
    ]


def get_number(session: Session, version_id: int) -> int:
    return session.execute(
        select(PolicyVersion.number).where(PolicyVersion.id == version_id)
    ).scalar_one()


# --- resolutions and minutes ---------------------------------------------------------------------


def find_resolution(session: Session, version_id: int) -> ResolutionCard | None:
    """The resolution of a policy version; None for one recorded without a proposal."""
    row = session.execute(
        select(PolicyResolution, MinutesFile.name, MinutesFile.sha256, MinutesFile.size)
        .join(MinutesFile, MinutesFile.id == PolicyResolution.minutes_id)
        .where(PolicyResolution.policy_version_id == version_id)
    ).one_or_none()
    if row is None:
        return None
    kept, name, digest, size = row
    return ResolutionCard(
        proposal_id=kept.proposal_id,
        place=kept.place,
        voted_against=kept.voted_against,
        abstained=kept.abstained,
        quorum_bp=kept.quorum_bp,
        rulings=tuple(_ruling(each) for each in kept.rulings),
        explanations=kept.explanations,
        signers=tuple(Signer(**each) for each in kept.signers),
        minutes_id=kept.minutes_id,
        minutes_name=name,
        minutes_sha256=digest,
        minutes_size=size,
    )


def _ruling(kept: dict[str, Any]) -> Ruling:
    severity = Severity(kept["severity"]) if kept["severity"] else None
    return Ruling(PolicyRule(kept["rule"]), Verdict(kept["verdict"]), kept["values"], severity)


def get_minutes(session: Session, version_id: int) -> MinutesCard:
    """The minutes behind a policy version, byte for byte. Raises NotFound."""
    row = session.execute(
        select(MinutesFile.name, MinutesFile.kind, MinutesFile.sha256, MinutesFile.body)
        .join(PolicyResolution, PolicyResolution.minutes_id == MinutesFile.id)
        .where(PolicyResolution.policy_version_id == version_id)
    ).one_or_none()
    if row is None:
        raise NotFound(thing="minutes")
    return MinutesCard(*row)


# --- what the rules ask --------------------------------------------------------------------------


def situation_of(
    session: Session,
    community_id: int,
    answered: Answered,
    today: date,
    *,
    has_resolution: bool = False,
) -> Situation:
    """What the rules need to know of a draft or proposal beside its text."""
    return Situation(
        today=today,
        uses_nature=UsesNature(answered.uses_nature),
        agreement=answered.agreement,
        smallest_satang=find_smallest_price(session, community_id),
        has_resolution=has_resolution,
    )


def find_smallest_price(session: Session, community_id: int) -> int | None:
    """The least that a party can pay for anything that is listed, in satang; None for no listing."""
    cheapest = (
        select(func.min(OptionPrice.price_satang))
        .where(OptionPrice.option_id == Option.id, OptionPrice.price_satang > 0)
        .correlate(Option)
        .scalar_subquery()
    )
    own = case(
        (Option.group_satang.is_not(None), Option.group_satang), else_=cheapest * Option.min_party
    )
    found = session.scalar(
        select(func.min(own))
        .select_from(Option)
        .join(Experience, Experience.id == Option.experience_id)
        .where(Experience.community_id == community_id)
    )
    return None if found is None else int(found)


# --- a past month under another policy -----------------------------------------------------------


@dataclass(frozen=True)
class PastMonth:
    """A month to run again, by its first day, and whether it is closed for good."""

    month: date
    is_closed: bool


def find_past_month(session: Session, community_id: int, today: date) -> PastMonth | None:
    """The last closed month that had trips; before there is one, the last that is settled whole.

    A closed month can never gain a fact, so everybody who looks at a proposal sees the same figures.
    """
    for close in reversed(list_closes(session, community_id)):
        if _count_settlements(session, community_id, close.month):
            return PastMonth(close.month, is_closed=True)
    month = find_last_whole_month(session, community_id, today)
    return PastMonth(month, is_closed=False) if month else None


def find_last_whole_month(session: Session, community_id: int, today: date) -> date | None:
    """The first day of the last month that is over and settled whole; None for none so far.

    Whole: of its departures none has a paid booking that waits for its settlement.
    """
    month = month_before(today)
    for _number in range(_MONTHS_BACK):
        if _count_settlements(session, community_id, month) and not _waits(
            session, community_id, month
        ):
            return month
        month = month_before(month)
    return None


def _in_month(month: date) -> Condition:
    return (Settlement.service_on >= month) & (Settlement.service_on < next_month(month))


def _count_settlements(session: Session, community_id: int, month: date) -> int:
    counted = select(func.count()).where(Settlement.community_id == community_id, _in_month(month))
    return session.scalar(counted) or 0


def _waits(session: Session, community_id: int, month: date) -> bool:
    unsettled = [state for state in PAID if state != BookingState.SETTLED]
    found = session.scalar(
        select(Booking.id)
        .join(Departure, Departure.id == Booking.departure_id)
        .where(
            Departure.community_id == community_id,
            Departure.starts_on >= month,
            Departure.starts_on < next_month(month),
            Booking.state.in_(unsettled),
        )
        .limit(1)
    )
    return found is not None


def simulate(session: Session, community_id: int, policy: Policy, month: date) -> Simulation:
    """A settled month as it was, beside the same month under another policy."""
    rows = session.execute(
        select(Settlement.departure_id, Settlement.number, Settlement.service_on)
        .where(Settlement.community_id == community_id, _in_month(month))
        .order_by(Settlement.number)
    ).all()
    settled = {row.departure_id: (row.number, row.service_on) for row in rows}
    booked = queries.list_booking_facts(session, settled)
    shared = queries.list_sharing_facts(session, settled)
    costs = queries.list_preparation_costs(session, settled)
    before, after = [], []
    short: list[str] = []
    for departure_id in settled:
        own = tuple(booked[departure_id])
        before.append(Departed(own, shared[departure_id]))
        moved = [under(facts, policy) for facts in own]
        short += [facts.reference for facts, is_short in moved if is_short]
        new = tuple(facts for facts, _is_short in moved)
        sharing = replace(
            shared[departure_id],
            pools=pools_of(new),
            prepared=queries.paid_for_preparation(
                new, costs.get(departure_id, {}), shared[departure_id].number
            ),
            dividends=dividends_of(new),
            shares=(),
            members=(),
        )
        after.append(Departed(new, queries.with_owners(session, sharing)))
    return compare(before, after, short)
