"""What a sample file must hold. All of it is looked at before the first row is written."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from cbt.errors import Invalid
from cbt.experiences.pricing import PriceList, Quote, quote, require_sellable
from cbt.experiences.records import NewExperience, NewOption
from cbt.i18n import LANGUAGES, SOURCE_LANGUAGE
from cbt.payments.promptpay import IdKind, Receiver, normalise
from cbt.payments.providers.demo import DemoProvider
from cbt.revenue.policy import Policy, Task, canonical, parse
from cbt.revenue.split import Cost, split
from cbt.revenue.templates import TEMPLATES
from cbt.revenue.work import MOST_MINUTES, MOST_ROWS

PICTURES = Path(__file__).parent.parent / "static" / "pictures"
MOST_ADULTS = 4
MOST_CHILDREN = 2
MOST_PLACES = 500
MOST_SATANG = 100_000_00  # for one guest
_MOST_MEMBERS = 100
_MOST_NIGHTS = 30
SLUG = r"[a-z0-9]+(-[a-z0-9]+)*"
_HOUSEHOLD = r"[A-Z]{1,4}[0-9]{1,4}"


def require_whole(plan: dict[str, Any], listings: list[NewExperience], policy: Policy) -> None:
    """Raise ValueError, TypeError, KeyError, OSError or Invalid for whatever could not be loaded.

    `listings` and `policy` are what the file's experiences and policy were read as.
    """
    _require_no_nul(plan)
    require_form(plan["slug"], SLUG)
    require_form(plan["province_code"], "[0-9]{2}")
    _require_picture(plan["picture"])
    ZoneInfo(plan["zone"])
    for text in (*plan["text"].values(), plan["policy"]["meeting"]):
        require_text(text)
    parse(canonical(policy))
    require_number(plan["policy"]["present"], 1, len(plan["households"]))
    require_number(plan["policy"]["voted_for"], 1, plan["policy"]["present"])
    if "proposal" in plan["policy"]:
        parse(canonical(TEMPLATES[plan["policy"]["proposal"]]))
    _require_payment(plan["payment"])
    _require_households(plan["households"])
    _require_different(each.slug for each in listings)
    for listing, raw in zip(listings, plan["experiences"], strict=True):
        _require_listing(listing, raw)
        for option, raw_option in zip(listing.options, raw["options"], strict=True):
            _require_option(option)
            _require_offer(raw_option, option, policy)
    _require_workers(plan)


def parties(least: int, price_list: PriceList) -> Iterator[tuple[dict[str, int], Quote]]:
    """Every party that sample guests may come as and that can book, with its price."""
    for adults in range(least, max(MOST_ADULTS, least) + 1):
        for children in range(MOST_CHILDREN + 1):
            party = {"ADULT": adults, "CHILD": children}
            try:
                yield party, quote(party, price_list)
            except Invalid:
                continue


# --- the community -------------------------------------------------------------------------------


def _require_payment(plan: dict[str, Any]) -> None:
    receiver = plan["promptpay"]
    if set(receiver) != {"kind", "id"}:
        raise ValueError("a PromptPay receiver is a kind and an id")
    normalise(Receiver(IdKind(receiver["kind"]), receiver["id"]))
    require_text(plan["receiver_name"])


def _require_households(plan: list[dict[str, Any]]) -> None:
    _require_different(household["code"] for household in plan)
    for household in plan:
        require_form(household["code"], _HOUSEHOLD)
        require_text(household["name"])
        require_number(household["members"], 0, _MOST_MEMBERS)
        for task in _listed(household["tasks"]):
            Task(task)


def _require_workers(plan: dict[str, Any]) -> None:
    able = {task for household in plan["households"] for task in household["tasks"]}
    needed = {
        work["task"]
        for experience in plan["experiences"]
        for option in experience["options"]
        for work in option["work"]
    }
    if not needed <= able:
        raise ValueError(f"no household does {sorted(needed - able)}")


# --- what it offers ------------------------------------------------------------------------------


def _require_listing(listing: NewExperience, plan: dict[str, Any]) -> None:
    require_form(listing.slug, SLUG)
    _require_picture(listing.picture)
    _require_different(option.code for option in listing.options)
    for text in plan["text"].values():
        require_text(text)


def _require_option(option: NewOption) -> None:
    require_form(option.code, SLUG)
    require_text(option.title)
    require_number(option.nights, 0, _MOST_NIGHTS)
    require_number(option.duration_minutes, 1, (_MOST_NIGHTS + 1) * 24 * 60)
    require_number(option.capacity, 1, MOST_PLACES)
    require_number(option.max_party, 1, MOST_PLACES)
    require_number(option.min_party, 1, option.max_party)
    if option.starts_at.tzinfo is not None:
        raise ValueError("a village's hour has no zone")
    for price in option.prices:
        require_number(price.price_satang, 0, MOST_SATANG)
        require_number(price.places, 0, MOST_PLACES)
        require_number(price.min_age, 0, 150)
        if price.max_age is not None:
            require_number(price.max_age, price.min_age, 150)
    for cost in option.costs:
        require_number(cost.amount_satang, 1, MOST_SATANG)
        if not isinstance(cost.per_guest, bool):
            raise TypeError(f"{cost.code} is per guest or not")
    require_sellable(option.price_list, option.code, capacity=option.capacity)


def _require_offer(plan: dict[str, Any], option: NewOption, policy: Policy) -> None:
    """The days, the work, and that every sample party leaves something to share out."""
    _require_different(plan["weekdays"])
    for weekday in plan["weekdays"]:
        require_number(weekday, 0, 6)
    rows = 0
    for work in _listed(plan["work"]):
        require_number(work["per_guests"], 0, MOST_PLACES)
        require_number(work["minutes"], 0, MOST_MINUTES)
        rows += -(-option.capacity // work["per_guests"]) if work["per_guests"] else 1
    if rows > MOST_ROWS:
        raise ValueError(f"{option.code} needs more than {MOST_ROWS} rows of work")
    if not any(Task(work["task"]) in policy.rates for work in plan["work"]):
        raise ValueError(f"the policy has no rate for any work of {option.code}")
    provider = DemoProvider()
    for _party, price in parties(option.min_party, option.price_list):
        costs = [Cost(cost.code, cost.amount_satang) for cost in price.costs]
        fee = provider.estimate_fee(price.price_satang)
        split(price.price_satang, costs, fee, policy)


# --- forms of things -----------------------------------------------------------------------------


def require_form(value: str, form: str) -> None:
    if len(value) > 60 or not re.fullmatch(form, value):
        raise ValueError(f"{value!r} is not written like {form}")


def require_number(value: Any, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:  # True is no number here
        raise ValueError(f"{value!r} is not a whole number from {least} to {most}")


def _require_picture(name: str) -> None:
    require_form(name, rf"{SLUG}\.svg")
    if not (PICTURES / name).is_file():
        raise ValueError(f"there is no picture {name}")


def require_text(text: dict[str, str]) -> None:
    """Every text stands at least in Thai, the source language."""
    if not text.get(SOURCE_LANGUAGE) or not text.keys() <= LANGUAGES.keys():
        raise ValueError(f"no Thai, or an unknown language, in {text}")
    if not all(isinstance(each, str) and each.strip() for each in text.values()):
        raise ValueError(f"an empty text in {text}")


def _require_different(values: Iterable[Any]) -> None:
    """At least one, and no two alike."""
    known = _listed(list(values))
    if not known or len(known) != len(set(known)):
        raise ValueError(f"none, or two alike, in {known}")


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is not a list")
    return value


def _require_no_nul(value: Any) -> None:
    """PostgreSQL's text cannot hold it."""
    if isinstance(value, dict):
        _require_no_nul(list(value.values()))
    elif isinstance(value, list):
        for each in value:
            _require_no_nul(each)
    elif isinstance(value, str) and "\0" in value:
        raise ValueError("a NUL in a text")
