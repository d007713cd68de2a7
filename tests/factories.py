"""Things that tests need, made through the use cases with defaults; a test names what it is about."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import count

from cbt.bookings import departures, shared, waitlist
from cbt.bookings import hold as holding
from cbt.bookings.change import Wanted
from cbt.bookings.hold import Details, HoldRequest
from cbt.bookings.queries import get_booking, get_departure, get_price_parts, list_departures
from cbt.bookings.states import EndReason
from cbt.bookings.things import ThingKind
from cbt.bookings.waitlist import Joining
from cbt.communities import services as communities
from cbt.communities.queries import get_community_by_id
from cbt.communities.records import CommunityCard, Founding, NewAsset, NewShareChange
from cbt.communities.shares import AssetKind, Decision, ShareKind
from cbt.db import db
from cbt.experiences import services as experiences
from cbt.experiences.pricing import CostRate, OutsideCost, Unit, UnitPrice
from cbt.experiences.records import AddOnCard, NewExperience, NewOption
from cbt.payments import accounts, call_off, cancel, pay, queries, take_in
from cbt.payments import change as changing
from cbt.payments.provider import Providers
from cbt.payments.providers.cash import CashProvider
from cbt.payments.providers.demo import Act, DemoProvider, act
from cbt.payments.providers.promptpay import PromptPayProvider
from cbt.payments.records import AttemptCard
from cbt.people import services as people
from cbt.people.roles import Grant, Role
from cbt.revenue import ownership, work
from cbt.revenue import services as revenue
from cbt.revenue.policy import DEFAULT, Policy, canonical
from cbt.revenue.records import NewPreparation, NewWork, Resolution
from tests.site import NOW

_OFFERED = (DemoProvider(), PromptPayProvider(), CashProvider())
PROVIDERS: Providers = {each.name: each for each in _OFFERED}
RECEIVERS = {
    "demo": {},
    "promptpay": {"kind": "phone", "id": "081-234-5678"},
    "cash": {"guests": "yes"},
}
TOMORROW = date(2026, 11, 24)
SPRING = date(2026, 1, 1)
SPRING_MORNING = datetime(2026, 1, 1, 3, tzinfo=UTC)
_numbers = count(1)


@dataclass(frozen=True)
class Village:
    """A community that can sell: its ids and those of its people and things."""

    id: int
    slug: str
    policy_id: int
    person_id: int
    option_id: int
    departure_id: int
    households: tuple[str, ...]

    @property
    def card(self) -> CommunityCard:
        return get_community_by_id(db.session(), self.id)


def text(value: str) -> dict[str, str]:
    return {"th": f"ไทย {value}", "en": f"English {value}"}


def make_person(name: str = "", password: str = "long enough") -> int:
    sign_in_name = name or f"person-{next(_numbers)}"
    return people.add_person(sign_in_name, sign_in_name, password, "th", NOW)


def make_community(slug: str = "", *, is_sample: bool = True) -> int:
    slug = slug or f"village-{next(_numbers)}"
    words = ("name", "summary", "story", "tambon", "district", "province", "contact")
    return communities.found_community(
        Founding(
            slug=slug,
            picture="cover-mangrove.svg",
            province_code="94",
            zone="Asia/Bangkok",
            is_sample=is_sample,
            **{word: text(word) for word in words},
        )
    )


def make_option(community_id: int, **changes: object) -> int:
    option = NewOption(
        code="morning",
        title=text("morning"),
        starts_at=time(8, 30),
        duration_minutes=150,
        nights=0,
        min_party=1,
        max_party=10,
        capacity=12,
        prices=(
            UnitPrice(Unit.ADULT, 45_000, 1, 12, None),
            UnitPrice(Unit.CHILD, 22_550, 1, 4, 11),
            UnitPrice(Unit.INFANT, 0, 0, 0, 3),
        ),
        costs=(CostRate(OutsideCost.INSURANCE, True, 2_000),),
    )
    words = ("picture_text", "title", "summary", "description", "included", "bring")
    words += ("meeting_point", "safety", "access", "food", "refund")
    new = NewExperience(
        slug=f"trip-{next(_numbers)}",
        picture="mangrove-boat.svg",
        options=(replace(option, **changes),),
        **{word: text(word) for word in words},
    )
    return experiences.publish_experience(community_id, new)[0]


def make_departure(option_id: int, on: date = TOMORROW) -> int:
    departures.open_departures(option_id, [on])
    return list_departures(db.session(), [option_id], on, on + timedelta(days=1))[0].id


def adopt(
    community_id: int,
    policy: Policy = DEFAULT,
    effective_from: date = SPRING,
    recorded_at: datetime = SPRING_MORNING,
    **votes: int,
) -> int:
    resolution = Resolution(
        adopted_on=SPRING,
        effective_from=effective_from,
        meeting=text("meeting"),
        households=votes.get("households", 5),
        present=votes.get("present", 5),
        voted_for=votes.get("voted_for", 4),
    )
    return revenue.adopt_policy(community_id, canonical(policy), resolution, recorded_at)


def make_village(
    *,
    capacity: int = 12,
    households: int = 5,
    on: date = TOMORROW,
    policy: Policy = DEFAULT,
    **changes: object,
) -> Village:
    """A community with households, a policy, a way to be paid and one departure."""
    community_id = make_community()
    codes = tuple(f"H{number:02}" for number in range(1, households + 1))
    for code in codes:
        communities.add_household(community_id, code, text(code), SPRING)
    for provider in PROVIDERS.values():
        receiver = RECEIVERS[provider.name]
        accounts.open_payment_account(community_id, provider, receiver, text("receiver"))
    person_id = make_person()
    people.grant_role(person_id, Grant(Role.COORDINATOR, community_id), NOW)
    option_id = make_option(community_id, capacity=capacity, **changes)
    return Village(
        id=community_id,
        slug=get_community_by_id(db.session(), community_id).slug,
        policy_id=adopt(community_id, policy),
        person_id=person_id,
        option_id=option_id,
        departure_id=make_departure(option_id, on),
        households=codes,
    )


# --- things that two products share --------------------------------------------------------------

KAYAK = AddOnCard("kayak", text("kayak"), 30_000, per_guest=False, most=3)


@dataclass(frozen=True)
class Fleet:
    """A village whose two products share boats, life jackets, a guide, kayaks and the ceiling.

    A boat takes `seats` guests of one product; `things` gives the ids by code.
    """

    mangrove: Village
    sunrise: Village
    things: dict[str, int]
    seats: int


def make_thing(
    community_id: int,
    code: str,
    kind: ThingKind = ThingKind.OTHER,
    capacity: int = 1,
    **changes: object,
) -> int:
    new = shared.NewThing(code=code, kind=kind, title=text(code), capacity=capacity)
    return shared.add_thing(community_id, replace(new, **changes))


def set_needs(village: Village, *needs: tuple[int, int, int, str], now: datetime = NOW) -> None:
    """What a village's product takes: (thing, per places, units, extra or "")."""
    departures.set_needs(village.id, village.option_id, needs, now)


