"""A person of the community confirms that a PromptPay transfer arrived."""

from datetime import datetime
from unicodedata import decimal, normalize

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from cbt.db import transaction
from cbt.errors import MethodClosed, NotFound, ReferenceUsed, StateForbids
from cbt.payments.models import Attempt, PaymentAccount, TransferConfirmation
from cbt.payments.pay import lock_account
from cbt.payments.provider import AttemptState


def confirm_transfer(
    community_id: int, attempt_id: int, bank_reference: str, person_id: int, now: datetime
) -> None:
    """A person of the community saw the money of an attempt in the bank account.

    The caller then lets `take_in` bring it into the books. Raises NotFound for an attempt of
    another community, StateForbids when it was confirmed before, ReferenceUsed when the bank
    reference, in whatever case and spacing, already proves another payment.
    """
    with transaction() as session:
        account = session.execute(
            select(PaymentAccount.id, PaymentAccount.provider, PaymentAccount.community_id)
            .join(Attempt, Attempt.payment_account_id == PaymentAccount.id)
            .where(Attempt.id == attempt_id)
        ).one_or_none()
        if account is None or account.community_id != community_id:
            raise NotFound(thing="attempt")
        if account.provider != "promptpay":
            raise MethodClosed(method=account.provider)
        lock_account(session, community_id, account.provider)
        if session.scalar(
            select(TransferConfirmation.id).where(TransferConfirmation.attempt_id == attempt_id)
        ):
            raise StateForbids(thing="attempt", state=AttemptState.PAID, wanted=AttemptState.PAID)
        session.add(
            TransferConfirmation(
                payment_account_id=account.id,
                attempt_id=attempt_id,
                amount_satang=session.get_one(Attempt, attempt_id).amount_satang,
                bank_reference=_letters_and_digits(bank_reference) or None,
                confirmed_by=person_id,
                confirmed_at=now,
            )
        )
        try:
            session.flush()
        except IntegrityError:
            raise ReferenceUsed(reference=bank_reference) from None


def _letters_and_digits(typed: str) -> str:
    """A bank reference without what people write differently: case, width, spaces, marks."""
    plain = normalize("NFKC", typed).casefold()
    return "".join(str(decimal(each, each)) for each in plain if each.isalnum())
