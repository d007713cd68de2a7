"""Reading listings."""

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import Label, func, select
from sqlalchemy.orm import Session

from cbt.communities.models import Community
from cbt.communities.records import CommunityCard
from cbt.db import Condition, columns
from cbt.errors import NotFound
from cbt.experiences.models import Experience, Option, OptionCost, OptionPrice
from cbt.experiences.pricing import CostRate, OutsideCost, Unit, UnitPrice
from cbt.experiences.records import Listing, OptionCard, Teaser, Texts

_TEXTS = columns(Experience, Texts)


def get_listing(session: Session, community_slug: str, slug: str) -> Listing:
    """An experience page's facts, in three statements. Raises NotFound."""
    row = session.execute(
        select(*_TEXTS, *columns(Community, CommunityCard))
        .join(Community, Community.id == Experience.community_id)
        .where(Community.slug == community_slug, Experience.slug == slug)
    ).one_or_none()
    if row is None:
        raise NotFound(thing="experience")
    texts, community = Texts(*row[: len(_TEXTS)]), CommunityCard(*row[len(_TEXTS) :])
    return Listing(texts, community, tuple(list_options(session, [texts.id])))


def list_options(session: Session, experience_ids: Iterable[int]) -> list[OptionCard]:
    """Options of some experiences with their price lists, in two statements."""
    return _options(session, Option.experience_id.in_(list(experience_ids)))


def get_option(session: Session, option_id: int) -> OptionCard:
    options = _options(session, Option.id == option_id)
    if not options:
        raise NotFound(thing="option")
    return options[0]


def _options(session: Session, condition: Condition) -> list[OptionCard]:
    options: dict[int, Option] = {}
    prices: dict[int, list[UnitPrice]] = defaultdict(list)
    for option, price in session.execute(
        select(Option, OptionPrice)
        .join(OptionPrice, OptionPrice.option_id == Option.id)
        .where(condition)
        .order_by(Option.starts_at, Option.id, OptionPrice.line)
    ):
        options[option.id] = option
        prices[option.id].append(
            UnitPrice(
                Unit(price.unit), price.price_satang, price.places, price.min_age, price.max_age
            )
        )
    costs = _costs(session, options)
    return [
        OptionCard(
            option.id,
            option.code,
            option.title,
            option.starts_at,
            option.duration_minutes,
            option.nights,
            option.min_party,
            option.max_party,
            tuple(prices[option.id]),
            tuple(costs[option.id]),
        )
        for option in options.values()
    ]


def _costs(session: Session, option_ids: Iterable[int]) -> dict[int, list[CostRate]]:
    costs: dict[int, list[CostRate]] = defaultdict(list)
    for cost in session.scalars(
        select(OptionCost)
        .where(OptionCost.option_id.in_(list(option_ids)))
        .order_by(OptionCost.option_id, OptionCost.line)
    ):
        costs[cost.option_id].append(
            CostRate(OutsideCost(cost.code), cost.per_guest, cost.amount_satang)
        )
    return costs


def list_teasers(session: Session, community_id: int) -> list[Teaser]:
    """A community's experiences, in its own order."""
    rows = session.execute(
        select(
            Experience.slug,
            Experience.picture,
            Experience.picture_text,
            Experience.title,
            Experience.summary,
            lowest_price(),
        )
        .where(Experience.community_id == community_id)
        .order_by(Experience.position)
    )
    return [Teaser(*row) for row in rows]


def lowest_price() -> Label[int]:
    """The lowest price of an adult, as a column beside Experience."""
    return (
        select(func.min(OptionPrice.price_satang))
        .join(Option, Option.id == OptionPrice.option_id)
        .where(Option.experience_id == Experience.id, OptionPrice.unit == Unit.ADULT)
        .correlate(Experience)
        .scalar_subquery()
        .label("from_satang")
    )
