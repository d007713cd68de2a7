"""Drafting and proposing policies, and recording the resolutions that adopt them."""

import unicodedata
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from hashlib import sha256

from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from cbt.clock import village_day
from cbt.communities.queries import get_community_by_id, list_households
from cbt.communities.services import lock_community
from cbt.db import transaction
from cbt.errors import NotFound, PolicyOvertaken
from cbt.revenue import resolutions
from cbt.revenue.adoption import (
    QUORUM_BP,
    Meeting,
    Minutes,
    UsesNature,
    require_minutes,
    require_resolved,
)
from cbt.revenue.models import MinutesFile, PolicyDraft, PolicyProposal, PolicyResolution
from cbt.revenue.policy import Policy, canonical, identity, parse, read
from cbt.revenue.policy_rules import Ruling, check, require_explained, require_no_error
from cbt.revenue.records import Resolution
from cbt.revenue.services import add_version, last_version

LONGEST_NAME = 120


def begin_draft(community_id: int, policy: Policy, person_id: int, now: datetime) -> int:
    """Begin a draft from a policy, which may be one that stands; return its id."""
    with transaction() as session:
        return session.execute(
            insert(PolicyDraft).returning(PolicyDraft.id),
            {
                "community_id": community_id,
                "text": canonical(policy),
                "uses_nature": UsesNature.UNKNOWN,
                "agreement": "",
                "begun_by": person_id,
                "begun_at": now,
            },
        ).scalar_one()


def change_draft(
    community_id: int,
    draft_id: int,
    policy: Policy,
    uses_nature: UsesNature,
    agreement: str,
) -> None:
    """Keep a draft as far as it is; it need not be valid yet.

    Raises NotFound, or PolicyInvalid where its text could not be read again.
    """
    text = canonical(policy)
    read(text)
    with transaction() as session:
        changed = session.execute(
            update(PolicyDraft)
            .where(PolicyDraft.id == draft_id, PolicyDraft.community_id == community_id)
            .values(text=text, uses_nature=uses_nature, agreement=agreement)
            .returning(PolicyDraft.id)
        ).scalar()
        if changed is None:
            raise NotFound(thing="draft")


def drop_draft(community_id: int, draft_id: int) -> None:
    """Throw a draft away. Raises NotFound."""
    with transaction() as session:
        _drop(session, community_id, draft_id)


def _drop(session: Session, community_id: int, draft_id: int) -> None:
    dropped = session.execute(
        delete(PolicyDraft)
        .where(PolicyDraft.id == draft_id, PolicyDraft.community_id == community_id)
        .returning(PolicyDraft.id)
    ).scalar()
    if dropped is None:
        raise NotFound(thing="draft")


def propose(community_id: int, draft_id: int, person_id: int, now: datetime) -> int:
    """Put a draft before the members as it is; return the proposal's id.

    Raises NotFound, or PolicyInvalid with every error, and then writes nothing.
    """
    with transaction() as session:
        lock_community(session, community_id)
        draft = resolutions.get_draft(session, community_id, draft_id)
        policy = parse(draft.text)
        situation = resolutions.situation_of(
            session, community_id, draft, _day(session, community_id, now)
        )
        require_no_error(check(policy, situation))
        last = last_version(session, community_id)
        _drop(session, community_id, draft_id)
        return session.execute(
            insert(PolicyProposal).returning(PolicyProposal.id),
            {
                "community_id": community_id,
                "text": draft.text,
                "sha256": identity(draft.text),
                "replaces_id": last.id if last else None,
                "uses_nature": draft.uses_nature,
                "agreement": draft.agreement,
                "proposed_by": person_id,
                "proposed_at": now,
            },
        ).scalar_one()


def _day(session: Session, community_id: int, now: datetime) -> date:
    return village_day(now, get_community_by_id(session, community_id).zone)


def adopt(
    community_id: int,
    proposal_id: int,
    meeting: Meeting,
    minutes: Minutes,
    explanations: Mapping[str, str],
    person_id: int,
    now: datetime,
) -> int:
    """Record that the members' meeting adopted a proposal; return the policy's number.

    Of several proposals that stand beside one policy, one can be adopted: the others were decided
    upon without knowing of it. Raises NotFound, PolicyOvertaken, PolicyInvalid, ResolutionInvalid,
    PolicyTooEarly or PolicyOverlaps, and then writes nothing.
    """
    kind = require_minutes(minutes)
    with transaction() as session:
        lock_community(session, community_id)
        today = _day(session, community_id, now)
        proposal = resolutions.get_proposal(session, community_id, proposal_id)
        if not proposal.is_open:
            raise PolicyOvertaken
        households = len(list_households(session, community_id, meeting.met_on))
        zone = get_community_by_id(session, community_id).zone
        require_resolved(meeting, households, village_day(proposal.proposed_at, zone), today)
        situation = resolutions.situation_of(
            session, community_id, proposal, today, has_resolution=True
        )
        rulings = check(parse(proposal.text), situation)
        require_no_error(rulings)
        require_explained(rulings, explanations)
        resolution = Resolution(
            adopted_on=meeting.met_on,
            effective_from=meeting.effective_from,
            meeting={"th": meeting.meeting},
            households=households,
            present=meeting.present,
            voted_for=meeting.voted_for,
        )
        version_id = add_version(session, community_id, proposal.text, resolution, now)
        minutes_id = session.execute(
            insert(MinutesFile).returning(MinutesFile.id),
            {
                "community_id": community_id,
                "sha256": sha256(minutes.body).hexdigest(),
                "name": _file_name(minutes.name, kind),
                "kind": kind,
                "size": len(minutes.body),
                "body": minutes.body,
                "kept_by": person_id,
                "kept_at": now,
            },
        ).scalar_one()
        session.execute(
            insert(PolicyResolution),
            {
                "policy_version_id": version_id,
                "proposal_id": proposal_id,
                "place": meeting.place,
                "voted_against": meeting.voted_against,
                "abstained": meeting.abstained,
                "quorum_bp": QUORUM_BP,
                "rulings": [_kept(each) for each in rulings],
                "explanations": {
                    str(each.rule): explanations[each.rule] for each in rulings if each.is_warning
                },
                "signers": [asdict(signer) for signer in meeting.signers],
                "minutes_id": minutes_id,
                "recorded_by": person_id,
            },
        )
        return resolutions.get_number(session, version_id)


def _kept(ruling: Ruling) -> dict[str, object]:
    return {
        "rule": str(ruling.rule),
        "verdict": str(ruling.verdict),
        "severity": str(ruling.severity or ""),
        "values": dict(ruling.values),
    }


def _file_name(name: str, kind: str) -> str:
    """A name that is safe wherever the file is saved: plain characters, and the ending of its kind."""
    stem = name.replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
    plain = "".join(
        letter if unicodedata.category(letter)[0] in "LMN" or letter in "-_ " else "_"
        for letter in stem
    )
    return f"{plain.strip()[:LONGEST_NAME] or 'minutes'}.{kind}"
