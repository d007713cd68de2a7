"""Publishing listings, their seasons, codes and rules of days."""

from dataclasses import asdict
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.communities import chart
from cbt.communities.services import lock_community
from cbt.db import transaction
from cbt.errors import NameTaken, NotFound, PriceListInvalid
from cbt.experiences.models import (
    Experience,
    Option,
    OptionCost,
    OptionPrice,
    PromoCode,
    ScheduleRule,
    Season,
)
from cbt.experiences.pricing import (
    CostRate,
    Discount,
    SeasonPrices,
    Step,
    Unit,
    require_seasons,
    require_sellable,
)
from cbt.experiences.records import NewExperience, NewOption
from cbt.experiences.schedule import Rule, to_rrule_text
from cbt.i18n import Localized
from cbt.ledger import services as ledger
from cbt.ledger.models import CREDIT
from cbt.ledger.queries import balances


def publish_experience(community_id: int, new: NewExperience) -> list[int]:
    """Publish a listing with its options; return the options' ids in the given order.

    Raises PriceListInvalid, and then writes nothing.
    """
    for option in new.options:
        require_sellable(option.price_list, option.code, capacity=option.capacity)
        require_seasons(option.seasons, option.price_list, option.code)
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
        cutoff_minutes=new.cutoff_minutes,
        min_to_run=new.min_to_run,
        decide_hours=new.decide_hours,
        request_hours=new.request_hours,
        group_seats=new.group_rate.seats if new.group_rate else None,
        group_satang=new.group_rate.price_satang if new.group_rate else None,
        group_steps=_steps(new.group_rate.steps) if new.group_rate else [],
        add_ons=[asdict(each) for each in new.add_ons],
        terms=new.terms,
    )
    session.add(option)
    session.flush()
    for line, price in enumerate(new.prices, start=1):
        session.add(
            OptionPrice(
                option_id=option.id,
                line=line,
                season_id=None,
                unit=price.unit,
                price_satang=price.price_satang,
                places=price.places,
                min_age=price.min_age,
                max_age=price.max_age,
                needs=list(price.needs),
                steps=_steps(price.steps),
            )
        )
    _add_season_prices(session, option, new)
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


def _steps(steps: tuple[Step, ...]) -> list[list[int]]:
    return [[step.from_places, step.price_satang] for step in steps]


def _add_season_prices(session: Session, option: Option, new: NewOption) -> None:
    """Write what the option costs in each season, after its usual prices."""
    community_id = session.scalar(
        select(Experience.community_id).where(Experience.id == option.experience_id)
    )
    rows = [
        (season, Unit(unit), price)
        for season in new.seasons
        for unit, price in season.prices.items()
    ]
    rows += [
        (season, Unit.GROUP, season.group_satang)
        for season in new.seasons
        if season.group_satang is not None
    ]
    usual = {price.unit: price for price in new.prices}
    for line, (season, unit, price) in enumerate(rows, start=1 + len(new.prices)):
        like = usual.get(unit)
        session.add(
            OptionPrice(
                option_id=option.id,
                line=line,
                season_id=_season_id(session, community_id, season),
                unit=unit,
                price_satang=price,
                places=like.places if like else 0,
                min_age=like.min_age if like else 0,
                max_age=like.max_age if like else None,
                needs=[],
                steps=[],
            )
        )


def _season_id(session: Session, community_id: int | None, season: SeasonPrices) -> int:
    found = session.scalar(
        select(Season.id).where(Season.community_id == community_id, Season.code == season.code)
    )
    if found is None:
        raise PriceListInvalid(option=season.code, problem="no such season")
    return found


def add_season(
    community_id: int, code: str, title: Localized, first_on: date, last_on: date
) -> int:
    """Name days that may have prices of their own; return the season's id.

    Raises PriceListInvalid, or NameTaken.
    """
    if last_on < first_on:
        raise PriceListInvalid(option=code, problem="a season ends before it begins")
    with transaction() as session:
        lock_community(session, community_id)
        _require_new(session, Season, community_id, code)
        season = Season(
            community_id=community_id, code=code, title=title, first_on=first_on, last_on=last_on
        )
        session.add(season)
        session.flush()
        return season.id


def add_promo_code(
    community_id: int, discount: Discount, first_on: date, last_on: date, most_uses: int
) -> int:
    """Offer a discount whose bearer is named, for departures on some days; return its id.

    Raises NameTaken.
    """
    code = discount.code.strip().upper()
    with transaction() as session:
        lock_community(session, community_id)
        _require_new(session, PromoCode, community_id, code)
        promo = PromoCode(
            community_id=community_id,
            code=code,
            bp=discount.bp,
            amount_satang=discount.amount_satang,
            bearer=discount.bearer,
            first_on=first_on,
            last_on=last_on,
            most_uses=most_uses,
        )
        session.add(promo)
        session.flush()
        return promo.id


def _require_new(
    session: Session, table: type[Season] | type[PromoCode], community_id: int, code: str
) -> None:
    """Needs the community's lock, so that two who ask at once are not both told that it is free."""
    known = select(table.id).where(table.community_id == community_id, table.code == code)
    if session.scalar(known) is not None:
        raise NameTaken(code=code)


def add_rule(community_id: int, option_id: int, rule: Rule) -> int:
    """Let an option depart by a rule; its departures are opened apart. Raises ScheduleInvalid."""
    recurrence = to_rrule_text(rule)
    with transaction() as session:
        owner = session.scalar(
            select(Experience.community_id)
            .join(Option, Option.experience_id == Experience.id)
            .where(Option.id == option_id)
        )
        if owner != community_id:
            raise NotFound(thing="option")
        row = ScheduleRule(
            option_id=option_id,
            recurrence=recurrence,
            starts_at=rule.starts_at,
            first_on=rule.first_on,
            last_on=rule.last_on,
        )
        session.add(row)
        session.flush()
        return row.id


def _open_outside_account(session: Session, book_id: int, cost: CostRate) -> None:
    code = chart.outside(cost.code)
    if code not in balances(session, book_id):
        ledger.open_account(session, book_id, code, CREDIT)
