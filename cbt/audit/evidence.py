"""Files that a mentor's look or a step of a finding shows. Kept as requests of funds keep theirs."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from cbt.audit.models import AuditCaseStep, AuditEvidence
from cbt.errors import NotFound
from cbt.revenue.funds import Evidence, FileKind, require_evidence

_MOST_NAME = 100


@dataclass(frozen=True)
class EvidenceFile:
    """A file as it was handed in."""

    id: int
    kind: FileKind
    body: bytes


def keep_evidence(
    session: Session, community_id: int, file: Evidence | None, person_id: int, now: datetime
) -> int | None:
    """Keep a file and return its number; None for none. A step. Raises EvidenceInvalid."""
    if file is None or not file.body:
        return None
    kind = require_evidence(file)
    name = "".join(each for each in file.name if each.isprintable())[-_MOST_NAME:]
    return session.execute(
        insert(AuditEvidence).returning(AuditEvidence.id),
        {
            "community_id": community_id,
            "name": name,
            "kind": kind,
            "size": len(file.body),
            "sha256": sha256(file.body).hexdigest(),
            "body": file.body,
            "kept_by": person_id,
            "kept_at": now,
        },
    ).scalar_one()


def get_evidence(
    session: Session, community_id: int, evidence_id: int, *, of_findings: bool = False
) -> EvidenceFile:
    """A file of one community; another community's does not exist for it. Raises NotFound.

    `of_findings` leaves out what a mentor keeps of the sample for themselves.
    """
    wanted = select(AuditEvidence.id, AuditEvidence.kind, AuditEvidence.body).where(
        AuditEvidence.community_id == community_id, AuditEvidence.id == evidence_id
    )
    if of_findings:
        wanted = wanted.where(AuditEvidence.id.in_(select(AuditCaseStep.evidence_id)))
    row = session.execute(wanted).one_or_none()
    if row is None:
        raise NotFound(thing="evidence")
    return EvidenceFile(row[0], FileKind(row[1]), row[2])
