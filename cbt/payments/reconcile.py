"""Reconciliation: what every provider says beside what is written down here, again and again.

It reaches by itself whatever events should have told us, so none of them needs to arrive. Every ten
minutes it looks back to what it knew last, once a day over thirty days. Where nothing is new, nothing
is written: a second round leaves no trace.
"""

import logging
from datetime import datetime, timedelta

from sqlalchemy import select

from cbt.communities.queries import get_community_by_id
from cbt.db import db
from cbt.errors import AnswerWrong, ProviderDown
from cbt.payments import inbox
from cbt.payments.bank_matching import list_confirmed_untaken
from cbt.payments.bank_watch import watch
from cbt.payments.disputes import take_in_dispute
from cbt.payments.models import Capture
from cbt.payments.payouts import check_payouts, list_paid, oldest_on_the_way, take_in_payouts
from cbt.payments.provider import (
    DisputeState,
    Event,
    NormalisedDispute,
    Providers,
    TellingProvider,
    Transaction,
    advance_dispute,
)
from cbt.payments.reported import Dispute, InboxEvent, StatementImport
from cbt.payments.take_in import look_up_unpaid_attempts, take_in
from cbt.payments.transactions import (
    Account,
    list_accounts,
    note_wrong_answer,
    take_in_transactions,
)
from cbt.payments.work import is_on_list

log = logging.getLogger("cbt.payments")

LOOKS_BACK = timedelta(days=30)
"""How far the daily round looks back, and how far the first round of an account does at most."""

OVERLAP = timedelta(days=1)
"""How far rounds overlap: a provider may list a movement a while after its time."""


def reconcile(providers: Providers, now: datetime, *, full: bool = False) -> int:
    """Compare with every provider that lists what happened. Returns how many accounts were gone through.

    One account's trouble is logged, without personal data, and does not stop the next one: it is
    gone through again in the next round, from where it was.
    """
    look_up_unpaid_attempts(providers, now, old=True)
    _look_into_statements(providers, now)
    done = 0
    for account in list_accounts(providers):
        try:
            reconcile_account(account, providers, now, full=full)
        except ProviderDown:
            log.warning("account %s cannot be reconciled now", account.id)
        except AnswerWrong as error:
            log.warning(
                "account %s cannot be reconciled: its provider's answer is wrong", account.id
            )
            problem = str(error.facts.get("problem", ""))
            facts = {"provider": account.provider, "name": "", "problem": problem}
            note_wrong_answer(account, f"account:{account.id}:{problem}", facts, now)
        except Exception:  # one account's trouble must not hide another's money
            log.exception("account %s cannot be reconciled", account.id)
        else:
            done += 1
        finally:
            db.session.rollback()
    return done


def _look_into_statements(providers: Providers, now: datetime) -> None:
    """Transfers that were confirmed reach the books; what the bank ought to show is missed."""
    for attempt_id in list_confirmed_untaken(db.session(), now - LOOKS_BACK):
        try:
            take_in(attempt_id, providers, now)
        except Exception:  # one payment's trouble must not hide another's
            log.exception("attempt %s cannot be taken in", attempt_id)
    communities = db.session.scalars(select(StatementImport.community_id).distinct()).all()
    for community_id in communities:
        try:
            watch(get_community_by_id(db.session(), community_id), now)
        except Exception:  # a damaged record of one community must not hide another's money
            log.exception("the statements of community %s cannot be searched", community_id)
        finally:
            db.session.rollback()


def reconcile_account(
    account: Account, providers: Providers, now: datetime, *, full: bool = False
) -> None:
    """Events, then disputes and payouts, then movements, which those explain; then payouts' sums.

    The order matters: what failed to be learned must not make a movement look unexplained.
    """
    provider = inbox.get_telling(account.provider, providers)
    since = window_start(account, now, full=full)
    if _store_undelivered(account, provider, since, now):
        inbox.work_off(providers, now)
    _take_in_disputes(account, provider, since, now)
    waiting_since = oldest_on_the_way(db.session(), account)
    db.session.rollback()
    payouts_since = since if waiting_since is None else min(since, waiting_since)
    take_in_payouts(account, provider.list_payouts(account.receiver, payouts_since), now)
    listed = provider.list_transactions(account.receiver, since, now)
    _take_in_returned_payouts(account, provider, listed, now)
    take_in_transactions(account, listed, provider, providers, now)
    check_payouts(account, provider, providers, now)


def window_start(account: Account, now: datetime, *, full: bool) -> datetime:
    """From when on movements are listed: never from before anybody tried to pay there."""
    if account.reconciled_until is None:  # however long ago: nothing is known of any day yet
        return account.first_attempt_at
    start = account.reconciled_until - OVERLAP
    return max(min(start, now - LOOKS_BACK) if full else start, account.first_attempt_at)


def _store_undelivered(
    account: Account, provider: TellingProvider, since: datetime, now: datetime
) -> int:
    """Events that did not reach us go into the inbox. Returns how many were new."""
    events = provider.list_undelivered(account.receiver, since)
    known = _list_known_events(account, [event for event, _body in events])
    return sum(
        inbox.store_event(account.provider, event, body, now)
        for event, body in events
        if event.id not in known
    )


def _list_known_events(account: Account, events: list[Event]) -> set[str]:
    found = db.session.scalars(
        select(InboxEvent.event_id).where(
            InboxEvent.provider == account.provider,
            InboxEvent.event_id.in_([event.id for event in events]),
        )
    )
    known = set(found)
    db.session.rollback()
    return known


def _take_in_returned_payouts(
    account: Account, provider: TellingProvider, listed: list[Transaction], now: datetime
) -> None:
    """Payouts that a movement shows to be back: a bank may refuse one long after it was paid."""
    back = {each.source_id for each in listed if each.amount_satang > 0}
    for payout_id in list_paid(db.session(), account, back):
        db.session.rollback()
        take_in_payouts(account, [provider.fetch_payout(account.receiver, payout_id)], now)
    db.session.rollback()


def _take_in_disputes(
    account: Account, provider: TellingProvider, since: datetime, now: datetime
) -> None:
    """What payers' banks dispute: what the provider lists, and those that are not decided yet."""
    told = {each.provider_ref: each for each in provider.list_disputes(account.receiver, since)}
    for provider_ref in _list_undecided(account):
        if provider_ref not in told:
            found = provider.fetch_dispute(account.receiver, provider_ref)
            if found is not None:
                told[provider_ref] = found
    for each in told.values():
        if _is_news(each):
            take_in_dispute(account.id, each, now)


def _list_undecided(account: Account) -> list[str]:
    rows = db.session.scalars(
        select(Dispute.provider_ref)
        .join(Capture, Capture.id == Dispute.capture_id)
        .where(
            Dispute.community_id == account.community_id,
            Dispute.state == DisputeState.OPEN,
            Capture.provider == account.provider,
        )
    )
    found = list(rows)
    db.session.rollback()
    return found


def _is_news(told: NormalisedDispute) -> bool:
    """Whether a dispute is new, or says more than is written down."""
    known = db.session.execute(
        select(Dispute.state, Dispute.fee_satang, Dispute.evidence_until).where(
            Dispute.provider_ref == told.provider_ref
        )
    ).one_or_none()
    if known is None:
        is_new = not is_on_list(db.session(), f"dispute:{told.provider_ref}")
        db.session.rollback()
        return is_new
    db.session.rollback()
    state = DisputeState(known.state)
    if advance_dispute(state, told.state) != state:
        return True
    return state == DisputeState.OPEN and (
        (told.fee_satang > 0 and not known.fee_satang)
        or (told.evidence_until not in (None, known.evidence_until))
    )
