"""Where a community's money goes: proposed by one person, agreed to by another, and only then changed.

The old account stays in use until then. Each writes under the community's lock, so that of two who
decide at once the second finds it decided.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cbt.communities.services import lock_community
from cbt.db import db, transaction
from cbt.errors import (
    AccountChanged,
    AccountInUse,
    AccountTaken,
    CbtError,
    NameTaken,
    NotAllowed,
    NotFound,
    ProposalWaits,
    ProviderDown,
    ReasonMissing,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.i18n import Localized
from cbt.notices.services import queue
from cbt.payments import accounts, queries
from cbt.payments.account_rules import (
    LAPSES_AFTER,
    ProposalState,
    is_waiting,
    moves_money,
    takes_effect_alone_at,
)
from cbt.payments.models import AccountProposal, PaymentAccount
from cbt.payments.provider import Provider, Providers
from cbt.payments.records import CASH
from cbt.people.queries import list_money_people

log = logging.getLogger("cbt.payments")

_OPEN = AccountProposal.state == ProposalState.PROPOSED


# --- proposing -----------------------------------------------------------------------------------


def open_account(
    community_id: int,
    provider: Provider,
    receiver: Mapping[str, str],
    receiver_name: Localized,
    person_id: int,
    now: datetime,
) -> bool:
    """Let a community be paid in a way that is new to it. False: it waits for a second person.

    Raises what `accounts.add_account` does, or ProposalWaits; and then writes nothing.
    """
    after = _told(receiver, receiver_name)
    with accounts.one_owner(), transaction() as session:
        lock_community(session, community_id)
        _require_none_waiting(session, community_id, provider.name, now)
        if queries.find_method(session, community_id, provider.name) is not None:
            raise NameTaken(code=provider.name)
        if not _moves(provider, None, receiver):
            account = accounts.add_account(session, community_id, provider, receiver, receiver_name)
            accounts.note_change(session, account, {}, person_id, now)
            return True
        accounts.require_openable(session, community_id, provider, receiver)
        _propose(session, community_id, provider.name, {}, after, person_id, now)
        return False


def change_account(
    community_id: int,
    provider: Provider,
    receiver: Mapping[str, str],
    receiver_name: Localized,
    person_id: int,
    now: datetime,
) -> bool:
    """Let later payments go to another receiver, or under another name. False: it waits.

    Raises what `accounts.replace_account` does, or ProposalWaits; and then writes nothing.
    """
    after = _told(receiver, receiver_name)
    with accounts.one_owner(), transaction() as session:
        lock_community(session, community_id)
        account = accounts.get_account(session, community_id, provider.name)
        _require_none_waiting(session, community_id, provider.name, now)
        before = _told(account.receiver, account.receiver_name)
        if not _moves(provider, account.receiver, receiver):
            _replace(session, account, provider, after, person_id, now)
            return True
        accounts.require_replaceable(session, account, provider, receiver)
        _propose(session, community_id, provider.name, before, after, person_id, now)
        return False


def _told(receiver: Mapping[str, str], name: Localized) -> dict[str, Any]:
    """What somebody who is to agree must see."""
    return {"receiver": dict(receiver), "receiver_name": dict(name)}


def _moves(provider: Provider, before: Mapping[str, str] | None, after: Mapping[str, str]) -> bool:
    return moves_money(before, dict(after), stays=stays_here(provider))


def stays_here(provider: Provider) -> bool:
    """Whether what guests pay this way cannot be sent elsewhere: cash in the box, pretended money."""
    return provider.name == CASH or provider.capabilities.is_pretended


def _require_none_waiting(
    session: Session, community_id: int, provider: str, now: datetime
) -> None:
    """Raise ProposalWaits; one whose time is over makes room."""
    for waiting in session.scalars(
        select(AccountProposal).where(
            AccountProposal.community_id == community_id,
            AccountProposal.provider == provider,
            _OPEN,
        )
    ):
        if is_waiting(waiting.state, waiting.proposed_at, now):
            raise ProposalWaits
        _decide(session, waiting, ProposalState.LAPSED, None, now)


def _propose(
    session: Session,
    community_id: int,
    provider: str,
    before: dict[str, Any],
    after: dict[str, Any],
    person_id: int,
    now: datetime,
) -> None:
    proposal = AccountProposal(
        community_id=community_id,
        provider=provider,
        before=before,
        after=after,
        proposed_by=person_id,
        proposed_at=now,
        state=ProposalState.PROPOSED,
    )
    session.add(proposal)
    session.flush()
    _tell(session, proposal, "account_proposed", now)


# --- deciding ------------------------------------------------------------------------------------


def approve_change(
    community_id: int, proposal_id: int, person_id: int, providers: Providers, now: datetime
) -> None:
    """Another person agrees: the money goes there from now on.

    Raises NotFound, SecondPersonNeeded for who proposed it, StateForbids when it does not wait any
    more, AccountChanged when the account is not the one that it was to replace, AccountInUse or
    AccountTaken; and then writes nothing.
    """
    with accounts.one_owner(), transaction() as session:
        proposal = _lock(session, community_id, proposal_id)
        _require_waiting(proposal, ProposalState.APPROVED, now)
        if proposal.proposed_by == person_id:
            raise SecondPersonNeeded
        _put_into_effect(session, proposal, ProposalState.APPROVED, person_id, providers, now)
        provider = proposal.provider
    _try_out(community_id, provider, providers, now)


def refuse_change(
    community_id: int, proposal_id: int, reason: str, person_id: int, now: datetime
) -> None:
    """Another person does not agree, and writes why. Raises NotFound, ReasonMissing, StateForbids,
    SecondPersonNeeded for who proposed it: that is to withdraw it.
    """
    if not reason.strip():
        raise ReasonMissing
    with transaction() as session:
        proposal = _lock(session, community_id, proposal_id)
        _require_waiting(proposal, ProposalState.REFUSED, now)
        if proposal.proposed_by == person_id:
            raise SecondPersonNeeded
        _decide(session, proposal, ProposalState.REFUSED, person_id, now, reason.strip())


def withdraw_change(
    community_id: int, proposal_id: int, reason: str, person_id: int, now: datetime
) -> None:
    """Who proposed it does not want it any more. Raises NotFound, NotAllowed, StateForbids."""
    with transaction() as session:
        proposal = _lock(session, community_id, proposal_id)
        _require_waiting(proposal, ProposalState.WITHDRAWN, now)
        if proposal.proposed_by != person_id:
            raise NotAllowed
        _decide(session, proposal, ProposalState.WITHDRAWN, person_id, now, reason.strip())


def settle_proposals(providers: Providers, now: datetime) -> int:
    """Put into effect what nobody else could agree to and has waited, and let the old lapse.

    Returns how many took effect.
    """
    found = db.session.execute(
        select(AccountProposal.id, AccountProposal.community_id, AccountProposal.provider)
        .where(_OPEN)
        .order_by(AccountProposal.id)
    ).all()
    db.session.rollback()
    done = 0
    for proposal_id, community_id, provider in found:
        if _settle(proposal_id, community_id, providers, now):
            done += 1
            _try_out(community_id, provider, providers, now)
    return done


def _settle(proposal_id: int, community_id: int, providers: Providers, now: datetime) -> bool:
    try:
        with accounts.one_owner(), transaction() as session:
            proposal = _lock(session, community_id, proposal_id)
            if proposal.state != ProposalState.PROPOSED:
                return False
            if now >= proposal.proposed_at + LAPSES_AFTER:
                _decide(session, proposal, ProposalState.LAPSED, None, now)
                return False
            people = [each.id for each in list_money_people(session, community_id)]
            at = takes_effect_alone_at(proposal.proposed_at, proposal.proposed_by, people)
            if at is None or now < at:
                return False
            _put_into_effect(session, proposal, ProposalState.ALONE, None, providers, now)
            return True
    except (AccountChanged, AccountInUse, AccountTaken, NameTaken, NotFound) as error:
        _give_up(proposal_id, community_id, error, now)
        return False


def _give_up(proposal_id: int, community_id: int, error: CbtError, now: datetime) -> None:
    """It can never take effect: another community's account, or one that was used meanwhile."""
    log.warning("account proposal %s cannot take effect: %s", proposal_id, type(error).__name__)
    with transaction() as session:
        proposal = _lock(session, community_id, proposal_id)
        if proposal.state == ProposalState.PROPOSED:
            _decide(session, proposal, ProposalState.LAPSED, None, now)


