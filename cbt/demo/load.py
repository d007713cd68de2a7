"""Loading sample communities: the same use cases as for real ones, with invented dates.

Deterministic: the same files and the same day give the same communities, bookings and books. Every
community gets departures from the month before on, rules that keep more of them ready, and bookings
that were held, paid, delivered, worked and settled; those of the last days are left for the host.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import select

from cbt.bookings import departures, hold
from cbt.bookings.hold import Details, HoldRequest
from cbt.bookings.queries import get_departure, list_departures
from cbt.bookings.records import DepartureCard
from cbt.bookings.states import DepartureState
from cbt.clock import month_before, to_instant, village_day
from cbt.communities import services as communities
from cbt.communities.models import Community
from cbt.communities.queries import get_community_by_id
from cbt.communities.records import Founding
from cbt.db import db
from cbt.demo import assessing, extras, months, owning, paying, scenes
from cbt.demo.extras import Extras, options_of, satang
from cbt.demo.plan import MOST_ADULTS, parties, require_whole
from cbt.demo.scenes import Deed
from cbt.errors import (
    CbtError,
    DemoFileInvalid,
    DepartureCalledOff,
    DepartureFull,
    DepartureGone,
    SlotFull,
)
from cbt.experiences import schedule
from cbt.experiences import services as experiences
from cbt.experiences.pricing import CostRate, OutsideCost, Quote, Unit, UnitPrice
from cbt.experiences.records import NewExperience, NewOption
from cbt.payments.accounts import open_payment_account
from cbt.payments.pay import report_transfer, start_attempt
from cbt.payments.provider import Providers
from cbt.payments.providers.demo import Act, act
from cbt.payments.queries import get_attempt_of
from cbt.payments.take_in import take_in
from cbt.people.models import Person
from cbt.people.roles import Grant, Role
from cbt.people.services import add_person, grant_role
from cbt.revenue import proposals, work
from cbt.revenue import services as revenue
from cbt.revenue.adoption import UsesNature
from cbt.revenue.policy import DEFAULT, Bucket, Policy, Task, canonical
from cbt.revenue.records import NewWork, Resolution
from cbt.revenue.signing import PlatformKey
from cbt.revenue.templates import TEMPLATES

FOLDER = Path(__file__).parent / "communities"
KIND = "cbt-demo-community/1"
PASSWORD = "mangrove-2569"  # noqa: S105  (sample data, shown to whoever starts it)
DAYS_AHEAD = 90
_LEFT_UNSETTLED = timedelta(days=2)
_BEFORE_THE_MEETING = timedelta(days=3)
_MENTORED = ("buna-dara", "ban-thep-fai")
_ASSESSED = "buna-dara"
_EXPLAINED = "ที่ประชุมรับทราบแล้ว (ตัวอย่าง)"
_UNREADABLE = (
    *(ArithmeticError, AttributeError, IndexError, KeyError),
    *(OSError, TypeError, ValueError),
)
_NEEDS: tuple[dict[str, str], ...] = (
    {"th": "แพ้กุ้ง", "en": "Allergic to shrimp"},
    {"th": "ไม่กินเนื้อวัว", "en": "No beef"},
    {"th": "", "en": ""},
    {"th": "", "en": ""},
)


@dataclass(frozen=True)
class Loaded:
    """What later steps need of a community that was just loaded."""

    id: int
    slug: str
    zone: str
    policy_id: int
    host_id: int
    treasurer_id: int
    options: dict[int, dict[str, Any]]
    households: list[dict[str, Any]]
    scenes: dict[str, int]
    promo_code: str


def load_all(providers: Providers, now: datetime, key: PlatformKey | None = None) -> bool:
    """Load every sample community and the mentor and caretaker, unless people exist already.

    Their guests pay with pretended money, so nothing is loaded where that is switched off. With the
    platform's `key` their past months are closed and signed.
    """
    if "demo" not in providers or db.session.scalar(select(Person.id).limit(1)) is not None:
        return False
    mentor = add_person("mentor", "พี่เลี้ยงตัวอย่าง / Sample mentor", PASSWORD, "th", now)
    admin = add_person("admin", "ผู้ดูแลตัวอย่าง / Sample caretaker", PASSWORD, "th", now)
    grant_role(admin, Grant(Role.ADMIN, None), now)
    viewer = add_person("agency", "หน่วยงานตัวอย่าง / Sample agency", PASSWORD, "th", now)
    grant_role(viewer, Grant(Role.VIEWER, None), now)
    for file in sorted(FOLDER.glob("*.toml")):
        slug = load_file(file, providers, now, key)
        if slug in _MENTORED:
            community_id = db.session.scalars(
                select(Community.id).where(Community.slug == slug)
            ).one()
            grant_role(mentor, Grant(Role.MENTOR, community_id), now)
            if slug == _ASSESSED:
                _assess(community_id, mentor, now)
            if key is not None:
                months.co_sign_all_but_last(community_id, mentor, PASSWORD, key, now)
    return True


def _assess(community_id: int, mentor_id: int, now: datetime) -> None:
    card = get_community_by_id(db.session(), community_id)
    host_id = db.session.scalars(
        select(Person.id).where(Person.sign_in_name == f"host.{card.slug}")
    ).one()
    at = now - timedelta(days=3)
    assessing.leave_assessments(community_id, card.zone, host_id, mentor_id, at)


def list_sign_ins() -> list[tuple[str, str]]:
    """(sign-in name, what it shows) of the sample people, for the terminal."""
    return [
        ("host.buna-dara", "coordinator of Buna Dara: today, transfers, work, settle"),
        ("treasurer.buna-dara", "treasurer of Buna Dara"),
        ("h03.buna-dara", "a household of Buna Dara: its statement"),
        ("mentor", "DASTA mentor of Buna Dara and Ban Thep Fai: audit"),
        ("agency", "an agency: totals over communities"),
        ("admin", "caretaker of the platform"),
    ]


def load_file(
    file: Path, providers: Providers, now: datetime, key: PlatformKey | None = None
) -> str:
    """Load one community; return its slug. Raises DemoFileInvalid, and then writes nothing."""
    if "demo" not in providers:
        raise DemoFileInvalid(file=file.name, problem="pretended payments are switched off here")
    plan, read = _read(file, now)
    loaded = _found(plan, read, providers, now)
    _play(loaded, providers, now, key)
    _leave_money_matters(loaded, now - timedelta(hours=2))
    if "proposal" in plan["policy"]:
        _propose(loaded, plan["policy"]["proposal"], now - _BEFORE_THE_MEETING)
    return loaded.slug


def _leave_money_matters(loaded: Loaded, at: datetime) -> None:
    """What the treasurer and a household began, and nobody has decided yet."""
    codes = [each["code"] for each in loaded.households]
    staff = (loaded.treasurer_id, loaded.host_id)
    paying.name_payees(loaded.id, codes, staff, at)
    paying.leave_a_batch(loaded.id, loaded.treasurer_id, at)
    paying.leave_a_request(loaded.id, loaded.slug, codes[0], loaded.treasurer_id, at)


def _propose(loaded: Loaded, template: str, at: datetime) -> None:
    """Let the coordinator put another policy before the members; nobody has decided yet."""
    policy = TEMPLATES[template]
    draft_id = proposals.begin_draft(loaded.id, policy, loaded.host_id, at)
    proposals.change_draft(loaded.id, draft_id, policy, UsesNature.YES, "")
    proposals.propose(loaded.id, draft_id, loaded.host_id, at)


def _read(file: Path, now: datetime) -> tuple[dict[str, Any], Extras]:
    try:
        plan = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        raise DemoFileInvalid(file=file.name, problem="not TOML") from None
    if plan.get("kind") != KIND:
        raise DemoFileInvalid(file=file.name, problem=f"kind is not {KIND}")
    try:
        _founding(plan)
        listings = _new_experiences(plan)
        require_whole(plan, listings, _policy(plan["policy"]))
        revenue.require_adopted(_resolution(plan, date.min))
        read = extras.read(plan, listings, village_day(now, plan["zone"]))
        scenes.require_known(plan)
    except (*_UNREADABLE, CbtError) as error:
        raise DemoFileInvalid(file=file.name, problem=repr(error)) from None
    if _is_taken(plan["slug"]):
        raise DemoFileInvalid(file=file.name, problem="this community is loaded already")
    return plan, read


def _is_taken(slug: str) -> bool:
    """Whether the community, or somebody with a sign-in name of its people, is there already."""
    community = select(Community.id).where(Community.slug == slug)
    person = select(Person.id).where(Person.sign_in_name.endswith(f".{slug}", autoescape=True))
    return any(db.session.scalar(query.limit(1)) is not None for query in (community, person))


# --- founding ------------------------------------------------------------------------------------


def _found(plan: dict[str, Any], read: Extras, providers: Providers, now: datetime) -> Loaded:
    """Found the community as if it had been done before the month before this one."""
    first_day = month_before(now.date())
    founded_on = first_day - timedelta(days=40)
    founded_at = datetime.combine(founded_on, time(3), UTC)
    community_id = communities.found_community(_founding(plan))
    slug, register = plan["slug"], plan["households"]
    staff = _add_people(community_id, plan, founded_at, founded_on)
    policy_id = revenue.adopt_policy(
        community_id,
        canonical(_policy(plan["policy"])),
        _resolution(plan, founded_on),
        founded_at,
    )
    payment = plan["payment"]
    receivers = {"demo": {}, "promptpay": payment["promptpay"]}
    if "cash" in payment:
        receivers["cash"] = payment["cash"]
    for name, receiver in receivers.items():
        open_payment_account(community_id, providers[name], receiver, payment["receiver_name"])
    options = _publish(community_id, plan, read, first_day, now)
    owning.take_turns(community_id, register, staff[0], founded_on, founded_at)
    owning.own_together(community_id, register, staff, founded_on, founded_at)
    by_code = dict(zip(dict(options_of(plan)), options, strict=True))
    return Loaded(
        community_id,
        slug,
        plan["zone"],
        policy_id,
        *staff,
        options,
        register,
        scenes={name: by_code[code] for name, code in plan.get("scenes", {}).items()},
        promo_code=next((each["code"] for each in plan.get("promos", [])), ""),
    )


def _publish(
    community_id: int, plan: dict[str, Any], read: Extras, first_day: date, now: datetime
) -> dict[int, dict[str, Any]]:
    """Publish the listings and open their departures; what the file says of each, by option."""
    yesterday = village_day(now, plan["zone"]) - timedelta(days=1)
    things = extras.prepare(community_id, read, now)
    options: dict[int, dict[str, Any]] = {}
    for new, raw in zip(read.listings, plan["experiences"], strict=True):
        ids = experiences.publish_experience(community_id, new)
        for option_id, option in zip(ids, raw["options"], strict=True):
            options[option_id] = option
            extras.schedule(community_id, option_id, option, things, first_day, now)
            gone = schedule.days(extras.rule_of(option, first_day), first_day, yesterday, [], {})
            departures.open_departures(option_id, gone)
    departures.keep_ready(now, community_id, timedelta(days=DAYS_AHEAD))
    return options


def _add_people(community_id: int, plan: dict[str, Any], at: datetime, on: date) -> tuple[int, int]:
    slug = plan["slug"]
    host = add_person(f"host.{slug}", "ผู้ประสานงานตัวอย่าง / Sample coordinator", PASSWORD, "th", at)
    treasurer = add_person(
        f"treasurer.{slug}", "เหรัญญิกตัวอย่าง / Sample treasurer", PASSWORD, "th", at
    )
    grant_role(host, Grant(Role.COORDINATOR, community_id), at)
    grant_role(treasurer, Grant(Role.TREASURER, community_id), at)
    for number, each in enumerate(plan["households"], start=1):
        household_id = communities.add_household(community_id, each["code"], each["name"], on)
        for member in range(1, each["members"] + 1):
            name = {"th": f"สมาชิกตัวอย่าง {member}", "en": f"Sample member {member}"}
            communities.add_member(household_id, name, on)
        if number <= 4:  # some members have a sign-in of their own
            person = add_person(
                f"{each['code'].lower()}.{slug}",
                " / ".join(each["name"].values()),
                PASSWORD,
                "th",
                at,
            )
            grant_role(person, Grant(Role.HOUSEHOLD, community_id, household_id), at)
    return host, treasurer


def _founding(plan: dict[str, Any]) -> Founding:
    keys = ("slug", "picture", "zone", "province_code")
    return Founding(is_sample=True, **{key: plan[key] for key in keys}, **plan["text"])


def _resolution(plan: dict[str, Any], on: date) -> Resolution:
    return Resolution(
        adopted_on=on,
        effective_from=on,
        meeting=plan["policy"]["meeting"],
        households=len(plan["households"]),
        present=plan["policy"]["present"],
        voted_for=plan["policy"]["voted_for"],
    )


def _policy(plan: dict[str, Any]) -> Policy:
    if "shares" not in plan:
        return DEFAULT
    return Policy(
        name=plan["name"],
        intermediary_bp=plan["intermediary"],
        shares={Bucket(code): bp for code, bp in plan["shares"].items()},
        rates={Task(code): rate for code, rate in plan["rates"].items()},
    )


def _new_experiences(plan: dict[str, Any]) -> list[NewExperience]:
    return [
        NewExperience(
            slug=each["slug"],
            picture=each["picture"],
            options=tuple(_new_option(option) for option in each["options"]),
            **each["text"],
        )
        for each in plan["experiences"]
    ]


def _new_option(plan: dict[str, Any]) -> NewOption:
    keys = ("code", "title", "duration_minutes", "nights", "min_party", "max_party", "capacity")
    return NewOption(
        **{key: plan[key] for key in keys},
        starts_at=time.fromisoformat(plan["starts_at"]),
        prices=tuple(
            UnitPrice(
                Unit(price["unit"]),
                satang(price["price"]),
                price["places"],
                price["min_age"],
                price.get("max_age"),
            )
            for price in plan["prices"]
        ),
        costs=tuple(
            CostRate(OutsideCost(cost["code"]), cost["per_guest"], satang(cost["amount"]))
            for cost in plan["costs"]
        ),
        **extras.sold_by(plan),
    )


# --- a past that happened ------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class Event:
    """Something that a person did at some instant. Events happen in the order of their time."""

    at: datetime
    number: int
    do: Deed = field(compare=False)


def _play(loaded: Loaded, providers: Providers, now: datetime, key: PlatformKey | None) -> None:
    """Let guests book, pay and come, households work, and the treasurer settle."""
    today = village_day(now, loaded.zone)
    departures = list_departures(
        db.session(), loaded.options, month_before(today), today + timedelta(days=DAYS_AHEAD)
    )
    soon = today + timedelta(days=21)
    random = Random(loaded.slug)  # noqa: S311  (repeatable on purpose)
    deeds: list[tuple[datetime, Deed]] = []
    booked = []
    for departure in (each for each in departures if each.starts_on < soon):
        if random.random() > (0.45 if departure.starts_on.weekday() >= 4 else 0.25):
            continue
        parties = list(_parties(loaded, departure, random, now))
        for at, party, request in parties:
            deeds.append((at, partial(_book, loaded, departure.id, party, request, providers)))
        if parties:
            booked.append(departure)
    over = [each for each in booked if each.ends_at <= now]
    deeds.extend(_deliveries(loaded, over, now))
    deeds.extend(_stories(loaded, departures, over, providers, now))
    if key is not None:
        staff = (loaded.treasurer_id, loaded.host_id)
        office = months.Office(loaded.id, *staff, PASSWORD, _EXPLAINED)
        deeds.extend(months.deeds(office, key, now))
    events = [Event(at, number, do) for number, (at, do) in enumerate(deeds) if at <= now]
    for event in sorted(events):
        event.do(event.at)
    _leave_a_transfer_to_confirm(loaded, providers, now)


def _deliveries(
    loaded: Loaded, over: list[DepartureCard], now: datetime
) -> Iterator[tuple[datetime, Deed]]:
    """Who worked is recorded the evening after, then settled; the last ones are left to the host."""
    turns: dict[str, int] = {}
    left = {each.id for each in over if each.begins_at >= now - _LEFT_UNSETTLED or each == over[-1]}
    for departure in over:
        evening = to_instant(departure.starts_on, time(18), loaded.zone) + timedelta(days=1)
        evening = max(evening, departure.ends_at)
        yield evening, partial(_work, loaded, departure.id, turns)
        if departure.id not in left:
            yield evening + timedelta(hours=1), partial(_settle, loaded, departure.id)


def _stories(
    loaded: Loaded,
    departures: list[DepartureCard],
    over: list[DepartureCard],
    providers: Providers,
    now: datetime,
) -> Iterator[tuple[datetime, Deed]]:
    stage = scenes.Stage(
        slug=loaded.slug,
        community_id=loaded.id,
        host_id=loaded.host_id,
        departures=departures,
        over=over,
        options=loaded.options,
        promo_code=loaded.promo_code,
        providers=providers,
        party=partial(_small_party, loaded),
        hold=partial(_hold, loaded),
        book=partial(_take_and_pay, loaded, providers),
        now=now,
    )
    return scenes.deeds(loaded.scenes, stage)


def _parties(
    loaded: Loaded, departure: DepartureCard, random: Random, now: datetime
) -> Iterator[tuple[datetime, dict[str, int], str]]:
    """Up to three parties on a departure: when each books, who comes, and the request's key."""
    option = _new_option(loaded.options[departure.option_id])
    places = 0
    for number in range(1, random.randint(1, 3) + 1):
        party = {
            "ADULT": random.randint(option.min_party, max(MOST_ADULTS, option.min_party)),
            "CHILD": random.choice((0, 0, 1, 2)),
        }
        ahead = timedelta(days=random.randint(2, 12), minutes=random.randint(0, 540))
        at = min(departure.begins_at - ahead, now - timedelta(minutes=random.randint(60, 1800)))
        price = _price(option, party)
        if price is None:
            continue
        places += price.places
        if places > departure.capacity:
            break
        key = f"sample {loaded.slug} {departure.option_id} {departure.starts_on} {number}"
        yield at, party, key


