"""What the people of the village do about trips, refunds, cash and what the work list says."""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cbt.bookings import arrivals
from cbt.bookings.arrivals import Scan
from cbt.bookings.models import Booking, CheckIn, Departure, NoShow
from cbt.bookings.states import PAID, BookingState, DepartureState, EndReason
from cbt.db import Condition
from cbt.errors import CbtError
from cbt.ledger.queries import balances
from cbt.payments import (
    call_off,
    cash,
    cash_box,
    disputes,
    give_back,
    goodwill,
    take_in,
    transactions,
    transfers,
)
from cbt.payments.account_posting import Clearing
from cbt.payments.goodwill import Goodwill
from cbt.payments.models import (
    Attempt,
    Capture,
    CashBanked,
    CashCleared,
    CashCount,
    CashTaken,
    Refund,
)
from cbt.payments.provider import AttemptState, DisputeState, RefundReason, RefundState
from cbt.payments.reported import Dispute, ProviderTransaction, SuspenseMove, WorkItem
from cbt.payments.work import can_be_noted, close_work, list_open_work
from cbt.revenue import services, work
from cbt.revenue.models import ServiceRecord, Settlement
from cbt.revenue.records import NewWork
from cbt.revenue.work_models import WorkAnswer, WorkDispute
from tests.simulation.guests import attempts, counting
from tests.simulation.process import Deed
from tests.simulation.world import APPROVED_FROM, Step, World, kind

JOBS = ("boat", "guide", "cook")


# --- trips ---------------------------------------------------------------------------------------


def begun(world: World, session: Session) -> list[int]:
    """Departures that have begun, brought money and are not settled, the oldest first."""
    return list(
        session.scalars(
            select(Departure.id)
            .join(Booking, Booking.departure_id == Departure.id)
            .where(
                Departure.community_id == world.village.id,
                Departure.begins_at <= world.now,
                Departure.state != DepartureState.SETTLED,
                Booking.state.in_((*PAID, BookingState.CANCELLED)),
            )
            .distinct()
            .order_by(Departure.id)
        )
    )


def recorded(session: Session, departure_id: int) -> bool:
    row = select(ServiceRecord.departure_id).where(ServiceRecord.departure_id == departure_id)
    return session.scalar(row.limit(1)) is not None


@kind("records work", 9)
def record_work(world: World, session: Session) -> Step | None:
    trips = [each for each in begun(world, session) if not recorded(session, each)]
    trip = world.pick(trips[:6])
    if trip is None:
        return None
    households = world.chance.sample(world.village.households, world.chance.randint(2, 4))
    rows = [NewWork(code, world.chance.choice(JOBS), 1, 60) for code in households]
    world.soon.append("confirms work")

    def do(now: datetime) -> None:
        services.record_work(world.village.id, trip, rows, world.coordinator, now)

    wanted = len(rows)

    def effects(session: Session) -> int:
        of_trip = ServiceRecord.departure_id == trip
        number = session.scalar(select(func.count()).select_from(ServiceRecord).where(of_trip))
        return {0: 0, wanted: 1}[number or 0]

    return Step("records work", do, effects)


@kind("confirms work", 5)
def confirm_work(world: World, session: Session) -> Step | None:
    for trip in begun(world, session):
        record = work.get_record(session, trip)
        if record.unconfirmed and not record.open_disputes:
            shown = record.content_sha256
            break
    else:
        return None
    world.soon.append("settles")

    def do(now: datetime) -> None:
        work.confirm(world.village.id, trip, shown, world.treasurer, now)

    def effects(session: Session) -> int:
        return int(not work.get_record(session, trip).unconfirmed)

    return Step("confirms work", do, effects)


@kind("disputes work", 1)
def dispute_work(world: World, session: Session) -> Step | None:
    trips = [each for each in begun(world, session) if recorded(session, each)]
    trip = world.pick(trips)
    record = work.get_record(session, trip) if trip else None
    if trip is None or record is None or record.open_disputes:
        return None
    household = record.parts[0].household
    reason = world.name("wrong")

    def do(now: datetime) -> None:
        work.dispute(world.village.id, trip, household, reason, world.member, now)

    return Step("disputes work", do, counting(WorkDispute.reason == reason, of=WorkDispute))


@kind("answers about work", 4)
def answer_work(world: World, session: Session) -> Step | None:
    [line, *_] = work.list_open_disputes(session, world.village.id) or [None]
    if line is None:
        return None

    def do(now: datetime) -> None:
        work.answer(world.village.id, line.id, "we looked", world.treasurer, now)

    return Step("answers about work", do, counting(WorkAnswer.dispute_id == line.id, of=WorkAnswer))


