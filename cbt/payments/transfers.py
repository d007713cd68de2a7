"""A person of the community confirms that a PromptPay transfer arrived; of a large amount, two do."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from datetime import time as time_of_day
from hashlib import sha256
from unicodedata import decimal, normalize

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cbt.clock import to_instant, village_day
from cbt.communities.models import Community
from cbt.db import transaction
from cbt.errors import (
    LineAmountDiffers,
    MethodClosed,
    NotFound,
    ReferenceDiffers,
    ReferenceUsed,
    SecondPersonNeeded,
    StateForbids,
)
from cbt.payments.bank_lines import BankLine
from cbt.payments.models import Attempt, PaymentAccount, TransferConfirmation, TransferLook
from cbt.payments.money_rules import get_money_rules
from cbt.payments.pay import lock_account
from cbt.payments.provider import AttemptState
from cbt.payments.slips import Slip, read_slip

_SLIP_BEGINS = re.compile(r"00[0-9]{2}0006000001")


def confirm_transfer(
    community_id: int, attempt_id: int, bank_reference: str, person_id: int, now: datetime
) -> bool:
    """A person of the community saw the money of an attempt in the bank account.

    `bank_reference` is what was typed, or the text of the slip's code. From the community's own
    limit on, two people look: the first call notes who saw it, and only another person's confirms.
    True when it is confirmed; the caller then lets `take_in` bring it into the books.

    Raises NotFound for an attempt of another community, StateForbids when it was confirmed before,
    SlipUnreadable, SecondPersonNeeded for the same person again, ReferenceDiffers when the two
    noted different ones, ReferenceUsed when the bank reference, in whatever case and spacing,
    already proves another payment; and then writes nothing.
    """
    slip = read_reference(bank_reference)
    with transaction() as session:
        seen = _lock(session, community_id, attempt_id)
        look = _find_look(session, attempt_id)
        slip = _agreed(look, slip)
        _require_unused(session, seen.account_id, slip, bank_reference)
        limit = get_money_rules(session, community_id, now).two_people_from_satang
        needs_two = seen.amount_satang >= limit
        if needs_two and look is None:
            session.add(_look(attempt_id, slip, person_id, now))
            return False
        is_own = look is not None and look.looked_by == person_id
        if needs_two and is_own:
            raise SecondPersonNeeded
        session.add(
            TransferConfirmation(
                payment_account_id=seen.account_id,
                attempt_id=attempt_id,
                amount_satang=seen.amount_satang,
                bank=slip.bank,
                bank_reference=slip.reference or None,
                seen_by=look.looked_by if look and not is_own else None,
                confirmed_by=person_id,
                confirmed_at=now,
            )
        )
        try:
            session.flush()
        except IntegrityError:
            raise ReferenceUsed(reference=bank_reference) from None
        return True


def confirm_by_statement(
    session: Session,
    community_id: int,
    attempt_id: int,
    line: BankLine,
    time: int,
    person_id: int,
    now: datetime,
) -> bool:
    """A person says that a line of the bank's statement pays an attempt, for the nth `time`. A step.

    A statement is a file that whoever read it in could have changed, so from the community's limit
    on a second person must say the same. True when it is confirmed; it was paid when the line says.
    A confirmation that was there before must be of the same amount. Raises NotFound, MethodClosed, LineAmountDiffers or
    SecondPersonNeeded, and then has written nothing.
    """
    seen = _lock_account_of(session, community_id, attempt_id)
    amount_satang = line.amount_satang
    made = session.execute(
        select(TransferConfirmation.amount_satang, TransferConfirmation.confirmed_at)
        .where(TransferConfirmation.attempt_id == attempt_id)
        .order_by(TransferConfirmation.id)
    ).all()
    if time <= len(made):
        known = made[time - 1].amount_satang
        if known != amount_satang:
            raise LineAmountDiffers(line_satang=amount_satang, known_satang=known)
        return True
    since = made[-1].confirmed_at if made else None
    look = _find_look(session, attempt_id, since)
    limit = get_money_rules(session, community_id, now).two_people_from_satang
    is_own = look is not None and look.looked_by == person_id
    if amount_satang >= limit:
        if look is None:
            session.add(_look(attempt_id, Slip("", ""), person_id, now))
            session.flush()
            return False
        if is_own:
            raise SecondPersonNeeded
    session.add(
        TransferConfirmation(
            payment_account_id=seen.account_id,
            attempt_id=attempt_id,
            amount_satang=amount_satang,
            bank_reference=None,  # the line itself can be matched once only
            seen_by=look.looked_by if look and not is_own else None,
            confirmed_by=person_id,
            confirmed_at=now,
            paid_at=min(now, paid_at(line, (seen.reported_at, seen.opened_at), seen.zone)),
        )
    )
    session.flush()
    return True


def dismiss_look(community_id: int, look_id: int, person_id: int, now: datetime) -> None:
    """What the first of two people saw was something else: the transfer waits to be seen again.

    Raises NotFound, or StateForbids when it was set aside or confirmed before.
    """
    with transaction() as session:
        attempt_id = session.scalar(
            select(TransferLook.attempt_id).where(TransferLook.id == look_id)
        )
        if attempt_id is None:
            raise NotFound(thing="look")
        _lock(session, community_id, attempt_id)
        done = session.scalar(
            update(TransferLook)
            .where(TransferLook.id == look_id, TransferLook.dismissed_at.is_(None))
            .values(dismissed_by=person_id, dismissed_at=now)
            .returning(TransferLook.id)
        )
        if done is None:
            raise StateForbids(thing="look", state="dismissed", wanted="dismissed")


def read_reference(typed: str) -> Slip:
    """The bank and reference of a slip's code, or a typed reference of an unknown bank ("").

    Raises SlipUnreadable for a code that was cut off.
    """
    text = typed.strip()
    if not _SLIP_BEGINS.match(text):
        return Slip("", _letters_and_digits(text))
    slip = read_slip(text)
    return Slip(slip.bank, _letters_and_digits(slip.reference))


def _letters_and_digits(typed: str) -> str:
    """A bank reference without what people write differently: case, width, spaces, marks."""
    plain = normalize("NFKC", typed).casefold()
    return "".join(str(decimal(each, each)) for each in plain if each.isalnum())


def paid_at(line: BankLine, known: Sequence[datetime | None], zone: str) -> datetime:
    """When a line of the bank was paid: its own hour, or the first of the `known` instants on its day.

    Of a day of which nothing is known, its first moment: a bank that tells no hour is no reason to
    call a transfer late.
    """
    if line.booked_at is not None:
        return line.booked_at
    for each in known:
        if each is not None and village_day(each, zone) == line.booked_on:
            return each
    return to_instant(line.booked_on, time_of_day.min, zone)


@dataclass(frozen=True)
class _Seen:
    """An attempt and the account that it pays into, locked."""

    account_id: int
    amount_satang: int
    opened_at: datetime
    reported_at: datetime | None
    zone: str


def _lock(session: Session, community_id: int, attempt_id: int) -> _Seen:
    """Lock the account that an attempt pays into. Raises StateForbids when it is confirmed already."""
    seen = _lock_account_of(session, community_id, attempt_id)
    if session.scalar(
        select(TransferConfirmation.id).where(TransferConfirmation.attempt_id == attempt_id)
    ):
        raise StateForbids(thing="attempt", state=AttemptState.PAID, wanted=AttemptState.PAID)
    return seen


def _lock_account_of(session: Session, community_id: int, attempt_id: int) -> _Seen:
    row = session.execute(
        select(
            *(PaymentAccount.id, PaymentAccount.provider, PaymentAccount.community_id),
            *(Attempt.amount_satang, Attempt.created_at, Attempt.reported_at, Community.zone),
        )
        .join(Attempt, Attempt.payment_account_id == PaymentAccount.id)
        .join(Community, Community.id == PaymentAccount.community_id)
        .where(Attempt.id == attempt_id)
    ).one_or_none()
    if row is None or row.community_id != community_id:
        raise NotFound(thing="attempt")
    if row.provider != "promptpay":
        raise MethodClosed(method=row.provider)
    lock_account(session, community_id, row.provider)
    return _Seen(row.id, row.amount_satang, row.created_at, row.reported_at, row.zone)


def _find_look(
    session: Session, attempt_id: int, since: datetime | None = None
) -> TransferLook | None:
    """The first of two people's look that waits for the second's, after an earlier confirmation."""
    looks = select(TransferLook).where(
        TransferLook.attempt_id == attempt_id, TransferLook.dismissed_at.is_(None)
    )
    if since is not None:
        looks = looks.where(TransferLook.looked_at > since)
    return session.scalars(looks).one_or_none()


def _look(attempt_id: int, slip: Slip, person_id: int, now: datetime) -> TransferLook:
    return TransferLook(
        attempt_id=attempt_id,
        bank=slip.bank,
        bank_reference=slip.reference or None,
        looked_by=person_id,
        looked_at=now,
    )


def _agreed(look: TransferLook | None, slip: Slip) -> Slip:
    """What both people noted; where one noted nothing, the other's counts. Raises ReferenceDiffers."""
    if look is None or not look.bank_reference:
        return slip
    if not slip.reference:
        return Slip(look.bank, look.bank_reference)
    banks_differ = look.bank and slip.bank and look.bank != slip.bank
    if look.bank_reference != slip.reference or banks_differ:
        raise ReferenceDiffers(reference=look.bank_reference)
    return Slip(slip.bank or look.bank, slip.reference)