def _price(option: NewOption, party: dict[str, int]) -> Quote | None:
    """What a party pays, or None when it cannot book."""
    prices = parties(option.min_party, option.price_list)
    return next((price for each, price in prices if each == party), None)


def _hold(
    loaded: Loaded,
    departure_id: int,
    party: dict[str, int],
    key: str,
    at: datetime,
    *,
    add_ons: dict[str, int] | None = None,
    promo_code: str = "",
) -> str:
    """A sample guest holds places and leaves their details; returns the booking's reference."""
    random = Random(key)  # noqa: S311
    language = random.choice(("th", "th", "th", "en"))
    request = HoldRequest(
        departure_id=departure_id,
        party=party,
        policy_version_id=loaded.policy_id,
        language=language,
        request_key=key,
        add_ons=add_ons or {},
        promo_code=promo_code,
    )
    reference = hold.hold(request, at)
    needs = random.choice(_NEEDS)[language]
    name = {"th": "นักท่องเที่ยวตัวอย่าง", "en": "Sample guest"}[language]
    details = Details(
        name=f"{name} {random.randint(1, 99)}",
        email="",
        phone="000-000-0000",
        food_needs=needs,
        access_needs="",
        consent=bool(needs),
    )
    hold.save_details(reference, details, at)
    return reference