@kind("settles", 9)
def settle(world: World, session: Session) -> Step | None:
    for trip in begun(world, session):
        try:
            previewed = services.preview_settlement(world.village.id, trip).fingerprint
        except CbtError:
            continue
        break
    else:
        return None

    def do(now: datetime) -> None:
        services.settle(world.village.id, trip, previewed, world.coordinator, now)

    return Step("settles", do, counting(Settlement.departure_id == trip, of=Settlement))


@kind("calls a trip off", 1)
def call_trip_off(world: World, session: Session) -> Step | None:
    trip = world.pick(
        session.scalars(
            select(Departure.id)
            .join(Booking, Booking.departure_id == Departure.id)
            .where(
                Departure.begins_at > world.now + timedelta(days=1),
                Departure.state == DepartureState.OPEN,
                Booking.state == BookingState.CONFIRMED,
            )
            .distinct()
            .order_by(Departure.id)
        ).all()
    )
    if trip is None:
        return None

    def do(now: datetime) -> None:
        call_off.call_off(world.village.id, trip, EndReason.WEATHER, now)

    is_off = (Departure.id == trip) & (Departure.state == DepartureState.CALLED_OFF)
    return Step("calls a trip off", do, counting(is_off, of=Departure))


@kind("checks in", 2)
def check_in(world: World, session: Session) -> Step | None:
    reference = on_the_trip(world, session)
    if reference is None:
        return None
    key, at = world.name("scan"), world.now
    scan = Scan(key, reference, "phone", 1, at)

    def do(now: datetime) -> None:
        arrivals.take_scans(world.village.id, [scan], world.coordinator, now)

    return Step("checks in", do, counting(CheckIn.key == key, of=CheckIn))


@kind("notes a no-show", 1)
def note_no_show(world: World, session: Session) -> Step | None:
    reference = on_the_trip(world, session)
    if reference is None:
        return None
    booking_id = session.scalar(select(Booking.id).where(Booking.reference == reference))

    def do(now: datetime) -> None:
        coordinator = world.coordinator
        arrivals.note_no_show(world.village.id, reference, "rain", coordinator, now)

    return Step("notes a no-show", do, counting(NoShow.booking_id == booking_id, of=NoShow))


def on_the_trip(world: World, session: Session) -> str | None:
    """A booking whose trip has begun and of which nobody said whether they came."""
    told = (
        select(CheckIn.booking_id).where(CheckIn.booking_id == Booking.id).exists()
        | select(NoShow.booking_id).where(NoShow.booking_id == Booking.id).exists()
    )
    return world.pick(
        session.scalars(
            select(Booking.reference)
            .join(Departure, Departure.id == Booking.departure_id)
            .where(Booking.state == BookingState.CONFIRMED, Departure.begins_at <= world.now, ~told)
            .order_by(Booking.id)
        ).all()
    )


# --- money by hand -------------------------------------------------------------------------------


@kind("takes cash", 5)
def take_cash(world: World, session: Session) -> Step | None:
    promised = attempts(session, "cash", AttemptState.REPORTED)
    bookings = [each.booking_id for each in promised]
    if not bookings or world.happens(0.2):
        bookings = list(
            session.scalars(
                select(Booking.id).where(
                    Booking.state == BookingState.HELD,
                    Booking.held_until > world.now + timedelta(minutes=3),
                    Booking.guest_name.is_not(None),
                )
            )
        )
    booking_id = world.pick(sorted(bookings))
    if booking_id is None:
        return None
    reference = str(session.scalar(select(Booking.reference).where(Booking.id == booking_id)))
    of_booking = select(Attempt.id).where(Attempt.booking_id == booking_id)
    before = counting(CashTaken.attempt_id.in_(of_booking), of=CashTaken)(session)

    def do(now: datetime) -> None:
        cash.take_cash(world.village.id, reference, world.coordinator, now, world.providers)

    def effects(session: Session) -> int:
        taken = counting(CashTaken.attempt_id.in_(of_booking), of=CashTaken)(session) - before
        cash_of = (Capture.booking_id == booking_id) & (Capture.provider == "cash")
        booked = counting(cash_of, of=Capture)(session) - before
        assert booked <= taken, reference
        return taken

    return Step("takes cash", do, effects)


@kind("confirms a transfer", 4)
def confirm_transfer(world: World, session: Session) -> Step | None:
    attempt = world.pick(attempts(session, "promptpay", AttemptState.REPORTED))
    if attempt is None:
        return None
    attempt_id, reference = attempt.id, world.name("KTB")

    def do(now: datetime) -> None:
        village, providers = world.village.id, world.providers
        for person_id in (world.treasurer, world.second):
            if transfers.confirm_transfer(village, attempt_id, reference, person_id, now):
                break
        take_in.take_in(attempt_id, providers, now)

    booked = counting(Capture.attempt_id == attempt_id, of=Capture)
    return Step("confirms a transfer", do, booked, in_parts=True)


