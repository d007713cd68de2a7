"""What guests do, and what their banks do with the money."""

from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.bookings import hold as holding
from cbt.bookings.hold import Details, HoldRequest
from cbt.bookings.models import Booking, Departure
from cbt.bookings.states import BookingState, DepartureState
from cbt.db import Base, Condition, db
from cbt.errors import CbtError
from cbt.payments import cancel, change, pay, take_in
from cbt.payments.models import Attempt, Capture, Credit, Refund
from cbt.payments.provider import AttemptState, PayMethod
from cbt.worker import policy_for
from tests import factories
from tests.payments.stripe_village import ERRAND
from tests.simulation.world import ACCOUNT, Effects, Step, World, kind
from tests.stripe_double.state import ApiError

GOOD, DECLINED = "4242424242424242", "4000000000000002"


# --- booking -------------------------------------------------------------------------------------


@kind("holds", 30)
def hold(world: World, session: Session) -> Step | None:
    adults = world.chance.choice((1, 2, 2, 3, 4))
    soonest = world.now + timedelta(hours=8 if world.happens(0.7) else 72)
    trip = world.pick(
        session.scalars(
            select(Departure.id)
            .where(
                Departure.community_id == world.village.id,
                Departure.state == DepartureState.OPEN,
                Departure.closes_at > soonest,
                Departure.closes_at < world.now + timedelta(days=12),
                Departure.capacity - Departure.claimed >= adults,
            )
            .order_by(Departure.id)
        ).all()
    )
    if trip is None:
        return None
    key, email = world.name("hold"), f"{world.name('guest')}@example.org"

    def do(now: datetime) -> None:
        policy = policy_for(db.session(), world.village.id, now)
        db.session.rollback()
        request = HoldRequest(
            departure_id=trip,
            party={"ADULT": adults},
            policy_version_id=policy,
            language="en",
            request_key=key,
        )
        reference = holding.hold(request, now)
        details = Details(
            name="Guest", email=email, phone="", food_needs="", access_needs="", consent=False
        )
        holding.save_details(reference, details, now)

    world.soon.append(world.chance.choice((*["opens a page"] * 6, "promises cash", "shows a code")))
    return Step("holds", do, counting(Booking.request_key == key, of=Booking))


def counting(*conditions: Condition, of: type[Base]) -> Effects:
    """How many rows of a table fit."""

    def effects(session: Session) -> int:
        return session.scalar(select(func.count()).select_from(of).where(*conditions)) or 0

    return effects


def payable(world: World, session: Session) -> str | None:
    """A booking that can be paid now, and that nobody is paying."""
    trying = select(Attempt.id).where(
        Attempt.booking_id == Booking.id,
        Attempt.state.in_((AttemptState.PENDING, AttemptState.REPORTED)),
        Attempt.expires_at > world.now,
    )
    paid = select(func.coalesce(func.sum(Capture.amount_satang), 0)).where(
        Capture.booking_id == Booking.id, Capture.buys
    )
    is_due = (
        (Booking.state == BookingState.HELD)
        & (Booking.held_until > world.now + timedelta(minutes=6))
    ) | (
        (Booking.state == BookingState.CONFIRMED) & (paid.scalar_subquery() < Booking.price_satang)
    )
    return world.pick(
        session.scalars(
            select(Booking.reference)
            .where(is_due, Booking.guest_name.is_not(None), ~trying.exists())
            .order_by(Booking.id.desc())
            .limit(3)
        ).all()
    )


def starting(world: World, session: Session, name: str, method: str) -> Step | None:
    reference = payable(world, session)
    if reference is None:
        return None

    def do(now: datetime) -> None:
        pay.start_attempt(reference, method, world.providers, now, ERRAND)

    return Step(name, do)


@kind("opens a page", 8)
def open_page(world: World, session: Session) -> Step | None:
    ways = (
        "pays by card",
        "pays by card",
        "pays by PromptPay",
        "pays by PromptPay",
        "looks at a code",
        "is declined",
    )
    world.soon.append(world.chance.choice(ways))
    return starting(world, session, "opens a page", "stripe")


@kind("promises cash", 2)
def promise_cash(world: World, session: Session) -> Step | None:
    return starting(world, session, "promises cash", "cash")


@kind("shows a code", 2)
def show_code(world: World, session: Session) -> Step | None:
    world.soon.append("reports a transfer")
    return starting(world, session, "shows a code", "promptpay")


@kind("reports a transfer", 2)
def report_transfer(world: World, session: Session) -> Step | None:
    attempt = world.pick(attempts(session, "promptpay", AttemptState.PENDING))
    if attempt is None:
        return None
    return Step("reports a transfer", lambda now: pay.report_transfer(attempt.id, now))


def attempts(session: Session, provider: str, *states: AttemptState) -> list[Attempt]:
    return list(
        session.scalars(
            select(Attempt)
            .where(
                Attempt.provider == provider,
                Attempt.state.in_(states),
                Attempt.provider_ref.is_not(None),
            )
            .order_by(Attempt.id.desc())
            .limit(6)
        )
    )


