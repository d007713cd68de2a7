"""Reading listings."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import fields
from datetime import date
from typing import Any

from sqlalchemy import Label, Row, bindparam, func, select
from sqlalchemy.orm import Session

from cbt.communities.models import Community
from cbt.communities.records import CommunityCard
from cbt.db import Base, Condition, columns, table_of
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
    OptionTerms,
    PromoCard,
    RuleCard,
    SeasonCard,
    Teaser,
    Texts,
)
from cbt.experiences.schedule import from_rrule_text
from cbt.i18n import Localized

_EXPERIENCE, _COMMUNITY = table_of(Experience), table_of(Community)
_TEXTS = [_EXPERIENCE.c[each.name] for each in fields(Texts)]
_LISTING = (
    select(*_TEXTS, *(_COMMUNITY.c[each.name] for each in fields(CommunityCard)))
    .join(_COMMUNITY, _COMMUNITY.c.id == _EXPERIENCE.c.community_id)
    .where(
        _COMMUNITY.c.slug == bindparam("of_community"), _EXPERIENCE.c.slug == bindparam("wanted")
    )
)


def get_listing(session: Session, community_slug: str, slug: str) -> Listing:
    """An experience page's facts, in two statements. Raises NotFound."""
    values = {"of_community": community_slug, "wanted": slug}
    row = session.execute(_LISTING, values).one_or_none()
    if row is None:
        raise NotFound(thing="experience")
    texts, community = Texts(*row[: len(_TEXTS)]), CommunityCard(*row[len(_TEXTS) :])
    return Listing(texts, community, tuple(list_options(session, [texts.id])))


def list_options(session: Session, experience_ids: Iterable[int]) -> list[OptionCard]:
    """Options of some experiences with their price lists, in one statement."""
    return fold_options(session.execute(_OPTIONS_OF, {"wanted": list(experience_ids)}))


def get_option(session: Session, option_id: int) -> OptionCard:
    options = fold_options(session.execute(_ONE_OPTION, {"wanted": option_id}))
    if not options:
        raise NotFound(thing="option")
    return options[0]


def list_option_terms(session: Session, community_id: int) -> list[OptionTerms]:
    """The terms of everything that a community sells, in its own order."""
    rows = session.execute(
        select(Option.id, Experience.title, Option.title, Experience.refund, Option.terms)
        .join(Experience, Experience.id == Option.experience_id)
        .where(Experience.community_id == community_id)
        .order_by(Experience.position, Option.starts_at, Option.id)
    )
    return [OptionTerms(*row) for row in rows]


def _named(prefix: str, model: type[Base], names: str) -> list[Any]:
    """Some of a table's columns under names of their own, so that rows of several stay apart."""
    table = table_of(model)
    return [table.c[name].label(f"{prefix}_{name}") for name in names.split()]


_OPTION, _PRICE = table_of(Option), table_of(OptionPrice)
_SEASON, _COST = table_of(Season), table_of(OptionCost)
OPTIONS = (  # of tables, not of models: whoever looks at or books anything comes through here
    select(
        *_named("option", Option, "id code title starts_at duration_minutes nights"),
        *_named("option", Option, "min_party max_party request_hours terms add_ons"),
        *_named("option", Option, "group_seats group_satang group_steps"),
        *_named("price", OptionPrice, "line unit price_satang places min_age max_age"),
        *_named("price", OptionPrice, "season_id needs steps"),
        *_named("season", Season, "id code first_on last_on"),
        *_named("cost", OptionCost, "line code per_guest amount_satang"),
    )
    .select_from(_OPTION)
    .join(_PRICE, _PRICE.c.option_id == _OPTION.c.id)
    .outerjoin(_SEASON, _SEASON.c.id == _PRICE.c.season_id)
    .outerjoin(_COST, _COST.c.option_id == _OPTION.c.id)
    .order_by(_OPTION.c.starts_at, _OPTION.c.id, _PRICE.c.line, _COST.c.line)
)
"""Options with their prices, seasons and costs; `fold_options` makes cards of the rows."""

_ONE_OPTION = OPTIONS.where(_OPTION.c.id == bindparam("wanted"))
_OPTIONS_OF = OPTIONS.where(_OPTION.c.experience_id.in_(bindparam("wanted", expanding=True)))


def fold_options(rows: Iterable[Row[Any]]) -> list[OptionCard]:
    """Options from one row for each of their prices and outside costs, folded together."""
    options: dict[int, Row[Any]] = {}
    prices: dict[int, dict[int, UnitPrice]] = defaultdict(dict)
    seasons: dict[int, dict[int, SeasonPrices]] = defaultdict(dict)
    costs: dict[int, dict[int, CostRate]] = defaultdict(dict)
    for row in rows:
        id_ = row.option_id
        options[id_] = row
        if row.price_season_id is None:
            if row.price_line not in prices[id_]:
                prices[id_][row.price_line] = _unit_price(row)
        else:
            seasons[id_][row.season_id] = _with_price(seasons[id_].get(row.season_id), row)
        if row.cost_line is not None and row.cost_line not in costs[id_]:
            costs[id_][row.cost_line] = CostRate(
                OutsideCost(row.cost_code), row.cost_per_guest, row.cost_amount_satang
            )
    return [
        OptionCard(
            row.option_id,
            row.option_code,
            row.option_title,
            row.option_starts_at,
            row.option_duration_minutes,
            row.option_nights,
            row.option_min_party,
            row.option_max_party,
            row.option_request_hours,
            row.option_terms,
            tuple(prices[id_].values()),
            tuple(costs[id_].values()),
            _group_rate(row),
            tuple(AddOnCard(**each) for each in row.option_add_ons),
            tuple(seasons[id_].values()),
        )
        for id_, row in options.items()
    ]


def _unit_price(row: Row[Any]) -> UnitPrice:
    return UnitPrice(
        Unit(row.price_unit),
        row.price_price_satang,
        row.price_places,
        row.price_min_age,
        row.price_max_age,
        needs=tuple(Unit(unit) for unit in row.price_needs),
        steps=_steps(row.price_steps),
    )


def _steps(rows: list[list[int]]) -> tuple[Step, ...]:
    return tuple(Step(places, price) for places, price in rows)


def _group_rate(row: Row[Any]) -> GroupRate | None:
    if row.option_group_seats is None or row.option_group_satang is None:
        return None
    steps = _steps(row.option_group_steps)
    return GroupRate(row.option_group_seats, row.option_group_satang, steps)


def _with_price(known: SeasonPrices | None, row: Row[Any]) -> SeasonPrices:
    """A season's prices with one more."""
    prices = dict(known.prices) if known else {}
    group = known.group_satang if known else None
    if row.price_unit == Unit.GROUP and row.price_places == 0:
        group = row.price_price_satang
    else:
        prices[Unit(row.price_unit)] = row.price_price_satang
    return SeasonPrices(row.season_code, row.season_first_on, row.season_last_on, prices, group)


def list_titles(session: Session, community_id: int) -> dict[int, Localized]:
    """The title of every experience of a community, by id, in their order."""
    rows = session.execute(
        select(Experience.id, Experience.title)
        .where(Experience.community_id == community_id)
        .order_by(Experience.position)
    )
    return {row.id: row.title for row in rows}


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
