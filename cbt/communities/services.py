"""Founding communities and taking in households."""

from dataclasses import asdict
from datetime import date

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from cbt.communities import chart
from cbt.communities.models import Community, Household, Member
from cbt.communities.records import Founding
from cbt.db import transaction
from cbt.errors import NameTaken
from cbt.i18n import Localized
from cbt.ledger import services as ledger
from cbt.ledger.models import CREDIT, DEBIT


def found_community(founding: Founding) -> int:
    """Take in a community and open its books; return its id."""
    with transaction() as session:
        book_id = ledger.open_book(session, founding.slug, f"community:{founding.slug}")
        for code in (
            chart.GUEST_DEPOSIT,
            chart.GUEST_CREDIT,
            chart.PROVIDER_POOL,
            chart.DIVIDEND_POOL,
            chart.INTERMEDIARY,
            chart.PAYOUT_TRANSIT,
        ):
            ledger.open_account(session, book_id, code, CREDIT)
        for bucket in chart.FUNDS:
            ledger.open_account(session, book_id, chart.fund(bucket), CREDIT)
        for code in (
            *(chart.PAYMENT_FEE, chart.DISPUTED, chart.LOANS),
            chart.CASH_ON_THE_WAY,
        ):
            ledger.open_account(session, book_id, code, DEBIT)
        # more may leave the bank than came in there first; what nothing explains has either side; a loss
        # that was borne may come back before those who bore it have it again
        for code, side in (
            (chart.BANK, DEBIT),
            (chart.GIVEN_BACK, DEBIT),
            (chart.CASH_DIFFERENCE, DEBIT),
            (chart.SUSPENSE, CREDIT),
        ):
            ledger.open_account(session, book_id, code, side, may_go_negative=True)
        community = Community(book_id=book_id, **asdict(founding))
        session.add(community)
        session.flush()
        return community.id


def add_household(community_id: int, code: str, name: Localized, active_from: date) -> int:
    """Take a household into the register, after those already in it; return its id.

    Raises NameTaken for a code that the register holds, and then writes nothing.
    """
    with transaction() as session:
        book_id = lock_community(session, community_id)
        known = (Household.community_id == community_id) & (Household.code == code)
        if session.scalar(select(Household.id).where(known)) is not None:
            raise NameTaken(code=code)
        position = session.scalar(
            select(func.count()).where(Household.community_id == community_id)
        )
        household = Household(
            community_id=community_id,
            code=code,
            name=name,
            position=position,
            active_from=active_from,
        )
        session.add(household)
        session.flush()
        ledger.open_account(session, book_id, chart.household(code), CREDIT)
        ledger.open_account(session, book_id, chart.receivable(code), DEBIT)
        return household.id


def add_member(household_id: int, name: Localized, joined_on: date) -> int:
    with transaction() as session:
        member = Member(household_id=household_id, name=name, joined_on=joined_on)
        session.add(member)
        session.flush()
        return member.id


def lock_community(session: Session, community_id: int) -> int:
    """Lock the community's row by writing it first; return its book's id."""
    return session.execute(
        update(Community)
        .where(Community.id == community_id)
        .values(settlements=Community.settlements)
        .returning(Community.book_id)
    ).scalar_one()


def next_settlement_numbers(session: Session, community_id: int, many: int) -> range:
    """So many settlement numbers of the community, the next ones, from 1, without gaps."""
    last = session.execute(
        update(Community)
        .where(Community.id == community_id)
        .values(settlements=Community.settlements + many)
        .returning(Community.settlements)
    ).scalar_one()
    return range(last - many + 1, last + 1)
