"""People who sign in, and the roles granted to them."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from cbt.db import Base


class Person(Base):
    """Somebody who signs in. Raising `sign_in_epoch` ends every open sign-in of theirs.

    `mail` is where the community's people are told of its money ("" for nowhere).
    """

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(primary_key=True)
    sign_in_name: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    password_hash: Mapped[str]
    language: Mapped[str]
    mail: Mapped[str] = mapped_column(default="")
    sign_in_epoch: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]


class RoleGrant(Base):
    """A role in force from the day it is granted until it is ended."""

    __tablename__ = "role_grant"
    __table_args__ = (
        CheckConstraint(
            "role IN ('coordinator', 'treasurer', 'household', 'mentor', 'admin', 'viewer')", "role"
        ),
        CheckConstraint("(role IN ('admin', 'viewer')) = (community_id IS NULL)", "community"),
        CheckConstraint("(role = 'household') = (household_id IS NOT NULL)", "household"),
        Index("ix_role_grant_person_id", "person_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    role: Mapped[str]
    community_id: Mapped[int | None] = mapped_column(ForeignKey("community.id"))
    household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id"))
    granted_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