def _require_unused(session: Session, account_id: int, slip: Slip, typed: str) -> None:
    """Raise ReferenceUsed for a reference that proves another payment.

    Within the account it is the same where the banks are equal or one of them is unknown; a slip
    that names its bank proves one payment in all communities.
    """
    if not slip.reference:
        return
    _lock_reference(session, slip)
    used = TransferConfirmation
    here: ColumnElement[bool] = used.payment_account_id == account_id
    if slip.bank:
        here &= or_(used.bank == slip.bank, used.bank == "")
    found = session.scalar(
        select(used.id)
        .where(
            used.bank_reference == slip.reference,
            or_(here, used.bank == slip.bank) if slip.bank else here,
        )
        .limit(1)
    )
    if found is not None:
        raise ReferenceUsed(reference=typed)


def _lock_reference(session: Session, slip: Slip) -> None:
    """Let two communities that note one slip at the same moment go one after the other.

    No row of theirs is the same, so PostgreSQL is asked for a lock by number; SQLite has one writer.
    """
    if slip.bank and session.get_bind().dialect.name == "postgresql":
        digest = sha256(f"{slip.bank}:{slip.reference}".encode()).digest()
        number = int.from_bytes(digest[:8], signed=True)
        session.execute(select(func.pg_advisory_xact_lock(number)))