# --- at the provider's page ----------------------------------------------------------------------


def pages(world: World, session: Session, status: str) -> list[str]:
    """Pages at the provider in a status, the newest first."""
    refs = session.scalars(
        select(Attempt.provider_ref)
        .where(Attempt.provider == "stripe", Attempt.provider_ref.is_not(None))
        .order_by(Attempt.id.desc())
        .limit(12)
    )
    return [str(ref) for ref in refs if world.double.get(str(ref))["status"] == status]


def open_pages(world: World, session: Session) -> list[str]:
    return pages(world, session, "open")


@kind("pays by card", 6)
def pay_by_card(world: World, session: Session) -> str | None:
    page = world.pick(open_pages(world, session)[:2])
    if page is None or not world.double.pay_by_card(page, GOOD):
        return None
    come_back(world)
    return page


@kind("pays by PromptPay", 5)
def pay_by_promptpay(world: World, session: Session) -> str | None:
    page = world.pick(open_pages(world, session)[:2])
    if page is None:
        return None
    world.double.pay_promptpay(page)
    come_back(world)
    return page


@kind("is declined", 2)
def decline(world: World, session: Session) -> str | None:
    page = world.pick(open_pages(world, session)[:2])
    if page is None or world.double.pay_by_card(page, DECLINED):
        return None
    world.soon.append("pays by card")
    return page


@kind("looks at a code", 2)
def look_at_code(world: World, session: Session) -> str | None:
    """A guest lets Stripe show a code, and does not scan it yet."""
    page = world.pick(open_pages(world, session)[:2])
    if page is not None:
        world.double.show_promptpay(page)
    return page


@kind("pays late", 6)
def pay_late(world: World, session: Session) -> str | None:
    """A code that died with its page is paid all the same."""
    page = world.pick(pages(world, session, "expired"))
    if page is None:
        return None
    with suppress(ValueError, KeyError, ApiError):  # no code was ever shown there
        world.double.pay_promptpay_again(page)
        return page
    return None


@kind("scans twice", 1)
def scan_twice(world: World, session: Session) -> str | None:
    paid = (Capture.provider == "stripe", Capture.method == PayMethod.PROMPTPAY)
    ids = session.scalars(
        select(Attempt.provider_ref)
        .join(Capture, Capture.attempt_id == Attempt.id)
        .where(*paid)
        .order_by(Capture.id.desc())
        .limit(3)
    ).all()
    page = world.pick(ids)
    if page is None:
        return None
    with suppress(ValueError, KeyError, ApiError):
        world.double.pay_promptpay_again(page)
        return page
    return None


def come_back(world: World) -> None:
    """Some guests come back to our page, others only see Stripe's."""
    if world.happens(0.5):
        world.soon.append("comes back")


@kind("comes back", 3)
def come_back_to_page(world: World, session: Session) -> Step | None:
    found = attempts(session, "stripe", AttemptState.PENDING, AttemptState.FAILED)
    pages = {each.id: str(each.provider_ref) for each in found}
    paid = [each for each in pages if world.double.get(pages[each])["payment_status"] == "paid"]
    attempt_id = world.pick(paid)
    if attempt_id is None:
        return None

    def do(now: datetime) -> None:
        take_in.take_in(attempt_id, world.providers, now)

    return Step("comes back", do, counting(Capture.attempt_id == attempt_id, of=Capture))


# --- afterwards ----------------------------------------------------------------------------------


def upcoming(world: World, session: Session, *states: BookingState) -> str | None:
    return world.pick(
        session.scalars(
            select(Booking.reference)
            .join(Departure, Departure.id == Booking.departure_id)
            .where(Booking.state.in_(states), Departure.begins_at > world.now + timedelta(hours=1))
            .order_by(Booking.id)
        ).all()
    )


@kind("changes", 3)
def change_party(world: World, session: Session) -> Step | None:
    reference = upcoming(world, session, BookingState.CONFIRMED)
    if reference is None:
        return None
    wanted = factories.wanted_of(reference, party={"ADULT": world.chance.randint(1, 5)})
    try:
        quoted = change.quote_change(reference, wanted, world.now)
    except CbtError:
        return None
    version = quoted.version

    def effects(session: Session) -> int:
        now_at = session.scalar(select(Booking.version).where(Booking.reference == reference))
        return int((now_at or 0) > version)

    return Step("changes", lambda now: change.change(reference, wanted, quoted, now), effects)


@kind("cancels", 3)
def cancel_booking(world: World, session: Session) -> Step | None:
    return cancelling(world, session, as_credit=False)


@kind("cancels as credit", 2)
def cancel_as_credit(world: World, session: Session) -> Step | None:
    return cancelling(world, session, as_credit=True)


