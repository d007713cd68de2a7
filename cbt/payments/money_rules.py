"""From which amounts on a community asks for two people. Without a row of its own, the defaults hold."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from cbt.communities.services import lock_community
from cbt.db import columns, transaction
from cbt.errors import AmountInvalid
from cbt.payments.models import MoneyRule

RAISED_AFTER = timedelta(hours=24)
"""How long a raised amount waits, so that nobody raises it, acts alone and lowers it again unseen."""


@dataclass(frozen=True)
class MoneyRules:
    """Satang, each from this amount on.

    Two people look at a transfer or another act with money from `two_people_from_satang` on; money
    that goes back waits for somebody's approval from `approve_from_satang` on.
    """

    two_people_from_satang: int = 500_000
    approve_from_satang: int = 200_000


def get_money_rules(session: Session, community_id: int, now: datetime) -> MoneyRules:
    """The amounts that count now: a lowered one at once, a raised one after RAISED_AFTER."""
    history = [(None, MoneyRules()), *_list(session, community_id)]
    settled = [rules for at, rules in history if at is None or at <= now - RAISED_AFTER]
    recent = [rules for at, rules in history if at is not None and at > now - RAISED_AFTER]
    counting = [settled[-1], *recent]
    return MoneyRules(
        min(rules.two_people_from_satang for rules in counting),
        min(rules.approve_from_satang for rules in counting),
    )


def get_wanted_rules(session: Session, community_id: int) -> MoneyRules:
    """What was set last, whether it counts already or not."""
    history = _list(session, community_id)
    return history[-1][1] if history else MoneyRules()


def _list(session: Session, community_id: int) -> list[tuple[datetime, MoneyRules]]:
    rows = session.execute(
        select(MoneyRule.set_at, *columns(MoneyRule, MoneyRules))
        .where(MoneyRule.community_id == community_id)
        .order_by(MoneyRule.id)
    )
    return [(row[0], MoneyRules(*row[1:])) for row in rows]


def set_money_rules(community_id: int, rules: MoneyRules, person_id: int, now: datetime) -> None:
    """Set a community's own amounts; every change is kept. Raises AmountInvalid unless above zero."""
    least = min(rules.two_people_from_satang, rules.approve_from_satang)
    if least <= 0:
        raise AmountInvalid(amount=least)
    with transaction() as session:
        lock_community(session, community_id)
        session.execute(
            insert(MoneyRule),
            {
                "community_id": community_id,
                "two_people_from_satang": rules.two_people_from_satang,
                "approve_from_satang": rules.approve_from_satang,
                "set_by": person_id,
                "set_at": now,
            },
        )