def make_fleet(
    *,
    boats: int = 3,
    seats: int = 4,
    jackets: int = 20,
    guides: int = 2,
    kayaks: int = 4,
    ceiling: int = 20,
    capacity: int = 12,
    households: int = 3,
    on: date = TOMORROW,
    **option: object,
) -> Fleet:
    """Two products of one village on one morning, and the things that they share."""
    option = {"add_ons": (KAYAK,), **option}
    mangrove = make_village(capacity=capacity, households=households, on=on, **option)
    option_id = make_option(mangrove.id, starts_at=time(9), **{"capacity": 12, **option})
    sunrise = replace(mangrove, option_id=option_id, departure_id=make_departure(option_id, on))
    things = {
        "boat": make_thing(mangrove.id, "boat", ThingKind.BOAT, boats),
        "jacket": make_thing(mangrove.id, "jacket", ThingKind.LIFE_JACKET, jackets),
        "guide": make_thing(mangrove.id, "guide", ThingKind.GUIDE, guides),
        "kayak": make_thing(mangrove.id, "kayak", ThingKind.OTHER, kayaks),
        "village": make_thing(mangrove.id, "village", ThingKind.VILLAGE, ceiling, per_day=True),
    }
    needs = (
        (things["boat"], seats, 1, ""),
        (things["jacket"], 1, 1, ""),
        (things["guide"], 0, 1, ""),
        (things["kayak"], 0, 1, "kayak"),
        (things["village"], 1, 1, ""),
    )
    set_needs(mangrove, *needs)
    set_needs(sunrise, *needs)
    return Fleet(mangrove, sunrise, things, seats)


# --- bookings ------------------------------------------------------------------------------------


def hold(
    village: Village,
    party: Mapping[str, int] | None = None,
    now: datetime = NOW,
    key: str = "",
    **changes: object,
) -> str:
    """A held booking with its guest's details; returns its reference."""
    asked = HoldRequest(
        departure_id=village.departure_id,
        party=party or {"ADULT": 2},
        policy_version_id=village.policy_id,
        language="en",
        request_key=key or f"key-{next(_numbers)}",
    )
    request = replace(asked, **changes)
    reference = holding.hold(request, now)
    details = Details(
        name="Guest",
        email="guest@example.org",
        phone="",
        food_needs="",
        access_needs="",
        consent=False,
    )
    holding.save_details(reference, details, now)
    return reference


def start(reference: str, method: str = "demo", now: datetime = NOW) -> AttemptCard:
    """An attempt to pay, as its provider knows it."""
    number = pay.start_attempt(reference, method, PROVIDERS, now)
    return queries.get_attempt_of(db.session(), reference, number)


