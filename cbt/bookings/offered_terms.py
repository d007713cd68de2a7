"""Changing what the next bookings freeze: cancellation terms and the deposit."""

from collections.abc import Collection

from sqlalchemy import update

from cbt.bookings.terms import DEFAULT, Terms, canonical
from cbt.communities.services import lock_community
from cbt.db import transaction
from cbt.errors import NotFound
from cbt.experiences.models import Option
from cbt.experiences.queries import list_option_terms


def set_terms(community_id: int, option_ids: Collection[int], terms: Terms) -> None:
    """Let what is booked from now on be sold under these terms; what is held or sold keeps its own.

    Raises TermsInvalid, or NotFound for another community's option; and then writes nothing.
    """
    text = canonical(terms)
    is_usual = (terms.tiers, terms.deposit) == (DEFAULT.tiers, DEFAULT.deposit)
    with transaction() as session:
        lock_community(session, community_id)
        own = {each.option_id for each in list_option_terms(session, community_id)}
        if not option_ids or not set(option_ids) <= own:
            raise NotFound(thing="option")
        session.execute(
            update(Option).where(Option.id.in_(option_ids)).values(terms="" if is_usual else text)
        )
