"""What providers tell us: stored once as it came, answered at once, worked off by asking anew.

A message is only a hint. What it is about is fetched from the provider, so messages may come late,
twice, in any order or not at all.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from cbt.db import db, transaction
from cbt.errors import EventRefused, MethodClosed
from cbt.payments import queries
from cbt.payments.disputes import take_in_dispute
from cbt.payments.give_back import take_in_refund
from cbt.payments.models import Attempt, Capture, PaymentAccount
from cbt.payments.payouts import take_in_payouts
from cbt.payments.provider import About, Event, Providers, TellingProvider
from cbt.payments.reported import InboxEvent, InboxState, WorkKind
from cbt.payments.take_in import take_in
from cbt.payments.transactions import list_accounts
from cbt.payments.work import close_work_about, open_work

log = logging.getLogger("cbt.payments")

MOST_TRIES = 8
KEEP_BODIES = timedelta(days=30)
"""How long the text of an event is kept once it was worked off; a provider lists its own as long."""
_FIRST_PAUSE = timedelta(seconds=30)
_AT_ONCE = 100


# --- receiving -----------------------------------------------------------------------------------


def receive(
    name: str, body: bytes, headers: Mapping[str, str], providers: Providers, now: datetime
) -> bool:
    """Store a message that a provider sent; return whether it is new. Nothing else happens yet.

    Raises MethodClosed for a provider that sends none here, EventRefused for what is not signed by
    it, too old, of the future, of the other mode, or about an account that is none of ours.
    """
    event = get_telling(name, providers).read_event(body, headers, now)
    if _find_account(name, event.account) is None:
        raise EventRefused(problem="account")
    return store_event(name, event, body, now)


def get_telling(name: str, providers: Providers) -> TellingProvider:
    """The provider, if it is one that tells us. Raises MethodClosed."""
    provider = providers.get(name)
    if provider is None or not provider.capabilities.tells_us:
        raise MethodClosed(method=name)
    return provider  # type: ignore[return-value]  # its capability says that it has the methods


def store_event(name: str, event: Event, body: bytes, now: datetime) -> bool:
    """Store an event once, whoever brings it; return whether it was new."""
    values = {
        "provider": name,
        "account": event.account,
        "event_id": event.id,
        "kind": event.kind,
        "about": event.about,
        "object_id": event.object_id,
        "api_version": event.api_version,
        "created_at": event.created_at,
        "received_at": now,
        "body": body,
        "state": InboxState.RECEIVED,
        "tries": 0,
        "try_at": now,
    }
    try:
        with transaction() as session:
            known = select(InboxEvent.id).where(
                InboxEvent.provider == name,
                InboxEvent.account == event.account,
                InboxEvent.event_id == event.id,
            )
            if session.scalar(known) is not None:
                return False
            session.execute(insert(InboxEvent), values)
    except IntegrityError:  # the same message came twice at the same moment
        return False
    return True


# --- working off ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Waiting:
    """An event to work off."""

    id: int
    provider: str
    account: str
    about: str
    object_id: str
    tries: int


@dataclass(frozen=True)
class _Place:
    """The community's account that an event is about."""

    id: int
    community_id: int
    receiver: dict[str, str]


def work_off(providers: Providers, now: datetime) -> int:
    """Work off the events whose time has come, the oldest first. Returns how many were done.

    One that fails is tried again after a pause that doubles; after MOST_TRIES a person must look.
    """
    session = db.session()
    rows = session.execute(
        select(*(getattr(InboxEvent, name) for name in _Waiting.__annotations__))
        .where(InboxEvent.state == InboxState.RECEIVED, InboxEvent.try_at <= now)
        .order_by(InboxEvent.id)
        .limit(_AT_ONCE)
    ).all()
    session.rollback()
    return sum(_work_off(_Waiting(*row), providers, now) for row in rows)


def _work_off(event: _Waiting, providers: Providers, now: datetime) -> bool:
    try:
        concerns_us = _handle(event, providers, now)
    except Exception as error:  # one message's trouble must not hold up the others
        log.warning("event %s cannot be worked off: %s", event.id, type(error).__name__)
        _put_off(event, type(error).__name__, now)
        return False
    state = InboxState.DONE if concerns_us else InboxState.IGNORED
    with transaction() as session:
        session.execute(
            update(InboxEvent)
            .where(InboxEvent.id == event.id, InboxEvent.state == InboxState.RECEIVED)
            .values(state=state, tries=event.tries + 1, problem=None)
        )
        close_work_about(session, _key(event), str(state), now)
    return True


def _put_off(event: _Waiting, problem: str, now: datetime) -> None:
    tries = event.tries + 1
    is_given_up = tries >= MOST_TRIES
    place = _find_account(event.provider, event.account)
    with transaction() as session:
        session.execute(
            update(InboxEvent)
            .where(InboxEvent.id == event.id, InboxEvent.state == InboxState.RECEIVED)
            .values(
                state=InboxState.FAILED if is_given_up else InboxState.RECEIVED,
                tries=tries,
                try_at=now + _FIRST_PAUSE * 2**event.tries,
                problem=problem,
            )
        )
        if is_given_up:
            facts = {"provider": event.provider, "object": event.object_id, "problem": problem}
            community_id = place.community_id if place else None
            open_work(session, WorkKind.EVENT_FAILED, _key(event), community_id, facts, now)


