"""Adding people, signing in and out, granting and ending roles."""

from datetime import datetime

from sqlalchemy import select, update

from cbt.db import Condition, db, transaction
from cbt.errors import SignInFailed
from cbt.people import passwords, queries
from cbt.people.models import Person, RoleGrant
from cbt.people.roles import Grant


def add_person(sign_in_name: str, name: str, password: str, language: str, now: datetime) -> int:
    """Add somebody who may sign in; return the person's id."""
    hashed = passwords.hash_password(password)
    with transaction() as session:
        person = Person(
            sign_in_name=sign_in_name.strip().lower(),
            name=name,
            password_hash=hashed,
            language=language,
            created_at=now,
        )
        session.add(person)
        session.flush()
        return person.id


def sign_in(sign_in_name: str, password: str) -> tuple[int, int]:
    """Return the person's id and sign-in epoch, or raise SignInFailed: never saying which half."""
    found = queries.find_sign_in(db.session(), sign_in_name)
    if not passwords.is_password(password, found.password_hash if found else None) or not found:
        raise SignInFailed
    return found.person_id, found.epoch


def sign_out_everywhere(person_id: int) -> None:
    with transaction() as session:
        session.execute(
            update(Person)
            .where(Person.id == person_id)
            .values(sign_in_epoch=Person.sign_in_epoch + 1)
        )


def set_mail(person_id: int, mail: str) -> None:
    """Where a person is told of the community's money; "" for nowhere."""
    with transaction() as session:
        session.execute(update(Person).where(Person.id == person_id).values(mail=mail.strip()))


def grant_role(person_id: int, grant: Grant, now: datetime) -> None:
    """Grant a role; granting what is already held changes nothing."""
    with transaction() as session:
        held = session.scalar(select(RoleGrant.id).where(*_same(person_id, grant)))
        if held is None:
            session.add(
                RoleGrant(
                    person_id=person_id,
                    role=grant.role,
                    community_id=grant.community_id,
                    household_id=grant.household_id,
                    granted_at=now,
                )
            )


def end_role(person_id: int, grant: Grant, now: datetime) -> None:
    with transaction() as session:
        session.execute(update(RoleGrant).where(*_same(person_id, grant)).values(ended_at=now))


def _same(person_id: int, grant: Grant) -> tuple[Condition, ...]:
    return (
        RoleGrant.person_id == person_id,
        RoleGrant.role == grant.role,
        RoleGrant.community_id.is_not_distinct_from(grant.community_id),
        RoleGrant.household_id.is_not_distinct_from(grant.household_id),
        RoleGrant.ended_at.is_(None),
    )
