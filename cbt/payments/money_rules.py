"""From which amounts on a community asks for two people. Without a row of its own, the defaults hold."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cbt.communities.services import lock_community
from cbt.db import columns, transaction
from cbt.errors import AmountInvalid
from cbt.payments.models import MoneyRule


@dataclass(frozen=True)
class MoneyRules:
    """Satang, each from this amount on.

    Two people look at a transfer or another act with money from `two_people_from_satang` on; money
    that goes back waits for somebody's approval from `approve_from_satang` on.
    """

    two_people_from_satang: int = 500_000
    approve_from_satang: int = 200_000


def get_money_rules(session: Session, community_id: int) -> MoneyRules:
    row = session.execute(
        select(*columns(MoneyRule, MoneyRules)).where(MoneyRule.community_id == community_id)
    ).one_or_none()
    return MoneyRules(*row) if row else MoneyRules()


def set_money_rules(community_id: int, rules: MoneyRules, person_id: int, now: datetime) -> None:
    """Set a community's own amounts. Raises AmountInvalid unless both are above zero."""
    least = min(rules.two_people_from_satang, rules.approve_from_satang)
    if least <= 0:
        raise AmountInvalid(amount=least)
    with transaction() as session:
        lock_community(session, community_id)
        session.merge(
            MoneyRule(
                community_id=community_id,
                two_people_from_satang=rules.two_people_from_satang,
                approve_from_satang=rules.approve_from_satang,
                set_by=person_id,
                set_at=now,
            )
        )
