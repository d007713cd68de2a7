"""Publishing listings."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.communities import chart
from cbt.communities.services import lock_community
from cbt.db import transaction
from cbt.experiences.models import Experience, Option, OptionCost, OptionPrice
from cbt.experiences.pricing import CostRate, require_sellable
from cbt.experiences.records import NewExperience, NewOption
from cbt.ledger import services as ledger
from cbt.ledger.models import CREDIT
from cbt.ledger.queries import balances


def publish_experience(community_id: int, new: NewExperience) -> list[int]:
    """Publish a listing with its options; return the options' ids in the given order.

    Raises PriceListInvalid, and then writes nothing.
    """
    for option in new.options:
        require_sellable(option.price_list, option.code, capacity=option.capacity)
    texts = {name: getattr(new, name) for name in NewExperience.__dataclass_fields__}
    del texts["options"]
    with transaction() as session:
        book_id = lock_community(session, community_id)
        position = session.scalar(
            select(func.count()).where(Experience.community_id == community_id)
        )
        experience = Experience(community_id=community_id, position=position, **texts)
        session.add(experience)
        session.flush()
        return [_add_option(session, book_id, experience.id, option) for option in new.options]


def _add_option(session: Session, book_id: int, experience_id: int, new: NewOption) -> int:
    option = Option(
        experience_id=experience_id,
        code=new.code,
        title=new.title,
        starts_at=new.starts_at,
        duration_minutes=new.duration_minutes,
        nights=new.nights,
        min_party=new.min_party,
        max_party=new.max_party,
        capacity=new.capacity,
    )
    session.add(option)
    session.flush()
    for line, price in enumerate(new.prices, start=1):
        session.add(
            OptionPrice(
                option_id=option.id,
                line=line,
                unit=price.unit,
                price_satang=price.price_satang,
                places=price.places,
                min_age=price.min_age,
                max_age=price.max_age,
            )
        )
    for line, cost in enumerate(new.costs, start=1):
        _open_outside_account(session, book_id, cost)
        session.add(
            OptionCost(
                option_id=option.id,
                line=line,
                code=cost.code,
                per_guest=cost.per_guest,
                amount_satang=cost.amount_satang,
            )
        )
    session.flush()
    return option.id


def _open_outside_account(session: Session, book_id: int, cost: CostRate) -> None:
    code = chart.outside(cost.code)
    if code not in balances(session, book_id):
        ledger.open_account(session, book_id, code, CREDIT)