def try_again(community_id: int, event_id: int, providers: Providers, now: datetime) -> bool:
    """A person asks that an event which was given up be tried once more; return whether it worked."""
    row = db.session.execute(
        select(*(getattr(InboxEvent, name) for name in _Waiting.__annotations__)).where(
            InboxEvent.id == event_id, InboxEvent.state == InboxState.FAILED
        )
    ).one_or_none()
    db.session.rollback()
    if row is None:
        return False
    event = _Waiting(*row)
    place = _find_account(event.provider, event.account)
    if place is None or place.community_id != community_id:
        return False
    with transaction() as session:
        session.execute(
            update(InboxEvent)
            .where(InboxEvent.id == event_id, InboxEvent.state == InboxState.FAILED)
            .values(state=InboxState.RECEIVED)
        )
    return _work_off(event, providers, now)


def forget_bodies(now: datetime) -> int:
    """Empty what came of events that were worked off a while ago: it names guests. Returns how many."""
    with transaction() as session:
        done = session.execute(
            update(InboxEvent)
            .where(
                InboxEvent.state.in_((InboxState.DONE, InboxState.IGNORED)),
                InboxEvent.received_at < now - KEEP_BODIES,
                InboxEvent.body != b"",
            )
            .values(body=b"")
            .returning(InboxEvent.id)
        )
        return len(done.all())


def _key(event: _Waiting) -> str:
    return f"event:{event.id}"


# --- what an event is about ----------------------------------------------------------------------


def _handle(event: _Waiting, providers: Providers, now: datetime) -> bool:
    """Ask anew about what an event names; return whether it concerns us."""
    place = _find_account(event.provider, event.account)
    handle = _HANDLERS.get(About(event.about))
    if place is None or handle is None:
        return False
    return handle(event, place, providers, now)


def _about_attempt(event: _Waiting, place: _Place, providers: Providers, now: datetime) -> bool:
    return _take_in_ref(event.object_id, place, providers, now)


def _about_payment(event: _Waiting, place: _Place, providers: Providers, now: datetime) -> bool:
    """Its attempt by what we captured, else by what the provider knows."""
    attempt_id = db.session.scalar(
        select(Capture.attempt_id).where(
            Capture.provider == event.provider, Capture.payment_id == event.object_id
        )
    )
    db.session.rollback()
    if attempt_id is not None:
        take_in(attempt_id, providers, now)
        return True
    provider = get_telling(event.provider, providers)
    reference = provider.attempt_ref_of(place.receiver, event.object_id)
    return reference is not None and _take_in_ref(reference, place, providers, now)


def _take_in_ref(reference: str, place: _Place, providers: Providers, now: datetime) -> bool:
    attempt_id = db.session.scalar(
        select(Attempt.id).where(
            Attempt.provider_ref == reference, Attempt.payment_account_id == place.id
        )
    )
    db.session.rollback()
    if attempt_id is None:
        return False
    take_in(attempt_id, providers, now)
    return True


def _about_refund(event: _Waiting, _place: _Place, providers: Providers, now: datetime) -> bool:
    """One that we asked for; others, made at the provider itself, show among its movements."""
    refund_id = queries.find_refund_by_ref(db.session(), event.provider, event.object_id)
    db.session.rollback()
    if refund_id is None:
        return False
    take_in_refund(refund_id, providers, now)
    return True


def _about_dispute(event: _Waiting, place: _Place, providers: Providers, now: datetime) -> bool:
    provider = get_telling(event.provider, providers)
    told = provider.fetch_dispute(place.receiver, event.object_id)
    return told is not None and take_in_dispute(place.id, told, now) is not None


def _about_payout(event: _Waiting, place: _Place, providers: Providers, now: datetime) -> bool:
    """The payout itself; whether its movements sum to it is for the reconciliation."""
    provider = get_telling(event.provider, providers)
    account = next((each for each in list_accounts(providers) if each.id == place.id), None)
    if account is None:
        return False
    take_in_payouts(account, [provider.fetch_payout(place.receiver, event.object_id)], now)
    return True


_Handler = Callable[[_Waiting, _Place, Providers, datetime], bool]
_HANDLERS: dict[About, _Handler] = {
    About.ATTEMPT: _about_attempt,
    About.PAYMENT: _about_payment,
    About.REFUND: _about_refund,
    About.DISPUTE: _about_dispute,
    About.PAYOUT: _about_payout,
}


def _find_account(provider: str, account: str) -> _Place | None:
    """The payment account that a provider's account id means; "" is the installation's own."""
    rows = db.session.execute(
        select(PaymentAccount.id, PaymentAccount.community_id, PaymentAccount.receiver).where(
            PaymentAccount.provider == provider
        )
    ).all()
    db.session.rollback()
    found = (_Place(*row) for row in rows if (row.receiver or {}).get("account", "") == account)
    return next(found, None)
