"""Reading listings."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date

from sqlalchemy import Label, func, select
from sqlalchemy.orm import Session

from cbt.communities.models import Community
from cbt.communities.records import CommunityCard
from cbt.db import Condition, columns
from cbt.errors import CodeNotValid, NotFound
from cbt.experiences.models import (
    Experience,
    Option,
    OptionCost,
    OptionPrice,
    PromoCode,
    ScheduleException,
    ScheduleRule,
    Season,
)
from cbt.experiences.pricing import (
    CostRate,
    Discount,
    GroupRate,
    OutsideCost,
    SeasonPrices,
    Step,
    Unit,
    UnitPrice,
)
from cbt.experiences.records import (
    AddOnCard,
    Listing,
    OptionCard,
    PromoCard,
    RuleCard,
    SeasonCard,
    Teaser,
    Texts,
)
from cbt.experiences.schedule import from_rrule_text

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
    seasons: dict[int, dict[int, SeasonPrices]] = defaultdict(dict)
    for option, price, season in session.execute(
        select(Option, OptionPrice, Season)
        .join(OptionPrice, OptionPrice.option_id == Option.id)
        .outerjoin(Season, Season.id == OptionPrice.season_id)
        .where(condition)
        .order_by(Option.starts_at, Option.id, OptionPrice.line)
    ):
        options[option.id] = option
        if price.season_id is None:
            prices[option.id].append(_unit_price(price))
        else:
            known = seasons[option.id].get(season.id)
            seasons[option.id][season.id] = _with_price(known, season, price)
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
            option.request_hours,
            option.terms,
            tuple(prices[option.id]),
            tuple(costs[option.id]),
            _group_rate(option),
            tuple(AddOnCard(**each) for each in option.add_ons),
            tuple(seasons[option.id].values()),
        )
        for option in options.values()
    ]


def _unit_price(row: OptionPrice) -> UnitPrice:
    return UnitPrice(
        Unit(row.unit),
        row.price_satang,
        row.places,
        row.min_age,
        row.max_age,
        needs=tuple(Unit(unit) for unit in row.needs),
        steps=_steps(row.steps),
    )


def _steps(rows: list[list[int]]) -> tuple[Step, ...]:
    return tuple(Step(places, price) for places, price in rows)


def _group_rate(option: Option) -> GroupRate | None:
    if option.group_seats is None or option.group_satang is None:
        return None
    return GroupRate(option.group_seats, option.group_satang, _steps(option.group_steps))


def _with_price(known: SeasonPrices | None, season: Season, row: OptionPrice) -> SeasonPrices:
    """A season's prices with one more."""
    prices = dict(known.prices) if known else {}
    group = known.group_satang if known else None
    if row.unit == Unit.GROUP and row.places == 0:
        group = row.price_satang
    else:
        prices[Unit(row.unit)] = row.price_satang
    return SeasonPrices(season.code, season.first_on, season.last_on, prices, group)


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
    """The lowest price of an adult, a family or a boat, as a column beside Experience."""
    return (
        select(func.coalesce(func.min(OptionPrice.price_satang), func.min(Option.group_satang)))
        .select_from(Option)
        .outerjoin(
            OptionPrice,
            (OptionPrice.option_id == Option.id)
            & OptionPrice.season_id.is_(None)
            & (OptionPrice.price_satang > 0)
            & OptionPrice.unit.in_((Unit.ADULT, Unit.GROUP, Unit.FAMILY)),
        )
        .where(Option.experience_id == Experience.id)
        .correlate(Experience)
        .scalar_subquery()
        .label("from_satang")
    )


# --- seasons, codes, rules -----------------------------------------------------------------------


def list_seasons(session: Session, community_id: int) -> list[SeasonCard]:
    rows = session.execute(
        select(*columns(Season, SeasonCard))
        .where(Season.community_id == community_id)
        .order_by(Season.first_on, Season.id)
    )
    return [SeasonCard(*row) for row in rows]


def list_promo_codes(session: Session, community_id: int) -> list[PromoCard]:
    rows = session.execute(
        select(*columns(PromoCode, PromoCard))
        .where(PromoCode.community_id == community_id)
        .order_by(PromoCode.last_on.desc(), PromoCode.id)
    )
    return [PromoCard(*row) for row in rows]


def find_discount(session: Session, community_id: int, code: str, on: date) -> Discount:
    """The discount of a code for a departure on a day. Raises CodeNotValid.

    Whether it was used too often is decided under its lock, when places are held.
    """
    promo = get_promo(session, community_id, code, on)
    return Discount(promo.code, promo.bp, promo.amount_satang, promo.bearer)


def get_promo(session: Session, community_id: int, code: str, on: date) -> PromoCard:
    row = session.execute(
        select(*columns(PromoCode, PromoCard)).where(
            PromoCode.community_id == community_id, PromoCode.code == code.strip().upper()
        )
    ).one_or_none()
    if row is None or not row.first_on <= on <= row.last_on:
        raise CodeNotValid(code=code.strip().upper())
    return PromoCard(*row)


def list_rules(session: Session, condition: Condition) -> list[RuleCard]:
    """Schedule rules that are in force, with their exceptions, in two statements."""
    rows = session.execute(
        select(ScheduleRule, Option.code, Option.title, Experience.title)
        .join(Option, Option.id == ScheduleRule.option_id)
        .join(Experience, Experience.id == Option.experience_id)
        .where(condition, ScheduleRule.ended.is_(False))
        .order_by(Experience.position, ScheduleRule.starts_at, ScheduleRule.id)
    ).all()
    exceptions: dict[int, dict[date, bool]] = defaultdict(dict)
    for each in session.scalars(
        select(ScheduleException).where(
            ScheduleException.rule_id.in_([row.ScheduleRule.id for row in rows])
        )
    ):
        exceptions[each.rule_id][each.day] = each.departs
    return [
        RuleCard(
            rule.id,
            rule.option_id,
            code,
            option_title,
            title,
            from_rrule_text(rule.recurrence, rule.starts_at, rule.first_on, rule.last_on),
            exceptions[rule.id],
        )
        for rule, code, option_title, title in rows
    ]


def list_rules_of(session: Session, community_id: int) -> list[RuleCard]:
    return list_rules(session, Experience.community_id == community_id)


def get_rule(session: Session, community_id: int, rule_id: int) -> RuleCard:
    rules = list_rules(
        session, (ScheduleRule.id == rule_id) & (Experience.community_id == community_id)
    )
    if not rules:
        raise NotFound(thing="rule")
    return rules[0]
