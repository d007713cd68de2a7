"""The ways in which a community is paid: opening, changing, ordering, closing, trying them out."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cbt.communities import chart
from cbt.communities.models import Community
from cbt.communities.services import lock_community
from cbt.db import db, transaction
from cbt.errors import (
    AccountInUse,
    AccountTaken,
    CommunityNotSample,
    NameTaken,
    NotFound,
    PromptPayIdInvalid,
)
from cbt.i18n import Localized
from cbt.ledger import services as ledger
from cbt.ledger.models import DEBIT
from cbt.payments import queries
from cbt.payments.models import AccountChange, Attempt, PaymentAccount
from cbt.payments.promptpay import IdKind, Receiver, normalise, payload, pays
from cbt.payments.provider import Provider, Providers, TellingProvider
from cbt.payments.records import CASH

PROMPTPAY = "promptpay"
TRIED_WITH_SATANG = 1_00


class AccountProblem(StrEnum):
    """What a check of our own can find; a payment service has words of its own."""

    RECEIVER = "receiver"
    CODE = "code"


def open_payment_account(
    community_id: int, provider: Provider, receiver: Mapping[str, str], receiver_name: Localized
) -> None:
    """Let a community be paid by a provider.

    Raises CommunityNotSample for a pretended provider at a real community, PromptPayIdInvalid for
    an id that PromptPay does not know, NameTaken when it is paid so already, AccountTaken when the
    account is another community's.
    """
    _require_receiver(provider.name, receiver)
    with _one_owner(), transaction() as session:
        book_id = lock_community(session, community_id)
        community = session.get_one(Community, community_id)
        if provider.capabilities.is_pretended and not community.is_sample:
            raise CommunityNotSample
        if queries.find_method(session, community_id, provider.name) is not None:
            raise NameTaken(code=provider.name)
        position = session.scalar(
            select(func.count()).where(PaymentAccount.community_id == community_id)
        )
        session.add(
            PaymentAccount(
                community_id=community_id,
                provider=provider.name,
                position=position,
                receiver=dict(receiver),
                receiver_name=receiver_name,
                account=_account_of(provider, receiver),
            )
        )
        account = chart.payment(provider.name)
        if account != chart.BANK:  # that one every community has
            # a provider that keeps its fee when money goes back leaves it short for a while; a box
            # of cash cannot hold less than nothing
            can_be_short = account != chart.CASH_BOX
            ledger.open_account(session, book_id, account, DEBIT, may_go_negative=can_be_short)


@contextmanager
def _one_owner() -> Iterator[None]:
    """Two communities cannot have one account at a provider: each would read the other's money."""
    try:
        yield
    except IntegrityError as error:
        if "account" in str(error.orig):
            raise AccountTaken from None
        raise


def _account_of(provider: Provider, receiver: Mapping[str, str]) -> str | None:
    """What an account is known by at a provider that tells us; nothing elsewhere."""
    return receiver.get("account", "") if provider.capabilities.tells_us else None


def change_account(
    community_id: int,
    provider: Provider,
    receiver: Mapping[str, str],
    receiver_name: Localized,
    person_id: int,
    now: datetime,
) -> None:
    """Let later payments go to another receiver, or under another name.

    Codes that guests have before them pay the receiver that they were drawn for. Who changed what
    is kept. Raises NotFound, PromptPayIdInvalid, AccountInUse where payments are looked up at the
    account they went to, or AccountTaken when it is another community's.
    """
    _require_receiver(provider.name, receiver)
    with _one_owner(), transaction() as session:
        lock_community(session, community_id)
        account = _get(session, community_id, provider.name)
        changed = account.receiver != dict(receiver)
        if changed and provider.capabilities.tells_us and _has_attempts(session, account.id):
            raise AccountInUse
        before = _told(account)
        account.receiver, account.receiver_name = dict(receiver), receiver_name
        account.account = _account_of(provider, receiver)
        _note_change(session, account, before, person_id, now)
        if changed:
            account.checked_at, account.problem = None, ""


