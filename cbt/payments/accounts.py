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
    """Let a community be paid by a provider, as whoever founds it says; later `account_changes` does.

    Raises CommunityNotSample for a pretended provider at a real community, PromptPayIdInvalid for
    an id that PromptPay does not know, NameTaken when it is paid so already, AccountTaken when the
    account is another community's.
    """
    with one_owner(), transaction() as session:
        lock_community(session, community_id)
        add_account(session, community_id, provider, receiver, receiver_name)


def add_account(
    session: Session,
    community_id: int,
    provider: Provider,
    receiver: Mapping[str, str],
    receiver_name: Localized,
) -> PaymentAccount:
    """What `open_payment_account` does, under the community's lock. A step."""
    require_openable(session, community_id, provider, receiver)
    book_id = session.get_one(Community, community_id).book_id
    position = session.scalar(
        select(func.count()).where(PaymentAccount.community_id == community_id)
    )
    added = PaymentAccount(
        community_id=community_id,
        provider=provider.name,
        position=position,
        receiver=dict(receiver),
        receiver_name=receiver_name,
        account=_account_of(provider, receiver),
        is_open=True,
    )
    session.add(added)
    session.flush()
    account = chart.payment(provider.name)
    if account != chart.BANK:  # that one every community has
        # a provider that keeps its fee when money goes back leaves it short for a while; a box
        # of cash cannot hold less than nothing
        can_be_short = account != chart.CASH_BOX
        ledger.open_account(session, book_id, account, DEBIT, may_go_negative=can_be_short)
    return added


def require_openable(
    session: Session, community_id: int, provider: Provider, receiver: Mapping[str, str]
) -> None:
    """Raise what `open_payment_account` does. A step that writes nothing."""
    _require_receiver(provider.name, receiver)
    community = session.get_one(Community, community_id)
    if provider.capabilities.is_pretended and not community.is_sample:
        raise CommunityNotSample
    if queries.find_method(session, community_id, provider.name) is not None:
        raise NameTaken(code=provider.name)
    _require_free(session, community_id, provider, receiver)


def _require_free(
    session: Session, community_id: int, provider: Provider, receiver: Mapping[str, str]
) -> None:
    """Raise AccountTaken now rather than when it takes effect; `one_owner` stands behind it."""
    account = _account_of(provider, receiver)
    if account is None:
        return
    taken = select(PaymentAccount.id).where(
        PaymentAccount.provider == provider.name,
        PaymentAccount.account == account,
        PaymentAccount.community_id != community_id,
    )
    if session.scalar(taken) is not None:
        raise AccountTaken


@contextmanager
def one_owner() -> Iterator[None]:
    """Two communities cannot have one account at a provider: each would read the other's money."""
    try:
        yield
    except IntegrityError as error:
        names = ("uq_payment_account_provider_account", "payment_account.account")
        if any(name in str(error.orig) for name in names):
            raise AccountTaken from None
        raise


def _account_of(provider: Provider, receiver: Mapping[str, str]) -> str | None:
    """What an account is known by at a provider that tells us; nothing elsewhere."""
    return receiver.get("account", "") if provider.capabilities.tells_us else None


def replace_account(
    session: Session,
    account: PaymentAccount,
    provider: Provider,
    receiver: Mapping[str, str],
    receiver_name: Localized,
) -> None:
    """Let later payments go to another receiver, or under another name. A step.

    Codes that guests have before them pay the receiver that they were drawn for. Raises what
    `require_replaceable` does.
    """
    require_replaceable(session, account, provider, receiver)
    changed = account.receiver != dict(receiver)
    account.receiver, account.receiver_name = dict(receiver), receiver_name
    account.account = _account_of(provider, receiver)
    if changed:
        account.checked_at, account.problem = None, ""


def require_replaceable(
    session: Session, account: PaymentAccount, provider: Provider, receiver: Mapping[str, str]
) -> None:
    """Raise PromptPayIdInvalid, AccountInUse where payments are looked up at the account they went
    to, or AccountTaken when it is another community's. A step that writes nothing.
    """
    _require_receiver(provider.name, receiver)
    changed = account.receiver != dict(receiver)
    if changed and provider.capabilities.tells_us and _has_attempts(session, account.id):
        raise AccountInUse
    _require_free(session, account.community_id, provider, receiver)


def told(account: PaymentAccount) -> dict[str, Any]:
    """What a change of an account is about."""
    names = ("receiver", "receiver_name", "is_open")
    return {name: getattr(account, name) for name in names}


def note_change(
    session: Session,
    account: PaymentAccount,
    before: dict[str, Any],
    person_id: int,
    now: datetime,
    *,
    agreed_by: int | None = None,
) -> None:
    """Keep who changed what, and who agreed to it. A step."""
    after = told(account)
    if after != before:
        session.add(
            AccountChange(
                payment_account_id=account.id,
                before=before,
                after=after,
                changed_by=person_id,
                agreed_by=agreed_by,
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
        account = get_account(session, community_id, provider)
        before = told(account)
        account.is_open = is_open
        note_change(session, account, before, person_id, now)


def move_up(community_id: int, provider: str) -> None:
    """Offer a way to pay one place earlier. Raises NotFound."""
    with transaction() as session:
        lock_community(session, community_id)
        wanted = get_account(session, community_id, provider)
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


def get_account(session: Session, community_id: int, provider: str) -> PaymentAccount:
    """Raises NotFound."""
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