def _book(
    loaded: Loaded,
    departure_id: int,
    party: dict[str, int],
    key: str,
    providers: Providers,
    at: datetime,
) -> None:
    """A party books if there is room: boats, kitchen and village are shared with the others."""
    try:
        _take_and_pay(loaded, providers, departure_id, party, key, at)
    except (DepartureFull, SlotFull, DepartureGone, DepartureCalledOff):
        return


def _take_and_pay(
    loaded: Loaded,
    providers: Providers,
    departure_id: int,
    party: dict[str, int],
    key: str,
    at: datetime,
    *,
    add_ons: dict[str, int] | None = None,
    promo_code: str = "",
) -> str:
    """Hold, let the community agree where it is asked, and pay; returns the reference."""
    reference = _hold(loaded, departure_id, party, key, at, add_ons=add_ons, promo_code=promo_code)
    option_id = get_departure(db.session(), departure_id).option_id
    if loaded.options[option_id].get("request_hours"):
        hold.agree_to_request(loaded.id, reference, at)
    number = start_attempt(reference, "demo", providers, at)
    attempt = get_attempt_of(db.session(), reference, number)
    act(str(attempt.provider_ref), Act.PAY, attempt.amount_satang, attempt.expires_at, at)
    take_in(attempt.id, providers, at)
    return reference