def _told(account: PaymentAccount) -> dict[str, Any]:
    """What a change of an account is about."""
    names = ("receiver", "receiver_name", "is_open")
    return {name: getattr(account, name) for name in names}


def _note_change(
    session: Session,
    account: PaymentAccount,
    before: dict[str, Any],
    person_id: int,
    now: datetime,
) -> None:
    after = _told(account)
    if after != before:
        session.add(
            AccountChange(
                payment_account_id=account.id,
                before=before,
                after=after,
                changed_by=person_id,
                changed_at=now,
            )
        )


def set_open(
    community_id: int, provider: str, person_id: int, now: datetime, *, is_open: bool
) -> None:
    """Offer a way to pay to guests, or offer it no longer; what was begun can still be paid.

    Raises NotFound.
    """
    with transaction() as session:
        lock_community(session, community_id)
        account = _get(session, community_id, provider)
        before = _told(account)
        account.is_open = is_open
        _note_change(session, account, before, person_id, now)


def move_up(community_id: int, provider: str) -> None:
    """Offer a way to pay one place earlier. Raises NotFound."""
    with transaction() as session:
        lock_community(session, community_id)
        wanted = _get(session, community_id, provider)
        accounts = session.scalars(
            select(PaymentAccount)
            .where(PaymentAccount.community_id == community_id)
            .order_by(PaymentAccount.position)
        ).all()
        order = [each for each in accounts if each is not wanted]
        order.insert(max(0, accounts.index(wanted) - 1), wanted)
        for position, each in enumerate(order):
            each.position = position


def check_account(community_id: int, provider: str, providers: Providers, now: datetime) -> str:
    """Try whether an account can take money, and keep the answer: "" or what is wrong with it.

    A provider that can tell is asked, with no transaction open. Raises NotFound, or ProviderDown
    and then keeps what was known.
    """
    method = queries.find_method(db.session(), community_id, provider)
    if method is None or provider not in providers:
        raise NotFound(thing="account")
    db.session.rollback()  # nothing stays open while somebody outside is asked
    problem = _find_problem(providers[provider], method.receiver)
    with transaction() as session:
        session.execute(
            update(PaymentAccount)
            .where(PaymentAccount.id == method.id)
            .values(problem=problem, checked_at=now)
        )
    return problem


def _find_problem(provider: Provider, receiver: Mapping[str, str]) -> str:
    if provider.capabilities.tells_us:
        return cast(TellingProvider, provider).check(receiver)
    if provider.name != PROMPTPAY:
        return ""
    try:
        whom = Receiver(IdKind(receiver["kind"]), receiver["id"])
        code = payload(whom, TRIED_WITH_SATANG)
    except (PromptPayIdInvalid, KeyError, ValueError):
        return AccountProblem.RECEIVER
    return "" if pays(code, whom, TRIED_WITH_SATANG) else AccountProblem.CODE


def _require_receiver(provider: str, receiver: Mapping[str, str]) -> None:
    """Raise PromptPayIdInvalid for an id that PromptPay does not know."""
    if provider == PROMPTPAY:
        normalise(Receiver(IdKind(receiver["kind"]), receiver["id"]))
    elif provider == CASH:
        assert receiver.get("guests", "no") in ("yes", "no")


def _get(session: Session, community_id: int, provider: str) -> PaymentAccount:
    account = session.scalars(
        select(PaymentAccount).where(
            PaymentAccount.community_id == community_id, PaymentAccount.provider == provider
        )
    ).one_or_none()
    if account is None:
        raise NotFound(thing="account")
    return account


def _has_attempts(session: Session, account_id: int) -> bool:
    found = select(Attempt.id).where(Attempt.payment_account_id == account_id).limit(1)
    return session.scalar(found) is not None
