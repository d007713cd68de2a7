"""Reading people and their grants."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from cbt.people.models import Person, RoleGrant
from cbt.people.roles import MONEY_ROLES, Grant, Reader, Role


@dataclass(frozen=True)
class SignIn:
    """What a sign-in is checked against."""

    person_id: int
    password_hash: str
    epoch: int


@dataclass(frozen=True)
class PersonCard:
    """Somebody of a community, in whose language and where they are written to."""

    id: int
    name: str
    language: str
    mail: str


def find_sign_in(session: Session, sign_in_name: str) -> SignIn | None:
    row = session.execute(
        select(Person.id, Person.password_hash, Person.sign_in_epoch).where(
            Person.sign_in_name == sign_in_name.strip().lower()
        )
    ).one_or_none()
    return SignIn(*row) if row else None


def find_reader(session: Session, person_id: int, epoch: int) -> Reader | None:
    """The person with their grants, or None when that sign-in was ended. One statement."""
    rows = session.execute(
        select(
            Person.id,
            Person.name,
            RoleGrant.role,
            RoleGrant.community_id,
            RoleGrant.household_id,
        )
        .outerjoin(RoleGrant, (RoleGrant.person_id == Person.id) & RoleGrant.ended_at.is_(None))
        .where(Person.id == person_id, Person.sign_in_epoch == epoch)
        .order_by(RoleGrant.id)
    ).all()
    if not rows:
        return None
    grants = tuple(
        Grant(Role(row.role), row.community_id, row.household_id) for row in rows if row.role
    )
    return Reader(rows[0].id, rows[0].name, grants)


def list_names(session: Session, person_ids: Sequence[int]) -> dict[int, str]:
    rows = session.execute(select(Person.id, Person.name).where(Person.id.in_(person_ids)))
    return {row.id: row.name for row in rows}


def list_money_people(session: Session, community_id: int) -> list[PersonCard]:
    """Everybody of a community who may agree to what its money does."""
    rows = session.execute(
        select(Person.id, Person.name, Person.language, Person.mail)
        .where(
            Person.id.in_(
                select(RoleGrant.person_id).where(
                    RoleGrant.community_id == community_id,
                    RoleGrant.role.in_(MONEY_ROLES),
                    RoleGrant.ended_at.is_(None),
                )
            )
        )
        .order_by(Person.id)
    )
    return [PersonCard(*row) for row in rows]


def get_mail(session: Session, person_id: int) -> str:
    """Where a person is told of the community's money; "" for nowhere."""
    return session.scalar(select(Person.mail).where(Person.id == person_id)) or ""


def list_holders(session: Session, role: Role) -> list[tuple[int, str, int | None]]:
    """(person id, name, community id) of everybody who holds a role now."""
    rows = session.execute(
        select(Person.id, Person.name, RoleGrant.community_id)
        .join(RoleGrant, RoleGrant.person_id == Person.id)
        .where(RoleGrant.role == role, RoleGrant.ended_at.is_(None))
        .order_by(Person.name, Person.id, RoleGrant.community_id)
    )
    return [(row.id, row.name, row.community_id) for row in rows]


def list_ever_holders(session: Session, role: Role) -> list[tuple[int, str]]:
    """(person id, name) of everybody who holds or once held a role."""
    rows = session.execute(
        select(Person.id, Person.name)
        .join(RoleGrant, RoleGrant.person_id == Person.id)
        .where(RoleGrant.role == role)
        .group_by(Person.id, Person.name)
        .order_by(Person.name)
    )
    return [(row.id, row.name) for row in rows]


def list_grants_in(session: Session, community_id: int) -> list[tuple[int, Role, int | None]]:
    """(person id, role, household id) of everybody who holds a role in a community now."""
    rows = session.execute(
        select(RoleGrant.person_id, RoleGrant.role, RoleGrant.household_id)
        .where(RoleGrant.community_id == community_id, RoleGrant.ended_at.is_(None))
        .order_by(RoleGrant.id)
    )
    return [(row.person_id, Role(row.role), row.household_id) for row in rows]


def find_password_hash(session: Session, person_id: int) -> str | None:
    return session.scalar(select(Person.password_hash).where(Person.id == person_id))


def list_holders_in(session: Session, role: Role, community_id: int) -> list[tuple[int, str]]:
    """(person id, name) of everybody who holds a role in a community now."""
    return [
        (person_id, name)
        for person_id, name, where in list_holders(session, role)
        if where == community_id
    ]
