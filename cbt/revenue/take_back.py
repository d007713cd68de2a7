"""Letting shares bear what guests got back after the sharing-out, and putting mistakes right."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from cbt.bookings.models import Booking, Departure
from cbt.bookings.states import DepartureState
from cbt.clock import village_day
from cbt.communities import chart
from cbt.communities.queries import get_household, get_zone
from cbt.communities.services import lock_community
from cbt.db import db, find_same, transaction
from cbt.errors import (
    AccountUnknown,
    AmountInvalid,
    BalanceTooLow,
    CorrectionInvalid,
    FreeTooLow,
    NoteMissing,
    NotFound,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.ledger import queries as books
from cbt.ledger import services as ledger
from cbt.revenue import corrections, losses
from cbt.revenue.corrections import CorrectionState
from cbt.revenue.fund_queries import get_fund
from cbt.revenue.models import Correction, Recovery, TakeBack
from cbt.revenue.taking_back import (
    Borne,
    RecoveryFacts,
    RecoveryKind,
    bear,
    recovered_from_unpaid,
    recovery_draft,
    take_back_draft,
    take_back_input,
)

log = logging.getLogger("cbt.revenue")

_ACTOR = "revenue"
MOST_REASON = 500


def take_back_losses(now: datetime) -> int:
    """Let the shares of every booking bear what it lost since; return how many did.

    Safe to repeat. One whose fund has too little for its part waits until it has more.
    """
    done = 0
    for loss in losses.list_open_losses(db.session()):
        db.session.rollback()
        if loss.is_ready:
            try:
                done += take_back(loss.booking_id, now)
            except BalanceTooLow as error:
                log.warning("%s waits: %s has too little", loss.reference, error.facts["account"])
    return done


def take_back(booking_id: int, now: datetime) -> bool:
    """Let one booking's shares bear what it lost since; say whether there was anything.

    What a household must bear it owes, and pays at once out of what it was not paid yet. Raises
    BalanceTooLow where a fund cannot bear its part, and then writes nothing.
    """
    with transaction() as session:
        community_id = session.scalar(select(Booking.community_id).where(Booking.id == booking_id))
        if community_id is None:
            raise NotFound(thing="booking")
        book_id = lock_community(session, community_id)
        found = losses.list_open_losses(session, Booking.id == booking_id)
        if not found or not found[0].is_ready:
            return False
        zone = get_zone(session, community_id)
        facts = losses.next_take_back(session, found[0], zone, now)
        session.execute(
            insert(TakeBack),
            {
                "community_id": community_id,
                "booking_id": booking_id,
                "number": facts.number,
                "lost_satang": facts.lost_satang,
                "cost_satang": facts.cost_satang,
                "facts": take_back_input(facts),
                "found_at": now,
            },
        )
        ledger.post(session, book_id, take_back_draft(facts, _ACTOR), now)
        touched = [chart.household_of(each.account) for each in bear(facts)]
        _set_off(session, community_id, book_id, touched, f"booking:{facts.reference}", now)
        return True


def preview(
    session: Session, community_id: int, reference: str, amount_satang: int, now: datetime
) -> list[tuple[str, int]]:
    """Who would bear an amount that went back now, [(ledger account, satang)]; [] before the split."""
    row = session.execute(
        select(Booking.id, Booking.departure_id, Departure.state)
        .join(Departure, Departure.id == Booking.departure_id)
        .where(Booking.reference == reference, Booking.community_id == community_id)
    ).one_or_none()
    if row is None or row.state != DepartureState.SETTLED:
        return []
    waiting = losses.list_open_losses(session, Booking.id == row.id)
    loss = losses.Loss(row.id, reference, row.departure_id, amount_satang, 0, is_ready=True)
    zone = get_zone(session, community_id)
    if waiting:  # those before it come first
        both = replace(loss, lost_satang=amount_satang + waiting[0].lost_satang)
        facts = losses.next_take_back(session, both, zone, now)
        first = losses.next_take_back(session, waiting[0], zone, now)
        return _less(bear(facts), bear(first))
    return _less(bear(losses.next_take_back(session, loss, zone, now)), ())


def _less(borne: Iterable[Borne], before: Iterable[Borne]) -> list[tuple[str, int]]:
    """Amounts by account, less what another change takes of them."""
    amounts: dict[str, int] = {}
    for each in borne:
        amounts[each.account] = amounts.get(each.account, 0) + each.amount_satang
    for each in before:
        amounts[each.account] = amounts.get(each.account, 0) - each.amount_satang
    return [(account, amount) for account, amount in amounts.items() if amount]


def _set_off(
    session: Session,
    community_id: int,
    book_id: int,
    households: Iterable[str | None],
    about: str,
    now: datetime,
) -> None:
    """Pay what households owe out of what they were not paid yet. A step."""
    for code in sorted({code for code in households if code}):
        owed = ledger.lock_balance(session, book_id, chart.receivable(code))
        payable = ledger.lock_balance(session, book_id, chart.household(code))
        amount = recovered_from_unpaid(payable, owed)
        if amount:
            recover(session, community_id, book_id, code, RecoveryKind.UNPAID, amount, about, now)


def recover(
    session: Session,
    community_id: int,
    book_id: int,
    household: str,
    kind: RecoveryKind,
    amount_satang: int,
    about: str,
    now: datetime,
) -> None:
    """Move some of what a household earned into what it owes. A step.

    Raises BalanceTooLow for more than it owes or has earned.
    """
    recovery_id = session.execute(
        insert(Recovery).returning(Recovery.id),
        {
            "community_id": community_id,
            "household_id": get_household(session, community_id, household).id,
            "kind": kind,
            "amount_satang": amount_satang,
            "about": about,
            "recovered_at": now,
        },
    ).scalar_one()
    on = village_day(now, get_zone(session, community_id))
    facts = RecoveryFacts(recovery_id, household, kind, amount_satang, on)
    ledger.post(session, book_id, recovery_draft(facts, _ACTOR), now)


def _require_free(
    session: Session, community_id: int, book_id: int, correction: Correction
) -> None:
    """What a fund has promised or lent out is not there to be moved. Raises FreeTooLow."""
    kind, _, fund = correction.source.partition(":")
    if kind == "fund":
        free = get_fund(session, community_id, book_id, fund).free_satang
        if correction.amount_satang > free:
            raise FreeTooLow(free_satang=free)


# --- corrections ---------------------------------------------------------------------------------


def ask_correction(
    community_id: int,
    source: str,
    target: str,
    amount_satang: int,
    reason: str,
    concerns_on: date,
    person_id: int,
    now: datetime,
) -> int:
    """Ask for money to be moved between two accounts; another person decides. Return its id.

    The same form sent once more is the same correction.
    Raises AmountInvalid, NoteMissing without a reason, CorrectionInvalid for accounts between which
    people may not move money or a day that has not come, AccountUnknown; and then writes nothing.
    """
    if amount_satang <= 0:
        raise AmountInvalid(amount=amount_satang)
    if not reason.strip() or len(reason) > MOST_REASON or "\x00" in reason:
        raise NoteMissing
    if not corrections.may_be_corrected(source, target):
        raise CorrectionInvalid(problem="accounts")
    with transaction() as session:
        book_id = lock_community(session, community_id)
        if concerns_on > village_day(now, get_zone(session, community_id)):
            raise CorrectionInvalid(problem="day")
        known = books.balances(session, book_id)
        for account in (source, target):
            if account not in known:
                raise AccountUnknown(account=account)
        said = {
            "community_id": community_id,
            "source": source,
            "target": target,
            "amount_satang": amount_satang,
            "reason": reason.strip(),
            "concerns_on": concerns_on,
            "asked_by": person_id,
            "state": CorrectionState.ASKED,
        }
        same: int | None = find_same(session, Correction, "asked_at", now, **said)
        if same is not None:
            return same
        correction = Correction(**said, asked_at=now)
        session.add(correction)
        session.flush()
        return correction.id


def decide_correction(
    community_id: int, correction_id: int, person_id: int, now: datetime, *, agree: bool
) -> None:
    """Agree to a correction, which posts it, or refuse it; who asked may only withdraw it.

    Raises NotFound, StateForbids once it was decided, SecondPersonNeeded, or BalanceTooLow; and then
    writes nothing.
    """
    with transaction() as session:
        book_id = lock_community(session, community_id)
        correction = session.get(Correction, correction_id, populate_existing=True)
        if correction is None or correction.community_id != community_id:
            raise NotFound(thing="correction")
        wanted = CorrectionState.AGREED if agree else CorrectionState.REFUSED
        if correction.state != CorrectionState.ASKED:
            raise StateForbids(thing="correction", state=correction.state, wanted=wanted)
        if agree and correction.asked_by == person_id:
            raise SecondPersonNeeded
        correction.state, correction.decided_by, correction.decided_at = wanted, person_id, now
        session.flush()
        if not agree:
            return
        _require_free(session, community_id, book_id, correction)
        zone = get_zone(session, community_id)
        facts = losses.correction_facts(correction, zone)
        draft = corrections.correction_draft(facts, f"person:{person_id}")
        ledger.post(session, book_id, draft, now)
        owing = [chart.household_of(correction.source)]
        _set_off(session, community_id, book_id, owing, draft.subject, now)
