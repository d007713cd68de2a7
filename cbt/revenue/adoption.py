"""How a members' meeting adopts a policy: quorum, votes, first day, signers, minutes. Pure.

Source: rule POL-08. A quorum is half of the households on the register of the meeting's day unless
the community set more; more than half of those present must agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from cbt.errors import ResolutionInvalid
from cbt.money import BP_WHOLE
from cbt.revenue.policy import is_plain

QUORUM_BP = 5_000
MOST_BYTES = 5 * 1024 * 1024
MOST_SIGNERS = 10
LONGEST_TEXT = 200


class UsesNature(StrEnum):
    """Whether any of the community's activities lives from mangrove, sea, forest or wildlife."""

    UNKNOWN = "unknown"
    YES = "yes"
    NO = "no"


class FileKind(StrEnum):
    """What minutes may be kept as."""

    PDF = "pdf"
    JPEG = "jpeg"
    PNG = "png"


class ResolutionProblem(StrEnum):
    """Why a meeting, as it was written down, cannot have adopted a policy."""

    PLACE = "place"
    MEETING = "meeting"
    FUTURE = "future"
    BEFORE_PROPOSAL = "before_proposal"
    HOUSEHOLDS = "households"
    PRESENT = "present"
    QUORUM = "quorum"
    VOTES = "votes"
    VOTED_FOR = "voted_for"
    EFFECTIVE_FROM = "effective_from"
    SIGNERS = "signers"
    EXPLANATION = "explanation"
    MINUTES = "minutes"
    MINUTES_LARGE = "minutes_large"
    MINUTES_KIND = "minutes_kind"


@dataclass(frozen=True)
class Signer:
    """Who signed the minutes, and as what ("chair", "secretary")."""

    name: str
    position: str


@dataclass(frozen=True)
class Minutes:
    """A file as it was handed in."""

    name: str
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """What the members' meeting resolved, as the minutes have it."""

    met_on: date
    place: str
    meeting: str
    present: int
    voted_for: int
    voted_against: int
    abstained: int
    effective_from: date
    signers: tuple[Signer, ...]


def require_resolved(
    meeting: Meeting,
    households: int,
    proposed_on: date,
    today: date,
    quorum_bp: int = QUORUM_BP,
) -> None:
    """Raise ResolutionInvalid with the first thing for which the meeting cannot have adopted it.

    `households` were on the register on the day of the meeting.
    """
    problem = find_problem(meeting, households, proposed_on, today, quorum_bp)
    if problem:
        raise ResolutionInvalid(problem=problem)


def find_problem(
    meeting: Meeting, households: int, proposed_on: date, today: date, quorum_bp: int = QUORUM_BP
) -> ResolutionProblem | None:
    votes = (meeting.voted_for, meeting.voted_against, meeting.abstained)
    breaks = {
        ResolutionProblem.MEETING: not _is_said(meeting.meeting),
        ResolutionProblem.PLACE: not _is_said(meeting.place),
        ResolutionProblem.FUTURE: meeting.met_on > today,
        ResolutionProblem.BEFORE_PROPOSAL: meeting.met_on < proposed_on,
        ResolutionProblem.HOUSEHOLDS: households < 1,
        ResolutionProblem.PRESENT: not 0 < meeting.present <= households,
        ResolutionProblem.QUORUM: meeting.present * BP_WHOLE < households * quorum_bp,
        ResolutionProblem.VOTES: min(votes) < 0 or sum(votes) != meeting.present,
        ResolutionProblem.VOTED_FOR: 2 * meeting.voted_for <= meeting.present,
        ResolutionProblem.EFFECTIVE_FROM: meeting.effective_from < meeting.met_on,
        ResolutionProblem.SIGNERS: not _are_signers(meeting.signers),
    }
    return next((problem for problem, is_broken in breaks.items() if is_broken), None)


def _are_signers(signers: Sequence[Signer]) -> bool:
    names = [signer.name for signer in signers]
    texts = [text for signer in signers for text in (signer.name, signer.position)]
    return (
        1 <= len(signers) <= MOST_SIGNERS
        and len(set(names)) == len(names)
        and all(map(_is_said, texts))
    )


def _is_said(text: str) -> bool:
    return is_plain(text) and len(text) <= LONGEST_TEXT


_BEGINNINGS = {
    b"%PDF-": FileKind.PDF,
    b"\xff\xd8\xff": FileKind.JPEG,
    b"\x89PNG\r\n\x1a\n": FileKind.PNG,
}


def require_minutes(minutes: Minutes) -> FileKind:
    """What kind of file the minutes are, by their bytes and not their name.

    Raises ResolutionInvalid for none, a larger one than MOST_BYTES, or another kind.
    """
    if not minutes.body:
        raise ResolutionInvalid(problem=ResolutionProblem.MINUTES)
    if len(minutes.body) > MOST_BYTES:
        raise ResolutionInvalid(problem=ResolutionProblem.MINUTES_LARGE)
    for beginning, kind in _BEGINNINGS.items():
        if minutes.body.startswith(beginning):
            return kind
    raise ResolutionInvalid(problem=ResolutionProblem.MINUTES_KIND)
