"""The keys that sign periods, and signing by people.

What a signature proves: docs/decisions/018-periods-and-signatures.md.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cbt.communities.queries import get_community_by_id
from cbt.communities.services import lock_community
from cbt.db import db, transaction
from cbt.errors import KeyLocked, NoteMissing, NotFound, SignerInside, StateForbids
from cbt.people import passwords
from cbt.people.queries import find_password_hash, list_grants_in
from cbt.people.roles import Role
from cbt.revenue import signing
from cbt.revenue.closed import PeriodSignature, SigningKey
from cbt.revenue.period_queries import KeyCard, PeriodCard, find_key, get_period
from cbt.revenue.signing import LockedKey, PlatformKey, SignerRole, key_text

_ROLES = {SignerRole.TREASURER: Role.TREASURER, SignerRole.MENTOR: Role.MENTOR}
FIRST = "first key"


def platform_key_row(session: Session, key: PlatformKey, now: datetime) -> int:
    """The row of the installation's key, added when it signs for the first time. A step.

    A new key in the file follows the one that signed before it.
    """
    known = select(SigningKey.id).where(SigningKey.public_key == key.public)
    found = session.scalar(known)
    if found is not None:
        return found
    last = session.scalar(
        select(SigningKey.id)
        .where(SigningKey.community_id.is_(None))
        .order_by(SigningKey.id.desc())
        .limit(1)
    )
    values = {
        "role": SignerRole.PLATFORM,
        "public_key": key.public,
        "follows": last,
        "reason": "file" if last else FIRST,
        "endorsement": key.sign(key.public),
        "recorded_at": now,
    }
    try:
        with session.begin_nested():
            return session.execute(insert(SigningKey).returning(SigningKey.id), values).scalar_one()
    except IntegrityError:  # another community closed at the same moment
        return session.execute(known).scalar_one()


@dataclass(frozen=True)
class Prepared:
    """A signature that was made outside of any transaction, with the key that made it."""

    key: LockedKey
    signature: str


def sign_period(
    community_id: int,
    shown: PeriodCard,
    role: SignerRole,
    password: str,
    key: PlatformKey,
    person_id: int,
    now: datetime,
) -> None:
    """A treasurer signs a closed period, or a mentor from outside co-signs it, by their password.

    What a mentor must have done before is asked above (`audit/sign_off.py`), by which pages sign.

    The first time a key is made for them, locked by that password. Raises KeyLocked for a password that
    is not theirs or does not open their key, SignerInside for a mentor who has another part in the
    community or in this close, NotFound for a role they do not hold, StateForbids when that role has
    signed already; and then writes nothing.
    """
    prepared = prepare_signature(community_id, shown, role, password, person_id)
    with transaction() as session:
        lock_community(session, community_id)
        add_signature(session, community_id, shown, role, prepared, key, person_id, now)


def prepare_signature(
    community_id: int, shown: PeriodCard, role: SignerRole, password: str, person_id: int
) -> Prepared:
    """Open the person's key and sign with it, which takes as long as a sign-in. Writes nothing."""
    reading = db.session()
    _require_signer(reading, community_id, shown, role, person_id)
    own = find_key(reading, community_id, role, person_id)
    locked = _open_or_make(reading, own, password, person_id)
    signature = signing.sign_with(locked, password, shown.seal)
    db.session.rollback()
    return Prepared(locked, signature)


def add_signature(
    session: Session,
    community_id: int,
    shown: PeriodCard,
    role: SignerRole,
    prepared: Prepared,
    key: PlatformKey,
    person_id: int,
    now: datetime,
) -> None:
    """Write down a signature that was prepared; the community is locked. A step.

    Raises as `sign_period` does, for what changed meanwhile.
    """
    period = get_period(session, community_id, shown.month)
    _require_signer(session, community_id, period, role, person_id)
    if period.seal != shown.seal or _has_signed(session, period.id, role):
        raise StateForbids(thing="period", state="signed", wanted="signed")
    locked = prepared.key
    current = find_key(session, community_id, role, person_id)
    if current is None:
        key_id = _add_key(session, community_id, role, person_id, locked, None, FIRST, key, now)
    elif current.public_key == locked.public:
        key_id = current.id
    else:
        raise KeyLocked
    session.execute(
        insert(PeriodSignature),
        {
            "period_id": period.id,
            "role": role,
            "key_id": key_id,
            "signed_by": person_id,
            "signature": prepared.signature,
            "signed_at": now,
        },
    )


def replace_key(
    community_id: int,
    role: SignerRole,
    password: str,
    reason: str,
    key: PlatformKey,
    person_id: int,
    now: datetime,
) -> None:
    """Put a new key in the place of a lost or compromised one; what the old one signed keeps proving.

    Raises NoteMissing without a reason, KeyLocked for a wrong password, NotFound where there is none.
    """
    if not reason.strip():
        raise NoteMissing
    if not passwords.is_password(password, find_password_hash(db.session(), person_id)):
        raise KeyLocked
    fresh = signing.make_locked_key(password)
    db.session.rollback()
    with transaction() as session:
        lock_community(session, community_id)
        old = find_key(session, community_id, role, person_id)
        if old is None:
            raise NotFound(thing="key")
        words = " ".join(reason.split())
        _add_key(session, community_id, role, person_id, fresh, old, words, key, now)


def _require_signer(
    session: Session, community_id: int, period: PeriodCard, role: SignerRole, person_id: int
) -> None:
    """Raise NotFound for a role that is not held, SignerInside for a mentor with another part."""
    held = {
        each for person, each, _ in list_grants_in(session, community_id) if person == person_id
    }
    if _ROLES[role] not in held:
        raise NotFound(thing="role")
    is_part = person_id in (period.prepared_by, period.approved_by)
    if role == SignerRole.MENTOR and (is_part or held - {Role.MENTOR}):
        raise SignerInside


def _open_or_make(
    session: Session, own: KeyCard | None, password: str, person_id: int
) -> LockedKey:
    """The person's key, or a fresh one under the password they sign in with. Raises KeyLocked."""
    if own is not None:
        assert own.locked is not None
        return LockedKey(own.public_key, own.locked)
    if not passwords.is_password(password, find_password_hash(session, person_id)):
        raise KeyLocked
    return signing.make_locked_key(password)


def _has_signed(session: Session, period_id: int, role: SignerRole) -> bool:
    signed = select(PeriodSignature.period_id).where(
        PeriodSignature.period_id == period_id, PeriodSignature.role == role
    )
    return session.scalar(signed) is not None


def _add_key(
    session: Session,
    community_id: int,
    role: SignerRole,
    person_id: int,
    locked: LockedKey,
    old: KeyCard | None,
    reason: str,
    key: PlatformKey,
    now: datetime,
) -> int:
    slug = get_community_by_id(session, community_id).slug
    follows = old.public_key if old else ""
    text = key_text(slug, role, person_id, locked.public, follows, now)
    return session.execute(
        insert(SigningKey).returning(SigningKey.id),
        {
            "community_id": community_id,
            "role": role,
            "person_id": person_id,
            "public_key": locked.public,
            "locked": locked.locked,
            "follows": old.id if old else None,
            "reason": reason,
            "endorsement": key.sign(text),
            "recorded_at": now,
        },
    ).scalar_one()