def pay_by_demo(reference: str, now: datetime = NOW, what: Act = Act.PAY) -> None:
    attempt = start(reference, now=now)
    booking = get_booking(db.session(), reference)
    act(str(attempt.provider_ref), what, attempt.amount_satang, booking.held_until, now)
    take_in.take_in(attempt.id, PROVIDERS, now)


def book(
    village: Village,
    party: Mapping[str, int] | None = None,
    now: datetime = NOW,
    **changes: object,
) -> str:
    """A paid booking; returns its reference."""
    reference = hold(village, party, now, **changes)
    pay_by_demo(reference, now)
    return reference


def record_work(village: Village, *rows: tuple[str, str, int], now: datetime = NOW) -> None:
    recorded = [NewWork(code, task, units, 60) for code, task, units in rows]
    revenue.record_work(village.id, village.departure_id, recorded, village.person_id, now)


def confirm_work(village: Village, now: datetime) -> None:
    """A second person says that what is recorded and not confirmed yet is right."""
    record = work.get_record(db.session(), village.departure_id)
    if record.unconfirmed:
        other = people.add_person(f"second-{next(_numbers)}", "Second", "long enough", "th", NOW)
        shown = record.content_sha256
        work.confirm(village.id, village.departure_id, shown, other, now)


def settle(village: Village, now: datetime) -> int:
    """Settle a departure whose work a second person confirmed once it had begun."""
    if get_departure(db.session(), village.departure_id).begins_at <= now:
        confirm_work(village, now)
    previewed = revenue.preview_settlement(village.id, village.departure_id).fingerprint
    return revenue.settle(village.id, village.departure_id, previewed, village.person_id, now)


def record_preparation(village: Village, *rows: tuple[str, int], now: datetime = NOW) -> None:
    """What households prepared: (household, satang)."""
    prepared = [NewPreparation(code, "rice", cost) for code, cost in rows]
    person_id = village.person_id
    revenue.record_preparation(village.id, village.departure_id, prepared, person_id, now)


# --- after the booking ---------------------------------------------------------------------------


def cancel_booking(reference: str, now: datetime = NOW, *, as_credit: bool = False) -> int:
    """Cancel as quoted; returns the satang that come back."""
    quoted = cancel.quote_cancellation(reference, now)
    cancel.cancel(reference, quoted, now, as_credit=as_credit)
    return quoted.refund.refund_satang


def wanted_of(reference: str, **changes: object) -> Wanted:
    """A booking as it stands, with what shall be different."""
    booking = get_booking(db.session(), reference)
    parts = get_price_parts(db.session(), booking.id)
    as_it_is = Wanted(
        departure_id=booking.trip.id,
        party={str(line.unit): line.quantity for line in parts.lines},
        add_ons={extra.code: extra.quantity for extra in parts.add_ons},
    )
    return replace(as_it_is, **changes)


def change_booking(reference: str, now: datetime = NOW, **changes: object) -> changing.ChangeQuote:
    """Change as quoted; returns the quote."""
    wanted = wanted_of(reference, **changes)
    quoted = changing.quote_change(reference, wanted, now)
    changing.change(reference, wanted, quoted, now)
    return quoted


def call_off_departure(
    village: Village, now: datetime = NOW, reason: EndReason = EndReason.WEATHER
) -> call_off.CalledOff:
    return call_off.call_off(village.id, village.departure_id, reason, now)


def join_line(
    village: Village,
    party: Mapping[str, int] | None = None,
    now: datetime = NOW,
    **changes: object,
) -> int:
    """A party in the waiting list; returns its id."""
    joining = Joining(
        departure_id=village.departure_id,
        party=party or {"ADULT": 2},
        least=99,
        language="en",
        request_key=f"waiting-{next(_numbers)}",
        name="Waiting",
        email="waiting@example.org",
        phone="",
    )
    return waitlist.join(replace(joining, **changes), now)


def offer_places(village: Village, now: datetime = NOW) -> int:
    return waitlist.offer_places(lambda *_: village.policy_id, now)


def own_boat(village: Village, second: int) -> int:
    """A boat that H01 held ten shares of and passed four on to H02, by two people; its id."""
    boat = ownership.add_asset(
        village.id,
        NewAsset(kind=AssetKind.BOAT, title=text("boat"), begins_on=SPRING),
        village.person_id,
        NOW,
    )
    for kind, giver, taker, shares in (
        (ShareKind.ISSUE, None, "H01", 10),
        (ShareKind.TRANSFER, "H01", "H02", 4),
    ):
        change = NewShareChange(
            asset_id=boat,
            kind=kind,
            from_household=giver,
            to_household=taker,
            shares=shares,
            effective_on=SPRING,
            document="Minutes",
            document_sha256="a" * 64,
        )
        event = ownership.record_change(village.id, change, village.person_id, NOW)
        ownership.decide_change(village.id, event, Decision.CONFIRMED, second, NOW)
    return boat