def _work(loaded: Loaded, departure_id: int, turns: dict[str, int], at: datetime) -> None:
    """Record who worked: for each task the household whose turn it is among those that do it."""
    departure = get_departure(db.session(), departure_id)
    if not departure.claimed:
        return  # whoever wanted to come found no room
    rows = []
    for plan in loaded.options[departure.option_id]["work"]:
        able = [each["code"] for each in loaded.households if plan["task"] in each["tasks"]]
        times = -(-departure.claimed // plan["per_guests"]) if plan["per_guests"] else 1
        for _each in range(times):
            turn = turns[plan["task"]] = turns.get(plan["task"], -1) + 1
            rows.append(NewWork(able[turn % len(able)], plan["task"], 1, plan["minutes"]))
    revenue.record_work(loaded.id, departure_id, rows, loaded.host_id, at)


def _settle(loaded: Loaded, departure_id: int, at: datetime) -> None:
    if not get_departure(db.session(), departure_id).claimed:
        return
    shown = work.get_record(db.session(), departure_id).content_sha256
    work.confirm(loaded.id, departure_id, shown, loaded.treasurer_id, at)
    previewed = revenue.preview_settlement(loaded.id, departure_id).fingerprint
    revenue.settle(loaded.id, departure_id, previewed, loaded.treasurer_id, at)


def _leave_a_transfer_to_confirm(loaded: Loaded, providers: Providers, now: datetime) -> None:
    """One guest says that a PromptPay transfer was made; the host has not looked yet."""
    soon = village_day(now, loaded.zone) + timedelta(days=2)
    departures = list_departures(
        db.session(), loaded.options, soon, soon + timedelta(days=DAYS_AHEAD)
    )
    able = (
        (each, _small_party(loaded, each))
        for each in departures
        if "request_hours" not in loaded.options[each.option_id]
    )
    departure, party = next(((each, party) for each, party in able if party), (None, None))
    if departure is None or party is None:
        return
    at = now - timedelta(minutes=20)
    key = f"sample {loaded.slug} transfer {departure.starts_on}"
    reference = _hold(loaded, departure.id, party, key, at)
    number = start_attempt(reference, "promptpay", providers, at)
    report_transfer(get_attempt_of(db.session(), reference, number).id, at + timedelta(minutes=3))


def _small_party(loaded: Loaded, departure: DepartureCard) -> dict[str, int] | None:
    """Two adults, or the fewest that may come, if the departure has room for them."""
    if departure.state != DepartureState.OPEN:
        return None
    option = _new_option(loaded.options[departure.option_id])
    for adults in (2, option.min_party):
        party = {"ADULT": adults, "CHILD": 0}
        price = _price(option, party)
        if price is not None and price.places <= departure.free:
            return {"ADULT": adults}
    return None
