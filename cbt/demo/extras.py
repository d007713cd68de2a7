"""What a sample file says beyond its listings: shared things, seasons, codes, days of rest, terms.

Days are told from the day of loading, so that samples look alike whenever they are loaded.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from cbt.bookings import departures, shared, terms
from cbt.bookings.shared import MOST_CAPACITY, NewThing
from cbt.bookings.terms import Deposit, Terms, Tier
from cbt.bookings.things import ThingKind
from cbt.demo.plan import MOST_PLACES, MOST_SATANG, SLUG, require_form, require_number, require_text
from cbt.experiences import services as experiences
from cbt.experiences.pricing import Discount, GroupRate, SeasonPrices, Step, Unit, require_seasons
from cbt.experiences.records import AddOnCard, NewExperience
from cbt.experiences.schedule import Rule
from cbt.i18n import Localized
from cbt.money import BP_WHOLE

Plan = dict[str, Any]
_DAYS = 730
_MINUTES = 30 * 24 * 60


@dataclass(frozen=True)
class Season:
    code: str
    title: Localized
    first_on: date
    last_on: date


@dataclass(frozen=True)
class Promo:
    discount: Discount
    first_on: date
    last_on: date
    most_uses: int


@dataclass(frozen=True)
class Rest:
    first_on: date
    last_on: date
    reason: Localized


@dataclass(frozen=True)
class Extras:
    """Everything beside the listings, read and found to be right; `listings` have it added."""

    things: tuple[NewThing, ...]
    seasons: tuple[Season, ...]
    promos: tuple[Promo, ...]
    rests: tuple[Rest, ...]
    listings: tuple[NewExperience, ...]


# --- reading -------------------------------------------------------------------------------------


def read(plan: Plan, listings: list[NewExperience], today: date) -> Extras:
    """Read a file's extras and add seasons and terms to its listings. Writes nothing.

    Raises KeyError, TypeError, ValueError or a CbtError for what could not be loaded.
    """
    things = tuple(_thing(each) for each in plan.get("things", []))
    seasons = {each["code"]: _season(each, today) for each in plan.get("seasons", [])}
    _require_all_different(each["code"] for each in plan.get("seasons", []))
    _require_all_different(thing.code for thing in things)
    _require_all_different(each["code"].upper() for each in plan.get("promos", []))
    for _code, option in options_of(plan):
        _require_needs(option, {thing.code for thing in things})
    terms_text = _terms(plan["terms"]) if "terms" in plan else ""
    return Extras(
        things=things,
        seasons=tuple(seasons.values()),
        promos=tuple(_promo(each, today) for each in plan.get("promos", [])),
        rests=tuple(_rest(each, today) for each in plan.get("rests", [])),
        listings=tuple(
            _with_seasons(listing, raw["options"], seasons, terms_text)
            for listing, raw in zip(listings, plan["experiences"], strict=True)
        ),
    )


def options_of(plan: Plan) -> Iterator[tuple[str, Plan]]:
    """Every option of a file with its name in full, `experience/option`."""
    for experience in plan["experiences"]:
        for option in experience["options"]:
            yield f"{experience['slug']}/{option['code']}", option


def satang(baht: float) -> int:
    """Baht as a sample file writes them, in satang. Raises ValueError for a part of a satang."""
    amount = Decimal(str(baht)) * 100
    if amount != int(amount) or isinstance(baht, bool):
        raise ValueError(f"{baht} is not an amount of baht and satang")
    return int(amount)


def _price(baht: float) -> int:
    amount = satang(baht)
    require_number(amount, 1, MOST_SATANG)
    return amount


def _require_all_different(values: Iterator[str]) -> None:
    known = list(values)
    if len(known) != len(set(known)):
        raise ValueError(f"two alike in {known}")


def _thing(plan: Plan) -> NewThing:
    require_form(plan["code"], SLUG)
    require_text(plan["title"])
    require_number(plan["capacity"], 0, MOST_CAPACITY)
    return NewThing(
        code=plan["code"],
        kind=ThingKind(plan["kind"]),
        title=plan["title"],
        capacity=plan["capacity"],
        per_day=_yes_or_no(plan.get("per_day", False)),
        cutoff_minutes=_number(plan, "cutoff_minutes", 0, _MINUTES) or 0,
        skills=dict(plan.get("skills", {})),
    )


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _number(plan: Plan, name: str, least: int, most: int) -> int | None:
    """A whole number where the file gives one."""
    if name not in plan:
        return None
    require_number(plan[name], least, most)
    return int(plan[name])


def _season(plan: Plan, today: date) -> Season:
    """The season that lasts or comes next; the file writes its ends as `MM-DD`."""
    require_form(plan["code"], SLUG)
    require_text(plan["title"])
    first = last = today
    for year in (today.year - 1, today.year, today.year + 1):
        first = date.fromisoformat(f"{year}-{plan['first']}")
        last = date.fromisoformat(f"{year}-{plan['last']}")
        if last < first:
            last = date.fromisoformat(f"{year + 1}-{plan['last']}")
        if last >= today:
            break
    return Season(plan["code"], plan["title"], first, last)


def _promo(plan: Plan, today: date) -> Promo:
    require_form(plan["code"], "[A-Z0-9]+")
    require_number(plan["bp"], 1, BP_WHOLE // 2)
    require_number(plan["from_day"], -_DAYS, _DAYS)
    require_number(plan["to_day"], plan["from_day"], _DAYS)
    require_number(plan["most_uses"], 1, MOST_PLACES)
    return Promo(
        Discount(plan["code"], plan["bp"], 0, plan["bearer"]),
        today + timedelta(days=plan["from_day"]),
        today + timedelta(days=plan["to_day"]),
        plan["most_uses"],
    )


def _rest(plan: Plan, today: date) -> Rest:
    require_number(plan["in_days"], 0, _DAYS)
    require_number(plan["days"], 1, 31)
    require_text(plan["reason"])
    first_on = today + timedelta(days=plan["in_days"])
    return Rest(first_on, first_on + timedelta(days=plan["days"] - 1), plan["reason"])


def _terms(plan: Plan) -> str:
    tiers = tuple(Tier(days, refund_bp) for days, refund_bp in plan["tiers"])
    for tier in tiers:
        require_number(tier.days_before, 0, _DAYS)
        require_number(tier.refund_bp, 0, BP_WHOLE)
    return terms.canonical(Terms(plan["name"], tiers))


def _with_deposit(terms_text: str, plan: list[int]) -> str:
    """The same terms, with so many basis points paid to book and the rest so many days before."""
    bp, days_before = plan
    require_number(bp, 1, BP_WHOLE - 1)
    require_number(days_before, 0, _DAYS)
    whole = terms.parse(terms_text) if terms_text else terms.DEFAULT
    return terms.canonical(replace(whole, deposit=Deposit(bp, days_before)))


# --- options -------------------------------------------------------------------------------------


def sold_by(option: Plan) -> dict[str, Any]:
    """By what an option is sold beyond a price for each guest, as fields of NewOption."""
    return {
        "group_rate": _group_rate(option["group_rate"]) if "group_rate" in option else None,
        "add_ons": tuple(_add_on(each) for each in option.get("add_ons", [])),
        "cutoff_minutes": _number(option, "cutoff_minutes", 0, _MINUTES) or 0,
        "min_to_run": _number(option, "min_to_run", 1, MOST_PLACES) or 1,
        "decide_hours": _number(option, "decide_hours", 1, _DAYS * 24),
        "request_hours": _number(option, "request_hours", 1, _DAYS * 24),
    }


def _group_rate(plan: Plan) -> GroupRate:
    require_number(plan["seats"], 1, MOST_PLACES)
    steps = tuple(Step(places, _price(price)) for places, price in plan.get("steps", []))
    return GroupRate(plan["seats"], _price(plan["price"]), steps)


def _add_on(plan: Plan) -> AddOnCard:
    require_form(plan["code"], SLUG)
    require_text(plan["title"])
    require_number(plan["most"], 1, MOST_PLACES)
    per_guest = _yes_or_no(plan["per_guest"])
    return AddOnCard(plan["code"], plan["title"], _price(plan["price"]), per_guest, plan["most"])


def _with_seasons(
    listing: NewExperience, raw: list[Plan], seasons: dict[str, Season], terms_text: str
) -> NewExperience:
    options = []
    for option, plan in zip(listing.options, raw, strict=True):
        prices = tuple(
            _season_prices(each, seasons[each["code"]]) for each in plan.get("seasons", [])
        )
        require_seasons(prices, option.price_list, option.code)
        terms_of_it = (
            _with_deposit(terms_text, plan["deposit"]) if "deposit" in plan else terms_text
        )
        options.append(replace(option, seasons=prices, terms=terms_of_it))
    return replace(listing, options=tuple(options))


def _season_prices(plan: Plan, season: Season) -> SeasonPrices:
    prices = {Unit(unit): _price(price) for unit, price in plan.get("prices", {}).items()}
    group = _price(plan["group"]) if "group" in plan else None
    return SeasonPrices(season.code, season.first_on, season.last_on, prices, group)


def _require_needs(option: Plan, things: set[str]) -> None:
    add_ons = {"", *(each["code"] for each in option.get("add_ons", []))}
    needs = needs_of(option)
    for thing, per_places, units, add_on in needs:
        require_number(per_places, 0, MOST_PLACES)
        require_number(units, 1, MOST_CAPACITY)
        if thing not in things or add_on not in add_ons:
            raise ValueError(f"{option['code']} needs what is not there: {thing} {add_on}")
    _require_all_different(f"{thing} {add_on}" for thing, _per, _units, add_on in needs)


def needs_of(option: Plan) -> list[tuple[str, int, int, str]]:
    """(thing's code, per places, units, extra or "") of an option."""
    return [
        (each["thing"], each["per_places"], each["units"], each.get("add_on", ""))
        for each in option.get("needs", [])
    ]


def rule_of(option: Plan, first_on: date) -> Rule:
    """The rule by which an option departs."""
    return Rule(
        weekdays=frozenset(option["weekdays"]),
        months=frozenset(),
        starts_at=time.fromisoformat(option["starts_at"]),
        first_on=first_on,
        last_on=None,
    )


# --- writing -------------------------------------------------------------------------------------


def prepare(community_id: int, extras: Extras, now: datetime) -> dict[str, int]:
    """Add what listings refer to, before they are published; return the things' ids by code."""
    for season in extras.seasons:
        experiences.add_season(
            community_id, season.code, season.title, season.first_on, season.last_on
        )
    for promo in extras.promos:
        experiences.add_promo_code(
            community_id, promo.discount, promo.first_on, promo.last_on, promo.most_uses
        )
    for rest in extras.rests:
        departures.add_rest_days(community_id, rest.first_on, rest.last_on, rest.reason, now)
    return {thing.code: shared.add_thing(community_id, thing) for thing in extras.things}


def schedule(
    community_id: int,
    option_id: int,
    option: Plan,
    things: dict[str, int],
    first_on: date,
    now: datetime,
) -> None:
    """Say what an option takes of things and by which rule it departs."""
    needs = [
        (things[code], per_places, units, add_on)
        for code, per_places, units, add_on in needs_of(option)
    ]
    if needs:
        departures.set_needs(community_id, option_id, needs, now)
    experiences.add_rule(community_id, option_id, rule_of(option, first_on))