@kind("counts the cash", 2)
def count_cash(world: World, session: Session) -> Step | None:
    waiting = (CashCount.agreed_at.is_(None), CashCount.dismissed_at.is_(None))
    if counting(*waiting, of=CashCount)(session) > 1:
        return None
    in_box = balances(session, world.card.book_id)["payment:cash"]
    counted = max(0, in_box + world.chance.choice((0, 0, 0, 2_000, -1_000)))
    note = world.name("count")

    def do(now: datetime) -> None:
        cash_box.count_cash(world.village.id, counted, note, world.treasurer, now)

    world.soon_perhaps("agrees to a count")
    is_waiting = (CashCount.note == note, CashCount.dismissed_at.is_(None))
    return Step("counts the cash", do, counting(*is_waiting, of=CashCount))


@kind("agrees to a count", 2)
def agree_count(world: World, session: Session) -> Step | None:
    count_id = waiting_count(session)
    if count_id is None:
        return None

    def do(now: datetime) -> None:
        cash_box.agree_count(world.village.id, count_id, world.second, now)

    agreed = (CashCount.id == count_id) & CashCount.agreed_at.is_not(None)
    return Step("agrees to a count", do, counting(agreed, of=CashCount))


def waiting_count(session: Session) -> int | None:
    return session.scalar(
        select(CashCount.id)
        .where(CashCount.agreed_at.is_(None), CashCount.dismissed_at.is_(None))
        .order_by(CashCount.id.desc())
        .limit(1)
    )


@kind("sets a count aside", 1)
def dismiss_count(world: World, session: Session) -> Step | None:
    count_id = waiting_count(session)
    if count_id is None:
        return None

    def do(now: datetime) -> None:
        cash_box.dismiss_count(world.village.id, count_id, now)

    dismissed = (CashCount.id == count_id) & CashCount.dismissed_at.is_not(None)
    return Step("sets a count aside", do, counting(dismissed, of=CashCount))


@kind("brings cash to the bank", 2)
def bank_cash(world: World, session: Session) -> Step | None:
    in_box = balances(session, world.card.book_id)["payment:cash"]
    if in_box < 30_000:
        return None
    amount, reference = in_box // 2, world.name("BOX")

    def do(now: datetime) -> None:
        cash_box.bank_cash(world.village.id, amount, reference, world.treasurer, now)

    return Step(
        "brings cash to the bank",
        do,
        counting(CashBanked.bank_reference == reference, of=CashBanked),
    )


@kind("sees cash in the bank", 3)
def see_banked(world: World, session: Session) -> Step | None:
    cleared = select(CashCleared.banked_id)
    banked_id = session.scalar(
        select(CashBanked.id).where(CashBanked.id.not_in(cleared)).order_by(CashBanked.id).limit(1)
    )
    if banked_id is None:
        return None
    is_back = world.happens(0.2)

    def do(now: datetime) -> None:
        cash_box.decide_banked(world.village.id, banked_id, world.second, now, is_back=is_back)

    return Step(
        "sees cash in the bank", do, counting(CashCleared.banked_id == banked_id, of=CashCleared)
    )


# --- refunds -------------------------------------------------------------------------------------


def asking_goodwill(world: World, session: Session, name: str, state: BookingState) -> Step | None:
    row = world.pick(
        session.execute(
            select(Booking.id, Booking.reference).where(Booking.state == state).order_by(Booking.id)
        ).all()
    )
    if row is None:
        return None
    booking_id, reference = row
    amount = world.chance.choice((1_000, 1_000, APPROVED_FROM)) + 7 * next(world.numbers)
    since = world.now
    wanted = Goodwill(amount_satang=amount)
    try:
        quoted = goodwill.quote_goodwill(world.village.id, reference, wanted, world.now)
    except CbtError:
        return None

    def do(now: datetime) -> None:
        treasurer = world.treasurer
        goodwill.ask_goodwill(world.village.id, reference, wanted, quoted, treasurer, now)

    def effects(session: Session) -> int:
        """No other asking has this amount, though it may be taken from two payments.

        What a dispute paid and the bank then took back is owed anew, much later.
        """
        asked = (
            Refund.booking_id == booking_id,
            Refund.reason == RefundReason.GOODWILL,
            Refund.requested_at.between(since, since + timedelta(hours=1)),
        )
        sums = select(func.sum(Refund.amount_satang)).where(*asked).group_by(Refund.requested_at)
        return list(session.scalars(sums)).count(amount)

    return Step(name, do, effects)


@kind("asks for goodwill", 3)
def ask_goodwill(world: World, session: Session) -> Step | None:
    return asking_goodwill(world, session, "asks for goodwill", BookingState.CONFIRMED)


