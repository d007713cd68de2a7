"""Roles, and what a person's grants allow. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    COORDINATOR = "coordinator"
    TREASURER = "treasurer"
    HOUSEHOLD = "household"
    MENTOR = "mentor"
    ADMIN = "admin"
    VIEWER = "viewer"


EVERYWHERE = (Role.ADMIN, Role.VIEWER)
"""Roles that belong to no community: the platform's caretaker, and agencies that read its totals."""

MONEY_ROLES = (Role.COORDINATOR, Role.TREASURER)
"""Who of a community sees its money, and can be the second of two people."""


@dataclass(frozen=True)
class Grant:
    """A role in one community; a household member's names the household, those EVERYWHERE neither."""

    role: Role
    community_id: int | None
    household_id: int | None = None


@dataclass(frozen=True)
class Reader:
    """Who is reading: a signed-in person with every grant they hold."""

    person_id: int
    name: str
    grants: tuple[Grant, ...]

    def has(self, role: Role) -> bool:
        return any(grant.role == role for grant in self.grants)


def is_allowed(reader: Reader, roles: Iterable[Role], community_id: int | None) -> bool:
    """Whether one of `roles` is held where it counts: in that community, or anywhere for those of no community."""
    return any(
        grant.role in roles and (grant.role in EVERYWHERE or grant.community_id == community_id)
        for grant in reader.grants
    )


def is_of_household(reader: Reader, household_id: int) -> bool:
    return any(
        grant.role == Role.HOUSEHOLD and grant.household_id == household_id
        for grant in reader.grants
    )