def _lock(session: Session, community_id: int, proposal_id: int) -> AccountProposal:
    lock_community(session, community_id)
    proposal = session.get(AccountProposal, proposal_id, populate_existing=True)
    if proposal is None or proposal.community_id != community_id:
        raise NotFound(thing="proposal")
    return proposal


def _require_waiting(proposal: AccountProposal, wanted: ProposalState, now: datetime) -> None:
    if not is_waiting(proposal.state, proposal.proposed_at, now):
        raise StateForbids(thing="proposal", state=proposal.state, wanted=wanted)


def _put_into_effect(
    session: Session,
    proposal: AccountProposal,
    state: ProposalState,
    person_id: int | None,
    providers: Providers,
    now: datetime,
) -> None:
    provider = providers.get(proposal.provider)
    if provider is None:
        raise NotFound(thing="provider")
    after = proposal.after
    if proposal.before:
        account = accounts.get_account(session, proposal.community_id, proposal.provider)
        if _told(account.receiver, account.receiver_name) != proposal.before:
            raise AccountChanged
        _replace(session, account, provider, after, proposal.proposed_by, now, person_id)
    else:
        about = (proposal.community_id, provider, after["receiver"], after["receiver_name"])
        added = accounts.add_account(session, *about)
        accounts.note_change(session, added, {}, proposal.proposed_by, now, agreed_by=person_id)
    _decide(session, proposal, state, person_id, now)


def _replace(
    session: Session,
    account: PaymentAccount,
    provider: Provider,
    after: Mapping[str, Any],
    person_id: int,
    now: datetime,
    agreed_by: int | None = None,
) -> None:
    before = accounts.told(account)
    accounts.replace_account(session, account, provider, after["receiver"], after["receiver_name"])
    accounts.note_change(session, account, before, person_id, now, agreed_by=agreed_by)


def _decide(
    session: Session,
    proposal: AccountProposal,
    state: ProposalState,
    person_id: int | None,
    now: datetime,
    reason: str = "",
) -> None:
    proposal.state = state
    proposal.decided_by, proposal.decided_at, proposal.reason = person_id, now, reason
    session.flush()
    is_done = state in (ProposalState.APPROVED, ProposalState.ALONE)
    _tell(session, proposal, "account_changed" if is_done else "account_kept", now)


def _try_out(community_id: int, provider: str, providers: Providers, now: datetime) -> None:
    with suppress(ProviderDown):  # changed it is; the page says that it was not tried yet
        accounts.check_account(community_id, provider, providers, now)


# --- telling -------------------------------------------------------------------------------------


def _tell(session: Session, proposal: AccountProposal, kind: str, now: datetime) -> None:
    """Write to every person of the community with a money role who has a mail address."""
    for person in list_money_people(session, proposal.community_id):
        if person.mail:
            queue(
                session,
                key=f"{kind}:{proposal.id}:{person.id}",
                kind=kind,
                language=person.language,
                recipient=person.mail,
                facts={"proposal_id": proposal.id, "in_language": person.language},
                now=now,
            )