@kind("asks for goodwill after the sharing-out", 4)
def ask_goodwill_late(world: World, session: Session) -> Step | None:
    name = "asks for goodwill after the sharing-out"
    return asking_goodwill(world, session, name, BookingState.SETTLED)


def refund_in(world: World, session: Session, *conditions: Condition) -> Refund | None:
    return world.pick(
        session.scalars(select(Refund).where(*conditions).order_by(Refund.id).limit(5)).all()
    )


def deciding(refund_id: int, name: str, wanted: RefundState, do: Deed) -> Step:
    """A refund's decision: what was agreed to goes on at once, and is then anything but requested."""

    def effects(session: Session) -> int:
        state = session.scalar(select(Refund.state).where(Refund.id == refund_id))
        return int(state not in (RefundState.REQUESTED, *_BUT[wanted]))

    return Step(name, do, effects)


_BUT = {
    RefundState.APPROVED: (RefundState.CANCELLED,),
    RefundState.CANCELLED: (RefundState.APPROVED,),
}


@kind("agrees to a refund", 5)
def approve_refund(world: World, session: Session) -> Step | None:
    refund = refund_in(world, session, Refund.state == RefundState.REQUESTED)
    if refund is None:
        return None
    refund_id, person_id = refund.id, world.other_than(refund.requested_by)

    def do(now: datetime) -> None:
        give_back.approve_refund(world.village.id, refund_id, person_id, now)

    return deciding(refund_id, "agrees to a refund", RefundState.APPROVED, do)


@kind("refuses goodwill", 1)
def refuse_goodwill(world: World, session: Session) -> Step | None:
    asked = (Refund.state == RefundState.REQUESTED, Refund.reason == RefundReason.GOODWILL)
    refund = refund_in(world, session, *asked)
    if refund is None:
        return None
    refund_id, person_id = refund.id, world.other_than(refund.requested_by)

    def do(_now: datetime) -> None:
        give_back.cancel_refund(world.village.id, refund_id, person_id)

    return deciding(refund_id, "refuses goodwill", RefundState.CANCELLED, do)


@kind("gives money back by hand", 4)
def refund_by_hand(world: World, session: Session) -> Step | None:
    itself = select(Capture.id).where(Capture.provider == "stripe")
    waits = (Refund.state == RefundState.APPROVED) & Refund.capture_id.not_in(itself)
    refund = refund_in(world, session, (Refund.state == RefundState.FAILED) | waits)
    if refund is None:
        return None
    refund_id, proof = refund.id, world.name("BACK")

    def do(now: datetime) -> None:
        give_back.note_refund_made(
            world.village.id, refund_id, proof, world.treasurer, world.providers, now
        )

    is_made = (Refund.id == refund_id) & (Refund.proof == proof)
    return Step("gives money back by hand", do, counting(is_made, of=Refund))


@kind("sends evidence", 2)
def send_evidence(world: World, session: Session) -> Step | None:
    dispute_id = session.scalar(
        select(Dispute.id).where(Dispute.state == DisputeState.OPEN, Dispute.submitted_at.is_(None))
    )
    if dispute_id is None:
        return None

    def do(now: datetime) -> None:
        village, providers = world.village.id, world.providers
        disputes.submit_evidence(village, dispute_id, "they came", providers, world.treasurer, now)

    is_sent = (Dispute.id == dispute_id) & Dispute.submitted_at.is_not(None)
    return Step("sends evidence", do, counting(is_sent, of=Dispute))


# --- the work list -------------------------------------------------------------------------------


@kind("works off the list", 4)
def work_off_list(world: World, session: Session) -> Step | None:
    items = list_open_work(session, world.village.id)
    item = world.pick([each for each in items if can_be_noted(each.kind, each.facts)])
    if item is None:
        return None
    item_id = item.id

    def do(now: datetime) -> None:
        close_work(world.village.id, item_id, "we looked", world.treasurer, now)

    is_closed = (WorkItem.id == item_id) & WorkItem.closed_at.is_not(None)
    return Step("works off the list", do, counting(is_closed, of=WorkItem))


@kind("explains money", 4)
def explain_money(world: World, session: Session) -> Step | None:
    moved = select(SuspenseMove.transaction_id)
    row_id = session.scalar(
        select(ProviderTransaction.id)
        .where(ProviderTransaction.suspense_satang != 0, ProviderTransaction.id.not_in(moved))
        .order_by(ProviderTransaction.id)
        .limit(1)
    )
    if row_id is None:
        return None
    proof = world.name("SLIP")

    def do(now: datetime) -> None:
        how, treasurer = Clearing.RETURNED, world.treasurer
        transactions.clear_suspense(world.village.id, row_id, how, proof, treasurer, now)

    return Step(
        "explains money", do, counting(SuspenseMove.transaction_id == row_id, of=SuspenseMove)
    )
