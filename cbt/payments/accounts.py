"""Letting a community be paid."""

from collections.abc import Mapping

from sqlalchemy import func, select

from cbt.communities import chart
from cbt.communities.models import Community
from cbt.communities.services import lock_community
from cbt.db import transaction
from cbt.errors import CommunityNotSample
from cbt.i18n import Localized
from cbt.ledger import services as ledger
from cbt.ledger.models import DEBIT
from cbt.payments.models import PaymentAccount
from cbt.payments.promptpay import IdKind, Receiver, normalise
from cbt.payments.provider import Provider


def open_payment_account(
    community_id: int, provider: Provider, receiver: Mapping[str, str], receiver_name: Localized
) -> None:
    """Let a community be paid by a provider.

    Raises CommunityNotSample for a pretended provider at a real community, PromptPayIdInvalid for
    an id that PromptPay does not know.
    """
    if "kind" in receiver:
        normalise(Receiver(IdKind(receiver["kind"]), receiver["id"]))
    with transaction() as session:
        book_id = lock_community(session, community_id)
        community = session.get_one(Community, community_id)
        if provider.capabilities.is_pretended and not community.is_sample:
            raise CommunityNotSample
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
            )
        )
        account = chart.payment(provider.name)
        if account != chart.BANK:  # that one every community has
            # a provider that keeps its fee when money goes back leaves it short for a while
            ledger.open_account(session, book_id, account, DEBIT, may_go_negative=True)