def cancelling(world: World, session: Session, *, as_credit: bool) -> Step | None:
    states = (BookingState.CONFIRMED, BookingState.CONFIRMED, BookingState.CHOOSING)
    reference = upcoming(world, session, *states)
    if reference is None:
        return None
    try:
        quoted = cancel.quote_cancellation(reference, world.now)
    except CbtError:
        return None
    booking_id = factories.get_booking(session, reference).id
    before = given_back(session, booking_id)

    def effects(session: Session) -> int:
        back = given_back(session, booking_id) - before
        assert back == 0 or back >= quoted.refund.refund_satang, (reference, back, quoted)
        state = factories.get_booking(session, reference).state
        return int(state == BookingState.CANCELLED)

    def do(now: datetime) -> None:
        cancel.cancel(reference, quoted, now, as_credit=as_credit)

    return Step("cancels as credit" if as_credit else "cancels", do, effects)


def given_back(session: Session, booking_id: int) -> int:
    """What was promised back of a booking, as money or as credit, in satang."""
    refunds = select(func.sum(Refund.amount_satang)).where(Refund.booking_id == booking_id)
    as_credit = select(func.sum(Credit.amount_satang)).where(Credit.booking_id == booking_id)
    return int(session.scalar(refunds) or 0) + int(session.scalar(as_credit) or 0)


# --- the banks -----------------------------------------------------------------------------------


def at_bank(world: World, kind_: str, *states: str) -> list[str]:
    """Objects at the provider of a kind in some states, by id."""
    objects = world.double.world.accounts[ACCOUNT].all_of(kind_)
    return [each["id"] for each in objects if each["status"] in states]


@kind("a refund arrives", 3)
def refund_arrives(world: World, _session: Session) -> str | None:
    refund = world.pick(at_bank(world, "refund", "requires_action", "pending"))
    if refund:
        world.double.refund_arrives(refund)
    return refund


@kind("a refund fails", 2)
def refund_fails(world: World, _session: Session) -> str | None:
    refund = world.pick(at_bank(world, "refund", "requires_action", "pending"))
    if refund:
        world.double.refund_fails(refund)
    return refund


@kind("a dispute opens", 2)
def dispute_opens(world: World, _session: Session) -> str | None:
    charges = world.double.world.accounts[ACCOUNT].all_of("charge")
    free = [
        each["id"]
        for each in charges
        if each["status"] == "succeeded"
        and each["payment_method_details"].get("card")
        and not each["disputed"]
        and each["amount"] > each["amount_refunded"]
    ]
    charge = world.pick(free)
    if charge is None or len(at_bank(world, "dispute", "needs_response", "under_review")) > 1:
        return None
    amount = 30_000 if world.happens(0.3) else None
    world.soon.extend(("worker: reconcile", "sends evidence"))
    return str(world.double.open_dispute(charge, amount)["id"])


def closing(world: World, *, won: bool) -> str | None:
    dispute = world.pick(at_bank(world, "dispute", "needs_response", "under_review"))
    if dispute:
        world.double.close_dispute(dispute, won=won)
    return dispute


@kind("a dispute is won", 2)
def dispute_won(world: World, _session: Session) -> str | None:
    return closing(world, won=True)


@kind("a dispute is lost", 2)
def dispute_lost(world: World, _session: Session) -> str | None:
    return closing(world, won=False)


@kind("a lost dispute is won after all", 1)
def dispute_reinstated(world: World, _session: Session) -> str | None:
    dispute = world.pick(at_bank(world, "dispute", "lost"))
    if dispute:
        world.double.reinstate_dispute(dispute)
    return dispute


@kind("the provider pays out", 2)
def pay_out(world: World, _session: Session) -> str | None:
    with suppress(ValueError):  # nothing is left there to pay out
        return str(world.double.pay_out(ACCOUNT, arrives=world.happens(0.5))["id"])
    return None


@kind("a provider's payout arrives", 2)
def payout_arrives(world: World, _session: Session) -> str | None:
    payout = world.pick(at_bank(world, "payout", "in_transit", "pending"))
    if payout:
        world.double.payout_arrives(payout)
    return payout


@kind("a provider's payout fails", 1)
def payout_fails(world: World, _session: Session) -> str | None:
    payout = world.pick(at_bank(world, "payout", "in_transit", "pending", "paid"))
    if payout:
        world.double.payout_fails(payout)
    return payout


@kind("fees come late", 1)
def fees_late(world: World, session: Session) -> Step | str | None:
    """For some hours the provider does not say what it keeps of what is paid meanwhile."""
    world.fees_late_until = world.now + timedelta(hours=6)
    world.double.switches.fees_come_late = True
    world.soon.extend(("holds", "opens a page", "pays by card", "comes back"))
    return "for six hours"


def let_fees_come(world: World) -> None:
    if world.fees_late_until is not None and world.fees_late_until <= world.now:
        world.fees_late_until = None
        world.double.switches.fees_come_late = False
        world.double.books_arrive(ACCOUNT)
